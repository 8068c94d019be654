//! What a backend says of people, and what becomes of it: admissions, refusals, and answers that are none.

mod support;

use std::time::Duration;

use chat_core::{
    AccessToken, Admission, Command, ConnectRequest, Engine, Guests, Hello, Identity, Nick, PersonData, RejectCode,
    Role, RoomCode, SessionId, SessionView, Wall,
};
use policy_http::{EndpointError, HttpConfig, HttpPolicy, Secret};
use serde_json::{Value, json};
use support::{Backend, Fate, admit, policy, yes};

fn ann() -> Identity {
    Identity::new("ann").expect("an identity")
}

#[tokio::test]
async fn who_the_backend_knows_comes_in_as_it_says() {
    let said = json!({
        "identity": "ann", "nick": "Ann of the office, who is called something very long", "data": {"a": 1},
        "role": "moderator", "rooms": ["LUNCH", "TEA"], "expires_at": 4_000_000_000_u64, "ttl": 5
    });
    let backend = Backend::start(move |_| yes(said.clone())).await;
    let secret = Some(Secret::parse("0123456789abcdef").expect("a secret"));
    let policy = policy(&backend, HttpConfig { secret, ..HttpConfig::default() });
    let code = |code: &str| RoomCode::parse(code).expect("a code");
    let expected = Admission::of(ann())
        .with_nick("Ann of the office, who is called".parse().expect("a nick"))
        .with_data(PersonData::parse("{\"a\":1}").expect("an object"))
        .with_role(Role::Moderator)
        .with_rooms([code("LUNCH"), code("TEA")])
        .with_expiry(Wall(4_000_000_000_000));
    assert_eq!(admit(&policy, "pass \"1\"").await, Ok(expected));
    let (head, question) = backend.asked.lock().expect("no panic").remove(0);
    assert_eq!(
        question,
        json!({"transport": "ws", "address": "192.0.2.7", "credential": "pass \"1\"", "shown_in": "cookie"})
    );
    assert!(head.starts_with("POST /auth?v=1 HTTP/1.1\r\n"), "{head}");
    for line in ["authorization: Bearer 0123456789abcdef\r\n", "content-type: application/json\r\n"] {
        assert!(head.contains(line), "{head}");
    }
}

#[tokio::test]
async fn a_backend_may_know_somebody_as_a_guest_and_say_little_of_the_others() {
    for (said, guests, expected) in [
        (json!({"identity": "ann"}), Guests::Deny, Ok(Admission::of(ann()))),
        (json!({"identity": null, "nick": "\u{7}", "data": null, "rooms": null}), Guests::Read, Ok(Admission::guest())),
        (json!({"identity": null}), Guests::Deny, Err(RejectCode::BadToken)),
        (json!({"identity": "ann", "expires_at": u64::MAX}), Guests::Deny, Ok(Admission::of(ann()))),
        (json!({"identity": "ann", "rooms": []}), Guests::Deny, Ok(Admission::of(ann()).with_rooms([]))),
    ] {
        let shown = said.to_string();
        let backend = Backend::start(move |_| yes(said.clone())).await;
        let policy = policy(&backend, HttpConfig { guests, ..HttpConfig::default() });
        assert_eq!(admit(&policy, "pass").await.map_err(|reject| reject.code), expected, "{shown}");
    }
}

#[tokio::test]
async fn who_the_backend_refuses_hears_why() {
    let long = "x".repeat(300);
    for (status, body, code, words) in [
        (401, String::new(), RejectCode::BadToken, "good for nobody here"),
        (401, json!({"message": "your login is over"}).to_string(), RejectCode::BadToken, "your login is over"),
        (401, json!({"code": "auth_expired"}).to_string(), RejectCode::AuthExpired, "run out"),
        (403, "<html>".to_owned(), RejectCode::Forbidden, "may not come in"),
        (403, json!({"code": "auth_expired", "message": "a\nb"}).to_string(), RejectCode::Forbidden, "ab"),
        (403, json!({"message": long}).to_string(), RejectCode::Forbidden, &long[..200]),
        (403, json!({"message": " "}).to_string(), RejectCode::Forbidden, "may not come in"),
    ] {
        let answer = body.clone();
        let backend = Backend::start(move |_| Fate::Says(status, answer.clone())).await;
        let policy = policy(&backend, HttpConfig::default());
        let reject = admit(&policy, "qzx-credential").await.expect_err("refused");
        assert_eq!((reject.code, reject.message.contains(words)), (code, true), "{status} {body}: {reject:?}");
        assert!(reject.message.chars().count() <= 200 && !reject.message.contains("qzx"), "{reject:?}");
        assert!(!policy.is_down());
        let _ = admit(&policy, "qzx-credential").await;
        assert_eq!(backend.count(), 2, "a refusal is not remembered");
    }
}

