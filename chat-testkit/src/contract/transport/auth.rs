//! Admissions: their end, another token on the same connection, and the rooms and roles that they name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{
    Admission, Clock, Command, ConnectRequest, Identity, Limits, Policy, Reject, RejectCode, Role, RoomCode,
    SessionView, SystemClock, Wall,
};
use serde_json::json;

use super::frames::text;
use super::{TestClient, TestServer, TransportHarness};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// What each token is good for; others are nobody's. Whoever joins shows an invite, where one is asked for.
#[derive(Default)]
struct Passes {
    admissions: BTreeMap<&'static str, Admission>,
    asks_invite: bool,
}

#[async_trait]
impl Policy for Passes {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let Some(token) = request.credentials.as_deref() else { return Ok(Admission::guest()) };
        let known = self.admissions.get(token).cloned();
        known.ok_or_else(|| Reject::new(RejectCode::BadToken, "nobody's"))
    }

    async fn check(&self, _: &SessionView, command: Command) -> Result<Command, Reject> {
        match &command {
            Command::Join { params, .. }
                if self.asks_invite
                    && params.as_ref().is_none_or(|params| params.expose() != r#"{"invite":"hush"}"#) =>
            {
                Err(Reject::new(RejectCode::Forbidden, "by invitation alone"))
            }
            _ => Ok(command),
        }
    }
}

fn ann() -> Admission {
    Admission::of(Identity::new("ann"))
}

fn later(time: Duration) -> Wall {
    Wall(SystemClock::new().now().wall.0 + time.as_millis() as u64)
}

