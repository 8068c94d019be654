//! The task that appends: joins what waits into one statement, answers it together, and settles what nobody knows the outcome of.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chat_core::{AppendError, RoomCode, Tail};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::append::{self, Kind, Won, Written};
use crate::connection::Purpose;
use crate::doubts::Doubts;
use crate::encoded::counted;
use crate::error::Failure;
use crate::group::{self, Append};
use crate::id::Id;
use crate::lane::{Lane, Refused};
use crate::node::Node;
use crate::options::Retention;
use crate::queue::Place;
use crate::refusals::Refusals;

/// First and longest pause before a database that was lost is looked for again, while somebody is to be told what it has.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// How long whoever appends waits until it is settled what became of a batch of which nobody knows. A database may be away for days.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// What the task is asked.
pub(crate) enum Request {
    Append(Append),
    /// Nothing follows it.
    Close(oneshot::Sender<()>),
}

/// A room that is larger than what is kept of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Overgrown {
    pub(crate) room: RoomCode,
    pub(crate) life: Id,
}

/// Where the answer goes, and the place in the queue that is free with it.
type Waiter = (oneshot::Sender<Result<Tail, AppendError>>, Option<Place>);

/// An append of which nobody knows whether it was written.
struct Unsettled {
    room: RoomCode,
    why: String,
    since: Instant,
    /// Who waits for what becomes of it, with its place in the queue.
    waiter: Option<Waiter>,
}

pub(crate) struct Appender {
    lane: Lane,
    queue: mpsc::UnboundedReceiver<Request>,
    waiting: VecDeque<Append>,
    /// Of which nobody knows whether they were written.
    unsettled: Vec<Unsettled>,
    pause: Duration,
    retention: Retention,
    overgrown: mpsc::UnboundedSender<Overgrown>,
    refusals: Refusals,
}

impl Appender {
    pub(crate) fn new(
        node: Arc<Node>,
        queue: mpsc::UnboundedReceiver<Request>,
        retention: Retention,
        overgrown: mpsc::UnboundedSender<Overgrown>,
    ) -> Self {
        let lane = Lane::new(node, Purpose::Append);
        let (waiting, unsettled, refusals) = (VecDeque::new(), Vec::new(), Refusals::default());
        Self { lane, queue, waiting, unsettled, pause: PAUSE.0, retention, overgrown, refusals }
    }

    /// Ends with the log, or when it is closed.
    pub(crate) async fn run(mut self) {
        let mut is_open = true;
        let mut closing = None;
        while is_open || !self.waiting.is_empty() {
            if self.waiting.is_empty() {
                match self.next().await {
                    Some(Request::Append(append)) => self.waiting.push_back(append),
                    Some(Request::Close(answer)) => (is_open, closing) = (false, Some(answer)),
                    None if self.unsettled.is_empty() => is_open = false,
                    // The pause is over.
                    None => {}
                }
            }
            while is_open && let Ok(request) = self.queue.try_recv() {
                match request {
                    Request::Append(append) => self.waiting.push_back(append),
                    Request::Close(answer) => (is_open, closing) = (false, Some(answer)),
                }
            }
            self.write_next().await;
        }
        self.end_doubts();
        if let Some(answer) = closing {
            let _ = answer.send(());
        }
    }

    /// The next request; `None` when there will be none, or the pause is over after which the database is looked for again.
    async fn next(&mut self) -> Option<Request> {
        if self.unsettled.is_empty() {
            return self.queue.recv().await;
        }
        match tokio::time::timeout(self.pause, self.queue.recv()).await {
            Ok(Some(request)) => Some(request),
            // Nobody is left to be told.
            Ok(None) => {
                self.end_doubts();
                None
            }
            Err(_) => None,
        }
    }

    /// Writes one group, or says why it cannot.
    async fn write_next(&mut self) {
        if self.waiting.is_empty() && self.unsettled.is_empty() {
            return;
        }
        let opened = self.lane.open().await.map(|_| ());
        match opened {
            Ok(()) => self.settled(),
            Err(refused) => {
                self.pause = (self.pause * 2).min(PAUSE.1);
                self.tell_overdue();
                let waiting = std::mem::take(&mut self.waiting);
                waiting.into_iter().for_each(|append| self.refuse(append, &refused));
                if refused == Refused::Deposed {
                    self.end_doubts();
                }
                return;
            }
        }
        let group = group::take(&mut self.waiting);
        let (claims, appends): (Vec<_>, Vec<_>) = group.into_iter().partition(|append| append.claims.is_some());
        for part in [appends, claims].into_iter().filter(|part| !part.is_empty()) {
            self.write(part).await;
        }
    }

