//! What a command asks for, as a number and a name.

use crate::domain::Command;

macro_rules! kinds {
    ($($kind:ident $name:literal),* $(,)?) => {
        /// What a command asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum CommandKind {
            $(
                #[doc = concat!("`", $name, "`.")]
                $kind,
            )*
            /// A frame that is no command.
            Bad,
        }

        impl CommandKind {
            /// Every kind.
            pub const ALL: &[CommandKind] = &[$(Self::$kind,)* Self::Bad];

            /// The `type` of its frame; `bad_frame` for what is none.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                    Self::Bad => "bad_frame",
                }
            }
        }

        impl From<&Command> for CommandKind {
            fn from(command: &Command) -> Self {
                match command {
                    $(Command::$kind { .. } => Self::$kind,)*
                }
            }
        }
    };
}

kinds! {
    Create "create",
    Join "join",
    Me "me",
    Send "send",
    Edit "edit",
    Leave "leave",
    History "history",
    Changes "changes",
    Members "members",
    Typing "typing",
    Live "live",
    Signal "signal",
    Read "read",
    Redact "redact",
    RedactAll "redact_all",
    React "react",
    Kick "kick",
    Ban "ban",
    Unban "unban",
    Bans "bans",
    SetTopic "topic",
    Settings "settings",
    SetRole "role",
    End "end",
    Auth "auth",
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FEATURES;

    #[test]
    fn kinds_are_named_as_their_frames_are_and_numbered_in_order() {
        for (index, kind) in CommandKind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, index);
            assert!(*kind == CommandKind::Bad || FEATURES.contains(&kind.as_str()), "{kind:?}");
        }
    }
}
