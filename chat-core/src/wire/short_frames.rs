//! Short frames: each is built as the client will read it, and written whole.

use std::time::Duration;

use bytes::Bytes;

use super::commands::features;
use super::json::to_bytes;
use super::room_status::{RoomStatus, WelcomeLimits};
use super::server_frame::ServerFrame;
use crate::domain::{RecordVersion, RoomCloseReason};
use crate::room::ReadPosition;
use crate::types::{
    CloseReason, CommandId, Epoch, MemberId, Nick, Position, Reject, RoomCode, Seq, SessionId, Wall, millis,
};

pub(crate) fn welcome(
    id: Option<CommandId>,
    session: SessionId,
    token: Option<String>,
    resumed: bool,
    rooms: Vec<RoomStatus>,
    limits: WelcomeLimits,
    writes: RecordVersion,
) -> Bytes {
    let features = features(writes).map(str::to_owned).collect();
    to_bytes(&ServerFrame::Welcome { id, session, token, resumed, rooms, limits, features, at: None })
}

/// Where a session stands in a room that was not able to say so in time for the welcome.
pub(crate) fn resumed(status: &RoomStatus) -> Bytes {
    to_bytes(&ServerFrame::Resumed(status.clone()))
}

/// A new token, while a connection lasts.
pub(crate) fn token(token: String) -> Bytes {
    to_bytes(&ServerFrame::Token { token })
}

/// Answers an `end`.
pub(crate) fn ended(id: Option<CommandId>) -> Bytes {
    to_bytes(&ServerFrame::Ended { id })
}

pub(crate) fn closing<'a>(
    reason: CloseReason,
    reconnect_after: Option<Duration>,
    positions: impl Iterator<Item = (&'a RoomCode, Position)>,
) -> Bytes {
    let mut frame = ServerFrame::closing(reason, reconnect_after);
    if let ServerFrame::Closing { positions: told, .. } = &mut frame {
        told.extend(positions.map(|(room, position)| (room.as_str().to_owned(), position.to_string())));
    }
    to_bytes(&frame)
}

pub(crate) fn ack(id: Option<CommandId>, room: &RoomCode, seq: Seq, at: Option<Wall>) -> Bytes {
    to_bytes(&ServerFrame::Ack { id, room: room.as_str().to_owned(), seq, at })
}

pub(crate) fn error(id: Option<CommandId>, room: Option<&RoomCode>, reject: &Reject) -> Bytes {
    to_bytes(&ServerFrame::Error {
        id,
        room: room.map(|room| room.as_str().to_owned()),
        code: reject.code.as_str().to_owned(),
        message: reject.message.clone().into_owned(),
        field: reject.field.map(str::to_owned),
        limit: reject.limit,
        retry_after_ms: reject.retry_after.map(millis),
        until: reject.until,
    })
}

/// How far somebody has read: to who has said it, and to their other sessions.
pub(crate) fn read(id: Option<CommandId>, room: &RoomCode, position: ReadPosition) -> Bytes {
    to_bytes(&ServerFrame::Read { id, room: room.as_str().to_owned(), read: position.into() })
}

pub(crate) fn typing(room: &RoomCode, members: Vec<MemberId>) -> Bytes {
    to_bytes(&ServerFrame::Typing { room: room.as_str().to_owned(), members })
}

pub(crate) fn presence(room: &RoomCode, members: usize, online: usize) -> Bytes {
    to_bytes(&ServerFrame::Presence { room: room.as_str().to_owned(), members, online })
}

/// One's own leaving, where no event tells it: for who has left alone. The stream of the room has ended at this position.
pub(crate) fn left_quietly(room: &RoomCode, at: Position, member: MemberId, nick: &Nick) -> Bytes {
    to_bytes(&ServerFrame::MemberLeft {
        room: room.as_str().to_owned(),
        seq: None,
        at: None,
        position: Some(at.to_string()),
        member,
        nick: nick.as_str().to_owned(),
        reason: "left".to_owned(),
        by: None,
        until: None,
    })
}

pub(crate) fn room_closed(room: &RoomCode, epoch: Epoch, cause: RoomCloseReason) -> Bytes {
    let reason = close_reason(cause).to_owned();
    to_bytes(&ServerFrame::RoomClosed { room: room.as_str().to_owned(), epoch, reason })
}

pub(super) fn close_reason(cause: RoomCloseReason) -> &'static str {
    match cause {
        RoomCloseReason::Empty => "empty",
        RoomCloseReason::Host => "host",
        RoomCloseReason::Fault => "fault",
    }
}
