//! Sessions that come back to several rooms, of which some cannot say at once where they stand.

mod support;

use std::time::Duration;

use chat_core::wire::{RemovalReason, Status};
use chat_core::{
    CloseReason, Command, Connection, Engine, MemberId, Moderation, Position, Reject, Resume, RoomCode, ServerFrame,
};
use chat_testkit::logs::{Delay, Fault, Operation, Outcome};
use support::{TestLog, connect, engine_with, joined, log, nick, text};
use tokio::time::{Instant, sleep};

const ROOMS: [&str; 2] = ["EARLY", "LATE"];

fn code(room: &str) -> RoomCode {
    RoomCode::parse(room).expect("valid")
}

async fn enter(session: &mut Connection, room: &str, who: &str) -> Position {
    let create = Command::create(nick(who)).with_room(code(room));
    if session.call(create).await.is_err() {
        session.call(Command::join(code(room), nick(who))).await.expect("the room is there");
    }
    joined(session).await.position()
}

/// Bob comes back to two rooms. The first says at once where he stands, and goes on past its backlog while the log of the
/// second is being read. He was never slow, so the gap has to be announced, and is not one that a reader must never see.
#[tokio::test(start_paused = true)]
async fn a_room_that_goes_on_while_another_is_waited_for_announces_its_gap() {
    let house = Restarted::with_a_room_as_slow_as(Duration::from_millis(600)).await;
    let meanwhile = async {
        sleep(Duration::from_millis(300)).await;
        for _ in 0..8 {
            say(&house.ann, ROOMS[0], "meanwhile").await.expect("she is in");
        }
    };
    let ((mut bob, standings), ()) = tokio::join!(house.bob(), meanwhile);
    assert_eq!(standings, [Status::Gap, Status::Live]);
    assert!(matches!(bob.next().await, ServerFrame::Gap { .. }));
    let stats = house.engine.stats();
    assert_eq!((stats.gaps, stats.gaps_unblocked), (1, 0));
}

/// Ann and Bob were in two rooms. Another engine over their log has to read the rooms before it knows anything of them.
struct Restarted {
    engine: Engine,
    /// In the first room again.
    ann: Connection,
    /// What Bob comes back with.
    bob: Resume,
    log: TestLog,
}

impl Restarted {
    /// What is asked of the log about the second room takes this long, each time.
    async fn with_a_room_as_slow_as(each: Duration) -> Self {
        let log = log();
        // A room that cannot say counts among the rooms of a session, and does not keep it from asking again.
        let engine = || {
            engine_with(&log, |limits| {
                limits.session.rooms_max = ROOMS.len();
                limits.room.backlog_events_max = 4;
            })
        };
        let first = engine();
        let (mut ann, mut bob) = (connect(&first, None).await, connect(&first, None).await);
        let mut positions = Vec::new();
        for room in ROOMS {
            enter(&mut ann, room, "Ann").await;
            positions.push((code(room), enter(&mut bob, room, "Bob").await));
        }
        let (token, token_of_ann) = (bob.token(), ann.token());
        drop((ann, bob, first));
        sleep(Duration::from_secs(1)).await;
        let slow = Fault { before: Delay::For(each), outcome: Outcome::Done, after: Delay::None };
        log.plan(move |call| (call.room == Some(code(ROOMS[1]))).then(|| slow.clone()));
        let engine = engine();
        let ann = connect(&engine, Some(Resume { token: token_of_ann, positions: vec![positions[0].clone()] })).await;
        Self { engine, ann, bob: Resume { token, positions }, log }
    }

    /// Bob comes back, and is welcomed.
    async fn bob(&self) -> (Connection, Vec<Status>) {
        let mut bob = connect(&self.engine, Some(self.bob.clone())).await;
        let ServerFrame::Welcome { rooms, .. } = bob.next().await else { panic!("a welcome comes first") };
        (bob, rooms.iter().map(|room| room.status).collect())
    }
}

