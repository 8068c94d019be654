//! Coming in: to begin a life, to join it, to attach to a membership one has.

use std::collections::BTreeMap;

use chat_core::room::{Answer, Caller, Decision, Entered, Entry, HistorySlice, Note};
use chat_core::{
    Color, Epoch, Event, MemberId, NewcomersSee, Nick, Notices, Now, PersonData, Position, RecordVersion, RejectCode,
    Role, SecretHash, Seq,
};

use super::facts::{self, Person};
use super::outcome::{decision, refusal};
use super::{Model, Refusal, Told, bans, inviting, pages, people, roles, settings};

pub(super) fn create(
    model: &Model,
    now: Now,
    by: &Caller,
    asked: (&Nick, Option<&PersonData>),
    epoch: Epoch,
    salt: u64,
) -> Result<Decision, Refusal> {
    if model.epoch().is_some() {
        return Err(refusal(RejectCode::NameTaken, None));
    }
    people::is_not_hosts(model, by, asked.0)?;
    let mut then = model.clone();
    let created = then.add(now, Told::No, None, Event::Created { epoch, salt }, None);
    let joined = then.add(
        now,
        Told::Yes,
        Some(MemberId(1)),
        join_of(model, by, asked, Color(0), Role::Owner, says_floor(model).then_some(Seq(0))),
        None,
    );
    let (from, history) = (Seq(1), HistorySlice::default());
    let entered = Entered { member: MemberId(1), from, is_named: false, entry: Entry::Joined, history };
    Ok(decision(vec![created, joined], Some(attached(by, MemberId(1))), Answer::Entered(Box::new(entered))))
}

pub(super) fn join(
    model: &Model,
    now: Now,
    by: &Caller,
    asked: (&Nick, Option<&PersonData>),
    history: Option<u32>,
    after: Option<Position>,
    secret: Option<SecretHash>,
) -> Result<Decision, Refusal> {
    let limits = &model.limits;
    let facts = model.facts();
    let (members, former) = facts::people(&facts, limits.former_max);
    bans::check(model, now, by)?;
    let seat = model.presence().seats.into_iter().find(|seat| seat.session == by.session);
    if seat.as_ref().is_some_and(|seat| seat.attached && seat.generation == by.generation) {
        return Err(refusal(RejectCode::AlreadyMember, None));
    }
    if let Some(person) = members.iter().find(|person| person.scope == by.scope()) {
        return come_back(model, now, by, person, history, after);
    }
    if seat.is_some_and(|seat| seat.generation > by.generation) {
        return Err(refusal(RejectCode::NotMember, None));
    }
    let place = facts::place_of(&former, &by.scope());
    if !facts::knows(&facts, limits.former_max, &by.scope()) {
        if !inviting::is_invited(model, now, by) {
            settings::admit(model, secret)?;
        }
        settings::says_what_newcomers_see(model)?;
    }
    people::may_have(model, now, by, asked.0, None)?;
    if members.len() >= limits.members_max {
        return Err(refusal(RejectCode::RoomFull, None));
    }

    // Who comes back to their place is who they were; anybody else is new.
    let again = place.filter(|_| says_floor(model));
    let id = again.map_or(facts::next_number(&facts), |place| place.id);
    let color = again.map_or(least_used(&members), |place| place.color);
    let said = says_floor(model).then(|| place.map_or(floor(model), |place| place.sees));
    let sees = said.or(place.map(|place| place.sees)).unwrap_or_default();
    let mut then = model.clone();
    let told = Told::from(model.notices());
    let role = roles::at_join(model, now, &by.scope());
    let mut records = vec![then.add(now, told, Some(id), join_of(model, by, asked, color, role, said), None)];
    let own_join = then.head();
    if model.notices() == Notices::Told && then.members().len() > limits.notices_members_max {
        let event = Event::NoticesChanged { notices: Notices::Counted };
        records.push(then.add(now, Told::Yes, None, event, None));
    }

    let named = after.filter(|after| is_there(model, after));
    let is_named = place.is_some() && named.is_some();
    let (from, history) = match (place, named) {
        (Some(place), Some(after)) => (after.seq.clamp(place.joined, model.head()), HistorySlice::default()),
        _ => (own_join, pages::newest(model, history, sees)),
    };
    let entered = Entered { member: id, from, is_named, entry: Entry::Joined, history };
    Ok(decision(records, Some(attached(by, id)), Answer::Entered(Box::new(entered))))
}

