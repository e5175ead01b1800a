//! `/docs`: the reference of `/v1` as a page, and what each problem means. Everything comes from this
//! installation; no other host is asked for anything.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use axum::response::IntoResponse;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use super::problem::{EXPLAINED_AT, Kind, Problem};
use crate::table::{Needs, Table};

/// Scripts, styles and data of this host alone. The library that draws the reference sets styles on
/// elements from its script, which no policy forbids, and has pictures of its own in its style sheet.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-cache");

/// Our own files.
const OWN: [(&str, &str, &str); 3] = [
    ("begin.js", "text/javascript; charset=utf-8", include_str!("../../assets/docs/begin.js")),
    ("branchline.css", "text/css; charset=utf-8", include_str!("../../assets/docs/branchline.css")),
    ("icon.svg", "image/svg+xml", include_str!("../../assets/docs/icon.svg")),
];
/// Files of the library that draws the reference.
const THEIRS: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

/// The reference, and the description it is drawn from.
pub(crate) fn docs(table: Table, openapi: &OpenApi) -> Table {
    const GET: [Method; 1] = [Method::GET];
    let description = Bytes::from(serde_json::to_vec(openapi).expect("a description has text keys"));
    let described = move || {
        let description = description.clone();
        async move { page(JSON, NOT_KEPT, description) }
    };
    table
        .on(&GET, "/v1/openapi.json", Needs::Nothing, described)
        .on(&GET, "/docs", Needs::Nothing, to_docs)
        .on(&GET, "/docs/", Needs::Nothing, reference)
        .on(&GET, EXPLAINED_AT, Needs::Nothing, problems)
        .on(&GET, "/docs/{file}", Needs::Nothing, file)
}

fn page(media: HeaderValue, kept: HeaderValue, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media);
    headers.insert(CACHE_CONTROL, kept);
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    response
}

/// `GET /docs`: the links of the page are relative to the folder.
async fn to_docs() -> impl IntoResponse {
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, "docs/")])
}

/// `GET /docs/`: the reference.
async fn reference() -> Response<Body> {
    page(HTML, NOT_KEPT, include_str!("../../assets/docs/index.html"))
}

/// `GET /docs/{file}`: what the reference is made of.
async fn file(Path(name): Path<String>) -> Response<Body> {
    if let Some((_, media, text)) = OWN.iter().find(|(own, ..)| *own == name) {
        return page(HeaderValue::from_static(media), AN_HOUR, *text);
    }
    let known = THEIRS.contains(&name.as_str());
    let found =
        known.then(|| utoipa_swagger_ui::serve(&name, Arc::new(Config::default())).ok()).flatten().flatten();
    let Some(file) = found else {
        return Problem::new(Kind::NotFound, "there is nothing under this path").response("");
    };
    let media = HeaderValue::from_str(&file.content_type).unwrap_or(HeaderValue::from_static("text/plain"));
    let mut response = page(media, AN_HOUR, file.bytes.into_owned());
    if file.gzpipped {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// `GET /docs/problems`: what each code means.
async fn problems() -> Response<Body> {
    let section = |kind: &Kind| {
        let (code, status, title) = (kind.code(), kind.status(), kind.title());
        let words = marked(kind.explained());
        format!(
            "<section id=\"{code}\"><h2><code>{code}</code><span class=\"status\">{status} {title}</span></h2><p>{words}</p></section>\n"
        )
    };
    let sections: String = Kind::ALL.iter().map(section).collect();
    let template = include_str!("../../assets/docs/problems.html");
    page(HTML, NOT_KEPT, template.replace("{{problems}}", &sections))
}

/// Our own words as HTML: what stands between backticks is code.
fn marked(words: &str) -> String {
    let plain = words.trim().replace('&', "&amp;").replace('<', "&lt;");
    let part = |(place, part): (usize, &str)| match place % 2 {
        1 => format!("<code>{part}</code>"),
        _ => part.to_owned(),
    };
    plain.split('`').enumerate().map(part).collect()
}
