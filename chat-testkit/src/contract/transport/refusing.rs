//! Every refusal that a client can run into, by its code.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{Admission, ConnectRequest, Identity, Policy, Reject};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::frames::{number, text};
use super::{Resume, TestClient, TestServer, TransportHarness};
use crate::logs::{Call, Delay, Fault, FaultyLog, MemoryLog, Operation, Outcome};

/// The connection goes on after each frame that is none.
pub async fn what_is_no_command_is_refused_by_name<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    for (nonsense, code) in [
        (json!(5), "bad_frame"),
        (json!([{"type": "leave", "room": "LUNCH"}]), "bad_frame"),
        (json!({"type": "dance"}), "unknown_type"),
        (json!({"type": "ack", "room": "LUNCH", "seq": 1}), "unknown_type"),
        (json!({"type": "hello"}), "unknown_type"),
    ] {
        assert_eq!(ann.code(nonsense.clone()).await, code, "{nonsense}");
    }
    assert_eq!(ann.say("LUNCH", "hi").await, 2);
}

/// A bad field is refused by its name, whatever is wrong with it; one that is too long with its limit.
pub async fn a_field_that_is_wrong_is_named<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    for (command, field) in [
        (json!({"type": "send", "text": "hi"}), "room"),
        (json!({"type": "send", "room": "a b", "text": "hi"}), "room"),
        (json!({"type": "send", "room": "LUNCH"}), "text"),
        (json!({"type": "send", "room": "LUNCH", "text": ""}), "text"),
        (json!({"type": "send", "room": "LUNCH", "text": 5}), "text"),
        (json!({"type": "send", "room": "LUNCH", "text": "\u{0}"}), "text"),
        (json!({"type": "send", "room": "LUNCH", "text": "hi", "key": "é"}), "key"),
        (json!({"type": "join", "room": "DINNER"}), "nick"),
        (json!({"type": "join", "room": "DINNER", "nick": "\u{202e}"}), "nick"),
        (json!({"type": "join", "room": "DINNER", "nick": "\u{2800}"}), "nick"),
        (json!({"type": "join", "room": "DINNER", "nick": "Ann\u{2d7f}"}), "nick"),
        (json!({"type": "topic", "room": "LUNCH", "topic": "a\nb"}), "topic"),
        (json!({"type": "topic", "room": "LUNCH", "topic": "\u{202e}a"}), "topic"),
        (json!({"type": "join", "room": "DINNER", "nick": "Ann", "after": "17"}), "after"),
        (json!({"type": "join", "room": "DINNER", "nick": "Ann", "history": -1}), "history"),
        (json!({"type": "history", "room": "LUNCH", "before": "x"}), "before"),
        (json!({"type": "typing", "room": "LUNCH"}), "on"),
        (json!({"type": "kick", "room": "LUNCH"}), "member"),
        (json!({"type": "redact", "room": "LUNCH"}), "target"),
    ] {
        let error = ann.refused(command.clone()).await;
        assert_eq!((text(&error, "code"), text(&error, "field")), ("bad_field".into(), field.into()), "{command}");
    }
    for (command, field, limit) in [
        (json!({"type": "create", "nick": "n".repeat(33)}), "nick", 32),
        (json!({"type": "create", "nick": "Ann", "room": "R".repeat(33)}), "room", 32),
        (json!({"type": "topic", "room": "LUNCH", "topic": "t".repeat(201)}), "topic", 200),
        (json!({"type": "send", "room": "LUNCH", "text": "hi", "key": "k".repeat(65)}), "key", 64),
    ] {
        let error = ann.refused(command.clone()).await;
        assert_eq!((text(&error, "code"), text(&error, "field")), ("too_long".into(), field.into()), "{command}");
        assert_eq!(number(&error, "limit"), limit);
    }
    assert_eq!(ann.say("LUNCH", "hi").await, 2, "nothing has changed");
}

/// Where the number itself is wrong, as far as it can be read; where it cannot, there is none.
pub async fn a_wrong_number_comes_back_with_its_refusal<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    for (id, read) in [
        (json!(9_007_199_254_740_992_u64), json!(9_007_199_254_740_992_u64)),
        (json!("7"), json!(7)),
        (json!(7.0), json!(7)),
        (json!(-7), Value::Null),
        (json!("seven"), Value::Null),
    ] {
        let error = ann.refused_as_it_is(json!({"type": "send", "id": id, "room": "LUNCH", "text": "hi"})).await;
        assert_eq!((&error["code"], &error["field"], &error["id"]), (&json!("bad_field"), &json!("id"), &read), "{id}");
    }
    assert_eq!(ann.say("LUNCH", "hi").await, 2, "nothing has changed");
}

