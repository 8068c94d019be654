//! In virtual time: who is refused for now is told when to come back, and their connection breaks, so that the stock client does.
//!
//! A `connect_error` ends the stock client's socket: it never tries again by itself. So none is sent that may pass.

mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{Admission, ConnectRequest, Engine, Identity, Limits, Policy, Reject, RejectCode};
use futures_util::SinkExt;
use serde_json::{Value, json};
use support::pipes::Pipes;
use support::{Client, Server, Wire, Ws, limits};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use transport_socketio::{Credentials, SocketIoConfig};

const SECOND: Duration = Duration::from_secs(1);

/// What a policy says to a name: nothing but whose it is, or a refusal.
struct Names;

#[async_trait]
impl Policy for Names {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        match request.credentials.as_deref() {
            Some("nobody knows") => Err(Reject::new(RejectCode::Unavailable, "those who know are away")),
            Some("in a hurry") => {
                Err(Reject::new(RejectCode::RateLimited, "once in two seconds").retry_after(2 * SECOND))
            }
            Some("mallory") => Err(Reject::new(RejectCode::Forbidden, "not you")),
            name => Ok(Admission::of(name.and_then(Identity::new))),
        }
    }
}

fn server(change: impl FnOnce(&mut Limits)) -> Pipes {
    let mut limits = limits();
    change(&mut limits);
    let engine = Engine::builder().limits(limits).policy(Arc::new(Names)).build();
    Pipes::start(engine, SocketIoConfig::default())
}

