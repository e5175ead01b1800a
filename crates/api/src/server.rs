//! The accept loop. Ours, because it must close what is slow, silent or too many: every wait on a
//! client ends, and no address takes all connections.
//!
//! HTTP/1 only: pipelined requests and kept-alive connections are as fast, and TLS with HTTP/2 is
//! the business of the proxy in front.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use futures_util::FutureExt;
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Sleep};
use tower::ServiceExt;

use crate::call::accepts_json;
use crate::error::{ApiError, problem};
use crate::{Options, nothing_here, router};
use gateway::Gateway;

/// Headers that one request may have.
const HEADERS_MAX: usize = 100;
/// The longest head of a request, in bytes; also what is read ahead of a connection at most.
const HEAD_MAX: usize = 64 * 1024;
/// What a client is told that there is no room for.
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 3\r\n\
    Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n600";

/// Serves the API alone until `stop` comes, and then until what is under way is answered.
///
/// # Errors
/// When the listener breaks for good.
pub async fn serve(
    listener: TcpListener,
    gateway: Gateway,
    options: Options,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let router = router(gateway, options.clone()).fallback(nothing_here);
    serve_router(listener, router, options, stop).await
}

/// Serves any router in the same way: for the API together with other doors.
///
/// # Errors
/// When the listener breaks for good.
pub async fn serve_router(
    listener: TcpListener,
    router: Router,
    options: Options,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(options.connections_max));
    let addresses = Arc::new(Addresses::default());
    let (stopping, stopped) = watch::channel(false);
    let options = Arc::new(options);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                // Out of file descriptors: connections end by and by, so this passes.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let place = places.clone().try_acquire_owned().ok();
        // Behind a reverse proxy connections are everyone's.
        let counted = match options.trusted_proxies.believe(peer.ip()) {
            true => Some(Counted(None)),
            false => addresses.enter(peer, options.connections_per_address_max),
        };
        let (Some(place), Some(counted)) = (place, counted) else {
            metrics::counter!("branchline_api_connections_refused_total").increment(1);
            // As far as it goes without waiting.
            let _ = stream.try_write(NO_ROOM);
            continue;
        };
        let connection = connection(stream, peer, router.clone(), options.clone(), stopped.clone());
        tokio::spawn(async move {
            connection.await;
            drop::<(OwnedSemaphorePermit, Counted)>((place, counted));
        });
    }
    drop(listener);
    let _ = stopping.send(true);
    let all = u32::try_from(options.connections_max).unwrap_or(u32::MAX);
    if tokio::time::timeout(options.stop_timeout, places.acquire_many(all)).await.is_err() {
        tracing::warn!("some requests were still under way at the end");
    }
    Ok(())
}

/// Errors of accept that are the other side's doing.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    options: Arc<Options>,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are small and leave at once.
    let _ = stream.set_nodelay(true);
    let phase = Arc::new(Phase::begin());
    let io = TokioIo::new(Patient::new(stream, phase.clone(), &options));
    let limit = options.request_timeout;
    let service = service_fn(move |mut request: Request<Incoming>| {
        // Doors write down where people and programs come from.
        let client = options.trusted_proxies.client(peer, request.headers());
        request.extensions_mut().insert(ConnectInfo(client));
        let (router, phase) = (router.clone(), phase.clone());
        phase.set(Phase::ANSWERING);
        async move {
            let response = answer(router, request, limit).await;
            if response.body().size_hint().exact().is_none() {
                // It goes on for as long as there is something to say, which may be long.
                return Ok(response.map(|body| Body::new(Streamed { body, phase })));
            }
            phase.set(Phase::IDLE);
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        // `Patient` keeps the time, and tells a slow head from an idle connection. Answers are not
        // held back for pipelined requests to come: one that cannot be parsed would keep those
        // before it from leaving.
        .header_read_timeout(None)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_MAX)
        .max_buf_size(HEAD_MAX)
        .serve_connection(io, service);
    let mut connection = std::pin::pin!(connection);
    let stop = async { stopped.wait_for(|stopped| *stopped).await.is_ok() };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stop => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The router's answer; and one in its place when it takes too long or breaks.
async fn answer(router: Router, request: Request<Incoming>, limit: Duration) -> Response<Body> {
    let mut request = request.map(Body::new);
    if let Some(method) = upper_case(request.method()) {
        *request.method_mut() = method;
    }
    // Only needed when something goes wrong, but gone by then.
    let is_api = request.uri().path().starts_with("/api/");
    let json = accepts_json(request.headers());
    let work = AssertUnwindSafe(router.oneshot(request)).catch_unwind();
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(_)) => {
            // The panic itself is in the log, by the hook of the process.
            tracing::error!("a handler panicked");
            instead(is_api, json, StatusCode::INTERNAL_SERVER_ERROR)
        }
        Err(_) => {
            tracing::warn!("a request took too long");
            instead(is_api, json, StatusCode::GATEWAY_TIMEOUT)
        }
    }
}

