//! Which people are being erased, as far as that is known beside the log: all of them where there is none.

use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::locks::lock;
use crate::ports::Erasure;
use crate::types::Identity;

/// What is known of erasures beside the log.
#[derive(Default)]
pub(crate) struct Erasing {
    /// Those of an engine without a log; of another, the one that is being carried out here, as far as it has come.
    here: Mutex<Vec<Erasure>>,
    /// Told when another was asked for.
    pub(crate) news: Notify,
}

impl Erasing {
    /// Those that are known here, each as far as it has come.
    pub(crate) fn all(&self) -> Vec<Erasure> {
        self.here().clone()
    }

    /// Notes how far one has come.
    pub(crate) fn note(&self, erasure: &Erasure) {
        let mut here = self.here();
        match here.iter_mut().find(|known| known.identity == erasure.identity) {
            Some(known) => *known = erasure.clone(),
            None => here.push(erasure.clone()),
        }
    }

    /// One is not carried out here any more, or is done.
    pub(crate) fn forget(&self, identity: &Identity) {
        self.here().retain(|known| known.identity != *identity);
    }

    fn here(&self) -> MutexGuard<'_, Vec<Erasure>> {
        lock(&self.here)
    }
}
