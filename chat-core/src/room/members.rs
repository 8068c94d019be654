//! The members of a room by number, nick and scope.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::weight::{beside, scope_beside};
use crate::domain::Role;
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::types::{Color, MemberId, Nick, NickKey, Offset, PersonData, Scope, Seq, Wall, stored_person_data};

/// A person in the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Member {
    /// Their number in this incarnation of the room: it is theirs when they come back, and never anybody else's.
    pub id: MemberId,
    /// The name shown.
    pub nick: Nick,
    /// What the name looks like; no two members look like each other, as far as they have chosen their names themselves.
    pub nick_key: NickKey,
    /// Their colour.
    pub color: Color,
    /// What they may do.
    pub role: Role,
    /// Who they are to the room; no two members share one.
    pub scope: Scope,
    /// Where events begin for them: positions they name are clamped to it. From an earlier membership where the room remembers one.
    pub joined: Seq,
    /// Their floor: of the messages up to this number they learn nothing. Never after `joined`; theirs as long as their number is.
    #[serde(default)]
    pub sees: Seq,
    /// Positions from here on are of this membership; one before it is of an earlier one, under another name perhaps. Where
    /// nobody was told of the join, the next number that is told: the last one before may be of either.
    #[serde(default)]
    pub entered: Seq,
    /// The record of the join: tells this membership from an earlier one of the same person. 0 where a program stored it that did
    /// not write it down.
    #[serde(default)]
    pub begun: Offset,
    /// When this membership began.
    pub since: Wall,
    /// What they show beside their name.
    #[serde(default, deserialize_with = "stored_person_data", skip_serializing_if = "Option::is_none")]
    pub data: Option<PersonData>,
}

impl Member {
    /// Whether it is the same stay of the same person: an event of its end would be the end of both.
    pub(crate) fn is_same_stay(&self, other: &Self) -> bool {
        self.scope == other.scope && is_same_join(self.begun, other.begun)
    }
}

/// Whether two records of a join are one, as far as they are known.
pub(crate) fn is_same_join(one: Offset, other: Offset) -> bool {
    one == other || one == Offset(0) || other == Offset(0)
}

/// All members.
///
/// Sorted lists of shared members, not maps: a room of four costs 100 bytes, one of 20,000 is searched in 15 steps, and a leave
/// moves pointers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Arc<Member>>", into = "Vec<Arc<Member>>")]
pub(super) struct Members {
    /// With the number beside the pointer: it is looked up for every message.
    by_id: Vec<(MemberId, Arc<Member>)>,
    by_nick: Vec<Arc<Member>>,
    /// Those whose nick has a second look, by that.
    by_second_look: Vec<Arc<Member>>,
    by_scope: Vec<Arc<Member>>,
    colors: [u32; Color::COUNT],
    /// Bytes of their texts.
    texts: usize,
}

