//! Server frames, written straight to bytes.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::bans::{SweptEvents, SweptRange};
use super::client_frame::features;
use super::reactions::{ReactionChange, push_reactions};
use super::server_frame::{ChangedMessage, FrameKind, ReadStatus, RoomStatus, ServerFrame, WelcomeLimits};
use super::settings::RoomSettings;
use crate::domain::{Content, Event, LeaveReason, Notices, Reaction, Record, RecordVersion, Role, RoomCloseReason};
use crate::room::ReadPosition;
use crate::types::{
    CloseReason, Color, CommandId, Data, Epoch, MemberId, Nick, PersonData, Position, Reject, RoomCode, Seq, SessionId,
    Wall,
};

/// Writes the frame of a record that members are told; nothing for one that they are not.
pub(crate) fn encode_event(room: &RoomCode, record: &Record, out: &mut Vec<u8>) -> Option<FrameKind> {
    let seq = record.seq?;
    let head = Head { room: room.as_str(), seq, at: record.at };
    let by = record.by;
    let kind = match &record.event {
        Event::Sent { nick, color, text, keyed, amended, data, reply_to } => write_message(
            out,
            &MessageBody {
                head,
                member: by.expect("a message has a sender"),
                nick: nick.as_str(),
                color: color.0,
                text: text.as_str(),
                data: data.as_ref().map(Data::as_str),
                reply_to: *reply_to,
                edited: amended.as_ref().map_or(0, |amended| amended.n),
                is_taken_back: record.event.is_taken_back(),
                key: keyed.as_ref().map(|keyed| keyed.key.as_str()),
                reactions: record.event.frozen_reactions(),
            },
        ),
        Event::Edited { target, content, n, keyed } => {
            let by = by.expect("an edit has an author");
            let key = keyed.as_ref().map(|keyed| keyed.key.as_str());
            write_edited(out, head, *target, content.as_ref().map(|content| (by, *n, content, key)))
        }
        Event::Joined { nick, color, role, data, .. } => {
            let frame = ServerFrame::MemberJoined {
                room: room.as_str().to_owned(),
                seq,
                at: record.at,
                member: by.expect("a join has a member"),
                nick: nick.as_str().to_owned(),
                color: *color,
                role: *role,
                data: data.clone(),
            };
            write_frame(out, FrameKind::MemberJoined, &frame)
        }
        Event::Left { nick, reason, .. } => {
            let reason = match reason {
                LeaveReason::Left => "left",
                LeaveReason::Timeout => "timeout",
            };
            let member = by.expect("a leave has a member");
            write_left(out, head, member, nick.as_str(), reason, None, None)
        }
        Event::Kicked { member, nick, ban } => {
            let reason = if ban.is_some() { "banned" } else { "kicked" };
            write_left(out, head, *member, nick.as_str(), reason, by, ban.and_then(|ban| ban.until))
        }
        Event::MemberChanged { member, nick, data, .. } => {
            let nick = nick.as_ref().map(|nick| nick.as_str().to_owned());
            let (room, at, data) = (room.as_str().to_owned(), record.at, data.clone());
            let frame = ServerFrame::MemberChanged { room, seq, at, member: *member, nick, data };
            write_frame(out, FrameKind::MemberChanged, &frame)
        }
        Event::Swept { member, from, to } => {
            let (room, at) = (room.as_str().to_owned(), record.at);
            let range = Some(SweptEvents { member: *member, from: *from, to: *to, by });
            write_frame(out, FrameKind::Swept, &ServerFrame::Swept { room, seq, at, range })
        }
        Event::Redacted { target } => {
            let frame =
                ServerFrame::Redacted { room: room.as_str().to_owned(), seq, at: record.at, target: Some(*target), by };
            write_frame(out, FrameKind::Redacted, &frame)
        }
        Event::Reacted { target, name, on, count, .. } => {
            let (room, at, by) = (room.as_str().to_owned(), record.at, by.expect("a reaction is somebody's"));
            let reaction = Some(ReactionChange::new(name.clone(), by, *on, *count));
            let target = Some(*target);
            write_frame(out, FrameKind::Reacted, &ServerFrame::Reacted { room, seq, at, target, reaction })
        }
        Event::TopicChanged { topic } => {
            let topic = topic.as_str().to_owned();
            let frame = ServerFrame::TopicChanged { room: room.as_str().to_owned(), seq, at: record.at, topic, by };
            write_frame(out, FrameKind::TopicChanged, &frame)
        }
        Event::SettingsChanged { settings } => {
            let (room, settings) = (room.as_str().to_owned(), settings.into());
            let frame = ServerFrame::SettingsChanged { room, seq, at: record.at, settings, by };
            write_frame(out, FrameKind::SettingsChanged, &frame)
        }
        Event::RoleChanged { member, role } => {
            let room = room.as_str().to_owned();
            let frame = ServerFrame::RoleChanged { room, seq, at: record.at, member: *member, role: *role, by };
            write_frame(out, FrameKind::RoleChanged, &frame)
        }
        Event::NoticesChanged { notices } => {
            let room = room.as_str().to_owned();
            let frame = ServerFrame::NoticesChanged { room, seq, at: record.at, notices: *notices };
            write_frame(out, FrameKind::NoticesChanged, &frame)
        }
        Event::Created { .. }
        | Event::Banned { .. }
        | Event::BanAdded { .. }
        | Event::BanLifted { .. }
        | Event::Settled { .. }
        | Event::Protected
        | Event::Closed { .. } => {
            unreachable!("a record of this kind is never told")
        }
    };
    Some(kind)
}

