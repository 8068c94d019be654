//! From a hello or a command to the bytes of its frame: what a client sends, and [`ClientFrame::parse`] reads.

use std::collections::BTreeMap;

use serde::Serialize;

use super::client_frame::{ClientFrame, Request};
use super::hello::Hello;
use super::json::{push, push_field, push_json};
use crate::domain::{Command, Extent, HistoryAnchor, MemberChange, SettingsChange, TypingState};
use crate::types::{Body, CommandId, Key, MemberId, Nick, Params, PersonData, RoomCode, Seq};

impl ClientFrame {
    /// The frame as a client sends it: one JSON object, without what says nothing. [`parse`](Self::parse) reads the same from it, where the
    /// bounds of who reads it allow that.
    pub fn encode(&self) -> Vec<u8> {
        let out = match &self.request {
            Request::Hello(hello) => hello_frame(self.id, hello),
            Request::Command(command) => command_frame(self.id, command),
        };
        out.finish()
    }
}

/// A frame that is being written.
struct Frame(Vec<u8>);

impl Frame {
    fn new(kind: &str, id: Option<CommandId>) -> Self {
        let mut out = b"{\"type\":".to_vec();
        push(&mut out, kind);
        Self(out).may("id", id)
    }

    fn with<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        push_field(&mut self.0, name, value);
        self
    }

    /// Nothing, where there is nothing.
    fn may<T: Serialize>(self, name: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.with(name, &value),
            None => self,
        }
    }

    /// Nothing, where it is not so.
    fn flag(self, name: &str, is_so: bool) -> Self {
        self.may(name, is_so.then_some(true))
    }

    /// What is JSON already, in its own words.
    fn json(mut self, name: &str, json: &str) -> Self {
        push_json(&mut self.0, name, json.as_bytes());
        self
    }

    fn may_json(self, name: &str, json: Option<&str>) -> Self {
        match json {
            Some(json) => self.json(name, json),
            None => self,
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }

    fn room(self, room: &RoomCode) -> Self {
        self.with("room", room.as_str())
    }

    fn key(self, key: Option<&Key>) -> Self {
        self.may("key", key.map(Key::as_str))
    }

    /// As whom one enters.
    fn person(self, nick: &Nick, data: Option<&PersonData>, params: Option<&Params>) -> Self {
        let named = self.with("nick", nick.as_str()).may_json("data", data.map(PersonData::as_str));
        named.may_json("params", params.map(Params::expose))
    }

    /// The text of a message, which may have none.
    fn text(self, text: &Body) -> Self {
        self.may("text", Some(text.as_str()).filter(|text| !text.is_empty()))
    }

    fn changing(self, change: &MemberChange) -> Self {
        let named = self.may("nick", change.nick.as_ref().map(Nick::as_str));
        let data = change.data.as_ref().map(|data| data.as_ref().map_or("null", PersonData::as_str));
        named.may_json("data", data)
    }

    fn setting(self, change: &SettingsChange) -> Self {
        let SettingsChange { slow_ms, locked, read_only, secret, history, listed } = change;
        let secret = secret.as_ref().map(|secret| secret.as_ref().map(|word| word.expose()));
        let bounded = self.may("slow_ms", *slow_ms).may("locked", *locked).may("read_only", *read_only);
        bounded.may("secret", secret).may("history", *history).may("listed", *listed)
    }
}

fn hello_frame(id: Option<CommandId>, hello: &Hello) -> Frame {
    let Hello { id: own, resume, catch_up, token } = hello;
    let shown = Frame::new("hello", id.or(*own)).may("token", token.as_ref().map(|token| token.expose()));
    let back = match resume {
        Some(resume) => {
            let positions: BTreeMap<&str, String> =
                resume.positions.iter().map(|(room, position)| (room.as_str(), position.to_string())).collect();
            shown.with("resume", &resume.token).with("positions", &positions)
        }
        None => shown,
    };
    back.may("catch_up", *catch_up)
}

fn command_frame(id: Option<CommandId>, command: &Command) -> Frame {
    let frame = |kind| Frame::new(kind, id);
    let about = |kind, room| Frame::new(kind, id).room(room);
    let member_of = |kind, room, member: &MemberId| Frame::new(kind, id).room(room).with("member", member);
    match command {
        Command::Create { nick, room, data, params } => frame("create")
            .may("room", room.as_ref().map(RoomCode::as_str))
            .person(nick, data.as_ref(), params.as_ref()),
        Command::Join { room, nick, history, after, secret, catch_up, data, params } => about("join", room)
            .person(nick, data.as_ref(), params.as_ref())
            .may("history", *history)
            .may("after", *after)
            .may("secret", secret.as_ref().map(|word| word.expose()))
            .may("catch_up", *catch_up),
        Command::Me { room, change } => about("me", room).changing(change),
        Command::Send { room, text, key, data, reply_to } => about("send", room)
            .text(text)
            .may_json("data", data.as_ref().map(|data| data.as_str()))
            .may("reply_to", *reply_to)
            .key(key.as_ref()),
        Command::Edit { room, target, text, data, key } => about("edit", room)
            .with("target", target)
            .text(text)
            .may_json("data", data.as_ref().map(|data| data.as_str()))
            .key(key.as_ref()),
        Command::Leave { room } => about("leave", room),
        Command::History { room, anchor, limit } => anchored(about("history", room), anchor).may("limit", *limit),
        Command::Changes { room, after } => about("changes", room).with("after", after),
        Command::Members { room, after, limit } => about("members", room).may("after", *after).may("limit", *limit),
        Command::Typing { room, state } => about("typing", room).with("on", &(*state == TypingState::On)),
        Command::Live { room, target, text } => {
            about("live", room).with("target", target).with("text", &text.as_ref().map(Body::as_str))
        }
        Command::Signal { room, name, data } => about("signal", room)
            .with("name", name.as_str())
            .json("data", data.as_ref().map_or("null", |data| data.as_str())),
        Command::Read { room, through } => about("read", room).with("through", through),
        Command::Redact { room, target } => about("redact", room).with("target", target),
        Command::React { room, target, name, on, key } => {
            about("react", room).with("target", target).with("name", name.as_str()).with("on", on).key(key.as_ref())
        }
        Command::Kick { room, member } => member_of("kick", room, member),
        Command::RedactAll { room, member, from } => member_of("redact_all", room, member).may::<Seq>("from", *from),
        Command::Ban { room, member, terms } => member_of("ban", room, member)
            .may("minutes", terms.minutes)
            .flag("network", terms.network)
            .flag("sweep", terms.sweep),
        Command::Unban { room, ban } => about("unban", room).with("ban", &ban.0),
        Command::Bans { room, after, limit } => {
            about("bans", room).may("after", after.map(|ban| ban.0)).may("limit", *limit)
        }
        Command::SetTopic { room, topic } => about("topic", room).with("topic", topic.as_str()),
        Command::Settings { room, change } => about("settings", room).setting(change),
        Command::SetRole { room, member, role } => member_of("role", room, member).with("role", role),
        Command::Auth { token } => frame("auth").with("token", token.expose()),
        Command::End { token, extent } => {
            frame("end").may("token", token.as_ref().map(ToString::to_string)).flag("all", *extent == Extent::Person)
        }
    }
}

fn anchored(frame: Frame, anchor: &HistoryAnchor) -> Frame {
    match anchor {
        HistoryAnchor::Newest => frame,
        HistoryAnchor::Before(seq) => frame.with("before", seq),
        HistoryAnchor::After(seq) => frame.with("after", seq),
        HistoryAnchor::Around(seq) => frame.with("around", seq),
    }
}