impl Members {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        // Each lies behind two counts, for those who share it.
        let each = size_of::<Member>() + 2 * size_of::<usize>();
        let lists = self.by_nick.capacity() + self.by_second_look.capacity() + self.by_scope.capacity();
        self.len() * each
            + self.by_id.capacity() * size_of::<(MemberId, Arc<Member>)>()
            + lists * size_of::<Arc<Member>>()
            + self.texts
    }

    /// The member with this number.
    pub(super) fn get(&self, id: MemberId) -> Option<&Member> {
        self.find(id).ok().map(|index| &*self.by_id[index].1)
    }

    /// The member with the lowest number of those who look like this, but for one.
    pub(super) fn with_nick(&self, key: &NickKey, but: Option<MemberId>) -> Option<&Member> {
        let first = |look| with_look(&self.by_nick, |member| Some(member.nick_key.first_look()), look, but);
        let second = |look| with_look(&self.by_second_look, |member| member.nick_key.second_look(), look, but);
        key.looks().flat_map(|look| [first(look), second(look)]).flatten().min_by_key(|member| member.id)
    }

    /// The member who is this person.
    pub(super) fn with_scope(&self, scope: &Scope) -> Option<&Member> {
        self.by_scope.binary_search_by(|member| member.scope.cmp(scope)).ok().map(|index| &*self.by_scope[index])
    }

    /// In the order of their numbers, those after this one; all for `None`.
    pub(super) fn after(&self, after: Option<MemberId>) -> impl Iterator<Item = &Member> {
        let start = after.map_or(0, |after| self.by_id.partition_point(|(id, _)| *id <= after));
        self.by_id[start..].iter().map(|(_, member)| &**member)
    }

    /// The colour that the fewest have; the lowest of those.
    pub(super) fn least_used_color(&self) -> Color {
        let (index, _) = self.colors.iter().enumerate().min_by_key(|&(_, uses)| uses).expect("there are colours");
        Color(index as u8)
    }

    /// Takes in a member, in the order of numbers: who comes back has a lower one than who came since.
    pub(super) fn insert(&mut self, member: Member) {
        let index = self.find(member.id).expect_err("nobody else has this number");
        let member = Arc::new(member);
        self.colors[color_index(member.color)] += 1;
        self.texts += texts(&member);
        insert_sorted(&mut self.by_nick, &member, by_nick);
        if member.nick_key.second_look().is_some() {
            insert_sorted(&mut self.by_second_look, &member, by_second_look);
        }
        insert_sorted(&mut self.by_scope, &member, by_scope);
        self.by_id.insert(index, (member.id, member));
    }

    /// Lets a member go; `None` when there is none with this number.
    pub(super) fn remove(&mut self, id: MemberId) -> Option<Arc<Member>> {
        let (_, member) = self.by_id.remove(self.find(id).ok()?);
        self.colors[color_index(member.color)] -= 1;
        self.texts -= texts(&member);
        remove_sorted(&mut self.by_nick, &member, by_nick);
        if member.nick_key.second_look().is_some() {
            remove_sorted(&mut self.by_second_look, &member, by_second_look);
        }
        remove_sorted(&mut self.by_scope, &member, by_scope);
        Some(member)
    }

    /// Gives a member another role.
    pub(super) fn set_role(&mut self, id: MemberId, role: Role) {
        let Ok(index) = self.find(id) else { return };
        let member = Member { role, ..Member::clone(&self.by_id[index].1) };
        self.replace(index, member);
    }

    /// Shows a member under another name, with other data, or both.
    pub(super) fn change(&mut self, id: MemberId, nick: Option<(&Nick, &NickKey)>, data: Option<&Option<PersonData>>) {
        let Ok(index) = self.find(id) else { return };
        let mut member = Member::clone(&self.by_id[index].1);
        if let Some((nick, key)) = nick {
            #[cfg(feature = "fault_injection")]
            let key = if fault_injection::is(Bug::KeepNickKey) { &member.nick_key.clone() } else { key };
            (member.nick, member.nick_key) = (nick.clone(), key.clone());
        }
        if let Some(data) = data {
            member.data.clone_from(data);
        }
        self.replace(index, member);
    }

    /// Puts the same member in the place of the one of this index, under another name perhaps.
    fn replace(&mut self, index: usize, member: Member) {
        let member = Arc::new(member);
        let before = std::mem::replace(&mut self.by_id[index].1, Arc::clone(&member));
        self.texts = self.texts - texts(&before) + texts(&member);
        remove_sorted(&mut self.by_nick, &before, by_nick);
        insert_sorted(&mut self.by_nick, &member, by_nick);
        if before.nick_key.second_look().is_some() {
            remove_sorted(&mut self.by_second_look, &before, by_second_look);
        }
        if member.nick_key.second_look().is_some() {
            insert_sorted(&mut self.by_second_look, &member, by_second_look);
        }
        let scope = position(&self.by_scope, &member, by_scope);
        self.by_scope[scope] = member;
    }

    /// Panics when the lists disagree. Costs a look at every member.
    pub(super) fn check(&self) {
        assert!(self.by_id.is_sorted_by(|a, b| a.0 < b.0), "member numbers ascend");
        // Two may look alike whom the embedder has named so.
        assert!(self.by_nick.is_sorted_by(|a, b| by_nick(a, b).is_lt()), "nicks are in the order of their looks");
        assert!(self.by_second_look.is_sorted_by(|a, b| by_second_look(a, b).is_lt()), "and of their second ones");
        assert!(self.by_scope.is_sorted_by(|a, b| a.scope < b.scope), "no two members are one person");
        assert_eq!(self.by_nick.len(), self.len(), "every member has a nick");
        let second = self.by_nick.iter().filter(|member| member.nick_key.second_look().is_some()).count();
        assert_eq!(self.by_second_look.len(), second, "every second look is listed");
        assert_eq!(self.by_scope.len(), self.len(), "every member has a scope");
        let found = |member: &Arc<Member>| self.get(member.id).is_some_and(|same| std::ptr::eq(same, &**member));
        let mut listed = self.by_nick.iter().chain(&self.by_second_look).chain(&self.by_scope);
        assert!(listed.all(found), "the lists hold the same members");
        let uses: u32 = self.colors.iter().sum();
        assert_eq!(uses as usize, self.len(), "every member has a colour");
        let all: usize = self.by_id.iter().map(|(_, member)| texts(member)).sum();
        assert_eq!(all, self.texts, "every member's texts are weighed");
    }

    fn find(&self, id: MemberId) -> Result<usize, usize> {
        self.by_id.binary_search_by_key(&id, |(id, _)| *id)
    }
}

