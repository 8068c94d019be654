//! The feed of a log: what was appended to all of its rooms, in one order, for a backend that reads everything.
//!
//! `chat-testkit` holds the contract of [`LogFeed`] as a test suite; run it over every implementation.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;

use super::log_error::{AppendError, ReadError};
use super::slot::Slot;
use crate::domain::Record;
use crate::types::{Epoch, RoomCode};

/// How far somebody has read the feed of a log: bytes of the log's own, written as hexadecimal digits. It is good for as long as the feed is,
/// over restarts of both sides.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FeedCursor(Box<[u8]>);

impl FeedCursor {
    /// The most bytes that a cursor has: 16 KiB, for a log that counts each of the 1,024 slots.
    pub const BYTES_MAX: usize = 16 << 10;

    /// A cursor that a log has made; `None` past [`FeedCursor::BYTES_MAX`].
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Option<Self> {
        let bytes = bytes.into();
        (bytes.len() <= Self::BYTES_MAX).then_some(Self(bytes))
    }

    /// The cursor behind the batch of this number, in a feed that counts all of its batches from 1. The feed is known by a number that is drawn
    /// for it, and the batch by a checksum, so that another one in its place is noticed.
    pub fn numbered(feed: u64, batch: u64, sum: u32) -> Self {
        let bytes = [&[1][..], &feed.to_be_bytes(), &batch.to_be_bytes(), &sum.to_be_bytes()].concat();
        Self(bytes.into())
    }

    /// The number of the batch and its checksum, of a cursor that [`FeedCursor::numbered`] has made for this feed.
    ///
    /// # Errors
    /// [`FeedError::NoCursor`], or [`FeedError::OtherFeed`] where it is one of another feed.
    pub fn batch_of(&self, feed: u64) -> Result<(u64, u32), FeedError> {
        let bytes = <[u8; 21]>::try_from(&*self.0).map_err(|_| FeedError::NoCursor)?;
        let [version, rest @ ..] = &bytes;
        let (of, rest) = rest.split_first_chunk().expect("there are 20 bytes");
        let (batch, sum) = rest.split_first_chunk().expect("there are 12 bytes");
        match (version, u64::from_be_bytes(*of)) {
            (1, of) if of == feed => {
                let sum = sum.try_into().expect("4 bytes are left");
                Ok((u64::from_be_bytes(*batch), u32::from_be_bytes(sum)))
            }
            (1, _) => Err(FeedError::OtherFeed),
            _ => Err(FeedError::NoCursor),
        }
    }

    /// The bytes, for the log that made them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for FeedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FeedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FeedCursor({self})")
    }
}

impl FromStr for FeedCursor {
    type Err = FeedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let bytes = text.as_bytes().chunks(2).map(|pair| match pair {
            &[high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        });
        bytes.collect::<Option<Vec<u8>>>().and_then(Self::new).ok_or(FeedError::NoCursor)
    }
}

/// What a reader of a feed is known by: 1 to 32 of `a-z 0-9 - _`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedName(Box<str>);

impl FeedName {
    /// The most named feeds of a log: 64. Each is a program that reads everything, and all of their cursors are looked at whenever something
    /// is let go of.
    pub const MAX: usize = 64;

    /// The name, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        ((1..=32).contains(&text.len()) && text.bytes().all(is_allowed)).then(|| Self(text.into()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The slot whose owner reads the feed of this name, where servers share a log: by the rule of [`Slot::of`] for rooms.
    pub fn slot(&self) -> Slot {
        Slot::of_text(&self.0)
    }
}

impl fmt::Display for FeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was done to a room in one transaction of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedBatch {
    /// The room.
    pub room: RoomCode,
    /// The incarnation of it.
    pub epoch: Epoch,
    /// What was done.
    pub change: FeedChange,
}

/// What a batch of a feed is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedChange {
    /// These records were appended. They are as they are now: a message that was taken back says nothing any more, though it had not been when
    /// it was appended.
    Appended(Vec<Record>),
    /// The incarnation was deleted; nothing of it follows.
    Deleted,
}

/// A stretch that a reader does not get: they have not read for so long that the log has let go of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedGap {
    /// How many batches there were in it, of whichever rooms. Rooms that still are can be read from their log.
    pub batches: u64,
}

/// A part of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedSlice {
    /// What is missing between the cursor and the first batch, if anything is.
    pub gap: Option<FeedGap>,
    /// In order: those of one room as they were appended.
    pub batches: Vec<FeedBatch>,
    /// Behind the last of them.
    pub next: FeedCursor,
    /// How many batches there are after that, as far as is known.
    pub behind: u64,
    /// Which restoration of the log tells it: a number that is drawn anew each time that a backup is put back. 0 where none was, and where the log does
    /// not know of them.
    pub restored: u64,
}

