//! Room time: wall clocks that are set forward and back, and lingers that outlive processes.

use std::time::Duration;

use super::*;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const YEAR: u64 = 8_760 * HOUR;

impl World {
    /// Time passes, and nothing is asked.
    fn wait(&mut self, millis: u64) {
        self.now.mono = Mono(self.now.mono.0 + millis);
        self.now.wall = Wall(self.now.wall.0 + millis);
    }

    /// Says something: its stamp.
    fn stamp(&mut self) -> u64 {
        self.send(1, "tick");
        self.log.last().expect("a record").at.0
    }

    /// The process ends, and after a while another reads the room back. Its monotonic clock begins anew.
    fn restart(&mut self, down: u64) -> Vec<(&'static str, Option<u64>)> {
        self.now = Now { wall: Wall(self.now.wall.0 + down), mono: Mono(7) };
        self.room = Room::from_ledger(self.room.ledger().clone(), Arc::clone(&self.room.limits));
        self.note(Note::Recovered);
        self.settle()
    }

    fn left(&self) -> u64 {
        self.room.next_deadline().expect("an empty room has a deadline").since(self.now.mono).as_millis() as u64
    }
}

/// A room that lingers so long, and whose last member has just left.
fn empty(linger: u64) -> World {
    let mut world = world_with(|limits| limits.empty_linger = Duration::from_millis(linger));
    world.leave(1);
    world
}

#[test]
fn stamps_go_on_though_the_wall_clock_was_set_back() {
    let mut world = world();
    world.wait(HOUR);
    let before = world.stamp();
    world.now.wall = Wall(world.now.wall.0 - HOUR);
    world.wait(MINUTE);
    assert_eq!(world.stamp(), before + MINUTE);
    world.wait(2 * MINUTE);
    assert_eq!(world.stamp(), before + 3 * MINUTE, "no two of them alike");
    world.now.wall = Wall(before + HOUR);
    assert_eq!(world.stamp(), before + HOUR, "once it has caught up, it is the wall clock again");
}

/// The monotonic clock has gone on while it was away, as the process has.
#[test]
fn stamps_go_on_in_a_room_that_was_let_go_of_and_read_back() {
    let mut world = world();
    let before = world.stamp();
    world.wait(HOUR);
    let time = world.room.time_so_far();
    world.room = Room::from_ledger(world.room.ledger().clone(), Arc::clone(&world.room.limits));
    world.now.wall = Wall(world.now.wall.0 - HOUR);
    world.room.go_on_in_time(world.now.mono, time);
    assert_eq!(world.room.time(world.now), Wall(before + HOUR));
}

#[test]
fn stamps_go_on_from_where_a_clock_that_was_ahead_has_brought_them() {
    let mut world = world();
    world.now.wall = Wall(world.now.wall.0 + HOUR);
    let ahead = world.stamp();
    world.now.wall = Wall(world.now.wall.0 - HOUR);
    world.wait(MINUTE);
    assert_eq!(world.stamp(), ahead + MINUTE);
}

#[test]
fn a_room_whose_log_is_years_ahead_goes_on_from_there() {
    let mut world = world();
    world.now.wall = Wall(world.now.wall.0 + YEAR);
    let ahead = world.stamp();
    world.now.wall = Wall(world.now.wall.0 - YEAR);
    assert_eq!(world.restart(MINUTE), []);
    world.run(&Input::Attach { by: later(1, 2), after: None }).expect("attached");
    world.wait(5_000);
    let said =
        Input::Send { by: later(1, 2), said: body("hi").into(), as_sent: None, key: None, permit: SendPermit::Paid };
    world.run(&said).expect("sent");
    assert_eq!(world.log.last().expect("a record").at.0, ahead + 5_000, "counted from when it was read back");
    world.wait(5_000);
    world.run(&said).expect("sent");
    assert_eq!(world.log.last().expect("a record").at.0, ahead + 10_000);
}

#[test]
fn a_new_life_begins_by_the_wall_clock() {
    let mut world = world();
    world.wait(YEAR);
    world.leave(1);
    world.now.wall = Wall(world.now.wall.0 - YEAR);
    let created = world.create(1, Epoch(78));
    assert_eq!(created.records[0].at, world.now.wall);
}

#[test]
fn room_time_is_what_a_record_would_be_stamped_with() {
    let mut world = world();
    let before = world.room.time(world.now);
    world.now.wall = Wall(0);
    world.wait(10);
    assert_eq!(world.room.time(world.now), Wall(before.0 + 10));
    assert_eq!(world.stamp(), before.0 + 10);
}

#[test]
fn an_empty_room_that_is_read_back_has_what_is_left_of_its_linger() {
    let mut world = empty(60_000);
    world.pass(10_000);
    assert_eq!(world.restart(15_000), []);
    assert_eq!(world.left(), 35_000);
    assert_eq!(world.pass(34_999), []);
    assert_eq!(world.pass(1), [("closed", None)]);
}

