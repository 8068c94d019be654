//! People ask what the rooms they are in are like, to be compared with what others are told at other servers.

use chat_core::wire::TaggedMessage;
use chat_core::{Epoch, Seq, ServerFrame};
use serde_json::json;

use super::{Asked, LATE, Person};
use crate::promise::Broken;

/// Messages of each room that are compared.
const MESSAGES: u64 = 50;

/// What is asked of a room.
#[derive(Clone, Copy, Debug)]
enum Question {
    Members,
    Messages,
}

/// A question about a room.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    room: String,
    epoch: Epoch,
    question: Question,
    /// The last event when it was asked, which all servers must know of by then.
    as_of: Option<Seq>,
}

impl Person {
    /// Wants to know the members and the last messages of each room.
    pub(super) fn compare(&mut self) {
        let live = self.views.values().filter(|view| self.welcomed && view.is_live());
        let rooms = live.map(|view| (view.room().to_owned(), view.position().epoch));
        let questions = rooms.flat_map(|(room, epoch)| {
            let asks = move |question| Compared { room: room.clone(), epoch, question, as_of: None };
            [Question::Members, Question::Messages].map(asks)
        });
        self.to_compare = questions.collect();
        self.compare_next();
    }

    /// Asks the next question: one at a time, as a connection may have few commands under way, and be slow.
    pub(super) fn compare_next(&mut self) {
        let is_asked = |asked: &Asked| matches!(asked, Asked::Compared(_));
        if !self.welcomed || self.asked.values().any(|(_, asked)| is_asked(asked)) {
            return;
        }
        let Some(compared) = self.to_compare.pop_front() else { return };
        let as_of = self.scene.truth.settled(&compared.room, compared.epoch, LATE);
        let compared = Compared { as_of, ..compared };
        let Compared { room, question, .. } = &compared;
        let frame = match question {
            Question::Members => json!({"type": "members", "room": room}),
            Question::Messages => json!({"type": "history", "room": room, "limit": MESSAGES}),
        };
        self.ask(frame, Asked::Compared(compared));
    }

    /// A room is like this; what is the next?
    pub(super) fn compare_on(&mut self, asked: &Compared, frame: &ServerFrame) -> Result<(), Broken> {
        self.compared(asked, frame)?;
        self.compare_next();
        Ok(())
    }

    /// A room is like this. Where something has happened meanwhile, nobody knows who was told of it by then.
    fn compared(&self, asked: &Compared, frame: &ServerFrame) -> Result<(), Broken> {
        let Compared { room, epoch, as_of, .. } = asked;
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
