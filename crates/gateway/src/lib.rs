//! What the platform does: the operations every door shares, and the workers behind them.

pub mod accept;
pub mod accounts;
mod audit;
pub mod base;
mod batch;
pub mod clock;
pub mod credits;
pub mod dispatch;
pub(crate) mod intake;
pub mod keys;
pub mod mail;
pub mod once;
pub mod operator;
pub mod prices;
pub mod recent;
pub mod report;

mod again;
mod gateway;

pub use base::{Base, Prices, Rules};
pub use clock::Clock;
pub use gateway::Gateway;
