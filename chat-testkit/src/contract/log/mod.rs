//! The contract of the `Log` port. Run it with [`log_contract!`](crate::log_contract), or call single behaviours.
//!
//! Every record in it is legal: an incarnation begins with its creation, offsets and told numbers have no holes.

mod about;
mod amend;
mod append;
mod ended;
mod feed;
mod feed_bounds;
mod incarnations;
mod messages;
mod read;
mod scrub;

pub use about::*;
pub use amend::*;
pub use append::*;
pub use ended::*;
pub use feed::*;
pub use feed_bounds::*;
pub use incarnations::*;
pub use messages::*;
pub use read::*;
pub use scrub::*;

use crate::lives::{code, fill, open_life, read_all, tail_of};

/// Makes one test of each behaviour of the `Log` port.
///
/// The argument makes a new, empty [`Home`](crate::contract::Home) for each test.
///
/// ```
/// # mod memory_log {
/// use std::sync::Arc;
///
/// chat_testkit::log_contract!(|| Arc::new(chat_testkit::logs::MemoryLog::new()));
/// # }
/// ```
#[macro_export]
macro_rules! log_contract {
    ($make:expr) => {
        $crate::log_contract! { @tests $make;
            an_appended_batch_is_read_back_verbatim,
            batches_follow_one_another,
            a_reader_never_sees_a_part_of_a_batch,
            an_append_after_a_stale_tail_conflicts_and_writes_nothing,
            an_append_after_a_tail_that_is_not_there_conflicts,
            of_concurrent_appends_after_one_tail_exactly_one_wins,
            two_appends_of_one_room_at_once_are_as_one_after_the_other,
            an_append_that_is_refused_fails_none_beside_it,
            a_large_batch_is_kept_whole,
            rooms_do_not_mix,
            a_room_nobody_wrote_is_an_empty_page_with_an_empty_tail,
            a_read_is_cut_at_its_maximum_and_still_names_the_end,
            reading_page_by_page_gives_everything_once,
            a_read_from_the_end_is_empty_and_names_the_end,
            an_append_may_follow_the_tail_of_a_read,
            a_read_of_a_life_returns_nothing_of_another,
            rooms_are_listed_by_code_page_by_page,
            rooms_of_one_slot_are_listed_by_code_page_by_page,
            one_engine_at_a_time_has_the_log,
            the_first_append_claims_the_code,
            a_second_life_is_refused_while_the_first_lives,
            of_concurrent_claims_exactly_one_wins,
            a_deleted_life_is_gone_and_its_code_is_free,
            deleting_another_life_changes_nothing,
            an_append_to_a_deleted_life_conflicts,
            a_new_life_holds_nothing_of_the_old,
            what_was_written_is_there_after_reopening,
            a_tail_of_before_a_reopening_is_taken_or_conflicts,
            what_was_deleted_stays_deleted_after_reopening,
            messages_are_the_newest_before_a_number_oldest_first,
            messages_after_a_number_are_the_oldest_first,
            only_what_was_said_is_a_message,
            another_life_has_no_messages,
            what_was_taken_back_reads_empty_and_nothing_else_changes,
            what_was_replaced_reads_as_the_latest_change_says,
            what_was_taken_back_stays_so_whatever_comes_later,
            an_edit_that_was_superseded_says_nothing,
            data_is_kept_to_the_letter_and_goes_with_its_message,
            what_a_message_was_reacted_to_with_is_read_with_it_until_it_is_taken_back,
            amending_what_is_no_message_changes_nothing,
            what_was_amended_is_so_after_reopening,
            a_tail_outlives_amendments_and_snapshots,
            a_snapshot_is_loaded_as_it_was_saved,
            a_newer_snapshot_takes_the_place_of_an_older,
            an_older_snapshot_never_takes_the_place_of_a_newer,
            a_snapshot_of_records_that_are_not_there_is_ignored,
            a_snapshot_of_another_life_is_ignored,
            read_positions_are_loaded_as_they_were_saved,
            what_was_scrubbed_names_nobody_and_nothing_else_changes,
            what_was_scrubbed_is_so_after_reopening,
            scrubbing_what_is_not_there_changes_nothing,
            an_erasure_is_kept_as_far_as_it_has_come_until_it_is_done,
            an_erasure_follows_what_was_read_of_it_or_is_refused,
            who_was_ended_is_remembered,
            who_is_ended_again_is_remembered_once,
            who_was_ended_is_forgotten_when_the_engine_says_so,
        }

        #[test]
        fn any_text_is_read_back_as_it_was_written() {
            $crate::contract::log::any_text_is_read_back_as_it_was_written($make);
        }

        #[test]
        fn any_amendments_leave_what_a_plain_model_says() {
            $crate::contract::log::any_amendments_leave_what_a_plain_model_says($make);
        }
    };
    (@tests $make:expr; $($behaviour:ident),* $(,)?) => {$(
        #[test]
        fn $behaviour() {
            $crate::contract::run($crate::contract::log::$behaviour(($make)()));
        }
    )*};
}
