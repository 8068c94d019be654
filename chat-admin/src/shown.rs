//! What is answered of rooms, sessions and the server, as the operator sees them.

use chat_core::room::OwnerSeat;
use chat_core::{
    Engine, NewcomersSee, NodeId, Notices, PersonSessions, RoomAbout, RoomCode, RoomEntry, RoomInfo, Seq, SessionEntry,
    Settings, Stats,
};
use schemars::JsonSchema;
use serde::Serialize;

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
