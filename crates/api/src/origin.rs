//! Where a request comes from, as the audit log shows it: the network address and the program.

use std::net::SocketAddr;

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;

/// The most characters of a program's name that are kept.
const AGENT_MAX: usize = 200;

/// The address of the client, as the server has found it out.
pub fn address(client: Option<SocketAddr>) -> String {
    client.map(|client| client.ip().to_canonical().to_string()).unwrap_or_default()
}

/// What the program calls itself.
pub fn agent(headers: &HeaderMap) -> String {
    let named = headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    named.unwrap_or_default().chars().filter(|c| !c.is_control()).take(AGENT_MAX).collect()
}
