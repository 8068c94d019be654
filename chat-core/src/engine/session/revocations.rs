//! Whose admissions were taken back last, for whoever was being admitted meanwhile.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::locks::lock;
use crate::types::Identity;

/// Revocations that are remembered, for whoever is being admitted meanwhile. 1,024: past it everybody who is, for as long as a policy takes at most, is
/// taken for one whom it is about, and asks once more.
const RECENT_MAX: usize = 1_024;

/// Whose admissions were taken back last, in order.
#[derive(Default)]
pub(crate) struct Revocations(Mutex<Recent>);

#[derive(Default)]
struct Recent {
    count: u64,
    last: VecDeque<Identity>,
}

impl Revocations {
    /// How many there have been: to be kept while a policy is asked.
    pub(crate) fn count(&self) -> u64 {
        lock(&self.0).count
    }

    pub(crate) fn note(&self, identity: &Identity) {
        let mut recent = lock(&self.0);
        recent.count += 1;
        recent.last.push_back(identity.clone());
        if recent.last.len() > RECENT_MAX {
            recent.last.pop_front();
        }
    }

    /// Whether one of this person, or of somebody who is not known any more, came after so many.
    pub(crate) fn came_after(&self, count: u64, identity: &Identity) -> bool {
        let recent = lock(&self.0);
        let since = usize::try_from(recent.count - count).unwrap_or(usize::MAX);
        since > recent.last.len() || recent.last.iter().rev().take(since).any(|other| other == identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_admitted_meanwhile_finds_out_and_nobody_else() {
        let [ann, bob] = ["ann", "bob"].map(|name| Identity::new(name).expect("an identity"));
        let revocations = Revocations::default();
        let before = revocations.count();
        revocations.note(&ann);
        assert!(revocations.came_after(before, &ann) && !revocations.came_after(before, &bob));
        assert!(!revocations.came_after(revocations.count(), &ann));
        let between = revocations.count();
        for _ in 0..RECENT_MAX {
            revocations.note(&bob);
        }
        assert!(!revocations.came_after(between, &ann) && revocations.came_after(between, &bob));
        assert!(revocations.came_after(before, &Identity::new("cid").expect("an identity")), "nobody knows any more");
    }
}
