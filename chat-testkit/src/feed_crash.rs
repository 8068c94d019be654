//! A server that is killed while people come and go and a backend reads its feed: what was acked, what was told, and whether they agree.
//!
//! A test has two halves. The child opens an engine and calls [`serve_until_killed`]; [`Heard::run_and_kill`] starts it, [`Heard::read_on`] reads what is
//! left, and [`Heard::check`] says whether all of it was told.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command as Program, Stdio};
use std::time::Duration;

use chat_core::{
    Command, Connection, Engine, Feed, FeedName, FeedPage, FrameKind, Key, Limits, Nick, RejectCode, RoomCode,
};
use serde_json::Value;

use crate::one_room::{connect, text};

/// Rooms at once, each of which is founded, talked in, left and so deleted, again and again.
const ROOMS: usize = 4;

/// Limits under which a few people may do as much as they can.
pub fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.lift_rates();
    limits.lift_addresses();
    limits
}

async fn feed(engine: &Engine) -> Feed {
    engine.feed_of(FeedName::parse("backend").expect("a valid name")).await.expect("the log keeps a feed")
}

/// The child: people come and go, and a backend listens, and what was acked and told is said in a line each. `round` is part of the rooms' codes, so that
/// no server comes into the rooms of the one before.
///
/// # Panics
/// When the engine refuses anything.
pub async fn serve_until_killed(engine: Engine, round: &str) {
    for number in 0..ROOMS {
        tokio::spawn(lead_a_life_after_the_other(engine.clone(), format!("{round}-{number}")));
    }
    let mut feed = feed(&engine).await;
    loop {
        let page = feed.next().await.expect("the feed can be read");
        told(&page).iter().for_each(|told| say(&format!("told {told}")));
        feed.done(&page).await.expect("it is stored");
    }
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
#[derive(Debug, Default)]
pub struct Heard {
    acked: BTreeSet<String>,
    told: Vec<String>,
}

impl Heard {
    /// Starts the child, listens, and kills it after this time.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run_and_kill(&mut self, child: &mut Program, after: Duration) {
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program can be started");
        let out = child.stdout.take().expect("piped");
        let listener = std::thread::spawn(move || {
            let mut heard = Self::default();
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Some(acked) = line.strip_prefix("acked ") {
                    heard.acked.insert(acked.to_owned());
                } else if let Some(told) = line.strip_prefix("told ") {
                    heard.told.push(told.to_owned());
                }
            }
            heard
        });
        std::thread::sleep(after);
        child.kill().expect("it is still running");
        child.wait().expect("it is dead");
        let said = listener.join().expect("no panic");
        self.acked.extend(said.acked);
        self.told.extend(said.told);
    }

    /// Reads the rest of the feed in an engine of the next server.
    ///
    /// # Panics
    /// When it cannot be read.
    pub async fn read_on(&mut self, engine: &Engine) {
        let (mut feed, end) = (feed(engine).await, engine.feed_end().await.expect("the log keeps a feed"));
        while feed.cursor() != Some(&end) {
            let page = feed.next().await.expect("the feed can be read");
            self.told.extend(told(&page));
            feed.done(&page).await.expect("it is stored");
            if page.behind == 0 {
                break;
            }
        }
    }

    /// How much was acked, and how many rooms came to their end.
    pub fn counts(&self) -> (usize, usize) {
        (self.acked.len(), self.told.iter().filter(|line| line.contains(" closed ")).count())
    }

    /// Whether each of what was acked was told, and no life of a room out of order: what comes again is what was told before. Returns how often that was.
    ///
    /// # Panics
    /// When not.
    pub fn check(&self) -> usize {
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
