//! The other servers that can be reached now, and what is asked of all of them at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use tokio::sync::oneshot;

use crate::engine::parcel::Parcel;
use crate::locks::lock;
use crate::types::NodeId;

/// The other servers that can be reached now, and what is asked of all of them at once.
#[derive(Default)]
pub(crate) struct Peers(Mutex<Known>);

#[derive(Default)]
struct Known {
    up: BTreeSet<NodeId>,
    asked: BTreeMap<u64, Asked>,
    /// What they have answered beyond that they heard: one answer of each, until whoever has asked takes it.
    said: BTreeMap<u64, Vec<(NodeId, Parcel)>>,
    numbered: u64,
}

/// Who has not said yet that it has heard, and who waits for that.
struct Asked {
    left: BTreeSet<NodeId>,
    /// Whether one has gone without saying so.
    has_lost: bool,
    done: oneshot::Sender<bool>,
}

impl Peers {
    pub(crate) fn come(&self, node: NodeId) {
        lock(&self.0).up.insert(node);
    }

    /// How many can be reached.
    pub(crate) fn up(&self) -> usize {
        lock(&self.0).up.len()
    }

    pub(crate) fn has(&self, node: NodeId) -> bool {
        lock(&self.0).up.contains(&node)
    }

    /// It cannot be reached any more: nobody waits for it.
    pub(crate) fn go(&self, node: NodeId) {
        let mut known = lock(&self.0);
        known.up.remove(&node);
        for asked in known.asked.values_mut() {
            asked.has_lost |= asked.left.contains(&node);
        }
        let numbers: Vec<u64> = known.asked.keys().copied().collect();
        numbers.into_iter().for_each(|number| known.heard(number, node));
    }

    /// Everybody who can be reached, and a number under which they say that they have heard; the receiver is told once all of them have,
    /// or have gone: then `false`.
    pub(crate) fn ask_all(&self) -> (u64, BTreeSet<NodeId>, oneshot::Receiver<bool>) {
        let mut known = lock(&self.0);
        known.numbered += 1;
        let (number, all) = (known.numbered, known.up.clone());
        let (done, told) = oneshot::channel();
        known.asked.insert(number, Asked { left: all.clone(), has_lost: false, done });
        known.end(number);
        (number, all, told)
    }

    /// One of them has heard.
    pub(crate) fn heard(&self, number: u64, node: NodeId) {
        lock(&self.0).heard(number, node);
    }

    /// One of them has answered, and that is kept for whoever has asked.
    pub(crate) fn says(&self, number: u64, node: NodeId, what: Parcel) {
        let mut known = lock(&self.0);
        if known.asked.get(&number).is_some_and(|asked| asked.left.contains(&node)) {
            known.said.entry(number).or_default().push((node, what));
            known.heard(number, node);
        }
    }

    /// What has been answered so far. Nobody waits any more.
    pub(crate) fn take_said(&self, number: u64) -> Vec<(NodeId, Parcel)> {
        let mut known = lock(&self.0);
        known.asked.remove(&number);
        known.said.remove(&number).unwrap_or_default()
    }

    /// Nobody waits any more.
    pub(crate) fn forget(&self, number: u64) {
        lock(&self.0).asked.remove(&number);
    }
}

impl Known {
    fn heard(&mut self, number: u64, node: NodeId) {
        if let Some(asked) = self.asked.get_mut(&number) {
            asked.left.remove(&node);
            self.end(number);
        }
    }

    fn end(&mut self, number: u64) {
        if self.asked.get(&number).is_some_and(|asked| asked.left.is_empty())
            && let Some(asked) = self.asked.remove(&number)
        {
            // Who waited may have given up.
            let _ = asked.done.send(!asked.has_lost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NodeId = NodeId(1);
    const TWO: NodeId = NodeId(2);

    #[test]
    fn everybody_is_waited_for_who_can_be_reached_and_nobody_else() {
        let peers = Peers::default();
        let (_, all, mut told) = peers.ask_all();
        assert!(all.is_empty() && told.try_recv().is_ok(), "there is nobody");
        peers.come(ONE);
        peers.come(TWO);
        let (number, all, mut told) = peers.ask_all();
        assert_eq!(all.len(), 2);
        peers.heard(number + 1, ONE);
        peers.heard(number, ONE);
        peers.heard(number, ONE);
        assert!(told.try_recv().is_err(), "one has not heard");
        peers.go(TWO);
        assert!(told.try_recv().is_ok());
        assert_eq!(peers.ask_all().1.len(), 1);
    }

    #[test]
    fn what_they_answer_is_kept_for_whoever_waits_and_once_of_each() {
        let peers = Peers::default();
        peers.come(ONE);
        peers.come(TWO);
        let (number, _, mut told) = peers.ask_all();
        let answer = || Parcel::ReadEnded {};
        peers.says(number + 1, ONE, answer());
        peers.says(number, ONE, answer());
        peers.says(number, ONE, answer());
        assert!(told.try_recv().is_err(), "one has not answered");
        assert_eq!(peers.take_said(number), [(ONE, answer())]);
        peers.says(number, TWO, answer());
        assert_eq!(peers.take_said(number), [], "it came too late");
    }
}
