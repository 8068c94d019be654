//! The end of a session for good: it leaves its rooms, its connection is closed, and none of its tokens is worth anything any more.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::domain::{Command, Extent};
use crate::engine::parcel::{Parcel, ParcelWho};
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::session::cell::SessionCell;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::ended_sessions::{Read, begun};
use crate::engine::session::reply_to::ReplyTo;
use crate::engine::session::shared_allowance::SharedAllowance;
use crate::engine::session::token::{Kind, day};
use crate::engine::shared::{Shared, unavailable};
use crate::ports::{Admission, ConnectRequest, Ended, EndedWho, ObserverEvent, SessionView};
use crate::room::{Caller, Input};
use crate::types::{
    CloseReason, Credential, Generation, Identity, Mono, Now, Reject, RejectCode, RoomCode, SessionId, Wall,
};
use crate::wire::{self, FrameKind};

/// How far the clocks of two servers may be apart, as far as it matters here which of two things was first. A minute: clocks that are kept right
/// are much closer, and what was begun by one that is further ahead is not taken for newer than an end that came after it.
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// What is to be ended, by somebody who may.
pub(super) struct Order {
    pub(super) session: SessionId,
    pub(super) identity: Option<Identity>,
    pub(super) extent: Extent,
    /// The newest day of a token that is known.
    pub(super) newest_day: u16,
    /// Who asks on a connection of their own, and is told what they are still owed.
    pub(super) asks: Option<SessionId>,
}

/// Ends the session that asks, or the one whose token is named. Superseded or not: whoever has lost a session to somebody else can
/// still end it.
pub(crate) fn end(shared: &Arc<Shared>, token: Option<Credential>, extent: Extent, reply: ReplyTo) {
    let shared = Arc::clone(shared);
    Arc::clone(&shared).spawn(async move {
        let own = Arc::clone(&reply.cell);
        let identity = own.lock().identity.clone();
        let is_true = |token: &Credential| shared.signer.is_true(Kind::Token, token, identity.as_ref(), shared.today());
        let done = match &token {
            Some(token) if !is_true(token) => Err(not_its_own()),
            _ => {
                let session = token.map_or(own.id, |token| token.session);
                let newest_day = token.map_or(reply.connection.issue().day, |token| token.day);
                shared.carry_out(Order { session, identity, extent, newest_day, asks: Some(own.id) }).await
            }
        };
        match done {
            Ok(()) => {
                let json = wire::ended(reply.id());
                reply.answer(FrameKind::Ended, json);
            }
            Err(reject) => {
                shared.count_reject(reject.code);
                shared.ended_nothing(reply.connection.shared_allowance.as_deref());
                reply.reject(None, reject);
            }
        }
    });
}

fn not_its_own() -> Reject {
    Reject::new(RejectCode::BadToken, "the token is not of this session")
}

impl Shared {
    /// Whether this is a token of the session, superseded or not, and whose. Of one that is not in memory it is known only where it is of
    /// nobody in particular.
    pub(crate) fn may_end(&self, session: SessionId, token: &str) -> Result<(Credential, Option<Identity>), Reject> {
        let cell = self.lock_sessions().cell(session);
        let identity = cell.and_then(|cell| cell.lock().identity.clone());
        let shown = self.signer.verify(Kind::Token, token, identity.as_ref(), self.today());
        let shown = shown.filter(|shown| shown.session == session).ok_or_else(not_its_own)?;
        Ok((shown, identity))
    }

    /// Ends a session, or all of its person's, by a token. Goes on to its end when nobody waits for it any more.
    pub(crate) async fn end_by_token(
        self: &Arc<Self>,
        request: &ConnectRequest,
        session: SessionId,
        token: &str,
        extent: Extent,
    ) -> Result<(), Reject> {
        let (done, told) = oneshot::channel();
        let (shared, request, token) = (Arc::clone(self), request.clone(), token.to_owned());
        self.spawn(async move {
            let ended = shared.end_if_allowed(request, session, &token, extent).await;
            if let Err(reject) = &ended {
                shared.count_reject(reject.code);
            }
            // Whoever asked may be gone.
            let _ = done.send(ended);
        });
        told.await.unwrap_or_else(|_| Err(unavailable()))
    }

