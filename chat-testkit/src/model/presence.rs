//! Who is here right now, and what time does: read from notes and facts together, from the start of the life.

use std::time::Duration;

use chat_core::room::Note;
use chat_core::{
    Event, Generation, MemberId, Mono, NetworkTag, Now, Offset, Record, RoomLimits, SessionId, TypingState, Wall,
};

use super::slots::{self, Slots};
use super::{Line, What, facts, keeping, seat, time};

/// Who is here, as the diary tells it.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence {
    /// Sessions that are attached, or were and are remembered; in the order in which they first came.
    pub(super) seats: Vec<Seat>,
    /// Members of whom no session is attached, and since when.
    pub(super) away: Vec<(MemberId, Mono)>,
    /// Members who are typing, and since when they last said so.
    pub(super) typing: Vec<(MemberId, Mono)>,
    /// What members show.
    pub(super) slots: Slots,
    /// When a room that nobody is a member of looks whether it ends.
    pub(super) looks: Option<Mono>,
    /// Until when a seat is held that somebody who is in may follow to, and when the room looks whether it is free.
    pub(super) seat: Option<(Wall, Mono)>,
    /// Where members came from, each network once, the latest last.
    pub(super) came_from: Vec<(MemberId, NetworkTag)>,
    /// Those of them who have gone, in the order of going.
    went: Vec<MemberId>,
    /// Who is in, and the record of their join: one person may have come in more than once.
    members: Vec<(MemberId, Offset)>,
}

/// One session of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) session: SessionId,
    pub(super) generation: Generation,
    pub(super) member: MemberId,
    pub(super) attached: bool,
}

/// What is known of the owner's seat: read anew only where a line may have changed it, because that is read from the start.
#[derive(Clone, Debug, Default)]
struct Watch(Option<Wall>);

impl Watch {
    fn seat_until(&mut self, chapter: &[Line]) -> Option<Wall> {
        let may_change = match &chapter.last().expect("at least this line").what {
            What::Fact { record, .. } => !matches!(
                record.event,
                Event::Sent { .. } | Event::Edited { .. } | Event::Redacted { .. } | Event::Reacted { .. }
            ),
            What::Note(_) => false,
            What::Lost(_) | What::Restarted => true,
        };
        if may_change {
            let facts: Vec<Record> = facts::of_chapter(chapter).into_iter().map(|(record, _)| record).collect();
            let is_over = facts.iter().any(|record| matches!(record.event, Event::Closed { .. }));
            self.0 = seat::seat(&facts).and_then(|seat| seat.until).filter(|_| !is_over);
        }
        self.0
    }
}

/// What a deadline brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A member's grace runs out.
    Grace(MemberId),
    /// The room looks whether it has been empty for long enough.
    Linger,
    /// The room looks whether the owner's seat is free.
    Seat,
    /// Somebody's typing runs out.
    Typing,
    /// What somebody shows runs out.
    Slot,
}

impl Presence {
    pub(super) fn read(chapter: &[Line], limits: &RoomLimits) -> Self {
        let mut presence = Self::default();
        let mut watch = Watch::default();
        let mut is_kept = false;
        for (number, line) in chapter.iter().enumerate() {
            let (so_far, at) = (&chapter[..=number], line.now.mono);
            match &line.what {
                What::Fact { record, .. } => match &record.event {
                    Event::Joined { .. } => {
                        presence.joined(record.by.expect("a join is somebody's"), record.offset, at);
                    }
                    Event::Left { .. } => {
                        let member = record.by.expect("a leave is somebody's");
                        presence.gone(member, at, time::linger(so_far, limits), limits);
                    }
                    Event::Kicked { member, .. } => {
                        presence.gone(*member, at, time::linger(so_far, limits), limits);
                    }
                    Event::Closed { .. } => presence = Self::default(),
                    Event::Kept { on: false } if presence.members.is_empty() => {
                        presence.looks = Some(at.after(time::linger(so_far, limits)));
                    }
                    Event::Sent { .. } => {}
                    _ if presence.slots.is_empty() => {}
                    // It says something else now: what it said so far is of no use any more.
                    Event::Edited { target, .. } => presence.slots.edited(*target),
                    _ => presence.slots.agree_with(&records(so_far), limits),
                },
                What::Note(note) => {
                    presence.note(note, at, limits, time::linger(so_far, limits));
                    if *note == Note::Elapsed && presence.looks.is_some_and(|looks| looks <= at) {
                        presence.looks = Some(at.after(time::linger_left(so_far, line.now, limits)));
                    }
                }
                What::Lost(_) => presence.agree_with(so_far, line.now, limits),
                What::Restarted => {
                    presence = Self::default();
                    presence.agree_with(so_far, line.now, limits);
                }
            }
            if let What::Fact { record, .. } = &line.what
                && matches!(record.event, Event::SettingsChanged { .. } | Event::RoleChanged { .. })
            {
                presence.hear_who_may_speak(&records(so_far), limits);
            }
            match &line.what {
                What::Fact { record, .. } => match record.event {
                    Event::Kept { on } => is_kept = on,
                    Event::Closed { .. } => is_kept = false,
                    _ => {}
                },
                What::Lost(_) => is_kept = keeping::is_kept(&records(so_far)),
                What::Note(_) | What::Restarted => {}
            }
            presence.looks = presence.looks.filter(|_| !is_kept);
            let until = watch.seat_until(so_far).filter(|_| !presence.members.is_empty());
            presence.watch_seat(until, so_far, line, limits);
        }
        presence
    }

