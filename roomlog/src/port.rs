//! For the authors of a log or a cluster, and for whoever replays a room: the ports behind the engine, and the room itself.
//!
//! An application needs nothing of it. `chat-testkit` has the contract that every log and every cluster keeps.

#[doc(inline)]
pub use chat_core::{
    AgeClock, Amend, Amended, Amendment, AppendError, Cluster, ClusterEvent, Digest, Ended, EndedWho, Erasure,
    ExclusiveClaim, FeedBatch, FeedChange, FeedSlice, Keep, Keyed, Log, LogClaim, LogFeed, LogMeters, LogPage, LogRoom,
    NetworkTag, NodeId, NotSent, Notices, Owner, PARCELS, PersonHash, ReadError, RecordVersion, Retention, Said, Scope,
    Scrub, SecretHash, Slot, SteadyWall, Tail, Term, room,
};
