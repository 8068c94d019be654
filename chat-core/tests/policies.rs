//! The embedder's rules over commands: denied, rewritten, slow, and failing.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chat_core::{
    Admission, CloseReason, Command, ConnectRequest, Data, Engine, Hello, Key, Nick, Policy, ReactionName, Reject,
    RejectCode, Reply, RoomSecret, Seq, ServerFrame, SessionView, SettingsChange,
};
use support::*;

/// Says no to what holds `spam`, softens `damn`, and thinks as long over `slow` as a database does.
#[derive(Default)]
struct Moderate {
    asked: AtomicUsize,
}

#[async_trait]
impl Policy for Moderate {
    async fn check(&self, _session: &SessionView, command: Command) -> Result<Command, Reject> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (Command::Send { text, .. } | Command::Edit { text, .. }) = &command else { return Ok(command) };
        if text.as_str().contains("slow") {
            tokio::time::sleep(secs(1)).await;
        }
        if text.as_str().contains("spam") {
            return Err(Reject::new(RejectCode::Forbidden, "no spam"));
        }
        let softer = body(&text.as_str().replace("damn", "darn"));
        Ok(command.with_text(softer))
    }
}

fn moderated() -> (Engine, Arc<Moderate>) {
    let policy = Arc::new(Moderate::default());
    (Engine::builder().policy(policy.clone()).build(), policy)
}

#[tokio::test(start_paused = true)]
async fn a_denied_command_is_refused_and_not_said() {
    let (engine, _) = moderated();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let reject = ann.refused(send("LUNCH", "buy spam")).await;
    assert_eq!((reject.code, reject.message.as_ref()), (RejectCode::Forbidden, "no spam"));
    ann.submit(send("LUNCH", "spam"));
    ann.submit(send("LUNCH", "ham"));
    assert_eq!(ann.told().await, ["error forbidden", "ack 2", "2 Ann: ham"]);
    assert!(ann.session.can_submit());
}

#[tokio::test(start_paused = true)]
async fn a_rewritten_message_is_told_so_and_its_retry_is_recognised() {
    let (engine, _) = moderated();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    assert_eq!(acked(ann.session.call(send_keyed("LUNCH", "damn", "k")).await), 2);
    assert_eq!(ann.told().await, ["2 Ann: darn #k"]);
    assert_eq!(acked(ann.session.call(send_keyed("LUNCH", "damn", "k")).await), 2, "as the client sent it");
    let conflict = ann.refused(send_keyed("LUNCH", "darn", "k")).await;
    assert_eq!(conflict.code, RejectCode::KeyConflict);
    assert_eq!(ann.told().await, Vec::<String>::new());
}

/// Says no to `spam`, and has everybody who likes something like it in one way.
struct OneThumb;

#[async_trait]
impl Policy for OneThumb {
    async fn check(&self, _session: &SessionView, command: Command) -> Result<Command, Reject> {
        match &command {
            Command::React { name, .. } if name.as_str() == "spam" => {
                Err(Reject::new(RejectCode::Forbidden, "no spam"))
            }
            Command::React { name, .. } if name.as_str() == ":thumbsup:" => Ok(command.with_name(reaction("+1"))),
            _ => Ok(command),
        }
    }
}

fn reaction(name: &str) -> ReactionName {
    ReactionName::parse(name).expect("valid")
}

#[tokio::test(start_paused = true)]
async fn a_reaction_is_denied_or_rewritten_as_any_command() {
    let engine = Engine::builder().policy(Arc::new(OneThumb)).build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let said = Seq(ann.say("LUNCH", "Pizza?").await);
    let react = |name: &str| Command::react(code("LUNCH"), said, reaction(name));
    assert_eq!(ann.refused(react("spam")).await.code, RejectCode::Forbidden);
    assert_eq!(acked(ann.session.call(react(":thumbsup:")).await), 3);
    assert_eq!(acked(ann.session.call(react("+1")).await), 3, "it is there");
    let told = ann.take();
    let shown = told.iter().find_map(|frame| match frame {
        ServerFrame::Reacted { reaction, .. } => {
            reaction.as_ref().map(|change| (change.name.to_string(), change.count))
        }
        _ => None,
    });
    assert_eq!(shown, Some(("+1".to_owned(), 1)));
}

/// Calls everybody by a name that is none, as its own records have it.
struct LongNames;

