//! What one person's screen shows beside the messages: it is what its owner set, and goes with them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chat_core::wire::SignalEntry;
use chat_core::{Epoch, MemberId, RoomLimits, Seq, ServerFrame};
use tokio::time::Instant;

use crate::promise::{Broken, Promise, hold};
use crate::truth::Truth;

/// What one person's screen shows of the slots of a room, on one connection.
#[derive(Debug, Default)]
pub(crate) struct Showing {
    texts: BTreeMap<Seq, String>,
    signals: Vec<SignalEntry>,
    typing: Vec<MemberId>,
    /// Messages of which an event has said that they were taken back, and when.
    taken_back: BTreeMap<Seq, Instant>,
    swept: Vec<(MemberId, Seq, Seq, Instant)>,
}

impl Showing {
    /// An event of the room.
    pub(crate) fn event(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::Redacted { target: Some(target), .. } => {
                self.taken_back.insert(*target, Instant::now());
            }
            ServerFrame::Swept { range: Some(range), .. } => {
                self.swept.push((range.member, range.from, range.to, Instant::now()));
            }
            _ => {}
        }
    }

    /// A message grows, or does not any more.
    pub(crate) fn live(&mut self, at: &Place<'_>, target: Seq, text: Option<&String>) -> Result<(), Broken> {
        let Place { truth, room, .. } = *at;
        let Some(text) = text else {
            let was_shown = self.texts.remove(&target).is_some();
            hold!(was_shown, Promise::Slots, "{at}: {target} grows no more, and it was never told that it does");
            return Ok(());
        };
        let is_so = truth.slots.hear_text(room, target, text);
        hold!(is_so, Promise::Slots, "{at}: {target} is told to say {text:?}, and nobody has said so");
        hold!(target > at.floor && target <= at.seq, Promise::Floor, "{at}: of {target}, above {}", at.floor);
        let since = self.over_since(at, target);
        hold!(since.is_none(), Promise::Slots, "{at}: {target} says {text:?}, which was told to be taken back");
        self.texts.insert(target, text.clone());
        let bytes: usize = self.texts.values().map(String::len).sum();
        let is_bounded = self.texts.len() <= at.limits.live_max && bytes <= at.limits.live_bytes_max;
        hold!(is_bounded, Promise::Slots, "{at}: {:?} grow at once", self.texts);
        Ok(())
    }

    /// All signals there are.
    pub(crate) fn signals(&mut self, at: &Place<'_>, signals: &[SignalEntry]) -> Result<(), Broken> {
        let is_sorted = signals.is_sorted_by(|a, b| (a.member, &a.name) < (b.member, &b.name));
        hold!(is_sorted, Promise::Slots, "{at}: {signals:?}");
        let wrong = signals.iter().find(|entry| !at.truth.slots.hear_signal(at.room, entry));
        hold!(wrong.is_none(), Promise::Slots, "{at}: {wrong:?} is told, and nobody has shown it");
        let members: BTreeSet<MemberId> = signals.iter().map(|entry| entry.member).collect();
        let most = at.limits.signals_per_member_max;
        let has_too_many = |member: &&MemberId| signals.iter().filter(|entry| entry.member == **member).count() > most;
        let wrong = members.iter().find(has_too_many);
        hold!(wrong.is_none(), Promise::Slots, "{at}: {wrong:?} shows too many of {signals:?}");
        self.signals = signals.to_vec();
        Ok(())
    }

    /// All who are typing.
    pub(crate) fn typing(&mut self, members: &[MemberId]) {
        self.typing = members.to_vec();
    }

    /// Nobody has shown anything for longer than it lasts.
    pub(crate) fn check_at_the_end(&self, at: &Place<'_>) -> Result<(), Broken> {
        let Self { texts, signals, typing, .. } = self;
        let is_still = texts.is_empty() && signals.is_empty() && typing.is_empty();
        hold!(is_still, Promise::Slots, "{at}: {texts:?} grow, {signals:?} are shown, and {typing:?} type in the calm");
        Ok(())
    }

    /// Whether what has ended for some time is not shown any more to somebody who reads.
    pub(crate) fn check_in_time(&self, at: &Place<'_>, late: Duration) -> Result<(), Broken> {
        let Place { truth, room, epoch, limits, .. } = *at;
        let is_long_ago = |since: Instant, more: Duration| since.elapsed() > late + more;
        for (target, text) in &self.texts {
            let since = self.over_since(at, *target).or_else(|| truth.out_since(room, epoch, at.author(*target)?));
            let is_over = since.is_some_and(|since| is_long_ago(since, Duration::ZERO));
            hold!(!is_over, Promise::Slots, "{at}: {target} still says {text:?}, {late:?} after its end");
            let said = truth.slots.text(room, *target, text);
            // What was asked for that long before an edit was there before it; with the edit it has ended.
            let edited = truth.edited_at(room, epoch, *target).filter(|edited| is_long_ago(*edited, Duration::ZERO));
            let is_older = said.zip(edited).is_some_and(|(said, edited)| edited > said + late);
            hold!(!is_older, Promise::Slots, "{at}: {target} still says {text:?}, {late:?} after it was edited");
            let is_silent = said.is_some_and(|said| is_long_ago(said, limits.live_ttl));
            hold!(!is_silent, Promise::Slots, "{at}: {target} still says {text:?}, and its author has fallen silent");
        }
        for entry in &self.signals {
            let is_out = truth.out_since(room, epoch, entry.member).is_some_and(|out| is_long_ago(out, Duration::ZERO));
            hold!(!is_out, Promise::Slots, "{at}: {entry:?} is shown, {late:?} after its member has gone");
            let shown = truth.slots.signal(room, entry);
            let is_silent = shown.is_some_and(|shown| is_long_ago(shown, limits.signal_ttl));
            hold!(!is_silent, Promise::Slots, "{at}: {entry:?} is shown, and was not renewed in time");
        }
        Ok(())
    }

    /// Since when it has been told here that a message was taken back.
    fn over_since(&self, at: &Place<'_>, target: Seq) -> Option<Instant> {
        let author = at.author(target);
        let is_swept = |(member, from, to, _): &&(MemberId, Seq, Seq, Instant)| {
            Some(*member) == author && (*from..=*to).contains(&target)
        };
        let swept = || self.swept.iter().find(is_swept).map(|(.., since)| *since);
        self.taken_back.get(&target).copied().or_else(swept)
    }
}

/// Where somebody stands in a room.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) name: &'a str,
    pub(crate) truth: &'a Truth,
    pub(crate) limits: &'a RoomLimits,
    pub(crate) room: &'a str,
    pub(crate) epoch: Epoch,
    /// The last event that they have seen.
    pub(crate) seq: Seq,
    /// The floor of what they see.
    pub(crate) floor: Seq,
}

impl Place<'_> {
    fn author(&self, target: Seq) -> Option<MemberId> {
        self.truth.author(self.room, self.epoch, target)
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}:{}", self.name, self.room, self.seq)
    }
}