#[test]
fn a_linger_goes_on_over_any_number_of_restarts() {
    let mut world = empty(60_000);
    for left in [50_000, 40_000, 30_000, 20_000, 10_000] {
        world.pass(4_000);
        assert_eq!((world.restart(6_000), world.left()), (vec![], left));
    }
    assert_eq!(world.restart(10_000), [("closed", None)]);
}

#[test]
fn a_snapshot_says_since_when_the_room_is_empty() {
    let mut world = empty(60_000);
    world.pass(20_000);
    let topic = crate::Topic::parse("Still here").expect("a valid topic");
    world.run(&Input::SetTopic { by: Actor::Host, topic }).expect("set");
    let stored = serde_json::to_string(&Snapshot::from(world.room.ledger().clone())).expect("it can be stored");
    let read: Snapshot = serde_json::from_str(&stored).expect("it can be read");
    world.room = Room::from_ledger(read.into(), Arc::clone(&world.room.limits));
    world.note(Note::Recovered);
    assert_eq!(world.left(), 40_000, "since the leave, and not since the last record");
    world.join(2);
    assert_eq!(world.room.ledger().empty_since(), None);
}

#[test]
fn a_clock_that_is_set_back_while_no_process_runs_only_makes_it_later() {
    let mut world = empty(60_000);
    world.pass(10_000);
    world.now.wall = Wall(0);
    assert_eq!(
        (world.restart(0), world.left()),
        (vec![], 60_000),
        "since the last record nothing is known to have passed"
    );
    assert_eq!(world.pass(60_000), [("closed", None)]);
}

#[test]
fn a_start_with_a_clock_years_ahead_ends_no_room_at_once() {
    let mut world = empty(30 * HOUR);
    world.pass(10 * HOUR);
    world.now.wall = Wall(world.now.wall.0 + YEAR);
    assert_eq!((world.restart(HOUR), world.left()), (vec![], 10 * MINUTE));
    let looked = world.run(&Input::Elapsed).expect("decided");
    assert_eq!((kinds(&looked), looked.note), (vec![], None), "whoever looks sooner");
    world.pass(5 * MINUTE);
    // The clock is set right.
    world.now.wall = Wall(world.now.wall.0 - YEAR);
    assert_eq!(world.pass(5 * MINUTE), []);
    assert_eq!(world.left(), 19 * HOUR - 10 * MINUTE);
    assert_eq!(world.pass(19 * HOUR - 10 * MINUTE), [("closed", None)]);
}

#[test]
fn a_room_whose_time_ran_out_long_before_the_start_ends_after_ten_minutes_of_running() {
    let mut world = empty(30 * HOUR);
    assert_eq!((world.restart(YEAR), world.left()), (vec![], 10 * MINUTE));
    assert_eq!(world.pass(10 * MINUTE - 1), []);
    assert_eq!(world.pass(1), [("closed", None)]);
}

#[test]
fn an_hour_is_believed_at_once() {
    let mut world = empty(HOUR);
    assert_eq!(world.restart(HOUR), [("closed", None)]);
    let mut world = empty(HOUR);
    assert_eq!((world.restart(HOUR + 1), world.left()), (vec![], 10 * MINUTE));
}

#[test]
fn a_room_that_could_not_be_reached_lingers_anew() {
    let mut world = empty(60_000);
    world.pass(50_000);
    world.note(Note::Recovered);
    assert_eq!(world.left(), 60_000);
    let mut world = empty(1);
    world.wait(1);
    world.note(Note::Recovered);
    assert_eq!(world.left(), 30_000, "no less than a grace, or a room that cannot end would try again without end");
    assert_eq!(world.pass(30_000), [("closed", None)]);
}

#[test]
fn stamps_go_on_from_what_somebody_else_has_written() {
    let mut world = world();
    let (mut theirs, mut later) = (world.room.clone(), world.now);
    later.wall = Wall(later.wall.0 + HOUR);
    let topic = crate::Topic::parse("Ours").expect("a valid topic");
    let decision = theirs.decide(later, &Input::SetTopic { by: Actor::Host, topic }).expect("decided");
    decision.records.iter().for_each(|record| theirs.apply(later, record));
    world.room.replace_ledger(world.now, theirs.ledger().clone());
    world.wait(MINUTE);
    assert_eq!(world.stamp(), later.wall.0 + MINUTE);
}

#[test]
fn a_join_that_the_log_did_not_take_gives_the_linger_nothing() {
    let mut world = empty(60_000);
    world.pass(20_000);
    let published = world.room.ledger().clone();
    world.join(2);
    world.room.replace_ledger(world.now, published);
    assert_eq!(world.left(), 40_000);
}
