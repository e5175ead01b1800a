//! The API through real HTTP: one file a URL. The tests' names, or the comments in them, say which
//! fact of the wire they stand for.

#![expect(clippy::unwrap_used, reason = "these are tests, also outside of their functions")]

mod analytics;
mod balance;
mod callers;
mod cost;
mod forms;
mod house;
mod journal;
mod pricing;
mod request_log;
mod server;
mod signatures;
mod sms;
mod status;
mod subaccounts;
mod v1;
