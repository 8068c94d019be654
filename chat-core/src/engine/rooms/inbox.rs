//! What comes into a room's inbox, and how each of it is answered, also where no room reads it.

use std::sync::Arc;

use crate::engine::rooms::from_peer::{Asked, FromPeer};
use crate::engine::rooms::host_view::HostReply;
use crate::engine::session::cell::SessionCell;
use crate::engine::session::charge::Charge;
use crate::engine::session::connection_state::ConnectionState;
use crate::engine::session::founding::Founding;
use crate::engine::session::reply_to::ReplyTo;
use crate::room::{Actor, Caller, Input, ReadPosition};
use crate::types::{
    CloseReason, Epoch, Generation, Nick, PersonData, Position, Reject, RejectCode, RoomCode, SessionId, SessionLimits,
    Wall,
};
use crate::wire::{RemovalReason, RoomStatus, Status};

/// One thing for a room's task.
pub(crate) enum InboxItem {
    /// A command of a member.
    Command { input: Input, reply: ReplyTo },
    /// Somebody comes in, or comes back. Where more events than `catch_up` are due to them, they are told of those by a gap.
    Enter { input: Input, request: JoinRequest, catch_up: Option<u32> },
    /// The embedder asks. What is not shown is answered as done.
    Host { input: Input, answer: HostReply },
    /// Somebody asks at another server.
    Asked(Box<Asked>),
    /// Another server tells something.
    Peer(Box<FromPeer>),
    /// A session has lost its connection.
    Detach { session: SessionId, generation: Generation },
    /// A session was ended: it leaves, or counts as having just gone. Where that was not the whole of its person, the room looks for others of theirs.
    End { by: Caller, whole: bool },
    /// The policy says something else of somebody who may be here: what they are and are called is to be that.
    Readmitted { cell: Arc<SessionCell>, connection: Arc<ConnectionState> },
    /// A reader fell behind and needs to be shown the room afresh.
    GapView,
    /// All backlogs together hold too much.
    Evict(Eviction),
    /// A deadline has come.
    Tick,
}

impl From<FromPeer> for InboxItem {
    fn from(peer: FromPeer) -> Self {
        Self::Peer(Box::new(peer))
    }
}

/// What a room is to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// All, if it has no members.
    Lingering,
    /// The room is to shrink to this many bytes.
    Above(usize),
    /// Everything, if it can be read again.
    PutAway,
}

/// How somebody comes in.
pub(crate) enum JoinRequest {
    /// By a join, or a creation under a name they chose.
    Command(ReplyTo),
    /// By a creation under a drawn code: another is drawn when it turns out to be taken.
    Drawn { by: Caller, nick: Nick, data: Option<PersonData>, reply: ReplyTo },
    /// By a resume.
    Resume(Resuming),
}

/// A session that comes back to a room. Answered exactly once.
pub(crate) struct Resuming {
    pub(crate) cell: Arc<SessionCell>,
    pub(crate) connection: Arc<ConnectionState>,
    pub(crate) room: RoomCode,
    /// What the client says it has seen.
    pub(crate) after: Option<Position>,
    /// What the session itself knows of its last stay: the incarnation, and the last event of it that was taken.
    pub(crate) known: Option<Position>,
    /// Why it is not let in any more, where the room knows.
    pub(crate) put_out: Option<RemovalReason>,
    /// Until when it is kept out, where it is for a time.
    pub(crate) banned_until: Option<Wall>,
    /// Whether the room knows of an earlier membership.
    pub(crate) was_member: bool,
    /// How far they have read, where that ended with a timeout.
    pub(crate) read: Option<ReadPosition>,
    /// How much of the members a `joined` may show.
    pub(crate) members_bytes_max: usize,
    pub(crate) is_answered: bool,
    /// What a `joined` would cost whoever pays for the session.
    pub(crate) charge: Option<Charge>,
}

impl Drop for Resuming {
    /// A request that was dropped without an answer (a bug on its way ended the task) is answered now.
    fn drop(&mut self) {
        if !self.is_answered {
            self.tell(RoomStatus::silent(&self.room, self.after, Status::Unavailable));
        }
    }
}

