//! A copy of a log that is in use: every table as of one moment, in a file of its own.
//!
//! It is made row by row from a snapshot, not page by page: while the log is written its file is at no moment whole for whoever only reads
//! its bytes. What was taken away is not in the copy, nor in free pages of it, as it has none.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError, TableHandle,
    Value, WriteTransaction,
};

use crate::copies::Copying;
use crate::feed_rows::{FEED, FEED_GRAVES, FEED_HELD, FEED_NAMES};
use crate::format::{
    self, ABOUTS, ENDED, ERASURES, Fault, META, META_REMOVED, META_SCRUBBED, READ_POSITIONS, RECORDS, SNAPSHOTS, TAILS,
    TOMBSTONES,
};
use crate::options::Options;
use crate::secret;
use crate::slack::Cleared;
use crate::store::{FILE_NAME, LOCK_NAME, OpenError, Store, make_private, private, sync_folder};

/// Memory for pages of the copy.
const CACHE_BYTES: usize = 32 << 20;
/// Rows between two looks at whether the log is being closed.
const LOOK_EVERY: u64 = 256;
/// Tables that are there for a while only, and hold nothing.
const PASSING: [&str; 1] = ["wash"];

/// What a backup has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// Rooms.
    pub rooms: u64,
    /// Records of all of them.
    pub records: u64,
    /// Records that do not match their checksum, copied as they are: a read of them says so.
    pub damaged: u64,
}

/// A backup that was not made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is something already that it would take the place of.
    #[error("{name} is there already")]
    Exists {
        /// The file.
        name: String,
    },
    /// The log is being closed, or opened again after an error of the disk.
    #[error("the log is closed, or being opened again")]
    Closed,
    /// The log cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log cannot be read, or has what this program does not know how to copy.
    #[error("the log cannot be copied: {0}")]
    Log(String),
    /// The copy cannot be written: the disk is full, say.
    #[error("the copy cannot be written: {0}")]
    Copy(String),
    /// The folder or a file in it cannot be written.
    #[error("{name} cannot be written: {source}")]
    Io {
        /// The file or folder.
        name: String,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// A folder that a backup is being made in. Until it is [finished](Self::finish) it has no log, and another attempt may take it.
#[derive(Debug)]
pub struct BackupFolder {
    dir: PathBuf,
    /// What keeps other attempts out, until this one is over.
    _lock: File,
}

impl BackupFolder {
    /// Makes the folder, where there is none, for its owner alone.
    ///
    /// # Errors
    /// [`BackupError::Exists`] where it has a log already, or another attempt is under way; [`BackupError::Io`].
    pub fn begin(dir: impl AsRef<Path>) -> Result<Self, BackupError> {
        let dir = dir.as_ref();
        make_private(dir).map_err(io(dir))?;
        let lock_path = dir.join(LOCK_NAME);
        let lock = private().write(true).create(true).truncate(false).open(&lock_path).map_err(io(&lock_path))?;
        lock.try_lock().map_err(|_| BackupError::Exists { name: lock_path.display().to_string() })?;
        let path = dir.join(FILE_NAME);
        if fs::symlink_metadata(&path).is_ok() {
            return Err(BackupError::Exists { name: path.display().to_string() });
        }
        Ok(Self { dir: dir.to_owned(), _lock: lock })
    }

    /// Holds that the secret of a log can be put beside the copy: to be asked before the log is copied, which may take long. One that
    /// may not be read here is left to whoever makes the copy, which may refuse that with better words.
    ///
    /// # Errors
    /// [`BackupError::Exists`] where there is another secret; [`BackupError::Io`].
    pub fn fits(&self, log: &Path) -> Result<(), BackupError> {
        match secret_to_copy(log, &self.dir) {
            Err(BackupError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            looked => looked.map(drop),
        }
    }

    fn new_file(&self) -> PathBuf {
        self.dir.join(format!("{FILE_NAME}.new"))
    }

    /// An empty file for the copy; what another attempt has left is thrown away.
    ///
    /// # Errors
    /// [`BackupError::Io`].
    pub fn file(&self) -> Result<File, BackupError> {
        create_anew(&self.new_file())
    }

    /// Puts the secret that is in the folder `log` beside the copy, where there is one, and gives the copy its name: from now on it is a log.
    ///
    /// # Errors
    /// [`BackupError::Exists`] where there is another secret; [`BackupError::Io`].
    pub fn finish(self, log: Option<&Path>) -> Result<(), BackupError> {
        if let Some(log) = log {
            copy_secret(log, &self.dir)?;
        }
        let (new, path) = (self.new_file(), self.dir.join(FILE_NAME));
        File::open(&new).and_then(|file| file.sync_all()).map_err(io(&new))?;
        fs::rename(&new, &path).map_err(io(&path))?;
        sync_folder(&self.dir).map_err(io(&self.dir))
    }
}

/// Makes an empty file that is its owner's alone. What is there is taken away and not written to: it may be another's, or lead elsewhere.
pub(crate) fn create_anew(path: &Path) -> Result<File, BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io(path)(error)),
        _ => private().read(true).write(true).create_new(true).open(path).map_err(io(path)),
    }
}

