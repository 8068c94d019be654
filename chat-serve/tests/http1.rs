//! HTTP/1.1 to the letter, against real sockets: what is no request is refused, and whoever asks in an odd way is answered.

mod support;

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use chat_serve::ServeConfig;
use support::{Server, connect, hello, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, advance, sleep};

/// `/` says hello, `/echo` what it is told, and `/late` something after an hour, or after so many seconds.
fn router() -> Router {
    let late = |seconds: u64| {
        get(move || async move {
            sleep(Duration::from_secs(seconds)).await;
            "at last"
        })
    };
    hello()
        .route("/echo", post(|body: Bytes| async move { body }))
        .route("/unread", post(|| async { "enough" }))
        .route("/late/5", late(5))
        .route("/late/3600", late(3600))
}

async fn rest(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // Whoever is refused in the middle of what they say may see a reset.
    let _ = client.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).expect("text")
}

async fn ask(server: &Server, request: &str) -> String {
    let mut client = connect(server).await;
    client.write_all(request.as_bytes()).await.expect("sent");
    rest(&mut client).await
}

#[tokio::test]
async fn a_request_without_a_host_or_with_two_is_refused() {
    let server = start(router(), ServeConfig::default()).await;
    for lines in ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n", "Host: a b\r\n", "Host: a/b\r\n"] {
        let answer = ask(&server, &format!("GET / HTTP/1.1\r\n{lines}Accept: */*\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{lines:?}: {answer}");
    }
    for request in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n"] {
        let answer = ask(&server, request).await;
        assert!(answer.ends_with("hello"), "{request:?}: {answer}");
    }
}

/// In front there may be a program that goes by the other of two, and sees another request.
#[tokio::test]
async fn a_request_that_says_two_things_of_its_host_or_of_its_body_is_refused() {
    let server = start(router(), ServeConfig::default()).await;
    let chunks = "3\r\none\r\n0\r\n\r\n";
    for (target, fields, status) in [
        ("http://a/echo", "Host: b\r\nTransfer-Encoding: chunked\r\n", 400),
        ("/echo", "Host: a\r\nContent-Length: 13\r\nTransfer-Encoding: chunked\r\n", 400),
        ("/echo", "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n", 400),
        ("/echo", "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", 501),
        ("/echo", "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 501),
        ("http://a/echo", "Host: A\r\nTransfer-Encoding: Chunked\r\n", 200),
    ] {
        let answer = ask(&server, &format!("POST {target} HTTP/1.1\r\n{fields}\r\n{chunks}")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target} {fields:?}: {answer}");
    }
}

#[tokio::test]
async fn a_line_that_ends_in_lf_alone_is_refused_wherever_it_is() {
    let server = start(router(), ServeConfig::default()).await;
    let lines = ["GET / HTTP/1.1", "Host: test", "Accept: */*", "Connection: close", ""];
    let whole = lines.join("\r\n") + "\r\n";
    assert!(ask(&server, &whole).await.ends_with("hello"));
    for bare in 0..lines.len() {
        let request: String = lines
            .iter()
            .enumerate()
            .flat_map(|(index, line)| [*line, if index == bare { "\n" } else { "\r\n" }])
            .collect();
        let answer = ask(&server, &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "after {:?}: {answer}", lines[bare]);
        // The second request of a connection is no other than the first.
        let answer = ask(&server, &format!("GET / HTTP/1.1\r\nHost: test\r\n\r\n{request}")).await;
        assert!(answer.contains("helloHTTP/1.1 400 "), "after {:?}: {answer}", lines[bare]);
    }
}

#[tokio::test]
async fn requests_that_come_together_are_answered_one_after_the_other_however_they_are_cut() {
    let server = start(router(), ServeConfig::default()).await;
    let posted = |body: &str| format!("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let requests = [
        posted("one\n\r\n\r\n"),
        "\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n".to_owned(),
        posted(""),
        posted("GET / HTTP/1.1\nno head\n\n"),
        "HEAD / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".to_owned(),
    ]
    .concat();
    for size in [1, 2, 7, 24, 100, requests.len()] {
        let mut client = connect(&server).await;
        client.set_nodelay(true).expect("a socket");
        for piece in requests.as_bytes().chunks(size) {
            client.write_all(piece).await.expect("sent");
            tokio::task::yield_now().await;
        }
        let answers = rest(&mut client).await;
        let bodies: Vec<&str> = answers
            .split("HTTP/1.1 200 OK\r\n")
            .skip(1)
            .filter_map(|answer| answer.split_once("\r\n\r\n"))
            .map(|(_, body)| body)
            .collect();
        assert_eq!(
            bodies,
            ["one\n\r\n\r\n", "hello", "", "GET / HTTP/1.1\nno head\n\n", ""],
            "in pieces of {size}: {answers}"
        );
    }
}

#[tokio::test]
async fn a_body_that_nobody_read_is_not_taken_for_a_request() {
    let server = start(router(), ServeConfig::default()).await;
    let smuggled = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
    let answer = ask(
        &server,
        &format!(
            "POST /unread HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n\r\n{smuggled}GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
            smuggled.len()
        ),
    )
    .await;
    assert!(answer.contains("enough"), "{answer}");
    assert!(answer.matches("hello").count() <= 1, "{answer}");
}

#[tokio::test]
async fn a_request_in_chunks_is_the_last_of_its_connection() {
    let server = start(router(), ServeConfig::default()).await;
    let chunks = "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n";
    let answer = ask(&server, &format!("{chunks}GET / HTTP/1.1\r\nHost: t\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\none"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn whoever_has_said_all_and_ended_their_half_is_answered() {
    let server = start(router(), ServeConfig::default()).await;
    for (request, answered) in [
        ("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nword", "word"),
        ("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nword\r\n0\r\n\r\n", "word"),
        ("GET /late/5 HTTP/1.1\r\nHost: t\r\n\r\n", "at last"),
        ("GET / HTTP/1.1\r\nHost: t\r\n\r\nGET /late/5 HTTP/1.1\r\nHost: t\r\n\r\n", "at last"),
    ] {
        let mut client = connect(&server).await;
        client.write_all(request.as_bytes()).await.expect("sent");
        client.shutdown().await.expect("open");
        let answer = rest(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(answered), "{request:?}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_has_ended_their_half_and_is_not_answered_is_let_go() {
    let server = start(router(), ServeConfig::default()).await;
    let start = Instant::now();
    let mut client = connect(&server).await;
    client.write_all(b"GET /late/3600 HTTP/1.1\r\nHost: t\r\n\r\n").await.expect("sent");
    client.shutdown().await.expect("open");
    assert_eq!(rest(&mut client).await, "");
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_head_has_its_own_deadline_however_long_the_connection_was_idle() {
    let server = start(router(), ServeConfig::default()).await;
    let mut client = connect(&server).await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"hello") {
        assert!(client.read_buf(&mut bytes).await.expect("read") > 0, "cut off");
    }
    sleep(Duration::from_secs(100)).await;
    let start = Instant::now();
    client.write_all(b"GET / HT").await.expect("sent");
    assert_eq!(rest(&mut client).await, "");
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_process_a_connection_has_its_time_anew() {
    let server = start(router(), ServeConfig::default()).await;
    let mut client = connect(&server).await;
    for _ in 0..2 {
        client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"hello") {
            assert!(client.read_buf(&mut bytes).await.expect("read") > 0, "cut off");
        }
        // The server waits for another request by now; then it does not run for longer than it would wait.
        sleep(Duration::from_secs(1)).await;
        advance(2 * ServeConfig::default().idle_timeout).await;
    }
}
