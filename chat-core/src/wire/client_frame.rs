//! From the bytes of one client frame to a hello or a command, or to a reject that names the field.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::bans;
use crate::domain::{Command, Extent, HistoryAnchor, MemberChange, RecordVersion, Role, SettingsChange, TypingState};
use crate::types::{
    BanId, Body, CommandId, Credential, Data, Key, MemberId, Nick, PersonData, Position, ReactionName, Reject,
    RejectCode, RoomCode, RoomLimits, RoomSecret, Seq, SessionLimits, SignalData, SignalName, Topic,
};

/// A client frame, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFrame {
    /// The client's number for it.
    pub id: Option<CommandId>,
    /// A `hello`, or a command for a room.
    pub request: Request,
}

/// What a client frame asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// For a session; only as the first frame.
    Hello(Hello),
    /// For something in a room.
    Command(Command),
}

/// How a connection begins.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Hello {
    /// Its number, if the client gave one; comes back in `welcome`.
    pub id: Option<CommandId>,
    /// The session to come back to; a new one when there is none.
    pub resume: Option<Resume>,
    /// Where more events than this are due in a room that the session comes back to, one gap is told to where the room is now; every event
    /// when there is none.
    pub catch_up: Option<u32>,
}

/// Which session to come back to, and what it has seen.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Resume {
    /// The session's token.
    pub token: String,
    /// The last event seen of each room; rooms without one are shown afresh.
    pub positions: Vec<(RoomCode, Position)>,
}

impl Resume {
    /// The first position of each room, of at most `rooms_max` rooms: a room that is left out is shown afresh, and one that were
    /// resumed twice would be told twice.
    pub fn new(token: String, positions: impl IntoIterator<Item = (RoomCode, Position)>, rooms_max: usize) -> Self {
        let mut once: Vec<(RoomCode, Position)> = Vec::new();
        for (code, position) in positions {
            if once.len() == rooms_max {
                break;
            }
            if once.iter().all(|(known, _)| *known != code) {
                once.push((code, position));
            }
        }
        Self { token, positions: once }
    }
}

impl fmt::Debug for Resume {
    /// Without the token: it is a secret, and this may go to a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resume").field("positions", &self.positions).finish_non_exhaustive()
    }
}

/// A client frame that is none, with the number to answer it under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFrame {
    /// The client's number, where it could be read.
    pub id: Option<CommandId>,
    /// The refusal to answer it with.
    pub reject: Reject,
}

/// The longest token read; ours are shorter.
const TOKEN_BYTES_MAX: usize = 256;
/// 2^53 - 1: the largest integer that a JavaScript client can hold exactly.
const ID_MAX: u64 = (1 << 53) - 1;

/// What a server of this version can do for a session: the `type`s of commands that it takes, as `welcome.features` lists them.
pub const FEATURES: &[&str] = &[
    "create",
    "join",
    "me",
    "send",
    "edit",
    "leave",
    "history",
    "changes",
    "members",
    "typing",
    "live",
    "signal",
    "read",
    "redact",
    "redact_all",
    "react",
    "kick",
    "ban",
    "unban",
    "bans",
    "topic",
    "role",
    "settings",
    "end",
];

/// The version of records that a feature writes, where it is not the first: such a command is offered once it may be written.
const LATER_FEATURES: &[(&str, RecordVersion)] = &[
    ("me", RecordVersion::PERSONS),
    ("edit", RecordVersion::PERSONS),
    ("redact_all", RecordVersion::PERSONS),
    ("react", RecordVersion::PERSONS),
    ("unban", RecordVersion::PERSONS),
    ("role", RecordVersion::PERSONS),
    ("settings", RecordVersion::PERSONS),
];

/// Those of [`FEATURES`] that can be offered where records of up to this version may be written.
pub(crate) fn features(writes: RecordVersion) -> impl Iterator<Item = &'static str> {
    let needs = |feature: &str| LATER_FEATURES.iter().find(|(later, _)| *later == feature).map(|(_, needs)| *needs);
    FEATURES.iter().copied().filter(move |feature| needs(feature).is_none_or(|needs| needs <= writes))
}

impl ClientFrame {
    /// Parses one frame of at most `session.frame_bytes_max` bytes. What is wrong in `positions` of a `hello` is left out.
    ///
    /// # Errors
    /// `too_long` (frame or field), `bad_frame`, `unknown_type` or `bad_field`, each naming what is wrong. The number of a frame that
    /// is a JSON object comes back also where that is wrong itself, as far as it is a whole number.
    pub fn parse(bytes: &[u8], room: &RoomLimits, session: &SessionLimits) -> Result<Self, BadFrame> {
        let unnumbered = |reject| BadFrame { id: None, reject };
        if bytes.len() > session.frame_bytes_max {
            return Err(unnumbered(Reject::too_long("frame", session.frame_bytes_max as u64, "bytes")));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| unnumbered(Reject::new(RejectCode::BadFrame, "the frame is not UTF-8")))?;
        // A derived struct would take an array of its fields too.
        if !text.trim_start().starts_with('{') {
            return Err(unnumbered(Reject::new(RejectCode::BadFrame, no_object(text))));
        }
        let fields: Fields<'_> = serde_json::from_str(text)
            .map_err(|error| BadFrame { id: number_alone(text), reject: unreadable(&error) })?;
        let id = fields.id().map_err(|reject| BadFrame { id: fields.id.and_then(read_back), reject })?;
        let request = fields.request(id, room, session).map_err(|reject| BadFrame { id, reject })?;
        Ok(Self { id, request })
    }
}