async fn say(session: &Connection, room: &str, said: &str) -> Result<ServerFrame, Reject> {
    session.call(Command::send(code(room), text(said))).await
}

/// The next message, of whichever room.
async fn hears(session: &mut Connection) -> String {
    loop {
        match session.next().await {
            ServerFrame::Message(message) => return format!("{} {}", message.room, message.text),
            // Ann does not come back to the second room.
            ServerFrame::MemberLeft { member: MemberId(1), .. } | ServerFrame::RoleChanged { .. } => {}
            other => panic!("no message: {other:?}"),
        }
    }
}

/// The welcome waits two seconds for it and no longer; what it has to say comes when it can, without a reconnect.
#[tokio::test(start_paused = true)]
async fn a_room_that_is_slow_to_read_says_later_where_one_stands() {
    let house = Restarted::with_a_room_as_slow_as(Duration::from_secs(4)).await;
    let began = Instant::now();
    let (mut bob, standings) = house.bob().await;
    assert_eq!(standings, [Status::Live, Status::Waiting]);
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    say(&house.ann, ROOMS[0], "meanwhile").await.expect("she is in");
    assert_eq!(hears(&mut bob).await, "EARLY meanwhile");
    let ServerFrame::Resumed(status) = bob.next().await else { panic!("the room says where he stands") };
    assert_eq!((status.room.as_str(), status.status), (ROOMS[1], Status::Live));
    assert_eq!(
        status.epoch.zip(status.seq).map(|(epoch, seq)| Position { epoch, seq }),
        Some(house.bob.positions[1].1)
    );
    say(&bob, ROOMS[1], "here").await.expect("he is in");
    assert_eq!(hears(&mut bob).await, "LATE here");
}

/// After half a minute he is told that it cannot say, and it does not let him in behind his back.
#[tokio::test(start_paused = true)]
async fn a_room_that_does_not_answer_is_given_up() {
    let house = Restarted::with_a_room_as_slow_as(Duration::from_secs(25)).await;
    let began = Instant::now();
    let (mut bob, standings) = house.bob().await;
    assert_eq!(standings, [Status::Live, Status::Waiting]);
    let ServerFrame::Resumed(status) = bob.next().await else { panic!("the room is given up") };
    assert_eq!((status.room.as_str(), status.status), (ROOMS[1], Status::Unavailable));
    assert_eq!(began.elapsed(), Duration::from_secs(30));
    house.log.heal();
    // He asks again, while the room is still being read: it lets him in once, and tells him of nothing twice.
    let after = Some(house.bob.positions[1].1);
    bob.call(Command::join(code(ROOMS[1]), nick("Bob")).with_position(after))
        .await
        .expect("his membership has gone on");
    let ServerFrame::Joined(joined) = bob.next().await else { panic!("he is in") };
    assert_eq!(joined.you.nick, "Bob");
    say(&bob, ROOMS[1], "here").await.expect("he is in");
    assert_eq!(hears(&mut bob).await, "LATE here");
    sleep(Duration::from_secs(60)).await;
    say(&bob, ROOMS[1], "still here").await.expect("his grace does not run out");
    assert_eq!(hears(&mut bob).await, "LATE still here");
}

/// His membership ends before the room has come to say anything.
#[tokio::test(start_paused = true)]
async fn a_slow_room_says_too_that_one_is_out() {
    let house = Restarted::with_a_room_as_slow_as(Duration::from_secs(4)).await;
    let kick = Moderation::Kick(MemberId(2));
    let (engine, room) = (house.engine.clone(), code(ROOMS[1]));
    let kicked = tokio::spawn(async move { engine.moderate(&room, kick).await });
    // The room has the kick before it is asked where Bob stands.
    tokio::task::yield_now().await;
    let (mut bob, standings) = house.bob().await;
    assert_eq!(standings, [Status::Live, Status::Waiting]);
    let ServerFrame::Resumed(status) = bob.next().await else { panic!("the room says where he stands") };
    assert_eq!((status.status, status.reason), (Status::Left, Some(RemovalReason::Kicked)));
    kicked.await.expect("no panic").expect("he was a member");
    // A later connection is not told of it any more.
    drop(bob);
    house.log.heal();
    let resume = Resume { positions: Vec::new(), ..house.bob.clone() };
    let mut bob = connect(&house.engine, Some(resume)).await;
    let ServerFrame::Welcome { rooms, .. } = bob.next().await else { panic!("a welcome comes first") };
    assert_eq!(rooms.iter().map(|room| room.room.as_str()).collect::<Vec<_>>(), [ROOMS[0]]);
}

