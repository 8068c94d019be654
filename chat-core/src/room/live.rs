//! Messages that are shown while they grow: a few in all, one of each member, each for as long as its author goes on.

use crate::seldom::Nothing;
use crate::types::{Body, MemberId, Mono, Reject, RejectCode, RoomLimits, Seq};

/// A message that its author is still writing, as it is so far.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveText {
    /// The number of the message.
    pub target: Seq,
    /// Its author.
    pub member: MemberId,
    /// What it says so far.
    pub text: Body,
    /// Another for each text that was shown, in all the time of a room in memory.
    pub revision: u32,
    /// The revision of its first text: the same for as long as it grows, and another where it ended and is shown anew.
    pub begun: u32,
    until: Mono,
}

impl LiveText {
    /// One that has just begun.
    #[cfg(test)]
    pub(crate) fn of(target: Seq, member: MemberId, text: Body, revision: u32) -> Self {
        Self { target, member, text, revision, begun: revision, until: Mono(u64::MAX) }
    }
}

/// All of a room, in the order in which their authors began. Nothing is allocated while there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LiveTexts {
    texts: Vec<LiveText>,
    /// Another whenever something is shown that was not, or not any more.
    revision: u32,
}

impl Nothing for LiveTexts {
    const NOTHING: &'static Self = &Self { texts: Vec::new(), revision: 0 };
}

impl LiveTexts {
    pub(super) fn as_slice(&self) -> &[LiveText] {
        &self.texts
    }

    pub(super) fn revision(&self) -> u32 {
        self.revision
    }

    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Bytes that it holds, and that whoever tells it holds once more.
    pub(super) fn weight(&self) -> usize {
        self.texts.capacity() * size_of::<LiveText>() + 2 * self.bytes()
    }

    /// When the first of them has been silent for too long.
    pub(super) fn earliest(&self) -> Option<Mono> {
        self.texts.iter().map(|live| live.until).min()
    }

    /// A member shows a message; another one of theirs, if there is one, ends.
    pub(super) fn show(&mut self, member: MemberId, target: Seq, text: Body, until: Mono) {
        match self.texts.iter_mut().find(|live| live.member == member) {
            // Said again, and nothing to be told.
            Some(live) if live.target == target && live.text == text => live.until = until,
            Some(live) => {
                self.revision = self.revision.wrapping_add(1);
                let begun = if live.target == target { live.begun } else { self.revision };
                *live = LiveText { target, member, text, revision: self.revision, begun, until };
            }
            None => {
                let revision = self.revision.wrapping_add(1);
                self.revision = revision;
                self.texts.push(LiveText { target, member, text, revision, begun: revision, until });
            }
        }
    }

    /// Ends all others.
    pub(super) fn retain(&mut self, stays: impl FnMut(&LiveText) -> bool) {
        let before = self.texts.len();
        self.texts.retain(stays);
        if self.texts.len() < before {
            self.revision = self.revision.wrapping_add(1);
        }
        if self.texts.is_empty() {
            self.texts = Vec::new();
        }
    }

    pub(super) fn end_of(&mut self, member: MemberId) {
        self.retain(|live| live.member != member);
    }

    /// Ends what has been silent for too long.
    pub(super) fn expire(&mut self, now: Mono) {
        self.retain(|live| live.until > now);
    }

    /// Whether a member may show this, in place of what they show.
    ///
    /// # Errors
    /// `live_full`, with the bound.
    pub(super) fn room_for(&self, member: MemberId, text: &Body, limits: &RoomLimits) -> Result<(), Reject> {
        let others = || self.texts.iter().filter(|live| live.member != member);
        if others().count() >= limits.live_max {
            let reject = Reject::new(RejectCode::LiveFull, "as many messages grow in this room as may be shown");
            return Err(reject.limit(limits.live_max as u64));
        }
        let bytes: usize = others().map(|live| live.text.as_str().len()).sum();
        if bytes + text.as_str().len() > limits.live_bytes_max {
            let message = "the messages that grow in this room have as many bytes as they may";
            let reject = Reject { field: Some("text"), ..Reject::new(RejectCode::LiveFull, message) };
            return Err(reject.limit(limits.live_bytes_max as u64));
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.texts.iter().map(|live| live.text.as_str().len()).sum()
    }

    /// Panics when a bound does not hold, or somebody shows two, or one without being here.
    pub(super) fn check(&self, limits: &RoomLimits, is_here: impl Fn(MemberId) -> bool) {
        assert!(self.texts.len() <= limits.live_max, "live_max holds");
        assert!(self.bytes() <= limits.live_bytes_max, "live_bytes_max holds");
        for (index, live) in self.texts.iter().enumerate() {
            assert!(is_here(live.member), "who shows a growing message is here");
            assert!(self.texts[..index].iter().all(|other| other.member != live.member), "a member shows one message");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ends_is_news_and_each_text_weighs_twice() {
        let mut live = LiveTexts::default();
        for (member, text, until) in [(1, "ab", 10), (2, "cde", 20)] {
            live.show(MemberId(member), Seq(3), Body::parse(text, 10).expect("valid"), Mono(until));
        }
        let told = live.revision();
        live.end_of(MemberId(7));
        live.expire(Mono(9));
        assert_eq!((live.revision(), live.as_slice().len()), (told, 2));
        live.expire(Mono(10));
        assert_ne!(live.revision(), told);
        assert_eq!(live.weight(), live.texts.capacity() * size_of::<LiveText>() + 2 * "cde".len());
    }
}
