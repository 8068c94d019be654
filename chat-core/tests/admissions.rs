//! In virtual time: admissions that run out, in the middle of everything; what they say of rooms and roles; and what commands bring for the policy.

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::wire::Status;
use chat_core::{
    AccessToken, Admission, Clock, CloseReason, Command, ConnectRequest, Engine, Hello, Identity, Limits, MemberId,
    Moderation, Mono, Now, Params, Policy, Reject, RejectCode, Reply, Role, ServerFrame, SessionView, SystemClock,
    Wall,
};
use support::{Client, code, create, from, join, nick, resume, secs, send, settle, shown};

/// When everything here begins.
const START: u64 = 1_790_000_000_000;

/// Its wall goes with virtual time.
struct VirtualClock(SystemClock);

impl Clock for VirtualClock {
    fn now(&self) -> Now {
        let mono = self.0.now().mono;
        Now { wall: Wall(START + mono.since(Mono(0)).as_millis() as u64), mono }
    }

    fn instant(&self, mono: Mono) -> tokio::time::Instant {
        self.0.instant(mono)
    }
}

/// What each token is good for. Others are nobody's.
#[derive(Default)]
struct Passes {
    admissions: Mutex<BTreeMap<&'static str, Admission>>,
    /// Where credentials were shown that it was asked about.
    places: Mutex<Vec<&'static str>>,
    /// What `check` saw.
    seen: Mutex<Vec<(SessionView, Command)>>,
}

impl Passes {
    fn put(&self, token: &'static str, admission: Admission) {
        self.admissions.lock().expect("nobody panics with it").insert(token, admission);
    }

    fn last_seen(&self) -> (SessionView, Command) {
        self.seen.lock().expect("nobody panics with it").pop().expect("something was asked")
    }
}

#[async_trait]
impl Policy for Passes {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let Some(token) = request.credentials.as_deref() else { return Ok(Admission::guest()) };
        self.places.lock().expect("nobody panics with it").push(request.shown_in);
        let known = self.admissions.lock().expect("nobody panics with it").get(token).cloned();
        known.ok_or_else(|| Reject::new(RejectCode::BadToken, "nobody's"))
    }

    async fn check(&self, session: &SessionView, command: Command) -> Result<Command, Reject> {
        self.seen.lock().expect("nobody panics with it").push((session.clone(), command.clone()));
        Ok(command)
    }
}

fn engine() -> (Engine, Arc<Passes>) {
    engine_with(|_| {})
}

fn engine_with(change: impl FnOnce(&mut Limits)) -> (Engine, Arc<Passes>) {
    let passes = Arc::new(Passes::default());
    let mut limits = Limits::default();
    change(&mut limits);
    let engine = Engine::builder().limits(limits).policy(Arc::clone(&passes) as _);
    (engine.clock(Arc::new(VirtualClock(SystemClock::new()))).build(), passes)
}

fn ann() -> Admission {
    Admission::of(Identity::new("ann"))
}

/// So many seconds after the beginning.
fn until(seconds: u64) -> Wall {
    Wall(START + seconds * 1_000)
}

