//! What happened in a room: the events its log holds, in one order.

use serde::{Deserialize, Serialize};

use super::ban::BanTerm;
use super::content::Content;
use super::reaction::Reaction;
use super::settings::Settings;
use crate::types::{
    BanId, Body, Color, Data, Epoch, Key, MemberId, NetworkTag, Nick, NickKey, Offset, PersonData, PersonHash,
    ReactionName, Scope, Seq, SessionId, Topic, Wall, stored_person_data, stored_person_data_change,
};

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Created the room, was handed it, or has followed its owner: may kick, ban, redact, set the topic, and say who is what.
    Owner,
    /// Was made one by the owner: may kick, ban, redact and set the topic, but nothing against the owner or another moderator.
    Moderator,
    /// Everybody else.
    Member,
}

impl Role {
    /// Whether it is above another one. Nobody acts on an equal or a higher role.
    pub fn is_above(self, other: Self) -> bool {
        self.rank() > other.rank()
    }

    /// The higher, the more they may do.
    fn rank(self) -> u8 {
        match self {
            Self::Owner => 2,
            Self::Moderator => 1,
            Self::Member => 0,
        }
    }
}

/// Why a membership ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeaveReason {
    /// The member asked to.
    Left,
    /// The connection was lost for longer than the grace.
    Timeout,
}

/// Whether joins and leaves are told one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notices {
    /// Each is told.
    Told,
    /// They are recorded quietly, and only counted for members.
    Counted,
}

/// Why an incarnation of a room ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RoomCloseReason {
    /// Its last member had left.
    Empty,
    /// The embedder closed it.
    Host,
    /// Something inside the server failed, and no log has the room. Told, and never logged.
    Fault,
}

/// A salted hash of a text, to tell a retry from another message under the same key. SipHash-1-3, 128 bits.
///
/// Stored as its upper and lower half: serde cannot read a `u128` back from inside a tagged enum such as [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "[u64; 2]", into = "[u64; 2]")]
pub struct Digest(pub u128);

impl From<[u64; 2]> for Digest {
    fn from([upper, lower]: [u64; 2]) -> Self {
        Self(u128::from(upper) << 64 | u128::from(lower))
    }
}

impl From<Digest> for [u64; 2] {
    fn from(Digest(bits): Digest) -> Self {
        [(bits >> 64) as u64, bits as u64]
    }
}

/// The key of a send, with what is needed to recognise the retry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed {
    /// As the client made it.
    pub key: Key,
    /// Of what the client sent, before any policy rewrote it.
    pub digest: Digest,
}

/// What was made of a message's record after it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Amended {
    /// The number of the last event that changed it; 0 where none did, and only its reactions were written into it.
    pub change: Seq,
    /// How often it has been edited.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub n: u32,
    /// Whether it was taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken_back: bool,
    /// What it had been reacted to with when it took no more reactions; what a message that was taken back has none of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
}

