//! The room and the model side by side: the same steps, the same outcomes, and the invariants that a room must keep.

use std::sync::Arc;

use chat_core::{Nick, Role, RoomLimits};
use chat_testkit::checks::World;
use chat_testkit::strategies::{Act, Attempt, Known, Mod, Pass, Step, Target, Who, any_run, cases, small_limits};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// Steps in one run, at most.
const STEPS_MAX: usize = 100;

fn config(default_cases: u32) -> ProptestConfig {
    ProptestConfig { cases: cases(default_cases), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn a_room_does_what_the_model_does(
        limits in small_limits(),
        steps in any_run(STEPS_MAX),
        cut in 0..STEPS_MAX,
    ) {
        play(limits, &steps, cut)?;
    }
}

/// A guest leaves and signs in: their second connection is Cid. A join of the first, held up on its way, must not make
/// the guest a member again: nobody would be attached as that member, because the note that does it is ignored as late.
#[test]
fn a_late_join_is_refused() {
    let nick = |text| Nick::parse(text).expect("a valid nick");
    let join = |session, attempt, text| Act::Join {
        who: Who::Session(session, attempt),
        nick: nick(text),
        data: None,
        history: None,
        after: None,
        secret: None,
    };
    let acts = [
        Act::Create { who: Who::Session(0, Attempt::New), nick: nick("Ann"), data: None },
        join(5, Attempt::New, "guest"),
        Act::Leave { who: Who::Session(5, Attempt::Current) },
        join(5, Attempt::New, "Cid"),
        join(5, Attempt::Late, "guest"),
    ];
    let mut world = World::new(Arc::new(RoomLimits::default()));
    for act in acts {
        world.step(&Step { pass: Pass { mono: 0, step: 0 }, act }).expect("the room does what the model does");
    }
}

/// The seat of an owner who is lost is given to another: nobody hands it on, and so nobody needs a place among the moderators.
#[test]
fn a_room_without_moderators_is_given_away_while_its_owner_is_lost() {
    let nick = |text| Nick::parse(text).expect("a valid nick");
    let who = |session, attempt| Who::Session(session, attempt);
    let (founder, other) = (who(0, Attempt::New), who(2, Attempt::New));
    let acts = [
        (0, Act::Create { who: founder, nick: nick("Ann"), data: None }),
        (0, Act::Join { who: other, nick: nick("Bob"), data: None, history: None, after: None, secret: None }),
        (0, Act::Detach { who: who(0, Attempt::Current) }),
        (30_000, Act::Wait),
        (0, Act::SetRole { by: Mod::Host, whom: Known::Here(Target(0)), role: Role::Owner }),
    ];
    let mut world = World::new(Arc::new(RoomLimits { moderators_max: 0, ..RoomLimits::default() }));
    for (mono, act) in acts {
        world.step(&Step { pass: Pass { mono, step: 0 }, act }).expect("the room does what the model does");
    }
}

fn play(limits: RoomLimits, steps: &[Step], cut: usize) -> TestCaseResult {
    let mut world = World::new(Arc::new(limits));
    for (number, step) in steps.iter().enumerate() {
        if number == cut % steps.len() {
            world.take_snapshot();
        }
        world.step(step)?;
    }
    world.check_replays()
}