#[async_trait]
impl Policy for LongNames {
    async fn admit(&self, _request: &ConnectRequest) -> Result<Admission, Reject> {
        Ok(Admission::guest().with_nick(Nick::parse(&"Ann".repeat(11))?))
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_the_policy_got_wrong_is_not_told_as_a_field_of_the_client() {
    let engine = Engine::builder().policy(Arc::new(LongNames)).build();
    let refusal = engine.connect(ConnectRequest::default(), Hello::default()).await.expect_err("no name");
    assert_eq!((refusal.close, refusal.reject.code), (CloseReason::Refused, RejectCode::TooLong));
    assert_eq!(refusal.reject.message, "the server's policy: nick is longer than 32 characters");
    assert_eq!((refusal.reject.field, refusal.reject.limit), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_slow_policy_keeps_the_order_and_holds_up_nobody_else() {
    let (engine, _) = moderated();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    ann.told().await;
    ann.submit(send("LUNCH", "slow"));
    ann.submit(send("LUNCH", "quick"));
    settle().await;
    bob.say("LUNCH", "in between").await;
    assert_eq!(bob.told().await, ["3 Bob: in between"]);
    pass(secs(1)).await;
    assert_eq!(bob.told().await, ["4 Ann: slow", "5 Ann: quick"]);
    assert_eq!(ann.told().await, ["ack 4", "ack 5", "3 Bob: in between", "4 Ann: slow", "5 Ann: quick"]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_policy_dies_with_a_replaced_connection() {
    let (engine, policy) = moderated();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let asked = policy.asked.load(Ordering::Relaxed);
    for _ in 0..3 {
        ann.submit(send("LUNCH", "slow"));
    }
    let (reply, answer) = Reply::channel(None);
    assert!(ann.session.submit(send("LUNCH", "waits"), reply).is_ok());
    settle().await;
    let again = Client::with_hello(&engine, resume(&ann.token(), &[])).await;
    assert!(answer.await.is_err(), "who waits is told at once");
    pass(secs(10)).await;
    assert_eq!(again.told().await, ["welcome back lunch:live:1", "joined 1 as 1"]);
    assert_eq!(policy.asked.load(Ordering::Relaxed) - asked, 1, "the others are not asked about");
    again.say("LUNCH", "quick").await;
}

#[tokio::test(start_paused = true)]
async fn what_the_policy_was_asked_before_a_takeover_hurries_nothing_after_it() {
    let (engine, _) = moderated();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    ann.submit(send("LUNCH", "slow"));
    settle().await;
    let again = Client::with_hello(&engine, resume(&ann.token(), &[])).await;
    again.told().await;
    pass(millis(500)).await;
    again.submit(send("LUNCH", "slow too"));
    again.submit(send("LUNCH", "quick"));
    pass(millis(700)).await;
    assert_eq!(again.told().await, Vec::<String>::new(), "one is over, and this one is not");
    pass(millis(500)).await;
    assert_eq!(again.told().await, ["ack 2", "ack 3", "2 Ann: slow too", "3 Ann: quick"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_too_fast_is_refused_before_the_policy_is_asked() {
    let (engine, policy) = moderated();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let asked = policy.asked.load(Ordering::Relaxed);
    let mut refused = 0;
    for _ in 0..30 {
        refused += usize::from(ann.session.call(send("LUNCH", "ham")).await.is_err());
    }
    assert_eq!((refused, policy.asked.load(Ordering::Relaxed) - asked), (20, 10));
}

/// Panics over `trip`, and never says anything about `hang`; likewise with credentials.
struct Clumsy;

async fn stumble(over: &str) {
    match over {
        "trip" => panic!("a policy that trips"),
        "hang" => std::future::pending().await,
        _ => {}
    }
}

#[async_trait]
impl Policy for Clumsy {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        stumble(request.credentials.as_deref().unwrap_or_default()).await;
        Ok(Admission::default())
    }

    async fn check(&self, _session: &SessionView, command: Command) -> Result<Command, Reject> {
        if let Command::Send { text, .. } = &command {
            stumble(text.as_str()).await;
        }
        Ok(command)
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_panics_or_hangs_harms_one_command() {
    let engine = Engine::builder().policy(Arc::new(Clumsy)).build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    for (number, text) in ["trip", "hang", "trip", "hang"].into_iter().enumerate() {
        let reject = ann.refused(send("LUNCH", text)).await;
        assert_eq!((reject.code, reject.retry_after), (RejectCode::Unavailable, Some(secs(1))), "{text}");
        assert_eq!(ann.say("LUNCH", "still here").await, number as u64 + 2);
    }
    let stats = engine.stats();
    assert_eq!((stats.embedder_panics, stats.embedder_timeouts), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_does_not_wait_for_a_policy_that_hangs() {
    let engine = Engine::builder().policy(Arc::new(Clumsy)).build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    ann.submit(send("LUNCH", "hang"));
    ann.submit(send("LUNCH", "waits behind it"));
    settle().await;
    let again = Client::with_hello(&engine, resume(&ann.token(), &[])).await;
    again.joined().await;
    again.submit(send("LUNCH", "hi"));
    assert_eq!(again.told().await, ["ack 2", "2 Ann: hi"], "at once, and nothing of the older connection");
    pass(secs(20)).await;
    assert_eq!(again.say("LUNCH", "and on").await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_panics_or_hangs_at_the_door_sends_the_client_away_to_come_back() {
    let engine = Engine::builder().policy(Arc::new(Clumsy)).build();
    for credentials in ["trip", "hang"] {
        let refusal = engine.connect(shown(credentials), Hello::default()).await.expect_err("it cannot be asked");
        assert_eq!((refusal.close, refusal.reject.code), (CloseReason::Fault, RejectCode::Unavailable));
        assert_eq!(refusal.reconnect_after, Some(secs(1)));
    }
    Client::of(&engine, "fine").await;
    assert_eq!(engine.stats().sessions, 0, "the one that was let in has gone");
}

/// Thinks for a second over who comes in.
struct Thoughtful;

#[async_trait]
impl Policy for Thoughtful {
    async fn check(&self, _session: &SessionView, command: Command) -> Result<Command, Reject> {
        if matches!(&command, Command::Create { nick, .. } if nick.as_str() == "Slow") {
            tokio::time::sleep(secs(1)).await;
        }
        Ok(command)
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_asked_for_before_a_takeover_does_not_count_after_it() {
    let one_room = limits(|limits| limits.session.rooms_max = 1);
    let engine = Engine::builder().limits(one_room).policy(Arc::new(Thoughtful)).build();
    let ann = Client::new(&engine).await;
    ann.submit(create("LUNCH", "Slow"));
    settle().await;
    let again = Client::with_hello(&engine, resume(&ann.token(), &[])).await;
    pass(secs(2)).await;
    again.session.call(create("DINNER", "Ann")).await.expect("she is in no room");
}

/// Refuses whoever shows a code, with that code; and thinks for a second over `slow`.
struct Doorkeeper;

#[async_trait]
impl Policy for Doorkeeper {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let code = match request.credentials.as_deref() {
            Some("draining") => RejectCode::Draining,
            Some("busy") => RejectCode::Busy,
            Some("limited") => RejectCode::RateLimited,
            Some("full") => RejectCode::AtCapacity,
            Some("no") => RejectCode::Forbidden,
            Some("slow") => {
                tokio::time::sleep(secs(1)).await;
                return Ok(Admission::default());
            }
            _ => return Ok(Admission::default()),
        };
        Err(Reject::new(code, "no").retry_after(secs(7)))
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_policy_says_at_the_door_is_how_the_connection_ends() {
    let engine = Engine::builder().policy(Arc::new(Doorkeeper)).build();
    for (credentials, close, wait) in [
        ("draining", CloseReason::Draining, Some(secs(7))),
        ("busy", CloseReason::AtCapacity, Some(secs(7))),
        ("limited", CloseReason::AtCapacity, Some(secs(7))),
        ("full", CloseReason::AtCapacity, Some(secs(7))),
        ("no", CloseReason::Refused, None),
    ] {
        let refusal = engine.connect(shown(credentials), Hello::default()).await.expect_err("it is not let in");
        assert_eq!((refusal.close, refusal.reconnect_after), (close, wait), "{credentials}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_who_come_for_one_session_the_later_has_it_whoever_is_let_in_first() {
    let engine = Engine::builder().policy(Arc::new(Doorkeeper)).build();
    let token = Client::in_room(&engine, "LUNCH", "Ann").await.token();
    let (older, hello) = (engine.clone(), resume(&token, &[]));
    let older = tokio::spawn(async move { older.connect(shown("slow"), hello).await.map(|_| ()) });
    settle().await;
    let newer = Client::with_hello(&engine, resume(&token, &[])).await;
    let refusal = older.await.expect("no panic").expect_err("it comes too late");
    assert_eq!(refusal.close, CloseReason::Replaced);
    newer.joined().await;
    newer.say("LUNCH", "still here").await;
}

/// Keeps rooms from being locked, and lets nobody choose a short secret.
struct Opens;

#[async_trait]
impl Policy for Opens {
    async fn check(&self, _session: &SessionView, command: Command) -> Result<Command, Reject> {
        let Command::Settings { change, .. } = &command else { return Ok(command) };
        let chosen = change.secret.clone().flatten();
        if chosen.is_some_and(|secret| secret.expose().len() < 8) {
            return Err(Reject::bad_field("secret", "choose a longer one"));
        }
        let mut change = change.clone();
        change.locked = None;
        Ok(command.with_change(change))
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_sees_what_is_to_be_set_and_may_change_it() {
    let engine = Engine::builder().policy(Arc::new(Opens)).build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let set = |change| Command::settings(code("LUNCH"), change);
    assert_eq!(acked(ann.session.call(set(SettingsChange::new().locked(true).read_only(true))).await), 2);
    let secret = |word| SettingsChange::new().secret(RoomSecret::parse(word).ok());
    assert_eq!(ann.refused(set(secret("short"))).await.field, Some("secret"));
    assert_eq!(acked(ann.session.call(set(secret("long enough"))).await), 3);
    let bob = Client::new(&engine).await;
    let join = |word| Command::join(code("LUNCH"), nick("Bob")).with_secret(RoomSecret::parse(word).ok());
    assert_eq!(bob.refused(join("short")).await.code, RejectCode::SecretWrong);
    bob.session.call(join("long enough")).await.expect("it is not locked");
    assert_eq!(bob.refused(send("LUNCH", "hi")).await.code, RejectCode::ReadOnly);
}

/// Takes what it does not like out of the data of messages, and lets nobody answer the first event.
struct Strict;

#[async_trait]
impl Policy for Strict {
    async fn check(&self, _session: &SessionView, command: Command) -> Result<Command, Reject> {
        match &command {
            Command::Send { reply_to: Some(seq), .. } if seq.0 == 1 => Ok(command.with_reply_to(None)),
            Command::Send { data: Some(data), .. } | Command::Edit { data: Some(data), .. } => {
                let cleaned = Data::parse(&data.as_str().replace("secret", "public"), 4_096)?;
                Ok(command.with_data(cleaned))
            }
            _ => Ok(command),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_sees_all_that_a_message_says_and_may_change_it() {
    let engine = Engine::builder().policy(Arc::new(Strict)).build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let secret = || Data::parse(r#"{"a":"secret"}"#, 64).expect("an object");
    let keyed = || send_keyed("LUNCH", "x", "k").with_data(secret());
    assert_eq!(acked(ann.session.call(keyed()).await), 2);
    assert_eq!(acked(ann.session.call(keyed()).await), 2, "as the client sent it");
    assert_eq!(acked(ann.session.call(send("LUNCH", "y").with_reply_to(Seq(1))).await), 3);
    let edit = || Command::edit(code("LUNCH"), Seq(3), body("z")).with_data(secret()).with_key(Key::parse("e").ok());
    assert_eq!(acked(ann.session.call(edit()).await), 4);
    assert_eq!(acked(ann.session.call(edit()).await), 4, "as the client sent it");
    let page = ann.session.call(Command::history(code("LUNCH"))).await.expect("she is in");
    let ServerFrame::History { messages, .. } = page else { panic!("not a history") };
    let shown = messages.iter().map(|message| (message.frame().data.clone(), message.frame().reply_to));
    let public = || Some(serde_json::from_str(r#"{"a":"public"}"#).expect("an object"));
    assert_eq!(shown.collect::<Vec<_>>(), [(public(), None), (public(), None)]);
}

#[tokio::test(start_paused = true)]
async fn an_edit_is_denied_and_rewritten_as_a_message_is() {
    let (engine, _) = moderated();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    assert_eq!(ann.say("LUNCH", "hi").await, 2);
    assert_eq!(ann.told().await, ["2 Ann: hi"]);
    let edit = |text: &str| Command::edit(code("LUNCH"), Seq(2), body(text));
    assert_eq!(ann.refused(edit("spam")).await.code, RejectCode::Forbidden);
    assert_eq!(acked(ann.session.call(edit("damn")).await), 3);
    assert_eq!(ann.told().await, ["3 edited 2: darn #1"]);
}
