//! The frame of an event, written straight to bytes: once, for all its readers.

use super::bans::SweptEvents;
use super::frame_kind::FrameKind;
use super::json::{push, push_field};
use super::message::{Head, MessageBody, push_data, write_head, write_message};
use super::reactions::ReactionChange;
use super::server_frame::ServerFrame;
use crate::domain::{Content, Event, LeaveReason, Record};
use crate::types::{Data, MemberId, RoomCode, Seq, Wall};

/// Writes the frame of a record that members are told; nothing for one that they are not.
pub(crate) fn encode_event(room: &RoomCode, record: &Record, out: &mut Vec<u8>) -> Option<FrameKind> {
    let head = Head { room: room.as_str(), seq: record.seq?, at: record.at };
    let kind = match &record.event {
        Event::Sent { nick, color, text, keyed, amended, data, reply_to } => write_message(
            out,
            &MessageBody {
                head,
                member: record.by.map(|by| (by, *color)),
                nick: nick.as_str(),
                text: text.as_str(),
                data: data.as_ref().map(Data::as_str),
                reply_to: *reply_to,
                edited: amended.as_ref().map_or(0, |amended| amended.n),
                is_taken_back: record.event.is_taken_back(),
                // A member's own client looks for it; what the host numbers its messages by is nobody's business.
                key: keyed.as_ref().filter(|_| record.by.is_some()).map(|keyed| keyed.key.as_str()),
                reactions: record.event.frozen_reactions(),
            },
        ),
        Event::Edited { target, content, n, keyed } => {
            let by = record.by.expect("an edit has an author");
            let key = keyed.as_ref().map(|keyed| keyed.key.as_str());
            write_edited(out, head, *target, content.as_ref().map(|content| (by, *n, content, key)))
        }
        event => {
            let (kind, frame) = frame_of(head, record.by, event);
            push(out, &frame);
            kind
        }
    };
    Some(kind)
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
        if let Some(data) = &content.data {
            push_data(out, data.as_str());
        }
        if let Some(key) = key {
            push_field(out, "key", key);
        }
    }
    out.push(b'}');
    FrameKind::Edited
}

/// The frame of an event that is rarer than a message, as the client will read it.
fn frame_of(head: Head<'_>, by: Option<MemberId>, event: &Event) -> (FrameKind, ServerFrame) {
    let Head { room, seq, at } = head;
    let room = room.to_owned();
    match event {
        Event::Joined { nick, color, role, data, .. } => {
            let (member, nick) = (by.expect("a join has a member"), nick.as_str().to_owned());
            let (color, role, data) = (*color, *role, data.clone());
            (FrameKind::MemberJoined, ServerFrame::MemberJoined { room, seq, at, member, nick, color, role, data })
        }
        Event::Left { nick, reason, .. } => {
            let reason = match reason {
                LeaveReason::Left => "left",
                LeaveReason::Timeout => "timeout",
            };
            left(head, by.expect("a leave has a member"), nick.as_str(), reason, None, None)
        }
        Event::Kicked { member, nick, ban } => {
            let reason = if ban.is_some() { "banned" } else { "kicked" };
            left(head, *member, nick.as_str(), reason, by, ban.and_then(|ban| ban.until))
        }
        Event::MemberChanged { member, nick, data, .. } => {
            let nick = nick.as_ref().map(|nick| nick.as_str().to_owned());
            let (member, data) = (*member, data.clone());
            (FrameKind::MemberChanged, ServerFrame::MemberChanged { room, seq, at, member, nick, data })
        }
        Event::Swept { member, from, to } => {
            let range = Some(SweptEvents { member: *member, from: *from, to: *to, by });
            (FrameKind::Swept, ServerFrame::Swept { room, seq, at, range })
        }
        Event::Redacted { target } => {
            (FrameKind::Redacted, ServerFrame::Redacted { room, seq, at, target: Some(*target), by })
        }
        Event::Reacted { target, name, on, count, .. } => {
            let by = by.expect("a reaction is somebody's");
            let reaction = Some(ReactionChange::new(name.clone(), by, *on, *count));
            (FrameKind::Reacted, ServerFrame::Reacted { room, seq, at, target: Some(*target), reaction })
        }
        Event::TopicChanged { topic } => {
            let topic = topic.as_str().to_owned();
            (FrameKind::TopicChanged, ServerFrame::TopicChanged { room, seq, at, topic, by })
        }
        Event::SettingsChanged { settings } => {
            let settings = settings.into();
            (FrameKind::SettingsChanged, ServerFrame::SettingsChanged { room, seq, at, settings, by })
        }
        Event::RoleChanged { member, role } => {
            let (member, role) = (*member, *role);
            (FrameKind::RoleChanged, ServerFrame::RoleChanged { room, seq, at, member, role, by })
        }
        Event::NoticesChanged { notices } => {
            (FrameKind::NoticesChanged, ServerFrame::NoticesChanged { room, seq, at, notices: *notices })
        }
        Event::Sent { .. } | Event::Edited { .. } => unreachable!("these are written field by field"),
        Event::Created { .. }
        | Event::Banned { .. }
        | Event::BanAdded { .. }
        | Event::BanLifted { .. }
        | Event::Settled { .. }
        | Event::Protected
        | Event::Kept { .. }
        | Event::OwnerNamed { .. }
        | Event::Invited { .. }
        | Event::Erased { .. }
        | Event::Scrubbed { .. }
        | Event::Closed { .. } => {
            unreachable!("a record of this kind is never told")
        }
    }
}

fn left(
    head: Head<'_>,
    member: MemberId,
    nick: &str,
    reason: &str,
    by: Option<MemberId>,
    until: Option<Wall>,
) -> (FrameKind, ServerFrame) {
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
    (FrameKind::MemberLeft, frame)
}
