//! The way back to whoever asked at another server.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::engine::parcel::{Decided, Parcel};
use crate::ports::Cluster;
use crate::types::{NodeId, Offset, Reject, RejectCode, RoomCode};

/// The way back to whoever asked at another server. Answered exactly once: dropped without, it says `unavailable`.
pub(crate) struct GuestReply {
    cluster: Arc<dyn Cluster>,
    pub(crate) node: NodeId,
    room: RoomCode,
    pub(crate) number: u64,
    is_answered: bool,
}

impl GuestReply {
    pub(crate) fn new(cluster: Arc<dyn Cluster>, node: NodeId, room: RoomCode, number: u64) -> Self {
        Self { cluster, node, room, number, is_answered: false }
    }

    /// Tells it by itself: nothing that it stands on has to be told before.
    pub(crate) fn reject(mut self, reject: Reject) {
        self.tell(reject);
    }

    /// Nothing of it was decided here, nor will be: whoever asked asks whoever decides.
    pub(crate) fn hand_back(mut self) {
        self.is_answered = true;
        self.send(&Parcel::Undecided { room: self.room.clone(), numbers: vec![self.number] });
    }

    /// It is told, with what it stands on; to which server.
    pub(crate) fn told(mut self) -> NodeId {
        self.is_answered = true;
        self.node
    }

    fn tell(&mut self, reject: Reject) {
        self.is_answered = true;
        let decided = Decided { number: self.number, epoch: None, after: Offset(0), verdict: Err(reject), newer: None };
        let answers = Parcel::Answers { room: self.room.clone(), ahead: false, answers: vec![decided] };
        self.send(&answers);
    }

    /// Where the link is down the other side knows, and has answered by itself.
    fn send(&self, parcel: &Parcel) {
        let (cluster, parcel) = (&self.cluster, parcel.encode());
        let _ = catch_unwind(AssertUnwindSafe(|| cluster.send(self.node, parcel)));
    }
}

impl Drop for GuestReply {
    fn drop(&mut self) {
        if !self.is_answered {
            self.tell(Reject::new(RejectCode::Unavailable, "the room could not answer"));
        }
    }
}
