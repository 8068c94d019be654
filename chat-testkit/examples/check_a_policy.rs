//! A policy of one's own, and how it is checked: alone with commands of every kind, and behind an engine with people.
//!
//! `cargo run -p chat-testkit --example check_a_policy`; `PROPTEST_CASES=100000` tries more commands.

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{
    Admission, Body, Command, ConnectRequest, Connection, Engine, Hello, Identity, Key, Nick, Policy, Reject,
    RejectCode, RoomCode, ServerFrame, SessionId, SessionView,
};
use chat_testkit::strategies::{any_command, cases};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Texts are at most so long.
const CHARS_MAX: usize = 4_000;

/// Lets in whoever shows a pass, takes addresses of other sites out of messages, and leaves topics to signed-in people.
struct HouseRules;

#[async_trait]
impl Policy for HouseRules {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        match request.credentials.as_deref() {
            None => Ok(Admission::guest()),
            Some(shown) => match shown.strip_prefix("pass-").and_then(Identity::new) {
                Some(identity) => Ok(Admission::of(identity)),
                None => Err(Reject::new(RejectCode::BadToken, "that is no pass of this house")),
            },
        }
    }

    async fn check(&self, session: &SessionView, command: Command) -> Result<Command, Reject> {
        match &command {
            Command::Send { text, .. } => {
                let text = without_addresses(text)?;
                Ok(command.with_text(text))
            }
            Command::SetTopic { .. } if session.identity.is_none() => {
                Err(Reject::new(RejectCode::Forbidden, "guests do not set topics"))
            }
            _ => Ok(command),
        }
    }
}

fn without_addresses(text: &Body) -> Result<Body, Reject> {
    if !text.as_str().contains("://") {
        return Ok(text.clone());
    }
    let words: Vec<&str> = text.as_str().split(' ').map(|word| if word.contains("://") { "…" } else { word }).collect();
    Body::parse(&words.join(" "), CHARS_MAX)
}

/// Whatever comes in, what goes through is the same kind of command about the same room, and passes a second look unchanged.
fn only_texts_change() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime needs nothing");
    let view = SessionView::new(SessionId::new(1), "ws").with_identity(Identity::new("ann").expect("not empty"));
    let mut runner = TestRunner::new(Config { cases: cases(1_000), failure_persistence: None, ..Config::default() });
    let result = runner.run(&any_command(CHARS_MAX), |command| {
        let check = |command| runtime.block_on(HouseRules.check(&view, command));
        let once = check(command.clone()).map_err(|reject| TestCaseError::fail(reject.to_string()))?;
        match (&command, &once) {
            (Command::Send { room, key, .. }, Command::Send { room: same_room, key: same_key, text, .. }) => {
                assert_eq!((room, key), (same_room, same_key));
                assert!(!text.as_str().contains("://"), "{text:?}");
            }
            _ => assert_eq!(command, once),
        }
        assert_eq!(check(once.clone()), Ok(once));
        Ok(())
    });
    result.expect("the policy holds for every command");
}

/// What people see of it: rewritten texts, retries that are still recognised, refusals by code.
async fn people_see_it() {
    let engine = Engine::builder().policy(Arc::new(HouseRules)).build();
    let with = |shown: &str| ConnectRequest { credentials: Some(shown.to_owned()), ..ConnectRequest::default() };
    let stranger = engine.connect(with("a forged pass"), Hello::default()).await;
    assert_eq!(stranger.expect_err("turned away").reject.code, RejectCode::BadToken);

    let ann = engine.connect(with("pass-ann"), Hello::default()).await.expect("Ann has a pass");
    let mut bob = engine.connect(ConnectRequest::default(), Hello::default()).await.expect("guests come in");
    let room = RoomCode::parse("LUNCH").expect("a code");
    let nick = |text| Nick::parse(text).expect("a nick");
    ann.call(Command::create(nick("Ann")).with_room(room.clone())).await.expect("the name is free");
    let join = Command::join(room.clone(), nick("Bob"));
    bob.call(join).await.expect("the room is there");

    let text = Body::parse("see http://example.org now", CHARS_MAX).expect("a text");
    let send = Command::send(room.clone(), text).with_key(Key::parse("k1").ok());
    let first = ann.call(send.clone()).await.expect("said");
    assert_eq!(ann.call(send).await.expect("answered again"), first, "a retry is known by what the client sent");
    assert_eq!(next_message(&mut bob).await, "see … now");

    let topic = chat_core::Topic::parse("Pizza").expect("a topic");
    let refused = bob.call(Command::set_topic(room, topic)).await;
    assert_eq!(refused.expect_err("a guest").code, RejectCode::Forbidden);
}

async fn next_message(session: &mut Connection) -> String {
    loop {
        if let ServerFrame::Message(message) = session.next().await {
            return message.text;
        }
    }
}

fn main() {
    only_texts_change();
    println!("only texts change");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime needs nothing").block_on(people_see_it());
    println!("people see it");
}

#[test]
fn the_policy_changes_texts_and_nothing_else() {
    only_texts_change();
}

#[test]
fn people_see_what_the_policy_says() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime needs nothing").block_on(people_see_it());
}
