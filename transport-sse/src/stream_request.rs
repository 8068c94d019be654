//! What a request for a stream asks: which session, and to be let into which room.

use std::collections::HashMap;

use axum::extract::Query;
use axum::http::HeaderName;
use axum::http::request::Parts;
use chat_core::{Command, Credential, Nick, PersonData, Reject, Resume, RoomCode, RoomSecret};
use chat_serve::{Credentials, Shown, bearer};

use super::cursor;

/// The `id` of the last event that an `EventSource` has seen, on its own accord.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A request for a stream, read.
#[derive(Default)]
pub(crate) struct StreamRequest {
    /// The session to come back to.
    pub(crate) resume: Option<Resume>,
    /// The room to be let into at once.
    pub(crate) entry: Option<Command>,
    /// Where more events than this are due, one gap is told instead.
    pub(crate) catch_up: Option<u32>,
    /// What the policy is shown.
    pub(crate) shown: Option<Shown>,
}

impl StreamRequest {
    /// Reads a request. The first of these says which session is meant: `Last-Event-ID`, `cursor`, `resume`, a token of
    /// ours as `Authorization`. Any other authorisation is the policy's, with what else `credentials` names.
    ///
    /// # Errors
    /// `bad_field` or `too_long`, naming the parameter; `token` for credentials, wherever they are.
    pub(crate) fn read(request: &Parts, credentials: &Credentials, rooms_max: usize) -> Result<Self, Reject> {
        let Query(query) = Query::<HashMap<String, String>>::try_from_uri(&request.uri)
            .map_err(|_| Reject::bad_field("query", "the query is not made of names and values"))?;
        let given = |name: &str| query.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let own_token = bearer(&request.headers).filter(|text| has_shape_of_token(text));
        let seen = request.headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
        let resume = match (seen.or(given("cursor")), given("resume").or(own_token)) {
            (Some(text), _) => Some(cursor::parse(text, rooms_max)),
            (None, Some(token)) => {
                let positions = cursor::list(given("positions").unwrap_or_default());
                Some(Resume::new(token.to_owned(), positions, rooms_max))
            }
            (None, None) => None,
        };
        let catch_up = given("catch_up").map(|text| count("catch_up", text)).transpose()?;
        let data = || given("data").map(PersonData::parse).transpose();
        let entry = match (query.get("create"), given("room")) {
            (Some(name), room) => {
                let room = match (name.as_str(), room) {
                    ("", room) => room.map(RoomCode::parse).transpose()?,
                    (name, _) => {
                        Some(RoomCode::parse(name).map_err(|wrong| Reject { field: Some("create"), ..wrong })?)
                    }
                };
                Some(Command::create(nick(given("nick"))?).with_room(room).with_person_data(data()?))
            }
            (None, Some(room)) => {
                let room = RoomCode::parse(room)?;
                let history = given("history").map(|text| count("history", text)).transpose()?;
                let secret = given("secret").map(RoomSecret::parse).transpose()?;
                let join = Command::join(room, nick(given("nick"))?).with_history(history).with_secret(secret);
                Some(join.with_catch_up(catch_up).with_person_data(data()?))
            }
            (None, None) => None,
        };
        let shown = credentials
            .find_beside(request, has_shape_of_token)
            .map_err(|bad| Reject::bad_field("token", bad.to_string()))?;
        Ok(Self { resume, entry, catch_up, shown })
    }
}

/// Whether this can be a session's token, and no credential of the embedder's.
fn has_shape_of_token(text: &str) -> bool {
    text.parse::<Credential>().is_ok()
}

fn nick(text: Option<&str>) -> Result<Nick, Reject> {
    Nick::parse(text.ok_or_else(|| Reject::bad_field("nick", "nick is missing"))?)
}

fn count(field: &'static str, text: &str) -> Result<u32, Reject> {
    text.parse().map_err(|_| Reject::bad_field(field, format!("{field} is a whole number from 0 to {}", u32::MAX)))
}

#[cfg(test)]
mod tests;
