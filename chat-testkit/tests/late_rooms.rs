//! Sessions that come back to several rooms, of which some cannot say at once where they stand.

use std::sync::Arc;
use std::time::Duration;

use chat_core::wire::Status;
use chat_core::{
    Body, Command, ConnectRequest, Engine, Hello, Limits, Nick, Position, Resume, RoomCode, ServerFrame, Session,
};
use chat_testkit::logs::{Delay, Fault, FaultyLog, MemoryLog, Operation, Outcome};
use tokio::time::sleep;

const ROOMS: [&str; 2] = ["EARLY", "LATE"];

fn code(room: &str) -> RoomCode {
    RoomCode::parse(room).expect("valid")
}

async fn connect(engine: &Engine, resume: Option<Resume>) -> Session {
    engine.connect(ConnectRequest::default(), Hello { id: None, resume }).await.expect("everybody is let in")
}

async fn enter(session: &mut Session, room: &str, nick: &str) -> Position {
    let (room, nick) = (code(room), Nick::parse(nick).expect("valid"));
    let create = Command::Create { nick: nick.clone(), room: Some(room.clone()) };
    if session.call(create).await.is_err() {
        session.call(Command::Join { room, nick, history: None, after: None }).await.expect("the room is there");
    }
    loop {
        if let ServerFrame::Joined(joined) = session.next().await {
            return joined.position();
        }
    }
}

/// Bob comes back to two rooms. The first says at once where he stands, and goes on past its backlog while the log of the
/// second is being read. He was never slow, so the gap has to be announced, and is not one that a reader must never see.
#[tokio::test(start_paused = true)]
async fn a_room_that_goes_on_while_another_is_waited_for_announces_its_gap() {
    let log = Arc::new(FaultyLog::new(MemoryLog::default()));
    let mut limits = Limits::default();
    limits.room.backlog_events_max = 4;
    let engine = || {
        let builder = Engine::builder().log(Arc::clone(&log) as _).expect("the engine before it is gone");
        builder.secret([7; 32]).limits(limits.clone()).build()
    };

    let first = engine();
    let (mut ann, mut bob) = (connect(&first, None).await, connect(&first, None).await);
    let mut positions = Vec::new();
    for room in ROOMS {
        enter(&mut ann, room, "Ann").await;
        positions.push((code(room), enter(&mut bob, room, "Bob").await));
    }
    let (token, token_of_ann) = (bob.token().to_owned(), ann.token().to_owned());
    drop((ann, bob, first));
    sleep(Duration::from_secs(1)).await;

    let second = engine();
    let early = vec![positions[0].clone()];
    let ann = connect(&second, Some(Resume { token: token_of_ann, positions: early })).await;
    let slow = Fault { before: Delay::For(Duration::from_secs(5)), outcome: Outcome::Done, after: Delay::None };
    log.plan(move |call| {
        (call.operation == Operation::Read && call.room == Some(code(ROOMS[1]))).then(|| slow.clone())
    });
    let meanwhile = async {
        sleep(Duration::from_secs(1)).await;
        for _ in 0..8 {
            let text = Body::parse("meanwhile", 100).expect("valid");
            ann.call(Command::Send { room: code(ROOMS[0]), text, key: None }).await.expect("she is in");
        }
    };
    let (mut bob, ()) = tokio::join!(connect(&second, Some(Resume { token, positions })), meanwhile);
    let ServerFrame::Welcome { rooms, .. } = bob.next().await else { panic!("a welcome comes first") };
    assert_eq!(rooms.iter().map(|room| room.status).collect::<Vec<_>>(), [Status::Gap, Status::Live]);
    assert!(matches!(bob.next().await, ServerFrame::Gap { .. }));
    let stats = second.stats();
    assert_eq!((stats.gaps, stats.gaps_unblocked), (1, 0));
}
