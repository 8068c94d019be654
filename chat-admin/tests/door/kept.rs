//! Rooms that the host makes and keeps, what a list says of them while they are at rest, and what is taken back of admissions.

use std::sync::Arc;
use std::time::Duration;

use chat_admin::{AdminConfig, AdminToken};
use chat_core::{CloseReason, Engine};
use chat_testkit::logs::MemoryLog;
use chat_testkit::one_room::take;
use serde_json::{Value, json};

use super::support::{Door, TOKEN};

#[tokio::test]
async fn a_room_is_made_kept_and_let_go() {
    let door = Door::new();
    let options = json!({
        "room": "lobby", "owner": "user:17", "protected": true, "topic": "Pizza", "settings": { "listed": true, "slow_ms": 500 },
    });
    let made = door.done("POST", "/rooms", options.clone()).await;
    let room = door.done("GET", "/rooms/LOBBY", Value::Null).await;
    assert_eq!((&made["room"], &made["tag"]), (&json!("LOBBY"), &room["tag"]));
    let info = &room["info"];
    assert_eq!(
        (&info["topic"], &info["members"], &info["protected"], &info["kept"], &info["settings"]["listed"]),
        (&json!("Pizza"), &json!(0), &json!(true), &json!(true), &json!(true))
    );
    assert_eq!(door.refused("POST", "/rooms", options).await, (409, "name_taken".to_owned()));
    let _bob = door.join("LOBBY", "Bob", Some("user:17"), "mine").await;
    let info = door.done("GET", "/rooms/LOBBY", Value::Null).await["info"].take();
    assert_eq!(info["owner"], json!(1), "the seat was held for this identity");
    door.done("POST", "/rooms/LOBBY/let-go", Value::Null).await;
    assert_eq!(door.done("GET", "/rooms/LOBBY", Value::Null).await["info"]["kept"], json!(false));
    door.done("POST", "/rooms/LOBBY/keep", Value::Null).await;
    assert_eq!(door.done("GET", "/rooms/LOBBY", Value::Null).await["info"]["kept"], json!(true));

    let drawn = door.done("POST", "/rooms", json!({})).await;
    let path = format!("/rooms/{}", drawn["room"].as_str().expect("a code"));
    assert_eq!(door.done("GET", &path, Value::Null).await["tag"], drawn["tag"]);
    for (body, code) in [
        (json!({ "room": "x" }), "bad_field"),
        (json!({ "owner": "" }), "bad_field"),
        (json!({ "topic": "x".repeat(201) }), "too_long"),
        (json!({ "settings": { "surplus": 1 } }), "bad_field"),
    ] {
        assert_eq!(door.refused("POST", "/rooms", body.clone()).await, (400, code.to_owned()), "{body}");
    }
    assert_eq!(door.refused("POST", "/rooms/NO-ROOM/keep", Value::Null).await, (404, "room_not_found".to_owned()));
    assert_eq!(door.refused("POST", "/rooms/NO-ROOM/let-go", Value::Null).await, (404, "room_not_found".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_list_says_what_is_known_of_a_room_that_is_at_rest() {
    let engine = Engine::builder().log(Arc::new(MemoryLog::new()) as _).expect("nobody else has it").build();
    let door = Door::over(engine, AdminConfig::new(AdminToken::parse(TOKEN).expect("it is long enough")));
    door.done("POST", "/rooms", json!({ "room": "LOBBY", "topic": "Pizza", "settings": { "listed": true } })).await;
    let listed = door.done("GET", "/rooms", Value::Null).await["rooms"][0].take();
    assert_eq!((&listed["info"]["topic"], &listed["about"]), (&json!("Pizza"), &Value::Null), "it is in memory");
    // Nobody is in it, and nobody asks for it.
    tokio::time::sleep(Duration::from_secs(600)).await;
    let listed = door.done("GET", "/rooms", Value::Null).await["rooms"][0].take();
    let about = &listed["about"];
    assert_eq!(
        (&listed["info"], &about["topic"], &about["members"], &about["listed"], &about["kept"]),
        (&Value::Null, &json!("Pizza"), &json!(0), &json!(true), &json!(true))
    );
    assert!(about["last_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{about}");
}

#[tokio::test]
async fn what_a_person_was_admitted_for_is_taken_back() {
    let door = Door::new();
    let _ann = door.create("LUNCH", "Ann").await;
    let _cat = door.create("LOBBY", "Cat").await;
    let bob = door.join("LUNCH", "Bob", Some("user:17"), "one").await;
    let _again = door.join("LOBBY", "Bob", Some("user:17"), "two").await;
    let members = async |room: &str| {
        let members = door.done("GET", &format!("/rooms/{room}/members"), Value::Null).await;
        members["total"].as_u64().expect("a number")
    };
    door.done("POST", "/revoke", json!({ "identity": "user:17", "what": "role" })).await;
    door.done("POST", "/revoke", json!({ "identity": "user:17", "what": "rooms_but", "rooms": ["lobby"] })).await;
    assert_eq!((members("LUNCH").await, members("LOBBY").await), (1, 2));
    door.done("POST", "/revoke", json!({ "identity": "user:17", "what": "all" })).await;
    take(&bob);
    assert_eq!(bob.ended(), Some(CloseReason::AuthExpired));
    for (body, code) in [
        (json!({ "identity": "user:17" }), "bad_field"),
        (json!({ "identity": "", "what": "all" }), "bad_field"),
        (json!({ "identity": "a", "what": "some" }), "bad_field"),
        (json!({ "identity": "a", "what": "all", "rooms": [] }), "bad_field"),
        (json!({ "identity": "a", "what": "rooms_but" }), "bad_field"),
        (json!({ "identity": "a", "what": "rooms_but", "rooms": ["?"] }), "bad_field"),
        (json!({ "identity": "a", "what": "rooms_but", "rooms": vec!["LOBBY"; 1_001] }), "too_long"),
    ] {
        assert_eq!(door.refused("POST", "/revoke", body.clone()).await, (400, code.to_owned()), "{body}");
    }
}
