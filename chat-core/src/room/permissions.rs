//! Who may do what to whom.

use crate::domain::{Role, SettingsChange};
use crate::types::{MemberId, Reject, RejectCode, Seq};

/// What not everybody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Put somebody out, take back what they said, say what the room is about, and set what is set for it.
    Moderate,
    /// Set what newcomers see of what was said: or a moderator with a floor would read what lies before it in a second session.
    SetHistory,
    /// Say who is what.
    Appoint,
}

/// From which role on what may be done. The host may do all of it, to everybody.
const TABLE: [(Act, Role); 3] =
    [(Act::Moderate, Role::Moderator), (Act::SetHistory, Role::Owner), (Act::Appoint, Role::Owner)];

/// As what somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The program the room is embedded in; may do everything.
    Host,
    /// A member, within their role.
    Member {
        /// The member, by number.
        id: MemberId,
        /// Their role.
        role: Role,
        /// The floor of what they see.
        sees: Seq,
    },
}

impl Standing {
    /// Who a record of theirs is by; `None` for the host.
    pub(super) fn by(self) -> Option<MemberId> {
        match self {
            Self::Host => None,
            Self::Member { id, .. } => Some(id),
        }
    }

    /// The floor of what they see; none for the host.
    pub(super) fn sees(self) -> Seq {
        match self {
            Self::Host => Seq(0),
            Self::Member { sees, .. } => sees,
        }
    }

    /// Whether they know of the message with this number: nobody learns of one before their floor, not even by being refused it.
    pub(super) fn knows_of(self, message: Seq) -> bool {
        message > self.sees()
    }

    /// The first event that they know of.
    pub(super) fn first_known(self) -> Seq {
        self.sees().next()
    }

    /// Whether they may do this, to somebody of that role where it is done to somebody: nobody acts on an equal or a higher role.
    pub(super) fn may(self, act: Act, against: Option<Role>) -> Result<(), Reject> {
        let Self::Member { role, .. } = self else { return Ok(()) };
        let (_, least) = TABLE.iter().find(|(of, _)| *of == act).expect("the table has every act");
        if least.is_above(role) {
            return Err(forbidden(match least {
                Role::Owner => "only the owner of the room may do this",
                Role::Moderator | Role::Member => "only the owner or a moderator of the room may do this",
            }));
        }
        match against {
            Some(other) if !role.is_above(other) => {
                Err(forbidden("nobody does this to somebody of the same or a higher role"))
            }
            _ => Ok(()),
        }
    }

    /// Where only those who moderate speak, nobody else does.
    pub(super) fn may_speak(self, is_read_only: bool) -> Result<(), Reject> {
        #[cfg(feature = "fault_injection")]
        let is_read_only = is_read_only && !crate::fault_injection::is(crate::fault_injection::Bug::SpeakReadOnly);
        if is_read_only && self.may_moderate().is_err() {
            return Err(Reject::new(RejectCode::ReadOnly, "only those who moderate the room speak in it now"));
        }
        Ok(())
    }

    /// Slow mode is for everybody but those who moderate.
    pub(super) fn is_held_by_slow_mode(self) -> bool {
        self.may_moderate().is_err()
    }

    /// Who keeps order at all: kicks, bans, takes back what others said, sets the topic, and changes settings.
    pub(super) fn may_moderate(self) -> Result<(), Reject> {
        self.may(Act::Moderate, None)
    }

    /// Who moderates changes settings; what newcomers see, the owner and the host alone.
    pub(super) fn may_set<S>(self, change: &SettingsChange<S>) -> Result<(), Reject> {
        self.may_moderate()?;
        match change.history {
            Some(_) => self.may(Act::SetHistory, None).map_err(|reject| Reject {
                message: "only the owner of the room says what newcomers see of it".into(),
                field: Some("history"),
                ..reject
            }),
            None => Ok(()),
        }
    }

