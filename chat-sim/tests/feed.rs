//! A backend that reads the named feed in worlds of every kind: it is told everything, and bugs on purpose in the feed are found.

use chat_core::fault_injection::{Bug, inject};
use chat_sim::{FeedBug, Kind, Promise, Settings, TransportKind, World, run};

fn by_ws(kind: Option<Kind>) -> Settings {
    Settings { transports: Some(vec![TransportKind::Ws]), kind, ..Settings::default() }
}

/// The first of so many worlds in which something is broken: it has to be what a backend is told.
#[track_caller]
fn is_found(what: &str, worlds: u64, settings: &Settings) {
    let found: Option<World> = (0..worlds).map(|seed| run(seed, settings)).find(|world| world.broken.is_some());
    inject(None);
    let world = found.unwrap_or_else(|| panic!("{what} is not found in {worlds} worlds"));
    let broken = world.broken.expect("it was found");
    println!("{what} is found in world {}: {broken}", world.seed);
    assert_eq!(broken.promise, Promise::Feed, "{broken}");
}

#[test]
fn a_backend_is_told_everything_by_one_server_and_by_several() {
    for kind in [None, Some(Kind::Cut), Some(Kind::Host), Some(Kind::Servers), Some(Kind::Failover)] {
        for seed in 700..704 {
            let world = run(seed, &by_ws(kind));
            assert_eq!(world.broken, None, "world {seed} of {kind:?}:\n{}", world.last.join("\n"));
        }
    }
}

#[test]
fn a_page_that_counts_as_done_before_it_is_delivered_is_found() {
    inject(Some(Bug::DoneAhead));
    is_found("DoneAhead", 16, &by_ws(None));
}

#[test]
fn a_server_that_reads_on_where_it_was_itself_is_found() {
    inject(Some(Bug::ReadFeedOn));
    is_found("ReadFeedOn", 64, &by_ws(Some(Kind::Failover)));
}

#[test]
fn what_is_committed_late_and_skipped_is_found() {
    is_found("SkipLate", 16, &Settings { feed_bug: Some(FeedBug::SkipLate), ..by_ws(None) });
}

#[test]
fn records_of_a_deleted_room_that_are_not_held_back_are_found() {
    is_found("ForgetDead", 16, &Settings { feed_bug: Some(FeedBug::ForgetDead), ..by_ws(None) });
}
