//! The serving loop against real sockets: who is cut off, who waits, and how it ends.

mod support;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Router};
use chat_serve::{LongLived, ServeConfig, reclaim};
use support::{Server, connect, hello, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

const HOUR: Duration = Duration::from_secs(3_600);
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";

/// One request and the whole of its short answer.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(REQUEST).await.expect("sent");
    answer(stream).await
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"hello") {
        let read = stream.read_buf(&mut bytes).await.expect("read");
        assert!(read > 0, "cut off after {}", String::from_utf8_lossy(&bytes));
    }
    String::from_utf8(bytes).expect("text")
}

#[tokio::test(start_paused = true)]
async fn a_head_that_never_ends_is_cut_off() {
    let server = start(hello(), ServeConfig::default()).await;
    for beginning in ["GET / HTTP/1.1\r\nHost: te", "PRI * HT", ""] {
        let start = Instant::now();
        let mut slow = connect(&server).await;
        slow.write_all(beginning.as_bytes()).await.expect("sent");
        let mut rest = Vec::new();
        slow.read_to_end(&mut rest).await.expect("the end");
        let waited = start.elapsed().as_secs();
        assert_eq!(waited, 10, "{beginning:?} was cut off with {}", String::from_utf8_lossy(&rest));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_next_request_is_cut_off_later_than_any_proxy_would_send_one() {
    let server = start(hello(), ServeConfig::default()).await;
    let mut client = connect(&server).await;
    assert!(ask(&mut client).await.starts_with("HTTP/1.1 200"));
    assert!(ask(&mut client).await.starts_with("HTTP/1.1 200"));
    let start = Instant::now();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.expect("the end");
    assert_eq!((start.elapsed().as_secs(), rest.len()), (125, 0));
}

#[tokio::test]
async fn handlers_learn_the_address_of_the_peer() {
    let router =
        Router::new().route("/", get(|peer: ConnectInfo<SocketAddr>| async move { format!("{} hello", peer.0) }));
    let server = start(router, ServeConfig::default()).await;
    let mut client = connect(&server).await;
    let own = client.local_addr().expect("connected");
    assert!(ask(&mut client).await.ends_with(&format!("{own} hello")));
}

/// Connects, says something and reads on to what it should hear; comes again for as long as there is no place.
async fn hear(server: &Server, said: &str, heard: &str) -> TcpStream {
    loop {
        let mut client = connect(server).await;
        client.write_all(said.as_bytes()).await.expect("sent");
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes);
            if text.contains(heard) {
                return client;
            }
            if text.contains("503 Service Unavailable") {
                break;
            }
            assert!(client.read_buf(&mut bytes).await.is_ok_and(|read| read > 0), "cut off after {said:?}");
        }
    }
}

#[tokio::test]
async fn above_the_bound_a_connection_is_told_so_at_once() {
    let server = start(hello(), ServeConfig { connections_max: 1, ..ServeConfig::default() }).await;
    let mut first = connect(&server).await;
    ask(&mut first).await;
    let mut second = connect(&server).await;
    second.write_all(REQUEST).await.expect("sent");
    let mut answer = String::new();
    second.read_to_string(&mut answer).await.expect("an answer, and the end");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: "), "{answer}");
    assert!(ask(&mut first).await.starts_with("HTTP/1.1 200"));
    drop(first);
    hear(&server, "GET / HTTP/1.1\r\nHost: test\r\n\r\n", "hello").await;
}

