//! One line for each act, done or refused: which act, where, to whom by number, what came of it, from where; and no word of anybody's.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use chat_admin::{AdminConfig, AdminToken};
use chat_core::Engine;
use chat_testkit::logs::{Fault, FaultyLog, MemoryLog, Operation, Outcome};
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

/// What all tests of this process write: a subscriber can be set for all threads once, and where one has the event first that has none, it would be of no
/// interest to any.
fn lines() -> &'static Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    LINES.get_or_init(|| {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(lines.clone()).finish();
        tracing::subscriber::set_global_default(subscriber).expect("no other test sets one");
        tracing::callsite::rebuild_interest_cache();
        lines
    })
}

impl Lines {
    /// Those about acts that came from this address, in their order.
    fn from(&self, peer: [u8; 4]) -> Vec<Value> {
        let written = String::from_utf8(self.0.lock().expect("no test has panicked").clone()).expect("JSON");
        let told = written.lines().map(|line| serde_json::from_str(line).expect("an object a line"));
        let peer = json!(IpAddr::from(peer).to_string());
        told.filter(|line: &Value| line["target"] == chat_admin::AUDIT_TARGET && line["peer"] == peer).collect()
    }
}

async fn act(door: &Door, method: &str, uri: &str, body: Value) {
    act_from(door, [192, 0, 2, 7], method, uri, body).await;
}

async fn act_from(door: &Door, peer: [u8; 4], method: &str, uri: &str, body: Value) {
    let request = Request::builder().method(method).uri(uri).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    let request = request.header(header::CONTENT_TYPE, "application/json");
    let request = request.extension(ConnectInfo(SocketAddr::from((peer, 1234))));
    door.send(request.body(Body::from(body.to_string())).expect("a request")).await;
}

/// The one who asks may be gone by the time it is done; it is done, and told.
#[tokio::test(start_paused = true)]
async fn an_act_is_told_though_whoever_asked_has_hung_up() {
    let lines = lines();
    let log = Arc::new(FaultyLog::new(MemoryLog::new()));
    let engine = Engine::builder().log(Arc::clone(&log) as _).expect("nobody else has it").build();
    let door = Door::over(engine, AdminConfig::new(AdminToken::parse(TOKEN).expect("it is long enough")));
    let _ann = door.create("LUNCH", "Ann").await;
    log.push(Operation::Append, Fault::stalled(Outcome::Done));
    let asks = act_from(&door, [192, 0, 2, 8], "PUT", "/rooms/LUNCH/topic", json!({ "topic": "Pizza" }));
    let begins = async {
        while log.stalled() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        () = asks => panic!("the log has not answered"),
        () = begins => {}
    }
    // The request is gone by now.
    assert_eq!(lines.from([192, 0, 2, 8]), Vec::<Value>::new());
    log.release_all();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let told = lines.from([192, 0, 2, 8]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["act"], &told[0]["outcome"]), (&json!("topic"), &json!("done")));
    assert_eq!(door.done("GET", "/rooms/LUNCH", Value::Null).await["info"]["topic"], json!("Pizza"));
}

#[tokio::test]
async fn each_act_is_one_line_without_a_word_of_anybodys() {
    let lines = lines();
    let door = Door::new();
    let _ann = door.create("MARKED-ROOM", "markednick").await;
    let bob = door.join("MARKED-ROOM", "markedbob", Some("markedidentity"), "markedtext").await;
    let session = bob.session_id().to_string();
    let in_room = |path: &str| format!("/rooms/MARKED-ROOM/{path}");
    let acts: [(&str, String, Value, Value); 16] = [
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
        (
            "POST",
            "/revoke".to_owned(),
            json!({ "identity": "markedidentity", "what": "rooms_but", "rooms": ["MARKED-ROOM"] }),
            json!({ "act": "revoke", "outcome": "done" }),
        ),
        ("POST", in_room("keep"), Value::Null, json!({ "act": "keep", "outcome": "done" })),
        ("POST", in_room("let-go"), Value::Null, json!({ "act": "let_go", "outcome": "done" })),
        (
            "POST",
            "/rooms".to_owned(),
            json!({ "room": "MARKED-ROOM", "topic": "markedtopic" }),
            json!({ "act": "create", "outcome": "name_taken" }),
        ),
        ("DELETE", "/rooms/MARKED-ROOM".to_owned(), Value::Null, json!({ "act": "close", "outcome": "done" })),
        ("POST", "/drain".to_owned(), Value::Null, json!({ "act": "drain", "outcome": "unavailable" })),
    ];
    for (method, uri, body, _) in &acts {
        act(&door, method, uri, body.clone()).await;
    }
    // Under a code that is drawn: the line says which room it came to be.
    act(&door, "POST", "/rooms", json!({ "topic": "markedtopic" })).await;
    let drawn = door.engine.rooms_page(None, 1).await.expect("there is no log").rooms.remove(0).code;
    // To look is no act, and who shows no token is no operator.
    act(&door, "GET", "/rooms", Value::Null).await;
    let no_token = Request::post("/rooms/MARKED-ROOM/kick").body(Body::empty()).expect("a request");
    door.send(no_token).await;

    let written = String::from_utf8(lines.0.lock().expect("no test has panicked").clone()).expect("JSON");
    // Whoever else acts in this process has no address, or another one.
    let told = lines.from([192, 0, 2, 7]);
    let made = told.last().expect("there are some");
    assert_eq!((&made["act"], &made["room"]), (&json!("create"), &json!(door.engine.room_tag(&drawn).to_string())));
    let told = &told[..told.len() - 1];
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
