//! Frames as Socket.IO events and acknowledgements: out of an event's text, and into socketioxide.

use std::borrow::Cow;
use std::sync::Arc;

use chat_core::{BadFrame, ClientFrame, FrameKind, Limits, Reject, RejectCode};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use socketioxide::extract::AckSender;
use socketioxide::handler::FromMessageParts;
use socketioxide::socket::Socket;
use socketioxide::{SendError, SocketError, TransportType};
use socketioxide_core::{Str, Value};

/// Reads `["name",{...}]`, or `["name"]`.
pub(crate) fn read_event(value: &Value, limits: &Limits) -> Result<ClientFrame, BadFrame> {
    const SHAPE: &str = "an event is a name and one object";
    let Value::Str(text, None) = value else { return Err(bad("an event holds text only")) };
    if let Ok((Text(name), fields)) = serde_json::from_str::<(Text<'_>, &RawValue)>(text) {
        return read_named(&name, fields.get(), limits).ok_or_else(|| bad(SHAPE))?;
    }
    let (Text(name),) = serde_json::from_str(text).map_err(|_| bad(SHAPE))?;
    read_named(&name, "{}", limits).expect("these are an object's braces")
}

/// Reads a client frame whose type stands outside of it; `None` where `fields` is no object. `fields` is JSON.
pub(crate) fn read_named(name: &str, fields: &str, limits: &Limits) -> Option<Result<ClientFrame, BadFrame>> {
    let parse = |frame: &str| ClientFrame::parse(frame.as_bytes(), &limits.room, &limits.session);
    let fields = match fields.trim() {
        "null" => "{}",
        fields => fields,
    };
    let inside = fields.strip_prefix('{')?;
    if fields.len() > limits.session.frame_bytes_max {
        return Some(parse(fields));
    }
    let name_json = serde_json::to_string(name).expect("a string is JSON");
    let comma = if inside.trim_start().starts_with('}') { "" } else { "," };
    let whole = parse(&["{\"type\":", &name_json, comma, inside].concat());
    let is_twofold = whole.as_ref().is_err_and(|bad| bad.reject.code == RejectCode::BadFrame);
    match is_twofold.then(|| own_type(fields)).flatten() {
        None => Some(whole),
        Some(own) if own == name => Some(parse(fields)),
        Some(_) => {
            let id = parse(fields).map_or_else(|bad| bad.id, |frame| frame.id);
            Some(Err(BadFrame { id, reject: Reject::bad_field("type", "type is not the event's name") }))
        }
    }
}

/// The type that a frame states itself: clients need not say it, but may.
fn own_type(fields: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(borrow)]
        r#type: Text<'a>,
    }
    serde_json::from_str::<Typed<'_>>(fields).ok().map(|typed| typed.r#type.0)
}

/// Borrows where nothing in the string is escaped.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn bad(message: &'static str) -> BadFrame {
    BadFrame { id: None, reject: Reject::new(RejectCode::BadFrame, message) }
}

/// What answers a command that came with an acknowledgement.
pub(crate) fn tag(ack: Option<i64>) -> Option<u64> {
    ack.map(i64::cast_unsigned)
}

/// Takes the frames of one session on their way to its client.
pub(crate) trait PacketSink {
    /// Hands over one frame, as the acknowledgement that `tag` says or as an event. Returns the bytes that it will be on
    /// its way.
    fn send(&self, kind: FrameKind, tag: Option<u64>, json: &str) -> Result<u64, Untaken>;
}

/// A frame that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Untaken {
    /// The queue is full; it may be taken later.
    Full,
    /// The connection is gone.
    Gone,
}

impl PacketSink for Arc<Socket> {
    fn send(&self, kind: FrameKind, tag: Option<u64>, json: &str) -> Result<u64, Untaken> {
        let frame = &Encoded(json);
        let name = kind.as_str();
        let (result, around) = match tag {
            None => (self.emit(name, frame), around_event(name)),
            Some(tag) => {
                let ack = tag.cast_signed();
                // The ack's number is all that is looked at.
                let mut nothing = Value::Str(Str::from(""), None);
                let Ok(sender) = AckSender::from_message_parts(self, &mut nothing, &Some(ack));
                (sender.send(frame), around_ack(ack))
            }
        };
        match result {
            Ok(()) => Ok(on_the_way(around + json.len() as u64, self.transport_type())),
            Err(SendError::Socket(SocketError::InternalChannelFull)) => Err(Untaken::Full),
            Err(SendError::Socket(SocketError::Closed)) => Err(Untaken::Gone),
            Err(SendError::Serialize(error)) => unreachable!("JSON is passed through as it is: {error}"),
        }
    }
}

/// JSON that goes out as it is, as a `RawValue` does.
///
/// A `RawValue` reads the text through to be sure that it is JSON, and that is a tenth of what a delivery costs. What the
/// engine has encoded needs no such look. A test holds this to what `RawValue` itself does.
struct Encoded<'a>(&'a str);

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const TOKEN: &str = "$serde_json::private::RawValue";
        let mut raw = serializer.serialize_struct(TOKEN, 1)?;
        raw.serialize_field(TOKEN, self.0)?;
        raw.end()
    }
}

/// The length of `42["name",]`.
fn around_event(name: &str) -> u64 {
    7 + name.len() as u64
}

