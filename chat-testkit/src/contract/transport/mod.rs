//! The contract of a transport: what a client hears through it, in frames of the protocol page, whatever carries them.
//!
//! Say how your transport is mounted ([`TransportHarness`]) and how a client of it talks ([`Client`]), and everything is run by
//! [`transport_contract!`](crate::transport_contract). What the transport has of its own (its handshake, its pings, its
//! headers) stays in tests of its own. With [`transport_pair_contract!`](crate::transport_pair_contract) two transports
//! in front of one engine are tried together.
//!
//! ```
//! # mod my_tests {
//! use async_trait::async_trait;
//! use chat_core::Engine;
//! use chat_testkit::contract::transport::{Client, TransportHarness, Resume};
//! use serde_json::Value;
//!
//! struct MyHarness; // the address of a server
//! struct MyClient; // a socket, and the frames that came before an answer
//!
//! #[async_trait]
//! impl TransportHarness for MyHarness {
//!     type Client = MyClient;
//!
//!     async fn open(_engine: Engine) -> Self {
//!         unimplemented!("serves the transport on a free port")
//!     }
//!
//!     async fn connect(&self, _resume: Option<Resume>) -> MyClient {
//!         unimplemented!("connects, and asks for a session")
//!     }
//! }
//!
//! #[async_trait]
//! impl Client for MyClient {
//!     async fn command(&mut self, _frame: Value) -> Value {
//!         unimplemented!("sends a frame, and reads on to its answer")
//!     }
//!
//!     async fn next(&mut self) -> Option<Value> {
//!         unimplemented!("the next frame")
//!     }
//!
//!     async fn cut(self) {}
//! }
//!
//! chat_testkit::transport_contract!(MyHarness);
//! # }
//! ```
//!
//! Each frame that a client reads is checked against the protocol on the way: its shape, that events of a room are
//! numbered without holes from the position on, that time does not go back, that nothing follows one's own leaving.

mod auth;
mod banning;
mod changing;
mod credentials;
mod cross_transport;
mod devices;
mod editing;
mod ending;
mod entering;
mod frames;
mod history_and_members;
mod host;
mod leaving;
mod limiting;
mod moderating;
mod paging;
mod people;
mod reacting;
mod reading;
mod refusing;
mod resuming;
mod roles;
mod settings;
mod showing;
mod shutdown;
mod slow_consumer;
mod stale_resume;
mod talking;
mod test_client;
mod test_server;
mod tokens;
mod trail;

pub use auth::*;
pub use banning::*;
pub use changing::*;
pub use credentials::*;
pub use cross_transport::*;
pub use devices::*;
pub use editing::*;
pub use ending::*;
pub use entering::*;
pub use frames::summary;
pub use history_and_members::*;
pub use host::*;
pub use leaving::*;
pub use limiting::*;
pub use moderating::*;
pub use paging::*;
pub use people::*;
pub use reacting::*;
pub use reading::*;
pub use refusing::*;
pub use resuming::*;
pub use roles::*;
pub use settings::*;
pub use showing::*;
pub use shutdown::*;
pub use slow_consumer::*;
pub use stale_resume::*;
pub use talking::*;
pub use test_client::TestClient;
pub use test_server::TestServer;
pub use tokens::*;
pub use trail::Trail;

use async_trait::async_trait;
use chat_core::Engine;
use serde_json::{Map, Value};

/// One transport, mounted in front of an engine. Two harnesses may be in front of one engine.
///
/// Buffers of its sockets are best kept small: what a client does not read is to be felt by the transport soon.
/// [`sockets`](crate::sockets) makes such ones.
#[async_trait]
pub trait TransportHarness: Sized + Send + Sync + 'static {
    /// Who comes in here.
    type Client: Client;

    /// Whether the client holds the engine's connection itself, without a transport that could end it.
    const IS_IN_HAND: bool = false;

    /// Mounts the transport, with bounds of its own that no test of seconds runs into.
    async fn open(engine: Engine) -> Self;

    /// Connects a client, which asks for a new session or for the one it resumes. Does not wait for the `welcome`:
    /// that is the first frame of [`Client::next`].
    ///
    /// A client that is turned away is returned too. It reads an `error` with the code, then perhaps a `closing`, and
    /// then the end; the `closing` says when to come back where there was no place, or too much was asked for. Where the
    /// transport says what else there is in other words (an HTTP status, say), its client puts it in these.
    async fn connect(&self, resume: Option<Resume>) -> Self::Client;

    /// The same, for a client that shows this token in its first message, to say who it is. One whose first request is answered as a
    /// refusal is returned too.
    ///
    /// `None` where there is no such message; what is tried with it is not tried then.
    async fn connect_showing(&self, _resume: Option<Resume>, _token: &str) -> Option<Self::Client> {
        None
    }

    /// Sends, one after the other, each request by which something may begin here, with these headers and to this host, as a browser would
    /// for a page; returns the HTTP statuses of the answers, 101 for an upgrade. Where a request can name a room to be made, it does.
    ///
    /// A transport that browsers cannot reach sends none.
    async fn knock(&self, _host: &str, _headers: &[(&'static str, &str)]) -> Vec<u16> {
        Vec::new()
    }
}

/// What a client says that comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The token of the `welcome`.
    pub token: String,
    /// Room codes with the position in each, as `EPOCH:SEQ`.
    pub positions: Vec<(String, String)>,
    /// Of more events than this, one gap is to be told.
    pub catch_up: Option<u32>,
}

