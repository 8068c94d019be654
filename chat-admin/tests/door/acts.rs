//! What is done: each act has its effect in the room, once, and a room that is gone is said to be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::StatusCode;
use chat_admin::{AdminConfig, AdminToken};
use serde_json::{Value, json};

use super::support::{Door, TOKEN};

/// The members of a room, by name.
async fn nicks(door: &Door, room: &str) -> Vec<String> {
    let members = door.done("GET", &format!("/rooms/{room}/members"), Value::Null).await;
    let members = members["members"].as_array().expect("members").iter();
    members.map(|member| member["nick"].as_str().expect("a name").to_owned()).collect()
}

async fn texts(door: &Door, room: &str) -> Vec<String> {
    let page = door.done("GET", &format!("/rooms/{room}/messages"), Value::Null).await;
    let messages = page["messages"].as_array().expect("messages").iter();
    messages.map(|message| message["text"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn the_host_speaks_once_under_one_key_and_only_under_its_names() {
    let door = Door::new();
    let _ann = door.create("LUNCH", "Ann").await;
    let say = json!({ "name": "Operator", "text": "The kitchen is closed.", "key": "closed:7", "data": { "kind": "notice" } });
    let first = door.done("POST", "/rooms/LUNCH/messages", say.clone()).await;
    let again = door.done("POST", "/rooms/LUNCH/messages", say).await;
    assert_eq!((&first["seq"], &first["repeated"], &again["repeated"]), (&again["seq"], &json!(false), &json!(true)));
    assert_eq!(texts(&door, "LUNCH").await, ["The kitchen is closed."]);
    let page = door.done("GET", "/rooms/LUNCH/messages", Value::Null).await;
    let message = &page["messages"][0];
    assert_eq!(
        (&message["member"], &message["nick"], &message["data"]["kind"]),
        (&Value::Null, &json!("Operator"), &json!("notice"))
    );
    for (body, code) in [
        (json!({ "name": "Ann", "text": "hi" }), (400, "bad_field")),
        (json!({ "name": "Operator" }), (400, "bad_field")),
        (json!({ "name": "Operator", "text": "x".repeat(4_001) }), (400, "too_long")),
        (json!({ "name": "Operator", "text": "hi", "data": [1] }), (400, "bad_field")),
        (json!({ "name": "Operator", "text": "hi", "reply_to": 1_u64 << 60 }), (400, "bad_field")),
        (json!({ "name": "Operator", "text": "another", "key": "closed:7" }), (409, "key_conflict")),
        (json!({ "name": "Operator", "text": "hi", "nick": "Ann" }), (400, "bad_field")),
    ] {
        let (status, refused) = door.refused("POST", "/rooms/LUNCH/messages", body.clone()).await;
        assert_eq!((status, refused.as_str()), code, "{body}");
    }
}

#[tokio::test]
async fn members_are_put_out_kept_out_and_let_in_again() {
    let door = Door::new();
    let _ann = door.create("LUNCH", "Ann").await;
    let _bob = door.join("LUNCH", "Bob", Some("user:17"), "spam").await;
    let _eve = door.join("LUNCH", "Eve", None, "hello").await;
    door.done("POST", "/rooms/LUNCH/kick", json!({ "member": 3 })).await;
    assert_eq!(nicks(&door, "LUNCH").await, ["Ann", "Bob"]);
    door.done("POST", "/rooms/LUNCH/ban", json!({ "member": 2, "minutes": 60, "sweep": true })).await;
    assert_eq!(nicks(&door, "LUNCH").await, ["Ann"]);
    assert_eq!(texts(&door, "LUNCH").await, ["", "hello"]);
    let bans = door.done("GET", "/rooms/LUNCH/bans", Value::Null).await;
    let ban = &bans["bans"][0];
    assert_eq!((&ban["nick"], ban["until"].is_string(), &ban["by"]), (&json!("Bob"), true, &Value::Null));
    door.done("POST", "/rooms/LUNCH/unban", json!({ "ban": ban["ban"] })).await;
    assert_eq!(door.done("GET", "/rooms/LUNCH/bans", Value::Null).await["bans"], json!([]));
    let refused = async |path: &str, body: Value| door.refused("POST", &format!("/rooms/LUNCH/{path}"), body).await.1;
    assert_eq!(refused("kick", json!({ "member": 9 })).await, "member_not_found");
    assert_eq!(refused("unban", json!({ "ban": 9 })).await, "ban_not_found");
    assert_eq!(refused("ban", json!({ "member": 1, "minutes": 0 })).await, "bad_field");
}

#[tokio::test]
async fn a_room_is_changed_in_what_is_named() {
    let door = Door::new();
    let _ann = door.create("LUNCH", "Ann").await;
    let _bob = door.join("LUNCH", "Bob", None, "one").await;
    door.done("PUT", "/rooms/LUNCH/topic", json!({ "topic": "Pizza" })).await;
    door.done("PATCH", "/rooms/LUNCH/settings", json!({ "slow_ms": 500, "secret": "swordfish", "history": "none" }))
        .await;
    door.done("PATCH", "/rooms/LUNCH/settings", json!({ "locked": true, "history": 7 })).await;
    door.done("PATCH", "/rooms/LUNCH/settings", json!({ "secret": null })).await;
    let info = door.done("GET", "/rooms/LUNCH", Value::Null).await["info"].take();
    let settings =
        json!({ "slow_ms": 500, "locked": true, "read_only": false, "secret": false, "history": 7, "listed": false });
    assert_eq!((&info["topic"], &info["settings"]), (&json!("Pizza"), &settings));

    door.done("POST", "/rooms/LUNCH/role", json!({ "member": 2, "role": "owner" })).await;
    door.done("POST", "/rooms/LUNCH/protect", Value::Null).await;
    let info = door.done("GET", "/rooms/LUNCH", Value::Null).await["info"].take();
    assert_eq!((&info["owner"], &info["protected"]), (&json!(2), &json!(true)));
    door.done("PATCH", "/rooms/LUNCH/members/2", json!({ "nick": "Robert", "data": { "id": 7 } })).await;
    let members = door.done("GET", "/rooms/LUNCH/members?after=1", Value::Null).await;
    assert_eq!(
        (&members["members"][0]["nick"], &members["members"][0]["data"]),
        (&json!("Robert"), &json!({ "id": 7 }))
    );
    door.done("PATCH", "/rooms/LUNCH/members/2", json!({ "data": null })).await;

    let said = door.done("GET", "/rooms/LUNCH/messages", Value::Null).await["messages"][0]["seq"].clone();
    door.done("POST", "/rooms/LUNCH/redact", json!({ "message": said })).await;
    assert_eq!(texts(&door, "LUNCH").await, [""]);
    door.done("POST", "/rooms/LUNCH/sweep", json!({ "member": 2 })).await;
    let refused = door.refused("POST", "/rooms/LUNCH/redact", json!({ "message": 999 })).await;
    assert_eq!(refused, (404, "message_not_found".to_owned()));
}

#[tokio::test]
async fn a_room_that_closes_in_between_is_not_found_and_never_a_fault() {
    let door = Door::new();
    for round in 0..50 {
        let _ann = door.create("LUNCH", "Ann").await;
        let (close, look, say, members) = tokio::join!(
            door.ask("DELETE", "/rooms/LUNCH", Value::Null),
            door.ask("GET", "/rooms/LUNCH", Value::Null),
            door.ask("POST", "/rooms/LUNCH/messages", json!({ "name": "Operator", "text": "hi" })),
            door.ask("GET", "/rooms/LUNCH/members", Value::Null),
        );
        assert_eq!(close.0, StatusCode::OK, "{close:?}");
        for (status, answer) in [look, say, members] {
            assert!(status == StatusCode::OK || answer["code"] == "room_not_found", "{round}: {status} {answer}");
        }
        assert_eq!(door.refused("DELETE", "/rooms/LUNCH", Value::Null).await, (404, "room_not_found".to_owned()));
    }
    assert_eq!(door.done("GET", "/rooms", Value::Null).await, json!({ "rooms": [] }));
}

#[tokio::test]
async fn the_sessions_of_a_person_are_shown_and_ended() {
    let door = Door::new();
    let _ann = door.create("LUNCH", "Ann").await;
    let _bob = door.join("LUNCH", "Bob", Some("user:17"), "one").await;
    let second = door.connect(Some("user:17")).await;
    let sessions = door.done("GET", "/sessions?identity=user:17", Value::Null).await;
    let of = |at: usize| sessions["sessions"][at].clone();
    assert_eq!((&of(0)["connected"], &of(0)["rooms"], &of(1)["rooms"]), (&json!(true), &json!(["LUNCH"]), &json!([])));
    door.done("POST", "/end", json!({ "session": second.session_id().to_string() })).await;
    let left = door.done("GET", "/sessions?identity=user:17", Value::Null).await;
    assert_eq!(left["sessions"].as_array().map(Vec::len), Some(1));
    door.done("POST", "/end", json!({ "identity": "user:17" })).await;
    assert_eq!(door.done("GET", "/sessions?identity=user:17", Value::Null).await["sessions"], json!([]));
    assert_eq!(nicks(&door, "LUNCH").await, ["Ann"]);
    for wrong in [
        json!({}),
        json!({ "session": "x" }),
        json!({ "identity": "" }),
        json!({ "identity": "a", "session": of(0)["session"] }),
    ] {
        assert_eq!(door.refused("POST", "/end", wrong.clone()).await, (400, "bad_field".to_owned()), "{wrong}");
    }
    assert_eq!(door.refused("GET", "/sessions", Value::Null).await.0, 400);
}

#[tokio::test]
async fn a_person_is_added_to_a_room() {
    let door = Door::new();
    let _ann = door.create("LUNCH", "Ann").await;
    door.done("PATCH", "/rooms/LUNCH/settings", json!({ "locked": true })).await;
    let _bob = door.connect(Some("user:17")).await;
    let added = door.done("POST", "/rooms/LUNCH/add", json!({ "identity": "user:17", "nick": "Bob" })).await;
    assert_eq!(added, json!({ "attached": 1, "silent": [] }));
    assert_eq!(nicks(&door, "LUNCH").await, ["Ann", "Bob"]);
    let invited = door.done("POST", "/rooms/LUNCH/add", json!({ "identity": "user:18" })).await;
    assert!(invited["attached"] == 0 && invited["invited_until"].is_string(), "{invited}");
    let _cid = door.connect(Some("user:18")).await;
    let nameless = door.done("POST", "/rooms/LUNCH/add", json!({ "identity": "user:18" })).await;
    assert_eq!((&nameless["attached"], &nameless["refused"]), (&json!(0), &json!("bad_field")));
    let add = |body| door.refused("POST", "/rooms/LUNCH/add", body);
    assert_eq!(add(json!({ "identity": "" })).await, (400, "bad_field".to_owned()));
    assert_eq!(add(json!({ "identity": "user:17", "nick": "" })).await, (400, "bad_field".to_owned()));
    door.done("POST", "/rooms/LUNCH/ban", json!({ "member": 2 })).await;
    assert_eq!(add(json!({ "identity": "user:17" })).await, (403, "banned".to_owned()));
    let nowhere = door.refused("POST", "/rooms/NOWHERE/add", json!({ "identity": "user:17" })).await;
    assert_eq!(nowhere, (404, "room_not_found".to_owned()));
}

#[tokio::test]
async fn a_person_is_erased_and_the_job_is_shown_until_it_is_done() {
    let door = Door::new();
    let _ann = door.create("LUNCH", "Ann").await;
    let _bob = door.connect(Some("user:17")).await;
    door.done("POST", "/rooms/LUNCH/add", json!({ "identity": "user:17", "nick": "Bob" })).await;
    assert_eq!(nicks(&door, "LUNCH").await, ["Ann", "Bob"]);
    let begun = door.done("POST", "/erase", json!({ "identity": "user:17" })).await;
    assert_eq!((&begun["identity"], &begun["looked"], &begun["failed"]), (&json!("user:17"), &json!(0), &json!(0)));
    let wait = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        while door.done("GET", "/erasures", Value::Null).await != json!({ "erasures": [] }) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    wait.await.expect("it is done");
    assert_eq!(nicks(&door, "LUNCH").await, ["Ann"]);
    assert_eq!(door.refused("POST", "/erase", json!({ "identity": "" })).await, (400, "bad_field".to_owned()));
    assert_eq!(door.refused("POST", "/erase", json!({})).await.0, 400);
}

#[tokio::test]
async fn a_drain_is_asked_of_whoever_can_end_the_program() {
    let asked = Arc::new(AtomicU32::new(0));
    let config = AdminConfig::new(AdminToken::parse(TOKEN).expect("it is long enough"));
    let door = Door::with(config.on_drain({
        let asked = Arc::clone(&asked);
        move || {
            asked.fetch_add(1, Ordering::Relaxed);
        }
    }));
    assert_eq!(door.ask("POST", "/drain", Value::Null).await, (StatusCode::ACCEPTED, json!({})));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(door.ask("POST", "/drain", json!({})).await, (StatusCode::ACCEPTED, json!({})));
    assert_eq!(door.refused("POST", "/drain", json!({ "at": "noon" })).await, (400, "bad_field".to_owned()));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_eq!(Door::new().refused("POST", "/drain", Value::Null).await, (503, "unavailable".to_owned()));
}
