//! Worlds with a backend: whatever people do, and whenever the server, its log or the backend fail, it hears every event, and each room in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chat_core::{
    Command, Connection, Engine, Feed, FeedBounds, FeedEvent, FeedName, FeedPage, FrameKind, Limits, Retention,
    RoomCode, Seq, ServerFrame,
};
use chat_testkit::logs::{FaultyLog, MemoryLog, Operation, Outcome};
use chat_testkit::one_room::{connect, nick, settle, text};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

/// Rooms of a world, and people in each.
const ROOMS: usize = 3;
const PEOPLE: usize = 2;

/// Something that happens in a world.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Somebody founds the room, or joins it.
    Come(usize, usize),
    Say(usize, usize),
    /// The newest message of the world is taken back, if it is of this room, and theirs.
    TakeBack(usize, usize),
    Leave(usize, usize),
    /// The next append fails like this.
    Fault(Outcome),
    /// Whoever is not there times out, if that is longer than a grace.
    Pass(u64),
    /// The backend reads a page, and handles it.
    Read,
    /// The same, and what it has handled is stored.
    ReadAndStore,
    BackendCrashes,
    ServerCrashes,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || (0..ROOMS, 0..PEOPLE);
    let fault = prop_oneof![Just(Outcome::AnswerLost), Just(Outcome::NotDone), Just(Outcome::Fails)];
    prop_oneof![
        6 => who().prop_map(|(room, who)| Step::Come(room, who)),
        9 => who().prop_map(|(room, who)| Step::Say(room, who)),
        1 => who().prop_map(|(room, who)| Step::TakeBack(room, who)),
        4 => who().prop_map(|(room, who)| Step::Leave(room, who)),
        2 => fault.prop_map(Step::Fault),
        1 => prop_oneof![Just(1), Just(40), Just(1_000)].prop_map(Step::Pass),
        3 => Just(Step::Read),
        5 => Just(Step::ReadAndStore),
        2 => Just(Step::BackendCrashes),
        1 => Just(Step::ServerCrashes),
    ]
}

/// When the backend stores how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backend {
    /// After it has handled a page.
    Careful,
    /// Before that: what it has not handled when it crashes it is never told again.
    Careless,
}

/// What has been heard, and what has been acked.
#[derive(Default)]
struct Heard {
    acked: BTreeSet<String>,
    told: Vec<(FeedEvent, String)>,
}

impl Heard {
    fn take(&mut self, page: &FeedPage) {
        assert_eq!(page.gap, None);
        for event in &page.events {
            let frame: Value = serde_json::from_str(&event.json).expect("it is JSON");
            let field = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
            let what = match event.kind {
                FrameKind::MemberJoined => format!("joined {}", field("nick")),
                FrameKind::MemberLeft => format!("left {}", field("nick")),
                FrameKind::Message => format!("said {}", field("text")),
                other => format!("{other:?}"),
            };
            self.told.push((event.clone(), what));
        }
    }

    /// Whether all that was acked is among it, and each life of a room without a hole and in order; what comes again is what was there.
    fn check(&self) {
        let known: BTreeSet<String> = self.told.iter().map(|(event, what)| format!("{} {what}", event.room)).collect();
        let missing: Vec<_> = self.acked.difference(&known).collect();
        assert!(missing.is_empty(), "acked, and not heard of: {missing:?}");
        let mut lives: BTreeMap<_, (u64, u64, bool)> = BTreeMap::new();
        for (event, what) in &self.told {
            let (offset, head, is_over) = lives.entry((event.room.clone(), event.epoch.0)).or_default();
            if event.offset.0 <= *offset {
                continue;
            }
            assert!(!*is_over, "{what} comes after the end of {}", event.room);
            let is_next = event.seq.is_none_or(|seq| seq == Seq(*head + 1));
            assert!(is_next, "{what}, number {:?}, comes after number {head} of {}", event.seq, event.room);
            *is_over = event.kind == FrameKind::RoomClosed;
            (*offset, *head) = (event.offset.0, event.seq.map_or(*head, |seq| seq.0));
        }
    }
}

/// A server with its people, over a log that stays.
struct World {
    log: Arc<FaultyLog<MemoryLog>>,
    engine: Option<Engine>,
    people: Vec<[Option<(Connection, String)>; PEOPLE]>,
    /// The feed of the backend, and what it has stored and not handled.
    feed: Option<Feed>,
    unhandled: Vec<FeedPage>,
    heard: Heard,
    /// The room of the newest message, its number, and what a backend hears of it.
    newest: Option<(usize, Seq, String)>,
    count: usize,
}

fn room(number: usize) -> RoomCode {
    RoomCode::parse(&format!("ROOM-{number}")).expect("a valid code")
}

impl World {
    fn new() -> Self {
        let log = MemoryLog::with_feed(FeedBounds::default(), Retention::default());
        let mut world = Self {
            log: Arc::new(FaultyLog::new(log)),
            engine: None,
            people: Vec::new(),
            feed: None,
            unhandled: Vec::new(),
            heard: Heard::default(),
            newest: None,
            count: 0,
        };
        world.start();
        world
    }

