//! Puts an engine together from its ports and bounds.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use crate::engine::engine::Engine;
use crate::engine::erase;
use crate::engine::feed::budget::MemoryBudget;
use crate::engine::feed::ended::EndedFeeds;
use crate::engine::peer_events;
use crate::engine::rooms::registry::Registry;
use crate::engine::session::addresses::Addresses;
use crate::engine::session::ended_sessions::EndedSessions;
use crate::engine::session::network::NetworkKey;
use crate::engine::session::revocations::Revocations;
use crate::engine::session::shared_allowance::SharedAllowances;
use crate::engine::session::table::Sessions;
use crate::engine::session::token::{NEVER, Signer};
use crate::engine::shared::Shared;
use crate::engine::shared::bounded_log::BoundedLog;
use crate::engine::shared::failures::Failures;
use crate::engine::shared::id_source::IdSource;
use crate::engine::shared::peers::Peers;
use crate::engine::shared::room_secrets::RoomSecrets;
use crate::engine::shared::room_tags::RoomTags;
use crate::engine::shared::steady_clock::SteadyClock;
use crate::engine::shared::timers::Timers;
use crate::engine::wake_up;
use crate::engine::work::put_away;
use crate::engine::work::run;
use crate::engine::work::sweep;
use crate::meters::FeedCounters;
use crate::ports::{Clock, Cluster, Log, LogClaim, LogInUse, Observer, Policy, SystemClock};
use crate::room::HostNames;
use crate::types::{Limits, Reject};

/// What an engine is to be made of; see [`Engine::builder`](crate::Engine::builder).
#[derive(Default)]
#[must_use]
pub struct EngineBuilder {
    limits: Limits,
    clock: Option<Arc<dyn Clock>>,
    log: Option<(Arc<dyn Log>, LogClaim)>,
    policy: Option<Arc<dyn Policy>>,
    observer: Option<Arc<dyn Observer>>,
    cluster: Option<Arc<dyn Cluster>>,
    secret: Option<[u8; 32]>,
    old_secret: Option<[u8; 32]>,
    lasting_secret: Option<[u8; 32]>,
    host_names: HostNames,
    ids: IdSource,
}

impl Engine {
    /// Picks ports and bounds, or takes defaults: in memory, system clock, open to everyone.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }
}

impl EngineBuilder {
    /// Other bounds than the defaults.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Another source of time than the system's. A step of its wall half forward by more than
    /// [`clock_step_max`](crate::RoomLimits::clock_step_max) is believed after [`clock_doubt`](crate::RoomLimits::clock_doubt).
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Where rooms live on. Without one they live in memory. From now on the log is this engine's, until all of it is dropped: its
    /// clones, its sessions, and what its rooms have begun.
    ///
    /// # Errors
    /// [`LogInUse`] while it is another engine's. Two over one log would each put out the members of the other.
    pub fn log(mut self, log: Arc<dyn Log>) -> Result<Self, LogInUse> {
        let claim = log.claim()?;
        self.log = Some((log, claim));
        Ok(self)
    }

    /// The embedder's rules. Without them everybody may do everything that the rooms allow.
    pub fn policy(mut self, policy: Arc<dyn Policy>) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Who is told of everything that happens; one per engine, the last one given.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The other servers that serve the same rooms. All of them have the same log, the same [`secret`](Self::secret) and the same
    /// [`lasting_secret`](Self::lasting_secret), each through an adapter of its own.
    pub fn cluster(mut self, cluster: Arc<dyn Cluster>) -> Self {
        self.cluster = Some(cluster);
        self
    }

    /// What session tokens are signed with. Without one it is drawn, and tokens of an earlier process are worth nothing.
    pub fn secret(mut self, secret: [u8; 32]) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Another secret whose tokens are good as well: the one before, where the secret is changed for a new one. Everybody who comes back
    /// in time is given a token of the new one; after [`token_expiry`](crate::SessionLimits::token_expiry) the old one is of no use.
    pub fn old_secret(mut self, secret: [u8; 32]) -> Self {
        self.old_secret = Some(secret);
        self
    }

    /// What secrets of rooms are hashed with, and what the networks of banned people are recognised by, each with a key of its own. It
    /// stays when [`secret`](Self::secret) is changed: what rooms keep of both is worth nothing under another. Without one it is what
    /// tokens are signed with; where that is drawn, bans of a network bind nobody after this process, and the people themselves stay
    /// banned.
    pub fn lasting_secret(mut self, secret: [u8; 32]) -> Self {
        self.lasting_secret = Some(secret);
        self
    }

