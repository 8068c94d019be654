//! What a session may still do: say something, ask for little or much, enter another room, found one, name a room that it is not in.

use std::sync::Arc;

use crate::domain::{Command, Content, MemberChange};
use crate::engine::session::cell::SessionState;
use crate::engine::session::charge::Charge;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::founding::Founding;
use crate::engine::session::reply_to::ReplyTo;
use crate::engine::session::shared_allowance::{Price, both};
use crate::engine::shared::Shared;
use crate::room::{Input, SendPermit};
use crate::types::{Body, Reject, RejectCode, RoomCode};

impl Shared {
    /// Pays for a command: what it is worth in messages, bytes and commands, from the session and from what pays beside it. A
    /// send with a key goes on unpaid: it may be a retry, and the answer to that costs nothing. What may show much holds a page until
    /// it is answered.
    ///
    /// # Errors
    /// `rate_limited`, with the time to wait; then nothing is paid.
    pub(crate) fn pay(&self, command: &Command, reply: &mut ReplyTo) -> Result<SendPermit, Reject> {
        if let Command::Live { text, .. } = command {
            return self.pay_live(text.as_ref(), reply).map(|()| SendPermit::Paid);
        }
        let now = self.clock.now().mono;
        let limits = &self.limits.session;
        let price = match command {
            Command::Send { text, data, .. } | Command::Edit { text, data, .. } => {
                Some(price(&Content::text(text.clone()).with_data(data.clone())))
            }
            Command::React { name, .. } => Some(Price { messages: 1, bytes: bytes(name.as_str()) }),
            Command::Me { change, .. } => Some(Price { messages: 1, bytes: bytes_of(change) }),
            // In each of its rooms everybody may be told of another role and another name.
            Command::Auth { .. } => Some(Price { messages: 1, bytes: 0 }),
            Command::SetTopic { topic, .. } => Some(Price { messages: 0, bytes: bytes(topic.as_str()) }),
            _ => None,
        };
        let is_send = matches!(
            command,
            Command::Send { .. }
                | Command::Edit { .. }
                | Command::React { .. }
                | Command::Me { .. }
                | Command::Auth { .. }
        );
        let cell = Arc::clone(&reply.cell);
        let mut state = cell.lock();
        let mut paid = match is_send {
            true => state.allowance.sends.look(now, limits.send_burst, limits.send_per_second),
            false => state.allowance.commands.look(now, limits.command_burst, limits.command_per_second),
        };
        if let Some(price) = price {
            let (burst, rate) = (limits.said_bytes_burst, limits.said_bytes_per_second);
            paid = both(paid, state.allowance.said_bytes.look_for(price.bytes, now, burst, rate));
            if let Some(shared_allowance) = &reply.connection.shared_allowance {
                paid = shared_allowance.pay(price, &self.limits.engine, now, paid);
            }
        }
        if matches!(command, Command::End { .. }) && paid.is_ok() {
            self.pay_end(reply.connection.shared_allowance.as_deref(), now)?;
        }
        let asks_much = matches!(
            command,
            Command::Create { .. }
                | Command::Join { .. }
                | Command::History { .. }
                | Command::Changes { .. }
                | Command::Members { .. }
                | Command::Bans { .. }
        );
        if asks_much
            && paid.is_ok()
            && let Some(shared_allowance) = &reply.connection.shared_allowance
        {
            let held = Charge::hold(shared_allowance, &self.limits, now).map_err(|wait| {
                Reject::new(RejectCode::RateLimited, "too much was asked for already").retry_after(wait)
            })?;
            reply.charge = Some(held);
        }
        match (paid, command) {
            (Ok(()), _) => {
                match is_send {
                    true => state.allowance.sends.spend(1),
                    false => state.allowance.commands.spend(1),
                }
                state.allowance.said_bytes.spend(price.map_or(0, |price| price.bytes));
                Ok(SendPermit::Paid)
            }
            (Err(retry_after), Command::Send { key: Some(_), .. } | Command::Edit { key: Some(_), .. }) => {
                Ok(SendPermit::Exhausted { retry_after })
            }
            (Err(retry_after), _) => {
                let what = if price.is_some() { "too much was said already" } else { "too many commands" };
                Err(Reject::new(RejectCode::RateLimited, what).retry_after(retry_after))
            }
        }
    }

    /// Pays for a text of a message that grows, in texts and in bytes, which every reader of the room may be told.
    fn pay_live(&self, text: Option<&Body>, reply: &ReplyTo) -> Result<(), Reject> {
        let now = self.clock.now().mono;
        let bytes = text.map_or(0, |text| bytes(text.as_str()));
        let cell = Arc::clone(&reply.cell);
        let mut state = cell.lock();
        let live = state.allowance.live(&self.limits.session, now);
        let mut paid = live.look(bytes, &self.limits.session, now);
        if let Some(shared_allowance) = &reply.connection.shared_allowance {
            paid = shared_allowance.show_live(bytes, &self.limits.engine, now, paid);
        }
        let refused = |wait| Reject::new(RejectCode::RateLimited, "too much was shown already").retry_after(wait);
        paid.map_err(refused)?;
        live.spend(bytes);
        Ok(())
    }

