//! Sessions come back: a new connection takes over, and each room is asked where the session stands there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use crate::engine::client::connection::Connection;
use crate::engine::rooms::inbox::{InboxItem, JoinRequest, Resuming};
use crate::engine::session::addresses::AddressCell;
use crate::engine::session::admitted::Admitted;
use crate::engine::session::answers::Answers;
use crate::engine::session::cell::{SessionCell, SessionState};
use crate::engine::session::charge::Charge;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::rooms::LeftOff;
use crate::engine::session::token::{Issue, Kind, day};
use crate::engine::session::welcome::{Awaited, ResumedRoom, RoomAnswer, Welcome};
use crate::engine::shared::{Refusal, Shared};
use crate::ports::{Admission, ConnectRequest};
use crate::room::{Caller, Input};
use crate::types::{CloseReason, Credential, Generation, Identity, Now, Position, RejectCode, RoomCode, SessionLimits};
use crate::wire::{RoomStatus, Status};

impl Shared {
    /// Gives a session to a new connection. The older one is told that it was replaced.
    pub(crate) fn take_over(
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

    /// Finds a session again, or makes it anew after a restart: its id is in the signed token, its memberships are in the
    /// rooms. `None` where it is of another identity or was ended, or what was shown has been superseded.
    #[allow(clippy::type_complexity)]
    pub(crate) fn resume(
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
    pub(crate) fn attach_rooms(
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
        let count = rooms.len();
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
                if state.rooms.resumed.is_empty() {
                    // Most are in one room, and a list that grows by itself begins with four.
                    state.rooms.resumed.reserve_exact(count);
                }
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

    /// Whether this is a token of the session, and good; then it counts as used.
    pub(crate) fn use_token(&self, cell: &SessionCell, token: &str) -> bool {
        let identity = cell.lock().identity.clone();
        let shown = self.signer.verify(Kind::Token, token, identity.as_ref(), self.today());
        shown.is_some_and(|shown| shown.session == cell.id && cell.use_generation(shown.generation))
    }
}

pub(crate) fn taken_over() -> Refusal {
    let message = "a newer connection has taken over this session";
    Refusal::new(CloseReason::Replaced, RejectCode::NotConnected, message)
}
