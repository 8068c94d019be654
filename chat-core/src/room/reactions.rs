//! Who has reacted to the last messages, and what the log has still to be made to write into the records of those that take no more.
//!
//! Part of the ledger: reactions are counted here, and the log has them as events alone until their message is too old for more.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::weight::beside;
use crate::domain::Reaction;
use crate::types::{MemberId, ReactionName, Seq};

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
struct ToMessage {
    target: Seq,
    /// Whose it is: the marks may have forgotten it before the log has what it has been reacted to with.
    author: MemberId,
    /// In the order in which they came.
    names: Vec<Named>,
}

/// Who has reacted with a name, in the order in which they did; somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Named(ReactionName, Vec<MemberId>);

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

impl ToMessage {
    fn named(&self, name: &ReactionName) -> Option<&Named> {
        self.names.iter().find(|named| named.0 == *name)
    }

    fn people(&self) -> impl Iterator<Item = MemberId> {
        self.names.iter().flat_map(|Named(_, by)| by.iter().copied())
    }

    fn shown(&self) -> Vec<Reaction> {
        self.names.iter().map(|Named(name, by)| Reaction::new(name.clone(), by)).collect()
    }

    /// Bytes that it holds beside itself.
    fn weight(&self) -> usize {
        let named = |Named(name, by): &Named| by.capacity() * size_of::<MemberId>() + beside(name.as_str());
        self.names.capacity() * size_of::<Named>() + self.names.iter().map(named).sum::<usize>()
    }

    /// Somebody reacts with a name. `false` where they did already.
    fn add(&mut self, name: &ReactionName, by: MemberId) -> bool {
        match self.names.iter_mut().find(|named| named.0 == *name) {
            Some(Named(_, people)) if people.contains(&by) => return false,
            Some(Named(_, people)) => people.push(by),
            None => {
                self.names.reserve_exact(1);
                self.names.push(Named(name.clone(), vec![by]));
            }
        }
        true
    }

