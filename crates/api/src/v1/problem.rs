//! Why something was not done, as RFC 9457 says it: the one place where an error of `/v1` gets its
//! status and its code.

use std::fmt::Display;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use domain::credits::Credits;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::call::Unread;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Where the codes are explained, below the installation's address.
pub const EXPLAINED_AT: &str = "/docs/problems";

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident $status:literal $code:literal $title:literal;)+) => {
        /// A kind of problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl Kind {
            /// All, in the order of their statuses.
            pub const ALL: &[Kind] = &[$(Kind::$kind),+];

            /// The status of HTTP.
            pub fn status(self) -> u16 {
                match self { $(Kind::$kind => $status,)+ }
            }

            /// The word programs read.
            pub fn code(self) -> &'static str {
                match self { $(Kind::$kind => $code,)+ }
            }

            /// The same for people, and the same for every problem of the kind.
            pub fn title(self) -> &'static str {
                match self { $(Kind::$kind => $title,)+ }
            }

            /// When it occurs and what to do about it.
            pub fn explained(self) -> &'static str {
                match self { $(Kind::$kind => concat!($($doc),+),)+ }
            }
        }
    };
}

kinds! {
    /// The body is not JSON, or the query is not text. Write it as JSON (RFC 8259) in UTF-8.
    Malformed 400 "malformed" "The request cannot be read";
    /// No key was sent, or one that is unknown, revoked or expired, or whose account is closed. Send a
    /// key that works in the header `X-Api-Key`, or as `Authorization: Bearer`.
    Unauthenticated 401 "unauthenticated" "No API key that works";
    /// The account demands signed requests, and the signature is missing, wrong, too old or used
    /// before. Sign the request as docs/api.md says.
    SignatureRefused 401 "signature_refused" "The signature is refused";
    /// The account has less than is asked for. `available` and `missing` say how much. Nothing moved.
    InsufficientFunds 402 "insufficient_funds" "Not enough credit";
    /// The key lacks a scope, which `scope` names. Create a key that has it.
    ScopeMissing 403 "scope_missing" "The key lacks a scope";
    /// What is asked for is the word of a person, not of a key, or cannot be done from where the key
    /// stands. `permission` names it.
    PermissionMissing 403 "permission_missing" "Not permitted";
    /// `X-Account-Id` names another account, and the key has no subaccount access. Create one that has.
    SubaccountAccessMissing 403 "subaccount_access_missing" "The key has no subaccount access";
    /// A sandbox key changes nothing here. Use a live key.
    SandboxKey 403 "sandbox_key" "A sandbox key changes nothing";
    /// The account, or one above it, is not active and cannot change anything. `account`, `state` and
    /// `reason` say which, since when and why. An administrator above it can activate it.
    AccountNotActive 403 "account_not_active" "The account is not active";
    /// The account lets nobody from above in who was not granted access. Its owner can grant it.
    AccessNotGranted 403 "access_not_granted" "The account has not granted access";
    /// The two accounts do not stand above one another, or are the same.
    TransferNotAllowed 403 "transfer_not_allowed" "Credit does not move this way";
    /// There is no such thing, or not for this key: things of foreign accounts do not exist for it.
    NotFound 404 "not_found" "Not found";
    /// The path exists, and not with this method. The header `Allow` names those it has.
    MethodNotAllowed 405 "method_not_allowed" "The method does not exist here";
    /// The body did not arrive in time. Send it again.
    RequestTimeout 408 "request_timeout" "The body did not arrive in time";
    /// The account above is as deep as this installation allows. Create the account further up.
    SubaccountLimitReached 409 "subaccount_limit_reached" "No more levels of subaccounts";
    /// An account that is not closed has this e-mail address. Use another; or invite its owner as a
    /// member instead.
    EmailInUse 409 "email_in_use" "The e-mail address is in use";
    /// The state of the thing does not allow it. `state` names it.
    WrongState 409 "wrong_state" "Not possible in this state";
    /// The operator of the installation has suspended the account, and only they can lift that.
    StateLockedByPlatform 409 "state_locked_by_platform" "Suspended by the operator";
    /// Accounts below it are open. Close them first.
    HasChildren 409 "has_children" "There are open accounts below";
    /// Messages are scheduled or on their way. Cancel the scheduled ones and wait for the others.
    MessagesUnderWay 409 "messages_under_way" "Messages are under way";
    /// The account holds credit of its own, which goes back to whoever paid it, or owes something.
    BalanceNotSettled 409 "balance_not_settled" "The balance is not settled";
    /// An account would sell for less than the account above it pays. `account`, `price` and `cost` say
    /// which and by how much. Raise the price, or allow it with `allow_below_cost`.
    BelowCost 409 "below_cost" "It would sell below cost";
    /// The `Idempotency-Key` was used with this API key before, for something else. Use a new one for
    /// every new request.
    IdempotencyConflict 409 "idempotency_conflict" "The idempotency key was used for something else";
    /// The first request with this `Idempotency-Key` is still under way, or was interrupted before its
    /// answer was kept. Look whether it was done before asking again with a new one.
    IdempotencyUnfinished 409 "idempotency_unfinished" "The first request has no answer";
    /// The account is closed, and nothing of it can be changed any more.
    AccountClosed 410 "account_closed" "The account is closed";
    /// The body is larger than this installation reads.
    BodyTooLarge 413 "body_too_large" "The body is too large";
    /// The body is not sent as `application/json`, or is compressed.
    UnsupportedMediaType 415 "unsupported_media_type" "The body is not JSON";
    /// A field is missing, unknown, or has a value it cannot have. `errors` names each with its reason.
    Validation 422 "validation" "A field is not valid";
    /// A limit is reached. `limit` names it and `resets_at` says until when.
    LimitExceeded 429 "limit_exceeded" "A limit is reached";
    /// Something went wrong on this side. The operator's log says what.
    Fault 500 "fault" "A fault of ours";
    /// Too much is under way, or the books cannot be written. Nothing was done; the header
    /// `Retry-After` says after how many seconds to try again.
    Busy 503 "busy" "Busy, try again";
}