fn is_none(message: &Seq) -> bool {
    *message == Seq(0)
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Something that happened in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// An incarnation of the room began. Never told: the first join follows at once, or what the host says of a room that it makes.
    Created {
        /// The incarnation.
        epoch: Epoch,
        /// Salt of this incarnation's digests; drawn by the engine.
        salt: u64,
    },
    /// Somebody became a member: the record's `by`.
    Joined {
        /// The name shown.
        nick: Nick,
        /// What the name looks like; stored, because the tables it comes from change.
        nick_key: NickKey,
        /// The member's colour.
        color: Color,
        /// What they may do.
        role: Role,
        /// Who they are to the room.
        scope: Scope,
        /// Their floor: they see no message up to this number. Not said by programs that showed everybody all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sees: Option<Seq>,
        /// What they show beside their name. Not said by programs that knew nothing of the kind.
        #[serde(default, deserialize_with = "stored_person_data", skip_serializing_if = "Option::is_none")]
        data: Option<PersonData>,
    },
    /// The record's `by` stopped being a member.
    Left {
        /// The name shown until now: a record says all that its frame needs, whoever reads it later.
        nick: Nick,
        /// By their own will, or because their grace ran out.
        reason: LeaveReason,
        /// Until when, in room time, the room is still theirs who was its owner: if they come back, they are the owner again. Nothing where it
        /// was handed on at once, or was not theirs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<Wall>,
    },
    /// The record's `by` said something; where that is nobody, the host did.
    Sent {
        /// The sender's name at that time.
        nick: Nick,
        /// The sender's colour. The host has none: it stands there as 0, and is not told.
        color: Color,
        /// As it is now; empty once it was taken back and the log has forgotten it, and where there is data alone.
        text: Body,
        /// How a retry is recognised.
        keyed: Option<Keyed>,
        /// What was made of it since it was said; nothing in a record as it is first written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amended: Option<Box<Amended>>,
        /// What a program has attached to it, as it is now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
        /// The number of the message that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<Seq>,
    },
    /// A message says something else from now on; by its author.
    Edited {
        /// The number of the message.
        target: Seq,
        /// What it says; nothing once a later change has superseded this one, and the log has forgotten it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<Content>,
        /// How often it has been edited, with this.
        n: u32,
        /// How a retry is recognised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keyed: Option<Keyed>,
    },
    /// A message was taken back.
    Redacted {
        /// The number of the message.
        target: Seq,
    },
    /// Somebody reacted to a message with a name, or does not any more: the record's `by`.
    Reacted {
        /// The number of the message.
        target: Seq,
        /// What they reacted with.
        name: ReactionName,
        /// Whether they do from now on.
        on: bool,
        /// How many people do, with this.
        count: u32,
        /// How a retry is recognised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keyed: Option<Keyed>,
    },
    /// The log has been amended for all that was taken back or edited, and for the reactions that were frozen, up to here. Never told.
    Settled {
        /// The number of the last event for which it has been amended.
        through: Seq,
        /// The newest message whose reactions have been written into its record; 0 for none. Said by its number: which messages take no more is
        /// a bound's to say, and who reads this back may have another.
        #[serde(default, skip_serializing_if = "is_none")]
        frozen: Seq,
    },
    /// A member was put out.
    Kicked {
        /// The member, by number.
        member: MemberId,
        /// The name shown until now.
        nick: Nick,
        /// Whether they are kept out, and until when. Not said by programs that knew bans for ever alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ban: Option<BanTerm>,
    },
    /// A person is kept out from now on, for ever. Never told: the kick that comes with it is. What programs wrote before
    /// [`Event::BanAdded`], and still write where not every program can read that.
    Banned {
        /// The person, by identity; a guest by session.
        scope: Scope,
    },
    /// A person is kept out from now on. Never told: the kick that comes with it is, where they are there.
    BanAdded {
        /// The number of the ban.
        ban: BanId,
        /// The person.
        person: PersonHash,
        /// The number that they have, or had.
        member: MemberId,
        /// The name last shown, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nick: Option<Nick>,
        /// Until when, in room time; for ever where there is no such moment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Wall>,
        /// Where they came from: whoever comes from there without an identity is kept out, too. At most
        /// [`NetworkTag::PER_PERSON_MAX`].
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        networks: Vec<NetworkTag>,
    },
    /// A ban has ended before its time. Never told.
    BanLifted {
        /// The number of the ban.
        ban: BanId,
    },
    /// All that was said under a number, in a range of events, was taken back.
    Swept {
        /// Whose messages, by number.
        member: MemberId,
        /// The first event of the range.
        from: Seq,
        /// The last event of the range.
        to: Seq,
    },
    /// What a member is shown as was changed: by themselves, or by the embedder. What they said before keeps the name it was said under.
    MemberChanged {
        /// The member, by number.
        member: MemberId,
        /// The name from now on, where it is another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nick: Option<Nick>,
        /// What that name looks like; there where the name is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nick_key: Option<NickKey>,
        /// What they show beside it from now on, where that is something else; nothing in it for nothing.
        #[serde(default, deserialize_with = "stored_person_data_change", skip_serializing_if = "Option::is_none")]
        data: Option<Option<PersonData>>,
    },
    /// What the room is about was changed.
    TopicChanged {
        /// The new topic; empty for none.
        topic: Topic,
    },
    /// What is set for the room was changed.
    SettingsChanged {
        /// All that holds from now on.
        settings: Settings,
    },
    /// What a member may do was changed. The member may have left, and still have their place.
    RoleChanged {
        /// The member, by number.
        member: MemberId,
        /// The role from now on.
        role: Role,
    },
    /// From now on only the host says who is the owner, for as long as this incarnation lives. Never told.
    Protected,
    /// From now on the room stays while nobody is in it, or does not any more. Never told.
    Kept {
        /// Whether it stays.
        on: bool,
    },
    /// The owner's seat is held for somebody who has not been here yet, until they come or another is made the owner. Never told.
    OwnerNamed {
        /// The person, by identity.
        scope: Scope,
    },
    /// A person may come in once, as long as that holds, although the room lets nobody new in: until they do, or are banned. Never told.
    Invited {
        /// The person.
        person: PersonHash,
        /// Until when, in room time.
        until: Wall,
    },
    /// The host has had a person erased: what the room remembers of them is gone, and the log has still to be made to name them no more in its
    /// records up to this one. Never told.
    Erased {
        /// The person; once the log has been made to, whoever stands for them.
        person: PersonHash,
        /// Who stands for them in records: a session that there never was, the same in all rooms that one erasure looks at.
        alias: SessionId,
        /// Under which numbers they are known here, in order; at most [`Event::ERASED_NUMBERS_MAX`].
        members: Vec<MemberId>,
    },
    /// The log names those no more who were erased by records up to this one. Never told.
    Scrubbed {
        /// The record.
        through: Offset,
    },
    /// From now on joins and leaves are told, or are not: members should ask for the list again.
    NoticesChanged {
        /// What holds from now on.
        notices: Notices,
    },
    /// The incarnation of the room ended. Never told as an event: subscriptions end with the cause.
    Closed {
        /// What ended it; members are told so in `room_closed`.
        cause: RoomCloseReason,
    },
}

