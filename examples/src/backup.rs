//! Backups of a folder of rooms: made by the server that has it open, or by this program where none has, and restored.
//!
//! A server that has the file open is the only one that can read it as of one moment. It is asked over a socket beside the file, which only the
//! same user and root may use, and given a file that whoever asks has opened: so it writes nowhere but there, and needs no right to the
//! place where backups are kept.

use std::fmt;
use std::path::Path;

#[cfg(target_os = "linux")]
use log_redb::BackupFolder;
use log_redb::{Backup, BackupError, FILE_NAME, RestoreError};

#[cfg(target_os = "linux")]
pub(crate) use door::BackupDoor;

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum NoBackup {
    /// There is nothing to make one of.
    #[error("Cannot back up: {0} has no {FILE_NAME}")]
    NoLog(String),
    /// The log, or where the backup is to be.
    #[error("Cannot back up: {0}")]
    Backup(#[from] BackupError),
    /// The server that has it open.
    #[error("Cannot back up: the server says: {0}")]
    Server(String),
    /// The server that has it open cannot be asked.
    #[error("Cannot back up: the server cannot be asked: {0}")]
    Unheard(std::io::Error),
    /// What was to be restored.
    #[error("Cannot restore: {0}")]
    Restore(#[from] RestoreError),
}

/// What a backup has, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    rooms: u64,
    records: u64,
    damaged: u64,
}

impl Made {
    /// Whether everything in it can be read.
    pub fn is_whole(&self) -> bool {
        self.damaged == 0
    }

    #[cfg(target_os = "linux")]
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(' ').map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Self { rooms: next()?, records: next()?, damaged: next()? })
    }
}

impl From<Backup> for Made {
    fn from(backup: Backup) -> Self {
        Self { rooms: backup.rooms, records: backup.records, damaged: backup.damaged }
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rooms, {} records", self.rooms, self.records)?;
        match self.damaged {
            0 => Ok(()),
            damaged => write!(f, ", of which {damaged} are damaged"),
        }
    }
}

/// Copies the rooms in `dir` to `to`, a folder that has none, whether or not a server has them open.
///
/// # Errors
/// See [`NoBackup`].
pub fn backup(dir: &Path, to: &Path) -> Result<Made, NoBackup> {
    if !dir.join(FILE_NAME).exists() {
        return Err(NoBackup::NoLog(dir.display().to_string()));
    }
    #[cfg(target_os = "linux")]
    if let Some(server) = door::knock(dir)? {
        let folder = BackupFolder::begin(to)?;
        folder.fits(dir)?;
        let made = door::ask(&server, &folder.file()?)?;
        folder.finish(Some(dir))?;
        return Ok(made);
    }
    Ok(log_redb::backup(dir, to)?.into())
}

/// Makes rooms in `dir`, which has none, of the backup in `from`.
///
/// # Errors
/// See [`NoBackup`].
pub fn restore(from: &Path, dir: &Path) -> Result<(), NoBackup> {
    Ok(log_redb::restore(from, dir)?)
}

