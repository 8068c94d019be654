//! The feed of all rooms: every event of every room, at least once and in the order of each room, for a backend that reads them all.
//!
//! Never here: what a log alone is to know. Records are told as the frames that members get, and those that nobody is told are left out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use crate::engine::engine::Engine;
use crate::engine::feed::overlay::Change;
use crate::engine::rooms::backoff::Backoff;
use crate::engine::shared::Shared;
use crate::engine::standstill::{Standstill, behind, oldest};
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{Bug, is};
use crate::meters::{DeliveryOutcome, FeedCounts, FeedPlace};
use crate::ports::{
    AppendError, FeedBatch, FeedChange, FeedCursor, FeedError, FeedGap, FeedName, FeedSlice, LogFeed, Owner, ReadError,
};
use crate::types::{Epoch, Offset, RoomCode, Seq, Wall};
use crate::wire::{FrameKind, encode_for_feed};

/// Records in one page. 256: as many as rooms say while one page is delivered, 4 MiB where all are as long as they may be. No limit: a page is
/// its reader's, and there are as many as the embedder has feeds.
const PAGE: usize = 256;
/// How long a reader sleeps that nobody here has anything for. 1 s: by then another server may have appended something, and a log may have
/// synced what it had not.
const PAUSE: Duration = Duration::from_secs(1);

/// A reader of everything that happens in all rooms of the engine's log; see [`Engine::feed`]. Drop it before the log is to be another engine's.
pub struct Feed {
    shared: Arc<Shared>,
    news: watch::Receiver<()>,
    name: Option<FeedName>,
    cursor: Option<FeedCursor>,
    /// Under whose ownership of the name the cursor was read: where it is another, it is read anew.
    read_under: Option<Owner>,
    /// How many pages it has told, and how many of them before the cursor was read anew.
    pages: u64,
    pages_before: u64,
    /// The number of the last page that was done.
    done: Mutex<u64>,
    /// Of one that has a name.
    counts: Option<Arc<FeedCounts>>,
    standstill: Standstill,
    backoff: Backoff,
}

/// Counts what comes of the deliveries of a feed, for [`Engine::meters`]; see [`Feed::deliveries`].
#[derive(Clone)]
pub struct FeedDeliveries {
    shared: Arc<Shared>,
    counts: Option<Arc<FeedCounts>>,
}

/// What a feed tells at once. Two are equal that tell the same, whichever feeds told them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FeedPage {
    /// What is missing before the first event, if anything is: the feed was not read for longer than its log holds back.
    pub gap: Option<FeedGap>,
    /// In order: those of one room as they happened. A page may be without any, where nothing happened that members are told.
    pub events: Vec<FeedEvent>,
    /// Behind the last of them: to be stored once they have been taken care of.
    pub cursor: FeedCursor,
    /// How many batches of records there are after that.
    pub behind: u64,
    /// Which restoration of the log from a backup tells it; 0 where none was, or the log does not know. Events of two restorations may have one room, epoch and
    /// offset and be different ones.
    pub restored: u64,
    /// Which page of its feed it is, from 1 on.
    number: u64,
}

/// Something that happened in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedEvent {
    /// The room.
    pub room: RoomCode,
    /// The incarnation of it.
    pub epoch: Epoch,
    /// The number of its record. With the room and the epoch it is the event's alone: whoever is told it twice can tell by them.
    pub offset: Offset,
    /// Its number among what members are told; nothing for the end of an incarnation.
    pub seq: Option<Seq>,
    /// When.
    pub at: Wall,
    /// What it is.
    pub kind: FrameKind,
    /// The frame that members are told, as JSON, with `epoch` and `offset` behind `room`: as the message is now, where it was changed since.
    pub json: String,
}

