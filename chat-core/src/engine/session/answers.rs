//! The answers of a session that its transport has not taken: small ones encoded, large ones as what to read.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use thin_vec::ThinVec;

use crate::engine::feed::page::{Page, PageSlice};
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::session::charge::Charge;
use crate::room::{Changed, Sweep};
use crate::types::{CommandId, Limits, Seq, SessionLimits};
use crate::wire::{self, FrameKind, JoinedParts};

/// What a page to be read takes beside the numbers it names, about.
const READ_BYTES: usize = 256;

/// Answers not yet taken by the transport, without those that a room's slot holds.
#[derive(Default)]
pub(crate) struct Answers {
    /// Small ones, encoded; they go first.
    pub(crate) mailbox: VecDeque<Mail>,
    /// Histories and changes, in the order in which they were asked for.
    pub(crate) histories: ThinVec<HistoryAnswer>,
    /// What all of them hold, those of the rooms' slots too.
    bytes: usize,
    /// What commands not yet answered may come to hold.
    reserved: usize,
    /// A page is being fetched, or is in hand: one at a time.
    pub(crate) page: PageInHand,
    /// Somebody waits for a page outside the session's frames, or has not read it yet.
    pub(crate) has_turn: bool,
    next_key: u32,
    /// Commands not yet answered, or answered and not yet taken.
    pub(crate) in_flight: usize,
}

/// Whether a session has a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PageInHand {
    #[default]
    None,
    /// It is being fetched, or waits to be taken.
    One,
}

/// One small answer.
pub(crate) struct Mail {
    pub(crate) kind: FrameKind,
    pub(crate) json: Bytes,
    pub(crate) tag: Option<u64>,
}

/// Messages that are read when the transport can take them.
pub(crate) struct Read {
    pub(crate) feed: Arc<RoomFeed>,
    pub(crate) slice: PageSlice,
    /// The page that was fetched, where the log had to be asked.
    pub(crate) page: Option<Page>,
    /// The backlog does not have all of it.
    pub(crate) needs_log: bool,
    /// What pays for it, until it has been read for the first time.
    pub(crate) charge: Option<Charge>,
}

/// The answer to a `history`, or to `changes`.
pub(crate) struct HistoryAnswer {
    pub(crate) key: u32,
    pub(crate) id: Option<CommandId>,
    pub(crate) tag: Option<u64>,
    pub(crate) read: Read,
}

/// A `joined` that waits to be told.
pub(crate) struct PendingJoined {
    pub(crate) parts: JoinedParts,
    pub(crate) read: Read,
    pub(crate) tag: Option<u64>,
    /// Whether it answers a command, and so ends its being in flight.
    pub(crate) answers: bool,
}

/// For what a page was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageOf {
    History { key: u32 },
    PendingJoined { slot: u32 },
}

/// How the answer that shows a page is written.
pub(crate) type Encode = fn(Option<CommandId>, &RoomFeed, &Page) -> Bytes;

/// Which frame shows a page of this, and how it is written.
pub(crate) fn encoder(slice: &PageSlice) -> (FrameKind, Encode) {
    match slice {
        PageSlice::History(_) => (FrameKind::History, |id, feed, page| {
            wire::history(id, &feed.code, feed.epoch, page.iter(), (page.more, page.more_after), page.as_of)
        }),
        PageSlice::Changes(_) => (FrameKind::Changes, |id, feed, page| {
            wire::changes(id, &feed.code, feed.epoch, page.iter(), &page.swept, (page.through, page.more), page.as_of)
        }),
    }
}

impl Read {
    pub(crate) fn new(feed: Arc<RoomFeed>, slice: PageSlice) -> Self {
        Self { feed, slice, page: None, needs_log: false, charge: None }
    }

    /// It has been read, and is so long. Whoever is shown it again, because it was not taken, has paid.
    pub(crate) fn pay(&mut self, bytes: usize) {
        if let Some(mut charge) = self.charge.take() {
            charge.pay(bytes);
        }
    }

    /// What one that names as many messages as it may takes.
    pub(crate) fn weight_max(limits: &Limits) -> usize {
        READ_BYTES + limits.room.history_max.max(2) * size_of::<Changed>()
    }

    fn weight(&self) -> usize {
        READ_BYTES
            + match &self.slice {
                PageSlice::History(slice) => (slice.seqs.len() + slice.newer.seqs.len()) * size_of::<Seq>(),
                PageSlice::Changes(slice) => {
                    slice.changed.len() * size_of::<Changed>() + slice.swept.len() * size_of::<Sweep>()
                }
            }
    }
}

impl PendingJoined {
    pub(crate) fn weight(&self) -> usize {
        self.parts.weight() + self.read.weight()
    }
}

impl Answers {
    /// Whether one more answer, however large, and the page in hand are within the bound. With nothing held there always is
    /// room: else small bounds would let nothing through.
    pub(crate) fn have_room(&self, limits: &SessionLimits) -> bool {
        let held = self.bytes + self.reserved;
        held == 0 || held + 2 * limits.page_bytes_max <= limits.answers_bytes_max
    }

