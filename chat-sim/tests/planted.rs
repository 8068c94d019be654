//! Every bug that can be planted has a test that finds it.

use chat_core::fault_injection::Bug;

/// Where the tests are that plant one each.
const TESTS: [&str; 5] = [
    include_str!("worlds.rs"),
    include_str!("added.rs"),
    include_str!("admissions.rs"),
    include_str!("erased.rs"),
    include_str!("feed.rs"),
];

#[test]
fn no_bug_is_left_out() {
    let is_named = |bug: &Bug| {
        let name = format!("Bug::{bug:?}");
        let mut rests = TESTS.iter().flat_map(|test| test.split(&*name).skip(1));
        rests.any(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    let left_out: Vec<&Bug> = Bug::ALL.iter().filter(|bug| !is_named(bug)).collect();
    assert!(left_out.is_empty(), "{left_out:?} are planted by no test");
}
