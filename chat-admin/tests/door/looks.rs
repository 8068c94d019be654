//! What is shown: rooms, and one with its members, messages and bans; the server; the page.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use chat_admin::AdminConfig;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::support::Door;

#[tokio::test]
async fn a_room_is_shown_with_its_members_and_what_they_said() {
    let door = Door::new();
    let _ann = door.create("LUNCH", "Ann").await;
    let _bob = door.join("LUNCH", "Bob", Some("user:17"), "pizza?").await;

    let room = door.done("GET", "/rooms/lunch", Value::Null).await;
    assert_eq!(
        (&room["room"], &room["info"]["members"], &room["info"]["online"]),
        (&json!("LUNCH"), &json!(2), &json!(2))
    );
    assert_eq!(room["tag"], json!(door.engine.room_tag(&super::support::code("LUNCH")).to_string()));
    let listed = door.done("GET", "/rooms", Value::Null).await;
    assert_eq!(listed["rooms"], json!([room]));

    let members = door.done("GET", "/rooms/LUNCH/members", Value::Null).await;
    let of = |member: &Value| (member["nick"].clone(), member["role"].clone(), member["identity"].clone());
    let members: Vec<_> = members["members"].as_array().expect("members").iter().map(of).collect();
    let (ann, bob) = ((json!("Ann"), json!("owner"), Value::Null), (json!("Bob"), json!("member"), json!("user:17")));
    assert_eq!(members, [ann, bob]);
    let second = door.done("GET", "/rooms/LUNCH/members?after=1&max=1", Value::Null).await;
    assert_eq!(
        (&second["members"][0]["nick"], &second["total"], &second["more"]),
        (&json!("Bob"), &json!(2), &json!(false))
    );

    let messages = door.done("GET", "/rooms/LUNCH/messages?max=5", Value::Null).await;
    assert_eq!(messages["messages"][0]["text"], json!("pizza?"));
    let before = door.done("GET", "/rooms/LUNCH/messages?before=1", Value::Null).await;
    assert_eq!(before["messages"], json!([]));
    assert_eq!(door.done("GET", "/rooms/LUNCH/bans", Value::Null).await, json!({ "bans": [], "more": false }));
}

#[tokio::test]
async fn a_thousand_rooms_come_page_by_page_each_once_and_in_order() {
    let door = Door::new();
    let mut people = Vec::new();
    for number in 0..1_000 {
        people.push(door.create(&format!("ROOM-{number:04}"), "Ann").await);
    }
    let (mut codes, mut after) = (Vec::new(), String::new());
    for expected in [400, 400, 200] {
        let page = door.done("GET", &format!("/rooms?max=400{after}"), Value::Null).await;
        let rooms = page["rooms"].as_array().expect("rooms");
        assert_eq!(rooms.len(), expected);
        codes.extend(rooms.iter().map(|room| room["room"].as_str().expect("a code").to_owned()));
        after = page["next"].as_str().map(|next| format!("&after={next}")).unwrap_or_default();
    }
    assert_eq!(after, "", "the last page says that it is");
    assert_eq!(codes, (0..1_000).map(|number| format!("ROOM-{number:04}")).collect::<Vec<_>>());
    let first = door.done("GET", "/rooms", Value::Null).await;
    assert_eq!((first["rooms"].as_array().map(Vec::len), &first["next"]), (Some(100), &json!("ROOM-0099")));
    for wrong in ["max=0", "max=1001", "max=70000", "max=-1", "after=a/b", "before=ROOM-0001", "max=1&max=2"] {
        assert_eq!(
            door.refused("GET", &format!("/rooms?{wrong}"), Value::Null).await,
            (400, "bad_field".to_owned()),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn the_server_says_its_names_and_when_clients_should_not_be_sent_to_it() {
    let door = Door::with(AdminConfig::without_token().why_not_ready(|| Some("the database does not answer")));
    let status = door.done("GET", "/status", Value::Null).await;
    assert_eq!((&status["names"], &status["draining"]), (&json!(["Operator"]), &json!(false)));
    let ready = door.ask("GET", "/readyz", Value::Null).await;
    assert_eq!(ready, (StatusCode::SERVICE_UNAVAILABLE, json!("the database does not answer\n")));
    assert_eq!(door.ask("GET", "/healthz", Value::Null).await, (StatusCode::OK, json!("ok\n")));
    door.engine.drain(std::time::Duration::ZERO).await;
    assert_eq!(door.ask("GET", "/readyz", Value::Null).await.1, json!("draining\n"));
    let (status, page) = door.ask("GET", "/metrics", Value::Null).await;
    assert!(status == StatusCode::OK && page.as_str().expect("text").contains("chat_draining 1"), "{page}");
}

#[tokio::test]
async fn the_page_may_do_nothing_but_ask_these_routes() {
    let door = Door::new();
    for (path, kind) in [
        ("/", "text/html"),
        ("/admin.js", "text/javascript"),
        ("/people.js", "text/javascript"),
        ("/admin.css", "text/css"),
    ] {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let response = door.router.clone().oneshot(request).await.expect("infallible");
        let line = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(line("content-type").starts_with(kind), "{path}");
        let policy = line("content-security-policy");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    }
}
