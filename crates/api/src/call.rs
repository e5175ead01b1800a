//! A call of the API: what came in, and the answer in the form the caller wants it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, FromRequest, Request};
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use bytes::BytesMut;
use domain::actor::Actor;
use domain::id::{AccountId, KeyId};
use domain::key::Scope;
use http_body_util::BodyExt;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Api;
use crate::caller::Caller;
use crate::error::{ApiError, Code, JSON, TEXT, problem};
use crate::parameters::Parameters;
use crate::request_log::{self, Answered, Seen};

/// A request, read to its end.
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Its target as it came.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as it came.
    pub body: Bytes,
    /// The other end of its connection.
    pub peer: Option<SocketAddr>,
    began: Instant,
    /// The place that its body takes, given back with it.
    _room: Option<OwnedSemaphorePermit>,
}

/// A call whose parameters are read and whose caller is known: what handlers work with.
pub struct Asked<'a> {
    /// What all calls share.
    pub api: &'a Api,
    /// The request.
    pub call: &'a Call,
    /// Its parameters.
    pub parameters: Parameters<'a>,
    /// Who is calling.
    pub caller: Caller,
    /// Whether the answer is wanted as JSON.
    pub json: bool,
    endpoint: &'static str,
}

/// An answer.
pub struct Reply {
    body: Bytes,
    json: bool,
    code: Code,
}

impl Reply {
    /// JSON.
    pub fn json(body: &impl Serialize) -> Reply {
        let body =
            serde_json::to_vec(body).expect("the shapes of the wire have text keys and finite numbers");
        Reply { body: body.into(), json: true, code: Code::ACCEPTED }
    }

    /// Text.
    pub fn text(body: impl Into<String>) -> Reply {
        Reply { body: Bytes::from(body.into()), json: false, code: Code::ACCEPTED }
    }

    /// The same, counted under another code than 100.
    pub fn counted_as(self, code: Code) -> Reply {
        Reply { code, ..self }
    }

    fn response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        response.headers_mut().insert(CONTENT_TYPE, if self.json { JSON } else { TEXT });
        response
    }
}

impl FromRequest<Api> for Call {
    type Rejection = Response<Body>;

    async fn from_request(request: Request, api: &Api) -> Result<Call, Response<Body>> {
        let began = Instant::now();
        let (parts, body) = request.into_parts();
        let Whole { body, room } = whole_body(api, &parts.headers, body).await.map_err(|unread| {
            finish("unread", began, Err(unread.error()), accepts_json(&parts.headers), api)
        })?;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        let Parts { method, uri, headers, .. } = parts;
        Ok(Call { method, uri, headers, body, peer, began, _room: room })
    }
}

/// A body, read to its end.
pub struct Whole {
    /// What it is.
    pub body: Bytes,
    /// The place in memory that it takes, to be given back with it.
    pub room: Option<OwnedSemaphorePermit>,
}

/// Why a body was not read to its end.
pub enum Unread {
    /// It has more bytes than this.
    TooLarge(usize),
    /// It is compressed.
    Compressed,
    /// It took too long.
    Late,
    /// The connection broke.
    Broken(String),
    /// Too many large ones at once.
    NoRoom,
}

impl Unread {
    /// What to say about it.
    pub fn words(&self) -> String {
        match self {
            Unread::TooLarge(max) => {
                format!("the body has more than {max} bytes; send less with one request")
            }
            Unread::Compressed => "compressed bodies are not read here; send it plain".to_owned(),
            Unread::Late => "the body did not arrive in time".to_owned(),
            Unread::Broken(why) => format!("the body broke off: {why}"),
            Unread::NoRoom => "too many large requests are under way, try again in a moment".to_owned(),
        }
    }

    fn error(&self) -> ApiError {
        let status = match self {
            Unread::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Unread::Compressed => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Unread::Late => StatusCode::REQUEST_TIMEOUT,
            Unread::Broken(_) => StatusCode::BAD_REQUEST,
            Unread::NoRoom => return ApiError::busy(self.words()),
        };
        ApiError::http(status, self.words())
    }
}

/// Reads a body to its end, within the limits of size, time and memory.
pub async fn whole_body(api: &Api, headers: &HeaderMap, body: Body) -> Result<Whole, Unread> {
    let max = api.options.body_max;
    let length = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    if length.is_some_and(|length: usize| length > max) {
        return Err(Unread::TooLarge(max));
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|v| v != "identity") {
        return Err(Unread::Compressed);
    }
    let read = tokio::time::timeout(api.options.body_timeout, read(body, max, &api.bodies)).await;
    let (body, room) = read.unwrap_or(Err(Unread::Late))?;
    Ok(Whole { body, room })
}

/// Bodies up to this many bytes are read without asking for room.
const SMALL: usize = 16 * 1024;

/// The whole body. What goes beyond a small one asks for room, in KiB, as it comes: however many
/// clients send large bodies slowly, the memory they take together has an end.
async fn read(
    mut body: Body,
    max: usize,
    bodies: &Arc<Semaphore>,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Unread> {
    let mut whole = BytesMut::new();
    let mut room: Option<OwnedSemaphorePermit> = None;
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|error| Unread::Broken(error.to_string()))?;
        let Ok(part) = frame.into_data() else { continue };
        let length = whole.len() + part.len();
        if length > max {
            return Err(Unread::TooLarge(max));
        }
        if length > SMALL {
            let held = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            let wanted = u32::try_from(length.div_ceil(1024).saturating_sub(held)).unwrap_or(u32::MAX);
            let more = bodies.clone().try_acquire_many_owned(wanted).map_err(|_| Unread::NoRoom)?;
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok((part, room));
        }
        whole.extend_from_slice(&part);
    }
    Ok((whole.freeze(), room))
}

