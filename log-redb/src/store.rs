//! The file as a whole: opening it, refusing what is not a log of ours, and taking it away while it is not to be trusted.

use std::any::Any;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chat_core::Wall;
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageBackend, StorageError, TableHandle};

use crate::copies::Copies;
use crate::feed_rows;
use crate::format::{FIRST_FORMAT, FORMAT, Fault, META, META_CLOCK, META_FORMAT, WITH_FEED};
use crate::options::{Options, Verify};
use crate::ownership;
use crate::slack::Cleared;
use crate::tables::Tables;

/// The file's name in its folder.
pub const FILE_NAME: &str = "rooms.redb";

/// A log that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another part of this one, has it open.
    #[error("{name} is in use")]
    InUse {
        /// The file.
        name: String,
    },
    /// A later version of this program has written it.
    #[error("{name} is of format version {found}; log-redb {program} reads up to {known}", program = env!("CARGO_PKG_VERSION"))]
    Newer {
        /// The file.
        name: String,
        /// Its version.
        found: u64,
        /// The highest version that can be read.
        known: u64,
    },
    /// It is a redb file, and not a log of rooms.
    #[error("{name} holds no log of rooms")]
    Foreign {
        /// The file.
        name: String,
    },
    /// The folder belongs to another user, or others may write to it: they could put another file in the place of this one.
    #[error("{name} is not safe: {what}")]
    Exposed {
        /// The folder.
        name: String,
        /// What is wrong, and what to do about it.
        what: String,
    },
    /// The file cannot be right.
    #[error("{name} is damaged: {what}")]
    Damaged {
        /// The file.
        name: String,
        /// What is wrong, and where.
        what: String,
    },
    /// It cannot be read or written.
    #[error("{name} cannot be opened: {source}")]
    Io {
        /// The file.
        name: String,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// Where the bytes of a log lie; a file, unless a test or an embedder brings something else.
#[expect(clippy::len_without_is_empty, reason = "a place is not a collection")]
pub trait Place: Send + Sync + 'static {
    /// What redb reads and writes.
    type Storage: StorageBackend;

    /// How it is called in errors.
    fn name(&self) -> String;

    /// Opens it. Called again after an error, once what the call before returned has been dropped.
    ///
    /// # Errors
    /// When it cannot be reached now; it is tried again later.
    fn storage(&self) -> io::Result<Self::Storage>;

    /// Its length in bytes; 0 where there is nothing yet.
    ///
    /// # Errors
    /// When it cannot be reached now.
    fn len(&self) -> io::Result<u64>;

    /// Called before it is opened again after an error: what a cache says may not be what the disk holds.
    fn distrust(&self) {}
}

/// A file on disk.
struct FilePlace(PathBuf);

impl Place for FilePlace {
    type Storage = FileBackend;

    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn storage(&self) -> io::Result<FileBackend> {
        let file = private().read(true).write(true).create(true).truncate(false).open(&self.0)?;
        FileBackend::new(file).map_err(io::Error::other)
    }

    fn len(&self) -> io::Result<u64> {
        match fs::metadata(&self.0) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// After a failed sync Linux keeps the pages it could not write, as if it had written them. Without this they would be
    /// read as the truth, until the machine restarts.
    #[cfg(target_os = "linux")]
    fn distrust(&self) {
        if let Ok(file) = File::open(&self.0) {
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        }
    }
}

/// Files made with this are their owner's alone: people's messages are nobody else's business.
pub(crate) fn private() -> OpenOptions {
    #[allow(unused_mut, reason = "not every system has modes")]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a folder, where there is none, that only its owner can enter.
pub(crate) fn make_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Whether a place without a log gets one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    Begins,
    IsRefused,
}

/// Locked while a log is open in a folder, also where redb has the file itself closed.
pub(crate) const LOCK_NAME: &str = "lock";

/// The open file, or for a while none.
pub(crate) struct Store {
    database: RwLock<Option<Database>>,
    /// What keeps other processes out of the folder, until [`Store::end`].
    lock: Mutex<Option<File>>,
    open: Box<dyn Fn(Empty) -> Result<Database, OpenError> + Send + Sync>,
    /// The last batch of the feed that no crash takes back, as far as the writer knows.
    fed: AtomicU64,
    len: Box<dyn Fn() -> io::Result<u64> + Send + Sync>,
    distrust: Box<dyn Fn() + Send + Sync>,
    /// Transactions committed, and how many of them had the disk flushed.
    pub(crate) commits: AtomicU64,
    pub(crate) syncs: AtomicU64,
    /// Copies of it that are being made.
    pub(crate) copies: Copies,
}

impl Store {
    /// Opens `rooms.redb` in a folder, and makes both where they are missing; a new file says that it was made now.
    pub(crate) fn open_in(dir: &Path, options: &Options, now: Wall) -> Result<Self, OpenError> {
        Self::open_and_lock(dir, options, now, Some(options.feed.is_some()))
    }

