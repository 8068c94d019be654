//! Any bytes as a client frame: a frame or a refusal that says what is wrong, and what is read is read back as written.

use chat_core::{
    BadFrame, ClientFrame, Command, Extent, HistoryAnchor, Limits, PersonData, RejectCode, Request, RoomSecret,
    SettingsChange, SignalData, TypingState,
};
use serde_json::{Map, Value, json};

/// All bytes are one frame.
///
/// # Panics
/// When a refusal has a code that no frame deserves, or a frame that was read is not read back from its own words.
pub fn client_frame(data: &[u8]) {
    let parse = |bytes: &[u8]| {
        let limits = Limits::default();
        ClientFrame::parse(bytes, &limits.room, &limits.session)
    };
    match parse(data) {
        Ok(frame) => {
            let written = with_data(write(&frame).to_string(), &frame);
            assert_eq!(parse(written.as_bytes()).as_ref(), Ok(&frame), "{written}");
        }
        Err(BadFrame { id, reject }) => {
            use RejectCode::{BadField, BadFrame, TooLong, UnknownType};
            let is_of_a_frame = matches!(reject.code, BadFrame | UnknownType | BadField | TooLong);
            assert!(is_of_a_frame, "{reject:?}");
            assert_eq!(reject.limit.is_some(), reject.code == TooLong, "{reject:?}");
            // A field that is there twice is named, too.
            let names_a_field = matches!(reject.code, BadField | TooLong) || reject.message.ends_with("there twice");
            assert_eq!(reject.field.is_some(), names_a_field, "{reject:?}");
            assert!(reject.retry_after.is_none(), "it is wrong at any time: {reject:?}");
            // One that is too large comes back with what is wrong about it, or where nothing else could be read.
            let is_wrong = reject.field == Some("id") || reject.code == BadFrame;
            assert!(is_wrong || id.is_none_or(|id| id.0 < 1 << 53), "{id:?}: {reject:?}");
        }
    }
}

/// With its data, in the words in which they are kept: a reader of JSON would write `1e2` as `100.0`.
fn with_data(mut written: String, frame: &ClientFrame) -> String {
    if let Request::Command(Command::Create { params: Some(params), .. } | Command::Join { params: Some(params), .. }) =
        &frame.request
    {
        let open = written.strip_suffix('}').expect("an object");
        written = format!("{open},\"params\":{}}}", params.expose());
    }
    let data = match &frame.request {
        Request::Command(Command::Create { data: Some(data), .. } | Command::Join { data: Some(data), .. }) => {
            Some(data.as_str())
        }
        Request::Command(Command::Send { data: Some(data), .. } | Command::Edit { data: Some(data), .. }) => {
            Some(data.as_str())
        }
        Request::Command(Command::Me { change, .. }) => match &change.data {
            None => return written,
            Some(data) => data.as_ref().map(PersonData::as_str),
        },
        Request::Command(Command::Signal { data, .. }) => data.as_ref().map(SignalData::as_str),
        _ => return written,
    };
    let open = written.strip_suffix('}').expect("an object");
    format!("{open},\"data\":{}}}", data.unwrap_or("null"))
}

/// A frame in the words of the protocol page, without data.
fn write(frame: &ClientFrame) -> Value {
    let mut fields = match &frame.request {
        Request::Hello(hello) => {
            assert_eq!(hello.id, frame.id, "one frame, one number");
            let mut fields = named("hello");
            if let Some(resume) = &hello.resume {
                let positions = resume.positions.iter();
                let positions: Map<String, Value> =
                    positions.map(|(room, position)| (room.to_string(), position.to_string().into())).collect();
                fields.insert("resume".into(), resume.token.clone().into());
                fields.insert("positions".into(), positions.into());
            }
            if let Some(most) = hello.catch_up {
                fields.insert("catch_up".into(), most.into());
            }
            if let Some(token) = &hello.token {
                fields.insert("token".into(), token.expose().into());
            }
            fields
        }
        Request::Command(command) => write_command(command),
    };
    if let Some(id) = frame.id {
        fields.insert("id".into(), id.0.into());
    }
    fields.into()
}

