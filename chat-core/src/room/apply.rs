//! What a room is after a record. Cannot fail.

use super::attendance::Attendance;
use super::ledger::Ledger;
use super::note::{linger_left, seat_left};
use super::showing;
use super::time::RoomTime;
use crate::domain::{Event, Record};
use crate::types::{MemberId, Now, RoomLimits};

/// Takes in the next record: the ledger as it says, the attendance as it implies.
pub(super) fn apply(ledger: &mut Ledger, attendance: &mut Attendance, record: &Record, limits: &RoomLimits) {
    let gone_max = ledger.former_max().min(limits.former_networks_max);
    let seat = ledger.seat_until();
    ledger.apply(record);
    match &record.event {
        Event::Created { .. } | Event::Closed { .. } => attendance.begin_anew(),
        Event::Joined { .. } => attendance.enter(record.by.expect("who joins is named")),
        Event::Left { .. } => attendance.exit(record.by.expect("who leaves is named"), gone_max),
        Event::Kicked { member, .. } => attendance.exit(*member, gone_max),
        Event::Sent { .. }
        | Event::Edited { .. }
        | Event::Redacted { .. }
        | Event::Reacted { .. }
        | Event::Settled { .. }
        | Event::Banned { .. }
        | Event::BanAdded { .. }
        | Event::BanLifted { .. }
        | Event::Swept { .. }
        | Event::MemberChanged { .. }
        | Event::TopicChanged { .. }
        | Event::Protected
        | Event::Kept { .. }
        | Event::OwnerNamed { .. }
        | Event::Invited { .. }
        | Event::Erased { .. }
        | Event::Scrubbed { .. }
        | Event::NoticesChanged { .. } => {}
        Event::SettingsChanged { .. } | Event::RoleChanged { .. } => showing::end_typing(ledger, attendance),
    }
    if ledger.is_kept() {
        attendance.stay();
    } else if record.event == (Event::Kept { on: false }) && ledger.members_total() == 0 {
        attendance.vacate();
    }
    if ledger.seat_until() != seat {
        attendance.hold_seat(ledger.seat_until());
    }
    if attendance.shows_something() {
        showing::end(ledger, attendance, &record.event);
    }
}

/// The attendance of a ledger nobody has attached to yet.
pub(super) fn nobody_attached(ledger: &Ledger) -> Attendance {
    let mut attendance = Attendance::default();
    enter_all(ledger, &mut attendance);
    attendance.hold_seat(ledger.seat_until());
    attendance
}

/// As of a ledger nobody has attached to yet. What was shown is shown no more, and its revisions go on.
pub(super) fn forget_who_is_here(ledger: &Ledger, attendance: &mut Attendance) {
    attendance.begin_anew();
    enter_all(ledger, attendance);
    attendance.hold_seat(ledger.seat_until());
}

/// Puts another fold of the log in place, and keeps who is attached as far as they are members there too.
pub(super) fn replace(
    ledger: &mut Ledger,
    attendance: &mut Attendance,
    time: &mut RoomTime,
    replacement: Ledger,
    now: Now,
    limits: &RoomLimits,
) {
    let mut seat = ledger.seat_until();
    if replacement.epoch() != ledger.epoch() {
        attendance.begin_anew();
        seat = None;
    }
    if replacement.seat_until() != seat {
        attendance.hold_seat(replacement.seat_until());
    }
    time.read_again(replacement.last_at(), now.mono);
    // A number alone may name another person, or a later membership of the same one, where another owner of the room has written
    // in the meantime.
    let stays = |id: MemberId| {
        let both = ledger.member(id).zip(replacement.member(id));
        both.is_some_and(|(ours, theirs)| ours.is_same_stay(theirs))
    };
    let gone: Vec<MemberId> = attendance.members().filter(|&id| !stays(id)).collect();
    gone.into_iter().for_each(|id| attendance.exit(id, 0));
    attendance.forget_gone();
    enter_all(&replacement, attendance);
    let (linger, seat) = (linger_left(&replacement, *time, limits, now), seat_left(&replacement, *time, limits, now));
    attendance.stamp(now.mono, limits, linger, seat);
    showing::agree(ledger, &replacement, attendance);
    *ledger = replacement;
}

fn enter_all(ledger: &Ledger, attendance: &mut Attendance) {
    ledger.members_after(None).for_each(|member| attendance.enter(member.id));
    if ledger.is_kept() {
        attendance.stay();
    } else if ledger.epoch().is_some() && ledger.members_total() == 0 {
        attendance.vacate();
    }
}
