//! What the platform does: the operations every door shares, and the workers behind them.

pub mod accept;
pub mod accounts;
pub mod address_change;
mod audit;
pub mod base;
mod batch;
pub mod calls;
pub mod clock;
pub mod credits;
pub mod dispatch;
pub mod guesses;
pub(crate) mod intake;
pub mod keys;
pub mod logins;
pub mod mail;
pub mod members;
pub mod once;
pub mod operator;
pub mod passkeys;
pub mod password_reset;
pub mod passwords;
pub mod people;
pub mod prices;
pub mod provider;
pub mod recent;
pub mod report;
pub mod retention;
pub mod second_factor;
pub mod sessions;
pub mod set_up;
pub mod settings;
pub mod sign_in;
pub mod visits;

mod again;
mod gateway;

pub use base::{Base, Prices, Rules};
pub use clock::Clock;
pub use gateway::Gateway;