    /// Opens `rooms.redb` in a folder, which has to be there, for whoever only reads it. Its feed stays as it is.
    pub(crate) fn open_unchanged(dir: &Path, options: &Options) -> Result<Self, OpenError> {
        let path = dir.join(FILE_NAME);
        fs::metadata(&path).map_err(|source| OpenError::Io { name: path.display().to_string(), source })?;
        Self::open_and_lock(dir, options, Wall(0), None)
    }

    fn open_and_lock(dir: &Path, options: &Options, now: Wall, feed_is_on: Option<bool>) -> Result<Self, OpenError> {
        let path = dir.join(FILE_NAME);
        let io = |source| OpenError::Io { name: path.display().to_string(), source };
        make_private(dir).map_err(io)?;
        let folder = fs::metadata(dir).map_err(io)?;
        ownership::check(&folder, ownership::UNCHANGED_BY_OTHERS)
            .map_err(|what| OpenError::Exposed { name: dir.display().to_string(), what })?;
        let lock = private().write(true).create(true).truncate(false).open(dir.join(LOCK_NAME)).map_err(io)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::InUse { name: dir.display().to_string() },
            TryLockError::Error(source) => io(source),
        })?;
        match fs::metadata(&path) {
            Ok(metadata) if metadata.len() == 0 => {
                return Err(OpenError::Damaged { name: path.display().to_string(), what: "it is empty".into() });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => begin(dir, &path, options, now)?,
            Err(error) => return Err(io(error)),
        }
        let store = Self::open_and_turn(FilePlace(path), options, now, feed_is_on)?;
        *store.hold() = Some(lock);
        Ok(store)
    }

    /// Opens a file alone, which has to be there, for whoever keeps others out of its folder. Its feed stays as it is.
    pub(crate) fn open_file(path: &Path, options: &Options, now: Wall) -> Result<Self, OpenError> {
        match fs::metadata(path).map(|metadata| metadata.len()) {
            Ok(0) => Err(OpenError::Damaged { name: path.display().to_string(), what: "it is empty".into() }),
            Ok(_) => Self::open_and_turn(FilePlace(path.to_owned()), options, now, None),
            Err(source) => Err(OpenError::Io { name: path.display().to_string(), source }),
        }
    }

    /// Opens what lies at a place.
    pub(crate) fn open_on(place: impl Place, options: &Options, now: Wall) -> Result<Self, OpenError> {
        Self::open_and_turn(place, options, now, Some(options.feed.is_some()))
    }

    /// Opens what lies at a place, and turns its feed on or off, or leaves it as it is.
    fn open_and_turn(
        place: impl Place,
        options: &Options,
        now: Wall,
        feed_is_on: Option<bool>,
    ) -> Result<Self, OpenError> {
        let place = std::sync::Arc::new(place);
        let (lengths, caches, options) = (place.clone(), place.clone(), *options);
        let store = Self {
            database: RwLock::new(None),
            lock: Mutex::new(None),
            fed: AtomicU64::new(0),
            open: Box::new(move |empty| open(&*place, &options, empty, now, feed_is_on)),
            len: Box::new(move || lengths.len()),
            distrust: Box::new(move || caches.distrust()),
            commits: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            copies: Copies::default(),
        };
        *store.exclusive() = Some((store.open)(Empty::Begins)?);
        Ok(store)
    }

    /// The lock on the folder, while this process has it.
    fn hold(&self) -> MutexGuard<'_, Option<File>> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file as readers and the writer use it. `None` while it is closed.
    pub(crate) fn shared(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file alone, once everybody who reads has finished.
    pub(crate) fn exclusive(&self) -> RwLockWriteGuard<'_, Option<Database>> {
        self.database.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes it away from readers and the writer, and closes it.
    pub(crate) fn shut(&self) {
        let database = self.exclusive().take();
        database.into_iter().for_each(close);
    }

    /// Opens it again after [`Store::shut`], for the caller alone.
    pub(crate) fn open_again(&self) -> Result<Database, OpenError> {
        (self.distrust)();
        (self.open)(Empty::IsRefused)
    }

    /// Gives readers and the writer what [`Store::open_again`] has opened.
    pub(crate) fn publish(&self, database: Database) {
        *self.exclusive() = Some(database);
    }

    /// Closes it properly, which cuts off the free pages at its end, and opens it again.
    pub(crate) fn trim(&self) -> Result<(), Fault> {
        let mut shared = self.exclusive();
        let Some(database) = shared.take() else { return Ok(()) };
        database.close().map_err(|error| match error {
            DatabaseError::Storage(error) => Fault::Storage(error),
            other => Fault::Damaged(other.to_string()),
        })?;
        *shared = Some((self.open)(Empty::IsRefused).map_err(|error| Fault::Damaged(error.to_string()))?);
        Ok(())
    }

    /// Closes it properly, and lets others into the folder.
    pub(crate) fn end(&self) -> Result<(), String> {
        self.copies.end();
        let database = self.exclusive().take();
        let closed = catch_unwind(AssertUnwindSafe(|| database.map_or(Ok(()), Database::close)));
        drop(self.hold().take());
        match closed {
            Ok(closed) => closed.map_err(|error| error.to_string()),
            Err(panic) => Err(panicked(&*panic)),
        }
    }

    /// The time as last believed; `None` in a file that does not say.
    pub(crate) fn clock(&self) -> Option<u64> {
        let shared = self.shared();
        let meta = shared.as_ref()?.begin_read().ok()?.open_table(META).ok()?;
        meta.get(META_CLOCK).ok()?.map(|clock| clock.value())
    }

    /// The last batch that readers of the feed may see.
    pub(crate) fn fed(&self) -> u64 {
        self.fed.load(Ordering::Acquire)
    }

    /// Lets readers of the feed see what is on disk.
    pub(crate) fn feed_through(&self, batch: u64) {
        self.fed.store(batch, Ordering::Release);
    }

    /// Bytes of the file.
    pub(crate) fn bytes(&self) -> io::Result<u64> {
        (self.len)()
    }
}

/// Closes a file that is not to be trusted. Errors are of no interest: what was committed is there, and what was not is nobody's.
pub(crate) fn close(database: Database) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
}

