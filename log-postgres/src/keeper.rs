//! The task that does all but append: one change of one room after the other, and what is to be taken away when nobody waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chat_core::{AgeClock, AppendError, Keep, RoomCode, Wall};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::appender::Overgrown;
use crate::change::{self, Change, Done};
use crate::connection::Purpose;
use crate::error::Failure;
use crate::feed::{self, LetGo};
use crate::id::Id;
use crate::lane::{Lane, Refused};
use crate::node::Node;
use crate::options::Retention;
use crate::queue::Place;
use crate::slots::UnderWay;
use crate::trim::{self, GRAVE_REST};

/// How often every room is looked at for records that are too old.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Rooms that one part of such a look has.
const SWEEP_ROOMS: i64 = 64;
/// How often it is looked whether the feed may let go of something, where something was appended or read.
const FEED_EVERY: Duration = Duration::from_secs(1);
/// And where nothing was: then something can only have become too old, or other servers have appended it.
const FEED_EVERY_QUIET: u32 = 60;
/// Batches that a look has let go of, after which another follows at once.
const FEED_MUCH: i64 = 256;
/// After an error of something that nobody waits for.
const PAUSE: Duration = Duration::from_secs(1);

/// What the task is asked.
pub(crate) enum Request {
    Change {
        change: Change,
        answer: oneshot::Sender<Result<(), AppendError>>,
        /// Its place in the queue, free again once it is answered.
        place: Place,
        /// Its slot is not given to another server before it is answered.
        under_way: Option<UnderWay>,
    },
    /// Nothing follows it.
    Close(oneshot::Sender<()>),
}

pub(crate) struct Keeper {
    lane: Lane,
    /// Of changes of which nobody knows whether they were made: until the lost connection's writer is gone.
    in_doubt: Vec<UnderWay>,
    queue: mpsc::UnboundedReceiver<Request>,
    overgrown: mpsc::UnboundedReceiver<Overgrown>,
    clock: AgeClock,
    retention: Retention,
    /// Deleted incarnations of which something may be left, and when each is to be looked at.
    graves: BTreeMap<Id, Instant>,
    /// Rooms that are larger than what is kept of them.
    large: BTreeSet<Overgrown>,
    /// When rooms are looked through for what is too old, and which was the last.
    sweep: Option<(Instant, String)>,
    feed: FeedWatch,
    /// Not before, after an error.
    rest: Option<Instant>,
}

/// When the feed is looked at for what it need not hold back any more.
struct FeedWatch {
    /// Whether there is one.
    feeds: watch::Receiver<bool>,
    due: Instant,
    /// How often there was no reason to look since that was done last.
    quiet: u32,
    /// How much had been appended here by then.
    commits: u64,
    /// Whether somebody has read on since, or something was deleted.
    is_read: bool,
}

impl Keeper {
    pub(crate) fn new(
        node: Arc<Node>,
        queue: mpsc::UnboundedReceiver<Request>,
        overgrown: mpsc::UnboundedReceiver<Overgrown>,
        clock: AgeClock,
        retention: Retention,
        graves: impl IntoIterator<Item = Id>,
    ) -> Self {
        let now = Instant::now();
        let feeds = node.feeds.subscribe();
        let feed = FeedWatch { feeds, due: now, quiet: FEED_EVERY_QUIET, commits: 0, is_read: false };
        Self {
            lane: Lane::new(node, Purpose::Other),
            in_doubt: Vec::new(),
            queue,
            overgrown,
            clock,
            retention,
            graves: graves.into_iter().map(|life| (life, now)).collect(),
            large: BTreeSet::new(),
            sweep: retention.age_max.map(|_| (now, String::new())),
            feed,
            rest: None,
        }
    }