/// Every field of every client frame, unread: each is read by itself, so that an error can name it.
#[derive(Deserialize)]
#[serde(expecting = "one JSON object")]
struct Fields<'a> {
    #[serde(borrow, default)]
    r#type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    room: Option<&'a RawValue>,
    #[serde(borrow, default)]
    nick: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    key: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reply_to: Option<&'a RawValue>,
    #[serde(borrow, default)]
    history: Option<&'a RawValue>,
    #[serde(borrow, default)]
    before: Option<&'a RawValue>,
    #[serde(borrow, default)]
    after: Option<&'a RawValue>,
    #[serde(borrow, default)]
    around: Option<&'a RawValue>,
    #[serde(borrow, default)]
    catch_up: Option<&'a RawValue>,
    #[serde(borrow, default)]
    limit: Option<&'a RawValue>,
    #[serde(borrow, default)]
    on: Option<&'a RawValue>,
    #[serde(borrow, default)]
    target: Option<&'a RawValue>,
    #[serde(borrow, default)]
    through: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    member: Option<&'a RawValue>,
    #[serde(borrow, default)]
    minutes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    network: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sweep: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ban: Option<&'a RawValue>,
    #[serde(borrow, default)]
    from: Option<&'a RawValue>,
    #[serde(borrow, default)]
    topic: Option<&'a RawValue>,
    #[serde(borrow, default)]
    slow_ms: Option<&'a RawValue>,
    #[serde(borrow, default)]
    locked: Option<&'a RawValue>,
    #[serde(borrow, default)]
    read_only: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    secret: Option<&'a RawValue>,
    #[serde(borrow, default)]
    listed: Option<&'a RawValue>,
    #[serde(borrow, default)]
    role: Option<&'a RawValue>,
    #[serde(borrow, default)]
    token: Option<&'a RawValue>,
    #[serde(borrow, default)]
    all: Option<&'a RawValue>,
    #[serde(borrow, default)]
    resume: Option<&'a RawValue>,
    #[serde(borrow, default)]
    positions: Option<&'a RawValue>,
}

/// The names of [`Fields`].
const FIELDS: &[&str] = &[
    "type",
    "id",
    "room",
    "nick",
    "text",
    "key",
    "data",
    "reply_to",
    "history",
    "before",
    "after",
    "around",
    "catch_up",
    "limit",
    "on",
    "target",
    "through",
    "name",
    "member",
    "minutes",
    "network",
    "sweep",
    "ban",
    "from",
    "topic",
    "slow_ms",
    "locked",
    "read_only",
    "secret",
    "listed",
    "role",
    "resume",
    "positions",
];

