//! One connection of a session: how it is woken, and how it ends.

use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;

use crate::domain::{Named, Role};
use crate::engine::feed::wake::Wake;
use crate::engine::session::addresses::AddressCell;
use crate::engine::session::admitted::Admitted;
use crate::engine::session::shared_allowance::SharedAllowance;
use crate::engine::session::token::{Issue, Kind};
use crate::locks::lock;
use crate::meters::Counters;
use crate::ports::Admission;
use crate::types::{CloseReason, Generation, Mono, NetworkTag, Reject, RejectCode, RoomCode};

/// What a session, its rooms and its transport share about one connection. A newer connection gets its own, so that
/// nothing an older one does late can touch it.
///
/// In the order in which a wake-up reads it: the first fields share a cache line or two.
#[repr(C)]
pub(crate) struct ConnectionState {
    pub(crate) wake: Wake,
    /// Whether it has an end. Looked at with every wake-up, and the end itself only then.
    is_closing: AtomicBool,
    /// Whether a drain has given it up.
    is_cut: AtomicBool,
    /// Whether the subscriptions it reads are looked at one by one: since any of them had an end, or something to tell that is none of the
    /// room's; likewise.
    looks_at_subscriptions: AtomicBool,
    /// Whether its client was told who it is, and the observer of it.
    is_welcomed: AtomicBool,
    /// Whether its transport has let go of it.
    is_gone: AtomicBool,
    /// Whether the transport was ever unable to write what was due. A reader that never was is never told of a gap.
    pub(crate) was_blocked: AtomicBool,
    closing: Mutex<Option<Box<Closing>>>,
    /// The transport of a connection that takes nothing: it is woken when a drain gives it up, and not with every message.
    stalled: AtomicWaker,
    pub(crate) generation: Generation,
    /// What its client comes back with: the generation of its token and its cursors. Not to be mixed up with its own.
    token_generation: u32,
    /// When those were made.
    token_day: AtomicU16,
    /// What its client came back with, or was given as somebody new. By a cursor nobody is told a token.
    pub(crate) came_with: Kind,
    pub(crate) transport: &'static str,
    /// Where it came from, as far as that is known.
    pub(crate) address: Option<Arc<AddressCell>>,
    /// The network that it came from, likewise.
    pub(crate) network: Option<NetworkTag>,
    /// What the policy has said of whoever is on it; nothing where there is none.
    pub(crate) admitted: Option<Box<Admitted>>,
    /// What pays for what is said on it, beside the session: its identity, or where it came from.
    pub(crate) shared_allowance: Option<Arc<SharedAllowance>>,
    /// Where what is asked on it is counted.
    pub(crate) counters: Arc<Counters>,
}

/// The end of a connection, to be told to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closing {
    pub(crate) reason: CloseReason,
    pub(crate) reconnect_after: Option<Duration>,
    /// Until then, what is due is told before the end is.
    pub(crate) flush_until: Option<Mono>,
    /// Whether nothing else is due any more.
    pub(crate) flushed: bool,
    pub(crate) told: bool,
}

