//! What all parts of an engine share: its ports and bounds, its tables, and what is counted.
//!
//! Never here: what is done with it.

pub(crate) mod bounded_log;
pub(crate) mod embedder;
pub(crate) mod erasing;
pub(crate) mod failures;
pub(crate) mod id_source;
pub(crate) mod peers;
pub(crate) mod quota;
pub(crate) mod room_secrets;
pub(crate) mod room_tags;
pub(crate) mod steady_clock;
pub(crate) mod timers;

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::domain::RecordVersion;
use crate::engine::feed::budget::MemoryBudget;
use crate::engine::feed::ended::EndedFeeds;
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::rooms::away::AwayRooms;
use crate::engine::rooms::cell::RoomCell;
use crate::engine::rooms::registry::Registry;
use crate::engine::session::addresses::Addresses;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::ended_sessions::EndedSessions;
use crate::engine::session::network::NetworkKey;
use crate::engine::session::revocations::Revocations;
use crate::engine::session::shared_allowance::SharedAllowances;
use crate::engine::session::table::Sessions;
use crate::engine::session::token::Signer;
use crate::engine::shared::erasing::Erasing;
use crate::engine::shared::failures::Failures;
use crate::engine::shared::id_source::IdSource;
use crate::engine::shared::peers::Peers;
use crate::engine::shared::room_secrets::RoomSecrets;
use crate::engine::shared::room_tags::RoomTags;
use crate::engine::shared::steady_clock::SteadyClock;
use crate::engine::shared::timers::Timers;
use crate::locks::lock;
use crate::meters::{Counters, FeedCounters};
use crate::ports::{Cluster, Log, LogClaim, Observer, ObserverEvent, Policy};
use crate::room::HostNames;
use crate::types::{CloseReason, Epoch, Limits, Now, Reject, RejectCode, RoomCode, RoomLimits, Seq};

/// A client that was not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reject}")]
#[non_exhaustive]
pub struct Refusal {
    /// How the connection ends.
    pub close: CloseReason,
    /// Why, in more words.
    pub reject: Reject,
    /// When to try again, where that helps.
    pub reconnect_after: Option<Duration>,
}

/// What all parts of an engine share.
pub(crate) struct Shared {
    /// Where rooms work when a command or a disconnect comes from a thread without a runtime.
    pub(crate) runtime: Handle,
    pub(crate) limits: Limits,
    pub(crate) room_limits: Arc<RoomLimits>,
    pub(crate) host_names: HostNames,
    pub(crate) clock: SteadyClock,
    pub(crate) log: Option<Arc<dyn Log>>,
    /// Room tasks and sessions hold this struct, so no other engine writes while one of them still may.
    pub(crate) _claim: Option<LogClaim>,
    pub(crate) policy: Option<Arc<dyn Policy>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    /// The other servers; `None` where this one is alone.
    pub(crate) cluster: Option<Arc<dyn Cluster>>,
    pub(crate) peers: Peers,
    /// When this engine began.
    pub(crate) began: Now,
    /// Counts what is asked of other servers, in all rooms: no answer is taken for that to something else.
    pub(crate) letters: AtomicU64,
    pub(crate) registry: Registry,
    pub(crate) away: Arc<AwayRooms>,
    /// What works on a room that has something to do. Set by the builder, as what works on rooms knows all of this.
    pub(crate) work: fn(Arc<Shared>, Arc<RoomCell>),
    pub(crate) timers: Arc<Timers>,
    pub(crate) signer: Signer,
    pub(crate) network_key: NetworkKey,
    pub(crate) room_secrets: RoomSecrets,
    pub(crate) room_tags: RoomTags,
    pub(crate) ids: IdSource,
    pub(crate) sessions: Mutex<Sessions>,
    pub(crate) addresses: Addresses,
    pub(crate) shared_allowances: SharedAllowances,
    pub(crate) budget: Arc<MemoryBudget>,
    pub(crate) ended: EndedFeeds,
    pub(crate) ended_sessions: EndedSessions,
    pub(crate) revocations: Revocations,
    pub(crate) erasing: Arc<Erasing>,
    /// Sessions with a connection. Apart from the table, because it is counted while a session is locked, and the table is
    /// locked before sessions.
    pub(crate) connected: AtomicUsize,
    /// Counted over all sessions: one that was forgotten and is made anew must not look older than itself to its rooms.
    pub(crate) generations: AtomicU64,
    /// The first day on which the token of somebody who is connected is half its age, or an earlier one.
    pub(crate) renew_on: AtomicU16,
    pub(crate) draining: AtomicBool,
    /// Of one who drains: whether other servers have its rooms, so that whoever is still connected is served as before.
    pub(crate) goes_on: AtomicBool,
    /// Whether what was due when the drain began has been told, or has had its time: now it is told when to come back.
    pub(crate) flushed: AtomicBool,
    /// Told when a drain gives up connections that take nothing.
    pub(crate) cutting: tokio::sync::Notify,
    pub(crate) tasks: AtomicU64,
    pub(crate) gone: tokio::sync::Notify,
    /// Told whenever a batch is published, for whoever reads all rooms.
    pub(crate) feed_news: watch::Sender<()>,
    pub(crate) feeds: FeedCounters,
    pub(crate) gaps: AtomicU64,
    pub(crate) gaps_unblocked: AtomicU64,
    pub(crate) counters: Arc<Counters>,
    /// Times that a log was found to be of a later program.
    pub(crate) unreadable: AtomicU64,
    pub(crate) failures: Arc<Failures>,
}

