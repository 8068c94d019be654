//! What bounds a link: how often it speaks, how long it may be silent, and how much may wait on it.

use std::time::Duration;

/// How often a link says that it is there, and when it counts as down.
///
/// Both ends of a link have the same, or the one that expects more often hears too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkOptions {
    /// After how long without anything to say a link says that it is there. 1 s.
    pub ping: Duration,
    /// After how long without a byte a link is down. 3 s: two pings may come late.
    pub silence: Duration,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self { ping: Duration::from_secs(1), silence: Duration::from_secs(3) }
    }
}

/// The most bytes of one parcel. 32 MiB, as the engine's own bound; a larger one cuts the link, as whatever follows it would have a hole before it.
pub const PARCEL_BYTES_MAX: usize = 32 << 20;

/// What may wait to be written to one link. 32 MiB, so that the largest parcel fits; a peer that is further behind learns faster from the log.
pub const QUEUE_BYTES_MAX: usize = 32 << 20;

/// What may have arrived from one peer and wait to be taken before its link is read no further; the parcel with which it is passed is held, too.
/// 4 MiB: some hundred batches, so that a reader of events who pauses for a moment does not stop the sockets.
pub const ARRIVED_BYTES_MAX: usize = 4 << 20;

/// What each item that waits counts for beside its bytes: the place in a queue, and the allocation.
pub(super) const ITEM_BYTES: usize = 64;

/// Connections of which it is not known yet who they are. 64: as many as the largest service has servers, twice. One more puts out the one that has
/// waited longest, of the address that has most.
pub const HANDSHAKES_MAX: usize = 64;

/// How long a connection may take until it is known who is at its other end. 5 s: some losses of packets, and no more.
pub(super) const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(5);

/// Connections for HTTP that have been accepted and wait to be taken. 64: who takes them does little else.
pub(super) const HTTP_WAITING_MAX: usize = 64;

/// How soon a link is dialled again, at first. 100 ms: a peer that restarts, or does not know this server yet, is back in about that time.
pub(super) const REDIAL_MIN: Duration = Duration::from_millis(100);

/// How seldom a link is dialled at most. 2 s: less than a lease, so that a cut network that heals costs nobody a lease.
pub(super) const REDIAL_MAX: Duration = Duration::from_secs(2);

/// How often whoever reads events is told of strangers at most. 250 ms: each time it reads the table.
pub(super) const STRANGERS_PAUSE: Duration = Duration::from_millis(250);

/// What is gathered for one write. 64 KiB: as much as TLS takes at a time; larger parcels are written from where they are.
pub(super) const WRITE_BYTES: usize = 64 << 10;

/// What is made room for before a read. 64 KiB: four records of TLS.
pub(super) const READ_BYTES: usize = 64 << 10;
