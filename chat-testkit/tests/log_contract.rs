//! The logs of this crate keep the contract they come with; the faulty one as long as it has no faults.

mod support;

mod memory {
    use std::sync::Arc;

    use chat_testkit::logs::MemoryLog;

    chat_testkit::log_contract!(|| Arc::new(MemoryLog::new()));
    chat_testkit::log_about_contract!(|| Arc::new(MemoryLog::new()));
}

mod memory_with_a_feed {
    use std::sync::Arc;

    use chat_testkit::logs::MemoryLog;

    chat_testkit::log_feed_contract!(|setup| Arc::new(MemoryLog::with_feed(setup.bounds, setup.retention)));
}

mod faulty_without_faults {
    use std::sync::Arc;

    use chat_testkit::logs::{FaultyLog, MemoryLog};

    chat_testkit::log_contract!(|| Arc::new(FaultyLog::new(MemoryLog::new())));
    chat_testkit::log_about_contract!(|| Arc::new(FaultyLog::new(MemoryLog::new())));
}

/// A log that goes in circles fails the contract, and does not keep it busy for ever.
mod going_in_circles {
    use std::sync::{Arc, OnceLock};

    use chat_testkit::contract::{log, run};
    use chat_testkit::logs::MemoryLog;

    use crate::support::bent::BentLog;

    fn bent() -> BentLog {
        BentLog::new(&Arc::new(MemoryLog::new()))
    }

    /// Every page that is as long as this becomes the first of them.
    fn repeat<T: Clone + Send + Sync + 'static>(len: impl Fn(&T) -> usize + Send + Sync) -> impl Fn(T) -> T {
        let first = OnceLock::new();
        move |page| if len(&page) == 1 { first.get_or_init(|| page).clone() } else { page }
    }

    #[test]
    #[should_panic(expected = "it goes back")]
    fn a_page_of_records_that_comes_again() {
        let log = bent().reads(repeat(|stretch: &chat_core::LogPage| stretch.records.len()));
        run(log::reading_page_by_page_gives_everything_once(Arc::new(log)));
    }

    #[test]
    #[should_panic(expected = "it goes back")]
    fn a_page_of_messages_that_comes_again() {
        let log = bent().messages(repeat(Vec::len));
        run(log::messages_are_the_newest_before_a_number_oldest_first(Arc::new(log)));
    }

    #[test]
    #[should_panic(expected = "it goes back")]
    fn a_page_of_later_messages_that_comes_again() {
        let log = bent().messages_after(repeat(Vec::len));
        run(log::messages_after_a_number_are_the_oldest_first(Arc::new(log)));
    }

    #[test]
    #[should_panic(expected = "it goes back")]
    fn a_page_of_rooms_that_comes_again() {
        let log = bent().rooms(repeat(Vec::len));
        run(log::rooms_are_listed_by_code_page_by_page(Arc::new(log)));
    }

    #[test]
    #[should_panic(expected = "the reader saw whole batches only")]
    fn what_is_appended_and_never_seen() {
        let log = bent().reads(|mut stretch| {
            stretch.records.truncate(2);
            stretch
        });
        run(log::a_reader_never_sees_a_part_of_a_batch(Arc::new(log)));
    }
}
