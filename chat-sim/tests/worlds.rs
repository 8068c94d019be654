//! Worlds in which every promise is kept, the same world twice, and bugs on purpose, each of which is found.

use chat_core::fault_injection::{Bug, inject};
use chat_sim::{Kind, Network, Promise, Settings, TransportKind, World, run};

fn by(transport: TransportKind) -> Settings {
    Settings { transports: Some(vec![transport]), ..Settings::default() }
}

/// Runs some worlds, and shows the first in which a promise is broken.
#[track_caller]
fn all_is_well(seeds: std::ops::Range<u64>, settings: &Settings) {
    for seed in seeds {
        let world = run(seed, settings);
        if let Some(broken) = &world.broken {
            panic!("seed {seed}\n{}\n{broken}", world.last.join("\n"));
        }
    }
}

#[test]
fn every_promise_is_kept_by_all_transports_together() {
    all_is_well(0..12, &Settings::default());
}

#[test]
fn every_promise_is_kept_over_websocket() {
    all_is_well(100..106, &by(TransportKind::Ws));
}

#[test]
fn every_promise_is_kept_over_sse() {
    all_is_well(200..204, &by(TransportKind::Sse));
}

#[test]
fn every_promise_is_kept_over_socket_io() {
    all_is_well(300..304, &by(TransportKind::SocketIo));
    all_is_well(304..308, &by(TransportKind::Polling));
}

#[test]
fn every_promise_is_kept_over_networks_that_lie() {
    let lying = Settings { network: Some(Network::Lying), ..Settings::default() };
    all_is_well(400..406, &lying);
    for transport in TransportKind::ALL {
        all_is_well(406..408, &Settings { transports: Some(vec![transport]), ..lying.clone() });
    }
}

#[test]
fn every_promise_is_kept_by_several_servers() {
    all_is_well(0..60, &Settings { kind: Some(Kind::Servers), ..Settings::default() });
}

#[test]
fn every_promise_is_kept_by_servers_that_lose_each_other() {
    let failover = Settings { kind: Some(Kind::Failover), ..Settings::default() };
    all_is_well(0..12, &failover);
    // The clock of a server stands still between refusals, and forgives none of them meanwhile.
    all_is_well(3_003_172..3_003_173, &failover);
    all_is_well(3_003_726..3_003_727, &failover);
    // Somebody comes back at a follower, as far behind as the backlog goes, and more is said in the same breath.
    all_is_well(3_004_644..3_004_645, &failover);
}

#[test]
fn an_answer_to_a_ping_that_is_expected_at_once_is_found_where_networks_are_slow() {
    inject(Some(Bug::ExpectPongAtOnce));
    let find = |network| {
        let settings = Settings { network: Some(network), ..by(TransportKind::Ws) };
        (0..16).map(|seed| run(seed, &settings)).find_map(|world| world.broken)
    };
    let (plain, lying) = (find(Network::Plain), find(Network::Lying));
    inject(None);
    assert!(plain.is_none(), "no plain network shows it: {plain:?}");
    assert_eq!(lying.expect("it is found").promise, Promise::Patience);
}

#[test]
fn a_seed_is_the_same_world_again() {
    for seed in 0..3 {
        assert_eq!(run(seed, &by(TransportKind::Ws)), run(seed, &by(TransportKind::Ws)));
        let lying = Settings { network: Some(Network::Lying), ..by(TransportKind::Ws) };
        assert_eq!(run(seed, &lying), run(seed, &lying));
        let servers = Settings { kind: Some(Kind::Servers), ..by(TransportKind::Ws) };
        assert_eq!(run(seed, &servers), run(seed, &servers));
    }
}

/// The first world in which an injected bug is found, out of so many.
fn found(bug: Bug, kind: Option<Kind>, worlds: u64) -> Option<World> {
    inject(Some(bug));
    let settings = Settings { kind, ..by(TransportKind::Ws) };
    let found = (0..worlds).map(|seed| run(seed, &settings)).find(|world| world.broken.is_some());
    inject(None);
    found
}

