//! Who may do what to whom.

use crate::domain::Role;
use crate::types::{MemberId, Reject, RejectCode, Seq};

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

    /// Whether they know of the message with this number: nobody learns of one before their floor, not even by being refused it.
    pub(super) fn knows_of(self, message: Seq) -> bool {
        match self {
            Self::Host => true,
            Self::Member { sees, .. } => message > sees,
        }
    }

    /// Owners and the host kick, ban and set the topic.
    pub(super) fn may_moderate(self) -> Result<(), Reject> {
        match self {
            Self::Host | Self::Member { role: Role::Owner, .. } => Ok(()),
            Self::Member { role: Role::Member, .. } => {
                Err(Reject::new(RejectCode::Forbidden, "only the owner of the room may do this"))
            }
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

    /// Who moderates may put out anybody but themselves.
    pub(super) fn may_put_out(self, member: MemberId) -> Result<(), Reject> {
        self.may_moderate()?;
        match self.by() {
            Some(own) if own == member => Err(Reject::bad_field("member", "to go yourself, leave")),
            _ => Ok(()),
        }
    }

    /// Everybody takes back what they wrote; who moderates, anything.
    pub(super) fn may_redact(self, author: MemberId) -> Result<(), Reject> {
        if self.by() == Some(author) || self.may_moderate().is_ok() {
            return Ok(());
        }
        Err(Reject::new(RejectCode::Forbidden, "only its author or the owner may take back a message"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Standing = Standing::Member { id: MemberId(1), role: Role::Owner, sees: Seq(4) };
    const MEMBER: Standing = Standing::Member { id: MemberId(2), role: Role::Member, sees: Seq(0) };

    fn code(verdict: Result<(), Reject>) -> Option<RejectCode> {
        verdict.err().map(|reject| reject.code)
    }

    #[test]
    fn owners_and_the_host_moderate() {
        assert_eq!(code(OWNER.may_moderate()), None);
        assert_eq!(code(Standing::Host.may_moderate()), None);
        assert_eq!(code(MEMBER.may_moderate()), Some(RejectCode::Forbidden));
    }

    #[test]
    fn who_moderates_speaks_in_a_room_that_is_read_only_and_waits_for_nothing() {
        assert_eq!(code(OWNER.may_speak(true)), None);
        assert_eq!(code(Standing::Host.may_speak(true)), None);
        assert_eq!([true, false].map(|only| code(MEMBER.may_speak(only))), [Some(RejectCode::ReadOnly), None]);
        let held = [OWNER, Standing::Host, MEMBER].map(Standing::is_held_by_slow_mode);
        assert_eq!(held, [false, false, true]);
    }

    #[test]
    fn nobody_puts_themselves_out() {
        assert_eq!(code(OWNER.may_put_out(MemberId(1))), Some(RejectCode::BadField));
        assert_eq!(code(OWNER.may_put_out(MemberId(2))), None);
        assert_eq!(code(Standing::Host.may_put_out(MemberId(1))), None);
        assert_eq!(code(MEMBER.may_put_out(MemberId(2))), Some(RejectCode::Forbidden), "the role is looked at first");
    }

    #[test]
    fn a_message_is_taken_back_by_its_author_or_who_moderates() {
        assert_eq!(code(MEMBER.may_redact(MemberId(2))), None);
        assert_eq!(code(MEMBER.may_redact(MemberId(3))), Some(RejectCode::Forbidden));
        assert_eq!(code(OWNER.may_redact(MemberId(3))), None);
        assert_eq!(code(Standing::Host.may_redact(MemberId(3))), None);
    }

    #[test]
    fn a_message_up_to_ones_floor_is_not_known() {
        assert_eq!([4, 5].map(|seq| OWNER.knows_of(Seq(seq))), [false, true]);
        assert!(MEMBER.knows_of(Seq(1)) && Standing::Host.knows_of(Seq(1)));
    }
}
