//! What people ever asked to be shown: messages that grow, and signals.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chat_core::wire::SignalEntry;
use chat_core::{Epoch, MemberId, Seq};
use serde_json::Value;
use tokio::time::Instant;

use crate::locks::lock;

/// Everything that anybody ever asked to be shown.
#[derive(Debug, Default)]
pub(crate) struct Slots(Mutex<Shown>);

#[derive(Debug, Default)]
struct Shown {
    texts: BTreeMap<(String, Epoch, Seq), Asked<String>>,
    signals: BTreeMap<(String, Epoch, MemberId, String), Asked<Value>>,
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
    pub(crate) fn grows(&self, room: &str, epoch: Epoch, target: Seq, text: String) {
        let texts = &mut lock(&self.0).texts;
        let key = (room.to_owned(), epoch, target);
        let asked = texts.remove(&key).unwrap_or_else(Asked::none).add(text);
        texts.insert(key, asked);
    }

    /// Somebody shows something under a name.
    pub(crate) fn shows(&self, room: &str, epoch: Epoch, member: MemberId, name: &str, data: Value) {
        let signals = &mut lock(&self.0).signals;
        let key = (room.to_owned(), epoch, member, name.to_owned());
        let asked = signals.remove(&key).unwrap_or_else(Asked::none).add(data);
        signals.insert(key, asked);
    }

    /// When it was last asked for, where this text ever was.
    pub(crate) fn text(&self, room: &str, epoch: Epoch, target: Seq, text: &str) -> Option<Instant> {
        let shown = lock(&self.0);
        let asked = shown.texts.get(&(room.to_owned(), epoch, target))?;
        asked.all.iter().any(|known| known == text).then_some(asked.last)
    }

    /// When it was last asked for, where this ever was.
    pub(crate) fn signal(&self, room: &str, epoch: Epoch, entry: &SignalEntry) -> Option<Instant> {
        let shown = lock(&self.0);
        let asked = shown.signals.get(&(room.to_owned(), epoch, entry.member, entry.name.clone()))?;
        asked.all.contains(&entry.data).then_some(asked.last)
    }
}