#[tokio::test]
async fn a_page_says_who_it_is_by_cookie_by_query_or_in_the_auth() {
    let engine = Engine::builder().limits(limits()).policy(Arc::new(Names)).build();
    let credentials = Credentials::default().cookie("pass").query("ticket");
    let server = Server::start(engine, SocketIoConfig { credentials, ..SocketIoConfig::default() });
    let dial = async |query: &str, cookie: &str| {
        let headers = [("origin", &*format!("http://{}", server.address)), ("cookie", cookie)];
        Ws::dial(server.address, query, &headers).await.expect("upgraded").opened().await
    };
    for (query, cookie, auth) in [
        ("", "pass=mallory", json!({})),
        ("&ticket=mallory", "a=1", json!({})),
        ("", "a=1", json!({"token": "mallory"})),
    ] {
        let answer = dial(query, cookie).await.ask_in(auth).await;
        assert_eq!(answer, r#"44{"message":"forbidden"}"#, "{query} {cookie}");
    }
    for (query, cookie, auth) in [
        ("&ticket=ann", "pass=bob", json!({})),
        ("", "pass=bob", json!({"token": "ann"})),
        ("&access_token=ann", "a=1", json!({})),
    ] {
        let mut client = dial(query, cookie).await.connect(auth).await;
        let error = client.event("error").await;
        assert_eq!((&error["code"], &error["field"]), (&json!("bad_field"), &json!("token")), "{query} {cookie}");
        assert!(!error.to_string().contains("ann"), "{error}");
        assert_eq!(client.event("closing").await["code"], 4500);
    }
    let mut ann = dial("&ticket=ann", "pass=ann").await.connect(json!({"token": "ann"})).await;
    ann.event("welcome").await;
}

/// Is let into the namespace, told so, and nothing more; returns the `error` and the `closing`.
async fn put_off<W: Wire>(wire: W, auth: Value) -> (Value, Value) {
    let mut client = wire.connect(auth).await;
    let told = (client.event("error").await, client.event("closing").await);
    // Broken, and not disconnected from the namespace.
    assert_eq!(timeout(SECOND, client.next()).await.expect("soon"), None);
    told
}

async fn welcome<W: Wire>(wire: W, auth: Value) -> (Client<W>, Value) {
    let mut client = wire.connect(auth).await;
    let welcome = client.event("welcome").await;
    (client, welcome)
}

fn wait(closing: &Value) -> Duration {
    Duration::from_millis(closing["reconnect_after_ms"].as_u64().expect("when to come back"))
}

#[tokio::test(start_paused = true)]
async fn a_resume_that_is_refused_for_what_was_shown_before_is_taken_when_it_said() {
    let server = server(|limits| {
        let engine = &mut limits.engine;
        (engine.address_answered_bytes_burst, engine.address_answered_bytes_per_second) = (2_000, 1_000);
    });
    let (mut ann, told) = welcome(server.ws().await.expect("a session"), json!({"token": "ann"})).await;
    ann.ask("create", json!({"room": "LUNCH", "nick": "Ann"})).await;
    ann.ask("send", json!({"room": "LUNCH", "text": "x".repeat(4_000)})).await;
    drop(ann);
    let resume = json!({"token": "ann", "resume": told["token"]});
    let (mut ann, _) = welcome(server.ws().await.expect("a session"), resume.clone()).await;
    ann.event("joined").await;
    drop(ann);
    let ways = [
        put_off(server.ws().await.expect("a session"), resume.clone()).await,
        put_off(server.poll().await.expect("a session"), resume.clone()).await,
    ];
    for (error, closing) in &ways {
        assert_eq!((&error["code"], &closing["code"]), (&json!("rate_limited"), &json!(4005)));
        assert_eq!(error["retry_after_ms"], closing["reconnect_after_ms"]);
    }
    sleep(wait(&ways[1].1)).await;
    let (_ann, told) = welcome(server.poll().await.expect("a session"), resume).await;
    assert_eq!(told["resumed"], true);
}

#[tokio::test(start_paused = true)]
async fn a_full_server_has_a_place_again_for_who_comes_back() {
    let server = server(|limits| limits.engine.connections_max = 1);
    let (ann, _) = welcome(server.ws().await.expect("a session"), json!({})).await;
    let (error, closing) = put_off(server.poll().await.expect("a session"), json!({})).await;
    assert_eq!((&error["code"], &error["limit"]), (&json!("at_capacity"), &json!(1)));
    assert_eq!((&closing["code"], &closing["reason"]), (&json!(4005), &json!("at_capacity")));
    drop(ann);
    sleep(wait(&closing)).await;
    welcome(server.poll().await.expect("a session"), json!({})).await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_cannot_say_now_puts_clients_off_and_one_that_says_no_does_not() {
    let server = server(|_| {});
    let unknown = json!({"token": "nobody knows"});
    let (error, closing) = put_off(server.ws().await.expect("a session"), unknown).await;
    assert_eq!((&error["code"], &closing["code"]), (&json!("unavailable"), &json!(4006)));
    let hasty = json!({"token": "in a hurry"});
    let (error, closing) = put_off(server.poll().await.expect("a session"), hasty).await;
    assert_eq!((&error["code"], &closing["code"], wait(&closing)), (&json!("rate_limited"), &json!(4005), 2 * SECOND));
    let mut wire = server.ws().await.expect("a session");
    assert_eq!(wire.ask_in(json!({"token": "mallory"})).await, r#"44{"message":"forbidden"}"#);
    // A final answer leaves the connection to its client.
    assert!(wire.ask_in(json!({"token": "ann"})).await.starts_with("40{"));
}

/// The stock client emits what it has gathered as soon as it is connected.
#[tokio::test(start_paused = true)]
async fn what_is_emitted_by_who_is_put_off_is_done_by_nobody() {
    let server = server(|limits| limits.engine.connections_max = 1);
    let (_ann, _) = welcome(server.ws().await.expect("a session"), json!({})).await;
    let mut bob = server.ws().await.expect("a session").connect(json!({})).await;
    for _ in 0..10 {
        // The connection may be broken by now.
        let emitted = bob.wire.0.send(Message::text(r#"421["create",{"nick":"Bob"}]"#)).await;
        if emitted.is_err() {
            break;
        }
    }
    bob.event("error").await;
    bob.event("closing").await;
    assert_eq!((bob.next().await, server.engine.rooms().len()), (None, 0));
}