    /// Writes appends of one kind; after an error that says that nothing was written, one by one, because it may be the fault of one alone.
    async fn write(&mut self, part: Vec<Append>) {
        let refused = match self.attempt(&part).await {
            Ok(written) => return self.answer(part, &written),
            Err(refused) => refused,
        };
        let is_definite = matches!(refused, Refused::Failed(Failure::NotWritten(_)));
        if part.len() == 1 || !is_definite {
            return part.into_iter().for_each(|append| self.refuse(append, &refused));
        }
        for append in part {
            match self.attempt(std::slice::from_ref(&append)).await {
                Ok(written) => self.answer(vec![append], &written),
                Err(refused) => self.refuse(append, &refused),
            }
        }
    }

    async fn attempt(&mut self, part: &[Append]) -> Result<Written, Refused> {
        let kind = part.first().map_or(Kind::Append, Kind::of);
        let all: Vec<&Append> = part.iter().collect();
        let node = Arc::clone(&self.lane.node);
        self.lane.open().await?;
        self.settled();
        let open = self.lane.open().await?;
        match append::write(open, &node, kind, &all).await {
            Ok(written) if written.alive => {
                node.commits.fetch_add(1, Ordering::Relaxed);
                Ok(written)
            }
            Ok(_) => Err(self.lane.is_gone().await),
            Err(failure) => Err(self.lane.failed(failure)),
        }
    }

    fn answer(&mut self, part: Vec<Append>, written: &Written) {
        self.refusals.taken();
        let mut ends: Vec<Result<Tail, AppendError>> = part.iter().map(|_| Err(AppendError::Conflict)).collect();
        for won in &written.won {
            let append = &part[won.index];
            ends[won.index] = Ok(append.end());
            if won.is_covered && is_over(&self.retention, won) {
                // Where nobody takes it, the log is about to end.
                let _ = self.overgrown.send(Overgrown { room: append.room.clone(), life: won.life });
            }
        }
        for (append, end) in part.into_iter().zip(ends) {
            // An asker that has gone away has no use for the answer.
            let _ = append.answer.send(end);
        }
    }

    /// Says that an append is not there; where nobody knows, once somebody does.
    fn refuse(&mut self, append: Append, refused: &Refused) {
        if let Refused::Failed(Failure::NotWritten(why) | Failure::Unknown(why)) = refused {
            self.refusals.failed(why);
        }
        let error = match refused {
            Refused::Deposed => AppendError::Deposed,
            Refused::Conflict => AppendError::Conflict,
            Refused::Failed(Failure::NotWritten(why)) => AppendError::NotWritten(why.clone()),
            Refused::Failed(Failure::Unknown(why)) => {
                self.doubts(|doubts| doubts.add(&append.room));
                let Append { room, answer, place, .. } = append;
                let (why, since, waiter) = (why.clone(), Instant::now(), Some((answer, place)));
                self.unsettled.push(Unsettled { room, why, since, waiter });
                return;
            }
        };
        let _ = append.answer.send(Err(error));
    }

    /// A new connection has taken the place of the lost one: a read tells what became of its appends.
    fn settled(&mut self) {
        self.pause = PAUSE.0;
        self.end_doubts();
    }

    fn end_doubts(&mut self) {
        for mut unsettled in std::mem::take(&mut self.unsettled) {
            self.doubts(|doubts| doubts.remove(&unsettled.room));
            unsettled.tell();
        }
    }

    /// Says that nobody knows where that has not been found out for long. The room is not read before it is.
    fn tell_overdue(&mut self) {
        self.unsettled.iter_mut().filter(|unsettled| unsettled.since.elapsed() >= SETTLE_MAX).for_each(Unsettled::tell);
    }

    fn doubts(&self, change: impl FnOnce(&mut Doubts)) {
        change(&mut self.lane.node.doubts.lock().expect("nothing panics while it is locked"));
    }
}

/// Whether a room is larger than what is kept of it.
fn is_over(retention: &Retention, won: &Won) -> bool {
    let is_over = |max: Option<u64>, held: i64| max.is_some_and(|max| counted(held) > max);
    is_over(retention.messages_max, won.messages) || is_over(retention.bytes_max, won.bytes)
}

impl Unsettled {
    fn tell(&mut self) {
        if let Some((answer, _place)) = self.waiter.take() {
            // An asker that has gone away has no use for the answer.
            let _ = answer.send(Err(AppendError::Unknown(self.why.clone())));
        }
    }
}
