//! For the authors of a transport: frames as bytes, positions that move as they are taken, and the tools of a serving loop.
//!
//! An application needs nothing of it.

#[doc(inline)]
pub use chat_core::{
    Answered, BadFrame, Belief, Busy, ClientFrame, CommandId, CommandSender, FEATURES, Fill, Frame, FrameMark,
    FrameRef, Framing, Generation, Positions, Reply, Request, wire,
};
/// The frames as JSON Schema, and as an AsyncAPI document.
#[cfg(feature = "schema")]
#[doc(inline)]
pub use chat_core::{asyncapi, client_frame_schema, server_frame_schema};
#[doc(inline)]
pub use chat_serve::{
    BadServerName, Crowded, Elsewhere, LongLived, NotPassedOn, PassOn, PassOnLimits, Passed, Patience, PeerStream,
    Place, Places, ServerName, Socket, Tcp, reclaim, serve_passed_on, was_paused, within,
};
