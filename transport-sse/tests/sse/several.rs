//! Several servers of one service: a command that reaches the wrong one, and what clients are told so that it is passed on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, request};
use chat_core::{Engine, Limits};
use chat_serve::{ClientAddress, TrustedProxies};
use chat_testkit::logs::MemoryLog;
use chat_testkit::servers::Servers;
use serde_json::{Value, json};
use transport_sse::{SseConfig, routes};

use super::bent::BentLog;
use super::servers::{Net, Way, balance};
use super::support::{Reply, Stream, TestServer, settle};

/// Two servers over one log that know each other, and both behind a balancer that takes them in turn, but not by any pattern that
/// fits one client.
struct Two {
    net: Arc<Net>,
    a: TestServer,
    b: TestServer,
    balanced: TestServer,
}

fn two() -> Two {
    two_with(SseConfig::default)
}

fn two_with(config: impl Fn() -> SseConfig) -> Two {
    let (net, cluster, log) = (Arc::new(Net::default()), Servers::default(), Arc::new(MemoryLog::new()));
    let places = [cluster.join(), cluster.join()];
    cluster.give_all(&places[0]);
    let mut limits = Limits::default();
    limits.lift_rates();
    let [a, b] = places.map(|place| {
        let log = Arc::new(BentLog::new(&log));
        let engine = Engine::builder().log(log).expect("nobody else has it").secret([7; 32]).limits(limits.clone());
        engine.cluster(place as _).build()
    });
    let serve = |me, engine: &Engine| net.join(me, |pass_on| routes(engine.clone(), SseConfig { pass_on, ..config() }));
    let (at_a, at_b) = (serve("A", &a), serve("B", &b));
    let turn = Arc::new(AtomicUsize::new(0));
    let in_turn = balance(vec![at_a.clone(), at_b.clone()], move |_| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        turn.wrapping_mul(0x9E37_79B9) >> 16
    });
    Two {
        net,
        balanced: TestServer::around(a.clone(), in_turn),
        a: TestServer::around(a, at_a),
        b: TestServer::around(b, at_b),
    }
}

/// Somebody in the room: their stream, and their `welcome`.
async fn person(server: &TestServer, query: &str) -> (Stream, Value) {
    let mut stream = server.open(&format!("/sse?{query}")).await;
    let welcome = stream.expect("welcome").await.data;
    stream.until("joined").await;
    (stream, welcome)
}

/// A request of a session, which says where that is as its `welcome` has it.
fn command(welcome: &Value) -> request::Builder {
    let text = |field: &str| welcome[field].as_str().expect("a welcome");
    let uri = format!("/sse/{}?at={}", text("session"), text("at"));
    Request::post(uri).header("authorization", format!("Bearer {}", text("token")))
}

async fn post(server: &TestServer, welcome: &Value, frame: &Value) -> Reply {
    let request = command(welcome).body(Body::from(frame.to_string())).expect("a request");
    server.reply(server.send(request).await).await
}

fn send(text: &str) -> Value {
    json!({"type": "send", "id": 1, "room": "LUNCH", "text": text, "key": text})
}

#[tokio::test(start_paused = true)]
async fn a_command_is_carried_out_once_whichever_server_it_reaches() {
    let servers = two();
    let (mut ann, at_a) = person(&servers.a, "create=LUNCH&nick=Ann").await;
    let (mut bob, at_b) = person(&servers.b, "room=LUNCH&nick=Bob").await;
    assert_eq!((&at_a["at"], &at_b["at"]), (&json!("A"), &json!("B")));
    let mut said = Vec::new();
    for turn in 0..30 {
        for (who, welcome) in [("ann", &at_a), ("bob", &at_b)] {
            said.push(format!("{who}-{turn}"));
            let reply = post(&servers.balanced, welcome, &send(said.last().expect("just said"))).await;
            assert_eq!((reply.status.as_u16(), &reply.frame["type"]), (200, &json!("ack")), "{}", reply.frame);
            // A retry that reaches the other server finds out, and says nothing again.
            let again = post(&servers.balanced, welcome, &send(said.last().expect("just said"))).await;
            assert_eq!(again.frame["seq"], reply.frame["seq"]);
        }
    }
    assert_eq!((ann.texts().await, bob.texts().await), (said.clone(), said));
    assert!(servers.net.dialled() > 0, "some of them reached the wrong one");
}

