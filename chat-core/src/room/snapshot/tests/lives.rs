//! Rooms as their records make them: of each there is a file of what a program stored of it.

use crate::domain::{BanTerm, Content, Digest, Event, Keyed, LeaveReason, Record, Role};
use crate::room::Ledger;
use crate::types::{
    Body, Color, Epoch, Identity, Key, MemberId, NetworkTag, Nick, PersonData, ReactionName, RoomLimits, Scope, Seq,
    SessionId, Topic, Wall,
};

/// The records of one incarnation.
pub(super) struct Incarnation {
    pub(super) ledger: Ledger,
    members: u32,
}

impl Incarnation {
    pub(super) fn new(limits: &RoomLimits) -> Self {
        let mut life = Self { ledger: Ledger::new(limits), members: 0 };
        life.record(None, None, Event::Created { epoch: Epoch(1), salt: 7 });
        life
    }

    pub(super) fn record(&mut self, seq: Option<Seq>, by: Option<MemberId>, event: Event) {
        let offset = self.ledger.last_offset().next();
        self.ledger.apply(&Record { offset, seq, at: Wall(offset.0), by, event });
    }

    pub(super) fn tell(&mut self, by: MemberId, event: Event) {
        self.record(Some(self.ledger.head().next()), Some(by), event);
    }

    pub(super) fn join(&mut self, scope: Scope) -> MemberId {
        self.members += 1;
        let nick = Nick::parse(&format!("N{}", self.members)).expect("a valid nick");
        let (nick_key, by, sees) = (nick.key(), MemberId(self.members), Some(self.ledger.head()));
        self.tell(by, Event::Joined { nick, nick_key, color: Color(0), role: Role::Member, scope, sees, data: None });
        by
    }

    pub(super) fn say(&mut self, by: MemberId, key: usize) {
        let key = Key::parse(&format!("k{key}")).expect("a valid key");
        let nick = Nick::parse("N").expect("a valid nick");
        let text = Body::parse("text", 10).expect("a valid text");
        let keyed = Some(Keyed { key, digest: Digest(3) });
        self.tell(by, Event::Sent { nick, color: Color(0), text, keyed, amended: None, data: None, reply_to: None });
    }
}

/// A room in which the host has said something under two keys.
pub(super) fn life_of_host(limits: &RoomLimits) -> Incarnation {
    let mut life = Incarnation::new(limits);
    life.join(Scope::Session(SessionId::new(42)));
    for (key, text) in [("feed:1", "one"), ("feed:2", "two")] {
        let keyed = Some(Keyed { key: Key::parse(key).expect("a valid key"), digest: Digest(3) });
        let (nick, text) = (Nick::parse("Bot").expect("a valid nick"), Body::parse(text, 10).expect("a valid text"));
        let said = Event::Sent { nick, color: Color(0), text, keyed, amended: None, data: None, reply_to: None };
        life.record(Some(life.ledger.head().next()), None, said);
    }
    life
}

/// A room with something of everything.
pub(super) fn full_life(limits: &RoomLimits) -> Incarnation {
    let mut life = Incarnation::new(limits);
    let ann = life.join(Scope::Identity(Identity::new("ann").expect("a valid identity")));
    let bob = life.join(Scope::Session(SessionId::new(42)));
    (0..3).for_each(|key| life.say(ann, key));
    life.tell(ann, Event::Redacted { target: Seq(4) });
    life.tell(ann, Event::TopicChanged { topic: Topic::parse("Lunch").expect("a valid topic") });
    life.tell(
        bob,
        Event::Left { nick: Nick::parse("N2").expect("a valid nick"), reason: LeaveReason::Timeout, held: None },
    );
    life.record(None, Some(ann), Event::Banned { scope: Scope::Session(SessionId::new(43)) });
    life.join(Scope::Session(SessionId::new(44)));
    life
}

/// A room whose only member has left, and whose topic has been changed since.
pub(super) fn emptied_life(limits: &RoomLimits) -> Incarnation {
    let mut life = Incarnation::new(limits);
    let ann = life.join(Scope::Identity(Identity::new("ann").expect("a valid identity")));
    life.tell(
        ann,
        Event::Left { nick: Nick::parse("N1").expect("a valid nick"), reason: LeaveReason::Left, held: None },
    );
    let topic = Topic::parse("Lunch").expect("a valid topic");
    life.record(Some(life.ledger.head().next()), None, Event::TopicChanged { topic });
    life
}

