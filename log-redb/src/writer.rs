//! The one thread that writes: joins what is queued into one commit, answers it together, and gets over a failed disk.

mod upkeep;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use chat_core::{AgeClock, AppendError, Clock, Keep, Retention, Wall};
use redb::{Database, WriteTransaction};
use tokio::sync::oneshot;

use crate::apply::apply;
use crate::compact::{self, Thoroughness};
use crate::feed::FeedKeep;
use crate::format::Fault;
use crate::options::{Durability, Options};
use crate::request::{Change, Outcome, Request};
use crate::store::{Store, panicked};
use crate::tables::{CleanupDebt, Tables};
use crate::trim;
use upkeep::{Broken, Sweep};

/// Changes in one commit.
const GROUP_MAX: usize = 4_096;
/// Bytes in one commit, and acked bytes that wait for a sync: both are held in memory.
const GROUP_BYTES_MAX: usize = 16 << 20;
/// Records of deleted rooms that go with a commit somebody waits for.
const PURGE_BESIDE: usize = 256;

/// Batches of the feed that are let go of with a commit, beside two for each that comes.
const LET_GO_BESIDE: usize = 16;

/// A write that did not succeed.
struct Failure {
    /// Whether it may be in the file nevertheless.
    in_doubt: bool,
    error: String,
}

impl Failure {
    fn answer(&self) -> AppendError {
        match self.in_doubt {
            true => AppendError::Unknown(self.error.clone()),
            false => AppendError::NotWritten(self.error.clone()),
        }
    }
}

pub(crate) struct Writer {
    store: Arc<Store>,
    queue: Receiver<Request>,
    options: Options,
    clock: AgeClock,
    /// Acked, and not yet known to be on disk: written again if the file has to be opened anew.
    unsynced: Vec<Change>,
    unsynced_bytes: usize,
    sync_due: Option<Instant>,
    broken: Option<Broken>,
    /// How long the last one was; nothing once a write has gone well. A file that opens and fails again at once is not tried
    /// without end.
    pause: Duration,
    owed: CleanupDebt,
    /// Bytes removed before the free pages are looked at again.
    looked_at: u64,
    is_purging: bool,
    sweep: Option<Sweep>,
    /// When it is looked next for what the feed has held back for too long.
    feed_due: Option<Instant>,
}

impl Writer {
    pub(crate) fn new(store: Arc<Store>, queue: Receiver<Request>, options: Options, clock: Arc<dyn Clock>) -> Self {
        let clock = AgeClock::new(clock, store.clock().map(Wall));
        let sweep = options.retention.age_max.map(|_| Sweep::begin());
        Self {
            feed_due: options.feed.map(|_| Instant::now()),
            store,
            queue,
            options,
            clock,
            unsynced: Vec::new(),
            unsynced_bytes: 0,
            sync_due: None,
            broken: None,
            pause: Duration::ZERO,
            owed: CleanupDebt::default(),
            looked_at: compact::FREE_BYTES_MIN,
            is_purging: true,
            sweep,
        }
    }

    /// Takes deleted rooms and scrubbed texts out of the file. On a disk that cannot be written now the log is open
    /// nevertheless, and tries again: what is there can be read.
    pub(crate) fn begin(&mut self) {
        if let Err(error) = self.purge_all().and_then(|()| self.compact_if_owed()) {
            tracing::warn!(error, "texts that were taken away may still be in the log's file");
        }
    }

