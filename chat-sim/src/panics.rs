//! What has panicked in the world that a thread runs: a task that does is a broken promise, and says so nowhere else.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

use crate::embedder::OnPurpose;
use crate::promise::{Broken, Promise};

thread_local! {
    /// What has panicked in the world that this thread runs; `None` outside of one.
    static PANICKED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// A world begins on this thread.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload().is::<OnPurpose>() {
                return;
            }
            let is_noted = PANICKED
                .with_borrow_mut(|panicked| panicked.as_mut().map(|list| list.push(info.to_string())).is_some());
            if !is_noted {
                usual(info);
            }
        }));
    });
    PANICKED.set(Some(Vec::new()));
}

/// It is over: what has panicked first.
pub(crate) fn end() -> Option<Broken> {
    PANICKED.take().into_iter().flatten().next().map(broken)
}

/// Whether something has panicked in the world that this thread runs.
pub(crate) fn check() -> Result<(), Broken> {
    let first = PANICKED.with_borrow(|panicked| panicked.as_ref().and_then(|list| list.first().cloned()));
    first.map_or(Ok(()), |how| Err(broken(how)))
}

fn broken(how: String) -> Broken {
    Broken { promise: Promise::NoPanic, how }
}