    /// Who moderates may put out anybody but themselves and who is not below them: see [`Standing::may_act_on`].
    pub(super) fn may_put_out(self, member: MemberId) -> Result<(), Reject> {
        self.may_moderate()?;
        match self.by() {
            Some(own) if own == member => Err(Reject::bad_field("member", "to go yourself, leave")),
            _ => Ok(()),
        }
    }

    /// A moderator does nothing to the owner or to another moderator: or one that was made by mistake would lock the owner out.
    pub(super) fn may_act_on(self, other: Role) -> Result<(), Reject> {
        self.may(Act::Moderate, Some(other))
    }

    /// Everybody takes back what they wrote; who moderates, what somebody below them wrote. Whose role is not kept is below all.
    pub(super) fn may_redact(
        self,
        author: MemberId,
        role_of_author: impl FnOnce() -> Option<Role>,
    ) -> Result<(), Reject> {
        if self.by() == Some(author) {
            return Ok(());
        }
        self.may_moderate()?;
        self.may_act_on(role_of_author().unwrap_or(Role::Member))
    }

    /// Everybody shows how a message of their own grows, and nobody of another's, whatever their role.
    pub(super) fn may_grow(self, author: MemberId) -> Result<(), Reject> {
        match self.by() == Some(author) {
            true => Ok(()),
            false => Err(forbidden("only who wrote a message shows how it grows")),
        }
    }

    /// Everybody edits what they wrote, and nobody what others did: nobody has said what they did not.
    pub(super) fn may_edit(self, author: MemberId) -> Result<(), Reject> {
        match self.by() {
            Some(own) if own == author => Ok(()),
            _ => Err(forbidden("a message is edited by who wrote it")),
        }
    }

    /// The owner says who moderates, and who is the owner after them; but in a room that is the host's, the host says who is the owner.
    pub(super) fn may_appoint(self, role: Role, is_protected: bool) -> Result<(), Reject> {
        self.may(Act::Appoint, None)?;
        match self {
            Self::Member { .. } if role == Role::Owner && is_protected => {
                Err(forbidden("only the host says who is the owner of this room"))
            }
            _ => Ok(()),
        }
    }
}

