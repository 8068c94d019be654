//! Which appends go into one statement: as many as wait, each room once, and no more than one commit is to hold.

use std::collections::{BTreeSet, VecDeque};

use chat_core::{AppendError, Epoch, Record, RoomCode, Tail};
use tokio::sync::oneshot;

use crate::encoded::Encoded;
use crate::queue::Place;
use crate::slots::UnderWay;

/// Rooms in one statement.
pub(crate) const ROOMS_MAX: usize = 256;
/// Bytes in one statement; one batch may have more.
pub(crate) const BYTES_MAX: usize = 8 << 20;

/// One batch on its way into the database.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) room: RoomCode,
    pub(crate) after: Tail,
    /// The incarnation that the batch claims the code for, if it is the first.
    pub(crate) claims: Option<Epoch>,
    pub(crate) batch: Vec<Encoded>,
    /// What is known of the room from then on; as before where it brings nothing.
    pub(crate) about: Option<Vec<u8>>,
    pub(crate) answer: oneshot::Sender<Result<Tail, AppendError>>,
    /// Under which term whoever appends has the room.
    pub(crate) term: u64,
    /// Its place in the queue, free again once it is answered.
    pub(crate) place: Option<Place>,
    /// Its slot is not given to another server before it is answered.
    pub(crate) under_way: Option<UnderWay>,
}

impl Append {
    pub(crate) fn new(
        room: &RoomCode,
        after: &Tail,
        claims: Option<Epoch>,
        batch: &[Record],
        term: u64,
    ) -> (Self, oneshot::Receiver<Result<Tail, AppendError>>) {
        let (answer, answered) = oneshot::channel();
        let batch = batch.iter().map(Encoded::new).collect();
        (
            Self {
                room: room.clone(),
                after: after.clone(),
                claims,
                batch,
                about: None,
                answer,
                term,
                place: None,
                under_way: None,
            },
            answered,
        )
    }

    /// Roughly the memory it holds.
    pub(crate) fn bytes(&self) -> usize {
        let about = self.about.as_ref().map_or(0, Vec::len);
        about + self.batch.iter().map(|record| record.body.len() + 64).sum::<usize>()
    }

    /// Where the log of the room ends once it is there.
    pub(crate) fn end(&self) -> Tail {
        let offset = chat_core::Offset(self.after.offset.0 + self.batch.len() as u64);
        Tail { epoch: self.claims.or(self.after.epoch), offset, token: self.term }
    }
}

/// Takes the next group: in the order in which they came, each room once. The next append of a room that is in the group waits for the next
/// group, and so does all that comes after it of that room.
///
/// Whoever has given up waiting for an append has no use for it: it is left out, and was not written.
pub(crate) fn take(waiting: &mut VecDeque<Append>) -> Vec<Append> {
    let (mut group, mut left, mut bytes) = (Vec::new(), VecDeque::new(), 0);
    let mut rooms: BTreeSet<RoomCode> = BTreeSet::new();
    while let Some(append) = waiting.pop_front() {
        if append.answer.is_closed() {
            continue;
        }
        let size = append.bytes();
        if group.len() == ROOMS_MAX || !group.is_empty() && bytes + size > BYTES_MAX {
            waiting.push_front(append);
            break;
        }
        if rooms.insert(append.room.clone()) {
            bytes += size;
            group.push(append);
        } else {
            left.push_back(append);
        }
    }
    left.append(waiting);
    *waiting = left;
    group
}

#[cfg(test)]
mod tests {
    use chat_core::Offset;
    use chat_testkit::records::Scribe;

    use super::*;

    type Answered = oneshot::Receiver<Result<Tail, AppendError>>;

    fn append(room: &str, after: u64, text: &str) -> (Append, Answered) {
        let room = RoomCode::parse(room).expect("a valid code");
        let after = Tail { epoch: Some(Epoch(1)), offset: Offset(after), token: 0 };
        Append::new(&room, &after, None, &[Scribe::new(Epoch(1)).sent(text)], 0)
    }

    fn waiting(appends: Vec<(Append, Answered)>) -> (VecDeque<Append>, Vec<Answered>) {
        appends.into_iter().unzip()
    }

    fn rooms(group: &[Append]) -> Vec<(&str, u64)> {
        group.iter().map(|append| (append.room.as_str(), append.after.offset.0)).collect()
    }

    #[test]
    fn a_room_is_once_in_a_group_and_its_appends_stay_in_order() {
        let all = [("AAA", 1), ("BBB", 1), ("AAA", 2), ("CCC", 1), ("AAA", 3), ("BBB", 2)];
        let (mut waiting, _answered) = waiting(all.map(|(room, after)| append(room, after, "hi")).into());
        assert_eq!(rooms(&take(&mut waiting)), [("AAA", 1), ("BBB", 1), ("CCC", 1)]);
        assert_eq!(rooms(&take(&mut waiting)), [("AAA", 2), ("BBB", 2)]);
        assert_eq!(rooms(&take(&mut waiting)), [("AAA", 3)]);
        assert!(take(&mut waiting).is_empty());
    }

    #[test]
    fn a_group_has_so_many_rooms_and_bytes_at_most_and_one_of_each_at_least() {
        let many: Vec<_> = (0..=ROOMS_MAX).map(|number| append(&format!("ROOM-{number}"), 1, "hi")).collect();
        let (mut small, _answered) = waiting(many);
        assert_eq!((take(&mut small).len(), take(&mut small).len()), (ROOMS_MAX, 1));
        let text = "x".repeat(BYTES_MAX / 2);
        let (mut large, _answered) = waiting(["AAA", "BBB", "CCC"].map(|room| append(room, 1, &text)).into());
        assert_eq!([(); 3].map(|()| take(&mut large).len()), [1, 1, 1]);
        let (mut huge, _answered) = waiting(vec![append("AAA", 1, &"x".repeat(2 * BYTES_MAX)), append("BBB", 1, "hi")]);
        assert_eq!([(); 2].map(|()| take(&mut huge).len()), [1, 1]);
    }

    #[test]
    fn an_append_that_nobody_waits_for_is_not_written() {
        let (mut waiting, mut answered) = waiting(["AAA", "BBB"].map(|room| append(room, 1, "hi")).into());
        drop(answered.remove(0));
        assert_eq!(rooms(&take(&mut waiting)), [("BBB", 1)]);
    }
}
