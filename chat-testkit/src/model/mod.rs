//! A slow, obvious room to compare the real one with.
//!
//! It keeps a diary and nothing else: every fact and every note, in order, with the moment it came. Each question (who
//! is a member? what may follow?) is answered by reading the diary from the start of this life. Nothing is cached, so
//! nothing can be forgotten when something changes.
//!
//! The rules are in sixteen files: who comes in (`enter`), as what they are shown (`people`), what they are shown (`pages`), what they do (`act`), what they
//! say (`edits`), what the host says (`host`), who may do what (`roles`), whose the room is (`seat`), what is set (`settings`), who is kept out (`bans`), what was changed (`sweeps`), who
//! reacts to what (`reactions`), what a log has still to be told (`owed`), what members show (`slots`), who is here and what runs out (`presence`), and what time
//! it is in the room (`time`).
//!
//! ```
//! use std::sync::Arc;
//! use chat_core::room::{Caller, Input};
//! use chat_core::{Epoch, Generation, Mono, Nick, Now, RoomLimits, SessionId, Wall};
//! use chat_testkit::model::Model;
//!
//! let mut model = Model::new(Arc::new(RoomLimits::default()));
//! let now = Now { wall: Wall(1_000), mono: Mono(0) };
//! let by = Caller { session: SessionId::new(1), generation: Generation(1), identity: None, network: None, named: None };
//! let create = Input::Create { by, nick: Nick::parse("Ann")?, data: None, epoch: Epoch(7), salt: 0 };
//!
//! let expected = model.expect(now, &create).expect("nothing stands against a first room");
//! model.live(now, &create, &expected);
//! assert_eq!(model.members().len(), 1);
//! # Ok::<(), chat_core::Reject>(())
//! ```

mod act;
mod bans;
mod edits;
mod enter;
mod erased;
mod erasing;
mod facts;
mod host;
mod inviting;
mod keeping;
mod outcome;
mod owed;
mod pages;
mod people;
mod presence;
mod reactions;
mod reads;
mod roles;
mod seat;
mod settings;
mod slots;
mod sweeps;
mod time;

use std::sync::Arc;
use std::time::Duration;

use chat_core::room::{Caller, Decision, HostNames, Input, Note, OwedChange};
use chat_core::{
    Content, Digest, Epoch, Event, Identity, MemberId, Mono, NetworkTag, Nick, Notices, Now, Offset, PersonHash,
    ReactionName, Record, RecordVersion, Reject, RejectCode, RoomLimits, Said, Seq, SessionId, Topic, Wall,
};

pub use facts::Person;
pub use slots::{Growing, Shown};

/// A room that remembers everything and computes everything anew.
#[derive(Clone, Debug)]
pub struct Model {
    limits: Arc<RoomLimits>,
    writes: RecordVersion,
    host_names: HostNames,
    diary: Vec<Line>,
}

/// One line of the diary.
#[derive(Clone, Debug)]
struct Line {
    /// When it was written.
    now: Now,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Fact {
        record: Box<Record>,
        /// Of what may have a key: what the client had sent. The model compares that where the room compares digests.
        as_sent: Option<AsSent>,
    },
    Note(Note),
    /// So many of the last facts turned out not to be in the log.
    Lost(usize),
    /// The process started anew: what was only noted is gone.
    Restarted,
}

/// What a client had sent, before any policy; or the host, which may have named a person.
#[derive(Clone, Debug, PartialEq, Eq)]
enum AsSent {
    Send(Said),
    Edit { target: Seq, content: Content },
    React { target: Seq, name: ReactionName, on: bool },
    Say { name: Nick, said: Said },
    Invite(Identity),
    Erase(Identity),
}

/// A fact, and of a message, an edit or a reaction what the client had sent.
type Fact = (Record, Option<AsSent>);

/// What a refusal must say. The words for people are left to the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code of the refusal.
    pub code: RejectCode,
    /// The field that is wrong.
    pub field: Option<&'static str>,
    /// How long to wait before the same may succeed.
    pub retry_after: Option<Duration>,
    /// Until when it is so.
    pub until: Option<Wall>,
}

impl Model {
    /// A room of which no life has begun.
    pub fn new(limits: Arc<RoomLimits>) -> Self {
        Self { limits, writes: RecordVersion::LATEST, host_names: HostNames::default(), diary: Vec::new() }
    }

    /// From now on the host speaks under these names.
    pub fn keep_for_host(&mut self, names: HostNames) {
        self.host_names = names;
    }

    /// From now on it decides on no record of a later version.
    pub fn write_up_to(&mut self, version: RecordVersion) {
        self.writes = version;
    }

    /// What the room should decide. Digests in the records are blank: see [`without_digest`].
    ///
    /// # Errors
    /// What the room should refuse with.
    pub fn expect(&self, now: Now, input: &Input) -> Result<Decision, Refusal> {
        act::expect(self, now, input)
    }

