//! One world from its seed to its end: its plan, its people, and what became of it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chat_testkit::logs::FaultyLog;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::archive::Archive;
use crate::backend::{Backend, FeedBug};
use crate::clock::WorldClock;
use crate::director::Director;
use crate::embedder::Embedder;
use crate::ground::Ground;
use crate::link::Front;
use crate::links::Links;
use crate::network::{Lies, Network};
use crate::panics;
use crate::person::{Person, Scene};
use crate::phase::Phase;
use crate::plan::{Kind, Plan};
use crate::promise::Broken;
use crate::transcript::Transcript;
use crate::transport_kind::TransportKind;
use crate::truth::Truth;

/// How worlds are run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The transports people come by. Without, each world draws some.
    pub transports: Option<Vec<TransportKind>>,
    /// What the worlds are about. Without, each world draws it.
    pub kind: Option<Kind>,
    /// What connects people and servers. Without, each world draws it.
    pub network: Option<Network>,
    /// What is wrong with the feed of their logs, on purpose.
    pub feed_bug: Option<FeedBug>,
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

/// Runs the world of a seed to its end, or to the first broken promise.
///
/// # Panics
/// Where there cannot be a runtime.
pub fn run(seed: u64, settings: &Settings) -> World {
    panics::watch();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime needs nothing");
    let mut world = runtime.block_on(begin(seed, settings));
    drop(runtime);
    if let Some(broken) = panics::end() {
        world.broken.get_or_insert(broken);
    }
    world
}

async fn begin(seed: u64, settings: &Settings) -> World {
    let mut rng = StdRng::seed_from_u64(seed);
    let plan = Plan::draw(&mut rng, settings.transports.as_deref(), settings.kind);
    let plan = plan.with_lies(Lies::of(seed, settings.network));
    let transcript = Arc::new(Transcript::new(settings.shown));
    let clock = Arc::new(WorldClock::new());
    let truth = Arc::new(Truth::new(&plan.limits.room, Arc::clone(&clock), plan.parts.is_some()));
    transcript.note("world", format_args!("{plan:?}"));
    let embedder = Arc::new(Embedder::new(plan.embedder.unwrap_or_default(), plan.pairs, rng.random()));
    let secret = rng.random();
    let links = (plan.servers > 1).then(|| {
        let transcript = Arc::clone(&transcript);
        Links::new(plan.servers, rng.random(), transcript, plan.parts.is_some())
    });
    let backend = Backend::of(seed, &truth, plan.wrong.log_fails, plan.parts.is_some());
    let backend = backend.filter(|_| plan.has_log).map(|backend| backend.with_bug(settings.feed_bug));
    if let Some(backend) = &backend {
        transcript.note("world", format_args!("{:?}", backend.manner));
    }
    let backend = backend.map(Arc::new);
    let bounds = backend.as_ref().map(|backend| backend.bounds());
    let log = Arc::new(FaultyLog::new(Archive::new(Arc::clone(&truth), links.clone(), bounds)));
    let (truth_of_all, links_of_all, told) = (Arc::clone(&truth), links.clone(), Arc::clone(&transcript));
    let ground = Ground {
        truth: truth_of_all,
        log,
        clock,
        embedder,
        secret,
        links: links_of_all,
        backend,
        transcript: told,
        plan,
    };
    let plan = Arc::new(ground.plan.clone());
    let mut director = Director {
        ground,
        rng,
        fronts: (0..plan.servers).map(|_| Front::default()).collect(),
        transcript: Arc::clone(&transcript),
        phases: Vec::new(),
        outage: Arc::new(AtomicBool::new(false)),
        servers: 0,
        parted_until: Instant::now(),
    };
    let mut people = JoinSet::new();
    for number in 0..plan.people {
        // One each: a channel with many receivers wakes them in an order of its own.
        let (phase, phases) = watch::channel(Phase::Storm);
        director.phases.push(phase);
        let scene = Scene {
            plan: Arc::clone(&plan),
            truth: Arc::clone(&truth),
            transcript: Arc::clone(&transcript),
            fronts: Arc::clone(&director.fronts),
            links: links.clone(),
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
