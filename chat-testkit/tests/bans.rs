//! Bans and sweeps over a log: they outlive the process, and what was swept is shown to nobody, however long the log takes to forget it.

mod support;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::wire::{BanEntry, RemovalReason, Status};
use chat_core::{
    Admission, BanId, BanTerms, Command, ConnectRequest, Connection, Engine, Event, Hello, Identity, Limits, MemberId,
    Moderation, Policy, Position, Reject, RejectCode, Resume, Role, Seq, ServerFrame,
};
use chat_testkit::logs::Operation;
use support::{
    TestLog, builder, code, connect, create, engine_with, fails, founder, join, joined, log, newcomer, nick, say_many,
    settle, text, texts_of_log,
};

/// Lets everybody in as who they say they are.
struct AsTheySay;

#[async_trait]
impl Policy for AsTheySay {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let mut admission = Admission::default();
        admission.identity = request.credentials.as_deref().and_then(Identity::new);
        Ok(admission)
    }
}

async fn connect_as(engine: &Engine, name: &str, resume: Option<Resume>) -> Connection {
    let request = ConnectRequest { credentials: Some(name.to_owned()), ..ConnectRequest::default() };
    engine.connect(request, Hello { resume, ..Hello::default() }).await.expect("everybody is let in")
}

async fn connect_from(engine: &Engine, address: &str) -> Connection {
    let address: IpAddr = address.parse().expect("an address");
    let request = ConnectRequest { address: Some(address), ..ConnectRequest::default() };
    engine.connect(request, Hello::default()).await.expect("everybody is let in")
}

async fn token(session: &mut Connection) -> String {
    let ServerFrame::Welcome { token: Some(token), .. } = session.next().await else { panic!("welcome comes first") };
    token
}

fn minutes(minutes: u32) -> BanTerms {
    BanTerms::lasting(NonZeroU32::new(minutes))
}

async fn ban(session: &Connection, member: u32, terms: BanTerms) {
    session.call(Command::ban(code(), MemberId(member)).with_terms(terms)).await.expect("she is the owner");
}

async fn bans(session: &Connection) -> Vec<BanEntry> {
    match session.call(Command::bans(code())).await {
        Ok(ServerFrame::Bans { bans, more: false, .. }) => bans,
        other => panic!("the owner is shown the bans: {other:?}"),
    }
}

async fn refused(session: &Connection, name: &str) -> Option<Reject> {
    join(session, name).await.err()
}

#[tokio::test(start_paused = true)]
async fn who_is_banned_stays_out_over_restarts_resumes_and_new_sessions_until_it_is_over() {
    let log = log();
    let start = || builder(&log).policy(std::sync::Arc::new(AsTheySay)).build();
    let engine = start();
    let mut ann = connect_as(&engine, "ann", None).await;
    let of_ann = token(&mut ann).await;
    create(&mut ann).await;
    let mut bob = connect_as(&engine, "bob", None).await;
    let of_bob = token(&mut bob).await;
    join(&bob, "Bob").await.expect("he may");
    ban(&ann, 2, minutes(60)).await;
    let first = refused(&bob, "Bob").await.expect("he is banned");
    assert_eq!((first.code, first.until.is_some()), (RejectCode::Banned, true));
    drop((ann, bob, engine));
    settle().await;
    let engine = start();
    let _ann = connect_as(&engine, "ann", Some(Resume { token: of_ann, positions: vec![(code(), at(&log, 1))] })).await;
    let resume = Resume { token: of_bob, positions: vec![(code(), at(&log, 2))] };
    let mut bob = connect_as(&engine, "bob", Some(resume)).await;
    let ServerFrame::Welcome { rooms, .. } = bob.next().await else { panic!("welcome comes first") };
    assert_eq!(
        (rooms[0].status, rooms[0].reason, rooms[0].until),
        (Status::Left, Some(RemovalReason::Banned), first.until)
    );
    assert_eq!(refused(&bob, "Bob").await, Some(first.clone()));
    let other = connect_as(&engine, "bob", None).await;
    assert_eq!(refused(&other, "Robert").await, Some(first), "another session of the same person");
    tokio::time::sleep(Duration::from_secs(60 * 60)).await;
    join(&other, "Robert").await.expect("it is over");
}

fn at(log: &TestLog, seq: u64) -> Position {
    let epochs = log.inner().records(&code()).into_iter().filter_map(|record| match record.event {
        Event::Created { epoch, .. } => Some(epoch),
        _ => None,
    });
    Position { epoch: epochs.last().expect("the room was created"), seq: Seq(seq) }
}

