//! What messages say, and what becomes of that: data, answers, keys, edits.

use std::time::Duration;

use chat_core::room::{Answer, Caller, Decision, Evidence, OwedChange, OwedEdit, Repeated, SendPermit};
use chat_core::{
    Content, Digest, Event, Key, Keyed, MemberId, Now, Record, RecordVersion, RejectCode, Said, Seq, Wall,
};

use super::facts::{self, Person};
use super::outcome::{decision, member, refusal, seq_of};
use super::owed::{self, is_owed_too_much};
use super::{AsSent, Model, Refusal, Told, settings, sweeps};

/// An edit that is asked for.
pub(super) struct Asked<'a> {
    pub(super) target: Seq,
    pub(super) content: &'a Content,
    pub(super) as_sent: &'a Content,
    pub(super) key: Option<&'a Key>,
    pub(super) permit: SendPermit,
    pub(super) evidence: Option<&'a Evidence>,
}

pub(super) fn edit(model: &Model, now: Now, by: &Caller, asked: Asked<'_>) -> Result<Decision, Refusal> {
    let limits = &model.limits;
    let author = member(model, by)?;
    check(model, asked.content)?;
    let as_sent = AsSent::Edit { target: asked.target, content: asked.as_sent.clone() };
    if let Some(answer) = retry(model, &author, asked.key, &as_sent)? {
        return Ok(decision(Vec::new(), None, answer));
    }
    settings::may_change_what_was_said(model, &author)?;
    paid(asked.permit)?;
    let not_found = || refusal(RejectCode::MessageNotFound, None);
    let shown = asked.evidence.filter(|shown| Some(shown.epoch) == model.epoch()).ok_or_else(not_found)?;
    let (wrote, gone) = sweeps::known_of(model, asked.target, Some(shown)).ok_or_else(not_found)?;
    if asked.target <= author.sees {
        return Err(not_found());
    }
    if wrote != Some(author.id) {
        return Err(refusal(RejectCode::Forbidden, None));
    }
    if gone {
        return Err(not_found());
    }
    if model.time(now) > shown.at.after(limits.edit_window) {
        return Err(refusal(RejectCode::TooLate, None));
    }
    // The log may not have been amended for the last ones.
    let last = edits_owed(&model.facts()).into_iter().rev().find(|(target, ..)| *target == asked.target);
    let last = last.map_or(0, |(_, _, n)| n);
    if asked.key.is_none() && last <= shown.edits && shown.content == *asked.content {
        return Ok(decision(Vec::new(), None, Answer::Done { seq: model.head() }));
    }
    let n = last.max(shown.edits) + 1;
    if n > limits.edits_max {
        return Err(refusal(RejectCode::EditsFull, None));
    }
    check_version(model)?;
    if is_owed_too_much(model, asked.content.bytes()) {
        return Err(Refusal { retry_after: Some(Duration::from_secs(1)), ..refusal(RejectCode::Unavailable, None) });
    }
    let keyed = asked.key.map(|key| Keyed { key: key.clone(), digest: Digest(0) });
    let event = Event::Edited { target: asked.target, content: Some(asked.content.clone()), n, keyed };
    let edited = model.clone().add(now, Told::Yes, Some(author.id), event, Some(as_sent));
    let answer = Answer::Sent { seq: seq_of(&edited), at: edited.at, repeated: Repeated::First };
    Ok(decision(vec![edited], None, answer))
}

/// Whether a message may say this at all.
pub(super) fn check(model: &Model, content: &Content) -> Result<(), Refusal> {
    if content.text.as_str().chars().count() > model.limits.message_chars_max {
        return Err(refusal(RejectCode::TooLong, Some("text")));
    }
    let data = content.data.as_ref().map_or("", |data| data.as_str());
    if data.len() > model.limits.data_bytes_max {
        return Err(refusal(RejectCode::TooLong, Some("data")));
    }
    if content.text.as_str().is_empty() && data.is_empty() {
        return Err(refusal(RejectCode::BadField, Some("text")));
    }
    Ok(())
}

/// Whether somebody may say more than a text.
pub(super) fn check_more(model: &Model, sender: &Person, said: &Said) -> Result<(), Refusal> {
    if let Some(answered) = said.reply_to
        && (answered > model.head() || answered <= sender.sees)
    {
        return Err(refusal(RejectCode::BadField, Some("reply_to")));
    }
    if said.reply_to.is_none() && said.content.data.is_none() { Ok(()) } else { check_version(model) }
}

