//! Where a room's records live. Without one, the backlog in memory is all there is.
//!
//! `chat-testkit` holds the contract of this trait as a test suite; run it over every implementation.

use async_trait::async_trait;

use super::claim::{LogClaim, LogInUse};
use super::erasure::Erasure;
use super::feed::LogFeed;
use super::log_error::{AppendError, ReadError};
use super::slot::Slot;
use crate::domain::{Amend, Record, RecordVersion, Scrub};
use crate::meters::LogMeters;
use crate::types::{Epoch, Identity, Offset, RoomCode, Seq, SessionId, Wall};

/// The end of a room's log: which record is the last, of which incarnation, and what the store wants to remember with it.
///
/// An append names the tail it follows. Two owners of one room (a split brain, a server that was thought dead) both
/// follow the same tail; the log takes the first and answers the second with [`AppendError::Conflict`].
///
/// A tail is its reader's, for as long as they have the room. Whoever opens a log reads before they append: what was decided behind a tail
/// of before rests on more than records (who is connected, whose time is up), and that may have changed while the records have not. A log
/// that servers take from each other therefore refuses a tail of before as [`AppendError::Conflict`], though nothing was written since; one
/// that only one process can open may take it. The empty tail is anybody's: behind a code that is free nobody has decided anything.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tail {
    /// The incarnation of the room; `None` before the first append and after a deletion.
    pub epoch: Option<Epoch>,
    /// The last record; 0 for none.
    pub offset: Offset,
    /// The store's own, handed back as it was read; 0 where it needs none. A log that servers take from each other has in it which taking it
    /// was read under.
    pub token: u64,
}

/// A part of a log.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LogPage {
    /// Records in order of their offset, without holes.
    pub records: Vec<Record>,
    /// The end of the log when it was read; further than the last record where `max` cut the page short.
    pub tail: Tail,
}

/// A room that a log holds, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRoom {
    /// Its code.
    pub code: RoomCode,
    /// What was last brought with an append to be known of it; `None` where nothing was, as by a program that knows nothing of it.
    pub about: Option<Vec<u8>>,
}

/// That sessions were ended for good, and until when that has to be remembered: after that none of their tokens can be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whose sessions.
    pub who: EndedWho,
    /// The last session that is meant: those that begin later have higher numbers. Of one session, itself.
    pub through: SessionId,
    /// The time after which nobody asks.
    pub until: Wall,
}

/// Whose sessions were ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndedWho {
    /// One session.
    Session(SessionId),
    /// All sessions of a person.
    Person(Identity),
}

impl From<SessionId> for EndedWho {
    fn from(session: SessionId) -> Self {
        Self::Session(session)
    }
}

impl From<Identity> for EndedWho {
    fn from(identity: Identity) -> Self {
        Self::Person(identity)
    }
}

