//! The people of a run: who is behind a session, on which connection it is, and what a step means at this moment.

use std::sync::Arc;

use chat_core::room::{Actor, Caller, Evidence, Input, Note};
use chat_core::{
    BanId, Content, Epoch, Generation, HistoryAnchor, Identity, MemberId, Named, NetworkTag, Nick, Offset, PersonData,
    Position, RecordVersion, Role, Said, Seq, SessionId,
};

use super::steps::{Act, After, Asked, Attempt, Known, Mod, Side, Spot, Target, Who};
use crate::model::Model;

/// Twelve sessions: two of Ann's, three of Bob's, one of a guest who signs in as Cid and out again with every other
/// connection, and six guests.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    generations: [u64; Cast::SESSIONS],
    lives: u64,
}

/// What a step means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Play {
    /// The room decides.
    Input(Input),
    /// The room takes note.
    Note(Note),
    /// The process starts anew from a snapshot and the log.
    Restart,
    /// From now on records of up to this version may be written.
    Writes(RecordVersion),
    /// The last decisions turn out not to be in the log.
    Lose {
        /// How many, of those of this life.
        decisions: usize,
    },
}

impl Cast {
    /// How many sessions there are.
    pub const SESSIONS: usize = 12;

    /// Everybody, before their first connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every session, as on its newest connection.
    pub fn callers(&self) -> Vec<Caller> {
        self.generations.iter().enumerate().map(|(index, newest)| caller(index, *newest)).collect()
    }

    /// What an act means in a room that is as `model` says.
    pub fn play(&mut self, act: &Act, model: &Model) -> Play {
        let input = match act.clone() {
            Act::Create { who, nick, data } => {
                self.lives += 1;
                let (epoch, salt) = (Epoch(self.lives), self.lives * 31);
                Input::Create { by: self.caller(who, model), nick, data, epoch, salt }
            }
            Act::Found { options } => {
                self.lives += 1;
                let (epoch, salt) = (Epoch(self.lives), self.lives * 31);
                Input::Found { options, epoch, salt }
            }
            Act::Join { who, nick, data, history, after, secret } => {
                let after = after.map(|after| position(after, model));
                Input::Join { by: self.caller(who, model), nick, data, history, after, secret }
            }
            Act::Attach { who, after } => {
                let after = after.map(|after| position(after, model));
                Input::Attach { by: self.caller(who, model), after }
            }
            Act::Me { who, change } => Input::Me { by: self.caller(who, model), change },
            Act::ChangeMember { member: target, change } => {
                Input::ChangeMember { member: member(target, model), change }
            }
            Act::Send { who, text, as_sent, key, permit, data, reply_to } => {
                let reply_to = reply_to.map(|answered| seq(answered, model));
                let said = |text| Said::from(Content::text(text).with_data(data.clone())).with_reply_to(reply_to);
                let (said, as_sent) = (said(text), as_sent.map(said));
                Input::Send { by: self.caller(who, model), said, as_sent, key, permit }
            }
            Act::Edit { who, message, text, as_sent, key, permit, data, asked } => {
                let target = seq(message, model);
                let content = |text| Content::text(text).with_data(data.clone());
                let (content, as_sent) = (content(text), as_sent.map(content));
                let (by, evidence) = (self.caller(who, model), evidence(asked, target, model));
                Input::Edit { by, target, content, as_sent, key, permit, evidence }
            }
            Act::Say { name, text, key, data, reply_to } => {
                let reply_to = reply_to.map(|answered| seq(answered, model));
                let said = Said::from(Content::text(text).with_data(data)).with_reply_to(reply_to);
                Input::Say { name, said, key }
            }
            Act::Look => Input::Look,
            Act::Leave { who } => Input::Leave { by: self.caller(who, model) },
            Act::History { by, at, limit } => {
                let anchor = at.map_or(HistoryAnchor::Newest, |(side, spot)| match side {
                    Side::Before => HistoryAnchor::Before(seq(spot, model)),
                    Side::After => HistoryAnchor::After(seq(spot, model)),
                    Side::Around => HistoryAnchor::Around(seq(spot, model)),
                });
                Input::History { by: self.actor(by, model), anchor, limit }
            }
            Act::Members { by, after, limit } => {
                let after = after.map(|after| member(after, model));
                Input::Members { by: self.actor(by, model), after, limit }
            }
            Act::Typing { who, state } => Input::Typing { by: self.caller(who, model), state },
            Act::Live { who, message, text } => {
                let by = self.caller(who, model);
                let target = own_seq(&by, message, model);
                Input::Live { by, target, text }
            }
            Act::Signal { who, name, data } => Input::Signal { by: self.caller(who, model), name, data },
            Act::Read { who, through } => Input::Read { by: self.caller(who, model), through: seq(through, model) },
            Act::React { who, message, name, on, key } => {
                let target = seq(message, model);
                Input::React { by: self.caller(who, model), target, name, on, key }
            }
            Act::Redact { by, message, asked } => {
                let target = seq(message, model);
                Input::Redact { by: self.actor(by, model), target, evidence: evidence(asked, target, model) }
            }
            Act::Changes { who, after } => Input::Changes { by: self.caller(who, model), after: seq(after, model) },
            Act::Settle { through } => Input::Settle { through: seq(through, model) },
            Act::Kick { by, member: target } => {
                Input::Kick { by: self.actor(by, model), member: member(target, model) }
            }
            Act::Ban { by, member: target, terms } => {
                Input::Ban { by: self.actor(by, model), member: person(target, model), terms }
            }
            Act::Unban { by, ban } => Input::Unban { by: self.actor(by, model), ban: BanId(ban) },
            Act::Bans { by, after, limit } => Input::Bans { by: self.actor(by, model), after: after.map(BanId), limit },
            Act::RedactAll { by, member: target, from } => {
                let from = from.map(|from| seq(from, model));
                Input::RedactAll { by: self.actor(by, model), member: person(target, model), from }
            }
            Act::SetTopic { by, topic } => Input::SetTopic { by: self.actor(by, model), topic },
            Act::Settings { by, change } => Input::Settings { by: self.actor(by, model), change },
            Act::SetRole { by, whom, role } => {
                Input::SetRole { by: self.actor(by, model), member: known(whom, model), role }
            }
            Act::Protect => Input::Protect,
            Act::Keep { on } => Input::Keep { on },
            Act::Invite { identity } => Input::Invite { identity },
            Act::Erase { identity, alias } => {
                let (members, is_told_of) = model.traces_of(&identity);
                Input::Erase { identity, alias: SessionId::new(1_000 + u128::from(alias)), members, is_told_of }
            }
            Act::Scrubbed { back } => Input::Scrubbed { through: Offset(model.last_offset().0.saturating_sub(back)) },
            Act::Close { cause } => Input::Close { cause },
            Act::Wait => Input::Elapsed,
            Act::Detach { who } => {
                let Caller { session, generation, .. } = self.caller(who, model);
                return Play::Note(Note::Detached { session, generation });
            }
            Act::Recover => return Play::Note(Note::Recovered),
            Act::Restart => return Play::Restart,
            Act::Writes { version } => return Play::Writes(version),
            Act::Lose { decisions } => return Play::Lose { decisions },
        };
        Play::Input(input)
    }

