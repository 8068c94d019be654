//! People ask what the rooms they are in are like, to be compared with what others are told at other servers.

use chat_core::wire::TaggedMessage;
use chat_core::{Epoch, Seq, ServerFrame};
use serde_json::json;

use super::{Asked, LATE, Person};
use crate::promise::Broken;

/// Messages of each room that are compared.
const MESSAGES: u64 = 50;

/// A question about a room.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    room: String,
    epoch: Epoch,
    /// The last event when it was asked, which all servers must know of by then.
    as_of: Option<Seq>,
}

impl Person {
    /// Asks for the members and the last messages of each room.
    pub(super) fn compare(&mut self) {
        let live = self.views.values().filter(|view| self.welcomed && view.is_live());
        let rooms: Vec<(String, Epoch)> = live.map(|view| (view.room().to_owned(), view.position().epoch)).collect();
        for (room, epoch) in rooms {
            let as_of = self.scene.truth.settled(&room, epoch, LATE);
            let compared = Compared { room, epoch, as_of };
            let room = &compared.room;
            self.ask(json!({"type": "members", "room": room}), Asked::Compared(compared.clone()));
            let frame = json!({"type": "history", "room": room, "limit": MESSAGES});
            self.ask(frame, Asked::Compared(compared.clone()));
        }
    }

    /// A room is like this. Where something has happened meanwhile, nobody knows who was told of it by then.
    pub(super) fn compared(&self, asked: &Compared, frame: &ServerFrame) -> Result<(), Broken> {
        let Compared { room, epoch, as_of } = asked;
        let (truth, life) = (&self.scene.truth, || (room.clone(), *epoch));
        if *as_of != Some(truth.head(room, *epoch)) {
            return Ok(());
        }
        match frame {
            ServerFrame::Members { members, more: false, .. } => truth.agreement.members(&self.name, life(), members),
            ServerFrame::History { messages, epoch: Some(told), .. } if told == epoch => {
                let mut messages = messages.iter().map(TaggedMessage::frame);
                messages.try_for_each(|message| truth.agreement.message(&self.name, life(), message))
            }
            _ => Ok(()),
        }
    }

    /// Says in which rooms one is, with a connection.
    pub(super) fn say_where(&self) {
        for view in self.views.values().filter(|view| view.is_live()) {
            let life = (view.room().to_owned(), view.position().epoch);
            self.scene.truth.agreement.is_connected(life, view.member());
        }
    }
}
