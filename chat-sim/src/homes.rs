//! Where people come from: the homes that each was seen at, and which home the tag of a network can mean.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard};

use chat_core::{NetworkTag, Scope};

use crate::locks::lock;

/// One network, which several people come from: to a ban they are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Home(pub(crate) u8);

impl Home {
    /// The address of somebody there: every other home has one for all, and the rest are networks of 56 bits with one for each.
    pub(crate) fn address(self, person: u8) -> SocketAddr {
        let (home, person) = (self.0, u16::from(person));
        let address = match home % 2 {
            0 => IpAddr::V4(Ipv4Addr::new(192, 0, 2, home)),
            _ => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, u16::from(home), person, 0, 0, 0, 1 + person)),
        };
        SocketAddr::new(address, 40_000 + person)
    }
}

/// What can be known of it from outside.
#[derive(Debug, Default)]
pub(crate) struct Homes {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// All that somebody has connected from.
    of: BTreeMap<Scope, BTreeSet<Home>>,
    /// What a tag may mean: the homes that all have in common in whose bans it is.
    tags: BTreeMap<NetworkTag, BTreeSet<Home>>,
}

impl Homes {
    /// Somebody connects from there.
    pub(crate) fn connects(&self, who: Scope, home: Home) {
        self.state().of.entry(who).or_default().insert(home);
    }

    /// A ban of this person has these tags. Returns one that cannot be of anywhere they came from, or of a home that has another.
    pub(crate) fn learn(&self, who: &Scope, tags: &[NetworkTag]) -> Option<NetworkTag> {
        let mut state = self.state();
        let State { of, tags: known } = &mut *state;
        let theirs = of.get(who).cloned().unwrap_or_default();
        for tag in tags {
            let homes = known.entry(*tag).or_insert_with(|| theirs.clone());
            homes.retain(|home| theirs.contains(home));
        }
        let is_alone = |tag: &NetworkTag| known[tag].len() == 1;
        let is_wrong = |tag: &&NetworkTag| {
            let is_anothers = |other: &NetworkTag| other != *tag && known[other] == known[*tag];
            known[*tag].is_empty() || is_alone(tag) && known.keys().any(is_anothers)
        };
        tags.iter().find(is_wrong).copied()
    }

    /// Whether these tags are for sure of every home that somebody has come from.
    pub(crate) fn are_all_of(&self, who: &Scope, tags: &[NetworkTag]) -> bool {
        let state = self.state();
        let is_meant =
            |home: &Home| tags.iter().any(|tag| state.means(*tag).is_some_and(|homes| homes.iter().eq([home])));
        state.of.get(who).is_some_and(|homes| !homes.is_empty() && homes.iter().all(is_meant))
    }

    /// Whether one of these tags may be of a home that somebody has come from.
    pub(crate) fn may_be_of(&self, who: &Scope, tags: &[NetworkTag]) -> bool {
        let state = self.state();
        let is_theirs = |tag: &NetworkTag| {
            let (homes, meant) = (state.of.get(who), state.means(*tag));
            homes.zip(meant).is_some_and(|(homes, meant)| !homes.is_disjoint(meant))
        };
        tags.iter().any(is_theirs)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn means(&self, tag: NetworkTag) -> Option<&BTreeSet<Home>> {
        self.tags.get(&tag)
    }
}

#[cfg(test)]
mod tests {
    use chat_core::SessionId;

    use super::*;

    #[test]
    fn a_tag_means_what_all_have_in_common_in_whose_bans_it_is() {
        let homes = Homes::default();
        let [ann, bob, cid] = [1, 2, 3].map(|number| Scope::Session(SessionId::new(number)));
        for (who, home) in [(&ann, 0), (&ann, 1), (&bob, 1), (&cid, 0)] {
            homes.connects(who.clone(), Home(home));
        }
        let tags = [NetworkTag(7)];
        assert_eq!(homes.learn(&ann, &tags), None);
        assert!(homes.may_be_of(&cid, &tags) && !homes.are_all_of(&cid, &tags), "of one of two");
        assert_eq!(homes.learn(&bob, &tags), None);
        assert!(homes.are_all_of(&bob, &tags) && !homes.are_all_of(&ann, &tags) && !homes.may_be_of(&cid, &tags));
        assert_eq!(homes.learn(&cid, &tags), Some(NetworkTag(7)), "nobody came from both");
    }

    #[test]
    fn a_home_has_one_tag() {
        let homes = Homes::default();
        let ann = Scope::Session(SessionId::new(1));
        homes.connects(ann.clone(), Home(0));
        assert_eq!(homes.learn(&ann, &[NetworkTag(7)]), None);
        assert_eq!(homes.learn(&ann, &[NetworkTag(8)]), Some(NetworkTag(8)));
    }
}