/// A durable home for the records of many rooms.
///
/// A batch is appended whole or not at all. An `append` that has returned `Ok` is there for every later `read`, over
/// restarts too (within the durability that the implementation states).
///
/// A call that takes longer than [`log_timeout`](crate::EngineLimits::log_timeout) is dropped where it waits. It may still come to
/// pass: an append that does names the tail it follows, and so cannot come between what was written since.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// What it has counted, for whoever watches. Waits for nothing.
    fn meters(&self) -> LogMeters {
        LogMeters::default()
    }

    /// Keeps every other engine away until the claim is dropped. [`ExclusiveClaim`](crate::ExclusiveClaim) does so for a log that only one
    /// process can open; one that several processes write to has to ask them all, or to leave it to [`AppendError::Conflict`].
    ///
    /// # Errors
    /// [`LogInUse`] while there is another claim.
    fn claim(&self) -> Result<LogClaim, LogInUse>;

    /// The latest version of records that may be written here: the lowest that every program reads which lives on this log. Asked before
    /// each batch; what a log that is shared answers may rise, when the last program that could not read a version is gone, and must not
    /// fall below what it holds. A log that belongs to one program alone may be written with all that it reads, and says so to programs
    /// that come later ([`ReadError::Later`]).
    fn writes(&self) -> RecordVersion {
        RecordVersion::LATEST
    }

    /// What was appended to all rooms, in one order; `None` where the log keeps no feed.
    fn feed(&self) -> Option<&dyn LogFeed> {
        None
    }

    /// Appends `batch` after `after`, all or nothing, and returns the new end.
    ///
    /// The batch is never empty; its offsets continue those of `after`. The first batch of an incarnation follows a tail without an
    /// epoch (`Tail::default()`, or what `read` returned for a code nobody holds) and begins with
    /// [`Event::Created`](crate::Event::Created), whose epoch it claims the code for. All others follow a tail that was read here, or that
    /// an append here has returned; see [`Tail`].
    ///
    /// # Errors
    /// See [`AppendError`]; on every one of them the caller reads before it goes on.
    async fn append(&self, room: &RoomCode, after: &Tail, batch: &[Record]) -> Result<Tail, AppendError>;

    /// As [`Log::append`], and keeps what is known of the room from then on, in place of what was kept before, in the same step: at most
    /// [`RoomAbout::BYTES_MAX`](crate::RoomAbout::BYTES_MAX) bytes, which say nothing to the log. An append that brings nothing, as
    /// [`Log::append`] and empty bytes do, leaves it as it is; a deletion deletes it. The engine appends like this alone. A log that leaves it out lists its rooms by their codes alone.
    ///
    /// # Errors
    /// As [`Log::append`].
    async fn append_with(
        &self,
        room: &RoomCode,
        after: &Tail,
        batch: &[Record],
        about: &[u8],
    ) -> Result<Tail, AppendError> {
        let _ = about;
        self.append(room, after, batch).await
    }

    /// Reads at most `max` records after `after`, oldest first, and the tail, as of one moment. A room that the log does not hold is an
    /// empty page with an empty tail.
    ///
    /// Of another incarnation than `epoch` names, the page has the tail and no records: whoever reads one page after the other is never
    /// given the second of another room under the same code. `None` reads whichever is there.
    ///
    /// # Errors
    /// See [`ReadError`].
    async fn read(
        &self,
        room: &RoomCode,
        epoch: Option<Epoch>,
        after: Offset,
        max: usize,
    ) -> Result<LogPage, ReadError>;

    /// Reads the last `max` messages before `before` of this incarnation, oldest first, as they are now.
    /// Of another incarnation: nothing.
    ///
    /// # Errors
    /// See [`ReadError`].
    async fn messages(&self, room: &RoomCode, epoch: Epoch, before: Seq, max: usize) -> Result<Vec<Record>, ReadError>;

    /// Reads the first `max` messages after `after` of this incarnation, oldest first, as they are now: of what is still there, the
    /// oldest. Of another incarnation: nothing.
    ///
    /// # Errors
    /// See [`ReadError`].
    async fn messages_after(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        after: Seq,
        max: usize,
    ) -> Result<Vec<Record>, ReadError>;

    /// Every room the log holds, or every one of a slot, at most `max`, in order of their codes, after `after`.
    ///
    /// # Errors
    /// See [`ReadError`].
    async fn rooms(&self, slot: Option<Slot>, after: Option<&RoomCode>, max: usize)
    -> Result<Vec<RoomCode>, ReadError>;

    /// The same rooms as [`Log::rooms`], each with what is known of it. No room is read for it.
    ///
    /// # Errors
    /// See [`ReadError`].
    async fn rooms_with(
        &self,
        slot: Option<Slot>,
        after: Option<&RoomCode>,
        max: usize,
    ) -> Result<Vec<LogRoom>, ReadError> {
        let codes = self.rooms(slot, after, max).await?;
        Ok(codes.into_iter().map(|code| LogRoom { code, about: None }).collect())
    }

    /// The newest snapshot of a room: the last record it includes, and the bytes. `None` where there is none.
    ///
    /// # Errors
    /// See [`ReadError`].
    async fn load_snapshot(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<(Offset, Vec<u8>)>, ReadError>;

    /// Keeps a snapshot. One of another incarnation than the log holds is ignored, and so is one that goes back behind what is stored, or
    /// speaks of records that are not there: a log may have let go of the records that the newer one covers. A snapshot only saves time:
    /// losing it loses nothing.
    ///
    /// # Errors
    /// See [`AppendError`]; harmless, the log itself is whole.
    async fn save_snapshot(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        through: Offset,
        snapshot: &[u8],
    ) -> Result<(), AppendError>;

    /// Amends records that were written before, all of them or none: later reads return each as [`Amend::apply`] leaves it, and what it
    /// said before is nowhere to be read. Of another incarnation, or about a record that is not there (any more): nothing happens. An
    /// amendment is not an append: the tail stays, whoever wrote the last record.
    ///
    /// # Errors
    /// See [`AppendError`]; to ask the same again is no harm.
    async fn amend(&self, room: &RoomCode, epoch: Epoch, amends: &[Amend]) -> Result<(), AppendError>;

    /// Deletes an incarnation of a room with all its records; the code is free again. Of another incarnation: nothing happens.
    ///
    /// # Errors
    /// See [`AppendError`].
    async fn delete(&self, room: &RoomCode, epoch: Epoch) -> Result<(), AppendError>;

    /// The newest read positions that were saved for this incarnation; `None` where there are none.
    ///
    /// # Errors
    /// See [`ReadError`].
    async fn load_read_positions(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<Vec<u8>>, ReadError>;

    /// Stores how far people have read, in place of what was stored before, apart from the records: at most every
    /// [`RoomLimits::reads_interval`](crate::RoomLimits::reads_interval) for a room, and once more before it is put away. Nothing happens
    /// where the incarnation is not there any more. Its deletion deletes them.
    ///
    /// # Errors
    /// See [`AppendError`].
    async fn save_read_positions(&self, room: &RoomCode, epoch: Epoch, positions: &[u8]) -> Result<(), AppendError>;

    /// Remembers that sessions were ended, in place of what is remembered of the same. Each of `over` is forgotten, unless it is
    /// remembered for longer by now. The engine bounds how many there are
    /// ([`ended_max`](crate::EngineLimits::ended_max)); the log forgets none by itself.
    ///
    /// # Errors
    /// See [`AppendError`].
    async fn put_ended(&self, ended: &Ended, over: &[Ended]) -> Result<(), AppendError>;

    /// Scrubs records of persons who were erased, all of them or none: later reads return each as [`Scrub::apply`] leaves it, and what it said before is
    /// nowhere to be read. Of another incarnation, or about a record that is not there (any more): nothing happens. As with [`Log::amend`], the
    /// tail stays. The engine scrubs no record that the stored snapshot does not cover.
    ///
    /// # Errors
    /// See [`AppendError`]; to ask the same again is no harm. [`AppendError::NotWritten`] of a log that cannot do it, as one does that leaves it out.
    async fn scrub(&self, room: &RoomCode, epoch: Epoch, scrubs: &[Scrub]) -> Result<(), AppendError> {
        let _ = (room, epoch, scrubs);
        Err(AppendError::NotWritten("this log erases nobody".into()))
    }

    /// Keeps how far an erasure has come, in place of what is kept of the same person, if that is the same one and was asked for so often (`asked`); `None`
    /// where nothing may be kept of them. So of two servers that are asked at once neither writes over what the other has kept, see [`Erasure::may_follow`].
    /// The engine bounds how many there are ([`erasures_max`](crate::EngineLimits::erasures_max)).
    ///
    /// # Errors
    /// See [`AppendError`]. [`AppendError::Conflict`] where something else is kept, which stays. [`AppendError::NotWritten`] of a log that leaves it out: then
    /// nobody can be erased.
    async fn put_erasure(&self, erasure: &Erasure, asked: Option<u32>) -> Result<(), AppendError> {
        let _ = (erasure, asked);
        Err(AppendError::NotWritten("this log erases nobody".into()))
    }

    /// Forgets an erasure, which is done. That there is none is no error.
    ///
    /// # Errors
    /// See [`AppendError`]. [`AppendError::Conflict`] where another one is kept of the person, or it was asked for more often by now: that stays.
    async fn drop_erasure(&self, erasure: &Erasure) -> Result<(), AppendError> {
        let _ = erasure;
        Err(AppendError::NotWritten("this log erases nobody".into()))
    }

    /// Every erasure that is kept, in any order.
    ///
    /// # Errors
    /// See [`ReadError`].
    async fn erasures(&self) -> Result<Vec<Erasure>, ReadError> {
        Ok(Vec::new())
    }

    /// Everything that [`Log::put_ended`] remembers, in any order.
    ///
    /// # Errors
    /// See [`ReadError`].
    async fn ended(&self) -> Result<Vec<Ended>, ReadError>;
}
