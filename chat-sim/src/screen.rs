//! What one person's screen shows of the messages and members of a room, folded from frames as the protocol page says, and never told to forget.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::wire::{ChangedMessage, Joined, MemberEntry, MessageFrame, ReactionChange, SweptRange};
use chat_core::{Epoch, MemberId, Seq, ServerFrame};

use crate::people::MemberList;
use crate::plan::Plan;
use crate::promise::{Broken, Promise, hold};
use crate::summary::says;
use crate::truth::Truth;

/// The messages that a person holds of one life of a room.
#[derive(Debug)]
pub(crate) struct Screen {
    epoch: Epoch,
    held: BTreeMap<Seq, Held>,
    /// The last event seen.
    seq: Seq,
    /// What every event up to here changed is shown.
    known: Seq,
    /// The last change that was heard of, in its place or in a `gap` or a `joined`. Past `known` it has to be asked for.
    due: Seq,
    /// What gaps have left out and is still to be read, by the events before and at the end of each.
    holes: Vec<(Seq, Seq)>,
    /// What of that was read: all of it is held.
    filled: Vec<(Seq, Seq)>,
    members: MemberList,
}

#[derive(Clone, Debug)]
struct Held {
    by: MemberId,
    /// Nothing where it was taken back.
    says: Option<String>,
    /// How many have reacted with each name, and those that are known of them.
    reactions: BTreeMap<String, (u32, BTreeSet<MemberId>)>,
    /// The last event that this reflects.
    as_of: Seq,
}

impl Held {
    /// Says this from now on, or nothing: then there is nothing to react to, either.
    fn say(&mut self, says: Option<String>, as_of: Seq) {
        (self.says, self.as_of) = (says, as_of);
        if self.says.is_none() {
            self.reactions.clear();
        }
    }

    fn react(&mut self, change: &ReactionChange, as_of: Seq) {
        let (count, by) = self.reactions.entry(change.name.to_string()).or_default();
        *count = change.count;
        if change.on {
            by.insert(change.by);
        } else {
            by.remove(&change.by);
        }
        self.reactions.retain(|_, (count, _)| *count > 0);
        self.as_of = as_of;
    }

    /// Whether it shows how many have reacted, and nobody who has not.
    fn shows(&self, reactions: Option<&BTreeMap<String, BTreeSet<MemberId>>>) -> bool {
        let Some(reactions) = reactions else { return self.reactions.is_empty() };
        let are_counted = self.reactions.len() == reactions.len();
        are_counted
            && self.reactions.iter().all(|(name, (count, by))| {
                reactions.get(name).is_some_and(|people| people.len() == *count as usize && by.is_subset(people))
            })
    }
}

impl Screen {
    /// The room is shown afresh: what was held of the same life stays.
    pub(crate) fn joined(earlier: Option<Self>, joined: &Joined) -> Self {
        let mut screen = match earlier.filter(|earlier| earlier.epoch == joined.epoch) {
            Some(mut earlier) => {
                // What follows the last event that was seen is told again.
                let goes_on = joined.seq <= earlier.seq;
                earlier.miss(if goes_on { Seq(0) } else { joined.changed_at });
                // Who was put out may have held what is not theirs to see any more: nobody will tell them what becomes of it.
                earlier.held.retain(|seq, _| *seq > joined.sees);
                for stretch in earlier.holes.iter_mut().chain(&mut earlier.filled) {
                    stretch.0 = stretch.0.max(joined.sees);
                }
                earlier.holes.retain(|(after, through)| after < through);
                earlier
            }
            None => Self {
                epoch: joined.epoch,
                held: BTreeMap::new(),
                seq: Seq(0),
                known: joined.seq,
                due: Seq(0),
                holes: Vec::new(),
                filled: Vec::new(),
                members: MemberList::default(),
            },
        };
        screen.members = MemberList::joined(joined);
        screen.reach(joined.seq);
        joined.history.iter().for_each(|message| screen.hold(message.frame(), joined.as_of));
        screen
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// An event of the room.
    pub(crate) fn event(&mut self, seq: Seq, frame: &ServerFrame) {
        let misses = self.misses();
        self.members.event(frame);
        match frame {
            ServerFrame::Message(message) => self.hold(message, seq),
            ServerFrame::Redacted { target, .. } => {
                self.miss(seq);
                self.change(*target, None, seq);
            }
            ServerFrame::Edited { target, text, data, .. } => {
                self.miss(seq);
                // One that was superseded says nothing, and what superseded it follows.
                if let Some(text) = text {
                    self.change(*target, Some(says(text, data.as_ref())), seq);
                }
            }
            ServerFrame::Reacted { target: Some(target), reaction, .. } => {
                self.miss(seq);
                let held = self.held.get_mut(target).filter(|held| held.as_of < seq);
                if let (Some(held), Some(change)) = (held, reaction) {
                    held.react(change, seq);
                }
            }
            ServerFrame::Swept { range: Some(range), .. } => {
                self.miss(seq);
                self.sweep(seq, |by, held| by == range.member && (range.from..=range.to).contains(&held));
            }
            _ => {}
        }
        self.seq = seq;
        if !misses {
            self.known = self.known.max(seq);
        }
    }

    /// Events that will not come.
    pub(crate) fn gap(&mut self, from: Seq, to: Seq, changed_at: Option<Seq>, members: &[MemberEntry]) {
        self.members = MemberList::of(members);
        if !self.misses() {
            self.known = self.known.max(Seq(from.0.saturating_sub(1)));
        }
        // One in which a membership has ended says nothing of changes: there may have been some.
        self.miss(changed_at.unwrap_or(to));
        self.holes.push((Seq(from.0.saturating_sub(1)), to));
        self.reach(to);
    }

    /// A page of earlier messages.
    pub(crate) fn history<'a>(&mut self, messages: impl Iterator<Item = &'a MessageFrame>, as_of: Seq) {
        messages.for_each(|message| self.hold(message, as_of));
        if self.due > as_of {
            // The answer was overtaken by changes of what it brings.
            self.known = self.known.min(as_of);
        }
    }