impl Engine {
    /// Everything that happens in all rooms after a cursor; without one, from the oldest on that the log still has of its feed. Each event that
    /// members are told is told at least once, those of one room in order, over restarts and crashes: store [`FeedPage::cursor`] when a page
    /// has been taken care of, and begin there again. In rooms where joins and leaves are only counted they are not told here either.
    ///
    /// # Errors
    /// [`FeedError::NoFeed`] where the engine has no log, or one that was not opened with a feed: an engine in memory has none.
    pub fn feed(&self, cursor: Option<FeedCursor>) -> Result<Feed, FeedError> {
        self.log_feed()?;
        let (shared, news) = (Arc::clone(&self.shared), self.shared.feed_news.subscribe());
        Ok(Feed {
            shared,
            news,
            name: None,
            cursor,
            read_under: None,
            pages: 0,
            pages_before: 0,
            done: Mutex::new(0),
            counts: None,
            standstill: Standstill::default(),
            backoff: Backoff::default(),
        })
    }

    /// The feed of a name, from where it was [`done`](Feed::done) last. The log holds back for it what it has not read, up to its
    /// [`FeedBounds`](crate::FeedBounds). One that is new begins with the oldest that the log has. One reader has it at a time: two would
    /// each store where the other is.
    ///
    /// Where servers share the log, have every one of them read it: the owner of the name's [slot](FeedName::slot) is told, and the others wait until they
    /// are. What a server that is gone was told, and had not [done](Feed::done), the next one is told again.
    ///
    /// # Errors
    /// As [`Engine::feed`]; [`FeedError::TooMany`], and where the log cannot be read or written.
    pub async fn feed_of(&self, name: FeedName) -> Result<Feed, FeedError> {
        let counts = self.shared.feeds.open(&name);
        let mut feed = Feed { name: Some(name), counts: Some(counts), ..self.feed(None)? };
        feed.begin().await?;
        Ok(feed)
    }

    /// The cursor behind everything that has happened: for a feed that is to tell what comes from now on.
    ///
    /// # Errors
    /// As [`Engine::feed`]; where the log cannot be read.
    pub async fn feed_end(&self) -> Result<FeedCursor, FeedError> {
        self.log_feed()?.end().await
    }

    /// The named feeds, and how far each is done.
    ///
    /// # Errors
    /// As [`Engine::feed`]; where the log cannot be read.
    pub async fn feeds(&self) -> Result<Vec<(FeedName, FeedCursor)>, FeedError> {
        self.log_feed()?.feeds().await
    }

    /// Forgets a named feed: nothing is held back for it any more.
    ///
    /// # Errors
    /// As [`Engine::feed`]; where the log cannot be written.
    pub async fn drop_feed(&self, name: &FeedName) -> Result<(), FeedError> {
        self.log_feed()?.drop_feed(name).await
    }

    fn log_feed(&self) -> Result<&dyn LogFeed, FeedError> {
        self.shared.log_feed()
    }
}

impl Shared {
    fn log_feed(&self) -> Result<&dyn LogFeed, FeedError> {
        self.log.as_ref().and_then(|log| log.feed()).ok_or(FeedError::NoFeed)
    }
}

impl Feed {
    /// Waits until something has happened, and tells it. A log that cannot be reached is asked again until it can. To drop the future loses
    /// nothing.
    ///
    /// # Errors
    /// Those that trying again does not help against: [`FeedError::OtherFeed`], [`FeedError::Lost`], and a log that is damaged or of a later
    /// program.
    pub async fn next(&mut self) -> Result<FeedPage, FeedError> {
        loop {
            // Before the log is read: what is told after that is waited for in vain otherwise.
            self.news.borrow_and_update();
            match self.look().await {
                Ok(Some(page)) => {
                    self.backoff = Backoff::default();
                    return Ok(page);
                }
                Ok(None) => self.backoff = Backoff::default(),
                Err(FeedError::Read(ReadError::Unavailable(_)) | FeedError::Write(_)) => {
                    tokio::time::sleep(self.backoff.next()).await;
                    continue;
                }
                Err(error) => return Err(error),
            }
            // An error means that the engine is gone, which this holds.
            let _ = tokio::time::timeout(PAUSE, self.news.changed()).await;
        }
    }

