//! Who is a member, as what, since when and until when, by the records of a life.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::wire::MemberEntry;
use chat_core::{Epoch, Event, MemberId, Role, Seq};
use tokio::time::Instant;

use super::Truth;
use super::incarnation::Exits;
use crate::people::{Shown, shown};
use crate::promise::{Broken, Promise, hold};

impl Truth {
    /// The members as of a number, where joins and leaves have numbers.
    pub(crate) fn members(&self, room: &str, epoch: Epoch, seq: Seq) -> BTreeSet<MemberId> {
        self.lives().get(&(room.to_owned(), epoch)).map(|life| life.members(seq)).unwrap_or_default()
    }

    /// What a member is as of a number, where joins and leaves have numbers.
    pub(crate) fn role(&self, room: &str, epoch: Epoch, seq: Seq, member: MemberId) -> Option<Role> {
        let lives = self.lives();
        let life = lives.get(&(room.to_owned(), epoch))?;
        let until = life.records.iter().take_while(|record| record.seq.is_none_or(|at| at <= seq));
        let given = until.filter_map(|record| match &record.event {
            Event::Joined { role, .. } if record.by == Some(member) => Some(*role),
            Event::RoleChanged { member: of, role } if *of == member => Some(*role),
            _ => None,
        });
        given.last()
    }

    /// What members are shown as, as of a number, where joins and leaves have numbers.
    pub(crate) fn shown(&self, room: &str, epoch: Epoch, seq: Seq) -> BTreeMap<MemberId, Shown> {
        let lives = self.lives();
        lives.get(&(room.to_owned(), epoch)).map(|life| shown(&life.records, seq)).unwrap_or_default()
    }

    /// How many members there are, since when, and whether this is one of them; while everything logged is published.
    pub(crate) fn count(&self, room: &str, epoch: Epoch, member: MemberId) -> Option<(usize, Instant, bool)> {
        let lives = self.lives();
        let life = lives.get(&(room.to_owned(), epoch))?;
        let is_published = life.records.last().is_some_and(|last| last.offset == life.published);
        if !is_published {
            return None;
        }
        let members = life.members(Seq(u64::MAX));
        Some((members.len(), life.changed?, members.contains(&member)))
    }

    pub(crate) fn is_member(&self, room: &str, epoch: Epoch, member: MemberId) -> bool {
        self.members(room, epoch, Seq(u64::MAX)).contains(&member) && !self.is_over(room, epoch)
    }

    /// Whether a membership of this person began there.
    pub(crate) fn has_entered(&self, room: &str, epoch: Epoch, member: MemberId, entered: Seq) -> bool {
        let lives = self.lives();
        let records = lives.get(&(room.to_owned(), epoch)).map_or(&[][..], |life| &life.records);
        let mut head = Seq(0);
        records.iter().any(|record| {
            let at = record.seq.unwrap_or(head.next());
            head = record.seq.unwrap_or(head);
            matches!(record.event, Event::Joined { .. }) && record.by == Some(member) && at == entered
        })
    }

    /// Of the messages up to here whoever has this number in a room learns nothing.
    pub(crate) fn floor(&self, room: &str, epoch: Epoch, member: MemberId) -> Seq {
        self.lives().get(&(room.to_owned(), epoch)).map(|life| life.persons.floor(member)).unwrap_or_default()
    }

    /// The same of the person, who may have had other numbers before.
    pub(crate) fn lowest_floor(&self, room: &str, epoch: Epoch, member: MemberId) -> Seq {
        self.lives().get(&(room.to_owned(), epoch)).map(|life| life.persons.lowest_floor(member)).unwrap_or_default()
    }

    /// Whether it is logged that a stay of this person is over, be it by a server that went down before it could say so; they may have come in again,
    /// before they were told.
    pub(crate) fn has_left(&self, room: &str, epoch: Epoch, member: MemberId) -> bool {
        let lives = self.lives();
        let records = lives.get(&(room.to_owned(), epoch)).map_or(&[][..], |life| &life.records);
        records.iter().any(|record| record.leaver() == Some(member))
    }

    /// When it was published that a stay of this person has ended that somebody has read of since then: they are out, or were.
    pub(crate) fn ended(&self, room: &str, epoch: Epoch, member: MemberId, since: Instant) -> Option<Instant> {
        let lives = self.lives();
        let life = lives.get(&(room.to_owned(), epoch))?;
        let Exits { out, before } = *life.exits.get(&member)?;
        // A server that went down may have logged that they came in again, and never published it: the next one goes on from there.
        let is_in = out.is_some() && life.members(Seq(u64::MAX)).contains(&member);
        let (out, before) = if is_in { (None, out) } else { (out, before) };
        out.or(before.filter(|before| *before > since))
    }

