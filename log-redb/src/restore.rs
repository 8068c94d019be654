//! A backup becomes a log again: copied, looked at from end to end, and given its name only then.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use chat_core::Wall;

use crate::backup::{BackupError, copy_secret, create_anew, io, secret_to_copy};
use crate::feed_rows::drawn;
use crate::format::{Fault, META, META_RESTORED};
use crate::options::{Options, Verify};
use crate::store::{FILE_NAME, LOCK_NAME, OpenError, Store, make_private, private, sync_folder};

/// A backup that was not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is no backup.
    #[error("{name} is no backup: it has no {FILE_NAME}")]
    NoBackup {
        /// The folder.
        name: String,
    },
    /// The folder has a log or a secret already: nothing is overwritten.
    #[error("{name} is there already; move it away first")]
    Exists {
        /// The file.
        name: String,
    },
    /// Somebody uses the folder.
    #[error("{name} is in use")]
    InUse {
        /// The folder.
        name: String,
    },
    /// What the backup holds cannot be right, or is a later program's.
    #[error("the backup cannot be used: {0}")]
    Unusable(#[from] OpenError),
    /// Something cannot be read or written.
    #[error(transparent)]
    Io(#[from] BackupError),
}

/// Makes a log in `dir` of the backup in the folder `from`. Blocks, for as long as it takes to read all of it twice.
///
/// The folder is made where there is none. The backup stays as it is; where something is wrong with it there is no log in `dir` afterwards.
///
/// # Errors
/// See [`RestoreError`].
pub fn restore(from: impl AsRef<Path>, dir: impl AsRef<Path>) -> Result<(), RestoreError> {
    let (from, dir) = (from.as_ref(), dir.as_ref());
    let backup = from.join(FILE_NAME);
    if !backup.is_file() {
        return Err(RestoreError::NoBackup { name: from.display().to_string() });
    }
    make_private(dir).map_err(io(dir))?;
    let lock_path = dir.join(LOCK_NAME);
    let lock = private().write(true).create(true).truncate(false).open(&lock_path).map_err(io(&lock_path))?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => RestoreError::InUse { name: dir.display().to_string() },
        TryLockError::Error(source) => io(&lock_path)(source).into(),
    })?;
    let path = dir.join(FILE_NAME);
    if fs::symlink_metadata(&path).is_ok() {
        return Err(RestoreError::Exists { name: path.display().to_string() });
    }
    let exists = |error| match error {
        BackupError::Exists { name } => RestoreError::Exists { name },
        error => error.into(),
    };
    // Before what takes long.
    secret_to_copy(from, dir).map_err(exists)?;
    let new = dir.join(format!("{FILE_NAME}.new"));
    let made = copy_and_verify(&backup, &new).and_then(|()| {
        copy_secret(from, dir).map_err(exists)?;
        fs::rename(&new, &path).map_err(io(&path))?;
        Ok(sync_folder(dir).map_err(io(dir))?)
    });
    if made.is_err() {
        // What cannot be used is not left to be taken for something.
        let _ = fs::remove_file(&new);
    }
    made
}

fn copy_and_verify(backup: &Path, new: &Path) -> Result<(), RestoreError> {
    let mut from = File::open(backup).map_err(io(backup))?;
    let mut into = create_anew(new)?;
    io::copy(&mut from, &mut into).and_then(|_| into.sync_all()).map_err(io(new))?;
    drop(into);
    let options = Options { verify: Verify::Always, ..Options::default() };
    let store = Store::open_file(new, &options, Wall(0))?;
    let noted = note_restored(&store).map_err(|fault| BackupError::Copy(fault.to_string()));
    store.end().map_err(|what| OpenError::Damaged { name: backup.display().to_string(), what })?;
    Ok(noted?)
}

/// Draws another number: what comes after the backup is told under places that may have been told before, of something else.
fn note_restored(store: &Store) -> Result<(), Fault> {
    let shared = store.shared();
    let write = shared.as_ref().ok_or_else(|| Fault::Damaged("it is closed".into()))?.begin_write()?;
    write.open_table(META)?.insert(META_RESTORED, drawn()?.max(1))?;
    Ok(write.commit()?)
}
