//! The SMPP 3.4 language, for both ends of a session. Pure: no sockets, no clock; whoever holds
//! the socket passes bytes in, writes bytes out and says what time it is.
//!
//! The PDUs that come by the ten thousand a second are read in place and written by hand here, and
//! leniently, because carriers send what a strict decoder refuses (see [`pdu`]). All others are
//! read with rusmpp's types. Tests hold the two against each other byte by byte.

pub mod frame;
pub mod output;
pub mod pdu;
pub mod receipt;
pub mod session;
pub mod status;
pub mod timers;
pub mod window;

pub use frame::{Frame, FrameError, Frames, Header};
pub use output::Output;
pub use pdu::{Address, Bind, BindKind, Pdu, ShortMessage};
pub use rusmpp::CommandId;
pub use session::{End, Session, State, Verdict};
pub use status::{Class, Status};
pub use timers::{Due, Timers};
pub use window::Window;