impl JoinRequest {
    pub(crate) fn cell(&self) -> &Arc<SessionCell> {
        match self {
            Self::Command(reply) | Self::Drawn { reply, .. } => &reply.cell,
            Self::Resume(resuming) => &resuming.cell,
        }
    }

    pub(crate) fn connection(&self) -> &Arc<ConnectionState> {
        match self {
            Self::Command(reply) | Self::Drawn { reply, .. } => &reply.connection,
            Self::Resume(resuming) => &resuming.connection,
        }
    }

    /// How much of the members a `joined` may show.
    pub(crate) fn claim_members(&mut self, limits: &SessionLimits) -> usize {
        match self {
            Self::Command(reply) | Self::Drawn { reply, .. } => reply.claim_members(limits),
            Self::Resume(resuming) => resuming.members_bytes_max,
        }
    }

    /// The room knows a newer connection of the session, which came by another server. Who comes back may be numbered anew; whose connection is
    /// welcomed already has been replaced.
    pub(crate) fn is_late(&self, newer: Generation) {
        match self {
            Self::Command(reply) | Self::Drawn { reply, .. } => reply.connection.close(CloseReason::Replaced),
            Self::Resume(back) => {
                if let Some(mut state) = back.cell.lock_for(&back.connection) {
                    state.is_late(newer);
                }
            }
        }
    }

    /// Whether it is a resume that took too long, or whose connection is gone.
    pub(crate) fn is_given_up(&self) -> bool {
        matches!(self, Self::Resume(back) if !back.is_awaited())
    }

    /// The room that it is to make may be there after all: it keeps its place where it was founded from as long as its code is in use.
    pub(crate) fn keep_founding(&mut self) {
        if let Self::Command(reply) | Self::Drawn { reply, .. } = self {
            reply.founding = None;
        }
    }

    /// The caller is not let in.
    pub(crate) fn reject(self, room: &RoomCode, epoch: Option<Epoch>, reject: Reject) {
        // As is a guess of a code, so is one of the secret.
        let tells_what_is_there =
            matches!(reject.code, RejectCode::RoomNotFound | RejectCode::NameTaken | RejectCode::SecretWrong);
        let is_miss = tells_what_is_there && !matches!(&self, Self::Resume(resuming) if resuming.known.is_some());
        if is_miss && let Some(address) = &self.connection().address {
            address.miss();
        }
        if is_miss && let Some(mut state) = self.cell().lock_for(self.connection()) {
            state.allowance.miss();
        }
        match self {
            Self::Command(reply) | Self::Drawn { reply, .. } => reply.reject(Some(room), reject),
            Self::Resume(mut resuming) => resuming.tell(resuming.refused(epoch, reject.code)),
        }
    }
}

impl Resuming {
    /// Whether the session still waits for the room: not if the room took too long.
    pub(crate) fn is_awaited(&self) -> bool {
        self.cell.lock_for(&self.connection).is_some_and(|state| state.comes_back_to(&self.room))
    }

    fn tell(&mut self, status: RoomStatus) {
        self.is_answered = true;
        if let Some(mut state) = self.cell.lock_for(&self.connection) {
            state.stands(status);
        }
        self.connection.wake.wake();
    }

    /// Where the session stands in a room that did not take it back.
    fn refused(&self, epoch: Option<Epoch>, code: RejectCode) -> RoomStatus {
        let position = self.after.or(self.known);
        let status = match (code, position) {
            // Where there is no place for the room, nobody has looked what the log says of it.
            (RejectCode::Unavailable | RejectCode::Busy | RejectCode::AtCapacity, _) => Status::Unavailable,
            (_, None) => Status::Unknown,
            // No room, and not one that the session remembers either.
            (RejectCode::RoomNotFound, Some(_)) if self.known.is_none() => Status::Unknown,
            (_, Some(position)) if epoch != Some(position.epoch) => Status::Closed,
            // Neither the session nor the room knows of a membership: whoever it was that told the position.
            (_, Some(_)) if self.known.is_none() && self.put_out.is_none() && !self.was_member => Status::Unknown,
            (_, Some(_)) => Status::Left,
        };
        let reason = self.put_out.filter(|_| status == Status::Left);
        let until = reason.and(self.banned_until);
        let read = self.read.filter(|_| status == Status::Left && reason.is_none()).map(Into::into);
        // Where the room cannot say, the client knows best what it has seen.
        let position = if status == Status::Unavailable { self.after } else { position };
        RoomStatus { reason, until, read, ..RoomStatus::silent(&self.room, position, status) }
    }
}