/// Copies the secret of a log into another folder, where there is one. An attempt that was cut short may have left it there; what is another
/// one is not overwritten.
pub(crate) fn copy_secret(from: &Path, to: &Path) -> Result<(), BackupError> {
    secret_to_copy(from, to)?.map_or(Ok(()), |bytes| write_private(&to.join(secret::NAME), &bytes))
}

/// What is still to be written of the secret of a log into another folder.
pub(crate) fn secret_to_copy(from: &Path, to: &Path) -> Result<Option<Vec<u8>>, BackupError> {
    let (from, to) = (from.join(secret::NAME), to.join(secret::NAME));
    let bytes = match fs::read(&from) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return refuse_other_secret(&to).map(|()| None),
        Err(error) => return Err(io(&from)(error)),
    };
    match fs::symlink_metadata(&to) {
        Ok(found) if found.is_file() && fs::read(&to).map_err(io(&to))? == bytes => Ok(None),
        Ok(_) => Err(BackupError::Exists { name: to.display().to_string() }),
        Err(_) => Ok(Some(bytes)),
    }
}

/// A log that has no secret yet is not to be given one that is not its own.
fn refuse_other_secret(path: &Path) -> Result<(), BackupError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(BackupError::Exists { name: path.display().to_string() }),
        Err(_) => Ok(()),
    }
}

/// Makes a backup of a log that nobody has open. Blocks, for as long as it takes to read all of it. Nothing of the log is changed; its feed and
/// the cursors of that are in the copy as well.
///
/// # Errors
/// [`BackupError::Open`] where there is none, or somebody has it open, and what [`RedbLog::backup`](crate::RedbLog::backup) returns.
pub fn backup(dir: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Backup, BackupError> {
    let dir = dir.as_ref();
    // Before the log is opened, which may take a while.
    let folder = BackupFolder::begin(to)?;
    folder.fits(dir)?;
    let store = Store::open_unchanged(dir, &Options::default())?;
    let made = {
        let copying = store.copies.begin().ok_or(BackupError::Closed)?;
        let read = store.shared().as_ref().ok_or(BackupError::Closed)?.begin_read().map_err(unread)?;
        copy(&read, folder.file()?, &copying)?
    };
    store.end().map_err(BackupError::Log)?;
    folder.finish(Some(dir))?;
    Ok(made)
}

/// Writes a file that is its owner's alone, and was not there before.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let written = private().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(io(path))
}

pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let name = path.display().to_string();
    move |source| BackupError::Io { name, source }
}

/// Copies what a snapshot of the log has into an empty file, and has the disk confirm it.
pub(crate) fn copy(read: &ReadTransaction, file: File, copying: &Copying<'_>) -> Result<Backup, BackupError> {
    let into = open(file).map_err(unwritten)?;
    let write = into.begin_write().map_err(unwritten)?;
    let mut copier = Copier { read, write: &write, copying, rows: 0 };
    let backup = copier.all()?;
    write.commit().map_err(unwritten)?;
    into.close().map_err(unwritten)?;
    Ok(backup)
}

fn unwritten(error: impl fmt::Display) -> BackupError {
    BackupError::Copy(error.to_string())
}

fn open(file: File) -> Result<Database, redb::DatabaseError> {
    Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(Cleared(FileBackend::new(file)?))
}

/// What stops a read of the log.
fn unread(error: impl Into<Fault>) -> BackupError {
    BackupError::Log(error.into().to_string())
}