#[tokio::test(start_paused = true)]
async fn bans_are_read_back_from_a_snapshot_and_none_is_lost_to_tighter_bounds() {
    let log = log();
    let engine = engine_with(&log, lift);
    let ann = founder(&engine).await;
    for (member, name) in [(2, "Bob"), (3, "Cid"), (4, "Dan")] {
        let guest = newcomer(&engine, name).await;
        ban(&ann, member, if member == 3 { minutes(5) } else { BanTerms::default() }).await;
        drop(guest);
    }
    engine.moderate(&code(), Moderation::Unban(BanId(1))).await.expect("the host may");
    let before = bans(&ann).await;
    say_many(&ann, 0..1_100).await;
    settle().await;
    drop((ann, engine));
    settle().await;
    assert!(log.calls(Operation::SaveSnapshot) > 0, "one was stored");
    let engine = engine_with(&log, |limits| {
        lift(limits);
        limits.room.bans_max = 1;
    });
    let (room, engine) = (code(), &engine);
    let host = |moderation| engine.moderate(&room, moderation);
    let eve = newcomer(engine, "Eve").await;
    let full = host(Moderation::Ban(MemberId(5))).await.expect_err("no room for another");
    assert_eq!((full.code, full.limit), (RejectCode::BansFull, Some(1)));
    assert_eq!(before.iter().map(|ban| (ban.ban.0, ban.until.is_some())).collect::<Vec<_>>(), [(2, true), (3, false)]);
    for number in [2, 3] {
        host(Moderation::Unban(BanId(number))).await.expect("it was read back");
    }
    host(Moderation::BanOn(MemberId(5), minutes(1).with_sweep())).await.expect("there is room again");
    drop(eve);
}

fn lift(limits: &mut Limits) {
    limits.lift_rates();
    limits.room.backlog_events_max = 16;
}

