//! Frames as they stand on the wire, for whoever watches: those that people of a world are told, and those that they say.

use std::cell::RefCell;

/// Whose frame it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A person says it.
    Client,
    /// A person is told it.
    Server,
}

type Watcher = Box<dyn FnMut(Side, &str)>;

thread_local! {
    static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
}

/// Shows every frame of the worlds that run on this thread, as JSON, until another watches.
pub fn watch(watcher: impl FnMut(Side, &str) + 'static) {
    WATCHER.set(Some(Box::new(watcher)));
}

/// A frame; nothing is written where nobody watches.
pub(crate) fn show(side: Side, json: impl FnOnce() -> String) {
    WATCHER.with_borrow_mut(|watcher| {
        if let Some(watcher) = watcher {
            watcher(side, &json());
        }
    });
}
