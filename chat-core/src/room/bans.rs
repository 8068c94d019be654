//! Who is kept out, until when, and where they came from: in the order of the bans. None goes for want of room, but those that are over.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::hashes::ScopeHash;
use super::weight::{beside, scope_beside};
use crate::seldom::Nothing;
use crate::types::{BanId, MemberId, NetworkTag, Nick, Scope, Wall};

/// So many bans of programs that wrote no numbers are remembered at least: they forgot the longest banned past this many. No limit: it is what
/// those programs did, whatever ours may be told, and no program adds to them.
const EARLY_MAX: usize = 1_024;

/// Somebody who is kept out, as who moderates is shown them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BanLine {
    /// The number of the ban.
    pub ban: BanId,
    /// The number that the person has, or had. Not known of a ban that was written without a number; nor is what follows.
    pub member: Option<MemberId>,
    /// The name last shown, where it is known.
    pub nick: Option<Nick>,
    /// The member who banned them; `None` for the host.
    pub by: Option<MemberId>,
    /// When they were banned.
    pub at: Option<Wall>,
    /// Until when, in room time; for ever where there is no such moment.
    pub until: Option<Wall>,
    /// Whether whoever comes from where they came from is kept out, too.
    pub network: bool,
}

impl BanLine {
    /// One of which nothing but the number is known.
    pub fn new(ban: BanId) -> Self {
        Self { ban, member: None, nick: None, by: None, at: None, until: None, network: false }
    }
}

/// Somebody who is kept out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ban {
    /// Its number.
    pub(super) number: BanId,
    pub(super) person: Person,
    /// The number that the person has, or had. Not known of a ban that was written without a number; nor is what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) member: Option<MemberId>,
    /// The name last shown, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nick: Option<Nick>,
    /// The member who banned them; `None` for the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<MemberId>,
    /// When they were banned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Wall>,
    /// Until when, in room time; for ever where there is no such moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Wall>,
    /// Whoever comes from there without an identity is kept out, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) networks: Vec<NetworkTag>,
}

/// Who is kept out: as it was written, or as a hash, which is all that is kept of somebody who has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Person {
    Scope(Scope),
    Hash(ScopeHash),
}

/// Somebody who asks to be let in.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) scope: &'a Scope,
    pub(super) hash: ScopeHash,
    /// Where they come from, of somebody whom networks bind.
    pub(super) network: Option<NetworkTag>,
}

impl Ban {
    /// One that is written with all that is known of it.
    pub(super) fn new(number: BanId, person: ScopeHash) -> Self {
        Self { person: Person::Hash(person), ..Self::early(number, None) }
    }

    /// One that was written without a number.
    fn early(number: BanId, scope: Option<Scope>) -> Self {
        let person = scope.map_or(Person::Hash(ScopeHash::default()), Person::Scope);
        Self { number, person, member: None, nick: None, by: None, at: None, until: None, networks: Vec::new() }
    }

    /// Whether it holds at this moment of room time.
    pub(super) fn holds(&self, at: Wall) -> bool {
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::OutlastBan) {
            return true;
        }
        self.until.is_none_or(|until| until > at)
    }

    /// What is shown of it.
    pub(super) fn line(&self) -> BanLine {
        let Self { number, member, nick, by, at, until, networks, .. } = self;
        let (nick, network) = (nick.clone(), !networks.is_empty());
        BanLine { ban: *number, member: *member, nick, by: *by, at: *at, until: *until, network }
    }

    /// Who is kept out, where that is all that was written of them.
    pub(super) fn hash(&self) -> Option<ScopeHash> {
        match &self.person {
            Person::Hash(hash) => Some(*hash),
            Person::Scope(_) => None,
        }
    }

    fn binds(&self, asker: Asker<'_>) -> bool {
        let is_the_person = match &self.person {
            Person::Scope(scope) => scope == asker.scope,
            Person::Hash(hash) => *hash == asker.hash,
        };
        #[cfg(feature = "fault_injection")]
        if self.by.is_none() && crate::fault_injection::is(crate::fault_injection::Bug::ForgetHostNetworks) {
            return is_the_person;
        }
        is_the_person || asker.network.is_some_and(|network| self.networks.contains(&network))
    }

    /// Bytes that it holds elsewhere.
    fn beside(&self) -> usize {
        let scope = if let Person::Scope(scope) = &self.person { scope_beside(scope) } else { 0 };
        let nick = self.nick.as_ref().map_or(0, |nick| beside(nick.as_str()));
        scope + nick + self.networks.capacity() * size_of::<NetworkTag>()
    }
}

/// All bans, in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(super) struct Bans {
    kept: VecDeque<Ban>,
    last: BanId,
    /// Bytes that they hold elsewhere.
    texts: usize,
}

impl Nothing for Bans {
    const NOTHING: &'static Self = &Self { kept: VecDeque::new(), last: BanId(0), texts: 0 };
}

