//! What a stock client says and is told, over both transports.

mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{Admission, CloseReason, Command, ConnectRequest, Engine, Identity, Policy, Reject, RejectCode};
use chat_core::{Hello, Nick, RoomCode};
use futures_util::SinkExt;
use serde_json::{Value, json};
use support::{Client, Packet, Poll, Server, Wire, Ws, limits, upgrade};
use tokio_tungstenite::tungstenite::Message;
use transport_socketio::{Origins, SocketIoConfig, Transports};

async fn welcome<W: Wire>(wire: W, auth: Value) -> (Client<W>, Value) {
    let mut client = wire.connect(auth).await;
    let welcome = client.event("welcome").await;
    (client, welcome)
}

async fn joined<W: Wire>(wire: W, command: &str, nick: &str) -> Client<W> {
    let (mut client, _) = welcome(wire, json!({})).await;
    let joined = client.ask(command, json!({"room": "LUNCH", "nick": nick})).await;
    assert_eq!(joined["type"], "joined", "{joined}");
    client
}

#[tokio::test]
async fn a_client_is_welcomed_first_over_either_transport() {
    let server = Server::plain();
    let (_, ws) = welcome(Ws::open(server.address).await, json!({})).await;
    let (_, poll) = welcome(Poll::open(server.address).await, json!({})).await;
    for welcome in [ws, poll] {
        assert_eq!((&welcome["resumed"], &welcome["rooms"]), (&json!(false), &json!([])));
        assert!(welcome["token"].is_string());
    }
}

#[tokio::test]
async fn a_client_without_an_auth_is_welcome() {
    let server = Server::plain();
    let mut ws = Ws::open(server.address).await;
    assert!(ws.ask_in(Value::Null).await.starts_with("40{"));
}

async fn every_command_is_acknowledged(wire: impl Wire, other: impl Wire) {
    let (mut ann, _) = welcome(wire, json!({})).await;
    let joined = ann.ask("create", json!({"room": "LUNCH", "nick": "Ann", "id": 7})).await;
    assert_eq!((&joined["type"], &joined["id"], &joined["seq"]), (&json!("joined"), &json!(7), &json!(1)));
    let (mut bob, _) = welcome(other, json!({})).await;
    assert_eq!(bob.ask("join", json!({"room": "LUNCH", "nick": "Bob"})).await["type"], "joined");
    for (name, fields, kind) in [
        ("send", json!({"text": "hi", "key": "k1"}), "ack"),
        ("send", json!({"text": "ho", "key": "k1"}), "error"),
        ("typing", json!({"on": true, "id": 8}), "ack"),
        ("history", json!({}), "history"),
        ("members", json!({}), "members"),
        ("redact", json!({"target": 3}), "ack"),
        ("topic", json!({"topic": "Pizza"}), "ack"),
        ("kick", json!({"member": 2}), "ack"),
        ("ban", json!({"member": 9}), "error"),
        ("nonsense", json!({}), "error"),
        ("hello", json!({}), "error"),
        ("leave", json!({}), "ack"),
    ] {
        let mut fields = fields;
        fields["room"] = json!("LUNCH");
        let answer = ann.ask(name, fields).await;
        assert_eq!(answer["type"], kind, "{name}: {answer}");
    }
}

#[tokio::test]
async fn every_command_is_acknowledged_over_websocket() {
    let address = Server::plain().address;
    every_command_is_acknowledged(Ws::open(address).await, Ws::open(address).await).await;
}

#[tokio::test]
async fn every_command_is_acknowledged_over_polling() {
    let address = Server::plain().address;
    every_command_is_acknowledged(Poll::open(address).await, Poll::open(address).await).await;
}

#[tokio::test]
async fn a_typing_is_answered_only_where_that_is_asked_for() {
    let server = Server::plain();
    let mut ann = joined(Ws::open(server.address).await, "create", "Ann").await;
    let typing = json!({"room": "LUNCH", "on": true});
    ann.emit("typing", typing.clone()).await;
    ann.event("typing").await;
    // With an acknowledgement it is, though it has no id.
    assert_eq!(ann.ask("typing", typing).await["type"], "ack");
}