    fn caller(&mut self, who: Who, model: &Model) -> Caller {
        let (index, attempt) = match who {
            Who::Session(index, attempt) => (index % Self::SESSIONS, attempt),
            Who::Insider(number) => {
                let attached: Vec<usize> = self.attached(model);
                let index = attached.get(number % attached.len().max(1)).copied();
                (index.unwrap_or(number % Self::SESSIONS), Attempt::Current)
            }
            Who::Author(spot) => {
                let author = model.evidence(seq(spot, model), false).map(|message| message.by);
                (self.session_of(author, model), Attempt::Current)
            }
        };
        let newest = &mut self.generations[index];
        let generation = match attempt {
            Attempt::Current => *newest,
            Attempt::New => {
                *newest += 1;
                *newest
            }
            Attempt::Late => newest.saturating_sub(1),
        };
        caller(index, generation)
    }

    fn actor(&mut self, by: Mod, model: &Model) -> Actor {
        match by {
            Mod::Host => Actor::Host,
            Mod::Person(who) => Actor::Member(self.caller(who, model)),
            Mod::Owner => self.one_who_is(Role::Owner, model),
            Mod::Moderator => self.one_who_is(Role::Moderator, model),
        }
    }

    fn one_who_is(&self, role: Role, model: &Model) -> Actor {
        let person = model.members().into_iter().find(|person| person.role == role);
        let index = self.session_of(person.map(|person| person.id), model);
        Actor::Member(caller(index, self.generations[index]))
    }

    fn session_of(&self, member: Option<MemberId>, model: &Model) -> usize {
        let sessions = member.map(|member| model.sessions_of(member)).unwrap_or_default();
        (0..Self::SESSIONS).find(|index| sessions.contains(&session(*index))).unwrap_or(0)
    }

    fn attached(&self, model: &Model) -> Vec<usize> {
        let sessions: Vec<SessionId> = model.members().iter().flat_map(|person| model.sessions_of(person.id)).collect();
        (0..Self::SESSIONS).filter(|index| sessions.contains(&session(*index))).collect()
    }
}