/// The message frame of the hot path: borrows everything.
pub(super) struct MessageBody<'a> {
    pub(super) head: Head<'a>,
    pub(super) member: MemberId,
    pub(super) nick: &'a str,
    pub(super) color: u8,
    pub(super) text: &'a str,
    /// As JSON.
    pub(super) data: Option<&'a str>,
    pub(super) reply_to: Option<Seq>,
    pub(super) edited: u32,
    pub(super) is_taken_back: bool,
    pub(super) key: Option<&'a str>,
    /// Those that are written into its record.
    pub(super) reactions: &'a [Reaction],
}

#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) room: &'a str,
    pub(super) seq: Seq,
    pub(super) at: Wall,
}

pub(super) fn write_message(out: &mut Vec<u8>, message: &MessageBody<'_>) -> FrameKind {
    // Field by field, so that nothing is copied before it is written.
    out.extend_from_slice(b"{\"type\":\"message\",");
    write_head(out, message.head);
    out.extend_from_slice(b",\"member\":");
    push(out, &message.member);
    out.extend_from_slice(b",\"nick\":");
    push(out, message.nick);
    out.extend_from_slice(b",\"color\":");
    push(out, &message.color);
    out.extend_from_slice(b",\"text\":");
    push(out, message.text);
    if message.is_taken_back {
        out.extend_from_slice(b",\"redacted\":true}");
        return FrameKind::Message;
    }
    push_data(out, message.data);
    if let Some(reply_to) = message.reply_to {
        push_field(out, "reply_to", &reply_to);
    }
    if message.edited > 0 {
        push_field(out, "edited", &message.edited);
    }
    if let Some(key) = message.key {
        out.extend_from_slice(b",\"key\":");
        push(out, key);
    }
    push_reactions(out, message.reactions);
    out.push(b'}');
    FrameKind::Message
}

fn write_head(out: &mut Vec<u8>, head: Head<'_>) {
    out.extend_from_slice(b"\"room\":\"");
    out.extend_from_slice(head.room.as_bytes());
    out.extend_from_slice(b"\",\"seq\":");
    push(out, &head.seq);
    out.extend_from_slice(b",\"at\":\"");
    push_display(out, &head.at);
    out.push(b'"');
}

/// As it was written by whoever attached it.
fn push_data(out: &mut Vec<u8>, data: Option<&str>) {
    if let Some(data) = data {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data.as_bytes());
    }
}