async fn server<D: TransportHarness>(
    change: impl FnOnce(&mut Limits),
    admissions: impl IntoIterator<Item = (&'static str, Admission)>,
) -> TestServer<D> {
    let passes = Passes { admissions: admissions.into_iter().collect(), asks_invite: false };
    TestServer::build(change, |engine| engine.policy(Arc::new(passes))).await
}

/// The end says to come back; with another token the session is the same, and nobody was told that it was away.
pub async fn what_has_run_out_ends_the_connection_and_not_the_session<D: TransportHarness>() {
    let soon = ann().with_expiry(later(Duration::from_millis(500)));
    let server = server::<D>(|_| {}, [("soon", soon), ("long", ann().with_expiry(later(HOUR)))]).await;
    let Some(mut client) = TestClient::showing(&server.harness, None, "soon").await else { return };
    client.create("LUNCH", "Ann").await;
    client.find("auth_expiring").await;
    let trail = client.trail();
    let closing = client.end().await;
    assert_eq!((&closing["code"], &closing["reason"]), (&json!(4007), &json!("auth_expired")));
    let late = server.harness.connect_showing(None, "soon").await.expect("as before");
    assert_eq!(text(&TestClient::last_words(late).await.0, "code"), "auth_expired");
    let mut client = TestClient::showing(&server.harness, Some(&trail), "long").await.expect("as before");
    assert_eq!((&client.welcome["resumed"], client.standings()), (&json!(true), vec!["LUNCH live 1".to_owned()]));
    assert_eq!(client.say("LUNCH", "back").await, 2);
}

/// And one that is not theirs changes nothing.
pub async fn another_token_is_shown_without_a_reconnect<D: TransportHarness>() {
    let short = ann().with_expiry(later(HOUR));
    let long = ann().with_expiry(later(3 * HOUR));
    let bob = Admission::of(Identity::new("bob"));
    let server =
        server::<D>(|limits| limits.session.auth_notice = 2 * HOUR, [("short", short), ("long", long), ("bob", bob)])
            .await;
    let Some(mut client) = TestClient::showing(&server.harness, None, "short").await else { return };
    client.create("LUNCH", "Ann").await;
    let expiring = client.find("auth_expiring").await;
    assert_eq!(client.code(json!({"type": "auth", "token": "bob"})).await, "forbidden");
    assert_eq!(client.code(json!({"type": "auth", "token": "nobody"})).await, "bad_token");
    let refused = client.refused(json!({"type": "auth"})).await;
    assert_eq!((text(&refused, "code").as_str(), text(&refused, "field").as_str()), ("bad_field", "token"));
    let renewed = client.done(json!({"type": "auth", "token": "long"})).await;
    assert_eq!(renewed["type"], "auth_renewed");
    assert!(text(&renewed, "expires_at") > text(&expiring, "expires_at"), "{renewed}");
    assert_eq!(client.say("LUNCH", "and on it goes").await, 2);
}

/// A later token that names fewer rooms has them leave the others.
pub async fn the_policy_says_which_rooms_are_entered<D: TransportHarness>() {
    let room = |code: &str| RoomCode::parse(code).expect("a code");
    let lunch = ann().with_rooms([room("LUNCH")]);
    let server = server::<D>(|_| {}, [("lunch", lunch), ("none", ann().with_rooms([]))]).await;
    let Some(mut client) = TestClient::showing(&server.harness, None, "lunch").await else { return };
    for command in [json!({"type": "create", "nick": "Ann"}), json!({"type": "create", "nick": "Ann", "room": "TEA"})] {
        assert_eq!(client.code(command).await, "forbidden");
    }
    let mut bob = server.client().await;
    bob.create("LUNCH", "Bob").await;
    client.join("LUNCH", "Ann").await;
    client.done(json!({"type": "auth", "token": "none"})).await;
    assert_eq!(bob.told_to("LUNCH", 3).await, ["2 +Ann", "3 -Ann left"]);
    assert_eq!(client.code(json!({"type": "join", "room": "LUNCH", "nick": "Ann"})).await, "forbidden");
}

/// Told like any change of a role.
pub async fn the_policy_says_what_somebody_is_in_rooms<D: TransportHarness>() {
    let server = server::<D>(|_| {}, [("moderator", ann().with_role(Role::Moderator))]).await;
    let Some(mut client) = TestClient::showing(&server.harness, None, "moderator").await else { return };
    let mut bob = server.client().await;
    bob.create("LUNCH", "Bob").await;
    let mut cid = server.client().await;
    cid.join("LUNCH", "Cid").await;
    client.join("LUNCH", "Ann").await;
    let changed = client.find("role_changed").await;
    assert_eq!((&changed["role"], changed.get("by")), (&json!("moderator"), None));
    client.done(json!({"type": "kick", "room": "LUNCH", "member": 2})).await;
    assert_eq!(cid.find("member_left").await["reason"], "kicked");
}

/// In the rooms that they are in, without a reconnect: everybody is told.
pub async fn another_token_says_who_somebody_is_at_once<D: TransportHarness>() {
    let named = |name: &str| ann().with_nick(name.parse().expect("a nick"));
    let tokens =
        [("first", named("Ann").with_role(Role::Moderator)), ("second", named("Annie").with_role(Role::Member))];
    let server = server::<D>(|_| {}, tokens).await;
    let Some(mut client) = TestClient::showing(&server.harness, None, "first").await else { return };
    let mut bob = server.client().await;
    bob.create("LUNCH", "Bob").await;
    client.join("LUNCH", "whatever").await;
    bob.told_to("LUNCH", 3).await;
    client.done(json!({"type": "auth", "token": "second"})).await;
    for reader in [&mut bob, &mut client] {
        let told = reader.read_to("LUNCH", 5).await;
        let field = |kind: &str, field: &str| {
            let frame = told.iter().rfind(|frame| frame["type"] == kind);
            frame.map(|frame| text(frame, field))
        };
        assert_eq!(field("role_changed", "role").as_deref(), Some("member"), "{told:?}");
        assert_eq!(field("member_changed", "nick").as_deref(), Some("Annie"), "{told:?}");
    }
    client.say("LUNCH", "under another name").await;
    assert_eq!(bob.find("message").await["nick"], "Annie");
}

/// And are for nobody else: without a policy they are an error.
pub async fn params_are_for_the_policy<D: TransportHarness>() {
    let passes = Passes { asks_invite: true, ..Passes::default() };
    let server = TestServer::<D>::build(|_| {}, |engine| engine.policy(Arc::new(passes))).await;
    let (mut ann, mut bob) = (server.client().await, server.client().await);
    ann.create("LUNCH", "Ann").await;
    let join = |params| json!({"type": "join", "room": "LUNCH", "nick": "Bob", "params": params});
    assert_eq!(bob.code(join(json!({"invite": "hash"}))).await, "forbidden");
    let refused = bob.refused(join(json!("hush"))).await;
    assert_eq!((text(&refused, "code").as_str(), text(&refused, "field").as_str()), ("bad_field", "params"));
    assert!(!refused.to_string().contains("hush"), "{refused}");
    let refused = bob.refused(join(json!({"invite": "x".repeat(3_000)}))).await;
    assert_eq!((text(&refused, "code").as_str(), &refused["limit"]), ("too_long", &json!(2_048)));
    bob.enter(join(json!({"invite": "hush"}))).await;
    let server = TestServer::<D>::open().await;
    let refused = server.client().await.refused(join(json!({}))).await;
    assert_eq!((text(&refused, "code").as_str(), text(&refused, "field").as_str()), ("bad_field", "params"));
}