impl Shared {
    /// The feed of an incarnation that begins, or is read back.
    pub(crate) fn new_life(&self, code: &RoomCode, epoch: Epoch, head: Seq) -> RoomFeed {
        RoomFeed::new(code.clone(), epoch, head, self.log.is_some(), &self.limits.room, &self.budget)
    }

    /// The latest version of records that may be written now.
    pub(crate) fn writes(&self) -> RecordVersion {
        self.log.as_ref().map_or(RecordVersion::LATEST, |log| log.writes().min(RecordVersion::LATEST))
    }

    pub(crate) fn count_reject(&self, code: RejectCode) {
        self.counters.reject(code);
        self.observe(ObserverEvent::Rejected { code });
    }

    pub(crate) fn count_gap(&self, connection: &ConnectionState, came_late: bool) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
        if !came_late && !connection.was_blocked.load(Ordering::Relaxed) {
            self.gaps_unblocked.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Wakes whoever reads all rooms.
    pub(crate) fn tell_feeds(&self) {
        // Without such a reader, this is one look at a number.
        if self.feed_news.receiver_count() > 0 {
            self.feed_news.send_replace(());
        }
    }

    pub(crate) fn lock_sessions(&self) -> std::sync::MutexGuard<'_, Sessions> {
        lock(&self.sessions)
    }
}

impl Shared {
    /// On the engine's own runtime, whichever we are called in: that one may end at any time, and what is begun here serves
    /// others than the caller.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.timers.stop();
        self.away.stop();
        self.erasing.news.notify_one();
    }
}

impl Refusal {
    pub(crate) fn new(close: CloseReason, code: RejectCode, message: &'static str) -> Self {
        Self { close, reject: Reject::new(code, message), reconnect_after: None }
    }

    /// The same refusal, with when to come back.
    pub(crate) fn come_back(self, wait: Duration) -> Self {
        Self { reject: self.reject.retry_after(wait), reconnect_after: Some(wait), ..self }
    }
}

/// The refusal where a room's log cannot be reached, or its task has ended.
pub(crate) fn unavailable() -> Reject {
    Reject::new(RejectCode::Unavailable, "the room's log cannot be reached now").retry_after(Duration::from_secs(1))
}