#[tokio::test(start_paused = true)]
async fn a_stream_says_at_which_server_it_is_and_so_does_a_cookie() {
    let proxies = || TrustedProxies::new(["10.0.0.0/8".parse().expect("a network")]);
    let servers = two_with(|| SseConfig { proxies: proxies(), ..SseConfig::default() });
    let plain = "chat-at=B; Path=/; HttpOnly; SameSite=Lax";
    for (proto, cookie) in [("http", plain.to_owned()), ("https", format!("{plain}; Secure"))] {
        let proxy = SocketAddr::from(([10, 0, 0, 1], 1));
        let request = Request::get("/sse").extension(ConnectInfo(proxy)).header("x-forwarded-proto", proto);
        let response = servers.b.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(response.headers()["set-cookie"], cookie);
        let welcome = Stream::new(response.into_body()).expect("welcome").await;
        assert_eq!(welcome.data["at"], "B");
        // What browsers do with it.
        let session = welcome.data["session"].as_str().expect("a session");
        let token = format!("Bearer {}", welcome.data["token"].as_str().expect("a token"));
        let request = Request::post(format!("/sse/{session}")).header("authorization", token);
        let request = request.header("cookie", "chat-at=B").body(Body::from("{}")).expect("a request");
        // Its stream has ended by now, and that is said by the server where it was.
        settle().await;
        assert_eq!(servers.a.reply(servers.a.send(request).await).await.code(), (409, "not_connected"));
    }
    let alone = TestServer::new();
    let response = alone.ask("/sse", &[("cookie", "chat-at=B")]).await;
    assert!(!response.headers().contains_key("set-cookie"));
    assert_eq!(Stream::new(response.into_body()).expect("welcome").await.data.get("at"), None);
    assert!(
        !servers
            .a
            .send(Request::head("/sse").body(Body::empty()).expect("one"))
            .await
            .headers()
            .contains_key("set-cookie")
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_server_is_gone_is_unavailable_for_now_and_opens_no_stream() {
    let servers = two();
    let (mut ann, welcome) = person(&servers.a, "create=LUNCH&nick=Ann").await;
    servers.net.lose("A");
    for frame in [send("one"), json!({"type": "end", "id": 2})] {
        let reply = post(&servers.b, &welcome, &frame).await;
        assert_eq!(
            (reply.code(), &reply.headers["retry-after"]),
            ((503, "unavailable"), &"1".parse().expect("a value"))
        );
        assert_eq!(reply.frame["retry_after_ms"], 1_000);
    }
    assert_eq!(servers.b.engine.stats().sessions, 0, "nothing is known of it there");
    // The stream goes on all the while.
    assert_eq!(post(&servers.a, &welcome, &send("one")).await.status, 200);
    assert_eq!(ann.texts().await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_carried_out_is_said_to_be_and_its_key_finds_out() {
    let servers = two();
    let (mut ann, welcome) = person(&servers.a, "create=LUNCH&nick=Ann").await;
    servers.net.set("A", Way::Says(""));
    let reply = post(&servers.b, &welcome, &send("one")).await;
    assert_eq!(reply.code(), (503, "unavailable"));
    assert!(reply.frame["message"].as_str().is_some_and(|words| words.contains("may have been carried out")));
    assert_eq!(servers.net.dialled(), 1, "it was not sent again");
    assert_eq!(post(&servers.a, &welcome, &send("one")).await.status, 200);
    assert_eq!(ann.texts().await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_command_counts_at_the_address_of_its_client() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let found = Arc::clone(&seen);
    let servers = two_with(|| {
        let (found, proxies) = (Arc::clone(&found), TrustedProxies::new(["10.0.0.0/8".parse().expect("a network")]));
        let by_proxies: ClientAddress = proxies.into();
        let address = ClientAddress::new(move |head| {
            let address = by_proxies.find(head);
            found.lock().expect("no test panics with it").push(address.map(|address| address.to_string()));
            address
        });
        SseConfig { address, ..SseConfig::default() }
    });
    for (peer, header, client) in [
        ([203, 0, 113, 7], ("chat-passed-on", "198.51.100.1:1"), "203.0.113.7"),
        ([203, 0, 113, 7], ("x-forwarded-for", "198.51.100.1"), "203.0.113.7"),
        ([10, 0, 0, 1], ("x-forwarded-for", "198.51.100.1"), "198.51.100.1"),
    ] {
        let (stream, welcome) = person(&servers.a, "create&nick=Ann").await;
        drop(stream);
        settle().await;
        seen.lock().expect("no test panics with it").clear();
        let end = json!({"type": "end"});
        let request = command(&welcome).extension(ConnectInfo(SocketAddr::from((peer, 1)))).header(header.0, header.1);
        let reply =
            servers.b.reply(servers.b.send(request.body(Body::from(end.to_string())).expect("one")).await).await;
        assert_eq!((reply.status.as_u16(), &reply.frame["type"]), (200, &json!("ended")));
        assert_eq!(*seen.lock().expect("no test panics with it"), [Some(client.to_owned())]);
    }
}