#[tokio::test(start_paused = true)]
async fn every_place_is_given_back_however_its_connection_ends() {
    let endless = || async {
        (Extension(LongLived), Body::from_stream(futures_util::stream::pending::<std::io::Result<Bytes>>()))
    };
    let server =
        start(hello().route("/endless", get(endless)), ServeConfig { connections_max: 1, ..ServeConfig::default() });
    let server = server.await;
    for _ in 0..3 {
        for (said, heard) in [
            // Gone without a word, with half a word, and after an answer.
            ("", ""),
            ("GET / HT", ""),
            ("GET / HTTP/1.1\r\nHost: test\r\n\r\n", "hello"),
            // In the middle of an answer that lasts; and for what is no HTTP.
            ("GET /endless HTTP/1.1\r\nHost: test\r\n\r\n", "\r\n\r\n"),
            ("nonsense\r\n\r\n", "400 Bad Request"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense", ""),
        ] {
            timeout(HOUR, hear(&server, said, heard)).await.expect("there is a place");
        }
        // And one that is still there, and is cut off.
        let mut silent = connect(&server).await;
        let mut rest = Vec::new();
        timeout(HOUR, silent.read_to_end(&mut rest)).await.expect("there is a place").expect("the end");
        let request = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
        timeout(HOUR, hear(&server, request, "hello")).await.expect("there is a place");
    }
}

#[tokio::test]
async fn an_upgraded_connection_keeps_its_place() {
    let release = Arc::new(Notify::new());
    let router = Router::new().route("/", get(upgrade)).layer(Extension(Arc::clone(&release)));
    let server = start(router, ServeConfig { connections_max: 1, ..ServeConfig::default() }).await;
    let mut first = connect(&server).await;
    first.write_all(UPGRADE.as_bytes()).await.expect("sent");
    assert!(answer(&mut first).await.starts_with("HTTP/1.1 101"));
    let mut second = connect(&server).await;
    second.write_all(REQUEST).await.expect("sent");
    // By now the task that spoke HTTP on the first connection is gone, and its place is still taken.
    let mut refusal = String::new();
    second.read_to_string(&mut refusal).await.expect("an answer, and the end");
    assert!(refusal.starts_with("HTTP/1.1 503 "), "{refusal}");
    release.notify_one();
    hear(&server, UPGRADE, "HTTP/1.1 101").await;
}

/// Upgrades to a protocol in which the server says `hello` and waits to be released.
async fn upgrade(
    Extension(release): Extension<Arc<Notify>>,
    mut request: Request,
) -> (StatusCode, [(&'static str, &'static str); 2]) {
    let upgrading = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut stream = hyper_util::rt::TokioIo::new(upgrading.await.expect("upgraded"));
        stream.write_all(b"hello").await.expect("sent");
        release.notified().await;
    });
    (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")])
}

#[tokio::test]
async fn an_upgraded_socket_is_taken_back_with_what_came_behind_the_request() {
    let echo = |mut request: Request| async move {
        let upgrading = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut socket = reclaim(upgrading.await.expect("upgraded")).expect("it is of this loop");
            // A byte at a time, so that what was read ahead is given out in pieces.
            let mut byte = [0];
            while socket.read_exact(&mut byte).await.is_ok() {
                socket.write_all(&byte).await.expect("sent");
            }
        });
        (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")])
    };
    let server =
        start(Router::new().route("/", get(echo)), ServeConfig { connections_max: 1, ..ServeConfig::default() });
    let server = server.await;
    let mut client = connect(&server).await;
    let request = "GET / HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nwell, ";
    client.write_all(request.as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\nwell, ") {
        assert!(client.read_buf(&mut head).await.expect("read") > 0, "{}", String::from_utf8_lossy(&head));
    }
    client.write_all(b"hello").await.expect("sent");
    answer(&mut client).await;
    // Taken back or not, it is one of the connections.
    let mut second = connect(&server).await;
    second.write_all(REQUEST).await.expect("sent");
    let mut refusal = String::new();
    second.read_to_string(&mut refusal).await.expect("an answer, and the end");
    assert!(refusal.starts_with("HTTP/1.1 503 "), "{refusal}");
    drop(client);
    hear(&server, UPGRADE, "HTTP/1.1 101").await;
}

