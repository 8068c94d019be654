//! Who has reacted to the last messages, and what the log has still to be made to write into the records of those that take no more.
//!
//! Part of the ledger: reactions are counted here, and the log has them as events alone until their message is too old for more.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use self::to_message::ToMessage;
use crate::domain::Reaction;
use crate::seldom::Nothing;
use crate::types::{MemberId, ReactionName, Seq};

#[cfg(test)]
mod tests;
mod to_message;

/// A message that takes no more reactions, and whose record may lack those it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwedFreeze {
    /// The message.
    pub target: Seq,
    /// The event with which it took no more.
    pub change: Seq,
}

/// The reactions to the messages that take more, and to those whose record may lack theirs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(super) struct Reactions {
    /// In the order of the messages; none is without a reaction.
    held: VecDeque<ToMessage>,
    /// In the order of the changes, which is that of the messages, except where a bound was raised in between.
    frozen: VecDeque<Frozen>,
    /// The newest message that took no more while it had any. One from before takes none again, however many messages take some later.
    closed: Seq,
    /// How many there are in all.
    total: usize,
    /// The same, by person; of who has none there is no entry.
    by_person: BTreeMap<MemberId, usize>,
    /// What the lists beside each message hold.
    bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Frozen {
    change: Seq,
    #[serde(flatten)]
    to: ToMessage,
}

/// As it is stored: what follows from it is counted anew.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    held: VecDeque<ToMessage>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    frozen: VecDeque<Frozen>,
    #[serde(default)]
    closed: Seq,
}

impl Nothing for Reactions {
    const NOTHING: &'static Self = &Self {
        held: VecDeque::new(),
        frozen: VecDeque::new(),
        closed: Seq(0),
        total: 0,
        by_person: BTreeMap::new(),
        bytes: 0,
    };
}

impl Reactions {
    /// Whether there is nothing to be stored.
    pub(super) fn is_empty(&self) -> bool {
        self.total == 0 && self.closed == Seq(0)
    }

    /// How many there are in all.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// How many there are of one person.
    pub(super) fn of_person(&self, member: MemberId) -> usize {
        self.by_person.get(&member).copied().unwrap_or(0)
    }

    /// With how many names a message is reacted to.
    pub(super) fn names(&self, target: Seq) -> usize {
        self.held(target).map_or(0, |to| to.names.len())
    }

    /// How many people have reacted to a message with a name.
    pub(super) fn count(&self, target: Seq, name: &ReactionName) -> usize {
        self.held(target).and_then(|to| to.named(name)).map_or(0, |named| named.1.len())
    }

    /// Whether somebody has reacted to a message with a name.
    pub(super) fn has(&self, target: Seq, name: &ReactionName, by: MemberId) -> bool {
        self.held(target).and_then(|to| to.named(name)).is_some_and(|named| named.1.contains(&by))
    }

    /// What a member has reacted with to which of these messages, those of their own aside.
    pub(super) fn of(
        &self,
        member: MemberId,
        range: RangeInclusive<Seq>,
    ) -> impl Iterator<Item = (Seq, &ReactionName)> {
        let of_this = if self.of_person(member) > 0 { self.held.len() } else { 0 };
        let is_meant = move |to: &&ToMessage| to.author != member && range.contains(&to.target);
        let messages = self.held.iter().take(of_this).filter(is_meant);
        messages.flat_map(move |to| {
            let theirs = to.names.iter().filter(move |named| named.1.contains(&member));
            theirs.map(|named| (to.target, &named.0))
        })
    }

    /// The newest message that took no more while it had any.
    pub(super) fn closed(&self) -> Seq {
        self.closed
    }

    /// The messages that have any: those that take no more, then the others; of each the oldest first, but for raised bounds.
    pub(super) fn messages(&self) -> impl Iterator<Item = Seq> {
        self.frozen.iter().map(|frozen| frozen.to.target).chain(self.held.iter().map(|to| to.target))
    }

    /// What a message has been reacted to with, as it is shown.
    pub(super) fn shown(&self, target: Seq) -> Vec<Reaction> {
        let frozen = || self.frozen.iter().find(|frozen| frozen.to.target == target).map(|frozen| &frozen.to);
        self.held(target).or_else(frozen).map(ToMessage::shown).unwrap_or_default()
    }