fn forbidden(why: &'static str) -> Reject {
    Reject::new(RejectCode::Forbidden, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NewcomersSee;

    const ROLES: [Role; 3] = [Role::Owner, Role::Moderator, Role::Member];

    fn standing(role: Role) -> Standing {
        Standing::Member { id: MemberId(1), role, sees: Seq(4) }
    }

    fn code(verdict: Result<(), Reject>) -> Option<RejectCode> {
        verdict.err().map(|reject| reject.code)
    }

    #[test]
    fn owners_moderators_and_the_host_moderate_and_no_one_else() {
        let may = ROLES.map(|role| code(standing(role).may_moderate()));
        assert_eq!(may, [None, None, Some(RejectCode::Forbidden)]);
        assert_eq!(code(Standing::Host.may_moderate()), None);
    }

    #[test]
    fn only_the_owner_and_the_host_say_who_is_what() {
        for role in ROLES {
            let may = ROLES.map(|actor| code(standing(actor).may_appoint(role, false)));
            assert_eq!(may, [None, Some(RejectCode::Forbidden), Some(RejectCode::Forbidden)], "{role:?}");
            let is_hosts = code(standing(Role::Owner).may_appoint(role, true)).is_some();
            assert_eq!(is_hosts, role == Role::Owner, "of a room that is the host's, {role:?}");
            assert_eq!(code(Standing::Host.may_appoint(role, true)), None);
        }
    }

    #[test]
    fn who_moderates_changes_settings_and_only_the_owner_and_the_host_what_newcomers_see() {
        let all = [Standing::Host, standing(Role::Owner), standing(Role::Moderator), standing(Role::Member)];
        let slow: SettingsChange<()> = SettingsChange { slow_ms: Some(1), ..SettingsChange::default() };
        let shown = SettingsChange { history: Some(NewcomersSee::All), ..slow };
        let forbidden = Some(RejectCode::Forbidden);
        assert_eq!(all.map(|one| code(one.may_set(&slow))), [None, None, None, forbidden]);
        assert_eq!(all.map(|one| code(one.may_set(&shown))), [None, None, forbidden, forbidden]);
    }

    /// What is done to somebody is done by who is above them, whatever it is.
    #[test]
    fn nobody_acts_on_an_equal_or_a_higher_role() {
        let table = ROLES.map(|actor| ROLES.map(|target| standing(actor).may_act_on(target).is_ok()));
        assert_eq!(table, [[false, true, true], [false, false, true], [false, false, false]]);
        for target in ROLES {
            assert_eq!(code(Standing::Host.may_act_on(target)), None);
            for actor in ROLES {
                let may = standing(actor).may_act_on(target).is_ok();
                assert_eq!(standing(actor).may_redact(MemberId(2), || Some(target)).is_ok(), may);
            }
        }
    }

    #[test]
    fn who_moderates_speaks_in_a_room_that_is_read_only_and_waits_for_nothing() {
        let all = [Standing::Host, standing(Role::Owner), standing(Role::Moderator), standing(Role::Member)];
        assert_eq!(all.map(|one| code(one.may_speak(true))), [None, None, None, Some(RejectCode::ReadOnly)]);
        assert_eq!(all.map(|one| code(one.may_speak(false))), [None; 4]);
        assert_eq!(all.map(Standing::is_held_by_slow_mode), [false, false, false, true]);
    }

    #[test]
    fn nobody_puts_themselves_out() {
        assert_eq!(code(standing(Role::Owner).may_put_out(MemberId(1))), Some(RejectCode::BadField));
        assert_eq!(code(standing(Role::Moderator).may_put_out(MemberId(1))), Some(RejectCode::BadField));
        assert_eq!(code(standing(Role::Owner).may_put_out(MemberId(2))), None);
        assert_eq!(code(Standing::Host.may_put_out(MemberId(1))), None);
        let member = standing(Role::Member).may_put_out(MemberId(1));
        assert_eq!(code(member), Some(RejectCode::Forbidden), "the role is looked at first");
    }

    #[test]
    fn everybody_takes_back_what_they_wrote_and_who_is_gone_for_good_is_below_all() {
        for role in ROLES {
            assert_eq!(code(standing(role).may_redact(MemberId(1), || unreachable!("it is their own"))), None);
        }
        let gone = ROLES.map(|role| code(standing(role).may_redact(MemberId(3), || None)));
        assert_eq!(gone, [None, None, Some(RejectCode::Forbidden)]);
    }

    #[test]
    fn nobody_shows_how_the_message_of_another_grows_whatever_their_role() {
        for role in ROLES {
            assert_eq!(code(standing(role).may_grow(MemberId(1))), None);
            assert_eq!(code(standing(role).may_grow(MemberId(2))), Some(RejectCode::Forbidden));
        }
        assert_eq!(code(Standing::Host.may_grow(MemberId(2))), Some(RejectCode::Forbidden));
    }

    #[test]
    fn nobody_edits_what_somebody_else_wrote_whatever_their_role() {
        for role in ROLES {
            assert_eq!(code(standing(role).may_edit(MemberId(1))), None);
            assert_eq!(code(standing(role).may_edit(MemberId(2))), Some(RejectCode::Forbidden), "{role:?}");
        }
        assert_eq!(code(Standing::Host.may_edit(MemberId(1))), Some(RejectCode::Forbidden));
    }

    #[test]
    fn a_message_up_to_ones_floor_is_not_known() {
        assert_eq!([4, 5].map(|seq| standing(Role::Owner).knows_of(Seq(seq))), [false, true]);
        assert!(Standing::Host.knows_of(Seq(1)));
    }
}