#[tokio::test]
async fn at_the_end_requests_under_way_finish_and_no_other_begins() {
    let (begun, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begin, wait) = (Arc::clone(&begun), Arc::clone(&finish));
    let slow = move || async move {
        begin.notify_one();
        wait.notified().await;
        "hello"
    };
    let config = ServeConfig { shutdown_timeout: HOUR, ..ServeConfig::default() };
    let server = start(Router::new().route("/", get(slow)), config).await;
    let mut client = connect(&server).await;
    client.write_all(REQUEST).await.expect("sent");
    begun.notified().await;
    let address = server.address;
    server.shutdown.send(()).expect("still serving");
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!server.ended.is_finished());
    finish.notify_one();
    assert!(answer(&mut client).await.starts_with("HTTP/1.1 200"));
    server.ended.await.expect("ended");
}

#[tokio::test(start_paused = true)]
async fn at_the_end_a_request_that_never_finishes_is_cut_off() {
    let begun = Arc::new(Notify::new());
    let begin = Arc::clone(&begun);
    let endless = move || async move {
        begin.notify_one();
        std::future::pending::<&str>().await
    };
    let config = ServeConfig { shutdown_timeout: Duration::from_secs(3), ..ServeConfig::default() };
    let server = start(Router::new().route("/", get(endless)), config).await;
    let mut client = connect(&server).await;
    client.write_all(REQUEST).await.expect("sent");
    begun.notified().await;
    let start = Instant::now();
    server.shutdown.send(()).expect("still serving");
    server.ended.await.expect("ended");
    assert_eq!(start.elapsed().as_secs(), 3);
    assert_eq!(client.read(&mut [0; 1]).await.expect("the end"), 0);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_half_a_request_and_a_peer_that_asks_for_nothing_have_a_second() {
    let server = start(hello(), ServeConfig::default()).await;
    let mut peers = Vec::new();
    for said in
        ["GET / HTTP/1.1\r\nHost: nobody-will-ever-say", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", ""]
    {
        let mut peer = connect(&server).await;
        peer.write_all(said.as_bytes()).await.expect("sent");
        peers.push(peer);
    }
    let mut settings = [0; 9];
    peers[1].read_exact(&mut settings).await.expect("the second version is spoken");
    let start = Instant::now();
    server.shutdown.send(()).expect("still serving");
    server.ended.await.expect("ended");
    assert!(start.elapsed() <= Duration::from_secs(1), "{:?}", start.elapsed());
}

/// A body without an end, and how many bytes were asked of it.
fn endless() -> (Arc<AtomicUsize>, Body) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let chunk = Bytes::from_static(&[b'x'; 16 << 10]);
    let chunks = futures_util::stream::repeat_with(move || {
        count.fetch_add(chunk.len(), Ordering::Relaxed);
        Ok::<_, std::io::Error>(chunk.clone())
    });
    (asked, Body::from_stream(chunks))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[tokio::test(start_paused = true)]
async fn of_an_answer_that_is_not_taken_the_kernel_holds_little() {
    for is_long_lived in [false, true] {
        let (asked, body) = endless();
        let body = Arc::new(Mutex::new(Some(body)));
        let answer = move || async move {
            let body = body.lock().expect("no panic").take().expect("asked for once");
            let mut response = axum::response::Response::new(body);
            if is_long_lived {
                response.extensions_mut().insert(LongLived);
            }
            response
        };
        let server = start(Router::new().route("/", get(answer)), ServeConfig::default()).await;
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4 << 10).expect("set");
        let mut client = socket.connect(server.address).await.expect("the server accepts");
        client.write_all(REQUEST).await.expect("sent");
        // Given up, it drops the body, and what counts its bytes.
        let begun = Instant::now();
        while Arc::strong_count(&asked) > 1 {
            assert!(begun.elapsed() < HOUR);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let held = asked.load(Ordering::Relaxed);
        assert!((1..512 << 10).contains(&held), "{held} bytes");
    }
}
