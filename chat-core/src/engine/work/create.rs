//! Making a room: under the name its creator chose, or under a code drawn until it is unused.

use std::sync::Arc;

use crate::engine::rooms::inbox::{InboxItem, JoinRequest};
use crate::engine::session::reply_to::ReplyTo;
use crate::engine::shared::Shared;
use crate::engine::work::evict;
use crate::room::{Caller, Input};
use crate::types::{Nick, PersonData, RejectCode, RoomCode};

/// Draws of a room code before giving up; one is enough unless nearly all codes are in use.
pub(crate) const DRAWS_MAX: usize = 16;

impl Shared {
    /// Makes a room for a creation, under the name chosen or a code drawn.
    pub(crate) fn create(
        self: &Arc<Self>,
        by: Caller,
        nick: Nick,
        data: Option<PersonData>,
        room: Option<RoomCode>,
        mut reply: ReplyTo,
    ) {
        if let Err(reject) = self.reserve(&mut reply, room.as_ref()) {
            return reply.reject(room.as_ref(), reject);
        }
        match room {
            Some(code) => {
                if self.registry.room(&code).is_none() && self.is_full() {
                    return self.refuse_creation(reply);
                }
                let (epoch, salt) = (self.ids.epoch(), self.ids.salt());
                let input = Input::Create { by, nick, data, epoch, salt };
                let request = JoinRequest::Command(reply);
                self.enqueue_new(&code, InboxItem::Enter { input, request, catch_up: None });
            }
            None => self.create_drawn(by, nick, data, reply),
        }
    }

    pub(crate) fn create_drawn(self: &Arc<Self>, by: Caller, nick: Nick, data: Option<PersonData>, reply: ReplyTo) {
        if self.is_full() {
            return self.refuse_creation(reply);
        }
        for draw in 0..DRAWS_MAX {
            let code = self.ids.code();
            // One's own, so that nobody else has to be asked for what is said in it.
            let is_others = draw + 1 < DRAWS_MAX && !self.decides(&code);
            if is_others || self.registry.room(&code).is_some() {
                continue;
            }
            let (epoch, salt) = (self.ids.epoch(), self.ids.salt());
            let input = Input::Create { by: by.clone(), nick: nick.clone(), data: data.clone(), epoch, salt };
            let request = JoinRequest::Drawn { by, nick, data, reply };
            return self.enqueue_new(&code, InboxItem::Enter { input, request, catch_up: None });
        }
        self.refuse_creation(reply);
    }

    /// Whether as many rooms as may be are in memory.
    pub(crate) fn is_full(&self) -> bool {
        self.registry.len() >= self.limits.engine.rooms_max
    }

    fn refuse_creation(self: &Arc<Self>, reply: ReplyTo) {
        evict::make_place(self);
        self.count_reject(RejectCode::AtCapacity);
        reply.reject(None, self.no_place());
    }
}
