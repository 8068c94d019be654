//! Pages: answers that hold as much of a long list as was asked for and fits.

use bytes::Bytes;

use super::bans::{BanEntry, SweptRange};
use super::frame_kind::FrameKind;
use super::json::{begin, finish, push_field, push_list, to_vec};
use super::members::MemberList;
use super::message::ChangedMessage;
use crate::types::{CommandId, Epoch, RoomCode, Seq};

/// Messages as they are now, and whether there are more on either side.
pub(crate) fn history<'a>(
    id: Option<CommandId>,
    room: &RoomCode,
    epoch: Epoch,
    messages: impl Iterator<Item = &'a [u8]>,
    (more_before, more_after): (bool, bool),
    as_of: Seq,
) -> Bytes {
    let mut out = begin(FrameKind::History, id, room);
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
    let mut out = begin(FrameKind::Changes, id, room);
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

/// Members by number, and whether there are more.
pub(crate) fn members_page(
    id: Option<CommandId>,
    room: &RoomCode,
    members: &MemberList,
    members_total: usize,
    more: bool,
) -> Bytes {
    let mut out = begin(FrameKind::Members, id, room);
    members.write_into(&mut out, members_total);
    push_field(&mut out, "more", &more);
    finish(out)
}

/// As many bans as have no more than `bytes_max` together, or the first; and whether those are all.
pub(crate) fn bans_page(
    id: Option<CommandId>,
    room: &RoomCode,
    bans: impl Iterator<Item = BanEntry>,
    more: bool,
    bytes_max: usize,
) -> Bytes {
    let (mut shown, mut bytes, mut more) = (Vec::new(), 0, more);
    for ban in bans {
        let json = to_vec(&ban);
        bytes += json.len();
        if bytes > bytes_max && !shown.is_empty() {
            more = true;
            break;
        }
        shown.push(json);
    }
    let mut out = begin(FrameKind::Bans, id, room);
    push_list(&mut out, "bans", shown.iter().map(Vec::as_slice));
    push_field(&mut out, "more", &more);
    finish(out)
}
