//! Sessions that were ended for good: their tokens are true, and worth nothing any more.
//!
//! What is remembered here stands in the log as well, where there is one, and is read from there once. Nothing is ever forgotten before
//! its time: where as many are remembered as may be, another end is refused.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::locks::lock;
use crate::ports::{Ended, EndedWho};
use crate::types::{Identity, Mono, SessionId, Wall};

/// How many are forgotten with one that is remembered, at most: more than one, so that they become fewer. How many there are is
/// [`ended_max`](crate::EngineLimits::ended_max).
const OVER_AT_ONCE: usize = 16;

/// All that were ended and whose tokens have not run out yet.
pub(crate) struct EndedSessions {
    known: Mutex<Known>,
    /// Whether what the log remembers is known.
    read: Mutex<Read>,
    /// Told when that has been looked for. Wakes in the order of waiting, so that a simulated run can be repeated.
    pub(crate) has_looked: Notify,
    /// When this engine began.
    pub(crate) began: Mono,
}

/// Whether what the log remembers has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Not yet, or in vain.
    No,
    /// It is being read.
    UnderWay,
    /// It is known.
    Yes,
}

#[derive(Default)]
struct Known {
    all: HashMap<EndedWho, (SessionId, Wall)>,
    /// Whose time is over first stands first.
    by_end: BTreeSet<(Wall, EndedWho)>,
    /// Places taken for those that are being written down.
    taken: usize,
}

/// A place for one that is to be remembered, and what may be forgotten instead. Given back when dropped.
pub(crate) struct Place<'a> {
    ended: &'a EndedSessions,
    is_new: bool,
    /// To be forgotten by the log too.
    pub(crate) over: Vec<Ended>,
}

impl EndedSessions {
    pub(crate) fn new(began: Mono) -> Self {
        Self { known: Mutex::default(), read: Mutex::new(Read::No), has_looked: Notify::new(), began }
    }

    /// Whether the session was ended, by itself or with all of its person's. `newest` is the latest time that a right id names by now: one that
    /// names a later time was given by a server whose clock was ahead, and is not known to have begun after anything.
    pub(crate) fn contains(&self, session: SessionId, identity: Option<&Identity>, newest: Wall) -> bool {
        let known = self.lock();
        if known.all.contains_key(&EndedWho::Session(session)) {
            return true;
        }
        let with_the_person = identity.and_then(|identity| known.all.get(&EndedWho::Person(identity.clone())));
        with_the_person.is_some_and(|(through, _)| session <= *through || begun(session) > newest)
    }

    /// The last of a person's sessions that was ended with all of them, as far as that is remembered.
    pub(crate) fn through(&self, person: &Identity) -> Option<SessionId> {
        self.lock().all.get(&EndedWho::Person(person.clone())).map(|(through, _)| *through)
    }

    /// Whether this is remembered already, and for as long.
    pub(crate) fn has(&self, ended: &Ended) -> bool {
        let known = self.lock();
        known.all.get(&ended.who).is_some_and(|(through, until)| ended.through <= *through && ended.until <= *until)
    }

    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.lock().all.len()
    }

    /// Takes a place, of at most so many. Those whose time was over before `over_before` are forgotten, some at a time.
    pub(crate) fn take_place(&self, who: &EndedWho, over_before: Wall, max: usize) -> Option<Place<'_>> {
        let mut known = self.lock();
        let over: Vec<Ended> = (0..OVER_AT_ONCE).map_while(|_| known.forget_first(over_before)).collect();
        let is_new = !known.all.contains_key(who);
        if is_new && known.all.len() + known.taken >= max {
            return None;
        }
        known.taken += usize::from(is_new);
        Some(Place { ended: self, is_new, over })
    }

    /// Remembers; where the same is remembered, for whatever is longer.
    pub(crate) fn put(&self, ended: Ended) {
        self.lock().put(ended);
    }

    /// Whether what the log remembers is known. Where it is not, and nobody reads it, the caller is to.
    pub(crate) fn begin_reading(&self) -> Read {
        let mut read = lock(&self.read);
        let found = *read;
        if found == Read::No {
            *read = Read::UnderWay;
        }
        found
    }

    /// What the log remembers has been read, or could not be.
    pub(crate) fn end_reading(&self, found: Read) {
        *lock(&self.read) = found;
        self.has_looked.notify_waiters();
    }

    /// Others may have ended sessions of which nobody has told: what the log remembers is not known any more.
    pub(crate) fn read_again(&self) {
        let mut read = lock(&self.read);
        if *read == Read::Yes {
            *read = Read::No;
        }
    }

    /// Whether what the log remembers is known.
    pub(crate) fn is_read(&self) -> bool {
        *lock(&self.read) == Read::Yes
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.ended.lock().taken -= usize::from(self.is_new);
    }
}

