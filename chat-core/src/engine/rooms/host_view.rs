//! What the host is shown of a room, and the way back to whoever asked for it.

use tokio::sync::oneshot;

use crate::domain::{Notices, Role, Settings};
use crate::engine::session::appointing::Appointing;
use crate::room::{Answer, BanLine, OwnerSeat};
use crate::types::{Color, Epoch, Identity, MemberId, Nick, PersonData, Reject, Seq, SessionId, Topic, Wall};
use crate::wire::MessageFrame;

/// The way back to the host; none from what the engine itself has the host do.
pub(crate) enum HostReply {
    /// Nobody hears of it.
    Nobody,
    /// The host waits for it, or did.
    Waiting(oneshot::Sender<Result<HostAnswer, Reject>>),
    /// Nobody waits for the role that the policy says; where it cannot be given now, it is asked for again.
    Appointing(Appointing),
}

impl HostReply {
    /// Whether there is nobody who could hear of it, from the beginning.
    pub(crate) fn is_nobody(&self) -> bool {
        !matches!(self, Self::Waiting(_))
    }

    /// Answers the host, who may have stopped waiting.
    pub(crate) fn send(self, answer: Result<HostAnswer, Reject>) {
        match (self, answer) {
            (Self::Waiting(waiting), answer) => drop(waiting.send(answer)),
            (Self::Appointing(appointing), Err(reject)) => appointing.refused(&reject),
            (Self::Appointing(_) | Self::Nobody, _) => {}
        }
    }
}

impl From<oneshot::Sender<Result<HostAnswer, Reject>>> for HostReply {
    fn from(waiting: oneshot::Sender<Result<HostAnswer, Reject>>) -> Self {
        Self::Waiting(waiting)
    }
}

/// What the host is answered.
#[derive(Debug)]
pub(crate) enum HostAnswer {
    /// What the room itself says.
    Told(Answer),
    Info(RoomInfo),
    Members(MembersPage),
    History(HistoryPage),
}

/// A room as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomInfo {
    /// Which incarnation.
    pub epoch: Epoch,
    /// The number of the last event.
    pub seq: Seq,
    /// What it is about; empty for nothing.
    pub topic: Topic,
    /// What is set.
    pub settings: Settings,
    /// Whether joins and leaves are told one by one.
    pub notices: Notices,
    /// How many members there are.
    pub members: usize,
    /// How many of them are connected.
    pub online: usize,
    /// Whose it is.
    pub owner: OwnerSeat,
    /// Whether only the host says who owns it.
    pub is_protected: bool,
    /// Whether it stays while nobody is in it.
    pub is_kept: bool,
    /// When something last happened in it, in room time.
    pub last_at: Wall,
}

/// Members in the order of their numbers, one page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MembersPage {
    /// Those of this page.
    pub members: Vec<RoomMember>,
    /// How many there are in all.
    pub total: usize,
    /// Whether others follow: those after the last of these.
    pub more: bool,
}

/// A member as the host sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomMember {
    /// Their number.
    pub member: MemberId,
    /// Who they are, if the policy said so; else a guest.
    pub identity: Option<Identity>,
    /// A guest's session; nothing of whoever has an identity, whose sessions may be many.
    pub session: Option<SessionId>,
    /// The name shown.
    pub nick: Nick,
    /// Their colour.
    pub color: Color,
    /// What they may do.
    pub role: Role,
    /// What they show beside their name.
    pub data: Option<PersonData>,
    /// Whether they are connected.
    pub online: bool,
    /// When this membership began, in room time.
    pub since: Wall,
}

/// Messages as they are now, oldest first, one page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryPage {
    /// The incarnation that they are of.
    pub epoch: Epoch,
    /// Those of this page: at most [`history_max`](crate::RoomLimits::history_max), and no more than
    /// [`page_bytes_max`](crate::SessionLimits::page_bytes_max) or one.
    pub messages: Vec<MessageFrame>,
    /// Whether there are messages before these.
    pub more_before: bool,
    /// Whether there are any after them, up to when it was asked for.
    pub more_after: bool,
    /// The last event that they reflect.
    pub as_of: Seq,
}

/// Those who are kept out of a room, one page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BansPage {
    /// In the order of their numbers.
    pub bans: Vec<BanLine>,
    /// Whether others follow: those after the last of these.
    pub more: bool,
}
