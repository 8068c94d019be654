//! A client as a program holds it: connects, and stays connected; makes rooms and joins them.

use std::fmt;
use std::sync::Arc;

use chat_core::wire::{ServerFrame, WelcomeLimits};
use chat_core::{Command, Extent, RoomCode};
use tokio::sync::{oneshot, watch};

use crate::driver::{Shared, run};
use crate::entrance::Entrance;
use crate::error::{Error, NORMAL};
use crate::handle::Handle;
use crate::options::Options;
use crate::requests::Purpose;
use crate::room::Room;
use crate::session::{Session, Status};
use crate::socket::Server;

/// One session with a server. Cheap to clone: all clones, and the rooms, share one; when the last of them is dropped the connection ends, and
/// members see one go after the grace.
#[derive(Clone)]
pub struct Client(Arc<Handle>);

impl Client {
    /// Connects to the server at `http://`, `https://`, `ws://` or `wss://`, and stays connected: it comes back by itself, with full jitter or when
    /// the server says, until it is closed or the server says not to come back (close codes of 4500 and above).
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::Header`] and [`Error::Roots`]. That nobody answers is no error: see [`statuses`](Self::statuses).
    ///
    /// # Panics
    /// Outside of a tokio runtime: the connection is a task of its own.
    pub fn connect(url: &str, options: Options) -> Result<Self, Error> {
        let Options { bounds, credentials, session, roots_file, headers } = options;
        let server = Server::new(url, roots_file.as_deref(), &headers)?;
        let started = tokio::time::Instant::now().into_std();
        let shared = Arc::new(Shared::new(Session::new(bounds, session, rand::random::<f64>, started)));
        tokio::spawn(run(Arc::clone(&shared), server, credentials));
        Ok(Self(Handle::new(shared)))
    }

    /// Joins a room; resolves once one is in, and waits for a connection where there is none. A room one is in already is given as it is.
    ///
    /// # Errors
    /// Refusals of the server that do not pass by themselves; [`Error::Closed`].
    pub async fn join(&self, room: &str, entrance: impl Into<Entrance>) -> Result<Room, Error> {
        self.enter(Some(room.parse()?), entrance.into(), false).await
    }

    /// Makes a room of this name and joins it; without a name the server draws a code.
    ///
    /// # Errors
    /// As those of [`join`](Self::join).
    pub async fn create(&self, room: Option<&str>, entrance: impl Into<Entrance>) -> Result<Room, Error> {
        let code = room.map(str::parse).transpose()?;
        self.enter(code, entrance.into(), true).await
    }

    async fn enter(&self, code: Option<RoomCode>, entrance: Entrance, is_maker: bool) -> Result<Room, Error> {
        let entering = entrance.parse()?;
        // On its way out, it is left first.
        while let Some(left) =
            code.as_ref().and_then(|code| self.0.shared().see(|session| session.wait_until_left(code)))
        {
            left.await.unwrap_or(Ok(()))?;
        }
        let (done, entered) = oneshot::channel();
        let room = self.0.shared().with(|session, now| {
            if let Some(error) = session.end() {
                return Err(error);
            }
            let id = session.enter(code, entering, is_maker, done, now);
            Ok(session.room(id).map(|room| Room::new(&self.0, room)))
        })?;
        entered.await.unwrap_or(Err(Error::Left))?;
        room.ok_or(Error::Left)
    }

    /// The rooms one is in, or is about to be in again.
    pub fn rooms(&self) -> Vec<Room> {
        self.0.shared().see(|session| session.rooms().iter().map(|room| Room::new(&self.0, room)).collect())
    }

    /// Where the client stands with the server.
    pub fn status(&self) -> Status {
        self.statuses().borrow().clone()
    }

    /// The same, to be watched.
    pub fn statuses(&self) -> watch::Receiver<Status> {
        self.0.shared().see(|session| session.statuses())
    }

    /// What resumes the session, for [`Options::with_session`], whenever it is another; nothing before the first. It is as secret as a password, and
    /// each use of it makes those before it worthless: whoever stores it stores the last.
    pub fn session_tokens(&self) -> watch::Receiver<Option<String>> {
        self.0.shared().see(|session| session.tokens())
    }

    /// The bounds of the server, once it has said them.
    pub fn limits(&self) -> Option<WelcomeLimits> {
        self.0.shared().see(|session| session.limits())
    }

    /// Whether the server takes a command of this name.
    pub fn has(&self, feature: &str) -> bool {
        self.0.shared().see(|session| session.has(feature))
    }

    /// Asks something once, as it is, and gives the answer.
    ///
    /// # Errors
    /// The refusal of the server; [`Error::Disconnected`] where there is no connection, or it was lost before the answer; [`Error::Busy`].
    pub async fn command(&self, command: Command) -> Result<ServerFrame, Error> {
        let (done, answer) = oneshot::channel();
        self.0.shared().with(|session, now| session.call(command, None, done, now));
        answer.await.unwrap_or(Err(Error::Disconnected))
    }

    /// Drops the connection, and opens another at once.
    pub fn reconnect(&self) {
        self.0.shared().with(|session, now| session.restart(now));
    }

    /// Ends the connection for good, and keeps the session: members see one go after the grace. Whatever waits ends with [`Error::Closed`], and what
    /// was sent and not answered with [`Error::OutcomeUnknown`].
    pub fn close(&self) {
        self.0.shared().with(|session, now| session.close(NORMAL, "closed", now));
    }

    /// Ends the session for good, as for who logs out; or every session of the person.
    ///
    /// # Errors
    /// Where the server has not said so: then the session is still there.
    pub async fn end(&self, extent: Extent) -> Result<(), Error> {
        let (done, ended) = oneshot::channel();
        self.0.shared().with(|session, now| session.ask(Command::end().with_extent(extent), Purpose::End(done), now));
        ended.await.unwrap_or(Err(Error::Disconnected)).map(drop)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("status", &self.status()).finish_non_exhaustive()
    }
}
