//! What a client may say, as types with the fields that each frame has: for the schema alone. What is said is read field by field.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::Role;
use crate::types::{BanId, CommandId, MemberId, NewcomersSee, Seq};

/// Any object.
type Object = Map<String, Value>;

/// A frame of a client, with the number that it is answered under.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ClientFrame")]
pub(super) struct ClientFrameShape {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<CommandId>,
    #[serde(flatten)]
    request: Request,
}

/// Fields that may be left out may also be `null`, unless that says something of its own.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(dead_code, reason = "the schema is made of the type, and no value of it is")]
pub(super) enum Request {
    /// How a connection begins.
    Hello {
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// The token of the session to come back to.
        #[serde(skip_serializing_if = "Option::is_none")]
        resume: Option<String>,
        /// The last event that was seen of each room.
        #[serde(skip_serializing_if = "Option::is_none")]
        positions: Option<BTreeMap<String, String>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        catch_up: Option<u32>,
    },
    Create {
        nick: String,
        /// A code of one's own choice.
        #[serde(skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Object>,
        #[serde(skip_serializing_if = "Option::is_none")]
        params: Option<Object>,
    },
    Join {
        room: String,
        nick: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        history: Option<u32>,
        /// A position: an epoch, a colon and a number.
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        catch_up: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Object>,
        #[serde(skip_serializing_if = "Option::is_none")]
        params: Option<Object>,
    },
    Me {
        room: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        nick: Option<String>,
        /// `null` takes them away.
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Object>,
    },
    /// At least one of `text` and `data`.
    Send {
        room: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Object>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// At least one of `text` and `data`.
    Edit {
        room: String,
        target: Seq,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Object>,
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    Leave {
        room: String,
    },
    /// At most one of `before`, `after` and `around`.
    History {
        room: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none")]
        around: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    Changes {
        room: String,
        after: Seq,
    },
    Members {
        room: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<MemberId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    Typing {
        room: String,
        on: bool,
    },
    Live {
        room: String,
        target: Seq,
        /// `null` where it does not grow any more.
        text: Option<String>,
    },
    Signal {
        room: String,
        name: String,
        /// Any JSON; `null` takes the signal away.
        data: Value,
    },
    Read {
        room: String,
        through: Seq,
    },
    Redact {
        room: String,
        target: Seq,
    },
    RedactAll {
        room: String,
        member: MemberId,
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<Seq>,
    },
    React {
        room: String,
        target: Seq,
        name: String,
        on: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    Kick {
        room: String,
        member: MemberId,
    },
    Ban {
        room: String,
        member: MemberId,
        #[serde(skip_serializing_if = "Option::is_none")]
        minutes: Option<NonZeroU32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        network: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sweep: Option<bool>,
    },
    Unban {
        room: String,
        ban: BanId,
    },
    Bans {
        room: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<BanId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    Topic {
        room: String,
        topic: String,
    },
    Role {
        room: String,
        member: MemberId,
        role: Role,
    },
    /// At least one setting.
    Settings {
        room: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        slow_ms: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        locked: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        read_only: Option<bool>,
        /// `null` takes it away.
        #[serde(skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        history: Option<NewcomersSee>,
        #[serde(skip_serializing_if = "Option::is_none")]
        listed: Option<bool>,
    },
    /// Shows who one is anew.
    Auth {
        token: String,
    },
    /// Ends a session, or all of the person's.
    End {
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        all: Option<bool>,
    },
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::client_frame_schema;
    use super::super::tests::types;
    use super::*;
    use crate::types::{RejectCode, RoomLimits, SessionLimits};
    use crate::wire::{ClientFrame, FEATURES};

    /// A value that every field of this name takes.
    fn sample(field: &str) -> Value {
        match field {
            "room" => "LUNCH".into(),
            "after" => "04HMASW9NF6YF:17".into(),
            "positions" => serde_json::json!({ "LUNCH": "04HMASW9NF6YF:17" }),
            "data" | "params" => serde_json::json!({ "a": 1 }),
            "on" | "network" | "sweep" | "locked" | "read_only" | "listed" | "all" => true.into(),
            "role" => "member".into(),
            "resume" | "nick" | "text" | "key" | "name" | "topic" | "secret" => "hello".into(),
            _ => 7.into(),
        }
    }

    fn value(kind: &str, field: &str) -> Value {
        match (kind, field) {
            ("join", "history" | "catch_up") | ("settings", "history") => 7.into(),
            ("join", "after") => sample(field),
            (_, "after") => 7.into(),
            ("auth" | "hello", "token") => "secret".into(),
            ("end", "token") => Value::Null,
            _ => sample(field),
        }
    }

    /// The frame of a schema by its `type`: what it must have, and what it may.
    fn frames() -> Vec<(String, BTreeSet<String>, BTreeSet<String>)> {
        let schema = client_frame_schema();
        let common: BTreeSet<String> = schema["properties"].as_object().expect("an id").keys().cloned().collect();
        let read = |frame: &Value| {
            let names = |list: &Value| -> BTreeSet<String> {
                list.as_array().into_iter().flatten().map(|name| name.as_str().expect("a name").to_owned()).collect()
            };
            let may: BTreeSet<String> = frame["properties"].as_object().expect("fields").keys().cloned().collect();
            let kind = frame["properties"]["type"]["const"].as_str().expect("a type").to_owned();
            (kind, names(&frame["required"]), may.union(&common).cloned().collect())
        };
        schema["oneOf"].as_array().expect("frames").iter().map(read).collect()
    }

    fn refused(kind: &str, fields: &BTreeSet<String>) -> Option<(RejectCode, Option<&'static str>)> {
        let mut frame = Map::new();
        for field in fields {
            frame.insert(field.clone(), if field == "type" { kind.into() } else { value(kind, field) });
        }
        let bytes = serde_json::to_vec(&frame).expect("written");
        let parsed = ClientFrame::parse(&bytes, &RoomLimits::default(), &SessionLimits::default());
        parsed.err().map(|bad| (bad.reject.code, bad.reject.field))
    }

    #[test]
    fn what_the_schema_asks_for_is_what_the_server_asks_for() {
        for (kind, required, may) in frames() {
            let mut least = required.clone();
            match &*kind {
                "send" | "edit" => drop(least.insert("text".to_owned())),
                "settings" => drop(least.insert("locked".to_owned())),
                _ => {}
            }
            assert_eq!(refused(&kind, &least), None, "{kind} with {least:?}");
            for field in &required {
                let mut fewer = least.clone();
                fewer.remove(field);
                let code = refused(&kind, &fewer).unwrap_or_else(|| panic!("{kind} is taken without {field}")).0;
                assert!(
                    matches!(code, RejectCode::BadField | RejectCode::BadFrame | RejectCode::UnknownType),
                    "{kind}: {code:?}"
                );
            }
            let mut all = may.clone();
            if kind == "history" {
                all.remove("before");
                all.remove("around");
            }
            assert_eq!(refused(&kind, &all), None, "{kind} with {all:?}");
        }
    }

    /// A field that is read and not in the schema would be refused with a wrong value, and passed over where it is not read.
    #[test]
    fn the_schema_has_every_field_that_the_server_reads() {
        let names = super::super::super::fields::Fields::names();
        for (kind, _, may) in frames() {
            for field in names.iter().filter(|name| !may.contains(**name)) {
                let mut frame: Map<String, Value> = may
                    .iter()
                    .filter(|name| !(kind == "history" && matches!(&***name, "before" | "around")))
                    .map(|name| (name.clone(), if name == "type" { kind.clone().into() } else { value(&kind, name) }))
                    .collect();
                frame.insert((*field).to_owned(), serde_json::json!([[]]));
                let bytes = serde_json::to_vec(&frame).expect("written");
                let parsed = ClientFrame::parse(&bytes, &RoomLimits::default(), &SessionLimits::default());
                assert!(parsed.is_ok(), "{kind} reads {field}, which its schema does not have: {parsed:?}");
            }
        }
    }

    #[test]
    fn every_command_has_a_schema() {
        let mut expected: BTreeSet<String> = FEATURES.iter().map(|kind| (*kind).to_owned()).collect();
        expected.insert("hello".to_owned());
        assert_eq!(types(&client_frame_schema()), expected);
    }
}
