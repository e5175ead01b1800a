//! What stands around every page: the headers that tell a browser what it may do, and the refusal of
//! changes asked for by other sites.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERER, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::{CsrfLayer, ProtectionError};

use crate::Console;
use crate::error::Stop;
use crate::page::Shell;

/// Nothing but what is served from here: no inline script, no inline style, no frames. A form may
/// lead to this console alone, so the way to a provider of sign-ins is a link.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
    manifest-src 'self'";

/// What every answer carries, whichever door it comes from, unless it says it otherwise itself.
const ALWAYS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

const PERMISSIONS: (HeaderName, &str) = (
    HeaderName::from_static("permissions-policy"),
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()",
);

/// Two years, as browsers' lists ask for.
const STRICT_TRANSPORT: &str = "max-age=63072000; includeSubDomains";

/// Puts the headers on all answers of a router, for the console together with other doors.
pub fn with_headers(router: Router, is_https: bool) -> Router {
    router.layer(from_fn_with_state(is_https, headers))
}

async fn headers(State(is_https): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let held = response.headers_mut();
    for (name, value) in ALWAYS.into_iter().chain([PERMISSIONS]) {
        held.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // What an account sees is nobody else's, also not the next person's at the same machine.
    held.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if is_https {
        held.entry(STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static(STRICT_TRANSPORT));
    }
    response
}

/// The console's own surroundings. Bodies are compressed: no page holds a secret beside words that
/// somebody else can choose.
pub(crate) fn around(router: Router, console: &Console) -> Router {
    let router = router
        .layer(CompressionLayer::new())
        .layer(same_site(&console.options.public_urls))
        .layer(from_fn_with_state(console.clone(), drawn));
    with_headers(router, console.options.is_https())
}

/// Changes are refused when a browser says that another site asks for them. The public addresses are
/// trusted by name, because a proxy in front may have changed `Host`.
fn same_site(public_urls: &[String]) -> CsrfLayer {
    let mut layer = CsrfLayer::new();
    for origin in public_urls.iter().filter_map(|url| origin_of(url)) {
        layer = match layer.clone().add_trusted_origin(origin) {
            Ok(with) => with,
            Err(error) => {
                tracing::warn!(%error, "this public address cannot be trusted as an origin of forms");
                layer
            }
        };
    }
    layer
}

/// Scheme and host of an address.
fn origin_of(url: &str) -> Option<&str> {
    let start = url.find("://")? + 3;
    let end = url[start..].find('/').map_or(url.len(), |slash| start + slash);
    Some(&url[..end])
}

/// Whether a change names nothing but the page it comes from, and that is another site's. Browsers that
/// are too old to say `Origin` or `Sec-Fetch-Site` say this. What names nothing at all is no browser's form:
/// a program holds its session by its own hand.
fn comes_from_elsewhere(request: &Request, public_urls: &[String]) -> bool {
    let headers = request.headers();
    let is_told = headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site");
    let Some(page) = headers.get(REFERER).filter(|_| !is_told && !request.method().is_safe()) else {
        return false;
    };
    let Some(origin) = page.to_str().ok().and_then(origin_of) else { return true };
    let host = request.uri().authority().map(|authority| authority.as_str());
    let host = host.or_else(|| headers.get(HOST)?.to_str().ok());
    let is_own = host.is_some() && origin.split_once("://").map(|(_, name)| name) == host;
    !is_own && !public_urls.iter().any(|url| origin_of(url) == Some(origin))
}

/// Refuses what [`comes_from_elsewhere`], and gives the refusal of a foreign form its page.
async fn drawn(State(console): State<Console>, request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    if comes_from_elsewhere(&request, &console.options.public_urls) {
        return refusal(&console, &headers);
    }
    let response = next.run(request).await;
    match response.extensions().get::<ProtectionError>() {
        Some(_) if response.status() == StatusCode::FORBIDDEN => refusal(&console, &headers),
        _ => response,
    }
}

fn refusal(console: &Console, headers: &HeaderMap) -> Response {
    let why = "The form was sent from another site, so it was not obeyed. Open the page here and try again.";
    let mut page = Stop::Refused(why.to_owned()).drawn(Shell::outside(console, headers, ""));
    *page.status_mut() = StatusCode::FORBIDDEN;
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_and_host() {
        for (url, origin) in [
            ("https://sms.example.com", "https://sms.example.com"),
            ("https://example.com:8443/sms/", "https://example.com:8443"),
        ] {
            assert_eq!(origin_of(url), Some(origin));
        }
        assert_eq!(origin_of("example.com"), None);
    }
}
