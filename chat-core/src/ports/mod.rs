//! What the engine asks of the world: a log, a clock, a policy, an observer, other servers. No implementations but the trivial ones.

mod about;
mod claim;
mod clock;
mod cluster;
mod erasure;
mod feed;
mod guests;
mod log;
mod log_error;
mod observer;
mod policy;
mod retention;
mod revocation;
mod slot;

pub use about::RoomAbout;
pub use claim::{ExclusiveClaim, LogClaim, LogInUse};
pub use clock::{Clock, SystemClock};
pub use cluster::{Cluster, ClusterEvent, NotSent, Owner, Term};
pub use erasure::Erasure;
pub use feed::{FeedBatch, FeedBounds, FeedChange, FeedCursor, FeedError, FeedGap, FeedName, FeedSlice, LogFeed};
pub use guests::Guests;
pub use log::{Ended, EndedWho, Log, LogPage, LogRoom, Tail};
pub use log_error::{AppendError, ReadError};
pub use observer::{Observer, ObserverEvent};
pub use policy::{Admission, ConnectRequest, Policy, SessionView};
pub use retention::{AgeClock, Keep, Retention};
pub use revocation::Revocation;
pub use slot::Slot;
