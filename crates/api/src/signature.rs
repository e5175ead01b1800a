//! Signed requests: whether the signature fits the request, and that none is used twice.
//!
//! The URL that was signed is the one the client used, which a proxy may have changed on the way;
//! so all that it may have been are tried.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use axum::http::header::HOST;
use axum::http::{HeaderMap, Method, Uri};
use domain::id::KeyId;
use domain::moment::Moment;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};

/// How old a signature may be, in seconds.
const AGE_MAX: i64 = 30;
/// How far a client's clock may be ahead, in seconds.
const AHEAD_MAX: i64 = 5;
/// How long a nonce is remembered at least, in seconds: as long as its signature could be used.
const REMEMBERED: i64 = AGE_MAX + AHEAD_MAX + 1;
/// Nonces remembered at most in one such span. Only signatures that fit are remembered, so that
/// nobody but customers can fill it.
const NONCES_MAX: usize = 1_000_000;
/// The longest nonce that is read.
const NONCE_LENGTH_MAX: usize = 128;

/// Why a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefused {
    /// The account wants one and there is none.
    #[error("the account demands signed requests; send X-Timestamp, X-Nonce and X-Signature")]
    Missing,
    /// One of the three headers is missing or cannot be read.
    #[error("the header {0} is missing or cannot be read")]
    Header(&'static str),
    /// Too old, or from the future.
    #[error("X-Timestamp is {seconds} seconds off; sign with the current time, at most 30 seconds old")]
    Time {
        /// How far in the past, negative when in the future.
        seconds: i64,
    },
    /// It does not fit the request.
    #[error("X-Signature does not fit; sign timestamp, nonce, method, complete URL and the MD5 of the body")]
    Wrong,
    /// The nonce was used before.
    #[error("X-Nonce was used before; use a new one for every request")]
    Repeated,
    /// More signed requests than can be remembered.
    #[error("too many signed requests are under way; try again in a moment")]
    TooMany,
}

/// What of a request is signed.
pub struct Signed<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its target as it came.
    pub uri: &'a Uri,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its raw body.
    pub body: &'a [u8],
    /// The addresses clients know this installation by.
    pub public_urls: &'a [String],
}

impl Signed<'_> {
    /// Whether the request brings a signature.
    pub fn is_there(headers: &HeaderMap) -> bool {
        headers.contains_key("x-signature")
    }

    /// Checks the signature with the account's signing key.
    ///
    /// # Errors
    /// [`SignatureRefused`], for every reason.
    pub fn check(
        &self,
        secret: &str,
        key: KeyId,
        now: Moment,
        nonces: &Nonces,
    ) -> Result<(), SignatureRefused> {
        let header = |name| self.headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
        let given =
            header("x-signature").and_then(octets_of_hex).ok_or(SignatureRefused::Header("X-Signature"))?;
        let nonce = header("x-nonce").filter(|n| !n.is_empty() && n.len() <= NONCE_LENGTH_MAX);
        let nonce = nonce.ok_or(SignatureRefused::Header("X-Nonce"))?;
        let timestamp = header("x-timestamp").ok_or(SignatureRefused::Header("X-Timestamp"))?;
        let signed_at: i64 = timestamp.parse().map_err(|_| SignatureRefused::Header("X-Timestamp"))?;
        let seconds = now.seconds().saturating_sub(signed_at);
        if !(-AHEAD_MAX..=AGE_MAX).contains(&seconds) {
            return Err(SignatureRefused::Time { seconds });
        }
        let method = self.method.as_str().to_ascii_uppercase();
        let digest = hex(&Md5::digest(self.body));
        let fits = |url: &String| {
            let mut mac =
                Hmac::<Sha256>::new_from_slice(secret.trim().as_bytes()).expect("any length is a key");
            mac.update(format!("{timestamp}\n{nonce}\n{method}\n{url}\n{digest}").as_bytes());
            mac.verify_slice(&given).is_ok()
        };
        let urls = self.urls();
        // Some clients sign their URL with the query un-escaped.
        if !urls.iter().any(fits) && !urls.iter().map(|url| un_escaped(url)).any(|url| fits(&url)) {
            return Err(SignatureRefused::Wrong);
        }
        nonces.use_once(key, nonce, now)
    }

    /// What the client may have signed as its URL, the likeliest first.
    fn urls(&self) -> Vec<String> {
        let target = self.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut urls = Vec::new();
        let mut add = |url: String| {
            if !urls.contains(&url) {
                urls.push(url);
            }
        };
        for base in self.public_urls {
            let base = base.trim_end_matches('/');
            // An address may be written with the path of the API in it.
            let base =
                if target.starts_with("/api/") { base.strip_suffix("/api").unwrap_or(base) } else { base };
            add(format!("{base}{target}"));
        }
        let header = |name: &str| self.headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
        let first = |list: &str| list.split(',').next().unwrap_or("").trim().to_owned();
        let host = self
            .uri
            .authority()
            .map(ToString::to_string)
            .or_else(|| header(HOST.as_str()).map(str::to_owned));
        let hosts = [header("x-forwarded-host").map(first), host];
        let scheme = header("x-forwarded-proto").map(first);
        for host in hosts.iter().flatten().filter(|host| !host.is_empty()) {
            for scheme in [scheme.as_deref().unwrap_or("https"), "https", "http"] {
                add(format!("{scheme}://{host}{target}"));
            }
        }
        urls
    }
}

