//! The end of a session for good: what it leaves, who is told, and that nobody comes back to it.
#![cfg(feature = "engine")]

mod support;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_core::{
    Admission, Command, ConnectRequest, Credential, EndedWho, Engine, Extent, Identity, Observer, ObserverEvent,
    Policy, Reject, RejectCode, SessionView,
};
use support::*;

/// Whoever shows credentials is who they say; nobody called Eve may end anything.
struct NotEve;

#[async_trait]
impl Policy for NotEve {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        Ok(Admission::of(request.credentials.as_deref().and_then(Identity::new)))
    }

    async fn check(&self, session: &SessionView, command: Command) -> Result<Command, Reject> {
        let is_eve = session.identity.as_ref().is_some_and(|identity| identity.as_str() == "eve");
        match command {
            Command::End { .. } if is_eve => Err(Reject::new(RejectCode::Forbidden, "not by Eve")),
            command => Ok(command),
        }
    }
}

fn with_people() -> Engine {
    Engine::builder().policy(Arc::new(NotEve)).secret([7; 32]).build()
}

fn read(token: &str) -> Credential {
    token.parse().expect("a credential")
}

fn end_by(token: &str) -> Command {
    Command::end().with_token(read(token))
}

fn end_all() -> Command {
    Command::end().with_extent(Extent::Person)
}

async fn is_bad(engine: &Engine, token: &str, who: Option<&str>) -> bool {
    let request = who.map(shown).unwrap_or_default();
    let client = Client::with_request(engine, request, resume(token, &[])).await;
    client.told().await.contains(&"error bad_token".to_owned()) && client.session.session_id() != session_of(token)
}

/// Whether the server says that this connection is over for good.
async fn is_ended(client: &Client) -> bool {
    client.told().await.last().is_some_and(|last| last == "closing 4503")
}

#[tokio::test(start_paused = true)]
async fn an_ended_session_has_left_at_once_and_nobody_comes_back_to_it() {
    let engine = engine();
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let (token, cursor) = (ann.token(), ann.session.cursor());
    host.frames().await;
    let rejects = engine.stats().rejects;
    ann.submit_as(7, Command::end());
    let told = ann.told().await;
    assert_eq!(
        (told.first().map(String::as_str), told.last().map(String::as_str)),
        (Some("ended 7"), Some("closing 4503"))
    );
    assert_eq!(host.told().await, ["3 -Ann left"]);
    assert!(ann.session.submit(send("LUNCH", "once more"), chat_core::Reply::mailbox(None)).is_err());
    drop(ann);
    settle().await;
    assert_eq!((engine.stats().sessions, engine.stats().sessions_detached), (1, 0));
    assert_eq!(engine.stats().rejects, rejects, "it leaves once");
    for credential in [&token, &cursor] {
        assert!(is_bad(&engine, credential, None).await);
    }
    assert!(engine.sender(session_of(&token), &token).is_err());
    pass(secs(60)).await;
    assert_eq!(host.told().await, [""; 0], "there is nothing left to run out");
}

