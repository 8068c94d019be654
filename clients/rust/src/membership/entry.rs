//! Into a room, back into it, and out of it: what is asked, and what is made of the answers.

use std::sync::Arc;
use std::time::Instant;

use chat_core::wire::{RemovalReason, RoomStatus, Status};
use chat_core::{Command, RejectCode, RoomCode};

use super::{Membership, Retry, Waiter};
use crate::error::Error;
use crate::outbox::PAUSE;
use crate::requests::Purpose;
use crate::state::{Ending, Presence};

impl Membership {
    /// Wants in; `entered` hears of it.
    pub(crate) fn enter(&mut self, entered: Waiter, is_connected: bool) {
        self.is_connected = is_connected;
        self.entered.push(entered);
        self.ask_in();
    }

    /// Is in, or about to be: `entered` hears of it.
    pub(crate) fn wait_for_entry(&mut self, entered: Waiter) {
        if self.state.presence == Presence::Joining {
            self.entered.push(entered);
        } else {
            entered.send(Ok(())).ok();
        }
    }

    /// Leaves, and is done with the room: now, or as soon as there is a connection.
    pub(crate) fn leave(&mut self, left: Waiter) {
        self.outbox.drop_untried(&Error::Left);
        if let Some(leaving) = &mut self.leaving {
            leaving.push(left);
            return;
        }
        self.leaving = Some(vec![left]);
        match self.state.presence {
            Presence::Live => self.ask_out(),
            Presence::Joining if self.tries == 0 => self.gone(),
            Presence::Ended => self.gone(),
            Presence::Joining | Presence::Away => {}
        }
    }

    /// Whether a room under a code that nobody has heard yet may be this one.
    pub(crate) fn is_unnamed(&self) -> bool {
        self.state.code.is_none() && self.tries > 0
    }

    pub(crate) fn name(&mut self, code: RoomCode) {
        Arc::make_mut(&mut self.state).code = Some(code);
    }

    /// What the server says of the room to a session that comes back; nothing where it does not know that one is in it.
    pub(crate) fn welcomed(&mut self, told: Option<&RoomStatus>, now: Instant) {
        self.is_connected = true;
        let status = told.map_or(Status::Unknown, |told| told.status);
        let is_live = matches!(status, Status::Live | Status::Gap);
        if status == Status::Waiting {
            return;
        }
        if self.leaving.is_some() {
            return if is_live { self.ask_out() } else { self.gone() };
        }
        if let Some(told) = told.filter(|_| is_live) {
            // Where it does not go on from what is held, its `joined` follows.
            self.change(|state| state.resume(told));
            return self.go_on(now);
        }
        // Who asks to come in does so, whatever has become of an earlier membership.
        let is_known = self.state.presence == Presence::Away;
        let reason = told.and_then(|told| told.reason);
        match (status, reason) {
            (Status::Closed, _) if is_known => self.end(Ending::new("closed").missed()),
            // Who was put out does not go back unasked.
            (Status::Left, Some(RemovalReason::Kicked)) if is_known => self.end(Ending::new("kicked").missed()),
            (Status::Left, Some(RemovalReason::Banned)) if is_known => {
                let until = told.and_then(|told| told.until);
                self.end(Ending::new("banned").missed().until(until));
            }
            _ => self.ask_in(),
        }
    }

    /// Goes in, after the position that is held: one that is of no use to the server counts as none.
    pub(super) fn ask_in(&mut self) {
        if self.is_asking_in || !self.is_connected || matches!(self.state.presence, Presence::Live | Presence::Ended) {
            return;
        }
        let code = self.state.code.clone();
        let command = match code {
            Some(code) if !self.is_maker => self.entering.join(code, self.state.position(), self.catch_up),
            code => self.entering.create(code),
        };
        self.is_asking_in = true;
        self.tries += 1;
        self.asks.push((command, Purpose::Enter(self.id)));
    }

    pub(super) fn refused_in(&mut self, error: Error, now: Instant) {
        let is_known = self.state.epoch.is_some();
        if error == Error::Disconnected {
            return;
        }
        if self.leaving.is_some() {
            return self.gone();
        }
        let code = error.code();
        // The answer to an earlier try was lost: the session is in, and is told so when it comes back without a position.
        if code == Some(RejectCode::AlreadyMember) {
            self.change(|state| state.epoch = None);
            return self.pause(Retry::Restart, &error, now);
        }
        // One's own ghost may have the nick still, and what is busy passes.
        let may_be_own = error.retry_after().is_some() && (is_known || self.tries > 1);
        if error.is_passing() || (code == Some(RejectCode::NickTaken) && may_be_own) {
            return self.pause(Retry::Enter, &error, now);
        }
        let why = if code == Some(RejectCode::Banned) { "banned" } else { "refused" };
        let until = error.refusal().and_then(|refusal| refusal.until);
        self.end(Ending { error: Some(error), ..Ending::new(why).until(until) });
    }

    pub(super) fn pause(&mut self, retry: Retry, error: &Error, now: Instant) {
        self.retry = Some((now + error.retry_after().unwrap_or(PAUSE), retry));
    }

    pub(super) fn ask_out(&mut self) {
        if let Some(room) = self.code().cloned() {
            self.asks.push((Command::leave(room), Purpose::Leave(self.id)));
        }
    }
}