/// Whatever its browser sends for it; and one of the same host is not.
pub async fn a_page_of_another_site_is_refused_before_anything_is_done<D: TransportHarness>() {
    const HOST: &str = "chat.example.org:8080";
    let server = TestServer::<D>::open().await;
    for headers in [
        &[("Origin", "https://evil.test")][..],
        &[("Origin", "http://chat.example.org")],
        &[("Origin", "null")],
        &[("Origin", "http://chat.example.org:8080"), ("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", "https://chat.example.org"), ("X-Forwarded-Host", "chat.example.org")],
    ] {
        let statuses = server.harness.knock(HOST, headers).await;
        assert!(statuses.iter().all(|status| *status == 403), "{headers:?}: {statuses:?}");
    }
    assert_eq!((server.engine.stats().sessions, server.engine.rooms().len()), (0, 0));
    for headers in [
        &[][..],
        &[("Origin", "https://chat.example.org:8080"), ("Sec-Fetch-Site", "same-origin")],
        &[("Sec-Fetch-Site", "none")],
    ] {
        let statuses = server.harness.knock(HOST, headers).await;
        assert!(statuses.iter().all(|status| *status != 403), "{headers:?}: {statuses:?}");
    }
}

/// A code without a room is refused, to who would come in and to whatever else is asked there.
pub async fn a_room_that_is_not_there_is_not_found<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let mut ann = server.client().await;
    for command in [
        json!({"type": "join", "room": "NOWHERE", "nick": "Ann"}),
        json!({"type": "send", "room": "NOWHERE", "text": "hi"}),
        json!({"type": "history", "room": "NOWHERE"}),
        json!({"type": "leave", "room": "NOWHERE"}),
    ] {
        let error = ann.refused(command).await;
        assert_eq!((&error["code"], &error["room"]), (&json!("room_not_found"), &json!("NOWHERE")));
    }
}

/// A room is taken by its name, a nick by how it looks, and a session is in a room once.
pub async fn names_and_nicks_are_taken_once<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let mut bob = server.client().await;
    assert_eq!(bob.code(json!({"type": "create", "room": "Lunch", "nick": "Bob"})).await, "name_taken");
    for nick in ["Ann", "ann", "\u{410}nn"] {
        let error = bob.refused(json!({"type": "join", "room": "LUNCH", "nick": nick})).await;
        assert_eq!((&error["code"], &error["field"]), (&json!("nick_taken"), &json!("nick")), "{nick}");
    }
    assert_eq!(ann.code(json!({"type": "join", "room": "LUNCH", "nick": "Ann"})).await, "already_member");
    bob.join("LUNCH", "Bob").await;
    assert_eq!(ann.told().await, "2 +Bob", "who was refused has not been there");
}

/// A nick is one to the eye: capitals look like others than their small letters do. Two that only share a letter are two.
pub async fn who_looks_like_a_member_is_not_let_in<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let mut ann = server.client().await;
    ann.create("LUNCH", "Bill").await;
    let mut others = server.client().await;
    for (nick, code) in [
        ("BiIl", "nick_taken"),
        ("B\u{456}ll", "nick_taken"),  // a Cyrillic i
        ("Bi\u{2160}l", "nick_taken"), // a Roman one
        ("Bill\u{2800}", "bad_field"),
        ("Bill\u{200d}", "bad_field"),
    ] {
        assert_eq!(others.code(json!({"type": "join", "room": "LUNCH", "nick": nick})).await, code, "{nick}");
    }
    others.join("LUNCH", "biil").await;
    assert_eq!(ann.told().await, "2 +biil");
}