    /// The names that the host speaks under ([`RoomHandle::say`](crate::RoomHandle::say)). From now on nobody takes one of them, or one that looks
    /// like it: `nick_taken`. Whoever has it already keeps it until they leave or change. Where the policy gives it to somebody
    /// ([`Admission::named`](crate::Admission::named)), that counts as not said: they are called what they ask for. Servers that share their rooms have the same
    /// names.
    ///
    /// # Errors
    /// That of a nick which is none: `too_long` or `bad_field`.
    pub fn host_names<T: AsRef<str>>(mut self, names: impl IntoIterator<Item = T>) -> Result<Self, Reject> {
        self.host_names = HostNames::parse(names)?;
        Ok(self)
    }

    /// Draws every id, epoch and room code from this seed, so that a run can be repeated. For simulations alone: whoever knows
    /// the seed knows what will be drawn.
    pub fn seed(mut self, seed: u64) -> Self {
        self.ids = IdSource::seeded(seed);
        self
    }

    /// Starts the engine on the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime: the engine's timer runs there. With limits that [`Limits::check`] does not pass.
    pub fn build(self) -> Engine {
        self.limits.check().unwrap_or_else(|zero| panic!("{zero}"));
        let timers = Arc::new(Timers::default());
        let (log, claim) = self.log.unzip();
        let secret = self.secret.unwrap_or_else(|| self.ids.secret());
        let failures = Arc::new(Failures::default());
        let log_timeout = self.limits.engine.log_timeout;
        let log = log.map(|log| Arc::new(BoundedLog::new(log, log_timeout, Arc::clone(&failures))) as Arc<dyn Log>);
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let began = clock.now();
        let shared = Arc::new(Shared {
            runtime: Handle::current(),
            room_limits: Arc::new(self.limits.room.clone()),
            host_names: self.host_names,
            renew_on: AtomicU16::new(NEVER),
            clock: SteadyClock::new(clock, &self.limits.room, Arc::clone(&timers)),
            log,
            _claim: claim,
            policy: self.policy,
            observer: self.observer,
            cluster: self.cluster,
            peers: Peers::default(),
            began,
            letters: AtomicU64::new(0),
            registry: Registry::new(self.ids.hashing()),
            away: Arc::default(),
            work: run::start,
            timers: Arc::clone(&timers),
            signer: Signer::new(&secret, self.old_secret.as_ref(), self.limits.session.token_expiry),
            room_secrets: RoomSecrets::new(&self.lasting_secret.unwrap_or(secret)),
            room_tags: RoomTags::new(&self.lasting_secret.unwrap_or(secret)),
            network_key: NetworkKey::new(&self.lasting_secret.unwrap_or(secret)),
            ids: self.ids,
            sessions: Mutex::new(Sessions::default()),
            addresses: Addresses::default(),
            shared_allowances: SharedAllowances::default(),
            ended: EndedFeeds::default(),
            ended_sessions: EndedSessions::new(began.mono),
            revocations: Revocations::default(),
            erasing: Arc::default(),
            budget: MemoryBudget::new(self.limits.engine.memory_bytes_max),
            connected: AtomicUsize::new(0),
            generations: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            goes_on: AtomicBool::new(false),
            flushed: AtomicBool::new(false),
            cutting: tokio::sync::Notify::new(),
            tasks: AtomicU64::new(0),
            gone: Notify::new(),
            feed_news: watch::Sender::new(()),
            feeds: FeedCounters::default(),
            gaps: AtomicU64::new(0),
            gaps_unblocked: AtomicU64::new(0),
            counters: Arc::default(),
            unreadable: AtomicU64::new(0),
            failures,
            limits: self.limits,
        });
        tokio::spawn(wake_up::run(Arc::downgrade(&shared), timers));
        tokio::spawn(erase::run(Arc::downgrade(&shared)));
        if shared.log.is_some() {
            tokio::spawn(sweep::run(Arc::downgrade(&shared)));
            tokio::spawn(put_away::run(Arc::downgrade(&shared)));
        }
        if shared.cluster.is_some() {
            tokio::spawn(peer_events::run(Arc::downgrade(&shared)));
        }
        Engine { shared }
    }
}