impl Fields<'_> {
    fn id(&self) -> Result<Option<CommandId>, Reject> {
        let id = optional::<u64>("id", self.id, "id is a whole number from 0 to 2^53-1")?;
        if id.is_some_and(|id| id > ID_MAX) {
            return Err(Reject::bad_field("id", "id is a whole number from 0 to 2^53-1"));
        }
        Ok(id.map(CommandId))
    }

    fn request(&self, id: Option<CommandId>, room: &RoomLimits, session: &SessionLimits) -> Result<Request, Reject> {
        let kind = string("type", self.r#type)?;
        let command = match &*kind {
            "hello" => return self.hello(id, session).map(Request::Hello),
            "create" => {
                Command::Create { nick: self.nick()?, room: self.chosen_room()?, data: self.person_data()?.flatten() }
            }
            "join" => Command::Join {
                room: self.room()?,
                nick: self.nick()?,
                history: self.count("history", self.history)?,
                after: optional_string("after", self.after)?
                    .map(|text| text.parse::<Position>().map_err(|shape| Reject::bad_field("after", shape)))
                    .transpose()?,
                secret: self.secret()?,
                catch_up: self.count("catch_up", self.catch_up)?,
                data: self.person_data()?.flatten(),
            },
            "me" => Command::Me { room: self.room()?, change: self.member_change()? },
            "send" => {
                let (code, data) = (self.room()?, self.data(room)?);
                Command::send(code, self.text(data.is_some(), room)?)
                    .with_data(data)
                    .with_reply_to(optional("reply_to", self.reply_to, "reply_to is a seq")?.map(Seq))
                    .with_key(self.key()?)
            }
            "edit" => {
                let (code, data) = (self.room()?, self.data(room)?);
                let target = Seq(required("target", self.target, "target is a seq")?);
                Command::edit(code, target, self.text(data.is_some(), room)?).with_data(data).with_key(self.key()?)
            }
            "leave" => Command::Leave { room: self.room()? },
            "history" => {
                Command::History { room: self.room()?, anchor: self.anchor()?, limit: self.count("limit", self.limit)? }
            }
            "changes" => {
                Command::Changes { room: self.room()?, after: Seq(required("after", self.after, "after is a seq")?) }
            }
            "members" => Command::Members {
                room: self.room()?,
                after: optional::<u32>("after", self.after, "after is a member's number")?.map(MemberId),
                limit: self.count("limit", self.limit)?,
            },
            "typing" => Command::Typing {
                room: self.room()?,
                state: match required::<bool>("on", self.on, "on is true or false")? {
                    true => TypingState::On,
                    false => TypingState::Off,
                },
            },
            "live" => Command::Live {
                room: self.room()?,
                target: Seq(required("target", self.target, "target is a seq")?),
                text: match even_null_string("text", self.text)? {
                    Some(text) => Some(Body::parse(&text, room.message_chars_max)?),
                    None => None,
                },
            },
            "signal" => Command::Signal {
                room: self.room()?,
                name: SignalName::parse(&string("name", self.name)?)?,
                data: self.signal_data()?,
            },
            "read" => Command::Read {
                room: self.room()?,
                through: Seq(required("through", self.through, "through is a seq")?),
            },
            "redact" => {
                Command::Redact { room: self.room()?, target: Seq(required("target", self.target, "target is a seq")?) }
            }
            "react" => Command::React {
                room: self.room()?,
                target: Seq(required("target", self.target, "target is a seq")?),
                name: ReactionName::parse(&string("name", self.name)?)?,
                on: required("on", self.on, "on is true or false")?,
                key: self.key()?,
            },
            "kick" => Command::Kick { room: self.room()?, member: self.member()? },
            "redact_all" => Command::RedactAll {
                room: self.room()?,
                member: self.member()?,
                from: optional("from", self.from, "from is a seq")?.map(Seq),
            },
            "ban" => Command::Ban {
                room: self.room()?,
                member: self.member()?,
                terms: bans::terms(
                    optional::<NonZeroU32>("minutes", self.minutes, "minutes is a whole number from 1")?,
                    self.flag("network", self.network, "network is true or false")?,
                    self.flag("sweep", self.sweep, "sweep is true or false")?,
                ),
            },
            "unban" => {
                Command::Unban { room: self.room()?, ban: BanId(required("ban", self.ban, "ban is a ban's number")?) }
            }
            "bans" => Command::Bans {
                room: self.room()?,
                after: optional("after", self.after, "after is a ban's number")?.map(BanId),
                limit: self.count("limit", self.limit)?,
            },
            "topic" => Command::SetTopic { room: self.room()?, topic: Topic::parse(&string("topic", self.topic)?)? },
            "settings" => Command::Settings { room: self.room()?, change: self.settings()? },
            "role" => Command::SetRole { room: self.room()?, member: self.member()?, role: self.role()? },
            "end" => {
                let extent = match optional::<bool>("all", self.all, "all is true or false")? {
                    Some(true) => Extent::Person,
                    Some(false) | None => Extent::Session,
                };
                Command::end().with_token(self.token()?).with_extent(extent)
            }
            _ => return Err(Reject::new(RejectCode::UnknownType, "type is none that a client sends")),
        };
        Ok(Request::Command(command))
    }

    fn hello(&self, id: Option<CommandId>, session: &SessionLimits) -> Result<Hello, Reject> {
        let catch_up = self.count("catch_up", self.catch_up)?;
        let Some(token) = optional_string("resume", self.resume)? else {
            return Ok(Hello { id, resume: None, catch_up });
        };
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Reject::too_long("resume", TOKEN_BYTES_MAX as u64, "bytes"));
        }
        let listed =
            self.positions.and_then(|raw| serde_json::from_str::<BTreeMap<Text<'_>, &RawValue>>(raw.get()).ok());
        let read = |(Text(code), raw): (Text<'_>, &RawValue)| {
            let Text(position) = serde_json::from_str(raw.get()).ok()?;
            Some((RoomCode::parse(&code).ok()?, position.parse().ok()?))
        };
        let positions = listed.unwrap_or_default().into_iter().filter_map(read);
        Ok(Hello { id, resume: Some(Resume::new(token.into_owned(), positions, session.rooms_max)), catch_up })
    }

    /// Which part of the history is asked for: one at a time.
    fn anchor(&self) -> Result<HistoryAnchor, Reject> {
        let before = optional::<u64>("before", self.before, "before is a seq")?;
        let after = optional::<u64>("after", self.after, "after is a seq")?;
        let around = optional::<u64>("around", self.around, "around is a seq")?;
        const ONE: &str = "a history is before, after or around a seq, and only one of these";
        match (before, after, around) {
            (None, None, None) => Ok(HistoryAnchor::Newest),
            (Some(seq), None, None) => Ok(HistoryAnchor::Before(Seq(seq))),
            (None, Some(seq), None) => Ok(HistoryAnchor::After(Seq(seq))),
            (None, None, Some(seq)) => Ok(HistoryAnchor::Around(Seq(seq))),
            (_, _, Some(_)) => Err(Reject::bad_field("around", ONE)),
            (_, Some(_), None) => Err(Reject::bad_field("after", ONE)),
        }
    }

    /// What is named is to be changed; `null` in place of a secret is one that is taken away.
    fn settings(&self) -> Result<SettingsChange, Reject> {
        let mut change = SettingsChange::new();
        change.slow_ms = optional("slow_ms", self.slow_ms, "slow_ms is a whole number of milliseconds")?;
        change.locked = optional("locked", self.locked, "locked is true or false")?;
        change.read_only = optional("read_only", self.read_only, "read_only is true or false")?;
        change.secret = self.secret.map(|_| self.secret()).transpose()?;
        change.history = optional("history", self.history, "history is \"all\", \"none\" or a whole number")?;
        change.listed = optional("listed", self.listed, "listed is true or false")?;
        Ok(change)
    }

    /// `null` takes a signal away, and has to be said.
    fn signal_data(&self) -> Result<Option<SignalData>, Reject> {
        let json = self.data.ok_or_else(|| Reject::bad_field("data", "data is missing"))?.get();
        if json.trim_ascii() == "null" { Ok(None) } else { SignalData::parse(json).map(Some) }
    }

    fn secret(&self) -> Result<Option<RoomSecret>, Reject> {
        optional_string("secret", self.secret)?.map(|text| RoomSecret::parse(&text)).transpose()
    }

    fn token(&self) -> Result<Option<Credential>, Reject> {
        let Some(token) = optional_string("token", self.token)? else { return Ok(None) };
        token.parse().map(Some).map_err(|shape| Reject::bad_field("token", shape))
    }

    fn room(&self) -> Result<RoomCode, Reject> {
        RoomCode::parse(&string("room", self.room)?)
    }

    fn chosen_room(&self) -> Result<Option<RoomCode>, Reject> {
        optional_string("room", self.room)?.map(|text| RoomCode::parse(&text)).transpose()
    }

    fn nick(&self) -> Result<Nick, Reject> {
        Nick::parse(&string("nick", self.nick)?)
    }

    /// What is named is to be changed; `null` in place of data takes them away.
    fn member_change(&self) -> Result<MemberChange, Reject> {
        let nick = optional_string("nick", self.nick)?.map(|text| Nick::parse(&text)).transpose()?;
        let mut change = MemberChange::new();
        (change.nick, change.data) = (nick, self.person_data()?);
        Ok(change)
    }

    fn person_data(&self) -> Result<Option<Option<PersonData>>, Reject> {
        let read = |raw: &RawValue| match raw.get() {
            "null" => Ok(None),
            json => PersonData::parse(json).map(Some),
        };
        self.data.map(read).transpose()
    }

    /// The text of a message: where there is data there may be none.
    fn text(&self, has_data: bool, room: &RoomLimits) -> Result<Body, Reject> {
        match optional_string("text", self.text)? {
            Some(text) if has_data && text.is_empty() => Ok(Body::empty()),
            None if has_data => Ok(Body::empty()),
            _ => Body::parse(&string("text", self.text)?, room.message_chars_max),
        }
    }

    /// The data of a message: `null` is none.
    fn data(&self, room: &RoomLimits) -> Result<Option<Data>, Reject> {
        let raw = self.data.filter(|raw| raw.get() != "null");
        raw.map(|raw| Data::parse(raw.get(), room.data_bytes_max)).transpose()
    }

    fn key(&self) -> Result<Option<Key>, Reject> {
        optional_string("key", self.key)?.map(|text| Key::parse(&text)).transpose()
    }

    fn member(&self) -> Result<MemberId, Reject> {
        required("member", self.member, "member is a member's number").map(MemberId)
    }

    fn role(&self) -> Result<Role, Reject> {
        required("role", self.role, "role is owner, moderator or member")
    }

    fn flag(&self, field: &'static str, raw: Option<&RawValue>, shape: &'static str) -> Result<bool, Reject> {
        Ok(optional(field, raw, shape)?.unwrap_or_default())
    }

    fn count(&self, field: &'static str, raw: Option<&RawValue>) -> Result<Option<u32>, Reject> {
        optional(field, raw, "a count is a whole number from 0")
    }
}

