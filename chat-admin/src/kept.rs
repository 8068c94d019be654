//! Rooms that the host makes, and those that it keeps while nobody is in them.

use chat_core::{Identity, Reject, RoomCode, RoomOptions, Topic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::{InRoom, Nothing, identity};
use super::audit::AuditLine;
use super::bodies::SettingsAsked;
use super::call::{Call, Part};
use super::shown::Done;

/// How a room is made, in what is named.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomAsked {
    /// The code of the room, in small letters or capitals; one that is drawn where nothing is said.
    #[schemars(regex(pattern = r"^[A-Za-z0-9-]{3,32}$"), example = &"LUNCH")]
    room: Option<String>,
    /// For whom the owner's seat is held: the identity that the policy gives the person, 1 to 128 bytes. Else whoever comes first has it.
    #[schemars(length(min = 1, max = 128))]
    owner: Option<String>,
    /// Whether only the host says who owns the room.
    #[serde(default)]
    protected: bool,
    /// What is set in it.
    settings: Option<SettingsAsked>,
    /// What it is about: at most 200 characters.
    #[schemars(length(max = 200))]
    topic: Option<String>,
}

impl Part for RoomAsked {
    fn note(&self, _engine: &chat_core::Engine, line: &mut AuditLine) {
        line.room = self.room.as_deref().and_then(|room| RoomCode::parse(room).ok());
    }
}

impl RoomAsked {
    fn options(&self) -> Result<RoomOptions, Reject> {
        let owner: Option<Identity> = self.owner.as_deref().map(identity).transpose()?;
        let options = owner.map_or_else(RoomOptions::new, |owner| RoomOptions::new().owner(owner));
        let options = if self.protected { options.protected() } else { options };
        let options = match &self.settings {
            Some(settings) => options.settings(settings.change()?),
            None => options,
        };
        Ok(options.topic(self.topic.as_deref().map(Topic::parse).transpose()?.unwrap_or_default()))
    }
}

/// A room that was made.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Made {
    /// Its code.
    room: String,
    /// What logs and the audit call it.
    tag: String,
}

pub(crate) async fn create(call: Call<Nothing, Nothing, RoomAsked>) -> Result<Made, Reject> {
    let (engine, options) = (&call.shared.engine, call.body.options()?);
    let code = match &call.body.room {
        Some(room) => {
            let code = RoomCode::parse(room)?;
            engine.room(&code).create(options).await?;
            code
        }
        None => engine.create(options).await?.code().clone(),
    };
    call.tells_of(&code);
    Ok(Made { room: code.to_string(), tag: engine.room_tag(&code).to_string() })
}

pub(crate) async fn keep(call: Call<InRoom, Nothing, Nothing>) -> Result<Done, Reject> {
    Ok(call.room()?.keep().await?.into())
}

pub(crate) async fn let_go(call: Call<InRoom, Nothing, Nothing>) -> Result<Done, Reject> {
    Ok(call.room()?.let_go().await?.into())
}