/// A problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Of which kind.
    pub kind: Kind,
    /// What is wrong here and now, and what to do about it.
    pub detail: String,
    /// What is wrong with single fields.
    pub errors: Vec<FieldError>,
    /// Its numbers, by their names.
    pub more: Map<String, Value>,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field of the body, the parameter of the query or the header.
    #[schema(example = "amount")]
    pub name: String,
    /// What is wrong with it, and what would be right.
    #[schema(example = "the amount is 0.00; it must be above zero")]
    pub reason: String,
}

/// Why something was not done (RFC 9457). Members beside these belong to single codes, and are named
/// where those are explained.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemSchema {
    /// Where the code is explained; the same for every problem of the kind.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "https://sms.example.com/docs/problems#validation")]
    kind: String,
    /// The kind in a few words.
    #[schema(example = "A field is not valid")]
    title: String,
    /// The status of the answer.
    #[schema(example = 422, minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong here and now, and what to do about it.
    #[schema(example = "amount: the amount is 0.00; it must be above zero")]
    detail: String,
    /// The kind as a word for programs.
    #[schema(example = "validation")]
    code: String,
    /// What is wrong with single fields. Only there when it is about fields.
    errors: Option<Vec<FieldError>>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(kind: Kind, detail: impl Display) -> Problem {
        Problem { kind, detail: detail.to_string(), errors: Vec::new(), more: Map::new() }
    }

    /// A field is wrong.
    pub fn field(name: impl Into<String>, reason: impl Display) -> Problem {
        let (name, reason) = (name.into(), reason.to_string());
        let detail = format!("{name}: {reason}");
        Problem { errors: vec![FieldError { name, reason }], ..Problem::new(Kind::Validation, detail) }
    }

    /// Several fields are wrong.
    pub fn fields(errors: Vec<FieldError>) -> Problem {
        let detail = errors.iter().map(|e| format!("{}: {}", e.name, e.reason)).collect::<Vec<_>>();
        Problem { errors, ..Problem::new(Kind::Validation, detail.join("; ")) }
    }

    /// There is no such thing.
    pub fn not_found(what: impl Display) -> Problem {
        Problem::new(Kind::NotFound, format!("there is no {what}"))
    }

    /// A fault of ours. What it was is in the log.
    pub fn fault() -> Problem {
        Problem::new(Kind::Fault, "something went wrong on this side; the operator's log says what")
    }

    /// The same with a number or a name of its own.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// The same with an amount of its own.
    pub fn with_amount(self, name: &str, amount: Credits) -> Problem {
        self.with(name, amount.to_string())
    }

    /// As JSON, for an installation with this address.
    pub fn json(&self, address: &str) -> Value {
        let kind = self.kind;
        let mut body = Map::new();
        body.insert("type".to_owned(), format!("{address}{EXPLAINED_AT}#{}", kind.code()).into());
        body.insert("title".to_owned(), kind.title().into());
        body.insert("status".to_owned(), kind.status().into());
        body.insert("detail".to_owned(), self.detail.as_str().into());
        body.insert("code".to_owned(), kind.code().into());
        if !self.errors.is_empty() {
            body.insert("errors".to_owned(), serde_json::json!(self.errors));
        }
        body.extend(self.more.clone());
        Value::Object(body)
    }

    /// The finished answer.
    pub fn response(&self, address: &str) -> Response<Body> {
        let mut response = Response::new(Body::from(self.json(address).to_string()));
        *response.status_mut() = status(self.kind);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match self.kind {
            Kind::Busy => drop(headers.insert(RETRY_AFTER, HeaderValue::from_static("1"))),
            Kind::Unauthenticated => {
                drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
            }
            _ => {}
        }
        response
    }
}