/// A call of a feed that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// There is no feed: the engine has no log, or one that keeps none.
    #[error("there is no feed: the engine has no log, or its log is not opened with a feed")]
    NoFeed,
    /// What was given is no cursor.
    #[error("this is no cursor of a feed")]
    NoCursor,
    /// The cursor is of another log, or of a feed of this one that has ended since. To begin anew is to begin without a cursor.
    #[error("the cursor is of another feed")]
    OtherFeed,
    /// The log has lost what was read up to the cursor, as one that was put back from a backup. To begin anew is to begin without a cursor.
    #[error("the log does not have what was read up to this cursor")]
    Lost,
    /// There are as many named feeds as there may be.
    #[error("there are as many named feeds as there may be, {max}", max = FeedName::MAX)]
    TooMany,
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log could not be written.
    #[error(transparent)]
    Write(#[from] AppendError),
}

/// How much a feed holds back at most: of what has not been read by every named feed, retention and the deletion of rooms take nothing away
/// before that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedBounds {
    /// The most bytes of records. 256 MiB by default: a day in which 500 messages a second are said would be 16 GiB, a quiet one 10 MiB.
    pub bytes_max: u64,
    /// The oldest that something held back may be, by its records. 3 days by default: a weekend in which nobody looks.
    pub age_max: Duration,
}

impl Default for FeedBounds {
    fn default() -> Self {
        Self { bytes_max: 256 << 20, age_max: Duration::from_secs(3 * 86_400) }
    }
}

/// The feed of all rooms of a log.
///
/// Whatever is appended or deleted has a place in it, from the same transaction on: nothing comes to stand before what could be read already. It
/// begins when the log is first opened with a feed, and what was in the log by then is not in it.
///
/// A batch stays in the feed, and its records in the log, until every named feed is past it; where there is none, and where one has stopped
/// reading, until [`FeedBounds`] say that it is enough. Whoever has not read it by then is told a [`FeedGap`].
#[async_trait]
pub trait LogFeed: Send + Sync {
    /// What follows a cursor; without one, what is there from the oldest on. At most `max` records, but batches are never parted, and one is
    /// there whatever its size; with a `max` of 0 there is none, and what is missing is told all the same. It has nothing in it that a crash could take back.
    ///
    /// # Errors
    /// See [`FeedError`].
    async fn since(&self, cursor: Option<&FeedCursor>, max: usize) -> Result<FeedSlice, FeedError>;

    /// The cursor of whoever has read all that there is now.
    ///
    /// # Errors
    /// See [`FeedError`].
    async fn end(&self) -> Result<FeedCursor, FeedError>;

    /// Remembers how far the feed of this name is read. From the first time on, what comes after the cursor is held back for it. Where servers share a
    /// log, the one that owns [`FeedName::slot`] may, and no other.
    ///
    /// # Errors
    /// See [`FeedError`]; [`AppendError::Deposed`] where another server owns the slot. To ask the same again is no harm.
    async fn put_feed(&self, name: &FeedName, cursor: &FeedCursor) -> Result<(), FeedError>;

    /// Forgets the feed of this name, which holds back nothing from then on. Nothing happens where there is none.
    ///
    /// # Errors
    /// See [`FeedError`].
    async fn drop_feed(&self, name: &FeedName) -> Result<(), FeedError>;

    /// The named feeds, in the order of their names, and how far each is read.
    ///
    /// # Errors
    /// See [`FeedError`].
    async fn feeds(&self) -> Result<Vec<(FeedName, FeedCursor)>, FeedError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_as_written() {
        let cursor = FeedCursor::new([0, 1, 0xAB, 0xFF]).expect("it is short");
        assert_eq!(cursor.to_string(), "0001abff");
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["0", "0g", "+1", "\u{e9}", &"00".repeat(FeedCursor::BYTES_MAX + 1)] {
            assert_eq!(text.parse::<FeedCursor>(), Err(FeedError::NoCursor), "{text:.10}");
        }
    }

    #[test]
    fn a_cursor_is_good_for_its_own_feed() {
        let cursor = FeedCursor::numbered(7, 9, 11);
        assert_eq!((cursor.batch_of(7), cursor.batch_of(8)), (Ok((9, 11)), Err(FeedError::OtherFeed)));
        for bytes in [&[][..], &[1], &[2; 21], &[1; 20], &[1; 22]] {
            assert_eq!(FeedCursor::new(bytes).expect("it is short").batch_of(7), Err(FeedError::NoCursor), "{bytes:?}");
        }
    }

    #[test]
    fn a_name_is_short_and_plain() {
        assert!(FeedName::parse("web-hooks_2").is_some());
        for text in ["", "Web", "a b", "a\u{e9}", &"a".repeat(33)] {
            assert_eq!(FeedName::parse(text), None, "{text}");
        }
    }
}