    /// The messages whose record may lack their reactions, in the order of the changes.
    pub(super) fn owed(&self) -> impl Iterator<Item = OwedFreeze> {
        self.frozen.iter().map(|frozen| OwedFreeze { target: frozen.to.target, change: frozen.change })
    }

    /// Bytes that they hold.
    pub(super) fn weight(&self) -> usize {
        // An entry of the tree, and what it leaves empty around itself.
        const PERSON: usize = 2 * size_of::<(MemberId, usize)>();
        self.held.capacity() * size_of::<ToMessage>()
            + self.frozen.capacity() * size_of::<Frozen>()
            + self.by_person.len() * PERSON
            + self.bytes
    }

    /// Somebody reacts to a message, of this author, with a name, or does not any more.
    pub(super) fn set(&mut self, (target, author): (Seq, MemberId), name: &ReactionName, by: MemberId, on: bool) {
        // Under a greater bound it took more, when that was said.
        if let Some(index) = self.frozen(target) {
            return self.set_frozen(index, name, by, on);
        }
        let index = self.held.binary_search_by_key(&target, |to| to.target);
        let index = match index {
            Ok(index) => index,
            Err(_) if !on => return,
            Err(index) => {
                if self.held.len() == self.held.capacity() {
                    self.held.reserve_exact((self.held.len() / 4).max(2));
                }
                self.held.insert(index, ToMessage { target, author, names: Vec::new() });
                index
            }
        };
        let to = &mut self.held[index];
        let before = to.weight();
        let is_other = if on { to.add(name, by) } else { to.take(name, by) };
        self.bytes = self.bytes - before + to.weight();
        let has_none = to.names.is_empty();
        self.note(by, is_other, on);
        if has_none && let Some(to) = self.held.remove(index) {
            self.bytes -= to.weight();
        }
        self.give_back();
    }

    /// The same of a message that takes no more: what is owed to the log is changed.
    fn set_frozen(&mut self, index: usize, name: &ReactionName, by: MemberId, on: bool) {
        let to = &mut self.frozen[index].to;
        let before = to.weight();
        let is_other = if on { to.add(name, by) } else { to.take(name, by) };
        self.bytes = self.bytes - before + to.weight();
        let has_none = to.names.is_empty();
        self.note(by, is_other, on);
        if has_none && let Some(frozen) = self.frozen.remove(index) {
            self.bytes -= frozen.to.weight();
        }
        self.give_back();
    }

    /// Counts a reaction of somebody, or one less.
    fn note(&mut self, by: MemberId, is_other: bool, on: bool) {
        if is_other && on {
            self.total += 1;
            *self.by_person.entry(by).or_default() += 1;
        } else if is_other {
            self.discount(by);
        }
    }

    fn frozen(&self, target: Seq) -> Option<usize> {
        let all = (target <= self.closed).then(|| self.frozen.iter().position(|frozen| frozen.to.target == target));
        all.flatten()
    }

    /// A message was taken back, and has none any more.
    pub(super) fn remove(&mut self, target: Seq) {
        self.remove_all(|other, _| other == target);
    }

    /// Messages were taken back, told by number and author, and have none any more.
    pub(super) fn remove_all(&mut self, is_taken_back: impl Fn(Seq, MemberId) -> bool) {
        if self.total == 0 {
            return;
        }
        for index in (0..self.held.len()).rev() {
            if is_taken_back(self.held[index].target, self.held[index].author)
                && let Some(to) = self.held.remove(index)
            {
                self.forget(&to);
            }
        }
        for index in (0..self.frozen.len()).rev() {
            if is_taken_back(self.frozen[index].to.target, self.frozen[index].to.author)
                && let Some(frozen) = self.frozen.remove(index)
            {
                self.forget(&frozen.to);
            }
        }
        self.give_back();
    }

    /// Whether there is a message that has reactions and takes more.
    pub(super) fn takes_more(&self) -> bool {
        !self.held.is_empty()
    }

