//! What somebody was admitted for is taken back: all of it, the rooms, or the role.

use std::collections::BTreeSet;

use chat_core::{Engine, Reject, Revocation, RoomCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::{Nothing, identity, named_sessions};
use super::audit::AuditLine;
use super::call::{Call, Part};

/// The most rooms that one revocation leaves somebody: as many codes as are 32 KiB, half of what a body has.
const ROOMS_MAX: usize = 1_000;

/// What is taken back.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum WhatRevoked {
    /// All of it: connections end as `auth_expired`, and whoever is still admitted comes back.
    All,
    /// The rooms that the person may enter, but for those in `rooms`.
    RoomsBut,
    /// The role of an owner or a moderator that an admission names.
    Role,
}

/// Of whom what is taken back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeAsked {
    /// The identity that the policy gave the person: 1 to 128 bytes.
    #[schemars(length(min = 1, max = 128))]
    identity: String,
    /// What is taken back.
    what: WhatRevoked,
    /// With `rooms_but`, and with nothing else: the codes of the rooms that are left, at most 1,000.
    #[schemars(length(max = ROOMS_MAX))]
    rooms: Option<Vec<String>>,
}

impl Part for RevokeAsked {
    fn note(&self, engine: &Engine, line: &mut AuditLine) {
        line.sessions = Some(named_sessions(engine, Some(&self.identity), None));
    }
}

impl RevokeAsked {
    fn what(&self) -> Result<Revocation, Reject> {
        match (self.what, &self.rooms) {
            (WhatRevoked::All, None) => Ok(Revocation::All),
            (WhatRevoked::Role, None) => Ok(Revocation::Role),
            (WhatRevoked::RoomsBut, Some(rooms)) if rooms.len() > ROOMS_MAX => {
                Err(Reject::too_long("rooms", ROOMS_MAX as u64, "rooms"))
            }
            (WhatRevoked::RoomsBut, Some(rooms)) => {
                let rooms = rooms.iter().map(|room| RoomCode::parse(room)).collect::<Result<BTreeSet<_>, _>>();
                rooms.map(Revocation::RoomsBut).map_err(|reject| Reject { field: Some("rooms"), ..reject })
            }
            _ => Err(Reject::bad_field("rooms", "rooms is said with rooms_but, and with nothing else")),
        }
    }
}

/// It is taken back, at every server.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Revoked {}

pub(crate) async fn revoke(call: Call<Nothing, Nothing, RevokeAsked>) -> Result<Revoked, Reject> {
    call.shared.engine.revoke(identity(&call.body.identity)?, call.body.what()?).await?;
    Ok(Revoked {})
}
