//! The end of a session for good: it leaves its rooms, its connection is closed, and none of its tokens is worth anything any more.

use std::sync::Arc;

use crate::domain::Extent;
use crate::engine::rooms::cell::InboxItem;
use crate::engine::session::cell::SessionCell;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::reply_to::ReplyTo;
use crate::engine::session::token::Kind;
use crate::engine::shared::{Shared, unavailable};
use crate::ports::{Ended, EndedWho};
use crate::room::{Caller, Input};
use crate::types::{CloseReason, Credential, Generation, Identity, Mono, Now, Reject, RejectCode, RoomCode, SessionId};
use crate::wire::{self, FrameKind};

/// Whom a connection that is ended has to hear out first.
#[derive(Clone, Copy)]
enum Flush {
    /// It asked for its end, and is told what it is still owed.
    Until(Mono),
    /// Perhaps somebody has it who should not.
    Nothing,
}

/// Ends the session that asks, or the one whose token is named. Superseded or not: whoever has lost a session to somebody else can
/// still end it.
pub(crate) fn end(shared: &Arc<Shared>, token: Option<Credential>, extent: Extent, reply: ReplyTo) {
    let shared = Arc::clone(shared);
    Arc::clone(&shared).spawn(async move {
        let own = Arc::clone(&reply.cell);
        let identity = own.lock().identity.clone();
        let session = token.map_or(own.id, |token| token.session);
        let may =
            token.is_none_or(|token| shared.signer.is_true(Kind::Token, &token, identity.as_ref(), shared.today()));
        let done = match may {
            true => shared.remember_ended(session, identity.as_ref(), extent).await,
            false => Err(not_its_own()),
        };
        match done {
            Ok(who) => {
                let json = wire::ended(reply.id());
                reply.answer(FrameKind::Ended, json);
                shared.end_all(who, Some(own.id));
            }
            Err(reject) => {
                shared.count_reject(reject.code);
                reply.reject(None, reject);
            }
        }
    });
}

fn not_its_own() -> Reject {
    Reject::new(RejectCode::BadToken, "the token is not of this session")
}

impl Shared {
    /// Whether this is a token of the session, superseded or not. Of one that is not in memory it is known only where it is of nobody in
    /// particular.
    pub(crate) fn may_end(&self, session: SessionId, token: &str) -> Result<Option<Identity>, Reject> {
        let cell = self.lock_sessions().cell(session);
        let identity = cell.and_then(|cell| cell.lock().identity.clone());
        let shown = self.signer.verify(Kind::Token, token, identity.as_ref(), self.today());
        match shown.is_some_and(|shown| shown.session == session) {
            true => Ok(identity),
            false => Err(not_its_own()),
        }
    }

    /// Ends a session, or all of its person's, by a token.
    pub(crate) async fn end_by_token(
        self: &Arc<Self>,
        session: SessionId,
        token: &str,
        extent: Extent,
    ) -> Result<(), Reject> {
        let identity = self.may_end(session, token)?;
        let who = self.remember_ended(session, identity.as_ref(), extent).await?;
        self.end_all(who, None);
        Ok(())
    }

    /// Reads once what the log remembers.
    ///
    /// # Errors
    /// `unavailable`, where it cannot be read now.
    pub(crate) async fn read_ended(&self) -> Result<(), Reject> {
        let Some(log) = &self.log else { return Ok(()) };
        let read = self.ended_sessions.read.get_or_try_init(|| async {
            let now = self.clock.now().wall;
            let all = log.ended().await.map_err(|_| unavailable())?;
            all.into_iter().for_each(|ended| self.ended_sessions.put(ended, now, self.limits.engine.ended_max));
            Ok(())
        });
        read.await.copied()
    }

