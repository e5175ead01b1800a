//! The books: the only crate that speaks SQL, one file a noun. Functions take the connection or
//! transaction first and read as sentences: `messages::find(conn, id)`.

pub mod accounts;
pub mod analytics;
pub mod answers;
pub mod audit;
pub mod calls;
pub mod check;
pub mod checks;
pub mod counters;
pub mod db;
pub mod devices;
pub mod guesses;
pub mod identities;
pub mod invitations;
pub mod jobs;
pub mod journal;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod logins;
pub mod mails;
pub mod members;
pub mod messages;
mod migrations;
pub mod nodes;
pub mod notices;
pub mod operator;
pub mod outbox;
pub mod overview;
pub mod passkeys;
pub mod prices;
pub mod promo;
pub mod reports;
pub mod requests;
pub mod retention;
pub mod rollups;
pub mod segments;
pub mod sessions;
pub mod standing;
pub mod statement;
pub mod statistics;
pub mod subaccounts;
pub mod tokens;
pub mod transfers;
pub mod visits;

pub use db::{Address, Conn, Db, Error, Question, Result, Tx};