#[cfg(target_os = "linux")]
mod door {
    use std::fs::{self, File, Permissions};
    use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read};
    use std::mem::MaybeUninit;
    use std::os::fd::AsFd;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::Duration;

    use log_redb::RedbLog;
    use rustix::net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        recvmsg, sendmsg, sockopt,
    };
    use tokio::io::{AsyncWriteExt, Interest};
    use tokio::net::{UnixListener, UnixStream};
    use tokio::task::JoinHandle;
    use tokio::time::{sleep, timeout};

    use super::{Made, NoBackup};
    use crate::console::tell;

    const SOCKET_NAME: &str = "backup.sock";
    /// How long somebody may take to ask, and to take the answer. The copy itself takes as long as it takes.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// Before the next attempt, where nobody can be let in: for want of file descriptors, say.
    const PAUSE: Duration = Duration::from_secs(1);

    /// Where a server is asked for backups, until it is dropped.
    pub(crate) struct BackupDoor {
        path: PathBuf,
        task: JoinHandle<()>,
    }

    impl BackupDoor {
        /// Listens beside the file. What a server that was killed has left there is taken away: whoever has the log open is the only one.
        pub(crate) fn open(dir: &Path, log: Arc<RedbLog>) -> io::Result<Self> {
            let path = dir.join(SOCKET_NAME);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            Ok(Self { path, task: tokio::spawn(serve(listener, log)) })
        }
    }

    impl Drop for BackupDoor {
        fn drop(&mut self) {
            self.task.abort();
            let _ = fs::remove_file(&self.path);
        }
    }

    /// One backup after the other: two at once would only be slower.
    async fn serve(listener: UnixListener, log: Arc<RedbLog>) {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            let answer = match timeout(PATIENCE, asked(&stream)).await {
                Err(_) => "error nothing was asked for".to_owned(),
                Ok(Err(error)) => format!("error {error}"),
                Ok(Ok(file)) => match log.backup_into(file).await.map(Made::from) {
                    Err(error) => format!("error {error}"),
                    Ok(made) => {
                        tell(format_args!("A backup was made: {made}."));
                        format!("ok {} {} {}", made.rooms, made.records, made.damaged)
                    }
                },
            };
            // Who has gone away meanwhile has a copy without a name.
            let _ = timeout(PATIENCE, stream.write_all(answer.as_bytes())).await;
        }
    }

    /// The file that somebody wants a backup in, if they may have one.
    async fn asked(stream: &UnixStream) -> io::Result<File> {
        // Before who asks is looked at, so that they hear the answer.
        let file = stream.async_io(Interest::READABLE, || receive(stream.as_fd())).await?;
        let (peer, me) = (sockopt::socket_peercred(stream)?.uid, rustix::process::geteuid());
        if peer != me && !peer.is_root() {
            return Err(io::Error::new(ErrorKind::PermissionDenied, "only the server's own user and root may ask"));
        }
        let metadata = file.metadata()?;
        match metadata.is_file() && metadata.len() == 0 {
            true => Ok(file),
            false => Err(io::Error::new(ErrorKind::InvalidInput, "a backup is made in an empty file")),
        }
    }

    fn receive(socket: impl AsFd) -> io::Result<File> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut rights = RecvAncillaryBuffer::new(&mut space);
        recvmsg(socket, &mut [IoSliceMut::new(&mut [0])], &mut rights, RecvFlags::CMSG_CLOEXEC)?;
        let file = rights.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut files) => files.next(),
            _ => None,
        });
        file.map(File::from).ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "no file came with it"))
    }

    /// The server that has the rooms in this folder open, if one has.
    pub(super) fn knock(dir: &Path) -> Result<Option<net::UnixStream>, NoBackup> {
        match net::UnixStream::connect(dir.join(SOCKET_NAME)) {
            Ok(server) => Ok(Some(server)),
            // A path that is too long for a socket has none: no server could have made it, either.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::InvalidInput
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(NoBackup::Unheard(error)),
        }
    }

    /// Has the server make a backup in this file.
    pub(super) fn ask(mut server: &net::UnixStream, file: &File) -> Result<Made, NoBackup> {
        let files = [file.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        rights.push(SendAncillaryMessage::ScmRights(&files));
        let sent = sendmsg(server, &[IoSlice::new(b"b")], &mut rights, SendFlags::empty());
        sent.map_err(|error| NoBackup::Unheard(error.into()))?;
        let mut answer = String::new();
        server.read_to_string(&mut answer).map_err(NoBackup::Unheard)?;
        match answer.split_once(' ') {
            Some(("ok", numbers)) => Made::parse(numbers).ok_or(NoBackup::Server(answer)),
            Some(("error", what)) => Err(NoBackup::Server(what.to_owned())),
            _ => Err(NoBackup::Server("nothing: it has ended".to_owned())),
        }
    }
}
