//! The slots that members fill: messages shown while they grow, and signals. A reader that comes late takes the newest.
//!
//! A room in which nobody has shown anything yet has none, and its readers look at one word.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::engine::feed::signal_slot::SignalSlot;
use crate::locks::lock;
use crate::room::LiveText;
use crate::types::{Mono, RoomCode, Seq};
use crate::wire::{self, FrameKind};

/// The slots that members fill, in one incarnation.
pub(crate) struct MemberSlots {
    pub(crate) live: LiveSlot,
    pub(crate) signals: SignalSlot,
    pub(crate) live_told: Told,
    pub(crate) signals_told: Told,
}

/// What of a room its slot shows, and since when. Only the room's task writes it.
#[derive(Default)]
pub(crate) struct Told {
    revision: AtomicU32,
    /// In milliseconds, and one more; 0 for never.
    at: AtomicU64,
}

/// The messages that grow.
#[derive(Default)]
pub(crate) struct LiveSlot {
    /// Another for each set of texts.
    version: AtomicU32,
    texts: Mutex<SmallVec<[LiveEntry; 1]>>,
}

/// One message that grows.
#[derive(Clone, Debug)]
pub(crate) struct LiveEntry {
    pub(crate) target: Seq,
    /// Another for each text.
    pub(crate) revision: u32,
    /// The same for as long as it grows: see [`LiveText`].
    pub(crate) begun: u32,
    pub(crate) json: Bytes,
}

/// What the client of one session has of a room's slots.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct SlotsHeard {
    /// The messages that its client shows as growing, and the revision of each.
    pub(crate) live: SmallVec<[(Seq, u32); 2]>,
    /// The version up to which there is nothing else to tell it.
    pub(crate) live_version: u32,
    pub(crate) signals_version: u32,
}

impl Default for MemberSlots {
    fn default() -> Self {
        let signals = SignalSlot::new(FrameKind::Signals);
        Self { live: LiveSlot::default(), signals, live_told: Told::default(), signals_told: Told::default() }
    }
}

impl MemberSlots {
    /// How many bytes they show to somebody who comes in, and learns nothing of messages up to this one.
    pub(crate) fn shown_bytes(&self, sees: Seq) -> usize {
        let texts = self.live.texts();
        let live: usize = texts.iter().filter(|entry| entry.target > sees).map(|entry| entry.json.len()).sum();
        live + self.signals.shown_bytes()
    }
}

impl SlotsHeard {
    /// Nothing.
    pub(crate) const NONE: Self = Self { live: SmallVec::new_const(), live_version: 0, signals_version: 0 };

    /// Of a session that enters, and is shown the room afresh or goes on where it was.
    pub(crate) fn on_entry(slots: &MemberSlots, is_afresh: bool) -> Self {
        let signals_version = if is_afresh { slots.signals.heard_by_newcomer() } else { 0 };
        Self { signals_version, ..Self::default() }
    }

    pub(crate) fn note_live(&mut self, target: Seq, revision: u32) {
        match self.live.iter_mut().find(|(known, _)| *known == target) {
            Some((_, heard)) => *heard = revision,
            None => self.live.push((target, revision)),
        }
    }
}

impl Told {
    pub(crate) fn revision(&self) -> u32 {
        self.revision.load(Ordering::Relaxed)
    }

    pub(crate) fn at(&self) -> Option<Mono> {
        self.at.load(Ordering::Relaxed).checked_sub(1).map(Mono)
    }

    pub(crate) fn note(&self, revision: u32, at: Mono) {
        self.revision.store(revision, Ordering::Relaxed);
        self.at.store(at.0.saturating_add(1), Ordering::Relaxed);
    }
}

impl LiveSlot {
    /// 0 before the first text.
    pub(crate) fn version(&self) -> u32 {
        self.version.load(Ordering::Acquire)
    }

    /// All of them. What ended or grew since the version was read is another version, and is looked at again.
    pub(crate) fn texts(&self) -> SmallVec<[LiveEntry; 4]> {
        lock(&self.texts).iter().cloned().collect()
    }

    /// Takes away what does not grow any more, so that nobody is told of it from now on.
    pub(crate) fn retain(&self, grows: impl Fn(&LiveEntry) -> bool) {
        let mut texts = lock(&self.texts);
        let before = texts.len();
        texts.retain(|entry| grows(entry));
        if texts.len() < before {
            drop(texts);
            self.version.fetch_add(1, Ordering::Release);
        }
    }

    /// Puts the texts as they are now into the place of all before. Those that have not grown are not encoded again.
    pub(crate) fn set(&self, code: &RoomCode, now: &[LiveText]) {
        self.put(now, |live| wire::live(code, live.target, live.member, &live.text));
    }

    /// Whoever looks while the new texts are encoded finds all those before: nothing has ended yet.
    fn put(&self, now: &[LiveText], encode: impl Fn(&LiveText) -> Bytes) {
        let known = self.texts();
        let entry = |live: &LiveText| {
            let known = known.iter().find(|entry| (entry.target, entry.revision) == (live.target, live.revision));
            known.cloned().unwrap_or_else(|| LiveEntry {
                target: live.target,
                revision: live.revision,
                begun: live.begun,
                json: encode(live),
            })
        };
        let texts = now.iter().map(entry).collect();
        *lock(&self.texts) = texts;
        self.version.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Body, MemberId};

    #[test]
    fn what_grows_is_there_while_what_it_says_now_is_put_in_its_place() {
        let slot = LiveSlot::default();
        let texts = |revision: u32, all: &[(u64, &str)]| -> Vec<LiveText> {
            let text = |&(target, text): &(u64, &str)| {
                let text = Body::parse(text, 10).expect("a valid text");
                LiveText::of(Seq(target), MemberId(1), text, revision)
            };
            all.iter().map(text).collect()
        };
        let shown =
            || -> Vec<(u64, Bytes)> { slot.texts().into_iter().map(|entry| (entry.target.0, entry.json)).collect() };
        let as_said = |live: &LiveText| Bytes::from(live.text.as_str().to_owned());
        slot.put(&texts(1, &[(3, "half"), (4, "other")]), as_said);
        let before = shown();
        assert_eq!(before, [(3, Bytes::from("half")), (4, Bytes::from("other"))]);
        slot.put(&texts(2, &[(3, "more")]), |live| {
            assert_eq!(shown(), before, "nothing has ended, for whoever looks now");
            as_said(live)
        });
        assert_eq!((shown(), slot.version()), (vec![(3, Bytes::from("more"))], 2));
    }
}
