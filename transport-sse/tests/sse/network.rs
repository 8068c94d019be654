//! Over real sockets: both versions of HTTP, addresses, lost and stalled connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use chat_core::{Engine, Limits, Policy, SessionLimits};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use transport_sse::SseConfig;

use super::support::{House, Parser, Says};

const REQUEST: &[u8] = b"GET /sse?room=LUNCH&nick=Bob HTTP/1.1\r\nHost: test\r\n\r\n";

async fn listen(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

async fn read_until(stream: &mut TcpStream, what: &str) -> String {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(what) {
        let read = timeout(Duration::from_secs(10), stream.read_buf(&mut bytes)).await.expect("in time").expect("read");
        assert!(read > 0, "it ends without {what}: {}", String::from_utf8_lossy(&bytes));
    }
    String::from_utf8(bytes).expect("text")
}

/// Waits for what happens outside of this task.
async fn eventually(what: impl Fn() -> bool) {
    for _ in 0..500 {
        if what() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("it never happens");
}

#[tokio::test]
async fn a_socket_is_a_chat_client() {
    let house = House::new();
    let ann = house.guest("LUNCH", "Ann").await;
    let address = listen(house.router.clone()).await;
    let mut bob = TcpStream::connect(address).await.expect("accepted");
    bob.write_all(REQUEST).await.expect("sent");
    let head = read_until(&mut bob, "event: joined").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("transfer-encoding: chunked"), "{head}");
    house.say(&ann, "LUNCH", "Pizza?").await;
    read_until(&mut bob, "Pizza?").await;
}

#[tokio::test]
async fn a_lost_connection_detaches_at_once() {
    let house = House::new();
    let _ann = house.guest("LUNCH", "Ann").await;
    let address = listen(house.router.clone()).await;
    let mut bob = TcpStream::connect(address).await.expect("accepted");
    bob.write_all(REQUEST).await.expect("sent");
    read_until(&mut bob, "event: joined").await;
    assert_eq!(house.engine.stats().sessions, 2);
    drop(bob);
    eventually(|| house.engine.stats().sessions == 1).await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_given_up() {
    let session =
        SessionLimits { stall_timeout: Duration::from_millis(400), send_per_second: 0, ..SessionLimits::default() };
    let house = House::with(Limits { session, ..Limits::default() });
    let ann = house.guest("LUNCH", "Ann").await;
    let address = listen(house.router.clone()).await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small window");
    let mut bob = socket.connect(address).await.expect("accepted");
    bob.write_all(REQUEST).await.expect("sent");
    eventually(|| house.engine.stats().sessions == 2).await;
    let text = "x".repeat(4_000);
    for _ in 0..4_000 {
        house.say(&ann, "LUNCH", &text).await;
    }
    eventually(|| house.engine.stats().sessions == 1).await;
    // What was on its way still comes, and then the end.
    let mut all = Vec::new();
    timeout(Duration::from_secs(10), async {
        while !all.ends_with(b"0\r\n\r\n") {
            assert!(bob.read_buf(&mut all).await.expect("read") > 0);
        }
    })
    .await
    .expect("in time");
    assert!(String::from_utf8_lossy(&all).contains("\"code\":4002"));
}

#[tokio::test]
async fn the_policy_learns_where_a_client_comes_from() {
    let policy = Arc::new(Says::default());
    let engine = Engine::builder().policy(Arc::clone(&policy) as Arc<dyn Policy>);
    let house = House::build(engine, SseConfig::default());
    let address = listen(house.router.clone()).await;
    let mut client = TcpStream::connect(address).await.expect("accepted");
    client.write_all(b"GET /sse HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer ann\r\n\r\n").await.expect("sent");
    read_until(&mut client, "event: welcome").await;
    let shown = policy.shown.lock().expect("no panic")[0].clone();
    assert_eq!((shown.transport, shown.address), ("sse", Some(client.local_addr().expect("bound").ip())));
    assert_eq!(shown.credentials.as_deref(), Some("ann"));
}

#[tokio::test]
async fn one_connection_of_the_second_version_carries_stream_and_commands() {
    let house = House::new();
    let (client, server) = duplex(64 << 10);
    let service = TowerToHyperService::new(house.router.clone());
    let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    tokio::spawn(serving.serve_connection(TokioIo::new(server), service));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(client)).await.expect("a handshake");
    tokio::spawn(connection);
    let request = Request::get("http://test/sse?create=LUNCH&nick=Ann").body(Body::empty()).expect("a request");
    let mut stream = sender.send_request(request).await.expect("an answer").into_body();
    let (mut parser, mut events) = (Parser::default(), Vec::new());
    while events.len() < 2 {
        let bytes = stream.frame().await.expect("more").expect("no error").into_data().expect("data");
        parser.read(&bytes, |event| events.push(event));
    }
    let welcome = &events[0].data;
    let send = json!({"type": "send", "id": 1, "room": "LUNCH", "text": "x".repeat(4_000)});
    let post = Request::post(format!("http://test/sse/{}", welcome["session"].as_str().expect("a session")))
        .header("authorization", format!("Bearer {}", welcome["token"].as_str().expect("a token")))
        .body(Body::from(send.to_string()))
        .expect("a request");
    assert_eq!(sender.send_request(post).await.expect("an answer").status(), 200);
    while events.len() < 3 {
        let bytes = stream.frame().await.expect("more").expect("no error").into_data().expect("data");
        parser.read(&bytes, |event| events.push(event));
    }
    assert_eq!(events[2].name, "message");
    drop(stream);
    eventually(|| house.engine.stats().sessions == 0).await;
}
