//! How many bytes of answers one address, one network or one identity gets, whichever of its sessions ask.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_core::{Command, ConnectRequest, Engine, Hello, Limits, Reject, RejectCode, ServerFrame};
use support::*;

const HERE: &str = "192.0.2.1";

async fn member(engine: &Engine, address: &str, who: &str) -> Client {
    let client = Client::calling_from(engine, address).await;
    client.enter("LUNCH", who).await;
    client.take();
    client
}

/// A room in which much was said, by somebody of no address; nobody is held to how often they ask.
async fn long_room(change: impl FnOnce(&mut Limits)) -> (Engine, Client) {
    let engine = engine_with(|limits| {
        (limits.session.command_per_second, limits.session.refusals_per_second) = (0, 0);
        (limits.session.send_per_second, limits.session.said_bytes_per_second) = (0, 0);
        change(limits);
    });
    let host = talked(&engine, "x".repeat(4_000)).await;
    (engine, host)
}

async fn talked(engine: &Engine, text: String) -> Client {
    let host = Client::in_room(engine, "LUNCH", "Host").await;
    for _ in 0..20 {
        host.say("LUNCH", &text).await;
        host.take();
    }
    host
}

fn history(limit: u32) -> Command {
    Command::history(code("LUNCH")).with_limit(limit)
}

fn members() -> Command {
    Command::members(code("LUNCH"))
}

/// How long a frame is.
fn length(frame: &ServerFrame) -> usize {
    serde_json::to_string(frame).expect("a frame is JSON").len()
}

/// Asks until it is refused: how many bytes came, and how long to wait.
async fn read_all(client: &Client, command: impl Fn() -> Command) -> (usize, Duration) {
    let mut bytes = 0;
    for _ in 0..1_000 {
        match client.session.call(command()).await {
            Ok(page) => bytes += length(&page),
            Err(reject) => return (bytes, limited(&reject)),
        }
    }
    panic!("{bytes} bytes, and nothing is refused");
}

#[track_caller]
fn limited(reject: &Reject) -> Duration {
    assert_eq!(reject.code, RejectCode::RateLimited);
    reject.retry_after.expect("it says when to try again")
}

const PAGE: usize = 64 << 10;

#[tokio::test(start_paused = true)]
async fn an_address_is_answered_4_mib_at_once_and_then_1_mib_per_second() {
    let (engine, _host) = long_room(|_| {}).await;
    let ann = member(&engine, HERE, "Ann").await;
    let joined = PAGE + 1_000;
    let (bytes, wait) = read_all(&ann, || history(200)).await;
    assert!((4 << 20) - joined <= bytes && bytes <= (4 << 20) + PAGE, "{bytes} bytes at once");
    assert!(wait <= millis(63), "less than a page is owed: {wait:?}");
    pass(wait).await;
    let mut bytes = 0;
    for _ in 0..1_000 {
        bytes += read_all(&ann, || history(200)).await.0;
        pass(millis(10)).await;
    }
    assert!(((10 << 20) - PAGE..=(10 << 20) + PAGE).contains(&bytes), "{bytes} bytes in 10 seconds");
}

/// The last page is paid for though it is longer than what was left.
fn narrow(limits: &mut Limits) {
    (limits.engine.address_answered_bytes_burst, limits.engine.address_answered_bytes_per_second) = (10_000, 1_000);
}

#[tokio::test(start_paused = true)]
async fn sessions_of_one_address_share_it_and_those_of_others_do_not() {
    let (engine, host) = long_room(narrow).await;
    let ann = Client::calling_from(&engine, HERE).await;
    ann.session.call(Command::create(nick("Ann")).with_room(code("OTHER"))).await.expect("it is little");
    ann.take();
    let bob = Client::calling_from(&engine, HERE).await;
    let answer = ann.session.call(join("LUNCH", "Ann")).await;
    answer.expect("what it shows is known only once it is made");
    ann.joined().await;
    for command in [history(1), members(), join("LUNCH", "Bob"), create("THIRD", "Bob")] {
        let client = if matches!(command, Command::History { .. } | Command::Members { .. }) { &ann } else { &bob };
        let wait = limited(&client.refused(command).await);
        assert!(secs(50) < wait && wait < secs(60), "65 KiB at a KiB per second: {wait:?}");
    }
    ann.say("LUNCH", "what is said and what is done is not answered with much").await;
    ann.session.call(leave("LUNCH")).await.expect("she is in");
    member(&engine, "192.0.2.2", "Cid").await;
    host.session.call(history(20)).await.expect("nobody knows where she is");
    pass(secs(60)).await;
    bob.session.call(join("LUNCH", "Bob")).await.expect("it is paid for");
}