    async fn end_if_allowed(
        self: &Arc<Self>,
        request: ConnectRequest,
        session: SessionId,
        token: &str,
        extent: Extent,
    ) -> Result<(), Reject> {
        self.check_accepting()?;
        let (shown, identity) = self.may_end(session, token)?;
        let now = self.clock.now().mono;
        let address = self.address(request.address, now);
        let shared_allowance = self.shared_allowance(identity.as_ref(), address.as_ref(), now);
        self.pay_end(shared_allowance.as_deref(), now)?;
        let extent = match &self.policy {
            None => Ok(extent),
            Some(policy) => {
                let view = SessionView::new(session, request.transport).with_address(request.address);
                let view = view.with_admission(Admission::of(identity.clone()));
                let command = Command::end().with_extent(extent);
                self.ask_policy(async { policy.check(&view, command).await }).await.and_then(|instead| match instead {
                    Command::End { extent, .. } => Ok(extent),
                    _ => Err(Reject::new(RejectCode::Forbidden, "nothing else can be done here")),
                })
            }
        };
        let ended = match extent {
            Ok(extent) => self.carry_out(Order { session, identity, extent, newest_day: shown.day, asks: None }).await,
            Err(reject) => Err(reject),
        };
        if ended.is_err() {
            self.ended_nothing(shared_allowance.as_deref());
        }
        ended
    }

    /// Pays for an end.
    ///
    /// # Errors
    /// `rate_limited`, with the time to wait.
    pub(crate) fn pay_end(&self, shared_allowance: Option<&SharedAllowance>, now: Mono) -> Result<(), Reject> {
        let paid = shared_allowance.map_or(Ok(()), |shared_allowance| shared_allowance.end(&self.limits.engine, now));
        paid.map_err(|wait| Reject::new(RejectCode::RateLimited, "too many sessions were ended").retry_after(wait))
    }

    /// It was paid for nothing.
    fn ended_nothing(&self, shared_allowance: Option<&SharedAllowance>) {
        if let Some(shared_allowance) = shared_allowance {
            shared_allowance.ended_nothing();
        }
    }

    /// Whether the session is known to have been ended.
    pub(crate) fn is_ended(&self, session: SessionId, identity: Option<&Identity>) -> bool {
        let newest = self.ids.newest(self.id_time());
        // The others may have begun it, by clocks that are a little ahead.
        let newest = if self.cluster.is_some() { newest.after(CLOCKS_APART) } else { newest };
        self.ended_sessions.contains(session, identity, newest)
    }

    /// When a session of this person begins, as its id is to say: after all that were ended, by the clock of whoever has ended them.
    pub(crate) fn begins(&self, identity: Option<&Identity>) -> Wall {
        let now = self.id_time();
        let through = identity.and_then(|identity| self.ended_sessions.through(identity)).map(begun);
        let next = through.map(|through| through.after(Duration::from_millis(1)));
        next.filter(|next| *next <= now.after(CLOCKS_APART)).map_or(now, |next| next.max(now))
    }

    /// Reads once what the log remembers, for all who wait for it.
    ///
    /// # Errors
    /// `unavailable`, where it cannot be read now, or not soon.
    pub(crate) async fn read_ended(self: &Arc<Self>) -> Result<(), Reject> {
        if self.log.is_none() {
            return Ok(());
        }
        let has_looked = self.ended_sessions.has_looked.notified();
        match self.ended_sessions.begin_reading() {
            Read::Yes => return Ok(()),
            Read::UnderWay => {}
            Read::No => self.spawn(Reading { shared: Arc::clone(self), found: Read::No }.run()),
        }
        // What could not be read is told at once; what hangs is not waited for.
        let _ = tokio::time::timeout(self.limits.session.resume_wait, has_looked).await;
        if self.ended_sessions.is_read() { Ok(()) } else { Err(unavailable()) }
    }

    pub(super) async fn carry_out(self: &Arc<Self>, order: Order) -> Result<(), Reject> {
        let ended = self.remember_ended(&order).await?;
        self.end_all(&ended, &order);
        Ok(())
    }

