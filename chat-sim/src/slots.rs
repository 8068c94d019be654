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

/// What was asked for, and when last.
#[derive(Debug)]
struct Asked<T> {
    all: Vec<T>,
    last: Instant,
}

impl<T: PartialEq> Asked<T> {
    fn add(self, what: T) -> Self {
        let mut all = self.all;
        if !all.contains(&what) {
            all.push(what);
        }
        Self { all, last: Instant::now() }
    }

    fn none() -> Self {
        Self { all: Vec::new(), last: Instant::now() }
    }
}

impl Slots {
    /// Somebody shows what a message says so far.
    pub(crate) fn grows(&self, room: &str, target: Seq, text: String) {
        let texts = &mut lock(&self.0).texts;
        let key = (room.to_owned(), target);
        let asked = texts.remove(&key).unwrap_or_else(Asked::none).add(text);
        texts.insert(key, asked);
    }

    /// Somebody shows something under a name.
    pub(crate) fn shows(&self, room: &str, name: &str, data: Value) {
        let signals = &mut lock(&self.0).signals;
        let key = key(room, name, &data);
        let asked = signals.remove(&key).unwrap_or_else(Asked::none).add(data);
        signals.insert(key, asked);
    }

    /// When it was last asked for, where this text ever was.
    pub(crate) fn text(&self, room: &str, target: Seq, text: &str) -> Option<Instant> {
        let shown = lock(&self.0);
        let asked = shown.texts.get(&(room.to_owned(), target))?;
        asked.all.iter().any(|known| known == text).then_some(asked.last)
    }

    /// When it was last asked for, where this ever was.
    pub(crate) fn signal(&self, room: &str, entry: &SignalEntry) -> Option<Instant> {
        let shown = lock(&self.0);
        let asked = shown.signals.get(&key(room, &entry.name, &entry.data))?;
        asked.all.contains(&entry.data).then_some(asked.last)
    }
}

/// A signal's room, its name, and who says in it that they show it.
fn key(room: &str, name: &str, data: &Value) -> (String, String, String) {
    (room.to_owned(), name.to_owned(), data["by"].as_str().unwrap_or_default().to_owned())
}
