//! In virtual time: what somebody was admitted for changes while they are connected, by another token or by the host, and counts at once.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_core::{
    AccessToken, Admission, CloseReason, Command, ConnectRequest, Engine, Identity, Limits, Policy, Reject, RejectCode,
    Revocation, Role, ServerFrame, SessionView,
};
use futures_util::future::{Either, join_all, select};
use support::{Client, code, join, limits, nick, pass, resume, secs, send, settle, shown};
use tokio::sync::Semaphore;

/// What each token is good for. Others are nobody's.
struct Passes {
    admissions: Mutex<BTreeMap<&'static str, Admission>>,
    /// One place for each that may be admitted, for a test that has them wait.
    doors: Semaphore,
}

impl Passes {
    fn put(&self, token: &'static str, admission: Admission) {
        self.admissions.lock().expect("nobody panics with it").insert(token, admission);
    }
}

#[async_trait]
impl Policy for Passes {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let Some(token) = request.credentials.as_deref() else { return Ok(Admission::guest()) };
        let known = self.admissions.lock().expect("nobody panics with it").get(token).cloned();
        let _door = self.doors.acquire().await.expect("it stays");
        known.ok_or_else(|| Reject::new(RejectCode::BadToken, "nobody's"))
    }

    async fn check(&self, _: &SessionView, command: Command) -> Result<Command, Reject> {
        Ok(command)
    }
}

fn engine_with(change: impl FnOnce(&mut Limits)) -> (Engine, Arc<Passes>) {
    let passes = Arc::new(Passes { admissions: Mutex::default(), doors: Semaphore::new(1_000) });
    let engine = Engine::builder().limits(limits(change)).policy(Arc::clone(&passes) as _).build();
    (engine, passes)
}

fn engine() -> (Engine, Arc<Passes>) {
    engine_with(|_| {})
}

fn ann() -> Admission {
    Admission::of(who("ann"))
}

fn who(name: &str) -> Identity {
    Identity::new(name).expect("an identity")
}

fn but(rooms: &[&str]) -> Revocation {
    Revocation::RoomsBut(rooms.iter().copied().map(code).collect::<BTreeSet<_>>())
}

async fn renew(client: &Client, token: &str) {
    client.session.call(Command::auth(AccessToken::parse(token).expect("a token"))).await.expect("it is theirs");
}

/// The names that somebody is told of.
async fn renamed(client: &Client) -> Vec<String> {
    let names = client.frames().await.into_iter().filter_map(|frame| match frame {
        ServerFrame::MemberChanged { nick, .. } => nick,
        _ => None,
    });
    names.collect()
}

