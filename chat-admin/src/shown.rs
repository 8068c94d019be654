//! What is answered: rooms, members, messages and bans as the operator sees them.

use chat_core::room::{BanLine, OwnerSeat};
use chat_core::wire::MessageFrame;
use chat_core::{
    BansPage, Engine, HistoryPage, MembersPage, NewcomersSee, NodeId, Notices, PersonData, PersonSessions, Role,
    RoomAbout, RoomCode, RoomEntry, RoomInfo, RoomMember, Seq, SessionEntry, Settings, Stats, Wall,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// What was done.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Done {
    /// The number of its event; where none is told (nothing had to be done, or the room is closed) that of the last one told.
    seq: u64,
}

impl From<Seq> for Done {
    fn from(seq: Seq) -> Self {
        Self { seq: seq.0 }
    }
}

/// What came of something that was said.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Receipt {
    /// The number of the message.
    seq: u64,
    /// Its time.
    #[schemars(extend("format" = "date-time"))]
    at: String,
    /// Whether it had been said before, under the same key.
    repeated: bool,
}

impl From<chat_core::Receipt> for Receipt {
    fn from(receipt: chat_core::Receipt) -> Self {
        Self { seq: receipt.seq.0, at: receipt.at.to_string(), repeated: receipt.repeated }
    }
}

/// A room.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Room {
    /// Its code.
    room: String,
    /// What logs and the audit call it.
    tag: String,
    /// The room as it is, where it is in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Info>,
    /// Of a room that is in the log alone, what a list says of it without reading it. Absent where the log does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<About>,
}

impl Room {
    pub(crate) fn new(engine: &Engine, code: &RoomCode, info: Option<RoomInfo>) -> Self {
        Self { room: code.to_string(), tag: engine.room_tag(code).to_string(), info: info.map(Info::from), about: None }
    }

    pub(crate) fn listed(engine: &Engine, entry: RoomEntry) -> Self {
        let about = entry.about.filter(|_| entry.info.is_none()).map(About::from);
        Self { about, ..Self::new(engine, &entry.code, entry.info) }
    }
}

/// What is known of a room without reading it, as of its last event.
#[derive(Serialize, JsonSchema)]
struct About {
    /// What it is about; empty for nothing. Of one that is long, the beginning.
    topic: String,
    /// How many members there were.
    members: usize,
    /// When something last happened in it.
    #[schemars(extend("format" = "date-time"))]
    last_at: String,
    /// Whether the room may be shown to people who are not in it.
    listed: bool,
    /// Whether it stays while nobody is in it.
    kept: bool,
}

impl From<RoomAbout> for About {
    fn from(about: RoomAbout) -> Self {
        let RoomAbout { topic, members, last_at, is_listed, is_kept, .. } = about;
        Self { topic, members, last_at: last_at.to_string(), listed: is_listed, kept: is_kept }
    }
}

/// A room as it is.
#[derive(Serialize, JsonSchema)]
struct Info {
    /// Which incarnation.
    epoch: String,
    /// The number of the last event.
    seq: u64,
    /// What it is about; empty for nothing.
    topic: String,
    /// What is set.
    settings: SettingsShown,
    /// Whether joins and leaves are told one by one (`told`), or only counted.
    notices: NoticesShown,
    /// How many members there are.
    members: usize,
    /// How many of them are connected.
    online: usize,
    /// Whose it is: absent where the seat is held for somebody who is away, or is nobody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<u32>,
    /// Whether only the host says who owns it.
    protected: bool,
    /// Whether it stays while nobody is in it.
    kept: bool,
    /// When something last happened in it.
    #[schemars(extend("format" = "date-time"))]
    last_at: String,
}

