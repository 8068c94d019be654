//! What travels between two servers, and its bytes: a version, and one value in JSON.
//!
//! A follower of a room says whom it has there and what they ask; the owner says what has come of it. Nothing here is the truth of a room:
//! that is its log, and whoever misses a parcel reads it there.

use std::ops::RangeInclusive;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use crate::domain::Record;
use crate::room::{Answer, Caller, Input, Note};
use crate::types::{
    Epoch, Generation, Identity, MemberId, NetworkTag, Nick, Offset, Reject, RoomCode, SessionId, Wall, checked,
};

/// A session that is attached to a room at the server which says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attachment {
    /// The session whose connection it is.
    pub(crate) session: SessionId,
    /// Which of its attaches.
    pub(crate) generation: Generation,
    /// As whom.
    pub(crate) member: MemberId,
    /// The record of the join since which they are.
    pub(crate) begun: Offset,
    /// Where it comes from, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<NetworkTag>,
}

/// What has happened in a room, in the order in which its owner published it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Feed {
    /// The room, by its code.
    #[serde(deserialize_with = "checked")]
    pub(crate) room: RoomCode,
    /// The term under which its owner has it: what another owner says later has a higher one.
    pub(crate) term: u64,
    /// After which record all that is in no record begins anew, where it does: what is noted from there on is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fresh: Option<Offset>,
    /// Which incarnation; nothing where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Option<Epoch>,
    /// The record that stands before the first of these.
    pub(crate) after: Offset,
    /// What was logged since, one after the other.
    pub(crate) records: Vec<Record>,
    /// What passed beside the log, each with the last record before it.
    pub(crate) notes: Vec<(Offset, Note)>,
}

/// What was decided of something that another server asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decided {
    /// The number of the `Ask`.
    pub(crate) number: u64,
    /// In which incarnation; nothing where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Option<Epoch>,
    /// After which record of it.
    pub(crate) after: Offset,
    /// What it was.
    #[serde(with = "verdict")]
    pub(crate) verdict: Result<Answer, Reject>,
    /// Of somebody who has asked to come in and was refused: the connection of the same session that is newer than theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) newer: Option<Generation>,
}

/// What one server says to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Parcel {
    /// To the owner: tell what happens in this room, and begin with where it is. These are attached here, and nobody else.
    Follow {
        /// The room, by its code.
        #[serde(deserialize_with = "checked")]
        room: RoomCode,
        /// In which incarnation; nothing where nobody is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
        /// Everybody who is.
        attached: Vec<Attachment>,
        /// Sessions that have asked to come in, and wait for the answer: whoever of them is in by now is attached here, too.
        awaited: Vec<(SessionId, Generation)>,
    },
    /// To the owner: decide this.
    Ask {
        /// The room, by its code.
        #[serde(deserialize_with = "checked")]
        room: RoomCode,
        /// The asking server's own number for it, which the answer names.
        number: u64,
        /// Whether the asking server follows the room, as far as it knows; where it does not, it is told the room afresh.
        follows: bool,
        /// What is to be decided.
        input: Box<Input>,
    },
    /// To the owner: a session has lost its connection here.
    Detach {
        /// The room, by its code.
        #[serde(deserialize_with = "checked")]
        room: RoomCode,
        /// The session whose connection it was.
        session: SessionId,
        /// Which of its attaches.
        generation: Generation,
    },
    /// To the owner: a session has ended, and leaves the room.
    End {
        /// The room, by its code.
        #[serde(deserialize_with = "checked")]
        room: RoomCode,
        /// The session, and the person it is.
        by: Caller,
        /// Whether all sessions of the person were.
        whole: bool,
    },
    /// To the owner: nobody is in this room here any more.
    Unfollow {
        /// The room, by its code.
        #[serde(deserialize_with = "checked")]
        room: RoomCode,
    },
    /// From the owner, to whoever follows.
    Feed(Box<Feed>),
    /// From the owner: what was decided of what this server asked.
    Answers {
        /// The room, by its code.
        #[serde(deserialize_with = "checked")]
        room: RoomCode,
        /// Whether what they rest on comes in the next `Feed`: who has asked hears of it as that is played.
        ahead: bool,
        /// In the order in which they were decided.
        answers: Vec<Decided>,
    },
    /// From whom the asking server takes for the owner: of these nothing was decided, nor will be.
    Undecided {
        /// The room, by its code.
        #[serde(deserialize_with = "checked")]
        room: RoomCode,
        /// The numbers under which they were asked.
        numbers: Vec<u64>,
    },
    /// To every other server: sessions were ended for good, as the log has it. It is answered with `EndHeard`.
    Ended {
        /// The number that the answer names.
        number: u64,
        /// Whose they are.
        who: ParcelWho,
        /// All of theirs up to this one.
        through: SessionId,
        /// For how long that is remembered, in milliseconds since 1970.
        until: Wall,
    },
    /// To every other server: something that a person was admitted for is taken back. It is answered with `EndHeard`.
    Revoked {
        /// The number that the answer names.
        number: u64,
        /// Whose it was.
        identity: Identity,
        /// What.
        what: ParcelRevoked,
    },
    /// To every other server: which sessions of a person are there? It is answered with `SessionsAre`.
    SessionsOf {
        /// The number that the answer names.
        number: u64,
        /// Whose.
        identity: Identity,
    },
    /// To the server that has asked: these are here.
    SessionsAre {
        /// The number that was named.
        number: u64,
        /// In the order in which they began.
        sessions: Vec<ParcelSession>,
        /// Whether there are more than are named.
        more: bool,
    },
    /// To every other server: whoever of a person is connected there comes into a room. It is answered with `Added`.
    Add {
        /// The number that the answer names.
        number: u64,
        /// Who, and where.
        whom: Whom,
    },
    /// To the server that has asked: they have come in, as far as they are connected here.
    Added {
        /// The number that was named.
        number: u64,
        /// How many sessions are in.
        attached: u32,
        /// Why one is not, where one is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<Reject>,
    },
    /// To the server that has said so: nobody comes back to those here, and what was taken back counts no more.
    EndHeard {
        /// The number that was named.
        number: u64,
    },
    /// To a server whose link is up: sessions may have been ended here that it has not been told of. The log has them.
    ReadEnded {},
    /// To the server that a session was connected to: a newer connection of it has come in elsewhere.
    Replaced {
        /// The session.
        session: SessionId,
        /// Which attach the older connection is.
        generation: Generation,
    },
}

