//! What a session may still do: enter another room, name a room that it is not in.

use std::sync::Arc;

use crate::engine::session::cell::SessionState;
use crate::engine::session::connection::Connection;
use crate::engine::session::reply_to::ReplyTo;
use crate::engine::shared::Shared;
use crate::words::{Reject, RejectCode, RoomCode};

impl Shared {
    /// Whether a session may look for a room that it is not known to be in. Who has named too many that are not there has to
    /// wait: codes are not to be guessed.
    ///
    /// # Errors
    /// `rate_limited`, with the time to wait.
    pub(crate) fn may_try(&self, state: &mut SessionState, connection: &Connection) -> Result<(), Reject> {
        let now = self.clock.now().mono;
        let limits = &self.limits.session;
        let of_session = state.misses.look(now, limits.miss_burst, limits.misses_per_second);
        let of_address = connection.address.as_ref().map_or(Ok(()), |cell| cell.may_try(&self.limits.engine, now));
        match of_session.err().max(of_address.err()) {
            None => Ok(()),
            Some(wait) => {
                let reject = Reject::new(RejectCode::RateLimited, "too many rooms were named that are not there");
                Err(reject.retry_after(wait))
            }
        }
    }

    /// Counts a room that is about to be entered, for as long as the reply lives or until it has been entered.
    pub(crate) fn reserve(&self, reply: &mut ReplyTo, room: Option<&RoomCode>) -> Result<(), Reject> {
        let cell = Arc::clone(&reply.cell);
        let Some(mut state) = cell.lock_for(&reply.connection) else {
            // The policy took its time. Rooms of the session are the newer connection's now, and it has not asked for this one.
            return Err(Reject::new(RejectCode::Unavailable, "the connection is gone"));
        };
        let rooms_max = self.limits.session.rooms_max;
        // Rooms that it has left count until it has read so: else one that does not read could leave and join without end.
        state.forget_finished();
        let is_in = |code: &RoomCode| state.rooms.iter().any(|slot| slot.is_open() && slot.life.code == *code);
        let is_in = room.is_some_and(is_in);
        let taken = state.rooms.len() + state.left_off.len() + state.entering;
        let refused = if taken >= rooms_max && !is_in {
            let reject = Reject::new(RejectCode::TooManyRooms, "the session is in as many rooms as it may be");
            Err(reject.limit(rooms_max as u64))
        } else if room.is_some() && !is_in {
            self.may_try(&mut state, &reply.connection)
        } else {
            Ok(())
        };
        match &refused {
            Ok(()) => reply.enters(&mut state),
            Err(reject) => {
                drop(state);
                self.count_reject(reject.code);
            }
        }
        refused
    }
}