impl From<Vec<Arc<Member>>> for Members {
    fn from(members: Vec<Arc<Member>>) -> Self {
        let mut colors = [0; Color::COUNT];
        members.iter().for_each(|member| colors[color_index(member.color)] += 1);
        let texts = members.iter().map(|member| texts(member)).sum();
        let (mut nicks, mut scopes) = (members.clone(), members.clone());
        nicks.sort_by(by_nick);
        scopes.sort_by(by_scope);
        let has_second_look = |member: &&Arc<Member>| member.nick_key.second_look().is_some();
        let mut second_looks: Vec<_> = members.iter().filter(has_second_look).cloned().collect();
        second_looks.sort_by(by_second_look);
        let by_id = members.into_iter().map(|member| (member.id, member)).collect();
        Self { by_id, by_nick: nicks, by_second_look: second_looks, by_scope: scopes, colors, texts }
    }
}

impl From<Members> for Vec<Arc<Member>> {
    fn from(members: Members) -> Self {
        members.by_id.into_iter().map(|(_, member)| member).collect()
    }
}

/// Bytes of a member's texts that lie elsewhere than in the member.
fn texts(member: &Member) -> usize {
    // Shared: two counts stand before the text.
    let data = member.data.as_ref().map_or(0, |data| data.as_str().len() + 2 * size_of::<usize>());
    beside(member.nick.as_str()) + beside(member.nick_key.as_str()) + scope_beside(&member.scope) + data
}

type Order = fn(&Arc<Member>, &Arc<Member>) -> Ordering;

// By the number after the look: the embedder may name two alike, and a log of an earlier version may have let in two of whom it saw no
// likeness.

fn by_nick(a: &Arc<Member>, b: &Arc<Member>) -> Ordering {
    (a.nick_key.first_look(), a.id).cmp(&(b.nick_key.first_look(), b.id))
}

fn by_second_look(a: &Arc<Member>, b: &Arc<Member>) -> Ordering {
    (a.nick_key.second_look(), a.id).cmp(&(b.nick_key.second_look(), b.id))
}

fn by_scope(a: &Arc<Member>, b: &Arc<Member>) -> Ordering {
    a.scope.cmp(&b.scope)
}

/// The first in a list that is sorted by a look who has it, but for one.
fn with_look<'a>(
    list: &'a [Arc<Member>],
    look_of: fn(&Member) -> Option<&str>,
    look: &str,
    but: Option<MemberId>,
) -> Option<&'a Member> {
    let index = list.partition_point(|member| look_of(member) < Some(look));
    let mut alike = list[index..].iter().map(|member| &**member).take_while(|member| look_of(member) == Some(look));
    alike.find(|member| Some(member.id) != but)
}

fn insert_sorted(list: &mut Vec<Arc<Member>>, member: &Arc<Member>, order: Order) {
    let index = list.partition_point(|other| order(other, member).is_lt());
    list.insert(index, Arc::clone(member));
}

fn remove_sorted(list: &mut Vec<Arc<Member>>, member: &Arc<Member>, order: Order) {
    list.remove(position(list, member, order));
}

fn position(list: &[Arc<Member>], member: &Arc<Member>, order: Order) -> usize {
    list.binary_search_by(|other| order(other, member)).expect("a member is in every list")
}

