//! What makes one service of many engines: who decides for which rooms, and the way of parcels between the servers.
//!
//! Every room is decided by one server at any time, the owner of its [`Slot`]; the others follow it. What travels between two servers is
//! bytes to whoever carries them, and nothing of it is the truth: that is in the log they share. A parcel that is lost costs a question to
//! the log.

use async_trait::async_trait;

use super::slot::Slot;
use crate::types::NodeId;

/// How often a slot has been given or taken: a later owner has a higher one.
///
/// What was decided under one term is no other term's. Within one term nobody but its owner decides, also where that does not know for a while
/// whether it still is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(pub u64);

/// Who decides for the rooms of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// This server. Whatever it knows of the slot's rooms it brings up to date from the log first.
    Me(Term),
    /// Another one. What this server had of the slot's rooms is a copy from then on, and what it is asked of them is asked there.
    Other(NodeId, Term),
    /// Nobody, as far as is known here: nothing is decided until somebody does.
    ///
    /// An owner who cannot say any more that a slot is its own says this of it, and may own it again under the same term: its rooms stay as they
    /// are, with everybody who reads them, and whoever has gone meanwhile has all of their grace from then on.
    Nobody,
}

/// What has happened to this server's place among the others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterEvent {
    /// Another server has sent something.
    Parcel {
        /// Which one.
        from: NodeId,
        /// As it was sent.
        parcel: Vec<u8>,
    },
    /// From now on parcels go to this server, and come from it. What was sent before and has not come will not come.
    LinkUp(NodeId),
    /// They do not any more. It may be gone, or it may be alone.
    LinkDown(NodeId),
    /// Slots have another owner, or another term; or their owner is not known any more, or known again. What waits in their rooms is looked at
    /// then, and otherwise when something comes in.
    Moved(Vec<Slot>),
}

/// A parcel that was not taken: its link is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server cannot be reached")]
pub struct NotSent;

/// The other servers, as an engine knows them.
#[async_trait]
pub trait Cluster: Send + Sync + 'static {
    /// Who decides for the rooms of a slot. Asked for every command: it looks at what is known, and waits for nothing.
    fn owner(&self, slot: Slot) -> Owner;

    /// Queues a parcel for another server. Parcels from one server to another come in the order in which they were sent, each at most once;
    /// where one is lost, so are those after it until the link is up again. A link's queue is bounded in bytes: one that would hold more is cut,
    /// and both ends are told that it is down, as where it breaks.
    ///
    /// # Errors
    /// [`NotSent`]: then it never comes.
    fn send(&self, to: NodeId, parcel: Vec<u8>) -> Result<(), NotSent>;

    /// The other servers that there are, as far as is known here, whether or not they can be reached: whoever asks all of them is told which of
    /// these have not answered. Where this is not known none are named; those that can be reached are known without it.
    fn living(&self) -> Vec<NodeId> {
        Vec::new()
    }

    /// The next thing that has happened, once it has. One task of the engine asks, again and again, and nobody else; one that was dropped
    /// while it waited has taken nothing.
    async fn next(&self) -> ClusterEvent;
}