/// What stands in place of an object.
fn no_object(text: &str) -> &'static str {
    match text.starts_with('\u{FEFF}') {
        true => "the frame begins with a byte order mark (U+FEFF); JSON is sent without one",
        false => "the frame is not one JSON object",
    }
}

/// Why an object cannot be read, and where; a field that is there twice by its name.
fn unreadable(error: &serde_json::Error) -> Reject {
    let words = error.to_string();
    let twice = words.strip_prefix("duplicate field `").and_then(|rest| rest.split_once('`'));
    match twice.and_then(|(name, _)| FIELDS.iter().find(|known| **known == name)) {
        Some(name) => {
            let reject = Reject::new(RejectCode::BadFrame, format!("{name} is there twice"));
            Reject { field: Some(name), ..reject }
        }
        None => Reject::new(RejectCode::BadFrame, format!("the frame is not one JSON object: {words}")),
    }
}

/// The number of an object that cannot be read in another field.
fn number_alone(text: &str) -> Option<CommandId> {
    #[derive(Deserialize)]
    struct Numbered<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    serde_json::from_str::<Numbered<'_>>(text).ok().and_then(|numbered| read_back(numbered.id))
}

/// The number that a wrong one may have been meant as: whole, but too large, or written as a fraction (`7.0`) or as a text.
fn read_back(raw: &RawValue) -> Option<CommandId> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Whole(u64),
        Fraction(f64),
        Text(String),
    }
    let number = match serde_json::from_str(raw.get()).ok()? {
        Written::Whole(number) => Some(number),
        Written::Fraction(number) => {
            let is_whole = number.fract() == 0.0 && (0.0..=ID_MAX as f64).contains(&number);
            is_whole.then_some(number as u64)
        }
        Written::Text(digits) => digits.parse().ok(),
    };
    number.map(CommandId)
}

