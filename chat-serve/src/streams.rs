//! The streams of one HTTP/2 connection: whether there are any, and an end for those whose peer takes nothing.
//!
//! A peer may answer every ping and still give a stream no window. Nothing would ever end such a stream: its body is just not
//! asked any more. So each stream's task looks whether it waits for the body or for the peer, and for the peer only so long.
//! Only the stream is ended: behind a proxy, the others on the connection are other people's.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use hyper::rt::Executor;
use tokio::time::Instant;

use super::patience::Patience;

use super::ServeConfig;
use super::places::ClientPlace;

tokio::task_local! {
    /// How far the body of this task's stream has come.
    static FLOW: Flow;
}

#[derive(Default)]
struct Flow {
    /// How often the body was asked for more. 0: there is none yet, the request is being answered.
    asked: Cell<u64>,
    /// Whether the body, asked last, had nothing.
    is_dry: Cell<bool>,
}

/// Runs the streams of one connection, each as its own task.
#[derive(Clone)]
pub(crate) struct Streams {
    stall_timeout: Duration,
    running: Arc<Mutex<Running>>,
}

struct Running {
    count: usize,
    /// Whether there ever was one.
    has_begun: bool,
    /// When the last one ended; the connection began, before the first.
    since: Instant,
}

impl Streams {
    pub(crate) fn new(stall_timeout: Duration) -> Self {
        Self {
            stall_timeout,
            running: Arc::new(Mutex::new(Running { count: 0, has_begun: false, since: Instant::now() })),
        }
    }

    /// Since when there are no streams; `None` while there are.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        self.with(|running| (running.count == 0).then_some(running.since))
    }

    /// How long there may be none: the first is awaited like the head of a request.
    pub(crate) fn idle_timeout(&self, config: &ServeConfig) -> Duration {
        if self.with(|running| running.has_begun) { config.idle_timeout } else { config.header_timeout }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Running) -> T) -> T {
        act(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.with(|running| {
            running.count += 1;
            running.has_begun = true;
        });
        let place = Place(self.clone());
        tokio::spawn(FLOW.scope(Flow::default(), async move {
            run(stream, place.0.stall_timeout).await;
            drop(place);
        }));
    }
}

/// A stream's place among those that are running.
struct Place(Streams);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.with(|running| {
            running.count -= 1;
            running.since = Instant::now();
        });
    }
}

/// Runs a stream to its end, or until its peer has taken nothing for too long; what is dropped unfinished is reset.
async fn run(stream: impl Future<Output = ()>, stall_timeout: Duration) {
    let mut stream = pin!(stream);
    let mut stall: Option<(u64, Patience)> = None;
    poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let (asked, is_dry) = FLOW.with(|flow| (flow.asked.get(), flow.is_dry.get()));
        if asked == 0 || is_dry {
            stall = None;
            return Poll::Pending;
        }
        // It holds a chunk that the peer does not take. Asked again since, it is another chunk.
        stall.take_if(|(then, _)| *then != asked);
        let (_, timer) = stall.get_or_insert_with(|| (asked, Patience::new(stall_timeout)));
        timer.poll(cx)
    })
    .await;
}

/// A body that tells its stream's task how far it has come.
pub(crate) struct TrackedBody {
    body: Body,
    /// That of a client behind a proxy, until all of its answer is out.
    _place: Option<ClientPlace>,
}

impl TrackedBody {
    pub(crate) fn new(body: Body, place: Option<ClientPlace>) -> Self {
        Self { body, _place: place }
    }
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        FLOW.with(|flow| {
            flow.asked.set(flow.asked.get() + 1);
            flow.is_dry.set(polled.is_pending());
        });
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