    /// Writes into the diary what was decided: its records, then its note.
    pub fn live(&mut self, now: Now, input: &Input, decision: &Decision) {
        for record in &decision.records {
            let mut record = without_digest(record);
            if let (Event::Erased { person, .. }, Input::Erase { identity, .. }) = (&mut record.event, input) {
                *person = erased::stand_in(identity);
            }
            self.write(now, record, as_sent(input));
        }
        if let Some(note) = &decision.note {
            self.note(now, note.clone());
        }
    }

    /// Writes a note into the diary.
    pub fn note(&mut self, now: Now, note: Note) {
        self.diary.push(Line { now, what: What::Note(note) });
    }

    /// Takes the last facts of this life back, as when the log turns out not to hold them. Without all of them there
    /// has been no life.
    pub fn lose(&mut self, now: Now, records: usize) {
        self.diary.push(Line { now, what: What::Lost(records) });
    }

    /// Starts the process anew: facts stay, nobody is attached, every grace runs from now, and an empty room has what is left of
    /// its linger.
    pub fn restart(&mut self, now: Now) {
        self.diary.push(Line { now, what: What::Restarted });
    }

    /// The life of the room; `None` before the first and after the last.
    pub fn epoch(&self) -> Option<Epoch> {
        match &self.facts().first()?.event {
            Event::Created { epoch, .. } => Some(*epoch),
            other => unreachable!("a life begins with its creation, not with {other:?}"),
        }
    }

    /// The last told number; when a life is over, still that of its last event.
    pub fn head(&self) -> Seq {
        facts::of_chapter(self.chapter()).iter().filter_map(|(record, _)| record.seq).max().unwrap_or_default()
    }

    /// The last record of this life.
    pub fn last_offset(&self) -> Offset {
        Offset(self.facts().len() as u64)
    }

    /// What the room is about.
    pub fn topic(&self) -> Topic {
        let topics = self.facts().into_iter().filter_map(|record| match record.event {
            Event::TopicChanged { topic } => Some(topic),
            _ => None,
        });
        topics.last().unwrap_or_default()
    }

    /// Whether joins and leaves are told.
    pub fn notices(&self) -> Notices {
        let changes = self.facts().into_iter().filter_map(|record| match record.event {
            Event::NoticesChanged { notices } => Some(notices),
            _ => None,
        });
        changes.last().unwrap_or(Notices::Told)
    }

    /// Who is in, in the order of their numbers.
    pub fn members(&self) -> Vec<Person> {
        facts::people(&self.facts(), self.limits.former_max).0
    }

    /// One of them.
    pub fn member(&self, id: MemberId) -> Option<Person> {
        self.members().into_iter().find(|person| person.id == id)
    }

    /// The numbers of those who left and may come back to their places, the longest gone first.
    pub fn former(&self) -> Vec<MemberId> {
        facts::people(&self.facts(), self.limits.former_max).1.into_iter().map(|place| place.id).collect()
    }

    /// For whom the owner's seat is held, if it is, and until when; without end where only the host names owners, and for whom it has named. Who was
    /// named and has not come yet has no number.
    pub fn held_seat(&self) -> Option<(Option<MemberId>, Option<Wall>)> {
        seat::seat(&self.facts()).map(|seat| (seat.number, seat.until))
    }

    /// Whether the room stays while nobody is in it.
    pub fn is_kept(&self) -> bool {
        keeping::is_kept(&self.facts())
    }

    /// Whether only the host names owners.
    pub fn is_protected(&self) -> bool {
        seat::is_protected(&self.facts())
    }

    /// As whom a caller may act: a member of the same scope, to which this very attach of the session belongs.
    pub fn member_of(&self, caller: &Caller) -> Option<Person> {
        let presence = self.presence();
        let seat = presence.seats.into_iter().find(|seat| seat.session == caller.session)?;
        let person = self.members().into_iter().find(|person| person.scope == caller.scope())?;
        (seat.attached && seat.generation == caller.generation && seat.member == person.id).then_some(person)
    }

    /// The sessions attached to a member, in their own order.
    pub fn sessions_of(&self, member: MemberId) -> Vec<SessionId> {
        let seats = self.presence().seats.into_iter().filter(|seat| seat.member == member && seat.attached);
        let mut sessions: Vec<SessionId> = seats.map(|seat| seat.session).collect();
        sessions.sort();
        sessions
    }

    /// Who is typing, at most as many as the limits say, in the order of their numbers.
    pub fn typing(&self) -> Vec<MemberId> {
        let mut members: Vec<MemberId> = self.presence().typing.into_iter().map(|(member, _)| member).collect();
        members.sort();
        members.truncate(self.limits.typing_members_max);
        members
    }

    /// How many members have an attached session.
    pub fn online(&self) -> usize {
        self.members().iter().filter(|person| !self.sessions_of(person.id).is_empty()).count()
    }

