//! Servers that share a log: who is there, and which slots each of them has.
//!
//! Each says with a beat that it is there, and may believe for as long as its lease that its slots are its own. Who is silent for longer is
//! deposed by any other: its row goes, and with it the rows of its writers, so that nothing comes after what it had begun. Slots that have
//! nobody are taken, and each is given to the server that it belongs with ([`homes`]). The table decides; what servers tell each other of it
//! only makes them look.

mod acts;
mod beats;
mod homes;
mod lease;
mod news;
mod standing;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_core::{NodeId, Owner, Slot, Term};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::acts::Acting;
use self::lease::Lease;
use self::news::News;
use self::standing::{Acts, Row, Standing};
use crate::error::OpenError;
use crate::id::Id;
use crate::node::Node;
use crate::options::MemberOptions;
use crate::patience::patiently;
use crate::slots::Held;

pub use self::news::Changed;

/// A server that shares the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Drawn at its start, and again when it was deposed.
    pub node: NodeId,
    /// What it is called. It decides nothing.
    pub name: String,
    /// Where it is reached.
    pub address: String,
    /// The certificate by which it is known, in DER.
    pub certificate: Vec<u8>,
}

/// Who has a slot now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The slot.
    pub slot: Slot,
    /// Whose it is.
    pub node: NodeId,
    /// Under which term.
    pub term: Term,
}

/// The servers that share a log, as one of them knows them. Clones are one.
#[derive(Clone)]
pub struct Members(Arc<Inner>);

struct Inner {
    node: Arc<Node>,
    /// What the server is called, and how it shares the log.
    name: String,
    options: MemberOptions,
    /// What it says of itself in its row, for those who join.
    said: String,
    lease: Lease,
    /// Told when a lease holds that did not.
    held_again: Notify,
    /// What the table said last of the servers.
    seen: Mutex<Seen>,
    standing: Mutex<Standing>,
    news: News,
    /// Told when the table is to be read before its time.
    look: Notify,
    is_draining: AtomicBool,
    /// Which others this server reaches; `None` where nobody says.
    reaches: Mutex<Option<Vec<Id>>>,
    /// Told when that is other than before.
    links_changed: Notify,
    /// Whether it is cut off from those who reach each other, as the table said last.
    is_apart: AtomicBool,
    /// Whether it has been for so long that it is no matter of links that are being made.
    stays_apart: AtomicBool,
    /// Whether the time of day was found to be another than the database's.
    is_clock_apart: AtomicBool,
    acts: watch::Sender<Acts>,
    started: Instant,
}

/// The servers that the table names.
#[derive(Default)]
struct Seen {
    rows: Vec<Row>,
    members: Vec<Member>,
}

impl Members {
    /// Begins to beat, and takes what is free before it answers.
    ///
    /// # Errors
    /// [`OpenError::Database`].
    pub(crate) async fn begin(
        node: Arc<Node>,
        name: String,
        options: MemberOptions,
        said: String,
    ) -> Result<(Self, Vec<AbortHandle>), OpenError> {
        let inner = Arc::new(Inner {
            lease: Lease::new(options.lease),
            standing: Mutex::new(Standing::new(options.lease)),
            node,
            name,
            options,
            said,
            held_again: Notify::new(),
            seen: Mutex::default(),
            news: News::default(),
            look: Notify::new(),
            is_draining: AtomicBool::new(false),
            reaches: Mutex::default(),
            links_changed: Notify::new(),
            is_apart: AtomicBool::new(false),
            stays_apart: AtomicBool::new(false),
            is_clock_apart: AtomicBool::new(false),
            acts: watch::Sender::new(Acts::default()),
            started: Instant::now(),
        });
        let connection = match patiently(|| inner.ask(None, true)).await {
            Ok(connection) => connection,
            Err(error) => {
                inner.node.leave_failed().await;
                return Err(error);
            }
        };
        let first = inner.acts.borrow().clone();
        let mut acting = Acting::new(Arc::clone(&inner));
        acting.carry_out(first).await;
        let tasks = [
            tokio::spawn(Arc::clone(&inner).beats(connection)).abort_handle(),
            tokio::spawn(Arc::clone(&inner).lapses()).abort_handle(),
            tokio::spawn(acting.run()).abort_handle(),
            tokio::spawn(Acting::new(Arc::clone(&inner)).run_gifts()).abort_handle(),
        ];
        Ok((Self(inner), tasks.into()))
    }

    /// This server. It is another after it was deposed.
    pub fn me(&self) -> NodeId {
        node_id(self.0.node.id())
    }

