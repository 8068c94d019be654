//! What a log is to make of a record that tells of a person who was erased: it keeps its numbers and its time, and names nobody.

use super::event::{Amended, Event, Record};
use crate::types::{Body, Nick, Offset, PersonHash, Scope, SessionId};

/// One record that is not to tell of a person any more. It can be read and replayed as before: whoever it told of is somebody else, who is called
/// [`Nick::erased`] and was never there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrub {
    /// The number of the record in the log. By that, and not by its number among what is told: not every record is told.
    pub offset: Offset,
    /// Who stands for the person from now on.
    pub alias: SessionId,
    /// The same as a hash, in the room's incarnation.
    pub person: PersonHash,
}

impl Scrub {
    /// Scrubs the record, which is the one that it names. `false` where nothing changes: it has been done, or there is nothing of a person in it.
    /// So every log answers the same, however often it is asked.
    pub fn apply(&self, record: &mut Record) -> bool {
        if record.offset != self.offset {
            return false;
        }
        let before = record.event.clone();
        match &mut record.event {
            Event::Joined { nick, nick_key, scope, data, .. } => {
                *nick = Nick::erased();
                *nick_key = nick.key();
                *scope = Scope::Session(self.alias);
                *data = None;
            }
            Event::Left { nick, .. } | Event::Kicked { nick, .. } => *nick = Nick::erased(),
            Event::MemberChanged { nick, nick_key, data, .. } => {
                if let Some(nick) = nick {
                    *nick = Nick::erased();
                    *nick_key = Some(nick.key());
                }
                if data.is_some() {
                    *data = Some(None);
                }
            }
            Event::Sent { nick, text, keyed, amended, data, reply_to, .. } => {
                (*nick, *keyed) = (Nick::erased(), None);
                (*text, *data, *reply_to) = (Body::scrubbed(), None, None);
                let said = amended.as_deref().cloned().unwrap_or_default();
                *amended = Some(Box::new(Amended { taken_back: true, reactions: Vec::new(), ..said }));
            }
            Event::Edited { content, keyed, .. } => (*content, *keyed) = (None, None),
            Event::Reacted { keyed, .. } => *keyed = None,
            Event::Banned { scope } | Event::OwnerNamed { scope } => *scope = Scope::Session(self.alias),
            // The ban itself stays: its number, its time, and the hash of whom it keeps out.
            Event::BanAdded { nick, networks, .. } => (*nick, *networks) = (None, Vec::new()),
            Event::Invited { person, .. } | Event::Erased { person, .. } => *person = self.person,
            _ => {}
        }
        record.event != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Content, Digest, Keyed, Role};
    use crate::types::{Color, Data, Identity, Key, MemberId, NetworkTag, PersonData, Seq, Wall};

    fn record(event: Event) -> Record {
        Record { offset: Offset(4), seq: Some(Seq(3)), at: Wall(1), by: Some(MemberId(2)), event }
    }

    fn scrub() -> Scrub {
        Scrub { offset: Offset(4), alias: SessionId::new(9), person: PersonHash(5) }
    }

    /// One of every kind that tells of a person, with all that can be in it.
    fn telling() -> Vec<Event> {
        let nick = || Nick::parse("Xaver").expect("a valid nick");
        let keyed = || Some(Keyed { key: Key::parse("xaver-key-1").expect("a valid key"), digest: Digest(3) });
        let scope = || Scope::Identity(Identity::new("xaver@example.org").expect("an identity"));
        let person = || PersonData::parse(r#"{"of":"Xaver"}"#).ok();
        let data = || Data::parse(r#"{"by":"Xaver"}"#, 100).ok();
        let text = || Body::parse("says Xaver", 100).expect("a valid text");
        vec![
            Event::Joined {
                nick: nick(),
                nick_key: nick().key(),
                color: Color(1),
                role: Role::Member,
                scope: scope(),
                sees: Some(Seq(1)),
                data: person(),
            },
            Event::Left { nick: nick(), reason: crate::domain::LeaveReason::Left, held: None },
            Event::Kicked { member: MemberId(2), nick: nick(), ban: None },
            Event::MemberChanged {
                member: MemberId(2),
                nick: Some(nick()),
                nick_key: Some(nick().key()),
                data: Some(person()),
            },
            Event::Sent {
                nick: nick(),
                color: Color(1),
                text: text(),
                keyed: keyed(),
                amended: None,
                data: data(),
                reply_to: Some(Seq(1)),
            },
            Event::Edited {
                target: Seq(2),
                content: Some(Content::text(text()).with_data(data())),
                n: 1,
                keyed: keyed(),
            },
            Event::Banned { scope: scope() },
            Event::OwnerNamed { scope: scope() },
            Event::BanAdded {
                ban: crate::types::BanId(1),
                person: PersonHash(7),
                member: MemberId(2),
                nick: Some(nick()),
                until: None,
                networks: vec![NetworkTag(77_777)],
            },
        ]
    }

    #[test]
    fn nothing_of_the_person_is_left_in_any_record_and_each_is_read_again() {
        for event in telling() {
            let mut scrubbed = record(event);
            assert!(scrub().apply(&mut scrubbed), "{scrubbed:?}");
            let json = serde_json::to_string(&scrubbed).expect("it can be stored");
            for trace in ["aver", "xaver-key", "example.org", "77777"] {
                assert!(!json.to_lowercase().contains(trace), "{trace} in {json}");
            }
            assert_eq!(serde_json::from_str::<Record>(&json).expect("it is read"), scrubbed);
            assert!(!scrub().apply(&mut scrubbed), "a second time");
        }
    }

    #[test]
    fn numbers_times_and_the_ban_itself_stay() {
        for event in telling() {
            let (before, mut after) = (record(event.clone()), record(event));
            scrub().apply(&mut after);
            assert_eq!(
                (before.offset, before.seq, before.at, before.by),
                (after.offset, after.seq, after.at, after.by)
            );
            if let Event::BanAdded { ban, person, member, .. } = after.event {
                assert_eq!((ban.0, person, member), (1, PersonHash(7), MemberId(2)));
            }
        }
    }

    #[test]
    fn only_the_record_that_is_named_is_scrubbed_and_what_tells_of_nobody_stays() {
        let mut other = record(Event::Protected);
        assert!(!scrub().apply(&mut other));
        let mut message = Record { offset: Offset(5), ..record(telling().remove(4)) };
        assert!(!scrub().apply(&mut message));
    }
}
