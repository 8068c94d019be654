//! How often the embedder's code has failed.

use std::sync::atomic::{AtomicU64, Ordering};

/// How often the embedder's code failed.
#[derive(Default)]
pub(crate) struct Failures {
    panics: AtomicU64,
    timeouts: AtomicU64,
}

impl Failures {
    pub(crate) fn note_panic(&self) {
        tracing::error!("code of the embedder has panicked: its policy, log, observer or cluster");
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_timeout(&self) {
        tracing::warn!("code of the embedder has not answered in time: its policy or log");
        self.timeouts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    pub(crate) fn timeouts(&self) -> u64 {
        self.timeouts.load(Ordering::Relaxed)
    }
}
