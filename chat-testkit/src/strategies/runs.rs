//! Whole runs of a room: few people with few words, time that jumps, and bounds so small that they are hit.

use std::num::NonZeroU32;
use std::time::Duration;

use chat_core::room::SendPermit;
use chat_core::{
    BanTerms, Body, Data, Identity, NewcomersSee, Nick, PersonData, RecordVersion, Role, RoomCloseReason, RoomLimits,
    RoomOptions, SecretHash, TypingState,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::people::{few_member_changes, few_person_data};
use super::settings::{few_changes, few_secrets};
use super::steps::{Act, After, Asked, Attempt, Known, Mod, Pass, Side, Spot, Step, Target, Who};
use super::types::{
    few_data, few_host_names, few_keys, few_nicks, few_reaction_names, few_signal_data, few_signal_names, few_texts,
    few_topics, host_names,
};

/// Bounds so small that a run of a few dozen steps hits them all.
pub fn small_limits() -> impl Strategy<Value = RoomLimits> + Clone {
    let lists = (0..=8_usize, 1..=6_usize, 1..=2_usize, (1..=3_usize, 0..=3_usize, 0..=3_usize));
    let sees = vec![NewcomersSee::All, NewcomersSee::Last(1), NewcomersSee::Last(4), NewcomersSee::Nothing];
    let roles = (select(vec![0, 5, 20, 20, 60]), select(vec![0, 1, 1, 2]));
    (select(vec![0, 10, 40]), select(vec![100, 100, 75, 50, 0]), lists, select(sees), roles).prop_map(
        |(
            linger,
            resume,
            (history_max, marks_max, bans_max, (owed_max, changes_max, reads_max)),
            newcomers_see,
            (held, moderators_max),
        )| {
            RoomLimits {
                members_max: 6,
                attachments_max: 2,
                message_chars_max: 12,
                data_bytes_max: 10,
                edit_window: Duration::from_secs(12),
                edits_max: 1 + (bans_max % 2) as u32,
                owed_bytes_max: 20,
                history_default: 3,
                history_max,
                newcomers_see,
                members_page_max: 3,
                notices_members_max: 4,
                notices_resume_percent: resume,
                grace: Duration::from_secs(30),
                empty_linger: Duration::from_secs(linger),
                // Longer than the grace of whoever was lost, and shorter, and none.
                lost_linger: Duration::from_secs([0, 25, 45][marks_max % 3]),
                owner_seat_held: Duration::from_secs(held),
                moderators_max,
                clock_step_max: Duration::from_secs(5),
                clock_doubt: Duration::from_secs(4),
                typing_ttl: Duration::from_secs(6),
                typing_members_max: 2,
                live_max: 2,
                live_bytes_max: 20,
                live_ttl: Duration::from_secs(10),
                signals_per_member_max: 1,
                signals_bytes_max: 110,
                signal_ttl: Duration::from_secs(9),
                keys_per_scope_max: 2 + marks_max % 2,
                keys_max: 5,
                host_keys_max: [2, 3, 0][history_max % 3],
                marks_max,
                former_max: 3,
                former_networks_max: [2, 0, 1, 3][(history_max + changes_max) % 4],
                bans_max,
                bans_page_max: 1,
                owed_max,
                changes_max,
                // From more than are remembered to none.
                reactable_max: [2, 9, 1, 3, 0][(history_max + marks_max) % 5],
                reactions_max: 4 + changes_max,
                reactions_per_person_max: 2 + owed_max,
                reaction_names_max: 2,
                reads_max,
                unread_max: 3,
                slow_max: Duration::from_secs(20),
                slowed_max: 2,
                member_changes_max: [3, 1, 0][marks_max % 3],
                invites_max: [1, 2, 0][reads_max % 3],
                invite_time: Duration::from_secs([20, 60][bans_max % 2]),
                ..RoomLimits::default()
            }
        },
    )
}

/// A run of at most `steps_max` steps. It begins with a creation, most of the time.
pub fn any_run(steps_max: usize) -> impl Strategy<Value = Vec<Step>> + Clone {
    let creation = (few_nicks(), option::of(few_person_data())).prop_map(|(nick, data)| Step {
        pass: Pass { mono: 0, step: 0 },
        act: Act::Create { who: Who::Session(0, Attempt::New), nick, data },
    });
    let creation = prop_oneof![
        6 => creation,
        1 => few_options().prop_map(|options| Step {
            pass: Pass { mono: 0, step: 0 },
            act: Act::Found { options: Box::new(options) },
        }),
    ];
    let steps = (vec(any_step(), 0..steps_max), option::weighted(0.2, (0..steps_max, wrong_start())));
    (option::weighted(0.95, creation), steps).prop_map(|(creation, (mut steps, wrong))| {
        if let Some((at, wrong)) = wrong {
            let at = at.min(steps.len());
            steps.splice(at..at, wrong);
        }
        creation.into_iter().chain(steps).collect()
    })
}

/// A room of the host's, often one that somebody of the cast is to own.
fn few_options() -> impl Strategy<Value = RoomOptions<SecretHash>> + Clone {
    let owner = select(vec![None, Some("ann"), Some("bob"), Some("cid")]);
    let rest = (proptest::bool::weighted(0.2), few_changes(), few_topics());
    (owner, rest).prop_map(|(owner, (is_protected, settings, topic))| {
        let mut options = RoomOptions::new().settings(settings).topic(topic);
        (options.owner, options.is_protected) = (owner.and_then(Identity::new), is_protected);
        options
    })
}

/// Everybody is put out, and a process begins that finds the clock ahead; it is set right a little later.
fn wrong_start() -> impl Strategy<Value = Vec<Step>> + Clone {
    let exits = vec(Just((0, 0, Act::Kick { by: Mod::Host, member: Target(0) })), 6);
    (exits, 5_000..60_000_i64, 1..6_000_u64, 1..6_000_u64).prop_map(|(exits, ahead, wrong, right)| {
        let start = [(0, ahead, Act::Restart), (wrong, -ahead, Act::Wait), (right, 0, Act::Wait)];
        let steps = exits.into_iter().chain(start);
        steps.map(|(mono, step, act)| Step { pass: Pass { mono, step }, act }).collect()
    })
}

/// Any step.
pub fn any_step() -> impl Strategy<Value = Step> + Clone {
    (any_pass(), any_act()).prop_map(|(pass, act)| Step { pass, act })
}

fn any_pass() -> impl Strategy<Value = Pass> + Clone {
    let mono = prop_oneof![
        8 => Just(0),
        4 => 1..3_000_u64,
        1 => select(vec![5_999_u64, 6_000, 10_000, 29_999, 30_000, 61_000]),
    ];
    let step = prop_oneof![
        12 => Just(0),
        1 => -3_600_000..3_600_000_i64,
        1 => -30_000..30_000_i64,
    ];
    (mono, step).prop_map(|(mono, step)| Pass { mono, step })
}

/// Each group is in a box of its own: all of them in one value are more than the stack of a test holds.
fn any_act() -> impl Strategy<Value = Act> + Clone {
    let talk = prop_oneof![
        18 => (insider(), words(), rewritten(), option::weighted(0.6, few_keys()), permit())
            .prop_map(|(who, (text, data, reply_to), as_sent, key, permit)| {
                Act::Send { who, text, as_sent, key, permit, data, reply_to }
            }),
        19 => edit(),
        4 => (insider(), few_member_changes()).prop_map(|(who, change)| Act::Me { who, change }),
        1 => (target(), few_member_changes()).prop_map(|(member, change)| Act::ChangeMember { member, change }),
        3 => (insider(), select(vec![TypingState::On, TypingState::On, TypingState::Off]))
            .prop_map(|(who, state)| Act::Typing { who, state }),
        4 => (moderator(), said(), asked()).prop_map(|(by, message, asked)| Act::Redact { by, message, asked }),
        11 => (insider(), said(), few_reaction_names(), proptest::bool::weighted(0.6), option::weighted(0.2, few_keys()))
            .prop_map(|(who, message, name, on, key)| Act::React { who, message, name, on, key }),
        2 => (insider(), back()).prop_map(|(who, after)| Act::Changes { who, after }),
        3 => (insider(), back()).prop_map(|(who, through)| Act::Read { who, through }),
        10 => showing().boxed(),
        1 => back().prop_map(|through| Act::Settle { through }),
        2 => (moderator(), person(), option::of(back())).prop_map(|(by, member, from)| Act::RedactAll { by, member, from }),
        3 => (moderator(), option::of(0..4_u32), count()).prop_map(|(by, after, limit)| Act::Bans { by, after, limit }),
        1 => (moderator(), few_topics()).prop_map(|(by, topic)| Act::SetTopic { by, topic }),
        2 => (moderator(), few_changes()).prop_map(|(by, change)| Act::Settings { by, change }),
        3 => (looker(), option::weighted(0.8, (side(), said())), count())
            .prop_map(|(by, at, limit)| Act::History { by, at, limit }),
        1 => (looker(), option::of(target()), count())
            .prop_map(|(by, after, limit)| Act::Members { by, after, limit }),
        3 => (few_host_names(), words(), option::weighted(0.6, few_keys()))
            .prop_map(|(name, (text, data, reply_to), key)| Act::Say { name, text, key, data, reply_to }).boxed(),
        // The same again, under a key that may be there.
        1 => few_keys().prop_map(|key| {
            let name = host_names().iter().next().expect("there is one").clone();
            let text = Body::parse("again", usize::MAX).expect("a valid text");
            Act::Say { name, text, key: Some(key), data: None, reply_to: None }
        }),
    ];
    let come = prop_oneof![
        3 => (newcomer(), shown(), count(), option::of(after()), option::weighted(0.4, few_secrets()))
            .prop_map(|(who, (nick, data), history, after, secret)| Act::Join { who, nick, data, history, after, secret }),
        1 => (newcomer(), option::of(after())).prop_map(|(who, after)| Act::Attach { who, after }),
    ];
    let go = prop_oneof![
        8 => anybody().prop_map(|who| Act::Detach { who }),
        4 => insider().prop_map(|who| Act::Leave { who }),
        2 => (moderator(), target()).prop_map(|(by, member)| Act::Kick { by, member }),
        3 => (moderator(), person(), terms()).prop_map(|(by, member, terms)| Act::Ban { by, member, terms }),
        1 => (moderator(), 0..6_u32).prop_map(|(by, ban)| Act::Unban { by, ban }),
        4 => appointment(),
    ];
    let rare = prop_oneof![
        3 => (newcomer(), shown()).prop_map(|(who, (nick, data))| Act::Create { who, nick, data }),
        2 => few_options().prop_map(|options| Act::Found { options: Box::new(options) }),
        1 => select(vec![RoomCloseReason::Host, RoomCloseReason::Empty]).prop_map(|cause| Act::Close { cause }),
        1 => Just(Act::Recover),
        1 => Just(Act::Restart),
        1 => select(vec![RecordVersion::FIRST, RecordVersion::LATEST]).prop_map(|version| Act::Writes { version }),
        2 => (0..4_usize).prop_map(|decisions| Act::Lose { decisions }),
    ];
    prop_oneof![
        1 => Just(Act::Wait),
        16 => talk.boxed(),
        7 => come.boxed(),
        3 => go.boxed(),
        1 => rare.boxed(),
    ]
}

/// Mostly one's own last message.
fn growing() -> impl Strategy<Value = Spot> + Clone {
    prop_oneof![4 => Just(Spot::Message(0)), 1 => message()]
}

/// What somebody shows, or not any more.
fn showing() -> impl Strategy<Value = Act> + Clone {
    prop_oneof![
        3 => (insider(), growing(), option::weighted(0.85, few_texts()))
            .prop_map(|(who, message, text)| Act::Live { who, message, text }),
        2 => (insider(), few_signal_names(), option::weighted(0.85, few_signal_data()))
            .prop_map(|(who, name, data)| Act::Signal { who, name, data }),
    ]
}

/// As what somebody asks to be shown.
fn shown() -> impl Strategy<Value = (Nick, Option<PersonData>)> + Clone {
    (few_nicks(), option::weighted(0.3, few_person_data()))
}

fn newcomer() -> impl Strategy<Value = Who> + Clone {
    let attempt = prop_oneof![6 => Just(Attempt::New), 2 => Just(Attempt::Current), 1 => Just(Attempt::Late)];
    (0..12_usize, attempt).prop_map(|(session, attempt)| Who::Session(session, attempt))
}

fn anybody() -> impl Strategy<Value = Who> + Clone {
    let attempt = prop_oneof![8 => Just(Attempt::Current), 1 => Just(Attempt::Late)];
    (0..12_usize, attempt).prop_map(|(session, attempt)| Who::Session(session, attempt))
}

fn insider() -> impl Strategy<Value = Who> + Clone {
    prop_oneof![10 => (0..8_usize).prop_map(Who::Insider), 1 => anybody()]
}

fn moderator() -> impl Strategy<Value = Mod> + Clone {
    prop_oneof![
        2 => insider().prop_map(Mod::Person),
        2 => Just(Mod::Owner),
        1 => Just(Mod::Moderator),
        2 => Just(Mod::Host),
    ]
}

/// Mostly a member, and the host now and then.
fn looker() -> impl Strategy<Value = Mod> + Clone {
    prop_oneof![6 => insider().prop_map(Mod::Person), 1 => Just(Mod::Host)]
}

fn target() -> impl Strategy<Value = Target> + Clone {
    prop_oneof![8 => 0..8_u32, 1 => Just(u32::MAX)].prop_map(Target)
}

/// A role given, by those who may and those who may not; seldom, a room that becomes the host's, or is kept by it.
fn appointment() -> impl Strategy<Value = Act> + Clone {
    let whom = prop_oneof![4 => target().prop_map(Known::Here), 1 => (0..4_u32).prop_map(Known::Away)];
    let role = select(vec![Role::Moderator, Role::Moderator, Role::Moderator, Role::Owner, Role::Member]);
    prop_oneof![
        16 => (moderator(), whom, role).prop_map(|(by, whom, role)| Act::SetRole { by, whom, role }),
        1 => Just(Act::Protect),
        2 => proptest::bool::weighted(0.6).prop_map(|on| Act::Keep { on }),
        3 => somebody().prop_map(|identity| Act::Invite { identity }),
        1 => (somebody(), 0..3_u8).prop_map(|(identity, alias)| Act::Erase { identity, alias }),
        1 => (0..4_u64).prop_map(|back| Act::Scrubbed { back }),
    ]
}

/// One of those who have an identity.
fn somebody() -> impl Strategy<Value = Identity> + Clone {
    select(vec!["ann", "bob", "cid"]).prop_map(|who| Identity::new(who).expect("an identity"))
}

/// Somebody who is there, or one who may have left.
fn person() -> impl Strategy<Value = Target> + Clone {
    prop_oneof![2 => target(), 1 => (0..12_u32).prop_map(|gone| Target(Target::GONE + gone))]
}

/// Mostly for ever, and else for as long as time jumps at once.
pub(super) fn terms() -> impl Strategy<Value = BanTerms> + Clone {
    let parts = (option::weighted(0.4, Just(NonZeroU32::MIN)), any::<bool>(), option::weighted(0.3, Just(())));
    parts.prop_map(|(minutes, network, sweep)| {
        let terms = BanTerms::lasting(minutes);
        let terms = if network { terms.with_network() } else { terms };
        if sweep.is_some() { terms.with_sweep() } else { terms }
    })
}

fn back() -> impl Strategy<Value = Spot> + Clone {
    prop_oneof![8 => 0..12_u64, 2 => 12..40_u64, 1 => Just(u64::MAX)].prop_map(Spot::Back)
}

/// Mostly a message, and often the newest or the oldest of those the room remembers: where a search goes wrong first.
fn message() -> impl Strategy<Value = Spot> + Clone {
    prop_oneof![
        2 => Just(Spot::Message(0)),
        1 => Just(Spot::Message(u64::MAX)),
        1 => (0..6_u64).prop_map(Spot::Message),
        2 => back(),
    ]
}

fn side() -> impl Strategy<Value = Side> + Clone {
    select(vec![Side::Before, Side::After, Side::Around])
}

/// A message that the room may have forgotten.
fn said() -> impl Strategy<Value = Spot> + Clone {
    prop_oneof![3 => message(), 1 => (0..6_u64).prop_map(Spot::Forgotten), 1 => Just(Spot::Forgotten(u64::MAX))]
}

fn asked() -> impl Strategy<Value = Asked> + Clone {
    prop_oneof![2 => Just(Asked::No), 4 => Just(Asked::Log), 3 => Just(Asked::LateLog), 1 => Just(Asked::AnotherLife)]
}

fn after() -> impl Strategy<Value = After> + Clone {
    let spot = || prop_oneof![3 => back(), 2 => (0..4_u64).prop_map(Spot::Join)];
    prop_oneof![4 => spot().prop_map(After::ThisLife), 1 => spot().prop_map(After::AnotherLife)]
}

fn count() -> impl Strategy<Value = Option<u32>> + Clone {
    option::of(prop_oneof![8 => 0..8_u32, 1 => Just(u32::MAX)])
}

/// A text, data or both, seldom neither; and what it answers.
fn words() -> impl Strategy<Value = (Body, Option<Data>, Option<Spot>)> + Clone {
    let text = prop_oneof![9 => few_texts(), 1 => Just(Body::empty())];
    (text, option::weighted(0.2, few_data()), option::weighted(0.15, back()))
}

/// Mostly by the author, and mostly in few words, so that one edit meets another.
fn edit() -> impl Strategy<Value = Act> + Clone {
    let brief = select(vec!["hi", "hello"]).prop_map(|text| (Body::parse(text, 13).expect("a valid text"), None, None));
    let words = prop_oneof![2 => brief, 1 => words()];
    let words = (words, rewritten(), option::weighted(0.5, few_keys()));
    (option::weighted(0.2, insider()), said(), words, permit(), asked()).prop_map(
        |(other, message, ((text, data, _), as_sent, key), permit, asked)| {
            let who = other.unwrap_or(Who::Author(message));
            Act::Edit { who, message, text, as_sent, key, permit, data, asked }
        },
    )
}

fn rewritten() -> impl Strategy<Value = Option<Body>> + Clone {
    option::weighted(0.2, few_texts())
}

fn permit() -> impl Strategy<Value = SendPermit> + Clone {
    let retry_after = Duration::from_millis(400);
    prop_oneof![6 => Just(SendPermit::Paid), 1 => Just(SendPermit::Exhausted { retry_after })]
}
