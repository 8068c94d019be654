//! Sessions come, come back and go: the table of all of them, and whose connection counts.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::engine::client::auth;
use crate::engine::client::connection::Connection;
use crate::engine::client::credentials;
use crate::engine::rooms::inbox::{InboxItem, JoinRequest, Resuming};
use crate::engine::session::addresses::AddressCell;
use crate::engine::session::admitted::Admitted;
use crate::engine::session::answers::Answers;
use crate::engine::session::cell::{SessionCell, SessionState};
use crate::engine::session::charge::Charge;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::rooms::LeftOff;
use crate::engine::session::shared_allowance::SharedAllowance;
use crate::engine::session::token::{Issue, Kind, day};
use crate::engine::session::welcome::{Awaited, ResumedRoom, RoomAnswer, Welcome};
use crate::engine::shared::{Refusal, Shared};
use crate::ports::{Admission, ConnectRequest, ObserverEvent};
use crate::room::{Caller, Input};
use crate::types::{
    CloseReason, CommandId, Credential, Generation, Identity, Mono, Nick, Now, Position, Reject, RejectCode, RoomCode,
    SessionId, SessionLimits, Wall, millis,
};
use crate::wire::{self, Hello, RoomStatus, Status, WelcomeLimits};

/// What a client that finds no place is told to wait before it tries again.
const NO_PLACE_WAIT: Duration = Duration::from_secs(10);

/// What one is told to wait who comes to a server that goes, while others have its rooms. Not nothing: whoever sends clients here may not know yet.
const ELSEWHERE_WAIT: Duration = Duration::from_secs(1);

const GOES_DOWN: &str = "the server is going down";

/// Bits of a generation that are drawn, where there are several servers; above them stands with which token its connection came.
const DRAWN_BITS: u32 = 44;
const DRAWN_MAX: u64 = (1 << DRAWN_BITS) - 1;

/// The greatest number that every reader of JSON holds.
const NUMBER_MAX: u64 = (1 << 53) - 1;

impl Shared {
    /// See [`Engine::connect`](crate::Engine::connect).
    pub(crate) async fn connect(
        self: &Arc<Self>,
        request: ConnectRequest,
        mut hello: Hello,
    ) -> Result<Connection, Refusal> {
        self.check_draining()?;
        self.notice_day();
        let request = credentials::shown(request, hello.token.take(), self.policy.is_some())
            .inspect_err(|refusal| self.count_reject(refusal.reject.code))?;
        // Drawn before the policy is asked: of two that ask for one session, the later is the newer, whichever is let in first.
        let mut generation = self.next_generation();
        let revocations = self.revocations.count();
        let admission = match &self.policy {
            None => None,
            Some(policy) => {
                let asked = self.ask_policy(async { policy.admit(&request).await }).await;
                let admitted = asked.and_then(|admission| {
                    auth::check(&admission, self.clock.now().wall)?;
                    Ok(admission)
                });
                Some(Arc::new(admitted.map_err(|reject| {
                    self.count_reject(reject.code);
                    not_admitted(reject)
                })?))
            }
        };
        let identity = admission.as_ref().and_then(|admission| admission.identity.clone());
        let asked_back = hello.resume.is_some();
        let resume = hello.resume.unwrap_or_default();
        let shown = self.signer.verify_resume(&resume.token, identity.as_ref(), self.today());
        if let Some((shown, _)) = &shown {
            self.check_ended(shown.session).await?;
        }
        // Numbered too low, where it was: it is connected until it is taken over from.
        let mut late = None;
        while let Some(shown) = shown
            && let Some((cell, connection, known)) =
                self.resume(shown, generation, &identity, admission.clone(), &request)?
        {
            let session = Connection::new(Arc::clone(self), cell, connection);
            let (identity, positions) = (identity.clone(), resume.positions.clone());
            self.check_revoked(&session.connection, identity.as_ref(), revocations);
            if let Some(told) = self.attach_rooms(&session, identity, known, positions, hello.catch_up) {
                // By then they all have said where the session stands; or those that have not say it later.
                let _ = tokio::time::timeout(self.limits.session.resume_wait, told).await;
            }
            let newer = session.cell.lock_for(&session.connection).and_then(|state| state.newer());
            #[cfg(feature = "fault_injection")]
            let newer = newer.filter(|_| !crate::fault_injection::is(crate::fault_injection::Bug::NumberByClock));
            if let Some(newer) = newer {
                // Who has come with a later token has taken over; with the same, whoever has come to the rooms last, once.
                if late.is_some() || issue_of(newer) > issue_of(session.connection.generation) {
                    return Err(taken_over());
                }
                generation = self.next_generation_above(generation, newer);
                late = Some(session);
                continue;
            }
            self.welcome(&session, hello.id, true);
            return Ok(session);
        }
        let session = self.start(generation, &request, identity.clone(), admission)?;
        self.check_revoked(&session.connection, identity.as_ref(), revocations);
        if asked_back {
            let message = "the token is not of this server or of this client, is too old, or a newer one was used";
            let reject = Reject::new(RejectCode::BadToken, message);
            self.count_reject(reject.code);
            let error = wire::error(hello.id, None, &reject);
            session.cell.lock().mail_extra(wire::FrameKind::Error, error);
        }
        self.welcome(&session, hello.id, false);
        Ok(session)
    }