    /// Remembers for as long as any token of theirs would be good.
    async fn remember_ended(self: &Arc<Self>, order: &Order) -> Result<Ended, Reject> {
        self.read_ended().await?;
        let now = self.clock.now();
        let (who, through, last) = match (order.extent, &order.identity) {
            (Extent::Person, Some(identity)) => {
                // A server whose clock was ahead may have given an id that names a later time than now.
                let newest = self.lock_sessions().of(identity).into_iter().map(begun).max().unwrap_or_default();
                let through = self.ids.last_session(self.id_time().max(newest));
                (EndedWho::Person(identity.clone()), through, begun(through))
            }
            _ => (EndedWho::Session(order.session), order.session, begun(order.session)),
        };
        // A server whose clock was ahead may have dated its tokens later than now.
        let newest_day = day(now.wall).max(day(last)).max(order.newest_day);
        let ended = Ended { who, through, until: self.signer.last_use(newest_day) };
        if self.ended_sessions.has(&ended) {
            return Ok(ended);
        }
        let max = self.limits.engine.ended_max;
        let place = self.ended_sessions.take_place(&ended.who, self.over_before(now), max).ok_or_else(|| {
            let message = "as many ended sessions are remembered as may be";
            Reject::new(RejectCode::AtCapacity, message).limit(max as u64)
        })?;
        if let Some(log) = &self.log {
            log.put_ended(&ended, &place.over).await.map_err(|_| unavailable())?;
        }
        self.ended_sessions.put(ended.clone());
        if let EndedWho::Person(identity) = &ended.who {
            self.have_policy_forget(identity);
        }
        drop(place);
        self.tell_ended(&ended).await;
        self.observe(ObserverEvent::SessionsEnded { ended: &ended });
        Ok(ended)
    }