async fn redact_all(session: &Connection, member: u32) -> Seq {
    match session.call(Command::redact_all(code(), MemberId(member))).await {
        Ok(ServerFrame::Ack { seq, .. }) => seq,
        other => panic!("she is the owner: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_range_is_forgotten_by_the_log_slice_by_slice() {
    let log = log();
    let engine = engine_with(&log, lift);
    let ann = founder(&engine).await;
    let bob = newcomer(&engine, "Bob").await;
    say_many(&ann, 0..40).await;
    for round in 0..30 {
        say_many(&bob, round * 100..(round + 1) * 100).await;
    }
    let amends = log.calls(Operation::Amend);
    let swept = redact_all(&ann, 2).await;
    settle().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(log.calls(Operation::Amend) - amends, 2, "3,000 messages in slices of 2,048");
    let kept: Vec<String> = texts_of_log(&log).into_iter().filter(|text| !text.is_empty()).collect();
    assert_eq!(kept, (0..40).map(|number| number.to_string()).collect::<Vec<_>>(), "and nothing of anybody else");
    let appends = log.calls(Operation::Append);
    ann.call(Command::send(code(), text("so"))).await.expect("she may");
    assert_eq!(log.calls(Operation::Append), appends + 1, "that it is done is said by the way");
    let settled = log
        .inner()
        .records(&code())
        .into_iter()
        .any(|record| record.event == Event::Settled { through: swept, frozen: Seq(0) });
    assert!(settled);
}

/// The texts of a page of history before a message.
async fn shown(session: &Connection, before: u64, limit: u32) -> Vec<String> {
    let asked = Command::history(code()).with_before(Seq(before)).with_limit(limit);
    match session.call(asked).await {
        Ok(ServerFrame::History { messages, .. }) => messages.iter().map(|one| one.frame().text.clone()).collect(),
        other => panic!("a member may read: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_swept_is_shown_to_nobody_while_the_log_still_has_it_and_after_a_restart() {
    let log = log();
    let engine = engine_with(&log, lift);
    let ann = founder(&engine).await;
    let bob = newcomer(&engine, "Bob").await;
    say_many(&bob, 0..20).await;
    say_many(&ann, 20..22).await;
    say_many(&bob, 22..24).await;
    log.plan(fails(&[Operation::Amend]));
    redact_all(&ann, 2).await;
    let expected = |shown: &[String]| shown.iter().all(|text| text.is_empty() || ["20", "21"].contains(&text.as_str()));
    for before in [5, 12, 26, 27] {
        let page = shown(&ann, before, 30).await;
        assert!(expected(&page) && !page.is_empty(), "{page:?}");
    }
    drop((ann, bob, engine));
    settle().await;
    assert_eq!(texts_of_log(&log).iter().filter(|text| text.is_empty()).count(), 0, "the log still has all of it");
    let engine = engine_with(&log, lift);
    let mut cid = connect(&engine, None).await;
    cid.call(Command::join(code(), nick("Cid")).with_history(6)).await.expect("the room is there");
    let history: Vec<String> = joined(&mut cid).await.history.iter().map(|one| one.frame().text.clone()).collect();
    assert_eq!(history, ["", "", "20", "21", "", ""]);
    for before in [5, 12] {
        assert!(expected(&shown(&cid, before, 30).await));
    }
    log.heal();
    tokio::time::sleep(Duration::from_secs(10)).await;
    settle().await;
    assert_eq!(texts_of_log(&log).iter().filter(|text| !text.is_empty()).count(), 2, "and is made to forget it");
    assert!(expected(&shown(&cid, 27, 30).await));
}

#[tokio::test(start_paused = true)]
async fn a_ban_of_a_network_keeps_out_guests_of_the_same_network_and_nobody_else() {
    let log = log();
    let policy = || std::sync::Arc::new(AsTheySay);
    let engine = builder(&log).policy(policy()).build();
    let ann = founder(&engine).await;
    let bob = connect_from(&engine, "2001:db8:0:1200::1").await;
    join(&bob, "Bob").await.expect("he may");
    ban(&ann, 2, BanTerms::default().with_network()).await;
    assert!(bans(&ann).await[0].network);
    let others =
        [("Eve", "2001:db8:0:12ff::9", true), ("Fay", "2001:db8:0:1300::1", false), ("Gil", "192.0.2.1", false)];
    for (name, address, is_banned) in others {
        let guest = connect_from(&engine, address).await;
        assert_eq!(refused(&guest, name).await.is_some(), is_banned, "{address}");
    }
    let request = ConnectRequest {
        address: "2001:db8:0:1200::2".parse().ok(),
        credentials: Some("dan".to_owned()),
        ..ConnectRequest::default()
    };
    let dan = engine.connect(request, Hello::default()).await.expect("everybody is let in");
    join(&dan, "Dan").await.expect("it is known who he is");
    drop((ann, bob, dan, engine));
    settle().await;
    // The secret of the tokens was changed, and that of the networks stays what it was.
    let rotated = builder(&log).secret([9; 32]).old_secret(support::SECRET).lasting_secret(support::SECRET);
    let engine = rotated.policy(policy()).build();
    let guest = connect_from(&engine, "2001:db8:0:1234::1").await;
    assert_eq!(refused(&guest, "Gus").await.map(|reject| reject.code), Some(RejectCode::Banned));
}

/// A puppet behind the owner's address is put out by a moderator while the owner is lost.
#[tokio::test(start_paused = true)]
async fn a_ban_of_a_network_keeps_no_owner_out_who_was_lost() {
    let log = log();
    let engine = builder(&log).build();
    let (home, elsewhere) = ("192.0.2.7", "192.0.2.8");
    let mut ann = connect_from(&engine, home).await;
    let of_ann = token(&mut ann).await;
    create(&mut ann).await;
    let bob = connect_from(&engine, elsewhere).await;
    join(&bob, "Bob").await.expect("he may");
    ann.call(Command::set_role(code(), MemberId(2), Role::Moderator)).await.expect("she is the owner");
    let puppet = connect_from(&engine, home).await;
    join(&puppet, "Eve").await.expect("she may");
    drop(ann);
    tokio::time::sleep(Duration::from_secs(60)).await;
    ban(&bob, 3, BanTerms::default().with_network()).await;
    let other = connect_from(&engine, home).await;
    assert_eq!(refused(&other, "Eva").await.map(|reject| reject.code), Some(RejectCode::Banned));
    let request = ConnectRequest { address: home.parse().ok(), ..ConnectRequest::default() };
    let resume = Some(Resume { token: of_ann, positions: vec![(code(), at(&log, 1))] });
    let mut ann = engine.connect(request, Hello { resume, ..Hello::default() }).await.expect("everybody is let in");
    join(&ann, "Ann").await.expect("she is nobody new");
    let joined = joined(&mut ann).await;
    assert_eq!((joined.you.member, joined.you.role), (MemberId(1), Role::Owner));
}
