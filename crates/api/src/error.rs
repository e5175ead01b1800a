//! The one place where an error becomes a code of the wire and a status of HTTP.
//!
//! Codes travel as bare bodies and, by the wire's custom, with status 200. The sentence that says
//! what to do about it stands beside them in the header `X-Error-Text`, where no client trips over
//! it. Faults of HTTP itself (a body that is no JSON, an unknown path) say their sentence in the body.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use domain::text::TextError;
use gateway::accept::{RecipientRefused, SendRefused};

use crate::parameters::{Malformed, NotWhole};

/// JSON on the wire: without a charset, since JSON has only one.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Text on the wire.
pub const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// Where the sentence beside a bare code stands.
pub const ERROR_TEXT: HeaderName = HeaderName::from_static("x-error-text");

/// A result code of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(&'static str);

impl Code {
    /// Accepted.
    pub const ACCEPTED: Code = Code("100");
    /// At least one recipient failed, others were accepted.
    pub const PARTLY: Code = Code("101");
    /// The sender is invalid.
    pub const SENDER: Code = Code("201");
    /// The recipient is invalid.
    pub const RECIPIENT: Code = Code("202");
    /// No recipient.
    pub const NO_RECIPIENT: Code = Code("301");
    /// The text, or another parameter, is missing or invalid.
    pub const PARAMETER: Code = Code("305");
    /// The text is too long.
    pub const TOO_LONG: Code = Code("401");
    /// The same text to the same recipient within 180 seconds.
    pub const RELOAD: Code = Code("402");
    /// The recipient has had enough today.
    pub const DAY_MAX: Code = Code("403");
    /// Not enough credit.
    pub const CREDIT: Code = Code("500");
    /// It cannot be sent, by us now or to there at all; in /status, an unknown id.
    pub const SENDING: Code = Code("600");
    /// Anything else.
    pub const UNKNOWN: Code = Code("700");
    /// Who is calling cannot be told, or may not call at all.
    pub const AUTHENTICATION: Code = Code("900");
    /// The signature does not fit.
    pub const SIGNATURE: Code = Code("901");
    /// The key has no right to this.
    pub const RIGHT: Code = Code("902");

    /// The three digits.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// The code as the number that a message carries.
    pub fn number(self) -> u16 {
        self.0.parse().expect("every code is three digits")
    }

    /// The code of a recipient that was refused.
    pub fn of_recipient(refused: &RecipientRefused) -> Code {
        match refused {
            RecipientRefused::Number(_) => Code::RECIPIENT,
            RecipientRefused::Reload { .. } => Code::RELOAD,
            RecipientRefused::DayMax { .. } | RecipientRefused::Limit { .. } => Code::DAY_MAX,
            RecipientRefused::Country { .. }
            | RecipientRefused::NoPrice { .. }
            | RecipientRefused::NoRoute { .. } => Code::SENDING,
        }
    }
}

/// Why a request was not answered with what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    code: Code,
    status: StatusCode,
    /// What to do about it, for people.
    text: Cow<'static, str>,
}

impl ApiError {
    /// A refusal that belongs to the wire: its code is all a client needs.
    pub fn code(code: Code, text: impl Into<Cow<'static, str>>) -> ApiError {
        ApiError { code, status: StatusCode::OK, text: text.into() }
    }

    /// A refusal that belongs to HTTP, with a status of the client's fault.
    pub fn http(status: StatusCode, text: impl Into<Cow<'static, str>>) -> ApiError {
        ApiError { code: Code::UNKNOWN, status, text: text.into() }
    }

    /// Nothing was done, and the same may be tried again in a moment.
    pub fn busy(text: impl Into<Cow<'static, str>>) -> ApiError {
        ApiError { code: Code::SENDING, status: StatusCode::SERVICE_UNAVAILABLE, text: text.into() }
    }

    /// A fault of ours. What it was is in the log, not on the wire.
    pub fn fault() -> ApiError {
        let text = "something went wrong on this side; the operator's log says what";
        ApiError { code: Code::UNKNOWN, status: StatusCode::INTERNAL_SERVER_ERROR, text: text.into() }
    }

    /// Its code, to be counted by.
    pub fn as_code(&self) -> Code {
        self.code
    }

    /// What to do about it, for people.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The status of its answer. `strict` gives authentication and rights the statuses of HTTP.
    pub fn status(&self, strict: bool) -> StatusCode {
        match self.code {
            Code::AUTHENTICATION | Code::SIGNATURE if strict => StatusCode::UNAUTHORIZED,
            Code::RIGHT if strict => StatusCode::FORBIDDEN,
            _ => self.status,
        }
    }