/// Whose holder has no connection, and may be the newcomer before: the refusal says when, and is true.
pub async fn a_nick_whose_holder_is_away_is_free_after_the_grace<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.grace = Duration::from_secs(1)).await;
    let [_ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let mut again = server.client().await;
    let join = json!({"type": "join", "room": "LUNCH", "nick": "Bob"});
    assert_eq!(again.refused(join.clone()).await.get("retry_after_ms"), None, "he is here");
    bob.cut().await;
    let mut waited = 0;
    super::test_client::within(async {
        loop {
            let answer = again.ask(join.clone()).await;
            if answer["type"] != "error" {
                break;
            }
            assert_eq!(answer["code"], "nick_taken");
            // None as long as the loss is not noticed.
            if answer.get("retry_after_ms").is_some() {
                let wait = number(&answer, "retry_after_ms");
                assert!((1..=1_000).contains(&wait), "{answer}");
                waited += 1;
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(waited > 0, "he was away before he had left");
}

/// Who is not in a room can do nothing there, by no command.
pub async fn who_is_not_a_member_may_do_nothing<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    let mut bob = server.client().await;
    for command in [
        json!({"type": "send", "room": "LUNCH", "text": "hi"}),
        json!({"type": "leave", "room": "LUNCH"}),
        json!({"type": "history", "room": "LUNCH"}),
        json!({"type": "members", "room": "LUNCH"}),
        json!({"type": "typing", "room": "LUNCH", "on": true}),
        json!({"type": "redact", "room": "LUNCH", "target": 1}),
        json!({"type": "kick", "room": "LUNCH", "member": 1}),
        json!({"type": "ban", "room": "LUNCH", "member": 1}),
        json!({"type": "topic", "room": "LUNCH", "topic": "Bob's"}),
    ] {
        assert_eq!(bob.code(command.clone()).await, "not_member", "{command}");
    }
    assert_eq!(ann.say("LUNCH", "hi").await, 2);
}

/// A number that no member or message has is refused as such.
pub async fn whom_and_what_nobody_knows_is_not_found<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    for (command, code) in [
        (json!({"type": "kick", "room": "LUNCH", "member": 7}), "member_not_found"),
        (json!({"type": "ban", "room": "LUNCH", "member": 7}), "member_not_found"),
        (json!({"type": "redact", "room": "LUNCH", "target": 99}), "message_not_found"),
        (json!({"type": "redact", "room": "LUNCH", "target": 1}), "message_not_found"),
    ] {
        assert_eq!(ann.code(command.clone()).await, code, "{command}");
    }
}

/// A full room lets nobody in until a member has gone.
pub async fn a_full_room_lets_nobody_in<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.members_max = 2).await;
    let [_ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let mut cid = server.client().await;
    let error = cid.refused(json!({"type": "join", "room": "LUNCH", "nick": "Cid"})).await;
    assert_eq!((text(&error, "code"), number(&error, "limit")), ("room_full".to_owned(), 2));
    bob.done(json!({"type": "leave", "room": "LUNCH"})).await;
    cid.join("LUNCH", "Cid").await;
}

/// Everybody is the same person.
struct OnePerson;

#[async_trait]
impl Policy for OnePerson {
    async fn admit(&self, _: &ConnectRequest) -> Result<Admission, Reject> {
        Ok(Admission::of(Identity::new("ann").expect("an identity")))
    }
}

/// Devices of one person are one member, told once, and both see everything.
pub async fn a_person_has_so_many_attachments_and_no_more<D: TransportHarness>() {
    let server =
        TestServer::<D>::build(|limits| limits.room.attachments_max = 2, |engine| engine.policy(Arc::new(OnePerson)))
            .await;
    let (mut phone, mut laptop, mut watch) = (server.client().await, server.client().await, server.client().await);
    phone.create("LUNCH", "Ann").await;
    let joined = laptop.join("LUNCH", "Somebody").await;
    assert_eq!(
        (&joined["you"]["nick"], &joined["members_total"], &joined["seq"]),
        (&json!("Ann"), &json!(1), &json!(1))
    );
    let error = watch.refused(json!({"type": "join", "room": "LUNCH", "nick": "Ann"})).await;
    assert_eq!((text(&error, "code"), number(&error, "limit")), ("too_many_attachments".to_owned(), 2));
    phone.say("LUNCH", "hi").await;
    for device in [&mut phone, &mut laptop] {
        assert_eq!(device.told().await, "2 Ann: hi");
    }
}

/// At the bound on rooms no other is made, and those that are there go on.
pub async fn a_full_server_makes_no_rooms<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.engine.rooms_max = 1).await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    for create in [json!({"type": "create", "nick": "Ann"}), json!({"type": "create", "nick": "Ann", "room": "DINNER"})]
    {
        let error = ann.refused(create).await;
        assert_eq!((text(&error, "code"), number(&error, "limit")), ("at_capacity".to_owned(), 1));
    }
    ann.say("LUNCH", "hi").await;
}

/// A full server turns clients away until a connection has gone.
pub async fn a_full_server_turns_clients_away<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.engine.connections_max = 1).await;
    let ann = server.client().await;
    assert_eq!(server.turned_away(None).await, "at_capacity");
    let trail = ann.trail();
    let ann = server.back(&trail).await;
    assert_eq!(ann.welcome["resumed"], true, "who takes over a connection has its place");
}