    /// Since when it has been published that this person is out.
    pub(crate) fn out_since(&self, room: &str, epoch: Epoch, member: MemberId) -> Option<Instant> {
        self.lives().get(&(room.to_owned(), epoch))?.exits.get(&member)?.out
    }

    /// Who is in a room now.
    pub(crate) fn present(&self, room: &str) -> Vec<MemberId> {
        let lives = self.lives();
        let lives = lives.iter().filter(|((code, _), life)| code == room && !life.lost && !life.is_closed());
        lives.flat_map(|(_, life)| life.members(Seq(u64::MAX))).collect()
    }

    /// Whether whoever was this member was put out when they were last a member.
    pub(crate) fn was_put_out(&self, room: &str, epoch: Epoch, member: MemberId) -> bool {
        let lives = self.lives();
        lives.get(&(room.to_owned(), epoch)).is_some_and(|life| life.was_put_out(member))
    }

    /// Whether whoever was this member was banned under this number.
    pub(crate) fn was_banned(&self, room: &str, epoch: Epoch, member: MemberId) -> bool {
        self.lives().get(&(room.to_owned(), epoch)).is_some_and(|life| life.bans.was_banned(member))
    }
}

/// Whether everybody sees the members that the log says.
pub(crate) fn check_members(
    truth: &Truth,
    room: &str,
    epoch: Epoch,
    seq: Seq,
    entries: &[MemberEntry],
) -> Result<(), Broken> {
    let members = truth.members(room, epoch, seq);
    let shown: BTreeSet<MemberId> = entries.iter().map(|entry| entry.member).collect();
    hold!(shown == members, Promise::Fold, "{room}: members {shown:?} as of {seq}, the log says {members:?}");
    check_roles(truth, room, epoch, seq, entries)
}

/// Whether everybody sees the roles, the names and the data that the log says.
pub(crate) fn check_roles(
    truth: &Truth,
    room: &str,
    epoch: Epoch,
    seq: Seq,
    shown: &[MemberEntry],
) -> Result<(), Broken> {
    let all = truth.shown(room, epoch, seq);
    for MemberEntry { member, role, nick, data, .. } in shown {
        let said = truth.role(room, epoch, seq, *member);
        hold!(said == Some(*role), Promise::Fold, "{room}: {member} is {role:?} as of {seq}, the log says {said:?}");
        let own = (nick.clone(), data.clone());
        let is_so = all.get(member) == Some(&own);
        hold!(is_so, Promise::Screen, "{room}: {member} is {own:?} as of {seq}, the log says {:?}", all.get(member));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chat_core::{Color, LeaveReason, Nick, Offset, Record, Role, RoomCode, RoomLimits, Scope, SessionId, Wall};

    use super::*;
    use crate::clock::WorldClock;

    #[test]
    fn who_has_left_in_the_log_has_left_before_anybody_says_so() {
        let truth = Truth::new(&RoomLimits::default(), Arc::new(WorldClock::new()), true);
        let (room, epoch) = (RoomCode::parse("AAA").expect("a room code"), Epoch(7));
        let nick = Nick::parse("Ann").expect("a nick");
        let joined = Event::Joined {
            nick_key: nick.key(),
            nick: nick.clone(),
            color: Color(0),
            role: Role::Owner,
            scope: Scope::Session(SessionId::new(1)),
            sees: None,
            data: None,
        };
        let left = Event::Left { nick, reason: LeaveReason::Left, held: None };
        let events = [
            (None, None, Event::Created { epoch, salt: 1 }),
            (Some(1), Some(Seq(1)), joined),
            (Some(1), Some(Seq(2)), left),
        ];
        for ((by, seq, event), offset) in events.into_iter().zip(1..) {
            assert!(!truth.has_left("AAA", epoch, MemberId(1)));
            let record = Record { offset: Offset(offset), seq, at: Wall(0), by: by.map(MemberId), event };
            truth.add(&room, epoch, &[record]);
        }
        assert!(truth.has_left("AAA", epoch, MemberId(1)), "a server has logged it, and stands still");
        assert!(!truth.has_left("AAA", epoch, MemberId(2)) && !truth.has_left("AAA", Epoch(8), MemberId(1)));
    }
}
