//! The words and rules of Branchline: what an account, a credit, a message and a price are, and
//! what may happen to them. Pure: no I/O, no clock, no chance, no SQL, no JSON.

pub mod account;
pub mod actor;
pub mod carrier;
pub mod credits;
pub mod delivery_report;
pub mod id;
pub mod key;
pub mod label;
pub mod ledger;
pub mod limit;
pub mod login;
pub mod markup;
pub mod member;
pub mod message;
pub mod moment;
pub mod permission;
pub mod phone_number;
pub mod price;
pub mod product;
pub mod route;
pub mod sender_id;
pub mod text;
