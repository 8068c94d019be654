//! Hears panics in tasks, which a runtime would swallow.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

use tokio::runtime::Builder;

thread_local! {
    /// What has panicked on this thread since somebody listens.
    static HEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Runs a check under virtual time, all of it on this thread.
///
/// # Panics
/// When anything in it does, whoever catches that.
pub(super) fn run(check: impl Future<Output = ()>) {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            HEARD.with_borrow_mut(|heard| {
                if let Some(heard) = heard {
                    heard.push(info.to_string());
                }
            });
            usual(info);
        }));
    });
    HEARD.set(Some(Vec::new()));
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime needs nothing").block_on(check);
    let heard = HEARD.take().unwrap_or_default();
    assert!(heard.is_empty(), "a task has panicked: {}", heard.join("; "));
}
