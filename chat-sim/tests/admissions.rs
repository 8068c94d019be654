//! Small worlds of people whose admissions run out, are renewed and are taken back, at two servers on one log; and bugs that such worlds find.
//!
//! Apart from the large worlds, whose policy knows everybody in the same way for ever.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::fault_injection::{self, Bug};
use chat_core::wire::Status;
use chat_core::{
    AccessToken, Admission, Clock, Command, ConnectRequest, Connection, Engine, Hello, Identity, MemberId, Nick,
    Policy, Reject, RejectCode, Resume, Revocation, Role, RoomCode, ServerFrame, Wall,
};
use chat_testkit::logs::MemoryLog;
use chat_testkit::one_room::{nick, settle, take, text};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use support::{VirtualClock, code};

const STEPS: usize = 120;
const ROOMS: [&str; 3] = ["LUNCH", "TEA", "DINNER"];
const PEOPLE: [&str; 3] = ["ann", "bob", "cid"];

/// What each token is good for.
#[derive(Default)]
struct Passes(Mutex<BTreeMap<String, Admission>>);

impl Passes {
    fn put(&self, admission: &Admission) -> String {
        let mut passes = self.0.lock().expect("nobody panics with it");
        let token = format!("t{}", passes.len());
        passes.insert(token.clone(), admission.clone());
        token
    }
}

#[async_trait]
impl Policy for Passes {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let Some(token) = &request.credentials else { return Ok(Admission::guest()) };
        let known = self.0.lock().expect("nobody panics with it").get(token).cloned();
        known.ok_or_else(|| Reject::new(RejectCode::BadToken, "nobody's"))
    }
}

/// Somebody, and what is to be true of them.
struct Person {
    identity: Identity,
    connection: Option<Connection>,
    /// What counts.
    admission: Admission,
    /// Where they have come in, and nothing has put them out.
    inside: BTreeSet<RoomCode>,
    /// Which member they are in each room that they were in.
    members: BTreeMap<RoomCode, MemberId>,
}

struct World {
    rng: StdRng,
    clock: Arc<VirtualClock>,
    passes: Arc<Passes>,
    engines: [Engine; 2],
    people: Vec<Person>,
    /// Who keeps the rooms, and owns them.
    keeper: Connection,
}

impl World {
    async fn new(seed: u64) -> Self {
        let memory = Arc::new(MemoryLog::new());
        let (clock, passes) = (VirtualClock::new(), Arc::new(Passes::default()));
        let policy: Arc<dyn Policy> = Arc::clone(&passes) as _;
        let (_, _, engines) = support::two(&clock, &memory, &policy, |_| {});
        let keeper = engines[0].connect(ConnectRequest::default(), Hello::default()).await.expect("guests may");
        for room in ROOMS {
            keeper.call(Command::create(nick("Keeper")).with_room(code(room))).await.expect("it is free");
        }
        let people = PEOPLE.map(|name| Person {
            identity: Identity::new(name).expect("an identity"),
            connection: None,
            admission: Admission::guest(),
            inside: BTreeSet::new(),
            members: BTreeMap::new(),
        });
        let rng = StdRng::seed_from_u64(seed);
        Self { rng, clock, passes, engines, people: people.into(), keeper }
    }

    fn now(&self) -> u64 {
        self.clock.now().wall.0
    }

    fn draw_rooms(&mut self) -> BTreeSet<RoomCode> {
        ROOMS.into_iter().filter(|_| self.rng.random_bool(0.6)).map(code).collect()
    }

    /// Some admission of a person, which is good for a while.
    fn draw_admission(&mut self, who: usize) -> Admission {
        let mut admission = Admission::of(self.people[who].identity.clone());
        if self.rng.random_bool(0.7) {
            admission = admission.with_rooms(self.draw_rooms());
        }
        if self.rng.random_bool(0.6) {
            admission = admission.with_role([Role::Member, Role::Moderator][self.rng.random_range(0..2)]);
        }
        if self.rng.random_bool(0.5) {
            admission = admission.with_nick(nick(&format!("N{}", self.rng.random_range(0..5))));
        }
        if self.rng.random_bool(0.7) {
            let at = self.now() + self.rng.random_range(20_000..200_000);
            admission = admission.with_expiry(Wall(at));
        }
        admission
    }

