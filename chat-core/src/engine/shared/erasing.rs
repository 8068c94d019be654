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
    /// Held by who asks for one: nobody is asked for twice at once.
    pub(crate) asking: tokio::sync::Mutex<()>,
}

impl Erasing {
    /// Those that are known here, each as far as it has come.
    pub(crate) fn all(&self) -> Vec<Erasure> {
        self.here().clone()
    }

    /// Notes how far one has come. How often it was asked for is known better where that was more often.
    pub(crate) fn note(&self, erasure: &mut Erasure) {
        let mut here = self.here();
        match here.iter_mut().find(|known| known.identity == erasure.identity) {
            Some(known) => {
                erasure.asked = erasure.asked.max(known.asked);
                known.clone_from(erasure);
            }
            None => here.push(erasure.clone()),
        }
    }

    /// One that is carried out here was asked for so often.
    pub(crate) fn ask_again(&self, kept: &Erasure) {
        if let Some(known) = self.here().iter_mut().find(|known| known.alias == kept.alias) {
            known.asked = known.asked.max(kept.asked);
        }
    }

    /// Of another engine than one without a log: those alone stay that are this server's to carry out.
    pub(crate) fn keep_only(&self, those: &[Erasure]) {
        self.here().retain(|known| those.iter().any(|own| own.alias == known.alias));
    }

    /// One is not carried out here any more, or is done.
    pub(crate) fn forget(&self, identity: &Identity) {
        self.here().retain(|known| known.identity != *identity);
    }

    fn here(&self) -> MutexGuard<'_, Vec<Erasure>> {
        lock(&self.here)
    }
}