    /// A new session.
    fn start(
        self: &Arc<Self>,
        generation: Generation,
        request: &ConnectRequest,
        identity: Option<Identity>,
        admission: Option<Arc<Admission>>,
    ) -> Result<Connection, Refusal> {
        let Now { wall, mono: now } = self.clock.now();
        let mut sessions = self.lock_sessions();
        let address = self.check_place(request.address, now)?;
        self.check_beginning(address.as_deref(), now)?;
        sessions.forget_over(&self.limits, now);
        // Drawn while the table is locked: whoever ends all sessions of a person either finds this one there, or has drawn the line
        // before it.
        let id = self.ids.session(self.begins(identity.as_ref()));
        let cell = Arc::new(SessionCell::new(id, identity, &self.limits.session, now));
        let mut state = cell.lock();
        sessions.insert(&cell, &state);
        let made = (Issue { generation: 1, day: day(wall) }, Kind::Token);
        let generation = self.generation_with(1, generation);
        let connection = self.take_over(&mut state, generation, made, admission, request, address);
        drop(state);
        drop(sessions);
        Ok(Connection::new(Arc::clone(self), cell, connection))
    }

    /// Whether this is a token of the session, and good; then it counts as used.
    pub(crate) fn use_token(&self, cell: &SessionCell, token: &str) -> bool {
        let identity = cell.lock().identity.clone();
        let shown = self.signer.verify(Kind::Token, token, identity.as_ref(), self.today());
        shown.is_some_and(|shown| shown.session == cell.id && cell.use_generation(shown.generation))
    }

