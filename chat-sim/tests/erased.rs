//! Small worlds of people who come, talk, go and are erased, at two servers on one log that fails at times; and bugs that such worlds find.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use chat_core::fault_injection::{self, Bug};
use chat_core::{
    BanTerms, Command, Connection, Engine, HistoryAnchor, Identity, Key, Log, MemberId, Offset, Policy, RejectCode,
    RoomOptions, ServerFrame,
};
use chat_testkit::erased::{Passes, connect_as};
use chat_testkit::logs::{Fault, FaultyLog, MemoryLog, Operation, Outcome};
use chat_testkit::one_room::{nick, settle, text};
use chat_testkit::servers::{Server, Servers};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use support::bent::BentLog;
use support::{Two, VirtualClock, code};

const STEPS: usize = 60;
const ROOMS: [&str; 2] = ["LUNCH", "TEA"];
/// Each is an identity and a name: no other text has anything of it.
const PEOPLE: [&str; 4] = ["quixotry", "wayzgoose", "zephyrine", "vexillum"];
/// Writes of an erasure, any of which fails at times.
const WRITES: [Operation; 5] =
    [Operation::PutErasure, Operation::SaveSnapshot, Operation::Scrub, Operation::Amend, Operation::DropErasure];

struct World {
    dice: StdRng,
    clock: Arc<VirtualClock>,
    memory: Arc<MemoryLog>,
    servers: Servers,
    ends: [Arc<Server>; 2],
    logs: [Arc<FaultyLog<BentLog>>; 2],
    engines: [Engine; 2],
    /// Of each person, the connection that they have.
    people: [Option<Connection>; PEOPLE.len()],
    /// Whether they have said something in a room under their key.
    keyed: [[bool; ROOMS.len()]; PEOPLE.len()],
}

/// Two servers, and the log of each as it is seen there.
type Started = (Two, [Arc<FaultyLog<BentLog>>; 2]);

fn start(clock: &Arc<VirtualClock>, memory: &Arc<MemoryLog>) -> Started {
    let logs = [0, 1].map(|_| Arc::new(FaultyLog::new(BentLog::new(memory))));
    let passes: Arc<dyn Policy> = Arc::new(Passes);
    let seen = logs.each_ref().map(|log| Arc::clone(log) as Arc<dyn Log>);
    // Some are known to the log alone.
    let two = support::two_over(clock, &seen, &passes, |limits| limits.room.former_max = 1);
    (two, logs)
}

impl World {
    async fn new(seed: u64) -> Self {
        let (clock, memory) = (VirtualClock::new(), Arc::new(MemoryLog::new()));
        let ((servers, ends, engines), logs) = start(&clock, &memory);
        for room in ROOMS {
            engines[0].room(&code(room)).create(RoomOptions::new()).await.expect("made");
        }
        let (dice, people, keyed) = (StdRng::seed_from_u64(seed), [const { None }; PEOPLE.len()], Default::default());
        Self { dice, clock, memory, servers, ends, logs, engines, people, keyed }
    }

    async fn step(&mut self) {
        let (who, room) = (self.dice.random_range(0..PEOPLE.len()), self.dice.random_range(0..ROOMS.len()));
        match self.dice.random_range(0..100) {
            0..20 => self.come(who).await,
            20..45 => self.join(who, room).await,
            45..70 => self.talk(who, room).await,
            70..76 => {
                if let Some(person) = &self.people[who] {
                    let _ = person.call(Command::leave(code(ROOMS[room]))).await;
                }
            }
            76..80 => self.put_out(who, room).await,
            80..83 => self.servers.give_all(&self.ends[self.dice.random_range(0..2)]),
            83..86 => self.restart().await,
            86..90 => tokio::time::sleep(Duration::from_secs(40)).await,
            _ => self.erase(who).await,
        }
        settle().await;
    }

    async fn come(&mut self, who: usize) {
        let engine = &self.engines[self.dice.random_range(0..2)];
        self.people[who] = Some(connect_as(engine, PEOPLE[who]).await);
    }

    async fn join(&mut self, who: usize, room: usize) {
        if let Some(person) = &self.people[who] {
            let _ = person.call(Command::join(code(ROOMS[room]), nick(PEOPLE[who]))).await;
        }
    }

    /// Under one key the first time, so that what is said again is another text under the same.
    async fn talk(&mut self, who: usize, room: usize) {
        let Some(person) = &self.people[who] else { return };
        let words = format!("number {} of {}", self.dice.random::<u32>(), PEOPLE[who]);
        let key = Key::parse(&format!("key-{}", PEOPLE[who])).expect("a valid key");
        let is_first = !self.keyed[who][room];
        let said = Command::send(code(ROOMS[room]), text(&words)).with_key(is_first.then_some(key));
        match person.call(said).await {
            Ok(ServerFrame::Ack { .. }) => self.keyed[who][room] = true,
            Ok(other) => panic!("what is said is acknowledged, and not {other:?}"),
            Err(reject) => assert_ne!(reject.code, RejectCode::KeyConflict, "{} was erased", PEOPLE[who]),
        }
    }

