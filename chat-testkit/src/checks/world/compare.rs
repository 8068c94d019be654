//! Everything that can be asked of the room and of its model, asked of both.

use chat_core::room::OwnerSeat;
use chat_core::{Role, Seq, SessionId};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::World;
use crate::model::Person;

impl World {
    /// Everything that can be asked of both.
    pub(super) fn compare(&self) -> TestCaseResult {
        let (room, model) = (&self.room, &self.model);
        prop_assert_eq!(room.epoch(), model.epoch());
        prop_assert_eq!(room.head(), model.head());
        prop_assert_eq!(room.topic(), &model.topic());
        prop_assert_eq!(room.settings(), &model.settings());
        prop_assert_eq!(room.notices(), model.notices());
        let members: Vec<Person> = room.members().map(person).collect();
        prop_assert_eq!(&members, &model.members());
        prop_assert_eq!(room.members_total(), members.len());
        for member in &members {
            prop_assert_eq!(room.member(member.id).map(person), Some(member.clone()));
            let mut sessions: Vec<SessionId> = room.sessions_of(member.id).into_vec();
            sessions.sort();
            prop_assert_eq!(sessions, model.sessions_of(member.id), "sessions of {:?}", member.id);
        }
        for caller in self.cast.callers() {
            prop_assert_eq!(room.member_of(&caller), model.member_of(&caller).map(|person| person.id), "{:?}", caller);
            let scope = caller.scope();
            prop_assert_eq!(room.read_position(&scope), model.read_position(&scope), "read by {:?}", caller);
            let lost = (room.read_position_of_lost(&scope), model.read_position_of_lost(&scope));
            prop_assert_eq!(lost.0, lost.1, "read by {:?}, who is lost", caller);
        }
        prop_assert_eq!(room.ledger().owed().collect::<Vec<_>>(), model.owed());
        prop_assert_eq!(room.changed_at(), model.changed_at());
        let freezes: Vec<(Seq, Seq)> = room.ledger().owed_freezes().map(|owed| (owed.target, owed.change)).collect();
        prop_assert_eq!(freezes, model.owed_freezes());
        for message in (0..=model.head().0).map(Seq) {
            prop_assert_eq!(room.reactions_to(message), model.reactions_to(message), "to {:?}", message);
        }
        let owner = model.members().into_iter().find(|person| person.role == Role::Owner);
        let seat = match (owner, model.held_seat()) {
            (Some(owner), _) => OwnerSeat::Taken(owner.id),
            (None, Some((_, until))) => OwnerSeat::Held(until),
            (None, None) => OwnerSeat::Free,
        };
        prop_assert_eq!((room.owner_seat(), room.is_protected()), (seat, model.is_protected()));
        prop_assert_eq!(room.is_kept(), model.is_kept());
        prop_assert_eq!(room.typing(), model.typing());
        let mut growing: Vec<_> = room.live_texts().iter().map(|live| (live.member, live.target, &live.text)).collect();
        growing.sort_by_key(|(member, ..)| *member);
        let expected = model.growing();
        let expected: Vec<_> = expected.iter().map(|live| (live.member, live.target, &live.text)).collect();
        prop_assert_eq!(growing, expected);
        let shown: Vec<_> = room.signals().iter().map(|signal| (signal.member, &signal.name, &signal.data)).collect();
        let expected = model.shown();
        let expected: Vec<_> = expected.iter().map(|shown| (shown.member, &shown.name, &shown.data)).collect();
        prop_assert_eq!(shown, expected);
        prop_assert_eq!(room.online(), model.online());
        prop_assert_eq!(room.next_deadline(), model.next_deadline());
        if room.epoch().is_some() {
            prop_assert_eq!(room.time(self.now), model.time(self.now));
        }
        Ok(())
    }
}

fn person(member: &chat_core::room::Member) -> Person {
    Person {
        id: member.id,
        nick: member.nick.clone(),
        nick_key: member.nick_key.clone(),
        color: member.color,
        role: member.role,
        scope: member.scope.clone(),
        joined: member.joined,
        sees: member.sees,
        entered: member.entered,
        begun: member.begun,
        since: member.since,
        data: member.data.clone(),
    }
}
