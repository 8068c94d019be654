//! What requests say of rooms and people: paths and queries, and whose sessions end; each with exactly the fields that it may have.

use chat_core::{
    EndedWho, Engine, HistoryAnchor, Identity, MemberId, Reject, RejectCode, RoomCode, RoomHandle, Seq, SessionId,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::audit::AuditLine;
use super::call::{Call, Part};

/// The largest whole number that every reader of JSON holds; none of an event is larger.
pub(crate) const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Nothing.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

impl Part for Nothing {
    const IS_NOTHING: bool = true;
}

/// The path of a room.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct InRoom {
    /// The code of the room, in small letters or capitals.
    #[schemars(regex(pattern = r"^[A-Za-z0-9-]{3,32}$"), example = &"LUNCH")]
    room: String,
}

impl Part for InRoom {
    fn note(&self, _engine: &Engine, line: &mut AuditLine) {
        line.room = RoomCode::parse(&self.room).ok();
    }
}

impl<Q, B> Call<InRoom, Q, B> {
    /// The room that the path names.
    pub(crate) fn room(&self) -> Result<RoomHandle, Reject> {
        Ok(self.shared.engine.room(&RoomCode::parse(&self.path.room)?))
    }
}

/// The path of a member.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct OfMember {
    /// The code of the room, in small letters or capitals.
    #[schemars(regex(pattern = r"^[A-Za-z0-9-]{3,32}$"), example = &"LUNCH")]
    room: String,
    /// The number of the member.
    member: u32,
}

impl Part for OfMember {
    fn note(&self, _engine: &Engine, line: &mut AuditLine) {
        line.room = RoomCode::parse(&self.room).ok();
        line.member = Some(MemberId(self.member));
    }
}

impl<Q, B> Call<OfMember, Q, B> {
    /// The room that the path names, and the member.
    pub(crate) fn member(&self) -> Result<(RoomHandle, MemberId), Reject> {
        Ok((self.shared.engine.room(&RoomCode::parse(&self.path.room)?), MemberId(self.path.member)))
    }
}

/// Which rooms.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomsAsked {
    /// Those after this code: the `next` of the page before.
    #[schemars(regex(pattern = r"^[A-Za-z0-9-]{3,32}$"))]
    after: Option<String>,
    /// At most so many; 100 where nothing is said.
    #[schemars(range(min = 1, max = 1000))]
    max: Option<u16>,
}

impl Part for RoomsAsked {}

impl RoomsAsked {
    /// After which, and how many.
    pub(crate) fn page(&self) -> Result<(Option<RoomCode>, usize), Reject> {
        let after = self.after.as_deref().map(RoomCode::parse).transpose();
        let after = after.map_err(|reject| Reject { field: Some("after"), ..reject })?;
        Ok((after, bounded(self.max, 1000)?.unwrap_or(100).into()))
    }
}

/// Which members, or which bans.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageAsked {
    /// Those after this number: the last of the page before.
    after: Option<u32>,
    /// At most so many, and no more than the engine has in one page.
    #[schemars(range(min = 1, max = 1000))]
    max: Option<u16>,
}

impl Part for PageAsked {}

impl PageAsked {
    /// After which number, and how many.
    pub(crate) fn page(&self) -> Result<(Option<u32>, Option<u32>), Reject> {
        Ok((self.after, bounded(self.max, 1000)?.map(u32::from)))
    }
}

/// Which messages: at most one of `before`, `after` and `around`; the newest where there is none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryAsked {
    /// The last ones before this event.
    #[schemars(range(max = NUMBER_MAX))]
    before: Option<u64>,
    /// The first ones after this event.
    #[schemars(range(max = NUMBER_MAX))]
    after: Option<u64>,
    /// This message and its neighbours.
    #[schemars(range(max = NUMBER_MAX))]
    around: Option<u64>,
    /// At most so many, and no more than the engine has in one page.
    #[schemars(range(min = 1, max = 1000))]
    max: Option<u16>,
}

impl Part for HistoryAsked {}

impl HistoryAsked {
    /// Where, and how many.
    pub(crate) fn page(&self) -> Result<(HistoryAnchor, Option<u32>), Reject> {
        let anchor = match (self.before, self.after, self.around) {
            (None, None, None) => HistoryAnchor::Newest,
            (Some(seq), None, None) => HistoryAnchor::Before(number("before", seq)?),
            (None, Some(seq), None) => HistoryAnchor::After(number("after", seq)?),
            (None, None, Some(seq)) => HistoryAnchor::Around(number("around", seq)?),
            _ => return Err(Reject::bad_field("query", "at most one of before, after and around is said")),
        };
        Ok((anchor, bounded(self.max, 1000)?.map(u32::from)))
    }
}

/// Whose sessions.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionsAsked {
    /// The identity that the policy gave the person: 1 to 128 bytes.
    #[schemars(length(min = 1, max = 128))]
    identity: String,
}

impl Part for SessionsAsked {}

impl SessionsAsked {
    pub(crate) fn identity(&self) -> Result<Identity, Reject> {
        identity(&self.identity)
    }
}

/// Whose sessions end for good: exactly one of both is said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndAsked {
    /// All of the person with this identity: 1 to 128 bytes.
    #[schemars(length(min = 1, max = 128))]
    identity: Option<String>,
    /// This one: 26 base32 characters.
    #[schemars(length(min = 26, max = 26))]
    session: Option<String>,
}

/// The most sessions of one person that the audit names.
const SESSIONS_NAMED: usize = 16;

impl Part for EndAsked {
    fn note(&self, engine: &Engine, line: &mut AuditLine) {
        line.sessions = Some(named_sessions(engine, self.identity.as_deref(), self.session.as_deref()));
    }
}

/// What the audit says of a person, or of a session.
pub(crate) fn named_sessions(engine: &Engine, identity: Option<&str>, session: Option<&str>) -> String {
    let of_person = identity.and_then(Identity::new);
    let of_person = of_person.map(|identity| engine.sessions_here(&identity)).unwrap_or_default();
    let named = session.and_then(|session| session.parse().ok());
    let all = named.into_iter().chain(of_person.into_iter().map(|entry| entry.session));
    let all: Vec<_> = all.take(SESSIONS_NAMED).map(|session: SessionId| session.to_string()).collect();
    all.join(" ")
}

impl EndAsked {
    /// Who is meant.
    pub(crate) fn who(&self) -> Result<EndedWho, Reject> {
        match (&self.identity, &self.session) {
            (Some(text), None) => Ok(identity(text)?.into()),
            (None, Some(session)) => {
                let session: SessionId = session.parse().map_err(|what| Reject::bad_field("session", what))?;
                Ok(session.into())
            }
            _ => Err(Reject::new(RejectCode::BadField, "exactly one of identity and session is said")),
        }
    }
}

pub(crate) fn identity(text: &str) -> Result<Identity, Reject> {
    Identity::new(text).ok_or_else(|| Reject::bad_field("identity", "identity is 1 to 128 bytes"))
}

pub(crate) fn number(field: &'static str, seq: u64) -> Result<Seq, Reject> {
    match seq <= NUMBER_MAX {
        true => Ok(Seq(seq)),
        false => Err(Reject::bad_field(field, format!("{field} is at most {NUMBER_MAX}"))),
    }
}

fn bounded(max: Option<u16>, most: u16) -> Result<Option<u16>, Reject> {
    match max {
        Some(max) if max == 0 || max > most => Err(Reject::bad_field("max", format!("max is 1 to {most}"))),
        _ => Ok(max),
    }
}
