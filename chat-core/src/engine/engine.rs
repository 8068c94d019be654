//! The engine: all rooms, all sessions, and the way between them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::builder::EngineBuilder;
use super::chance::Chance;
use super::connection::Connection;
use super::lane::{self, Lane};
use super::registry::Registry;
use super::reply::ReplyTo;
use super::room_cell::{Entrance, Letter, Resuming};
use super::session::Session;
use super::session_cell::{LeftOff, SessionCell, SessionState, Welcome};
use super::timers::Timers;
use super::token::Signer;
use crate::messages::CloseCause;
use crate::ports::{Clock, ConnectRequest, Fact, Log, Observer, Policy};
use crate::room::{Actor, Caller, Input};
use crate::wire::{self, Hello, RoomStatus, Status, WelcomeLimits};
use crate::words::{
    CloseReason, Generation, Identity, Limits, MemberId, Nick, Position, Reject, RejectCode, RoomCode, RoomLimits, Seq,
    SessionId, Topic,
};

/// Draws of a room code before giving up; one is enough unless nearly all codes are in use.
const DRAWS_MAX: usize = 16;

/// A chat engine: rooms, sessions, and nothing of any transport. Cheap to clone; all clones are the same engine.
///
/// Runs on the tokio runtime it is built in.
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
    /// Gaps told.
    pub gaps: u64,
    /// Gaps told to a reader that had always taken what was due: stays 0.
    pub gaps_unblocked: u64,
    /// Commands and connections refused.
    pub rejects: u64,
}

/// What all parts of an engine share.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) room_limits: Arc<RoomLimits>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) log: Option<Arc<dyn Log>>,
    pub(crate) policy: Option<Arc<dyn Policy>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) registry: Registry,
    pub(crate) timers: Arc<Timers>,
    pub(crate) signer: Signer,
    pub(crate) chance: Chance,
    pub(crate) sessions: Mutex<Sessions>,
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

