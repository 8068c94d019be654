//! Requests that reach the wrong one of several servers: passed on once, as they are, and answered as what may pass where that cannot be.

mod servers;
#[path = "../several/mod.rs"]
mod several;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use chat_serve::{PassOnLimits, ServeConfig};
use futures_util::stream;
use servers::{ask, join, join_as, text};
use several::{Net, Way};
use support::{connect, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

const TO_B: &str = "/x?at=B";

#[tokio::test]
async fn a_request_at_the_wrong_server_is_answered_by_the_right_one_as_it_is() {
    let net = Arc::new(Net::default());
    let (wrong, _right) = (join(&net, "A"), join(&net, "B"));
    for uri in ["/x?y=%20z&at=B", "/deep/x?at=B"] {
        let request = Request::put(uri).header("host", "chat.test").header("connection", "x-hop").header("x-hop", "1");
        let response = ask(&wrong, request.header("x-end", "2"), "what is asked").await;
        assert_eq!(response.headers()["x-answer"], "as it is");
        let expected = format!("B 192.0.2.1:1234 PUT {uri} [content-length host x-end] what is asked");
        assert_eq!(text(response).await, (201, expected));
    }
    // In chunks, from HTTP/2, and by cookie.
    let chunks = stream::iter(["in ", "chunks"].map(|chunk| Ok::<_, std::io::Error>(Bytes::from(chunk))));
    let request =
        Request::post("http://chat.test/x").version(axum::http::Version::HTTP_2).header("cookie", "chat-at=B");
    let (_, answer) = text(ask(&wrong, request, Body::from_stream(chunks)).await).await;
    assert_eq!(answer, "B 192.0.2.1:1234 POST /x [cookie host transfer-encoding] in chunks");
}

#[tokio::test]
async fn what_names_no_other_server_is_answered_here() {
    let net = Arc::new(Net::default());
    let wrong = join_as(&net, "A", Some("A0"), PassOnLimits::default());
    for uri in ["/x", "/x?at=A", "/x?at=A0"] {
        assert!(text(ask(&wrong, Request::get(uri), "").await).await.1.starts_with("A 192.0.2.1:1234 GET "), "{uri}");
    }
    assert_eq!(net.dialled(), 0);
}

#[tokio::test]
async fn what_was_passed_on_goes_no_further() {
    let net = Arc::new(Net::default());
    let (first, second) = (join(&net, "A"), join(&net, "B"));
    // Each takes the other for C.
    net.set("C", Way::Router(second));
    assert_eq!(text(ask(&first, Request::get("/x?at=C"), "").await).await, (503, "Unreachable".to_owned()));
    assert_eq!(net.dialled(), 1);
}

#[tokio::test]
async fn no_client_can_say_that_it_was_passed_on() {
    let net = Arc::new(Net::default());
    let (first, _second) = (join(&net, "A"), join(&net, "B"));
    let server = start(first, ServeConfig::default()).await;
    for (path, who, headers) in [("/x", "A", "connection host"), ("/x?at=B", "B", "host")] {
        let mut client = connect(&server).await;
        let own = client.local_addr().expect("bound");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: t\r\nChat-Passed-On: 203.0.113.9:1\r\nConnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("text");
        assert!(answer.ends_with(&format!("{who} {own} GET {path} [{headers}] ")), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_reached_is_told_as_what_may_pass() {
    let net = Arc::new(Net::default());
    let wrong = join(&net, "A");
    net.set("M", Way::Mute);
    for (at, waits) in [("Z", 0), ("n%20o", 0), ("", 0), ("M", 2)] {
        let asked = Instant::now();
        let answer = text(ask(&wrong, Request::get(format!("/x?at={at}")), "").await).await;
        assert_eq!((answer, asked.elapsed().as_secs()), ((503, "Unreachable".to_owned()), waits), "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_sent_and_not_answered_may_have_been_carried_out() {
    let net = Arc::new(Net::default());
    let wrong = join(&net, "A");
    for (way, waits) in [
        (Way::Says(""), 0),
        (Way::Says("HTTP/1.1 20"), 0),
        (Way::Says("what?\r\n\r\n"), 0),
        (Way::SaysAndStays("HTTP/1.1 20"), 60),
    ] {
        net.set("B", way);
        let asked = Instant::now();
        let answer = text(ask(&wrong, Request::post(TO_B), "once").await).await;
        assert_eq!((answer, asked.elapsed().as_secs()), ((503, "Unanswered".to_owned()), waits));
    }
    assert_eq!(net.dialled(), 4, "each was sent once");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stands_still_is_given_up() {
    let net = Arc::new(Net::default());
    let wrong = join(&net, "A");
    net.set("B", Way::SaysAndStays("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"));
    let response = ask(&wrong, Request::get(TO_B), "").await;
    assert_eq!((response.status().as_u16(), response.body().size_hint().exact()), (200, Some(9)));
    let asked = Instant::now();
    axum::body::to_bytes(response.into_body(), 9).await.expect_err("it does not come whole");
    assert_eq!(asked.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn so_much_is_passed_on_at_once_and_no_more() {
    let net = Arc::new(Net::default());
    let wrong = join_as(&net, "A", None, PassOnLimits { at_once_max: 2, ..PassOnLimits::default() });
    let _right = join(&net, "B");
    // An answer takes its place until all of it was taken.
    let [first, second] = [ask(&wrong, Request::get(TO_B), "").await, ask(&wrong, Request::get(TO_B), "").await];
    let crowded = text(ask(&wrong, Request::get(TO_B), "").await).await;
    assert_eq!(crowded, (503, "Crowded".to_owned()));
    assert_eq!(ask(&wrong, Request::get("/x"), "").await.status(), 201, "what is for this server is not counted");
    drop((first, second));
    assert_eq!(ask(&wrong, Request::get(TO_B), "").await.status(), 201);
}

#[tokio::test(start_paused = true)]
async fn connections_are_used_again_and_one_that_was_closed_costs_nobody_an_answer() {
    let net = Arc::new(Net::default());
    let (wrong, _right) = (join(&net, "A"), join(&net, "B"));
    for _ in 0..5 {
        assert_eq!(text(ask(&wrong, Request::post(TO_B), "more").await).await.0, 201);
    }
    assert_eq!(net.dialled(), 1);
    net.cut();
    // Time passes once nothing else is left to be done.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        assert_eq!(text(ask(&wrong, Request::post(TO_B), "more").await).await.0, 201);
    }
    assert_eq!(net.dialled(), 2);
}

#[tokio::test]
async fn an_upgraded_connection_goes_through() {
    let net = Arc::new(Net::default());
    let (first, _second) =
        (join_as(&net, "A", None, PassOnLimits { tunnels_max: 1, ..PassOnLimits::default() }), join(&net, "B"));
    let server = start(first, ServeConfig::default()).await;
    let request = "GET /x?at=B HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    let mut client = connect(&server).await;
    client.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert!(client.read_buf(&mut answer).await.expect("read") > 0);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    for words in [&b"there"[..], b"and back"] {
        client.write_all(words).await.expect("sent");
        let mut heard = vec![0; words.len()];
        client.read_exact(&mut heard).await.expect("heard");
        assert_eq!(heard, words);
    }
    // There is one such way, and it is given back with its end.
    let mut other = connect(&server).await;
    other.write_all(request.as_bytes()).await.expect("sent");
    let mut refused = [0; 12];
    other.read_exact(&mut refused).await.expect("an answer");
    assert_eq!(&refused, b"HTTP/1.1 503");
    client.shutdown().await.expect("said");
    assert_eq!(client.read(&mut [0; 1]).await.expect("an end in order"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_way_through_ends_where_nothing_comes_from_the_server_any_more() {
    let net = Arc::new(Net::default());
    let first = join(&net, "A");
    net.set("B", Way::SaysAndStays("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"));
    let server = start(first, ServeConfig::default()).await;
    let mut client = connect(&server).await;
    let request = "GET /x?at=B HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    client.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert!(client.read_buf(&mut answer).await.expect("read") > 0);
    }
    let began = Instant::now();
    let ended = timeout(Duration::from_secs(600), client.read(&mut [0; 1])).await;
    assert_eq!((ended.expect("it ends").expect("in order"), began.elapsed().as_secs()), (0, 120));
}
