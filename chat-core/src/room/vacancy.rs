//! What a room waits for while nobody is attached: whose grace ends when, and when an empty room goes.
//!
//! No log has this, because monotonic time means nothing to another process. Whoever lets go of a room and reads it back keeps it
//! meanwhile: graces that began anew with every reading would let members live for ever.

use crate::types::{MemberId, Mono};

/// What a room waits for while nobody is attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vacancy {
    /// Those whose grace ends before the last one does, in the order of their numbers. After a start it is the same for all, and this empty.
    earlier: Box<[(MemberId, Mono)]>,
    /// When the grace of all others ends; `None` where nobody has one.
    last: Option<Mono>,
    linger: Option<Mono>,
    seat: Option<Mono>,
}

impl Vacancy {
    /// Of these graces, in the order of the members' numbers.
    pub(super) fn new(
        graces: impl Iterator<Item = (MemberId, Mono)> + Clone,
        linger: Option<Mono>,
        seat: Option<Mono>,
    ) -> Self {
        let last = graces.clone().map(|(_, at)| at).max();
        Self { earlier: graces.filter(|&(_, at)| Some(at) < last).collect(), last, linger, seat }
    }

    /// When the grace of this member ends.
    pub(super) fn grace_of(&self, member: MemberId) -> Mono {
        let found = self.earlier.binary_search_by_key(&member, |(earlier, _)| *earlier);
        found.map_or(self.last.unwrap_or_default(), |index| self.earlier[index].1)
    }

    /// When the room goes, if it is empty.
    pub(super) fn linger(&self) -> Option<Mono> {
        self.linger
    }

    /// When the room looks whether the owner's seat is free, if it is held and anybody is a member.
    pub(super) fn seat(&self) -> Option<Mono> {
        self.seat
    }

    /// When the first of it runs out; `None` where nothing does, because the room is kept and nobody is in it.
    pub fn next_deadline(&self) -> Option<Mono> {
        let graces = self.earlier.iter().map(|(_, at)| *at);
        graces.chain(self.last).chain(self.linger).chain(self.seat).min()
    }

    /// Bytes that it holds beside itself.
    pub fn weight(&self) -> usize {
        size_of_val(&*self.earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_grace_ends_when_it_did_and_those_that_end_together_take_no_place() {
        let graces = [(MemberId(1), Mono(30)), (MemberId(4), Mono(20)), (MemberId(9), Mono(30))];
        let vacancy = Vacancy::new(graces.into_iter(), None, None);
        assert!(graces.iter().all(|&(member, at)| vacancy.grace_of(member) == at));
        assert_eq!((vacancy.next_deadline(), vacancy.earlier.len()), (Some(Mono(20)), 1));
        assert_eq!(vacancy.weight(), size_of::<(MemberId, Mono)>());
        let together = Vacancy::new((1..=1_000).map(|number| (MemberId(number), Mono(30))), None, None);
        assert_eq!((together.next_deadline(), together.weight()), (Some(Mono(30)), 0));
        assert_eq!(Vacancy::new(std::iter::empty(), Some(Mono(7)), None).next_deadline(), Some(Mono(7)));
        assert_eq!(Vacancy::new(std::iter::empty(), None, None).next_deadline(), None, "nobody is waited for");
        let seats = [25, 29, 31].map(|seat| {
            let one = std::iter::once((MemberId(1), Mono(30)));
            Vacancy::new(one, None, Some(Mono(seat))).next_deadline()
        });
        assert_eq!(seats, [25, 29, 30].map(|at| Some(Mono(at))), "a held seat, or a grace that ends before");
    }
}
