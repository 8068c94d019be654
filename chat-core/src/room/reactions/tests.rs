//! Reactions are counted, frozen and settled, and stored as lists.

use super::*;

fn name(text: &str) -> ReactionName {
    ReactionName::parse(text).expect("valid")
}

/// Of every message.
const AUTHOR: MemberId = MemberId(8);

/// Of each message, name and person, in this order.
fn reactions(all: &[(u64, &str, u32)]) -> Reactions {
    let mut reactions = Reactions::default();
    for &(target, text, by) in all {
        reactions.set((Seq(target), AUTHOR), &name(text), MemberId(by), true);
    }
    reactions.check(Seq(100));
    reactions
}

fn shown(reactions: &Reactions, target: u64) -> Vec<(String, u32, Vec<u32>)> {
    let shown = reactions.shown(Seq(target)).into_iter();
    let line = |one: Reaction| (one.name.to_string(), one.count, one.by.iter().map(|by| by.0).collect());
    shown.map(line).collect()
}

#[test]
fn a_person_reacts_once_with_a_name_and_names_stand_in_the_order_in_which_they_came() {
    let mut all = reactions(&[(3, "b", 2), (3, "a", 2), (3, "b", 1), (3, "b", 2), (5, "a", 9)]);
    assert_eq!(shown(&all, 3), [("b".to_owned(), 2, vec![2, 1]), ("a".to_owned(), 1, vec![2])]);
    assert_eq!((all.total(), all.of_person(MemberId(2)), all.names(Seq(3))), (4, 2, 2));
    all.set((Seq(3), AUTHOR), &name("b"), MemberId(2), false);
    all.set((Seq(3), AUTHOR), &name("b"), MemberId(2), false);
    all.set((Seq(3), AUTHOR), &name("b"), MemberId(1), false);
    all.set((Seq(3), AUTHOR), &name("b"), MemberId(7), true);
    all.check(Seq(100));
    assert_eq!(shown(&all, 3), [("a".to_owned(), 1, vec![2]), ("b".to_owned(), 1, vec![7])]);
    assert_eq!((all.count(Seq(3), &name("b")), all.has(Seq(3), &name("b"), MemberId(2))), (1, false));
}

#[test]
fn what_nobody_reacts_to_any_more_holds_nothing() {
    let mut all = reactions(&[(3, "a", 1), (5, "a", 1)]);
    all.set((Seq(3), AUTHOR), &name("a"), MemberId(1), false);
    all.remove(Seq(5));
    all.remove(Seq(5));
    assert_eq!((all.total(), all.weight(), all.is_empty()), (0, 0, true));
    assert_eq!(all, Reactions::default());
}

#[test]
fn a_message_that_takes_no_more_is_owed_until_the_log_has_what_it_has() {
    let mut all = reactions(&[(3, "a", 1), (5, "a", 1), (7, "a", 1)]);
    all.freeze(Seq(4), Seq(20));
    all.freeze(Seq(6), Seq(21));
    all.freeze(Seq(6), Seq(22));
    all.check(Seq(100));
    let owed: Vec<_> = all.owed().map(|owed| (owed.target.0, owed.change.0)).collect();
    assert_eq!((owed, all.closed(), all.total()), (vec![(3, 20), (5, 21)], Seq(5), 3));
    assert_eq!(all.messages().collect::<Vec<_>>(), [3, 5, 7].map(Seq));
    assert_eq!((shown(&all, 3).len(), all.count(Seq(3), &name("a"))), (1, 0), "shown, and not counted on");
    all.settle(Seq(3));
    assert_eq!((shown(&all, 3), all.total(), all.closed()), (vec![], 2, Seq(5)));
    all.remove_all(|target, author| target == Seq(5) && author == AUTHOR);
    all.check(Seq(100));
    assert_eq!((all.owed().count(), all.of_person(MemberId(1))), (0, 1));
}

#[test]
fn what_was_said_of_a_message_under_a_greater_bound_changes_what_is_owed_of_it() {
    let mut all = reactions(&[(3, "a", 1), (5, "a", 1)]);
    all.freeze(Seq(6), Seq(20));
    all.set((Seq(3), AUTHOR), &name("a"), MemberId(2), true);
    all.set((Seq(5), AUTHOR), &name("a"), MemberId(1), false);
    all.set((Seq(4), AUTHOR), &name("b"), MemberId(1), true);
    all.check(Seq(100));
    assert_eq!(shown(&all, 3), [("a".to_owned(), 2, vec![1, 2])]);
    all.freeze(Seq(6), Seq(21));
    all.check(Seq(100));
    let owed: Vec<_> = all.owed().map(|owed| (owed.target.0, owed.change.0)).collect();
    assert_eq!((owed, all.closed(), all.total()), (vec![(3, 20), (4, 21)], Seq(5), 3));
    all.settle(Seq(4));
    assert_eq!((all.total(), all.weight()), (0, 0));
}

#[test]
fn what_was_written_is_said_by_its_number_whichever_bound_it_is_read_back_under() {
    let mut smaller = reactions(&[(3, "a", 1), (5, "a", 1), (7, "a", 1)]);
    smaller.freeze(Seq(8), Seq(20));
    smaller.settle(Seq(3));
    smaller.check(Seq(100));
    assert_eq!(smaller.owed().map(|owed| owed.target.0).collect::<Vec<_>>(), [5, 7], "nobody has written these");
    let mut greater = reactions(&[(3, "a", 1), (5, "a", 1), (7, "a", 1)]);
    greater.settle(Seq(5));
    greater.check(Seq(100));
    assert_eq!((greater.messages().collect::<Vec<_>>(), greater.closed()), (vec![Seq(7)], Seq(5)));
}

#[test]
fn of_a_person_all_in_a_range_are_found() {
    let all = reactions(&[(3, "a", 1), (3, "b", 2), (5, "b", 1), (5, "a", 1), (7, "a", 1)]);
    let found = |member, from, to| -> Vec<(u64, &str)> {
        all.of(MemberId(member), Seq(from)..=Seq(to)).map(|(target, name)| (target.0, name.as_str())).collect()
    };
    assert_eq!(found(1, 3, 5), [(3, "a"), (5, "b"), (5, "a")]);
    assert_eq!((found(2, 4, 9), found(3, 1, 9)), (vec![], vec![]));
    let own = reactions(&[(3, "a", AUTHOR.0)]);
    assert_eq!(own.of(AUTHOR, Seq(1)..=Seq(9)).count(), 0, "their own message goes with all that it has");
}

#[test]
fn they_are_stored_as_lists_and_read_back() {
    let mut all = reactions(&[(3, "a", 1), (5, "a", 1), (5, "a", 2)]);
    all.freeze(Seq(4), Seq(20));
    let stored = serde_json::to_string(&all).expect("they can be stored");
    let expected = r#"{"held":[{"target":5,"author":8,"names":[["a",[1,2]]]}],"frozen":[{"change":20,"target":3,"author":8,"names":[["a",[1]]]}],"closed":3}"#;
    assert_eq!(stored, expected);
    let read: Reactions = serde_json::from_str(&stored).expect("they are read");
    read.check(Seq(100));
    assert!(read == all && read.total() == 3);
}

#[test]
#[should_panic(expected = "what is reacted to was said before")]
fn a_reaction_to_what_was_not_said_is_a_bug() {
    reactions(&[(3, "a", 1)]).check(Seq(3));
}
