//! One world from its seed to its end: people, servers that come and go, a storm, a calm, and what must be so after it.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use chat_core::{BanId, BanTerms, Log, MemberId, Moderation, RoomCode, Seq};
use chat_testkit::logs::{Call, Delay, Fault, FaultyLog, Operation, Outcome};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::archive::Archive;
use crate::clock::WorldClock;
use crate::embedder::{Embedder, OnPurpose};
use crate::link::Front;
use crate::locks::lock;
use crate::network::{Lies, Network};
use crate::person::{Person, Scene};
use crate::phase::Phase;
use crate::plan::{Kind, Plan, ROOMS};
use crate::promise::{Broken, Promise, hold};
use crate::server::{Ground, Server};
use crate::transcript::Transcript;
use crate::transport_kind::TransportKind;
use crate::truth::Truth;

/// Milliseconds: how far a clock that is wrong is ahead.
const YEARS: i64 = 5 * 365 * 86_400_000;

/// How worlds are run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The transports people come by. Without, each world draws some.
    pub transports: Option<Vec<TransportKind>>,
    /// What the worlds are about. Without, each world draws it.
    pub kind: Option<Kind>,
    /// What connects people and servers. Without, each world draws it.
    pub network: Option<Network>,
    /// Prints each line of the transcript as it comes.
    pub shown: bool,
}

/// What became of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// Its seed.
    pub seed: u64,
    /// The hash of its transcript: what everybody said and was told, and when.
    pub hash: u64,
    /// Lines of the transcript.
    pub lines: u64,
    /// Records that the log took.
    pub records: usize,
    /// Servers that it had.
    pub servers: u32,
    /// The first promise that was broken.
    pub broken: Option<Broken>,
    /// The last lines of the transcript.
    pub last: Vec<String>,
}

thread_local! {
    /// What has panicked in the world that this thread runs; `None` outside of one.
    static PANICKED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Runs the world of a seed to its end, or to the first broken promise.
///
/// # Panics
/// Where there cannot be a runtime.
pub fn run(seed: u64, settings: &Settings) -> World {
    watch_panics();
    PANICKED.set(Some(Vec::new()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime needs nothing");
    let mut world = runtime.block_on(begin(seed, settings));
    drop(runtime);
    let panicked = PANICKED.take().unwrap_or_default();
    if let Some(how) = panicked.into_iter().next() {
        world.broken.get_or_insert(Broken { promise: Promise::NoPanic, how });
    }
    world
}

/// A task that panics is a broken promise, and says so nowhere else.
fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload().is::<OnPurpose>() {
                return;
            }
            let is_noted = PANICKED
                .with_borrow_mut(|panicked| panicked.as_mut().map(|list| list.push(info.to_string())).is_some());
            if !is_noted {
                usual(info);
            }
        }));
    });
}

fn check_panics() -> Result<(), Broken> {
    let first = PANICKED.with_borrow(|panicked| panicked.as_ref().and_then(|list| list.first().cloned()));
    match first {
        Some(how) => Err(Broken { promise: Promise::NoPanic, how }),
        None => Ok(()),
    }
}

