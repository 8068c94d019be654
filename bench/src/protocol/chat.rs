//! This project's frames, the same over every transport, with the project's own promises checked in samples.
//!
//! Deliveries are told apart by their first bytes (`type` comes first in every frame). One member in sixteen is a witness: the
//! numbers of all it is told must follow each other without a hole, and now and then a whole frame is parsed as JSON.

use serde_json::Value;

use super::{Seat, Told};

/// One member in so many checks numbers.
const WITNESS_EVERY: usize = 16;
/// A witness parses one frame in so many.
const PARSE_EVERY: u64 = 1024;
const PREFIX: &[u8] = b"{\"type\":\"";
const SEQ: &[u8] = b"\"seq\":";
/// Where a frame's own number must have begun; those of a `joined`'s members and history come later.
const SEQ_WITHIN: usize = 160;

/// What is known of all members' streams of frames.
#[derive(Debug)]
pub(super) struct Chat {
    run: u32,
    /// The last number told, per member; only witnesses' are kept up to date.
    seqs: Vec<u64>,
    seq_at: usize,
    faults: u64,
}

impl Chat {
    /// `run` keeps the names of this run's rooms apart from those of an earlier run on the same server.
    pub(super) fn new(run: u32) -> Self {
        Self { run, seqs: Vec::new(), seq_at: 0, faults: 0 }
    }

    pub(super) fn room(&self, seat: &Seat) -> String {
        format!("BENCH-{}-{:05}", self.run, seat.room)
    }

    /// The fields of a create or join.
    pub(super) fn entering(&self, seat: &Seat) -> String {
        format!("\"id\":1,\"room\":\"{}\",\"nick\":\"m{:05}\"", self.room(seat), seat.member)
    }

    /// What one frame says.
    #[inline]
    pub(super) fn told<'a>(&mut self, seat: &Seat, payload: &'a [u8]) -> Told<'a> {
        let Some(kind) = payload.strip_prefix(PREFIX) else { return Told::Refused(payload) };
        let witness = seat.member.is_multiple_of(WITNESS_EVERY);
        if kind.starts_with(b"message\"") {
            if witness {
                self.follow(seat, payload);
            }
            return Told::Message(payload);
        }
        let told = told_rarely(kind, payload);
        match told {
            Told::Notice if witness => self.follow(seat, payload),
            Told::Entered | Told::Skipped(_) => {
                let seq = if told == Told::Entered { self.seq(payload) } else { field(payload, "to") };
                self.faults += u64::from(seq.is_none());
                *self.last_seq(seat) = seq.unwrap_or_default();
            }
            _ => {}
        }
        told
    }

    /// Promises found broken so far.
    pub(super) fn faults(&self) -> u64 {
        self.faults
    }

    fn follow(&mut self, seat: &Seat, payload: &[u8]) {
        let seq = self.seq(payload).unwrap_or_default();
        let last = self.last_seq(seat);
        let expected = *last + 1;
        *last = seq;
        let parses = || serde_json::from_slice::<Value>(payload).is_ok_and(|frame| frame["seq"] == seq);
        if seq != expected || (seq.is_multiple_of(PARSE_EVERY) && !parses()) {
            self.faults += 1;
        }
    }

    /// The number of an event. It stands in the same place in nearly all frames of a run.
    fn seq(&mut self, payload: &[u8]) -> Option<u64> {
        if !payload.get(self.seq_at..).is_some_and(|rest| rest.starts_with(SEQ)) {
            let head = &payload[..payload.len().min(SEQ_WITHIN)];
            self.seq_at = head.windows(SEQ.len()).position(|window| window == SEQ)?;
        }
        let digits = payload[self.seq_at + SEQ.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
    }

    fn last_seq(&mut self, seat: &Seat) -> &mut u64 {
        if self.seqs.len() <= seat.member {
            self.seqs.resize(seat.member + 1, 0);
        }
        &mut self.seqs[seat.member]
    }
}

#[cold]
fn told_rarely<'a>(kind: &'a [u8], payload: &'a [u8]) -> Told<'a> {
    let name = kind.split(|byte| *byte == b'"').next().unwrap_or_default();
    match name {
        b"ack" | b"history" | b"members" => Told::Answer,
        b"typing" | b"presence" | b"live" | b"signals" => Told::Signal,
        b"welcome" => Told::Ready,
        b"joined" => Told::Entered,
        b"member_joined" | b"member_left" | b"topic_changed" | b"role_changed" | b"notices_changed" | b"redacted" => {
            Told::Notice
        }
        b"gap" => match (field(payload, "from"), field(payload, "to")) {
            (Some(from), Some(to)) if from <= to => Told::Skipped(to - from + 1),
            _ => Told::Refused(payload),
        },
        b"closing" | b"room_closed" => Told::Ended,
        _ => Told::Refused(payload),
    }
}

fn field(payload: &[u8], name: &str) -> Option<u64> {
    serde_json::from_slice::<Value>(payload).ok()?.get(name)?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;

    const SEAT: Seat = Seat { member: 16, room: 3, role: Role::Joiner };

    fn message(seq: u64) -> String {
        format!("{{\"type\":\"message\",\"room\":\"BENCH-7-00003\",\"seq\":{seq},\"text\":\"hi\"}}")
    }

    #[test]
    fn a_witness_sees_holes_and_repetitions() {
        let mut chat = Chat::new(7);
        let joined = br#"{"type":"joined","id":1,"room":"BENCH-7-00003","epoch":"04HMASW9NF6YF","seq":17,"you":{},"history":[{"seq":3}]}"#;
        assert_eq!(chat.told(&SEAT, joined), Told::Entered);
        for seq in [18, 19] {
            assert!(matches!(chat.told(&SEAT, message(seq).as_bytes()), Told::Message(_)));
        }
        let notice = br#"{"type":"member_joined","room":"BENCH-7-00003","seq":20,"member":3}"#;
        assert_eq!(chat.told(&SEAT, notice), Told::Notice);
        assert_eq!(chat.faults(), 0);
        chat.told(&SEAT, message(22).as_bytes());
        chat.told(&SEAT, message(22).as_bytes());
        assert_eq!(chat.faults(), 2);
    }

    #[test]
    fn a_gap_is_counted_and_followed() {
        let mut chat = Chat::new(7);
        let gap = br#"{"type":"gap","room":"BENCH-7-00003","epoch":"04HMASW9NF6YF","from":1,"to":1023,"members":[]}"#;
        assert_eq!(chat.told(&SEAT, gap), Told::Skipped(1023));
        chat.told(&SEAT, message(1024).as_bytes());
        assert_eq!(chat.faults(), 0, "1024 follows, and parses");
    }

    #[test]
    fn refusals_are_shown() {
        let mut chat = Chat::new(7);
        let error = br#"{"type":"error","id":1,"code":"nick_taken","message":"taken"}"#;
        assert_eq!(chat.told(&SEAT, error), Told::Refused(error));
        assert_eq!(chat.told(&SEAT, b"[]"), Told::Refused(b"[]"));
    }
}
