//! What those may who show nothing to say who they are, for policies that know people.

use super::policy::{Admission, SessionView};
use crate::domain::Command;
use crate::types::{Reject, RejectCode};

/// What those may who show no credential; for policies that know people by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Guests {
    /// Whatever anybody may. The default: a server that learns to know its users goes on for those that it does not know.
    #[default]
    Allow,
    /// Not come in.
    Deny,
    /// Join rooms that are there and read in them; say nothing, change nothing, show nothing but the name that they join under.
    Read,
}

impl Guests {
    /// Lets somebody in who is nobody known, or not.
    ///
    /// # Errors
    /// `bad_token`, where guests do not come in.
    pub fn admit(self) -> Result<Admission, Reject> {
        match self {
            Self::Allow | Self::Read => Ok(Admission::guest()),
            Self::Deny => Err(Reject::new(RejectCode::BadToken, "sign in: nobody comes in without a token")),
        }
    }

    /// Lets a command through: everything of those who are known, and of guests what they may.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn check(self, session: &SessionView, command: Command) -> Result<Command, Reject> {
        match command {
            command if session.identity.is_some() || self == Self::Allow => Ok(command),
            Command::Join { data: Some(_), .. } if self == Self::Read => {
                Err(Reject::new(RejectCode::Forbidden, "sign in to show more than a name: guests only read"))
            }
            // Whoever came in before guests were only to read may go.
            Command::Join { .. }
            | Command::Leave { .. }
            | Command::History { .. }
            | Command::Changes { .. }
            | Command::Members { .. }
            | Command::Read { .. }
            | Command::End { .. }
                if self == Self::Read =>
            {
                Ok(command)
            }
            _ => Err(Reject::new(RejectCode::Forbidden, "sign in to do this: guests only read")),
        }
    }
}