async fn begin(seed: u64, settings: &Settings) -> World {
    let mut rng = StdRng::seed_from_u64(seed);
    let plan = Plan::draw(&mut rng, settings.transports.as_deref(), settings.kind);
    let plan = plan.with_lies(Lies::of(seed, settings.network));
    let transcript = Arc::new(Transcript::new(settings.shown));
    let clock = Arc::new(WorldClock::new());
    let truth = Arc::new(Truth::new(&plan.limits.room, Arc::clone(&clock)));
    transcript.note("world", format_args!("{plan:?}"));
    let ground = Ground {
        truth: Arc::clone(&truth),
        log: Arc::new(FaultyLog::new(Archive::new(Arc::clone(&truth)))),
        clock,
        embedder: Arc::new(Embedder::new(plan.embedder.unwrap_or_default(), plan.pairs, rng.random())),
        secret: rng.random(),
        plan,
    };
    let mut director = Director {
        ground,
        rng,
        front: Front::default(),
        transcript: Arc::clone(&transcript),
        phases: Vec::new(),
        outage: Arc::new(AtomicBool::new(false)),
        servers: 0,
    };
    let mut people = JoinSet::new();
    let plan = Arc::new(director.ground.plan.clone());
    for number in 0..plan.people {
        // One each: a channel with many receivers wakes them in an order of its own.
        let (phase, phases) = watch::channel(Phase::Storm);
        director.phases.push(phase);
        let scene = Scene {
            plan: Arc::clone(&plan),
            truth: Arc::clone(&truth),
            transcript: Arc::clone(&transcript),
            front: Arc::clone(&director.front),
            phase: phases,
        };
        people.spawn(Person::new(number, scene, director.rng.random()).live());
    }
    let broken = director.direct(&mut people).await.err();
    if let Some(broken) = &broken {
        transcript.note("world", broken);
    }
    let (hash, lines, last) = transcript.sum();
    World { seed, hash, lines, records: truth.len(), servers: director.servers, broken, last }
}

/// Who lets things happen that no person does.
struct Director {
    ground: Ground,
    rng: StdRng,
    front: Front,
    transcript: Arc<Transcript>,
    phases: Vec<watch::Sender<Phase>>,
    /// The log answers nobody.
    outage: Arc<AtomicBool>,
    servers: u32,
}

type People = JoinSet<Result<(), Broken>>;

impl Director {
    async fn direct(&mut self, people: &mut People) -> Result<(), Broken> {
        self.trouble_log();
        self.start();
        let end = Instant::now() + self.ground.plan.storm;
        while Instant::now() < end {
            let wait = self.rng.random_range(100..4_000);
            self.pass(people, Duration::from_millis(wait)).await?;
            self.act(people).await?;
        }
        self.note("the storm is over");
        self.ground.log.heal();
        self.ground.embedder.calm_down();
        self.set_outage(false);
        self.set(Phase::Calm);
        // What a room owes its log it gives once it is opened; not before it looks again whether it can be.
        self.pass(people, Duration::from_secs(10)).await?;
        self.sweep();
        // Longer than any timeout, twice: pings, stalls, graces, the pauses between looks at the log.
        self.pass(people, Duration::from_secs(240)).await?;
        if !self.ground.plan.has_few_rooms() {
            self.ground.log.inner().check_taken_back().await?;
        }
        self.set(Phase::Check);
        self.pass(people, Duration::from_secs(1)).await?;
        self.set(Phase::Leave);
        self.pass(people, Duration::from_secs(10)).await?;
        hold!(people.is_empty(), Promise::CatchUp, "somebody does not go");
        self.sweep();
        self.pass(people, Duration::from_secs(120)).await?;
        if self.ground.plan.has_few_rooms() {
            // One after the other.
            for _ in ROOMS {
                self.sweep();
                self.pass(people, Duration::from_secs(20)).await?;
            }
        }
        self.end().await
    }

    /// What is left when everybody has gone: nothing.
    async fn end(&mut self) -> Result<(), Broken> {
        self.ground.truth.check_at_the_end(&self.ground.plan.limits.room)?;
        let server = self.server().take().expect("a server is up at the end");
        let stats = server.engine.stats();
        let rooms = server.engine.rooms();
        hold!(rooms.is_empty(), Promise::Lifetime, "{rooms:?} without members");
        hold!(stats.sessions == 0, Promise::Lifetime, "{} sessions with a connection", stats.sessions);
        self.check_gaps(stats.gaps_unblocked)?;
        let kept = self.ground.log.inner().rooms(None, None, usize::MAX).await.unwrap_or_default();
        hold!(kept.is_empty(), Promise::Lifetime, "the log keeps {kept:?}");
        self.check().await
    }