#[tokio::test]
async fn a_command_without_an_acknowledgement_is_answered_by_an_event() {
    let server = Server::plain();
    let (mut ann, _) = welcome(Ws::open(server.address).await, json!({})).await;
    ann.emit("create", json!({"room": "LUNCH", "nick": "Ann", "id": 1})).await;
    assert_eq!(ann.event("joined").await["id"], 1);
    ann.emit("send", json!({"room": "LUNCH", "text": "hi", "id": 2})).await;
    assert_eq!(ann.event("ack").await["id"], 2);
    assert_eq!(ann.event("message").await["text"], "hi");
    ann.emit("send", json!({"room": "DINNER", "text": "hi", "id": 3})).await;
    let error = ann.event("error").await;
    assert_eq!((&error["id"], &error["code"]), (&json!(3), &json!("room_not_found")));
}

#[tokio::test]
async fn what_is_no_event_of_one_object_is_told_so() {
    let server = Server::plain();
    let (mut ann, _) = welcome(Ws::open(server.address).await, json!({})).await;
    for packet in [r#"421["send","text"]"#, r#"421["send",{},{}]"#, r#"421["send",[{}]]"#] {
        ann.wire.send(packet.to_owned()).await;
        match ann.next().await {
            Some(Packet::Ack(1, frame)) => assert_eq!(frame["code"], "bad_frame", "{packet}"),
            other => panic!("{other:?} to {packet}"),
        }
    }
    // An attachment is of no use, but no reason to end anything either.
    ann.wire.send(r#"451-1["send",{"_placeholder":true,"num":0}]"#.to_owned()).await;
    ann.wire.0.send(Message::binary(vec![1, 2, 3])).await.expect("sent");
    match ann.next().await {
        Some(Packet::Ack(1, frame)) => assert_eq!(frame["code"], "bad_frame"),
        other => panic!("{other:?} to an attachment"),
    }
    // What is no JSON was sent by no Socket.IO client.
    ann.wire.send(r#"421["send",{]"#.to_owned()).await;
    assert_eq!(ann.next().await, Some(Packet::Other("1".to_owned())));
}

/// Who comes with a token is let in by its name; who comes without is not.
struct TransportHarness;

#[async_trait]
impl Policy for TransportHarness {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        assert_eq!(request.transport, "socketio");
        let name = request.credentials.as_deref().ok_or_else(|| Reject::new(RejectCode::Forbidden, "no token"))?;
        // What comes right after the connection finds its handlers however long this takes.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(Admission::of(Identity::new(name)))
    }
}

#[tokio::test]
async fn the_policy_is_shown_the_credentials_of_the_header_or_of_the_auth() {
    let engine = Engine::builder().limits(limits()).policy(Arc::new(TransportHarness)).build();
    let server = Server::start(engine, SocketIoConfig::default());
    let mut ws = Ws::open(server.address).await;
    assert_eq!(ws.ask_in(json!({})).await, r#"44{"message":"forbidden"}"#);
    // The same Engine.IO session may try again.
    assert!(ws.ask_in(json!({"token": "ann"})).await.starts_with("40{"));
    let mut ws = Ws::dial(server.address, "", &[("authorization", "Bearer bob")]).await.expect("upgraded");
    ws.receive().await.expect("opened");
    let mut bob = ws.connect(json!({})).await;
    bob.emit("create", json!({"nick": "Bob"})).await;
    bob.event("welcome").await;
    bob.event("joined").await;
}

#[tokio::test]
async fn an_auth_that_is_no_object_is_refused_with_its_code() {
    let server = Server::plain();
    let mut ws = Ws::open(server.address).await;
    assert_eq!(ws.ask_in(json!([1])).await, r#"44{"message":"bad_frame"}"#);
}

#[tokio::test]
async fn an_auth_with_a_wrong_field_is_told_which_and_costs_no_session() {
    let server = Server::plain();
    let (ann, known) = welcome(Ws::open(server.address).await, json!({})).await;
    drop(ann);
    let token = &known["token"];
    for (auth, code, field) in [
        (json!({"resume": 5}), "bad_field", "resume"),
        (json!({"resume": token, "catch_up": "all"}), "bad_field", "catch_up"),
        (json!({"resume": "x".repeat(300)}), "too_long", "resume"),
        (json!({"resume": "x".repeat(70_000)}), "too_long", "frame"),
    ] {
        let mut client = Ws::open(server.address).await.connect(auth).await;
        let error = client.event("error").await;
        assert_eq!((&error["code"], &error["field"]), (&json!(code), &json!(field)));
        assert_eq!(client.event("closing").await["code"], 4500);
    }
    let (_, again) = welcome(Ws::open(server.address).await, json!({"resume": token})).await;
    assert_eq!((&again["resumed"], &again["session"]), (&json!(true), &known["session"]));
}

#[tokio::test]
async fn a_stranger_page_is_refused() {
    let server = Server::plain();
    let own = format!("http://{}", server.address);
    let mut ws = Ws::dial(server.address, "", &[("origin", &own)]).await.expect("upgraded").opened().await;
    assert!(ws.ask_in(json!({})).await.starts_with("40{"));
    let foreign = [("origin", "http://evil.example.org")];
    assert_eq!(Ws::dial(server.address, "", &foreign).await.err().map(|refused| refused.status), Some(403));
    // Nor in the name of a session that there is.
    let (mut ann, _) = welcome(Poll::open(server.address).await, json!({})).await;
    assert_eq!(
        Ws::dial(server.address, &format!("&sid={}", ann.wire.sid), &foreign).await.err().map(|refused| refused.status),
        Some(403)
    );
    for (method, body) in [("GET", ""), ("POST", r#"42["create",{"nick":"Eve"}]"#), ("OPTIONS", "")] {
        let (status, body) = ann.wire.request(method, "Origin: http://evil.example.org\r\n", body).await;
        assert_eq!((status, body.as_str()), (403, r#"{"code":4,"message":"Forbidden"}"#), "{method}");
    }
    assert_eq!(server.engine.rooms().len(), 0);
    let listed = SocketIoConfig {
        origins: Origins::Listed(vec!["http://other.example.org".to_owned()]),
        transports: Transports::WebSocket,
        ..SocketIoConfig::default()
    };
    let server = Server::start(server.engine.clone(), listed);
    let mut ws = Ws::dial(server.address, "", &[("origin", "http://other.example.org")]).await.expect("upgraded");
    ws.receive().await.expect("opened");
    assert!(ws.ask_in(json!({})).await.starts_with("40{"));
}

#[tokio::test]
async fn a_listed_page_may_read_the_answers_to_its_polls() {
    const OWN: &str = "http://other.example.org";
    let listed = SocketIoConfig { origins: Origins::Listed(vec![OWN.to_owned()]), ..SocketIoConfig::default() };
    let server = Server::start(Engine::builder().limits(limits()).build(), listed);
    let mut poll = Poll::open(server.address).await;
    let asks = "access-control-request-method: POST\r\naccess-control-request-headers: content-type\r\n";
    for (method, origin, headers, allowed) in [
        ("OPTIONS", OWN, asks, true),
        ("POST", OWN, "", true),
        ("OPTIONS", "http://evil.example.org", asks, false),
        ("POST", "http://evil.example.org", "", false),
    ] {
        poll.request(method, &format!("Origin: {origin}\r\n{headers}"), "3").await;
        let head = poll.head();
        let allows = head.contains(&format!("access-control-allow-origin: {origin}\r\n"));
        assert_eq!(allows, allowed, "{method} from {origin}: {head}");
    }
}

#[tokio::test]
async fn a_session_resumes_over_polling_and_then_over_websocket() {
    let server = Server::plain();
    let mut ann = joined(Ws::open(server.address).await, "create", "Ann").await;
    let (mut bob, told) = welcome(Ws::open(server.address).await, json!({})).await;
    let room = bob.ask("join", json!({"room": "LUNCH", "nick": "Bob"})).await;
    let epoch = room["epoch"].as_str().expect("an epoch").to_owned();
    let mut seen = room["seq"].as_u64().expect("a seq");
    let token = told["token"].clone();
    drop(bob);
    for round in 0..2 {
        for number in 0..5 {
            ann.ask("send", json!({"room": "LUNCH", "text": format!("{round}.{number}")})).await;
        }
        let auth = json!({"resume": token, "positions": {"LUNCH": format!("{epoch}:{seen}")}});
        let texts = match round {
            0 => {
                let (mut bob, told) = welcome(Poll::open(server.address).await, auth).await;
                assert_eq!((&told["resumed"], &told["rooms"][0]["status"]), (&json!(true), &json!("live")));
                let texts = bob.texts(5).await;
                bob.wire.send("1".to_owned()).await;
                texts
            }
            _ => welcome(Ws::open(server.address).await, auth).await.0.texts(5).await,
        };
        assert_eq!(texts, (0..5).map(|number| format!("{round}.{number}")).collect::<Vec<_>>());
        seen += 5;
    }
}

#[tokio::test]
async fn a_token_that_is_none_gets_a_new_session() {
    let server = Server::plain();
    let (mut ann, told) = welcome(Ws::open(server.address).await, json!({"resume": "nonsense"})).await;
    assert_eq!(told["resumed"], false);
    assert_eq!(ann.event("error").await["code"], "bad_token");
}

#[tokio::test]
async fn going_over_to_a_websocket_loses_and_repeats_nothing() {
    let server = Server::plain();
    let mut ann = joined(Ws::open(server.address).await, "create", "Ann").await;
    let bob = joined(Poll::open(server.address).await, "join", "Bob").await;
    let talk = tokio::spawn(async move {
        for number in 0..300 {
            ann.ask("send", json!({"room": "LUNCH", "text": number.to_string()})).await;
        }
        ann
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let (mut bob, packets) = upgrade(bob).await;
    let polled = packets.iter().filter_map(|packet| packet.strip_prefix(r#"42["message","#));
    let frame = |json: &str| serde_json::from_str::<Value>(&json[..json.len() - 1]).expect("a frame");
    let mut texts: Vec<String> = polled.map(|json| frame(json)["text"].as_str().expect("a text").to_owned()).collect();
    texts.extend(bob.texts(300 - texts.len()).await);
    assert_eq!(texts, (0..300).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(bob.ask("leave", json!({"room": "LUNCH"})).await["type"], "ack");
    talk.await.expect("told");
}

#[tokio::test]
async fn a_session_that_is_taken_over_is_told_not_to_come_back() {
    let server = Server::plain();
    let (mut older, told) = welcome(Ws::open(server.address).await, json!({})).await;
    let (_newer, _) = welcome(Ws::open(server.address).await, json!({"resume": told["token"]})).await;
    assert_eq!(older.event("closing").await["code"], CloseReason::Replaced.code());
    // Disconnected from the namespace: the stock client stays away.
    assert_eq!(older.next().await, Some(Packet::Other("1".to_owned())));
}

#[tokio::test]
async fn a_server_that_goes_down_breaks_the_connection_so_that_clients_come_back() {
    let server = Server::plain();
    let (mut ws, _) = welcome(Ws::open(server.address).await, json!({})).await;
    let (mut poll, _) = welcome(Poll::open(server.address).await, json!({})).await;
    let engine = server.engine.clone();
    let drained = tokio::spawn(async move { engine.drain(Duration::from_millis(500)).await });
    let closing = ws.event("closing").await;
    assert_eq!(closing["code"], CloseReason::Draining.code());
    assert!(closing["reconnect_after_ms"].as_u64().expect("a delay") <= 500);
    assert_eq!(poll.event("closing").await["code"], CloseReason::Draining.code());
    assert_eq!((ws.next().await, poll.next().await), (None, None));
    drained.await.expect("drained");
    // Not a refusal, which would be final, but a request that fails.
    assert_eq!(Ws::dial(server.address, "", &[]).await.err().map(|refused| refused.status), Some(503));
}

#[tokio::test]
async fn a_client_may_leave_the_namespace_and_enter_it_again() {
    let server = Server::plain();
    let (mut ann, first) = welcome(Ws::open(server.address).await, json!({})).await;
    ann.wire.send("41".to_owned()).await;
    while server.engine.stats().sessions > 0 {
        tokio::task::yield_now().await;
    }
    let (_, second) = welcome(ann.wire, json!({"resume": first["token"]})).await;
    assert_eq!(second["resumed"], true);
}

#[tokio::test]
async fn clients_of_all_kinds_meet_in_one_room() {
    let server = Server::plain();
    let mut ann = joined(Ws::open(server.address).await, "create", "Ann").await;
    let mut bob = joined(Poll::open(server.address).await, "join", "Bob").await;
    let host = server.engine.connect(ConnectRequest::default(), Hello::default()).await.expect("let in");
    let room = RoomCode::parse("LUNCH").expect("valid");
    let nick = Nick::parse("Zoe").expect("valid");
    host.call(Command::join(room.clone(), nick)).await.expect("joined");
    let text = chat_core::Body::parse("Ünïcödé \u{1F355} \"quoted\" \\ \n", 100).expect("valid");
    host.call(Command::send(room, text)).await.expect("sent");
    for texts in [ann.texts(1).await, bob.texts(1).await] {
        assert_eq!(texts, ["Ünïcödé \u{1F355} \"quoted\" \\ \n"]);
    }
}
