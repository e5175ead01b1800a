//! Reverse proxies in front of us that are believed about whom they stand for. `X-Forwarded-For` is a
//! list to which each proxy adds, at its end, the address it was called from; so it is read from the end,
//! and only as far as each next address is a proxy's that is believed. What a client writes there itself
//! stands before that and is never reached.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The networks whose machines are believed, besides this machine, which always is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// The networks that are written so: `10.0.0.0/8`, `fd00::/8`, or one address.
    ///
    /// # Errors
    /// What is wrong with the first that is none, and how to write it.
    pub fn parse<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Proxies, String> {
        networks.into_iter().map(|text| network(text.trim())).collect::<Result<_, _>>().map(Proxies)
    }

    /// Whether what comes from this address says whom it stands for.
    pub fn believe(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || self.0.iter().any(|network| network.contains(&address))
    }

    /// Where a request comes from, of which the connection was made by `peer`.
    pub fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        let lists = headers.get_all("x-forwarded-for").iter().rev();
        let mut steps = lists.flat_map(|list| list.as_bytes().rsplit(|b| *b == b','));
        let mut client = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        while self.believe(client.ip()) {
            let Some(before) = steps.next().and_then(address) else { break };
            client = before;
        }
        client
    }
}

/// An address as proxies write it, some with the port.
fn address(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let bare = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 0));
    let found = bare.or_else(|_| text.parse::<SocketAddr>()).ok()?;
    Some(SocketAddr::new(found.ip().to_canonical(), found.port()))
}

fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(one) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(one.to_canonical()));
    }
    let network: IpNet = text.parse().map_err(|_| {
        format!(
            "'{text}' is no network; write it as 10.0.0.0/8 or fd00::/8, or one address such as 192.0.2.7"
        )
    })?;
    if network.prefix_len() == 0 {
        return Err(format!(
            "'{text}' is everybody, who could then say to come from anywhere; name the network of your proxies"
        ));
    }
    match network.trunc() {
        whole if whole == network => Ok(network),
        whole => Err(format!(
            "'{text}' is an address within a network; did you mean '{whole}' or '{}'?",
            network.addr()
        )),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_proxies_that_are_believed_say_whom_they_stand_for() {
        let proxies = Proxies::parse(["10.1.0.0/16", "2001:db8:1::/48", "192.0.2.9"]).unwrap();
        #[rustfmt::skip]
        let cases: &[(&str, &[&str], &str)] = &[
            ("127.0.0.1:9",            &[],                                      "127.0.0.1"),
            ("127.0.0.1:9",            &["203.0.113.7"],                         "203.0.113.7"),
            ("127.0.0.1:9",            &["6.6.6.6, 203.0.113.7"],                "203.0.113.7"),
            ("127.0.0.1:9",            &["6.6.6.6", "203.0.113.7"],              "203.0.113.7"),
            ("[::1]:9",                &["2001:db8::1"],                         "2001:db8::1"),
            ("10.1.2.3:9",             &["203.0.113.7"],                         "203.0.113.7"),
            ("[::ffff:10.1.2.3]:9",    &["::ffff:203.0.113.7"],                  "203.0.113.7"),
            ("[2001:db8:1::5]:9",      &["203.0.113.7"],                         "203.0.113.7"),
            ("192.0.2.9:9",            &["203.0.113.7:4711"],                    "203.0.113.7"),
            ("192.0.2.9:9",            &["[2001:db8::7]:4711"],                  "2001:db8::7"),
            // Several of ours, one after another.
            ("127.0.0.1:9",            &["6.6.6.6, 203.0.113.7, 10.1.2.3"],      "203.0.113.7"),
            ("127.0.0.1:9",            &["6.6.6.6, 203.0.113.7", "10.1.2.3"],    "203.0.113.7"),
            // All of them ours: whoever is the first.
            ("127.0.0.1:9",            &["10.1.2.3"],                            "10.1.2.3"),
            // What nobody of ours has written is not read.
            ("198.51.100.3:9",         &["203.0.113.7"],                         "198.51.100.3"),
            ("10.2.0.1:9",             &["203.0.113.7"],                         "10.2.0.1"),
            ("192.0.2.8:9",            &["203.0.113.7"],                         "192.0.2.8"),
            ("127.0.0.1:9",            &["10.1.2.3, 203.0.113.7"],               "203.0.113.7"),
            // What is no address ends the way.
            ("127.0.0.1:9",            &["unknown"],                             "127.0.0.1"),
            ("127.0.0.1:9",            &["203.0.113.7, <script>"],               "127.0.0.1"),
            ("10.1.2.3:9",             &["203.0.113.7, unknown, 10.1.9.9"],      "10.1.9.9"),
            ("127.0.0.1:9",            &[""],                                    "127.0.0.1"),
        ];
        for (peer, lists, expected) in cases {
            let mut headers = HeaderMap::new();
            for list in *lists {
                headers.append("x-forwarded-for", HeaderValue::from_str(list).unwrap());
            }
            let client = proxies.client(peer.parse().unwrap(), &headers);
            assert_eq!(client.ip().to_string(), *expected, "{peer} {lists:?}");
        }
    }

    #[test]
    fn a_network_that_is_none_or_is_everybody_is_refused_with_how_to_write_it() {
        let one = Proxies::parse(["10.0.0.7"]).unwrap();
        let believes = |text: &str| one.believe(text.parse().unwrap());
        assert!(believes("10.0.0.7") && !believes("10.0.0.8") && believes("127.0.0.1") && believes("::1"));
        for (text, said) in [
            ("10.1.2.3/8", "did you mean '10.0.0.0/8' or '10.1.2.3'?"),
            ("10.0.0.0/33", "is no network"),
            ("proxy.example.com", "one address such as"),
            ("", "is no network"),
            ("0.0.0.0/0", "is everybody"),
            ("::/0", "is everybody"),
        ] {
            let why = Proxies::parse([text]).unwrap_err();
            assert!(why.contains(said) && why.contains(text), "{text}: {why}");
        }
    }
}