    /// Tells the other servers, and waits until they know, but not for long: one that cannot be reached reads it in the log when it can be.
    async fn tell_ended(&self, ended: &Ended) {
        if self.cluster.is_none() {
            return;
        }
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::ForgetEndedElsewhere) {
            return;
        }
        let (number, all, told) = self.peers.ask_all();
        let who = match &ended.who {
            EndedWho::Session(session) => ParcelWho::Session(*session),
            EndedWho::Person(identity) => ParcelWho::Person(identity.clone()),
        };
        let bytes = Parcel::Ended { number, who, through: ended.through, until: ended.until }.encode();
        for node in all {
            if self.send_bytes(node, bytes.clone()).is_err() {
                self.peers.heard(number, node);
            }
        }
        let _ = tokio::time::timeout(self.limits.session.resume_wait, told).await;
        self.peers.forget(number);
    }

    /// Another server has ended sessions.
    pub(crate) fn hear_ended(self: &Arc<Self>, ended: Ended) {
        let (session, identity, extent) = match &ended.who {
            EndedWho::Session(session) => {
                let cell = self.lock_sessions().cell(*session);
                (*session, cell.and_then(|cell| cell.lock().identity.clone()), Extent::Session)
            }
            EndedWho::Person(identity) => (ended.through, Some(identity.clone()), Extent::Person),
        };
        self.ended_sessions.put(ended.clone());
        if let EndedWho::Person(identity) = &ended.who {
            self.have_policy_forget(identity);
        }
        self.end_all(&ended, &Order { session, identity, extent, newest_day: 0, asks: None });
    }

    /// Before what time everything is over. After a start there is nothing to hold a clock against, and one that is ahead for a while must
    /// not make anybody's tokens good again.
    fn over_before(&self, now: Now) -> Wall {
        let is_doubted = now.mono.since(self.ended_sessions.began) < self.limits.room.clock_doubt;
        if is_doubted { Wall(0) } else { now.wall }
    }

    /// Ends those that are in memory. From here on nobody comes back to them.
    fn end_all(self: &Arc<Self>, ended: &Ended, order: &Order) {
        let flush_until = self.clock.now().mono.after(self.limits.session.flush_timeout);
        let sessions = match &ended.who {
            EndedWho::Session(session) => vec![*session],
            // Whatever their ids say: those that begin from now on do so after they are looked for here.
            EndedWho::Person(identity) => self.lock_sessions().of(identity),
        };
        let whole = matches!(ended.who, EndedWho::Person(_));
        let taken: Vec<Taken> = sessions.into_iter().filter_map(|session| self.take_out(session)).collect();
        // Where another device of the person is, the person is still there.
        let elsewhere = order.identity.as_ref().map(|identity| self.rooms_of(identity)).unwrap_or_default();
        for Taken { cell, connection, mut rooms } in taken {
            rooms.retain(|room| !elsewhere.contains(room));
            match &connection {
                Some(connection) => {
                    self.leave(&cell, connection.generation, &rooms, whole);
                    self.close_ended(connection, flush_until, order.asks == Some(cell.id));
                }
                None => {
                    // No connection of it is newer: wherever it is, it is ended.
                    let last = if self.cluster.is_some() { Generation::END } else { self.next_generation() };
                    let by = caller(&cell, last);
                    for room in &rooms {
                        self.enqueue(room, InboxItem::End { by: by.clone(), whole });
                    }
                }
            }
        }
    }

    /// Takes a session out of the table, or has it taken out once its connection is gone.
    fn take_out(&self, session: SessionId) -> Option<Taken> {
        let mut sessions = self.lock_sessions();
        let cell = sessions.cell(session)?;
        let mut state = cell.lock();
        state.is_ended = true;
        let rooms = state.rooms.all();
        let connection = state.connection.clone();
        if connection.is_none() {
            sessions.take_out(&cell, &mut state);
        }
        drop(state);
        Some(Taken { cell, connection, rooms })
    }

    /// The rooms of a person's sessions that go on.
    fn rooms_of(&self, identity: &Identity) -> HashSet<RoomCode> {
        let sessions = self.lock_sessions();
        let cells: Vec<_> = sessions.of(identity).into_iter().filter_map(|session| sessions.cell(session)).collect();
        drop(sessions);
        let rooms = |cell: Arc<SessionCell>| {
            let state = cell.lock();
            if state.is_ended { Vec::new() } else { state.rooms.all() }
        };
        cells.into_iter().flat_map(rooms).collect()
    }

    /// Whoever asked is told what is still due. Anybody else may be who should not have the session: they are told nothing more.
    fn close_ended(&self, connection: &Arc<ConnectionState>, flush_until: Mono, asked: bool) {
        if asked {
            connection.close_after(CloseReason::Ended, flush_until);
            self.timers.wake_connection(flush_until, connection);
        } else {
            connection.close(CloseReason::Ended);
        }
    }

    /// A session that was ended leaves these rooms, or one that may not be there any more.
    pub(super) fn leave(self: &Arc<Self>, cell: &SessionCell, generation: Generation, rooms: &[RoomCode], whole: bool) {
        for room in rooms {
            let by = caller(cell, generation);
            match self.cluster {
                None => self.tell(room, Input::Leave { by }),
                // The room knows where else the person is connected.
                Some(_) => self.enqueue(room, InboxItem::End { by, whole }),
            }
        }
    }

    /// The connection of an ended session is gone: it leaves what it is still in.
    pub(crate) fn leave_late(self: &Arc<Self>, cell: &SessionCell, generation: Generation, rooms: &[RoomCode]) {
        let identity = cell.lock().identity.clone();
        let elsewhere = identity.map(|identity| self.rooms_of(&identity)).unwrap_or_default();
        let rooms: Vec<_> = rooms.iter().filter(|room| !elsewhere.contains(*room)).cloned().collect();
        self.leave(cell, generation, &rooms, false);
    }

    /// Nobody waits for the answer: where the room has no place for it, it goes by the grace.
    fn tell(self: &Arc<Self>, room: &RoomCode, input: Input) {
        let (answer, _) = oneshot::channel();
        self.enqueue(room, InboxItem::Host { input, answer: answer.into() });
    }
}

/// A session that is over, with what it had.
struct Taken {
    cell: Arc<SessionCell>,
    connection: Option<Arc<ConnectionState>>,
    rooms: Vec<RoomCode>,
}

/// The one look at what the log remembers. Says that it is over, however it ends.
struct Reading {
    shared: Arc<Shared>,
    found: Read,
}

impl Reading {
    async fn run(mut self) {
        let Some(log) = self.shared.log.clone() else { return };
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::ForgetEnded) {
            self.found = Read::Yes;
            return;
        }
        if let Ok(all) = log.ended().await {
            for ended in all {
                // Another server may have ended it while this one could not be told.
                match self.shared.cluster.is_some() && !self.shared.ended_sessions.has(&ended) {
                    true => self.shared.hear_ended(ended),
                    false => self.shared.ended_sessions.put(ended),
                }
            }
            self.found = Read::Yes;
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.shared.ended_sessions.end_reading(self.found);
    }
}

pub(crate) fn caller(cell: &SessionCell, generation: Generation) -> Caller {
    Caller { session: cell.id, generation, identity: cell.lock().identity.clone(), network: None, named: None }
}
