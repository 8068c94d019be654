//! What a backlog holds, lets go of, and shows.

use super::*;
use crate::wire::FrameKind;

fn backlog(events_max: usize, bytes_max: usize) -> Backlog {
    let limits = RoomLimits { backlog_events_max: events_max, backlog_bytes_max: bytes_max, ..RoomLimits::default() };
    Backlog::new(Seq(0), &limits, MemoryBudget::new(usize::MAX))
}

fn publish(backlog: &Backlog, events: &[&str]) {
    let mut segment = Segment::new(backlog.head().next());
    for event in events {
        segment.buffer().extend_from_slice(event.as_bytes());
        segment.close_event(FrameKind::Message);
    }
    backlog.publish(segment);
}

fn read_all(backlog: &Backlog, after: u64) -> Option<Vec<String>> {
    match backlog.read(Seq(after), usize::MAX) {
        BacklogRead::Missing => None,
        BacklogRead::Events(segments) => Some(
            segments
                .iter()
                .flat_map(|segment| segment.events(Seq(after), Seq(u64::MAX)))
                .map(|(_, _, json)| String::from_utf8_lossy(json).into_owned())
                .collect(),
        ),
    }
}

#[test]
fn a_reader_gets_what_follows_its_position() {
    let backlog = backlog(100, 1 << 20);
    publish(&backlog, &["a", "b"]);
    publish(&backlog, &["c"]);
    assert_eq!(backlog.head(), Seq(3));
    assert_eq!(read_all(&backlog, 0), Some(vec!["a".into(), "b".into(), "c".into()]));
    assert_eq!(read_all(&backlog, 2), Some(vec!["c".into()]));
}

#[test]
fn small_batches_share_a_segment_unless_somebody_reads_it() {
    let backlog = backlog(100, 1 << 20);
    publish(&backlog, &["a"]);
    publish(&backlog, &["b"]);
    assert_eq!(backlog.lock().segments.len(), 1);
    let held = backlog.read(Seq(0), 1);
    publish(&backlog, &["c"]);
    assert_eq!(backlog.lock().segments.len(), 2);
    drop(held);
    publish(&backlog, &["d"]);
    assert_eq!(backlog.lock().segments.len(), 2);
    assert_eq!(read_all(&backlog, 1), Some(vec!["b".into(), "c".into(), "d".into()]));
}

#[test]
fn the_oldest_events_go_when_a_bound_is_passed() {
    let backlog = backlog(8, 1 << 20);
    for event in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"] {
        publish(&backlog, &[event]);
    }
    assert_eq!(backlog.oldest(), Seq(3));
    assert_eq!(read_all(&backlog, 1), None, "event 2 is gone");
    assert_eq!(read_all(&backlog, 2).map(|events| events.len()), Some(8));
}

#[test]
fn an_event_larger_than_the_bound_is_kept() {
    let backlog = backlog(8, 4);
    publish(&backlog, &["small"]);
    publish(&backlog, &["much too large"]);
    assert_eq!(read_all(&backlog, 1), Some(vec!["much too large".into()]));
}

#[test]
fn what_is_over_its_share_goes_oldest_first_and_one_event_stays() {
    let budget = MemoryBudget::new(usize::MAX);
    let backlog = Backlog::new(Seq(0), &RoomLimits::default(), Arc::clone(&budget));
    for event in ["one", "two", "three", "four"] {
        publish(&backlog, &[event]);
    }
    assert_eq!(budget.backlogs_held(), backlog.weight());
    backlog.evict(SEGMENT_BYTES + 2 * (SLOT_BYTES + 5));
    assert_eq!(backlog.oldest(), Seq(3));
    assert_eq!(read_all(&backlog, 2), Some(vec!["three".into(), "four".into()]));
    backlog.evict(0);
    assert_eq!((backlog.oldest(), budget.backlogs_held()), (Seq(4), SEGMENT_BYTES + SLOT_BYTES + 4));
    publish(&backlog, &["five"]);
    assert_eq!(read_all(&backlog, 3), Some(vec!["four".into(), "five".into()]));
    drop(backlog);
    assert_eq!(budget.backlogs_held(), 0);
}

fn take_back(target: u64) -> Change {
    Change::TakeBack { target: Seq(target), change: Seq(100) }
}