    /// Gives back what was paid for a send or an edit that turned out to be a retry.
    pub(crate) fn pay_back(&self, input: &Input, reply: &ReplyTo) {
        let price = match input {
            Input::Send { said, as_sent, .. } => price(&as_sent.as_ref().unwrap_or(said).content),
            Input::Edit { content, as_sent, .. } => price(as_sent.as_ref().unwrap_or(content)),
            _ => return,
        };
        let mut state = reply.cell.lock();
        state.allowance.sends.put_back(price.messages);
        state.allowance.said_bytes.put_back(price.bytes);
        if let Some(shared_allowance) = &reply.connection.shared_allowance {
            shared_allowance.put_back(price);
        }
    }

    /// Takes a place for a room that is about to be founded.
    ///
    /// # Errors
    /// `at_capacity`, where as many as may be were founded from the address.
    pub(crate) fn found(&self, reply: &mut ReplyTo) -> Result<(), Reject> {
        let Some(address) = &reply.connection.address else { return Ok(()) };
        let founding = Founding::new(address, &self.limits.engine).map_err(|most| {
            let message = "as many rooms as may be were founded from this address";
            Reject::new(RejectCode::AtCapacity, message).limit(most as u64)
        })?;
        reply.founding = Some(founding);
        Ok(())
    }

    /// Whether a session may look for a room that it is not known to be in. One that has named too many that are not there has to
    /// wait: codes are not to be guessed.
    ///
    /// # Errors
    /// `rate_limited`, with the time to wait.
    pub(crate) fn may_try(&self, state: &mut SessionState, connection: &ConnectionState) -> Result<(), Reject> {
        let now = self.clock.now().mono;
        let limits = &self.limits.session;
        let of_session = state.allowance.misses.look(now, limits.miss_burst, limits.misses_per_second);
        let of_address = connection.address.as_ref().map_or(Ok(()), |cell| cell.may_try(&self.limits.engine, now));
        match of_session.err().max(of_address.err()) {
            None => Ok(()),
            Some(wait) => {
                let reject = Reject::new(
                    RejectCode::RateLimited,
                    "too many codes of rooms, or secrets of theirs, were guessed wrong",
                );
                Err(reject.retry_after(wait))
            }
        }
    }

    /// Counts a room that is about to be entered, for as long as the reply lives or until it has been entered.
    pub(crate) fn reserve(&self, reply: &mut ReplyTo, room: Option<&RoomCode>) -> Result<(), Reject> {
        let connection = Arc::clone(&reply.connection);
        self.reserve_if(reply, room, |state| self.may_try(state, &connection))
    }

    /// The same of a room that the host brings it into: nobody guesses a code.
    pub(crate) fn reserve_for_host(&self, reply: &mut ReplyTo, room: &RoomCode) -> Result<(), Reject> {
        self.reserve_if(reply, Some(room), |_| Ok(()))
    }

    fn reserve_if(
        &self,
        reply: &mut ReplyTo,
        room: Option<&RoomCode>,
        may_look: impl FnOnce(&mut SessionState) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        let cell = Arc::clone(&reply.cell);
        let Some(mut state) = cell.lock_for(&reply.connection).filter(|state| !state.is_ended) else {
            // The policy took its time, or the session has been ended. Rooms of the session are the newer connection's now, and it has not asked for this one.
            return Err(Reject::new(RejectCode::Unavailable, "the connection is gone"));
        };
        let rooms_max = self.limits.session.rooms_max;
        // Rooms that it has left count until it may have read so: else one that does not read could leave and join without end.
        state.rooms.forget_finished();
        let is_in = |code: &RoomCode| state.rooms.slots.iter().any(|slot| slot.is_open() && slot.feed.code == *code);
        let is_in = room.is_some_and(is_in);
        let taken = state.rooms.taken_beside(room, rooms_max);
        let refused = if taken >= rooms_max && !is_in {
            let reject = Reject::new(RejectCode::TooManyRooms, "the session is in as many rooms as it may be");
            Err(reject.limit(rooms_max as u64))
        } else if room.is_some() && !is_in {
            may_look(&mut state)
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

fn price(content: &Content) -> Price {
    Price { messages: 1, bytes: clamped(content.bytes()) }
}

fn bytes_of(change: &MemberChange) -> u32 {
    let nick = change.nick.as_ref().map_or(0, |nick| bytes(nick.as_str()));
    let data = change.data.as_ref().and_then(Option::as_ref);
    nick + data.map_or(0, |data| bytes(data.as_str()))
}

fn bytes(text: &str) -> u32 {
    clamped(text.len())
}

fn clamped(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
