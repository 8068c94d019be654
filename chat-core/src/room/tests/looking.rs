//! Naming history and members.

use super::*;
use crate::types::NewcomersSee;

fn history(world: &mut World, before: Option<u64>, limit: Option<u32>) -> HistorySlice {
    look(world, 1, before.map(Seq).into(), limit)
}

/// What somebody is shown.
fn look(world: &mut World, session: u128, anchor: HistoryAnchor, limit: Option<u32>) -> HistorySlice {
    let input = Input::History { by: Actor::Member(caller(session)), anchor, limit };
    let Answer::History(slice) = world.run(&input).expect("answered").answer else { panic!("not a history") };
    *slice
}

fn page(world: &mut World, after: Option<u32>, limit: Option<u32>) -> (Vec<u32>, usize) {
    let input = Input::Members { by: Actor::Member(caller(1)), after: after.map(MemberId), limit };
    let Answer::Members { page, total } = world.run(&input).expect("answered").answer else { panic!("not a page") };
    (page.into_iter().map(|member| member.0).collect(), total)
}

fn send_five(world: &mut World) {
    for _ in 0..5 {
        world.send(1, "hi");
    }
}

#[test]
fn history_is_messages_and_never_notices() {
    let mut world = world();
    world.send(1, "one");
    world.join(2);
    world.send(1, "two");
    let slice = history(&mut world, None, None);
    assert_eq!((numbers(&slice.seqs), slice.wanted, slice.more), (vec![2, 4], 0, More::No));
}

#[test]
fn history_is_paged_backwards() {
    let mut world = world();
    send_five(&mut world);
    let newest = history(&mut world, None, Some(2));
    assert_eq!((numbers(&newest.seqs), newest.before, newest.more), (vec![5, 6], Seq(5), More::Yes));
    let older = history(&mut world, Some(5), Some(3));
    assert_eq!((numbers(&older.seqs), older.before, older.more), (vec![2, 3, 4], Seq(2), More::No));
}

#[test]
fn history_has_a_default_and_a_limit_and_may_be_nothing() {
    let mut world = world_with(|limits| (limits.history_default, limits.history_max) = (2, 3));
    send_five(&mut world);
    assert_eq!(history(&mut world, None, None).seqs.len(), 2);
    assert_eq!(history(&mut world, None, Some(1_000)).seqs.len(), 3);
    let nothing = history(&mut world, None, Some(0));
    assert_eq!((nothing.seqs, nothing.wanted, nothing.more), (vec![], 0, More::Yes));
}

#[test]
fn messages_that_only_a_log_remembers_are_wanted() {
    let mut world = world_with(|limits| limits.marks_max = 2);
    send_five(&mut world);
    let slice = history(&mut world, None, Some(4));
    assert_eq!((numbers(&slice.seqs), slice.wanted), (vec![5, 6], 2));
    assert_eq!((slice.before, slice.more), (Seq(5), More::Yes));
    assert_eq!(history(&mut world, None, Some(100)).wanted, 3, "there were only five");
    let nothing = history(&mut world, Some(2), Some(100));
    assert_eq!((nothing.seqs, nothing.wanted, nothing.before, nothing.more), (vec![], 0, Seq(2), More::No));
    let mut forgetful = world_with(|limits| limits.marks_max = 0);
    let last = forgetful.send(1, "hi");
    assert_eq!([last, last.next()].map(|seq| forgetful.room.may_have_forgotten(seq)), [true, false]);
    assert_eq!([2, 6, 7].map(|seq| world.room.may_be_message(Seq(seq))), [true, true, false], "forgotten, known, none");
}

#[test]
fn who_sees_no_message_is_not_told_that_it_was_taken_back() {
    let (mut world, _) = with_floor(NewcomersSee::Nothing);
    world.run(&Input::Redact { by: actor(1), target: Seq(3), evidence: None }).expect("hers");
    let asked = |world: &mut World, session| {
        let decision = world.run(&Input::Changes { by: caller(session), after: Seq(0) }).expect("a member may ask");
        let Answer::Changes(slice) = decision.answer else { panic!("no changes") };
        slice.changed.iter().map(|changed| changed.target.0).collect::<Vec<_>>()
    };
    assert_eq!((asked(&mut world, 1), asked(&mut world, 2)), (vec![3], vec![]), "it is the last before he came");
}