#[test]
fn a_redacted_message_is_a_tombstone_for_those_who_have_not_read_it() {
    let backlog = backlog(8, 1 << 20);
    let message = r#"{"type":"message","room":"ABC","seq":1,"at":"2026-11-22T18:00:00.123Z","member":2,"nick":"Bob","color":4,"text":"secret"}"#;
    publish(&backlog, &[message, "other"]);
    backlog.amend(&take_back(1));
    let events = read_all(&backlog, 0).expect("still here");
    assert!(!events[0].contains("secret") && events[0].contains(r#""redacted":true"#), "{}", events[0]);
    assert_eq!(events[1], "other");
    let ring = backlog.lock();
    assert_eq!(ring.bytes, ring.segments.iter().map(|segment| segment.size().bytes).sum::<usize>());
    drop(ring);
    backlog.amend(&take_back(2));
    backlog.amend(&take_back(9));
    assert_eq!(read_all(&backlog, 1), Some(vec!["other".into()]), "no message, nothing to take back");
}

#[test]
fn what_is_held_goes_at_a_bound_in_bytes_and_not_below_it() {
    let backlog = backlog(100, 10);
    publish(&backlog, &["12345"]);
    publish(&backlog, &["67890"]);
    assert_eq!(backlog.oldest(), Seq(1), "as much as there may be");
    publish(&backlog, &["x"]);
    assert_eq!(backlog.oldest(), Seq(2));
}

#[test]
fn a_segment_is_full_at_an_eighth_of_either_bound() {
    let backlog = backlog(16, 80);
    let full = |events: &[&str]| {
        let mut segment = Segment::new(Seq(1));
        for event in events {
            segment.buffer().extend_from_slice(event.as_bytes());
            segment.close_event(FrameKind::Message);
        }
        backlog.is_full(&segment)
    };
    assert!(!full(&["123456789"]) && full(&["1234567890"]), "bytes");
    assert!(full(&["1", "2"]), "events");
}

#[test]
fn a_reader_may_be_left_behind_by_a_quarter_and_by_nothing_where_memory_is_short() {
    let limits = RoomLimits { backlog_events_max: 8, backlog_bytes_max: 80, ..RoomLimits::default() };
    let budget = MemoryBudget::new(1_600);
    let backlog = Backlog::new(Seq(0), &limits, Arc::clone(&budget));
    let exceeds = |events, bytes| backlog.exceeds_quarter(Extent { events, bytes });
    assert!(!exceeds(2, 20) && exceeds(3, 20) && exceeds(2, 21));
    assert!(!exceeds(1, 1) && !exceeds(0, 0));
    budget.change(0, 1_500);
    assert!(exceeds(1, 1) && exceeds(2, 20) && !exceeds(0, 0));
}

#[test]
fn a_room_that_passes_the_budget_of_all_gives_at_once_and_no_more_than_it_has_to() {
    let event = "x".repeat(100);
    let one = SEGMENT_BYTES + SLOT_BYTES + event.len();
    let limits = RoomLimits { backlog_events_max: 8, ..RoomLimits::default() };
    for (budget, oldest) in [(3 * one, 2), (3 * one - 1, 3), (1, 4)] {
        let backlog = Backlog::new(Seq(0), &limits, MemoryBudget::new(budget));
        (0..4).for_each(|_| publish(&backlog, &[&event]));
        assert_eq!(backlog.oldest(), Seq(oldest), "of {budget} bytes");
    }
}

#[test]
fn nothing_goes_that_fits() {
    let limits = RoomLimits { backlog_events_max: 8, ..RoomLimits::default() };
    let backlog = Backlog::new(Seq(0), &limits, MemoryBudget::new(usize::MAX));
    publish(&backlog, &["one"]);
    assert_eq!(backlog.spare(), 0, "its only event stays");
    publish(&backlog, &[]);
    assert_eq!(backlog.lock().segments.len(), 1, "nothing was said");
    publish(&backlog, &["two"]);
    assert_eq!(backlog.spare(), backlog.weight());
    assert_eq!(backlog.lock().segments.len(), 2);
    backlog.evict(backlog.weight());
    assert_eq!(backlog.oldest(), Seq(1));
    backlog.evict(backlog.weight() - 1);
    assert_eq!(backlog.oldest(), Seq(2));
}

#[test]
fn a_reader_is_given_as_many_segments_as_it_can_take_and_begins_afresh_in_the_middle() {
    let backlog = backlog(8, 1 << 20);
    assert_eq!((backlog.oldest(), backlog.middle()), (Seq(1), Seq(0)), "there is none");
    (0..10).for_each(|_| publish(&backlog, &["12345"]));
    let segments = |bytes| match backlog.read(Seq(2), bytes) {
        BacklogRead::Events(segments) => segments.len(),
        BacklogRead::Missing => 0,
    };
    assert_eq!([1, 5, 6, 40, 99].map(segments), [1, 1, 2, 8, 8]);
    assert_eq!((backlog.oldest(), backlog.middle()), (Seq(3), Seq(7)));
}

#[test]
fn what_follows_a_position_is_known_in_bytes() {
    let backlog = backlog(4, 1 << 20);
    assert_eq!(backlog.bytes_after(Seq(0)), 0);
    publish(&backlog, &["12", "345"]);
    let _read = backlog.read(Seq(0), 1);
    publish(&backlog, &["6789"]);
    assert_eq!([0, 1, 2, 3, 9].map(|after| backlog.bytes_after(Seq(after))), [9, 7, 4, 0, 0]);
    publish(&backlog, &["x", "y"]);
    assert_eq!([0, 2, 4].map(|after| backlog.bytes_after(Seq(after))), [6, 6, 1], "of what is kept");
}
