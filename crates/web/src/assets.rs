//! The style, the script and the icon. Their addresses carry the hash of what they hold, so that
//! browsers keep them for ever and fetch them anew the moment they change.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::error::Stop;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// A year, which is what caches take for ever.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

static STYLE: LazyLock<String> = LazyLock::new(|| address("console.css"));
static SCRIPT: LazyLock<String> = LazyLock::new(|| address("console.js"));
static ICON: LazyLock<String> = LazyLock::new(|| address("icon.svg"));
/// By the name in the address: which file, and the hash.
static NAMES: LazyLock<HashMap<String, String>> =
    LazyLock::new(|| Files::iter().map(|file| (name_of(&file), file.into_owned())).collect());

/// The address of the style.
pub fn style() -> &'static str {
    &STYLE
}

/// The address of the script.
pub fn script() -> &'static str {
    &SCRIPT
}

/// The address of the icon.
pub fn icon() -> &'static str {
    &ICON
}

/// The address of any file of `assets/`.
pub fn address(file: &str) -> String {
    format!("/static/{}", name_of(file))
}

fn hash_of(file: &str) -> String {
    let hash = Files::get(file).map(|found| found.metadata.sha256_hash()).unwrap_or_default();
    hash.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `console.css` is served as `console-0123456789abcdef.css`.
fn name_of(file: &str) -> String {
    let (stem, kind) = file.rsplit_once('.').unwrap_or((file, ""));
    format!("{stem}-{}.{kind}", hash_of(file))
}

fn type_of(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, kind)| kind) {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// `GET /static/{file}`: one of the files.
pub async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Stop> {
    let file = NAMES.get(&name).and_then(|file| Files::get(file)).ok_or(Stop::NotThere)?;
    let tag = format!("\"{name}\"");
    let about = [
        (CONTENT_TYPE, type_of(&name).to_owned()),
        (CACHE_CONTROL, FOR_EVER.to_owned()),
        (ETAG, tag.clone()),
    ];
    let held = headers.get(IF_NONE_MATCH).and_then(|held| held.to_str().ok());
    if held.is_some_and(|held| held.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)) {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    Ok((about, file.data).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_carries_the_hash_of_the_file() {
        assert!(style().starts_with("/static/console-") && style().ends_with(".css"));
        assert_ne!(style(), script());
        assert!(NAMES.contains_key(style().trim_start_matches("/static/")));
    }
}
