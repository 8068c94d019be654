//! What was said, and what became of it: the messages of a life as they may be shown.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::{Content, Epoch, Event, MemberId, Record, Seq};
use tokio::time::Instant;

use super::Truth;
use super::incarnation::Edit;
use crate::summary::{says_of, summary_of_message, summary_of_record};

impl Truth {
    /// What a member may be told under this number, in the words of [`summary`](crate::summary::summary).
    pub(crate) fn told(&self, room: &str, epoch: Epoch, seq: Seq) -> Vec<String> {
        let lives = self.lives();
        let Some(life) = lives.get(&(room.to_owned(), epoch)) else { return Vec::new() };
        let Some(record) = life.at(seq) else { return Vec::new() };
        let mut may_be = vec![summary_of_record(record)];
        match &record.event {
            Event::Sent { nick, .. } => {
                let edits = life.edits.get(&seq).into_iter().flatten();
                may_be.extend(edits.map(|edit| summary_of_message(record, &edit.content, edit.n)));
                if life.redacted.contains(&seq) {
                    may_be.push(format!("{seq} {} (redacted)", nick.as_str()));
                }
            }
            Event::Edited { target, .. } => {
                let last = life.edits.get(target).and_then(|edits| edits.last());
                if life.redacted.contains(target) || last.is_some_and(|last| last.change > seq) {
                    may_be.push(format!("{seq} edited {target}"));
                }
                may_be.push(format!("{seq} edited"));
            }
            Event::Redacted { .. } => may_be.push(format!("{seq} redacted")),
            Event::Reacted { .. } => may_be.push(format!("{seq} reacted to what is hidden")),
            Event::Swept { member, from, to } => {
                let above = |from| Record { event: Event::Swept { member: *member, from, to: *to }, ..record.clone() };
                may_be.extend((from.0..=to.0).map(|from| summary_of_record(&above(Seq(from)))));
                may_be.push(format!("{seq} swept"));
            }
            _ => {}
        }
        may_be
    }

    /// The events of which one has taken back the messages, where they are a range.
    pub(crate) fn swept(&self, room: &str, epoch: Epoch, seq: Seq) -> Option<(Seq, Seq)> {
        let lives = self.lives();
        match lives.get(&(room.to_owned(), epoch))?.at(seq)?.event {
            Event::Swept { from, to, .. } => Some((from, to)),
            _ => None,
        }
    }

    /// The message that an event has changed, where it is one.
    pub(crate) fn target(&self, room: &str, epoch: Epoch, seq: Seq) -> Option<Seq> {
        let lives = self.lives();
        match lives.get(&(room.to_owned(), epoch))?.at(seq)?.event {
            Event::Redacted { target } | Event::Edited { target, .. } | Event::Reacted { target, .. } => Some(target),
            _ => None,
        }
    }

    /// What each message of a life says now; nothing where it was taken back.
    pub(crate) fn says(&self, room: &str, epoch: Epoch) -> BTreeMap<Seq, Option<String>> {
        let lives = self.lives();
        let Some(life) = lives.get(&(room.to_owned(), epoch)) else { return BTreeMap::new() };
        let said = life.records.iter().filter_map(|record| {
            let Event::Sent { text, data, .. } = &record.event else { return None };
            let seq = record.seq?;
            let edited = life.edits.get(&seq).and_then(|edits| edits.last()).map(|edit| says_of(&edit.content));
            let says = edited.unwrap_or_else(|| says_of(&Content::text(text.clone()).with_data(data.clone())));
            Some((seq, (!life.redacted.contains(&seq)).then_some(says)))
        });
        said.collect()
    }

    /// When it was published that a message was edited, the last time.
    pub(crate) fn edited_at(&self, room: &str, epoch: Epoch, message: Seq) -> Option<Instant> {
        let lives = self.lives();
        let life = lives.get(&(room.to_owned(), epoch))?;
        let published = |edit: &Edit| life.due.iter().find(|(_, seq)| *seq == edit.change).map(|(at, _)| *at);
        life.edits.get(&message)?.iter().rev().find_map(published)
    }

    /// The edits of a life that say what a message says.
    pub(crate) fn standing_edits(&self, room: &str, epoch: Epoch) -> BTreeSet<Seq> {
        let lives = self.lives();
        let Some(life) = lives.get(&(room.to_owned(), epoch)) else { return BTreeSet::new() };
        let there = life.edits.iter().filter(|(target, _)| !life.redacted.contains(target));
        there.filter_map(|(_, edits)| edits.last().map(|edit| edit.change)).collect()
    }

    /// The numbers of the messages up to here.
    pub(crate) fn messages(&self, room: &str, epoch: Epoch, until: Seq) -> Vec<Seq> {
        let lives = self.lives();
        let records = lives.get(&(room.to_owned(), epoch)).map_or(&[][..], |life| &life.records);
        let messages = records.iter().filter(|record| matches!(record.event, Event::Sent { .. }));
        messages.filter_map(|record| record.seq).take_while(|seq| *seq <= until).collect()
    }

    /// Who has said the message with this number.
    pub(crate) fn author(&self, room: &str, epoch: Epoch, message: Seq) -> Option<MemberId> {
        let lives = self.lives();
        let record = lives.get(&(room.to_owned(), epoch))?.at(message)?;
        record.by.filter(|_| record.event.is_message())
    }

    /// Who has reacted with what to the messages of a life that were not taken back.
    pub(crate) fn reactions(&self, room: &str, epoch: Epoch) -> BTreeMap<Seq, BTreeMap<String, BTreeSet<MemberId>>> {
        let lives = self.lives();
        let mut reactions: BTreeMap<Seq, BTreeMap<String, BTreeSet<MemberId>>> = BTreeMap::new();
        let Some(life) = lives.get(&(room.to_owned(), epoch)) else { return reactions };
        for record in &life.records {
            if let (Event::Reacted { target, name, on, .. }, Some(by)) = (&record.event, record.by) {
                let people = reactions.entry(*target).or_default().entry(name.to_string()).or_default();
                if *on {
                    people.insert(by)
                } else {
                    people.remove(&by)
                };
            }
        }
        for names in reactions.values_mut() {
            names.retain(|_, people| !people.is_empty());
        }
        reactions.retain(|target, names| !names.is_empty() && !life.redacted.contains(target));
        reactions
    }

    /// Whether the room has said this, in any of its lives.
    pub(crate) fn has_said(&self, room: &str, seq: Seq, text: &str) -> bool {
        let lives = self.lives();
        let mut lives = lives.iter().filter(|((code, _), _)| code == room);
        lives.any(|(_, life)| {
            life.at(seq)
                .is_some_and(|record| matches!(&record.event, Event::Sent { text: said, .. } if said.as_str() == text))
        })
    }
}
