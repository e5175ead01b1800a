//! The accept loop: slow, silent, too many, too large, and a good end.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::House;

fn hasty() -> api::Options {
    api::Options {
        first_byte_timeout: Duration::from_millis(200),
        head_timeout: Duration::from_millis(400),
        body_timeout: Duration::from_millis(400),
        idle_timeout: Duration::from_millis(600),
        write_timeout: Duration::from_millis(400),
        ..api::Options::default()
    }
}

/// Reads until the server closes, and tells after how long that was.
async fn until_closed(stream: &mut TcpStream) -> (String, Duration) {
    let began = Instant::now();
    let mut all = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut all)).await;
    assert!(read.is_ok(), "the server closes");
    (String::from_utf8_lossy(&all).into_owned(), began.elapsed())
}

fn within(took: Duration, from: u64, to: u64) -> bool {
    (from..=to).contains(&(took.as_millis() as u64))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_is_closed() {
    let house = House::with_options(hasty()).await;
    let mut stream = house.connect().await;
    let (answer, took) = until_closed(&mut stream).await;
    assert!(answer.is_empty() && within(took, 150, 1500), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_drips_is_closed() {
    let house = House::with_options(hasty()).await;
    let (mut read, mut write) = house.connect().await.into_split();
    let drip = tokio::spawn(async move {
        for byte in
            b"GET /healthz HTTP/1.1\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".iter().cycle()
        {
            if write.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let began = Instant::now();
    let mut all = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), read.read_to_end(&mut all)).await;
    assert!(within(began.elapsed(), 300, 2000), "{:?}", began.elapsed());
    drip.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_an_answer_and_a_close() {
    let house = House::with_options(hasty()).await;
    let mut stream = house.connect().await;
    stream.write_all(b"POST /api/sms HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nto=49").await.unwrap();
    let (answer, took) = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("700\n"), "{answer}");
    assert!(within(took, 300, 2500), "{took:?}");
    assert_eq!(house.messages().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_kept_for_a_while_and_then_closed() {
    let house = House::with_options(hasty()).await;
    let mut stream = house.connect().await;
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut buffer = [0; 1000];
    for _ in 0..4 {
        stream.write_all(request).await.unwrap();
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(buffer[..read].starts_with(b"HTTP/1.1 200 OK"));
        // Longer than a first byte may take, shorter than idle.
        tokio::time::sleep(Duration::from_millis(350)).await;
    }
    let (_, took) = until_closed(&mut stream).await;
    assert!(within(took, 100, 2000), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_piece_by_piece_may_take_longer_than_an_idle_connection() {
    let pieces = || async {
        let piece = |n: u32| async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            (n < 6).then(|| (Ok::<_, std::convert::Infallible>(format!("<piece {n}>")), n + 1))
        };
        axum::body::Body::from_stream(futures_util::stream::unfold(0, piece))
    };
    let router = axum::Router::new().route("/", axum::routing::get(pieces));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(api::serve_router(listener, router, hasty(), std::future::pending()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    // Afterwards the connection is idle as any other.
    let (answer, took) = until_closed(&mut stream).await;
    assert!(
        answer.contains("<piece 0>") && answer.contains("<piece 5>") && answer.contains("\r\n0\r\n"),
        "{answer}"
    );
    assert!(within(took, 2_300, 4_500), "{took:?}");
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let house = House::new().await;
    let mut stream = house.connect().await;
    let key = &house.key;
    let one = |path: &str, last: bool| {
        let close = if last { "Connection: close\r\n" } else { "" };
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {key}\r\n{close}\r\n")
    };
    let all: String = (0..50)
        .map(|n| if n % 2 == 0 { one("/healthz", false) } else { one("/api/balance", false) })
        .collect();
    stream.write_all(format!("{all}{}", one("/readyz", true)).as_bytes()).await.unwrap();
    let (answers, _) = until_closed(&mut stream).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 51);
    let bodies: Vec<&str> = answers.split("\r\n\r\n").skip(1).collect();
    assert!(
        bodies[0].starts_with("ok\n") && bodies[1].starts_with("100.00") && bodies[50].starts_with("ready\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_413() {
    let house = House::new().await;
    // Declared: refused before it is sent.
    let mut stream = house.connect().await;
    stream.write_all(b"POST /api/sms HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n").await.unwrap();
    let mut buffer = [0; 2000];
    let read = stream.read(&mut buffer).await.unwrap();
    let answer = String::from_utf8_lossy(&buffer[..read]);
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("1048576 bytes"), "{answer}");
    // Undeclared: refused as soon as it is too much.
    let mut stream = house.connect().await;
    let head =
        b"POST /api/sms HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..17 {
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let read = stream.read(&mut buffer).await.unwrap_or(0);
    let answer = String::from_utf8_lossy(&buffer[..read]);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    // Exactly the limit is read.
    let exact = format!("text={}", "x".repeat((1 << 20) - 5));
    assert_eq!(house.text("POST", "/api/sms").form(&exact).body_text().await, "301");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_headers_are_refused() {
    let house = House::new().await;
    let mut stream = house.connect().await;
    let headers: String = (0..101).map(|n| format!("X-{n}: y\r\n")).collect();
    let _ = stream.write_all(format!("GET /healthz HTTP/1.1\r\n{headers}\r\n").as_bytes()).await;
    let (answer, _) = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let mut stream = house.connect().await;
    let long = format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(100_000));
    let _ = stream.write_all(long.as_bytes()).await;
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    assert!(all.is_empty() || all.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&all));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_are_told_so_and_the_others_served() {
    let options = api::Options { connections_max: 3, ..hasty() };
    let house = House::with_options(options).await;
    let held = [house.connect().await, house.connect().await, house.connect().await];
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut fourth = house.connect().await;
    let (answer, _) = until_closed(&mut fourth).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\n600"), "{answer}");
    // The silent ones are closed by and by, and make room.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(house.bare("GET", "/healthz").body_text().await, "ok\n");
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_closed() {
    let house = House::new().await;
    for nonsense in
        [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n\r\n\0\0\0\r\n\r\n"]
    {
        let mut stream = house.connect().await;
        stream.write_all(nonsense).await.unwrap();
        let mut all = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut all)).await;
        assert!(read.is_ok());
        assert!(all.is_empty() || all.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&all));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_closed() {
    let house = House::with_options(hasty()).await;
    let to: Vec<String> = (0..100).map(|n| format!("49151000{n:05}")).collect();
    house.sent(&format!("to={}&text={}", to.join(","), "x".repeat(600))).await;
    let mut stream = house.connect().await;
    let request =
        format!("GET /api/journal/outbound HTTP/1.1\r\nHost: x\r\nX-Api-Key: {}\r\n\r\n", house.key);
    // More answers than all buffers between us hold, none of which is read.
    let flood = async {
        for _ in 0..400 {
            if stream.write_all(request.as_bytes()).await.is_err() {
                return true;
            }
        }
        false
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), flood).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    let closed = async {
        loop {
            if stream.write_all(request.as_bytes()).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), closed).await.is_ok(), "the server closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_end_answers_what_is_under_way() {
    let mut house = House::new().await;
    let mut stream = house.connect().await;
    let body = "to=4915100000001&text=Hi";
    let head = format!(
        "POST /api/sms HTTP/1.1\r\nHost: x\r\nX-Api-Key: {}\r\nContent-Length: {}\r\n\r\n",
        house.key,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    house.stop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(TcpStream::connect(house.address).await.is_err(), "nobody new is let in");
    stream.write_all(body.as_bytes()).await.unwrap();
    let (answer, _) = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("100"), "{answer}");
}

/// A router of ours, served as the API is, and what it answers to one request.
async fn of_router(router: axum::Router, options: api::Options, target: &str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(api::serve_router(listener, router, options, std::future::pending()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    until_closed(&mut stream).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_a_500_that_tells_nothing() {
    let boom = async || -> &'static str { panic!("the secret reason") };
    let router = || {
        axum::Router::new()
            .route("/api/boom", axum::routing::get(boom))
            .route("/boom", axum::routing::get(boom))
    };
    let answer = of_router(router(), api::Options::default(), "/api/boom").await;
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.ends_with("\r\n\r\n700"), "{answer}");
    assert!(!answer.contains("secret"));
    let answer = of_router(router(), api::Options::default(), "/boom").await;
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("application/problem+json"), "{answer}");
    assert!(!answer.contains("secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_is_given_up() {
    let router =
        axum::Router::new().route("/api/slow", axum::routing::get(std::future::pending::<&'static str>));
    let options = api::Options { request_timeout: Duration::from_millis(200), ..api::Options::default() };
    let answer = of_router(router, options, "/api/slow").await;
    assert!(answer.starts_with("HTTP/1.1 504 ") && answer.ends_with("\r\n\r\n700"), "{answer}");
    assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_that_come_slowly_take_so_much_memory_and_no_more() {
    let house = House::new().await;
    let almost = vec![b'x'; (1 << 20) - 100];
    let head = b"POST /api/sms HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..70 {
        let mut stream = house.connect().await;
        stream.write_all(head).await.unwrap();
        // Those beyond the room are answered and closed while they still send.
        let _ = stream.write_all(&almost).await;
        held.push(stream);
    }
    let mut refused = 0;
    for stream in &mut held {
        let mut start = [0; 12];
        let read = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut start)).await;
        if let Ok(Ok(12)) = read
            && start.ends_with(b" 503")
        {
            refused += 1;
        }
    }
    assert!((1..=10).contains(&refused), "{refused}");
    // Small requests are not concerned; and the room is given back.
    assert_eq!(house.text("GET", "/api/balance").body_text().await, "100.00");
    drop(held);
    let exact = format!("text={}", "x".repeat((1 << 20) - 5));
    for _ in 0..100 {
        if house.text("POST", "/api/sms").form(&exact).send().await.body == "301" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the room is not given back");
}