#[tokio::test]
async fn what_is_no_answer_lets_nobody_in_and_has_them_come_again() {
    let elsewhere = Backend::start(|_| yes(json!({"identity": "ann"}))).await;
    let moved = format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", elsewhere.url);
    let huge = format!("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{}", " ".repeat(100_000));
    let says = |body: Value| move || yes(body.clone());
    let fates: Vec<Box<dyn Fn() -> Fate + Send + Sync>> = vec![
        Box::new(|| Fate::Says(500, json!({"identity": "ann"}).to_string())),
        Box::new(|| Fate::Says(404, String::new())),
        Box::new(|| Fate::Says(204, String::new())),
        Box::new(move || Fate::Raw(moved.clone())),
        Box::new(move || Fate::Raw(huge.clone())),
        Box::new(|| Fate::Raw(format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 20)))),
        Box::new(|| Fate::Raw("SSH-2.0-OpenSSH\r\n".to_owned())),
        Box::new(|| Fate::Raw("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"identity\"".to_owned())),
        Box::new(|| Fate::Endless),
        Box::new(|| Fate::Lost),
        Box::new(|| Fate::Says(200, String::new())),
        Box::new(|| Fate::Says(200, "{\"identity\":".to_owned())),
        Box::new(|| Fate::Says(200, format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)))),
        Box::new(says(json!({}))),
        Box::new(says(json!([]))),
        Box::new(says(json!({"identity": ""}))),
        Box::new(says(json!({"identity": "x".repeat(129)}))),
        Box::new(says(json!({"identity": 7}))),
        Box::new(says(json!({"identity": "ann", "room": ["LUNCH"]}))),
        Box::new(says(json!({"identity": "ann", "rooms": ["no code"]}))),
        Box::new(says(json!({"identity": "ann", "rooms": vec!["LUNCH"; 1_025]}))),
        Box::new(says(json!({"identity": "ann", "role": "admin"}))),
        Box::new(says(json!({"identity": "ann", "data": [1]}))),
        Box::new(says(json!({"identity": "ann", "expires_at": "tomorrow"}))),
        Box::new(says(json!({"identity": "ann", "ttl": -1}))),
    ];
    for (number, fate) in fates.into_iter().enumerate() {
        let backend = Backend::start(move |_| fate()).await;
        let policy = policy(&backend, HttpConfig::default());
        let reject = admit(&policy, "qzx-credential").await.expect_err("nobody comes in");
        assert_eq!(reject.code, RejectCode::Unavailable, "{number}");
        let wait = reject.retry_after.expect("it says when");
        assert!((Duration::from_secs(1)..=Duration::from_secs(5)).contains(&wait), "{number}: {wait:?}");
        assert!(policy.is_down() && !reject.message.contains("qzx"), "{number}: {reject:?}");
        assert_eq!(backend.count(), 1, "{number}");
    }
    assert_eq!(elsewhere.count(), 0, "a redirect is not followed");
    // Nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("it listens"));
    drop(listener);
    let down = HttpPolicy::new(&url, HttpConfig::default()).expect("a valid URL");
    assert_eq!(admit(&down, "pass").await.expect_err("nobody comes in").code, RejectCode::Unavailable);
}

