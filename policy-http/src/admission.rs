//! What a backend says of a person, as an admission, or why it is none.

use std::time::Duration;

use chat_core::{Admission, Identity, Nick, PersonData, Reject, RejectCode, Role, RoomCode, Wall};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ask::Answer;

/// The most rooms that an admission names.
const ROOMS_MAX: usize = 1_024;
/// The longest that a backend has an admission remembered.
const TTL_MAX: Duration = Duration::from_secs(3_600);
/// The most characters of a refusal that a client is shown.
const MESSAGE_CHARS_MAX: usize = 200;

/// What a backend says of somebody.
#[derive(Debug)]
pub(crate) enum Said {
    /// They come in; and for how long that is to be remembered, where it says so.
    Yes(Admission, Option<Duration>),
    /// They do not.
    No(Reject),
}

impl Said {
    /// Reads an answer of status 200, 401 or 403.
    ///
    /// # Errors
    /// What is wrong with it, for whoever looks after the backend.
    pub(crate) fn read(answer: Answer) -> Result<Self, &'static str> {
        match answer.status {
            StatusCode::OK => parse(&answer.body).map(|(admission, ttl)| Self::Yes(admission, ttl)),
            status => Ok(Self::No(refused(status == StatusCode::FORBIDDEN, &answer.body))),
        }
    }
}

/// A field that is not known may be a limit: better nobody comes in than somebody who may do more than was said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    /// With a reader of its own a field has to be there, also where it may be `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    identity: Option<String>,
    nick: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    role: Option<String>,
    rooms: Option<Vec<String>>,
    expires_at: Option<u64>,
    ttl: Option<u64>,
}

fn parse(body: &[u8]) -> Result<(Admission, Option<Duration>), &'static str> {
    let said: Fields<'_> = serde_json::from_slice(body).map_err(|_| "its answer is no admission in JSON")?;
    let identity = said.identity.map(|identity| Identity::new(&identity).ok_or("identity is 1 to 128 bytes"));
    let mut admission = Admission::of(identity.transpose()?);
    // An empty name says nothing. Whoever has chosen one that holds nothing to show would go by whatever they ask for here.
    if let Some(name) = said.nick.as_deref().filter(|name| !name.trim_matches(' ').is_empty()) {
        admission = admission.with_nick(Nick::of_name(name).ok_or("nick has nothing in it that may be shown")?);
    }
    if let Some(data) = said.data.filter(|data| data.get() != "null") {
        let data = PersonData::parse(data.get()).map_err(|_| "data is an object of at most 256 bytes")?;
        admission = admission.with_data(data);
    }
    if let Some(role) = said.role {
        admission = admission.with_role(match role.as_str() {
            "owner" => Role::Owner,
            "moderator" => Role::Moderator,
            "member" => Role::Member,
            _ => return Err("role is owner, moderator or member"),
        });
    }
    if let Some(codes) = said.rooms {
        if codes.len() > ROOMS_MAX {
            return Err("rooms are at most 1024 codes");
        }
        let rooms: Option<Vec<RoomCode>> = codes.iter().map(|code| RoomCode::parse(code).ok()).collect();
        admission = admission.with_rooms(rooms.ok_or("one of the rooms is no code")?);
    }
    // A time that no clock reaches is never.
    let expires_at = said.expires_at.and_then(|seconds| seconds.checked_mul(1_000)).map(Wall);
    let ttl = said.ttl.map(|seconds| Duration::from_secs(seconds).min(TTL_MAX));
    Ok((admission.with_expiry(expires_at.filter(|at| *at <= Wall::MAX)), ttl))
}

#[derive(Default, Deserialize)]
struct Refusal {
    code: Option<String>,
    message: Option<String>,
}

/// What the client is told where the backend refuses it: `forbidden` or `bad_token`, with the backend's own words where it has some.
fn refused(is_forbidden: bool, body: &[u8]) -> Reject {
    let Refusal { code, message } = serde_json::from_slice(body).unwrap_or_default();
    let (code, words) = match (is_forbidden, code.as_deref()) {
        (true, _) => (RejectCode::Forbidden, "you may not come in here"),
        (false, Some("auth_expired")) => (RejectCode::AuthExpired, "what you have shown has run out"),
        (false, _) => (RejectCode::BadToken, "sign in: what you have shown is good for nobody here"),
    };
    let shown = |message: String| -> String {
        message.chars().filter(|letter| !letter.is_control()).take(MESSAGE_CHARS_MAX).collect()
    };
    match message.map(shown).filter(|message| !message.trim().is_empty()) {
        Some(message) => Reject::new(code, message),
        None => Reject::new(code, words),
    }
}
