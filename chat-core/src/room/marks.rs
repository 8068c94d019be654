//! What the room remembers of its messages: number, author, and whether it was taken back. Never their text.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::decision::{HistorySlice, More, NewerSlice};
use crate::types::{MemberId, Seq};

/// One message, in thirteen bytes and not sixteen: there is one for each of the last messages of a hundred thousand rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C, packed)]
pub(super) struct MessageMark {
    /// Its number.
    pub(super) seq: Seq,
    /// The sender, who may take it back.
    pub(super) by: MemberId,
    /// Whether it was taken back. It keeps its place in the history, as a tombstone.
    pub(super) redacted: bool,
}

/// The newest messages, and how many there were in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marks {
    kept: VecDeque<MessageMark>,
    total: u64,
    first: Option<Seq>,
    /// The newest of those that are forgotten; 0 for none, or where a program stored it that did not write it down.
    #[serde(default, skip_serializing_if = "is_none")]
    forgotten: Seq,
}

fn is_none(seq: &Seq) -> bool {
    *seq == Seq(0)
}

impl Marks {
    /// How many messages are remembered.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.kept.capacity() * size_of::<MessageMark>()
    }

    /// The message with this number, if it is remembered.
    pub(super) fn find(&self, seq: Seq) -> Option<&MessageMark> {
        self.kept.binary_search_by_key(&seq, |mark| mark.seq).ok().map(|index| &self.kept[index])
    }

    /// Messages after this number that somebody else wrote, and that were not taken back.
    pub(super) fn of_others_after(&self, after: Seq, own: MemberId) -> impl Iterator<Item = Seq> {
        let start = self.kept.partition_point(|mark| { mark.seq } <= after);
        let unread = self.kept.range(start..).filter(move |mark| { mark.by } != own && !mark.redacted);
        unread.map(|mark| mark.seq)
    }

    /// Whether a message of this number would be older than all that are remembered, and not older than all there were.
    pub(super) fn may_have_forgotten(&self, seq: Seq) -> bool {
        self.first.is_some_and(|first| first <= seq) && self.kept.front().is_none_or(|oldest| seq < { oldest.seq })
    }

    /// Remembers a message, newer than all before; forgets the oldest when there are more than `max`.
    pub(super) fn push(&mut self, seq: Seq, by: MemberId, max: usize) {
        self.first.get_or_insert(seq);
        self.total += 1;
        // Before the push, so that a full window never doubles its buffer for one mark.
        self.bound(max.saturating_sub(1));
        if max > 0 {
            if self.kept.len() == self.kept.capacity() {
                // In small steps while it is small: most rooms are.
                self.kept.reserve_exact((self.kept.len() / 4).max(8));
            }
            self.kept.push_back(MessageMark { seq, by, redacted: false });
        } else {
            self.forgotten = seq;
        }
    }

    /// Notes that a message was taken back.
    pub(super) fn redact(&mut self, seq: Seq) {
        if let Ok(index) = self.kept.binary_search_by_key(&seq, |mark| mark.seq) {
            self.kept[index].redacted = true;
        }
    }

    /// Notes that all of a member's in a range were taken back.
    pub(super) fn sweep(&mut self, by: MemberId, from: Seq, to: Seq) {
        self.between(from, to).for_each(|index| {
            let mark = &mut self.kept[index];
            mark.redacted |= { mark.by } == by;
        });
    }

    /// Whether there is one of a member's in a range that was not taken back, as far as they are remembered.
    pub(super) fn has_of(&self, by: MemberId, from: Seq, to: Seq) -> bool {
        self.between(from, to).any(|index| { self.kept[index].by } == by && !self.kept[index].redacted)
    }

    /// Where in a range those may lie that are forgotten; `None` where there are none.
    pub(super) fn forgotten_between(&self, from: Seq, to: Seq) -> Option<(Seq, Seq)> {
        let (first, last) = (self.first?.max(from), self.newest_forgotten().min(to));
        (self.forgotten_total() > 0 && first <= last).then_some((first, last))
    }

    fn between(&self, from: Seq, to: Seq) -> std::ops::Range<usize> {
        let start = self.kept.partition_point(|mark| { mark.seq } < from);
        start..self.kept.partition_point(|mark| { mark.seq } <= to).max(start)
    }

    /// Forgets the oldest, until at most `max` are remembered.
    pub(super) fn bound(&mut self, max: usize) {
        while self.kept.len() > max {
            self.forgotten = self.kept.pop_front().map_or(self.forgotten, |mark| mark.seq);
        }
    }

    /// Names the last `count` messages before `before` that somebody with this floor sees, and how many of them are remembered only by a
    /// log. Of those that it has forgotten it knows the first and the last: whether there is one between is for the log to say.
    pub(super) fn slice(&self, before: Seq, count: usize, sees: Seq) -> HistorySlice {
        #[cfg(feature = "fault_injection")]
        let sees = crate::fault_injection::floor(sees);
        let end = self.kept.partition_point(|mark| { mark.seq } < before);
        let floor = self.kept.partition_point(|mark| { mark.seq } <= sees).min(end);
        let start = end.saturating_sub(count).max(floor);
        let seqs: Vec<Seq> = self.kept.range(start..end).map(|mark| mark.seq).collect();
        let before = seqs.first().copied().unwrap_or(before);
        let first = self.first.map(|first| first.max(sees.next()));
        let is_forgotten = self.newest_forgotten() > sees && first.is_some_and(|first| first < before);
        let wanted = if is_forgotten { (count - seqs.len()).min(self.forgotten_total()) } else { 0 };
        let more = if start > floor || is_forgotten { More::Yes } else { More::No };
        let earlier = (start > floor).then(|| self.kept[start - 1].seq);
        HistorySlice { seqs, wanted, before, sees, more, earlier, newer: NewerSlice::default() }
    }

    /// Names the first `count` messages from `from` on, and says whether there are others that are forgotten. `from` is past the floor of
    /// whoever asks.
    pub(super) fn newer(&self, from: Seq, count: usize, head: Seq) -> NewerSlice {
        let start = self.kept.partition_point(|mark| { mark.seq } < from);
        let seqs: Vec<Seq> = self.kept.range(start..).take(count).map(|mark| mark.seq).collect();
        let newest = self.kept.range(start..).next_back().map(|mark| mark.seq);
        let is_forgotten = self.forgotten_total() > 0 && self.newest_forgotten() >= from;
        let forgotten = if is_forgotten { More::Yes } else { More::No };
        NewerSlice { from, through: head, count, seqs, newest, forgotten }
    }

    /// The oldest of the last `count` messages, as far as they are remembered; none is that old where none is.
    pub(super) fn first_of_last(&self, count: usize) -> Seq {
        let first = self.kept.len().saturating_sub(count);
        self.kept.get(first).map_or(Seq(u64::MAX), |mark| mark.seq)
    }

    /// The floor of somebody who sees the last `count` messages: the number before them, where `head` is the last.
    pub(super) fn floor_of_last(&self, count: usize, head: Seq) -> Seq {
        if self.forgotten_total() == 0 && count >= self.kept.len() {
            return Seq(0);
        }
        let first = self.kept.len().saturating_sub(count);
        self.kept.get(first).map_or(head, |mark| Seq(mark.seq.0 - 1))
    }

    /// How many messages there were that it does not remember.
    fn forgotten_total(&self) -> usize {
        usize::try_from(self.total).unwrap_or(usize::MAX) - self.kept.len()
    }

    /// The newest message that is forgotten; 0 for none.
    fn newest_forgotten(&self) -> Seq {
        match self.forgotten {
            // Where it was not written down: no later than this.
            Seq(0) if self.forgotten_total() > 0 => self.kept.front().map_or(Seq(u64::MAX), |mark| Seq(mark.seq.0 - 1)),
            forgotten => forgotten,
        }
    }

    /// Panics when the marks contradict each other. Costs a look at every mark.
    pub(super) fn check(&self, head: Seq) {
        assert!(self.kept.iter().is_sorted_by(|a, b| { a.seq } < { b.seq }), "messages are remembered in order");
        assert!(self.kept.back().is_none_or(|last| { last.seq } <= head), "no message is newer than the head");
        assert!(self.total >= self.kept.len() as u64, "no more is remembered than there was");
        assert_eq!(self.first.is_some(), self.total > 0, "the first message is known when there is one");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages at 2, 4, 6, ... of which the last `max` are remembered.
    fn even(messages: u64, max: usize) -> Marks {
        let mut marks = Marks::default();
        (1..=messages).for_each(|n| marks.push(Seq(2 * n), MemberId(1), max));
        marks.check(Seq(2 * messages));
        marks
    }

    fn numbers(slice: &HistorySlice) -> Vec<u64> {
        slice.seqs.iter().map(|seq| seq.0).collect()
    }

    #[test]
    fn a_small_room_holds_little_more_than_its_marks_and_a_big_one_grows_seldom() {
        let mut marks = Marks::default();
        let mut sizes = Vec::new();
        for seq in 1..=4_000 {
            marks.push(Seq(seq), MemberId(1), 4_096);
            sizes.push(marks.kept.capacity());
            assert!(marks.kept.capacity() <= marks.len() + (marks.len() / 4).max(8));
        }
        sizes.dedup();
        assert!(sizes.len() < 40, "{sizes:?}");
    }

    #[test]
    fn a_slice_is_the_last_messages_before_a_number() {
        let marks = even(5, 10);
        let slice = marks.slice(Seq(9), 2, Seq(0));
        assert_eq!(numbers(&slice), [6, 8]);
        assert_eq!((slice.wanted, slice.before, slice.more), (0, Seq(6), More::Yes));
        let all = marks.slice(Seq(11), 10, Seq(0));
        assert_eq!(numbers(&all), [2, 4, 6, 8, 10]);
        assert_eq!((all.wanted, all.more), (0, More::No));
    }

    #[test]
    fn what_is_forgotten_is_wanted_from_a_log() {
        let marks = even(10, 4);
        let slice = marks.slice(Seq(21), 6, Seq(0));
        assert_eq!(numbers(&slice), [14, 16, 18, 20]);
        assert_eq!((slice.wanted, slice.before, slice.more), (2, Seq(14), More::Yes));
        let older = marks.slice(Seq(9), 3, Seq(0));
        assert_eq!((numbers(&older), older.wanted, older.before, older.more), (vec![], 3, Seq(9), More::Yes));
        assert_eq!(marks.len(), 4);
        let capped = marks.slice(Seq(21), 50, Seq(0));
        assert_eq!(capped.wanted, 6, "not more than there ever were");
    }

    #[test]
    fn what_follows_a_number_is_the_first_messages_from_it_on() {
        let marks = even(10, 4);
        // Remembered are 14, 16, 18 and 20; forgotten 2 to 12.
        let newer = |from, count| {
            let slice = marks.newer(Seq(from), count, Seq(30));
            let seqs = slice.seqs.iter().map(|seq| seq.0).collect::<Vec<_>>();
            (seqs, slice.newest.map(|seq| seq.0), slice.forgotten)
        };
        assert_eq!(newer(15, 2), (vec![16, 18], Some(20), More::No));
        assert_eq!(newer(16, 9), (vec![16, 18, 20], Some(20), More::No));
        assert_eq!(newer(13, 1), (vec![14], Some(20), More::No));
        assert_eq!(newer(12, 1), (vec![14], Some(20), More::Yes), "12 itself is forgotten");
        assert_eq!(newer(1, 0), (vec![], Some(20), More::Yes));
        assert_eq!(newer(21, 3), (vec![], None, More::No));
        assert_eq!(even(3, 0).newer(Seq(4), 3, Seq(30)).forgotten, More::Yes);
        assert_eq!(even(0, 4).newer(Seq(1), 3, Seq(30)).forgotten, More::No);
    }

    #[test]
    fn nothing_asked_names_nothing_but_says_whether_there_is_more() {
        assert_eq!(even(3, 10).slice(Seq(7), 0, Seq(0)).more, More::Yes);
        assert_eq!(even(3, 10).slice(Seq(2), 0, Seq(0)).more, More::No);
        assert_eq!(even(0, 10).slice(Seq(1), 5, Seq(0)), HistorySlice { before: Seq(1), ..HistorySlice::default() });
    }

    #[test]
    fn nothing_up_to_a_floor_is_named_and_none_of_it_counts_as_more() {
        let marks = even(10, 4);
        // Remembered are 14, 16, 18 and 20; forgotten 2 to 12.
        let seen = |before, count, sees| {
            let slice = marks.slice(Seq(before), count, Seq(sees));
            (numbers(&slice), slice.wanted, slice.more)
        };
        assert_eq!(seen(21, 2, 16), (vec![18, 20], 0, More::No));
        assert_eq!(seen(21, 9, 16), (vec![18, 20], 0, More::No));
        assert_eq!(seen(21, 1, 16), (vec![20], 0, More::Yes));
        assert_eq!(seen(21, 9, 12), (vec![14, 16, 18, 20], 0, More::No), "all that is remembered");
        assert_eq!(seen(21, 9, 11), (vec![14, 16, 18, 20], 5, More::Yes), "one of the forgotten");
        assert_eq!(seen(21, 4, 11), (vec![14, 16, 18, 20], 0, More::Yes));
        assert_eq!(seen(12, 4, 11), (vec![], 0, More::No), "before the floor there is nothing");
        assert_eq!(seen(15, 4, 20), (vec![], 0, More::No));
        assert_eq!(seen(21, 4, 20), (vec![], 0, More::No));
        assert_eq!(seen(21, 0, 20), (vec![], 0, More::No));
    }

    #[test]
    fn what_was_stored_without_the_newest_forgotten_message_says_that_there_may_be_one() {
        let stored = serde_json::to_string(&Marks { forgotten: Seq(0), ..even(10, 4) }).expect("it can be stored");
        assert!(!stored.contains("forgotten"), "{stored}");
        let read: Marks = serde_json::from_str(&stored).expect("what was stored is read");
        assert_eq!(read.slice(Seq(21), 4, Seq(0)).more, More::Yes);
        assert_eq!(read.slice(Seq(21), 4, Seq(13)).more, More::No);
        assert_eq!([13, 14].map(|from| read.newer(Seq(from), 1, Seq(30)).forgotten), [More::Yes, More::No]);
    }

    #[test]
    fn what_is_forgotten_lies_between_the_first_message_and_the_newest_of_them() {
        let marks = even(10, 4);
        let between = |from, to| marks.forgotten_between(Seq(from), Seq(to)).map(|(first, last)| (first.0, last.0));
        assert_eq!((between(1, 20), between(4, 5)), (Some((2, 12)), Some((4, 5))));
        assert_eq!((between(12, 20), between(13, 20)), (Some((12, 12)), None), "none of it is newer");
        assert_eq!(even(3, 4).forgotten_between(Seq(1), Seq(9)), None);
    }

    #[test]
    fn the_floor_of_the_last_messages_is_just_before_them() {
        let marks = even(10, 4);
        assert_eq!([0, 1, 4, 5, 99].map(|count| marks.floor_of_last(count, Seq(30)).0), [30, 19, 13, 13, 13]);
        let all = even(3, 4);
        assert_eq!([0, 2, 3, 4].map(|count| all.floor_of_last(count, Seq(30)).0), [30, 3, 0, 0]);
        assert_eq!(even(0, 4).floor_of_last(2, Seq(7)), Seq(0));
        assert_eq!(even(3, 0).floor_of_last(2, Seq(7)), Seq(7), "a room that remembers nothing shows nothing");
    }

    #[test]
    fn the_oldest_of_the_last_messages_is_known_as_far_as_they_are_remembered() {
        let marks = even(10, 4);
        assert_eq!([1, 2, 4, 9].map(|count| marks.first_of_last(count).0), [20, 18, 14, 14]);
        assert_eq!([even(3, 0), even(0, 4)].map(|marks| marks.first_of_last(2)), [Seq(u64::MAX); 2]);
        assert_eq!(marks.first_of_last(0), Seq(u64::MAX));
    }

    #[test]
    fn a_redacted_message_stays_named() {
        let mut marks = even(3, 10);
        marks.redact(Seq(4));
        assert_eq!(marks.find(Seq(4)).map(|mark| mark.redacted), Some(true));
        assert_eq!(numbers(&marks.slice(Seq(7), 10, Seq(0))), [2, 4, 6]);
    }

    #[test]
    fn what_is_older_than_all_that_is_remembered_may_have_been_a_message() {
        let forgotten = |marks: &Marks| (0..=12).filter(|&seq| marks.may_have_forgotten(Seq(seq))).collect::<Vec<_>>();
        assert_eq!(forgotten(&even(5, 3)), [2, 3, 4, 5]);
        assert_eq!((forgotten(&even(3, 3)), forgotten(&even(0, 3))), (vec![], vec![]));
        assert_eq!(forgotten(&even(1, 0)), (2..=12).collect::<Vec<_>>());
    }

    #[test]
    fn a_room_may_remember_nothing() {
        let marks = even(3, 0);
        assert_eq!((marks.len(), marks.slice(Seq(7), 2, Seq(0)).wanted), (0, 2));
    }

    #[test]
    #[should_panic(expected = "no message is newer than the head")]
    fn a_message_newer_than_the_head_is_a_bug() {
        even(3, 10).check(Seq(5));
    }
}