#[tokio::test]
async fn a_backend_that_is_busy_says_when_to_come_again() {
    let busy = |seconds: &str| format!("HTTP/1.1 503 No\r\nretry-after: {seconds}\r\ncontent-length: 0\r\n\r\n");
    for (said, least) in [("40", 41), ("100000", 301), ("Wed, 21 Oct 2026 07:28:00 GMT", 1)] {
        let answer = busy(said);
        let backend = Backend::start(move |_| Fate::Raw(answer.clone())).await;
        let wait = admit(&policy(&backend, HttpConfig::default()), "pass").await.expect_err("busy").retry_after;
        let range = Duration::from_secs(least)..=Duration::from_secs(least + 4);
        assert!(wait.is_some_and(|wait| range.contains(&wait)), "{said}: {wait:?}");
    }
}

#[tokio::test]
async fn guests_are_not_asked_about_and_do_what_they_may() {
    let backend = Backend::start(|_| yes(json!({"identity": "ann"}))).await;
    let of = |guests| policy(&backend, HttpConfig { guests, ..HttpConfig::default() });
    let guest = ConnectRequest { transport: "ws", ..ConnectRequest::default() };
    let code = |policy: HttpPolicy| {
        let guest = guest.clone();
        async move { chat_core::Policy::admit(&policy, &guest).await.map_err(|reject| reject.code) }
    };
    assert_eq!(code(of(Guests::Allow)).await, Ok(Admission::guest()));
    assert_eq!(code(of(Guests::Read)).await, Ok(Admission::guest()));
    assert_eq!(code(of(Guests::Deny)).await, Err(RejectCode::BadToken));
    assert_eq!(backend.count(), 0);
    let session = SessionView::new(SessionId::new(1), "ws");
    let reads = of(Guests::Read);
    let check = |session: SessionView, command| {
        let reads = &reads;
        async move { chat_core::Policy::check(reads, &session, command).await.map_err(|reject| reject.code) }
    };
    let nick: Nick = "Eve".parse().expect("a nick");
    let create = Command::create(nick);
    assert_eq!(check(session.clone(), create.clone()).await.err(), Some(RejectCode::Forbidden));
    assert!(check(session.with_identity(ann()), create).await.is_ok());
}

/// As a client has it: its connection is refused for now, and a token that is none is never sent on.
#[tokio::test]
async fn a_client_of_an_engine_is_told_to_come_again_while_the_backend_is_down() {
    let backend = Backend::start(|question| match question["credential"].as_str() {
        Some("ann") => yes(json!({"identity": "ann", "nick": "Ann"})),
        _ => Fate::Says(500, String::new()),
    })
    .await;
    let engine = Engine::builder().policy(std::sync::Arc::new(policy(&backend, HttpConfig::default()))).build();
    let connect = |token: &str| {
        let hello = Hello { token: Some(AccessToken::parse(token).expect("a token")), ..Hello::default() };
        engine.connect(ConnectRequest { transport: "ws", ..ConnectRequest::default() }, hello)
    };
    let refusal = connect("bob").await.map(drop).expect_err("nobody can say who that is");
    assert_eq!(refusal.reject.code, RejectCode::Unavailable);
    assert!(refusal.reconnect_after.is_some());
    let known = connect("ann").await.expect("she is known");
    known.call(Command::create("x".parse().expect("a nick"))).await.expect("she may");
    assert_eq!(engine.sessions_here(&ann()).len(), 1);
}

#[test]
fn what_cannot_be_asked_is_refused_at_once_and_no_secret_is_shown() {
    for url in ["", "backend", "ftp://backend/", "http://", "http://a:qzx@b/", "//backend/"] {
        let refused = HttpPolicy::new(url, HttpConfig::default()).expect_err(url);
        assert!(matches!(refused, EndpointError::Url) && !refused.to_string().contains("qzx"), "{url}");
    }
    for text in ["", "fifteen letters", "sixteen letters!", "0123456789abcde\n", &"x".repeat(1_025)] {
        let good = text.len() == 16 && !text.contains([' ', '\n']);
        assert_eq!(Secret::parse(text).is_ok(), good, "{text}");
    }
    let secret = Some(Secret::parse("qzx-0123456789abcdef").expect("a secret"));
    let config = HttpConfig { secret: secret.clone(), ..HttpConfig::default() };
    let policy = HttpPolicy::new("http://backend/", config.clone()).expect("a valid URL");
    assert!(!format!("{secret:?} {config:?} {policy:?}").contains("qzx"));
}