/// Where a connection is lost before the room has said anything, the next one asks again.
#[tokio::test(start_paused = true)]
async fn who_is_lost_while_a_room_is_waited_for_comes_back_to_it() {
    let house = Restarted::with_a_room_as_slow_as(Duration::from_secs(4)).await;
    for _ in 0..2 {
        let (bob, standings) = house.bob().await;
        assert_eq!(standings, [Status::Live, Status::Waiting]);
        drop(bob);
    }
    sleep(Duration::from_secs(20)).await;
    let (bob, standings) = house.bob().await;
    assert_eq!(standings, [Status::Live, Status::Live]);
    say(&bob, ROOMS[1], "here").await.expect("he is in");
}

/// What a client holds to come back with (a cursor, the positions of a `closing`) names the room all the while.
#[tokio::test(start_paused = true)]
async fn a_room_that_has_said_nothing_yet_is_still_named_to_come_back_to() {
    let house = Restarted::with_a_room_as_slow_as(Duration::from_secs(4)).await;
    let (mut bob, standings) = house.bob().await;
    assert_eq!(standings, [Status::Live, Status::Waiting]);
    bob.close(CloseReason::Draining);
    let ServerFrame::Closing { positions, .. } = bob.next().await else { panic!("it is closed") };
    let named: Vec<_> =
        house.bob.positions.iter().map(|(room, at)| (room.as_str().to_owned(), at.to_string())).collect();
    assert_eq!(positions.into_iter().collect::<Vec<_>>(), named);
}

/// A client that has not seen its `joined` names no position, and what it comes back with later names none either.
#[tokio::test(start_paused = true)]
async fn a_room_that_the_client_did_not_name_is_not_named_for_it() {
    let house = Restarted::with_a_room_as_slow_as(Duration::from_secs(4)).await;
    let (bob, standings) = house.bob().await;
    assert_eq!(standings, [Status::Live, Status::Waiting]);
    drop(bob);
    sleep(Duration::from_secs(20)).await;
    let (bob, standings) = house.bob().await;
    assert_eq!(standings, [Status::Live, Status::Live], "now the session knows where he stands");
    drop(bob);
    let slow = Fault { before: Delay::For(Duration::from_secs(4)), ..Fault::default() };
    house.log.plan(move |call| (call.operation == Operation::Append).then(|| slow.clone()));
    let mut cid = connect(&house.engine, None).await;
    let saying = tokio::spawn(async move { enter(&mut cid, ROOMS[1], "Cid").await });
    sleep(Duration::from_millis(10)).await;
    let mut bob = connect(&house.engine, Some(Resume { positions: Vec::new(), ..house.bob.clone() })).await;
    let ServerFrame::Welcome { rooms, .. } = bob.next().await else { panic!("a welcome comes first") };
    let waiting = rooms.iter().find(|room| room.status == Status::Waiting).expect("one waits for its log");
    assert_eq!((waiting.room.as_str(), waiting.seq), (ROOMS[1], None));
    bob.close(CloseReason::Draining);
    let positions = loop {
        if let ServerFrame::Closing { positions, .. } = bob.next().await {
            break positions;
        }
    };
    assert!(!positions.contains_key(ROOMS[1]), "{positions:?}");
    saying.await.expect("no panic");
}