    /// Remembers for as long as any token of theirs would be good.
    async fn remember_ended(
        &self,
        session: SessionId,
        identity: Option<&Identity>,
        extent: Extent,
    ) -> Result<EndedWho, Reject> {
        let now = self.clock.now().wall;
        let who = match (extent, identity) {
            (Extent::Person, Some(identity)) => {
                EndedWho::Person { identity: identity.clone(), through: self.ids.last_session(now) }
            }
            _ => EndedWho::Session(session),
        };
        if !self.ended_sessions.contains(session, identity) || matches!(who, EndedWho::Person { .. }) {
            let ended = Ended { who: who.clone(), until: self.signer.last_use(now) };
            if let Some(log) = &self.log {
                let put = log.put_ended(&ended, now, self.limits.engine.ended_max).await;
                put.map_err(|_| unavailable())?;
            }
            self.ended_sessions.put(ended, now, self.limits.engine.ended_max);
        }
        Ok(who)
    }

    /// Ends those that are in memory. From here on nobody comes back to them.
    fn end_all(self: &Arc<Self>, who: EndedWho, asked: Option<SessionId>) {
        let Now { mono: now, .. } = self.clock.now();
        let flush_until = now.after(self.limits.session.flush_timeout);
        let sessions = match &who {
            EndedWho::Session(session) => vec![*session],
            EndedWho::Person { identity, through } => {
                let mut all = self.lock_sessions().of(identity);
                all.retain(|session| session <= through);
                all
            }
        };
        for session in sessions {
            let flush = if asked == Some(session) { Flush::Until(flush_until) } else { Flush::Nothing };
            self.end_one(session, flush, matches!(who, EndedWho::Person { .. }));
        }
    }

    fn end_one(self: &Arc<Self>, session: SessionId, flush: Flush, with_the_person: bool) {
        let Some((cell, connection, mut rooms)) = self.take_out(session) else { return };
        if !with_the_person {
            rooms.retain(|room| !self.is_elsewhere(&cell, room));
        }
        match &connection {
            Some(connection) => {
                self.leave(&cell, connection.generation, rooms);
                self.close_ended(connection, flush);
            }
            // A room lets nobody speak for a session without a connection: it comes back in order to leave.
            None => {
                let generation = self.next_generation();
                for room in &rooms {
                    let by = caller(&cell, generation);
                    self.tell(room, Input::Attach { by, after: None });
                }
                self.leave(&cell, generation, rooms);
            }
        }
    }

    /// Takes a session out of the table, or has it taken out once its connection is gone; gives back its rooms.
    #[allow(clippy::type_complexity)]
    fn take_out(&self, session: SessionId) -> Option<(Arc<SessionCell>, Option<Arc<ConnectionState>>, Vec<RoomCode>)> {
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
        Some((cell, connection, rooms))
    }

    /// Whether another device of the person is in the room: then the person is still there.
    fn is_elsewhere(&self, cell: &SessionCell, room: &RoomCode) -> bool {
        let Some(identity) = cell.lock().identity.clone() else { return false };
        let sessions = self.lock_sessions();
        let others = sessions.of(&identity).into_iter().filter(|other| *other != cell.id);
        let others: Vec<_> = others.filter_map(|other| sessions.cell(other)).collect();
        drop(sessions);
        others.iter().any(|other| other.lock().rooms.all().contains(room))
    }

    fn close_ended(&self, connection: &Arc<ConnectionState>, flush: Flush) {
        match flush {
            Flush::Until(until) => {
                connection.close_after(CloseReason::Ended, until);
                self.timers.wake_connection(until, connection);
            }
            Flush::Nothing => connection.close(CloseReason::Ended),
        }
    }

    /// A session that was ended leaves these rooms.
    pub(crate) fn leave(self: &Arc<Self>, cell: &SessionCell, generation: Generation, rooms: Vec<RoomCode>) {
        for room in rooms {
            self.tell(&room, Input::Leave { by: caller(cell, generation) });
        }
    }

    /// Nobody waits for the answer: where the room has no place for it, it goes by the grace.
    fn tell(self: &Arc<Self>, room: &RoomCode, input: Input) {
        let (answer, _) = tokio::sync::oneshot::channel();
        self.enqueue(room, InboxItem::Host { input, answer });
    }
}

fn caller(cell: &SessionCell, generation: Generation) -> Caller {
    Caller { session: cell.id, generation, identity: cell.lock().identity.clone() }
}
