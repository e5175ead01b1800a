//! Where a request comes from, as the audit log shows it: the network address and the program.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;

/// The most characters of a program's name that are kept.
const AGENT_MAX: usize = 200;

/// The address of the client. A reverse proxy on this machine says whom it stands for: the last
/// address of `X-Forwarded-For`, the only one that it has written itself. Others are not believed.
pub fn address(headers: &HeaderMap, peer: Option<SocketAddr>) -> String {
    let Some(peer) = peer.map(|peer| peer.ip().to_canonical()) else { return String::new() };
    if peer.is_loopback() {
        let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
        let last = forwarded.and_then(|value| value.to_str().ok()).and_then(|list| list.rsplit(',').next());
        if let Some(client) = last.and_then(|client| client.trim().parse::<IpAddr>().ok()) {
            return client.to_canonical().to_string();
        }
    }
    peer.to_string()
}

/// What the program calls itself.
pub fn agent(headers: &HeaderMap) -> String {
    let named = headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    named.unwrap_or_default().chars().filter(|c| !c.is_control()).take(AGENT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_proxy_on_this_machine_is_believed() {
        let cases = [
            ("127.0.0.1:9", None, "127.0.0.1"),
            ("127.0.0.1:9", Some("203.0.113.7"), "203.0.113.7"),
            ("127.0.0.1:9", Some("6.6.6.6, 203.0.113.7"), "203.0.113.7"),
            ("[::1]:9", Some("2001:db8::1"), "2001:db8::1"),
            ("127.0.0.1:9", Some("unknown"), "127.0.0.1"),
            ("198.51.100.3:9", Some("203.0.113.7"), "198.51.100.3"),
            ("[::ffff:198.51.100.3]:9", None, "198.51.100.3"),
        ];
        for (peer, forwarded, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(forwarded) = forwarded {
                headers.insert("x-forwarded-for", HeaderValue::from_static(forwarded));
            }
            assert_eq!(address(&headers, peer.parse().ok()), expected, "{peer} {forwarded:?}");
        }
        assert_eq!(address(&HeaderMap::new(), None), "");
    }
}
