//! Pages by HTTP, on real books: what stands on them for whom, and what their forms do. One file a
//! group of pages, named as their address.
#![allow(clippy::unwrap_used, reason = "these are tests, down to their helpers")]

mod credits;
mod events;
mod house;
mod messages;
mod overview;
mod permissions;
mod price_lists;
mod send;
mod several;
mod statistics;
mod subaccounts;