    pub(crate) fn next_generation(&self) -> Generation {
        let next = |last: u64| match &self.cluster {
            None => last + 1,
            // None knows what another server has given: the later is the higher, as far as their clocks agree.
            Some(_) => (self.steady_millis() << 4 | self.ids.salt() & 15).max(last + 1),
        };
        let mut drawn = 0;
        // It is never given up.
        let _ = self.generations.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            drawn = next(last);
            Some(drawn)
        });
        Generation(drawn)
    }

    /// In place of one that was drawn here: one that is newer than this, which another server has given.
    fn next_generation_above(&self, drawn: Generation, newest: Generation) -> Generation {
        let newest = drawn.0 & !DRAWN_MAX | newest.0 & DRAWN_MAX;
        self.generations.fetch_max(newest, Ordering::Relaxed);
        self.next_generation()
    }

    /// What ids of sessions are told the time by: the same at several servers though one of their clocks is set.
    pub(crate) fn id_time(&self) -> Wall {
        if self.cluster.is_some() { Wall(self.steady_millis()) } else { self.clock.now().wall }
    }

    /// Milliseconds since 1970 by the clock as it was when the engine began: one that is set after that orders no two connections otherwise.
    fn steady_millis(&self) -> u64 {
        let passed = self.clock.now().mono.since(self.began.mono);
        self.began.wall.0 + u64::try_from(passed.as_millis()).unwrap_or_default()
    }

    /// Where there are several servers, whoever comes with a later token is the later one, whatever their clocks say; and with one token, who is
    /// by the clocks, until a room has heard of the other.
    fn generation_with(&self, issue: u32, drawn: Generation) -> Generation {
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::NumberByClock) {
            return drawn;
        }
        match &self.cluster {
            None => drawn,
            Some(_) => {
                let issue = u64::from(issue).min((1 << (u64::BITS - DRAWN_BITS)) - 1);
                Generation(issue << DRAWN_BITS | drawn.0 & DRAWN_MAX)
            }
        }
    }

    /// Whether it can be said of a session that is not in memory that it was not ended.
    async fn check_ended(self: &Arc<Self>, session: SessionId) -> Result<(), Refusal> {
        if self.lock_sessions().cell(session).is_some() {
            return Ok(());
        }
        self.read_ended().await.map_err(|reject| {
            let reconnect_after = reject.retry_after;
            Refusal { close: CloseReason::Fault, reject, reconnect_after }
        })
    }

    fn check_draining(&self) -> Result<(), Refusal> {
        if !self.draining.load(Ordering::Acquire) {
            return Ok(());
        }
        let wait = if self.goes_on.load(Ordering::Acquire) { ELSEWHERE_WAIT } else { NO_PLACE_WAIT };
        Err(Refusal::new(CloseReason::Draining, RejectCode::Draining, GOES_DOWN).come_back(wait))
    }

    /// Whether commands are taken of those who are connected.
    ///
    /// # Errors
    /// `draining`.
    pub(crate) fn check_accepting(&self) -> Result<(), Reject> {
        match self.draining.load(Ordering::Acquire) && !self.goes_on.load(Ordering::Acquire) {
            true => Err(Reject::new(RejectCode::Draining, GOES_DOWN)),
            false => Ok(()),
        }
    }

    /// Whether there is a place for another connection, of the engine and of the address. Holds only while the table of
    /// sessions is locked.
    fn check_place(&self, address: Option<IpAddr>, now: Mono) -> Result<Option<Arc<AddressCell>>, Refusal> {
        self.check_draining()?;
        let connections_max = self.limits.engine.connections_max;
        if self.connected.load(Ordering::Acquire) >= connections_max {
            return Err(no_place("the server is full", connections_max));
        }
        self.check_address(self.address(address, now), None)
    }

    /// Whether there is a place for another connection of the address; for one that is taken over, it has its own place.
    fn check_address(
        &self,
        address: Option<Arc<AddressCell>>,
        leaving: Option<&AddressCell>,
    ) -> Result<Option<Arc<AddressCell>>, Refusal> {
        match address.as_ref().and_then(|cell| cell.is_crowded(leaving, &self.limits.engine)) {
            Some(most) => Err(no_place("as many are connected from this address as may be", most)),
            None => Ok(address),
        }
    }

    /// Whether another session may begin at the address: else beginning anew would be a way around what each may do.
    fn check_beginning(&self, address: Option<&AddressCell>, now: Mono) -> Result<(), Refusal> {
        let begun = address.map_or(Ok(()), |cell| cell.begin(&self.limits.engine, now));
        begun.map_err(|wait| {
            let message = "too many sessions were begun from this address";
            Refusal::new(CloseReason::AtCapacity, RejectCode::RateLimited, message).come_back(wait)
        })
    }

    pub(crate) fn address(&self, address: Option<IpAddr>, now: Mono) -> Option<Arc<AddressCell>> {
        address.map(|address| self.addresses.cell(address, &self.limits.engine, now))
    }

    /// Gives a session to a new connection. The older one is told that it was replaced.
    fn take_over(
        &self,
        state: &mut SessionState,
        generation: Generation,
        made: (Issue, Kind),
        admission: Option<Arc<Admission>>,
        request: &ConnectRequest,
        address: Option<Arc<AddressCell>>,
    ) -> Arc<ConnectionState> {
        state.generation = generation;
        self.expect_renewal(made.0.day);
        if let Some(address) = &address {
            address.arrive();
        }
        let shared_allowance = self.shared_allowance(state.identity.as_ref(), address.as_ref(), self.clock.now().mono);
        let network = request.address.map(|address| self.network_key.tag(address));
        let counters = Arc::clone(&self.counters);
        let connection =
            ConnectionState::new(state.generation, made, request.transport, address, shared_allowance, counters);
        let admitted = admission.map(|admission| Box::new(Admitted::new(admission, request.address)));
        let connection = Arc::new(connection.with_network(network).with_admitted(admitted));
        match state.connection.replace(Arc::clone(&connection)) {
            Some(older) => {
                older.leave_address();
                older.close(CloseReason::Replaced);
            }
            None => {
                self.connected.fetch_add(1, Ordering::AcqRel);
            }
        }
        state.welcome = Welcome::Awaited(Awaited::default());
        state.rooms.resumed = Default::default();
        // Pending answers die with their connection; keys make retries safe.
        state.answers = Answers::default();
        state.answers.in_flight = 0;
        state.rooms.admitted = 0;
        connection
    }

    /// What pays for what a session says and is answered: its identity, or where it comes from.
    pub(crate) fn shared_allowance(
        &self,
        identity: Option<&Identity>,
        address: Option<&Arc<AddressCell>>,
        now: Mono,
    ) -> Option<Arc<SharedAllowance>> {
        match identity {
            Some(identity) => Some(self.shared_allowances.of(identity, &self.limits.engine, now)),
            None => address.map(|address| Arc::clone(&address.shared_allowance)),
        }
    }

    /// Whether somebody may be shown their rooms afresh: that cannot be refused once they are back, and costs.
    fn check_answer_allowance(&self, shared_allowance: Option<Arc<SharedAllowance>>, now: Mono) -> Result<(), Refusal> {
        let may = shared_allowance
            .map_or(Ok(()), |shared_allowance| shared_allowance.may_come_back(&self.limits.engine, now));
        may.map_err(|wait| {
            let message = "too much was shown to this address or person already";
            Refusal::new(CloseReason::AtCapacity, RejectCode::RateLimited, message).come_back(wait)
        })
    }

    /// Finds a session again, or makes it anew after a restart: its id is in the signed token, its memberships are in the
    /// rooms. `None` where it is of another identity or was ended, or what was shown has been superseded.
    #[allow(clippy::type_complexity)]
    fn resume(
        &self,
        (shown, kind): (Credential, Kind),
        generation: Generation,
        identity: &Option<Identity>,
        admission: Option<Arc<Admission>>,
        request: &ConnectRequest,
    ) -> Result<Option<(Arc<SessionCell>, Arc<ConnectionState>, Vec<LeftOff>)>, Refusal> {
        let Now { wall, mono: now } = self.clock.now();
        let id = shown.session;
        let mut sessions = self.lock_sessions();
        let cell = sessions
            .by_id
            .get(&id)
            .cloned()
            .unwrap_or_else(|| Arc::new(SessionCell::new(id, identity.clone(), &self.limits.session, now)));
        let mut state = cell.lock();
        let is_ended = self.is_ended(id, identity.as_ref());
        #[cfg(feature = "fault_injection")]
        let is_ended = is_ended && !crate::fault_injection::is(crate::fault_injection::Bug::ResumeEnded);
        if is_ended || state.identity != *identity || shown.generation < state.newest_used {
            return Ok(None);
        }
        // A cursor rotates nothing: its bearer is not told what would take the place of the token.
        let next = match kind {
            Kind::Token => shown.generation.saturating_add(1),
            Kind::Cursor => shown.generation,
        };
        let generation = self.generation_with(next, generation);
        if state.generation > generation {
            return Err(taken_over());
        }
        let address = match &state.connection {
            None => self.check_place(request.address, now)?,
            // The new connection has the place of the one that it replaces.
            Some(older) => {
                self.check_draining()?;
                let address = self.address(request.address, now);
                self.check_address(address, older.address.as_deref())?
            }
        };
        self.check_answer_allowance(self.shared_allowance(identity.as_ref(), address.as_ref(), now), now)?;
        if state.connection.is_none() && now.since(state.detached) > self.limits.session.retention {
            // As if it had been forgotten: whether the table was swept in between makes no difference.
            state.rooms.left_off.clear();
        }
        sessions.attach(&mut state);
        state.newest_used = shown.generation;
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::SupersedeUnused) {
            state.newest_used = next;
        }
        let made = (Issue { generation: next, day: day(wall) }, kind);
        let connection = self.take_over(&mut state, generation, made, admission, request, address);
        let given_up = state.asking.as_mut().map(|asking| asking.give_up());
        state.leave_off();
        let known = state.rooms.left_off.to_vec();
        sessions.insert(&cell, &state);
        drop(state);
        drop(given_up);
        Ok(Some((cell, connection, known)))
    }

    /// Asks each room of a session that comes back where it stands there. What is given ends when all have said it; `None` where they
    /// have.
    fn attach_rooms(
        self: &Arc<Self>,
        session: &Connection,
        identity: Option<Identity>,
        known: Vec<LeftOff>,
        positions: Vec<(RoomCode, Position)>,
        catch_up: Option<u32>,
    ) -> Option<oneshot::Receiver<()>> {
        // All rooms it is known to be in, whatever the client names: one that is left out would keep a member who never goes.
        let known = known.into_iter().map(|stay| (stay.code.clone(), None, Some(stay)));
        let mut rooms: Vec<(RoomCode, Option<Position>, Option<LeftOff>)> = known.collect();
        for (code, after) in positions {
            if let Some((_, first, _)) = rooms.iter_mut().find(|(other, ..)| *other == code) {
                first.get_or_insert(after);
            } else if rooms.len() < self.limits.session.rooms_max {
                rooms.push((code, Some(after), None));
            }
        }
        let by = Caller {
            session: session.cell.id,
            generation: session.connection.generation,
            identity,
            network: session.connection.network,
            named: session.connection.named(),
        };
        // Nobody can hold these back one by one: each has its share of what the session may hold.
        let SessionLimits { page_bytes_max, answers_bytes_max, .. } = self.limits.session;
        let share = answers_bytes_max.saturating_sub(2 * page_bytes_max) / rooms.len().max(1);
        for (code, after, stay) in rooms {
            let known = stay.map(|stay| stay.position);
            let may_enter = session.connection.may_enter(Some(&code)).is_ok();
            let may_ask = {
                let mut state = session.cell.lock_for(&session.connection)?;
                // What one room says counts before the next is asked: too many may be named on the word of the client alone.
                let may_ask = may_enter && (known.is_some() || self.may_try(&mut state, &session.connection).is_ok());
                let answer = match (may_ask, may_enter) {
                    (true, _) => RoomAnswer::Awaited,
                    (false, true) => RoomAnswer::Told(RoomStatus::silent(&code, after, Status::Unavailable)),
                    (false, false) => RoomAnswer::Told(RoomStatus::silent(&code, after, Status::Unknown)),
                };
                state.rooms.resumed.push(ResumedRoom { code: code.clone(), named: after, answer });
                may_ask
            };
            if !may_enter && known.is_some() {
                // Of a session that is not there right now: as when one is ended.
                self.enqueue(&code, InboxItem::End { by: by.clone(), whole: true });
            }
            if may_ask {
                // A position is mostly gone on from; without one a `joined` is due.
                let charge = session.connection.shared_allowance.as_ref().map(|shared_allowance| match after {
                    Some(_) => Charge::owed(shared_allowance),
                    None => Charge::hold_anyway(shared_allowance, &self.limits),
                });
                let resuming = Resuming {
                    cell: Arc::clone(&session.cell),
                    connection: Arc::clone(&session.connection),
                    room: code.clone(),
                    after,
                    known,
                    put_out: None,
                    banned_until: None,
                    was_member: false,
                    read: None,
                    members_bytes_max: share.min(page_bytes_max),
                    is_answered: false,
                    charge,
                };
                let input = Input::Attach { by: by.clone(), after };
                let request = JoinRequest::Resume(resuming);
                self.enqueue(&code, InboxItem::Enter { input, request, catch_up });
            }
        }
        let mut state = session.cell.lock_for(&session.connection)?;
        if !state.rooms.resumed.iter().any(ResumedRoom::is_awaited) {
            return None;
        }
        let (rooms, told) = oneshot::channel();
        let Welcome::Awaited(awaited) = &mut state.welcome else { return None };
        awaited.rooms = Some(rooms).filter(|_| awaited.late.is_none());
        Some(told)
    }

    /// Makes the first frame due.
    fn welcome(self: &Arc<Self>, session: &Connection, id: Option<CommandId>, is_resumed: bool) {
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
            live_ms: limits.room.live_ttl.as_millis() as u64,
            signal_ms: limits.room.signal_ttl.as_millis() as u64,
            data_bytes: limits.room.data_bytes_max,
            edit_window_ms: millis(limits.room.edit_window).min(NUMBER_MAX),
        };
        // A cursor is less secret than the token, and must not be turned into one.
        let token = (session.connection.came_with == Kind::Token).then(|| session.token());
        if let Some(mut state) = session.cell.lock_for(&session.connection) {
            let rooms = state.standings();
            let json = wire::welcome(id, session.cell.id, token, is_resumed, rooms, limits, self.writes());
            state.welcome = Welcome::Due(json);
            if state.rooms.resumed.iter().any(ResumedRoom::is_awaited) {
                self.give_up_later(session);
            }
        }
        session.connection.wake.wake();
        session.connection.note_welcomed();
        self.look_at_admission(&session.cell, &session.connection);
        let (identity, transport) = (session.identity(), session.connection.transport);
        tracing::debug!(session = %session.cell.id, transport, is_resumed, "a session is connected");
        self.observe(ObserverEvent::Connected { session: session.cell.id, transport, identity: identity.as_ref() });
    }

    /// Rooms that say nothing for long are given up, so that their session is not left without an answer.
    fn give_up_later(&self, session: &Connection) {
        let SessionLimits { resume_wait, resume_timeout, .. } = self.limits.session;
        let (cell, connection) = (Arc::clone(&session.cell), Arc::clone(&session.connection));
        self.spawn(async move {
            tokio::time::sleep(resume_timeout.saturating_sub(resume_wait)).await;
            if let Some(mut state) = cell.lock_for(&connection) {
                state.give_up_resumed();
            }
            connection.wake.wake();
        });
    }

    /// A connection is gone. Its rooms are told, unless a newer one has taken over.
    pub(crate) fn detach(self: &Arc<Self>, cell: &Arc<SessionCell>, connection: &Arc<ConnectionState>) {
        let reason = connection.closing().map(|closing| closing.reason);
        connection.note_gone();
        let transport = connection.transport;
        self.counters.close(transport, reason);
        tracing::debug!(session = %cell.id, transport, reason = reason.map(CloseReason::as_str), "a connection has ended");
        if connection.is_welcomed() && self.observer.is_some() {
            let identity = cell.lock().identity.clone();
            let identity = identity.as_ref();
            self.observe(ObserverEvent::Disconnected { session: cell.id, reason, transport, identity });
        }
        let (codes, to_leave) = {
            let Some(mut state) = cell.lock_for(connection) else { return };
            state.connection = None;
            connection.leave_address();
            state.detached = self.clock.now().mono;
            // What it came into when its end was on its way already; all else it has left by now, or is about to.
            let to_leave = if state.is_ended { state.rooms.all() } else { Vec::new() };
            state.leave_off();
            let codes = state.rooms.left_off.iter().map(|stay| stay.code.clone()).collect::<Vec<_>>();
            (codes, to_leave)
        };
        if !to_leave.is_empty() {
            self.leave_late(cell, connection.generation, &to_leave);
        }
        #[cfg(feature = "fault_injection")]
        let codes =
            if crate::fault_injection::is(crate::fault_injection::Bug::ForgetDetach) { Vec::new() } else { codes };
        for code in codes {
            let item = InboxItem::Detach { session: cell.id, generation: connection.generation };
            self.enqueue(&code, item);
        }
        let mut sessions = self.lock_sessions();
        self.connected.fetch_sub(1, Ordering::AcqRel);
        sessions.detach(cell, connection, &self.limits, self.clock.now().mono);
        drop(sessions);
        self.gone.notify_waiters();
    }
}

/// The policy does not let a client in, or could not be asked: how its connection ends, and when to come back where that may change.
fn not_admitted(reject: Reject) -> Refusal {
    let reject = auth::of_policy(reject);
    let close = match reject.code {
        RejectCode::AuthExpired => return auth::expired(reject),
        RejectCode::Unavailable => CloseReason::Fault,
        RejectCode::Draining => CloseReason::Draining,
        RejectCode::RateLimited | RejectCode::Busy | RejectCode::AtCapacity => CloseReason::AtCapacity,
        _ => CloseReason::Refused,
    };
    Refusal { close, reconnect_after: reject.retry_after.filter(|_| close.reconnect()), reject }
}

/// With which token a connection came.
fn issue_of(generation: Generation) -> u64 {
    generation.0 >> DRAWN_BITS
}

fn taken_over() -> Refusal {
    let message = "a newer connection has taken over this session";
    Refusal::new(CloseReason::Replaced, RejectCode::NotConnected, message)
}

fn no_place(message: &'static str, limit: usize) -> Refusal {
    let refusal = Refusal::new(CloseReason::AtCapacity, RejectCode::AtCapacity, message).come_back(NO_PLACE_WAIT);
    Refusal { reject: refusal.reject.limit(limit as u64), ..refusal }
}
