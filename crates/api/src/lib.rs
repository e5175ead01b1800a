//! The door for programs: JSON and text over HTTP, in the words that the official clients speak.
//! This file is the list of URLs; each resource has a file.
//!
//! The shapes of the wire live here and nowhere else. What happens behind them is the gateway's.

mod amount;
mod analytics;
mod balance;
mod call;
mod caller;
mod dates;
mod error;
mod health;
mod journal;
mod origin;
pub mod parameters;
mod pricing;
mod server;
mod signature;
mod sms;
mod status;
mod subaccounts;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{any, get, post};
use gateway::Gateway;
use gateway::keys::LastUsed;

pub use server::{serve, serve_router};
use signature::Nonces;
use tokio::sync::Semaphore;

/// What an operator may set.
#[derive(Clone)]
pub struct Options {
    /// The most bytes of a request's body.
    pub body_max: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a request may take in all.
    pub request_timeout: Duration,
    /// How long the head of a request may take from its first byte to its last.
    pub head_timeout: Duration,
    /// How long a new connection may stay silent.
    pub first_byte_timeout: Duration,
    /// How long a connection may stay open between two requests.
    pub idle_timeout: Duration,
    /// How long a client may take none of an answer that waits for it.
    pub write_timeout: Duration,
    /// How long an orderly end waits for what is under way.
    pub stop_timeout: Duration,
    /// Connections at once.
    pub connections_max: usize,
    /// Connections at once from one address. This machine's own (a reverse proxy) is not counted.
    pub connections_per_address_max: usize,
    /// Whether failed authentication and missing rights come with status 401 and 403. The wire's
    /// custom is 200.
    pub strict_status: bool,
    /// What `/metrics` shows.
    pub metrics: Option<Arc<dyn Fn() -> String + Send + Sync>>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            body_max: 1 << 20,
            body_timeout: Duration::from_secs(20),
            request_timeout: Duration::from_secs(60),
            head_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(20),
            connections_max: 10_000,
            connections_per_address_max: 500,
            strict_status: false,
            metrics: None,
        }
    }
}

/// What large bodies may take of memory together, in KiB.
const BODIES_MAX_KIB: usize = 64 * 1024;

/// What all calls share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api(Arc<Shared>);

pub(crate) struct Shared {
    gateway: Gateway,
    options: Options,
    nonces: Nonces,
    /// Room for large bodies, in KiB.
    bodies: Arc<Semaphore>,
    last_used: LastUsed,
    /// When `last_used` was written last, in seconds.
    last_used_stored: AtomicI64,
}

impl std::ops::Deref for Api {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The URLs of this door. Other doors may be merged into it; what is under none of them is theirs
/// to answer, or [`serve`]'s.
pub fn router(gateway: Gateway, options: Options) -> Router {
    let shared = Shared {
        gateway,
        options,
        nonces: Nonces::default(),
        bodies: Arc::new(Semaphore::new(BODIES_MAX_KIB)),
        last_used: LastUsed::default(),
        last_used_stored: AtomicI64::new(0),
    };
    let api = Api(Arc::new(shared));
    Router::new()
        .route("/api/sms", get(sms::send).post(sms::send).delete(sms::cancel))
        .route("/api/status", get(status::read).post(status::read))
        .route("/api/balance", get(balance::read).post(balance::read))
        .route("/api/pricing", get(pricing::read).post(pricing::read))
        .route("/api/journal", get(journal::legacy).post(journal::legacy))
        .route("/api/journal/outbound", get(journal::outbound).post(journal::outbound))
        .route("/api/journal/inbound", get(journal::empty).post(journal::empty))
        .route("/api/journal/replies", get(journal::empty).post(journal::empty))
        .route("/api/journal/voice", get(journal::empty).post(journal::empty))
        .route("/api/analytics", get(analytics::legacy).post(analytics::legacy))
        .route("/api/analytics/date", get(analytics::by_date).post(analytics::by_date))
        .route("/api/analytics/country", get(analytics::by_country).post(analytics::by_country))
        .route("/api/analytics/label", get(analytics::by_label).post(analytics::by_label))
        .route("/api/analytics/subaccount", get(analytics::by_account).post(analytics::by_account))
        .route("/api/subaccounts", get(subaccounts::legacy).post(subaccounts::legacy))
        .route("/api/subaccounts/list", get(subaccounts::read).post(subaccounts::read))
        .route("/api/subaccounts/read", get(subaccounts::read).post(subaccounts::read))
        .route("/api/subaccounts/create", post(subaccounts::create))
        .route("/api/subaccounts/update", post(subaccounts::update))
        .route("/api/subaccounts/transfer_credits", post(subaccounts::transfer))
        .route("/api/subaccounts/delete", post(subaccounts::remove))
        .route("/api", any(call::no_such_endpoint))
        .route("/api/", any(call::no_such_endpoint))
        .route("/api/{*rest}", any(call::no_such_endpoint))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .method_not_allowed_fallback(call::no_such_method)
        .with_state(api)
}

/// What is under no path at all.
async fn nothing_here() -> axum::response::Response {
    error::problem(StatusCode::NOT_FOUND, "there is nothing under this path; the API is under /api")
}