#[track_caller]
fn is_found(bug: Bug, worlds: u64, promises: &[Promise]) {
    is_found_in(bug, None, worlds, promises);
}

/// As [`is_found`], in worlds that are about what the bug is about.
#[track_caller]
fn is_found_in(bug: Bug, kind: impl Into<Option<Kind>>, worlds: u64, promises: &[Promise]) {
    let world = found(bug, kind.into(), worlds).unwrap_or_else(|| panic!("{bug:?} is not found in {worlds} worlds"));
    let broken = world.broken.expect("it was found");
    println!("{bug:?} is found in world {}: {broken}", world.seed);
    assert!(promises.contains(&broken.promise), "{bug:?} is found as something else: {broken}");
}

#[test]
fn an_event_that_is_skipped_is_found() {
    is_found(Bug::SkipEvent, 8, &[Promise::Interval]);
}

#[test]
fn a_number_that_is_used_twice_is_found() {
    is_found(Bug::ReuseSeq, 8, &[Promise::Interval]);
}

#[test]
fn an_epoch_that_is_forgotten_is_found() {
    is_found(Bug::ForgetEpoch, 8, &[Promise::Lifetime, Promise::OneOrder, Promise::Receipt]);
}

#[test]
fn an_answer_before_the_append_is_found() {
    is_found(Bug::AckBeforeAppend, 8, &[Promise::Receipt]);
}

#[test]
fn a_ban_that_nobody_asks_after_is_found() {
    is_found(Bug::ForgetBan, 1_024, &[Promise::Banned]);
}

#[test]
fn a_ban_of_a_network_that_is_forgotten_at_a_restart_is_found() {
    is_found_in(Bug::ForgetNetworks, Kind::Networks, 32, &[Promise::Banned]);
}

#[test]
fn a_ban_that_outlasts_its_time_is_found() {
    is_found_in(Bug::OutlastBan, Kind::Networks, 32, &[Promise::Banned]);
}

#[test]
fn somebody_with_a_role_whom_a_ban_of_somebody_else_locks_out_is_found() {
    is_found_in(Bug::LockOut, Kind::Networks, 32, &[Promise::Banned]);
}

#[test]
fn a_ban_of_a_network_by_the_host_that_keeps_out_nobody_else_is_found() {
    is_found_in(Bug::ForgetHostNetworks, Kind::Networks, 32, &[Promise::Banned]);
}

#[test]
fn every_promise_is_kept_to_guests_of_few_networks() {
    all_is_well(0..4, &Settings { kind: Some(Kind::Networks), ..Settings::default() });
}

#[test]
fn a_room_that_does_not_wait_for_who_was_lost_is_found() {
    is_found(Bug::ForgetLost, 16, &[Promise::Lifetime]);
}

#[test]
fn a_sweep_of_one_message_is_found() {
    is_found(Bug::SweepOne, 64, &[Promise::OneOrder, Promise::Screen, Promise::TakenBack, Promise::Floor]);
}

#[test]
fn an_event_past_a_kick_is_found() {
    is_found(Bug::DeliverPastKick, 8, &[Promise::Interval]);
}

#[test]
fn a_key_that_is_forgotten_is_found() {
    is_found(Bug::ForgetKey, 8, &[Promise::Receipt]);
}

#[test]
fn a_key_of_the_hosts_that_is_forgotten_is_found() {
    is_found_in(Bug::ForgetHostKey, Kind::Host, 8, &[Promise::Receipt]);
}

#[test]
fn a_kept_room_that_goes_with_its_last_member_is_found() {
    is_found_in(Bug::ForgetKept, Kind::Host, 16, &[Promise::Lifetime]);
}

#[test]
fn a_log_that_is_told_of_too_few_members_is_found() {
    is_found(Bug::MiscountKnown, 8, &[Promise::Fold]);
}

