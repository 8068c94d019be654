//! What comes to a room from another server, or because of one.

use crate::engine::parcel::{Attachment, Decided, Feed};
use crate::engine::rooms::guest_reply::GuestReply;
use crate::room::{Caller, Input};
use crate::types::{Epoch, Generation, NodeId, SessionId};

/// Somebody asks at a server that follows the room from here.
pub(crate) struct Asked {
    pub(crate) input: Input,
    /// Whether that server knows the room, as far as it knows itself.
    pub(crate) follows: bool,
    pub(crate) reply: GuestReply,
}

/// What comes to a room from another server, or because of one, and is not answered.
pub(crate) enum FromPeer {
    /// A server follows the room from here, and these are attached there: nobody else of it, but whoever has come in and has not heard of it.
    Follow { node: NodeId, epoch: Option<Epoch>, attached: Vec<Attachment>, awaited: Vec<(SessionId, Generation)> },
    /// A server follows no more.
    Unfollow { node: NodeId },
    /// A session has lost its connection there.
    Lost { node: NodeId, session: SessionId, generation: Generation },
    /// A session was ended there.
    Ended { by: Caller, whole: bool },
    /// The owner of the room, which is followed here, tells what has happened.
    Fed { from: NodeId, feed: Feed, bytes: usize },
    /// What the owner has decided of what was asked here. It may rest on what is told next.
    Answered { from: NodeId, ahead: bool, answers: Vec<Decided> },
    /// What was asked at a server that does not decide was not decided there.
    Undecided { from: NodeId, numbers: Vec<u64> },
    /// The link to another server is up, or is down.
    Link { node: NodeId, is_up: bool },
}