struct Copier<'a> {
    read: &'a ReadTransaction,
    write: &'a WriteTransaction,
    copying: &'a Copying<'a>,
    rows: u64,
}

impl Copier<'_> {
    fn all(&mut self) -> Result<Backup, BackupError> {
        self.know_every_table()?;
        let gone = self.deleted()?;
        let mut backup = Backup::default();
        // What it says about free pages is said of the log's own file.
        self.table(META, |name, _| ![META_REMOVED, META_SCRUBBED].contains(&name))?;
        backup.rooms = self.table(TAILS, |_, _| true)?;
        let mut damaged = 0;
        backup.records = self.table(RECORDS, |key: &[u8], row| {
            // The offset stands at the end of a key, and what is before it is the incarnation.
            let is_kept = !gone.contains(&key[..key.len().saturating_sub(size_of::<u64>())]);
            damaged += u64::from(is_kept && !format::is_row(key, row));
            is_kept
        })?;
        backup.damaged = damaged;
        self.table(SNAPSHOTS, |_, _| true)?;
        self.table(READ_POSITIONS, |_, _| true)?;
        self.table(ABOUTS, |_, _| true)?;
        self.table(ENDED, |_, _| true)?;
        self.table(ERASURES, |_, _| true)?;
        if self.has(FEED.name())? {
            // With what is held back for its readers: each goes on where it was, unless it has read more than the copy has.
            self.table(FEED, |_, _| true)?;
            self.table(FEED_NAMES, |_, _| true)?;
            self.table(FEED_HELD, |_, _| true)?;
            self.table(FEED_GRAVES, |_, _| true)?;
        }
        // Those of deleted incarnations were left out, so none is to be taken away any more.
        self.write.open_table(TOMBSTONES).map_err(unwritten)?;
        Ok(backup)
    }

    /// A table that was left out would be lost without a word.
    fn know_every_table(&self) -> Result<(), BackupError> {
        let known = [
            META.name(),
            TAILS.name(),
            RECORDS.name(),
            SNAPSHOTS.name(),
            READ_POSITIONS.name(),
            ABOUTS.name(),
            TOMBSTONES.name(),
            ENDED.name(),
            ERASURES.name(),
            FEED.name(),
            FEED_NAMES.name(),
            FEED_HELD.name(),
            FEED_GRAVES.name(),
        ];
        for table in self.read.list_tables().map_err(unread)? {
            let name = table.name();
            if !known.contains(&name) && !PASSING.contains(&name) {
                let what = format!("there is a table {name:?}, which this program does not know");
                return Err(BackupError::Log(what));
            }
        }
        Ok(())
    }

    fn has(&self, table: &str) -> Result<bool, BackupError> {
        Ok(self.read.list_tables().map_err(unread)?.any(|found| found.name() == table))
    }

    /// Incarnations that are deleted, and whose records are still to go.
    fn deleted(&self) -> Result<BTreeSet<Vec<u8>>, BackupError> {
        let tombstones = self.read.open_table(TOMBSTONES).map_err(unread)?;
        let keys = tombstones.iter().map_err(unread)?.map(|entry| Ok(entry.map_err(unread)?.0.value().to_vec()));
        keys.collect()
    }

    /// Copies the rows that `keep` holds for, and counts them. A file of an earlier program has not every table.
    fn table<K, V>(
        &mut self,
        table: TableDefinition<'_, K, V>,
        mut keep: impl FnMut(K::SelfType<'_>, V::SelfType<'_>) -> bool,
    ) -> Result<u64, BackupError>
    where
        K: Key + 'static,
        V: Value + 'static,
    {
        let mut into = self.write.open_table(table).map_err(unwritten)?;
        let from = match self.read.open_table(table) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(0),
            from => from.map_err(unread)?,
        };
        let mut copied = 0;
        for entry in from.iter().map_err(unread)? {
            let (key, value) = entry.map_err(unread)?;
            self.rows += 1;
            if self.rows.is_multiple_of(LOOK_EVERY) && self.copying.is_over() {
                return Err(BackupError::Closed);
            }
            if keep(key.value(), value.value()) {
                into.insert(key.value(), value.value()).map_err(unwritten)?;
                copied += 1;
            }
        }
        Ok(copied)
    }
}