/// The first answer to the same key of the same person.
pub(super) fn retry(
    model: &Model,
    sender: &Person,
    key: Option<&Key>,
    as_sent: &AsSent,
) -> Result<Option<Answer>, Refusal> {
    let keys = facts::keys(&model.facts_as_sent(), model.limits.keys_per_scope_max, model.limits.keys_max);
    match keys.iter().find(|known| known.scope == sender.scope && Some(&known.key) == key) {
        Some(known) if known.as_sent != *as_sent => Err(refusal(RejectCode::KeyConflict, Some("key"))),
        Some(known) => Ok(Some(Answer::Sent { seq: known.seq, at: known.at, repeated: Repeated::Retry })),
        None => Ok(None),
    }
}

pub(super) fn paid(permit: SendPermit) -> Result<(), Refusal> {
    match permit {
        SendPermit::Paid => Ok(()),
        SendPermit::Exhausted { retry_after } => {
            Err(Refusal { retry_after: Some(retry_after), ..refusal(RejectCode::RateLimited, None) })
        }
    }
}

pub(super) fn check_version(model: &Model) -> Result<(), Refusal> {
    let retry_after = Some(Duration::from_secs(10));
    match model.writes >= RecordVersion::PERSONS {
        true => Ok(()),
        false => Err(Refusal { retry_after, ..refusal(RejectCode::Unavailable, None) }),
    }
}

/// Edits for which the log has not been said to have been amended since: of which message, by which event, and its number.
fn edits_owed(facts: &[Record]) -> Vec<(Seq, Seq, u32)> {
    let owed = owed::changes(facts).into_iter().filter_map(|owed| match owed {
        OwedChange::Edit(OwedEdit { target, change, n, .. }) => Some((target, change, n)),
        _ => None,
    });
    owed.collect()
}

/// What is owed, and of each edit the one before it: as long as it has been known ever since that its message was changed.
pub(super) fn changes_after_others(facts: &[Record], changes_max: usize) -> Vec<OwedChange> {
    let mut owed = owed::changes(facts);
    for owed in &mut owed {
        if let OwedChange::Edit(edit) = owed {
            edit.before = before(facts, edit, changes_max);
        }
    }
    owed
}

fn before(facts: &[Record], edit: &OwedEdit, changes_max: usize) -> Option<Seq> {
    let this = facts.iter().position(|record| record.seq == Some(edit.change))?;
    let is_edit = |record: &Record| matches!(record.event, Event::Edited { target, .. } if target == edit.target);
    let last = facts[..this].iter().rposition(is_edit)?;
    let mut changed = (last..this).filter(|end| sweeps::is_change(&facts[*end].event));
    let is_known = changed.all(|end| sweeps::has_change_of(edit.target, &facts[..=end], changes_max));
    facts[last].seq.filter(|_| is_known)
}

/// A message as it stands.
struct Standing {
    by: MemberId,
    at: Wall,
    content: Content,
    edits: u32,
    is_taken_back: bool,
}

fn standing(facts: &[Record], message: Seq) -> Option<Standing> {
    let said = facts.iter().find(|record| record.seq == Some(message))?;
    let Event::Sent { text, data, .. } = &said.event else { return None };
    let mut content = Content::text(text.clone()).with_data(data.clone());
    let mut edits = 0;
    for record in facts {
        if let Event::Edited { target, content: Some(now), n, .. } = &record.event
            && *target == message
        {
            (content, edits) = (now.clone(), *n);
        }
    }
    let is_taken_back = facts::messages(facts).into_iter().any(|other| other.seq == message && other.redacted);
    Some(Standing { by: said.by.unwrap_or(MemberId::HOST), at: said.at, content, edits, is_taken_back })
}

impl Model {
    /// What a log says of a message. One that is late has not been amended for what is owed.
    pub fn evidence(&self, message: Seq, is_late: bool) -> Option<Evidence> {
        let facts = self.facts();
        let owed = owed::changes(&facts);
        let first = owed.first().filter(|_| is_late).map(OwedChange::change);
        let is_before = |record: &&Record| first.is_none_or(|first| record.seq.is_none_or(|seq| seq < first));
        let known: Vec<Record> = facts.iter().filter(is_before).cloned().collect();
        // A message that was said since is as it was said.
        let standing = standing(&known, message).or_else(|| {
            let said: Vec<Record> = facts.iter().filter(|record| record.seq == Some(message)).cloned().collect();
            standing(&said, message)
        })?;
        let Standing { by, at, content, edits, is_taken_back } = standing;
        let as_of = first.map_or(self.head(), |first| Seq(first.0 - 1));
        Some(Evidence { epoch: self.epoch()?, by, at, content, edits, is_taken_back, as_of })
    }
}
