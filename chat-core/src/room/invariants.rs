//! Invariants of a room, as checks that panic. Debug builds make them at every step.

use super::attendance::{Attendance, Linger};
use super::ledger::{Depth, Ledger};
use super::seat::SeatWait;
use crate::domain::Role;
use crate::types::RoomLimits;

/// Below this many members a debug build looks at all of them at every step, from it on only now and then: a test with
/// 20,000 members would take hours.
const MEMBERS_CHECKED_ALWAYS: usize = 64;
/// How many records apart the looks at everybody are in a big room.
const RECORDS_BETWEEN_FULL_CHECKS: u64 = 64;

/// How closely a debug build looks after this step.
pub(super) fn depth(ledger: &Ledger) -> Depth {
    let due = ledger.last_offset().0.is_multiple_of(RECORDS_BETWEEN_FULL_CHECKS);
    if ledger.members_total() < MEMBERS_CHECKED_ALWAYS || due { Depth::Full } else { Depth::Counts }
}

/// Holds after every record and every note.
pub(super) fn check(ledger: &Ledger, attendance: &Attendance, limits: &RoomLimits, depth: Depth) {
    ledger.check(depth);
    attendance.check(depth, limits);
    let empty = ledger.epoch().is_some() && ledger.members_total() == 0;
    if depth == Depth::Full {
        let members = ledger.members_after(None).map(|member| member.id);
        assert!(members.eq(attendance.members()), "attendance knows exactly the members");
        assert!(owners(ledger) <= 1, "a room has one owner");
    }
    let seat = ledger.seat_until().is_some();
    assert_eq!(attendance.seat() != SeatWait::Off, seat, "exactly a held seat that others may have is waited for");
    let waits = attendance.linger() != Linger::Off;
    assert!(empty || !waits, "only a living room without members is waiting to end");
    assert!(!(ledger.is_kept() && waits), "no room that is kept is waiting to end");
}

/// Holds between decisions, when all records of the last one are applied.
pub(super) fn check_settled(ledger: &Ledger, attendance: &Attendance, limits: &RoomLimits, depth: Depth) {
    check(ledger, attendance, limits, depth);
    let empty = ledger.members_total() == 0;
    if depth == Depth::Full {
        ledger.check_seat();
    }
    if ledger.epoch().is_some() && empty && !ledger.is_kept() {
        assert_ne!(attendance.linger(), Linger::Off, "an empty room is waiting to end");
    }
}

fn owners(ledger: &Ledger) -> usize {
    ledger.members_after(None).filter(|member| member.role == Role::Owner).count()
}