#[test]
fn what_the_host_says_is_said_once_whatever_becomes_of_servers_and_logs() {
    all_is_well(0..16, &Settings { kind: Some(Kind::Host), ..by(TransportKind::Ws) });
}

#[test]
fn a_lost_connection_that_is_not_told_is_found() {
    is_found(Bug::ForgetDetach, 8, &[Promise::Lifetime]);
}

#[test]
fn a_gap_that_is_overslept_is_found() {
    is_found_in(Bug::OversleepGap, Kind::Bursts, 512, &[Promise::CatchUp, Promise::InTime]);
}

#[test]
fn a_text_that_stays_in_the_log_is_found() {
    // A history that is read from the log shows it, too.
    is_found_in(Bug::ForgetScrub, Kind::Narrow, 64, &[Promise::TakenBack, Promise::Screen]);
}

#[test]
fn an_edit_that_is_not_masked_until_the_log_has_it_is_found() {
    is_found_in(Bug::UnmaskEdit, Kind::Narrow, 64, &[Promise::Screen, Promise::OneOrder, Promise::Logged]);
}

#[test]
fn an_edit_that_a_gap_does_not_speak_of_is_found() {
    is_found_in(Bug::ForgetEdit, Kind::Narrow, 256, &[Promise::Screen]);
}

#[test]
fn a_change_that_a_gap_does_not_speak_of_is_found() {
    is_found_in(Bug::HideChange, Kind::Narrow, 256, &[Promise::Screen]);
}

#[test]
fn a_reaction_that_a_gap_does_not_speak_of_is_found() {
    is_found_in(Bug::HideReaction, Kind::Narrow, 192, &[Promise::Screen]);
}

#[test]
fn a_reaction_that_counts_twice_after_a_restart_is_found() {
    is_found(Bug::CountReactionsTwice, 64, &[Promise::Screen]);
}

#[test]
fn reactions_that_are_not_written_into_their_message_are_found() {
    is_found_in(Bug::ForgetFreeze, Kind::Narrow, 384, &[Promise::Screen]);
}

#[test]
fn a_grace_that_runs_out_while_nobody_can_come_back_is_found() {
    is_found_in(Bug::RunGracesOut, Kind::Cut, 64, &[Promise::Patience]);
}

#[test]
fn a_client_that_is_blamed_for_the_server_is_found() {
    is_found_in(Bug::BlameClient, Kind::Cut, 64, &[Promise::Patience]);
}

#[test]
fn a_kick_that_is_remembered_too_long_is_found() {
    is_found_in(Bug::RememberKick, Kind::PutOut, 64, &[Promise::Fold]);
}

#[test]
fn a_count_that_is_withheld_is_found() {
    is_found_in(Bug::WithholdPresence, Kind::Counted, 64, &[Promise::InTime, Promise::CatchUp]);
}

#[test]
fn a_device_that_is_not_told_of_a_leave_by_another_is_found() {
    is_found_in(Bug::TellOneDevice, Kind::Devices, 16, &[Promise::EndTold]);
}

#[test]
fn every_promise_is_kept_to_people_with_two_devices_who_are_only_counted() {
    all_is_well(0..4, &Settings { kind: Some(Kind::Devices), ..Settings::default() });
}

#[test]
fn records_of_another_owner_that_pass_for_ours_are_found() {
    is_found(Bug::MistakeOthers, 16, &[Promise::Logged, Promise::OneOrder, Promise::Receipt, Promise::Fold]);
}

#[test]
fn stamps_that_stand_still_are_found() {
    is_found(Bug::StandStill, 16, &[Promise::Time]);
}

#[test]
fn a_clock_that_is_believed_at_once_is_found() {
    // Tokens of today are of no use to a server that thinks it is five years later.
    is_found(Bug::BelieveClock, 16, &[Promise::Time, Promise::Protocol]);
}