impl Event {
    /// Numbers that one [`Event::Erased`] names. 16: whoever has had more in one room, because it forgot them in between, is erased in several
    /// steps. No limit of an embedder's: it bounds how many ranges one step takes back.
    pub const ERASED_NUMBERS_MAX: usize = 16;

    /// Whether it is something that a person wrote: what a history shows.
    pub fn is_message(&self) -> bool {
        matches!(self, Self::Sent { .. })
    }

    /// What a message had been reacted to with when it took no more reactions, as far as the log has that in its record.
    pub fn frozen_reactions(&self) -> &[Reaction] {
        match self {
            Self::Sent { amended: Some(amended), .. } => &amended.reactions,
            _ => &[],
        }
    }

    /// Whether it is a message that was taken back, and that the log has forgotten. In the records of earlier programs only the missing
    /// text says so; they had no messages of data alone.
    pub fn is_taken_back(&self) -> bool {
        match self {
            Self::Sent { text, amended, data, .. } => {
                let is_empty = text.as_str().is_empty() && data.is_none();
                amended.as_ref().map_or(is_empty, |amended| amended.taken_back)
            }
            _ => false,
        }
    }

    /// Which edit says what the row of a message says now, if one does.
    #[cfg(feature = "engine")]
    pub(crate) fn standing_edit(&self) -> Option<Seq> {
        match self {
            Self::Sent { amended: Some(amended), .. } if amended.n > 0 && !amended.taken_back => Some(amended.change),
            _ => None,
        }
    }
}

/// One record of a room's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number in the log: dense from 1.
    pub offset: Offset,
    /// Its number among what members are told: dense from 1. `None` for a record nobody is told.
    pub seq: Option<Seq>,
    /// When; never earlier than the record before.
    pub at: Wall,
    /// The member who did it; `None` for the embedder and for rules.
    pub by: Option<MemberId>,
    /// What happened.
    pub event: Event,
}

impl Record {
    /// Whether it is a message of the host's.
    pub fn is_of_host(&self) -> bool {
        self.by.is_none() && self.event.is_message()
    }

    /// Whose membership it ends, if anybody's. The end of an incarnation ends all of them, and is nobody's in particular.
    pub fn leaver(&self) -> Option<MemberId> {
        match &self.event {
            Event::Left { .. } => self.by,
            Event::Kicked { member, .. } => Some(*member),
            _ => None,
        }
    }
}
