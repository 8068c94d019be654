//! The port: appends go to one task, other changes to another, reads to a few connections beside them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{
    AgeClock, Amend, AppendError, Clock, Ended, Epoch, Erasure, Event, ExclusiveClaim, Log, LogClaim, LogFeed,
    LogInUse, LogMeters, LogPage, Offset, ReadError, Record, RoomCode, Scrub, Seq, Slot, SystemClock, Tail, Wall,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::appender::{self, Appender};
use crate::change::Change;
use crate::checks::{self, Copies};
use crate::connection::{Connection, Connector, Purpose};
use crate::encoded::counted;
use crate::error::OpenError;
use crate::group::Append;
use crate::id::Id;
use crate::keeper::{self, Keeper};
use crate::members::Members;
use crate::node::Node;
use crate::options::{Durability, MemberOptions, Options};
use crate::patience::patiently;
use crate::pool::{Pool, unavailable};
use crate::queue::Queue;
use crate::slots::UnderWay;
use crate::{agreement, feed, read, schema, secret};

/// A durable log of many rooms in a schema of a PostgreSQL database.
///
/// It belongs to one server at a time: whoever opens it takes it from whoever had it ([`PgLog::deposed`]). Or to several, which share its
/// rooms slot by slot ([`PgLog::join`]). Dropping it ends its connections; [`PgLog::close`] waits until what was asked is done, and takes this
/// server's row away.
pub struct PgLog {
    pub(crate) node: Arc<Node>,
    pub(crate) pool: Pool,
    appends: mpsc::UnboundedSender<appender::Request>,
    changes: mpsc::UnboundedSender<keeper::Request>,
    queue: Queue,
    tasks: Tasks,
    copies: Copies,
    engines: ExclusiveClaim,
    has_feed: bool,
    /// Whether the database shows what does not outlive a crash yet.
    pub(crate) confirms: bool,
}