    /// Everything that is due at some time.
    pub(super) fn deadlines(&self, limits: &RoomLimits) -> Vec<(Mono, Due)> {
        let mut deadlines: Vec<(Mono, Due)> = Vec::new();
        deadlines.extend(self.away.iter().map(|(member, since)| (since.after(limits.grace), Due::Grace(*member))));
        deadlines.extend(self.looks.map(|looks| (looks, Due::Linger)));
        deadlines.extend(self.seat.map(|(_, looks)| (looks, Due::Seat)));
        deadlines.extend(self.typing.iter().map(|(_, since)| (since.after(limits.typing_ttl), Due::Typing)));
        deadlines.extend(self.slots.ends(limits).into_iter().map(|end| (end, Due::Slot)));
        deadlines
    }

    /// Waits for a seat that is held until then. The wait begins when it is first held, and anew once it was looked at in vain, with
    /// another process, and where the log could not be reached: then for no less than a grace, because nobody could come in.
    fn watch_seat(&mut self, until: Option<Wall>, chapter: &[Line], line: &Line, limits: &RoomLimits) {
        let now = line.now.mono;
        let left = |until| time::left(chapter, line.now, until, limits);
        let recovers = matches!(line.what, What::Restarted | What::Note(Note::Recovered));
        let in_vain =
            matches!(line.what, What::Note(Note::Elapsed)) && self.seat.is_some_and(|(_, looks)| looks <= now);
        let is_same = self.seat.map(|(until, _)| until) == until;
        self.seat = match until {
            Some(until) if recovers => Some((until, now.after(left(until).max(limits.grace)))),
            Some(until) if in_vain || !is_same => Some((until, now.after(left(until)))),
            Some(_) => self.seat,
            None => None,
        };
    }

    /// Facts have changed under it: who is no member any more is gone, who is one again has just lost all sessions.
    fn agree_with(&mut self, chapter: &[Line], now: Now, limits: &RoomLimits) {
        let (at, looks) = (now.mono, self.looks);
        let facts = records(chapter);
        let over = facts.iter().any(|record| matches!(record.event, Event::Closed { .. }));
        if facts.is_empty() || over {
            *self = Self::default();
            return;
        }
        let (people, _) = facts::people(&facts, limits.former_max);
        let members: Vec<_> = people.into_iter().map(|person| (person.id, person.begun)).collect();
        let stayed: Vec<MemberId> =
            members.iter().filter(|stay| self.members.contains(stay)).map(|stay| stay.0).collect();
        for (gone, _) in self.members.clone().into_iter().filter(|stay| !members.contains(stay)) {
            self.gone(gone, at, time::linger(chapter, limits), limits);
        }
        for (back, begun) in members.iter().filter(|stay| !self.members.contains(stay)).copied().collect::<Vec<_>>() {
            self.joined(back, begun, at);
        }
        // Numbers of who has gone may be others' now.
        self.came_from.retain(|(member, _)| stayed.contains(member));
        self.went.clear();
        self.hear_who_may_speak(&facts, limits);
        self.slots.agree_with(&facts, limits);
        if members.is_empty() {
            self.looks = looks.or_else(|| Some(at.after(time::linger_left(chapter, now, limits))));
        }
    }

    /// Whoever may not speak does not type.
    fn hear_who_may_speak(&mut self, facts: &[Record], limits: &RoomLimits) {
        let people = facts::people(facts, limits.former_max).0;
        let speaks = |member| people.iter().any(|person| person.id == member && slots::speaks(facts, person));
        self.typing.retain(|(member, _)| speaks(*member));
    }

    fn joined(&mut self, member: MemberId, begun: Offset, at: Mono) {
        self.members.push((member, begun));
        self.away.push((member, at));
        self.went.retain(|other| *other != member);
        self.looks = None;
    }

