//! As whom one enters a room, and what one says there, as a program writes it.

use chat_core::{Body, Command, Data, Key, Nick, Params, PersonData, Position, RoomCode, RoomSecret, Seq};

use crate::error::Error;
use crate::outbox::{Pending, Said};

/// As whom one enters a room: a name, which is read when it is used. `"Ann".into()` is one.
#[derive(Clone, Debug)]
pub struct Entrance {
    nick: String,
    data: Option<PersonData>,
    secret: Option<RoomSecret>,
    params: Option<Params>,
}

impl Entrance {
    /// Under this name.
    pub fn new(nick: impl Into<String>) -> Self {
        Self { nick: nick.into(), data: None, secret: None, params: None }
    }

    /// With this beside the name.
    #[must_use]
    pub fn with_data(self, data: PersonData) -> Self {
        Self { data: Some(data), ..self }
    }

    /// With what the room asks newcomers for.
    #[must_use]
    pub fn with_secret(self, secret: RoomSecret) -> Self {
        Self { secret: Some(secret), ..self }
    }

    /// With this for the policy of the server.
    #[must_use]
    pub fn with_params(self, params: Params) -> Self {
        Self { params: Some(params), ..self }
    }

    pub(crate) fn parse(self) -> Result<Entering, Error> {
        let Self { nick, data, secret, params } = self;
        Ok(Entering { nick: nick.parse()?, data, secret, params })
    }
}

impl<T: Into<String>> From<T> for Entrance {
    fn from(nick: T) -> Self {
        Self::new(nick)
    }
}

/// The same, under a name that is one.
pub(crate) struct Entering {
    pub(crate) nick: Nick,
    data: Option<PersonData>,
    secret: Option<RoomSecret>,
    params: Option<Params>,
}

impl Entering {
    pub(crate) fn create(&self, room: Option<RoomCode>) -> Command {
        let made = Command::create(self.nick.clone()).with_room(room);
        made.with_person_data(self.data.clone()).with_params(self.params.clone())
    }

    /// After a position, more than so many events are told as a gap.
    pub(crate) fn join(&self, room: RoomCode, after: Option<Position>, catch_up: u32) -> Command {
        let named = Command::join(room, self.nick.clone()).with_person_data(self.data.clone());
        let shown = named.with_secret(self.secret.clone()).with_params(self.params.clone());
        shown.with_position(after).with_catch_up(after.map(|_| catch_up))
    }
}

/// A message before it is sent: a text, which is read when it is sent. `"hello".into()` is one.
#[derive(Clone, Debug)]
pub struct Outgoing {
    text: String,
    data: Option<Data>,
    reply_to: Option<Seq>,
    key: Option<Key>,
}

impl Outgoing {
    /// With this text; it may be empty where there is data.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), data: None, reply_to: None, key: None }
    }

    /// With this attached for programs.
    #[must_use]
    pub fn with_data(self, data: Data) -> Self {
        Self { data: Some(data), ..self }
    }

    /// In answer to this message.
    #[must_use]
    pub fn in_reply_to(self, seq: Seq) -> Self {
        Self { reply_to: Some(seq), ..self }
    }

    /// Under this key, in place of one that is drawn: whoever says the same again under it, after a restart of theirs too, says it once.
    #[must_use]
    pub fn with_key(self, key: Key) -> Self {
        Self { key: Some(key), ..self }
    }

    pub(crate) fn message(self) -> Result<Pending, Error> {
        let (text, key) = (body(&self.text, self.data.as_ref())?, self.key.unwrap_or_else(draw_key));
        Ok(Pending { key, said: Said::Message { text, data: self.data, reply_to: self.reply_to } })
    }

    pub(crate) fn edit(self, target: Seq) -> Result<Pending, Error> {
        let (text, key) = (body(&self.text, self.data.as_ref())?, self.key.unwrap_or_else(draw_key));
        Ok(Pending { key, said: Said::Edit { target, text, data: self.data } })
    }
}

impl<T: Into<String>> From<T> for Outgoing {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// How long it may be, the server says.
fn body(text: &str, data: Option<&Data>) -> Result<Body, Error> {
    if text.is_empty() && data.is_some() {
        return Ok(Body::empty());
    }
    Ok(text.parse()?)
}

/// A key that nobody else draws: 128 random bits.
pub(crate) fn draw_key() -> Key {
    let drawn = format!("{:032x}", rand::random::<u128>());
    drawn.parse().expect("32 digits are a key")
}
