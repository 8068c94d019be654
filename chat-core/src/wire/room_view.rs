//! How a room is shown at once: to whoever joins it, and to whoever missed a part of it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::frame_kind::FrameKind;
use super::json::{begin, finish, is_default, push_field, push_json, push_list};
use super::members::{MemberEntry, MemberList};
use super::message::TaggedMessage;
use super::room_status::ReadStatus;
use super::settings::RoomSettings;
use crate::domain::Notices;
use crate::types::{CommandId, Epoch, Position, RoomCode, Seq};

/// The answer to a join: the room as the joiner first sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct Joined {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<CommandId>,
    pub room: String,
    pub epoch: Epoch,
    pub seq: Seq,
    #[serde(default)]
    pub entered: Seq,
    /// Messages up to here are not theirs to see.
    #[serde(skip_serializing_if = "is_default", default)]
    pub sees: Seq,
    pub you: MemberEntry,
    pub members: Vec<MemberEntry>,
    pub members_total: usize,
    pub topic: String,
    pub notices: Notices,
    #[serde(skip_serializing_if = "RoomSettings::is_default", default)]
    pub settings: RoomSettings,
    pub history: Vec<TaggedMessage>,
    pub more: bool,
    /// The last event that the history reflects.
    #[serde(default)]
    pub as_of: Seq,
    /// The last event that changed an earlier message.
    #[serde(default)]
    pub changed_at: Seq,
    /// How far the person has read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub read: Option<ReadStatus>,
}

impl Joined {
    /// The position the stream of the room starts from.
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, seq: self.seq }
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
        size_of::<Self>() + self.members.len() + self.topic.len()
    }
}

/// The room as it was when the join was decided, with the history that is read by the time the answer is taken.
pub(crate) fn joined<'a>(
    room: &RoomCode,
    parts: &JoinedParts,
    history: impl Iterator<Item = &'a [u8]>,
    more: bool,
    as_of: Seq,
) -> Bytes {
    let mut out = begin(FrameKind::Joined, parts.id, room);
    out.reserve(512 + parts.members.len());
    push_field(&mut out, "epoch", &parts.epoch);
    push_field(&mut out, "seq", &parts.seq);
    push_field(&mut out, "entered", &parts.entered);
    if parts.sees > Seq(0) {
        push_field(&mut out, "sees", &parts.sees);
    }
    push_json(&mut out, "you", parts.members.first());
    parts.members.write_into(&mut out, parts.members_total);
    push_what_is_set(&mut out, &parts.topic, parts.notices, &parts.settings);
    push_list(&mut out, "history", history);
    push_field(&mut out, "more", &more);
    push_field(&mut out, "as_of", &as_of);
    push_field(&mut out, "changed_at", &parts.changed_at);
    push_field(&mut out, "read", &parts.read);
    finish(out)
}

/// A gap; `view` is the rest of the frame from [`gap_view`], or nothing when the membership ended inside the gap.
pub(crate) fn gap(room: &RoomCode, epoch: Epoch, from: Seq, to: Seq, view: Option<&[u8]>) -> Bytes {
    let mut out = begin(FrameKind::Gap, None, room);
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
    let mut out = Vec::with_capacity(128 + members.len());
    members.write_into(&mut out, members_total);
    push_what_is_set(&mut out, topic, notices, settings);
    push_field(&mut out, "changed_at", &changed_at);
    Bytes::from(out)
}

fn push_what_is_set(out: &mut Vec<u8>, topic: &str, notices: Notices, settings: &RoomSettings) {
    push_field(out, "topic", topic);
    push_field(out, "notices", &notices);
    // A room in which nobody has set anything costs nothing.
    if !settings.is_default() {
        push_field(out, "settings", settings);
    }
}