impl PgLog {
    /// Opens the log at an address such as `postgres://user@host/database`, or in the form of `libpq`'s key words; makes schema and tables where
    /// they are missing. Must be called on a tokio runtime with time and input and output, where its tasks go on.
    ///
    /// Whoever had the log open is deposed: at once, or, where something of theirs is under way, after a few seconds, in which it is brought
    /// to an end.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(address: &str, options: Options) -> Result<Self, OpenError> {
        Self::open_with_clock(address, options, Arc::new(SystemClock::new())).await
    }

    /// As [`PgLog::open`], with the clock of the engine that is to use it, where that is not the system's: the age of records is measured by
    /// what stamps them.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_with_clock(address: &str, options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let (connector, connection, copies) = prepare(address, &options).await?;
        let node = Arc::new(Node::take_over(connector, &connection, &options.name).await?);
        let turned = match &options.feed {
            Some(bounds) => feed::begin(&connection, bounds).await,
            None => feed::end(&connection).await,
        };
        if let Err(error) = turned {
            node.leave_failed().await;
            return Err(error);
        }
        let beat = tokio::spawn(Arc::clone(&node).beat()).abort_handle();
        Self::begin(node, connection, copies, &options, clock, vec![beat]).await
    }

    /// Opens the log beside other servers that do the same: each slot of its rooms is one server's at any time. Who has which, and when that
    /// changes, the [`Members`] say.
    ///
    /// A server that is silent for longer than the lease loses its slots to the others; when it is back, it begins anew. One that opens the
    /// log for itself alone ([`PgLog::open`]) takes it from all of them, and they end ([`PgLog::deposed`]).
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn join(address: &str, options: Options, member: MemberOptions) -> Result<(Self, Members), OpenError> {
        member.check()?;
        let (connector, connection, copies) = prepare(address, &options).await?;
        let said = agreement::said(&connection, &options, &member).await?;
        let node = Arc::new(Node::join(connector, &connection, &options.name, &member, &said).await?);
        if let Some(bounds) = &options.feed
            && let Err(error) = feed::begin(&connection, bounds).await
        {
            node.leave_failed().await;
            return Err(error);
        }
        let (members, tasks) = Members::begin(Arc::clone(&node), options.name.clone(), member, said).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let log = Self::begin(node, connection, copies, &options, clock, tasks).await?;
        Ok((log, members))
    }

    async fn begin(
        node: Arc<Node>,
        connection: Connection,
        copies: Copies,
        options: &Options,
        clock: Arc<dyn Clock>,
        tasks: Vec<AbortHandle>,
    ) -> Result<Self, OpenError> {
        if copies == Copies::OneMachine {
            tracing::warn!(node = %node.id(), "one machine has the log: no standby is waited for, and what is acked is lost with it");
        }
        let tasks = Tasks(tasks);
        let (believed, graves) = match what_is_kept(&connection, &*clock).await {
            Ok(kept) => kept,
            Err(error) => {
                tasks.end();
                node.leave_failed().await;
                return Err(error);
            }
        };
        let clock = AgeClock::new(clock, believed);

        let retention = options.retention;
        let (appends, append_requests) = mpsc::unbounded_channel();
        let (changes, change_requests) = mpsc::unbounded_channel();
        let (overgrown, large) = mpsc::unbounded_channel();
        tokio::spawn(Appender::new(Arc::clone(&node), append_requests, retention, overgrown).run());
        tokio::spawn(Keeper::new(Arc::clone(&node), change_requests, large, clock, retention, graves).run());
        Ok(Self {
            pool: Pool::new(Arc::clone(&node)),
            node,
            appends,
            changes,
            queue: Queue::default(),
            tasks,
            copies,
            has_feed: options.feed.is_some(),
            confirms: options.durability == Durability::Relaxed || copies == Copies::Standby,
            engines: ExclusiveClaim::default(),
        })
    }

    /// What of an acked record outlives the loss of the database's machine, as it was when the log was opened.
    pub fn copies(&self) -> Copies {
        self.copies
    }

    /// The secret that session tokens are signed with, for whoever has none of their own: drawn when it is first asked for, and kept in the
    /// database, so that tokens are good at the next server. Whoever can read the tables can pass for anybody.
    ///
    /// # Errors
    /// When the database cannot be asked, or holds another text in its place.
    pub async fn secret(&self) -> Result<[u8; 32], OpenError> {
        let connector = &self.node.connector;
        patiently(|| async { secret::secret(&connector.connect(Purpose::Other).await?).await }).await
    }

    /// Waits until another server has taken the log over for itself, and says so in words. From then on nothing is written here
    /// ([`AppendError::Deposed`]), and nothing that was acked is lost: whoever serves with this log is to end.
    pub async fn deposed(&self) -> String {
        self.node.deposed().await
    }

    /// Does what was asked for, and gives the log back. Later calls find it closed. Takes 15 s at most, whatever the database does.
    ///
    /// # Errors
    /// When this server's row could not be taken away. Nothing is lost; the next server waits no longer for it than for one that was killed.
    pub async fn close(&self) -> Result<(), OpenError> {
        let ((appended, has_appended), (changed, has_changed)) = (oneshot::channel(), oneshot::channel());
        let done = tokio::time::timeout(CLOSE_MAX, async {
            // An error means that it is closed already.
            let _ = self.appends.send(appender::Request::Close(appended));
            let _ = has_appended.await;
            let _ = self.changes.send(keeper::Request::Close(changed));
            let _ = has_changed.await;
        });
        let is_done = done.await.is_ok();
        self.tasks.end();
        match tokio::time::timeout(LEAVE_MAX, self.node.leave()).await {
            Ok(left) if is_done => left,
            _ => Err(OpenError::Database("it does not answer; what is under way may be written or not".to_owned())),
        }
    }

    pub(crate) async fn change(&self, change: Change) -> Result<(), AppendError> {
        let under_way = change.slot().map(|slot| self.enter(slot)).transpose()?;
        let place = self.queue.place(change.bytes()).await;
        let (answer, answered) = oneshot::channel();
        if self.changes.send(keeper::Request::Change { change, answer, place, under_way }).is_err() {
            return Err(AppendError::NotWritten(CLOSED.to_owned()));
        }
        answered.await.unwrap_or_else(|_| Err(AppendError::Unknown(CLOSED.to_owned())))
    }

    /// Lets a write of a slot in. One whose slot is about to be given is not: it may stay, and what is written is written then.
    fn enter(&self, slot: Slot) -> Result<UnderWay, AppendError> {
        if self.node.is_member() && self.node.slots.term(slot, self.node.id()) == 0 {
            return Err(AppendError::Deposed);
        }
        let is_being_given = || AppendError::NotWritten("the room is about to be another server's".to_owned());
        self.node.slots.enter(slot).ok_or_else(is_being_given)
    }

    /// What an append has written is not known until that is settled: nobody is to read the room before.
    fn settled(&self, room: &RoomCode) -> Result<(), ReadError> {
        match self.node.doubts.lock().unwrap_or_else(PoisonError::into_inner).holds(room) {
            true => Err(unavailable("what was appended last is being found out")),
            false => Ok(()),
        }
    }
}