/// The target comes right behind the head: see [`super::changed`].
fn write_edited(
    out: &mut Vec<u8>,
    head: Head<'_>,
    target: Seq,
    says: Option<(MemberId, u32, &Content, Option<&str>)>,
) -> FrameKind {
    out.extend_from_slice(b"{\"type\":\"edited\",");
    write_head(out, head);
    push_field(out, "target", &target);
    if let Some((by, n, content, key)) = says {
        push_field(out, "by", &by);
        push_field(out, "n", &n);
        push_field(out, "text", content.text.as_str());
        push_data(out, content.data.as_ref().map(Data::as_str));
        if let Some(key) = key {
            push_field(out, "key", key);
        }
    }
    out.push(b'}');
    FrameKind::Edited
}

fn write_left(
    out: &mut Vec<u8>,
    head: Head<'_>,
    member: MemberId,
    nick: &str,
    reason: &str,
    by: Option<MemberId>,
    until: Option<Wall>,
) -> FrameKind {
    let frame = ServerFrame::MemberLeft {
        room: head.room.to_owned(),
        seq: Some(head.seq),
        at: Some(head.at),
        position: None,
        member,
        nick: nick.to_owned(),
        reason: reason.to_owned(),
        by,
        until,
    };
    write_frame(out, FrameKind::MemberLeft, &frame)
}

fn write_frame(out: &mut Vec<u8>, kind: FrameKind, frame: &ServerFrame) -> FrameKind {
    push(out, frame);
    kind
}

/// Members, encoded while their list grows.
#[derive(Default)]
pub(crate) struct MemberList {
    json: Vec<u8>,
    /// Where the first one ends.
    first: usize,
}

/// A member as others see them.
pub(crate) struct MemberLine<'a> {
    pub(crate) member: MemberId,
    pub(crate) nick: &'a str,
    pub(crate) color: Color,
    pub(crate) role: Role,
    pub(crate) online: bool,
    pub(crate) data: Option<&'a PersonData>,
}

impl MemberList {
    /// Bytes of one member, about.
    const LINE_BYTES: usize = 96;

    /// As many of these as have no more than `bytes_max` together, or the first; `members` of them are expected.
    pub(crate) fn of<'a>(
        lines: impl Iterator<Item = MemberLine<'a>>,
        members: usize,
        bytes_max: usize,
    ) -> (Self, Option<MemberId>) {
        let json = Vec::with_capacity((members * Self::LINE_BYTES).min(bytes_max));
        let (mut list, mut last) = (Self { json, first: 0 }, None);
        for line in lines {
            let before = list.json.len();
            list.push(&line);
            if before > 0 && list.json.len() > bytes_max {
                list.json.truncate(before);
                break;
            }
            last = Some(line.member);
        }
        if list.json.capacity() > bytes_max {
            // It may wait for long, and counts with its length.
            list.json.shrink_to_fit();
        }
        (list, last)
    }

    fn push(&mut self, line: &MemberLine<'_>) {
        let out = &mut self.json;
        if !out.is_empty() {
            out.push(b',');
        }
        // As a `MemberEntry`, field by field: a join to a big room shows hundreds.
        out.extend_from_slice(b"{\"member\":");
        push(out, &line.member);
        push_field(out, "nick", line.nick);
        push_field(out, "color", &line.color);
        push_field(out, "role", &line.role);
        push_field(out, "online", &line.online);
        if let Some(data) = line.data {
            out.extend_from_slice(b",\"data\":");
            out.extend_from_slice(data.as_str().as_bytes());
        }
        out.push(b'}');
        if self.first == 0 {
            self.first = self.json.len();
        }
    }

    fn first(&self) -> &[u8] {
        &self.json[..self.first]
    }
}

/// What a `joined` says beside its history: fixed when the join is decided, before anything later happens.
pub(crate) struct JoinedParts {
    pub(crate) id: Option<CommandId>,
    pub(crate) epoch: Epoch,
    pub(crate) seq: Seq,
    /// Where the present stay begins.
    pub(crate) entered: Seq,
    /// The floor of what they see.
    pub(crate) sees: Seq,
    /// Oneself first.
    pub(crate) members: MemberList,
    pub(crate) members_total: usize,
    pub(crate) topic: String,
    pub(crate) notices: Notices,
    pub(crate) settings: RoomSettings,
    pub(crate) changed_at: Seq,
    pub(crate) read: ReadStatus,
}