impl Bans {
    /// How many are remembered, over or not.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        self.kept.capacity() * size_of::<Ban>() + self.texts
    }

    /// The number of the next.
    pub(super) fn next(&self) -> BanId {
        self.last.next()
    }

    /// Those that hold at this moment, after this number.
    pub(super) fn holding(&self, after: Option<BanId>, at: Wall) -> impl Iterator<Item = &Ban> {
        let start = after.map_or(0, |after| self.kept.partition_point(|ban| ban.number <= after));
        self.kept.range(start..).filter(move |ban| ban.holds(at))
    }

    /// The ban that keeps somebody out at this moment: of several the one that ends last.
    pub(super) fn against(&self, asker: Asker<'_>, at: Wall) -> Option<&Ban> {
        let binding = self.holding(None, at).filter(|ban| ban.binds(asker));
        binding.max_by_key(|ban| ban.until.unwrap_or(Wall(u64::MAX)))
    }

    /// Whether a person is kept out at this moment.
    #[cfg(test)]
    pub(super) fn contains(&self, scope: &Scope, hash: ScopeHash, at: Wall) -> bool {
        self.against(Asker { scope, hash, network: None }, at).is_some()
    }

    /// Adds one, at this moment: those that are over go, and an earlier one of the same person.
    pub(super) fn add(&mut self, ban: Ban, at: Wall) {
        self.kept.retain(|other| other.holds(at) && other.person != ban.person);
        self.last = self.last.max(ban.number);
        self.kept.push_back(ban);
        self.weigh();
    }

    /// Adds one that was written without a number. Past `max`, or so many as were once remembered, the longest banned goes: so it was when
    /// that was written.
    pub(super) fn add_early(&mut self, scope: &Scope, at: Wall, max: usize) {
        self.add(Ban::early(self.next(), Some(scope.clone())), at);
        let over = self.kept.len().saturating_sub(max.max(EARLY_MAX));
        self.kept.drain(..over);
        self.weigh();
    }

    /// Forgets those of this person that were written without a number: another is added.
    pub(super) fn forget_early(&mut self, is_theirs: impl Fn(&Scope) -> bool) {
        self.kept.retain(|ban| !matches!(&ban.person, Person::Scope(scope) if is_theirs(scope)));
        self.weigh();
    }

    /// Those of a person.
    pub(super) fn of(&self, scope: &Scope, hash: ScopeHash) -> impl Iterator<Item = &Ban> {
        self.kept.iter().filter(move |ban| match &ban.person {
            Person::Scope(own) => own == scope,
            Person::Hash(own) => *own == hash,
        })
    }

    /// Whether one of a person's says more than whom it keeps out by hash, and until when.
    pub(super) fn tells_of(&self, scope: &Scope, hash: ScopeHash) -> bool {
        let tells =
            |ban: &Ban| matches!(ban.person, Person::Scope(_)) || ban.nick.is_some() || !ban.networks.is_empty();
        self.of(scope, hash).any(tells)
    }

    /// Says no more of a person than whom it keeps out by hash, and until when.
    pub(super) fn erase(&mut self, person: ScopeHash) {
        for ban in self.kept.iter_mut().filter(|ban| ban.person == Person::Hash(person)) {
            (ban.nick, ban.networks) = (None, Vec::new());
        }
        self.weigh();
    }

    /// Ends one before its time.
    pub(super) fn lift(&mut self, number: BanId) {
        self.kept.retain(|ban| ban.number != number);
        self.weigh();
    }

    /// Binds nobody by where they come from any more.
    #[cfg(feature = "fault_injection")]
    pub(super) fn forget_networks(&mut self) {
        self.kept.iter_mut().for_each(|ban| ban.networks.clear());
    }

    /// Whether a program has to know of numbers to read it.
    pub(super) fn are_numbered(&self) -> bool {
        !self.are_early()
    }

    /// Whether they are such as programs wrote that knew no numbers, and nothing is missing.
    fn are_early(&self) -> bool {
        let in_order = self.kept.iter().zip(1..).all(|(ban, number)| {
            let early = Ban::early(BanId(number), None);
            matches!(ban.person, Person::Scope(_)) && Ban { person: early.person.clone(), ..ban.clone() } == early
        });
        in_order && self.last.0 as usize == self.kept.len()
    }

    /// Panics when the order is broken.
    pub(super) fn check(&self) {
        assert!(self.kept.iter().is_sorted_by(|a, b| a.number < b.number), "bans are in the order of their numbers");
        assert!(self.kept.back().is_none_or(|newest| newest.number <= self.last), "a new ban has a new number");
        assert!(
            self.kept.iter().all(|ban| ban.networks.len() <= NetworkTag::PER_PERSON_MAX),
            "a person's networks are few"
        );
    }

    /// There are few of them, and they change seldom.
    fn weigh(&mut self) {
        self.texts = self.kept.iter().map(Ban::beside).sum();
    }
}

/// As it is stored. A list of people is all that programs knew that wrote no numbers, and what they read.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Early(VecDeque<Scope>),
    Numbered { last: BanId, kept: VecDeque<Ban> },
}

