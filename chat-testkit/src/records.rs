//! Legal records: numbered and stamped as a room would, to fill a log without running a room.

use std::fmt;

use chat_core::{
    Body, Color, Content, Data, Digest, Epoch, Event, Key, Keyed, LeaveReason, MemberId, Nick, Notices, Offset, Record,
    Role, RoomCloseReason, Scope, Seq, SessionId, Topic, Wall,
};

/// Writes one life of a room, record after record.
///
/// A clone goes on from the same place: that is how two owners of one room come to write different things after the
/// same tail.
///
/// ```
/// use chat_core::{Epoch, Seq};
/// use chat_testkit::records::Scribe;
///
/// let mut scribe = Scribe::new(Epoch(7));
/// let opening = scribe.opening();
/// assert_eq!(opening.len(), 2, "a creation, which is not told, and a join, which is");
/// assert_eq!(scribe.sent("hello").seq, Some(Seq(2)));
/// ```
#[derive(Clone)]
pub struct Scribe {
    epoch: Epoch,
    offset: Offset,
    seq: Seq,
    at: Wall,
    members: u32,
}

impl Scribe {
    /// Milliseconds between one record and the next.
    const STEP: u64 = 250;

    /// A life of which nothing is written yet.
    pub fn new(epoch: Epoch) -> Self {
        Self { epoch, offset: Offset(0), seq: Seq(0), at: Wall(1_795_370_400_000), members: 0 }
    }

    /// The life that is written.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The last record written; 0 before the first.
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// The last told number written; 0 before the first.
    pub fn head(&self) -> Seq {
        self.seq
    }

    /// What every life begins with: its creation, and the join of its first member.
    pub fn opening(&mut self) -> Vec<Record> {
        let created = self.quiet(None, Event::Created { epoch: self.epoch, salt: 0x5A17 });
        vec![created, self.joined("Ann")]
    }

    /// A join under `nick`; the first one is the owner's.
    ///
    /// # Panics
    /// When `nick` is none that [`Nick::parse`] takes.
    pub fn joined(&mut self, nick: &str) -> Record {
        self.members += 1;
        let nick = nick_of(nick);
        let event = Event::Joined {
            nick_key: nick.key(),
            nick,
            color: Color(((self.members - 1) % Color::COUNT as u32) as u8),
            role: if self.members == 1 { Role::Owner } else { Role::Member },
            scope: Scope::Session(SessionId::new(u128::from(self.members))),
            sees: None,
            data: None,
        };
        self.told(Some(MemberId(self.members)), event)
    }

    /// A message of the first member.
    ///
    /// # Panics
    /// When `text` is none that [`Body::parse`] takes.
    pub fn sent(&mut self, text: &str) -> Record {
        self.sent_with(text, None)
    }

    /// A message of the first member, with a key.
    ///
    /// # Panics
    /// When `text` or `key` is none that [`Body::parse`] or [`Key::parse`] takes.
    pub fn sent_keyed(&mut self, text: &str, key: &str) -> Record {
        let key = Key::parse(key).expect("a valid key");
        self.sent_with(text, Some(Keyed { key, digest: Digest(0xD1CE << 100 | text.len() as u128) }))
    }

    /// A message of the first member with data, and in answer to another.
    ///
    /// # Panics
    /// When `text` or `data` is none that [`Body::parse`] or [`Data::parse`] takes; there may be no text.
    pub fn sent_to(&mut self, text: &str, data: Option<&str>, reply_to: Option<u64>) -> Record {
        let mut record = self.sent(if text.is_empty() { "none" } else { text });
        if let Event::Sent { text: said, data: attached, reply_to: answered, .. } = &mut record.event {
            if text.is_empty() {
                *said = Body::empty();
            }
            *attached = data.map(|data| Data::parse(data, usize::MAX).expect("valid data"));
            *answered = reply_to.map(Seq);
        }
        record
    }

    /// This many messages, `message N` for each number N they get.
    pub fn talk(&mut self, messages: usize) -> Vec<Record> {
        (0..messages).map(|_| self.sent(&format!("message {}", self.seq.next()))).collect()
    }

    /// One record of every kind that a life can hold after its opening, the last of which closes it.
    pub fn every_kind(&mut self) -> Vec<Record> {
        let (ann, bob) = (MemberId(1), MemberId(self.members + 1));
        let mut records = vec![
            self.joined("Bob"),
            self.joined("Cid"),
            self.sent("hello\n\tthere \u{1F44B}"),
            self.sent_keyed("hello again", "c0ffee"),
            self.sent_to("", Some("{\"kind\": \"wave\"}"), Some(1)),
        ];
        let target = self.seq;
        let scope = Scope::Session(SessionId::new(u128::from(bob.0)));
        records.extend([
            self.told(Some(ann), edited(target, "edited", 1)),
            self.told(Some(ann), Event::Redacted { target }),
            self.told(Some(ann), Event::TopicChanged { topic: Topic::parse("Lunch \u{2615}").expect("a valid topic") }),
            self.quiet(Some(ann), Event::Banned { scope }),
            self.told(Some(ann), Event::Kicked { member: bob, nick: nick_of("Bob"), ban: None }),
            self.told(None, Event::NoticesChanged { notices: Notices::Counted }),
            self.quiet(Some(ann), Event::Left { nick: nick_of("Ann"), reason: LeaveReason::Timeout, held: None }),
            self.told(None, Event::RoleChanged { member: MemberId(bob.0 + 1), role: Role::Owner }),
            self.quiet(None, Event::Closed { cause: RoomCloseReason::Host }),
        ]);
        records
    }

    /// A record that members are told, with the next number.
    pub fn told(&mut self, by: Option<MemberId>, event: Event) -> Record {
        self.seq = self.seq.next();
        self.write(Some(self.seq), by, event)
    }

    /// A record that nobody is told.
    pub fn quiet(&mut self, by: Option<MemberId>, event: Event) -> Record {
        self.write(None, by, event)
    }

    /// An edit of a message of the first member.
    ///
    /// # Panics
    /// When `text` is none that [`Body::parse`] takes.
    pub fn edited(&mut self, target: Seq, text: &str, n: u32) -> Record {
        self.told(Some(MemberId(1)), edited(target, text, n))
    }

    fn sent_with(&mut self, text: &str, keyed: Option<Keyed>) -> Record {
        let text = Body::parse(text, usize::MAX).expect("a valid text");
        self.told(
            Some(MemberId(1)),
            Event::Sent {
                nick: nick_of("Ann"),
                color: Color(0),
                text,
                keyed,
                amended: None,
                data: None,
                reply_to: None,
            },
        )
    }

    fn write(&mut self, seq: Option<Seq>, by: Option<MemberId>, event: Event) -> Record {
        self.offset = self.offset.next();
        self.at = Wall(self.at.0 + Self::STEP);
        Record { offset: self.offset, seq, at: self.at, by, event }
    }
}

impl fmt::Debug for Scribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scribe({} at {:?}, {:?})", self.epoch, self.offset, self.seq)
    }
}

fn edited(target: Seq, text: &str, n: u32) -> Event {
    let content = Content::text(Body::parse(text, usize::MAX).expect("a valid text"));
    Event::Edited { target, content: Some(content), n, keyed: None }
}

fn nick_of(text: &str) -> Nick {
    Nick::parse(text).expect("a valid nick")
}
