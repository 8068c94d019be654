//! HTTP/2 against real sockets: clients that know it is spoken here, and peers that abuse it.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use chat_serve::ServeConfig;
use h2::RecvStream;
use h2::client::{Builder, SendRequest};
use support::{Server, connect, hello, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A frame of no settings: length, type, flags, stream.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// A client whose streams have the default window of 65,535 bytes, and whose connection has room for many of them.
async fn client(server: &Server) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let socket = connect(server).await;
    let mut builder = Builder::new();
    let builder = builder.initial_connection_window_size(16 << 20);
    let (client, connection) = builder.handshake(socket).await.expect("a handshake");
    (client, tokio::spawn(connection))
}

async fn ask(client: &SendRequest<Bytes>, path: &str) -> (StatusCode, RecvStream) {
    let mut client = client.clone().ready().await.expect("a connection");
    let request = Request::get(format!("http://test{path}")).body(()).expect("a request");
    let (answer, _) = client.send_request(request, true).expect("a stream");
    let (head, body) = answer.await.expect("an answer").into_parts();
    (head.status, body)
}

async fn text(mut body: RecvStream) -> String {
    let mut text = Vec::new();
    while let Some(chunk) = body.data().await {
        text.extend_from_slice(&chunk.expect("data"));
    }
    String::from_utf8(text).expect("text")
}

/// A body that says what it is told to.
fn told() -> (mpsc::UnboundedSender<Bytes>, Body) {
    let (say, mut said) = mpsc::unbounded_channel();
    let chunks = futures_util::stream::poll_fn(move |cx| said.poll_recv(cx).map(|chunk| chunk.map(Ok::<_, h2::Error>)));
    (say, Body::from_stream(chunks))
}

/// Serves one body at `/told`, besides `/`.
fn telling(body: Body) -> Router {
    let body = std::sync::Arc::new(std::sync::Mutex::new(Some(body)));
    hello().route("/told", get(move || async move { body.lock().expect("no panic").take().expect("asked for once") }))
}

#[tokio::test]
async fn both_versions_are_served_at_one_port() {
    let server = start(hello(), ServeConfig::default()).await;
    let (client, _connection) = client(&server).await;
    let (status, body) = ask(&client, "/").await;
    assert_eq!((status, text(body).await.as_str()), (StatusCode::OK, "hello"));
    let mut older = connect(&server).await;
    older.write_all(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    older.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn the_first_bytes_may_come_one_by_one() {
    let server = start(hello(), ServeConfig::default()).await;
    for (sent, answer) in
        [(&[PREFACE, SETTINGS].concat()[..], &[0, 0][..]), (b"PUT / HTTP/1.1\r\nHost: t\r\n\r\n", b"HTTP/1.1 405")]
    {
        let mut client = connect(&server).await;
        client.set_nodelay(true).expect("a socket");
        for byte in sent {
            client.write_all(&[*byte]).await.expect("sent");
            tokio::task::yield_now().await;
        }
        let mut read = vec![0; answer.len()];
        client.read_exact(&mut read).await.expect("an answer");
        assert_eq!(read, answer);
    }
}

#[tokio::test]
async fn handlers_learn_the_address_of_the_peer() {
    let router = Router::new().route("/", get(|peer: ConnectInfo<SocketAddr>| async move { peer.0.to_string() }));
    let server = start(router, ServeConfig::default()).await;
    let socket = connect(&server).await;
    let own = socket.local_addr().expect("connected").to_string();
    let (client, connection) = h2::client::handshake(socket).await.expect("a handshake");
    let _connection = tokio::spawn(connection);
    assert_eq!(text(ask(&client, "/").await.1).await, own);
}

#[tokio::test]
async fn streams_and_requests_share_a_connection() {
    let (say, body) = told();
    let router = telling(body).route("/say", post(move |chunk: Bytes| async move { say.send(chunk).expect("heard") }));
    let server = start(router, ServeConfig::default()).await;
    let (client, _connection) = client(&server).await;
    let (_, mut stream) = ask(&client, "/told").await;
    for word in ["one", "two", "three"] {
        let mut client = client.clone().ready().await.expect("a connection");
        let request = Request::post("http://test/say").body(()).expect("a request");
        let (answer, mut body) = client.send_request(request, false).expect("a stream");
        body.send_data(Bytes::from(word), true).expect("sent");
        assert_eq!(answer.await.expect("an answer").status(), StatusCode::OK);
        assert_eq!(stream.data().await.expect("more").expect("data"), word);
    }
}

#[tokio::test]
async fn above_the_bound_a_stream_waits_for_a_place() {
    let (say, body) = told();
    let server = start(telling(body), ServeConfig { streams_max: 1, ..ServeConfig::default() }).await;
    let (client, _connection) = client(&server).await;
    let (_, stream) = ask(&client, "/told").await;
    let client = client.ready().await.expect("a connection");
    assert_eq!(client.current_max_send_streams(), 1);
    let waiting = tokio::spawn(async move { ask(&client, "/").await.0 });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop((say, stream));
    assert_eq!(waiting.await.expect("no panic"), StatusCode::OK);
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused() {
    let server = start(hello(), ServeConfig::default()).await;
    let (client, _connection) = client(&server).await;
    let mut client = client.ready().await.expect("a connection");
    let request = Request::get("http://test/").header("x-long", "x".repeat(17 << 10)).body(()).expect("a request");
    let (answer, _) = client.send_request(request, true).expect("a stream");
    let status = answer.await.map(|answer| answer.status());
    assert!(!matches!(status, Ok(StatusCode::OK)), "{status:?}");
}

#[tokio::test]
async fn at_the_end_streams_under_way_finish_and_no_other_begins() {
    let (say, body) = told();
    let server =
        start(telling(body), ServeConfig { shutdown_timeout: Duration::from_secs(3_600), ..ServeConfig::default() })
            .await;
    let (client, connection) = client(&server).await;
    let (_, stream) = ask(&client, "/told").await;
    server.shutdown.send(()).expect("still serving");
    // The word that no other may begin has come when none can be.
    while client.clone().ready().await.is_ok_and(|mut client| {
        let request = Request::get("http://test/").body(()).expect("a request");
        client.send_request(request, true).is_ok()
    }) {
        tokio::task::yield_now().await;
    }
    assert!(!server.ended.is_finished());
    say.send(Bytes::from_static(b"goodbye")).expect("heard");
    drop(say);
    assert_eq!(text(stream).await, "goodbye");
    server.ended.await.expect("ended");
    connection.await.expect("no panic").expect("an end in order");
}