impl Known {
    fn put(&mut self, Ended { who, through, until }: Ended) {
        let known = self.all.entry(who.clone()).or_insert((through, until));
        self.by_end.remove(&(known.1, who.clone()));
        *known = (known.0.max(through), known.1.max(until));
        self.by_end.insert((known.1, who));
    }

    fn forget_first(&mut self, over_before: Wall) -> Option<Ended> {
        if self.by_end.first()?.0 >= over_before {
            return None;
        }
        let (until, who) = self.by_end.pop_first()?;
        let (through, _) = self.all.remove(&who)?;
        Some(Ended { who, through, until })
    }
}

/// When a session began, as its id says.
pub(crate) fn begun(session: SessionId) -> Wall {
    Wall((session.bits() >> 80) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Wall = Wall(u64::MAX);

    fn session(number: u128, until: u64) -> Ended {
        let session = SessionId::new(number);
        Ended { who: EndedWho::Session(session), through: session, until: Wall(until) }
    }

    fn person(name: &str, through: u128, until: u64) -> Ended {
        let identity = Identity::new(name).expect("an identity");
        Ended { who: EndedWho::Person(identity), through: SessionId::new(through), until: Wall(until) }
    }

    #[test]
    fn nothing_is_forgotten_before_its_time_and_what_is_over_makes_place() {
        let ended = EndedSessions::new(Mono(0));
        let is = |number| ended.contains(SessionId::new(number), None, NEVER);
        for (number, until) in [(1, 30), (2, 10), (3, 20), (1, 30)] {
            ended.put(session(number, until));
        }
        assert_eq!([1, 2, 3, 4].map(is), [true, true, true, false]);
        assert!(ended.take_place(&session(4, 40).who, Wall(10), 3).is_none(), "there is no place");
        assert!(ended.take_place(&session(3, 40).who, Wall(10), 3).is_some(), "what has one needs no other");
        let place = ended.take_place(&session(4, 40).who, Wall(11), 3).expect("a place");
        assert_eq!(place.over, [session(2, 10)]);
        assert!(ended.take_place(&session(5, 40).who, Wall(11), 3).is_none(), "it is taken");
        drop(place);
        assert!(ended.take_place(&session(5, 40).who, Wall(11), 3).is_some(), "and given back");
        assert_eq!([1, 2, 3, 4].map(is), [true, false, true, false]);
    }

    #[test]
    fn one_that_is_ended_again_is_remembered_for_as_long_as_the_later_says() {
        let ended = EndedSessions::new(Mono(0));
        for until in [10, 20, 15] {
            ended.put(session(1, until));
        }
        assert!(ended.has(&session(1, 20)) && !ended.has(&session(1, 21)));
        let place = ended.take_place(&session(2, 30).who, Wall(16), 3).expect("a place");
        assert_eq!((place.over.len(), ended.len()), (0, 1));
    }

    #[test]
    fn with_a_person_all_sessions_are_ended_that_had_begun() {
        let ended = EndedSessions::new(Mono(0));
        let at = |time: u128| time << 80;
        ended.put(person("ann", at(5), 10));
        let (ann, bob) = (Identity::new("ann"), Identity::new("bob"));
        let is = |time, who: &Option<Identity>| ended.contains(SessionId::new(at(time)), who.as_ref(), Wall(9));
        assert_eq!([is(5, &ann), is(6, &ann), is(5, &bob), is(5, &None)], [true, false, false, false]);
        assert!(is(10, &ann), "nobody knows when that began");
        ended.put(person("ann", at(7), 20));
        assert_eq!([is(5, &ann), is(7, &ann), is(8, &ann)], [true, true, false]);
        assert_eq!(ended.len(), 1);
    }
}
