//! `Idempotency-Key`: the same request asked again, however often and at however many doors, is done
//! once and answered alike.
//!
//! The answer is kept sealed. A new API key's secret is in the answer that creates it, and the books
//! hold no secrets: so the seal's key is made of the caller's own secret, which only they have.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use axum::middleware::Next;
use axum::response::IntoResponse;
use gateway::once::{Begun, Once};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::asked::Asked;
use super::gate::secret;
use super::problem::{Kind, Problem};

/// The header.
pub const HEADER: &str = "Idempotency-Key";
/// The most characters of a caller's key.
const NAME_MAX: usize = 200;
/// The most octets of an answer that is kept.
const ANSWER_MAX: usize = 1 << 20;
/// What the books themselves do once, by the same name.
const EXACT: [&str; 5] = [
    super::transfers::PATH,
    super::several::TRANSFERS,
    super::several::SUSPEND,
    super::several::ACTIVATE,
    super::imports::PATH,
];
/// Says that an answer is one that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// An answer as it is kept, before it is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    content_type: String,
    location: Option<String>,
    body: String,
}

/// The caller's key, where one counts.
///
/// # Errors
/// A field that is wrong.
pub fn name(headers: &HeaderMap, method: &Method) -> Result<Option<String>, Problem> {
    if method != Method::POST {
        return Ok(None);
    }
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::field(HEADER, "it is given twice; give one"));
    }
    let name = first.to_str().map(str::trim).unwrap_or("");
    match name.len() {
        1..=NAME_MAX => Ok(Some(name.to_owned())),
        _ => {
            Err(Problem::field(HEADER, format!("it has 1 to {NAME_MAX} characters of ASCII; a UUID will do")))
        }
    }
}

/// Runs a request, or gives the answer that the same had before.
pub async fn run(asked: Asked, request: Request, next: Next) -> Response<Body> {
    let Some(name) = asked.idempotency.clone() else { return next.run(request).await };
    // Whoever hangs up, or is timed out, does not stop what has begun half-way.
    let work = tokio::spawn(async move {
        let done = once(&asked, name, request, next).await;
        done.unwrap_or_else(IntoResponse::into_response)
    });
    work.await.unwrap_or_else(|broken| {
        tracing::error!(%broken, "a handler of /v1 broke");
        Problem::fault().into_response()
    })
}

async fn once(asked: &Asked, name: String, request: Request, next: Next) -> Result<Response<Body>, Problem> {
    let gateway = asked.gateway();
    let (parts, body) = request.into_parts();
    let secret = secret(&parts.headers).map_err(|_| Problem::fault())?;
    let octets = to_bytes(body, usize::MAX).await.map_err(|_| Problem::fault())?;
    let once = Once { key: asked.key.id, name, content: content(asked, &octets) };
    let seal = Seal::new(&secret, &once.name);
    let is_exact = EXACT.contains(&asked.row.path.as_str());
    match once.begin(gateway).await? {
        Begun::Do => {}
        // The books themselves know this one, so it may be asked for again.
        Begun::Interrupted if is_exact => {}
        Begun::Interrupted => return interrupted(&once, &seal, asked).await,
        Begun::Answered(sealed) => return Ok(seal.open(&sealed).map_or_else(lost, replay)),
        Begun::Other => {
            let detail = format!(
                "the {HEADER} '{}' was used with this API key for something else; use a new one for a new request",
                once.name
            );
            return Err(Problem::new(Kind::IdempotencyConflict, detail));
        }
        Begun::UnderWay => {
            let detail =
                "the first request with this Idempotency-Key is still under way; ask again in a moment";
            return Err(Problem::new(Kind::IdempotencyUnfinished, detail));
        }
    }
    let answer = next.run(Request::from_parts(parts, Body::from(octets))).await;
    if !answer.status().is_success() {
        // Nothing was done. It may be asked for again with the same key once the reason is gone.
        once.let_go(gateway).await?;
        return Ok(answer);
    }
    let (kept, answer) = keep(answer).await?;
    let sealed = seal.close(&kept).ok_or_else(Problem::fault)?;
    if let Err(error) = once.keep(gateway, &sealed).await {
        // It is done, and the caller is told so; asked again, it is found interrupted.
        tracing::error!(%error, "an answer could not be kept");
    }
    Ok(answer)
}

