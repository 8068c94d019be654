//! What time it is in the room, and how long an empty one still has, reckoned from the diary.

use std::time::Duration;

use chat_core::{Event, LeaveReason, Mono, Now, RoomLimits, Wall};

use super::{Line, What, facts};

/// The wall clock, or what the monotonic clock says where that is later.
pub(super) fn time(chapter: &[Line], now: Now) -> Wall {
    now.wall.max(at_least(chapter, now.mono))
}

/// It is no sooner than any record that this process made, and as much later as has passed since. Of what processes before it
/// wrote it only knows the last record; how much later that was read is not known.
fn at_least(chapter: &[Line], now: Mono) -> Wall {
    let start = chapter.iter().rposition(|line| matches!(line.what, What::Restarted));
    let (before, own) = chapter.split_at(start.unwrap_or(0));
    let found = facts::of_chapter(before).last().map(|(record, _)| record.at);
    let found = found.map(|at| (at, own[0].now.mono));
    let made = own.iter().filter_map(|line| match &line.what {
        What::Fact { record, .. } => Some((record.at, line.now.mono)),
        _ => None,
    });
    made.chain(found).map(|(at, then)| at.after(now.since(then))).max().unwrap_or_default()
}

/// When an empty room ends.
pub(super) fn ends(chapter: &[Line], limits: &RoomLimits) -> Wall {
    let facts = facts::of_chapter(chapter);
    let exit = facts.iter().rfind(|(record, _)| empties(&record.event));
    exit.map_or(Wall(0), |(record, _)| record.at).after(linger(chapter, limits))
}

/// How long an empty room waits: longer, where its last member was lost and did not leave.
pub(super) fn linger(chapter: &[Line], limits: &RoomLimits) -> Duration {
    let facts = facts::of_chapter(chapter);
    let exit = facts.iter().rfind(|(record, _)| empties(&record.event));
    match exit.map(|(record, _)| &record.event) {
        Some(Event::Left { reason: LeaveReason::Timeout, .. }) => limits.lost_linger.max(limits.empty_linger),
        _ => limits.empty_linger,
    }
}

/// Whether it may begin the wait of an empty room: the last one goes, or the host lets go of it.
fn empties(event: &Event) -> bool {
    matches!(event, Event::Left { .. } | Event::Kicked { .. } | Event::Kept { on: false })
}

/// How long it still has, where it is looked at now. What the wall clock alone says of more than a little while is looked at
/// once more.
pub(super) fn linger_left(chapter: &[Line], now: Now, limits: &RoomLimits) -> Duration {
    left(chapter, now, ends(chapter, limits), limits)
}

/// How long it is until then, by the same rule.
pub(super) fn left(chapter: &[Line], now: Now, until: Wall, limits: &RoomLimits) -> Duration {
    let time = time(chapter, now);
    let left = until.since(time);
    let unsure = time.since(at_least(chapter, now.mono));
    if unsure > limits.clock_step_max { left.max(limits.clock_doubt) } else { left }
}
