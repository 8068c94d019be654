//! The tables of the file inside one write transaction, and what it does to the numbers about the file.

use chat_core::{Ended, Erasure, Identity};
use redb::{ReadableTable, Table, WriteTransaction};

use crate::feed_rows::{
    FEED, FEED_GRAVES, FEED_HELD, FEED_NAMES, META_FEED, META_FEED_BYTES, META_FEED_FLOOR, META_FEED_SUM, Mark,
};
use crate::format::{
    self, ABOUTS, ENDED, ERASURES, FIRST_FORMAT, Fault, META, META_CLOCK, META_FORMAT, META_REMOVED, META_SCRUBBED,
    READ_POSITIONS, RECORDS, SNAPSHOTS, TAILS, TOMBSTONES, TailRow, WITH_FEED,
};

/// The tables of a write transaction, and what it does to the numbers about the file.
pub(crate) struct Tables<'t> {
    pub(crate) tails: Table<'t, &'static str, &'static [u8]>,
    pub(crate) records: Table<'t, &'static [u8], &'static [u8]>,
    pub(crate) snapshots: Table<'t, &'static str, &'static [u8]>,
    pub(crate) read_positions: Table<'t, &'static str, &'static [u8]>,
    pub(crate) abouts: Table<'t, &'static str, &'static [u8]>,
    pub(crate) tombstones: Table<'t, &'static [u8], ()>,
    pub(crate) ended: Table<'t, &'static [u8], &'static [u8]>,
    pub(crate) erasures: Table<'t, &'static str, &'static [u8]>,
    /// The feed, where there is one.
    pub(crate) feed: Option<FeedTables<'t>>,
    meta: Table<'t, &'static str, u64>,
    /// Bytes that this transaction removes.
    pub(crate) removed: u64,
    /// Records that it takes away, or the text of.
    pub(crate) scrubbed: u64,
}

impl<'t> Tables<'t> {
    pub(crate) fn open(write: &'t WriteTransaction) -> Result<Self, Fault> {
        let meta = write.open_table(META)?;
        let has_feed = meta.get(META_FEED)?.is_some();
        Ok(Self {
            tails: write.open_table(TAILS)?,
            records: write.open_table(RECORDS)?,
            snapshots: write.open_table(SNAPSHOTS)?,
            read_positions: write.open_table(READ_POSITIONS)?,
            abouts: write.open_table(ABOUTS)?,
            tombstones: write.open_table(TOMBSTONES)?,
            ended: write.open_table(ENDED)?,
            erasures: write.open_table(ERASURES)?,
            feed: if has_feed { Some(FeedTables::open(write, &meta)?) } else { None },
            meta,
            removed: 0,
            scrubbed: 0,
        })
    }

    /// Adds to the numbers about the file; the last thing before a commit. Returns them as they are now.
    pub(crate) fn settle(mut self) -> Result<CleanupDebt, Fault> {
        let mut owed = CleanupDebt::default();
        if let Some(feed) = &self.feed {
            owed.fed = feed.last;
            if feed.is_changed {
                self.meta.insert(META_FEED_FLOOR, feed.floor.number)?;
                self.meta.insert(META_FEED_SUM, u64::from(feed.floor.sum))?;
                self.meta.insert(META_FEED_BYTES, feed.bytes)?;
            }
        }
        for (name, added, total) in
            [(META_REMOVED, self.removed, &mut owed.removed), (META_SCRUBBED, self.scrubbed, &mut owed.scrubbed)]
        {
            *total = self.meta.get(name)?.map_or(0, |value| value.value());
            if added > 0 {
                *total += added;
                self.meta.insert(name, *total)?;
            }
        }
        Ok(owed)
    }

    /// Writes down which version a program has to know to read the file, where it is the first record of that version.
    pub(crate) fn need_format(&mut self, version: u64) -> Result<(), Fault> {
        if version > FIRST_FORMAT {
            let format = self.meta.get(META_FORMAT)?.map_or(0, |format| format.value());
            if format % WITH_FEED < version {
                self.meta.insert(META_FORMAT, format - format % WITH_FEED + version)?;
            }
        }
        Ok(())
    }

