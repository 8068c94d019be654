//! JSON Schema of every frame, generated from the types that frames are written and read as.
//!
//! Draft 2020-12. A schema allows fields that it does not name, as the protocol does: a later server adds some. Behind the feature
//! `schema`, for those who write clients and for tests; no server needs it to run.

mod client;

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use self::client::ClientFrameShape;
use super::client_frame::ID_MAX;
use super::server_frame::ServerFrame;
use crate::types::{CommandId, Epoch, NewcomersSee, ReactionName, SessionId};

/// The schema of what a server says: one frame, by its `type`.
pub fn server_frame_schema() -> Value {
    schema_of::<ServerFrame>("ServerFrame", "One frame from a server, by its `type`.")
}

/// The schema of what a client says: a `hello` or a command, by its `type`.
///
/// What it lets through is still looked at by the server: bounds that a server is started with, and what letters a name may have, are
/// refused with an `error` that names them.
pub fn client_frame_schema() -> Value {
    schema_of::<ClientFrameShape>("ClientFrame", "One frame from a client: a `hello` or a command, by its `type`.")
}

/// The protocol over WebSocket as an AsyncAPI 3 document, from the side of the server: it receives what clients say.
pub fn asyncapi() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let settings = settings.with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let (client, server) = (generator.subschema_for::<ClientFrameShape>(), generator.subschema_for::<ServerFrame>());
    let message =
        |title: &str, payload: Schema| json!({ "title": title, "contentType": "application/json", "payload": payload });
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Chat rooms over WebSocket",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "One text message is one frame. The first frame of a connection is a `hello`.",
            "license": { "name": "MIT" },
        },
        "defaultContentType": "application/json",
        "channels": {
            "ws": {
                "address": "/ws",
                "messages": {
                    "clientFrame": { "$ref": "#/components/messages/clientFrame" },
                    "serverFrame": { "$ref": "#/components/messages/serverFrame" },
                },
                "bindings": { "ws": { "method": "GET" } },
            },
        },
        "operations": {
            "hear": {
                "action": "receive",
                "channel": { "$ref": "#/channels/ws" },
                "messages": [{ "$ref": "#/channels/ws/messages/clientFrame" }],
            },
            "tell": {
                "action": "send",
                "channel": { "$ref": "#/channels/ws" },
                "messages": [{ "$ref": "#/channels/ws/messages/serverFrame" }],
            },
        },
        "components": {
            "messages": {
                "clientFrame": message("One frame from a client", client),
                "serverFrame": message("One frame from a server", server),
            },
            "schemas": generator.take_definitions(true),
        },
    })
}

fn schema_of<T: JsonSchema>(title: &str, description: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.insert("description".to_owned(), description.into());
    schema.to_value()
}

impl JsonSchema for CommandId {
    fn schema_name() -> Cow<'static, str> {
        "CommandId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer",
            "minimum": 0,
            "maximum": ID_MAX,
            "description": "The client's own number for a command; comes back in the answer.",
        })
    }
}

impl JsonSchema for Epoch {
    fn schema_name() -> Cow<'static, str> {
        "Epoch".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A life of a room: 13 characters of Crockford's base32.",
            "pattern": "^[0-9A-HJKMNP-TV-Z]{13}$",
        })
    }
}

impl JsonSchema for SessionId {
    fn schema_name() -> Cow<'static, str> {
        "SessionId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A session: 26 characters of Crockford's base32.",
            "pattern": "^[0-9A-HJKMNP-TV-Z]{26}$",
        })
    }
}

impl JsonSchema for ReactionName {
    fn schema_name() -> Cow<'static, str> {
        "ReactionName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "description": "What somebody reacts with." })
    }
}

impl JsonSchema for NewcomersSee {
    fn schema_name() -> Cow<'static, str> {
        "NewcomersSee".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How many of the earlier messages a newcomer sees.",
            "oneOf": [{ "enum": ["all", "none"] }, { "type": "integer", "minimum": 0, "maximum": u32::MAX }],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::wire::FrameKind;

    /// The frames of a schema, by their `type`.
    pub(super) fn types(schema: &Value) -> BTreeSet<String> {
        let frames = schema["oneOf"].as_array().expect("one of its frames");
        frames.iter().map(|frame| frame["properties"]["type"]["const"].as_str().expect("a type").to_owned()).collect()
    }

    #[test]
    fn every_kind_of_frame_has_a_schema() {
        let kinds = FrameKind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
        assert_eq!(types(&server_frame_schema()), kinds);
    }
}