    fn start(&mut self) {
        let mut limits = Limits::default();
        limits.lift_rates();
        limits.lift_addresses();
        let engine = Engine::builder().limits(limits).log(Arc::clone(&self.log) as _);
        self.engine = Some(engine.expect("nobody else has it").build());
        self.people = (0..ROOMS).map(|_| Default::default()).collect();
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("a server runs")
    }

    async fn feed(&mut self) -> &mut Feed {
        if self.feed.is_none() {
            let name = FeedName::parse("backend").expect("a valid name");
            self.feed = Some(self.engine().feed_of(name).await.expect("the log keeps a feed"));
        }
        self.feed.as_mut().expect("it was opened just now")
    }

    async fn play(&mut self, step: Step, backend: Backend) {
        match step {
            Step::Come(number, who) => self.come(number, who).await,
            Step::Say(number, who) => {
                let said = format!("word {}", self.count);
                let send = Command::send(room(number), text(&said));
                if let Some(ServerFrame::Ack { seq, .. }) = self.ask(number, who, send).await {
                    let said = format!("{} said {said}", room(number));
                    self.newest = Some((number, seq, said.clone()));
                    self.heard.acked.insert(said);
                }
            }
            Step::TakeBack(number, who) => {
                if let Some((_, seq, said)) = self.newest.take_if(|(of, ..)| *of == number) {
                    // Whoever reads it later reads no words, whether or not the answer comes.
                    self.heard.acked.remove(&said);
                    self.ask(number, who, Command::redact(room(number), seq)).await;
                }
            }
            Step::Leave(number, who) => {
                if self.ask(number, who, Command::leave(room(number))).await.is_some()
                    && let Some((_, nick)) = self.people[number][who].take()
                {
                    self.heard.acked.insert(format!("{} left {nick}", room(number)));
                }
            }
            Step::Fault(outcome) => self.log.push(Operation::Append, outcome),
            Step::Pass(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            Step::Read => drop(self.read().await.map(|page| self.heard.take(&page))),
            Step::ReadAndStore => self.read_and_store(backend).await,
            Step::BackendCrashes => self.crash_backend(),
            Step::ServerCrashes => {
                self.crash_backend();
                self.log.heal();
                self.people.clear();
                self.engine = None;
                settle().await;
                self.start();
            }
        }
        self.count += 1;
    }

    fn crash_backend(&mut self) {
        self.feed = None;
        self.unhandled.clear();
    }

    async fn read(&mut self) -> Option<FeedPage> {
        let read = tokio::time::timeout(Duration::from_millis(1), self.feed().await.next()).await;
        read.ok().map(|page| page.expect("the feed can be read"))
    }

    async fn read_and_store(&mut self, backend: Backend) {
        let handled = std::mem::take(&mut self.unhandled);
        handled.iter().for_each(|page| self.heard.take(page));
        let Some(page) = self.read().await else { return };
        if backend == Backend::Careful {
            self.heard.take(&page);
        }
        self.feed().await.done(&page).await.expect("it is stored");
        if backend == Backend::Careless {
            self.unhandled.push(page);
        }
    }

    async fn come(&mut self, number: usize, who: usize) {
        if self.people[number][who].is_some() {
            return;
        }
        let (session, name) = (connect(self.engine(), None).await, format!("P{}", self.count));
        let founded = session.call(Command::create(nick(&name)).with_room(room(number))).await.is_ok();
        if founded || session.call(Command::join(room(number), nick(&name))).await.is_ok() {
            self.heard.acked.insert(format!("{} joined {name}", room(number)));
            self.people[number][who] = Some((session, name));
        }
    }

    /// What somebody is answered who is there, and is not refused.
    async fn ask(&mut self, number: usize, who: usize, command: Command) -> Option<ServerFrame> {
        let (session, _) = self.people[number][who].as_ref()?;
        session.call(command).await.ok()
    }

    /// All faults are over, and the backend reads to the end.
    async fn end(&mut self) {
        self.log.heal();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let end = self.engine().feed_end().await.expect("the log keeps a feed");
        while self.feed().await.cursor() != Some(&end) {
            let Some(page) = self.read().await else { break };
            self.heard.take(&page);
        }
    }
}

fn run(steps: &[Step], backend: Backend) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime needs nothing").block_on(async {
        let mut world = World::new();
        // From now on all is held back for it.
        world.feed().await;
        for step in steps {
            world.play(*step, backend).await;
        }
        world.end().await;
        world.heard.check();
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_backend_that_crashes_at_any_moment_hears_everything_and_each_room_in_order(steps in vec(step(), 1..80)) {
        run(&steps, Backend::Careful);
    }
}

/// This test sees what is lost: by a backend that stores its cursor before it has handled what comes before it.
#[test]
#[should_panic(expected = "acked, and not heard of")]
fn a_backend_that_stores_its_cursor_too_early_misses_something() {
    let steps = [Step::Come(0, 0), Step::ReadAndStore, Step::Say(0, 0), Step::ReadAndStore, Step::BackendCrashes];
    run(&steps, Backend::Careless);
}