/// A room in which somebody was banned for a time, and what they said was taken back.
pub(super) fn swept_life(limits: &RoomLimits) -> Incarnation {
    let mut life = Incarnation::new(limits);
    let ann = life.join(Scope::Identity(Identity::new("ann").expect("a valid identity")));
    let bob = life.join(Scope::Session(SessionId::new(42)));
    (0..2).for_each(|key| life.say(bob, key));
    let (nick, until) = (Nick::parse("N2").expect("a valid nick"), Some(Wall(99)));
    let person = life.ledger.hash(&Scope::Session(SessionId::new(42))).into();
    let (ban, networks) = (life.ledger.bans().next(), vec![NetworkTag(5)]);
    let added = Event::BanAdded { ban, person, member: bob, nick: Some(nick.clone()), until, networks };
    life.record(None, Some(ann), added);
    life.tell(ann, Event::Swept { member: bob, from: Seq(1), to: Seq(4) });
    life.tell(ann, Event::Kicked { member: bob, nick, ban: Some(BanTerm::until(until)) });
    life
}

/// A room in which messages were edited, taken back and swept, and the log has not been amended for any of it.
pub(super) fn edited_life(limits: &RoomLimits) -> Incarnation {
    let mut life = swept_life(limits);
    let ann = MemberId(1);
    (2..4).for_each(|key| life.say(ann, key));
    let content = Content::text(Body::parse("edited", 10).expect("a valid text"));
    let edited = |n| Event::Edited { target: Seq(7), content: Some(content.clone()), n, keyed: None };
    life.tell(ann, edited(1));
    life.tell(ann, edited(2));
    life.tell(ann, Event::Redacted { target: Seq(8) });
    life
}

/// A room whose last message alone takes reactions: two people have reacted to it, and one to the one before.
pub(super) fn reacted_life(limits: &RoomLimits) -> Incarnation {
    let mut life = Incarnation::new(limits);
    let [ann, bob] = [41, 42].map(|session| life.join(Scope::Session(SessionId::new(session))));
    let react = |life: &mut Incarnation, by, target, text, on, count| {
        let name = ReactionName::parse(text).expect("a valid name");
        life.tell(by, Event::Reacted { target: Seq(target), name, on, count, keyed: None });
    };
    life.say(ann, 0);
    react(&mut life, bob, 3, "+1", true, 1);
    life.say(ann, 1);
    react(&mut life, bob, 5, "+1", true, 1);
    react(&mut life, ann, 5, "+1", true, 2);
    react(&mut life, ann, 5, "\u{1F44D}", true, 1);
    react(&mut life, ann, 5, "\u{1F44D}", false, 0);
    life
}

/// A room whose owner was lost, and of whose moderators one has left.
pub(super) fn life_of_roles(limits: &RoomLimits) -> Incarnation {
    let mut life = Incarnation::new(limits);
    let [ann, bob, cid] = [41, 42, 43].map(|session| life.join(Scope::Session(SessionId::new(session))));
    life.tell(ann, Event::RoleChanged { member: ann, role: Role::Owner });
    [bob, cid].into_iter().for_each(|member| {
        life.tell(ann, Event::RoleChanged { member, role: Role::Moderator });
    });
    let left = |nick: &str, reason, held| Event::Left { nick: Nick::parse(nick).expect("a valid nick"), reason, held };
    life.tell(bob, left("N2", LeaveReason::Left, None));
    life.tell(ann, left("N1", LeaveReason::Timeout, Some(Wall(600_009))));
    life
}

/// A room in which two have changed what they are shown as, one of them again and again.
pub(super) fn life_of_people(limits: &RoomLimits) -> Incarnation {
    let mut life = Incarnation::new(limits);
    let [ann, bob] = [41, 42].map(|session| life.join(Scope::Session(SessionId::new(session))));
    let data = PersonData::parse(r#"{"id":"u1","avatar":null}"#).expect("valid");
    for (member, name) in [(ann, "Ann"), (bob, "Rob"), (bob, "Bo\u{431}")] {
        let nick = Nick::parse(name).expect("a valid nick");
        let (nick_key, data) = (Some(nick.key()), (member == ann).then(|| Some(data.clone())));
        life.tell(member, Event::MemberChanged { member, nick: Some(nick), nick_key, data });
    }
    life
}

/// A room that the host has made, and that somebody is to own who has not come yet.
pub(super) fn life_of_the_hosts(limits: &RoomLimits) -> Incarnation {
    let mut life = Incarnation::new(limits);
    life.record(None, None, Event::Kept { on: true });
    let ann = Identity::new("user:ann").expect("an identity");
    life.record(None, None, Event::OwnerNamed { scope: Scope::Identity(ann) });
    life
}

/// A room that two may come into who have not yet.
pub(super) fn life_of_invites(limits: &RoomLimits) -> Incarnation {
    let mut life = Incarnation::new(limits);
    for (name, until) in [("user:ann", 10), ("user:bob", 20)] {
        let person = life.ledger.hash(&Scope::Identity(Identity::new(name).expect("an identity")));
        life.record(None, None, Event::Invited { person: person.into(), until: Wall(until) });
    }
    life
}
