//! The rooms that a session comes back to: each says once where the session stands there, in time for the welcome or after it.

use crate::engine::session::cell::SessionState;
use crate::engine::session::welcome::{ResumedRoom, RoomAnswer, Welcome};
use crate::types::{Generation, RoomCode};
use crate::wire::{self, FrameKind, RoomStatus, Status};

impl SessionState {
    /// Whether a room is still expected to say where the session stands in it.
    pub(crate) fn comes_back_to(&self, code: &RoomCode) -> bool {
        self.rooms.resumed.iter().any(|room| room.code == *code && room.is_awaited())
    }

    /// A room says where the session stands in it. `false` where it took too long, and the client has been told so.
    pub(crate) fn stands(&mut self, status: RoomStatus) -> bool {
        let is_it = |room: &ResumedRoom| room.code.as_str() == status.room && room.is_awaited();
        let Some(index) = self.rooms.resumed.iter().position(is_it) else { return false };
        match &mut self.welcome {
            Welcome::Awaited(awaited) => {
                self.rooms.resumed[index].answer = RoomAnswer::Told(status);
                if !self.rooms.resumed.iter().any(ResumedRoom::is_awaited) {
                    awaited.rooms = None;
                }
            }
            #[cfg(feature = "fault_injection")]
            _ if crate::fault_injection::is(crate::fault_injection::Bug::ForgetResumed) => {
                self.settle(index, status.status)
            }
            Welcome::Due(_) | Welcome::Told => {
                let json = wire::resumed(&status);
                self.settle(index, status.status);
                self.mail_extra(FrameKind::Resumed, json);
            }
        }
        true
    }

    /// A room knows a newer connection of the session than this one, which came by another server. Nothing else is waited for, as long as the
    /// client has not been told anything.
    pub(crate) fn is_late(&mut self, newest: Generation) {
        if let Welcome::Awaited(awaited) = &mut self.welcome {
            (awaited.rooms, awaited.late) = (None, awaited.late.max(Some(newest)));
        }
    }

    /// The newest connection that is newer than this one, as far as its rooms have said before it is welcomed.
    pub(crate) fn newer(&self) -> Option<Generation> {
        match &self.welcome {
            Welcome::Awaited(awaited) => awaited.late,
            Welcome::Due(_) | Welcome::Told => None,
        }
    }

    /// What the welcome says of the rooms. One that has said nothing yet says it in a frame of its own.
    pub(crate) fn standings(&mut self) -> Vec<RoomStatus> {
        let mut statuses = Vec::with_capacity(self.rooms.resumed.len());
        for index in (0..self.rooms.resumed.len()).rev() {
            let room = &mut self.rooms.resumed[index];
            match std::mem::replace(&mut room.answer, RoomAnswer::Awaited) {
                RoomAnswer::Told(mut status) => {
                    // It has waited for the others, and may have gone on without its reader.
                    let is_it = |code: &RoomCode| code.as_str() == status.room;
                    if self.rooms.slots.iter_mut().any(|slot| is_it(&slot.feed.code) && slot.has_come_late()) {
                        status.status = Status::Gap;
                    }
                    self.settle(index, status.status);
                    statuses.push(status);
                }
                RoomAnswer::Awaited | RoomAnswer::Unavailable => statuses.push(room.status(Status::Waiting)),
            }
        }
        statuses.reverse();
        // Rooms that are not asked after any more.
        let resumed = &self.rooms.resumed;
        self.rooms.left_off.retain(|stay| resumed.iter().any(|room| room.code == stay.code));
        statuses
    }

    /// The rooms that have still said nothing are given up: whoever wants to be there asks again.
    pub(crate) fn give_up_resumed(&mut self) {
        while let Some(room) = self.rooms.resumed.iter().find(|room| room.is_awaited()) {
            let status = room.status(Status::Unavailable);
            self.stands(status);
        }
    }

    /// The client hears, or has heard, where it stands in a room. One that could not say is asked again by the next connection.
    fn settle(&mut self, index: usize, status: Status) {
        if status == Status::Unavailable {
            self.rooms.resumed[index].answer = RoomAnswer::Unavailable;
            return;
        }
        let room = self.rooms.resumed.remove(index);
        self.rooms.left_off.retain(|stay| stay.code != room.code);
        self.rooms.keep_no_empty_lists();
    }
}
