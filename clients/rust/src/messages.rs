//! Messages as they are held: in the order of their numbers, merged with pages, and changed as events and answers say.

use std::ops::Deref;
use std::sync::Arc;

use chat_core::wire::{MessageFrame, ReactionChange};
use chat_core::{MemberId, Reaction, Seq};
use serde_json::{Map, Value};

/// What a message takes beside its texts, about.
const MESSAGE_BYTES: usize = 256;

/// A message as it is held; it derefs to the frame of the protocol. Cheap to clone: all clones share one.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    frame: Arc<MessageFrame>,
    /// The last event that it reflects.
    pub as_of: Seq,
}

impl Message {
    fn new(frame: &MessageFrame, as_of: Seq) -> Self {
        Self { frame: Arc::new(frame.clone()), as_of }
    }

    /// What it takes in memory, about.
    fn bytes(&self) -> usize {
        let MessageFrame { nick, text, key, data, reactions, .. } = &*self.frame;
        let named: usize = reactions.iter().map(|reaction| 64 + 4 * reaction.by.len()).sum();
        let words = nick.len() + text.len() + key.as_ref().map_or(0, String::len);
        MESSAGE_BYTES + words + named + data.as_ref().map_or(0, fields_bytes)
    }
}

impl Deref for Message {
    type Target = MessageFrame;

    fn deref(&self) -> &MessageFrame {
        &self.frame
    }
}

fn fields_bytes(fields: &Map<String, Value>) -> usize {
    fields.iter().map(|(name, value)| 64 + name.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &Value) -> usize {
    32 + match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(value_bytes).sum(),
        Value::Object(fields) => fields_bytes(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// Messages by number, and how many bytes they take.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    list: Vec<Message>,
    bytes: usize,
}

/// What an edit says.
pub(crate) struct Edit<'a> {
    pub(crate) text: &'a str,
    pub(crate) data: Option<&'a Map<String, Value>>,
    pub(crate) n: Option<u32>,
}

impl Held {
    pub(crate) fn list(&self) -> &[Message] {
        &self.list
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// A message that is newer than all others.
    pub(crate) fn push(&mut self, frame: &MessageFrame) {
        let message = Message::new(frame, frame.seq);
        self.bytes += message.bytes();
        self.list.push(message);
    }

    /// A page as well: of a message that is in both, what reflects more counts; of the same event, what was asked for.
    pub(crate) fn merge<'a>(&mut self, page: impl IntoIterator<Item = &'a MessageFrame>, as_of: Seq) {
        for frame in page {
            let message = Message::new(frame, as_of);
            match self.place(frame.seq) {
                Ok(index) if self.list[index].as_of > as_of => {}
                Ok(index) => {
                    self.bytes = self.bytes - self.list[index].bytes() + message.bytes();
                    self.list[index] = message;
                }
                Err(index) => {
                    self.bytes += message.bytes();
                    self.list.insert(index, message);
                }
            }
        }
    }

    /// Only those of which this is so.
    pub(crate) fn retain(&mut self, is_kept: impl FnMut(&Message) -> bool) {
        self.list.retain(is_kept);
        self.bytes = self.list.iter().map(Message::bytes).sum();
    }

    /// Without the oldest quarter, and at least without the oldest.
    pub(crate) fn drop_quarter(&mut self) {
        let count = (self.list.len() / 4).max(1).min(self.list.len());
        self.bytes -= self.list.drain(..count).map(|message| message.bytes()).sum::<usize>();
    }

    /// What is left of a message that was taken back.
    pub(crate) fn redact(&mut self, target: Seq, seq: Seq) {
        self.change(target, seq, take_back);
    }

    pub(crate) fn edit(&mut self, target: Seq, seq: Seq, edit: &Edit<'_>) {
        self.change(target, seq, |message| {
            if !message.redacted {
                edit.text.clone_into(&mut message.text);
                message.data = edit.data.cloned();
                message.edited = edit.n.unwrap_or(message.edited);
            }
        });
    }

    /// Takes back all of a member's messages in a range, as of an event. What reflects that already says nothing any more.
    pub(crate) fn sweep(&mut self, member: MemberId, from: Seq, to: Seq, as_of: Seq) {
        let is_meant = |message: &Message| {
            message.member == Some(member) && (from..=to).contains(&message.seq) && !message.redacted
        };
        for index in 0..self.list.len() {
            if is_meant(&self.list[index]) {
                self.change_at(index, as_of, take_back);
            }
        }
    }

    /// One reaction more or less. False where more people are to be named than are known: then the message is asked for.
    pub(crate) fn react(&mut self, target: Seq, seq: Seq, change: &ReactionChange) -> bool {
        let mut is_whole = true;
        self.change(target, seq, |message| {
            if message.redacted {
                return;
            }
            let ReactionChange { name, by, on, count, .. } = change;
            let index = message.reactions.iter().position(|reaction| reaction.name == *name);
            let mut people: Vec<MemberId> = index.map_or_else(Vec::new, |index| message.reactions[index].by.clone());
            people.retain(|other| other != by);
            if *on && people.len() < Reaction::SHOWN_MAX {
                people.push(*by);
            }
            is_whole = people.len() >= Reaction::SHOWN_MAX.min(*count as usize);
            match (index, *count) {
                (Some(index), 0) => drop(message.reactions.remove(index)),
                (None, 0) => {}
                (index, count) => {
                    let mut now = Reaction::new(name.clone(), &people);
                    now.count = count;
                    match index {
                        Some(index) => message.reactions[index] = now,
                        None => message.reactions.push(now),
                    }
                }
            }
        });
        is_whole
    }

    /// Changes a message that is held and does not reflect the event `seq` yet.
    fn change(&mut self, target: Seq, seq: Seq, change: impl FnOnce(&mut MessageFrame)) {
        if let Ok(index) = self.place(target)
            && self.list[index].as_of < seq
        {
            self.change_at(index, seq, change);
        }
    }

    fn change_at(&mut self, index: usize, as_of: Seq, change: impl FnOnce(&mut MessageFrame)) {
        let message = &mut self.list[index];
        let before = message.bytes();
        change(Arc::make_mut(&mut message.frame));
        message.as_of = as_of;
        self.bytes = self.bytes - before + message.bytes();
    }

    fn place(&self, seq: Seq) -> Result<usize, usize> {
        self.list.binary_search_by_key(&seq, |message| message.seq)
    }
}

fn take_back(message: &mut MessageFrame) {
    message.text.clear();
    message.redacted = true;
    message.edited = 0;
    (message.data, message.reply_to, message.key) = (None, None, None);
    message.reactions.clear();
}