    /// Time passes, unless a promise is broken meanwhile.
    async fn pass(&mut self, people: &mut People, time: Duration) -> Result<(), Broken> {
        let end = Instant::now() + time;
        // Where much time passes not much happens.
        let most = if time > Duration::from_secs(60) { Duration::from_secs(5) } else { Duration::from_secs(1) };
        while Instant::now() < end {
            let step = (end - Instant::now()).min(most);
            tokio::select! {
                biased;
                Some(gone) = people.join_next(), if !people.is_empty() => match gone {
                    Ok(result) => result?,
                    Err(error) => return Err(Broken { promise: Promise::NoPanic, how: error.to_string() }),
                },
                () = sleep(step) => {}
            }
            self.check().await?;
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), Broken> {
        check_panics()?;
        self.ground.truth.take_broken().map_or(Ok(()), Err)
    }

    async fn act(&mut self, people: &mut People) -> Result<(), Broken> {
        if self.rng.random_bool(self.ground.plan.wrong.restarts) {
            return self.restart(people).await;
        }
        let wrong = self.ground.plan.wrong;
        if wrong.log_fails > 0.0 && self.rng.random_bool(wrong.outages) {
            let is_out = self.outage.load(Ordering::Relaxed);
            self.set_outage(!is_out);
            return Ok(());
        }
        match self.rng.random_range(0..10) {
            0..3 => self.moderate(),
            3 => {
                let step = self.rng.random_range(-5_000..5_000);
                self.note(format_args!("the wall clock is set by {step} ms"));
                self.ground.clock.step(step);
            }
            4 => self.be_wrong(people).await?,
            5..8 => self.set_outage(false),
            _ => {}
        }
        Ok(())
    }

    /// The wall clock is years ahead for a while.
    async fn be_wrong(&mut self, people: &mut People) -> Result<(), Broken> {
        self.note("the wall clock is years ahead");
        self.ground.clock.set_ahead(YEARS);
        let passed = self.pass(people, Duration::from_secs(5)).await;
        self.ground.clock.set_ahead(0);
        self.note("the wall clock is right");
        passed
    }

    fn set_outage(&self, is_out: bool) {
        if self.outage.swap(is_out, Ordering::Relaxed) != is_out {
            self.note(if is_out { "the log is out of reach" } else { "the log is back" });
            self.ground.truth.log_is_out(is_out);
        }
    }

    /// The server goes down, at once or in an orderly way, and another one comes up after a while.
    async fn restart(&mut self, people: &mut People) -> Result<(), Broken> {
        let Some(server) = self.server().take() else { return Ok(()) };
        if self.rng.random_bool(0.5) {
            self.note("the server drains");
            let spread = Duration::from_millis(self.rng.random_range(0..2_000));
            let engine = server.engine.clone();
            let drained = tokio::spawn(async move { engine.drain(spread).await });
            while !drained.is_finished() {
                self.pass(people, Duration::from_millis(500)).await?;
            }
        }
        self.note("the server is gone");
        let stats = server.crash();
        drop(server);
        self.ground.truth.reads.restart();
        if !self.ground.plan.has_log {
            self.ground.truth.lose_all();
        }
        self.check_gaps(stats.gaps_unblocked)?;
        let wait = self.rng.random_range(0..6_000);
        self.pass(people, Duration::from_millis(wait)).await?;
        self.start();
        self.sweep();
        Ok(())
    }

    fn start(&mut self) {
        self.servers += 1;
        self.note(format_args!("server {} is up", self.servers));
        let server = Server::start(&self.ground, self.rng.random());
        *self.server() = Some(server);
    }

    fn sweep(&self) {
        if let Some(server) = &*self.server() {
            tokio::spawn(Server::sweep(server.engine.clone(), Arc::clone(&self.ground.log)));
        }
    }

    /// The host acts in some room, if there is one.
    fn moderate(&mut self) {
        let code = ROOMS[self.rng.random_range(0..ROOMS.len())];
        let moderation = match self.rng.random_range(0..10) {
            _ if self.ground.plan.kicks => self.kick(code),
            0..8 if self.ground.plan.bans => self.ban(code),
            0..4 => Moderation::Redact(Seq(self.rng.random_range(1..60))),
            4..9 => self.kick(code),
            _ => Moderation::Close,
        };
        self.note(format_args!("{code} {moderation:?}"));
        let Some(server) = self.server().clone() else { return };
        let engine = server.engine.clone();
        tokio::spawn(async move {
            let room = RoomCode::parse(code).expect("the rooms of a world are valid");
            // Whether there is such a room, member or message is for the engine to say.
            let _ = engine.moderate(&room, moderation).await;
        });
    }

    fn kick(&mut self, code: &str) -> Moderation {
        Moderation::Kick(self.somebody(code))
    }

    /// Keeps somebody out with all who come from where they do, mostly for a while; or lets somebody in again.
    fn ban(&mut self, code: &str) -> Moderation {
        if self.rng.random_bool(0.3) {
            return Moderation::Unban(BanId(self.rng.random_range(1..8)));
        }
        let minutes = if self.rng.random_bool(0.8) { NonZeroU32::new(1) } else { None };
        Moderation::BanOn(self.somebody(code), BanTerms::lasting(minutes).with_network())
    }

    /// Mostly somebody who is there.
    fn somebody(&mut self, code: &str) -> MemberId {
        let present = self.ground.truth.present(code);
        let one = present.get(self.rng.random_range(0..8)).copied();
        one.unwrap_or(MemberId(self.rng.random_range(1..8)))
    }

    /// From now on calls of the log fail, are slow, or lose their answer.
    fn trouble_log(&mut self) {
        let wrong = self.ground.plan.wrong;
        let rng = Mutex::new(StdRng::seed_from_u64(self.rng.random()));
        let outage = Arc::clone(&self.outage);
        // The plan is part of the log.
        let log = Arc::downgrade(&self.ground.log);
        self.ground.log.plan(move |call: &Call| {
            let mut rng = lock(&rng);
            let delay = |rng: &mut StdRng| match rng.random_bool(wrong.log_slow) {
                true => Delay::For(Duration::from_millis(rng.random_range(1..150))),
                false => Delay::None,
            };
            let (before, after) = (delay(&mut rng), delay(&mut rng));
            // There are few scrubs in a world.
            let share = if call.operation == Operation::Amend { 4.0 } else { 1.0 };
            let fails = outage.load(Ordering::Relaxed) || rng.random_bool(share * wrong.log_fails);
            if call.operation == Operation::Append
                && fails
                && rng.random_bool(wrong.others)
                && let (Some(log), Some(room)) = (log.upgrade(), &call.room)
            {
                log.inner().intrude(room);
            }
            let outcome = match (call.operation, fails) {
                (_, false) => Outcome::Done,
                (Operation::Append, true) => match rng.random_range(0..4) {
                    0 => Outcome::Fails,
                    1 => Outcome::AnswerLost,
                    2 => Outcome::NotDone,
                    _ => Outcome::Conflict,
                },
                (_, true) => Outcome::Fails,
            };
            Some(Fault { before, outcome, after })
        });
    }

    fn check_gaps(&self, unblocked: u64) -> Result<(), Broken> {
        hold!(unblocked == 0, Promise::NoGap, "{unblocked} gaps to readers that took what was due");
        Ok(())
    }

    fn set(&self, phase: Phase) {
        self.note(format_args!("{phase:?}"));
        for person in &self.phases {
            person.send_replace(phase);
        }
    }

    fn server(&self) -> std::sync::MutexGuard<'_, Option<Arc<Server>>> {
        lock(&self.front)
    }

    fn note(&self, what: impl std::fmt::Display) {
        self.transcript.note("world", what);
    }
}
