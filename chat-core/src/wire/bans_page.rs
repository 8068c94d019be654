//! A page of bans, encoded: as many as fit.

use bytes::Bytes;

use super::bans::BanEntry;
use super::encode::{finish, push_field, push_id, push_list, to_vec};
use crate::types::{CommandId, RoomCode};

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
    let mut out = b"{\"type\":\"bans\"".to_vec();
    push_id(&mut out, id);
    push_field(&mut out, "room", room.as_str());
    push_list(&mut out, "bans", shown.iter().map(Vec::as_slice));
    push_field(&mut out, "more", &more);
    finish(out)
}