pub(super) fn attach(model: &Model, now: Now, by: &Caller, after: Option<Position>) -> Result<Decision, Refusal> {
    let members = model.members();
    let person = members.iter().find(|person| person.scope == by.scope());
    let Some(person) = person else {
        // What keeps newcomers out says nothing of who was there.
        bans::check(model, now, &Caller { network: None, ..by.clone() })?;
        return Err(refusal(RejectCode::NotMember, None));
    };
    let after = after.filter(|after| after.seq >= person.joined);
    let mut decision = come_back(model, now, by, person, None, after)?;
    let knows = after.is_some_and(|after| is_there(model, &after) && after.seq >= person.entered);
    if let (true, Answer::Entered(entered)) = (knows, &mut decision.answer) {
        entered.entry = Entry::Continued;
    }
    Ok(decision)
}

/// Whether a position is of this life, and not of something that its log has lost.
fn is_there(model: &Model, after: &Position) -> bool {
    Some(after.epoch) == model.epoch() && after.seq <= model.head()
}

/// One more session of a member, or the same one again.
fn come_back(
    model: &Model,
    now: Now,
    by: &Caller,
    person: &Person,
    history: Option<u32>,
    after: Option<Position>,
) -> Result<Decision, Refusal> {
    let seats = model.presence().seats;
    if seats.iter().any(|seat| seat.session == by.session && seat.generation > by.generation) {
        return Err(refusal(RejectCode::NotMember, None));
    }
    let others = seats.iter().filter(|seat| seat.member == person.id && seat.attached && seat.session != by.session);
    if others.count() >= model.limits.attachments_max {
        return Err(refusal(RejectCode::TooManyAttachments, None));
    }
    let named = after.filter(|after| is_there(model, after));
    let (from, history) = match named {
        Some(after) => (after.seq.clamp(person.joined, model.head()), HistorySlice::default()),
        None => (model.head(), pages::newest(model, history, person.sees)),
    };
    let entered = Entered { member: person.id, from, is_named: named.is_some(), entry: Entry::Attached, history };
    let told = people::named_anew(model, now, by, person);
    let records = told.map(|event| model.clone().add(now, Told::Yes, Some(person.id), event, None));
    Ok(decision(records.into_iter().collect(), Some(attached(by, person.id)), Answer::Entered(Box::new(entered))))
}

/// Whether a join may say what is seen, and bring a number back.
fn says_floor(model: &Model) -> bool {
    model.writes >= RecordVersion::PERSONS
}

/// Up to where somebody new learns nothing of what was said.
fn floor(model: &Model) -> Seq {
    let said = facts::messages(&model.facts());
    match settings::newcomers_see(model) {
        NewcomersSee::All => Seq(0),
        NewcomersSee::Last(count) if said.len() <= model.marks().len().min(count as usize) => Seq(0),
        // The room cannot say where those begin that it does not remember.
        NewcomersSee::Last(count) => {
            let marks = model.marks();
            let shown = marks.get(marks.len().saturating_sub(count as usize));
            shown.map_or(model.head(), |first| Seq(first.0 - 1))
        }
        NewcomersSee::Nothing => model.head(),
        other => unreachable!("the model knows no {other:?}"),
    }
}

fn attached(by: &Caller, member: MemberId) -> Note {
    Note::Attached { session: by.session, generation: by.generation, member, network: by.network }
}

fn join_of(
    model: &Model,
    by: &Caller,
    (nick, data): (&Nick, Option<&PersonData>),
    color: Color,
    role: Role,
    sees: Option<Seq>,
) -> Event {
    let (nick, data) = people::shown(model, by, nick.clone(), data.cloned());
    let data = data.filter(|_| says_floor(model));
    Event::Joined { nick_key: nick.key(), nick, color, role, scope: by.scope(), sees, data }
}

/// The colour that the fewest members have; of those the first.
fn least_used(members: &[Person]) -> Color {
    let mut uses: BTreeMap<Color, usize> = (0..Color::COUNT as u8).map(|index| (Color(index), 0)).collect();
    for person in members {
        *uses.entry(person.color).or_default() += 1;
    }
    uses.into_iter().min_by_key(|(color, uses)| (*uses, *color)).map(|(color, _)| color).expect("there are colours")
}
