//! Small worlds of people whom the host adds to locked rooms, connected or not, at two servers on one log; and bugs that such worlds find.

mod support;

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::fault_injection::{self, Bug};
use chat_core::{
    Added, Admission, BanTerms, Clock, Command, ConnectRequest, Connection, Engine, Hello, Identity, MemberId, Policy,
    Reject, RejectCode, Resume, RoomOptions, ServerFrame, SettingsChange, Wall,
};
use chat_testkit::logs::MemoryLog;
use chat_testkit::one_room::{nick, settle, take, text};
use chat_testkit::servers::{Server, Servers};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use support::{Two, VirtualClock, code};

const STEPS: usize = 120;
const ROOMS: [&str; 2] = ["LUNCH", "TEA"];
const PEOPLE: [&str; 3] = ["ann", "bob", "cid"];
const DEVICES: usize = 2;
const INVITE: Duration = Duration::from_secs(60);

/// Everybody is who their credentials say.
struct Passes;

#[async_trait]
impl Policy for Passes {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        Ok(Admission::of(request.credentials.as_deref().and_then(Identity::new)))
    }
}

/// What is to be true of somebody in one room.
#[derive(Clone, Copy, Default)]
struct Standing {
    /// A member, or somebody who left and has their place.
    is_known: bool,
    invited: Option<Wall>,
    banned: Option<Wall>,
}

/// Somebody, and their devices.
struct Person {
    identity: Identity,
    devices: [Option<Connection>; DEVICES],
    /// In each room.
    standings: [Standing; ROOMS.len()],
}

struct World {
    rng: StdRng,
    clock: Arc<VirtualClock>,
    memory: Arc<MemoryLog>,
    servers: Servers,
    ends: [Arc<Server>; 2],
    engines: [Engine; 2],
    people: Vec<Person>,
}

fn start(clock: &Arc<VirtualClock>, memory: &Arc<MemoryLog>) -> Two {
    let passes: Arc<dyn Policy> = Arc::new(Passes);
    support::two(clock, memory, &passes, |limits| {
        (limits.session.refusals_per_second, limits.room.invite_time) = (0, INVITE);
    })
}

impl World {
    async fn new(seed: u64) -> Self {
        let (clock, memory) = (VirtualClock::new(), Arc::new(MemoryLog::new()));
        let (servers, ends, engines) = start(&clock, &memory);
        settle().await;
        for room in ROOMS {
            let options = RoomOptions::new().settings(SettingsChange::new().locked(true));
            engines[0].room(&code(room)).create(options).await.expect("it is free");
        }
        let people = PEOPLE.map(|name| Person {
            identity: Identity::new(name).expect("an identity"),
            devices: [const { None }; DEVICES],
            standings: [Standing::default(); ROOMS.len()],
        });
        let rng = StdRng::seed_from_u64(seed);
        Self { rng, clock, memory, servers, ends, engines, people: people.into() }
    }

    fn now(&self) -> Wall {
        self.clock.now().wall
    }

    fn any_engine(&mut self) -> Engine {
        self.engines[self.rng.random_range(0..2)].clone()
    }