    /// After which event the next hole is to be read.
    pub(crate) fn reads_after(&self) -> Option<Seq> {
        self.holes.first().map(|(after, _)| *after)
    }

    /// All that was said after `after` and up to `through` has been shown.
    pub(crate) fn filled(&mut self, after: Seq, through: Seq) {
        let Some(hole) = self.holes.first_mut().filter(|hole| hole.0 == after) else { return };
        self.filled.push((after, through.min(hole.1)));
        hole.0 = through;
        self.holes.retain(|(after, through)| after < through);
    }

    /// What was changed, up to `through`.
    pub(crate) fn changes(&mut self, messages: &[ChangedMessage], swept: &[SweptRange], through: Seq, as_of: Seq) {
        for message in messages {
            match message {
                // What is not on the screen does not come to it by being changed.
                ChangedMessage::There(message) if self.held.contains_key(&message.frame().seq) => {
                    self.hold(message.frame(), as_of);
                }
                ChangedMessage::There(_) => {}
                ChangedMessage::Gone { seq, .. } => drop(self.held.remove(seq)),
            }
        }
        self.sweep(as_of, |by, held| swept.iter().any(|range| range.covers(by, held)));
        self.known = self.known.max(through);
        self.reach(self.seq);
    }

    /// More was changed than the room remembers: nothing that is held is to be trusted.
    pub(crate) fn forget(&mut self) {
        self.held.clear();
        self.filled.clear();
        (self.known, self.due) = (self.seq.max(self.due), Seq(0));
    }

    /// After which event to ask for changes, where that has to be done.
    pub(crate) fn asks_after(&self) -> Option<Seq> {
        self.misses().then_some(self.known)
    }

    /// Everything has been read and nothing happens any more.
    pub(crate) fn check_at_the_end(&self, room: &str, name: &str, plan: &Plan, truth: &Truth) -> Result<(), Broken> {
        if plan.tells {
            self.members.check(room, name, &truth.shown(room, self.epoch, Seq(u64::MAX)))?;
        }
        hold!(!self.misses(), Promise::CatchUp, "{name} is not told what changed in {room} after {}", self.known);
        hold!(self.holes.is_empty(), Promise::CatchUp, "{name} has not read {:?} of {room}", self.holes);
        let said = truth.messages(room, self.epoch, Seq(u64::MAX));
        let is_filled = |seq: &Seq| self.filled.iter().any(|(after, through)| seq > after && seq <= through);
        let hole = said.iter().find(|seq| plan.has_log && is_filled(seq) && !self.held.contains_key(seq));
        hold!(hole.is_none(), Promise::Screen, "{name} has read {:?} of {room}, and not {hole:?}", self.filled);
        let now = truth.says(room, self.epoch);
        let reactions = truth.reactions(room, self.epoch);
        for (seq, held) in &self.held {
            let says = now.get(seq);
            let is_so = says == Some(&held.says);
            hold!(is_so, Promise::Screen, "{name} holds {held:?} as {seq} of {room}, which says {says:?}");
            let truly = reactions.get(seq);
            let is_so = held.shows(truly);
            hold!(is_so, Promise::Screen, "{name} holds {held:?} as {seq} of {room}, to which {truly:?} have reacted");
        }
        Ok(())
    }

    /// The newest messages that are held and were not taken back, so many.
    pub(crate) fn newest(&self, most: usize) -> Vec<Seq> {
        let held = self.held.iter().rev().filter(|(_, held)| held.says.is_some());
        held.map(|(seq, _)| *seq).take(most).collect()
    }

    /// As of this event, a message says this, or nothing.
    fn change(&mut self, target: Option<Seq>, says: Option<String>, as_of: Seq) {
        let held = target.and_then(|target| self.held.get_mut(&target));
        if let Some(held) = held.filter(|held| held.as_of < as_of) {
            held.say(says, as_of);
        }
    }

    /// As of this event, messages of these authors and numbers are taken back.
    fn sweep(&mut self, as_of: Seq, is_swept: impl Fn(MemberId, Seq) -> bool) {
        for (seq, held) in self.held.iter_mut().filter(|(_, held)| held.as_of <= as_of) {
            if is_swept(held.by, *seq) {
                held.say(None, as_of);
            }
        }
    }

    fn misses(&self) -> bool {
        self.due > self.known
    }

    fn miss(&mut self, changed_at: Seq) {
        self.due = self.due.max(changed_at);
    }

    fn reach(&mut self, seq: Seq) {
        self.seq = seq;
        if !self.misses() {
            self.known = self.known.max(seq);
        }
    }

    fn hold(&mut self, message: &MessageFrame, as_of: Seq) {
        let shown = message.reactions.iter();
        let reactions = shown.map(|one| (one.name.to_string(), (one.count, one.by.iter().copied().collect())));
        let says = (!message.redacted).then(|| says(&message.text, message.data.as_ref()));
        let fresh = Held { by: message.member.unwrap_or(MemberId::HOST), says, reactions: reactions.collect(), as_of };
        // Of the same event, too: what is held may have missed a change before it.
        if self.held.get(&message.seq).is_none_or(|held| as_of >= held.as_of) {
            self.held.insert(message.seq, fresh);
        }
    }
}
