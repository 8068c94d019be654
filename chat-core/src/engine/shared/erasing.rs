//! Which people are being erased: kept in the log, and without one in memory.

use std::sync::Mutex;

use tokio::sync::Notify;

use crate::engine::shared::{Shared, unavailable};
use crate::locks::lock;
use crate::ports::Erasure;
use crate::types::{Identity, Reject};

/// What is known of erasures beside the log.
#[derive(Default)]
pub(crate) struct Erasing {
    /// Those of an engine without a log; of another, the one that is being carried out here, as far as it has come.
    here: Mutex<Vec<Erasure>>,
    /// Told when another was asked for.
    pub(crate) news: Notify,
}

impl Shared {
    /// All that there are, each as far as it has come.
    ///
    /// # Errors
    /// `unavailable` when the log cannot say.
    pub(crate) async fn erasures(&self) -> Result<Vec<Erasure>, Reject> {
        let here = || lock(&self.erasing.here).clone();
        let Some(log) = &self.log else { return Ok(here()) };
        let mut all = log.erasures().await.map_err(|_| unavailable())?;
        for known in here() {
            let is_it = |kept: &&mut Erasure| kept.identity == known.identity && kept.alias == known.alias;
            if let Some(kept) = all.iter_mut().find(is_it) {
                *kept = known;
            }
        }
        Ok(all)
    }

    /// Keeps how far one has come.
    ///
    /// # Errors
    /// `unavailable` when the log does not take it.
    pub(crate) async fn keep_erasure(&self, erasure: &Erasure) -> Result<(), Reject> {
        match &self.log {
            Some(log) => log.put_erasure(erasure).await.map_err(|_| unavailable()),
            None => {
                self.note_erasure(erasure);
                Ok(())
            }
        }
    }

    /// Notes how far the one has come that is being carried out here.
    pub(crate) fn note_erasure(&self, erasure: &Erasure) {
        let mut here = lock(&self.erasing.here);
        match here.iter_mut().find(|known| known.identity == erasure.identity) {
            Some(known) => *known = erasure.clone(),
            None => here.push(erasure.clone()),
        }
    }

    /// One is not carried out here any more, or is done.
    pub(crate) fn forget_erasure(&self, identity: &Identity) {
        lock(&self.erasing.here).retain(|known| known.identity != *identity);
    }
}