impl InboxItem {
    /// Answers an item that no room will read.
    pub(crate) fn refuse(self, room: &RoomCode, epoch: Option<Epoch>, reject: Reject) {
        match self {
            Self::Command { reply, .. } => {
                if reject.code == RejectCode::RoomNotFound {
                    reply.miss();
                }
                reply.reject(Some(room), reject);
            }
            Self::Enter { request, .. } => request.reject(room, epoch, reject),
            Self::Host { answer, .. } => {
                // The embedder may have stopped waiting.
                answer.send(Err(reject));
            }
            Self::Asked(asked) => asked.reply.reject(reject),
            Self::Peer(_)
            | Self::Detach { .. }
            | Self::End { .. }
            | Self::Readmitted { .. }
            | Self::GapView
            | Self::Evict(_)
            | Self::Tick => {}
        }
    }

    /// How many bytes it holds of what another server has told of the room.
    pub(crate) fn fed_bytes(&self) -> usize {
        match self {
            Self::Peer(peer) => match **peer {
                FromPeer::Fed { bytes, .. } => bytes,
                _ => 0,
            },
            _ => 0,
        }
    }

    /// What the room is asked, by whoever is answered.
    pub(crate) fn input(&self) -> Option<&Input> {
        match self {
            Self::Command { input, .. } | Self::Enter { input, .. } | Self::Host { input, .. } => Some(input),
            Self::Asked(asked) => Some(&asked.input),
            _ => None,
        }
    }

    /// Whether somebody has asked for something, and is answered.
    pub(crate) fn is_asked(&self) -> bool {
        match self {
            Self::Command { .. } | Self::Enter { .. } | Self::Host { .. } | Self::Asked(_) => true,
            Self::Peer(_)
            | Self::Detach { .. }
            | Self::End { .. }
            | Self::Readmitted { .. }
            | Self::GapView
            | Self::Evict(_)
            | Self::Tick => false,
        }
    }

    /// Whether it may wait for a server that decides: somebody has asked for something, and would rather wait than ask again.
    pub(crate) fn is_parkable(&self) -> bool {
        self.is_asked() && !matches!(self, Self::Host { input: Input::Elapsed, .. })
    }

    /// The place that the room has where it is founded from, if this is to found it.
    pub(crate) fn founding(&self) -> Option<&Arc<Founding>> {
        match self {
            Self::Enter { request: JoinRequest::Command(reply) | JoinRequest::Drawn { reply, .. }, .. } => {
                reply.founding.as_ref()
            }
            _ => None,
        }
    }

    /// Whether the inbox may refuse it. What an engine itself has to say is never refused: there is at most one such item
    /// per session and timer.
    pub(crate) fn is_bounded(&self) -> bool {
        match self {
            Self::Command { .. } => true,
            // Of which nobody hears is what the engine itself has the host do: once for each session that comes in, is admitted anew, or ends.
            Self::Host { answer, .. } => !answer.is_nobody(),
            // Whoever comes back does so with one letter for each room. What the host sets elsewhere was bounded there.
            Self::Asked(asked) => !matches!(asked.input, Input::Attach { .. } | Input::SetRole { by: Actor::Host, .. }),
            Self::Enter { request, .. } => !matches!(request, JoinRequest::Resume(_)),
            Self::Peer(_)
            | Self::Detach { .. }
            | Self::End { .. }
            | Self::Readmitted { .. }
            | Self::GapView
            | Self::Evict(_)
            | Self::Tick => false,
        }
    }
}