#[test]
fn a_client_that_is_held_back_and_counts_as_gone_is_found() {
    is_found_in(Bug::MistakeSilence, Kind::HeldBack, 64, &[Promise::Patience]);
}

#[test]
fn a_slow_room_that_never_says_where_one_stands_is_found() {
    is_found(Bug::ForgetResumed, 128, &[Promise::Answered, Promise::CatchUp]);
}

#[test]
fn a_number_that_somebody_does_not_have_again_is_found() {
    is_found(Bug::ForgetPlace, 8, &[Promise::Person]);
}

#[test]
fn a_name_that_is_not_given_back_is_found() {
    is_found_in(Bug::KeepNickKey, Kind::Ruled, 16, &[Promise::People]);
}

#[test]
fn a_gap_that_does_not_show_what_members_show_is_found() {
    is_found_in(Bug::HideMemberData, Kind::Narrow, 64, &[Promise::Screen]);
}

#[test]
fn what_was_read_and_is_forgotten_is_found() {
    is_found_in(Bug::ForgetRead, Kind::Devices, 256, &[Promise::Read]);
}

#[test]
fn what_was_read_and_is_told_to_everybody_is_found() {
    is_found(Bug::TellReadToAll, 32, &[Promise::Read]);
}

#[test]
fn a_message_that_grows_on_once_its_author_has_gone_is_found() {
    is_found(Bug::KeepLive, 64, &[Promise::Slots]);
}

#[test]
fn a_signal_that_outlives_its_time_is_found() {
    is_found(Bug::KeepSignal, 64, &[Promise::Slots]);
}

#[test]
fn an_owner_who_is_not_given_back_their_room_is_found() {
    is_found(Bug::ForgetSeat, 16, &[Promise::Roles]);
}

#[test]
fn a_floor_that_is_not_looked_at_is_found() {
    is_found(Bug::IgnoreFloor, 16, &[Promise::Floor]);
}

#[test]
fn somebody_new_in_a_locked_room_is_found() {
    is_found_in(Bug::IgnoreLock, Kind::Ruled, 32, &[Promise::Settings]);
}

#[test]
fn somebody_who_speaks_where_only_moderators_do_is_found() {
    is_found_in(Bug::SpeakReadOnly, Kind::Ruled, 32, &[Promise::Settings]);
}

#[test]
fn every_promise_is_kept_in_rooms_for_which_much_is_set() {
    all_is_well(0..6, &Settings { kind: Some(Kind::Ruled), ..Settings::default() });
}

#[test]
fn an_ended_session_that_a_later_server_does_not_know_of_is_found() {
    is_found(Bug::ForgetEnded, 256, &[Promise::Ended]);
}

#[test]
fn an_ended_session_that_somebody_comes_back_to_is_found() {
    is_found(Bug::ResumeEnded, 16, &[Promise::Ended]);
}

#[test]
fn a_token_that_nobody_has_used_and_that_supersedes_another_is_found() {
    is_found(Bug::SupersedeUnused, 256, &[Promise::Protocol]);
}

#[test]
fn a_page_that_leaves_out_a_message_is_found() {
    is_found(Bug::SkipNewer, 16, &[Promise::Fold, Promise::Screen]);
}

#[test]
fn a_page_that_hides_that_others_follow_is_found() {
    is_found(Bug::HideNewer, 16, &[Promise::Fold, Promise::Screen]);
}

#[test]
fn a_gap_that_hides_the_first_event_that_is_skipped_is_found() {
    is_found(Bug::HideSkipped, 16, &[Promise::Interval]);
}

#[test]
fn a_server_that_decides_for_the_room_of_another_is_found() {
    is_found_in(Bug::DecideForOthers, Kind::Servers, 8, &[Promise::OneOwner, Promise::Interval, Promise::Replaced]);
}

#[test]
fn what_is_published_by_every_server_that_follows_it_is_found() {
    is_found_in(Bug::PublishFollowed, Kind::Servers, 8, &[Promise::OneOwner]);
}