/// The URL with its query percent-decoded.
fn un_escaped(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let mut out = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let pair = after.get(..2).filter(|_| *byte == b'%').and_then(|pair| str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(octet) => {
                out.push(octet);
                rest = &after[2..];
            }
            None => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    format!("{path}?{}", String::from_utf8_lossy(&out))
}

fn hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    octets.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

fn octets_of_hex(text: &str) -> Option<Vec<u8>> {
    let is_hex = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let octet = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    is_hex.then(|| text.as_bytes().chunks_exact(2).map(octet).collect()).flatten()
}

/// The nonces of the last while. Two spans are kept, and the older one is dropped whole, so that
/// forgetting costs nothing.
#[derive(Debug, Default)]
pub struct Nonces(Mutex<Spans>);

#[derive(Debug, Default)]
struct Spans {
    began_at: i64,
    recent: HashSet<u128>,
    before: HashSet<u128>,
}

impl Nonces {
    /// Remembers a nonce of a key.
    ///
    /// # Errors
    /// When it is known already, or when there is no room to remember it.
    pub fn use_once(&self, key: KeyId, nonce: &str, now: Moment) -> Result<(), SignatureRefused> {
        let digest = Sha256::new().chain_update(key.0.to_be_bytes()).chain_update(nonce).finalize();
        let mark = digest.iter().take(16).fold(0_u128, |mark, octet| mark << 8 | u128::from(*octet));
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let age = now.seconds() - spans.began_at;
        if age >= REMEMBERED {
            let recent = std::mem::take(&mut spans.recent);
            spans.before = if age >= 2 * REMEMBERED { HashSet::new() } else { recent };
            spans.began_at = now.seconds();
        }
        if spans.before.contains(&mark) || spans.recent.contains(&mark) {
            return Err(SignatureRefused::Repeated);
        }
        if spans.recent.len() >= NONCES_MAX {
            return Err(SignatureRefused::TooMany);
        }
        spans.recent.insert(mark);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "demo-signing-secret";
    const AT: i64 = 1_767_225_600;
    const NONCE: &str = "Zk3nE8qPw1TfYb6LxC0vRj9HsAu5Mdg2";

    struct Request {
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: &'static str,
        public_urls: Vec<String>,
    }

    fn request(method: Method, target: &'static str, body: &'static str, signature: &str) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert("x-timestamp", AT.into());
        headers.insert("x-nonce", NONCE.parse().unwrap());
        headers.insert("x-signature", signature.parse().unwrap());
        let public_urls = vec!["https://gateway.example.test".to_owned()];
        Request { method, uri: Uri::from_static(target), headers, body, public_urls }
    }

    impl Request {
        fn check(&self, now: i64, nonces: &Nonces) -> Result<(), SignatureRefused> {
            let Request { method, uri, headers, body, public_urls } = self;
            let signed = Signed { method, uri, headers, body: body.as_bytes(), public_urls };
            signed.check(SECRET, KeyId(1), Moment::from_seconds(now), nonces)
        }
    }

    const FORM: &str = "to=4915100000001&text=Hello+World&from=DEMO";

    fn worked_examples() -> [Request; 3] {
        [
            request(
                Method::POST,
                "/api/sms",
                FORM,
                "4d098111b3216d988f0ab4cab25874dd8d03c9137af849d2260e4615cb6f6cfe",
            ),
            request(
                Method::GET,
                "/api/balance",
                "",
                "f6d23cb3ba20c5f4f363a3cf04af9d3c86f1fee83b401adf42fbb60a593f44e4",
            ),
            request(
                Method::GET,
                "/api/journal/outbound?limit=5&offset=0",
                "",
                "0422dbb039c65f276cd701b13593461f6ea8924f8fc5964a620769ed9262089b",
            ),
        ]
    }

    fn sign(url: &str, method: &str, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("{AT}\n{NONCE}\n{method}\n{url}\n{}", hex(&Md5::digest(body))).as_bytes());
        hex(&mac.finalize().into_bytes())
    }

    #[test]
    fn the_worked_examples_fit() {
        assert_eq!(hex(&Md5::digest(FORM)), "b26e20fa805d95354c6b8764e4e6b945");
        assert_eq!(hex(&Md5::digest("")), "d41d8cd98f00b204e9800998ecf8427e");
        for example in worked_examples() {
            assert_eq!(example.check(AT, &Nonces::default()), Ok(()), "{}", example.uri);
        }
    }

    #[test]
    fn a_changed_request_does_not_fit() {
        let [post, balance, _] = worked_examples();
        let changed = [
            Request {
                body: "to=4915100000001&text=Hello+World&from=EVIL",
                ..request(Method::POST, "/api/sms", "", sig(&post))
            },
            request(Method::POST, "/api/sms?to=49", FORM, sig(&post)),
            request(Method::DELETE, "/api/sms", FORM, sig(&post)),
            request(Method::GET, "/api/pricing", "", sig(&balance)),
            // A body that is slipped under a signed GET.
            request(Method::GET, "/api/balance", "p=1", sig(&balance)),
            request(Method::GET, "/api/balance", "", &"0".repeat(64)),
        ];
        for request in changed {
            assert_eq!(
                request.check(AT, &Nonces::default()),
                Err(SignatureRefused::Wrong),
                "{}",
                request.uri
            );
        }
        let mut other_time = request(Method::GET, "/api/balance", "", sig(&balance));
        other_time.headers.insert("x-timestamp", (AT + 1).into());
        assert_eq!(other_time.check(AT, &Nonces::default()), Err(SignatureRefused::Wrong));
    }

    fn sig(request: &Request) -> &str {
        request.headers["x-signature"].to_str().unwrap()
    }

    #[test]
    fn a_signature_is_good_for_thirty_seconds() {
        let [example, ..] = worked_examples();
        #[rustfmt::skip]
        let cases = [
            (0,   true),
            (30,  true),
            (31,  false),
            (-5,  true),
            (-6,  false),
            (i64::MAX - AT, false),
        ];
        for (seconds, good) in cases {
            assert_eq!(example.check(AT + seconds, &Nonces::default()).is_ok(), good, "{seconds}");
        }
    }

    #[test]
    fn a_nonce_is_good_once() {
        let nonces = Nonces::default();
        let [example, ..] = worked_examples();
        // From the first moment it could be used to the last.
        assert_eq!(example.check(AT - 5, &nonces), Ok(()));
        for seconds in [-5, 0, 10, 30] {
            assert_eq!(example.check(AT + seconds, &nonces), Err(SignatureRefused::Repeated), "{seconds}");
        }
        // Another key may use the same nonce, and much later so may the same.
        assert_eq!(nonces.use_once(KeyId(2), NONCE, Moment::from_seconds(AT)), Ok(()));
        assert_eq!(nonces.use_once(KeyId(1), NONCE, Moment::from_seconds(AT + 100)), Ok(()));
    }

    #[test]
    fn a_nonce_is_not_used_up_by_a_signature_that_does_not_fit() {
        let nonces = Nonces::default();
        let [post, ..] = worked_examples();
        let forged = request(Method::POST, "/api/sms", "x=1", sig(&post));
        assert_eq!(forged.check(AT, &nonces), Err(SignatureRefused::Wrong));
        assert_eq!(post.check(AT, &nonces), Ok(()));
    }

    #[test]
    fn the_url_is_found_behind_a_proxy() {
        let target = "/api/sms?text=a%20b&to=%2B49";
        #[rustfmt::skip]
        let cases: [(&str, &[(&str, &str)]); 7] = [
            ("https://gateway.example.test/api/sms?text=a%20b&to=%2B49", &[]),
            ("https://gateway.example.test/api/sms?text=a b&to=+49",     &[]), // .NET
            ("http://10.0.0.1:8077/api/sms?text=a%20b&to=%2B49",         &[("host", "10.0.0.1:8077")]),
            ("https://sms.example.com/api/sms?text=a%20b&to=%2B49",      &[("host", "sms.example.com")]),
            ("https://sms.example.com/api/sms?text=a%20b&to=%2B49",      &[("host", "inner"), ("x-forwarded-host", "sms.example.com, inner"), ("x-forwarded-proto", "https")]),
            ("http://sms.example.com/api/sms?text=a b&to=+49",           &[("host", "sms.example.com"), ("x-forwarded-proto", "http,https")]),
            ("https://other.example.org/api/sms?text=a%20b&to=%2B49",    &[]),
        ];
        for (url, headers) in cases {
            let mut request = request(Method::POST, target, "", &sign(url, "POST", ""));
            request.public_urls.push("https://other.example.org/api/".to_owned());
            for (name, value) in headers {
                request.headers.insert(*name, value.parse().unwrap());
            }
            assert_eq!(request.check(AT, &Nonces::default()), Ok(()), "{url} {headers:?}");
        }
    }

    #[test]
    fn all_three_headers_are_needed() {
        for missing in ["x-timestamp", "x-nonce", "x-signature"] {
            let [mut example, ..] = worked_examples();
            example.headers.remove(missing);
            assert!(
                matches!(example.check(AT, &Nonces::default()), Err(SignatureRefused::Header(_))),
                "{missing}"
            );
            let [mut example, ..] = worked_examples();
            example.headers.insert(missing, "".parse().unwrap());
            assert!(
                matches!(example.check(AT, &Nonces::default()), Err(SignatureRefused::Header(_))),
                "{missing}"
            );
        }
    }
}