    async fn step(&mut self) {
        let who = self.rng.random_range(0..PEOPLE.len());
        let room = code(ROOMS[self.rng.random_range(0..ROOMS.len())]);
        match self.rng.random_range(0..20) {
            0..=2 => self.connect(who).await,
            3..=7 => self.join(who, room).await,
            8..=12 => self.send(who, room).await,
            13..=15 => self.renew(who).await,
            16 | 17 => self.revoke(who).await,
            _ => {
                let seconds = self.rng.random_range(1..30);
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
        }
    }

    /// Comes, or comes back, at any server and with another token.
    async fn connect(&mut self, who: usize) {
        let admission = self.draw_admission(who);
        let credentials = Some(self.passes.put(&admission));
        let engine = self.engines[self.rng.random_range(0..2)].clone();
        let before = self.people[who].connection.take();
        let resume = before.as_ref().map(|before| Resume { token: before.token(), positions: Vec::new() });
        if self.rng.random_bool(0.5) {
            drop(before);
            settle().await;
        }
        let request = ConnectRequest { credentials, ..ConnectRequest::default() };
        let connection = engine.connect(request, Hello { resume, ..Hello::default() }).await;
        let person = &mut self.people[who];
        person.connection = Some(connection.unwrap_or_else(|refusal| panic!("{who} is let in: {refusal:?}")));
        person.admitted(admission);
        person.hear();
    }

    async fn join(&mut self, who: usize, room: RoomCode) {
        let Some(connection) = self.people[who].alive() else { return };
        let joined = connection.call(Command::join(room.clone(), nick(&format!("P{who}")))).await;
        let person = &mut self.people[who];
        match joined.map_err(|reject| reject.code) {
            Ok(_) => {
                assert!(person.admission.may_enter(&room), "{who} came into {room} by {:?}", person.admission);
                person.inside.insert(room);
            }
            Err(RejectCode::AlreadyMember | RejectCode::NotConnected) => {}
            Err(code) => {
                assert!(code == RejectCode::Forbidden && !person.admission.may_enter(&room), "{who}, {room}: {code:?}");
            }
        }
    }

    async fn send(&mut self, who: usize, room: RoomCode) {
        let Some(connection) = self.people[who].alive() else { return };
        let sent = connection.call(Command::send(room.clone(), text("hello"))).await.is_ok();
        let person = &self.people[who];
        assert!(!sent || person.admission.may_enter(&room), "{who} speaks in {room} by {:?}", person.admission);
    }

    async fn renew(&mut self, who: usize) {
        let admission = self.draw_admission(who);
        let token = AccessToken::parse(&self.passes.put(&admission)).expect("a token");
        let Some(connection) = self.people[who].alive() else { return };
        connection.call(Command::auth(token)).await.expect("it is theirs");
        self.people[who].admitted(admission);
    }

    /// Asked of any server.
    async fn revoke(&mut self, who: usize) {
        let rooms = self.draw_rooms();
        let what = match self.rng.random_range(0..4) {
            0 => Revocation::All,
            1 => Revocation::Role,
            _ => Revocation::RoomsBut(rooms.clone()),
        };
        let engine = self.engines[self.rng.random_range(0..2)].clone();
        let person = &mut self.people[who];
        engine.revoke(person.identity.clone(), what.clone()).await.expect("all servers are there");
        match what {
            Revocation::All => {
                settle().await;
                person.hear();
                assert!(person.alive().is_none(), "{who} is connected after all was taken back");
            }
            Revocation::Role => person.admission.role = person.admission.role.map(|_| Role::Member),
            _ => {
                let kept = rooms.into_iter().filter(|room| person.admission.may_enter(room)).collect::<Vec<_>>();
                let admission = person.admission.clone().with_rooms(kept);
                person.admitted(admission);
            }
        }
    }

    /// What is promised, of everybody and at both servers.
    async fn check(&mut self) {
        for _ in 0..3 {
            settle().await;
            take(&self.keeper);
            self.people.iter_mut().for_each(Person::hear);
        }
        let now = self.now();
        for (who, person) in self.people.iter().enumerate() {
            let has_run_out = person.admission.has_expired(Wall(now));
            assert!(!has_run_out || person.alive().is_none(), "{who} stays past the end");
        }
        for engine in &self.engines {
            for room in ROOMS.map(code) {
                let page = engine.room(&room).members(None, Some(100)).await.expect("it is kept");
                for (who, person) in self.people.iter().enumerate() {
                    let Some(own) = person.in_room(&room) else { continue };
                    let member = page.members.iter().find(|member| member.member == own);
                    let Some(member) = member else { panic!("{who} is in {room} and is not told of") };
                    assert!(person.admission.may_enter(&room), "{who} is in {room} by {:?}", person.admission);
                    if let Some(role) = person.admission.role {
                        assert_eq!(member.role, role, "of {who} in {room}");
                    }
                }
            }
        }
    }

    /// After a quiet minute another name is shown at once, wherever somebody is.
    async fn end(&mut self) {
        tokio::time::sleep(Duration::from_secs(60)).await;
        for who in 0..PEOPLE.len() {
            self.check().await;
            let last: Nick = nick(&format!("Last{who}"));
            let admission = Admission::of(self.people[who].identity.clone()).with_nick(last.clone());
            let token = AccessToken::parse(&self.passes.put(&admission)).expect("a token");
            let Some(connection) = self.people[who].alive() else { continue };
            connection.call(Command::auth(token)).await.expect("it is theirs");
            self.people[who].admitted(admission);
            settle().await;
            for room in ROOMS.map(code) {
                let Some(own) = self.people[who].in_room(&room) else { continue };
                let page = self.engines[1].room(&room).members(None, Some(100)).await.expect("it is kept");
                let member = page.members.iter().find(|member| member.member == own).expect("they are in");
                assert_eq!(member.nick, last, "of {who} in {room}");
            }
        }
    }
}

impl Person {
    /// Takes what is due: where they stand after they have come back, and as whom they have come in.
    fn hear(&mut self) {
        let Some(connection) = &self.connection else { return };
        for frame in take(connection) {
            match frame {
                ServerFrame::Welcome { rooms, .. } => {
                    let is_in = |status| matches!(status, Status::Live | Status::Gap | Status::Waiting);
                    let rooms = rooms.into_iter().filter(|room| is_in(room.status));
                    self.inside = rooms.map(|room| code(&room.room)).collect();
                }
                ServerFrame::Resumed(status) if !matches!(status.status, Status::Live | Status::Gap) => {
                    self.inside.remove(&code(&status.room));
                }
                ServerFrame::Joined(joined) => {
                    self.members.insert(code(&joined.room), joined.you.member);
                }
                _ => {}
            }
        }
    }