/// All sessions, and those without a connection in the order they lost it.
#[derive(Default)]
pub(crate) struct Sessions {
    pub(crate) by_id: HashMap<SessionId, Arc<SessionCell>>,
    detached: VecDeque<(SessionId, Generation)>,
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
        let shared = &self.shared;
        shared.check_draining()?;
        let identity = match &shared.policy {
            None => None,
            Some(policy) => match policy.admit(&request).await {
                Ok(admission) => admission.identity,
                Err(reject) => {
                    shared.count_reject(reject.code);
                    return Err(Refusal { close: CloseReason::Refused, reject, reconnect_after: None });
                }
            },
        };
        let resumed = hello.resume.as_ref().map(|resume| shared.signer.verify_resume(&resume.token));
        let (cell, connection, known) = match resumed {
            Some(Some(id)) => match shared.resume(id, &identity, request.transport)? {
                Some(resumed) => resumed,
                None => return self.start(request, hello, identity, true),
            },
            Some(None) => return self.start(request, hello, identity, true),
            None => return self.start(request, hello, identity, false),
        };
        let session = Session::new(Arc::clone(shared), cell, connection);
        let positions = hello.resume.map(|resume| resume.positions).unwrap_or_default();
        let rooms = shared.attach_rooms(&session, identity, known, positions).await;
        shared.welcome(&session, hello.id, true, rooms);
        Ok(session)
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
            gaps: shared.gaps.load(Ordering::Relaxed),
            gaps_unblocked: shared.gaps_unblocked.load(Ordering::Relaxed),
            rejects: shared.rejects.load(Ordering::Relaxed),
        }
    }

    /// A new session; after an `error` where the client asked for one that cannot be had.
    fn start(
        &self,
        request: ConnectRequest,
        hello: Hello,
        identity: Option<Identity>,
        bad_token: bool,
    ) -> Result<Session, Refusal> {
        let shared = &self.shared;
        let id = shared.chance.session();
        let now = shared.clock.now().mono;
        let cell = Arc::new(SessionCell::new(id, shared.signer.token(id), identity, &shared.limits.session, now));
        let connection = {
            let mut sessions = shared.lock_sessions();
            shared.check_place()?;
            shared.forget_detached(&mut sessions);
            sessions.by_id.insert(id, Arc::clone(&cell));
            let mut state = cell.lock();
            shared.take_over(&mut state, request.transport)
        };
        let session = Session::new(Arc::clone(shared), cell, connection);
        if bad_token {
            let reject = Reject::new(RejectCode::BadToken, "the token is not of this server, or its session is gone");
            shared.count_reject(reject.code);
            let error = wire::error(hello.id, None, &reject);
            session.cell.lock().mail_extra(wire::FrameKind::Error, error);
        }
        shared.welcome(&session, hello.id, false, Vec::new());
        Ok(session)
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

    /// Makes a room for a creation, under the name chosen or a code drawn.
    pub(crate) fn create(self: &Arc<Self>, by: Caller, nick: Nick, room: Option<RoomCode>, reply: ReplyTo) {
        if let Err(reject) = lane::reserve(self, &reply, room.as_ref()) {
            return reply.reject(room.as_ref(), reject);
        }
        match room {
            Some(code) => {
                if self.registry.room(&code).is_none() && self.is_full() {
                    return self.refuse_creation(reply);
                }
                let (epoch, salt) = (self.chance.epoch(), self.chance.salt());
                let input = Input::Create { by, nick, epoch, salt };
                self.post_new(&code, Letter::Enter { input, entrance: Entrance::Command(reply) });
            }
            None => self.create_drawn(by, nick, reply),
        }
    }

    pub(crate) fn create_drawn(self: &Arc<Self>, by: Caller, nick: Nick, reply: ReplyTo) {
        if self.is_full() {
            return self.refuse_creation(reply);
        }
        for _ in 0..DRAWS_MAX {
            let code = self.chance.code();
            if self.registry.room(&code).is_some() {
                continue;
            }
            let input = Input::Create {
                by: by.clone(),
                nick: nick.clone(),
                epoch: self.chance.epoch(),
                salt: self.chance.salt(),
            };
            return self.post_new(&code, Letter::Enter { input, entrance: Entrance::Drawn { by, nick, reply } });
        }
        self.refuse_creation(reply);
    }

    fn is_full(&self) -> bool {
        self.registry.len() >= self.limits.engine.rooms_max
    }

    fn refuse_creation(&self, reply: ReplyTo) {
        self.count_reject(RejectCode::AtCapacity);
        if let Some(mut state) = reply.cell.lock_for(&reply.connection) {
            state.entering = state.entering.saturating_sub(1);
        }
        let reject = Reject::new(RejectCode::AtCapacity, "the server has as many rooms as it may");
        reply.reject(None, reject.limit(self.limits.engine.rooms_max as u64));
    }

    fn check_draining(&self) -> Result<(), Refusal> {
        match self.draining.load(Ordering::Acquire) {
            true => Err(Refusal::new(CloseReason::Draining, RejectCode::Draining, "the server is going down")),
            false => Ok(()),
        }
    }

    /// Whether there is a place for another connection. Holds only while the table of sessions is locked.
    fn check_place(&self) -> Result<(), Refusal> {
        self.check_draining()?;
        if self.connected.load(Ordering::Acquire) >= self.limits.engine.sessions_max {
            let refusal = Refusal::new(CloseReason::AtCapacity, RejectCode::AtCapacity, "the server is full");
            return Err(Refusal { reconnect_after: Some(Duration::from_secs(10)), ..refusal });
        }
        Ok(())
    }

    /// Gives a session to a new connection. The older one is told that it was replaced.
    fn take_over(&self, state: &mut SessionState, transport: &'static str) -> Arc<Connection> {
        state.generation = Generation(self.generations.fetch_add(1, Ordering::Relaxed) + 1);
        let connection = Arc::new(Connection::new(state.generation, transport));
        match state.connection.replace(Arc::clone(&connection)) {
            Some(older) => older.close(CloseReason::Replaced, None),
            None => {
                self.connected.fetch_add(1, Ordering::AcqRel);
            }
        }
        state.welcome = Welcome::Awaited;
        // Pending answers die with their connection; keys make retries safe.
        state.mailbox = VecDeque::new();
        state.in_flight = 0;
        state.entering = 0;
        connection
    }

    /// Finds a session again, or makes it anew after a restart: its id is in the signed token, its memberships are in the
    /// rooms. `None` where it is not to be had: another identity, or too long without a connection.
    #[allow(clippy::type_complexity)]
    fn resume(
        &self,
        id: SessionId,
        identity: &Option<Identity>,
        transport: &'static str,
    ) -> Result<Option<(Arc<SessionCell>, Arc<Connection>, Vec<LeftOff>)>, Refusal> {
        let now = self.clock.now().mono;
        let mut sessions = self.lock_sessions();
        let cell = sessions.by_id.get(&id).cloned().unwrap_or_else(|| {
            let token = self.signer.token(id);
            Arc::new(SessionCell::new(id, token, identity.clone(), &self.limits.session, now))
        });
        let mut state = cell.lock();
        if state.identity != *identity {
            return Ok(None);
        }
        if state.connection.is_none() && now.since(state.detached) > self.limits.session.retention {
            return Ok(None);
        }
        match state.connection {
            None => self.check_place()?,
            // Who takes over a connection has its place.
            Some(_) => self.check_draining()?,
        }
        let connection = self.take_over(&mut state, transport);
        let given_up = state.asking.give_up();
        state.leave_off();
        let known = state.left_off.clone();
        drop(state);
        drop(given_up);
        sessions.by_id.entry(id).or_insert_with(|| Arc::clone(&cell));
        Ok(Some((cell, connection, known)))
    }

    /// Asks each room of a session that comes back where it stands there.
    async fn attach_rooms(
        self: &Arc<Self>,
        session: &Session,
        identity: Option<Identity>,
        known: Vec<LeftOff>,
        positions: Vec<(RoomCode, Position)>,
    ) -> Vec<RoomStatus> {
        // All rooms it is known to be in, whatever the client names: one that is left out would keep a member who never goes.
        let known = known.into_iter().map(|stay| (stay.code.clone(), None, Some(stay)));
        let mut rooms: Vec<(RoomCode, Option<Position>, Option<LeftOff>)> = known.collect();
        for (code, after) in positions {
            if let Some((_, first, stay)) = rooms.iter_mut().find(|(other, ..)| *other == code) {
                if stay.as_ref().is_none_or(|stay| stay.is_meant_by(after)) {
                    first.get_or_insert(after);
                }
            } else if rooms.len() < self.limits.session.rooms_max {
                rooms.push((code, Some(after), None));
            }
        }
        if let Some(mut state) = session.cell.lock_for(&session.connection) {
            state.entering = rooms.len();
        }
        let by = Caller { session: session.cell.id, generation: session.connection.generation, identity };
        let mut answers = Vec::with_capacity(rooms.len());
        for (code, after, stay) in rooms {
            let (status, answer) = oneshot::channel();
            let resuming = Resuming {
                cell: Arc::clone(&session.cell),
                connection: Arc::clone(&session.connection),
                after,
                known: stay.map(|stay| stay.position),
                status,
            };
            let input = Input::Attach { by: by.clone(), after };
            self.post(&code, Letter::Enter { input, entrance: Entrance::Resume(resuming) });
            answers.push((code, answer));
        }
        let mut statuses = Vec::with_capacity(answers.len());
        for (code, answer) in answers {
            statuses.push(answer.await.unwrap_or_else(|_| RoomStatus {
                room: code.as_str().to_owned(),
                epoch: None,
                seq: None,
                status: Status::Unavailable,
            }));
        }
        statuses
    }

    fn welcome(&self, session: &Session, id: Option<crate::words::CommandId>, resumed: bool, rooms: Vec<RoomStatus>) {
        let limits = &self.limits;
        let limits = WelcomeLimits {
            frame_bytes: limits.session.frame_bytes_max,
            text_chars: limits.room.message_chars_max,
            nick_chars: Nick::CHARS_MAX,
            rooms: limits.session.rooms_max,
            history: limits.room.history_max,
            members: limits.room.members_page_max,
            in_flight: limits.session.commands_in_flight_max,
            grace_ms: limits.room.grace.as_millis() as u64,
            typing_ms: limits.room.typing_ttl.as_millis() as u64,
        };
        // A room that could not say is asked again by the next connection.
        let unknown: Vec<String> =
            rooms.iter().filter(|room| room.status == Status::Unavailable).map(|room| room.room.clone()).collect();
        let json = wire::welcome(id, session.cell.id, &session.cell.token, resumed, rooms, limits);
        if let Some(mut state) = session.cell.lock_for(&session.connection) {
            state.left_off.retain(|stay| unknown.iter().any(|code| code == stay.code.as_str()));
            state.welcome = Welcome::Due(json);
        }
        session.connection.wake.wake();
        self.observe(Fact::Connected { session: session.cell.id, transport: session.connection.transport });
    }

    /// A connection is gone. Its rooms are told, unless a newer one has taken over.
    pub(crate) fn detach(self: &Arc<Self>, cell: &Arc<SessionCell>, connection: &Arc<Connection>) {
        let reason = connection.closing().map(|closing| closing.reason);
        self.observe(Fact::Disconnected { session: cell.id, reason });
        let codes = {
            let Some(mut state) = cell.lock_for(connection) else { return };
            state.connection = None;
            state.detached = self.clock.now().mono;
            state.mailbox = VecDeque::new();
            state.leave_off();
            state.left_off.iter().map(|stay| stay.code.clone()).collect::<Vec<_>>()
        };
        #[cfg(feature = "planted")]
        let codes = if crate::planted::is(crate::planted::Bug::ForgetDetach) { Vec::new() } else { codes };
        for code in codes {
            let letter = Letter::Detach { session: cell.id, generation: connection.generation };
            self.post(&code, letter);
        }
        let mut sessions = self.lock_sessions();
        self.connected.fetch_sub(1, Ordering::AcqRel);
        sessions.detached.push_back((cell.id, connection.generation));
        self.forget_detached(&mut sessions);
        drop(sessions);
        self.gone.notify_waiters();
    }

    /// Forgets sessions that have been without a connection for too long, or are too many; the longest gone first.
    fn forget_detached(&self, sessions: &mut Sessions) {
        let now = self.clock.now().mono;
        let Sessions { by_id, detached } = sessions;
        // A session that comes and goes leaves an entry each time, all of them behind one that stays away.
        if detached.len() > 2 * by_id.len() {
            detached.retain(|(id, generation)| by_id.get(id).is_some_and(|cell| cell.is_gone_since(*generation)));
        }
        while let Some(&(id, generation)) = sessions.detached.front() {
            let is_over = sessions.by_id.get(&id).is_none_or(|cell| {
                !cell.is_gone_since(generation) || now.since(cell.lock().detached) > self.limits.session.retention
            });
            let detached = sessions.by_id.len().saturating_sub(self.connected.load(Ordering::Acquire));
            let too_many = detached > self.limits.engine.sessions_detached_max;
            if !is_over && !too_many {
                return;
            }
            sessions.detached.pop_front();
            if sessions.by_id.get(&id).is_some_and(|cell| cell.is_gone_since(generation)) {
                sessions.by_id.remove(&id);
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.timers.stop();
    }
}

impl Refusal {
    fn new(close: CloseReason, code: RejectCode, message: &'static str) -> Self {
        Self { close, reject: Reject::new(code, message), reconnect_after: None }
    }
}
