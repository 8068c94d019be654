//! One line for each act, done or refused: which act, where, to whom by number, what came of it, from where; and no word of anybody's.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use super::support::{Door, TOKEN, code};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test has panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

async fn act(door: &Door, method: &str, uri: &str, body: Value) {
    let request = Request::builder().method(method).uri(uri).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    let request = request.header(header::CONTENT_TYPE, "application/json");
    let request = request.extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 1234))));
    door.send(request.body(Body::from(body.to_string())).expect("a request")).await;
}

#[tokio::test]
async fn each_act_is_one_line_without_a_word_of_anybodys() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(lines.clone()).finish();
    // For all threads: where another has the event first, and no subscriber, it would be of no interest to any.
    tracing::subscriber::set_global_default(subscriber).expect("no other test sets one");
    tracing::callsite::rebuild_interest_cache();
    let door = Door::new();
    let _ann = door.create("MARKED-ROOM", "markednick").await;
    let bob = door.join("MARKED-ROOM", "markedbob", Some("markedidentity"), "markedtext").await;
    let session = bob.session_id().to_string();
    let in_room = |path: &str| format!("/rooms/MARKED-ROOM/{path}");
    let acts: [(&str, String, Value, Value); 12] = [
        (
            "POST",
            in_room("messages"),
            json!({ "name": "Operator", "text": "markedsaid", "key": "markedkey" }),
            json!({ "act": "say", "outcome": "done" }),
        ),
        (
            "POST",
            in_room("messages"),
            json!({ "name": "markedname", "text": "x" }),
            json!({ "act": "say", "outcome": "bad_field" }),
        ),
        ("PUT", in_room("topic"), json!({ "topic": "markedtopic" }), json!({ "act": "topic", "outcome": "done" })),
        (
            "PATCH",
            in_room("settings"),
            json!({ "secret": "markedsecret" }),
            json!({ "act": "settings", "outcome": "done" }),
        ),
        (
            "PATCH",
            in_room("settings"),
            json!({ "markedfield": 1 }),
            json!({ "act": "settings", "outcome": "bad_field" }),
        ),
        (
            "PATCH",
            in_room("members/2"),
            json!({ "nick": "markedother" }),
            json!({ "act": "change_member", "member": 2, "outcome": "done" }),
        ),
        (
            "POST",
            in_room("redact"),
            json!({ "message": 3 }),
            json!({ "act": "redact", "message": 3, "outcome": "done" }),
        ),
        (
            "POST",
            in_room("kick"),
            json!({ "member": 9 }),
            json!({ "act": "kick", "member": 9, "outcome": "member_not_found" }),
        ),
        (
            "POST",
            in_room("unban"),
            json!({ "ban": 4 }),
            json!({ "act": "unban", "ban": 4, "outcome": "ban_not_found" }),
        ),
        (
            "POST",
            "/end".to_owned(),
            json!({ "identity": "markedidentity" }),
            json!({ "act": "end", "sessions": session, "outcome": "done" }),
        ),
        ("DELETE", "/rooms/MARKED-ROOM".to_owned(), Value::Null, json!({ "act": "close", "outcome": "done" })),
        ("POST", "/drain".to_owned(), Value::Null, json!({ "act": "drain", "outcome": "unavailable" })),
    ];
    for (method, uri, body, _) in &acts {
        act(&door, method, uri, body.clone()).await;
    }
    // To look is no act, and who shows no token is no operator.
    act(&door, "GET", "/rooms", Value::Null).await;
    let no_token = Request::post("/rooms/MARKED-ROOM/kick").body(Body::empty()).expect("a request");
    door.send(no_token).await;

    let written = String::from_utf8(lines.0.lock().expect("no test has panicked").clone()).expect("JSON");
    let told: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    // Whoever else acts in this process has no address.
    let is_ours = |line: &&Value| line["target"] == chat_admin::AUDIT_TARGET && line["peer"] == "192.0.2.7";
    let told: Vec<&Value> = told.iter().filter(is_ours).collect();
    assert_eq!(told.len(), acts.len(), "{written}");
    let tag = door.engine.room_tag(&code("MARKED-ROOM")).to_string();
    for (line, (_, uri, _, expected)) in told.iter().zip(&acts) {
        for (field, value) in expected.as_object().expect("fields") {
            assert_eq!(&line[field], value, "{field} of {line}");
        }
        let room = if uri.starts_with("/rooms") { json!(tag) } else { Value::Null };
        assert_eq!(line["room"], room, "{line}");
    }
    let said = written.to_lowercase();
    assert!(!said.contains("marked") && !said.contains(TOKEN), "{written}");
}
