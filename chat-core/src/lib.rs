//! Chat rooms as logs and sessions as cursors: a pure room, and the engine around it.
//!
//! *A room is a log, a session is a cursor.* There is no queue per client: history, live delivery, resuming and catching up
//! all read on from a position in the room's shared backlog.
//!
#![cfg_attr(feature = "engine", doc = "```")]
#![cfg_attr(not(feature = "engine"), doc = "```ignore")]
//! use chat_core::{Command, ConnectRequest, Engine, Hello, Nick, RoomCode, ServerFrame};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::builder().build();
//! let ann = engine.connect(ConnectRequest::default(), Hello::default()).await?;
//! let mut bob = engine.connect(ConnectRequest::default(), Hello::default()).await?;
//!
//! let room = RoomCode::parse("LUNCH")?;
//! ann.call(Command::Create { nick: Nick::parse("Ann")?, room: Some(room.clone()) }).await?;
//! bob.call(Command::Join { room: room.clone(), nick: Nick::parse("Bob")?, history: None, after: None }).await?;
//! let text = chat_core::Body::parse("Pizza?", 4_000)?;
//! ann.call(Command::Send { room, text, key: None }).await?;
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
mod engine;
mod messages;
#[cfg(feature = "planted")]
#[doc(hidden)]
pub mod planted;
#[cfg(feature = "engine")]
mod ports;
pub mod room;
#[cfg(feature = "engine")]
pub mod wire;
mod words;

#[cfg(feature = "engine")]
pub use engine::{
    Answered, Busy, Engine, EngineBuilder, Fill, Frame, FrameMark, FrameRef, Framing, Lane, Moderation, Positions,
    Refusal, Reply, Session, Stats,
};
pub use messages::{
    CloseCause, Command, Digest, Event, Keyed, LeaveReason, Notices, Recorded, Role, Signal, TypingState,
};
#[cfg(feature = "engine")]
pub use ports::{
    Admission, AppendError, Clock, ConnectRequest, Fact, Log, LogClaim, LogInUse, Observer, OneEngine, Policy,
    ReadError, SessionView, Stretch, SystemClock, Tail,
};
#[cfg(feature = "engine")]
pub use wire::{BadFrame, ClientFrame, FrameKind, Hello, Request, Resume, ServerFrame};
pub use words::{
    Body, CloseReason, Color, CommandId, EngineLimits, Epoch, Generation, Identity, Key, Limits, MemberId, Mono, Nick,
    NickKey, Now, Offset, Position, Reject, RejectCode, RoomCode, RoomLimits, Scope, Seq, SessionId, SessionLimits,
    Topic, Wall, ZeroLimit,
};
