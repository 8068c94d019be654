//! The engine: all rooms, all sessions, and the way between them.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::addresses::Addresses;
use super::budget::Budget;
use super::builder::EngineBuilder;
use super::chance::Chance;
use super::connection::Connection;
use super::lane::Lane;
use super::registry::Registry;
use super::room_cell::Letter;
use super::session::Session;
use super::sessions::Sessions;
use super::timers::Timers;
use super::token::Signer;
use crate::messages::CloseCause;
use crate::ports::{Clock, ConnectRequest, Fact, Log, LogClaim, Observer, Policy};
use crate::room::{Actor, Input};
use crate::wire::Hello;
use crate::words::{CloseReason, Limits, MemberId, Reject, RejectCode, RoomCode, RoomLimits, Seq, SessionId, Topic};

/// A chat engine: rooms, sessions, and nothing of any transport. Cheap to clone; all clones are the same engine.
///
/// Runs on the tokio runtime it is built in; commands may be handed in, and sessions dropped, on any thread.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

/// A client that was not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reject}")]
pub struct Refusal {
    /// How the connection ends.
    pub close: CloseReason,
    /// Why, in more words.
    pub reject: Reject,
    /// When to try again, where that helps.
    pub reconnect_after: Option<Duration>,
}

/// What the embedder may do in any room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moderation {
    /// Put a member out.
    Kick(MemberId),
    /// Put a member out, and keep them out.
    Ban(MemberId),
    /// Take back a message.
    Redact(Seq),
    /// Change the topic.
    SetTopic(Topic),
    /// End the room for everyone.
    Close,
}

/// Counts of an engine, as of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Room codes in use.
    pub rooms: usize,
    /// Sessions with a connection.
    pub sessions: usize,
    /// Sessions kept without a connection.
    pub sessions_detached: usize,
    /// Bytes that the backlogs of all rooms hold, about.
    pub backlog_bytes: usize,
    /// Gaps told.
    pub gaps: u64,
    /// Gaps told to a reader that had always taken what was due: stays 0.
    pub gaps_unblocked: u64,
    /// Commands and connections refused.
    pub rejects: u64,
}

/// What all parts of an engine share.
pub(crate) struct Shared {
    /// Where rooms work when a command or a disconnect comes from a thread without a runtime.
    pub(crate) runtime: Handle,
    pub(crate) limits: Limits,
    pub(crate) room_limits: Arc<RoomLimits>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) log: Option<Arc<dyn Log>>,
    /// Room tasks and sessions hold this struct, so no other engine writes while one of them still may.
    pub(crate) _claim: Option<LogClaim>,
    pub(crate) policy: Option<Arc<dyn Policy>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) registry: Registry,
    pub(crate) timers: Arc<Timers>,
    pub(crate) signer: Signer,
    pub(crate) chance: Chance,
    pub(crate) sessions: Mutex<Sessions>,
    pub(crate) addresses: Addresses,
    pub(crate) budget: Arc<Budget>,
    /// Sessions with a connection. Apart from the table, because it is counted while a session is locked, and the table is
    /// locked before sessions.
    pub(crate) connected: AtomicUsize,
    /// Counted over all sessions: one that was forgotten and is made anew must not look older than itself to its rooms.
    pub(crate) generations: AtomicU64,
    pub(crate) draining: AtomicBool,
    pub(crate) tasks: AtomicU64,
    pub(crate) gone: tokio::sync::Notify,
    pub(crate) gaps: AtomicU64,
    pub(crate) gaps_unblocked: AtomicU64,
    pub(crate) rejects: AtomicU64,
}

impl Engine {
    /// Picks ports and bounds, or takes defaults: in memory, system clock, open to everyone.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Lets a client in, with a new session or the one it resumes. The `welcome` is the session's first frame.
    ///
    /// # Errors
    /// A [`Refusal`], when the policy does not admit the client, the engine is full, or is draining.
    pub async fn connect(&self, request: ConnectRequest, hello: Hello) -> Result<Session, Refusal> {
        self.shared.connect(request, hello).await
    }

