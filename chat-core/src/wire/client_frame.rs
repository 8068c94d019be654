//! From the bytes of one client frame to a hello or a command, or to a reject that names the field.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::commands::command;
use super::fields::{Fields, Text, optional, string};
use super::hello::Hello;
use crate::domain::Command;
use crate::types::{CommandId, Reject, RejectCode, RoomLimits, SessionLimits};

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

/// A client frame that is none, with the number to answer it under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFrame {
    /// The client's number, where it could be read.
    pub id: Option<CommandId>,
    /// The refusal to answer it with.
    pub reject: Reject,
}

/// 2^53 - 1: the largest integer that a JavaScript client can hold exactly.
pub(super) const ID_MAX: u64 = (1 << 53) - 1;

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
        let id = number(fields.id).map_err(|reject| BadFrame { id: fields.id.and_then(read_back), reject })?;
        let request = Request::read(&fields, id, room, session).map_err(|reject| BadFrame { id, reject })?;
        Ok(Self { id, request })
    }

    /// Whether a frame is meant as a `hello`, whatever is wrong with its other fields. One that cannot be parsed asks for no new session: its
    /// client would take that for the one it wanted back.
    pub fn is_hello(bytes: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Typed<'a> {
            #[serde(borrow)]
            r#type: Text<'a>,
        }
        let is_object = bytes.trim_ascii_start().starts_with(b"{");
        is_object && serde_json::from_slice::<Typed<'_>>(bytes).is_ok_and(|frame| frame.r#type.0 == "hello")
    }
}

impl Request {
    fn read(
        fields: &Fields<'_>,
        id: Option<CommandId>,
        room: &RoomLimits,
        session: &SessionLimits,
    ) -> Result<Self, Reject> {
        match &*string("type", fields.r#type)? {
            "hello" => Hello::read(fields, id, session).map(Self::Hello),
            kind => command(kind, fields, room).map(Self::Command),
        }
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
    match twice.and_then(|(name, _)| Fields::names().iter().find(|known| **known == name)) {
        Some(name) => {
            let reject = Reject::new(RejectCode::BadFrame, format!("{name} is there twice"));
            Reject { field: Some(name), ..reject }
        }
        None => Reject::new(RejectCode::BadFrame, format!("the frame is not one JSON object: {words}")),
    }
}

fn number(raw: Option<&RawValue>) -> Result<Option<CommandId>, Reject> {
    const SHAPE: &str = "id is a whole number from 0 to 2^53-1";
    match optional::<u64>("id", raw, SHAPE)? {
        Some(id) if id > ID_MAX => Err(Reject::bad_field("id", SHAPE)),
        id => Ok(id.map(CommandId)),
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::types::{Body, Key, Nick, RoomCode};

    pub(in crate::wire) fn parse(text: &str) -> Result<ClientFrame, BadFrame> {
        ClientFrame::parse(text.as_bytes(), &RoomLimits::default(), &SessionLimits::default())
    }

    pub(in crate::wire) fn refusal(text: &str) -> (Option<u64>, RejectCode, Option<&'static str>) {
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
        assert_eq!(refusal(r#"{"type":"end","token":"a","token":"b"}"#), (None, RejectCode::BadFrame, Some("token")));
        for name in Fields::names() {
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
    fn what_is_meant_as_a_hello_is_known_whatever_is_wrong_with_it() {
        for text in [
            r#"{"type":"hello"}"#,
            r#" {"id":"x","resume":5,"type":"h\u0065llo"}"#,
            r#"{"type":"hello","id":1,"id":2}"#,
        ] {
            assert!(ClientFrame::is_hello(text.as_bytes()), "{text}");
        }
        for text in ["", "[]", r#"["hello"]"#, r#"{"type":"send"}"#, r#"{"type":["hello"]}"#, r#"{"type":"hello""#] {
            assert!(!ClientFrame::is_hello(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn null_is_absent() {
        let frame = parse(r#"{"type":"create","id":null,"nick":"Ann","room":null}"#).expect("valid");
        let nick = Nick::parse("Ann").expect("valid");
        assert_eq!(frame, ClientFrame { id: None, request: Request::Command(Command::create(nick)) });
    }
}
