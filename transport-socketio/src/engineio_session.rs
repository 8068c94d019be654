//! One Engine.IO session, whichever connections it has: how much they have taken, and how to end them.
//!
//! socketioxide says neither. It takes packets into a queue and does not tell when they have gone out; and on a connection
//! whose peer has stopped reading, its writer waits for ever, and with it everything that would end the session.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use chat_serve::{Crowded, Place, Places};
use futures_util::task::AtomicWaker;
use socketioxide::service::SocketIoService;
use socketioxide_core::Sid;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tower_service::Service;

use super::link::AttachedSession;

/// WebSockets on one session at once. 4: one, and a few that try to take over; more are a mistake or an attack.
const WEBSOCKETS_MAX: usize = 4;

/// How long a poll waits for something to bring while the client is about to go over to a WebSocket: it stops polling before it does,
/// and so waits for this. 100 ms, as long as the stock server has it wait.
const PROBED_POLL: Duration = Duration::from_millis(100);

/// All Engine.IO sessions that are alive.
pub(crate) struct EngineIoSessions {
    pub(crate) service: SocketIoService<Router>,
    /// The path that the service serves.
    path: String,
    places: Arc<Places>,
    by_sid: Mutex<HashMap<Sid, Weak<EngineIoSession>>>,
}

/// One Engine.IO session. It lives in the extensions of the session's first request, and so exactly as long as the session.
pub(crate) struct EngineIoSession {
    engineio_sessions: Weak<EngineIoSessions>,
    /// Known of sessions that begin with long-polling.
    sid: OnceLock<Sid>,
    end: AtomicU8,
    /// Bytes that its connections have taken, frames and all.
    taken: AtomicU64,
    began: Instant,
    /// Milliseconds after that until the client was last heard, or took something of what it had refused.
    heard_ms: AtomicU64,
    /// Whether the pump waits for more to be taken.
    awaited: AtomicBool,
    pump: AtomicWaker,
    websockets: Mutex<Vec<Arc<WsTasks>>>,
    /// WebSockets that may take over from long-polling.
    probes: AtomicUsize,
    /// Those of them that have been told that they may.
    probed: AtomicUsize,
    /// Polls that wait, for the first of these.
    polls: Notify,
    /// Whether one has.
    is_changed: AtomicBool,
    /// The chat session between being let in and being told so.
    parked: Mutex<Option<AttachedSession>>,
    /// How many chat sessions it has had.
    chat_sessions: AtomicU64,
    _place: Place,
}

/// How far the end of a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// Not at all.
    Open,
    /// Nothing more is read; what is queued may still go out.
    Reading,
    /// Nothing more is read or written.
    All,
}

/// The tasks of one WebSocket of a session.
#[derive(Default)]
pub(crate) struct WsTasks {
    pub(crate) reader: AtomicWaker,
    pub(crate) writer: AtomicWaker,
}

impl EngineIoSessions {
    pub(crate) fn new(service: SocketIoService<Router>, path: String, places: Arc<Places>) -> Self {
        Self { service, path, places, by_sid: Mutex::default() }
    }

