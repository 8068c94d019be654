//! What people ever asked to be shown: messages that grow, and signals.
//!
//! A question that was held up may be about another life of its room by the time it is answered, so lives are not told apart: what is
//! asked for says who asks.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chat_core::Seq;
use chat_core::wire::SignalEntry;
use serde_json::Value;
use tokio::time::Instant;

use crate::locks::lock;

/// Everything that anybody ever asked to be shown.
#[derive(Debug, Default)]
pub(crate) struct Slots(Mutex<Shown>);

#[derive(Debug, Default)]
struct Shown {
    texts: BTreeMap<(String, Seq), Asked<String>>,
    signals: BTreeMap<(String, String, String), Asked<Value>>,
}

/// All that was asked for in one place.
#[derive(Debug)]
struct Asked<T>(Vec<Ask<T>>);

/// One thing that was asked for.
#[derive(Debug)]
struct Ask<T> {
    what: T,
    /// When it was asked for last, or first told after that: a question may be held up for a while before it is carried out.
    last: Instant,
    is_told: bool,
}

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq> Asked<T> {
    fn add(&mut self, what: T) {
        self.0.retain(|ask| ask.what != what);
        self.0.push(Ask { what, last: Instant::now(), is_told: false });
    }

    /// Whether it ever was asked for, as somebody is told that it is so.
    fn hear(&mut self, is_it: impl Fn(&T) -> bool) -> bool {
        let Some(ask) = self.0.iter_mut().find(|ask| is_it(&ask.what)) else { return false };
        if !std::mem::replace(&mut ask.is_told, true) {
            ask.last = Instant::now();
        }
        true
    }

    /// When anything was asked for last, where this ever was.
    fn last(&self, is_it: impl Fn(&T) -> bool) -> Option<Instant> {
        let was_asked = self.0.iter().any(|ask| is_it(&ask.what));
        self.0.iter().map(|ask| ask.last).max().filter(|_| was_asked)
    }
}

impl Slots {
    /// Somebody shows what a message says so far.
    pub(crate) fn grows(&self, room: &str, target: Seq, text: String) {
        lock(&self.0).texts.entry((room.to_owned(), target)).or_default().add(text);
    }

    /// Somebody shows something under a name.
    pub(crate) fn shows(&self, room: &str, name: &str, data: Value) {
        lock(&self.0).signals.entry(key(room, name, &data)).or_default().add(data);
    }

    /// Whether this text, of which somebody is told, ever was asked for.
    pub(crate) fn hear_text(&self, room: &str, target: Seq, text: &str) -> bool {
        let mut shown = lock(&self.0);
        let asked = shown.texts.get_mut(&(room.to_owned(), target));
        asked.is_some_and(|asked| asked.hear(|known| known == text))
    }

    /// Whether this signal, of which somebody is told, ever was asked for.
    pub(crate) fn hear_signal(&self, room: &str, entry: &SignalEntry) -> bool {
        let mut shown = lock(&self.0);
        let asked = shown.signals.get_mut(&key(room, &entry.name, &entry.data));
        asked.is_some_and(|asked| asked.hear(|known| *known == entry.data))
    }

    /// When the message was last made to grow, where this text ever was asked for.
    pub(crate) fn text(&self, room: &str, target: Seq, text: &str) -> Option<Instant> {
        lock(&self.0).texts.get(&(room.to_owned(), target))?.last(|known| known == text)
    }

    /// When something was last shown under the name, where this ever was asked for.
    pub(crate) fn signal(&self, room: &str, entry: &SignalEntry) -> Option<Instant> {
        lock(&self.0).signals.get(&key(room, &entry.name, &entry.data))?.last(|known| *known == entry.data)
    }
}

/// A signal's room, its name, and who says in it that they show it.
fn key(room: &str, name: &str, data: &Value) -> (String, String, String) {
    (room.to_owned(), name.to_owned(), data["by"].as_str().unwrap_or_default().to_owned())
}