const CLOSED: &str = "the log is closed";

/// How long a log that is closed waits for what is under way, and then until its row is gone. 10 s and 5 s: whoever ends servers seldom waits for
/// more than 30.
const CLOSE_MAX: Duration = Duration::from_secs(10);
const LEAVE_MAX: Duration = Duration::from_secs(5);

/// What the clock was last believed to say, and which incarnations are not wholly gone.
async fn what_is_kept(connection: &Connection, clock: &dyn Clock) -> Result<(Option<Wall>, Vec<Id>), OpenError> {
    let believed = last_believed(connection, clock).await?;
    let graves = connection.query_once("select life from graves", &[]).await?;
    Ok((believed, graves.iter().map(|row| row.get(0)).collect()))
}

/// What the clock was last believed to say. Where the tables are new, it is believed as it is.
async fn last_believed(connection: &Connection, clock: &dyn Clock) -> Result<Option<Wall>, OpenError> {
    let now = clock.now().wall.0.to_string();
    connection.execute("insert into meta (key, value) values ('clock', $1) on conflict do nothing", &[&now]).await?;
    let stored: String = connection.query_one("select value from meta where key = 'clock'", &[]).await?.get(0);
    Ok(stored.parse().ok().map(Wall))
}

#[async_trait]
impl Log for PgLog {
    fn meters(&self) -> LogMeters {
        let commits = self.node.commits.load(Ordering::Relaxed);
        LogMeters::default().with_commits(commits).with_waiting(self.queue.waiting())
    }

    fn feed(&self) -> Option<&dyn LogFeed> {
        self.has_feed.then_some(self)
    }

    /// Of the engines of this process. Those of other servers are kept away by what they write being refused.
    fn claim(&self) -> Result<LogClaim, LogInUse> {
        self.engines.claim()
    }

    /// # Panics
    /// For a batch that no room could have decided: an empty one, one whose offsets do not continue those of `after`, or one that
    /// begins an incarnation without its creation.
    async fn append(&self, room: &RoomCode, after: &Tail, batch: &[Record]) -> Result<Tail, AppendError> {
        self.append_with(room, after, batch, &[]).await
    }

    /// # Panics
    /// As [`Log::append`].
    async fn append_with(
        &self,
        room: &RoomCode,
        after: &Tail,
        batch: &[Record],
        about: &[u8],
    ) -> Result<Tail, AppendError> {
        let claims = check(after, batch);
        let under_way = self.enter(Slot::of(room))?;
        // A code that nobody has is claimed under the term of now: nothing that was decided before counts on it.
        let term = if claims.is_some() { counted(self.node.term(room)) } else { after.token };
        // What was decided on a tail that was read under another term is written by nobody; the statement would find that, too.
        if self.node.is_member() && term != counted(self.node.term(room)) {
            return Err(AppendError::Conflict);
        }
        let (mut append, answered) = Append::new(room, after, claims, batch, term);
        append.about = (!about.is_empty()).then(|| about.to_vec());
        append.under_way = Some(under_way);
        append.place = Some(self.queue.place(append.bytes()).await);
        if self.appends.send(appender::Request::Append(append)).is_err() {
            return Err(AppendError::NotWritten(CLOSED.to_owned()));
        }
        answered.await.unwrap_or_else(|_| Err(AppendError::Unknown(CLOSED.to_owned())))
    }

    async fn read(
        &self,
        room: &RoomCode,
        epoch: Option<Epoch>,
        after: Offset,
        max: usize,
    ) -> Result<LogPage, ReadError> {
        self.settled(room)?;
        read::page(&self.pool, room, epoch, after, max).await
    }

    async fn messages(&self, room: &RoomCode, epoch: Epoch, before: Seq, max: usize) -> Result<Vec<Record>, ReadError> {
        self.settled(room)?;
        read::messages(&self.pool, room, epoch, before, max).await
    }

    async fn messages_after(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        after: Seq,
        max: usize,
    ) -> Result<Vec<Record>, ReadError> {
        self.settled(room)?;
        read::messages_after(&self.pool, room, epoch, after, max).await
    }

    async fn rooms(
        &self,
        slot: Option<Slot>,
        after: Option<&RoomCode>,
        max: usize,
    ) -> Result<Vec<RoomCode>, ReadError> {
        read::rooms(&self.pool, slot, after, max).await
    }

