//! Crowds against real sockets: an address has so many connections, a client behind a proxy too, and `/healthz` answers whoever else came.
//!
//! Each host of 127.0.0.0/8 is an address of its own on Linux.
#![cfg(target_os = "linux")]

mod support;

use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Router};
use chat_serve::{LongLived, OVERFLOW_MAX, ServeConfig, TrustedProxies, reclaim};
use support::{Server, hello, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// A connection from a host of this machine.
async fn connect_from(host: u8, server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, host], 0))).expect("a free port");
    socket.connect(server.address).await.expect("the server accepts")
}

/// What a request is answered, up to its last word.
async fn ask(client: &mut TcpStream, head: &str, last: &str) -> String {
    client.write_all(head.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if text.contains(last) {
            return text.into_owned();
        }
        assert!(client.read_buf(&mut bytes).await.expect("read") > 0, "cut off after {}", bytes.len());
    }
}

fn router() -> Router {
    let endless = || async {
        (Extension(LongLived), Body::from_stream(futures_util::stream::pending::<std::io::Result<Bytes>>()))
    };
    let echo = |mut request: Request| async move {
        let upgrading = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut socket = reclaim(upgrading.await.expect("upgraded")).expect("it is of this loop");
            let _ = socket.read(&mut [0]).await;
        });
        (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")])
    };
    hello().route("/healthz", get(|| async { "well" })).route("/endless", get(endless)).route("/echo", get(echo))
}

const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n";

#[tokio::test]
async fn an_address_has_its_places_and_half_sent_heads_take_them() {
    let config = ServeConfig { connections_per_address_max: 3, ..ServeConfig::default() };
    let server = start(router(), config).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut client = connect_from(1, &server).await;
        client.write_all(b"GET / HTTP/1.1\r\nHost: te").await.expect("sent");
        held.push(client);
    }
    let answer = ask(&mut connect_from(1, &server).await, GET, "\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nconnection: close"), "{answer}");
    assert!(answer.contains("\r\nretry-after: 10\r\n"), "{answer}");
    assert!(ask(&mut connect_from(2, &server).await, GET, "hello").await.starts_with("HTTP/1.1 200"));
    // One of the three goes on, and goes.
    let mut first = held.pop().expect("three");
    assert!(ask(&mut first, "st\r\n\r\n", "hello").await.starts_with("HTTP/1.1 200"));
    drop(first);
    while !ask(&mut connect_from(1, &server).await, GET, "\r\n\r\n").await.starts_with("HTTP/1.1 200") {}
}

#[tokio::test]
async fn health_is_told_however_many_hold_their_places_and_more() {
    let config = ServeConfig { connections_max: 4, ..ServeConfig::default() };
    let server = start(router(), config).await;
    let mut held = Vec::new();
    for number in 0..4 + 3 * OVERFLOW_MAX {
        let mut client = connect_from(1, &server).await;
        // Who is cut off has taken no place.
        let _ = client.write_all(b"GET / HTTP/1.1\r\nHost: te").await;
        held.push(client);
        if number % 16 == 0 {
            assert!(ask(&mut connect_from(1, &server).await, HEALTH, "well").await.starts_with("HTTP/1.1 200"));
        }
    }
    assert!(ask(&mut connect_from(1, &server).await, HEALTH, "well").await.starts_with("HTTP/1.1 200"));
    assert!(ask(&mut connect_from(2, &server).await, GET, "\n\r\n").await.starts_with("HTTP/1.1 503 "));
}

fn behind_a_proxy() -> ServeConfig {
    let proxies = TrustedProxies::new(["127.0.0.1".parse().expect("a network")]);
    ServeConfig { connections_per_address_max: 1, proxies, ..ServeConfig::default() }
}

fn request(path: &str, client: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: {client}\r\n{more}\r\n")
}

#[tokio::test]
async fn a_proxy_has_as_many_connections_as_it_wants_and_each_client_behind_it_its_own() {
    let server = start(router(), behind_a_proxy()).await;
    for (path, more, heard) in
        [("/endless", "", "HTTP/1.1 200"), ("/echo", "Connection: upgrade\r\nUpgrade: echo\r\n", "HTTP/1.1 101")]
    {
        let mut stream = connect_from(1, &server).await;
        ask(&mut stream, &request(path, "203.0.113.7", more), heard).await;
        let mut other = connect_from(1, &server).await;
        let answer = ask(&mut other, &request("/", "203.0.113.7", ""), "\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        // The proxy's connection goes on, for its other clients, and for whoever asks how the server is.
        let answer = ask(&mut other, &request("/", "203.0.113.8", ""), "hello").await;
        assert!(answer.contains("HTTP/1.1 200"), "{answer}");
        assert!(ask(&mut other, &request("/healthz", "203.0.113.7", ""), "well").await.contains("HTTP/1.1 200"));
        drop(stream);
        while !ask(&mut other, &request("/", "203.0.113.7", ""), "\r\n\r\n").await.contains("HTTP/1.1 200") {}
    }
}

#[tokio::test]
async fn a_stranger_who_names_another_client_is_counted_as_itself() {
    let server = start(router(), behind_a_proxy()).await;
    let mut first = connect_from(2, &server).await;
    ask(&mut first, &request("/", "203.0.113.7", ""), "hello").await;
    let mut second = connect_from(2, &server).await;
    assert!(ask(&mut second, &request("/", "203.0.113.8", ""), "\n\r\n").await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn streams_of_a_proxy_are_counted_for_their_clients() {
    let server = start(router(), behind_a_proxy()).await;
    let (client, connection) = h2::client::handshake(connect_from(1, &server).await).await.expect("a handshake");
    let connection = tokio::spawn(connection);
    let ask = |path: &str, from: &str| {
        let request = axum::http::Request::get(format!("http://test{path}")).header("x-forwarded-for", from);
        let (request, client) = (request.body(()).expect("a request"), client.clone());
        async move {
            let (answer, _) =
                client.ready().await.expect("a connection").send_request(request, true).expect("a stream");
            answer.await.expect("an answer")
        }
    };
    let stream = ask("/endless", "203.0.113.7").await;
    assert_eq!(ask("/", "203.0.113.7").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask("/", "203.0.113.8").await.status(), StatusCode::OK);
    drop(stream);
    while ask("/", "203.0.113.7").await.status() != StatusCode::OK {}
    drop(client);
    connection.abort();
}
