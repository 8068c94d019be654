//! Several servers of one service: sessions that poll, and requests of theirs that reach the wrong one.

#[path = "../../chat-serve/tests/several/mod.rs"]
mod several;
mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use chat_core::Engine;
use chat_serve::{ServeConfig, serve};
use chat_testkit::sockets::{Exchange, dial, listen};
use serde_json::json;
use several::{Net, Way, balance};
use support::{Client, Poll, Refused, Server, Wire, Ws, limits, upgrade};
use transport_socketio::{SocketIoConfig, routes};

struct Two {
    net: Arc<Net>,
    /// Sessions begin at one of them, and their requests reach the other, while `is_wrong`.
    balanced: SocketAddr,
    is_wrong: Arc<AtomicBool>,
}

fn listen_with(router: Router) -> SocketAddr {
    let (listener, address) = listen();
    tokio::spawn(serve(listener, router, ServeConfig::default(), std::future::pending()));
    address
}

fn two() -> Two {
    let net = Arc::new(Net::default());
    let join = |me| {
        let engine = Engine::builder().limits(limits()).build();
        net.join(me, |pass_on| routes(engine, SocketIoConfig { pass_on, ..SocketIoConfig::default() }))
    };
    let servers = vec![join("right-1"), join("wrong-1")];
    let is_wrong = Arc::new(AtomicBool::new(true));
    let is_now = Arc::clone(&is_wrong);
    let balanced = balance(servers, move |request| {
        let is_of_session = request.uri().query().is_some_and(|query| query.contains("&sid="));
        usize::from(is_of_session && is_now.load(Ordering::SeqCst))
    });
    Two { net, balanced: listen_with(balanced), is_wrong }
}

/// Somebody who polls, in a room of their own.
async fn polling(address: SocketAddr) -> Client<Poll> {
    let mut client = Poll::open(address).await.connect(json!({})).await;
    client.event("welcome").await;
    let joined = client.ask("create", json!({"room": "LUNCH", "nick": "Ann"})).await;
    assert_eq!(joined["type"], "joined", "{joined}");
    client
}

#[tokio::test]
async fn a_sid_names_its_server_where_there_are_several() {
    let alone = Poll::open(Server::plain().address).await;
    assert_eq!(alone.sid.len(), 16);
    let servers = two();
    let poll = Poll::open(servers.balanced).await;
    let length = poll.head().lines().find_map(|line| line.strip_prefix("content-length: "));
    assert!(length.is_some_and(|length| length.parse::<usize>().is_ok_and(|length| length > poll.sid.len())));
    assert_eq!(poll.sid.split_once('.').map(|(sid, at)| (sid.len(), at)), Some((16, "right-1")));
    // What a server does not know, it says of its own alone.
    for (sid, status) in [("AAAAAAAAAAAAAAAA.right-1", 400), ("AAAAAAAAAAAAAAAA.gone", 503), ("AAAAAAAAAAAAAAAA", 400)]
    {
        let mut other = Exchange::over(dial(servers.balanced).await, "t");
        other.ask(&format!("GET /socket.io/?EIO=4&transport=polling&sid={sid}"), "", "").await;
        assert_eq!(other.status().await, Some(status), "{sid}");
    }
}

#[tokio::test]
async fn a_client_goes_over_to_a_websocket_through_another_server() {
    let servers = two();
    let (mut client, _) = upgrade(polling(servers.balanced).await).await;
    for text in ["one", "two"] {
        let ack = client.ask("send", json!({"room": "LUNCH", "text": text})).await;
        assert_eq!(ack["type"], "ack", "{ack}");
    }
    let history = client.ask("history", json!({"room": "LUNCH"})).await;
    let said = history["messages"].as_array().expect("a page").iter().map(|message| message["text"].clone());
    assert_eq!(said.collect::<Vec<_>>(), ["one", "two"]);
}

#[tokio::test]
async fn a_request_that_cannot_be_passed_on_is_not_of_an_unknown_session() {
    for (way, words) in [(None, "cannot be reached"), (Some(Way::Says("")), "may have been carried out")] {
        let servers = two();
        let mut client = polling(servers.balanced).await;
        match way {
            None => servers.net.lose("right-1"),
            Some(way) => servers.net.set("right-1", way),
        }
        // Connections that are kept end, too.
        servers.net.cut();
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
        let mut other = Exchange::over(dial(servers.balanced).await, "t");
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={}", client.wire.sid);
        other.ask(&format!("POST {target}"), "", "3").await;
        assert_eq!(other.status().await, Some(503));
        assert!(other.head.contains("\r\nretry-after: 1\r\n"), "{}", other.head);
        assert!(other.text().await.contains(words));
        let refused = Ws::dial(servers.balanced, &format!("&sid={}", client.wire.sid), &[]).await.err();
        assert_eq!(refused.map(|Refused { status, .. }| status), Some(503), "a stock client goes on polling");
        // As it does here, where requests reach its server again.
        servers.is_wrong.store(false, Ordering::SeqCst);
        assert_eq!(client.ask("send", json!({"room": "LUNCH", "text": "still here"})).await["type"], "ack");
    }
}
