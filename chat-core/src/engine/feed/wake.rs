//! One flag and one waker per connection, and one head per room: how a reader sleeps without missing what comes.
//!
//! Never here: tokio, and anything else that a model checker cannot look through. `loom/` runs this very file under loom.

#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

#[cfg(not(loom))]
use futures_util::task::AtomicWaker;
#[cfg(loom)]
use loom::future::AtomicWaker;
#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Wakes one reader, at most once per sleep however many writers there are.
pub(crate) struct Wake {
    /// Whether the reader is awake, or has been woken and not looked yet: no need to wake it again.
    awake: AtomicBool,
    waker: AtomicWaker,
}

/// What a reader has found.
pub(crate) enum Look<T> {
    Nothing,
    /// Something, and perhaps there is more: it looks again before it sleeps.
    Some(T),
    /// All there is: it may sleep without another look, if [`Wake::is_quiet`].
    All(T),
}

impl Wake {
    pub(crate) fn new() -> Self {
        Self { awake: AtomicBool::new(false), waker: AtomicWaker::new() }
    }

    /// Tells the reader that there is something to see. Call after it can be seen.
    pub(crate) fn wake(&self) {
        if !self.awake.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Looks, and sleeps only when there is nothing: register, clear the flag, look.
    ///
    /// The flag is cleared with a read-modify-write. A plain store may pass the look (on x86 too), and then a writer that
    /// published in between sees the old flag, wakes nobody, and its message waits for the next one.
    ///
    /// A reader that has seen something comes back before it sleeps, and need not be woken meanwhile: the flag is set again. Not by a plain
    /// store either, which would wipe out what a writer that came in between says it published.
    pub(crate) fn poll<T>(&self, cx: &Context<'_>, look: impl FnOnce() -> Look<T>) -> Poll<T> {
        self.register(cx);
        self.awake.swap(false, Ordering::AcqRel);
        match look() {
            Look::Some(seen) => {
                self.awake.swap(true, Ordering::AcqRel);
                Poll::Ready(seen)
            }
            Look::All(seen) => Poll::Ready(seen),
            Look::Nothing => Poll::Pending,
        }
    }

    /// Whether the reader seems to be awake. It may fall asleep at any time: no reason not to wake it.
    pub(crate) fn is_awake(&self) -> bool {
        self.awake.load(Ordering::Relaxed)
    }

    /// After a look that found everything: whether there is nothing new since. If so, the task is woken when there is.
    pub(crate) fn is_quiet(&self, cx: &Context<'_>) -> bool {
        self.register(cx);
        !self.awake.load(Ordering::Acquire)
    }

    #[cfg(not(loom))]
    fn register(&self, cx: &Context<'_>) {
        self.waker.register(cx.waker());
    }

    #[cfg(loom)]
    fn register(&self, cx: &Context<'_>) {
        self.waker.register_by_ref(cx.waker());
    }
}

/// The number of the last published event of a room.
pub(crate) struct Head(AtomicU64);

impl Head {
    pub(crate) fn new(seq: u64) -> Self {
        Self(AtomicU64::new(seq))
    }

    /// Announces everything up to `seq`; it can be read before this is called.
    pub(crate) fn publish(&self, seq: u64) {
        self.0.store(seq, Ordering::Release);
    }

    /// Everything up to here can be read.
    pub(crate) fn seq(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
