//! A server that is killed at any moment: a backend that reads its feed hears every join, message and leave that was acked, also the last ones
//! of rooms that are gone by then, at least once and in the order of each room.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command as Program, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chat_core::{
    Command, Connection, Engine, Feed, FeedBounds, FeedName, FeedPage, FrameKind, Key, Limits, Nick, RejectCode,
    RoomCode,
};
use chat_testkit::one_room::{connect, text};
use log_redb::{Options, RedbLog};
use serde_json::Value;
use tempfile::TempDir;

const ROUNDS: u64 = 20;
/// Rooms at once, each of which is founded, talked in, left and so deleted, again and again.
const ROOMS: usize = 4;
/// Where the child finds its folder, and which round it is; without them this is no child.
const FOLDER: &str = "LOG_REDB_FEED_FOLDER";
const ROUND: &str = "LOG_REDB_FEED_ROUND";

fn open(dir: &std::path::Path) -> (Engine, Arc<RedbLog>) {
    let options = Options { feed: Some(FeedBounds::default()), ..Options::default() };
    let log = Arc::new(RedbLog::open(dir, options).expect("what a crash left opens"));
    let mut limits = Limits::default();
    limits.lift_rates();
    limits.lift_addresses();
    (Engine::builder().limits(limits).log(Arc::clone(&log) as _).expect("nobody else has it").build(), log)
}

async fn feed(engine: &Engine) -> Feed {
    engine.feed_of(FeedName::parse("backend").expect("a valid name")).await.expect("the log keeps a feed")
}

/// The child: people come and go, and a backend listens, until it is killed.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(FOLDER) else { return };
    let round = std::env::var(ROUND).expect("it is told which round it is");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (engine, _log) = open(dir.as_ref());
        for number in 0..ROOMS {
            tokio::spawn(lead_a_life_after_the_other(engine.clone(), format!("{round}-{number}")));
        }
        let mut feed = feed(&engine).await;
        loop {
            let page = feed.next().await.expect("the feed can be read");
            told(&page).iter().for_each(|told| say(&format!("told {told}")));
            feed.done(&page).await.expect("it is stored");
        }
    });
}

async fn lead_a_life_after_the_other(engine: Engine, name: String) {
    let room = RoomCode::parse(&format!("ROOM-{name}")).expect("a valid code");
    for life in 0.. {
        let (ann, bob) = (connect(&engine, None).await, connect(&engine, None).await);
        let nick = |who: &str| Nick::parse(&format!("{who}{life}")).expect("a valid nick");
        loop {
            match ann.call(Command::create(nick("Ann")).with_room(room.clone())).await {
                Ok(_) => break,
                // The life before is being deleted.
                Err(reject) if reject.code == RejectCode::NameTaken => tokio::task::yield_now().await,
                Err(reject) => panic!("{reject}"),
            }
        }
        say(&format!("acked {room} joined Ann{life}"));
        bob.call(Command::join(room.clone(), nick("Bob"))).await.expect("the room is there");
        say(&format!("acked {room} joined Bob{life}"));
        for number in 0..5 {
            let said = format!("{name}/{life}/{number}");
            let key = Key::parse(&format!("{life}-{number}")).expect("a valid key");
            bob.call(Command::send(room.clone(), text(&said)).with_key(Some(key))).await.expect("it is said");
            say(&format!("acked {room} said {said}"));
        }
        for (session, who) in [(&ann, "Ann"), (&bob, "Bob")] {
            leave(session, &room).await;
            say(&format!("acked {room} left {who}{life}"));
        }
    }
}

async fn leave(session: &Connection, room: &RoomCode) {
    session.call(Command::leave(room.clone())).await.expect("it is a member");
}

/// Says a line in one write, so that a kill leaves no half of it.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).and_then(|()| out.flush()).expect("the parent listens");
}