fn write_command(command: &Command) -> Map<String, Value> {
    let fields = match command {
        Command::Create { nick, room, .. } => {
            json!({"type": "create", "nick": nick.as_str(), "room": room.as_ref().map(|room| room.as_str())})
        }
        Command::Join { room, nick, history, after, secret, catch_up, .. } => json!({
            "type": "join", "room": room.as_str(), "nick": nick.as_str(), "history": history,
            "after": after.map(|after| after.to_string()), "secret": secret.as_ref().map(RoomSecret::expose), "catch_up": catch_up,
        }),
        Command::Me { room, change, .. } => {
            json!({"type": "me", "room": room.as_str(), "nick": change.nick.as_ref().map(|nick| nick.as_str())})
        }
        Command::Send { room, text, key, reply_to, .. } => json!({
            "type": "send", "room": room.as_str(), "text": text.as_str(),
            "key": key.as_ref().map(|key| key.as_str()), "reply_to": reply_to.map(|seq| seq.0),
        }),
        Command::Edit { room, target, text, key, .. } => json!({
            "type": "edit", "room": room.as_str(), "target": target.0, "text": text.as_str(),
            "key": key.as_ref().map(|key| key.as_str()),
        }),
        Command::Leave { room, .. } => json!({"type": "leave", "room": room.as_str()}),
        Command::History { room, anchor, limit, .. } => {
            let mut fields = json!({"type": "history", "room": room.as_str(), "limit": limit});
            let place = match anchor {
                HistoryAnchor::Newest => None,
                HistoryAnchor::Before(seq) => Some(("before", seq)),
                HistoryAnchor::After(seq) => Some(("after", seq)),
                HistoryAnchor::Around(seq) => Some(("around", seq)),
                other => unreachable!("nothing writes {other:?}"),
            };
            if let Some((field, seq)) = place {
                fields[field] = seq.0.into();
            }
            fields
        }
        Command::Members { room, after, limit, .. } => {
            json!({"type": "members", "room": room.as_str(), "after": after.map(|after| after.0), "limit": limit})
        }
        Command::Typing { room, state, .. } => {
            json!({"type": "typing", "room": room.as_str(), "on": *state == TypingState::On})
        }
        Command::Live { room, target, text, .. } => json!({
            "type": "live", "room": room.as_str(), "target": target.0, "text": text.as_ref().map(|text| text.as_str()),
        }),
        Command::Signal { room, name, .. } => json!({"type": "signal", "room": room.as_str(), "name": name.as_str()}),
        Command::Changes { room, after, .. } => json!({"type": "changes", "room": room.as_str(), "after": after.0}),
        Command::Read { room, through, .. } => json!({"type": "read", "room": room.as_str(), "through": through.0}),
        Command::Redact { room, target, .. } => json!({"type": "redact", "room": room.as_str(), "target": target.0}),
        Command::React { room, target, name, on, key, .. } => json!({
            "type": "react", "room": room.as_str(), "target": target.0, "name": name.as_str(), "on": on,
            "key": key.as_ref().map(|key| key.as_str()),
        }),
        Command::Kick { room, member, .. } => json!({"type": "kick", "room": room.as_str(), "member": member.0}),
        Command::RedactAll { room, member, from, .. } => json!({
            "type": "redact_all", "room": room.as_str(), "member": member.0, "from": from.map(|from| from.0),
        }),
        Command::Ban { room, member, terms, .. } => json!({
            "type": "ban", "room": room.as_str(), "member": member.0, "minutes": terms.minutes,
            "network": terms.network, "sweep": terms.sweep,
        }),
        Command::Unban { room, ban, .. } => json!({"type": "unban", "room": room.as_str(), "ban": ban.0}),
        Command::Bans { room, after, limit, .. } => {
            json!({"type": "bans", "room": room.as_str(), "after": after.map(|after| after.0), "limit": limit})
        }
        Command::SetTopic { room, topic, .. } => {
            json!({"type": "topic", "room": room.as_str(), "topic": topic.as_str()})
        }
        Command::Settings { room, change, .. } => {
            let SettingsChange { slow_ms, locked, read_only, secret, history, listed, .. } = change;
            let mut fields = json!({
                "type": "settings", "room": room.as_str(), "slow_ms": slow_ms, "locked": locked,
                "read_only": read_only, "history": history, "listed": listed,
            });
            if let Some(secret) = secret {
                fields["secret"] = secret.as_ref().map(RoomSecret::expose).into();
            }
            fields
        }
        Command::SetRole { room, member, role, .. } => {
            json!({"type": "role", "room": room.as_str(), "member": member.0, "role": role})
        }
        Command::Auth { token, .. } => json!({"type": "auth", "token": token.expose()}),
        Command::End { token, extent, .. } => json!({
            "type": "end", "token": token.map(|token| token.to_string()), "all": *extent == Extent::Person,
        }),
        other => unreachable!("a command that this check cannot write: {other:?}"),
    };
    match fields {
        Value::Object(fields) => fields,
        other => unreachable!("a command is an object: {other}"),
    }
}

fn named(kind: &str) -> Map<String, Value> {
    [("type".to_owned(), kind.into())].into_iter().collect()
}