    /// The body of its answer.
    pub fn body(&self, json: bool) -> String {
        let code = self.code.as_str();
        match (self.status.is_client_error(), json) {
            (false, false) => code.to_owned(),
            (false, true) => format!("\"{code}\""),
            (true, false) => format!("{code}\n{}", self.text),
            (true, true) => {
                let error = serde_json::Value::from(self.text.as_ref());
                format!("{{\"success\":false,\"error_code\":{code},\"error\":{error}}}")
            }
        }
    }

    /// The answer.
    pub fn response(&self, json: bool, strict: bool) -> Response<Body> {
        let status = self.status(strict);
        let mut response = Response::new(Body::from(self.body(json)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, if json { JSON } else { TEXT });
        headers.insert(ERROR_TEXT, in_header(&self.text));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// A sentence as a header: printable ASCII, and not longer than people read.
fn in_header(text: &str) -> HeaderValue {
    let plain = text.chars().take(300).map(|c| if matches!(c, ' '..='~') { c } else { '?' });
    HeaderValue::from_str(&plain.collect::<String>()).unwrap_or(HeaderValue::from_static(""))
}

/// The answer outside the wire's own paths.
pub fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = serde_json::json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

impl From<storage::Error> for ApiError {
    fn from(error: storage::Error) -> ApiError {
        of_storage(&error)
    }
}

fn of_storage(error: &storage::Error) -> ApiError {
    tracing::error!(%error, "a request failed in the books");
    match error.retryable() {
        true => ApiError::busy("the books cannot be reached or written at the moment; try again"),
        false => ApiError::fault(),
    }
}

impl From<Malformed> for ApiError {
    fn from(malformed: Malformed) -> ApiError {
        let status = match malformed {
            Malformed::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::BAD_REQUEST,
        };
        ApiError::http(status, malformed.to_string())
    }
}

impl From<NotWhole> for ApiError {
    fn from(wrong: NotWhole) -> ApiError {
        ApiError::code(Code::PARAMETER, wrong.to_string())
    }
}

impl From<SendRefused> for ApiError {
    fn from(refused: SendRefused) -> ApiError {
        let code = match &refused {
            SendRefused::NoRecipient => Code::NO_RECIPIENT,
            SendRefused::Text(TextError::TooLong { .. } | TextError::BinaryTooLong { .. }) => Code::TOO_LONG,
            SendRefused::TooManyRecipients { .. } | SendRefused::Text(_) | SendRefused::Validity { .. } => {
                Code::PARAMETER
            }
            SendRefused::Sender(_) | SendRefused::SenderNotAllowed { .. } => Code::SENDER,
            SendRefused::InsufficientCredits { .. } => Code::CREDIT,
            SendRefused::NotActive { .. } => Code::RIGHT,
            SendRefused::Busy => return ApiError::busy(refused.to_string()),
            // Whatever it is, nothing was stored, and the same may be sent again.
            SendRefused::Storage(error) => {
                tracing::error!(%error, "messages could not be stored");
                return ApiError::busy(
                    "the books cannot be written at the moment; nothing was stored, try again",
                );
            }
        };
        ApiError::code(code, refused.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_said_in_the_form_that_was_asked_for() {
        let authentication = ApiError::code(Code::AUTHENTICATION, "the key is not known");
        let malformed = ApiError::http(StatusCode::BAD_REQUEST, "no \"JSON\"\n\u{fc}");
        let busy = ApiError::busy("busy");
        #[rustfmt::skip]
        let cases = [
            (&authentication, false, false, 200, "900"),
            (&authentication, true,  false, 200, "\"900\""),
            (&authentication, true,  true,  401, "\"900\""),
            (&malformed,      false, false, 400, "700\nno \"JSON\"\n\u{fc}"),
            (&malformed,      true,  false, 400, "{\"success\":false,\"error_code\":700,\"error\":\"no \\\"JSON\\\"\\n\u{fc}\"}"),
            (&busy,           true,  false, 503, "\"600\""),
        ];
        for (error, json, strict, status, body) in cases {
            let response = error.response(json, strict);
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers()[CONTENT_TYPE], if json { JSON } else { TEXT });
            assert!(response.headers()[ERROR_TEXT].to_str().is_ok());
            assert_eq!(response.headers().contains_key(RETRY_AFTER), status == 503);
            let bytes = http_body_util::BodyExt::collect(response.into_body());
            let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
            assert_eq!(rt.block_on(bytes).unwrap().to_bytes(), body);
        }
    }
}
