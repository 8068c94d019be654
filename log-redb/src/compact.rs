//! Overwriting free pages, so that what was scrubbed is nowhere in the file, and giving them back to the disk.

use std::io;

use redb::{Database, ReadableDatabase, StorageError, TableDefinition};

use crate::format::{Fault, META, META_REMOVED, META_SCRUBBED};
use crate::store::Store;

/// Zeros, for as long as it takes to overwrite free pages.
const WASH: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("wash");
/// A value that has a page of 4 KiB for itself.
const WASH_BYTES: usize = 3_900;
/// Free bytes below which the file is left as it is.
pub(crate) const FREE_BYTES_MIN: u64 = 16 << 20;

/// Whether more than half of the file is free, and worth the time. Reads every page of the tables: ask only when much was removed.
pub(crate) fn is_worth_it(store: &Store, removed: u64) -> Result<bool, Fault> {
    let bytes = store.bytes().map_err(StorageError::Io)?;
    // Pages are seldom full: a record leaves about twice its bytes.
    if removed <= FREE_BYTES_MIN || removed <= bytes / 4 {
        return Ok(false);
    }
    match &*store.shared() {
        Some(database) => {
            let free = bytes.saturating_sub(allocated(database)?);
            Ok(free > FREE_BYTES_MIN && free > bytes / 2)
        }
        None => Ok(false),
    }
}

/// How much of it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thoroughness {
    /// Scrubbed texts leave the file. Takes as long as overwriting its free pages.
    Wash,
    /// The file gets as small as it can be, too. Takes as long as writing most of it again.
    Squeeze,
}

/// Takes scrubbed texts out of the file and makes it smaller; nobody reads it meanwhile.
///
/// Numbers of what is owed go before the last step: whatever a crash then leaves undone is of no harm.
pub(crate) fn compact(store: &Store, how: Thoroughness) -> Result<(), Fault> {
    match how {
        Thoroughness::Squeeze => squeeze(store)?,
        Thoroughness::Wash => store.trim()?,
    }
    if let Some(database) = &*store.exclusive() {
        if owes_scrubs(database)? {
            wash(database, || store.bytes())?;
        }
        let write = database.begin_write()?;
        {
            let mut meta = write.open_table(META)?;
            meta.remove(META_SCRUBBED)?;
            if how == Thoroughness::Squeeze {
                meta.remove(META_REMOVED)?;
            }
        }
        commit(write)?;
    }
    match how {
        Thoroughness::Squeeze => squeeze(store),
        Thoroughness::Wash => store.trim(),
    }
}

/// Takes every free page once, with zeros, and gives it back: neither a commit nor a compaction clears the pages they free.
fn wash(database: &Database, bytes: impl Fn() -> io::Result<u64>) -> Result<(), Fault> {
    release(database)?;
    let before = bytes().map_err(StorageError::Io)?;
    let write = database.begin_write()?;
    {
        let mut table = write.open_table(WASH)?;
        let zeros = [0; WASH_BYTES];
        // No page is free once the file has to grow.
        for page in 0.. {
            table.insert(page, zeros.as_slice())?;
            if bytes().map_err(StorageError::Io)? > before {
                break;
            }
        }
    }
    commit(write)?;
    let write = database.begin_write()?;
    write.delete_table(WASH)?;
    commit(write)?;
    release(database)
}

/// What a commit no longer needs is free two commits later, as nobody reads meanwhile.
fn release(database: &Database) -> Result<(), Fault> {
    for _ in 0..3 {
        commit(database.begin_write()?)?;
    }
    Ok(())
}

fn squeeze(store: &Store) -> Result<(), Fault> {
    match store.exclusive().as_mut().map(Database::compact) {
        None | Some(Ok(_)) => Ok(()),
        Some(Err(redb::CompactionError::Storage(error))) => Err(error.into()),
        Some(Err(other)) => Err(Fault::Damaged(other.to_string())),
    }
}

/// Bytes of the pages in use.
fn allocated(database: &Database) -> Result<u64, Fault> {
    let write = database.begin_write()?;
    let stats = write.stats()?;
    let bytes = stats.allocated_pages() * stats.page_size() as u64;
    write.abort()?;
    Ok(bytes)
}

fn owes_scrubs(database: &Database) -> Result<bool, Fault> {
    let scrubbed = database.begin_read()?.open_table(META)?.get(META_SCRUBBED)?;
    Ok(scrubbed.is_some_and(|scrubbed| scrubbed.value() > 0))
}

pub(crate) fn commit(write: redb::WriteTransaction) -> Result<(), Fault> {
    Ok(write.commit()?)
}