#[tokio::test(start_paused = true)]
async fn who_has_lost_a_session_to_somebody_else_can_end_it() {
    let engine = engine();
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let own = ann.token();
    let thief = Client::with_hello(&engine, resume(&own, &[])).await;
    let thief = Client::with_hello(&engine, resume(&thief.token(), &[])).await;
    thief.frames().await;
    host.frames().await;
    let ann = Client::with_hello(&engine, resume(&own, &[])).await;
    assert_eq!(ann.told().await, ["welcome", "error bad_token"], "it was superseded");
    ann.session.call(end_by(&own)).await.expect("and is a true one");
    assert_eq!(thief.told().await, ["closing 4503"], "at once, whatever it was owed");
    assert_eq!(host.told().await, ["3 -Ann left"]);
    assert!(is_bad(&engine, &thief.token(), None).await);
    ann.session.call(end_by(&own)).await.expect("once more is no error");
    ann.session.call(create("TEA", "Ann")).await.expect("her new session goes on");
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_connection_is_ended_by_its_token_alone() {
    let engine = engine();
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let token = ann.token();
    let session = session_of(&token);
    drop(ann);
    host.frames().await;
    let other = Client::new(&engine).await;
    let refused = engine
        .end_by_token(&ConnectRequest::default(), session, &other.token(), Extent::Session)
        .await
        .expect_err("of another session");
    assert_eq!(refused.code, RejectCode::BadToken);
    engine.end_by_token(&ConnectRequest::default(), session, &token, Extent::Session).await.expect("it is hers");
    assert_eq!(host.told().await, ["3 -Ann left"], "and not by the grace");
    assert!(is_bad(&engine, &token, None).await);
    assert_eq!(engine.stats().sessions_detached, 1, "the one that was made for who came back in vain");
}

#[tokio::test(start_paused = true)]
async fn the_other_devices_of_a_person_go_on_unless_all_are_ended() {
    let engine = with_people();
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    let [phone, laptop, watch] = [(); 3].map(|()| Client::of(&engine, "ann"));
    let (phone, laptop, watch) = (phone.await, laptop.await, watch.await);
    for device in [&phone, &laptop] {
        device.enter("LUNCH", "Ann").await;
    }
    watch.enter("TEA", "Ann").await;
    let (of_watch, of_laptop) = (watch.token(), laptop.token());
    drop(watch);
    host.frames().await;
    phone.submit(Command::end());
    assert!(is_ended(&phone).await);
    assert_eq!(host.told().await, [""; 0], "she is still there");
    laptop.say("LUNCH", "still here").await;
    laptop.frames().await;
    host.frames().await;

    laptop.submit(end_all());
    assert!(is_ended(&laptop).await);
    assert_eq!(host.told().await, ["4 -Ann left"]);
    for token in [&of_watch, &of_laptop] {
        assert!(is_bad(&engine, token, Some("ann")).await);
    }
    let again = Client::of(&engine, "ann").await;
    let token = again.token();
    let again = Client::with_request(&engine, shown("ann"), resume(&token, &[])).await;
    assert_eq!(again.told().await, ["welcome back"], "what begins later is not concerned");
    let others = Client::of(&engine, "bob").await;
    assert!(!is_ended(&others).await);
}

#[tokio::test(start_paused = true)]
async fn nobody_ends_the_session_of_somebody_else() {
    let engine = with_people();
    let (ann, bob) = (Client::of(&engine, "ann").await, Client::of(&engine, "bob").await);
    let token = ann.token();
    assert_eq!(bob.refused(end_by(&token)).await.code, RejectCode::BadToken);
    let mut forged = read(&bob.token());
    forged.generation += 1;
    assert_eq!(bob.refused(Command::end().with_token(forged)).await.code, RejectCode::BadToken);
    let cursor = bob.session.cursor();
    assert_eq!(bob.refused(end_by(&cursor)).await.code, RejectCode::BadToken, "a cursor ends nothing");
    let eve = Client::of(&engine, "eve").await;
    assert_eq!(eve.refused(Command::end()).await.code, RejectCode::Forbidden, "a policy is asked");
    assert!(!is_ended(&ann).await && !is_ended(&bob).await);
    ann.session.call(end_by(&token)).await.expect("her own");
}

#[tokio::test(start_paused = true)]
async fn as_many_ends_are_remembered_as_may_be_and_none_is_forgotten_for_another() {
    let engine = engine_with(|limits| limits.engine.ended_max = 2);
    let clients = [Client::new(&engine).await, Client::new(&engine).await, Client::new(&engine).await];
    let tokens = clients.each_ref().map(Client::token);
    for client in &clients[..2] {
        client.session.call(Command::end()).await.expect("there is a place");
    }
    let refused = clients[2].refused(Command::end()).await;
    assert_eq!((refused.code, refused.limit), (RejectCode::AtCapacity, Some(2)));
    clients[2].session.call(create("TEA", "Ann")).await.expect("nothing has changed");
    clients[2].session.call(end_by(&tokens[0])).await.expect("that is ended already");
    drop(clients);
    let mut bad = Vec::new();
    for token in &tokens {
        bad.push(is_bad(&engine, token, None).await);
    }
    assert_eq!((bad, engine.stats().ended), (vec![true, true, false], 2));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_ends_too_many_sessions_has_to_wait() {
    let engine = engine_with(|limits| (limits.engine.address_end_burst, limits.engine.address_ends_per_hour) = (3, 12));
    let token = Client::calling_from(&engine, "192.0.2.1").await.token();
    let ann = Client::calling_from(&engine, "192.0.2.1").await;
    for _ in 0..3 {
        Client::calling_from(&engine, "192.0.2.1").await.session.call(Command::end()).await.expect("there is a burst");
    }
    let refused = ann.refused(Command::end()).await;
    assert_eq!((refused.code, refused.retry_after), (RejectCode::RateLimited, Some(secs(300))));
    let request = from("192.0.2.1");
    let refused =
        engine.end_by_token(&request, session_of(&token), &token, Extent::Session).await.expect_err("neither so");
    assert_eq!(refused.code, RejectCode::RateLimited);
    Client::calling_from(&engine, "192.0.2.2").await.session.call(Command::end()).await.expect("others may");
    pass(secs(300)).await;
    engine.end_by_token(&request, session_of(&token), &token, Extent::Session).await.expect("and in time it may, too");
    assert_eq!(ann.refused(Command::end()).await.code, RejectCode::RateLimited);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_down_ends_nothing() {
    let engine = engine();
    let ann = Client::new(&engine).await;
    let token = ann.token();
    let drain = tokio::spawn({
        let engine = engine.clone();
        async move { engine.drain(secs(0)).await }
    });
    settle().await;
    let end = engine.end_by_token(&ConnectRequest::default(), session_of(&token), &token, Extent::Session).await;
    assert_eq!(end.expect_err("it goes down").code, RejectCode::Draining);
    assert_eq!(engine.stats().ended, 0);
    drop(ann);
    drain.await.expect("it ends");
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_asked_about_an_end_without_a_connection_too() {
    let engine = with_people();
    let eve = Client::of(&engine, "eve").await;
    let token = eve.token();
    drop(eve);
    let end = engine.end_by_token(&ConnectRequest::default(), session_of(&token), &token, Extent::Person).await;
    assert_eq!(end.expect_err("not by Eve").code, RejectCode::Forbidden);
    assert!(!is_bad(&engine, &token, Some("eve")).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_right_after_an_end_leaves_nobody_behind() {
    let engine = engine();
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    let ann = Client::new(&engine).await;
    ann.submit_as(1, Command::end());
    ann.submit_as(2, join("LUNCH", "Ann"));
    ann.told().await;
    drop(ann);
    pass(secs(1)).await;
    host.told().await;
    host.submit(Command::members(code("LUNCH")));
    assert_eq!(host.told().await, ["members [1] of 1"], "and not only after the grace");
}

/// Who was ended, as an observer is told.
#[derive(Default)]
struct Ends(Mutex<Vec<EndedWho>>);

impl Observer for Ends {
    fn observe(&self, event: ObserverEvent<'_>) {
        if let ObserverEvent::SessionsEnded { ended, .. } = event {
            self.0.lock().expect("nobody panics with it").push(ended.who.clone());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_is_told_who_was_ended_once() {
    let ends = Arc::new(Ends::default());
    let engine = Engine::builder().policy(Arc::new(ByCredentials)).observer(Arc::clone(&ends) as _).build();
    let (guest, ann) = (Client::new(&engine).await, Client::of(&engine, "ann").await);
    let (token, session) = (guest.token(), guest.session.session_id());
    for _ in 0..2 {
        let ended = engine.end_by_token(&ConnectRequest::default(), session, &token, Extent::Session).await;
        ended.expect("it is theirs");
    }
    ann.session.call(end_all()).await.expect("everybody may");
    let told = ends.0.lock().expect("nobody panics with it").clone();
    let person = Identity::new("ann").map(EndedWho::Person).expect("an identity");
    assert_eq!(told, [EndedWho::Session(session), person]);
}
