//! Exactly once and in order: what every member must have received, checked message by message.
//!
//! All members of a room are in it before the first message and stay until the last, so each must get every message of the run.

/// How a run went, over all members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Messages that should have been delivered (sent, times members of the room).
    pub expected: u64,
    /// Messages that were delivered.
    pub delivered: u64,
    /// Messages that some member never got.
    pub lost: u64,
    /// Messages that came twice, or after a later one of the same sender.
    pub repeated_or_late: u64,
    /// Members who saw the messages in another order than the first member of their room, where nothing was lost.
    pub other_order: u64,
    /// Messages from a sender that nobody is.
    pub strange: u64,
}

impl Verdict {
    /// Whether every member got every message once and in the same order.
    pub fn is_clean(&self) -> bool {
        let wrong = self.lost + self.repeated_or_late + self.other_order + self.strange;
        wrong == 0 && self.delivered == self.expected
    }
}

/// Counts deliveries. Rooms are stretches of `room_size` members; the first `senders` of each may send.
#[derive(Debug)]
pub struct Tally {
    room_size: usize,
    senders: usize,
    /// The number awaited by member (row) from sender (column).
    next: Vec<u32>,
    digest: Vec<u64>,
    delivered: u64,
    skipped: u64,
    repeated_or_late: u64,
    strange: u64,
}

impl Tally {
    /// For `members` in rooms of `room_size`, of which `senders` each may send.
    pub fn new(members: usize, room_size: usize, senders: usize) -> Self {
        let (next, digest) = (vec![0; members * senders], vec![0; members]);
        Self { room_size, senders, next, digest, delivered: 0, skipped: 0, repeated_or_late: 0, strange: 0 }
    }

    /// One message of `sender` (a member's index) with `number` has reached `member`.
    #[inline]
    pub fn count(&mut self, member: usize, sender: u32, number: u32) {
        let column = (sender as usize).wrapping_sub(member / self.room_size * self.room_size);
        if column >= self.senders {
            self.strange += 1;
            return;
        }
        let next = &mut self.next[member * self.senders + column];
        if number < *next {
            self.repeated_or_late += 1;
            return;
        }
        self.skipped += u64::from(number - *next);
        *next = number + 1;
        self.delivered += 1;
        let digest = &mut self.digest[member];
        *digest =
            (digest.rotate_left(7) ^ (u64::from(sender) << 32 | u64::from(number))).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    /// Deliveries so far, of new messages.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// How many messages of `sender` have come to `member`, or have been skipped on the way.
    pub fn heard(&self, member: usize, sender: usize) -> u32 {
        self.next[member * self.senders + sender % self.room_size]
    }

    /// Whether every member has got the newest message of every sender. `sent` is how many each member has sent.
    pub fn is_complete(&self, sent: &[u32]) -> bool {
        self.rows()
            .all(|(member, row)| row.iter().zip(self.sent_in_room(sent, member)).all(|(next, sent)| next == sent))
    }

    /// The result, when no more messages are awaited. `sent` is how many each member has sent.
    pub fn verdict(&self, sent: &[u32]) -> Verdict {
        let mut verdict = Verdict {
            delivered: self.delivered,
            repeated_or_late: self.repeated_or_late,
            strange: self.strange,
            lost: self.skipped,
            ..Verdict::default()
        };
        for (member, row) in self.rows() {
            for (next, sent) in row.iter().zip(self.sent_in_room(sent, member)) {
                verdict.expected += u64::from(*sent);
                verdict.lost += u64::from(sent.saturating_sub(*next));
            }
        }
        if verdict.lost == 0 {
            let first = |member: usize| member / self.room_size * self.room_size;
            let differing = (0..self.digest.len()).filter(|&member| self.digest[member] != self.digest[first(member)]);
            verdict.other_order = differing.count() as u64;
        }
        verdict
    }

    fn rows(&self) -> impl Iterator<Item = (usize, &[u32])> {
        self.next.chunks(self.senders).enumerate()
    }

    fn sent_in_room<'a>(&self, sent: &'a [u32], member: usize) -> &'a [u32] {
        let first = member / self.room_size * self.room_size;
        &sent[first..first + self.senders]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_got_once_and_in_order_is_clean() {
        let mut tally = Tally::new(4, 2, 2);
        for member in 0..2 {
            tally.count(member, 0, 0);
            tally.count(member, 1, 0);
            tally.count(member, 0, 1);
        }
        for member in 2..4 {
            tally.count(member, 3, 0);
        }
        let sent = [2, 1, 0, 1];
        assert!(tally.is_complete(&sent));
        assert_eq!((tally.heard(0, 0), tally.heard(1, 0), tally.heard(3, 3)), (2, 2, 1));
        let verdict = tally.verdict(&sent);
        assert_eq!((verdict.expected, verdict.delivered), (8, 8));
        assert!(verdict.is_clean());
    }

    #[test]
    fn a_hole_a_missing_end_a_repetition_and_a_stranger_are_seen() {
        let mut tally = Tally::new(2, 2, 1);
        tally.count(0, 0, 1); // number 0 is missing
        tally.count(0, 0, 1); // once more
        tally.count(1, 0, 0); // number 1 never comes
        tally.count(1, 1, 0); // is no sender
        let verdict = tally.verdict(&[2, 0]);
        let expected = Verdict { expected: 4, delivered: 2, lost: 2, repeated_or_late: 1, other_order: 0, strange: 1 };
        assert_eq!(verdict, expected);
        assert!(!verdict.is_clean());
    }

    #[test]
    fn two_members_who_disagree_about_the_order_are_seen() {
        let mut tally = Tally::new(2, 2, 2);
        tally.count(0, 0, 0);
        tally.count(0, 1, 0);
        tally.count(1, 1, 0);
        tally.count(1, 0, 0);
        let verdict = tally.verdict(&[1, 1]);
        assert_eq!(verdict.other_order, 1);
        assert!(!verdict.is_clean());
    }
}
