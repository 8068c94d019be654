//! The task of a client: opens one connection after another, and carries frames between the socket and the session.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use chat_core::AccessToken;
use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::error::{ABNORMAL, Error};
use crate::options::{Credentials, Why};
use crate::session::{Session, Step};
use crate::socket::{Inbound, Lost, Server, Socket};

/// How long the server has to hear of the end of a connection.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// A session that its task and its handles share.
pub(crate) struct Shared {
    session: Mutex<Session>,
    changed: Notify,
}

impl Shared {
    pub(crate) fn new(session: Session) -> Self {
        Self { session: Mutex::new(session), changed: Notify::new() }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the session, now; its task then sees to what came of it.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Session, std::time::Instant) -> R) -> R {
        let done = act(&mut self.session(), now());
        self.changed.notify_one();
        done
    }

    /// Looks at the session.
    pub(crate) fn see<R>(&self, look: impl FnOnce(&mut Session) -> R) -> R {
        look(&mut self.session())
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Runs until the client is closed.
pub(crate) async fn run(shared: Arc<Shared>, server: Server, credentials: Option<Credentials>) {
    // However this ends, nobody waits for it any more.
    let _end = CloseOnDrop(&shared);
    loop {
        match shared.see(|session| session.step(now())) {
            Step::Stop => return,
            Step::Wait(at) => {
                tokio::select! {
                    () = sleep_until(at.into()) => {}
                    () = shared.changed.notified() => {}
                }
            }
            Step::Connect | Step::Run => connection(&shared, &server, credentials.as_ref()).await,
        }
    }
}

struct CloseOnDrop<'a>(&'a Shared);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.with(|session, now| session.close(ABNORMAL, "its task has ended", now));
    }
}

/// One connection, from its beginning to its end.
async fn connection(shared: &Arc<Shared>, server: &Server, credentials: Option<&Credentials>) {
    let (generation, why) = shared.see(|session| session.begin(now()));
    let opened = {
        let opening = open(shared, server, credentials, why);
        tokio::pin!(opening);
        loop {
            let at = deadline(shared);
            tokio::select! {
                opened = &mut opening => break opened,
                () = sleep_until(at) => shared.see(|session| session.tick(now())),
                () = shared.changed.notified() => {}
            }
            if !shared.see(|session| session.is_current(generation)) {
                return;
            }
        }
    };
    let lost = match opened {
        Ok(mut socket) => match carry(shared, &mut socket, generation, credentials).await {
            Some(lost) => lost,
            None => {
                let _ = timeout(CLOSE_WAIT, socket.close()).await;
                return;
            }
        },
        Err(lost) => lost,
    };
    shared.see(|session| {
        if session.is_current(generation) {
            session.lost(lost.code, &lost.reason, now());
        }
    });
}

fn deadline(shared: &Shared) -> Instant {
    let at = shared.see(|session| session.deadline());
    at.map_or_else(|| Instant::now() + Duration::from_secs(3_600), Into::into)
}

/// The socket, upgraded, with the first frame on its way.
async fn open(
    shared: &Arc<Shared>,
    server: &Server,
    credentials: Option<&Credentials>,
    why: Why,
) -> Result<Opened, Lost> {
    let token = match credentials {
        Some(credentials) => {
            shared.see(|session| session.wait_for_credentials(now()));
            let asked = ask(shared, credentials, why)
                .await
                .unwrap_or_else(|error| Err(Error::NoCredentials(error.to_string())));
            let token = asked.map_err(|error| Lost { code: ABNORMAL, reason: error.to_string() })?;
            shared.see(|session| session.advance(now()));
            Some(token)
        }
        None => None,
    };
    let frame_bytes_max = shared.see(|session| session.bounds().frame_bytes_max);
    let socket = server.connect(frame_bytes_max).await?;
    shared.see(|session| session.advance(now()));
    let hello = shared.see(|session| session.hello(token));
    Ok(Opened { socket, hello: Some(hello) })
}

/// What the program gives to be shown, on a task of its own: it may take its time, but not for ever, and may panic.
fn ask(shared: &Shared, credentials: &Credentials, why: Why) -> JoinHandle<Result<AccessToken, Error>> {
    let wait = shared.see(|session| session.bounds().credentials_wait);
    let credentials = Arc::clone(credentials);
    tokio::spawn(async move {
        let refused = |why: &str| Error::NoCredentials(why.to_owned());
        let asked = AssertUnwindSafe(async move { credentials(why).await }).catch_unwind();
        let token = timeout(wait, asked).await.map_err(|_| refused("they take too long"))?;
        let token = token.map_err(|_| refused("what gives them panicked"))?.map_err(Error::NoCredentials)?;
        Ok(AccessToken::parse(&token)?)
    })
}

struct Opened {
    socket: Socket,
    hello: Option<Vec<u8>>,
}

impl Opened {
    async fn close(self) {
        self.socket.close().await;
    }
}

/// Carries frames until the connection is lost; nothing where another one counts by now.
async fn carry(
    shared: &Arc<Shared>,
    opened: &mut Opened,
    generation: u64,
    credentials: Option<&Credentials>,
) -> Option<Lost> {
    let mut renewal: Option<JoinHandle<Result<AccessToken, Error>>> = None;
    loop {
        if !shared.see(|session| session.is_current(generation)) {
            return None;
        }
        if shared.see(Session::take_renewal) {
            renewal = credentials.map(|credentials| ask(shared, credentials, Why::Expiring));
        }
        let at = deadline(shared);
        let Opened { socket, hello } = &mut *opened;
        let next = || {
            let hello = hello.take().map(crate::session::Outbound::Text);
            hello.or_else(|| shared.see(|session| session.take_outbound(now())))
        };
        let mut next = next;
        tokio::select! {
            inbound = poll_fn(|cx| socket.poll(cx, &mut next)) => match inbound {
                Ok(Inbound::Text(text)) => shared.see(|session| session.receive(&text.into_data(), now())),
                Ok(Inbound::Sign) => shared.see(|session| session.heard(now())),
                Err(lost) => return Some(lost),
            },
            () = sleep_until(at) => shared.see(|session| session.tick(now())),
            () = shared.changed.notified() => {}
            token = poll_fn(|cx| match &mut renewal {
                Some(asked) => asked.poll_unpin(cx),
                None => Poll::Pending,
            }) => {
                renewal = None;
                if let Ok(Ok(token)) = token {
                    shared.see(|session| session.renew(token, now()));
                }
            }
        }
    }
}
