//! The gate: every request to `/v1` passes it. It finds out who is asking and whether they may, does
//! what is asked for once, and finishes the answer.
//!
//! The order is fixed, because each step may only tell what the ones before have let the caller know:
//! the key, its scope, the account, the permission, the state.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::{HeaderMap, HeaderValue, Method, Response, Uri};
use axum::middleware::Next;
use domain::account::{Account, AccountState};
use domain::id::AccountId;
use domain::key::{Key, Scope};

use super::asked::{Asked, Inner, actor, let_in, permitted, state};
use super::once;
use super::problem::{Kind, Problem};
use crate::call::{Whole, whole_body};
use crate::caller::{find_key, note_use_below, single};
use crate::parameters::whole;
use crate::request_log::{self, Answered, Seen};
use crate::signature::Signed;
use crate::table::{Needs, Row};
use crate::{Api, origin};

/// Lets a request in, or not.
pub async fn gate(State(api): State<Api>, request: Request, next: Next) -> Response<Body> {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let row = route.as_deref().and_then(|path| api.row(request.method(), path)).cloned();
    let mut known = None;
    let answer = match &row {
        // What has no row has no handler that would do anything: no such path, or no such method.
        None => next.run(request).await,
        Some(row) => match admit(&api, row, request, &mut known).await {
            Ok((asked, request)) => once::run(asked, request, next).await,
            Err(problem) => axum::response::IntoResponse::into_response(problem),
        },
    };
    let problem = known.as_ref().and_then(|_| answer.extensions().get::<Problem>().cloned());
    let answer = finish(&api, answer, began, row.as_ref());
    match known {
        Some(known) => known.log(&api, answer, problem, began).await,
        None => answer,
    }
}

/// A request by somebody whose key works, for the request log.
struct Known {
    key: Arc<Key>,
    account: AccountId,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    peer: Option<SocketAddr>,
}

/// Answers up to this many bytes are read for the request log; longer ones are noted without.
const LOGGED_MAX: u64 = 256 * 1024;

impl Known {
    /// Keeps the request with its answer, unless the account has had enough of the kind this second.
    async fn log(
        self,
        api: &Api,
        answer: Response<Body>,
        problem: Option<Problem>,
        began: Instant,
    ) -> Response<Body> {
        let status = answer.status();
        let failed = status.is_client_error() || status.is_server_error();
        if !api.gateway.calls().wants(self.account, failed, api.gateway.clock.now()) {
            return answer;
        }
        let (parts, mut body) = answer.into_parts();
        let mut octets = Bytes::new();
        if body.size_hint().exact().is_some_and(|length| length <= LOGGED_MAX) {
            octets = to_bytes(body, usize::MAX).await.unwrap_or_default();
            body = Body::from(octets.clone());
        }
        let (code, error) = match &problem {
            Some(problem) => (problem.kind.code().to_owned(), problem.detail.clone()),
            None if failed => (String::new(), status.to_string()),
            None => (String::new(), String::new()),
        };
        let answered = Answered { status: status.as_u16(), code: &code, body: &octets, error: &error };
        let seen = Seen {
            method: &self.method,
            uri: &self.uri,
            headers: &self.headers,
            body: &self.body,
            peer: self.peer,
            began,
        };
        request_log::note(api, &seen, self.account, self.key.id, &answered);
        Response::from_parts(parts, body)
    }
}

async fn admit(
    api: &Api,
    row: &Row,
    request: Request,
    known: &mut Option<Known>,
) -> Result<(Asked, Request), Problem> {
    let (mut parts, body) = request.into_parts();
    let whole = whole_body(api, &parts.headers, body).await?;
    let key = working_key(api, &parts.headers).await?;
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    let known = known.insert(Known {
        key: key.clone(),
        account: key.account,
        method: parts.method.clone(),
        uri: parts.uri.clone(),
        headers: parts.headers.clone(),
        body: whole.body.clone(),
        peer,
    });
    let own = own_account(api, &key).await?;
    let signed = Signed {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        body: &whole.body,
        public_urls: &api.gateway.rules.public_urls,
    };
    check_signature(api, &signed, &key, &own)?;
    if let Needs::Right(scope, _) = row.needs {
        has_scope(&key, scope)?;
    }
    let account = acting_in(&parts.headers, &key, own, api).await?;
    if let Needs::Right(_, action) = row.needs {
        permitted(&key, action, &account)?;
        let_in(api, &key, action, &account).await?;
    }
    let state = state(&api.gateway, &account).await?;
    if state == AccountState::Closed {
        return Err(Problem::not_found(format!("account {}", account.id)));
    }
    known.account = account.id;
    if row.changes() {
        may_change(row, &key, &account, state)?;
    }
    let actor = actor(&key, &account, origin::address(peer), origin::agent(&parts.headers));
    note_use_below(api, &key, &account, || actor.clone());
    let idempotency = once::name(&parts.headers, &parts.method)?;
    let uri = parts.uri.clone();
    let inner = Inner { api: api.clone(), key, account, state, row: row.clone(), uri, actor, idempotency };
    let asked = Asked::new(inner);
    parts.extensions.insert(asked.clone());
    let Whole { body, room } = whole;
    // The body's place in memory is given back with the request.
    parts.extensions.insert(Arc::new(room));
    Ok((asked, Request::from_parts(parts, Body::from(body))))
}

