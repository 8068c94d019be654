//! The reactions to messages of one incarnation that their records may lack: a page that shows such a message shows them with it.
//!
//! Set before the events are published that changed them, so that a page reflects all that was told before it, and perhaps more: that is told
//! again with its count, and comes to the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::domain::Reaction;
use crate::engine::feed::overlay::Stale;
use crate::locks::lock;
use crate::types::Seq;
use crate::wire;

/// Lists of reactions, encoded, each with the place in a page of the message that has them.
type Placed = Vec<(usize, Arc<[u8]>)>;

/// What an entry takes beside its list, about.
const ENTRY_BYTES: usize = 64;

/// Of most incarnations it holds nothing, and takes two words.
#[derive(Default)]
pub(crate) struct ReactionOverlay(Mutex<Option<Box<Known>>>);

#[derive(Default)]
struct Known {
    /// Encoded, by message.
    lists: BTreeMap<Seq, Arc<[u8]>>,
    /// What the lists and their entries hold.
    bytes: usize,
    /// Messages up to here may have been let go of: their records have their reactions, and the backlog, where that has them.
    frozen: Seq,
}

impl ReactionOverlay {
    /// What a message has been reacted to with from now on. Only the room's task calls this, before it is published.
    pub(crate) fn set(&self, message: Seq, reactions: &[Reaction]) {
        let mut guard = self.lock();
        if reactions.is_empty() {
            if let Some(known) = guard.as_mut() {
                known.remove(message);
            }
            return;
        }
        let known = guard.get_or_insert_default();
        known.remove(message);
        let list: Arc<[u8]> = wire::reaction_list(reactions).into();
        known.bytes += ENTRY_BYTES + list.len();
        known.lists.insert(message, list);
    }

    /// The messages that have any.
    pub(crate) fn messages(&self) -> Vec<Seq> {
        self.lock().as_ref().map_or_else(Vec::new, |known| known.lists.keys().copied().collect())
    }

    /// What a message has been reacted to with, as it is shown.
    pub(crate) fn list(&self, message: Seq) -> Option<Arc<[u8]>> {
        self.lock().as_ref()?.lists.get(&message).map(Arc::clone)
    }

    /// Lets go of a message's reactions, which its record has, and the backlog where that has the message.
    pub(crate) fn freeze(&self, message: Seq) {
        if let Some(known) = &mut *self.lock() {
            known.remove(message);
            known.frozen = known.frozen.max(message);
        }
    }

    /// Up to where messages may have been let go of; for [`ReactionOverlay::among`], before a page is read.
    pub(crate) fn frozen(&self) -> Seq {
        self.lock().as_ref().map_or(Seq(0), |known| known.frozen)
    }

    /// Which messages of a page have been reacted to, by their place in it. The page was read when those up to `frozen` had been let go of.
    ///
    /// # Errors
    /// [`Stale`]: one of them was let go of since, and the page may lack its reactions.
    pub(crate) fn among(&self, frozen: Seq, messages: impl Iterator<Item = Seq>) -> Result<Placed, Stale> {
        let guard = self.lock();
        let Some(known) = &*guard else { return Ok(Vec::new()) };
        let mut lists = Vec::new();
        for (place, message) in messages.enumerate() {
            if frozen < message && message <= known.frozen {
                return Err(Stale);
            }
            lists.extend(known.lists.get(&message).map(|list| (place, Arc::clone(list))));
        }
        Ok(lists)
    }

    /// Bytes that it holds, about.
    pub(crate) fn weight(&self) -> usize {
        self.lock().as_ref().map_or(0, |known| known.bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Known>>> {
        lock(&self.0)
    }
}

impl Known {
    fn remove(&mut self, message: Seq) {
        if let Some(list) = self.lists.remove(&message) {
            self.bytes -= ENTRY_BYTES + list.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{MemberId, ReactionName};

    fn reactions(by: &[u32]) -> Vec<Reaction> {
        let by: Vec<MemberId> = by.iter().copied().map(MemberId).collect();
        vec![Reaction::new(ReactionName::parse("+1").expect("valid"), &by)]
    }

    fn among(overlay: &ReactionOverlay, frozen: u64, messages: &[u64]) -> Result<Vec<(usize, String)>, Stale> {
        let lists = overlay.among(Seq(frozen), messages.iter().copied().map(Seq))?;
        Ok(lists.into_iter().map(|(place, list)| (place, String::from_utf8_lossy(&list).into_owned())).collect())
    }

    #[test]
    fn a_page_is_shown_the_latest_of_its_messages() {
        let overlay = ReactionOverlay::default();
        overlay.set(Seq(3), &reactions(&[1]));
        overlay.set(Seq(3), &reactions(&[1, 2]));
        overlay.set(Seq(5), &reactions(&[1]));
        let list = r#"[{"name":"+1","count":2,"by":[1,2]}]"#;
        assert_eq!(among(&overlay, 0, &[4, 3, 2]), Ok(vec![(1, list.to_owned())]));
        overlay.set(Seq(3), &[]);
        assert_eq!((among(&overlay, 0, &[4, 3, 2]), overlay.messages()), (Ok(vec![]), vec![Seq(5)]));
        overlay.set(Seq(5), &[]);
        assert_eq!(overlay.weight(), 0);
    }

    #[test]
    fn a_page_that_was_read_before_one_of_its_messages_was_frozen_is_stale() {
        let overlay = ReactionOverlay::default();
        [3, 5].into_iter().for_each(|message| overlay.set(Seq(message), &reactions(&[1])));
        let before = overlay.frozen();
        overlay.freeze(Seq(3));
        assert_eq!(among(&overlay, before.0, &[4, 3]), Err(Stale));
        assert_eq!(among(&overlay, before.0, &[4, 2]).map(|lists| lists.len()), Err(Stale), "it cannot say");
        assert_eq!(among(&overlay, before.0, &[5, 4]).map(|lists| lists.len()), Ok(1));
        assert_eq!(among(&overlay, overlay.frozen().0, &[4, 3]), Ok(vec![]));
    }
}