    /// The next page, if there is one, and it is this server's to tell.
    async fn look(&mut self) -> Result<Option<FeedPage>, FeedError> {
        if !self.begin().await? {
            return Ok(None);
        }
        let slice = self.shared.log_feed()?.since(self.cursor.as_ref(), PAGE).await?;
        if let Some(gap) = slice.gap
            && self.is_of_another(gap).await?
        {
            self.read_under = None;
            return Ok(None);
        }
        self.cursor = Some(slice.next.clone());
        #[cfg(feature = "fault_injection")]
        if let (Some(name), true) = (&self.name, is(Bug::DoneAhead)) {
            self.shared.log_feed()?.put_feed(name, &slice.next).await?;
        }
        if let Some(counts) = &self.counts {
            let (behind, oldest) = (behind(&slice), oldest(&slice));
            counts.is_at(FeedPlace { is_here: true, is_stalled: false, behind, oldest });
            counts.miss(slice.gap.map_or(0, |gap| gap.batches));
        }
        if slice.gap.is_none() && slice.batches.is_empty() {
            return Ok(None);
        }
        self.pages += 1;
        Ok(Some(page(slice, self.pages)))
    }

    /// Whether another server has been told, and was done with, some of what is missing here: this one has stood still, and does not know yet that the
    /// name is not its own any more. What a log lets go of because every named feed has read it is missing to nobody.
    async fn is_of_another(&self, gap: FeedGap) -> Result<bool, FeedError> {
        let Some(name) = &self.name else { return Ok(false) };
        let feed = self.shared.log_feed()?;
        let Some((_, done)) = feed.feeds().await?.into_iter().find(|(known, _)| known == name) else {
            return Ok(false);
        };
        // This one has told at least what it was done with: less is missing after that only where another was done with more.
        let missing = feed.since(Some(&done), 0).await?.gap.map_or(0, |gap| gap.batches);
        Ok(missing < gap.batches)
    }

    /// Whether this server is to read: one of a name reads on from where the server was done that had the name before.
    async fn begin(&mut self) -> Result<bool, FeedError> {
        let Some(name) = &self.name else { return Ok(true) };
        let owner = self.shared.owner_of(name.slot());
        let feed = self.shared.log_feed()?;
        if !matches!(owner, Owner::Me(_)) {
            self.read_under = None;
            if let Some(counts) = &self.counts {
                // It is another server's to tell: what cannot be read now is looked at again.
                let _ = self.standstill.look(feed, name, counts).await;
            }
            return Ok(false);
        }
        if self.read_under == Some(owner) {
            return Ok(true);
        }
        #[cfg(feature = "fault_injection")]
        if self.cursor.is_some() && is(Bug::ReadFeedOn) {
            self.read_under = Some(owner);
            return Ok(true);
        }
        let known = feed.feeds().await?.into_iter().find(|(known, _)| known == name);
        let cursor = match known {
            Some((_, cursor)) => cursor,
            None => {
                let start = feed.since(None, 0).await?.next;
                feed.put_feed(name, &start).await?;
                start
            }
        };
        (self.cursor, self.read_under) = (Some(cursor), Some(owner));
        self.pages_before = self.pages;
        self.standstill.end();
        if let Some(counts) = &self.counts {
            counts.is_here();
        }
        Ok(true)
    }

