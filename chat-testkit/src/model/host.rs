//! What the host says: its names, and the keys that are its own.

use chat_core::room::{Answer, Decision, Repeated};
use chat_core::{Color, Content, Digest, Event, Key, Keyed, Nick, Now, RejectCode, Said, Seq};

use super::outcome::{decision, refusal, seq_of};
use super::{AsSent, Model, Refusal, Told, edits, facts};

/// The name of the host's that nobody could tell from this one.
pub(super) fn name_like(model: &Model, nick: &Nick) -> Option<Nick> {
    model.host_names.iter().find(|name| name.key().looks_like(&nick.key())).cloned()
}

pub(super) fn say(model: &Model, now: Now, name: &Nick, said: &Said, key: Option<&Key>) -> Result<Decision, Refusal> {
    let Some(nick) = name_like(model, name) else { return Err(refusal(RejectCode::BadField, Some("name"))) };
    edits::check(model, &said.content)?;
    let facts = model.facts_as_sent();
    let known = facts::host_keys(&facts, model.limits.host_keys_max);
    if let Some(first) = known.iter().find(|known| Some(&known.key) == key) {
        let is_same = match &first.as_sent {
            AsSent::Say { name, said: before } => name_like(model, name).as_ref() == Some(&nick) && before == said,
            _ => false,
        };
        let answer = Answer::Sent { seq: first.seq, at: first.at, repeated: Repeated::Retry };
        return match is_same {
            true => Ok(decision(Vec::new(), None, answer)),
            false => Err(refusal(RejectCode::KeyConflict, Some("key"))),
        };
    }
    if said.reply_to.is_some_and(|answered| answered == Seq(0) || answered > model.head()) {
        return Err(refusal(RejectCode::BadField, Some("reply_to")));
    }
    edits::check_version(model)?;
    let Content { text, data, .. } = said.content.clone();
    let keyed = key.map(|key| Keyed { key: key.clone(), digest: Digest(0) });
    let event = Event::Sent { nick, color: Color(0), text, data, reply_to: said.reply_to, keyed, amended: None };
    let as_sent = AsSent::Say { name: name.clone(), said: said.clone() };
    let told = model.clone().add(now, Told::Yes, None, event, Some(as_sent));
    let answer = Answer::Sent { seq: seq_of(&told), at: told.at, repeated: Repeated::First };
    Ok(decision(vec![told], None, answer))
}
