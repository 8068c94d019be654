//! What another copy of the room, which plays the same records, has to note to be as this one: all that is in no record.

use super::decision::Note;
use super::{Room, apply};
use crate::domain::TypingState;
use crate::types::{MemberId, NetworkTag, Now};

impl Room {
    /// The notes that make of a room with the same ledger, after [`Room::forget_who_is_here`], one that shows the same: who is attached, who
    /// types, what grows, what members show, how far people have read.
    pub fn notes(&self) -> Vec<Note> {
        let attached = self.attendance.attachments().map(|(session, generation, member)| Note::Attached {
            session,
            generation,
            member,
            network: self.network_of(member),
        });
        // In the order in which they are forgotten where there are too many.
        let reads = Vec::from(self.reads.clone());
        let reads = reads.into_iter().map(|(member, through)| Note::Read { member, through });
        attached.chain(self.shown()).chain(reads).collect()
    }

    /// Where a member came from last, as far as that is remembered.
    pub(crate) fn network_of(&self, member: MemberId) -> Option<NetworkTag> {
        self.attendance.networks_of(member).last().copied()
    }

    /// The notes of what is shown, and runs out: a few.
    pub fn shown(&self) -> Vec<Note> {
        let typing = self.attendance.typing().map(|member| Note::Typing { member, state: TypingState::On });
        let live = self.live_texts().iter().map(|live| Note::Live {
            member: live.member,
            target: live.target,
            text: Some(live.text.clone()),
        });
        let signals = self.signals().iter().map(|signal| Note::Signal {
            member: signal.member,
            name: signal.name.clone(),
            data: Some(signal.data.clone()),
        });
        typing.chain(live).chain(signals).collect()
    }

    /// What a copy that noted all that this one did has to note where time has passed here: what has run out since `before`, which is what was
    /// shown until then.
    pub fn ended_since(&self, before: &[Note]) -> Vec<Note> {
        let now = self.shown();
        before.iter().filter(|note| !now.contains(note)).filter_map(end_of).collect()
    }

    /// The notes by which nothing is shown any more.
    pub fn ends_of_shown(&self) -> Vec<Note> {
        self.shown().iter().filter_map(end_of).collect()
    }

    /// Nobody is here, as far as is known: who is will be noted. For a copy.
    pub fn forget_who_is_here(&mut self, now: Now) {
        apply::forget_who_is_here(&self.ledger, &mut self.attendance);
        self.note(now, Note::Recovered);
    }
}

/// What is noted where something is shown no more.
fn end_of(shown: &Note) -> Option<Note> {
    Some(match shown {
        Note::Typing { member, .. } => Note::Typing { member: *member, state: TypingState::Off },
        Note::Live { member, target, .. } => Note::Live { member: *member, target: *target, text: None },
        Note::Signal { member, name, .. } => Note::Signal { member: *member, name: name.clone(), data: None },
        _ => return None,
    })
}