    /// Writes down what is believed to be the time.
    pub(crate) fn put_clock(&mut self, now: u64) -> Result<(), Fault> {
        self.meta.insert(META_CLOCK, now)?;
        Ok(())
    }

    /// Remembers that sessions were ended, and forgets what is over, unless it is remembered for longer by now.
    pub(crate) fn put_ended(&mut self, ended: &Ended, over: &[Ended]) -> Result<(), Fault> {
        for over in over {
            let key = format::ended_key(&over.who);
            let known = self.ended.get(key.as_slice())?.map(|row| format::ended(&key, row.value())).transpose()?;
            if known.is_some_and(|known| known.until <= over.until) {
                self.ended.remove(key.as_slice())?;
            }
        }
        let key = format::ended_key(&ended.who);
        self.ended.insert(key.as_slice(), format::ended_row(&key, ended).as_slice())?;
        Ok(())
    }

    /// Keeps how far an erasure has come; `false` where another one is kept, or it was asked for more often than this.
    pub(crate) fn put_erasure(&mut self, erasure: &Erasure, asked: Option<u32>) -> Result<bool, Fault> {
        if !erasure.may_follow(self.erasure(&erasure.identity)?.as_ref(), asked) {
            return Ok(false);
        }
        self.erasures.insert(erasure.identity.as_str(), format::erasure_row(erasure).as_slice())?;
        Ok(true)
    }

    /// Forgets one that is done: the identity goes out of the file as a text does that was taken away. `false` where another one is kept.
    pub(crate) fn drop_erasure(&mut self, erasure: &Erasure) -> Result<bool, Fault> {
        let Some(kept) = self.erasure(&erasure.identity)? else { return Ok(true) };
        if !erasure.may_follow(Some(&kept), Some(erasure.asked)) {
            return Ok(false);
        }
        self.erasures.remove(erasure.identity.as_str())?;
        self.scrubbed += 1;
        Ok(true)
    }

    fn erasure(&self, identity: &Identity) -> Result<Option<Erasure>, Fault> {
        let row = self.erasures.get(identity.as_str())?;
        row.map(|row| format::erasure(identity.as_str(), row.value())).transpose()
    }

    pub(crate) fn put_tail(&mut self, room: &str, row: &TailRow) -> Result<(), Fault> {
        self.tails.insert(room, row.encode(room).as_slice())?;
        Ok(())
    }
}

/// Bytes and texts that have gone from the tables since the last compaction, and may still lie in free pages of the file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CleanupDebt {
    pub(crate) removed: u64,
    pub(crate) scrubbed: u64,
    /// The last batch of the feed; 0 without one.
    pub(crate) fed: u64,
}

/// The tables of the feed inside one write transaction, and its numbers.
pub(crate) struct FeedTables<'t> {
    pub(crate) rows: Table<'t, u64, &'static [u8]>,
    pub(crate) names: Table<'t, &'static str, &'static [u8]>,
    pub(crate) held: Table<'t, &'static [u8], &'static [u8]>,
    pub(crate) graves: Table<'t, &'static [u8], ()>,
    /// The last batch that was let go of.
    pub(crate) floor: Mark,
    /// The last batch.
    pub(crate) last: u64,
    /// Bytes of the records that are held back.
    pub(crate) bytes: u64,
    /// Whether one of the numbers has changed.
    pub(crate) is_changed: bool,
}

impl<'t> FeedTables<'t> {
    fn open(write: &'t WriteTransaction, meta: &Table<'t, &'static str, u64>) -> Result<Self, Fault> {
        let number = |name| meta.get(name).map(|value| value.map_or(0, |value| value.value()));
        let rows = write.open_table(FEED)?;
        let floor = Mark { number: number(META_FEED_FLOOR)?, sum: number(META_FEED_SUM)? as u32 };
        let last = rows.last()?.map_or(floor.number, |(last, _)| last.value());
        Ok(Self {
            names: write.open_table(FEED_NAMES)?,
            held: write.open_table(FEED_HELD)?,
            graves: write.open_table(FEED_GRAVES)?,
            floor,
            last,
            bytes: number(META_FEED_BYTES)?,
            is_changed: false,
            rows,
        })
    }
}