impl JoinedParts {
    /// What it holds, about.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.members.json.len() + self.topic.len()
    }
}

pub(crate) fn joined<'a>(
    room: &RoomCode,
    parts: &JoinedParts,
    history: impl Iterator<Item = &'a [u8]>,
    more: bool,
    as_of: Seq,
) -> Bytes {
    let mut out = Vec::with_capacity(512 + parts.members.json.len());
    out.extend_from_slice(b"{\"type\":\"joined\"");
    push_id(&mut out, parts.id);
    push_field(&mut out, "room", room.as_str());
    push_field(&mut out, "epoch", &parts.epoch);
    push_field(&mut out, "seq", &parts.seq);
    push_field(&mut out, "entered", &parts.entered);
    if parts.sees > Seq(0) {
        push_field(&mut out, "sees", &parts.sees);
    }
    out.extend_from_slice(b",\"you\":");
    out.extend_from_slice(parts.members.first());
    push_list(&mut out, "members", [&*parts.members.json].into_iter());
    push_field(&mut out, "members_total", &parts.members_total);
    push_field(&mut out, "topic", &parts.topic);
    push_field(&mut out, "notices", &parts.notices);
    push_settings(&mut out, &parts.settings);
    push_list(&mut out, "history", history);
    push_field(&mut out, "more", &more);
    push_field(&mut out, "as_of", &as_of);
    push_field(&mut out, "changed_at", &parts.changed_at);
    push_field(&mut out, "read", &parts.read);
    finish(out)
}

pub(crate) fn history<'a>(
    id: Option<CommandId>,
    room: &RoomCode,
    epoch: Epoch,
    messages: impl Iterator<Item = &'a [u8]>,
    (more_before, more_after): (bool, bool),
    as_of: Seq,
) -> Bytes {
    let mut out = b"{\"type\":\"history\"".to_vec();
    push_id(&mut out, id);
    push_field(&mut out, "room", room.as_str());
    push_field(&mut out, "epoch", &epoch);
    push_list(&mut out, "messages", messages);
    push_field(&mut out, "more", &more_before);
    push_field(&mut out, "more_before", &more_before);
    push_field(&mut out, "more_after", &more_after);
    push_field(&mut out, "as_of", &as_of);
    finish(out)
}

/// Messages as they are now that were changed up to `through`, those with [`gone`] among them.
pub(crate) fn changes<'a>(
    id: Option<CommandId>,
    room: &RoomCode,
    epoch: Epoch,
    messages: impl Iterator<Item = &'a [u8]>,
    swept: &[SweptRange],
    (through, more): (Seq, bool),
    as_of: Seq,
) -> Bytes {
    let mut out = b"{\"type\":\"changes\"".to_vec();
    push_id(&mut out, id);
    push_field(&mut out, "room", room.as_str());
    push_field(&mut out, "epoch", &epoch);
    push_list(&mut out, "messages", messages);
    if !swept.is_empty() {
        push_field(&mut out, "swept", swept);
    }
    push_field(&mut out, "through", &through);
    push_field(&mut out, "more", &more);
    push_field(&mut out, "as_of", &as_of);
    finish(out)
}

/// A changed message that nobody has any more.
pub(crate) fn gone(seq: Seq) -> Vec<u8> {
    to_vec(&ChangedMessage::Gone { seq, gone: true })
}

pub(crate) fn members_page(
    id: Option<CommandId>,
    room: &RoomCode,
    members: &MemberList,
    members_total: usize,
    more: bool,
) -> Bytes {
    let mut out = b"{\"type\":\"members\"".to_vec();
    push_id(&mut out, id);
    push_field(&mut out, "room", room.as_str());
    push_list(&mut out, "members", [&*members.json].into_iter());
    push_field(&mut out, "members_total", &members_total);
    push_field(&mut out, "more", &more);
    finish(out)
}

/// How far somebody has read: to who has said it, and to their other sessions.
pub(crate) fn read(id: Option<CommandId>, room: &RoomCode, position: ReadPosition) -> Bytes {
    to_bytes(&ServerFrame::Read { id, room: room.as_str().to_owned(), read: position.into() })
}

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
    to_bytes(&ServerFrame::Welcome { id, session, token, resumed, rooms, limits, features })
}