impl From<Stored> for Bans {
    fn from(stored: Stored) -> Self {
        let (last, kept) = match stored {
            Stored::Early(scopes) => {
                let last = BanId(u32::try_from(scopes.len()).unwrap_or(u32::MAX));
                let numbered = (1..).zip(scopes);
                (last, numbered.map(|(number, scope)| Ban::early(BanId(number), Some(scope))).collect())
            }
            Stored::Numbered { last, kept } => (last, kept),
        };
        let mut bans = Self { kept, last, texts: 0 };
        bans.weigh();
        bans
    }
}

impl From<Bans> for Stored {
    fn from(bans: Bans) -> Self {
        if bans.are_numbered() {
            return Self::Numbered { last: bans.last, kept: bans.kept };
        }
        let scopes = bans.kept.into_iter().filter_map(|ban| match ban.person {
            Person::Scope(scope) => Some(scope),
            Person::Hash(_) => None,
        });
        Self::Early(scopes.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Identity, SessionId};

    fn named(bytes: usize) -> Scope {
        Scope::Identity(Identity::new(&"x".repeat(bytes)).expect("it is not too long"))
    }

    fn ban(number: u32, person: u64, until: Option<u64>) -> Ban {
        Ban { until: until.map(Wall), ..Ban::new(BanId(number), ScopeHash::from_bits(person)) }
    }

    fn numbers(bans: &Bans, after: u32, at: u64) -> Vec<u32> {
        bans.holding(Some(BanId(after)), Wall(at)).map(|ban| ban.number.0).collect()
    }

    fn bans(of: impl IntoIterator<Item = Ban>) -> Bans {
        let mut bans = Bans::default();
        of.into_iter().for_each(|ban| bans.add(ban, Wall(0)));
        bans.check();
        bans
    }

    #[test]
    fn who_is_banned_again_is_weighed_once_and_who_is_let_in_again_not_at_all() {
        let mut bans = Bans::default();
        bans.add_early(&named(100), Wall(0), 2);
        bans.add_early(&Scope::Session(SessionId::new(1)), Wall(0), 2);
        bans.add_early(&named(100), Wall(0), 2);
        assert_eq!((bans.len(), bans.texts, numbers(&bans, 0, 9)), (2, 100, vec![2, 3]));
        let nick = Some(Nick::parse(&"x".repeat(30)).expect("it is not too long"));
        bans.add(Ban { nick, networks: Vec::with_capacity(4), ..ban(4, 7, None) }, Wall(0));
        assert_eq!((bans.len(), bans.texts), (3, 162), "none goes for want of room");
        assert_eq!(bans.weight(), bans.kept.capacity() * size_of::<Ban>() + 162);
        bans.lift(BanId(3));
        assert_eq!((numbers(&bans, 0, 9), bans.texts, bans.next()), (vec![2, 4], 62, BanId(5)));
    }

    #[test]
    fn a_ban_holds_until_its_moment_and_goes_with_the_next_one() {
        let mut bans = bans([ban(1, 1, Some(10)), ban(2, 2, Some(20)), ban(3, 3, None)]);
        assert_eq!([9, 10, 20].map(|at| numbers(&bans, 0, at)), [vec![1, 2, 3], vec![2, 3], vec![3]]);
        assert_eq!(numbers(&bans, 2, 9), [3]);
        bans.add(ban(4, 4, None), Wall(10));
        assert_eq!((bans.len(), numbers(&bans, 0, 9)), (3, vec![2, 3, 4]));
    }

    #[test]
    fn of_several_bans_the_one_that_ends_last_is_told() {
        let net = |ban: Ban| Ban { networks: vec![NetworkTag(5)], ..ban };
        let bans = bans([net(ban(1, 1, Some(30))), net(ban(2, 2, Some(10))), ban(3, 3, None)]);
        let scope = Scope::Session(SessionId::new(1));
        let found = |hash, network: Option<u64>| {
            let hash = ScopeHash::from_bits(hash);
            bans.against(Asker { scope: &scope, hash, network: network.map(NetworkTag) }, Wall(0))
                .map(|ban| ban.number.0)
        };
        assert_eq!((found(2, None), found(2, Some(5)), found(9, Some(5))), (Some(2), Some(1), Some(1)));
        assert_eq!((found(3, Some(5)), found(9, None), found(9, Some(6))), (Some(3), None, None));
    }

    #[test]
    fn what_programs_without_numbers_wrote_is_read_and_is_written_for_them_as_long_as_nothing_else_is_said() {
        let stored = |bans: &Bans| serde_json::to_string(bans).expect("they can be stored");
        let mut early = Bans::default();
        assert_eq!(stored(&early), "[]");
        early.add_early(&named(3), Wall(0), 2);
        early.add_early(&Scope::Session(SessionId::new(1)), Wall(0), 2);
        assert!(stored(&early).starts_with(r#"[{"identity":"xxx"},{"session":"#) && !early.are_numbered());
        assert_eq!(serde_json::from_str::<Bans>(&stored(&early)).expect("they are read"), early);
        let mut lifted = early.clone();
        lifted.lift(BanId(2));
        early.add(ban(3, 9, Some(4)), Wall(0));
        for numbered in [&early, &lifted] {
            assert!(numbered.are_numbered());
            assert_eq!(serde_json::from_str::<Bans>(&stored(numbered)).expect("they are read"), *numbered);
        }
    }
}