    /// The command side of a session that has a connection, for transports whose commands come another way than the one its
    /// frames go: a POST beside a stream.
    ///
    /// # Errors
    /// `bad_token` when the token is not this session's; `not_connected` when the session has no connection right now.
    pub fn lane(&self, session: SessionId, token: &str) -> Result<Lane, Reject> {
        let shared = &self.shared;
        if shared.signer.verify_token(token) != Some(session) {
            return Err(Reject::new(RejectCode::BadToken, "the token is not of this session"));
        }
        let cell = shared.lock_sessions().by_id.get(&session).cloned();
        let lane = cell.and_then(|cell| {
            let connection = cell.lock().connection.clone()?;
            Some(Lane { shared: Arc::clone(shared), cell, connection })
        });
        lane.ok_or_else(|| Reject::new(RejectCode::NotConnected, "the session has no connection right now"))
    }

    /// Takes nothing new, and ends every connection with `closing` 4001: each is told its own delay, spread over `spread`, so that
    /// not everybody comes back at once. Returns when all connections are gone, or after
    /// [`stall_timeout`](crate::SessionLimits::stall_timeout).
    pub async fn drain(&self, spread: Duration) {
        super::drain::drain(&self.shared, spread).await;
    }

    /// Whether [`Engine::drain`] has begun.
    pub fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Acquire)
    }

    /// Acts in a room with all rights.
    ///
    /// # Errors
    /// The room's reject: `room_not_found`, `member_not_found`, `message_not_found`, `unavailable`, `busy`.
    pub async fn moderate(&self, room: &RoomCode, moderation: Moderation) -> Result<Seq, Reject> {
        let by = Actor::Host;
        let input = match moderation {
            Moderation::Kick(member) => Input::Kick { by, member },
            Moderation::Ban(member) => Input::Ban { by, member },
            Moderation::Redact(seq) => Input::Redact { by, seq },
            Moderation::SetTopic(topic) => Input::SetTopic { by, topic },
            Moderation::Close => Input::Close { cause: CloseCause::Host },
        };
        let (answer, answered) = oneshot::channel();
        self.shared.post(room, Letter::Host { input, answer });
        answered.await.unwrap_or_else(|_| Err(super::recover::unavailable()))
    }

    /// The codes of all rooms in memory, in no order.
    pub fn rooms(&self) -> Vec<RoomCode> {
        self.shared.registry.codes()
    }

    /// Counts, as of now.
    pub fn stats(&self) -> Stats {
        let shared = &self.shared;
        let sessions = shared.connected.load(Ordering::Acquire);
        let all = shared.lock_sessions().by_id.len();
        Stats {
            rooms: shared.registry.len(),
            sessions,
            sessions_detached: all.saturating_sub(sessions),
            backlog_bytes: shared.budget.held(),
            gaps: shared.gaps.load(Ordering::Relaxed),
            gaps_unblocked: shared.gaps_unblocked.load(Ordering::Relaxed),
            rejects: shared.rejects.load(Ordering::Relaxed),
        }
    }
}

impl Shared {
    pub(crate) fn observe(&self, fact: Fact<'_>) {
        if let Some(observer) = &self.observer {
            observer.observe(fact);
        }
    }

    pub(crate) fn count_reject(&self, code: RejectCode) {
        self.rejects.fetch_add(1, Ordering::Relaxed);
        self.observe(Fact::Rejected { code });
    }

    pub(crate) fn count_gap(&self, connection: &Connection, came_late: bool) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
        if !came_late && !connection.was_blocked.load(Ordering::Relaxed) {
            self.gaps_unblocked.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn lock_sessions(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.timers.stop();
    }
}

impl Refusal {
    pub(crate) fn new(close: CloseReason, code: RejectCode, message: &'static str) -> Self {
        Self { close, reject: Reject::new(code, message), reconnect_after: None }
    }
}
