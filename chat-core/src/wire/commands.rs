//! What a client may ask, by its `type`: which fields each command has, and which commands a server takes.

use std::num::NonZeroU32;

use super::bans;
use super::fields::{Fields, even_null_string, missing, optional, optional_string, required, string};
use crate::domain::{Command, Extent, HistoryAnchor, MemberChange, RecordVersion, SettingsChange, TypingState};
use crate::types::{
    BanId, Body, MemberId, Nick, Position, ReactionName, Reject, RejectCode, RoomLimits, Seq, SignalName, Topic,
};

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
    "auth",
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
pub(super) fn features(writes: RecordVersion) -> impl Iterator<Item = &'static str> {
    let needs = |feature: &str| LATER_FEATURES.iter().find(|(later, _)| *later == feature).map(|(_, needs)| *needs);
    FEATURES.iter().copied().filter(move |feature| needs(feature).is_none_or(|needs| needs <= writes))
}

/// Reads the command of this `type` from its fields.
pub(super) fn command(kind: &str, fields: &Fields<'_>, room: &RoomLimits) -> Result<Command, Reject> {
    Ok(match kind {
        "create" => Command::Create {
            nick: fields.nick()?,
            room: fields.chosen_room()?,
            data: fields.person_data()?.flatten(),
            params: fields.params(room)?,
        },
        "join" => Command::Join {
            room: fields.room()?,
            nick: fields.nick()?,
            history: fields.count("history", fields.history)?,
            after: optional_string("after", fields.after)?
                .map(|text| text.parse::<Position>().map_err(|shape| Reject::bad_field("after", shape)))
                .transpose()?,
            secret: fields.secret()?,
            catch_up: fields.count("catch_up", fields.catch_up)?,
            data: fields.person_data()?.flatten(),
            params: fields.params(room)?,
        },
        "me" => Command::Me { room: fields.room()?, change: member_change(fields)? },
        "send" => {
            let (code, data) = (fields.room()?, fields.data(room)?);
            Command::send(code, fields.text(data.is_some(), room)?)
                .with_data(data)
                .with_reply_to(optional("reply_to", fields.reply_to, "reply_to is a seq")?.map(Seq))
                .with_key(fields.key()?)
        }
        "edit" => {
            let (code, data, target) = (fields.room()?, fields.data(room)?, fields.target()?);
            Command::edit(code, target, fields.text(data.is_some(), room)?).with_data(data).with_key(fields.key()?)
        }
        "leave" => Command::Leave { room: fields.room()? },
        "history" => Command::History {
            room: fields.room()?,
            anchor: anchor(fields)?,
            limit: fields.count("limit", fields.limit)?,
        },
        "changes" => {
            Command::Changes { room: fields.room()?, after: Seq(required("after", fields.after, "after is a seq")?) }
        }
        "members" => Command::Members {
            room: fields.room()?,
            after: optional::<u32>("after", fields.after, "after is a member's number")?.map(MemberId),
            limit: fields.count("limit", fields.limit)?,
        },
        "typing" => Command::Typing {
            room: fields.room()?,
            state: match required::<bool>("on", fields.on, "on is true or false")? {
                true => TypingState::On,
                false => TypingState::Off,
            },
        },
        "live" => Command::Live {
            room: fields.room()?,
            target: fields.target()?,
            text: match even_null_string("text", fields.text)? {
                Some(text) => Some(Body::parse(&text, room.message_chars_max)?),
                None => None,
            },
        },
        "signal" => Command::Signal {
            room: fields.room()?,
            name: SignalName::parse(&string("name", fields.name)?)?,
            data: fields.signal_data()?,
        },
        "read" => Command::Read {
            room: fields.room()?,
            through: Seq(required("through", fields.through, "through is a seq")?),
        },
        "redact" => Command::Redact { room: fields.room()?, target: fields.target()? },
        "react" => Command::React {
            room: fields.room()?,
            target: fields.target()?,
            name: ReactionName::parse(&string("name", fields.name)?)?,
            on: required("on", fields.on, "on is true or false")?,
            key: fields.key()?,
        },
        "kick" => Command::Kick { room: fields.room()?, member: fields.member()? },
        "redact_all" => Command::RedactAll {
            room: fields.room()?,
            member: fields.member()?,
            from: optional("from", fields.from, "from is a seq")?.map(Seq),
        },
        "ban" => Command::Ban {
            room: fields.room()?,
            member: fields.member()?,
            terms: bans::terms(
                optional::<NonZeroU32>("minutes", fields.minutes, "minutes is a whole number from 1 to 4294967295")?,
                fields.flag("network", fields.network, "network is true or false")?,
                fields.flag("sweep", fields.sweep, "sweep is true or false")?,
            ),
        },
        "unban" => {
            Command::Unban { room: fields.room()?, ban: BanId(required("ban", fields.ban, "ban is a ban's number")?) }
        }
        "bans" => Command::Bans {
            room: fields.room()?,
            after: optional("after", fields.after, "after is a ban's number")?.map(BanId),
            limit: fields.count("limit", fields.limit)?,
        },
        "topic" => Command::SetTopic { room: fields.room()?, topic: Topic::parse(&string("topic", fields.topic)?)? },
        "settings" => Command::Settings { room: fields.room()?, change: settings_change(fields)? },
        "role" => Command::SetRole { room: fields.room()?, member: fields.member()?, role: fields.role()? },
        "auth" => Command::Auth { token: fields.access_token()?.ok_or_else(|| missing("token"))? },
        "end" => {
            let extent = match optional::<bool>("all", fields.all, "all is true or false")? {
                Some(true) => Extent::Person,
                Some(false) | None => Extent::Session,
            };
            Command::end().with_token(fields.token()?).with_extent(extent)
        }
        _ => return Err(Reject::new(RejectCode::UnknownType, "type is none that a client sends")),
    })
}

/// Which part of the history is asked for: one at a time.
fn anchor(fields: &Fields<'_>) -> Result<HistoryAnchor, Reject> {
    let before = optional::<u64>("before", fields.before, "before is a seq")?;
    let after = optional::<u64>("after", fields.after, "after is a seq")?;
    let around = optional::<u64>("around", fields.around, "around is a seq")?;
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
fn settings_change(fields: &Fields<'_>) -> Result<SettingsChange, Reject> {
    let mut change = SettingsChange::new();
    change.slow_ms =
        optional("slow_ms", fields.slow_ms, "slow_ms is a whole number of milliseconds from 0 to 4294967295")?;
    change.locked = optional("locked", fields.locked, "locked is true or false")?;
    change.read_only = optional("read_only", fields.read_only, "read_only is true or false")?;
    change.secret = fields.secret.map(|_| fields.secret()).transpose()?;
    const HISTORY: &str = "history is \"all\", \"none\" or a whole number from 0 to 4294967295";
    change.history = optional("history", fields.history, HISTORY)?;
    change.listed = optional("listed", fields.listed, "listed is true or false")?;
    if change == SettingsChange::new() {
        // Told as done it would be believed, where the name of a setting is only misspelt.
        return Err(Reject::new(RejectCode::BadField, "settings names nothing that can be set here"));
    }
    Ok(change)
}

/// What is named is to be changed; `null` in place of data takes them away.
fn member_change(fields: &Fields<'_>) -> Result<MemberChange, Reject> {
    let nick = optional_string("nick", fields.nick)?.map(|text| Nick::parse(&text)).transpose()?;
    let mut change = MemberChange::new();
    (change.nick, change.data) = (nick, fields.person_data()?);
    Ok(change)
}

#[cfg(test)]
mod tests;