/// Who it is belongs to the connection: the policy says it when a session connects.
fn caller(index: usize, generation: u64) -> Caller {
    let identity = match index {
        0 | 1 => Some("ann"),
        2..=4 => Some("bob"),
        5 if generation.is_multiple_of(2) => Some("cid"),
        _ => None,
    };
    let identity = identity.and_then(Identity::new);
    Caller {
        session: session(index),
        generation: Generation(generation),
        identity,
        network: network(index, generation),
        named: named(index, generation).map(Arc::new),
    }
}

/// The policy says of some as what they are shown: of one of Bob's sessions not what it says of the others, and not always the same.
fn named(index: usize, generation: u64) -> Option<Named> {
    let nick = |text| Nick::parse(text).expect("a valid nick");
    let data = PersonData::parse("{\"id\":2}").expect("valid data");
    match (index, generation % 4) {
        (3, 1) => Some(Named::new().nick(nick("Ann"))),
        (3, 2) => Some(Named::new().nick(nick("Bob")).data(data)),
        (7, 1 | 2) => Some(Named::new().data(data)),
        (8, 1) => Some(Named::new().nick(nick("Dan"))),
        (8, 2) => Some(Named::new().nick(nick("b\u{43E}t"))),
        (8, 3) => Some(Named::new().nick(nick("Eve")).data(data)),
        _ => None,
    }
}

/// Most come from where others come from, and from elsewhere now and then.
fn network(index: usize, generation: u64) -> Option<NetworkTag> {
    let numbers = [Some(index as u64 % 5), Some(generation % 7), None];
    numbers[(index + generation as usize) % 3].map(NetworkTag)
}

fn session(index: usize) -> SessionId {
    // Not in the order of the cast, so that no order of sessions is taken for one of people.
    SessionId::new(((index as u128 * 7) % Cast::SESSIONS as u128) + 100)
}

fn seq(spot: Spot, model: &Model) -> Seq {
    // The highest count is the last of them.
    let newest = |numbers: Vec<Seq>, count: u64| match count {
        u64::MAX => numbers.first().copied(),
        _ => numbers.iter().rev().nth((count % numbers.len().max(1) as u64) as usize).copied(),
    };
    match spot {
        Spot::Back(back) => Seq((model.head().0 + 2).saturating_sub(back)),
        Spot::Message(count) => newest(model.marks(), count).unwrap_or(model.head()),
        Spot::Forgotten(count) => {
            let forgotten = model.forgotten().into_iter().map(|(seq, ..)| seq).collect();
            newest(forgotten, count).unwrap_or(model.head())
        }
        Spot::Join(count) => {
            let joins = model.members().iter().map(|person| person.entered).collect();
            newest(joins, count).unwrap_or(model.head())
        }
    }
}

/// Of messages one of the caller's own, where they have any.
fn own_seq(by: &Caller, spot: Spot, model: &Model) -> Seq {
    let own = model.member_of(by).map(|person| model.marks_of(person.id)).unwrap_or_default();
    match spot {
        Spot::Message(count) if !own.is_empty() => own[own.len() - 1 - (count % own.len() as u64) as usize],
        _ => seq(spot, model),
    }
}

fn member(target: Target, model: &Model) -> MemberId {
    let members = model.members();
    let found = members.get(target.0 as usize % members.len().max(1));
    // The highest number never is a member.
    found.filter(|_| target.0 != u32::MAX).map_or(MemberId(target.0), |person| person.id)
}

fn known(whom: Known, model: &Model) -> MemberId {
    match whom {
        Known::Here(target) => member(target, model),
        Known::Away(count) => {
            let away = model.former();
            away.get(count as usize % away.len().max(1)).copied().unwrap_or(MemberId(count))
        }
    }
}

/// A member, or one who may have left.
fn person(target: Target, model: &Model) -> MemberId {
    match target.0 {
        u32::MAX => MemberId(u32::MAX),
        gone @ Target::GONE.. => MemberId(gone - Target::GONE + 1),
        _ => member(target, model),
    }
}

fn evidence(asked: Asked, target: Seq, model: &Model) -> Option<Box<Evidence>> {
    let shown = model.evidence(target, asked == Asked::LateLog)?;
    match asked {
        Asked::No => None,
        Asked::Log | Asked::LateLog => Some(Box::new(shown)),
        Asked::AnotherLife => Some(Box::new(Evidence { epoch: Epoch(shown.epoch.0 ^ 1), ..shown })),
    }
}

fn position(after: After, model: &Model) -> Position {
    let epoch = model.epoch().unwrap_or(Epoch(0));
    match after {
        After::ThisLife(spot) => Position { epoch, seq: seq(spot, model) },
        After::AnotherLife(spot) => Position { epoch: Epoch(epoch.0 ^ 1), seq: seq(spot, model) },
    }
}