/// A field that must be there. `null` counts as absent, here and below.
fn required<T: DeserializeOwned>(
    field: &'static str,
    raw: Option<&RawValue>,
    shape: &'static str,
) -> Result<T, Reject> {
    optional(field, raw, shape)?.ok_or_else(|| Reject::bad_field(field, format!("{field} is missing")))
}

fn optional<T: DeserializeOwned>(
    field: &'static str,
    raw: Option<&RawValue>,
    shape: &'static str,
) -> Result<Option<T>, Reject> {
    match raw {
        None => Ok(None),
        Some(raw) => serde_json::from_str(raw.get()).map_err(|_| Reject::bad_field(field, shape)),
    }
}

/// A field where `null` says something else than nothing at all.
fn even_null<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Borrows from the frame where nothing in the string is escaped.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn string<'a>(field: &'static str, raw: Option<&'a RawValue>) -> Result<Cow<'a, str>, Reject> {
    optional_string(field, raw)?.ok_or_else(|| Reject::bad_field(field, format!("{field} is missing")))
}

/// A string or `null`, which has to be said.
fn even_null_string<'a>(field: &'static str, raw: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>, Reject> {
    let missing = || Reject::bad_field(field, format!("{field} is missing"));
    raw.ok_or_else(missing).and_then(|raw| optional_string(field, Some(raw)))
}

fn optional_string<'a>(field: &'static str, raw: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>, Reject> {
    match raw {
        None => Ok(None),
        Some(raw) => serde_json::from_str::<Option<Text<'a>>>(raw.get())
            .map(|text| text.map(|text| text.0))
            .map_err(|error| Reject::bad_field(field, no_string(field, &error))),
    }
}