    /// Holds free for a page what the session may still hold beside the page in hand, and says how much that is.
    pub(crate) fn claim(&mut self, limits: &SessionLimits) -> usize {
        let held = self.bytes + self.reserved + limits.page_bytes_max;
        let bytes = limits.answers_bytes_max.saturating_sub(held).min(limits.page_bytes_max);
        self.reserved += bytes;
        bytes
    }

    /// An answer has been taken, or a command is done without one.
    pub(crate) fn one_done(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.reserved += bytes;
    }

    pub(crate) fn release(&mut self, bytes: usize) {
        self.reserved = self.reserved.saturating_sub(bytes);
    }

    pub(crate) fn hold(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    pub(crate) fn let_go(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(crate) fn push(&mut self, mail: Mail) {
        self.bytes += mail.json.len();
        self.mailbox.push_back(mail);
    }

    /// The transport has taken the first of the mailbox.
    pub(crate) fn pop(&mut self) {
        if let Some(mail) = self.mailbox.pop_front() {
            self.bytes -= mail.json.len();
        }
        if self.mailbox.is_empty() && self.mailbox.capacity() > 4 {
            self.mailbox = VecDeque::new();
        }
    }

    pub(crate) fn push_history(&mut self, id: Option<CommandId>, tag: Option<u64>, read: Read) {
        let key = self.next_key;
        self.next_key = self.next_key.wrapping_add(1);
        self.bytes += read.weight();
        self.histories.push(HistoryAnswer { key, id, tag, read });
    }

    /// The transport has taken a history; `false` where it had before.
    pub(crate) fn remove_history(&mut self, key: u32) -> bool {
        let Some(index) = self.histories.iter().position(|history| history.key == key) else { return false };
        let history = self.histories.remove(index);
        self.bytes = self.bytes.saturating_sub(history.read.weight());
        self.taken(&history.read);
        if self.histories.is_empty() {
            self.histories = ThinVec::new();
        }
        true
    }

    /// The page that was read has been taken: the next may be fetched.
    pub(crate) fn taken(&mut self, read: &Read) {
        if read.page.is_some() {
            self.page = PageInHand::None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::feed::budget::MemoryBudget;
    use crate::room::{ChangesSlice, HistorySlice};
    use crate::types::{Epoch, MemberId, RoomCode};

    #[test]
    fn a_page_that_names_all_it_may_takes_what_is_held_free_for_it() {
        let limits = Limits::default();
        let code = RoomCode::parse("LUNCH").expect("a room code");
        let feed = RoomFeed::new(code, Epoch(1), Seq(0), false, &limits.room, &MemoryBudget::new(1 << 20));
        let feed = Arc::new(feed);
        let weight = |slice| Read::new(Arc::clone(&feed), slice).weight();
        let seqs = vec![Seq(1); limits.room.history_max];
        let history = HistorySlice { seqs, before: Seq(2), ..HistorySlice::default() };
        assert!(weight(PageSlice::History(Box::new(history))) <= Read::weight_max(&limits));
        let sweep = Sweep { member: MemberId(1), from: Seq(1), to: Seq(1), change: Seq(2) };
        let changes = ChangesSlice { swept: vec![sweep; limits.room.history_max / 2], ..ChangesSlice::default() };
        assert_eq!(weight(PageSlice::Changes(Box::new(changes))), Read::weight_max(&limits));
        assert!(Read::weight_max(&limits) >= limits.room.history_max * 8);
    }

    #[test]
    fn what_is_held_and_held_free_leaves_place_for_an_answer_and_the_page_in_hand() {
        let limits = SessionLimits { page_bytes_max: 10, answers_bytes_max: 100, ..SessionLimits::default() };
        let mut answers = Answers::default();
        answers.reserve(40);
        answers.reserve(39);
        answers.hold(1);
        assert!(answers.have_room(&limits));
        answers.hold(1);
        assert!(!answers.have_room(&limits));
        assert_eq!(answers.claim(&limits), 9, "beside the page in hand");
        answers.release(88);
        assert!(answers.have_room(&limits));
        answers.let_go(2);
        let small = SessionLimits { page_bytes_max: 10, answers_bytes_max: 1, ..limits };
        assert!(answers.have_room(&small), "with nothing held there always is");
    }

    #[test]
    fn a_mailbox_that_was_long_gives_its_place_back_and_a_short_one_keeps_it() {
        let mail = || Mail { kind: FrameKind::Ack, json: Bytes::from_static(b"{}"), tag: None };
        let mut answers = Answers::default();
        answers.push(mail());
        answers.pop();
        assert_eq!(answers.bytes, 0);
        let short = answers.mailbox.capacity();
        assert!((1..=4).contains(&short));
        (0..100).for_each(|_| answers.push(mail()));
        (0..100).for_each(|_| answers.pop());
        assert_eq!((answers.mailbox.capacity(), answers.bytes), (0, 0));
    }
}