fn auth(token: &str) -> Command {
    Command::auth(AccessToken::parse(token).expect("a token"))
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_is_told_a_minute_before_and_the_end_comes_when_it_is_due() {
    let (engine, passes) = engine();
    passes.put("an hour", ann().with_expiry(until(3_600)));
    let client = Client::of(&engine, "an hour").await;
    client.enter("LUNCH", "Ann").await;
    pass(secs(3_530)).await;
    assert_eq!(client.take(), []);
    pass(secs(20)).await;
    assert_eq!(client.take(), [ServerFrame::AuthExpiring { expires_at: until(3_600) }]);
    assert_eq!(client.say("LUNCH", "in time still").await, 2);
    pass(secs(40)).await;
    client.take();
    assert_eq!(client.session.ended(), None, "not yet");
    pass(secs(20)).await;
    assert_eq!(client.told().await, ["closing 4007"]);
    assert_eq!(client.session.ended(), Some(CloseReason::AuthExpired));
}

#[tokio::test(start_paused = true)]
async fn the_policy_is_told_where_a_credential_was_shown() {
    let (engine, passes) = engine();
    passes.put("ann", ann());
    let hello = || Hello { token: Some(AccessToken::parse("ann").expect("a token")), ..Hello::default() };
    let cookie =
        ConnectRequest { credentials: Some("ann".to_owned()), shown_in: "cookie", ..ConnectRequest::default() };
    engine.connect(ConnectRequest::default(), hello()).await.expect("let in");
    engine.connect(cookie.clone(), hello()).await.expect("they are the same");
    let session = engine.connect(cookie, Hello::default()).await.expect("let in");
    session.call(auth("ann")).await.expect("hers");
    assert_eq!(*passes.places.lock().expect("no panic"), ["message", "cookie", "cookie", "message"]);
}

/// The end cannot be told to a client that reads nothing; it is nobody who may speak all the same.
#[tokio::test(start_paused = true)]
async fn who_does_not_read_that_it_is_over_says_nothing_any_more() {
    let (engine, passes) = engine();
    passes.put("first", ann().with_expiry(until(100)));
    let (bob, client) = (Client::new(&engine).await, Client::of(&engine, "first").await);
    bob.enter("LUNCH", "Bob").await;
    client.enter("LUNCH", "Ann").await;
    client.submit(send("LUNCH", "in time still"));
    pass(secs(101)).await;
    bob.told().await;
    let late = client.session.submit(send("LUNCH", "too late"), Reply::mailbox(None));
    assert!(late.is_err(), "whatever it has read");
    assert!(!client.session.can_submit());
    pass(secs(1)).await;
    assert_eq!(bob.told().await, [""; 0]);
}

/// They were cut off, as by a bad line: for the grace nobody is told.
#[tokio::test(start_paused = true)]
async fn who_was_cut_off_is_still_a_member_and_comes_back_with_another_token() {
    let (engine, passes) = engine();
    passes.put("first", ann().with_expiry(until(100)));
    passes.put("second", ann().with_expiry(until(1_000)));
    let (bob, client) = (Client::new(&engine).await, Client::of(&engine, "first").await);
    bob.enter("LUNCH", "Bob").await;
    client.enter("LUNCH", "Ann").await;
    bob.told().await;
    pass(secs(101)).await;
    client.take();
    let (token, ended) = (client.token(), client.session.ended());
    assert_eq!(ended, Some(CloseReason::AuthExpired));
    drop(client);
    assert_eq!(bob.told().await, [""; 0]);
    let refused = engine.connect(shown("first"), resume(&token, &[])).await.map(drop).expect_err("it has run out");
    assert_eq!((refused.close, refused.reject.code), (CloseReason::AuthExpired, RejectCode::AuthExpired));
    let back = Client::with_request(&engine, shown("second"), resume(&token, &[])).await;
    assert_eq!(back.welcomed().await.iter().map(|room| room.status).collect::<Vec<_>>(), [Status::Live]);
    assert_eq!(bob.told().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn another_token_is_shown_on_the_connection_that_there_is() {
    let (engine, passes) = engine();
    passes.put("short", ann().with_expiry(until(100)));
    passes.put("long", ann().with_expiry(until(1_000)).with_nick(nick("Annie")));
    passes.put("endless", ann());
    passes.put("bob", Admission::of(Identity::new("bob")));
    passes.put("late", ann().with_expiry(until(0)));
    let client = Client::of(&engine, "short").await;
    client.enter("LUNCH", "Ann").await;
    assert_eq!(client.refused(auth("nobody")).await.code, RejectCode::BadToken);
    assert_eq!(client.refused(auth("bob")).await.code, RejectCode::Forbidden);
    assert_eq!(client.refused(auth("late")).await.code, RejectCode::AuthExpired);
    let renewed = client.session.call(auth("long")).await;
    assert_eq!(renewed, Ok(ServerFrame::AuthRenewed { id: None, expires_at: Some(until(1_000)) }));
    client.take();
    pass(secs(900)).await;
    assert_eq!(client.take(), [], "what ran out before is over");
    pass(secs(50)).await;
    assert_eq!(client.take(), [ServerFrame::AuthExpiring { expires_at: until(1_000) }]);
    let renewed = client.session.call(auth("endless")).await;
    assert_eq!(renewed, Ok(ServerFrame::AuthRenewed { id: None, expires_at: None }));
    pass(secs(100_000)).await;
    assert_eq!((client.take(), client.session.ended()), (vec![], None));
}

/// What was shown before is good until it runs out, and then the end comes all the same.
#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_changes_nothing() {
    let (engine, passes) = engine();
    passes.put("short", ann().with_expiry(until(100)));
    let client = Client::of(&engine, "short").await;
    client.enter("LUNCH", "Ann").await;
    client.refused(auth("nobody")).await;
    client.say("LUNCH", "in time").await;
    pass(secs(101)).await;
    client.take();
    assert_eq!(client.session.ended(), Some(CloseReason::AuthExpired));
}

#[tokio::test(start_paused = true)]
async fn without_a_policy_nobody_reads_credentials_or_params() {
    let engine = Engine::builder().build();
    assert!(!engine.reads_credentials());
    let hello = Hello { token: AccessToken::parse("ann").ok(), ..Hello::default() };
    let refused = engine.connect(ConnectRequest::default(), hello).await.map(drop).expect_err("nobody reads it");
    let (close, Reject { code, field, .. }) = (refused.close, refused.reject);
    assert_eq!((close, code, field), (CloseReason::ProtocolViolation, RejectCode::BadField, Some("token")));
    let client = Client::new(&engine).await;
    let refused = client.refused(auth("ann")).await;
    assert_eq!((refused.code, refused.field), (RejectCode::BadField, Some("token")));
    let params = Params::parse("{}", 100).expect("an object");
    let refused = client.refused(create("LUNCH", "Ann").with_params(params)).await;
    assert_eq!((refused.code, refused.field), (RejectCode::BadField, Some("params")));
}

#[tokio::test(start_paused = true)]
async fn a_token_in_the_hello_and_one_beside_it_are_the_same_or_an_error() {
    let (engine, passes) = engine();
    passes.put("ann", ann());
    let hello = |token: &str| Hello { token: AccessToken::parse(token).ok(), ..Hello::default() };
    let client = Client::with_hello(&engine, hello("ann")).await;
    assert_eq!(client.session.identity(), Identity::new("ann"));
    Client::with_request(&engine, shown("ann"), hello("ann")).await;
    let refused = engine.connect(shown("ann"), hello("bob")).await.map(drop).expect_err("they differ");
    assert_eq!((refused.close, refused.reject.field), (CloseReason::ProtocolViolation, Some("token")));
}

#[tokio::test(start_paused = true)]
async fn a_person_enters_the_rooms_they_were_let_in_for_and_no_others() {
    let (engine, passes) = engine();
    passes.put("lunch", ann().with_rooms([code("LUNCH"), code("TEA")]));
    let bob = Client::in_room(&engine, "DINNER", "Bob").await;
    let client = Client::of(&engine, "lunch").await;
    for command in [join("DINNER", "Ann"), create("SUPPER", "Ann"), Command::create(nick("Ann"))] {
        let refused = client.refused(command).await;
        assert_eq!(refused.code, RejectCode::Forbidden);
    }
    client.enter("LUNCH", "Ann").await;
    client.enter("TEA", "Ann").await;
    client.told().await;
    assert_eq!(bob.told().await, [""; 0]);
    // A later token names fewer: they leave.
    passes.put("tea", ann().with_rooms([code("TEA")]));
    client.session.call(auth("tea")).await.expect("renewed");
    assert_eq!(client.told().await, ["2 -Ann left"]);
    assert_eq!(client.refused(send("LUNCH", "hi")).await.code, RejectCode::NotMember);
    let gone = engine.room(&code("LUNCH")).info().await.expect_err("they were alone");
    assert_eq!(gone.code, RejectCode::RoomNotFound);
    client.say("TEA", "hi").await;
}

/// The room has not yet heard of the one when the other is good already.
#[tokio::test(start_paused = true)]
async fn a_join_on_its_way_does_not_outrun_a_token_that_forbids_it() {
    let (engine, passes) = engine();
    passes.put("lunch", ann().with_rooms([code("LUNCH")]));
    passes.put("none", ann().with_rooms([]));
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let client = Client::of(&engine, "lunch").await;
    client.submit(join("LUNCH", "Ann"));
    client.submit(auth("none"));
    client.told().await;
    assert_eq!(bob.told().await, ["2 +Ann", "3 -Ann left"]);
    assert_eq!(client.refused(send("LUNCH", "hi")).await.code, RejectCode::NotMember);
}

#[tokio::test(start_paused = true)]
async fn a_session_comes_back_to_the_rooms_that_its_token_still_names() {
    let (engine, passes) = engine();
    passes.put("both", ann().with_rooms([code("LUNCH"), code("TEA")]));
    passes.put("tea", ann().with_rooms([code("TEA")]));
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let client = Client::of(&engine, "both").await;
    client.enter("LUNCH", "Ann").await;
    client.enter("TEA", "Ann").await;
    bob.told().await;
    let token = client.token();
    drop(client);
    bob.say("LUNCH", "not for Ann").await;
    bob.told().await;
    let back = Client::with_request(&engine, shown("tea"), resume(&token, &[])).await;
    let mut told = back.told().await;
    assert_eq!(told.remove(0), "welcome back lunch:unknown tea:live:1");
    assert!(told.iter().all(|line| !line.contains("not for Ann")), "{told:?}");
    assert_eq!(bob.told().await, ["4 -Ann left"]);
}

#[tokio::test(start_paused = true)]
async fn the_policy_says_who_moderates() {
    let (engine, passes) = engine_with(|limits| limits.room.moderators_max = 1);
    passes.put("moderator", ann().with_role(Role::Moderator));
    passes.put("member", ann().with_role(Role::Member));
    passes.put("owner", Admission::of(Identity::new("cid")).with_role(Role::Owner));
    let bob = Client::in_room(&engine, "LUNCH", "Bob").await;
    let client = Client::of(&engine, "moderator").await;
    client.enter("LUNCH", "Ann").await;
    assert_eq!(bob.told().await, ["welcome", "joined 1 as 1", "2 +Ann", "3 2 is Moderator"][2..]);
    // The owner stays it, and as many moderators as may be are there.
    let cid = Client::of(&engine, "owner").await;
    cid.enter("LUNCH", "Cid").await;
    assert_eq!(bob.told().await, ["4 +Cid"]);
    // They are what their last token says, wherever they come in again.
    let other = Client::of(&engine, "member").await;
    other.enter("LUNCH", "Ann").await;
    assert_eq!(bob.told().await, ["5 2 is Member"]);
    // Who owns a room stays its owner.
    let tea = Client::of(&engine, "member").await;
    tea.enter("TEA", "Ann").await;
    assert_eq!(tea.refused(Command::set_role(code("TEA"), MemberId(1), Role::Member)).await.code, RejectCode::BadField);
    // In a room of the host's whose owner's place nobody has, the policy gives it.
    let host = Client::in_room(&engine, "HALL", "Dan").await;
    engine.moderate(&code("HALL"), Moderation::Protect).await.expect("protected");
    engine.moderate(&code("HALL"), Moderation::SetRole(MemberId(1), Role::Member)).await.expect("an owner no more");
    host.told().await;
    cid.enter("HALL", "Cid").await;
    assert_eq!(host.told().await, ["3 +Cid", "4 2 is Owner"]);
}

#[tokio::test(start_paused = true)]
async fn a_check_sees_the_admission_the_address_and_what_is_meant_for_it() {
    let (engine, passes) = engine();
    passes.put("ann", ann().with_role(Role::Moderator).with_expiry(until(50)));
    passes.put("later", ann());
    let request = ConnectRequest { credentials: Some("ann".to_owned()), ..from("192.0.2.7") };
    let client = Client::with_request(&engine, request, Hello::default()).await;
    let params = Params::parse(r#"{"invite": "hush"}"#, 100).expect("an object");
    client.session.call(create("LUNCH", "Ann").with_params(params)).await.expect("made");
    let (view, command) = passes.last_seen();
    assert_eq!((view.identity.clone(), view.address), (Identity::new("ann"), "192.0.2.7".parse().ok()));
    assert_eq!((view.admission.role, view.admission.expires_at), (Some(Role::Moderator), Some(until(50))));
    let Command::Create { params: Some(params), .. } = &command else { panic!("{command:?}") };
    assert_eq!(params.expose(), r#"{"invite":"hush"}"#);
    assert!(!format!("{command:?}").contains("hush"));
    client.session.call(auth("later")).await.expect("renewed");
    client.say("LUNCH", "hi").await;
    let (view, _) = passes.last_seen();
    assert_eq!(*view.admission, ann());
    assert!(
        passes
            .seen
            .lock()
            .expect("nobody panics with it")
            .iter()
            .all(|(_, command)| !matches!(command, Command::Auth { .. }))
    );
}