impl Resume {
    /// Puts it into a `hello`, or into the object that a transport has for one.
    pub fn write_into(self, hello: &mut Value) {
        let positions = self.positions.into_iter().map(|(room, position)| (room, Value::from(position)));
        hello["resume"] = self.token.into();
        hello["positions"] = positions.collect::<Map<_, _>>().into();
        if let Some(most) = self.catch_up {
            hello["catch_up"] = most.into();
        }
    }
}

/// Whether a frame answers a command, where all frames come one way.
pub fn is_answer(frame: &Value) -> bool {
    match frame["type"].as_str() {
        Some("ack" | "error" | "history" | "changes" | "members" | "bans" | "ended" | "auth_renewed") => true,
        Some("joined" | "read") => frame.get("id").is_some(),
        _ => false,
    }
}

/// A client that is connected.
#[async_trait]
pub trait Client: Send + 'static {
    /// Hands in one client frame and waits for its answer: `ack`, `error`, `history`, `members`, or the `joined` that
    /// answers a `create` or `join`. What else comes meanwhile is kept for [`Client::next`], in order.
    ///
    /// Where commands go another way than frames (a POST beside a stream), a `create` or `join` is answered with an
    /// `ack`, and its `joined` is among the frames. Most frames are objects with an `id`; one that is no object goes in
    /// as the transport can carry it.
    ///
    /// # Panics
    /// When the connection ends before the answer.
    async fn command(&mut self, frame: Value) -> Value;

    /// The next frame that answers no command; `None` once the connection has ended in an orderly way.
    async fn next(&mut self) -> Option<Value>;

    /// Loses the connection without a goodbye, as when a phone leaves the server.
    async fn cut(self);
}