/// Why a value is no string. That it is JSON is known: as such it can be one and no text, where half of a character is escaped.
fn no_string(field: &str, error: &serde_json::Error) -> String {
    match error.is_syntax() {
        true => format!("{field} holds half of a surrogate pair, which is no character"),
        false => format!("{field} is a string"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NewcomersSee;

    fn parse(text: &str) -> Result<ClientFrame, BadFrame> {
        ClientFrame::parse(text.as_bytes(), &RoomLimits::default(), &SessionLimits::default())
    }

    fn refusal(text: &str) -> (Option<u64>, RejectCode, Option<&'static str>) {
        let bad = parse(text).expect_err(text);
        (bad.id.map(|id| id.0), bad.reject.code, bad.reject.field)
    }

    #[test]
    fn a_command_is_read_with_its_number() {
        let frame = parse(r#"{"type":"send","id":3,"room":"tlbswgoc","text":"h\u00ed","key":"k","extra":[1]}"#);
        let (room, text) = (RoomCode::parse("TLBSWGOC").expect("valid"), Body::parse("hí", 10).expect("valid"));
        let expected = Command::send(room, text).with_key(Key::parse("k").expect("valid"));
        assert_eq!(frame, Ok(ClientFrame { id: Some(CommandId(3)), request: Request::Command(expected) }));
    }

    fn command(text: &str) -> Command {
        let Request::Command(command) = parse(text).expect(text).request else { panic!("{text} is a command") };
        command
    }

    #[test]
    fn a_message_has_a_text_or_data_or_both_and_may_answer_another() {
        let room = || RoomCode::parse("ABC").expect("valid");
        let data = |json: &str| Data::parse(json, 100).expect("valid");
        let hi = || Body::parse("hi", 10).expect("valid");
        let sent = command(r#"{"type":"send","room":"ABC","text":"hi","data":{"b":1.0, "a":[]},"reply_to":7}"#);
        assert_eq!(sent, Command::send(room(), hi()).with_data(data(r#"{"b":1.0, "a":[]}"#)).with_reply_to(Seq(7)));
        for text in ["", r#","text":"""#, r#","text":null"#] {
            let sent = command(&format!(r#"{{"type":"send","room":"ABC"{text},"data":{{}}}}"#));
            assert_eq!(sent, Command::send(room(), Body::empty()).with_data(data("{}")), "{text}");
        }
        assert_eq!(command(r#"{"type":"send","room":"ABC","text":"hi","data":null}"#), Command::send(room(), hi()));
        let edited = command(r#"{"type":"edit","room":"ABC","target":9,"text":"hi","key":"k"}"#);
        assert_eq!(edited, Command::edit(room(), Seq(9), hi()).with_key(Key::parse("k").expect("valid")));
        let edited = command(r#"{"type":"edit","room":"ABC","target":9,"data":{}}"#);
        assert_eq!(edited, Command::edit(room(), Seq(9), Body::empty()).with_data(data("{}")));
        use RejectCode::*;
        for (fields, code, field) in [
            (r#""type":"send","text":"hi","data":[]"#, BadField, "data"),
            (r#""type":"send","text":"hi","data":"{}""#, BadField, "data"),
            (r#""type":"send","text":7,"data":{}"#, BadField, "text"),
            (r#""type":"send","text":"","data":null"#, BadField, "text"),
            (r#""type":"send","text":"hi","reply_to":-1"#, BadField, "reply_to"),
            (r#""type":"edit","text":"hi""#, BadField, "target"),
            (r#""type":"edit","target":9"#, BadField, "text"),
            (r#""type":"send","data":{"a":[[[[[[[[]]]]]]]]}"#, TooLong, "data"),
        ] {
            assert_eq!(refusal(&format!(r#"{{"room":"ABC",{fields}}}"#)), (None, code, Some(field)), "{fields}");
        }
        let much = format!(r#"{{"type":"send","room":"ABC","data":{{"a":"{}"}}}}"#, "x".repeat(4_096));
        assert_eq!(refusal(&much), (None, TooLong, Some("data")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        use RejectCode::*;
        assert_eq!(refusal(""), (None, BadFrame, None));
        assert_eq!(refusal("[]"), (None, BadFrame, None));
        assert_eq!(refusal("{} {}"), (None, BadFrame, None));
        assert_eq!(refusal("{}"), (None, BadField, Some("type")));
        assert_eq!(refusal(r#"{"type":7}"#), (None, BadField, Some("type")));
        assert_eq!(refusal(r#"{"type":"nonsense","id":1}"#), (Some(1), UnknownType, None));
        assert_eq!(refusal(r#"{"type":"leave","id":2}"#), (Some(2), BadField, Some("room")));
        assert_eq!(refusal(r#"{"type":"leave","id":2,"room":"a b"}"#), (Some(2), BadField, Some("room")));
        assert_eq!(refusal(r#"{"type":"send","id":2,"room":"ABC"}"#), (Some(2), BadField, Some("text")));
        assert_eq!(refusal(r#"{"type":"typing","room":"ABC","on":1}"#), (None, BadField, Some("on")));
        assert_eq!(
            refusal(r#"{"type":"join","room":"ABC","nick":"a","history":-1}"#),
            (None, BadField, Some("history"))
        );
        assert_eq!(refusal(r#"{"type":"join","room":"ABC","nick":"a","after":"x"}"#), (None, BadField, Some("after")));
        let react = |rest: &str| format!(r#"{{"type":"react","room":"ABC","target":3{rest}}}"#);
        assert_eq!(refusal(&react(r#","on":true"#)), (None, BadField, Some("name")));
        assert_eq!(refusal(&react(r#","name":"+1""#)), (None, BadField, Some("on")));
        assert_eq!(refusal(&react(r#","name":"a\nb","on":true"#)), (None, BadField, Some("name")));
        let long = react(&format!(r#","name":"{}","on":true"#, "x".repeat(33)));
        assert_eq!(refusal(&long), (None, TooLong, Some("name")));
        let long = format!(r#"{{"type":"send","room":"ABC","text":"{}"}}"#, "x".repeat(4_001));
        assert_eq!(refusal(&long), (None, TooLong, Some("text")));
        assert_eq!(refusal(&" ".repeat(70_000)), (None, TooLong, Some("frame")));
    }

    #[test]
    fn a_wrong_number_comes_back_where_it_can_be_read() {
        const MAX: u64 = 9_007_199_254_740_991;
        for (id, read) in [
            ("9007199254740992", Some(MAX + 1)),
            ("18446744073709551615", Some(u64::MAX)),
            ("7.0", Some(7)),
            ("7e0", Some(7)),
            (r#""7""#, Some(7)),
            ("-1", None),
            ("7.5", None),
            ("1e300", None),
            (r#""seven""#, None),
            ("[7]", None),
            ("true", None),
        ] {
            let frame = format!(r#"{{"type":"leave","id":{id},"room":"ABC"}}"#);
            assert_eq!(refusal(&frame), (read, RejectCode::BadField, Some("id")), "{id}");
        }
    }

    fn message(text: &str) -> String {
        parse(text).expect_err(text).reject.message.into_owned()
    }

    #[test]
    fn a_field_that_is_there_twice_is_named_and_the_number_comes_back() {
        let twice = r#"{"type":"leave","id":7,"room":"ABC","room":"ABC"}"#;
        assert_eq!(refusal(twice), (Some(7), RejectCode::BadFrame, Some("room")));
        assert_eq!(message(twice), "room is there twice");
        assert_eq!(refusal(r#"{"type":"leave","id":7,"id":8}"#), (None, RejectCode::BadFrame, Some("id")));
        for name in FIELDS {
            let twice = format!(r#"{{"{name}":1,"{name}":1}}"#);
            assert_eq!(parse(&twice).expect_err("twice").reject.field, Some(*name));
        }
    }

    #[test]
    fn what_is_wrong_with_a_frame_as_a_whole_is_said_in_words() {
        assert!(message("\u{FEFF}{}").contains("byte order mark"));
        assert!(message(r#"{"type":"leave""#).contains("EOF while parsing"), "{}", message(r#"{"type":"leave""#));
        assert!(message("{} {}").contains("trailing characters at line 1 column 4"));
        assert_eq!(message("[1]"), "the frame is not one JSON object");
        let halved = r#"{"type":"send","id":3,"room":"ABC","text":"\ud83d"}"#;
        assert_eq!(refusal(halved), (Some(3), RejectCode::BadField, Some("text")));
        assert!(message(halved).contains("surrogate"), "{}", message(halved));
        assert_eq!(message(r#"{"type":"send","room":"ABC","text":5}"#), "text is a string");
        assert!(message(r#"{"type":"send","room":"ABC","text":"a\r\n"}"#).contains("U+000D"));
    }

    #[test]
    fn a_history_lies_at_one_place_and_two_are_refused() {
        let anchor = |fields: &str| {
            let frame = parse(&format!(r#"{{"type":"history","room":"ABC"{fields}}}"#)).expect(fields);
            let Request::Command(Command::History { anchor, .. }) = frame.request else { panic!("{fields}") };
            anchor
        };
        assert_eq!(anchor(""), HistoryAnchor::Newest);
        assert_eq!(anchor(r#","before":7,"after":null"#), HistoryAnchor::Before(Seq(7)));
        assert_eq!(anchor(r#","after":0"#), HistoryAnchor::After(Seq(0)));
        assert_eq!(anchor(r#","around":7,"before":null"#), HistoryAnchor::Around(Seq(7)));
        for (fields, field) in [
            (r#""before":1,"after":2"#, "after"),
            (r#""after":2,"around":3"#, "around"),
            (r#""before":1,"around":1"#, "around"),
            (r#""before":1,"after":2,"around":3"#, "around"),
            (r#""after":"04HMASW9NF6YF:17""#, "after"),
            (r#""around":-1"#, "around"),
            (r#""around":1.5"#, "around"),
        ] {
            let frame = format!(r#"{{"type":"history","room":"ABC",{fields}}}"#);
            assert_eq!(refusal(&frame), (None, RejectCode::BadField, Some(field)), "{fields}");
        }
    }

    #[test]
    fn a_bound_for_catching_up_is_a_whole_number() {
        let catch_up = |frame: &str| match parse(frame).expect(frame).request {
            Request::Hello(hello) => hello.catch_up,
            Request::Command(Command::Join { catch_up, .. }) => catch_up,
            Request::Command(other) => panic!("{other:?}"),
        };
        assert_eq!(catch_up(r#"{"type":"hello","resume":"t","catch_up":0}"#), Some(0));
        assert_eq!(catch_up(r#"{"type":"hello","catch_up":100}"#), Some(100));
        assert_eq!(catch_up(r#"{"type":"hello","resume":"t","catch_up":null}"#), None);
        assert_eq!(catch_up(r#"{"type":"join","room":"ABC","nick":"Ann","catch_up":7}"#), Some(7));
        for wrong in ["-1", "1.5", "\"7\"", "true", "4294967296"] {
            for kind in
                [r#""type":"hello""#, r#""type":"hello","resume":"t""#, r#""type":"join","room":"ABC","nick":"a""#]
            {
                let frame = format!(r#"{{{kind},"catch_up":{wrong}}}"#);
                assert_eq!(refusal(&frame), (None, RejectCode::BadField, Some("catch_up")), "{frame}");
            }
        }
    }

    #[test]
    fn a_wrong_entry_in_positions_costs_that_entry_alone() {
        let positions = |json: &str| {
            let frame = parse(&format!(r#"{{"type":"hello","resume":"t","positions":{json}}}"#)).expect("a hello");
            let Request::Hello(Hello { resume: Some(resume), .. }) = frame.request else { panic!("it resumes") };
            resume.positions.iter().map(|(code, _)| code.to_string()).collect::<Vec<_>>()
        };
        const AT: &str = r#""04HMASW9NF6YF:17""#;
        assert_eq!(positions(&format!(r#"{{"TEA":{AT},"a b":{AT},"LUNCH":"17","DINNER":5}}"#)), ["TEA"]);
        assert_eq!(positions(&format!(r#"{{"tea":{AT},"TEA":{AT}}}"#)), ["TEA"]);
        assert_eq!(positions("[]"), [""; 0]);
        assert_eq!(positions("7"), [""; 0]);
        let many: Vec<String> = (0..40).map(|number| format!(r#""ROOM-{number}":{AT}"#)).collect();
        assert_eq!(positions(&format!("{{{}}}", many.join(","))).len(), 32);
    }

    #[test]
    fn settings_name_what_changes_and_null_takes_a_secret_away() {
        let change = |fields: &str| {
            let frame = parse(&format!(r#"{{"type":"settings","room":"ABC"{fields}}}"#)).expect(fields);
            let Request::Command(Command::Settings { change, .. }) = frame.request else { panic!("{fields}") };
            change
        };
        let secret = RoomSecret::parse("hush").expect("valid");
        assert_eq!(change(""), SettingsChange::new());
        assert_eq!(change(r#","slow_ms":5000,"locked":true"#), SettingsChange::new().slow_ms(5_000).locked(true));
        assert_eq!(change(r#","secret":null,"locked":null"#), SettingsChange::new().secret(None));
        assert_eq!(change(r#","secret":"hush""#), SettingsChange::new().secret(Some(secret.clone())));
        for (json, history) in
            [("\"all\"", NewcomersSee::All), ("\"none\"", NewcomersSee::Nothing), ("3", NewcomersSee::Last(3))]
        {
            assert_eq!(change(&format!(",\"history\":{json}")), SettingsChange::new().history(history));
        }
        let all = change(r#","read_only":false,"listed":true"#);
        assert_eq!(all, SettingsChange::new().read_only(false).listed(true));
        for (fields, field) in [
            (r#""slow_ms":-1"#, "slow_ms"),
            (r#""locked":1"#, "locked"),
            (r#""read_only":"yes""#, "read_only"),
            (r#""secret":"""#, "secret"),
            (r#""secret":7"#, "secret"),
            (r#""history":"some""#, "history"),
            (r#""listed":[]"#, "listed"),
        ] {
            let frame = format!(r#"{{"type":"settings","room":"ABC",{fields}}}"#);
            assert_eq!(refusal(&frame), (None, RejectCode::BadField, Some(field)), "{fields}");
        }
        let join = |secret: &str| {
            let frame = parse(&format!(r#"{{"type":"join","room":"ABC","nick":"Ann","secret":{secret}}}"#));
            assert!(!format!("{frame:?}").contains("hush"), "it may go to a log");
            let Request::Command(Command::Join { secret, .. }) = frame.expect("valid").request else {
                panic!("a join")
            };
            secret
        };
        assert_eq!((join("null"), join("\"hush\"")), (None, Some(secret)));
    }

    #[test]
    fn what_one_is_shown_as_is_named_and_null_takes_data_away() {
        let command = |json: &str| {
            let Request::Command(command) = parse(json).expect(json).request else { panic!("{json}") };
            command
        };
        let lunch = RoomCode::parse("LUNCH").expect("valid");
        let nick = Nick::parse("Ann").expect("valid");
        let data = PersonData::parse(r#"{"b":1,"a":[2]}"#).expect("valid");
        let me = |change| Command::me(lunch.clone(), change);
        assert_eq!(command(r#"{"type":"me","room":"LUNCH"}"#), me(MemberChange::new()));
        assert_eq!(
            command(r#"{"type":"me","room":"LUNCH","nick":" Ann ","data":{"b": 1, "a": [ 2 ]}}"#),
            me(MemberChange::new().nick(nick.clone()).data(data.clone()))
        );
        let without = command(r#"{"type":"me","room":"LUNCH","nick":null,"data":null}"#);
        assert_eq!(without, me(MemberChange::new().data(None)));
        let join = Command::join(lunch.clone(), nick.clone());
        assert_eq!(command(r#"{"type":"join","room":"LUNCH","nick":"Ann","data":null}"#), join);
        let shown = command(r#"{"type":"join","room":"LUNCH","nick":"Ann","data":{"b":1,"a":[2]}}"#);
        assert_eq!(shown, join.with_person_data(data.clone()));
        let create = command(r#"{"type":"create","nick":"Ann","data":{"b":1,"a":[2]}}"#);
        assert_eq!(create, Command::create(nick).with_person_data(data));
        for kind in ["join", "create", "me"] {
            let wrong =
                |data: &str| refusal(&format!(r#"{{"type":"{kind}","room":"ABC","nick":"Ann","data":{data}}}"#));
            for data in ["[]", "7", r#""{}""#, r#"{"a":1e999}"#, r#"{"a":1,"a":2}"#] {
                assert_eq!(wrong(data), (None, RejectCode::BadField, Some("data")), "{data}");
            }
            let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(249));
            assert_eq!(wrong(&long), (None, RejectCode::TooLong, Some("data")));
        }
        assert_eq!(refusal(r#"{"type":"me","room":"ABC","nick":""}"#), (None, RejectCode::BadField, Some("nick")));
    }

    #[test]
    fn null_is_absent() {
        let frame = parse(r#"{"type":"create","id":null,"nick":"Ann","room":null}"#).expect("valid");
        let nick = Nick::parse("Ann").expect("valid");
        assert_eq!(frame, ClientFrame { id: None, request: Request::Command(Command::create(nick)) });
    }
}