    async fn put_out(&mut self, who: usize, room: usize) {
        let room = self.engines[0].room(&code(ROOMS[room]));
        let members = room.members(None, Some(100)).await.map(|page| page.members).unwrap_or_default();
        let own = Identity::new(PEOPLE[who]);
        let member: Option<MemberId> = members.iter().find(|member| member.identity == own).map(|member| member.member);
        let Some(member) = member else { return };
        let _ = match self.dice.random_bool(0.5) {
            true => room.kick(member).await,
            false => room.ban(member, BanTerms::lasting(std::num::NonZeroU32::new(1))).await,
        };
    }

    /// Somebody goes and is erased, while the log fails at times: at once no server shows them, and in the end the log does not know them.
    async fn erase(&mut self, who: usize) {
        if let Some(person) = self.people[who].take() {
            let _ = person.call(Command::end()).await;
        }
        settle().await;
        let broken = WRITES[self.dice.random_range(0..WRITES.len())];
        if broken != Operation::PutErasure {
            self.logs.iter().for_each(|log| {
                log.plan(move |call| (call.operation == broken).then(|| Fault::from(Outcome::Fails)));
            });
        }
        let asked = self.dice.random_range(0..2);
        self.engines[asked].erase(Identity::new(PEOPLE[who]).expect("an identity")).await.expect("begun");
        tokio::time::sleep(Duration::from_secs(15)).await;
        if broken == Operation::Scrub {
            // It is the first that is looked at, whatever its log does.
            assert!(!self.shows(who, ROOMS[0]).await, "{} is shown while the log fails", PEOPLE[who]);
        }
        if self.dice.random_bool(0.3) {
            self.restart().await;
        }
        self.logs.iter().for_each(|log| log.plan(|_| None));
        for _ in 0..400 {
            if self.engines[0].erasures().await.is_ok_and(|all| all.is_empty()) {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(self.engines[0].erasures().await, Ok(Vec::new()), "it is done in the end");
        settle().await;
        for room in ROOMS {
            let held = self.held(room).await;
            assert!(!held.contains(PEOPLE[who]), "{} is in the log of {room}: {held}", PEOPLE[who]);
            assert!(!self.shows(who, room).await, "{} is shown in {room}", PEOPLE[who]);
        }
        self.keyed[who] = Default::default();
    }

    /// Whether a server shows somebody in a room.
    async fn shows(&self, who: usize, room: &str) -> bool {
        let mut shown = String::new();
        for engine in &self.engines {
            let room = engine.room(&code(room));
            let (history, members) =
                (room.history(HistoryAnchor::Newest, Some(100)).await, room.members(None, None).await);
            shown.push_str(&format!("{history:?} {members:?} {:?}", room.bans(None, None).await));
        }
        shown.contains(PEOPLE[who])
    }

    async fn held(&self, room: &str) -> String {
        let page = self.memory.read(&code(room), None, Offset(0), usize::MAX).await.expect("the log can be read");
        let epoch = page.tail.epoch.expect("it is kept");
        let snapshot = self.memory.load_snapshot(&code(room), epoch).await.expect("the log can be read");
        let snapshot = snapshot.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned());
        format!("{} {snapshot:?}", serde_json::to_string(&page.records).expect("records can be stored"))
    }

    /// All servers end, and begin anew on what the log holds.
    async fn restart(&mut self) {
        self.people = [const { None }; PEOPLE.len()];
        settle().await;
        let ((servers, ends, engines), logs) = start(&self.clock, &self.memory);
        (self.servers, self.ends, self.logs, self.engines) = (servers, ends, logs, engines);
        settle().await;
    }
}

fn run(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut world = World::new(seed).await;
        for _ in 0..STEPS {
            world.step().await;
        }
    });
}

#[test]
fn nothing_is_left_of_who_is_erased_whatever_fails_and_whoever_goes_on() {
    for seed in 0..20 {
        if catch_unwind(AssertUnwindSafe(|| run(seed))).is_err() {
            panic!("world {seed} breaks a promise");
        }
    }
}

#[test]
fn worlds_of_people_who_are_erased_find_bugs() {
    for bug in [Bug::ShowErased, Bug::KeepErasedKeys, Bug::KeepErasedJoins] {
        fault_injection::inject(Some(bug));
        let found = (0..20).find(|seed| catch_unwind(AssertUnwindSafe(|| run(*seed))).is_err());
        fault_injection::inject(None);
        assert!(found.is_some(), "{bug:?} is not found");
    }
}
