//! One line for each act of an operator: what, where, to whom by number, what came of it, and from which address; never a text, nick or token.

use std::net::IpAddr;

use chat_core::{BanId, Engine, MemberId, RoomCode, Seq};
use tracing::field::display;

/// The target of these lines, by which a subscriber finds them.
pub const AUDIT_TARGET: &str = "audit";

/// What is said of an act beside what came of it.
#[derive(Debug, Default)]
pub(crate) struct AuditLine {
    pub(crate) room: Option<RoomCode>,
    pub(crate) member: Option<MemberId>,
    pub(crate) ban: Option<BanId>,
    pub(crate) message: Option<Seq>,
    /// Ids of sessions, with spaces between them.
    pub(crate) sessions: Option<String>,
}

impl AuditLine {
    /// Writes it. The room is named by its tag, for its code lets whoever has it in.
    pub(crate) fn write(&self, engine: &Engine, act: &str, outcome: &str, peer: Option<IpAddr>) {
        let Self { room, member, ban, message, sessions } = self;
        let (room, peer) = (room.as_ref().map(|room| display(engine.room_tag(room))), peer.map(display));
        tracing::info!(
            target: AUDIT_TARGET,
            act,
            room,
            member = member.map(|member| member.0),
            ban = ban.map(|ban| ban.0),
            message = message.map(|message| message.0),
            sessions = sessions.as_deref(),
            outcome,
            peer,
            "audit"
        );
    }
}