    async fn step(&mut self) {
        let (who, room) = (self.rng.random_range(0..PEOPLE.len()), self.rng.random_range(0..ROOMS.len()));
        let device = self.rng.random_range(0..DEVICES);
        match self.rng.random_range(0..32) {
            0..=4 => self.connect(who, device).await,
            5..=8 => drop(self.people[who].devices[device].take()),
            9..=15 => self.add(who, room).await,
            16..=21 => self.join(who, device, room).await,
            22 | 23 => self.leave(who, device, room).await,
            24 | 25 => self.put_out(who, room, None).await,
            26 => self.put_out(who, room, NonZeroU32::new(1)).await,
            27 => self.restart().await,
            28 => {
                self.servers.give_all(&self.ends[self.rng.random_range(0..2)]);
                settle().await;
            }
            _ => {
                let seconds = self.rng.random_range(1..25);
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
        }
        settle().await;
    }

    /// Comes, or comes back, at any server.
    async fn connect(&mut self, who: usize, device: usize) {
        let engine = self.any_engine();
        let before = self.people[who].devices[device].take();
        let resume = before.as_ref().map(|before| Resume { token: before.token(), positions: Vec::new() });
        let credentials = Some(PEOPLE[who].to_owned());
        let request = ConnectRequest { credentials, ..ConnectRequest::default() };
        let connection = engine.connect(request, Hello { resume, ..Hello::default() }).await;
        self.people[who].devices[device] = Some(connection.unwrap_or_else(|refusal| panic!("{who}: {refusal:?}")));
    }

    /// Whoever is connected is in it, and told so once and unasked; and who is not may come in once.
    async fn add(&mut self, who: usize, room: usize) {
        let engine = self.any_engine();
        let mut were_in = Vec::new();
        for device in self.people[who].alive() {
            were_in.push(speaks(device, room).await);
            take(device);
        }
        let is_member = self.member(who, room).await.is_some();
        let (identity, now) = (self.people[who].identity.clone(), self.now());
        let added = engine.add(&identity, &code(ROOMS[room])).with_nick(nick(&format!("P{who}"))).await;
        if self.people[who].standings[room].is_banned(now) {
            assert_eq!(added.expect_err("they are banned").code, RejectCode::Banned);
            return;
        }
        let Added { attached, invited_until, refused, silent, .. } = added.expect("it can be done");
        assert_eq!((attached, refused, silent), (were_in.len(), None, vec![]), "{who} in {room}");
        let is_invited = attached == 0 && !is_member;
        assert_eq!(invited_until, is_invited.then(|| now.after(INVITE)), "{who} in {room}");
        let standing = &mut self.people[who].standings[room];
        (standing.invited, standing.is_known) = (invited_until, standing.is_known || attached > 0);
        settle().await;
        for (device, was_in) in self.people[who].alive().zip(were_in) {
            let told = take(device)
                .into_iter()
                .filter(|frame| matches!(frame, ServerFrame::Joined(joined) if joined.room == ROOMS[room]));
            assert_eq!(told.count(), usize::from(!was_in), "{who} is told of {room} where they were not in it");
            assert!(speaks(device, room).await, "{who} is in {room}");
        }
    }

    /// Whom the room knows gets in, and whoever is invited, once; nobody else.
    async fn join(&mut self, who: usize, device: usize, room: usize) {
        let now = self.now();
        let Some(connection) = self.people[who].devices[device].as_ref() else { return };
        let joined = connection.call(Command::join(code(ROOMS[room]), nick(&format!("P{who}")))).await;
        let standing = &mut self.people[who].standings[room];
        let expected = match () {
            () if standing.is_banned(now) => Err(RejectCode::Banned),
            () if standing.is_known || standing.invited.is_some_and(|until| until > now) => Ok(()),
            () => Err(RejectCode::RoomLocked),
        };
        let came = match joined.map_err(|reject| reject.code) {
            Err(RejectCode::AlreadyMember) => Ok(()),
            joined => joined.map(drop),
        };
        assert_eq!(came, expected, "{who} at the door of {room}");
        if came.is_ok() {
            (standing.is_known, standing.invited) = (true, None);
        }
    }

    async fn leave(&mut self, who: usize, device: usize, room: usize) {
        let Some(connection) = self.people[who].devices[device].as_ref() else { return };
        // They are not in it, or their place is kept.
        let _ = connection.call(Command::leave(code(ROOMS[room]))).await;
    }

    /// Puts somebody out, or keeps them out for so many minutes.
    async fn put_out(&mut self, who: usize, room: usize, minutes: Option<NonZeroU32>) {
        let Some(member) = self.member(who, room).await else { return };
        let (handle, now) = (self.any_engine().room(&code(ROOMS[room])), self.now());
        let until = minutes.map(|minutes| now.after(Duration::from_secs(60) * minutes.get()));
        let mut terms = BanTerms::default();
        terms.minutes = minutes;
        let done = if minutes.is_some() { handle.ban(member, terms).await } else { handle.kick(member).await };
        done.expect("they are there");
        self.people[who].standings[room] = Standing { banned: until, ..Standing::default() };
    }

    /// All servers end, and begin anew on what the log holds.
    async fn restart(&mut self) {
        for person in &mut self.people {
            person.devices = [const { None }; DEVICES];
        }
        settle().await;
        let (servers, ends, engines) = start(&self.clock, &self.memory);
        (self.servers, self.ends, self.engines) = (servers, ends, engines);
        settle().await;
    }

    /// As which member somebody is in a room, connected or not.
    async fn member(&self, who: usize, room: usize) -> Option<MemberId> {
        let page = self.engines[0].room(&code(ROOMS[room])).members(None, Some(100)).await.expect("it is kept");
        let own = Some(&self.people[who].identity);
        page.members.iter().find(|member| member.identity.as_ref() == own).map(|member| member.member)
    }
}

impl Person {
    fn alive(&self) -> impl Iterator<Item = &Connection> {
        self.devices.iter().flatten().filter(|device| device.ended().is_none())
    }
}

impl Standing {
    fn is_banned(&self, now: Wall) -> bool {
        self.banned.is_some_and(|until| until > now)
    }
}

async fn speaks(device: &Connection, room: usize) -> bool {
    device.call(Command::send(code(ROOMS[room]), text("hello"))).await.is_ok()
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
fn who_is_added_is_in_wherever_they_are_connected_and_gets_in_once_where_they_are_not() {
    for seed in 0..40 {
        if catch_unwind(AssertUnwindSafe(|| run(seed))).is_err() {
            panic!("world {seed} breaks a promise");
        }
    }
}

#[test]
fn worlds_of_people_who_are_added_find_bugs() {
    for bug in [Bug::AddHereAlone, Bug::KeepInvite, Bug::ForgetInvites] {
        fault_injection::inject(Some(bug));
        let found = (0..10).find(|seed| catch_unwind(AssertUnwindSafe(|| run(*seed))).is_err());
        fault_injection::inject(None);
        assert!(found.is_some(), "{bug:?} is not found");
    }
}
