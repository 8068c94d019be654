//! Sessions that were ended for good: their tokens are true, and worth nothing any more.
//!
//! What is remembered here stands in the log as well, where there is one, and is read from there once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};

use tokio::sync::OnceCell;

use crate::locks::lock;
use crate::ports::{Ended, EndedWho};
use crate::types::{Identity, SessionId, Wall};

/// All that were ended and whose tokens have not run out yet.
#[derive(Default)]
pub(crate) struct EndedSessions {
    known: Mutex<Known>,
    /// What the log remembers has been read.
    pub(crate) read: OnceCell<()>,
}

#[derive(Default)]
struct Known {
    sessions: HashMap<SessionId, Wall>,
    /// The last session that was ended with all of the person's, and until when that is remembered.
    people: HashMap<Identity, (SessionId, Wall)>,
    /// Who is forgotten next.
    next: BTreeMap<(Wall, u64), EndedWho>,
    count: u64,
}

impl EndedSessions {
    /// Whether the session was ended, by itself or with all of its person's.
    pub(crate) fn contains(&self, session: SessionId, identity: Option<&Identity>) -> bool {
        let known = self.lock();
        let with_the_person =
            || identity.and_then(|identity| known.people.get(identity)).is_some_and(|(through, _)| session <= *through);
        known.sessions.contains_key(&session) || with_the_person()
    }

    /// Remembers, at most so many; what is over by now is forgotten, and then what is over next.
    pub(crate) fn put(&self, ended: Ended, now: Wall, max: usize) {
        let mut known = self.lock();
        known.put(ended);
        while let Some((until, _)) = known.next.keys().next().copied() {
            if until >= now && known.next.len() <= max {
                return;
            }
            let (_, who) = known.next.pop_first().expect("it was there just now");
            known.forget(&who, until);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

impl Known {
    fn put(&mut self, Ended { who, until }: Ended) {
        match &who {
            EndedWho::Session(session) => {
                let known = self.sessions.entry(*session).or_default();
                if *known >= until {
                    return;
                }
                *known = until;
            }
            EndedWho::Person { identity, through } => {
                let known = self.people.entry(identity.clone()).or_insert((*through, Wall(0)));
                if (known.0, known.1) >= (*through, until) {
                    return;
                }
                let is_longer = known.1 < until;
                *known = (known.0.max(*through), known.1.max(until));
                // However often somebody ends everything: one place a day.
                if !is_longer {
                    return;
                }
            }
        }
        self.count += 1;
        self.next.insert((until, self.count), who);
    }

    /// Unless it is remembered for longer by now.
    fn forget(&mut self, who: &EndedWho, until: Wall) {
        match who {
            EndedWho::Session(session) if self.sessions.get(session).is_some_and(|known| *known <= until) => {
                self.sessions.remove(session);
            }
            EndedWho::Person { identity, .. }
                if self.people.get(identity).is_some_and(|(_, known)| *known <= until) =>
            {
                self.people.remove(identity);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u128, until: u64) -> Ended {
        Ended { who: EndedWho::Session(SessionId::new(number)), until: Wall(until) }
    }

    fn person(name: &str, through: u128, until: u64) -> Ended {
        let identity = Identity::new(name).expect("an identity");
        Ended { who: EndedWho::Person { identity, through: SessionId::new(through) }, until: Wall(until) }
    }

    #[test]
    fn what_is_over_first_is_forgotten_first() {
        let ended = EndedSessions::default();
        let is = |number| ended.contains(SessionId::new(number), None);
        for (number, until) in [(1, 30), (2, 10), (3, 20), (1, 30)] {
            ended.put(session(number, until), Wall(0), 3);
        }
        assert_eq!([1, 2, 3, 4].map(is), [true, true, true, false]);
        ended.put(session(4, 40), Wall(0), 3);
        assert_eq!([1, 2, 3, 4].map(is), [true, false, true, true], "past the bound");
        ended.put(session(5, 50), Wall(31), 3);
        assert_eq!([1, 3, 4, 5].map(is), [false, false, true, true], "and what is over");
    }

    #[test]
    fn one_that_is_ended_again_is_remembered_for_as_long_as_the_later_says() {
        let ended = EndedSessions::default();
        ended.put(session(1, 10), Wall(0), 3);
        ended.put(session(1, 20), Wall(0), 3);
        ended.put(session(2, 30), Wall(15), 3);
        assert!(ended.contains(SessionId::new(1), None));
    }

    #[test]
    fn with_a_person_all_sessions_are_ended_that_had_begun() {
        let ended = EndedSessions::default();
        ended.put(person("ann", 5, 10), Wall(0), 3);
        let (ann, bob) = (Identity::new("ann"), Identity::new("bob"));
        let is = |number, who: &Option<Identity>| ended.contains(SessionId::new(number), who.as_ref());
        assert_eq!([is(5, &ann), is(6, &ann), is(5, &bob), is(5, &None)], [true, false, false, false]);
        ended.put(person("ann", 7, 20), Wall(15), 3);
        assert_eq!([is(5, &ann), is(7, &ann), is(8, &ann)], [true, true, false]);
        ended.put(session(9, 90), Wall(21), 3);
        assert!(!is(5, &ann));
    }
}