    /// Stores that everything up to the end of a page has been taken care of: the feed of this name begins behind it from now on. Of a feed
    /// without a name nothing is stored, and nothing for a page that comes before one that was done: a feed never goes back.
    ///
    /// # Errors
    /// Where the log cannot be written. What was done is told again, then, after a restart. [`AppendError::Deposed`] where another server has the feed
    /// of this name by now, or has had it since the page was told, and is told it again: [`Feed::next`] waits until this one has it.
    pub async fn done(&self, page: &FeedPage) -> Result<(), FeedError> {
        let Some(name) = &self.name else { return Ok(()) };
        let mut done = self.done.lock().await;
        // The log of a single server has no owners; a cluster knows before its log.
        if !self.has(page) {
            return Err(FeedError::Write(AppendError::Deposed));
        }
        if page.number <= *done {
            return Ok(());
        }
        self.shared.log_feed()?.put_feed(name, &page.cursor).await?;
        *done = page.number;
        if let Some(counts) = &self.counts {
            counts.is_done(page.behind, page.events.len());
        }
        Ok(())
    }

    /// Whether a page that it told is still this server's to take care of. Where another server has the feed of this name by now, or has had it since, that
    /// one is told the page again, and what follows it: whoever goes on with the page then tells it out of order. To be asked before each attempt to
    /// deliver a part of it; an attempt that is under way while the feed moves nobody can take back.
    pub fn has(&self, page: &FeedPage) -> bool {
        let Some(name) = &self.name else { return true };
        page.number > self.pages_before && self.read_under == Some(self.shared.owner_of(name.slot()))
    }

    /// What counts the deliveries of this feed, beside what the engine knows of it: see [`FeedMeter`](crate::FeedMeter).
    pub fn deliveries(&self) -> FeedDeliveries {
        FeedDeliveries { shared: Arc::clone(&self.shared), counts: self.counts.clone() }
    }

    /// How far it has told: where the next page begins.
    pub fn cursor(&self) -> Option<&FeedCursor> {
        self.cursor.as_ref()
    }
}

impl FeedDeliveries {
    /// An attempt to deliver a part of the feed took so long, and came to this. What was left was not attempted: it takes no time. Of a feed without
    /// a name only the time is counted.
    pub fn count(&self, outcome: DeliveryOutcome, took: Duration) {
        if outcome != DeliveryOutcome::Left {
            self.shared.feeds.took(took);
        }
        if let Some(counts) = &self.counts {
            counts.deliver(outcome);
        }
    }
}

impl PartialEq for FeedPage {
    fn eq(&self, other: &Self) -> bool {
        let told = |page: &Self| (page.gap, page.behind, page.restored);
        told(self) == told(other) && self.events == other.events && self.cursor == other.cursor
    }
}

impl Eq for FeedPage {}

fn page(slice: FeedSlice, number: u64) -> FeedPage {
    let FeedSlice { gap, mut batches, next, behind, restored } = slice;
    mask(&mut batches);
    let mut events = Vec::new();
    for FeedBatch { room, epoch, change } in batches {
        // The end of an incarnation has been told by its last record.
        let FeedChange::Appended(records) = change else { continue };
        for record in records {
            let mut json = Vec::new();
            let Some(kind) = encode_for_feed(&room, epoch, &record, &mut json) else { continue };
            let json = String::from_utf8(json).expect("frames are JSON");
            let (room, offset) = (room.clone(), record.offset);
            events.push(FeedEvent { room, epoch, offset, seq: record.seq, at: record.at, kind, json });
        }
    }
    FeedPage { gap, events, cursor: next, behind, restored, number }
}

/// What is changed further on in a page is told as it is after that, whether or not the log has been amended for it.
fn mask(batches: &mut [FeedBatch]) {
    let mut changes: Vec<(RoomCode, Epoch, Change)> = Vec::new();
    for FeedBatch { room, epoch, change } in batches.iter_mut().rev() {
        let FeedChange::Appended(records) = change else { continue };
        for record in records.iter_mut().rev() {
            let of_room = changes.iter().rev().filter(|(other, of, _)| other == room && of == epoch);
            of_room.for_each(|(.., change)| change.apply(record));
            if let Some(change) = Change::of(record) {
                changes.push((room.clone(), *epoch, change));
            }
        }
    }
}