impl Call {
    /// Reads the parameters and finds out who is calling, for an endpoint (a word to count by) that
    /// a key needs the scope for.
    ///
    /// # Errors
    /// The finished answer, when there is nothing more to do.
    pub async fn open<'a>(
        &'a self,
        api: &'a Api,
        endpoint: &'static str,
        scope: Scope,
    ) -> Result<Asked<'a>, Box<Response<Body>>> {
        let mut json = accepts_json(&self.headers);
        let refuse = |error, json| Box::new(finish(endpoint, self.began, Err(error), json, api));
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let parameters = match Parameters::read(self.uri.query(), content_type, &self.body) {
            Ok(parameters) => parameters,
            Err(malformed) => return Err(refuse(malformed.into(), json)),
        };
        json |= parameters.flag("json");
        if self.method == Method::HEAD {
            let text = "HEAD is not answered here; use GET";
            return Err(refuse(ApiError::http(StatusCode::METHOD_NOT_ALLOWED, text), json));
        }
        let mut known = None;
        match Caller::of(api, self, &parameters, scope, &mut known).await {
            Ok(caller) => Ok(Asked { api, call: self, parameters, caller, json, endpoint }),
            Err(error) => {
                if let Some(key) = known {
                    self.log(api, key.account, key.id, &Err(error.clone()), json);
                }
                Err(refuse(error, json))
            }
        }
    }

    /// Keeps the call in the request log of an account.
    fn log(&self, api: &Api, account: AccountId, key: KeyId, result: &Result<Reply, ApiError>, json: bool) {
        let code = result.as_ref().map_or_else(ApiError::as_code, |reply| reply.code);
        let failed = result.is_err() || code != Code::ACCEPTED;
        if !api.gateway.calls().wants(account, failed, api.gateway.clock.now()) {
            return;
        }
        let (status, body, error) = match result {
            Ok(reply) if !failed => (StatusCode::OK, reply.body.clone(), String::new()),
            Ok(reply) => {
                (StatusCode::OK, reply.body.clone(), format!("answered with code {}", code.as_str()))
            }
            Err(error) => {
                let status = error.status(api.options.strict_status);
                (status, error.body(json).into(), error.text().to_owned())
            }
        };
        let answered = Answered { status: status.as_u16(), code: code.as_str(), body: &body, error: &error };
        let seen = Seen {
            method: &self.method,
            uri: &self.uri,
            headers: &self.headers,
            body: &self.body,
            peer: self.peer,
            began: self.began,
        };
        request_log::note(api, &seen, account, key, &answered);
    }

    /// The answer to a call that never gets as far as a caller.
    pub fn refuse(&self, api: &Api, endpoint: &'static str, error: ApiError) -> Response<Body> {
        finish(endpoint, self.began, Err(error), accepts_json(&self.headers), api)
    }
}

impl Asked<'_> {
    /// Who acts, for the books and the audit log.
    pub fn actor(&self) -> Actor {
        self.caller.actor(self.call)
    }

    /// The answer.
    pub fn answer(&self, result: Result<Reply, ApiError>) -> Response<Body> {
        self.call.log(self.api, self.caller.account.id, self.caller.key.id, &result, self.json);
        finish(self.endpoint, self.call.began, result, self.json, self.api)
    }
}

/// Whether the answer is wanted as JSON. `*/*` does not ask for it: clients that send it read text.
pub fn accepts_json(headers: &HeaderMap) -> bool {
    const WANTED: &[u8] = b"application/json";
    headers
        .get_all(ACCEPT)
        .iter()
        .any(|value| value.as_bytes().windows(WANTED.len()).any(|part| part.eq_ignore_ascii_case(WANTED)))
}

fn finish(
    endpoint: &'static str,
    began: Instant,
    result: Result<Reply, ApiError>,
    json: bool,
    api: &Api,
) -> Response<Body> {
    let code = result.as_ref().map_or_else(ApiError::as_code, |reply| reply.code);
    metrics::counter!("branchline_api_requests_total", "endpoint" => endpoint, "code" => code.as_str())
        .increment(1);
    metrics::histogram!("branchline_api_request_seconds", "endpoint" => endpoint).record(began.elapsed());
    match result {
        Ok(reply) => reply.response(),
        Err(error) => error.response(json, api.options.strict_status),
    }
}

/// What is under `/api` and no endpoint.
pub async fn no_such_endpoint(
    axum::extract::State(api): axum::extract::State<Api>,
    call: Call,
) -> impl IntoResponse {
    let text = "there is no such endpoint; the list is in docs/api.md";
    call.refuse(&api, "none", ApiError::http(StatusCode::NOT_FOUND, text))
}

/// An endpoint that does not have this method.
pub async fn no_such_method(
    axum::extract::State(api): axum::extract::State<Api>,
    call: Call,
) -> Response<Body> {
    if !call.uri.path().starts_with("/api") {
        return problem(StatusCode::METHOD_NOT_ALLOWED, "the method does not exist here");
    }
    let text = format!("the method {} does not exist here; see docs/api.md", call.method);
    call.refuse(&api, "none", ApiError::http(StatusCode::METHOD_NOT_ALLOWED, text))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn json_must_be_asked_for_by_name() {
        #[rustfmt::skip]
        let cases = [
            (&["application/json"][..],                        true),
            (&["text/html", "Application/JSON;q=0.9"][..],     true),
            (&["application/json, text/plain, */*"][..],       true), // axios
            (&["*/*"][..],                                     false),
            (&["text/html"][..],                               false),
            (&["application/*"][..],                           false),
            (&[][..],                                          false),
        ];
        for (accept, json) in cases {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(ACCEPT, HeaderValue::from_static(value));
            }
            assert_eq!(accepts_json(&headers), json, "{accept:?}");
        }
    }
}
