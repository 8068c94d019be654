//! What members show while they are here: that they type, how a message grows, and signals. Whoever has gone shows nothing.

use super::Attendance;
use crate::room::live::{LiveText, LiveTexts};
use crate::room::signals::Signals;
use crate::types::{Body, MemberId, Mono, RoomLimits, Seq, SignalData, SignalName};

impl Attendance {
    pub(in crate::room) fn is_typing(&self, member: MemberId) -> bool {
        self.typing.contains(member)
    }

    /// Everybody who is typing, in the order of their numbers.
    pub(in crate::room) fn typing(&self) -> impl Iterator<Item = MemberId> {
        self.typing.members()
    }

    /// Starts or renews a member's typing; ignored for who is not here.
    pub(in crate::room) fn start_typing(&mut self, member: MemberId, until: Mono) {
        if self.person(member).is_ok_and(|index| self.people[index].attached > 0) {
            self.typing.set(member, until);
        }
    }

    pub(in crate::room) fn stop_typing(&mut self, member: MemberId) {
        self.typing.drop(member);
    }

    /// Forgets typing that has run out.
    pub(in crate::room) fn expire_typing(&mut self, now: Mono) {
        while let Some(member) = self.typing.due(now) {
            self.typing.drop(member);
        }
    }

    /// Messages that grow.
    pub(in crate::room) fn live(&self) -> &LiveTexts {
        &self.live
    }

    /// The same, where there has been one.
    pub(in crate::room) fn live_mut(&mut self) -> Option<&mut LiveTexts> {
        self.live.if_any()
    }

    /// A message of a member grows, or does not any more; what grows is ignored for who is not here, and over the bound.
    pub(in crate::room) fn note_live(
        &mut self,
        member: MemberId,
        target: Seq,
        text: Option<Body>,
        until: Mono,
        limits: &RoomLimits,
    ) {
        match text {
            Some(text) if self.is_online(member) && self.live.room_for(member, &text, limits).is_ok() => {
                self.live.make().show(member, target, text, until);
            }
            Some(_) => {}
            None => {
                let stays = |live: &LiveText| (live.member, live.target) != (member, target);
                self.live.if_any().into_iter().for_each(|live| live.retain(stays));
            }
        }
    }

    /// What members show of themselves.
    pub(in crate::room) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// The same, where somebody has shown one.
    pub(in crate::room) fn signals_mut(&mut self) -> Option<&mut Signals> {
        self.signals.if_any()
    }

    /// A member shows something under a name, or not any more; what is shown is ignored for who is not here, and over the bound.
    pub(in crate::room) fn note_signal(
        &mut self,
        member: MemberId,
        name: SignalName,
        data: Option<SignalData>,
        until: Mono,
        limits: &RoomLimits,
    ) {
        match data {
            Some(data) if self.is_online(member) && self.signals.room_for(member, &name, &data, limits).is_ok() => {
                self.signals.make().show(member, name, data, until);
            }
            Some(_) => {}
            None => self.signals.if_any().into_iter().for_each(|signals| signals.take_away(member, &name)),
        }
    }

    /// Whether a message grows here, or somebody shows a signal.
    pub(in crate::room) fn shows_something(&self) -> bool {
        !self.live.is_empty() || !self.signals.as_slice().is_empty()
    }

    /// Whether what somebody shows has run out.
    pub(super) fn slots_are_due(&self, now: Mono) -> bool {
        self.live.earliest().into_iter().chain(self.signals.earliest()).any(|at| at <= now)
    }

    /// Forgets what was shown and not renewed in time.
    pub(in crate::room) fn expire_slots(&mut self, now: Mono) {
        self.live.if_any().into_iter().for_each(|live| live.expire(now));
        self.signals.if_any().into_iter().for_each(|signals| signals.expire(now));
    }

    /// Who has gone shows nothing.
    pub(super) fn end_slots(&mut self, member: MemberId) {
        self.live.if_any().into_iter().for_each(|live| live.end_of(member));
        self.signals.if_any().into_iter().for_each(|signals| signals.end_of(member));
    }
}
