//! The words that all of `/v1` writes in the same way: amounts, times, bodies, queries, pages.

use std::borrow::Cow;
use std::fmt;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use domain::credits::{Credits, CreditsError};
use domain::moment::Moment;
use jiff::Timestamp;
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use super::problem::{Kind, Problem};
use crate::Api;

/// An amount of the installation's currency, written as a decimal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub Credits);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        // A number may have been a float on its way here, so that 0.1 + 0.2 is more than 0.3.
        deserializer.deserialize_str(Written("an amount as text, such as \"25.00\"", |text| {
            text.parse().map(Amount).map_err(|error: CreditsError| error.to_string())
        }))
    }
}

/// Reads a value from a text: what is expected, and how it is read.
struct Written<T>(&'static str, fn(&str) -> Result<T, String>);

impl<T> Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).map_err(E::custom)
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(r"^-?[0-9]{1,13}(\.[0-9]{1,6})?$"))
            .description(Some(
                "An amount of the installation's currency as a decimal text: digits, and after a dot two to six \
                 decimals when written by us, up to six when read. Never a float. `currency` beside it names the \
                 currency.",
            ))
            .examples([serde_json::json!("25.00")])
            .into()
    }
}

impl ToSchema for Amount {
    fn name() -> Cow<'static, str> {
        "Amount".into()
    }
}

/// A time, written as RFC 3339 says, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Moment);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = Timestamp::from_microsecond(self.0.0).unwrap_or(Timestamp::UNIX_EPOCH);
        serializer.collect_str(&at)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        const EXPECTED: &str = "a time with its offset, such as \"2026-12-31T23:59:59Z\"";
        deserializer.deserialize_str(Written(EXPECTED, |text| {
            let at: Timestamp = text.parse().map_err(|_| format!("'{text}' is not {EXPECTED}"))?;
            Ok(Time(Moment(at.as_microsecond())))
        }))
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("A time as RFC 3339 writes it. Ours are in UTC; any offset is read."))
            .examples([serde_json::json!("2026-12-31T23:59:59Z")])
            .into()
    }
}

impl ToSchema for Time {
    fn name() -> Cow<'static, str> {
        "Time".into()
    }
}

/// Reads a field that is there, also one that is null: what is absent is something else.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T: ToSchema> {
    /// The things, in the order of the list.
    pub items: Vec<T>,
    /// Where the next part begins: give it as `cursor` with the same other parameters. Absent (null) at
    /// the end of the list.
    pub next_cursor: Option<String>,
}

/// How many things a part of a list has when nobody says.
pub const LIMIT_DEFAULT: u32 = 50;
/// The most things of one part.
pub const LIMIT_MAX: u32 = 500;

/// How many things are wanted.
pub fn limit(given: Option<u32>) -> Result<usize, Problem> {
    match given.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(limit as usize),
        other => Err(Problem::field("limit", format!("it is {other}; use 1 to {LIMIT_MAX}"))),
    }
}

/// The body of a request as JSON.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Body<T>, Problem> {
        let media = request.headers().get(CONTENT_TYPE).map(|v| v.to_str().unwrap_or("").to_owned());
        let bytes = axum::body::Bytes::from_request(request, api).await.map_err(|_| Problem::fault())?;
        let is_json = media.as_deref().is_some_and(|media| {
            let essence = media.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
            essence == "application/json"
                || (essence.starts_with("application/") && essence.ends_with("+json"))
        });
        if !is_json {
            let sent = media.unwrap_or("nothing".to_owned());
            let detail = format!("the Content-Type is '{sent}'; send JSON as application/json");
            return Err(Problem::new(Kind::UnsupportedMediaType, detail));
        }
        read(&bytes).map(Body)
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::field("body", "it is a list; send an object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read: T = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => wrong_field(&path, &without_place(&inner.to_string())),
            _ => Problem::new(Kind::Malformed, format!("the body is not JSON: {inner}")),
        }
    })?;
    match json.end() {
        Ok(()) => Ok(read),
        Err(error) => Err(Problem::new(Kind::Malformed, format!("the body is not JSON: {error}"))),
    }
}