/// Answers an `end`.
pub(crate) fn ended(id: Option<CommandId>) -> Bytes {
    to_bytes(&ServerFrame::Ended { id })
}

/// A new token, while a connection lasts.
pub(crate) fn token(token: String) -> Bytes {
    to_bytes(&ServerFrame::Token { token })
}

/// Where a session stands in a room that was not able to say so in time for the welcome.
pub(crate) fn resumed(status: &RoomStatus) -> Bytes {
    to_bytes(&ServerFrame::Resumed(status.clone()))
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

pub(crate) fn typing(room: &RoomCode, members: Vec<MemberId>) -> Bytes {
    to_bytes(&ServerFrame::Typing { room: room.as_str().to_owned(), members })
}

pub(crate) fn presence(room: &RoomCode, members: usize, online: usize) -> Bytes {
    to_bytes(&ServerFrame::Presence { room: room.as_str().to_owned(), members, online })
}

/// A gap; `view` is the rest of the frame from [`gap_view`], or nothing when the membership ended inside the gap.
pub(crate) fn gap(room: &RoomCode, epoch: Epoch, from: Seq, to: Seq, view: Option<&[u8]>) -> Bytes {
    let mut out = b"{\"type\":\"gap\"".to_vec();
    push_field(&mut out, "room", room.as_str());
    push_field(&mut out, "epoch", &epoch);
    push_field(&mut out, "from", &from);
    push_field(&mut out, "to", &to);
    match view {
        Some(rest) => out.extend_from_slice(rest),
        None => push_field(&mut out, "ended", &true),
    }
    finish(out)
}

/// The part of a gap that all readers at one position share.
pub(crate) fn gap_view(
    members: &MemberList,
    members_total: usize,
    topic: &str,
    notices: Notices,
    settings: &RoomSettings,
    changed_at: Seq,
) -> Bytes {
    let mut out = Vec::with_capacity(128 + members.json.len());
    push_list(&mut out, "members", [&*members.json].into_iter());
    push_field(&mut out, "members_total", &members_total);
    push_field(&mut out, "topic", topic);
    push_field(&mut out, "notices", &notices);
    push_settings(&mut out, settings);
    push_field(&mut out, "changed_at", &changed_at);
    Bytes::from(out)
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
    let reason = match cause {
        RoomCloseReason::Empty => "empty",
        RoomCloseReason::Host => "host",
        RoomCloseReason::Fault => "fault",
    };
    to_bytes(&ServerFrame::RoomClosed { room: room.as_str().to_owned(), epoch, reason: reason.to_owned() })
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

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn push_id(out: &mut Vec<u8>, id: Option<CommandId>) {
    if let Some(id) = id {
        push_field(out, "id", &id);
    }
}

pub(super) fn push_field<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    push(out, value);
}

/// A room in which nobody has set anything costs nothing.
fn push_settings(out: &mut Vec<u8>, settings: &RoomSettings) {
    if !settings.is_default() {
        push_field(out, "settings", settings);
    }
}

/// A list of frames that are encoded already.
pub(super) fn push_list<'a>(out: &mut Vec<u8>, name: &str, frames: impl Iterator<Item = &'a [u8]>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":[");
    for (index, frame) in frames.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(frame);
    }
    out.push(b']');
}

fn push<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("frames have string keys, and a Vec takes every write");
}

fn push_display(out: &mut Vec<u8>, value: &impl std::fmt::Display) {
    use std::io::Write;
    write!(out, "{value}").expect("a Vec takes every write");
}

pub(super) fn finish(mut out: Vec<u8>) -> Bytes {
    out.push(b'}');
    Bytes::from(out)
}

pub(super) fn to_vec<T: Serialize>(frame: &T) -> Vec<u8> {
    serde_json::to_vec(frame).expect("frames have string keys, and a Vec takes every write")
}

fn to_bytes(frame: &ServerFrame) -> Bytes {
    Bytes::from(to_vec(frame))
}
