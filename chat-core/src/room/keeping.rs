//! The rules of rooms that the host makes, and of those that it keeps while nobody is in them.

use super::decide::Rules;
use super::decision::{Answer, Decision, Note};
use super::draft::Draft;
use crate::domain::{Event, RecordVersion, RoomCloseReason, RoomOptions, Settings};
use crate::types::{Epoch, Reject, RejectCode, Scope, SecretHash};

impl Rules<'_> {
    /// Begins an incarnation that nobody is in yet.
    pub(super) fn found(self, options: &RoomOptions<SecretHash>, epoch: Epoch, salt: u64) -> Result<Decision, Reject> {
        let RoomOptions { owner, is_protected, settings, topic } = options;
        self.check_keeps_rooms()?;
        self.check_settings(settings)?;
        let mut draft = Draft::new_life(self.ledger, self.limits, self.now.wall);
        draft.push(None, Event::Created { epoch, salt });
        draft.push(None, Event::Kept { on: true });
        if *is_protected {
            draft.push(None, Event::Protected);
        }
        if let Some(owner) = owner {
            draft.push(None, Event::OwnerNamed { scope: Scope::Identity(owner.clone()) });
        }
        let settings = Settings::default().with(settings);
        if !settings.is_default() {
            draft.push(None, Event::SettingsChanged { settings });
        }
        if !topic.as_str().is_empty() {
            draft.push(None, Event::TopicChanged { topic: topic.clone() });
        }
        let seq = draft.head();
        Ok(draft.finish(None, Answer::Done { seq }))
    }

    /// Has the room stay while nobody is in it, or not any more: where nobody is, it lingers from now on as if the last member had just left.
    pub(super) fn keep(self, on: bool) -> Result<Decision, Reject> {
        if self.ledger.is_kept() == on {
            return Ok(self.nothing_to_do());
        }
        self.check_keeps_rooms()?;
        let mut draft = self.draft();
        let seq = draft.push(None, Event::Kept { on });
        let is_vacant = !on && self.ledger.members_total() == 0;
        if is_vacant && self.limits.empty_linger.is_zero() {
            draft.push(None, Event::Closed { cause: RoomCloseReason::Empty });
            return Ok(draft.finish(None, Answer::Done { seq }));
        }
        Ok(draft.finish(is_vacant.then_some(Note::Elapsed), Answer::Done { seq }))
    }

    fn check_keeps_rooms(&self) -> Result<(), Reject> {
        if self.writes < RecordVersion::PERSONS {
            let message = "not every program on the log of this room knows of rooms that are kept";
            return Err(Reject::new(RejectCode::Unavailable, message));
        }
        Ok(())
    }
}