    /// Somebody does not react with a name any more. `false` where they did not.
    fn take(&mut self, name: &ReactionName, by: MemberId) -> bool {
        let Some(index) = self.names.iter().position(|named| named.0 == *name) else { return false };
        let people = &mut self.names[index].1;
        let Some(place) = people.iter().position(|other| *other == by) else { return false };
        people.remove(place);
        if people.is_empty() {
            self.names.remove(index);
        }
        true
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ReactionName {
        ReactionName::parse(text).expect("valid")
    }

    /// Of every message.
    const AUTHOR: MemberId = MemberId(8);

    /// Of each message, name and person, in this order.
    fn reactions(all: &[(u64, &str, u32)]) -> Reactions {
        let mut reactions = Reactions::default();
        for &(target, text, by) in all {
            reactions.set((Seq(target), AUTHOR), &name(text), MemberId(by), true);
        }
        reactions.check(Seq(100));
        reactions
    }

    fn shown(reactions: &Reactions, target: u64) -> Vec<(String, u32, Vec<u32>)> {
        let shown = reactions.shown(Seq(target)).into_iter();
        let line = |one: Reaction| (one.name.to_string(), one.count, one.by.iter().map(|by| by.0).collect());
        shown.map(line).collect()
    }

    #[test]
    fn a_person_reacts_once_with_a_name_and_names_stand_in_the_order_in_which_they_came() {
        let mut all = reactions(&[(3, "b", 2), (3, "a", 2), (3, "b", 1), (3, "b", 2), (5, "a", 9)]);
        assert_eq!(shown(&all, 3), [("b".to_owned(), 2, vec![2, 1]), ("a".to_owned(), 1, vec![2])]);
        assert_eq!((all.total(), all.of_person(MemberId(2)), all.names(Seq(3))), (4, 2, 2));
        all.set((Seq(3), AUTHOR), &name("b"), MemberId(2), false);
        all.set((Seq(3), AUTHOR), &name("b"), MemberId(2), false);
        all.set((Seq(3), AUTHOR), &name("b"), MemberId(1), false);
        all.set((Seq(3), AUTHOR), &name("b"), MemberId(7), true);
        all.check(Seq(100));
        assert_eq!(shown(&all, 3), [("a".to_owned(), 1, vec![2]), ("b".to_owned(), 1, vec![7])]);
        assert_eq!((all.count(Seq(3), &name("b")), all.has(Seq(3), &name("b"), MemberId(2))), (1, false));
    }

    #[test]
    fn what_nobody_reacts_to_any_more_holds_nothing() {
        let mut all = reactions(&[(3, "a", 1), (5, "a", 1)]);
        all.set((Seq(3), AUTHOR), &name("a"), MemberId(1), false);
        all.remove(Seq(5));
        all.remove(Seq(5));
        assert_eq!((all.total(), all.weight(), all.is_empty()), (0, 0, true));
        assert_eq!(all, Reactions::default());
    }

    #[test]
    fn a_message_that_takes_no_more_is_owed_until_the_log_has_what_it_has() {
        let mut all = reactions(&[(3, "a", 1), (5, "a", 1), (7, "a", 1)]);
        all.freeze(Seq(4), Seq(20));
        all.freeze(Seq(6), Seq(21));
        all.freeze(Seq(6), Seq(22));
        all.check(Seq(100));
        let owed: Vec<_> = all.owed().map(|owed| (owed.target.0, owed.change.0)).collect();
        assert_eq!((owed, all.closed(), all.total()), (vec![(3, 20), (5, 21)], Seq(5), 3));
        assert_eq!(all.messages().collect::<Vec<_>>(), [3, 5, 7].map(Seq));
        assert_eq!((shown(&all, 3).len(), all.count(Seq(3), &name("a"))), (1, 0), "shown, and not counted on");
        all.settle(Seq(3));
        assert_eq!((shown(&all, 3), all.total(), all.closed()), (vec![], 2, Seq(5)));
        all.remove_all(|target, author| target == Seq(5) && author == AUTHOR);
        all.check(Seq(100));
        assert_eq!((all.owed().count(), all.of_person(MemberId(1))), (0, 1));
    }

    #[test]
    fn what_was_said_of_a_message_under_a_greater_bound_changes_what_is_owed_of_it() {
        let mut all = reactions(&[(3, "a", 1), (5, "a", 1)]);
        all.freeze(Seq(6), Seq(20));
        all.set((Seq(3), AUTHOR), &name("a"), MemberId(2), true);
        all.set((Seq(5), AUTHOR), &name("a"), MemberId(1), false);
        all.set((Seq(4), AUTHOR), &name("b"), MemberId(1), true);
        all.check(Seq(100));
        assert_eq!(shown(&all, 3), [("a".to_owned(), 2, vec![1, 2])]);
        all.freeze(Seq(6), Seq(21));
        all.check(Seq(100));
        let owed: Vec<_> = all.owed().map(|owed| (owed.target.0, owed.change.0)).collect();
        assert_eq!((owed, all.closed(), all.total()), (vec![(3, 20), (4, 21)], Seq(5), 3));
        all.settle(Seq(4));
        assert_eq!((all.total(), all.weight()), (0, 0));
    }

    #[test]
    fn what_was_written_is_said_by_its_number_whichever_bound_it_is_read_back_under() {
        let mut smaller = reactions(&[(3, "a", 1), (5, "a", 1), (7, "a", 1)]);
        smaller.freeze(Seq(8), Seq(20));
        smaller.settle(Seq(3));
        smaller.check(Seq(100));
        assert_eq!(smaller.owed().map(|owed| owed.target.0).collect::<Vec<_>>(), [5, 7], "nobody has written these");
        let mut greater = reactions(&[(3, "a", 1), (5, "a", 1), (7, "a", 1)]);
        greater.settle(Seq(5));
        greater.check(Seq(100));
        assert_eq!((greater.messages().collect::<Vec<_>>(), greater.closed()), (vec![Seq(7)], Seq(5)));
    }

    #[test]
    fn of_a_person_all_in_a_range_are_found() {
        let all = reactions(&[(3, "a", 1), (3, "b", 2), (5, "b", 1), (5, "a", 1), (7, "a", 1)]);
        let found = |member, from, to| -> Vec<(u64, &str)> {
            all.of(MemberId(member), Seq(from)..=Seq(to)).map(|(target, name)| (target.0, name.as_str())).collect()
        };
        assert_eq!(found(1, 3, 5), [(3, "a"), (5, "b"), (5, "a")]);
        assert_eq!((found(2, 4, 9), found(3, 1, 9)), (vec![], vec![]));
        let own = reactions(&[(3, "a", AUTHOR.0)]);
        assert_eq!(own.of(AUTHOR, Seq(1)..=Seq(9)).count(), 0, "their own message goes with all that it has");
    }

    #[test]
    fn they_are_stored_as_lists_and_read_back() {
        let mut all = reactions(&[(3, "a", 1), (5, "a", 1), (5, "a", 2)]);
        all.freeze(Seq(4), Seq(20));
        let stored = serde_json::to_string(&all).expect("they can be stored");
        let expected = r#"{"held":[{"target":5,"author":8,"names":[["a",[1,2]]]}],"frozen":[{"change":20,"target":3,"author":8,"names":[["a",[1]]]}],"closed":3}"#;
        assert_eq!(stored, expected);
        let read: Reactions = serde_json::from_str(&stored).expect("they are read");
        read.check(Seq(100));
        assert!(read == all && read.total() == 3);
    }

    #[test]
    #[should_panic(expected = "what is reacted to was said before")]
    fn a_reaction_to_what_was_not_said_is_a_bug() {
        reactions(&[(3, "a", 1)]).check(Seq(3));
    }
}