#[test]
fn a_record_that_a_follower_takes_for_another_is_found() {
    is_found_in(Bug::MisreadFollowed, Kind::Servers, 16, &[Promise::OneOrder]);
}

#[test]
fn a_lost_connection_that_the_owner_is_not_told_of_is_found() {
    let promises = [Promise::Lifetime, Promise::Attendance, Promise::Fold];
    is_found_in(Bug::ForgetFollowersDetach, Kind::Servers, 16, &promises);
}

#[test]
fn somebody_at_a_follower_whom_the_owner_does_not_count_is_found() {
    let promises = [Promise::Patience, Promise::Fold, Promise::Attendance, Promise::Roles];
    is_found_in(Bug::ForgetFollowersAttach, Kind::Servers, 16, &promises);
}

#[test]
fn what_passes_beside_the_log_and_is_told_by_the_owner_alone_is_found() {
    // A copy that does not know who reads does not end them, either.
    let promises =
        [Promise::Slots, Promise::Attendance, Promise::Interval, Promise::CatchUp, Promise::InTime, Promise::Agreement];
    is_found_in(Bug::ForgetNotes, Kind::Servers, 16, &promises);
}

#[test]
fn an_answer_that_comes_before_what_it_rests_on_is_found() {
    // What is noted after the answer is told once more to who has asked for it.
    let promises = [Promise::Fold, Promise::Interval, Promise::Read, Promise::Protocol, Promise::NoPanic];
    is_found_in(Bug::AnswerAhead, Kind::Servers, 32, &promises);
}

#[test]
fn an_older_connection_at_another_server_that_is_not_replaced_is_found() {
    is_found_in(Bug::ForgetReplaced, Kind::Servers, 64, &[Promise::Replaced]);
}

#[test]
fn a_session_that_another_server_does_not_know_to_be_ended_is_found() {
    is_found_in(Bug::ForgetEndedElsewhere, Kind::Servers, 64, &[Promise::Ended]);
}

#[test]
fn who_is_attached_elsewhere_and_is_added_to_those_of_before_is_found() {
    // Who is counted at two servers comes in anew before the server that they have come back to has said where they stand.
    let promises = [Promise::Attendance, Promise::Lifetime, Promise::Fold, Promise::Protocol];
    is_found_in(Bug::AddFollowers, Kind::Failover, 64, &promises);
}

#[test]
fn connections_that_are_numbered_by_clocks_alone_are_found() {
    is_found_in(Bug::NumberByClock, Kind::Failover, 64, &[Promise::Protocol, Promise::Replaced]);
}

#[test]
fn what_waits_for_a_server_that_decides_and_is_forgotten_is_found() {
    is_found_in(Bug::ForgetParked, Kind::Failover, 16, &[Promise::Answered]);
}

#[test]
fn a_refusal_by_another_server_that_is_charged_twice_is_found() {
    is_found_in(Bug::ChargeTwice, Kind::Failover, 64, &[Promise::Patience]);
}

#[test]
fn a_room_that_is_followed_for_ever_is_found() {
    is_found_in(Bug::FollowForEver, Kind::Servers, 8, &[Promise::Lifetime]);
}

#[test]
fn who_was_at_a_server_that_died_and_has_no_grace_left_is_found() {
    is_found_in(Bug::ForgetFreshGrace, Kind::Failover, 32, &[Promise::Patience]);
}

#[test]
fn a_server_that_takes_what_it_knew_for_what_the_room_is_under_a_later_term_is_found() {
    // What was shown meanwhile, and who was attached at the server in between, is not known to what goes on.
    let promises = [
        Promise::Patience,
        Promise::Attendance,
        Promise::Lifetime,
        Promise::Fold,
        Promise::Interval,
        Promise::CatchUp,
        Promise::Agreement,
        Promise::NoPanic,
    ];
    is_found_in(Bug::BelieveTable, Kind::Failover, 64, &promises);
}
