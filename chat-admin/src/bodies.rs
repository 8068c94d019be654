//! What acts in a room are told: bodies, each with exactly the fields that it may have.

use std::num::NonZeroU32;

use chat_core::{
    BanId, BanTerms, Data, Engine, MemberChange, MemberId, NewcomersSee, Nick, PersonData, Reject, Role, RoomSecret,
    Seq, SettingsChange,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::asked::{NUMBER_MAX, number};
use super::audit::AuditLine;
use super::call::Part;

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

/// What is named, `null` too.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
