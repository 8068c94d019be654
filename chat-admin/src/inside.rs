//! What is answered of those in one room: members, messages and bans as the operator sees them.

use chat_core::room::BanLine;
use chat_core::wire::MessageFrame;
use chat_core::{BansPage, HistoryPage, MembersPage, PersonData, Role, RoomMember, Wall};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

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