#[tokio::test(start_paused = true)]
async fn rooms_that_are_taken_back_are_left_behind_what_was_said_before() {
    let (engine, passes) = engine();
    passes.put("ann", ann());
    passes.put("bob", Admission::of(who("bob")));
    let bob = Client::of(&engine, "bob").await;
    bob.enter("LUNCH", "Bob").await;
    let client = Client::of(&engine, "ann").await;
    for room in ["LUNCH", "TEA"] {
        client.enter(room, "Ann").await;
    }
    bob.told().await;
    client.session.call(send("LUNCH", "before")).await.expect("she is in");
    engine.revoke(who("ann"), but(&["TEA", "DINNER"])).await.expect("done");
    assert_eq!(client.refused(send("LUNCH", "after")).await.code, RejectCode::NotMember);
    assert_eq!(bob.told().await, ["3 Ann: before", "4 -Ann left"]);
    assert_eq!(client.refused(join("LUNCH", "Ann")).await.code, RejectCode::Forbidden);
    client.say("TEA", "still here").await;
    client.enter("DINNER", "Ann").await;
    // A second time there is less left, and never more.
    engine.revoke(who("ann"), but(&["LUNCH", "TEA"])).await.expect("done");
    assert_eq!(client.refused(send("DINNER", "hi")).await.code, RejectCode::NotMember);
    let gone = engine.room(&code("DINNER")).info().await.expect_err("she was alone");
    assert_eq!(gone.code, RejectCode::RoomNotFound);
    assert_eq!(client.refused(join("LUNCH", "Ann")).await.code, RejectCode::Forbidden);
    bob.say("LUNCH", "nothing happened to Bob").await;
    // Another token is another admission.
    renew(&client, "ann").await;
    client.enter("LUNCH", "Ann").await;
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_taken_back_is_gone_and_what_the_room_gave_is_not() {
    let (engine, passes) = engine();
    passes.put("moderator", ann().with_role(Role::Moderator));
    passes.put("plain", Admission::of(who("cid")));
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let (client, cid) = (Client::of(&engine, "moderator").await, Client::of(&engine, "plain").await);
    client.enter("LUNCH", "Ann").await;
    cid.enter("LUNCH", "Cid").await;
    client.enter("TEA", "Ann").await;
    bob.session.call(Command::set_role(code("LUNCH"), chat_core::MemberId(3), Role::Moderator)).await.expect("hers");
    bob.told().await;
    for name in ["ann", "cid"] {
        engine.revoke(who(name), Revocation::Role).await.expect("done");
    }
    assert_eq!(bob.told().await, ["6 2 is Member"]);
    client.told().await;
    client.session.call(Command::set_topic(code("TEA"), "hers".parse().expect("a topic"))).await.expect("she owns it");
    // Also wherever she comes in from now on.
    client.session.call(support::leave("LUNCH")).await.expect("she was in");
    client.enter("LUNCH", "Ann").await;
    assert_eq!(bob.told().await, ["7 -Ann left", "8 +Ann"]);
}

/// A room is told of each role that a token gives or takes: to show one after the other costs what messages cost.
#[tokio::test(start_paused = true)]
async fn who_shows_one_role_and_another_in_turn_has_to_wait_as_who_talks() {
    let (engine, passes) = engine_with(|limits| limits.session.send_burst = 4);
    passes.put("moderator", ann().with_role(Role::Moderator));
    passes.put("member", ann().with_role(Role::Member));
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let client = Client::of(&engine, "member").await;
    client.enter("LUNCH", "Ann").await;
    bob.told().await;
    for token in ["moderator", "member", "moderator", "member"] {
        renew(&client, token).await;
    }
    let auth = || Command::auth(AccessToken::parse("moderator").expect("a token"));
    let refused = client.refused(auth()).await;
    assert_eq!((refused.code, refused.retry_after.is_some()), (RejectCode::RateLimited, true));
    assert_eq!(client.refused(send("LUNCH", "hi")).await.code, RejectCode::RateLimited, "of the same allowance");
    assert_eq!(bob.told().await.len(), 4);
    pass(secs(1)).await;
    renew(&client, "moderator").await;
    assert_eq!(bob.told().await, ["7 2 is Moderator"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_to_show_a_token_anew_comes_back_to_the_same_session() {
    let (engine, passes) = engine();
    passes.put("ann", ann());
    passes.put("later", ann());
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let client = Client::of(&engine, "ann").await;
    client.enter("LUNCH", "Ann").await;
    bob.told().await;
    engine.revoke(who("ann"), Revocation::All).await.expect("done");
    client.take();
    assert_eq!(client.session.ended(), Some(CloseReason::AuthExpired));
    let token = client.token();
    drop(client);
    let back = Client::with_request(&engine, shown("later"), resume(&token, &[])).await;
    assert_eq!(back.welcomed().await.len(), 1);
    assert_eq!(bob.told().await, [""; 0]);
    assert_eq!(bob.session.ended(), None);
}

#[tokio::test(start_paused = true)]
async fn who_is_away_leaves_what_they_may_not_come_back_to() {
    let (engine, passes) = engine();
    passes.put("ann", ann());
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let client = Client::of(&engine, "ann").await;
    client.enter("LUNCH", "Ann").await;
    client.enter("TEA", "Ann").await;
    let token = client.token();
    drop(client);
    bob.told().await;
    passes.put("ann", ann().with_rooms([code("TEA")]));
    engine.revoke(who("ann"), but(&["TEA"])).await.expect("done");
    assert_eq!(bob.told().await, ["3 -Ann left"]);
    let back = Client::with_request(&engine, shown("ann"), resume(&token, &[])).await;
    assert_eq!(back.told().await[0], "welcome back lunch:unknown tea:live:1");
}

/// The policy was asked before, and has answered after that.
#[tokio::test(start_paused = true)]
async fn who_is_being_admitted_meanwhile_is_asked_once_more() {
    let (engine, passes) = engine();
    for (token, name) in [("ann", "ann"), ("bob", "bob")] {
        passes.put(token, Admission::of(who(name)));
    }
    let known = Client::of(&engine, "ann").await;
    passes.doors.forget_permits(1_000);
    let connecting = [connect(&engine, "ann"), connect(&engine, "bob")];
    known.submit(Command::auth(AccessToken::parse("ann").expect("a token")));
    settle().await;
    engine.revoke(who("ann"), Revocation::Role).await.expect("done");
    passes.doors.add_permits(1_000);
    let [ann, bob] = join_all(connecting).await.try_into().map_err(|_| ()).expect("two");
    let ended = |client: &Client| {
        client.take();
        client.session.ended()
    };
    settle().await;
    assert_eq!(ended(&ann.expect("no panic")), Some(CloseReason::AuthExpired));
    assert_eq!(ended(&bob.expect("no panic")), None);
    assert_eq!(ended(&known), Some(CloseReason::AuthExpired));
}

fn connect(engine: &Engine, token: &'static str) -> tokio::task::JoinHandle<Client> {
    let engine = engine.clone();
    tokio::spawn(async move { Client::of(&engine, token).await })
}

#[tokio::test(start_paused = true)]
async fn another_token_says_who_somebody_is_from_then_on() {
    let (engine, passes) = engine();
    passes.put("moderator", ann().with_role(Role::Moderator).with_nick(nick("Ann")));
    passes.put("member", ann().with_role(Role::Member).with_nick(nick("Annie")));
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let client = Client::of(&engine, "moderator").await;
    client.enter("LUNCH", "whatever").await;
    assert_eq!(bob.told().await, ["2 +Ann", "3 2 is Moderator"]);
    pass(secs(60)).await;
    renew(&client, "member").await;
    let frames = bob.frames().await;
    let is_member = |frame: &ServerFrame| matches!(frame, ServerFrame::RoleChanged { role: Role::Member, .. });
    let is_annie =
        |frame: &ServerFrame| matches!(frame, ServerFrame::MemberChanged { nick: Some(name), .. } if name == "Annie");
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert!(frames.iter().any(is_member) && frames.iter().any(is_annie), "{frames:?}");
    client.say("LUNCH", "hi").await;
    assert_eq!(bob.told().await, ["6 Annie: hi"]);
    // Under the name of the token, and no other.
    client.enter("TEA", "whatever").await;
    client.session.call(send("TEA", "hi")).await.expect("she is in");
    assert!(client.told().await.iter().any(|line| line.ends_with("Annie: hi")));
}

/// As whoever comes back under another name, and with the same pause.
#[tokio::test(start_paused = true)]
async fn tokens_that_name_somebody_differently_rename_them_now_and_then() {
    let (engine, passes) = engine_with(|limits| limits.lift_rates());
    passes.put("one", ann().with_nick(nick("One")));
    passes.put("two", ann().with_nick(nick("Two")));
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let client = Client::of(&engine, "one").await;
    client.enter("LUNCH", "whatever").await;
    pass(secs(60)).await;
    for _ in 0..10 {
        renew(&client, "two").await;
        renew(&client, "one").await;
    }
    assert_eq!(renamed(&bob).await, ["Two"]);
    pass(secs(60)).await;
    renew(&client, "one").await;
    assert_eq!(renamed(&bob).await, ["One"]);
    renew(&client, "one").await;
    assert_eq!(renamed(&bob).await, [""; 0], "it is the same");
}

/// The host fills the inbox all the time.
#[tokio::test(start_paused = true)]
async fn what_a_token_says_of_a_role_is_done_though_the_inbox_is_full() {
    let (engine, passes) = engine_with(|limits| {
        (limits.room.inbox_max, limits.room.batch_inputs_max) = (4, 1);
        limits.lift_rates();
    });
    passes.put("moderator", ann().with_role(Role::Moderator));
    passes.put("member", ann().with_role(Role::Member));
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let before = Client::of(&engine, "moderator").await;
    before.enter("LUNCH", "Ann").await;
    let crowd = join_all((0..40).map(|_| async {
        let room = engine.room(&code("LUNCH"));
        loop {
            if room.say("Bot", "x").await.is_err() {
                tokio::task::yield_now().await;
            }
        }
    }));
    let comes_in = async {
        let after = Client::of(&engine, "member").await;
        while after.session.call(join("LUNCH", "Ann")).await.is_err() {
            tokio::task::yield_now().await;
        }
        settle().await;
    };
    let Either::Right(_) = select(Box::pin(crowd), Box::pin(comes_in)).await else { unreachable!("it never ends") };
    pass(secs(1)).await;
    let info = engine.room(&code("LUNCH")).members(None, Some(10)).await.expect("the room is there");
    let roles: Vec<Role> = info.members.iter().map(|member| member.role).collect();
    assert_eq!(roles, [Role::Owner, Role::Member]);
    drop((bob, before));
}
