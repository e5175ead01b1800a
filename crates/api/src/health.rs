//! What a supervisor asks: is the process alive, does it accept requests, how is it doing.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::Api;
use crate::error::problem;

/// `GET /healthz`: 200 while the process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 200 while requests are accepted, else 503.
pub async fn readyz(State(api): State<Api>) -> Response {
    match api.gateway.ready() {
        true => "ready\n".into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not accepting requests\n").into_response(),
    }
}

/// `GET /metrics`: counts and times as Prometheus reads them.
pub async fn metrics(State(api): State<Api>) -> Response {
    const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");
    match &api.options.metrics {
        Some(render) => ([(CONTENT_TYPE, FORMAT)], render()).into_response(),
        None => problem(StatusCode::NOT_FOUND, "this installation keeps no metrics"),
    }
}