/// Makes the file under another name first: one under its own name always is a whole log, and never an empty one.
fn begin(dir: &Path, path: &Path, options: &Options, now: Wall) -> Result<(), OpenError> {
    let io = |source| OpenError::Io { name: path.display().to_string(), source };
    let new = dir.join(format!("{FILE_NAME}.new"));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    drop(open(&FilePlace(new.clone()), options, Empty::Begins, now, Some(options.feed.is_some()))?);
    fs::rename(&new, path).map_err(io)?;
    sync_folder(dir).map_err(io)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

fn open(
    place: &impl Place,
    options: &Options,
    empty: Empty,
    now: Wall,
    feed_is_on: Option<bool>,
) -> Result<Database, OpenError> {
    let name = || place.name();
    let io = |source| OpenError::Io { name: name(), source };
    let is_new = place.len().map_err(io)? == 0;
    if is_new && empty == Empty::IsRefused {
        return Err(OpenError::Damaged { name: name(), what: "it has become empty".into() });
    }
    let storage = Cleared(place.storage().map_err(io)?);
    // redb may panic over a file that was changed behind its back.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let database = Builder::new()
            .set_cache_size(options.cache_bytes)
            .set_check_integrity_on_open(options.verify == Verify::Always)
            .create_with_backend(storage)
            .map_err(|error| refused(name(), error))?;
        if is_new {
            initialise(&database, now).map_err(|fault| faulty(name(), fault))?;
        }
        check_format(&database, name)?;
        if let Some(is_on) = feed_is_on {
            feed_rows::turn(&database, is_on).map_err(|fault| faulty(name(), fault))?;
        }
        Ok(database)
    }));
    opened.unwrap_or_else(|panic| Err(OpenError::Damaged { name: name(), what: panicked(&*panic) }))
}

/// What a panic said.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    said.unwrap_or("what it holds makes no sense").to_owned()
}

/// Writes the version and the time, and makes the tables, so that readers find them.
fn initialise(database: &Database, now: Wall) -> Result<(), Fault> {
    let write = database.begin_write()?;
    write.open_table(META)?.insert(META_FORMAT, FIRST_FORMAT)?;
    let mut tables = Tables::open(&write)?;
    tables.put_clock(now.0)?;
    drop(tables);
    Ok(write.commit()?)
}

fn check_format(database: &Database, name: impl Fn() -> String) -> Result<(), OpenError> {
    let found = || -> Result<Option<u64>, Fault> {
        let read = database.begin_read()?;
        if !read.list_tables()?.any(|table| table.name() == META.name()) {
            return Ok(None);
        }
        Ok(read.open_table(META)?.get(META_FORMAT)?.map(|version| version.value()))
    };
    match found().map_err(|fault| faulty(name(), fault))? {
        None => Err(OpenError::Foreign { name: name() }),
        Some(found) if (FIRST_FORMAT..=FORMAT).contains(&(found % WITH_FEED)) && found / WITH_FEED <= 1 => Ok(()),
        Some(found) if found > FORMAT => Err(OpenError::Newer { name: name(), found, known: FORMAT }),
        Some(found) => {
            Err(OpenError::Damaged { name: name(), what: format!("there never was a format version {found}") })
        }
    }
}

fn faulty(name: String, fault: Fault) -> OpenError {
    match fault {
        Fault::Storage(error) => refused(name, DatabaseError::Storage(error)),
        Fault::Damaged(what) => OpenError::Damaged { name, what },
        later @ Fault::Later { .. } => OpenError::Damaged { name, what: later.to_string() },
    }
}

fn refused(name: String, error: DatabaseError) -> OpenError {
    use io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { name },
        DatabaseError::Storage(StorageError::Io(source)) if !matches!(source.kind(), InvalidData | UnexpectedEof) => {
            OpenError::Io { name, source }
        }
        other => OpenError::Damaged { name, what: other.to_string() },
    }
}
