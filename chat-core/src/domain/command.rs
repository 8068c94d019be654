//! What a session asks for. Parsed, so every value in it is allowed by itself; whether the room allows it is decided there.

use crate::types::{Body, Key, MemberId, Nick, Position, RoomCode, Seq, Topic};

/// Whether a member starts or stops typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypingState {
    /// Typing, until renewed or for the room's typing time.
    On,
    /// Not typing any more.
    Off,
}

/// One command of one session. Later versions have more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Make a room and be its first member.
    Create {
        /// The name to show.
        nick: Nick,
        /// The room's name; drawn when there is none.
        room: Option<RoomCode>,
    },
    /// Become a member of a room.
    Join {
        /// Which room.
        room: RoomCode,
        /// The name to show.
        nick: Nick,
        /// How many earlier messages to show; the room's default when there is none.
        history: Option<u32>,
        /// Where the session was when it was last in this room: events after it follow instead of a history.
        after: Option<Position>,
    },
    /// Say something.
    Send {
        /// Which room.
        room: RoomCode,
        /// What to say.
        text: Body,
        /// Makes a retry safe.
        key: Option<Key>,
    },
    /// Stop being a member.
    Leave {
        /// Which room.
        room: RoomCode,
    },
    /// Read earlier messages.
    History {
        /// Which room.
        room: RoomCode,
        /// Messages before this one; the newest when there is none.
        before: Option<Seq>,
        /// How many at most; the room's default when there is none.
        limit: Option<u32>,
    },
    /// Read the list of members.
    Members {
        /// Which room.
        room: RoomCode,
        /// Members after this one; from the start when there is none.
        after: Option<MemberId>,
        /// How many at most; the room's page size when there is none.
        limit: Option<u32>,
    },
    /// Show others that a message is being written.
    Typing {
        /// Which room.
        room: RoomCode,
        /// Starting or stopping.
        state: TypingState,
    },
    /// Take back a message: one's own, or any as the owner.
    Redact {
        /// Which room.
        room: RoomCode,
        /// The number of the message.
        target: Seq,
    },
    /// Put a member out of the room; the owner only.
    Kick {
        /// Which room.
        room: RoomCode,
        /// Whom.
        member: MemberId,
    },
    /// Put a member out of the room and keep them out; the owner only.
    Ban {
        /// Which room.
        room: RoomCode,
        /// Whom.
        member: MemberId,
    },
    /// Say what the room is about; the owner only.
    SetTopic {
        /// Which room.
        room: RoomCode,
        /// The topic; empty for none.
        topic: Topic,
    },
}

impl Command {
    /// The room it is about; `None` for a creation without a chosen name.
    pub fn room(&self) -> Option<&RoomCode> {
        match self {
            Self::Create { room, .. } => room.as_ref(),
            Self::Join { room, .. }
            | Self::Send { room, .. }
            | Self::Leave { room }
            | Self::History { room, .. }
            | Self::Members { room, .. }
            | Self::Typing { room, .. }
            | Self::Redact { room, .. }
            | Self::Kick { room, .. }
            | Self::Ban { room, .. }
            | Self::SetTopic { room, .. } => Some(room),
        }
    }
}
