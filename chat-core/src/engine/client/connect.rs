//! Sessions come and go: who is let in, what is said first, and what a connection that ends leaves behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::engine::client::auth;
use crate::engine::client::connection::Connection;
use crate::engine::client::credentials;
use crate::engine::client::generations::issue_of;
use crate::engine::client::resume::taken_over;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::session::cell::SessionCell;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::token::{Issue, Kind, day};
use crate::engine::session::welcome::{ResumedRoom, Welcome};
use crate::engine::shared::{Refusal, Shared};
use crate::ports::{Admission, ConnectRequest, ObserverEvent};
use crate::types::{
    CloseReason, CommandId, Generation, Identity, Nick, Now, Reject, RejectCode, SessionId, SessionLimits, millis,
};
use crate::wire::{self, Hello, WelcomeLimits};

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
            if newer == Some(Generation::END) {
                // A room has heard that it was ended by a server that could not say so here. The log has it.
                self.read_ended_again();
                break;
            }
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