/// A log may have been written with more colours than there are now.
fn color_index(color: Color) -> usize {
    usize::from(color.0) % Color::COUNT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SessionId;

    fn member(id: u32, nick: &str, color: u8) -> Member {
        let nick = Nick::parse(nick).expect("a valid nick");
        Member {
            id: MemberId(id),
            nick_key: nick.key(),
            nick,
            color: Color(color),
            role: Role::Member,
            scope: Scope::Session(SessionId::new(1_000 - u128::from(id))),
            joined: Seq(u64::from(id)),
            sees: Seq(0),
            entered: Seq(u64::from(id)),
            begun: Offset(u64::from(id)),
            since: Wall(0),
            data: None,
        }
    }

    fn three() -> Members {
        let mut members = Members::default();
        for (id, nick) in [(1, "Zoe"), (4, "Ann"), (9, "Max")] {
            members.insert(member(id, nick, members.least_used_color().0));
        }
        members
    }

    #[test]
    fn a_member_is_found_by_number_nick_and_scope() {
        let members = three();
        members.check();
        assert_eq!(members.get(MemberId(4)).map(|m| m.nick.as_str()), Some("Ann"));
        assert_eq!(members.get(MemberId(5)), None);
        assert_eq!(members.with_nick(&member(0, "zoe", 0).nick_key, None).map(|m| m.id), Some(MemberId(1)));
        assert_eq!(members.with_scope(&member(9, "x", 0).scope).map(|m| m.id), Some(MemberId(9)));
        let after: Vec<u32> = members.after(Some(MemberId(1))).map(|m| m.id.0).collect();
        assert_eq!(after, [4, 9]);
    }

    #[test]
    fn a_member_is_found_by_either_look() {
        let mut members = three();
        members.insert(member(11, "Ian", 0));
        members.check();
        let found =
            |members: &Members, nick: &str| members.with_nick(&member(0, nick, 0).nick_key, None).map(|m| m.id.0);
        for (nick, id) in [("ian", Some(11)), ("lan", Some(11)), ("IAN", Some(11)), ("ivan", None), ("max", Some(9))] {
            assert_eq!(found(&members, nick), id, "{nick}");
        }
        members.set_role(MemberId(11), Role::Owner);
        members.check();
        let stored = serde_json::to_string(&members).expect("members can be stored");
        assert_eq!(serde_json::from_str::<Members>(&stored).expect("what was stored is read"), members);
        members.remove(MemberId(11));
        members.check();
        assert_eq!((found(&members, "ian"), found(&members, "lan")), (None, None));
    }

    #[test]
    fn a_removed_member_is_in_no_list() {
        let mut members = three();
        assert_eq!(members.remove(MemberId(4)).map(|m| m.id), Some(MemberId(4)));
        assert_eq!(members.remove(MemberId(4)), None);
        members.check();
        assert_eq!(members.with_nick(&member(0, "ann", 0).nick_key, None), None);
        assert_eq!(members.least_used_color(), Color(1), "the colour is free again");
    }

    #[test]
    fn a_role_is_the_same_in_every_list() {
        let mut members = three();
        members.set_role(MemberId(9), Role::Owner);
        members.check();
        assert_eq!(members.with_nick(&member(0, "max", 0).nick_key, None).map(|m| m.role), Some(Role::Owner));
        assert_eq!(members.with_scope(&member(9, "x", 0).scope).map(|m| m.role), Some(Role::Owner));
    }

    #[test]
    fn members_are_stored_once_and_read_back_with_their_lists() {
        let members = three();
        let stored = serde_json::to_string(&members).expect("members can be stored");
        assert_eq!(stored.matches("Zoe").count(), 1);
        let read: Members = serde_json::from_str(&stored).expect("what was stored is read");
        read.check();
        assert_eq!(read, members);
    }

    #[test]
    #[should_panic(expected = "the lists hold the same members")]
    fn a_member_with_an_old_role_in_one_list_is_a_bug() {
        let mut members = three();
        members.by_id[1].1 = Arc::new(Member { role: Role::Owner, ..Member::clone(&members.by_id[1].1) });
        members.check();
    }

    #[test]
    fn who_comes_back_stands_between_the_others_again() {
        let mut members = three();
        members.remove(MemberId(4));
        members.insert(member(4, "Annabel", 7));
        members.check();
        assert_eq!(members.after(None).map(|m| m.id.0).collect::<Vec<_>>(), [1, 4, 9]);
        assert_eq!(members.with_scope(&member(4, "x", 0).scope).map(|m| m.nick.as_str()), Some("Annabel"));
    }

    #[test]
    #[should_panic(expected = "nobody else has this number")]
    fn a_number_that_somebody_has_is_not_given_again() {
        three().insert(member(4, "Eve", 0));
    }
}