    fn gone(&mut self, member: MemberId, at: Mono, linger: Duration, limits: &RoomLimits) {
        self.members.retain(|(other, _)| *other != member);
        self.seats.retain(|seat| seat.member != member);
        self.away.retain(|(other, _)| *other != member);
        self.typing.retain(|(other, _)| *other != member);
        self.slots.gone(member);
        if self.came_from.iter().any(|(known, _)| *known == member) {
            self.went.push(member);
        }
        let surplus = self.went.len().saturating_sub(limits.former_max.min(limits.former_networks_max));
        for forgotten in self.went.drain(..surplus) {
            self.came_from.retain(|(known, _)| *known != forgotten);
        }
        if self.members.is_empty() {
            self.looks = Some(at.after(linger));
        }
    }

    fn note(&mut self, note: &Note, at: Mono, limits: &RoomLimits, linger: Duration) {
        match note {
            Note::Attached { session, generation, member, network } => {
                self.attach(*session, *generation, *member, at, limits);
                let is_attached = self.seats.iter().any(|seat| {
                    (seat.session, seat.generation, seat.member, seat.attached)
                        == (*session, *generation, *member, true)
                });
                if let Some(network) = network.filter(|_| is_attached) {
                    self.came_from.retain(|known| *known != (*member, network));
                    self.came_from.push((*member, network));
                }
            }
            Note::Detached { session, generation } => self.detach(*session, *generation, at),
            Note::Typing { member, state: TypingState::On } => {
                if self.is_here(*member) {
                    self.typing.retain(|(other, _)| other != member);
                    self.typing.push((*member, at));
                }
            }
            Note::Typing { member, state: TypingState::Off } => self.typing.retain(|(other, _)| other != member),
            Note::Elapsed => self.typing.retain(|(_, since)| since.after(limits.typing_ttl) > at),
            Note::Read { .. } | Note::Live { .. } | Note::Signal { .. } => {}
            Note::Recovered => {
                for (_, since) in &mut self.away {
                    *since = at;
                }
                self.looks = self.looks.map(|_| at.after(linger.max(limits.grace)));
            }
        }
        self.slots.note(note, at, limits);
    }

    fn attach(&mut self, session: SessionId, generation: Generation, member: MemberId, at: Mono, limits: &RoomLimits) {
        let known = self.seats.iter().find(|seat| seat.session == session).cloned();
        let late = known.as_ref().is_some_and(|seat| seat.generation > generation);
        if late || !self.members.iter().any(|(other, _)| *other == member) {
            return;
        }
        let others = |seat: &&Seat| seat.member == member && seat.session != session;
        if self.seats.iter().filter(others).filter(|seat| seat.attached).count() >= limits.attachments_max {
            return;
        }
        // Room is made for it: of those detached, the one known longest is forgotten.
        let moved = known.as_ref().is_none_or(|seat| seat.member != member);
        if moved && self.seats.iter().filter(others).count() >= limits.attachments_max {
            let oldest = self.seats.iter().position(|seat| others(&seat) && !seat.attached);
            self.seats.remove(oldest.expect("not all of them are attached"));
        }
        let seat = Seat { session, generation, member, attached: true };
        if moved {
            self.seats.retain(|seat| seat.session != session);
            self.seats.push(seat);
        } else {
            let place = self.seats.iter_mut().find(|seat| seat.session == session);
            *place.expect("its member has it") = seat;
        }
        self.away.retain(|(other, _)| *other != member);
        if let Some(left) = known.filter(|seat| seat.member != member) {
            self.lost_a_session(left.member, at);
        }
    }

    fn detach(&mut self, session: SessionId, generation: Generation, at: Mono) {
        let found = self.seats.iter_mut().find(|seat| seat.session == session && seat.generation <= generation);
        let Some(seat) = found else {
            return;
        };
        seat.generation = generation;
        seat.attached = false;
        let member = seat.member;
        self.lost_a_session(member, at);
    }

    fn lost_a_session(&mut self, member: MemberId, at: Mono) {
        if !self.is_here(member) && !self.away.iter().any(|(other, _)| *other == member) {
            self.away.push((member, at));
            self.typing.retain(|(other, _)| *other != member);
            self.slots.gone(member);
        }
    }

    fn is_here(&self, member: MemberId) -> bool {
        self.seats.iter().any(|seat| seat.member == member && seat.attached)
    }
}

fn records(chapter: &[Line]) -> Vec<Record> {
    facts::of_chapter(chapter).into_iter().map(|(record, _)| record).collect()
}