/// The field that a reader stumbled over: where it is, or, when it is missing or unknown, what its
/// message names.
fn wrong_field(path: &str, message: &str) -> Problem {
    let quoted = || message.split('`').nth(1).unwrap_or(path).to_owned();
    let within = |name: String| match path.rsplit_once('.') {
        Some((outer, last)) if last == name => format!("{outer}.{name}"),
        _ if path == "." || path == name => name,
        _ => format!("{path}.{name}"),
    };
    if message.starts_with("missing field") {
        Problem::field(within(quoted()), "it is missing")
    } else if let Some(rest) = message.strip_prefix("unknown field") {
        let known = rest.split_once(", expected ").map(|(_, known)| known.replace('`', "'"));
        let reason = match known {
            Some(known) => {
                format!("there is no such field; there is {}", known.trim_start_matches("one of "))
            }
            None => "there is no such field".to_owned(),
        };
        Problem::field(within(quoted()), reason)
    } else if message.starts_with("duplicate field") {
        Problem::field(within(quoted()), "it is given twice")
    } else {
        Problem::field(if path == "." { "body" } else { path }, message)
    }
}

/// The message without " at line 1 column 20": of a body that a program wrote, nobody counts columns.
fn without_place(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(text, _)| text).to_owned()
}

/// The query of a request.
#[derive(Debug)]
pub struct Asking<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Asking<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Asking<T>, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Asking(query)),
            Err(rejection) => {
                let text = rejection.body_text();
                let text = text.split_once(": ").map_or(text.as_str(), |(_, rest)| rest);
                let (path, message) = match text.split_once(": ") {
                    Some((path, message)) if !path.contains([' ', '`']) => (path, message),
                    _ => (".", text),
                };
                Err(wrong_field(path, message))
            }
        }
    }
}

/// The numbers in a path. What is no number names nothing.
#[derive(Debug)]
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Named<T>, Problem> {
        match Path::<T>::from_request_parts(parts, api).await {
            Ok(Path(named)) => Ok(Named(named)),
            Err(_) => {
                Err(Problem::new(Kind::NotFound, "there is nothing under this path; ids are whole numbers"))
            }
        }
    }
}

/// An answer of 201 with where the new thing is.
pub fn created<T: Serialize>(at: String, thing: T) -> impl axum::response::IntoResponse {
    (axum::http::StatusCode::CREATED, [(axum::http::header::LOCATION, at)], Json(thing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        amount: Amount,
        #[serde(default)]
        inner: Option<Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        at: Time,
    }

    #[test]
    fn what_is_wrong_with_a_body_is_said_by_its_field() {
        let number = "invalid type: floating point `12.5`, expected an amount as text, such as \"25.00\"";
        let time = "'now' is not a time with its offset, such as \"2026-12-31T23:59:59Z\"";
        #[rustfmt::skip]
        let cases = [
            (r#"{"amount":12.5}"#,                       "amount",       number),
            (r#"{"amount":"x"}"#,                        "amount",       "'x' is not an amount; write it with a dot, such as 25.00"),
            (r#"{}"#,                                    "amount",       "it is missing"),
            (r#"{"amount":"1","mount":"2"}"#,            "mount",        "there is no such field; there is 'amount' or 'inner'"),
            (r#"{"amount":"1","amount":"1"}"#,           "amount",       "it is given twice"),
            (r#"{"amount":"1","inner":{"at":"now"}}"#,   "inner.at",     time),
            (r#"{"amount":"1","inner":{}}"#,             "inner.at",     "it is missing"),
            (r#"{"amount":"1","inner":{"at":"2026-01-01T00:00:00Z","on":1}}"#, "inner.on", "there is no such field; there is 'at'"),
            ("[]",                                       "body",         "it is a list; send an object"),
            ("12",                                       "body",         "invalid type: integer `12`, expected struct Thing"),
        ];
        for (body, name, reason) in cases {
            let problem = read::<Thing>(body.as_bytes()).unwrap_err();
            let said: Vec<_> = problem.errors.iter().map(|e| (e.name.as_str(), e.reason.as_str())).collect();
            assert_eq!(said, [(name, reason)], "{body}");
        }
        for body in ["", "{", "{} {}", "\u{fc}"] {
            let kind = read::<Inner>(body.as_bytes()).unwrap_err().kind;
            assert!(matches!(kind, Kind::Malformed | Kind::Validation), "{body}: {kind:?}");
        }
    }

    #[test]
    fn amounts_and_times_are_written_as_they_are_read() {
        let thing: Thing =
            read(br#"{"amount":"12.5","inner":{"at":"2026-01-05T10:11:10.12+01:00"}}"#).unwrap();
        assert_eq!(thing.amount, Amount(Credits(12_500_000)));
        assert_eq!(serde_json::to_string(&thing.amount).unwrap(), "\"12.50\"");
        let at = thing.inner.unwrap().at;
        assert_eq!(serde_json::to_string(&at).unwrap(), "\"2026-01-05T09:11:10.12Z\"");
    }
}
