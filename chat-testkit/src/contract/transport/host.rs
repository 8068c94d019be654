//! What the host says: it is told and shown as nobody's, and nobody comes in under its name.

use chat_core::{EngineBuilder, Key, RoomCode};
use serde_json::{Value, json};

use super::frames::{list, number, text};
use super::{TestServer, TransportHarness};

async fn server_of_bot<D: TransportHarness>() -> TestServer<D> {
    let named = |builder: EngineBuilder| builder.host_names(["Bot"]).expect("a valid name");
    TestServer::<D>::build(|_| {}, named).await
}

fn is_of_bot(message: &Value) -> bool {
    let has_no_author = ["member", "color", "key"].iter().all(|field| message.get(field).is_none());
    message["host"] == true && text(message, "nick") == "Bot" && has_no_author
}

/// What the host says is an event like any other, of nobody who is there; once under a key, and as long as nobody takes it back.
pub async fn what_the_host_says_is_told_as_nobodys<D: TransportHarness>() {
    let server = server_of_bot::<D>().await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let lunch = server.engine.room(&RoomCode::parse("LUNCH").expect("a room code"));
    for _ in 0..2 {
        let said = lunch.say("Bot", "It <b>rains</b>.").with_key(Key::parse("feed:1").expect("a key")).await;
        assert_eq!(said.expect("said").seq.0, 3);
    }
    for client in [&mut ann, &mut bob] {
        let told = client.find("message").await;
        assert!(is_of_bot(&told) && number(&told, "seq") == 3, "{told}");
        assert_eq!(text(&told, "text"), "It <b>rains</b>.");
    }
    let joined = server.client().await.join("LUNCH", "Cid").await;
    assert!(is_of_bot(&list(&joined, "history")[0]), "{joined}");
    assert_eq!(number(&joined, "members_total"), 3);
    let answered = bob.done(json!({"type": "send", "room": "LUNCH", "text": "so it does", "reply_to": 3})).await;
    assert_eq!(answered["type"], "ack");
    assert_eq!(bob.code(json!({"type": "redact", "room": "LUNCH", "target": 3})).await, "forbidden");
    assert_eq!(bob.code(json!({"type": "edit", "room": "LUNCH", "target": 3, "text": "no"})).await, "forbidden");
    ann.done(json!({"type": "redact", "room": "LUNCH", "target": 3})).await;
    let history = bob.done(json!({"type": "history", "room": "LUNCH", "limit": 2})).await;
    let shown = &list(&history, "messages")[0];
    assert!(is_of_bot(shown) && shown["redacted"] == true && text(shown, "text").is_empty(), "{shown}");
}

/// Nobody founds a room, comes in or is called otherwise under a name that looks like the host's.
pub async fn a_name_of_the_host_is_taken<D: TransportHarness>() {
    let server = server_of_bot::<D>().await;
    let [_ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let mut cid = server.client().await;
    for command in [
        json!({"type": "create", "room": "DINNER", "nick": "Bot"}),
        json!({"type": "join", "room": "LUNCH", "nick": "b\u{43E}t"}),
    ] {
        let refused = cid.refused(command).await;
        assert_eq!((&refused["code"], &refused["field"]), (&json!("nick_taken"), &json!("nick")));
        assert!(refused.get("retry_after_ms").is_none(), "it is never free: {refused}");
    }
    assert_eq!(bob.code(json!({"type": "me", "room": "LUNCH", "nick": "BOT"})).await, "nick_taken");
}