#[test]
fn a_message_taken_back_keeps_its_place() {
    let mut world = world();
    let seq = world.send(1, "oops");
    world.run(&Input::Redact { by: actor(1), target: seq, evidence: None }).expect("redacted");
    assert_eq!(history(&mut world, None, None).seqs, [seq]);
}

#[test]
fn members_are_paged_in_the_order_of_their_numbers() {
    let mut world = world_with(|limits| limits.members_page_max = 3);
    (2..=5).for_each(|session| drop(world.join(session)));
    world.leave(2);
    assert_eq!(page(&mut world, None, None), (vec![1, 3, 4], 4));
    assert_eq!(page(&mut world, Some(4), None), (vec![5], 4));
    assert_eq!(page(&mut world, Some(1), Some(1)), (vec![3], 4));
    assert_eq!(page(&mut world, None, Some(99)).0.len(), 3);
    let after: Vec<u32> = world.room.members_after(Some(MemberId(3))).map(|member| member.id.0).collect();
    assert_eq!(after, [4, 5], "what a page leaves out");
}

#[test]
fn only_members_look() {
    let mut world = world();
    let history = Input::History { by: Actor::Member(caller(2)), anchor: HistoryAnchor::Newest, limit: None };
    assert_eq!(world.reject(&history), RejectCode::NotMember);
    assert_eq!(
        world.reject(&Input::Members { by: Actor::Member(caller(2)), after: None, limit: None }),
        RejectCode::NotMember
    );
    assert_eq!(world.reject(&Input::Typing { by: caller(2), state: TypingState::On }), RejectCode::NotMember);
}

/// A room in which two messages, 2 and 3, were said before session 2 came.
fn with_floor(sees: NewcomersSee) -> (World, Entered) {
    let mut world = world_with(|limits| limits.newcomers_see = sees);
    world.send(1, "one");
    world.send(1, "two");
    let entered = world.join(2);
    (world, entered)
}

#[test]
fn a_newcomer_sees_as_much_as_the_room_shows_newcomers() {
    let shown = |sees| {
        let entered = with_floor(sees).1;
        (numbers(&entered.history.seqs), entered.history.more)
    };
    assert_eq!(shown(NewcomersSee::All), (vec![2, 3], More::No));
    assert_eq!(shown(NewcomersSee::Last(2)), (vec![2, 3], More::No));
    assert_eq!(shown(NewcomersSee::Last(1)), (vec![3], More::No));
    assert_eq!(shown(NewcomersSee::Last(0)), (vec![], More::No));
    assert_eq!(shown(NewcomersSee::Nothing), (vec![], More::No));
}

#[test]
fn nobody_redacts_what_is_before_their_floor_not_even_as_the_owner() {
    let (mut world, _) = with_floor(NewcomersSee::Last(1));
    let redact = |target| Input::Redact { by: actor(2), target: Seq(target), evidence: None };
    assert_eq!(
        (world.reject(&redact(2)), world.reject(&redact(3))),
        (RejectCode::MessageNotFound, RejectCode::Forbidden)
    );
    world.leave(1);
    assert_eq!(world.owner(), Some(2));
    assert_eq!(world.reject(&redact(2)), RejectCode::MessageNotFound);
    world.run(&redact(3)).expect("redacted");
    world.run(&Input::Redact { by: Actor::Host, target: Seq(2), evidence: None }).expect("the host sees everything");
}

#[test]
fn who_comes_back_sees_what_they_saw_and_what_was_said_meanwhile() {
    let (mut world, _) = with_floor(NewcomersSee::Nothing);
    world.leave(2);
    let meanwhile = world.send(1, "meanwhile");
    assert_eq!(world.join(2).history.seqs, [meanwhile]);
    world.run(&Input::Kick { by: actor(1), member: MemberId(2) }).expect("kicked");
    assert_eq!(world.join(2).history.seqs, [], "a new person");
}