/// Of many that ask in one moment, before anybody is answered, no more are let through than there is something for.
#[tokio::test(start_paused = true)]
async fn who_asks_for_everything_at_once_gets_no_more_than_one_after_the_other() {
    let (engine, _host) = long_room(|limits| limits.engine.address_answered_bytes_burst = 1 << 20).await;
    let mut crowd = Vec::new();
    for number in 0..40 {
        // They come in one by one, and leave off until nothing is owed.
        pass(secs(1)).await;
        crowd.push(member(&engine, HERE, &format!("Guest {number}")).await);
    }
    pass(secs(10)).await;
    crowd.iter().for_each(|guest| guest.submit(history(200)));
    let (mut pages, mut refused) = (0, 0);
    for guest in &crowd {
        for frame in guest.frames().await {
            match frame {
                ServerFrame::History { .. } => pages += 1,
                ServerFrame::Error { .. } => refused += 1,
                _ => {}
            }
        }
    }
    assert_eq!((pages, refused), (16, 24), "16 pages are a MiB");
}

#[tokio::test(start_paused = true)]
async fn what_was_held_for_an_answer_and_not_needed_goes_back() {
    let (engine, _host) = long_room(narrow).await;
    let bob = member(&engine, HERE, "Bob").await;
    pass(secs(120)).await;
    let ann = member(&engine, HERE, "Ann").await;
    pass(secs(120)).await;
    for _ in 0..3 {
        ann.session.call(members()).await.expect("a few bytes");
        assert_eq!(ann.refused(join("LUNCH", "Ann")).await.code, RejectCode::AlreadyMember, "costs nothing");
        assert_eq!(ann.refused(create("LUNCH", "Ann")).await.code, RejectCode::NameTaken, "likewise");
    }
    // What nobody reads before the connection is gone was never made.
    let token = ann.token();
    ann.submit(history(20));
    settle().await;
    assert!(limited(&ann.refused(members()).await) > secs(0), "it is held");
    drop(ann);
    settle().await;
    bob.session.call(members()).await.expect("it has gone back");
    // A `joined` that a resume makes due is held like what is asked for.
    let ann = Client::with_request(&engine, from(HERE), resume(&token, &[])).await;
    settle().await;
    assert!(limited(&bob.refused(members()).await) > secs(0), "it is held");
    drop(ann);
    settle().await;
    bob.session.call(members()).await.expect("it has gone back");
}

/// Else all of them would be let in before the first has cost anything.
#[tokio::test(start_paused = true)]
async fn of_many_who_come_back_at_once_no_more_are_let_in_than_can_be_shown_their_rooms() {
    let (engine, _host) = long_room(|limits| {
        narrow(limits);
        limits.engine.address_answered_bytes_burst = 128 << 10;
        limits.room.grace = secs(24 * 60 * 60);
    })
    .await;
    let mut tokens = Vec::new();
    for number in 0..20 {
        let guest = member(&engine, HERE, &format!("Guest {number}")).await;
        pass(secs(120)).await;
        tokens.push(guest.token());
        settle().await;
        drop(guest);
    }
    settle().await;
    pass(secs(120)).await;
    let mut back = Vec::new();
    for token in &tokens {
        back.push(engine.connect(from(HERE), resume(token, &[])).await);
    }
    let let_in = back.iter().filter(|answer| answer.is_ok()).count();
    assert!((1..=5).contains(&let_in), "a page each of two bursts: {let_in}");
    assert!(back.iter().flat_map(|answer| answer.as_ref().err()).all(|refusal| refusal.reconnect_after.is_some()));
}

#[tokio::test(start_paused = true)]
async fn what_is_made_is_paid_for_whether_or_not_it_is_taken() {
    let (engine, _host) = long_room(narrow).await;
    let ann = member(&engine, HERE, "Ann").await;
    pass(secs(120)).await;
    let token = ann.token();
    ann.submit(history(20));
    settle().await;
    for _ in 0..3 {
        assert!(ann.peeked().is_some_and(|told| told.starts_with("history")), "it is made, and not taken");
    }
    drop(ann);
    settle().await;
    let refusal = engine.connect(from(HERE), resume(&token, &[])).await.expect_err("55 KiB are owed");
    assert_eq!((refusal.close.code(), refusal.reject.code), (4005, RejectCode::RateLimited));
    let wait = refusal.reconnect_after.expect("it says when to come back");
    assert!(secs(40) < wait && wait < secs(50), "once, however often it was looked at: {wait:?}");
}

/// Nobody can refuse a `joined` to who comes back: whoever is shown their rooms again and again comes back more slowly.
#[tokio::test(start_paused = true)]
async fn who_is_shown_their_rooms_again_and_again_has_to_wait_before_coming_back() {
    let (engine, _host) = long_room(|limits| {
        (limits.engine.address_answered_bytes_burst, limits.engine.address_answered_bytes_per_second) =
            (100_000, 10_000);
    })
    .await;
    let ann = member(&engine, HERE, "Ann").await;
    let token = ann.token();
    drop(ann);
    let mut shown = 0;
    let refusal = loop {
        assert!(shown < 100, "it goes on and on");
        match engine.connect(from(HERE), resume(&token, &[])).await {
            Ok(session) => {
                let ann = Client { session };
                ann.joined().await;
                shown += 1;
            }
            Err(refusal) => break refusal,
        }
    };
    assert!((1..=3).contains(&shown), "{shown} times 60 KiB, of 100 KB at once and as much owed");
    let wait = refusal.reconnect_after.expect("it says when to come back");
    assert_eq!((refusal.close.code(), refusal.reject.retry_after), (4005, Some(wait)));
    pass(wait).await;
    let ann = Client::with_request(&engine, from(HERE), resume(&token, &[])).await;
    assert!(ann.told().await[0].starts_with("welcome back lunch:live"));
}

