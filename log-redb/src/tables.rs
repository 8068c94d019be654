//! The tables of the file inside one write transaction, and what it does to the numbers about the file.

use chat_core::Ended;
use redb::{ReadableTable, Table, WriteTransaction};

use crate::format::{
    self, ENDED, FIRST_FORMAT, Fault, META, META_CLOCK, META_FORMAT, META_REMOVED, META_SCRUBBED, READ_POSITIONS,
    RECORDS, SNAPSHOTS, TAILS, TOMBSTONES, TailRow,
};

/// The tables of a write transaction, and what it does to the numbers about the file.
pub(crate) struct Tables<'t> {
    pub(crate) tails: Table<'t, &'static str, &'static [u8]>,
    pub(crate) records: Table<'t, &'static [u8], &'static [u8]>,
    pub(crate) snapshots: Table<'t, &'static str, &'static [u8]>,
    pub(crate) read_positions: Table<'t, &'static str, &'static [u8]>,
    pub(crate) tombstones: Table<'t, &'static [u8], ()>,
    pub(crate) ended: Table<'t, &'static [u8], &'static [u8]>,
    meta: Table<'t, &'static str, u64>,
    /// Bytes that this transaction removes.
    pub(crate) removed: u64,
    /// Records that it takes away, or the text of.
    pub(crate) scrubbed: u64,
}

impl<'t> Tables<'t> {
    pub(crate) fn open(write: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            tails: write.open_table(TAILS)?,
            records: write.open_table(RECORDS)?,
            snapshots: write.open_table(SNAPSHOTS)?,
            read_positions: write.open_table(READ_POSITIONS)?,
            tombstones: write.open_table(TOMBSTONES)?,
            ended: write.open_table(ENDED)?,
            meta: write.open_table(META)?,
            removed: 0,
            scrubbed: 0,
        })
    }

    /// Adds to the numbers about the file; the last thing before a commit. Returns them as they are now.
    pub(crate) fn settle(mut self) -> Result<CleanupDebt, Fault> {
        let mut owed = CleanupDebt::default();
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
            if format < version {
                self.meta.insert(META_FORMAT, version)?;
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
}
