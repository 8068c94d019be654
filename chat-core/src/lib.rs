//! Chat rooms as logs and sessions as cursors: a pure room, and the engine around it.
//!
//! *A room is a log, a session is a cursor.* There is no queue per client: history, live delivery, resuming and catching up
//! all read on from a position in the room's shared backlog.
//!
#![cfg_attr(feature = "engine", doc = "```")]
#![cfg_attr(not(feature = "engine"), doc = "```ignore")]
//! use chat_core::{Command, ConnectRequest, Engine, Hello, RoomCode, ServerFrame};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::builder().build();
//! let ann = engine.connect(ConnectRequest::default(), Hello::default()).await?;
//! let mut bob = engine.connect(ConnectRequest::default(), Hello::default()).await?;
//!
//! let room: RoomCode = "LUNCH".parse()?;
//! ann.call(Command::create("Ann".parse()?).with_room(room.clone())).await?;
//! bob.call(Command::join(room.clone(), "Bob".parse()?)).await?;
//! ann.call(Command::send(room, "Pizza?".parse()?)).await?;
//!
//! // Bob reads what he is due: the welcome, the room as he joined it, and then its events.
//! let message = loop {
//!     if let ServerFrame::Message(message) = bob.next().await {
//!         break message;
//!     }
//! };
//! assert_eq!((message.nick.as_str(), message.text.as_str()), ("Ann", "Pizza?"));
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "engine")]
#[doc(hidden)]
pub mod checks;
mod domain;
#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "fault_injection")]
#[doc(hidden)]
pub mod fault_injection;
#[cfg(feature = "engine")]
mod hashing;
#[cfg(feature = "engine")]
mod locks;
#[cfg(feature = "engine")]
mod meters;
#[cfg(feature = "engine")]
mod ports;
pub mod room;
mod seldom;
mod types;
#[cfg(feature = "wire")]
#[cfg_attr(not(feature = "engine"), allow(dead_code, unused_imports, reason = "the engine writes what clients read"))]
pub mod wire;

pub use domain::{
    Amend, Amended, Amendment, BanTerm, BanTerms, Command, Content, Digest, Event, Extent, HistoryAnchor, Keyed,
    LeaveReason, MemberChange, Named, Notices, Reaction, Record, RecordVersion, Role, RoomCloseReason, RoomOptions,
    Said, Scrub, Settings, SettingsChange, TypingState,
};
#[cfg(feature = "engine")]
pub use engine::{
    Add, Added, Answered, BansPage, Busy, CommandSender, Connection, Engine, EngineBuilder, Feed, FeedDeliveries,
    FeedEvent, FeedPage, Fill, Frame, FrameMark, FrameRef, Framing, HistoryPage, MembersPage, Moderation, PARCELS,
    PersonSessions, Positions, Receipt, Refusal, Reply, RoomEntry, RoomHandle, RoomInfo, RoomMember, RoomTag,
    RoomsPage, Say, SessionEntry, Stats,
};
#[cfg(feature = "engine")]
pub use meters::{
    AppendMeter, ClusterMeter, CommandKind, CommandMeter, DeliveryOutcome, FeedMeter, Histogram, LogMeters, Meters,
    TransportMeter,
};
#[cfg(feature = "engine")]
pub use ports::{
    Admission, AgeClock, AppendError, Clock, Cluster, ClusterEvent, ConnectRequest, Ended, EndedWho, Erasure,
    ExclusiveClaim, FeedBatch, FeedBounds, FeedChange, FeedCursor, FeedError, FeedGap, FeedName, FeedSlice, Guests,
    Keep, Log, LogClaim, LogFeed, LogInUse, LogPage, LogRoom, NotSent, Observer, ObserverEvent, Owner, Policy,
    ReadError, Retention, Revocation, RoomAbout, SessionView, Slot, SystemClock, Tail, Term,
};
pub use types::{
    AccessToken, BanId, Belief, Body, CloseReason, Color, CommandId, Credential, Data, EngineLimits, Epoch, Generation,
    Identity, Key, Limits, MemberId, Mono, NetworkTag, NewcomersSee, Nick, NickKey, NodeId, Now, Offset, Params,
    PersonData, PersonHash, Position, ReactionName, Reject, RejectCode, RoomCode, RoomLimits, RoomSecret, Scope,
    SecretHash, Seq, SessionId, SessionLimits, SignalData, SignalName, SteadyWall, Topic, Wall, WallStep, ZeroLimit,
};
#[cfg(feature = "wire")]
pub use wire::{BadFrame, ClientFrame, FEATURES, FrameKind, Hello, Request, Resume, ServerFrame};
#[cfg(feature = "schema")]
pub use wire::{asyncapi, client_frame_schema, server_frame_schema};