    /// Who has a slot: looks at what is known, and waits for nothing. This server has none while its lease does not hold.
    pub fn owner(&self, slot: Slot) -> Owner {
        self.0.owner(slot)
    }

    /// The servers that are there, this one among them.
    pub fn list(&self) -> Vec<Member> {
        self.0.seen().members.clone()
    }

    /// Whether this server's lease holds: the database has answered its beat.
    pub fn holds(&self) -> bool {
        self.0.lease.holds()
    }

    /// Whether it has begun to give its slots away.
    pub fn is_draining(&self) -> bool {
        self.0.is_draining.load(Ordering::Acquire)
    }

    /// Says which other servers this one reaches, as whoever links with them knows: the others learn of it with its next beat, which is soon. A
    /// server that says nothing of it counts as one that reaches all.
    pub fn reach(&self, others: impl IntoIterator<Item = NodeId>) {
        let mut others: Vec<Id> = others.into_iter().map(id_of).collect();
        others.sort_unstable();
        let before = self.0.reaches().replace(others.clone());
        if before != Some(others) {
            self.0.links_changed.notify_one();
        }
    }

    /// Whether this server is cut off from those who go on as one service: it does not reach all of them, or not all of them reach it, and has not for
    /// two leases, or never has.
    pub fn is_apart(&self) -> bool {
        self.0.is_apart.load(Ordering::Acquire)
    }

    /// Whether it [is apart](Self::is_apart), and has been for two leases: one that has just come had its time. Another server is there, and is not.
    pub fn stays_apart(&self) -> bool {
        self.0.stays_apart.load(Ordering::Acquire)
    }

    /// The slots that are this server's.
    pub fn own(&self) -> Vec<Move> {
        let me = self.0.node.id();
        let moved = |(slot, term)| Move { slot, node: node_id(me), term: term_of(term) };
        self.0.node.slots.of(me).into_iter().map(moved).collect()
    }

    /// What has changed since this was asked last, once something has. What one asks who then stops waiting is not lost.
    pub async fn changed(&self) -> Changed {
        self.0.news.next().await
    }

    /// Takes in what another server says of slots that it has taken or given, or has. What it says of others' is not believed; that a slot is this
    /// server's own, or is not any more, the table alone says.
    pub fn hear(&self, from: NodeId, moves: &[Move]) {
        let (me, from) = (self.0.node.id(), id_of(from));
        let mut moved = Vec::new();
        for Move { slot, node, term } in moves {
            let held = Held { node: Some(id_of(*node)), term: i64::try_from(term.0).unwrap_or(i64::MAX) };
            let known = self.0.node.slots.held(*slot);
            if known == held {
                continue;
            }
            if held.node == Some(me) || known.node == Some(me) {
                self.look();
            } else if (held.node == Some(from) || known.node == Some(from)) && self.0.node.slots.hear(*slot, held) {
                moved.push(*slot);
            }
        }
        self.0.news.moved(moved);
    }

    /// Reads the table now: somebody has come whom it does not name yet.
    pub fn look(&self) {
        self.0.look.notify_one();
    }

    /// Gives all slots to the others, and takes none any more; waits until it has, or until nobody is there who could have them, at most `max`. Where
    /// this is dropped, that goes on for as long.
    pub async fn drain(&self, max: Duration) {
        self.0.is_draining.store(true, Ordering::Release);
        let inner = Arc::clone(&self.0);
        let given = tokio::spawn(async move { inner.give_all(max).await });
        // Whoever is late is not given anything meanwhile.
        let _ = tokio::time::timeout(max, given).await;
    }
}

impl Inner {
    fn owner(&self, slot: Slot) -> Owner {
        let (held, is_yielding) = self.node.slots.stands(slot);
        let term = term_of(held.term);
        match held.node {
            None => Owner::Nobody,
            Some(id) if id != self.node.id() => Owner::Other(node_id(id), term),
            Some(_) if is_yielding || !self.lease.holds() => Owner::Nobody,
            Some(_) => Owner::Me(term),
        }
    }

    fn reaches(&self) -> MutexGuard<'_, Option<Vec<Id>>> {
        self.reaches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own_slots(&self) -> Vec<Slot> {
        self.node.slots.of(self.node.id()).into_iter().map(|(slot, _)| slot).collect()
    }
}

fn node_id(id: Id) -> NodeId {
    NodeId(id.bits())
}

fn id_of(node: NodeId) -> Id {
    Id::of_bits(node.0)
}

fn term_of(term: i64) -> Term {
    Term(u64::try_from(term).unwrap_or_default())
}
