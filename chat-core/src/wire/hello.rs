//! How a connection begins: with a new session, or with one to come back to.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

use super::fields::{Fields, Text, optional_string};
use crate::types::{AccessToken, CommandId, Position, Reject, RoomCode, SessionLimits};

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
    /// What the client shows to say who it is, for the policy; where the transport has found such a thing too, it must be the same.
    pub token: Option<AccessToken>,
}

/// Which session to come back to, and what it has seen.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Resume {
    /// The session's token.
    pub token: String,
    /// The last event seen of each room; rooms without one are shown afresh.
    pub positions: Vec<(RoomCode, Position)>,
}

/// The longest token read; ours are shorter.
const TOKEN_BYTES_MAX: usize = 256;

impl Hello {
    /// What is wrong in `positions` is left out.
    pub(super) fn read(fields: &Fields<'_>, id: Option<CommandId>, session: &SessionLimits) -> Result<Self, Reject> {
        let catch_up = fields.count("catch_up", fields.catch_up)?;
        let token = fields.access_token()?;
        let Some(resume) = optional_string("resume", fields.resume)? else {
            return Ok(Self { id, resume: None, catch_up, token });
        };
        if resume.len() > TOKEN_BYTES_MAX {
            return Err(Reject::too_long("resume", TOKEN_BYTES_MAX as u64, "bytes"));
        }
        let listed =
            fields.positions.and_then(|raw| serde_json::from_str::<BTreeMap<Text<'_>, &RawValue>>(raw.get()).ok());
        let read = |(Text(code), raw): (Text<'_>, &RawValue)| {
            let Text(position) = serde_json::from_str(raw.get()).ok()?;
            Some((RoomCode::parse(&code).ok()?, position.parse().ok()?))
        };
        let positions = listed.unwrap_or_default().into_iter().filter_map(read);
        let resume = Some(Resume::new(resume.into_owned(), positions, session.rooms_max));
        Ok(Self { id, resume, catch_up, token })
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Command;
    use crate::types::RejectCode;
    use crate::wire::Request;
    use crate::wire::client_frame::tests::{parse, refusal};

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
    fn what_says_who_one_is_is_read_and_not_shown() {
        let token = |frame: &str| match parse(frame).expect(frame).request {
            Request::Hello(hello) => {
                (hello.token.map(|token| token.expose().to_owned()), format!("{:?}", parse(frame)))
            }
            Request::Command(other) => panic!("{other:?}"),
        };
        for frame in [r#"{"type":"hello","token":"hush"}"#, r#"{"type":"hello","resume":"t","token":"hush"}"#] {
            let (read, shown) = token(frame);
            assert_eq!((read.as_deref(), shown.contains("hush")), (Some("hush"), false), "{frame}");
        }
        assert_eq!(token(r#"{"type":"hello","token":null}"#).0, None);
        for wrong in ["\"\"", "7", "{}", "true"] {
            let frame = format!(r#"{{"type":"hello","token":{wrong}}}"#);
            assert_eq!(refusal(&frame), (None, RejectCode::BadField, Some("token")), "{frame}");
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
}
