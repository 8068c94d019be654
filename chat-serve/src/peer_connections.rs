//! Connections to other servers that requests are passed on over: each used by one request at a time, and kept for the next.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::elsewhere::Elsewhere;
use super::patience::{Patience, within};
use super::server_name::ServerName;

/// How long a connection is kept without being used. 30 s: a quarter of what its other end waits for another request, so that it is not
/// closed there just as one is sent.
const KEPT: Duration = Duration::from_secs(30);
/// Connections to one server that are kept. 64: as many requests as come within the time of a few answers; the rest of a crowd is closed.
const KEPT_MAX: usize = 64;

/// Why a request was not answered by the server that it is for. A client tries again, with the same key, and begins no other stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPassedOn {
    /// No server of that name is known, or it could not be reached: nothing was done.
    #[error("the server of this session cannot be reached")]
    Unreachable,
    /// As much as may be is being passed on already: nothing was done.
    #[error("too much is being passed on to other servers")]
    Crowded,
    /// It was sent, and no answer came: whether it was carried out, the key of what it asks finds out.
    #[error("the server of this session did not answer; what was asked may have been carried out")]
    Unanswered,
}

impl NotPassedOn {
    /// When to try again. 1 s: a server that does not answer is found out within a few.
    pub const RETRY_AFTER: Duration = Duration::from_secs(1);
}

/// Connections to all servers.
pub(crate) struct PeerConnections {
    elsewhere: Arc<dyn Elsewhere>,
    connect_timeout: Duration,
    answer_timeout: Duration,
    kept: Mutex<HashMap<ServerName, Vec<Kept>>>,
}

/// A connection whose last request was answered. It may be used again once all of that answer has come.
struct Kept {
    sender: SendRequest<Body>,
    since: Instant,
}

impl Kept {
    fn is_of_use(&self) -> bool {
        !self.sender.is_closed() && self.since.elapsed() < KEPT
    }
}

impl PeerConnections {
    pub(crate) fn new(elsewhere: Arc<dyn Elsewhere>, connect_timeout: Duration, answer_timeout: Duration) -> Self {
        Self { elsewhere, connect_timeout, answer_timeout, kept: Mutex::default() }
    }

    /// Sends a request to a server, and waits for the head of the answer. It is sent again where it is known not to have gone out: the
    /// connection was closed at its other end while it was kept.
    pub(crate) async fn ask(
        &self,
        name: &ServerName,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, NotPassedOn> {
        loop {
            let (mut sender, is_new) = match self.take(name) {
                Some(sender) => (sender, false),
                None => (self.dial(name).await?, true),
            };
            match within(self.answer_timeout, sender.try_send_request(request)).await {
                Some(Ok(answer)) => {
                    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                        self.keep(name, sender);
                    }
                    return Ok(answer);
                }
                Some(Err(mut error)) => match error.take_message() {
                    Some(unsent) if !is_new => request = unsent,
                    Some(_) => return Err(NotPassedOn::Unreachable),
                    None => return Err(NotPassedOn::Unanswered),
                },
                None => return Err(NotPassedOn::Unanswered),
            }
        }
    }

    async fn dial(&self, name: &ServerName) -> Result<SendRequest<Body>, NotPassedOn> {
        let dialled = within(self.connect_timeout, self.elsewhere.connect(name)).await;
        let Some(Ok(stream)) = dialled else { return Err(NotPassedOn::Unreachable) };
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|_| NotPassedOn::Unreachable)?;
        // It ends with the sender, once the answer under way has come or nobody waits for it.
        tokio::spawn(async move {
            let _ = connection.with_upgrades().await;
        });
        Ok(sender)
    }

    fn take(&self, name: &ServerName) -> Option<SendRequest<Body>> {
        let mut kept = self.lock();
        let connections = kept.get_mut(name)?;
        let at = connections.iter().rposition(|kept| kept.is_of_use() && kept.sender.is_ready())?;
        Some(connections.swap_remove(at).sender)
    }

    fn keep(&self, name: &ServerName, sender: SendRequest<Body>) {
        let mut kept = self.lock();
        kept.retain(|_, connections| {
            connections.retain(Kept::is_of_use);
            !connections.is_empty()
        });
        let connections = kept.entry(name.clone()).or_default();
        if connections.len() < KEPT_MAX {
            connections.push(Kept { sender, since: Instant::now() });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerName, Vec<Kept>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of an answer from another server. It has its place among all that is passed on, and fails where it does not go on.
pub(crate) struct PeerBody {
    body: Incoming,
    stall_timeout: Duration,
    stall: Option<Patience>,
    _place: OwnedSemaphorePermit,
}

impl PeerBody {
    pub(crate) fn new(body: Incoming, stall_timeout: Duration, place: OwnedSemaphorePermit) -> Self {
        Self { body, stall_timeout, stall: None, _place: place }
    }
}

impl HttpBody for PeerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.stall = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let stall_timeout = self.stall_timeout;
        let stall = self.stall.get_or_insert_with(|| Patience::new(stall_timeout));
        stall.poll(cx).map(|()| Some(Err(NotPassedOn::Unanswered.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