fn status(kind: Kind) -> StatusCode {
    StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The answer without its body: the gate, which every answer passes, knows the address that belongs
/// into it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(self.kind);
        response.extensions_mut().insert(self);
        response
    }
}

impl From<storage::Error> for Problem {
    fn from(error: storage::Error) -> Problem {
        tracing::error!(%error, "a request failed in the books");
        match error.retryable() {
            true => {
                Problem::new(Kind::Busy, "the books cannot be reached or written at the moment; try again")
            }
            false => Problem::fault(),
        }
    }
}

impl From<Unread> for Problem {
    fn from(unread: Unread) -> Problem {
        let kind = match unread {
            Unread::TooLarge(_) => Kind::BodyTooLarge,
            Unread::Compressed => Kind::UnsupportedMediaType,
            Unread::Late => Kind::RequestTimeout,
            Unread::Broken(_) => Kind::Malformed,
            Unread::NoRoom => Kind::Busy,
        };
        Problem::new(kind, unread.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words_and_each_is_there_once() {
        let mut codes: Vec<&str> = Kind::ALL.iter().map(|kind| kind.code()).collect();
        assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        assert!(Kind::ALL.is_sorted_by_key(|kind| kind.status()));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Kind::ALL.len());
    }

    #[test]
    fn a_problem_names_its_fields_and_its_numbers() {
        let problem = Problem::field("amount", "it must be above zero").with_amount("least", Credits(1));
        assert_eq!(
            problem.json("https://sms.example.com"),
            serde_json::json!({
                "type": "https://sms.example.com/docs/problems#validation",
                "title": "A field is not valid",
                "status": 422,
                "detail": "amount: it must be above zero",
                "code": "validation",
                "errors": [{ "name": "amount", "reason": "it must be above zero" }],
                "least": "0.000001",
            })
        );
    }
}
