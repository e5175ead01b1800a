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
mod proxies;
mod request_log;
mod server;
mod signature;
mod sms;
mod status;
mod subaccounts;
mod table;
mod v1;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::any;
use domain::key::Scope;
use domain::permission::Action;
use gateway::Gateway;
use gateway::keys::LastUsed;

pub use proxies::Proxies;
pub use server::{serve, serve_router};
pub use table::{Needs, Row};

use signature::Nonces;
use table::Table;
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
    /// Connections at once from one address. Those of reverse proxies are not counted.
    pub connections_per_address_max: usize,
    /// The reverse proxies that are believed about whom they stand for, for this and all doors that are
    /// served with it.
    pub trusted_proxies: Proxies,
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
            trusted_proxies: Proxies::default(),
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
    /// Keys from above at work.
    key_use: gateway::visits::KeyUse,
    /// When `last_used` was written last, in seconds.
    last_used_stored: AtomicI64,
    /// The address clients know this installation by; empty where it is not configured.
    address: String,
    rows: HashMap<(Method, String), Row>,
}

impl Shared {
    /// The row of a route. What is asked for by HEAD is what would be got by GET.
    fn row(&self, method: &Method, path: &str) -> Option<&Row> {
        let method = if method == Method::HEAD { Method::GET } else { method.clone() };
        self.rows.get(&(method, path.to_owned()))
    }

    /// The address clients know this installation by, without a slash at its end.
    fn address(&self) -> &str {
        &self.address
    }
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
    let (v1, rows_v1, openapi) = v1::routes();
    let table = v1::docs(wire(Table::default()), &openapi);
    let mut rows = HashMap::new();
    for row in table.rows.into_iter().chain(rows_v1) {
        rows.insert((row.method.clone(), row.path.clone()), row);
    }
    let shared = Shared {
        address: address(&gateway),
        gateway,
        options,
        nonces: Nonces::default(),
        bodies: Arc::new(Semaphore::new(BODIES_MAX_KIB)),
        last_used: LastUsed::default(),
        key_use: gateway::visits::KeyUse::default(),
        last_used_stored: AtomicI64::new(0),
        rows,
    };
    let api = Api(Arc::new(shared));
    let wire = table
        .router
        .route("/api", any(call::no_such_endpoint))
        .route("/api/", any(call::no_such_endpoint))
        .route("/api/{*rest}", any(call::no_such_endpoint))
        .method_not_allowed_fallback(call::no_such_method)
        .with_state(api.clone());
    wire.merge(v1::router(&api, v1))
}

/// The address clients know this installation by, without a slash at its end; empty where it is not
/// configured.
fn address(gateway: &Gateway) -> String {
    gateway.rules.public_urls.first().map_or(String::new(), |url| url.trim_end_matches('/').to_owned())
}

/// Every route of this door with what a caller needs there.
pub fn table() -> Vec<Row> {
    let (_, mut rows, openapi) = v1::routes();
    rows.extend(v1::docs(wire(Table::default()), &openapi).rows);
    rows
}

/// The routes of the wire.
fn wire(table: Table) -> Table {
    use Action::*;
    use Scope::*;
    const READ: [Method; 2] = [Method::GET, Method::POST];
    const GET: [Method; 1] = [Method::GET];
    const POST: [Method; 1] = [Method::POST];
    let right = Needs::Right;
    table
        .on(&[Method::GET, Method::POST], "/api/sms", right(Sms, SendMessages), sms::send)
        .on(&[Method::DELETE], "/api/sms", right(Sms, SendMessages), sms::cancel)
        .on(&READ, "/api/status", right(Status, SeeMessages), status::read)
        .on(&READ, "/api/balance", right(Balance, SeeBalance), balance::read)
        .on(&READ, "/api/pricing", right(Pricing, SeePrices), pricing::read)
        .on(&READ, "/api/journal", right(Journal, SeeMessages), journal::legacy)
        .on(&READ, "/api/journal/outbound", right(Journal, SeeMessages), journal::outbound)
        .on(&READ, "/api/journal/inbound", right(Journal, SeeMessages), journal::empty)
        .on(&READ, "/api/journal/replies", right(Journal, SeeMessages), journal::empty)
        .on(&READ, "/api/journal/voice", right(Journal, SeeMessages), journal::empty)
        .on(&READ, "/api/analytics", right(Analytics, SeeStatistics), analytics::legacy)
        .on(&READ, "/api/analytics/date", right(Analytics, SeeStatistics), analytics::by_date)
        .on(&READ, "/api/analytics/country", right(Analytics, SeeStatistics), analytics::by_country)
        .on(&READ, "/api/analytics/label", right(Analytics, SeeStatistics), analytics::by_label)
        .on(&READ, "/api/analytics/subaccount", right(Analytics, SeeStatistics), analytics::by_account)
        .on(&READ, "/api/subaccounts", right(Subaccounts, ManageSubaccounts), subaccounts::legacy)
        .on(&READ, "/api/subaccounts/list", right(Subaccounts, SeeSubaccounts), subaccounts::read)
        .on(&READ, "/api/subaccounts/read", right(Subaccounts, SeeSubaccounts), subaccounts::read)
        .on(&POST, "/api/subaccounts/create", right(Subaccounts, ManageSubaccounts), subaccounts::create)
        .on(&POST, "/api/subaccounts/update", right(Subaccounts, MoveCredits), subaccounts::update)
        .on(
            &POST,
            "/api/subaccounts/transfer_credits",
            right(Subaccounts, MoveCredits),
            subaccounts::transfer,
        )
        .on(&POST, "/api/subaccounts/delete", right(Subaccounts, ManageSubaccounts), subaccounts::remove)
        .on(&GET, "/healthz", Needs::Nothing, health::healthz)
        .on(&GET, "/readyz", Needs::Nothing, health::readyz)
        .on(&GET, "/metrics", Needs::Nothing, health::metrics)
}

/// What is under no path at all.
async fn nothing_here() -> axum::response::Response {
    error::problem(StatusCode::NOT_FOUND, "there is nothing under this path; the API is under /api")
}