    async fn rooms_with(
        &self,
        slot: Option<Slot>,
        after: Option<&RoomCode>,
        max: usize,
    ) -> Result<Vec<chat_core::LogRoom>, ReadError> {
        read::rooms_with(&self.pool, slot, after, max).await
    }

    async fn load_snapshot(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<(Offset, Vec<u8>)>, ReadError> {
        read::snapshot(&self.pool, room, epoch).await
    }

    async fn save_snapshot(
        &self,
        room: &RoomCode,
        epoch: Epoch,
        through: Offset,
        snapshot: &[u8],
    ) -> Result<(), AppendError> {
        self.change(Change::Snapshot { room: room.clone(), epoch, through, bytes: snapshot.to_vec() }).await
    }

    async fn load_read_positions(&self, room: &RoomCode, epoch: Epoch) -> Result<Option<Vec<u8>>, ReadError> {
        read::read_positions(&self.pool, room, epoch).await
    }

    async fn save_read_positions(&self, room: &RoomCode, epoch: Epoch, positions: &[u8]) -> Result<(), AppendError> {
        self.change(Change::ReadPositions { room: room.clone(), epoch, bytes: positions.to_vec() }).await
    }

    async fn amend(&self, room: &RoomCode, epoch: Epoch, amends: &[Amend]) -> Result<(), AppendError> {
        if amends.is_empty() {
            return Ok(());
        }
        self.change(Change::Amend { room: room.clone(), epoch, amends: amends.to_vec() }).await
    }

    async fn delete(&self, room: &RoomCode, epoch: Epoch) -> Result<(), AppendError> {
        self.change(Change::Delete { room: room.clone(), epoch }).await
    }

    async fn scrub(&self, room: &RoomCode, epoch: Epoch, scrubs: &[Scrub]) -> Result<(), AppendError> {
        if scrubs.is_empty() {
            return Ok(());
        }
        self.change(Change::Scrub { room: room.clone(), epoch, scrubs: scrubs.to_vec() }).await
    }

    async fn put_erasure(&self, erasure: &Erasure, asked: Option<u32>) -> Result<(), AppendError> {
        self.change(Change::PutErasure(Box::new(erasure.clone()), asked)).await
    }

    async fn drop_erasure(&self, erasure: &Erasure) -> Result<(), AppendError> {
        self.change(Change::DropErasure(Box::new(erasure.clone()))).await
    }

    async fn erasures(&self) -> Result<Vec<Erasure>, ReadError> {
        read::erasures(&self.pool).await
    }

    async fn put_ended(&self, ended: &Ended, over: &[Ended]) -> Result<(), AppendError> {
        self.change(Change::End { ended: ended.clone(), over: over.to_vec() }).await
    }

    async fn ended(&self) -> Result<Vec<Ended>, ReadError> {
        read::ended(&self.pool).await
    }
}

/// What goes on beside the log for as long as it is there.
struct Tasks(Vec<AbortHandle>);

impl Tasks {
    fn end(&self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.end();
    }
}

/// The database, its tables and a connection to it, all found to be fit.
async fn prepare(address: &str, options: &Options) -> Result<(Arc<Connector>, Connection, Copies), OpenError> {
    let connector = Arc::new(Connector::new(address, options)?);
    let connecting = &connector;
    let (connection, copies) = patiently(|| async move {
        let connector = connecting;
        let connection = connector.connect(Purpose::Append).await?;
        let copies = checks::durability(&connection, options.durability).await?;
        schema::prepare(connector, &connection).await?;
        let connection = connector.connect(Purpose::Other).await?;
        checks::rules(&connection, &connector.connect(Purpose::Other).await?).await?;
        Ok((connection, copies))
    })
    .await?;
    Ok((connector, connection, copies))
}

/// The epoch that the batch claims the code for, if it is the first of an incarnation.
fn check(after: &Tail, batch: &[Record]) -> Option<Epoch> {
    let first = batch.first().expect("a batch is never empty");
    let offsets = batch.iter().map(|record| record.offset.0);
    assert!(offsets.eq(after.offset.0 + 1..=after.offset.0 + batch.len() as u64), "offsets continue those before");
    match (after.epoch, &first.event) {
        (Some(_), _) => None,
        (None, Event::Created { epoch, .. }) => Some(*epoch),
        (None, other) => panic!("an incarnation begins with its creation, not with {other:?}"),
    }
}