/// A server without a place turns away whoever comes, also who was there before.
pub async fn who_finds_no_place_is_told_when_to_come_back<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.engine.connections_max = 1).await;
    let trail = server.client().await.cut().await;
    super::test_client::within(async {
        while server.engine.stats().sessions > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let _bob = server.client().await;
    for resume in [None, Some(trail.resume())] {
        assert_eq!(server.put_off(resume).await, ("at_capacity".to_owned(), 4005));
    }
}

/// A resume that names no position is shown its rooms afresh, and nobody can refuse that to who is in.
pub async fn who_was_shown_too_much_is_told_when_to_come_back<D: TransportHarness>() {
    let server = TestServer::<D>::build(
        |limits| {
            let engine = &mut limits.engine;
            (engine.address_answered_bytes_burst, engine.address_answered_bytes_per_second) = (2_000, 1_000);
        },
        |engine| engine.policy(Arc::new(OnePerson)),
    )
    .await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    ann.say("LUNCH", &"x".repeat(4_000)).await;
    let trail = ann.cut().await.without_positions();
    let mut again = server.back(&trail).await;
    assert_eq!(again.told().await, "joined 2 as 1");
    assert_eq!(server.put_off(Some(trail.resume())).await, ("rate_limited".to_owned(), 4005));
    again.say("LUNCH", "the connection before it goes on").await;
}

/// Somebody says something on a task of its own; returns who, and the answer.
async fn says<D: TransportHarness>(mut client: TestClient<D::Client>, said: String) -> (TestClient<D::Client>, Value) {
    let answer = client.ask(json!({"type": "send", "room": "LUNCH", "text": said})).await;
    (client, answer)
}

/// What was refused as `busy` is not said; what was taken is.
pub async fn a_room_with_too_much_to_do_is_busy<D: TransportHarness>() {
    let log = Arc::new(FaultyLog::new(MemoryLog::new()));
    let server = TestServer::<D>::over(Arc::clone(&log) as _, |limits| limits.room.inbox_max = 1).await;
    let [mut ann, bob, cid, dan] = server.people("LUNCH", ["Ann", "Bob", "Cid", "Dan"]).await;
    log.push(Operation::Append, Fault { before: Delay::UntilReleased, ..Fault::default() });
    let mut saying = JoinSet::new();
    let first = tokio::spawn(says::<D>(bob, "Bob".to_owned()));
    super::test_client::within(async {
        while log.stalled() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // While the room waits for its log, its inbox holds one of these.
    saying.spawn(says::<D>(cid, "Cid".to_owned()));
    saying.spawn(says::<D>(dan, "Dan".to_owned()));
    let (_refused, answer) = saying.join_next().await.expect("two are saying something").expect("no panic");
    assert_eq!(answer["code"], "busy");
    assert_eq!(log.release_all(), 1);
    let (_taken, answer) = saying.join_next().await.expect("one is left").expect("no panic");
    assert_eq!(answer["seq"], 6);
    assert_eq!(first.await.expect("no panic").1["seq"], 5);
    assert_eq!(ann.say("LUNCH", "Ann").await, 7);
    ann.read_to("LUNCH", 7).await;
}

/// A room is unavailable while its log is, and there again when its log is; what was refused is not said.
pub async fn a_room_that_cannot_write_is_unavailable<D: TransportHarness>() {
    let log = Arc::new(FaultyLog::new(MemoryLog::new()));
    let server = TestServer::<D>::over(Arc::clone(&log) as _, |_| {}).await;
    let [mut ann, mut bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    log.plan(|call: &Call| {
        (call.operation == Operation::Append).then(|| Fault { outcome: Outcome::Fails, ..Fault::default() })
    });
    assert_eq!(ann.code(json!({"type": "send", "room": "LUNCH", "text": "lost"})).await, "unavailable");
    log.heal();
    let seq = super::test_client::within(async {
        loop {
            let answer = ann.ask(json!({"type": "send", "room": "LUNCH", "text": "kept"})).await;
            if answer["type"] == "ack" {
                break number(&answer, "seq");
            }
            assert_eq!(answer["code"], "unavailable");
        }
    })
    .await;
    assert_eq!((seq, bob.told_to("LUNCH", 3).await), (3, vec!["3 Ann: kept".to_owned()]));
}

/// The `welcome` is that of another session, and the code comes after it.
pub async fn a_token_of_nobody_is_refused_and_a_new_session_begins<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let ann = server.client().await;
    let other = TestServer::<D>::open().await.client().await;
    for token in [other.token(), "nonsense".to_owned()] {
        let (mut client, code) =
            TestClient::with_bad_token(&server.harness, Resume { token, positions: Vec::new(), catch_up: None }).await;
        assert_eq!(code, "bad_token");
        assert_ne!(client.welcome["session"], ann.welcome["session"]);
        client.enter(json!({"type": "create", "nick": "Ann"})).await;
    }
}
