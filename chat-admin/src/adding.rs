//! Somebody is added to a room: what is asked, and what has come of it.

use chat_core::{Added, Engine, Identity, Nick, NodeId, Reject, RoomCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::{InRoom, Nothing};
use super::audit::AuditLine;
use super::call::{Call, Part};

/// Who is added.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddAsked {
    /// The person with this identity: 1 to 128 bytes.
    #[schemars(length(min = 1, max = 128))]
    identity: String,
    /// What they are called, where the policy does not say it; without it what they are called in the room, or were when they left.
    nick: Option<String>,
}

/// The most sessions of one person that the audit names.
const SESSIONS_NAMED: usize = 16;

impl Part for AddAsked {
    fn note(&self, engine: &Engine, line: &mut AuditLine) {
        let here = Identity::new(&self.identity).map(|identity| engine.sessions_here(&identity)).unwrap_or_default();
        let here: Vec<_> = here.into_iter().take(SESSIONS_NAMED).map(|entry| entry.session.to_string()).collect();
        line.sessions = Some(here.join(" "));
    }
}

/// What has come of it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AddedShown {
    /// How many connected sessions of the person are in the room now.
    attached: usize,
    /// Where that is none: until when they may come in by themselves, once; absent for a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    invited_until: Option<String>,
    /// Where a session that is connected did not come in: why, for programs, as a code of the wire protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'static str>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Servers that there are, and that have not answered: sessions that are connected there may have come in, or not.
    silent: Vec<String>,
}

impl From<Added> for AddedShown {
    fn from(added: Added) -> Self {
        let (refused, message) = match added.refused {
            Some(reject) => (Some(reject.code.as_str()), Some(reject.message.into_owned())),
            None => (None, None),
        };
        Self {
            attached: added.attached,
            invited_until: added.invited_until.map(|until| until.to_string()),
            refused,
            message,
            silent: added.silent.iter().map(NodeId::to_string).collect(),
        }
    }
}

pub(crate) async fn add(call: Call<InRoom, Nothing, AddAsked>) -> Result<AddedShown, Reject> {
    let room: RoomCode = call.room()?.code().clone();
    let AddAsked { identity, nick } = &call.body;
    let unknown = || Reject::bad_field("identity", "identity is 1 to 128 bytes");
    let identity = Identity::new(identity).ok_or_else(unknown)?;
    let nick = nick.as_deref().map(Nick::parse).transpose()?;
    Ok(call.shared.engine.add(&identity, &room).with_nick(nick).await?.into())
}
