//! What requests say: paths, queries and bodies, each with exactly the fields that it may have.

use std::num::NonZeroU32;

use chat_core::{
    BanId, BanTerms, Data, EndedWho, Engine, HistoryAnchor, Identity, MemberChange, MemberId, NewcomersSee, Nick,
    PersonData, Reject, RejectCode, Role, RoomCode, RoomHandle, RoomSecret, Seq, SessionId, SettingsChange,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::audit::AuditLine;
use super::call::{Call, Part};

/// The largest whole number that every reader of JSON holds; none of an event is larger.
const NUMBER_MAX: u64 = (1 << 53) - 1;

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

/// Something that the host says. There may be no text where there is data.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    /// One of the host's names.
    pub(crate) name: String,
    /// What is said.
    #[serde(default)]
    pub(crate) text: String,
    /// What is attached for programs: an object of at most 4 KiB.
    #[schemars(with = "Option<Map<String, Value>>")]
    data: Option<Box<RawValue>>,
    /// The event that it answers.
    #[schemars(range(max = NUMBER_MAX))]
    reply_to: Option<u64>,
    /// What makes a retry safe: 1 to 64 visible ASCII characters.
    #[schemars(regex(pattern = r"^[!-~]{1,64}$"))]
    pub(crate) key: Option<String>,
}

impl Part for Message {}

impl Message {
    /// What is attached.
    pub(crate) fn data(&self, engine: &Engine) -> Result<Option<Data>, Reject> {
        let bytes_max = engine.limits().room.data_bytes_max;
        self.data.as_ref().map(|data| Data::parse(data.get(), bytes_max)).transpose()
    }

    /// What it answers.
    pub(crate) fn reply_to(&self) -> Result<Option<Seq>, Reject> {
        self.reply_to.map(|seq| number("reply_to", seq)).transpose()
    }
}

/// A member.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberNamed {
    /// The number of the member.
    pub(crate) member: u32,
}

impl Part for MemberNamed {
    fn note(&self, _engine: &Engine, line: &mut AuditLine) {
        line.member = Some(MemberId(self.member));
    }
}

/// Whom to keep out, and how.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BanAsked {
    /// The number of the member, who may have left.
    pub(crate) member: u32,
    /// For how many minutes; for ever where nothing is said.
    minutes: Option<NonZeroU32>,
    /// Also whoever is new, has no identity, and comes from the same networks.
    #[serde(default)]
    network: bool,
    /// Takes back all that the person has said.
    #[serde(default)]
    sweep: bool,
}

impl Part for BanAsked {
    fn note(&self, _engine: &Engine, line: &mut AuditLine) {
        line.member = Some(MemberId(self.member));
    }
}

impl BanAsked {
    pub(crate) fn terms(&self) -> BanTerms {
        let terms = BanTerms::lasting(self.minutes);
        let terms = if self.network { terms.with_network() } else { terms };
        if self.sweep { terms.with_sweep() } else { terms }
    }
}

/// A ban.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BanNamed {
    /// Its number.
    pub(crate) ban: u32,
}

impl Part for BanNamed {
    fn note(&self, _engine: &Engine, line: &mut AuditLine) {
        line.ban = Some(BanId(self.ban));
    }
}

/// A message.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageNamed {
    /// Its number.
    #[schemars(range(max = NUMBER_MAX))]
    message: u64,
}

impl Part for MessageNamed {
    fn note(&self, _engine: &Engine, line: &mut AuditLine) {
        line.message = Some(Seq(self.message));
    }
}

impl MessageNamed {
    pub(crate) fn seq(&self) -> Result<Seq, Reject> {
        number("message", self.message)
    }
}

/// Whose messages to take back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sweep {
    /// The number of the member, who may have left.
    pub(crate) member: u32,
    /// From this event on; all where nothing is said.
    #[schemars(range(max = NUMBER_MAX))]
    from: Option<u64>,
}

impl Part for Sweep {
    fn note(&self, _engine: &Engine, line: &mut AuditLine) {
        (line.member, line.message) = (Some(MemberId(self.member)), self.from.map(Seq));
    }
}

