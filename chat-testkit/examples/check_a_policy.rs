//! A policy of one's own, and how it is checked: alone with commands of every kind, and behind an engine with people.
//!
//! `cargo run -p chat-testkit --example check_a_policy`; `PROPTEST_CASES=100000` tries more commands.

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{
    Admission, Body, Command, ConnectRequest, Connection, Data, Engine, Hello, Identity, Key, MemberChange, Nick,
    PersonData, Policy, ReactionName, Reject, RejectCode, RoomCode, Seq, ServerFrame, SessionId, SessionView,
    SignalData, SignalName, Topic,
};
use chat_testkit::strategies::{any_command, cases};
use proptest::test_runner::{Config, TestRunner};

/// Texts are at most so long.
const CHARS_MAX: usize = 4_000;

/// Lets in whoever shows a pass, keeps addresses of other sites out of all that people say and show, and leaves topics to signed-in
/// people.
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

    /// Texts lose their addresses; a name, a topic or data with one is refused.
    async fn check(&self, session: &SessionView, command: Command) -> Result<Command, Reject> {
        match &command {
            Command::Send { text, data, .. } | Command::Edit { text, data, .. } => {
                plain_json(data.as_ref().map(Data::as_str))?;
                let text = without_addresses(text)?;
                Ok(command.with_text(text))
            }
            Command::Live { text: Some(text), .. } => {
                let text = without_addresses(text)?;
                Ok(command.with_live_text(text))
            }
            Command::SetTopic { .. } if session.identity.is_none() => {
                Err(Reject::new(RejectCode::Forbidden, "guests do not set topics"))
            }
            Command::SetTopic { topic, .. } => plain("topic", topic.as_str()).map(|()| command),
            Command::Create { nick, data, .. } | Command::Join { nick, data, .. } => {
                plain("nick", nick.as_str())?;
                plain_json(data.as_ref().map(PersonData::as_str)).map(|()| command)
            }
            Command::Me { change, .. } => {
                plain("nick", change.nick.as_ref().map_or("", Nick::as_str))?;
                plain_json(change.data.iter().flatten().map(PersonData::as_str)).map(|()| command)
            }
            Command::React { name, .. } => plain("name", name.as_str()).map(|()| command),
            Command::Signal { name, data, .. } => {
                plain("name", name.as_str())?;
                plain_json(data.as_ref().map(SignalData::as_str)).map(|()| command)
            }
            // The others carry no words. A later version may have more that do: look at this list with each.
            _ => Ok(command),
        }
    }
}

/// A text that needs no change is passed on as it is: that of a message with data alone is empty, and `parse` takes no empty text.
fn without_addresses(text: &Body) -> Result<Body, Reject> {
    if !has_address(text.as_str()) {
        return Ok(text.clone());
    }
    let words: Vec<&str> = text.as_str().split(' ').map(|word| if has_address(word) { "…" } else { word }).collect();
    Body::parse(&words.join(" "), CHARS_MAX)
}

fn has_address(text: &str) -> bool {
    text.contains("://")
}

fn plain(field: &'static str, text: &str) -> Result<(), Reject> {
    match has_address(text) {
        true => Err(Reject::bad_field(field, format!("{field} holds an address"))),
        false => Ok(()),
    }
}

/// Behind an escape an address would not be seen (`:\/\/`), so there are none.
fn plain_json<'a>(data: impl IntoIterator<Item = &'a str>) -> Result<(), Reject> {
    match data.into_iter().any(|json| has_address(json) || json.contains('\\')) {
        true => Err(Reject::bad_field("data", "data holds an address, or an escape")),
        false => Ok(()),
    }
}

/// What the house says of a command of Ann's, who is signed in.
fn checked(command: Command) -> Result<Command, Reject> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime needs nothing");
    let ann = SessionView::new(SessionId::new(1), "ws").with_identity(Identity::new("ann").expect("not empty"));
    runtime.block_on(HouseRules.check(&ann, command))
}

/// Whatever comes in, what goes through is the same kind of command about the same room, and passes a second look unchanged.
fn only_texts_change() {
    let mut runner = TestRunner::new(Config { cases: cases(1_000), failure_persistence: None, ..Config::default() });
    let result = runner.run(&any_command(CHARS_MAX), |command| {
        let once = match checked(command.clone()) {
            Ok(once) => once,
            Err(reject) => {
                assert_eq!(reject.code, RejectCode::BadField, "{command:?}: {reject}");
                return Ok(());
            }
        };
        match &once {
            Command::Send { text, .. } | Command::Edit { text, .. } => {
                assert_eq!(once, command.with_text(text.clone()));
            }
            Command::Live { text, .. } => assert_eq!(once, command.with_live_text(text.clone())),
            _ => assert_eq!(once, command),
        }
        assert!(!format!("{once:?}").contains("://"), "{once:?}");
        assert_eq!(checked(once.clone()), Ok(once));
        Ok(())
    });
    result.expect("the policy holds for every command");
}