    pub(crate) fn run(mut self) {
        loop {
            match self.queue.recv_timeout(self.patience()) {
                Ok(request) => {
                    if let Some(answer) = self.serve(request) {
                        let closed = self.end(Some(()));
                        let _ = answer.send(closed);
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    if let Err(error) = self.end(None) {
                        tracing::error!(%error, "the log could not be closed properly");
                    }
                    return;
                }
            }
            self.upkeep();
        }
    }

    /// Takes what is queued, commits it and answers. Returns whom to tell that the log is closed, if that was asked.
    fn serve(&mut self, first: Request) -> Option<oneshot::Sender<Result<(), String>>> {
        let (mut group, mut waiting, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut next = Some(first);
        let mut last = None;
        while let Some(request) = next {
            match request {
                Request::Change { change, answer, permit } => {
                    bytes += change.bytes();
                    group.push(change);
                    waiting.push((answer, permit));
                }
                other => {
                    last = Some(other);
                    break;
                }
            }
            let full = group.len() >= GROUP_MAX || bytes >= GROUP_BYTES_MAX;
            next = if full { None } else { self.queue.try_recv().ok() };
        }
        if !group.is_empty() {
            let answers = self.commit(group, bytes);
            // An asker that has gone away has no use for the answer.
            waiting.into_iter().zip(answers).for_each(|((asked, _permit), answer)| drop(asked.send(answer)));
        }
        match last {
            Some(Request::Doubt(is_doubted)) => {
                is_doubted.store(false, Ordering::Release);
                self.probe();
            }
            Some(Request::Compact(answer)) => {
                let done = self.compact(Thoroughness::Squeeze);
                let _ = answer.send(done);
            }
            Some(Request::Close(answer)) => return Some(answer),
            Some(Request::Change { .. }) | None => {}
        }
        None
    }

    /// What is kept of each room, as of now.
    fn keep(&mut self) -> Keep {
        self.keep_of(self.options.retention)
    }

    /// What the feed holds back, as of now, in a commit of this durability. What comes with one that is durable may go with it.
    fn feed_keep(&mut self, durability: redb::Durability) -> Option<FeedKeep> {
        let bounds = self.options.feed?;
        let is_synced = matches!(durability, redb::Durability::Immediate);
        let (last, retention) = (if is_synced { u64::MAX } else { self.store.fed() }, self.options.retention);
        let keep = self.keep_of(Retention { age_max: Some(bounds.age_max), ..Retention::default() });
        Some(FeedKeep { bytes_max: bounds.bytes_max, oldest: keep.oldest.0, now: keep.now.0, last, retention })
    }

    fn keep_of(&mut self, retention: Retention) -> Keep {
        let (keep, step) = self.clock.keep(retention);
        if let Some(step) = step {
            tracing::info!(ahead = ?step.ahead, belief = ?step.belief, "the clock is ahead of the log's, by which the age of records is measured");
        }
        keep
    }

    /// One commit of many changes, and what to answer to each.
    fn commit(&mut self, group: Vec<Change>, bytes: usize) -> Vec<Outcome> {
        let keep = self.keep();
        // An end that a crash takes back would make a token good that was stolen. There are few.
        let is_relaxed = self.options.durability == Durability::Relaxed
            && !group.iter().any(|change| matches!(change, Change::End { .. }));
        let durability = if is_relaxed { redb::Durability::None } else { redb::Durability::Immediate };
        let (is_purging, feed_keep) = (self.is_purging, self.feed_keep(durability));
        let written = self.write(durability, |tables| {
            let outcomes = group.iter().map(|change| apply(tables, change, &keep));
            let outcomes = outcomes.collect::<Result<Vec<Outcome>, Fault>>()?;
            let is_freed = match &feed_keep {
                Some(keep) => trim::let_go(tables, keep, 2 * group.len() + LET_GO_BESIDE)?,
                None => false,
            };
            if is_purging {
                trim::purge(tables, PURGE_BESIDE)?;
            }
            Ok((outcomes, is_freed))
        });
        match written {
            Err(failure) => vec![Err(failure.answer()); group.len()],
            Ok((outcomes, is_freed)) => {
                tracing::trace!(changes = group.len(), bytes, is_relaxed, "a commit");
                self.is_purging |= is_freed || group.iter().any(|change| matches!(change, Change::Delete { .. }));
                if self.options.durability == Durability::Relaxed {
                    let done = group.into_iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok());
                    self.unsynced.extend(done.map(|(change, _)| change));
                    self.unsynced_bytes += bytes;
                    self.sync_due.get_or_insert_with(|| Instant::now() + Durability::RELAXED_WINDOW);
                }
                outcomes
            }
        }
    }

    /// One write transaction. After a failure the file is closed before anybody hears of it: what a read found meanwhile could
    /// be other than what is found once it is open again.
    fn write<T>(
        &mut self,
        durability: redb::Durability,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T, Fault>,
    ) -> Result<T, Failure> {
        let is_synced = matches!(durability, redb::Durability::Immediate);
        let attempted = match &*self.store.shared() {
            Some(database) => attempt(database, durability, work),
            None => Err(Failure { in_doubt: false, error: self.why_closed() }),
        };
        match attempted {
            Ok((value, owed)) => {
                self.owed = owed;
                if matches!(durability, redb::Durability::Immediate) {
                    self.store.feed_through(owed.fed);
                }
                self.pause = Duration::ZERO;
                self.store.commits.fetch_add(1, Ordering::Relaxed);
                if is_synced {
                    self.store.syncs.fetch_add(1, Ordering::Relaxed);
                }
                Ok(value)
            }
            Err(failure) => {
                if self.broken.is_none() {
                    self.break_off(&failure.error);
                }
                Err(failure)
            }
        }
    }

    fn why_closed(&self) -> String {
        let error = self.broken.as_ref().map_or("it is closed", |broken| &broken.error);
        format!("the file is being opened again after: {error}")
    }

    fn break_off(&mut self, error: &str) {
        tracing::warn!(error, "the log's file is closed, and will be opened again");
        self.store.shut();
        let broken = Broken::after(error.to_owned(), self.pause);
        self.pause = broken.pause;
        self.broken = Some(broken);
    }

    /// A reader could not read. If the file refuses to be written too, it has to be opened again.
    fn probe(&mut self) {
        if self.broken.is_none() {
            let _ = self.write(redb::Durability::Immediate, |_| Ok(()));
            self.synced_if_whole();
        }
    }

    fn compact(&mut self, how: Thoroughness) -> Result<(), String> {
        if self.broken.is_some() {
            return Err(self.why_closed());
        }
        let store = Arc::clone(&self.store);
        let Some(_alone) = store.copies.alone() else { return Err("a backup is being made".to_owned()) };
        let done = catch_unwind(AssertUnwindSafe(|| compact::compact(&store, how)));
        let error = match done {
            Ok(Ok(())) => {
                self.owed.scrubbed = 0;
                if how == Thoroughness::Squeeze {
                    (self.owed.removed, self.looked_at) = (0, compact::FREE_BYTES_MIN);
                }
                self.synced_if_whole();
                return Ok(());
            }
            Ok(Err(fault)) => fault.to_string(),
            Err(panic) => panicked(&*panic),
        };
        self.break_off(&error);
        Err(error)
    }

    /// Leaves the file whole; compacted too where the embedder has waited for it.
    fn end(&mut self, compacts: Option<()>) -> Result<(), String> {
        self.store.copies.end();
        if self.broken.is_some() {
            self.reopen();
        }
        let synced = match &self.broken {
            Some(_) => Err(self.why_closed()),
            None if self.unsynced.is_empty() => Ok(()),
            None => self.sync(),
        };
        let compacted = match (&synced, compacts) {
            (Ok(()), Some(())) => self.purge_all().and_then(|()| self.compact_if_owed()),
            _ => Ok(()),
        };
        let closed = self.store.end();
        synced.and(compacted).and(closed)
    }
}

/// One write transaction on an open file, whatever comes of it.
fn attempt<T>(
    database: &Database,
    durability: redb::Durability,
    work: impl FnOnce(&mut Tables<'_>) -> Result<T, Fault>,
) -> Result<(T, CleanupDebt), Failure> {
    let is_committing = Cell::new(false);
    let done = catch_unwind(AssertUnwindSafe(|| transact(database, durability, &is_committing, work)));
    let error = match done {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(fault)) => fault.to_string(),
        Err(panic) => panicked(&*panic),
    };
    Err(Failure { in_doubt: is_committing.get(), error })
}

fn transact<T>(
    database: &Database,
    durability: redb::Durability,
    is_committing: &Cell<bool>,
    work: impl FnOnce(&mut Tables<'_>) -> Result<T, Fault>,
) -> Result<(T, CleanupDebt), Fault> {
    let mut write: WriteTransaction = database.begin_write()?;
    write.set_durability(durability).map_err(|error| Fault::Damaged(error.to_string()))?;
    let mut tables = Tables::open(&write)?;
    let value = work(&mut tables)?;
    let owed = tables.settle()?;
    is_committing.set(true);
    compact::commit(write)?;
    Ok((value, owed))
}

#[cfg(test)]
mod tests;
