//! Admissions that are remembered for a while: by a hash of the question, the oldest given up first.

use std::collections::{HashMap, VecDeque};

use chat_core::{Admission, Identity, Mono, Wall};

/// SHA-256 of a question. No credential stays in memory for it.
pub(crate) type Key = [u8; 32];

/// How long before it runs out an admission is not good for an answer any more, in milliseconds. A client is told a minute before
/// ([`auth_notice`](chat_core::SessionLimits::auth_notice)), and may then show the same credential, which the backend has prolonged.
const RENEWED_BEFORE: u64 = 120_000;

#[derive(Debug)]
struct Remembered {
    admission: Admission,
    until: Mono,
    number: u64,
}

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    remembered: HashMap<Key, Remembered>,
    /// In the order in which they came; one whose number is another by now is counted there.
    oldest: VecDeque<(Key, u64)>,
    next: u64,
    /// Raised when something is forgotten: what was asked before is not remembered then.
    pub(crate) epoch: u64,
}

impl Cache {
    pub(crate) fn find(&mut self, key: &Key, mono: Mono, wall: Wall) -> Option<Admission> {
        let known = self.remembered.get(key)?;
        let is_good = known.until > mono && !runs_out_soon(&known.admission, wall);
        if !is_good {
            self.remembered.remove(key);
            return None;
        }
        Some(known.admission.clone())
    }

    pub(crate) fn remember(&mut self, key: Key, admission: Admission, until: Mono, wall: Wall, max: usize) {
        if max == 0 || runs_out_soon(&admission, wall) {
            return;
        }
        let number = self.next;
        self.next += 1;
        self.remembered.insert(key, Remembered { admission, until, number });
        self.oldest.push_back((key, number));
        // Twice as many at most: of one that was forgotten or replaced the order still knows.
        while self.remembered.len() > max || self.oldest.len() > max * 2 {
            let Some((key, number)) = self.oldest.pop_front() else { break };
            if self.remembered.get(&key).is_some_and(|known| known.number == number) {
                self.remembered.remove(&key);
            }
        }
    }

    pub(crate) fn forget(&mut self, identity: &Identity) {
        self.remembered.retain(|_, known| known.admission.identity.as_ref() != Some(identity));
        self.epoch += 1;
    }

    pub(crate) fn clear(&mut self) {
        self.remembered.clear();
        self.oldest.clear();
        self.epoch += 1;
    }
}

fn runs_out_soon(admission: &Admission, wall: Wall) -> bool {
    admission.expires_at.is_some_and(|at| at.0 <= wall.0.saturating_add(RENEWED_BEFORE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Admission {
        Admission::of(Identity::new(name))
    }

    fn who(cache: &mut Cache, key: u8, mono: u64) -> Option<String> {
        let found = cache.find(&[key; 32], Mono(mono), Wall(0))?;
        Some(found.identity.expect("a person").as_str().to_owned())
    }

    #[test]
    fn the_oldest_are_given_up_and_one_that_is_asked_for_late_is_gone() {
        let mut cache = Cache::default();
        for key in 0..5 {
            cache.remember([key; 32], of(&format!("u{key}")), Mono(10), Wall(0), 3);
        }
        let known: Vec<_> = (0..5).filter_map(|key| who(&mut cache, key, 9)).collect();
        assert_eq!(known, ["u2", "u3", "u4"]);
        assert_eq!(who(&mut cache, 4, 10), None);
        assert_eq!(who(&mut cache, 4, 9), None, "it is not there any more");
    }

    #[test]
    fn one_that_is_renewed_over_and_over_takes_no_more_than_its_place() {
        let mut cache = Cache::default();
        cache.remember([9; 32], of("other"), Mono(10), Wall(0), 3);
        for _ in 0..100 {
            cache.remember([1; 32], of("ann"), Mono(10), Wall(0), 3);
            assert!(cache.oldest.len() <= 6 && cache.remembered.len() <= 3);
        }
        assert_eq!(who(&mut cache, 1, 9).as_deref(), Some("ann"));
    }

    #[test]
    fn nothing_is_remembered_of_an_admission_that_runs_out_soon() {
        let mut cache = Cache::default();
        let soon = |at| of("ann").with_expiry(Wall(at));
        cache.remember([1; 32], soon(RENEWED_BEFORE), Mono(10), Wall(0), 3);
        assert_eq!(who(&mut cache, 1, 0), None);
        cache.remember([1; 32], soon(RENEWED_BEFORE + 5), Mono(10), Wall(0), 3);
        assert!(cache.find(&[1; 32], Mono(0), Wall(4)).is_some());
        assert!(cache.find(&[1; 32], Mono(0), Wall(5)).is_none());
    }

    #[test]
    fn a_person_is_forgotten_on_every_device() {
        let mut cache = Cache::default();
        for (key, name) in [(1, "ann"), (2, "bob"), (3, "ann")] {
            cache.remember([key; 32], of(name), Mono(10), Wall(0), 9);
        }
        cache.forget(&Identity::new("ann").expect("an identity"));
        assert_eq!((1..=3).filter_map(|key| who(&mut cache, key, 0)).collect::<Vec<_>>(), ["bob"]);
        cache.clear();
        assert_eq!(who(&mut cache, 2, 0), None);
    }
}