/// A reader that falls behind is shown the room with each gap.
#[tokio::test(start_paused = true)]
async fn gaps_are_paid_for_too_and_keep_nobody_from_coming_back() {
    let engine = engine_with(|limits| {
        limits.lift_rates();
        limits.room.backlog_events_max = 4;
        (limits.engine.address_answered_bytes_burst, limits.engine.address_answered_bytes_per_second) = (1_000, 100);
    });
    let host = Client::in_room(&engine, "LUNCH", "Host").await;
    for number in 0..5 {
        member(&engine, &format!("192.0.2.{}", number + 10), &format!("A guest by the number of {number}")).await;
    }
    let ann = member(&engine, HERE, "Ann").await;
    pass(secs(20)).await;
    ann.session.call(history(1)).await.expect("nothing is owed");
    for _ in 0..4 {
        for _ in 0..20 {
            host.say("LUNCH", "x").await;
        }
        pass(millis(1_100)).await;
        assert!(ann.told().await.iter().any(|told| told.starts_with("gap")));
    }
    let wait = limited(&ann.refused(history(1)).await);
    assert!(
        secs(2) < wait && wait <= millis(10_010),
        "no more than a burst is owed for what nobody asked for: {wait:?}"
    );
    let token = ann.token();
    drop(ann);
    let ann = Client::with_request(&engine, from(HERE), resume(&token, &[])).await;
    assert!(ann.told().await[0].starts_with("welcome back"));
}

#[tokio::test(start_paused = true)]
async fn who_has_an_identity_pays_from_that_wherever_they_are() {
    let limits = limits(|limits| {
        limits.lift_rates();
        narrow(limits);
    });
    let engine = Engine::builder().policy(Arc::new(ByCredentials)).limits(limits).build();
    let _host = talked(&engine, "x".repeat(4_000)).await;
    let of = async |who: &str, address: &str| {
        let request = ConnectRequest { credentials: Some(who.to_owned()), ..from(address) };
        Client::with_request(&engine, request, Hello::default()).await
    };
    let ann = of("ann", HERE).await;
    ann.session.call(join("LUNCH", "Ann")).await.expect("nothing is owed");
    ann.joined().await;
    let again = of("ann", "192.0.2.2").await;
    limited(&again.refused(join("LUNCH", "Ann")).await);
    let bob = of("bob", HERE).await;
    bob.session.call(join("LUNCH", "Bob")).await.expect("another person, at the same address");
    bob.joined().await;
    let guest = Client::calling_from(&engine, HERE).await;
    guest.session.call(join("LUNCH", "Guest")).await.expect("nobody has paid from the address");
}

#[tokio::test(start_paused = true)]
async fn a_network_of_48_bits_gets_sixteen_times_as_much() {
    let (engine, _host) = long_room(|limits| limits.engine.address_answered_bytes_burst = 256 << 10).await;
    let mut site = Vec::new();
    for number in 0..20 {
        site.push(member(&engine, &format!("2001:db8:7:{number}::1"), &format!("Guest {number}")).await);
        pass(secs(1)).await;
    }
    pass(secs(10)).await;
    let mut bytes = 0;
    for guest in &site {
        bytes += read_all(guest, || history(200)).await.0;
    }
    let most = 16 * (256 << 10);
    assert!(most <= bytes && bytes <= most + PAGE, "{bytes} bytes");
    let elsewhere = member(&engine, "2001:db8:8::1", "Eve").await;
    assert!(read_all(&elsewhere, || history(200)).await.0 > 0);
}

#[tokio::test(start_paused = true)]
async fn a_rate_of_zero_is_no_bound() {
    let (engine, _host) = long_room(Limits::lift_rates).await;
    let ann = member(&engine, HERE, "Ann").await;
    for _ in 0..200 {
        ann.session.call(history(200)).await.expect("12 MiB at once");
    }
}

#[tokio::test(start_paused = true)]
async fn the_members_that_a_joined_shows_are_paid_for() {
    let (engine, _host) = long_room(|limits| {
        limits.engine.address_answered_bytes_burst = 10_000;
        limits.engine.address_answered_bytes_per_second = 1;
    })
    .await;
    let mut crowd = Vec::new();
    for number in 0..30 {
        crowd.push(Client::in_room(&engine, "LUNCH", &format!("Guest {number}")).await);
    }
    let ann = Client::calling_from(&engine, HERE).await;
    let mut joins = 0;
    let refused = loop {
        match ann.session.call(Command::join(code("LUNCH"), nick("Ann")).with_history(0)).await {
            Ok(_) => joins += 1,
            Err(reject) => break reject.code,
        }
        assert!(joins < 20, "nothing is paid");
        ann.session.call(leave("LUNCH")).await.expect("she is in");
        ann.told().await;
    };
    assert_eq!(refused, RejectCode::RateLimited);
    assert!(joins > 1, "she may once more after {joins}");
}