    /// When the next thing is due by itself.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.presence().deadlines(&self.limits).into_iter().map(|(when, _)| when).min()
    }

    /// Room time.
    pub fn time(&self, now: Now) -> Wall {
        time::time(self.chapter(), now)
    }

    /// All messages of this life that the room itself still remembers, oldest first.
    pub fn marks(&self) -> Vec<Seq> {
        let said = facts::messages(&self.facts());
        said.iter().rev().take(self.limits.marks_max).rev().map(|message| message.seq).collect()
    }

    /// What the log has still to be amended for, oldest first.
    pub fn owed(&self) -> Vec<OwedChange> {
        edits::changes_after_others(&self.facts(), self.limits.changes_max)
    }

    /// What a log would say of a message that the room itself has forgotten: who said it, and whether it was taken back.
    pub fn forgotten(&self) -> Vec<(Seq, MemberId, bool)> {
        let marks = self.marks();
        let said = facts::messages(&self.facts()).into_iter().filter(|message| !marks.contains(&message.seq));
        said.map(|message| (message.seq, message.by.unwrap_or(MemberId::HOST), message.redacted)).collect()
    }

    /// The last event that changed an earlier message; 0 for none.
    pub fn changed_at(&self) -> Seq {
        let (known, floor) = sweeps::changes(&self.facts(), self.limits.changes_max);
        known.last().map_or(floor, |change| change.event())
    }

    /// Where a member came from, as far as that is remembered.
    pub fn networks_of(&self, member: MemberId) -> Vec<NetworkTag> {
        let came = self.presence().came_from.into_iter().filter(|(other, _)| *other == member);
        let networks: Vec<NetworkTag> = came.map(|(_, network)| network).collect();
        networks[networks.len().saturating_sub(NetworkTag::PER_PERSON_MAX)..].to_vec()
    }

    /// The lines since the last life began.
    fn chapter(&self) -> &[Line] {
        let begins = |line: &Line| match &line.what {
            What::Fact { record, .. } => matches!(record.event, Event::Created { .. }),
            _ => false,
        };
        self.diary.iter().rposition(begins).map_or(&[], |start| &self.diary[start..])
    }

    /// The records of this life; none when it is over.
    fn facts(&self) -> Vec<Record> {
        self.facts_as_sent().into_iter().map(|(record, _)| record).collect()
    }

    fn facts_as_sent(&self) -> Vec<Fact> {
        let facts = facts::of_chapter(self.chapter());
        let over = facts.iter().any(|(record, _)| matches!(record.event, Event::Closed { .. }));
        if over { Vec::new() } else { facts }
    }

    fn presence(&self) -> presence::Presence {
        presence::Presence::read(self.chapter(), &self.limits)
    }

    /// Writes the next fact of this life, numbered and stamped as it must be.
    fn add(&mut self, now: Now, told: Told, by: Option<MemberId>, event: Event, as_sent: Option<AsSent>) -> Record {
        // A creation begins everything anew.
        let is_first = matches!(event, Event::Created { .. });
        let before = if is_first { Vec::new() } else { self.facts() };
        let head = before.iter().filter_map(|record| record.seq).max().unwrap_or_default();
        let record = Record {
            offset: Offset(before.len() as u64 + 1),
            seq: (told == Told::Yes).then(|| head.next()),
            at: if is_first { now.wall } else { self.time(now) },
            by,
            event,
        };
        self.write(now, record.clone(), as_sent);
        record
    }

    fn write(&mut self, now: Now, record: Record, as_sent: Option<AsSent>) {
        self.diary.push(Line { now, what: What::Fact { record: Box::new(record), as_sent } });
    }
}

/// Whether members are told of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Yes,
    No,
}

impl From<Notices> for Told {
    fn from(notices: Notices) -> Self {
        match notices {
            Notices::Told => Self::Yes,
            Notices::Counted => Self::No,
            other => unreachable!("the model knows no {other:?}"),
        }
    }
}

impl From<&Reject> for Refusal {
    fn from(reject: &Reject) -> Self {
        Self { code: reject.code, field: reject.field, retry_after: reject.retry_after, until: reject.until }
    }
}

/// The same record with a blank digest, of a text or of a person. The model knows texts and people and never computes a digest, so
/// records are compared without.
pub fn without_digest(record: &Record) -> Record {
    let mut record = record.clone();
    if let Event::Sent { keyed: Some(keyed), .. }
    | Event::Edited { keyed: Some(keyed), .. }
    | Event::Reacted { keyed: Some(keyed), .. } = &mut record.event
    {
        keyed.digest = Digest(0);
    }
    if let Event::BanAdded { person, .. } | Event::Invited { person, .. } | Event::Erased { person, .. } =
        &mut record.event
    {
        *person = PersonHash(0);
    }
    record
}

fn as_sent(input: &Input) -> Option<AsSent> {
    match input {
        Input::Send { said, as_sent, .. } => Some(AsSent::Send(as_sent.as_ref().unwrap_or(said).clone())),
        Input::Edit { target, content, as_sent, .. } => {
            Some(AsSent::Edit { target: *target, content: as_sent.as_ref().unwrap_or(content).clone() })
        }
        Input::Say { name, said, .. } => Some(AsSent::Say { name: name.clone(), said: said.clone() }),
        Input::Invite { identity } => Some(AsSent::Invite(identity.clone())),
        Input::Erase { identity, .. } => Some(AsSent::Erase(identity.clone())),
        Input::React { target, name, on, .. } => Some(AsSent::React { target: *target, name: name.clone(), on: *on }),
        _ => None,
    }
}
