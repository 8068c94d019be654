//! How far the feed is read, slot by slot, and the bytes of that as a cursor.
//!
//! A cursor is the byte 2, the number that was drawn for the feed, and for each slot of which something is read: how many slots are left out before it, the
//! number of the batch, both as LEB128, and the mark that was drawn with it, as four bytes. Slots of which nothing is read are left out.

use std::collections::BTreeMap;

use chat_core::{FeedCursor, FeedError, Slot};

use crate::encoded::{counted, number};

const VERSION: u8 = 2;
/// The bytes before the first slot.
const HEAD: usize = 1 + 8;
/// The most bytes of a slot: 2 for what is left out, 9 for a number of 63 bits, 4 for the mark.
const SLOT_MAX: usize = 2 + 9 + 4;
const _: () = assert!(HEAD + SLOT_MAX * Slot::COUNT as usize <= FeedCursor::BYTES_MAX, "every cursor is short enough");

/// Behind which batch of a slot somebody stands, and the mark that was drawn with it: another than the slot has at that number is of another history of
/// the database. 0 where it is not known, because the batch was gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) batch: u64,
    pub(crate) mark: i32,
}

/// How far a feed is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Positions {
    /// The number that was drawn for the feed.
    pub(crate) feed: i64,
    /// By slot; those of which nothing is read are not there.
    pub(crate) slots: BTreeMap<i32, Position>,
}

impl Positions {
    /// At the very beginning.
    pub(crate) fn new(feed: i64) -> Self {
        Self { feed, slots: BTreeMap::new() }
    }

    /// As columns of the database: slots, batches and marks.
    pub(crate) fn columns(&self) -> (Vec<i32>, Vec<i64>, Vec<i32>) {
        let mut columns = (Vec::new(), Vec::new(), Vec::new());
        for (slot, position) in &self.slots {
            columns.0.push(*slot);
            columns.1.push(number(position.batch));
            columns.2.push(position.mark);
        }
        columns
    }

    /// Out of the columns of the database.
    pub(crate) fn of_columns(feed: i64, slots: &[i32], batches: &[i64], marks: &[i32]) -> Self {
        let positions = batches.iter().zip(marks).map(|(batch, mark)| Position { batch: counted(*batch), mark: *mark });
        Self { feed, slots: slots.iter().copied().zip(positions).collect() }
    }

    pub(crate) fn cursor(&self) -> FeedCursor {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.feed.to_be_bytes());
        let mut next = 0;
        for (slot, Position { batch, mark }) in &self.slots {
            put(&mut bytes, u64::from(slot.abs_diff(next)));
            put(&mut bytes, *batch);
            bytes.extend_from_slice(&mark.to_be_bytes());
            next = slot + 1;
        }
        FeedCursor::new(bytes).expect("every cursor is short enough")
    }

    /// What a cursor says.
    ///
    /// # Errors
    /// [`FeedError::NoCursor`], and [`FeedError::OtherFeed`] where it is one that another log has made.
    pub(crate) fn of_cursor(cursor: &FeedCursor) -> Result<Self, FeedError> {
        let bytes = cursor.as_bytes();
        if bytes.first() == Some(&1) {
            // One that counts all of its batches: a log in one file, or in memory.
            return Err(FeedError::OtherFeed);
        }
        parse(bytes).ok_or(FeedError::NoCursor)
    }
}

fn parse(bytes: &[u8]) -> Option<Positions> {
    let (&[VERSION], bytes) = bytes.split_first_chunk()? else { return None };
    let (feed, mut bytes) = bytes.split_first_chunk()?;
    let mut read = Positions::new(i64::from_be_bytes(*feed));
    let mut next = 0_u64;
    while !bytes.is_empty() {
        let slot = next.checked_add(take(&mut bytes)?)?;
        let batch = take(&mut bytes)?;
        let (mark, rest) = bytes.split_first_chunk()?;
        let position = Position { batch, mark: i32::from_be_bytes(*mark) };
        let is_one = slot < u64::from(Slot::COUNT) && (1..=i64::MAX.unsigned_abs()).contains(&batch);
        read.slots.insert(i32::try_from(slot).ok().filter(|_| is_one)?, position);
        (bytes, next) = (rest, slot + 1);
    }
    Some(read)
}

/// Appends a number as LEB128.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number that was [`put`].
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(slots: &[(i32, u64)]) -> Positions {
        let slots = slots.iter().map(|(slot, batch)| (*slot, Position { batch: *batch, mark: 7 + *slot }));
        Positions { feed: -3, slots: slots.collect() }
    }

    #[test]
    fn a_cursor_is_read_back_as_written() {
        let most: Vec<_> = (0..1_024).map(|slot| (slot, i64::MAX.unsigned_abs())).collect();
        for slots in [&[][..], &[(0, 1)], &[(1_023, 128)], &[(3, 1), (4, 300), (900, u64::from(u32::MAX))], &most] {
            let read = positions(slots);
            assert_eq!(Positions::of_cursor(&read.cursor()), Ok(read.clone()));
            let (slots, batches, marks) = read.columns();
            assert_eq!(Positions::of_columns(read.feed, &slots, &batches, &marks), read);
        }
        assert_eq!(positions(&[(3, 1), (4, 300)]).cursor().as_bytes().len(), HEAD + 6 + 7, "it is short");
    }

    #[test]
    fn other_bytes_are_no_cursor() {
        let whole = positions(&[(3, 1), (4, 300)]).cursor();
        for end in 0..whole.as_bytes().len() {
            let part = FeedCursor::new(&whole.as_bytes()[..end]).expect("it is short");
            assert!(end == HEAD || end == HEAD + 6 || Positions::of_cursor(&part).is_err(), "{end}");
        }
        let with =
            |rest: &[u8]| FeedCursor::new([&[VERSION, 0, 0, 0, 0, 0, 0, 0, 1], rest].concat()).expect("it is short");
        // A slot that there is not, a batch before the first, and a number that does not end.
        for rest in [&[0x80, 0x08, 1, 0, 0, 0, 0][..], &[0, 0, 0, 0, 0, 0], &[0xFF; 20]] {
            assert_eq!(Positions::of_cursor(&with(rest)), Err(FeedError::NoCursor), "{rest:?}");
        }
        assert_eq!(Positions::of_cursor(&FeedCursor::numbered(7, 9, 11)), Err(FeedError::OtherFeed));
    }
}