impl ConnectionState {
    pub(crate) fn new(
        generation: Generation,
        (issue, came_with): (Issue, Kind),
        transport: &'static str,
        address: Option<Arc<AddressCell>>,
        shared_allowance: Option<Arc<SharedAllowance>>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            wake: Wake::new(),
            is_closing: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
            looks_at_subscriptions: AtomicBool::new(false),
            is_welcomed: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            was_blocked: AtomicBool::new(false),
            closing: Mutex::new(None),
            stalled: AtomicWaker::new(),
            generation,
            token_generation: issue.generation,
            token_day: AtomicU16::new(issue.day),
            came_with,
            transport,
            address,
            network: None,
            admitted: None,
            shared_allowance,
            counters,
        }
    }

    /// The same, from this network.
    pub(crate) fn with_network(self, network: Option<NetworkTag>) -> Self {
        Self { network, ..self }
    }

    /// The same, of somebody of whom the policy has said this.
    pub(crate) fn with_admitted(self, admitted: Option<Box<Admitted>>) -> Self {
        Self { admitted, ..self }
    }

    /// What the policy has said of whoever is on it: nothing but that they are a guest, where there is none.
    pub(crate) fn admission(&self) -> Arc<Admission> {
        self.admitted.as_ref().map(|admitted| admitted.admission()).unwrap_or_default()
    }

    /// What the policy says that its person is shown as.
    pub(crate) fn named(&self) -> Option<Arc<Named>> {
        self.admitted.as_ref().and_then(|admitted| admitted.named())
    }

    /// What the policy says that its person is in rooms.
    pub(crate) fn role(&self) -> Option<Role> {
        self.admitted.as_ref().and_then(|admitted| admitted.admission().role)
    }

    /// Whether its person may enter this room, as far as the policy has said so beforehand; a drawn code where there is none.
    pub(crate) fn may_enter(&self, room: Option<&RoomCode>) -> Result<(), Reject> {
        let Some(admitted) = &self.admitted else { return Ok(()) };
        let admission = admitted.admission();
        match (room, &admission.rooms) {
            (Some(room), _) if admission.may_enter(room) => Ok(()),
            (None, None) => Ok(()),
            _ => Err(Reject::new(RejectCode::Forbidden, "you were not let in for this room")),
        }
    }

    /// How new the token and the cursors are that its client has, or is to be given.
    pub(crate) fn issue(&self) -> Issue {
        Issue { generation: self.token_generation, day: self.token_day.load(Ordering::Relaxed) }
    }

    /// Both are made anew, as of this day. Those of the same generation supersede nothing.
    pub(crate) fn renew(&self, today: u16) {
        self.token_day.store(today, Ordering::Relaxed);
    }

    /// Ends the connection, at once; the first reason counts.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.end(Closing { reason, reconnect_after: None, flush_until: None, flushed: false, told: false });
    }

    /// Ends the connection once it has taken what is due, or at `flush_until`.
    pub(crate) fn drain(&self, reconnect_after: Duration, flush_until: Mono) {
        let reconnect_after = Some(reconnect_after);
        let (reason, flush_until) = (CloseReason::Draining, Some(flush_until));
        self.end(Closing { reason, reconnect_after, flush_until, flushed: false, told: false });
    }

    /// The same, for good.
    pub(crate) fn close_after(&self, reason: CloseReason, flush_until: Mono) {
        let flush_until = Some(flush_until);
        self.end(Closing { reason, reconnect_after: None, flush_until, flushed: false, told: false });
    }

    fn end(&self, end: Closing) {
        lock(&self.closing).get_or_insert_with(|| Box::new(end));
        self.is_closing.store(true, Ordering::Release);
        self.wake.wake();
    }

    pub(crate) fn closing(&self) -> Option<Closing> {
        if !self.is_closing.load(Ordering::Acquire) {
            return None;
        }
        lock(&self.closing).as_deref().copied()
    }

    /// Its transport has let go of it: nobody is left to take anything.
    pub(crate) fn note_gone(&self) {
        self.is_gone.store(true, Ordering::Release);
    }

    /// Whether nothing is to be waited for before the connections that end are all told so: this one is only owed that, has been told, or is gone.
    pub(crate) fn is_flushed(&self) -> bool {
        self.is_gone.load(Ordering::Acquire) || self.closing().is_some_and(|end| end.flushed || end.told)
    }

    /// Nothing is due any more but the end.
    pub(crate) fn note_flushed(&self) {
        if let Some(closing) = &mut *lock(&self.closing) {
            closing.flushed = true;
        }
    }

    /// Gives the connection up: what it does not take now it never will.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
        self.stalled.wake();
    }

    pub(crate) fn poll_cut(&self, waker: &Waker) -> Poll<()> {
        self.stalled.register(waker);
        if self.is_cut() { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Acquire)
    }

    /// The `closing` frame has been taken by the transport.
    pub(crate) fn closing_told(&self) {
        if let Some(closing) = &mut *lock(&self.closing) {
            closing.told = true;
        }
    }

    /// It counts no more among those from its address. Called once, by who takes the session off it.
    pub(crate) fn leave_address(&self) {
        if let Some(address) = &self.address {
            address.leave();
        }
    }

    /// One of the subscriptions it reads has an end, or something to tell that is none of the room's: from now on they are looked at. Called
    /// before anything past that end is published.
    pub(crate) fn look_at_subscriptions(&self) {
        self.looks_at_subscriptions.store(true, Ordering::Release);
    }

    /// Whether a subscription it reads may have an end, or something of its own to tell. Where not, everything up to a head that was read before
    /// may be read.
    pub(crate) fn looks_at_subscriptions(&self) -> bool {
        self.looks_at_subscriptions.load(Ordering::Acquire)
    }

    pub(crate) fn note_welcomed(&self) {
        self.is_welcomed.store(true, Ordering::Release);
    }

    pub(crate) fn is_welcomed(&self) -> bool {
        self.is_welcomed.load(Ordering::Acquire)
    }

    pub(crate) fn note_blocked(&self) {
        self.was_blocked.store(true, Ordering::Relaxed);
    }
}
