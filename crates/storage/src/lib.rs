//! The books: the only crate that speaks SQL, one file a noun. Functions take the connection or
//! transaction first and read as sentences: `messages::find(conn, id)`.

pub mod accounts;
pub mod analytics;
pub mod answers;
pub mod audit;
pub mod check;
pub mod checks;
pub mod counters;
pub mod db;
pub mod jobs;
pub mod journal;
pub mod keys;
pub mod ledger;
pub mod mails;
pub mod messages;
mod migrations;
pub mod nodes;
pub mod notices;
pub mod operator;
pub mod outbox;
pub mod prices;
pub mod promo;
pub mod reports;
pub mod requests;
pub mod segments;
pub mod standing;
pub mod statistics;
pub mod transfers;

pub use db::{Address, Conn, Db, Error, Question, Result, Tx};