/// All that is asked for, in few characters. The same JSON counts as the same in whatever order and
/// with whatever spaces it is written.
fn content(asked: &Asked, body: &[u8]) -> String {
    let canonical = serde_json::from_slice::<serde_json::Value>(body).map(|value| value.to_string());
    let body = canonical.unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned());
    let all = format!("{}\n{}\n{}\n{body}", asked.row.method, asked.account.id, asked.uri);
    domain::text::hex_of_octets(&Sha256::digest(all.as_bytes()))
}

async fn keep(answer: Response<Body>) -> Result<(Kept, Response<Body>), Problem> {
    let (parts, body) = answer.into_parts();
    let octets = to_bytes(body, ANSWER_MAX).await.map_err(|_| Problem::fault())?;
    let header =
        |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    let kept = Kept {
        status: parts.status.as_u16(),
        content_type: header(CONTENT_TYPE).unwrap_or_default(),
        location: header(LOCATION),
        body: String::from_utf8_lossy(&octets).into_owned(),
    };
    Ok((kept, Response::from_parts(parts, Body::from(octets))))
}

fn replay(kept: Kept) -> Response<Body> {
    let mut answer = Response::new(Body::from(kept.body));
    *answer.status_mut() = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let headers = answer.headers_mut();
    for (name, value) in [(CONTENT_TYPE, Some(kept.content_type)), (LOCATION, kept.location)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    answer
}

fn lost() -> Response<Body> {
    tracing::error!("an answer that was kept cannot be opened");
    Problem::fault().into_response()
}

/// Nobody knows whether it was done; and nobody may do it again under this name.
async fn interrupted(once: &Once, seal: &Seal, asked: &Asked) -> Result<Response<Body>, Problem> {
    let detail = "the first request with this Idempotency-Key was interrupted before its answer was kept; look \
                  whether it was done, and ask with a new one if not";
    let problem = Problem::new(Kind::IdempotencyUnfinished, detail);
    let kept = Kept {
        status: problem.kind.status(),
        content_type: super::problem::PROBLEM_JSON.to_owned(),
        location: None,
        body: problem.json(asked.api.address()).to_string(),
    };
    let sealed = seal.close(&kept).ok_or_else(Problem::fault)?;
    once.keep(asked.gateway(), &sealed).await?;
    Err(problem)
}

/// What closes and opens kept answers.
struct Seal {
    seal: gateway::seal::Seal,
    name: String,
}

impl Seal {
    fn new(secret: &str, name: &str) -> Seal {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(b"answers of /v1");
        let seal = gateway::seal::Seal::of(&mac.finalize().into_bytes().into());
        Seal { seal, name: name.to_owned() }
    }

    fn close(&self, kept: &Kept) -> Option<String> {
        Some(self.seal.close(&self.name, &serde_json::to_vec(kept).ok()?))
    }

    fn open(&self, sealed: &str) -> Option<Kept> {
        serde_json::from_slice(&self.seal.open(&self.name, sealed)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_answer_is_opened_by_the_secret_it_was_closed_with_and_no_other() {
        let kept = |body: &str| Kept {
            status: 201,
            content_type: "application/json".to_owned(),
            location: Some("/v1/keys/1".to_owned()),
            body: body.to_owned(),
        };
        let seal = Seal::new("bl_live_a", "n");
        let sealed = seal.close(&kept("bl_live_new")).unwrap();
        assert!(!sealed.contains("bl_live"));
        assert_eq!(seal.open(&sealed).unwrap().body, "bl_live_new");
        assert_ne!(seal.close(&kept("bl_live_new")).unwrap(), sealed);
        for other in [Seal::new("bl_live_b", "n"), Seal::new("bl_live_a", "m")] {
            assert!(other.open(&sealed).is_none());
        }
        for broken in ["", "AAAA", &sealed[1..]] {
            assert!(seal.open(broken).is_none());
        }
    }
}