impl From<RoomInfo> for Info {
    fn from(info: RoomInfo) -> Self {
        Self {
            epoch: info.epoch.to_string(),
            seq: info.seq.0,
            topic: info.topic.to_string(),
            settings: info.settings.into(),
            notices: if info.notices == Notices::Told { NoticesShown::Told } else { NoticesShown::Counted },
            members: info.members,
            online: info.online,
            owner: if let OwnerSeat::Taken(member) = info.owner { Some(member.0) } else { None },
            protected: info.is_protected,
            kept: info.is_kept,
            last_at: info.last_at.to_string(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum NoticesShown {
    Told,
    Counted,
}

/// What is set for a room.
#[derive(Serialize, JsonSchema)]
struct SettingsShown {
    /// Slow mode: how many milliseconds a member waits between two messages; 0 for none.
    slow_ms: u32,
    /// Whether nobody new gets in.
    locked: bool,
    /// Whether only those who moderate speak.
    read_only: bool,
    /// Whether newcomers have to know a secret.
    secret: bool,
    /// What newcomers see of what was said before: `all`, `none`, or how many messages. Absent where nobody has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<HistoryShown>,
    /// Whether the room may be shown to people who are not in it.
    listed: bool,
}

impl From<Settings> for SettingsShown {
    fn from(settings: Settings) -> Self {
        Self {
            slow_ms: settings.slow_ms,
            locked: settings.locked,
            read_only: settings.read_only,
            secret: settings.secret.is_some(),
            history: settings.history.and_then(|history| match history {
                NewcomersSee::All => Some(HistoryShown::Word("all")),
                NewcomersSee::Nothing => Some(HistoryShown::Word("none")),
                NewcomersSee::Last(count) => Some(HistoryShown::Last(count)),
                _ => None,
            }),
            listed: settings.listed,
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum HistoryShown {
    Last(u32),
    Word(&'static str),
}

/// Rooms in the order of their codes, one page.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Rooms {
    /// Those of this page.
    pub(crate) rooms: Vec<Room>,
    /// Where the next page begins: after this code. Absent where this was the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// Members in the order of their numbers, one page.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Members {
    /// Those of this page.
    members: Vec<Member>,
    /// How many there are in all.
    total: usize,
    /// Whether others follow.
    more: bool,
}

impl From<MembersPage> for Members {
    fn from(page: MembersPage) -> Self {
        Self { members: page.members.into_iter().map(Member::from).collect(), total: page.total, more: page.more }
    }
}

/// A member.
#[derive(Serialize, JsonSchema)]
struct Member {
    /// Their number.
    member: u32,
    /// Who they are, if the policy said so; else a guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    /// A guest's session.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    /// The name shown.
    nick: String,
    /// Their colour, of 16.
    color: u8,
    /// What they may do: `owner`, `moderator` or `member`.
    role: &'static str,
    /// What they show beside their name.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Map<String, Value>>,
    /// Whether they are connected.
    online: bool,
    /// When this membership began.
    #[schemars(extend("format" = "date-time"))]
    since: String,
}

impl From<RoomMember> for Member {
    fn from(member: RoomMember) -> Self {
        let object = |data: &PersonData| serde_json::from_str(data.as_str()).ok();
        Self {
            member: member.member.0,
            identity: member.identity.map(|identity| identity.as_str().to_owned()),
            session: member.session.map(|session| session.to_string()),
            nick: member.nick.to_string(),
            color: member.color.0,
            role: match member.role {
                Role::Owner => "owner",
                Role::Moderator => "moderator",
                _ => "member",
            },
            data: member.data.as_ref().and_then(object),
            online: member.online,
            since: member.since.to_string(),
        }
    }
}

/// Messages as they are now, oldest first, one page.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Messages {
    /// The incarnation of the room that they are of.
    epoch: String,
    /// Those of this page.
    messages: Vec<MessageShown>,
    /// Whether there are messages before these.
    more_before: bool,
    /// Whether there are any after them.
    more_after: bool,
    /// The last event that they reflect.
    as_of: u64,
}

impl From<HistoryPage> for Messages {
    fn from(page: HistoryPage) -> Self {
        Self {
            epoch: page.epoch.to_string(),
            messages: page.messages.into_iter().map(MessageShown::from).collect(),
            more_before: page.more_before,
            more_after: page.more_after,
            as_of: page.as_of.0,
        }
    }
}

/// A message as it is now.
#[derive(Serialize, JsonSchema)]
struct MessageShown {
    /// Its number.
    seq: u64,
    /// When it was said.
    #[schemars(extend("format" = "date-time"))]
    at: String,
    /// The member who said it; absent where the host did.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<u32>,
    /// The name that it was said under.
    nick: String,
    /// What it says; empty where it was taken back.
    text: String,
    /// What is attached to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Map<String, Value>>,
    /// The event that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<u64>,
    /// How often it has been edited.
    edited: u32,
    /// Whether it was taken back.
    redacted: bool,
    /// What people react with.
    reactions: Vec<ReactionShown>,
}

/// A reaction to a message.
#[derive(Serialize, JsonSchema)]
struct ReactionShown {
    /// What they reacted with.
    name: String,
    /// How many did.
    count: u32,
    /// The first of them.
    by: Vec<u32>,
}

impl From<MessageFrame> for MessageShown {
    fn from(message: MessageFrame) -> Self {
        let reactions = message.reactions.iter().map(|reaction| ReactionShown {
            name: reaction.name.to_string(),
            count: reaction.count,
            by: reaction.by.iter().map(|member| member.0).collect(),
        });
        Self {
            reactions: reactions.collect(),
            seq: message.seq.0,
            at: message.at.to_string(),
            member: message.member.map(|member| member.0),
            nick: message.nick,
            text: message.text,
            data: message.data,
            reply_to: message.reply_to.map(|seq| seq.0),
            edited: message.edited,
            redacted: message.redacted,
        }
    }
}

/// Those who are kept out of a room, one page.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Bans {
    /// In the order of their numbers.
    bans: Vec<Ban>,
    /// Whether others follow.
    more: bool,
}

impl From<BansPage> for Bans {
    fn from(page: BansPage) -> Self {
        Self { bans: page.bans.into_iter().map(Ban::from).collect(), more: page.more }
    }
}

/// Somebody who is kept out.
#[derive(Serialize, JsonSchema)]
struct Ban {
    /// The number of the ban.
    ban: u32,
    /// The number that the person has, or had, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<u32>,
    /// The name last shown, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    nick: Option<String>,
    /// The member who banned them; absent for the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<u32>,
    /// When they were banned, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    at: Option<String>,
    /// Until when; absent where it is for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    until: Option<String>,
    /// Whether whoever comes from where they came from is kept out, too.
    network: bool,
}

impl From<BanLine> for Ban {
    fn from(line: BanLine) -> Self {
        let time = |at: Option<Wall>| at.map(|at| at.to_string());
        Self {
            ban: line.ban.0,
            member: line.member.map(|member| member.0),
            nick: line.nick.map(|nick| nick.to_string()),
            by: line.by.map(|member| member.0),
            at: time(line.at),
            until: time(line.until),
            network: line.network,
        }
    }
}

/// The sessions of a person at all servers.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Sessions {
    /// In the order in which they began.
    sessions: Vec<Session>,
    /// Whether there are more than are named.
    more: bool,
    /// Servers that there are, and that have not answered: sessions that are known to them alone are missing.
    silent: Vec<String>,
}

impl From<PersonSessions> for Sessions {
    fn from(known: PersonSessions) -> Self {
        let sessions = known.sessions.into_iter().map(Session::from).collect();
        Self { sessions, more: known.more, silent: known.silent.iter().map(NodeId::to_string).collect() }
    }
}

/// A session.
#[derive(Serialize, JsonSchema)]
struct Session {
    /// Its id.
    session: String,
    /// Whether it has a connection.
    connected: bool,
    /// The rooms that it is in, or comes back to.
    rooms: Vec<String>,
    /// The server that it is at; nothing for the one that was asked.
    node: Option<String>,
}

impl From<SessionEntry> for Session {
    fn from(entry: SessionEntry) -> Self {
        let rooms = entry.rooms.iter().map(RoomCode::to_string).collect();
        let node = entry.node.map(|node| node.to_string());
        Self { session: entry.session.to_string(), connected: entry.is_connected, rooms, node }
    }
}

/// The sessions are over.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Ended {}

/// A drain has been asked for.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Draining {}

/// The server that was asked, as of now.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Status {
    /// The names that the host speaks under.
    names: Vec<String>,
    /// Whether it is going down.
    draining: bool,
    /// Rooms in memory.
    rooms: usize,
    /// Rooms of the log that are not in memory, and are visited when something in them runs out.
    rooms_away: usize,
    /// Sessions with a connection.
    sessions: usize,
    /// Sessions kept without a connection.
    sessions_detached: usize,
}

impl Status {
    pub(crate) fn of(engine: &Engine) -> Self {
        let Stats { rooms, rooms_away, sessions, sessions_detached, .. } = engine.stats();
        let names = engine.host_names().map(|name| name.to_string()).collect();
        Self { names, draining: engine.is_draining(), rooms, rooms_away, sessions, sessions_detached }
    }
}
