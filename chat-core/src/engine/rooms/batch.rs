//! One batch of a room's work on its way from decided to published.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use thin_vec::ThinVec;

use crate::domain::{Reaction, Record, Role, RoomCloseReason};
use crate::engine::feed::overlay::Change;
use crate::engine::feed::room_feed::RoomFeed;
use crate::engine::feed::segment::Segment;
use crate::engine::parcel::{Attachment, Decided};
use crate::engine::rooms::host_view::HostAnswer;
use crate::engine::rooms::inbox::InboxItem;
use crate::engine::session::subscription::{End, Subscriber, Subscription};
use crate::room::{Answer, BanLine, Caller, HistorySlice, Room};
use crate::types::{Generation, MemberId, NodeId, Reject, RoomLimits, Scope, Seq, SessionId};
use crate::wire::{self, JoinedParts, MemberList};

/// One batch on its way from decided to published. What most batches have none of takes one word.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    /// The told ones, encoded; published together.
    pub(crate) segments: Vec<Segment>,
    /// What to answer, and to whom, once the log has the records.
    pub(crate) outcomes: Vec<(InboxItem, Outcome)>,
    /// Intervals that end with this batch.
    pub(crate) ends: Ends,
    /// Intervals that begin with it.
    pub(crate) begun: Vec<(SessionId, Generation, Arc<Subscription>)>,
    /// Sessions that have lost their connection. One whose leaving is undone must not be attached again.
    pub(crate) gone: Vec<(SessionId, Generation)>,
    /// Sessions that were ended in this batch: their connections are still to be told so.
    pub(crate) ended: ThinVec<(SessionId, Generation)>,
    /// What it changes of what was said before.
    pub(crate) changes: ThinVec<Change>,
    pub(crate) kicked: ThinVec<Scope>,
    /// Who has come in: they are not put out for good.
    pub(crate) back: ThinVec<Scope>,
    /// Who has come back and is shown as the policy says from now on.
    pub(crate) named: ThinVec<Caller>,
    /// Messages into whose records the log has been made to write these reactions, as one of the records says. Of a copy.
    pub(crate) settled: ThinVec<(Seq, Vec<Reaction>)>,
    /// Sessions of other servers that have come in with it.
    pub(crate) guests: ThinVec<(SessionId, Generation)>,
    /// Sessions of other servers that were attached as members who have left with it: they still are if it is undone.
    pub(crate) put_out: ThinVec<Elsewhere>,
    pub(crate) closed: Option<RoomCloseReason>,
    /// The room as it was before it was closed, where that was not because it was empty: with an incarnation goes all that no log knows of it.
    pub(crate) open: Option<Box<Room>>,
}

/// Readers whose interval ends, with its last event. Nobody else has hold of them: those that a bug has left here are told that
/// the room is over.
#[derive(Default)]
pub(crate) struct Ends(Vec<(SessionId, Subscriber, Seq, End)>);

impl Deref for Ends {
    type Target = Vec<(SessionId, Subscriber, Seq, End)>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Ends {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.iter().for_each(|(_, reader, ..)| reader.give_up());
    }
}

/// A session that is attached at another server.
pub(crate) struct Elsewhere {
    /// The server, as far as it has said so.
    pub(crate) node: Option<NodeId>,
    pub(crate) attachment: Attachment,
}

impl Elsewhere {
    /// Whether it is this session, by this connection or an older one.
    pub(crate) fn is_of(&self, session: SessionId, generation: Generation) -> bool {
        self.attachment.session == session && self.attachment.generation <= generation
    }
}

/// The decision about an item.
pub(crate) enum Outcome {
    Rejected(Reject),
    Answer(Answer),
    /// Of what was asked at another server.
    Decided(Box<Decided>),
    Entered(Box<AdmittedJoin>),
    /// What the host is shown.
    Shown(Box<HostAnswer>),
    Members {
        page: MemberList,
        total: usize,
        more: bool,
    },
    /// At most so many bytes of them are shown.
    Bans {
        page: Vec<BanLine>,
        more: bool,
        bytes_max: usize,
    },
}

/// Somebody who has been let in: what they are to be shown, fixed as of that moment.
pub(crate) struct AdmittedJoin {
    pub(crate) parts: JoinedParts,
    pub(crate) history: HistorySlice,
    pub(crate) subscription: Arc<Subscription>,
    /// They said where they were, and go on from there: nothing is shown afresh.
    pub(crate) continues: bool,
    /// How many events follow from where they were.
    pub(crate) due: u64,
    pub(crate) member: MemberId,
    /// What they are in the room.
    pub(crate) role: Role,
    /// Whether the owner's place is taken, or held for somebody.
    pub(crate) has_owner: bool,
}

impl Batch {
    /// Whether nothing more is to be decided before this is published.
    pub(crate) fn is_full(&self, feed: Option<&Arc<RoomFeed>>, limits: &RoomLimits) -> bool {
        self.closed.is_some()
            || self.outcomes.len().max(self.records.len()) >= limits.batch_inputs_max
            || feed.is_some_and(|feed| self.segments.last().is_some_and(|segment| feed.backlog.is_full(segment)))
    }

    /// Encodes one told record behind the others.
    pub(crate) fn encode(&mut self, feed: &RoomFeed, record: &Record) {
        let seq = record.seq.expect("only told records are encoded");
        #[cfg(feature = "fault_injection")]
        let record = &crate::fault_injection::narrowed(crate::fault_injection::renumbered(record));
        let needs_new = self.segments.last().is_none_or(|segment| feed.backlog.is_full(segment));
        if needs_new {
            self.segments.push(Segment::new(seq));
        }
        let segment = self.segments.last_mut().expect("there is one now");
        let kind = wire::encode_event(&feed.code, record, segment.buffer()).expect("a told record has a frame");
        segment.close_event(kind);
    }
}