    /// Ends with the log, or when it is closed.
    pub(crate) async fn run(mut self) {
        loop {
            let due = self.due();
            let idle = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                request = self.queue.recv() => match request {
                    None => return,
                    Some(Request::Close(answer)) => {
                        let _ = answer.send(());
                        return;
                    }
                    Some(Request::Change { change, answer, place: _place, under_way }) => {
                        // Whoever asked may have gone away: then the room may be another's by now.
                        if answer.is_closed() {
                            continue;
                        }
                        let made = self.make(&change).await;
                        match &made {
                            Err(Refused::Failed(Failure::Unknown(_))) => self.in_doubt.extend(under_way),
                            _ => drop(under_way),
                        }
                        // An asker that has gone away has no use for the answer.
                        let _ = answer.send(made.map_err(error_of));
                    }
                },
                Some(large) = self.overgrown.recv() => {
                    self.large.insert(large);
                }
                () = idle => self.upkeep().await,
                // Another loop asks anew what is due.
                Ok(()) = self.feed.feeds.changed() => {}
            }
        }
    }

    /// What is kept of each room, as of now.
    fn keep(&mut self) -> Keep {
        self.keep_of(self.retention)
    }

    fn keep_of(&mut self, retention: Retention) -> Keep {
        let (keep, step) = self.clock.keep(retention);
        if let Some(step) = step {
            tracing::info!(ahead = ?step.ahead, belief = ?step.belief, "the clock is ahead of the log's, by which the age of records is measured");
        }
        keep
    }

    async fn make(&mut self, change: &Change) -> Result<(), Refused> {
        let done = change::make(&mut self.lane, change).await?;
        // It was made on a connection that has taken the place of any that was lost before.
        self.in_doubt.clear();
        match (done, change) {
            (Done::Covered(life), Change::Snapshot { room, .. }) => {
                let keep = self.keep();
                // What does not go now goes with the next snapshot.
                if let Err(refused) = self.trim(room, life, &keep).await {
                    tracing::debug!(?refused, "a room was not trimmed");
                }
            }
            (Done::Dead(life), _) => {
                self.graves.insert(life, Instant::now());
            }
            (Done::Read, _) => self.feed.is_read = true,
            _ => {}
        }
        Ok(())
    }

    /// Takes away what is too much, one slice; what is left of it is upkeep's.
    async fn trim(&mut self, room: &RoomCode, life: Id, keep: &Keep) -> Result<(), Refused> {
        if trim::trim(&mut self.lane, room, life, keep).await? >= trim::SLICE.unsigned_abs() {
            self.large.insert(Overgrown { room: room.clone(), life });
        }
        Ok(())
    }

    /// When there is something to do that nobody waits for.
    fn due(&self) -> Option<Instant> {
        let large = (!self.large.is_empty() || !self.in_doubt.is_empty()).then(Instant::now);
        let graves = self.graves.values().min().copied();
        let sweep = self.sweep.as_ref().map(|(due, _)| *due);
        let feed = self.feed.feeds.borrow().then_some(self.feed.due);
        let due = [large, graves, sweep, feed].into_iter().flatten().min()?;
        Some(self.rest.map_or(due, |rest| rest.max(due)))
    }

    async fn upkeep(&mut self) {
        match self.take_away().await {
            Ok(()) => self.rest = None,
            // One that is deposed for good has nothing to keep any more.
            Err(Refused::Deposed) if !self.lane.node.is_member() => {
                self.in_doubt.clear();
                self.graves.clear();
                self.large.clear();
                self.sweep = None;
                self.lane.node.feeds.send_replace(false);
            }
            Err(refused) => {
                tracing::debug!(?refused, "upkeep of the log failed, and is tried again");
                self.rest = Some(Instant::now() + PAUSE);
            }
        }
    }

    /// One statement or a few of what is due.
    async fn take_away(&mut self) -> Result<(), Refused> {
        let now = Instant::now();
        if !self.in_doubt.is_empty() {
            self.lane.open().await?;
            self.in_doubt.clear();
            return Ok(());
        }
        if let Some(large) = self.large.first().cloned() {
            let keep = Keep { oldest: Wall(0), ..self.keep() };
            self.large.remove(&large);
            return self.trim(&large.room, large.life, &keep).await;
        }
        if let Some((life, due)) = self.graves.iter().min_by_key(|(_, due)| **due).map(|(life, due)| (*life, *due))
            && due <= now
        {
            if !trim::purge(&mut self.lane, life).await? {
                if trim::forget(&mut self.lane, life).await? {
                    self.graves.remove(&life);
                } else {
                    self.graves.insert(life, now + GRAVE_REST);
                }
            }
            return Ok(());
        }
        if *self.feed.feeds.borrow() && self.feed.due <= now {
            return self.let_go().await;
        }
        if self.sweep.as_ref().is_some_and(|(due, _)| *due <= now) {
            self.sweep().await?;
        }
        Ok(())
    }

    /// Lets go of what the feed need not hold back any more, a slice of it.
    async fn let_go(&mut self) -> Result<(), Refused> {
        let commits = self.lane.node.commits.load(Ordering::Relaxed);
        let is_quiet = commits == self.feed.commits && !self.feed.is_read && self.feed.quiet < FEED_EVERY_QUIET;
        self.feed.due = Instant::now() + FEED_EVERY;
        self.feed.quiet += 1;
        if is_quiet {
            return Ok(());
        }
        // What the feed holds back goes by age, whether or not retention does.
        let now = self.keep_of(Retention { age_max: Some(Duration::ZERO), ..self.retention }).now;
        let LetGo { batches, dead, large } = feed::let_go(&mut self.lane, now.0, &self.retention).await?;
        (self.feed.quiet, self.feed.commits, self.feed.is_read) = (0, commits, false);
        if batches >= FEED_MUCH {
            // There may be more.
            (self.feed.due, self.feed.is_read) = (Instant::now(), true);
        }
        self.graves.extend(dead.into_iter().map(|life| (life, Instant::now())));
        self.large.extend(large);
        Ok(())
    }

    /// Looks through the next rooms for what is too old.
    async fn sweep(&mut self) -> Result<(), Refused> {
        let Some((_, after)) = self.sweep.clone() else { return Ok(()) };
        let keep = self.keep();
        trim::put_clock(&mut self.lane, keep.now.0).await?;
        let open = self.lane.open().await?;
        let next = "select code, life from tails where code > $1 and through >= first order by code limit $2";
        let rows = open.connection.query(next, &[&after, &SWEEP_ROOMS]).await;
        let rows = rows.map_err(|error| Refused::Failed(Failure::NotWritten(error.to_string())))?;
        for row in &rows {
            // A code that is none is told to whoever asks for it. What others have, they look through.
            let Ok(room) = RoomCode::parse(row.get("code")) else { continue };
            if self.lane.node.term(&room) == 0 {
                continue;
            }
            let life = row.get("life");
            while trim::trim(&mut self.lane, &room, life, &keep).await? >= trim::SLICE.unsigned_abs() {}
        }
        self.sweep = Some(match rows.last() {
            Some(last) => (Instant::now(), last.get("code")),
            None => (Instant::now() + SWEEP_EVERY, String::new()),
        });
        Ok(())
    }
}

fn error_of(refused: Refused) -> AppendError {
    match refused {
        Refused::Deposed => AppendError::Deposed,
        Refused::Conflict => AppendError::Conflict,
        Refused::Failed(Failure::NotWritten(why)) => AppendError::NotWritten(why),
        Refused::Failed(Failure::Unknown(why)) => AppendError::Unknown(why),
    }
}
