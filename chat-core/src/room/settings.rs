//! What the settings of a room come to: its topic, who gets in, who speaks, how often, and what newcomers see.

use std::time::Duration;

use super::decide::Rules;
use super::decision::Decision;
use super::input::Actor;
use super::members::Member;
use super::permissions::Standing;
use crate::domain::{Event, RecordVersion, SettingsChange};
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::types::{NewcomersSee, Reject, RejectCode, SecretHash, Seq, Topic, millis};

impl Rules<'_> {
    /// Says what the room is about.
    pub(super) fn set_topic(self, by: &Actor, topic: &Topic) -> Result<Decision, Reject> {
        let standing = self.standing(by)?;
        standing.may_moderate()?;
        if topic == self.ledger.topic() {
            return Ok(self.nothing_to_do());
        }
        Ok(self.done(standing.by(), Event::TopicChanged { topic: topic.clone() }))
    }

    /// What is named is merged into what is set; the event has it whole.
    pub(super) fn change_settings(self, by: &Actor, change: &SettingsChange<SecretHash>) -> Result<Decision, Reject> {
        let standing = self.standing(by)?;
        standing.may_set(change)?;
        if self.writes < RecordVersion::PERSONS {
            let message = "rooms have settings once no program writes to this log that cannot read them";
            return Err(Reject::new(RejectCode::Unavailable, message).retry_after(SETTINGS_RETRY));
        }
        self.check_settings(change)?;
        let settings = self.ledger.settings().with(change);
        if settings == *self.ledger.settings() {
            return Ok(self.nothing_to_do());
        }
        Ok(self.done(standing.by(), Event::SettingsChanged { settings }))
    }

    /// Whether what is to be set is within its bounds.
    pub(super) fn check_settings(self, change: &SettingsChange<SecretHash>) -> Result<(), Reject> {
        let slow_max = millis(self.limits.slow_max);
        if change.slow_ms.is_some_and(|wait| u64::from(wait) > slow_max) {
            return Err(Reject::too_long("slow_ms", slow_max, "milliseconds"));
        }
        Ok(())
    }

    /// Whether somebody gets in whom the room does not know, neither as a member nor by their place, and whom nobody has invited.
    pub(super) fn admit_newcomer(self, shown: Option<SecretHash>) -> Result<(), Reject> {
        let settings = self.ledger.settings();
        let is_locked = settings.locked;
        #[cfg(feature = "fault_injection")]
        let is_locked = is_locked && !fault_injection::is(Bug::IgnoreLock);
        if is_locked {
            return Err(Reject::new(RejectCode::RoomLocked, "the room is locked: nobody new gets in"));
        }
        if settings.secret.is_some() && shown != settings.secret {
            let message = match shown {
                None => "the room asks newcomers for a secret",
                Some(_) => "the room asks newcomers for a secret, and this is not it",
            };
            let reject = Reject::new(RejectCode::SecretWrong, message);
            return Err(Reject { field: Some("secret"), ..reject });
        }
        Ok(())
    }

    /// Whether the join of somebody new can say what they see.
    pub(super) fn check_says_what_newcomers_see(self) -> Result<(), Reject> {
        let settings = self.ledger.settings();
        if !self.says_floor() && !matches!(settings.history, None | Some(NewcomersSee::All)) {
            // Their join could not say that they do not see everything.
            let message = "what newcomers see of this room cannot be written down now";
            return Err(Reject::new(RejectCode::Unavailable, message).retry_after(SETTINGS_RETRY));
        }
        Ok(())
    }

    /// Whether a member may say something now. Asked of what is new only: a retry says nothing.
    pub(super) fn check_may_speak(self, member: &Member) -> Result<(), Reject> {
        let settings = self.ledger.settings();
        if settings.slow_ms == 0 && !settings.read_only {
            return Ok(());
        }
        let standing = Standing::Member { id: member.id, role: member.role, sees: member.sees };
        standing.may_speak(settings.read_only)?;
        let until = self.ledger.spoke_last(member.id).map(|last| last.after(settings.slow_wait()));
        let left = until.map_or(Duration::ZERO, |until| until.since(self.at()));
        if !left.is_zero() && standing.is_held_by_slow_mode() {
            return Err(Reject::new(RejectCode::RateLimited, "the room is in slow mode").retry_after(left));
        }
        Ok(())
    }

    /// Up to where somebody new learns nothing of what was said: as the room has it, else as the limits do.
    pub(super) fn floor_of_newcomer(self) -> Seq {
        let head = self.ledger.head();
        match self.ledger.settings().history.unwrap_or(self.limits.newcomers_see) {
            NewcomersSee::All => Seq(0),
            NewcomersSee::Last(count) => self.ledger.marks().floor_of_last(count as usize, head),
            NewcomersSee::Nothing => head,
        }
    }
}

/// When to try again what only later records can say. 10 s: as where others have to go first.
const SETTINGS_RETRY: Duration = Duration::from_secs(10);