    /// With the event `change`, messages before `first` take no more: what they have is owed to the log.
    pub(super) fn freeze(&mut self, first: Seq, change: Seq) {
        while self.held.front().is_some_and(|to| to.target < first) {
            let Some(to) = self.held.pop_front() else { return };
            self.closed = self.closed.max(to.target);
            self.frozen.push_back(Frozen { change, to });
        }
    }

    /// The records of all messages up to this one that took no more have their reactions. Who reads that back under a greater bound than that of
    /// who wrote it finds them among those that take more; under a smaller one others take no more, and are owed still.
    pub(super) fn settle(&mut self, written: Seq) {
        self.closed = self.closed.max(written);
        let held = self.held.partition_point(|to| to.target <= written);
        let mut gone: Vec<ToMessage> = self.held.drain(..held).collect();
        for frozen in std::mem::take(&mut self.frozen) {
            match frozen.to.target <= written {
                true => gone.push(frozen.to),
                false => self.frozen.push_back(frozen),
            }
        }
        gone.iter().for_each(|to| self.forget(to));
        self.give_back();
    }

    /// Panics when something does not fit together. Costs a look at each.
    pub(super) fn check(&self, head: Seq) {
        let mut messages: Vec<Seq> = self.messages().collect();
        messages.sort_unstable();
        assert!(messages.is_sorted_by(|a, b| a < b), "a message that was reacted to is there once");
        assert!(messages.last().is_none_or(|last| *last < head), "what is reacted to was said before");
        assert!(self.held.iter().is_sorted_by(|a, b| a.target < b.target), "those that take more are in order");
        assert!(self.frozen.iter().all(|frozen| frozen.to.target <= self.closed), "what is frozen takes no more");
        let is_in_order = self.frozen.iter().is_sorted_by_key(|frozen| frozen.change);
        assert!(is_in_order, "what is frozen is owed in the order of the changes");
        let again = Self::from(Stored::from(self.clone()));
        assert_eq!((self.total, &self.by_person), (again.total, &again.by_person), "reactions are counted");
        let bytes: usize = self.all().map(ToMessage::weight).sum();
        assert_eq!(self.bytes, bytes, "the bytes of reactions are counted");
        assert!(self.all().all(|to| to.people().next().is_some()), "a message without reactions is not listed");
    }

    fn all(&self) -> impl Iterator<Item = &ToMessage> {
        self.frozen.iter().map(|frozen| &frozen.to).chain(&self.held)
    }

    fn held(&self, target: Seq) -> Option<&ToMessage> {
        self.held.binary_search_by_key(&target, |to| to.target).ok().map(|index| &self.held[index])
    }

    /// All reactions to a message are gone.
    fn forget(&mut self, to: &ToMessage) {
        self.bytes -= to.weight();
        to.people().for_each(|by| self.discount(by));
    }

    fn discount(&mut self, by: MemberId) {
        self.total -= 1;
        if let Some(count) = self.by_person.get_mut(&by) {
            *count -= 1;
            if *count == 0 {
                self.by_person.remove(&by);
            }
        }
    }

    /// Lists that nothing is left of hold nothing.
    fn give_back(&mut self) {
        if self.held.is_empty() {
            self.held = VecDeque::new();
        }
        if self.frozen.is_empty() {
            self.frozen = VecDeque::new();
        }
    }
}

impl PartialEq for Reactions {
    /// By what there is; how much room it takes is history.
    fn eq(&self, other: &Self) -> bool {
        (&self.held, &self.frozen, self.closed) == (&other.held, &other.frozen, other.closed)
    }
}

impl From<Stored> for Reactions {
    fn from(stored: Stored) -> Self {
        let Stored { held, frozen, closed } = stored;
        let mut reactions = Self { held, frozen, closed, ..Self::default() };
        let (mut total, mut bytes, mut by_person) = (0, 0, BTreeMap::new());
        for to in reactions.all() {
            bytes += to.weight();
            for by in to.people() {
                total += 1;
                *by_person.entry(by).or_default() += 1;
            }
        }
        (reactions.total, reactions.bytes, reactions.by_person) = (total, bytes, by_person);
        reactions
    }
}

impl From<Reactions> for Stored {
    fn from(reactions: Reactions) -> Self {
        let Reactions { held, frozen, closed, .. } = reactions;
        Self { held, frozen, closed }
    }
}
