//! A refused command: expected, coded, told to the client, and nothing was changed.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::time::Wall;

mod carried;

/// Why a command was refused, for programs; the wire name is [`RejectCode::as_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RejectCode {
    /// The frame is not one JSON object in UTF-8 text.
    BadFrame,
    /// The frame's `type` is none that a client may send.
    UnknownType,
    /// A field is missing, of another type, or holds what the field does not allow.
    BadField,
    /// A field or the whole frame is longer than its limit, which is named.
    TooLong,
    /// No room has this code.
    RoomNotFound,
    /// The chosen room name is in use.
    NameTaken,
    /// Somebody in the room has this nick, or one that looks like it.
    NickTaken,
    /// The session is not in this room.
    NotMember,
    /// This session is in the room already.
    AlreadyMember,
    /// No member of the room has this number.
    MemberNotFound,
    /// No message of the room has this number, or it is out of reach.
    MessageNotFound,
    /// The message is too old for this: said too long ago to be edited, or not among the last, which take reactions.
    TooLate,
    /// The message has been edited as often as it may be.
    EditsFull,
    /// More was changed since then than the room remembers.
    OutOfReach,
    /// The session is in as many rooms as it may be.
    TooManyRooms,
    /// The member has as many sessions attached as it may have.
    TooManyAttachments,
    /// No ban of the room has this number, or it has ended.
    BanNotFound,
    /// The room has as many members as it may have.
    RoomFull,
    /// The room is locked: nobody new gets in.
    RoomLocked,
    /// The room asks newcomers for a secret, and they have shown none, or another.
    SecretWrong,
    /// As many people have a role in the room as may have one.
    RolesFull,
    /// The room has as many bans as it may have.
    BansFull,
    /// As many messages are shown while they grow as may be, or as many bytes of them.
    LiveFull,
    /// The member, or the room, shows as many signals as it may.
    SignalsFull,
    /// The room keeps as many reactions as it may, or as many of this person or to this message.
    ReactionsFull,
    /// The person is banned from the room; `until` says until when.
    Banned,
    /// Only those who moderate the room speak in it.
    ReadOnly,
    /// The member's role, or the policy, does not allow this.
    Forbidden,
    /// The key was used for something else.
    KeyConflict,
    /// Too fast; `retry_after` says when.
    RateLimited,
    /// Too many commands are in flight, here or in the room; try again.
    Busy,
    /// The room's log, or the policy, could not be asked in time; try again. Whether it was done is not always known.
    Unavailable,
    /// The engine has as many rooms or sessions as it may, or as many of this address, or its rooms remember as many bytes as they may.
    AtCapacity,
    /// The server is going down and takes nothing new.
    Draining,
    /// The session has no connection to answer on right now.
    NotConnected,
    /// The token is not one of this server, or is that of another session or identity.
    BadToken,
    /// What was shown to say who one is has run out.
    AuthExpired,
}

impl RejectCode {
    /// Every code, in the order of the protocol page.
    pub const ALL: &[RejectCode] = &[
        Self::BadFrame,
        Self::UnknownType,
        Self::BadField,
        Self::TooLong,
        Self::RoomNotFound,
        Self::NameTaken,
        Self::NickTaken,
        Self::NotMember,
        Self::AlreadyMember,
        Self::MemberNotFound,
        Self::MessageNotFound,
        Self::TooLate,
        Self::EditsFull,
        Self::OutOfReach,
        Self::TooManyRooms,
        Self::TooManyAttachments,
        Self::BanNotFound,
        Self::RoomFull,
        Self::RoomLocked,
        Self::SecretWrong,
        Self::RolesFull,
        Self::BansFull,
        Self::LiveFull,
        Self::SignalsFull,
        Self::ReactionsFull,
        Self::Banned,
        Self::ReadOnly,
        Self::Forbidden,
        Self::KeyConflict,
        Self::RateLimited,
        Self::Busy,
        Self::Unavailable,
        Self::AtCapacity,
        Self::Draining,
        Self::NotConnected,
        Self::BadToken,
        Self::AuthExpired,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadFrame => "bad_frame",
            Self::UnknownType => "unknown_type",
            Self::BadField => "bad_field",
            Self::TooLong => "too_long",
            Self::RoomNotFound => "room_not_found",
            Self::NameTaken => "name_taken",
            Self::NickTaken => "nick_taken",
            Self::NotMember => "not_member",
            Self::AlreadyMember => "already_member",
            Self::MemberNotFound => "member_not_found",
            Self::MessageNotFound => "message_not_found",
            Self::TooLate => "too_late",
            Self::EditsFull => "edits_full",
            Self::OutOfReach => "out_of_reach",
            Self::TooManyRooms => "too_many_rooms",
            Self::TooManyAttachments => "too_many_attachments",
            Self::BanNotFound => "ban_not_found",
            Self::RoomFull => "room_full",
            Self::RoomLocked => "room_locked",
            Self::SecretWrong => "secret_wrong",
            Self::RolesFull => "roles_full",
            Self::BansFull => "bans_full",
            Self::LiveFull => "live_full",
            Self::SignalsFull => "signals_full",
            Self::ReactionsFull => "reactions_full",
            Self::Banned => "banned",
            Self::ReadOnly => "read_only",
            Self::Forbidden => "forbidden",
            Self::KeyConflict => "key_conflict",
            Self::RateLimited => "rate_limited",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::AtCapacity => "at_capacity",
            Self::Draining => "draining",
            Self::NotConnected => "not_connected",
            Self::BadToken => "bad_token",
            Self::AuthExpired => "auth_expired",
        }
    }
}

/// A refusal, complete: the code for programs, words for people, and what helps to do better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Why, for programs.
    pub code: RejectCode,
    /// Why, for people. Never holds text of a fault inside the server.
    pub message: Cow<'static, str>,
    /// The field that is wrong.
    pub field: Option<&'static str>,
    /// The bound that was passed, in the unit the message names.
    pub limit: Option<u64>,
    /// How long to wait before the same may succeed.
    pub retry_after: Option<Duration>,
    /// Until when it is so, where that is known: of a ban.
    pub until: Option<Wall>,
}

impl Reject {
    /// A refusal with nothing but its reason.
    pub fn new(code: RejectCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), field: None, limit: None, retry_after: None, until: None }
    }

    /// A field that is missing, of another type, or not allowed to hold this.
    pub fn bad_field(field: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field), ..Self::new(RejectCode::BadField, message) }
    }

    /// A field over its bound, in `unit`.
    pub fn too_long(field: &'static str, limit: u64, unit: &'static str) -> Self {
        let message = format!("{field} is longer than {limit} {unit}");
        Self { field: Some(field), limit: Some(limit), ..Self::new(RejectCode::TooLong, message) }
    }

    /// The same refusal, with advice on when to try again.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// The same refusal, with when to try again where time alone may help and nobody has said more: after a second, and where
    /// others have to go first, after ten.
    #[must_use]
    #[cfg(feature = "engine")]
    pub(crate) fn that_passes(self) -> Self {
        use RejectCode::{AtCapacity, Busy, Draining, RateLimited, Unavailable};
        let seconds = match self.code {
            AtCapacity => Some(10),
            Busy | Draining | RateLimited | Unavailable => Some(1),
            _ => None,
        };
        Self { retry_after: self.retry_after.or(seconds.map(Duration::from_secs)), ..self }
    }

    /// The same refusal, naming the bound that was passed.
    #[must_use]
    pub fn limit(self, limit: u64) -> Self {
        Self { limit: Some(limit), ..self }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Reject {}
