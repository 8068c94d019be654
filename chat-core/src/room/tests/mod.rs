//! The rules, each as a sentence, through the public door of a room.

mod attending;
mod banning;
mod checking;
mod coming_in;
mod editing;
mod erasing;
mod going_out;
mod host;
mod inviting;
mod keeping;
mod looking;
mod moderating;
mod owing;
mod people;
mod reacting;
mod replaying;
mod roles;
mod seats;
mod setting;
mod showing;
mod sweeping;
mod talking;
mod timing;

use std::sync::Arc;

use super::*;
use crate::domain::{Content, Event, HistoryAnchor, Role, TypingState};
use crate::types::{
    Body, Epoch, Generation, Identity, Key, Nick, Position, Reject, RejectCode, RoomLimits, Seq, SessionId, Wall,
};

const EPOCH: Epoch = Epoch(77);
const SALT: u64 = 99;

/// A room, a clock, and everything that was ever recorded.
struct World {
    room: Room,
    now: Now,
    log: Vec<Record>,
}

/// A room that Ann, session 1, has just made; she is member 1.
fn world() -> World {
    world_with(|_| {})
}

fn world_with(change: impl FnOnce(&mut RoomLimits)) -> World {
    let mut world = no_life(change);
    world.create(1, EPOCH);
    world
}

fn no_life(change: impl FnOnce(&mut RoomLimits)) -> World {
    let mut limits = RoomLimits::default();
    change(&mut limits);
    let now = Now { wall: Wall(1_000_000), mono: Mono(500) };
    World { room: Room::new(Arc::new(limits)), now, log: Vec::new() }
}

impl World {
    /// One round of the contract, with every invariant checked.
    fn run(&mut self, input: &Input) -> Result<Decision, Reject> {
        let decision = self.room.decide(self.now, input)?;
        assert!(decision.records.len() <= 6 + self.room.limits.reactions_per_person_max);
        for record in &decision.records {
            self.room.apply(self.now, record);
            self.log.push(record.clone());
        }
        if let Some(note) = decision.note.clone() {
            self.room.note(self.now, note);
        }
        self.room.check_invariants();
        Ok(decision)
    }

    fn reject(&mut self, input: &Input) -> RejectCode {
        self.run(input).expect_err("refused").code
    }

    fn note(&mut self, note: Note) {
        self.room.note(self.now, note);
        self.room.check_invariants();
    }

    fn create(&mut self, session: u128, epoch: Epoch) -> Decision {
        self.run(&Input::Create { by: caller(session), nick: nick("Ann"), data: None, epoch, salt: SALT })
            .expect("created")
    }

    fn join(&mut self, session: u128) -> Entered {
        entered(&self.run(&join(caller(session))).expect("joined"))
    }

    fn send(&mut self, session: u128, text: &str) -> Seq {
        let Answer::Sent { seq, .. } = self.run(&send(session, text)).expect("sent").answer else { panic!("not sent") };
        seq
    }

    fn leave(&mut self, session: u128) -> Decision {
        self.run(&Input::Leave { by: caller(session) }).expect("left")
    }

    fn detach(&mut self, session: u128) {
        self.note(Note::Detached { session: SessionId::new(session), generation: Generation(1) });
    }

    fn type_on(&mut self, session: u128) {
        self.run(&Input::Typing { by: caller(session), state: TypingState::On }).expect("typing");
    }

    /// Lets time pass, and decides what is due as the engine does. Answers with what was recorded.
    fn pass(&mut self, millis: u64) -> Vec<(&'static str, Option<u64>)> {
        self.now.mono = Mono(self.now.mono.0 + millis);
        self.now.wall = Wall(self.now.wall.0 + millis);
        self.settle()
    }

    fn settle(&mut self) -> Vec<(&'static str, Option<u64>)> {
        let mut recorded = Vec::new();
        for _ in 0..1_000 {
            if self.room.next_deadline().is_none_or(|due| due > self.now.mono) {
                return recorded;
            }
            let decision = self.run(&Input::Elapsed).expect("a room with a deadline is alive");
            recorded.extend(kinds(&decision));
        }
        panic!("a due deadline is dealt with by asking");
    }

    fn members(&self) -> Vec<u32> {
        self.room.members().map(|member| member.id.0).collect()
    }