/// Of every command that carries words one with an address in each of them: rewritten, or refused by the field.
fn addresses_get_nowhere() {
    const ADDRESS: &str = "http://example.org";
    let room = || RoomCode::parse("LUNCH").expect("a code");
    let text = || Body::parse("see http://example.org now", CHARS_MAX).expect("a text");
    let data = |json: &str| Data::parse(json, 4_096).expect("data");
    let shown = || PersonData::parse(r#"{"a":"http://example.org"}"#).expect("data");
    let (ann, nick) = (|| Nick::parse("Ann").expect("a nick"), || Nick::parse(ADDRESS).expect("a nick"));
    let signal = |name: &str, json: &str| {
        let name = SignalName::parse(name).expect("a name");
        Command::signal(room(), name, SignalData::parse(json).expect("data"))
    };

    for command in
        [Command::send(room(), text()), Command::edit(room(), Seq(3), text()), Command::live(room(), Seq(3), text())]
    {
        let passed = format!("{:?}", checked(command).expect("rewritten"));
        assert!(passed.contains("see … now") && !passed.contains("://"), "{passed}");
    }
    for (field, command) in [
        ("data", Command::send(room(), Body::empty()).with_data(data(r#"{"a":"http://example.org"}"#))),
        ("data", Command::edit(room(), Seq(3), text()).with_data(data(r#"{"a":"http:\/\/example.org"}"#))),
        ("topic", Command::set_topic(room(), Topic::parse(ADDRESS).expect("a topic"))),
        ("nick", Command::create(nick())),
        ("data", Command::create(ann()).with_person_data(shown())),
        ("nick", Command::join(room(), nick())),
        ("data", Command::join(room(), ann()).with_person_data(shown())),
        ("nick", Command::me(room(), MemberChange::new().nick(nick()))),
        ("data", Command::me(room(), MemberChange::new().data(shown()))),
        ("name", Command::react(room(), Seq(3), ReactionName::parse(ADDRESS).expect("a name"))),
        ("name", signal(ADDRESS, "1")),
        ("data", signal("hand", r#"["http://example.org"]"#)),
    ] {
        let refused = checked(command.clone()).expect_err("an address");
        assert_eq!((refused.code, refused.field), (RejectCode::BadField, Some(field)), "{command:?}");
    }
    let alone = Command::send(room(), Body::empty()).with_data(data(r#"{"kind":"wave"}"#));
    assert_eq!(checked(alone.clone()), Ok(alone), "data alone is a message too");
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

    let text = |text| Body::parse(text, CHARS_MAX).expect("a text");
    let send = Command::send(room.clone(), text("see http://example.org now")).with_key(Key::parse("k1").ok());
    let first = ann.call(send.clone()).await.expect("said");
    assert_eq!(ann.call(send).await.expect("answered again"), first, "a retry is known by what the client sent");
    let (said, target) = next_text(&mut bob).await;
    assert_eq!(said, "see … now");
    let edit = Command::edit(room.clone(), target, text("or ftp://example.org"));
    ann.call(edit).await.expect("changed");
    assert_eq!(next_text(&mut bob).await, ("or …".to_owned(), target));

    let topic = Topic::parse("Pizza").expect("a topic");
    let refused = bob.call(Command::set_topic(room, topic)).await;
    assert_eq!(refused.expect_err("a guest").code, RejectCode::Forbidden);
}

/// What the next message says, or one from now on, and its number.
async fn next_text(session: &mut Connection) -> (String, Seq) {
    loop {
        match session.next().await {
            ServerFrame::Message(message) => return (message.text, message.seq),
            ServerFrame::Edited { target: Some(target), text: Some(text), .. } => return (text, target),
            _ => {}
        }
    }
}

fn main() {
    only_texts_change();
    println!("only texts change");
    addresses_get_nowhere();
    println!("addresses get nowhere");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime needs nothing").block_on(people_see_it());
    println!("people see it");
}

#[test]
fn the_policy_changes_texts_and_nothing_else() {
    only_texts_change();
}

#[test]
fn the_policy_looks_at_every_command_that_carries_words() {
    addresses_get_nowhere();
}

#[test]
fn people_see_what_the_policy_says() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime needs nothing").block_on(people_see_it());
}