impl Sweep {
    pub(crate) fn from(&self) -> Result<Option<Seq>, Reject> {
        self.from.map(|seq| number("from", seq)).transpose()
    }
}

/// What somebody may do.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RoleNamed {
    Owner,
    Moderator,
    Member,
}

/// Who is to have which role.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleAsked {
    /// The number of the member.
    pub(crate) member: u32,
    /// The role. An owner before is a moderator from then on.
    role: RoleNamed,
}

impl Part for RoleAsked {
    fn note(&self, _engine: &Engine, line: &mut AuditLine) {
        line.member = Some(MemberId(self.member));
    }
}

impl RoleAsked {
    pub(crate) fn role(&self) -> Role {
        match self.role {
            RoleNamed::Owner => Role::Owner,
            RoleNamed::Moderator => Role::Moderator,
            RoleNamed::Member => Role::Member,
        }
    }
}

/// What a member is to be shown as, in what is named.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberAsked {
    /// Another name, which may look like somebody else's.
    nick: Option<String>,
    /// Other data beside the name; `null` for none.
    #[serde(default, deserialize_with = "said")]
    #[schemars(with = "Option<Map<String, Value>>")]
    data: Option<Option<Box<RawValue>>>,
}

impl Part for MemberAsked {}

impl MemberAsked {
    pub(crate) fn change(&self) -> Result<MemberChange, Reject> {
        let mut change = MemberChange::new();
        if let Some(nick) = &self.nick {
            change = change.nick(Nick::parse(nick)?);
        }
        if let Some(data) = &self.data {
            change = change.data(data.as_ref().map(|data| PersonData::parse(data.get())).transpose()?);
        }
        Ok(change)
    }
}

/// What newcomers see of what was said before: `all`, `none`, or how many messages.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(untagged)]
enum HistorySet {
    Last(u32),
    Word(HistoryWord),
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum HistoryWord {
    All,
    None,
}

/// What is to be changed in the settings of a room, in what is named.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsAsked {
    /// Slow mode: how many milliseconds a member waits between two messages; 0 for none.
    slow_ms: Option<u32>,
    /// Whether nobody new gets in.
    locked: Option<bool>,
    /// Whether only those who moderate speak.
    read_only: Option<bool>,
    /// What newcomers have to know; `null` for nothing.
    #[serde(default, deserialize_with = "said")]
    #[schemars(with = "Option<String>")]
    secret: Option<Option<String>>,
    /// What newcomers see of what was said before.
    history: Option<HistorySet>,
    /// Whether the room may be shown to people who are not in it.
    listed: Option<bool>,
}

impl Part for SettingsAsked {}

impl SettingsAsked {
    pub(crate) fn change(&self) -> Result<SettingsChange, Reject> {
        let mut change = SettingsChange::new();
        (change.slow_ms, change.locked) = (self.slow_ms, self.locked);
        (change.read_only, change.listed) = (self.read_only, self.listed);
        change.history = self.history.map(|history| match history {
            HistorySet::Last(count) => NewcomersSee::Last(count),
            HistorySet::Word(HistoryWord::All) => NewcomersSee::All,
            HistorySet::Word(HistoryWord::None) => NewcomersSee::Nothing,
        });
        let parse = |secret: &Option<String>| secret.as_deref().map(RoomSecret::parse).transpose();
        change.secret = self.secret.as_ref().map(parse).transpose()?;
        Ok(change)
    }
}

/// What a room is about.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopicAsked {
    /// At most 200 characters; empty for nothing.
    #[schemars(length(max = 200))]
    pub(crate) topic: String,
}

impl Part for TopicAsked {}

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

/// What is named, `null` too.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub(crate) fn identity(text: &str) -> Result<Identity, Reject> {
    Identity::new(text).ok_or_else(|| Reject::bad_field("identity", "identity is 1 to 128 bytes"))
}

fn number(field: &'static str, seq: u64) -> Result<Seq, Reject> {
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