/// The key that was shown, and works.
async fn working_key(api: &Api, headers: &HeaderMap) -> Result<Arc<Key>, Problem> {
    let refused = |detail: &str| Problem::new(Kind::Unauthenticated, detail);
    let secret = secret(headers).map_err(refused)?;
    find_key(api, &secret).await?.map_err(refused)
}

/// The secret of a key: one header, and no other place, so that it is in no log of URLs.
pub fn secret(headers: &HeaderMap) -> Result<String, &'static str> {
    const NONE: &str = "no API key is given; send it in the header X-Api-Key, or as Authorization: Bearer";
    if let Some(key) = single(headers, "x-api-key")? {
        return Ok(key.to_owned());
    }
    let authorization = single(headers, AUTHORIZATION.as_str())?.ok_or(NONE)?;
    match authorization.split_once(' ') {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => Ok(secret.trim().to_owned()),
        _ => Err("the header Authorization is not 'Bearer' and an API key"),
    }
}

async fn own_account(api: &Api, key: &Key) -> Result<Arc<Account>, Problem> {
    let refused = || Problem::new(Kind::Unauthenticated, "the account of the API key is closed");
    let own = api.gateway.account(key.account).await?.ok_or_else(refused)?;
    match state(&api.gateway, &own).await? {
        AccountState::Closed => Err(refused()),
        _ => Ok(own),
    }
}

fn check_signature(api: &Api, signed: &Signed<'_>, key: &Key, account: &Account) -> Result<(), Problem> {
    if !Signed::is_there(signed.headers) && !account.settings.signature_required {
        return Ok(());
    }
    signed
        .check(&account.settings.signing_key, key.id, api.gateway.clock.now(), &api.nonces)
        .map_err(|refused| Problem::new(Kind::SignatureRefused, refused))
}

/// Whether a key has a scope.
pub fn has_scope(key: &Key, scope: Scope) -> Result<(), Problem> {
    if key.scopes.has(scope) {
        return Ok(());
    }
    let scope = scope.as_str();
    let detail = format!("API key {} lacks the scope '{scope}'; create a key that has it", key.id);
    Err(Problem::new(Kind::ScopeMissing, detail).with("scope", scope))
}

/// The account that is acted in: the key's own, or the one below it that `X-Account-Id` names.
async fn acting_in(
    headers: &HeaderMap,
    key: &Key,
    own: Arc<Account>,
    api: &Api,
) -> Result<Arc<Account>, Problem> {
    const NAME: &str = "X-Account-Id";
    let named = single(headers, "x-account-id")
        .map_err(|_| Problem::field(NAME, "it is given twice, and differently"))?;
    let Some(named) = named else { return Ok(own) };
    let id = whole(named)
        .filter(|id| *id > 0)
        .ok_or_else(|| Problem::field(NAME, "it is the number of an account"))?;
    if id == own.id.0 {
        return Ok(own);
    }
    if !key.subaccount_access {
        let detail =
            format!("API key {} acts in account {} only; use one with subaccount access", key.id, own.id);
        return Err(Problem::new(Kind::SubaccountAccessMissing, detail));
    }
    let account = api.gateway.account(AccountId(id)).await?;
    let account = account.filter(|account| own.is_above(account));
    account.ok_or_else(|| Problem::not_found(format!("account {id}")))
}

fn may_change(row: &Row, key: &Key, account: &Account, state: AccountState) -> Result<(), Problem> {
    if key.sandbox {
        let detail = format!("API key {} is a sandbox key and changes nothing; use a live key", key.id);
        return Err(Problem::new(Kind::SandboxKey, detail));
    }
    // What only takes rights away may be done even so: a leaked key must be stopped.
    if state == AccountState::Active || row.method == Method::DELETE {
        return Ok(());
    }
    Err(not_active(account, state))
}

/// That an account is not active.
pub fn not_active(account: &Account, state: AccountState) -> Problem {
    let detail = format!(
        "account {} is {} and can change nothing; an administrator above it can activate it",
        account.id,
        state.as_str()
    );
    Problem::new(Kind::AccountNotActive, detail)
        .with("account", account.id.0)
        .with("state", state.as_str())
        .with("reason", account.state_reason.clone())
}

/// Finishes an answer: problems get their bodies, nothing is kept by caches, and it is counted.
fn finish(api: &Api, answer: Response<Body>, began: Instant, row: Option<&Row>) -> Response<Body> {
    let mut answer = match answer.extensions().get::<Problem>() {
        Some(problem) => {
            let mut finished = problem.response(api.address());
            // The router says which methods there are.
            for (name, value) in answer.headers() {
                if !finished.headers().contains_key(name) && name != axum::http::header::CONTENT_LENGTH {
                    finished.headers_mut().insert(name, value.clone());
                }
            }
            finished
        }
        None => answer,
    };
    answer.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let endpoint = row.map_or("none".to_owned(), |row| format!("{} {}", row.method, row.path));
    metrics::counter!("branchline_v1_requests_total", "endpoint" => endpoint.clone(), "status" => answer.status().as_u16().to_string())
        .increment(1);
    metrics::histogram!("branchline_v1_request_seconds", "endpoint" => endpoint).record(began.elapsed());
    answer
}

/// What is under `/v1` and no route.
pub async fn nothing_here() -> Problem {
    Problem::new(Kind::NotFound, "there is nothing under this path; /docs shows what there is")
}

/// A route that does not have this method.
pub async fn no_such_method(method: Method) -> Problem {
    Problem::new(
        Kind::MethodNotAllowed,
        format!("there is no {method} here; the header Allow says what there is"),
    )
}