    fn here(&self, seq: u64) -> Option<Position> {
        self.room.epoch().map(|epoch| Position { epoch, seq: Seq(seq) })
    }

    fn role(&self, member: u32) -> Option<Role> {
        self.room.member(MemberId(member)).map(|member| member.role)
    }

    fn set_role(&mut self, by: Actor, member: u32, role: Role) -> Decision {
        self.run(&set_role(by, member, role)).expect("the role is set")
    }

    fn owner(&self) -> Option<u32> {
        self.room.members().find(|member| member.role == Role::Owner).map(|member| member.id.0)
    }
}

fn caller(session: u128) -> Caller {
    Caller { session: SessionId::new(session), generation: Generation(1), identity: None, network: None, named: None }
}

fn later(session: u128, generation: u64) -> Caller {
    Caller { generation: Generation(generation), ..caller(session) }
}

/// A session of somebody whom the policy knows.
fn known(session: u128, name: &str) -> Caller {
    Caller { identity: Identity::new(name), ..caller(session) }
}

fn actor(session: u128) -> Actor {
    Actor::Member(caller(session))
}

fn nick(text: &str) -> Nick {
    Nick::parse(text).expect("a valid nick")
}

/// Each session asks for a nick of its own.
fn join(by: Caller) -> Input {
    let nick = nick(&format!("P{}", by.session.bits()));
    Input::Join { by, nick, data: None, history: None, after: None, secret: None }
}

fn join_after(by: Caller, after: Option<Position>) -> Input {
    let nick = nick(&format!("P{}", by.session.bits()));
    Input::Join { by, nick, data: None, history: None, after, secret: None }
}

fn set_role(by: Actor, member: u32, role: Role) -> Input {
    Input::SetRole { by, member: MemberId(member), role }
}

fn send(session: u128, text: &str) -> Input {
    Input::Send { by: caller(session), said: body(text).into(), as_sent: None, key: None, permit: SendPermit::Paid }
}

fn keyed(session: u128, key: &str, text: &str) -> Input {
    let key = Key::parse(key).ok();
    Input::Send { by: caller(session), said: body(text).into(), as_sent: None, key, permit: SendPermit::Paid }
}

/// What a log says of a message of this member, said just now and never edited.
fn evidence(by: u32, text: &str) -> Evidence {
    let content = Content::text(body(text));
    let (by, at, as_of) = (MemberId(by), Wall(1_000_000), Seq(0));
    Evidence { epoch: EPOCH, by, at, content, edits: 0, is_taken_back: false, as_of }
}

fn body(text: &str) -> Body {
    Body::parse(text, 1 << 20).expect("a valid text")
}

fn entered(decision: &Decision) -> Entered {
    let Answer::Entered(entered) = &decision.answer else { panic!("not entered: {:?}", decision.answer) };
    Entered::clone(entered)
}

/// A decision in short: each record's kind and number.
fn kinds(decision: &Decision) -> Vec<(&'static str, Option<u64>)> {
    decision.records.iter().map(|record| (kind(&record.event), record.seq.map(|seq| seq.0))).collect()
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::Created { .. } => "created",
        Event::Joined { .. } => "joined",
        Event::Left { .. } => "left",
        Event::Sent { .. } => "sent",
        Event::Edited { .. } => "edited",
        Event::Redacted { .. } => "redacted",
        Event::Reacted { .. } => "reacted",
        Event::Settled { .. } => "settled",
        Event::Kicked { .. } => "kicked",
        Event::Banned { .. } => "banned",
        Event::BanAdded { .. } => "ban_added",
        Event::BanLifted { .. } => "ban_lifted",
        Event::Swept { .. } => "swept",
        Event::MemberChanged { .. } => "member_changed",
        Event::TopicChanged { .. } => "topic_changed",
        Event::SettingsChanged { .. } => "settings_changed",
        Event::RoleChanged { .. } => "role_changed",
        Event::Protected => "protected",
        Event::Kept { .. } => "kept",
        Event::OwnerNamed { .. } => "owner_named",
        Event::Invited { .. } => "invited",
        Event::Erased { .. } => "erased",
        Event::Scrubbed { .. } => "scrubbed",
        Event::NoticesChanged { .. } => "notices_changed",
        Event::Closed { .. } => "closed",
    }
}

fn numbers(seqs: &[Seq]) -> Vec<u64> {
    seqs.iter().map(|seq| seq.0).collect()
}
