//! Who leads a world from its storm to its end: lets things happen that no person does, and asks what must be so once they have.

mod acts;
mod host;
mod parting;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use chat_core::{Log, RoomCode};
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::ground::Ground;
use crate::link::Front;
use crate::locks::lock;
use crate::panics;
use crate::phase::Phase;
use crate::plan::ROOMS;
use crate::promise::{Broken, Promise, hold};
use crate::server::Server;
use crate::transcript::Transcript;

/// Within which the host is answered while nothing goes wrong.
const PATIENCE: Duration = Duration::from_secs(30);
/// For how long people compare rooms: some have slow lines.
const COMPARE: Duration = Duration::from_secs(60);
/// How often all servers are asked about a room of which they do not say the same: something may run out between two answers.
const LOOKS: usize = 3;

/// Who lets things happen that no person does.
pub(crate) struct Director {
    pub(crate) ground: Ground,
    pub(crate) rng: StdRng,
    /// The places where there are servers.
    pub(crate) fronts: Arc<[Front]>,
    pub(crate) transcript: Arc<Transcript>,
    pub(crate) phases: Vec<watch::Sender<Phase>>,
    /// The log answers nobody.
    pub(crate) outage: Arc<AtomicBool>,
    /// How many servers there have been.
    pub(crate) servers: u32,
    /// Until when servers may have lost each other.
    pub(crate) parted_until: Instant,
}

type People = JoinSet<Result<(), Broken>>;

impl Director {
    /// Directs the world to its end.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub(crate) async fn direct(&mut self, people: &mut People) -> Result<(), Broken> {
        self.trouble_log();
        for place in 0..self.fronts.len() {
            self.start(place);
        }
        let end = Instant::now() + self.ground.plan.storm;
        self.speak(end);
        self.storm(people, end).await?;
        while Instant::now() < self.parted_until {
            self.pass(people, Duration::from_secs(1)).await?;
        }
        self.note("the storm is over");
        self.ground.log.heal();
        self.ground.embedder.calm_down();
        if let Some(backend) = &self.ground.backend {
            backend.calm_down();
        }
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
        if self.fronts.len() > 1 {
            self.set(Phase::Compare);
            self.pass(people, COMPARE).await?;
        }
        self.set(Phase::Check);
        self.pass(people, Duration::from_secs(1)).await?;
        if self.fronts.len() > 1 {
            self.check_agreement().await?;
        }
        self.set(Phase::Leave);
        self.pass(people, Duration::from_secs(10)).await?;
        hold!(people.is_empty(), Promise::CatchUp, "somebody does not go");
        self.let_go().await?;
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

    /// Whether who is online is whoever is connected, and every server says the same to the host.
    async fn check_agreement(&self) -> Result<(), Broken> {
        self.ground.truth.agreement.check_attendance()?;
        for code in ROOMS {
            let room = RoomCode::parse(code).expect("the rooms of a world are valid");
            for look in 1..=LOOKS {
                let mut said = Vec::new();
                for server in self.servers() {
                    let bans = timeout(PATIENCE, server.engine.room(&room).bans(None, None)).await;
                    hold!(bans.is_ok(), Promise::Answered, "{room}: the host is not told who is banned");
                    said.push(bans.map(|bans| bans.map_err(|reject| reject.code)));
                }
                if said.iter().all(|bans| *bans == said[0]) {
                    break;
                }
                hold!(look < LOOKS, Promise::Agreement, "{room}: the servers tell the host of {said:?}");
                sleep(Duration::from_secs(1)).await;
            }
        }
        Ok(())
    }

    /// What is left when everybody has gone: nothing, on any server.
    async fn end(&mut self) -> Result<(), Broken> {
        self.ground.truth.check_at_the_end(&self.ground.plan.limits.room)?;
        if let Some(backend) = &self.ground.backend {
            backend.check_at_the_end()?;
        }
        for front in &*self.fronts {
            let server = lock(front).take().expect("a server is up at the end");
            let stats = server.engine.stats();
            let rooms = server.engine.rooms();
            hold!(rooms.is_empty(), Promise::Lifetime, "{rooms:?} without members");
            hold!(stats.sessions == 0, Promise::Lifetime, "{} sessions with a connection", stats.sessions);
            check_gaps(stats.gaps_unblocked)?;
        }
        let kept = self.ground.log.inner().rooms(None, None, usize::MAX).await.unwrap_or_default();
        hold!(kept.is_empty(), Promise::Lifetime, "the log keeps {kept:?}");
        self.check()
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
            self.check()?;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Broken> {
        panics::check()?;
        self.ground.truth.take_broken().map_or(Ok(()), Err)
    }

    fn set(&self, phase: Phase) {
        self.note(format_args!("{phase:?}"));
        for person in &self.phases {
            person.send_replace(phase);
        }
    }

    /// Those that are up.
    fn servers(&self) -> Vec<Arc<Server>> {
        self.fronts.iter().filter_map(|front| lock(front).clone()).collect()
    }

    fn note(&self, what: impl std::fmt::Display) {
        self.transcript.note("world", what);
    }
}

fn check_gaps(unblocked: u64) -> Result<(), Broken> {
    hold!(unblocked == 0, Promise::NoGap, "{unblocked} gaps to readers that took what was due");
    Ok(())
}