/// The length of `43` + number + `[]`.
fn around_ack(ack: i64) -> u64 {
    4 + u64::from(ack.checked_ilog10().unwrap_or(0)) + 1
}

/// The bytes of a packet with what its connection puts around it: on a WebSocket the header of a frame. Never more than it
/// will be: what is never taken would look like a connection that has stalled.
fn on_the_way(packet: u64, transport: TransportType) -> u64 {
    match (transport, packet) {
        (TransportType::Polling, _) => packet,
        (TransportType::Websocket, ..=125) => packet + 2,
        (TransportType::Websocket, ..=0xFFFF) => packet + 4,
        (TransportType::Websocket, _) => packet + 10,
    }
}

#[cfg(test)]
mod tests {
    use chat_core::{Command, CommandId, Request, RoomCode};

    use super::*;

    fn read(text: &str) -> Result<ClientFrame, BadFrame> {
        read_event(&Value::Str(Str::from(text.to_owned()), None), &Limits::default())
    }

    fn refusal(text: &str) -> (RejectCode, Option<&'static str>) {
        let bad = read(text).expect_err(text);
        (bad.reject.code, bad.reject.field)
    }

    fn leave(id: Option<u64>) -> ClientFrame {
        let room = RoomCode::parse("ABC").expect("valid");
        ClientFrame { id: id.map(CommandId), request: Request::Command(Command::leave(room)) }
    }

    #[test]
    fn the_name_of_an_event_is_the_type_of_the_frame() {
        assert_eq!(read(r#"["leave",{"room":"ABC"}]"#), Ok(leave(None)));
        assert_eq!(read(r#" [ "l\u0065ave" , { "id":7, "room":"ABC" } ] "#), Ok(leave(Some(7))));
    }

    #[test]
    fn a_frame_may_state_its_type_itself() {
        assert_eq!(read(r#"["leave",{"type":"leave","id":7,"room":"ABC"}]"#), Ok(leave(Some(7))));
        assert_eq!(refusal(r#"["leave",{"type":"send","room":"ABC"}]"#), (RejectCode::BadField, Some("type")));
    }

    #[test]
    fn an_event_without_an_object_has_no_fields() {
        for text in [r#"["leave"]"#, r#"["leave",null]"#, r#"["leave",{}]"#, r#"["leave",{ }]"#] {
            assert_eq!(refusal(text), (RejectCode::BadField, Some("room")), "{text}");
        }
    }

    #[test]
    fn any_other_shape_is_refused() {
        for text in [
            "",
            "[]",
            r#"["leave",1]"#,
            r#"["leave","ABC"]"#,
            r#"["leave",[]]"#,
            r#"["leave",{"room":"ABC"},1]"#,
            r#"["leave",{"room":"ABC"]"#,
            r#"["leave",{"room":"ABC"}}]"#,
            r#"[1,{"room":"ABC"}]"#,
        ] {
            assert_eq!(refusal(text), (RejectCode::BadFrame, None), "{text}");
        }
        assert_eq!(refusal(r#"["leave",{"room":"ABC","room":"DEF"}]"#), (RejectCode::BadFrame, Some("room")));
        let attached = Value::Str(Str::from(r#"["leave",{"room":"ABC"}]"#), Some([bytes::Bytes::new()].into()));
        let bad = read_event(&attached, &Limits::default()).expect_err("an attachment");
        assert_eq!(bad.reject.code, RejectCode::BadFrame);
    }

    #[test]
    fn a_name_cannot_break_out_of_its_string() {
        let text = r#"["leave\",\"room\":\"ABC\",\"x\":\"",{}]"#;
        assert_eq!(refusal(text).0, RejectCode::UnknownType);
        assert_eq!(refusal(r#"["",{}]"#).0, RejectCode::UnknownType);
    }

    #[test]
    fn a_frame_over_the_bound_is_refused_unread() {
        let long = format!(r#"["send",{{"room":"ABC","text":"{}"}}]"#, "x".repeat(70_000));
        assert_eq!(refusal(&long), (RejectCode::TooLong, Some("frame")));
    }

    #[test]
    fn what_is_encoded_goes_out_as_it_is() {
        let json = r#"{"type":"message","text":"\u00ed \\ \" í","list":[1, 2.50]}"#;
        let raw: &RawValue = serde_json::from_str(json).expect("JSON");
        let frames = (serde_json::to_string(&(Encoded(json),)), serde_json::to_string(&(raw,)));
        assert_eq!(
            (frames.0.expect("encoded"), frames.1.expect("encoded")),
            (format!("[{json}]"), format!("[{json}]"))
        );
    }

    #[test]
    fn what_goes_around_a_frame_is_counted() {
        assert_eq!(around_event("ack"), r#"42["ack",]"#.len() as u64);
        for ack in [0, 9, 10, 12_345, i64::MAX] {
            assert_eq!(around_ack(ack), format!("43{ack}[]").len() as u64);
        }
        assert_eq!(on_the_way(125, TransportType::Websocket), 127);
        assert_eq!(on_the_way(126, TransportType::Websocket), 130);
        assert_eq!(on_the_way(0x1_0000, TransportType::Websocket), 0x1_000A);
        assert_eq!(on_the_way(126, TransportType::Polling), 126);
    }
}