#[test]
fn a_page_after_a_number_begins_with_the_next_message() {
    let mut world = world();
    send_five(&mut world);
    let page = |world: &mut World, after, limit| look(world, 1, HistoryAnchor::After(Seq(after)), limit);
    let shown = page(&mut world, 3, Some(2));
    assert_eq!(
        (numbers(&shown.newer.seqs), shown.newer.newest, shown.newer.forgotten),
        (vec![4, 5], Some(Seq(6)), More::No)
    );
    assert_eq!((numbers(&shown.seqs), shown.earlier, shown.more), (vec![], Some(Seq(3)), More::Yes));
    assert_eq!(numbers(&page(&mut world, 0, None).newer.seqs), [2, 3, 4, 5, 6]);
    assert_eq!(page(&mut world, 0, None).more, More::No);
    for past in [6, 7, u64::MAX] {
        let end = page(&mut world, past, Some(2));
        assert_eq!((end.newer.seqs, end.newer.newest, end.earlier), (vec![], None, Some(Seq(6))), "after {past}");
    }
    let nothing = page(&mut world, 3, Some(0));
    assert_eq!((nothing.newer.seqs, nothing.newer.newest, nothing.more), (vec![], Some(Seq(6)), More::Yes));
}

#[test]
fn a_page_around_a_message_has_half_before_it_and_begins_the_rest_with_it() {
    let mut world = world();
    send_five(&mut world);
    let mut page = |around, limit| {
        let slice = look(&mut world, 1, HistoryAnchor::Around(Seq(around)), Some(limit));
        (numbers(&slice.seqs), numbers(&slice.newer.seqs))
    };
    assert_eq!(page(4, 3), (vec![3], vec![4, 5]));
    assert_eq!(page(4, 1), (vec![], vec![4]));
    assert_eq!(page(4, 2), (vec![3], vec![4]));
    assert_eq!(page(2, 4), (vec![], vec![2, 3]));
    assert_eq!(page(1, 4), (vec![], vec![2, 3]), "its place, where it is no message");
    assert_eq!(page(99, 4), (vec![5, 6], vec![]));
    assert_eq!(page(4, 0), (vec![], vec![]));
}

#[test]
fn what_follows_a_place_that_is_forgotten_is_wanted_from_a_log_first() {
    let mut world = world_with(|limits| limits.marks_max = 2);
    send_five(&mut world);
    let page = |world: &mut World, anchor| look(world, 1, anchor, Some(4));
    let after = page(&mut world, HistoryAnchor::After(Seq(2)));
    assert_eq!((after.newer.from, after.newer.through, after.newer.count), (Seq(3), Seq(6), 4));
    assert_eq!((numbers(&after.newer.seqs), after.newer.forgotten, after.more), (vec![5, 6], More::Yes, More::Yes));
    let around = page(&mut world, HistoryAnchor::Around(Seq(5)));
    assert_eq!((around.wanted, around.before, numbers(&around.newer.seqs)), (2, Seq(5), vec![5, 6]));
    assert_eq!(around.newer.forgotten, More::No);
}

#[test]
fn no_page_on_either_side_shows_anything_before_a_floor() {
    let (mut world, _) = with_floor(NewcomersSee::Nothing);
    let said = world.send(1, "three");
    for seq in 0..=6 {
        for anchor in [HistoryAnchor::Before(Seq(seq)), HistoryAnchor::After(Seq(seq)), HistoryAnchor::Around(Seq(seq))]
        {
            let slice = look(&mut world, 2, anchor, None);
            let shown: Vec<Seq> = slice.seqs.iter().chain(&slice.newer.seqs).copied().collect();
            assert!(shown.iter().all(|seq| *seq == said), "{anchor:?} shows {shown:?}");
            assert!(slice.newer.from > slice.sees, "{anchor:?}");
            let is_past = matches!(anchor, HistoryAnchor::After(_)) && Seq(seq) >= said;
            assert_eq!(slice.more == More::Yes, is_past, "{anchor:?}");
        }
    }
}