/// Makes one test of each behaviour of a transport.
///
/// The argument is a type that is a [`TransportHarness`](crate::contract::transport::TransportHarness); see [there](crate::contract::transport)
/// for an example.
#[macro_export]
macro_rules! transport_contract {
    ($harness:ty) => {
        $crate::transport_contract! { @tests $harness;
            a_created_room_is_shown_to_its_owner,
            a_chosen_name_is_compared_without_case,
            a_nick_is_shown_as_its_profile_says,
            a_joiner_is_shown_messages_and_no_joins,
            a_joiner_is_shown_as_much_history_as_it_asks_for,
            everybody_else_is_told_of_a_joiner,
            one_session_is_in_many_rooms,
            an_ack_says_where_the_message_stands,
            a_sender_knows_its_message_by_the_key,
            any_text_arrives_as_it_was_sent,
            a_retried_send_is_answered_not_repeated,
            a_key_used_for_another_text_is_a_conflict,
            many_senders_are_seen_in_one_order,
            an_author_edits_a_message_and_nobody_else_does,
            a_retried_edit_is_answered_not_repeated,
            an_edited_message_is_what_histories_and_late_readers_are_shown,
            what_was_edited_in_a_gap_is_told_on_asking,
            data_comes_as_it_was_sent,
            changes_below_ones_floor_say_nothing,
            what_a_message_may_not_hold_is_refused_by_name,
            a_message_is_edited_so_often_and_no_more,
            typing_is_shown_while_it_lasts,
            typing_ends_by_itself_with_a_send_and_with_leaving,
            a_message_is_shown_while_it_grows,
            what_grows_ends_with_its_message_and_with_its_author,
            what_is_shown_ends_by_itself,
            who_comes_in_or_back_is_told_what_is_shown,
            a_signal_says_what_it_was_given,
            what_may_not_be_shown_is_refused_by_name,
            a_room_that_counts_shows_no_signals,
            nobody_is_told_how_messages_before_their_floor_grow,
            what_was_taken_back_in_a_gap_is_told_on_asking,
            changes_are_paged_from_the_oldest_on,
            more_changes_than_are_remembered_are_out_of_reach,
            what_is_shown_says_as_of_when_it_is,
            a_message_that_only_the_log_has_can_be_taken_back,
            a_reaction_is_told_and_shown_with_its_message,
            a_reaction_that_changes_nothing_is_answered_and_not_told,
            a_reaction_that_cannot_be_is_refused_by_name,
            reactions_go_with_what_is_taken_back,
            a_message_that_takes_no_more_reactions_keeps_those_it_has,
            what_a_person_has_read_is_told_on_all_their_devices,
            who_comes_back_is_told_how_much_is_unread,
            what_was_read_is_known_to_who_comes_again,
            who_was_lost_is_told_how_much_is_unread,
            people_are_shown_with_their_data,
            a_member_changes_name_and_data_in_one_event,
            a_member_changes_seldom,
            a_name_is_taken_and_given_back,
            data_that_nobody_may_show_are_refused_by_name,
            who_was_away_sees_the_name_of_now,
            who_leaves_a_big_room_does_so_under_their_last_name,
            the_host_says_what_a_member_is_shown_as,
            what_the_host_says_is_told_as_nobodys,
            a_name_of_the_host_is_taken,
            what_the_policy_calls_somebody_stands,
            history_is_paged_backwards_to_the_first_message,
            who_asks_for_nothing_is_told_whether_there_is_something,
            history_is_paged_on_after_a_number,
            a_page_around_a_message_shows_both_sides,
            a_page_ends_with_its_bytes_on_either_side,
            a_history_lies_at_one_place_alone,
            nobody_pages_on_from_before_their_floor,
            a_log_is_paged_on_from_what_the_room_has_forgotten,
            who_comes_back_may_skip_what_is_due,
            whatever_is_due_is_skipped_by_who_wants_nothing_of_it,
            a_join_may_skip_what_was_said_since,
            who_skips_is_told_that_something_was_changed,
            members_are_paged_by_number,
            a_big_room_is_counted_not_told,
            a_topic_is_told_and_shown_to_joiners,
            a_message_taken_back_is_a_tombstone_in_histories,
            who_is_kicked_may_come_again,
            who_is_banned_may_not,
            a_ban_says_until_when_wherever_it_is_told,
            who_is_let_in_again_comes_in,
            all_of_a_member_is_taken_back_at_once,
            what_was_swept_in_a_gap_is_told_on_asking,
            only_the_owner_moderates,
            settings_are_merged_and_told_whole,
            only_those_who_moderate_set,
            nobody_new_gets_into_a_locked_room,
            newcomers_are_asked_for_the_secret,
            in_a_room_that_is_read_only_the_owner_speaks,
            slow_mode_holds_each_member_and_no_retry,
            a_gap_shows_what_is_set,
            where_newcomers_see_nothing_nothing_shows_what_was_before,
            a_moderator_keeps_order_and_never_against_the_owner,
            a_room_is_handed_on_by_two_changes,
            who_was_lost_comes_back_as_what_they_were,
            a_room_whose_owner_stays_away_goes_to_who_follows,
            as_many_moderators_as_may_be_and_no_more,
            in_a_room_of_the_host_only_the_host_names_owners,
            ones_own_leaving_ends_the_stream_of_a_room,
            the_longest_standing_member_inherits_the_room,
            a_lost_connection_has_left_after_the_grace,
            an_empty_room_is_gone_and_its_code_begins_anew,
            a_room_closed_by_the_host_is_closed_for_everyone,
            what_is_no_command_is_refused_by_name,
            a_field_that_is_wrong_is_named,
            a_wrong_number_comes_back_with_its_refusal,
            a_page_of_another_site_is_refused_before_anything_is_done,
            a_room_that_is_not_there_is_not_found,
            names_and_nicks_are_taken_once,
            who_looks_like_a_member_is_not_let_in,
            a_nick_whose_holder_is_away_is_free_after_the_grace,
            who_is_not_a_member_may_do_nothing,
            whom_and_what_nobody_knows_is_not_found,
            a_full_room_lets_nobody_in,
            a_person_has_so_many_attachments_and_no_more,
            a_full_server_makes_no_rooms,
            a_full_server_turns_clients_away,
            who_finds_no_place_is_told_when_to_come_back,
            who_was_shown_too_much_is_told_when_to_come_back,
            a_room_with_too_much_to_do_is_busy,
            a_room_that_cannot_write_is_unavailable,
            a_token_of_nobody_is_refused_and_a_new_session_begins,
            the_welcome_states_the_limits_in_force,
            a_text_of_the_longest_length_arrives_and_a_longer_one_is_refused,
            a_frame_that_is_too_long_is_refused_and_the_connection_lives,
            the_rooms_of_a_session_are_counted,
            too_many_sends_are_told_when_to_try_again,
            too_many_commands_are_told_when_to_try_again,
            a_retry_costs_no_rate,
            unknown_fields_are_ignored,
            a_client_that_knows_no_types_follows_by_number,
            a_resumed_session_goes_on_at_the_next_event,
            a_resume_tells_nobody_anything,
            a_resume_without_positions_is_shown_afresh,
            a_session_that_has_received_nothing_is_shown_everything,
            the_welcome_lists_the_commands_that_are_taken,
            a_session_comes_back_to_all_its_rooms,
            a_session_comes_back_again_and_again,
            a_session_that_comes_back_commands_as_before,
            a_slow_room_holds_up_no_other,
            a_newer_connection_closes_the_older,
            each_resume_gives_another_token_and_a_lost_welcome_locks_nobody_out,
            a_token_is_superseded_once_a_newer_one_is_used,
            who_stays_connected_is_told_a_new_token_in_time,
            who_ends_their_session_has_left_and_cannot_come_back,
            a_superseded_token_still_ends_its_session,
            a_token_in_the_first_message_says_who_one_is,
            a_session_comes_back_with_the_token_of_its_person_alone,
            a_token_that_nobody_reads_is_an_error,
            what_has_run_out_ends_the_connection_and_not_the_session,
            another_token_is_shown_without_a_reconnect,
            the_policy_says_which_rooms_are_entered,
            the_policy_says_what_somebody_is_in_rooms,
            another_token_says_who_somebody_is_at_once,
            params_are_for_the_policy,
            the_devices_of_a_person_are_ended_one_by_one_or_all_at_once,
            who_may_have_been_ended_is_told_when_to_come_back,
            after_the_grace_a_join_goes_on_from_the_position,
            who_was_kicked_while_away_has_left,
            a_life_that_is_over_is_never_matched_by_number,
            a_wrong_entry_in_positions_costs_that_entry_alone,
            a_room_that_never_was_is_unknown,
            forged_positions_show_no_more_than_may_be_seen,
            nobody_learns_of_messages_before_their_floor,
            what_the_backlog_has_lost_is_told_as_a_gap,
            a_slow_reader_delays_nobody_and_is_told_what_it_missed,
            a_drained_server_tells_when_to_come_back,
            a_drained_server_tells_what_is_due_and_where_one_stands,
            a_drained_server_lets_nobody_in,
            who_takes_nothing_does_not_hold_up_a_drain,
            who_names_rooms_that_are_not_there_has_to_wait,
            who_floods_is_shown_out_and_told_not_to_come_back,
            who_leaves_a_big_room_is_told_where_it_ended,
            the_other_device_of_who_leaves_a_big_room_is_told,
            who_is_put_out_of_a_big_room_is_told_on_every_device,
            a_device_that_was_away_hears_that_it_has_left_a_big_room,
            a_second_device_in_a_big_room_changes_nothing_for_the_first,
        }
    };
    (@tests $harness:ty; $($behaviour:ident),* $(,)?) => {$(
        #[test]
        fn $behaviour() {
            $crate::contract::run($crate::contract::transport::$behaviour::<$harness>());
        }
    )*};
}

/// Makes one test of each behaviour of two transports in front of one engine.
///
/// The arguments are types that are a [`TransportHarness`](crate::contract::transport::TransportHarness). What goes from one to the other is
/// tried in this direction; name them the other way round for the other.
#[macro_export]
macro_rules! transport_pair_contract {
    ($one:ty, $other:ty) => {
        $crate::transport_pair_contract! { @tests $one, $other;
            people_on_two_transports_are_in_one_room,
            a_session_goes_on_over_the_other_transport_at_the_next_event,
            a_newer_connection_over_the_other_transport_closes_the_older,
            a_retry_over_the_other_transport_is_answered_not_repeated,
            what_is_shown_is_the_same_over_both_transports,
            messages_are_the_same_over_both_transports,
            reactions_are_the_same_over_both_transports,
            a_session_is_ended_from_the_other_transport,
            all_sessions_of_a_person_are_ended_on_both_transports,
            who_is_added_comes_in_on_both_transports,
        }
    };
    (@tests $one:ty, $other:ty; $($behaviour:ident),* $(,)?) => {$(
        #[test]
        fn $behaviour() {
            $crate::contract::run($crate::contract::transport::$behaviour::<$one, $other>());
        }
    )*};
}
