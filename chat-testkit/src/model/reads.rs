//! How far people have read: what was noted of it, in the order of the notes, as far as what was read is still in the log.

use chat_core::room::{Note, ReadPosition};
use chat_core::{Event, MemberId, RoomLimits, Scope, Seq};

use super::{Line, Model, What, facts};

/// Who has read how far; the one that has not moved for longest comes first.
fn positions(chapter: &[Line], limits: &RoomLimits) -> Vec<(MemberId, Seq)> {
    let mut kept: Vec<(MemberId, Seq)> = Vec::new();
    for (number, line) in chapter.iter().enumerate() {
        let facts =
            || -> Vec<_> { facts::of_chapter(&chapter[..=number]).into_iter().map(|(record, _)| record).collect() };
        match &line.what {
            What::Note(Note::Read { member, through }) => {
                let is_in = facts::people(&facts(), limits.former_max).0.iter().any(|person| person.id == *member);
                let moves = kept.iter().all(|(other, so_far)| other != member || so_far < through);
                if is_in && moves {
                    kept.retain(|(other, _)| other != member);
                    kept.push((*member, *through));
                    let surplus = kept.len().saturating_sub(limits.reads_max);
                    kept.drain(..surplus);
                }
            }
            What::Fact { record, .. } if matches!(record.event, Event::Closed { .. }) => kept.clear(),
            What::Lost(_) => {
                let facts = facts();
                let last = MemberId(facts::next_number(&facts).0 - 1);
                let head = facts.iter().filter_map(|record| record.seq).max().unwrap_or_default();
                kept.retain(|(member, _)| *member <= last);
                for (_, through) in &mut kept {
                    *through = head.min(*through);
                }
            }
            _ => {}
        }
    }
    kept
}

impl Model {
    /// How far this member or somebody who has left has read, if they have said it and it is kept.
    pub(super) fn has_read(&self, person: &Scope) -> Option<Seq> {
        let (id, _) = self.number_of(person)?;
        positions(self.chapter(), &self.limits)
            .into_iter()
            .find(|(member, _)| *member == id)
            .map(|(_, through)| through)
    }

    /// How far a person has read, and how many messages that leaves.
    pub fn read_position(&self, person: &Scope) -> Option<ReadPosition> {
        let (id, joined) = self.number_of(person)?;
        let through = self.has_read(person).unwrap_or(joined);
        Some(self.left_to_read(id, through))
    }

    /// The same of who timed out and is remembered, and of nobody else.
    pub fn read_position_of_lost(&self, person: &Scope) -> Option<ReadPosition> {
        let (_, former) = facts::people(&self.facts(), self.limits.former_max);
        facts::place_of(&former, person).filter(|place| place.is_lost)?;
        self.read_position(person)
    }

    /// What is left to read for who has read up to there.
    pub(super) fn left_to_read(&self, id: MemberId, through: Seq) -> ReadPosition {
        let marks = self.marks();
        let is_unread = |message: &&facts::Message| {
            message.seq > through && message.by != Some(id) && !message.redacted && marks.contains(&message.seq)
        };
        let unread = facts::messages(&self.facts()).iter().filter(is_unread).count().min(self.limits.unread_max);
        ReadPosition { through, unread, as_of: self.head() }
    }

    fn number_of(&self, person: &Scope) -> Option<(MemberId, Seq)> {
        let (members, former) = facts::people(&self.facts(), self.limits.former_max);
        let member = members.iter().find(|member| member.scope == *person).map(|member| (member.id, member.joined));
        member.or_else(|| facts::place_of(&former, person).map(|place| (place.id, place.joined)))
    }
}
