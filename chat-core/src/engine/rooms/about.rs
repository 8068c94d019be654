//! What is known of a room without asking it: as its log is told with each append.

use crate::ports::RoomAbout;
use crate::room::Room;

/// As of now.
pub(crate) fn about(room: &Room) -> RoomAbout {
    let members = room.members_total();
    #[cfg(feature = "fault_injection")]
    let members = match crate::fault_injection::is(crate::fault_injection::Bug::MiscountKnown) {
        true => members.saturating_sub(1),
        false => members,
    };
    RoomAbout {
        topic: RoomAbout::beginning(room.topic()).to_owned(),
        members,
        last_at: room.ledger().last_at(),
        is_listed: room.settings().listed,
        is_kept: room.is_kept(),
    }
}