    fn alive(&self) -> Option<&Connection> {
        self.connection.as_ref().filter(|connection| connection.ended().is_none())
    }

    /// Another admission counts: they leave what it does not name.
    fn admitted(&mut self, admission: Admission) {
        self.inside.retain(|room| admission.may_enter(room));
        self.admission = admission;
    }

    /// As which member they are connected to a room.
    fn in_room(&self, room: &RoomCode) -> Option<MemberId> {
        self.alive().filter(|_| self.inside.contains(room))?;
        self.members.get(room).copied()
    }
}

fn run(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut world = World::new(seed).await;
        for _ in 0..STEPS {
            world.step().await;
            world.check().await;
        }
        world.end().await;
    });
}

#[test]
fn admissions_that_change_count_at_once_at_every_server() {
    for seed in 0..40 {
        if catch_unwind(AssertUnwindSafe(|| run(seed))).is_err() {
            panic!("world {seed} breaks a promise");
        }
    }
}

#[test]
fn worlds_of_admissions_find_bugs() {
    for bug in [Bug::KeepForbidden, Bug::RevokeHereAlone, Bug::KeepRole] {
        fault_injection::inject(Some(bug));
        let found = (0..10).find(|seed| catch_unwind(AssertUnwindSafe(|| run(*seed))).is_err());
        fault_injection::inject(None);
        assert!(found.is_some(), "{bug:?} is not found");
    }
}