/// A session of a person at the server that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParcelSession {
    /// Which one.
    pub(crate) session: SessionId,
    /// Whether it has a connection there.
    pub(crate) is_connected: bool,
    /// The rooms that it is in, or comes back to, by their codes.
    #[serde(deserialize_with = "checked")]
    pub(crate) rooms: Vec<RoomCode>,
}

/// Somebody whom the host adds to a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whom {
    /// The person.
    pub(crate) identity: Identity,
    /// The room, by its code.
    #[serde(deserialize_with = "checked")]
    pub(crate) room: RoomCode,
    /// What they are called there, where the policy does not say it.
    #[serde(default, deserialize_with = "checked", skip_serializing_if = "Option::is_none")]
    pub(crate) nick: Option<Nick>,
}

/// Whose sessions were ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ParcelWho {
    /// One session.
    Session(SessionId),
    /// A person's.
    Person(Identity),
}

/// What is taken back of an admission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ParcelRevoked {
    /// All of it.
    All,
    /// All rooms but these, by their codes.
    RoomsBut(#[serde(deserialize_with = "checked")] Vec<RoomCode>),
    /// The role.
    Role,
}

/// Bytes that are no parcel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadParcel {
    /// There are more than any parcel has.
    #[error("a parcel of {0} bytes is too long")]
    TooLong(usize),
    /// A later program has written it, or no program of ours.
    #[error("a parcel of version {0} is not known here")]
    Version(u8),
    /// It holds something that is not known here, or that may not be there.
    #[error("a parcel that cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// How parcels are written; another way has another number.
const VERSION: u8 = 1;

/// Versions of what servers tell each other that this program reads; it writes the last of them. A program that writes a later one reads the one
/// before for as long as servers of both may be side by side.
pub const PARCELS: RangeInclusive<u8> = VERSION..=VERSION;

impl Parcel {
    /// The most bytes of one. 32 MiB: a batch of the largest messages, and everybody who is attached to a room of 20,000 with eight devices each.
    pub(crate) const BYTES_MAX: usize = 32 << 20;

    /// Its bytes. That they are not too many is for whoever puts so much into one parcel to see.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        serde_json::to_writer(&mut bytes, self).expect("a parcel has no keys but names, and memory takes all bytes");
        bytes
    }

    /// Reads the bytes of one.
    ///
    /// # Errors
    /// They are no parcel, or not one that this program knows all of. Passed over is only what records and refusals say beyond what is known.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadParcel> {
        if bytes.len() > Self::BYTES_MAX {
            return Err(BadParcel::TooLong(bytes.len()));
        }
        match bytes {
            // What stands around a value is no part of it, and JSON's spaces would be passed over.
            [VERSION, json @ ..] if json.starts_with(b"{") && json.ends_with(b"}") => {
                let parcel = serde_json::from_slice(json)?;
                if let Self::Feed(feed) = &parcel {
                    feed.check().map_err(serde_json::Error::custom)?;
                }
                Ok(parcel)
            }
            [VERSION, ..] | [] => Err(serde_json::Error::custom("it is not one object").into()),
            [other, ..] => Err(BadParcel::Version(*other)),
        }
    }
}

impl Feed {
    /// A room takes one record after the other, and nothing else: what is not in order is a hole, and no feed has one inside.
    fn check(&self) -> Result<(), &'static str> {
        let mut last = self.after.0;
        for record in &self.records {
            last = last.checked_add(1).ok_or("its records are too many")?;
            if record.offset != Offset(last) {
                return Err("its records do not follow one another");
            }
        }
        let mut before = self.after;
        for (offset, _) in &self.notes {
            if *offset < before || offset.0 > last {
                return Err("its notes do not lie among its records");
            }
            before = *offset;
        }
        Ok(())
    }
}

/// An answer or a refusal.
mod verdict {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Answer, Reject};

    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Told<'a> {
        Answer(&'a Answer),
        Reject(&'a Reject),
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Read {
        Answer(Answer),
        Reject(Reject),
    }

    pub(super) fn serialize<S: Serializer>(verdict: &Result<Answer, Reject>, serializer: S) -> Result<S::Ok, S::Error> {
        match verdict {
            Ok(answer) => Told::Answer(answer),
            Err(reject) => Told::Reject(reject),
        }
        .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Result<Answer, Reject>, D::Error> {
        Ok(match Read::deserialize(deserializer)? {
            Read::Answer(answer) => Ok(answer),
            Read::Reject(reject) => Err(reject),
        })
    }
}

#[cfg(test)]
mod tests;
