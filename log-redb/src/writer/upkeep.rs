//! What the writer does without being asked: opening the file again, syncing, and taking away what is not kept.

use std::time::{Duration, Instant};

use redb::Database;

use super::{GROUP_BYTES_MAX, Writer, attempt};
use crate::apply::apply;
use crate::compact::{self, Thoroughness};
use crate::store::{OpenError, close};
use crate::trim;

/// First and longest pause before a file that failed is opened again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));
/// How often every room is looked at for records that are too old.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Between one part of such a look and the next.
const SWEEP_PAUSE: Duration = Duration::from_millis(50);

/// While the file is closed after an error.
pub(super) struct Broken {
    pub(super) pause: Duration,
    retry: Instant,
    pub(super) error: String,
}

impl Broken {
    /// Waits twice as long as the time before.
    pub(super) fn after(error: String, before: Duration) -> Self {
        let pause = (before * 2).clamp(PAUSE.0, PAUSE.1);
        Self { pause, retry: Instant::now() + pause, error }
    }
}

/// How far the look for records that are too old has come.
pub(super) struct Sweep {
    after: Option<String>,
    due: Instant,
}

impl Sweep {
    pub(super) fn begin() -> Self {
        Self { after: None, due: Instant::now() }
    }

    #[cfg(test)]
    pub(super) fn is_due_now(&mut self) {
        self.due = Instant::now();
    }
}

impl Writer {
    /// How long nothing has to be done.
    pub(super) fn patience(&self) -> Duration {
        if let Some(broken) = &self.broken {
            return broken.retry.saturating_duration_since(Instant::now());
        }
        if self.is_purging {
            return Duration::ZERO;
        }
        let due =
            [self.sync_due, self.feed_due, self.sweep.as_ref().map(|sweep| sweep.due)].into_iter().flatten().min();
        due.map_or(SWEEP_EVERY, |due| due.saturating_duration_since(Instant::now()))
    }

    /// Upkeep that is due, whether or not somebody has asked for something.
    pub(super) fn upkeep(&mut self) {
        if let Some(broken) = &self.broken {
            if broken.retry <= Instant::now() {
                self.reopen();
            }
            return;
        }
        if self.unsynced_bytes >= GROUP_BYTES_MAX || self.sync_due.is_some_and(|due| due <= Instant::now()) {
            let _ = self.sync();
        }
        if let Some(due) = &mut self.feed_due
            && *due <= Instant::now()
        {
            *due = Instant::now() + SWEEP_EVERY;
            self.is_purging = true;
        }
        if self.is_purging {
            let _ = self.purge();
        }
        if self.sweep.as_ref().is_some_and(|sweep| sweep.due <= Instant::now()) {
            self.sweep();
        }
        // Nothing is compacted here: whoever writes would wait for it, a minute for each few gigabytes. Free pages are written again.
    }

    /// Takes all records of deleted incarnations out of the tables, but for what a feed holds back.
    pub(super) fn purge_all(&mut self) -> Result<(), String> {
        self.is_purging = true;
        while self.is_purging {
            self.purge()?;
        }
        Ok(())
    }

    /// One slice of what is to go: of the feed, and of deleted incarnations.
    fn purge(&mut self) -> Result<(), String> {
        let keep = self.feed_keep(redb::Durability::Immediate);
        let more = self.write(redb::Durability::Immediate, |tables| {
            let is_freed = match keep {
                Some(keep) => {
                    tables.put_clock(keep.now)?;
                    trim::let_go(tables, &keep, trim::SLICE)?
                }
                None => false,
            };
            Ok(trim::purge(tables, trim::SLICE)? || is_freed)
        });
        self.is_purging = *more.as_ref().unwrap_or(&true);
        self.synced_if_whole();
        more.map(drop).map_err(|failure| failure.error)
    }

    pub(super) fn reopen(&mut self) {
        let opened = self.store.open_again().map_err(|error| match error {
            OpenError::Io { source, .. } => source.to_string(),
            other => other.to_string(),
        });
        let replayed = opened.and_then(|database| match self.replay(&database) {
            Ok(()) => Ok(database),
            Err(error) => {
                close(database);
                Err(error)
            }
        });
        match replayed {
            Ok(database) => {
                self.store.publish(database);
                self.broken = None;
                self.synced_if_whole();
                tracing::info!("the log's file is open again");
            }
            Err(error) => {
                tracing::warn!(error, "the log's file cannot be opened again yet");
                let broken = Broken::after(error, self.pause);
                self.pause = broken.pause;
                self.broken = Some(broken);
            }
        }
    }

    /// Makes durable what the file says, before anybody may read it, and writes what had been acked and may be missing. All of
    /// that came in one durable commit or in none, so what is there already refuses to be written twice by its tail.
    fn replay(&mut self, database: &Database) -> Result<(), String> {
        let keep = self.keep();
        let written = attempt(database, redb::Durability::Immediate, |tables| {
            self.unsynced.iter().try_for_each(|change| apply(tables, change, &keep).map(drop))
        });
        let ((), owed) = written.map_err(|failure| failure.error)?;
        self.owed = owed;
        self.store.feed_through(owed.fed);
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Result<(), String> {
        let keep = self.feed_keep(redb::Durability::Immediate);
        // What the commits before it could not let go of.
        let written = self.write(redb::Durability::Immediate, |tables| match &keep {
            Some(keep) => trim::let_go(tables, keep, trim::SLICE),
            None => Ok(false),
        });
        self.is_purging |= *written.as_ref().unwrap_or(&false);
        self.synced_if_whole();
        written.map(drop).map_err(|failure| failure.error)
    }

    /// After a durable commit: everything before it is durable too.
    pub(super) fn synced_if_whole(&mut self) {
        if self.broken.is_none() {
            self.unsynced.clear();
            self.unsynced_bytes = 0;
            self.sync_due = None;
        }
    }

    fn sweep(&mut self) {
        let Some(Sweep { after, .. }) = self.sweep.take() else { return };
        let keep = self.keep();
        let swept = self.write(redb::Durability::Immediate, |tables| trim::sweep(tables, after, &keep));
        self.synced_if_whole();
        let after = swept.unwrap_or_default();
        let pause = if after.is_some() { SWEEP_PAUSE } else { SWEEP_EVERY };
        self.sweep = Some(Sweep { after, due: Instant::now() + pause });
    }

    fn compact_if_free(&mut self) -> Result<(), String> {
        if self.is_purging || self.owed.removed < self.looked_at || self.store.copies.are_made() {
            return Ok(());
        }
        match compact::is_worth_it(&self.store, self.owed.removed) {
            Ok(true) => self.compact(Thoroughness::Squeeze),
            Ok(false) => {
                self.looked_at = self.owed.removed + compact::FREE_BYTES_MIN.max(self.owed.removed / 2);
                Ok(())
            }
            Err(fault) => {
                self.break_off(&fault.to_string());
                Err(fault.to_string())
            }
        }
    }

    /// On opening and closing: what others wait for should not take longer than it must.
    pub(super) fn compact_if_owed(&mut self) -> Result<(), String> {
        self.compact_if_free()?;
        if self.owed.scrubbed > 0 { self.compact(Thoroughness::Wash) } else { Ok(()) }
    }
}