fn instead(is_api: bool, json: bool, status: StatusCode) -> Response<Body> {
    let mut response = match is_api {
        true => ApiError::fault().response(json, false),
        false => problem(status, "something went wrong on this side; the operator's log says what"),
    };
    *response.status_mut() = status;
    // No router stands around it that would tell browsers to be careful.
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Some old clients send `patch`.
fn upper_case(method: &Method) -> Option<Method> {
    let written = method.as_str();
    let is_lower = written.bytes().any(|b| b.is_ascii_lowercase());
    is_lower.then(|| written.to_ascii_uppercase().parse().ok()).flatten()
}

/// Connections by address.
#[derive(Default)]
struct Addresses(Mutex<HashMap<IpAddr, usize>>);

/// One connection, counted until dropped.
struct Counted(Option<(Arc<Addresses>, IpAddr)>);

impl Addresses {
    /// Counts a connection, unless its address has too many already.
    fn enter(self: &Arc<Addresses>, peer: SocketAddr, max: usize) -> Option<Counted> {
        let address = peer.ip().to_canonical();
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Counted(Some((self.clone(), address))))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some((addresses, address)) = self.0.take() else { return };
        let mut counts = addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

/// What a connection is waiting for, and since when.
#[derive(Debug)]
struct Phase {
    phase: AtomicU8,
    /// Microseconds from the beginning of the connection.
    since: AtomicU64,
    begun: Instant,
}

impl Phase {
    /// The first byte it ever sends.
    const NEW: u8 = 0;
    /// The rest of a request's head.
    const HEAD: u8 = 1;
    /// Us. (A body that is slow to come is the time limit of whoever reads it.)
    const ANSWERING: u8 = 2;
    /// The first byte of the next request.
    const IDLE: u8 = 3;

    fn begin() -> Phase {
        Phase { phase: AtomicU8::new(Phase::NEW), since: AtomicU64::new(0), begun: Instant::now() }
    }

    fn get(&self) -> u8 {
        self.phase.load(Ordering::Acquire)
    }

    fn since(&self) -> Instant {
        self.begun + Duration::from_micros(self.since.load(Ordering::Acquire))
    }

    fn set(&self, phase: u8) {
        let since = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.since.store(since, Ordering::Release);
        self.phase.store(phase, Ordering::Release);
    }
}

/// An answer that comes piece by piece: until it has ended, or nobody takes it any more, it is us that
/// the connection waits for.
struct Streamed {
    body: Body,
    phase: Arc<Phase>,
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.phase.set(Phase::IDLE);
    }
}

/// A stream whose every wait ends. Reads end by the time of the phase, which counts from when the
/// phase began; writes when the client takes nothing for a while.
struct Patient {
    stream: TcpStream,
    phase: Arc<Phase>,
    read_limits: [Option<Duration>; 4],
    idle_limit: Duration,
    write_limit: Duration,
    /// Rings at the deadline or earlier: it is moved only when it rings or would ring too late, so
    /// that a request costs a look at the clock and no change of a timer.
    read_alarm: Pin<Box<Sleep>>,
    write_alarm: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(stream: TcpStream, phase: Arc<Phase>, options: &Options) -> Patient {
        let first = options.first_byte_timeout;
        Patient {
            stream,
            phase,
            read_limits: [Some(first), Some(options.head_timeout), None, Some(options.idle_timeout)],
            idle_limit: options.idle_timeout,
            write_limit: options.write_timeout,
            read_alarm: Box::pin(tokio::time::sleep(first)),
            write_alarm: None,
        }
    }

    /// Whether it has waited long enough for the client to send.
    fn poll_read_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = Instant::now();
            let ring = match self.read_limits[usize::from(self.phase.get()) % 4] {
                Some(limit) => self.phase.since() + limit,
                // Nobody may look here again when the answer is out and the connection idle, so it is
                // looked at after a while.
                None => now + self.idle_limit,
            };
            if ring <= now {
                return Poll::Ready(());
            }
            if ring < self.read_alarm.deadline() || self.read_alarm.is_elapsed() {
                self.read_alarm.as_mut().reset(ring);
            }
            ready!(self.read_alarm.as_mut().poll(cx));
        }
    }

    fn poll_write_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.write_limit;
        self.write_alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx)
    }

    /// A write that waits only so long.
    fn written<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.write_alarm = None;
            return poll;
        }
        ready!(self.poll_write_alarm(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            if buffer.filled().len() > before && matches!(self.phase.get(), Phase::NEW | Phase::IDLE) {
                self.phase.set(Phase::HEAD);
            }
            return Poll::Ready(read);
        }
        ready!(self.poll_read_alarm(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client sends nothing")))
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_connections_and_no_more() {
        let addresses = Arc::new(Addresses::default());
        let peer = |address: &str| SocketAddr::new(address.parse().unwrap(), 1);
        let first = addresses.enter(peer("192.0.2.1"), 2);
        let second = addresses.enter(peer("::ffff:192.0.2.1"), 2);
        assert!(first.is_some() && second.is_some());
        assert!(addresses.enter(peer("192.0.2.1"), 2).is_none(), "the third");
        let other = addresses.enter(peer("192.0.2.2"), 2);
        assert!(other.is_some(), "another address");
        drop(first);
        let again = addresses.enter(peer("192.0.2.1"), 2);
        assert!(again.is_some(), "a place is free again");
        drop((second, other, again));
        assert!(addresses.0.lock().unwrap().is_empty(), "nothing is kept of those who left");
    }
}
