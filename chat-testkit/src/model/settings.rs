//! What is set: read off the last record that says it, and what it means for who comes and who speaks.

use std::time::Duration;

use chat_core::{
    Event, MemberId, NewcomersSee, Now, Record, RecordVersion, RejectCode, Role, SecretHash, Settings, SettingsChange,
    Wall,
};

use super::facts::Person;
use super::outcome::refusal;
use super::{Model, Refusal};

impl Model {
    /// What is set.
    pub fn settings(&self) -> Settings {
        let set = self.facts().into_iter().filter_map(|record| match record.event {
            Event::SettingsChanged { settings } => Some(settings),
            _ => None,
        });
        set.last().unwrap_or_default()
    }
}

/// What will be set, if that may be changed by this member, or by the host.
pub(super) fn changed(
    model: &Model,
    actor: Option<&Person>,
    change: &SettingsChange<SecretHash>,
) -> Result<Settings, Refusal> {
    if actor.is_some_and(|person| !moderates(person)) {
        return Err(refusal(RejectCode::Forbidden, None));
    }
    // What was said before somebody came is not for who keeps order to open.
    if actor.is_some_and(|person| person.role != Role::Owner) && change.history.is_some() {
        return Err(refusal(RejectCode::Forbidden, Some("history")));
    }
    if model.writes < RecordVersion::PERSONS {
        return Err(not_written());
    }
    if change.slow_ms.is_some_and(|wait| Duration::from_millis(wait.into()) > model.limits.slow_max) {
        return Err(refusal(RejectCode::TooLong, Some("slow_ms")));
    }
    let mut settings = model.settings();
    if let Some(wait) = change.slow_ms {
        settings.slow_ms = wait;
    }
    if let Some(is_locked) = change.locked {
        settings.locked = is_locked;
    }
    if let Some(is_read_only) = change.read_only {
        settings.read_only = is_read_only;
    }
    if let Some(secret) = change.secret {
        settings.secret = secret;
    }
    if let Some(history) = change.history {
        settings.history = Some(history);
    }
    if let Some(is_listed) = change.listed {
        settings.listed = is_listed;
    }
    Ok(settings)
}

/// Whether somebody comes in who is neither a member nor remembered as one.
pub(super) fn admit(model: &Model, shown: Option<SecretHash>) -> Result<(), Refusal> {
    let settings = model.settings();
    if settings.locked {
        return Err(refusal(RejectCode::RoomLocked, None));
    }
    if settings.secret.is_some_and(|asked| shown != Some(asked)) {
        return Err(refusal(RejectCode::SecretWrong, Some("secret")));
    }
    Ok(())
}

/// Whether the join of who is new can say what they see.
pub(super) fn says_what_newcomers_see(model: &Model) -> Result<(), Refusal> {
    let settings = model.settings();
    let sees_all = settings.history.is_none_or(|history| history == NewcomersSee::All);
    if sees_all || model.writes >= RecordVersion::PERSONS { Ok(()) } else { Err(not_written()) }
}

/// Whether somebody may say something new.
pub(super) fn may_speak(model: &Model, now: Now, sender: &Person) -> Result<(), Refusal> {
    let settings = model.settings();
    if moderates(sender) {
        return Ok(());
    }
    if settings.read_only {
        return Err(refusal(RejectCode::ReadOnly, None));
    }
    let spoke = spoke(&model.facts(), model.limits.slowed_max);
    let last = spoke.iter().find(|(member, _)| *member == sender.id).map(|(_, at)| *at);
    let until = last.map_or(Wall(0), |last| Wall(last.0 + u64::from(settings.slow_ms)));
    if until > model.time(now) {
        let retry_after = Some(Duration::from_millis(until.0 - model.time(now).0));
        return Err(Refusal { retry_after, ..refusal(RejectCode::RateLimited, None) });
    }
    Ok(())
}

/// Whether somebody may change what they said: slow mode counts messages alone.
pub(super) fn may_change_what_was_said(model: &Model, author: &Person) -> Result<(), Refusal> {
    match model.settings().read_only && !moderates(author) {
        true => Err(refusal(RejectCode::ReadOnly, None)),
        false => Ok(()),
    }
}

/// What newcomers see: what was set last, else what the limits say.
pub(super) fn newcomers_see(model: &Model) -> NewcomersSee {
    model.settings().history.unwrap_or(model.limits.newcomers_see)
}

/// Who has spoken since slow mode is on, and when last, those who spoke last behind the others; at most `max`.
fn spoke(facts: &[Record], max: usize) -> Vec<(MemberId, Wall)> {
    let mut spoke: Vec<(MemberId, Wall)> = Vec::new();
    let mut is_slow = false;
    for record in facts {
        match &record.event {
            Event::SettingsChanged { settings } => {
                is_slow = settings.slow_ms > 0;
                if !is_slow {
                    spoke.clear();
                }
            }
            Event::Sent { .. } if is_slow => {
                // Slow mode is nothing to the host.
                let Some(by) = record.by else { continue };
                spoke.retain(|(member, _)| *member != by);
                spoke.push((by, record.at));
                // Of two who spoke at one moment, the one with the lower number counts as the earlier.
                spoke.sort_by_key(|(member, at)| (*at, *member));
                if spoke.len() > max {
                    spoke.remove(0);
                }
            }
            Event::Kicked { member: kicked, .. } => spoke.retain(|(member, _)| member != kicked),
            _ => {}
        }
    }
    spoke
}

fn moderates(person: &Person) -> bool {
    person.role != Role::Member
}

fn not_written() -> Refusal {
    Refusal { retry_after: Some(Duration::from_secs(10)), ..refusal(RejectCode::Unavailable, None) }
}