/// The events of a page in a line each: the room, the life, the record, the number, and what happened.
fn told(page: &FeedPage) -> Vec<String> {
    assert_eq!(page.gap, None, "nothing is let go of that was not read");
    let line = |event: &chat_core::FeedEvent| {
        let frame: Value = serde_json::from_str(&event.json).expect("it is JSON");
        let field = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
        let what = match event.kind {
            FrameKind::MemberJoined => format!("joined {}", field("nick")),
            FrameKind::Message => format!("said {}", field("text")),
            FrameKind::MemberLeft => format!("left {}", field("nick")),
            FrameKind::RoomClosed => format!("closed {}", field("reason")),
            other => format!("other {other:?}"),
        };
        let seq = event.seq.map_or(0, |seq| seq.0);
        format!("{} {} {} {seq} {what}", event.room, event.epoch, event.offset.0)
    };
    page.events.iter().map(line).collect()
}

/// Everything that was acked, and everything that a backend was told, in that order.
#[derive(Default)]
struct Heard {
    acked: BTreeSet<String>,
    told: Vec<String>,
}

impl Heard {
    /// Whether each of them was told, and no life of a room out of order: what comes again is what was told before.
    fn check(&self) -> usize {
        let mut known = BTreeSet::new();
        let mut lives: BTreeMap<(&str, &str), (u64, u64, bool)> = BTreeMap::new();
        let mut twice = 0;
        for line in &self.told {
            let words: Vec<&str> = line.splitn(5, ' ').collect();
            let [room, epoch, offset, seq, what] = words[..] else { panic!("{line}") };
            let [offset, seq] = [offset, seq].map(|word| word.parse::<u64>().expect("a number"));
            known.insert(format!("{room} {what}"));
            let (last, head, is_over) = lives.entry((room, epoch)).or_default();
            if offset <= *last {
                twice += 1;
                continue;
            }
            assert!(!*is_over, "{line} comes after the end");
            assert!(seq == 0 || seq == *head + 1, "{line} comes after number {head}");
            (*last, *is_over) = (offset, what.starts_with("closed"));
            *head = if seq == 0 { *head } else { seq };
        }
        let missing: Vec<_> = self.acked.difference(&known).collect();
        assert!(missing.is_empty(), "acked, and never told: {missing:?}");
        twice
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_hears_all_that_was_acked_whenever_the_server_is_killed() {
    let dir = TempDir::new().expect("a folder");
    let mut heard = Heard::default();
    for round in 0..ROUNDS {
        let mut child = Program::new(std::env::current_exe().expect("this program"));
        child.args(["child", "--exact", "--nocapture", "--test-threads=1"]).env(FOLDER, dir.path());
        child.env(ROUND, round.to_string()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = child.spawn().expect("the program can be started");
        let out = child.stdout.take().expect("piped");
        let listener = std::thread::spawn(move || {
            let mut heard = Heard::default();
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Some(acked) = line.strip_prefix("acked ") {
                    heard.acked.insert(acked.to_owned());
                } else if let Some(told) = line.strip_prefix("told ") {
                    heard.told.push(told.to_owned());
                }
            }
            heard
        });
        // Spread over the opening, the first commits and the middle of everything.
        std::thread::sleep(Duration::from_millis(40 + (round * 2_654_435_761) % 300));
        child.kill().expect("it is still running");
        child.wait().expect("it is dead");
        let said = listener.join().expect("no panic");
        heard.acked.extend(said.acked);
        heard.told.extend(said.told);
        // Every other time nobody reads before the next server runs.
        if round % 2 == 1 {
            let (engine, _log) = open(dir.path());
            let (mut feed, end) = (feed(&engine).await, engine.feed_end().await.expect("the log keeps a feed"));
            while feed.cursor() != Some(&end) {
                let page = feed.next().await.expect("the feed can be read");
                heard.told.extend(told(&page));
                feed.done(&page).await.expect("it is stored");
                if page.behind == 0 {
                    break;
                }
            }
            heard.check();
        }
    }
    heard.check();
    let (acked, lives) = (heard.acked.len(), heard.told.iter().filter(|line| line.contains(" closed ")).count());
    assert!(acked > 100 && lives > 10, "{acked} acks and {lives} ends in {ROUNDS} rounds: this test shows nothing");
}