    /// A new session, for a client at this address.
    pub(crate) fn open(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Arc<EngineIoSession>, Crowded> {
        let place = self.places.take(address)?;
        Ok(Arc::new(EngineIoSession {
            engineio_sessions: Arc::downgrade(self),
            sid: OnceLock::new(),
            end: AtomicU8::new(End::Open as u8),
            taken: AtomicU64::new(0),
            began: Instant::now(),
            heard_ms: AtomicU64::new(0),
            awaited: AtomicBool::new(false),
            pump: AtomicWaker::new(),
            websockets: Mutex::default(),
            probes: AtomicUsize::new(0),
            probed: AtomicUsize::new(0),
            polls: Notify::new(),
            is_changed: AtomicBool::new(false),
            parked: Mutex::default(),
            chat_sessions: AtomicU64::new(0),
            _place: place,
        }))
    }

    pub(crate) fn name(&self, engineio: &Arc<EngineIoSession>, sid: Sid) {
        if engineio.sid.set(sid).is_ok() {
            self.lock().insert(sid, Arc::downgrade(engineio));
        }
    }

    pub(crate) fn find(&self, sid: Sid) -> Option<Arc<EngineIoSession>> {
        self.lock().get(&sid)?.upgrade()
    }

    /// Ends an Engine.IO session that long-polls, in the one way that is open to everybody: as its client would.
    fn hang_up(&self, sid: Sid) {
        // Without a runtime there is nothing left that could serve the session either.
        let Ok(runtime) = Handle::try_current() else { return };
        let uri = format!("{}/?EIO=4&transport=polling&sid={}", self.path, sid.as_str());
        let request = Request::post(uri).body(Body::from("1")).expect("a path and a sid make a URI");
        let answer = Service::<Request<Body>>::call(&mut self.service.clone(), request);
        runtime.spawn(async move {
            // A session that is gone already, or on a WebSocket by now, is no concern of this.
            let _ = answer.await;
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Sid, Weak<EngineIoSession>>> {
        lock(&self.by_sid)
    }
}

impl EngineIoSession {
    /// The client has given a sign of life.
    pub(crate) fn note_heard(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.store(millis, Ordering::Relaxed);
    }

    /// When it last did, up to a millisecond.
    pub(crate) fn heard(&self) -> Instant {
        self.began + Duration::from_millis(self.heard_ms.load(Ordering::Relaxed))
    }

    /// A connection has taken `bytes`.
    pub(crate) fn note_taken(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::SeqCst);
        if self.awaited.swap(false, Ordering::SeqCst) {
            self.pump.wake();
        }
    }

    /// Bytes taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::SeqCst)
    }

    /// As [`EngineIoSession::taken`]; the pump is woken when it grows.
    pub(crate) fn await_taken(&self) -> u64 {
        self.awaited.swap(true, Ordering::SeqCst);
        self.taken()
    }

    /// The task woken by [`EngineIoSession::note_taken`] and when a WebSocket is gone.
    pub(crate) fn register(&self, pump: &Waker) {
        self.pump.register(pump);
    }

    pub(crate) fn end_reached(&self) -> End {
        match self.end.load(Ordering::Acquire) {
            0 => End::Open,
            1 => End::Reading,
            _ => End::All,
        }
    }

    /// Ends the session as far as `end` says.
    pub(crate) fn end(&self, end: End) {
        self.end.fetch_max(end as u8, Ordering::AcqRel);
        let websockets = self.lock_websockets().clone();
        for tasks in &websockets {
            tasks.reader.wake();
            tasks.writer.wake();
        }
        if websockets.is_empty() {
            self.hang_up();
        }
    }

    /// A WebSocket of this session; `None` where it has too many.
    pub(crate) fn add_websocket(&self) -> Option<Arc<WsTasks>> {
        let mut websockets = self.lock_websockets();
        if websockets.len() >= WEBSOCKETS_MAX {
            return None;
        }
        let tasks = Arc::new(WsTasks::default());
        websockets.push(Arc::clone(&tasks));
        Some(tasks)
    }

    /// A WebSocket is gone.
    pub(crate) fn remove_websocket(&self, tasks: &Arc<WsTasks>) {
        self.lock_websockets().retain(|other| !Arc::ptr_eq(other, tasks));
        self.pump.wake();
        // One that has taken over from long-polling and was lost in that moment leaves its session waiting for it: Engine.IO would neither
        // ping it nor answer its polls any more.
        self.hang_up();
    }

    /// A WebSocket that may take over from long-polling; `None` where one has, or there are too many already.
    pub(crate) fn probe(self: &Arc<Self>) -> Option<Probe> {
        if self.is_changed.load(Ordering::Acquire) {
            return None;
        }
        let one_more = |probes: usize| (probes < WEBSOCKETS_MAX).then_some(probes + 1);
        self.probes.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        Some(Probe { engineio: Arc::downgrade(self), is_answered: false })
    }

    /// Waits until a poll has waited for long enough, as the client is about to stop polling.
    pub(crate) async fn until_polls_end(&self) {
        loop {
            // Listened for before it is looked for.
            let probed = self.polls.notified();
            if !self.is_probed() {
                probed.await;
            }
            sleep(PROBED_POLL).await;
            if self.is_probed() {
                return;
            }
        }
    }

    fn is_probed(&self) -> bool {
        self.probed.load(Ordering::Acquire) > 0
    }

    /// Keeps a chat session until its client has been told that it is connected.
    pub(crate) fn park(&self, attached: AttachedSession) {
        self.chat_sessions.fetch_add(1, Ordering::AcqRel);
        *self.lock_parked() = Some(attached);
    }

    pub(crate) fn unpark(&self) -> Option<AttachedSession> {
        self.lock_parked().take()
    }

    pub(crate) fn chat_sessions(&self) -> u64 {
        self.chat_sessions.load(Ordering::Acquire)
    }

    fn hang_up(&self) {
        if let (Some(engineio_sessions), Some(sid)) = (self.engineio_sessions.upgrade(), self.sid.get()) {
            engineio_sessions.hang_up(*sid);
        }
    }

    fn lock_websockets(&self) -> MutexGuard<'_, Vec<Arc<WsTasks>>> {
        lock(&self.websockets)
    }

    fn lock_parked(&self) -> MutexGuard<'_, Option<AttachedSession>> {
        lock(&self.parked)
    }
}

/// A WebSocket beside the polls of a session, which it may take over from. It keeps no session alive.
pub(crate) struct Probe {
    engineio: Weak<EngineIoSession>,
    is_answered: bool,
}

impl Probe {
    /// The client has been told that it may go over.
    pub(crate) fn answered(&mut self) {
        if !std::mem::replace(&mut self.is_answered, true)
            && let Some(engineio) = self.engineio.upgrade()
        {
            engineio.probed.fetch_add(1, Ordering::AcqRel);
            engineio.polls.notify_waiters();
        }
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// The client goes over; the session, unless it has ended or another WebSocket was first.
    pub(crate) fn take_over(self) -> Option<Arc<EngineIoSession>> {
        let engineio = self.engineio.upgrade().filter(|engineio| engineio.end_reached() == End::Open)?;
        (!engineio.is_changed.swap(true, Ordering::AcqRel)).then_some(engineio)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let Some(engineio) = self.engineio.upgrade() else { return };
        engineio.probes.fetch_sub(1, Ordering::AcqRel);
        if self.is_answered {
            engineio.probed.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for EngineIoSession {
    fn drop(&mut self) {
        if let (Some(engineio_sessions), Some(sid)) = (self.engineio_sessions.upgrade(), self.sid.get()) {
            engineio_sessions.lock().remove(sid);
        }
    }
}

/// Locks it, whether or not somebody panicked while they held it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
