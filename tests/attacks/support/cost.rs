//! What an attack has cost: its ratios to what the attacker has spent, and that an honest client is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::server::{Queues, Server, is_slow};
use super::wire::{Tally, Target, Wire};
use super::{Door, Guest, HONEST, in_time};

/// Memory that costs nobody anything, in bytes. 12 MiB: the allocator and the runtime take it in steps, whatever for.
const MEMORY_FREE: u64 = 12 << 20;
/// Time of the processor that is free. 300 ms: the clock of a process has ticks of 10, and other programs share its caches.
const CPU_FREE: Duration = Duration::from_millis(300);
/// By how much code without optimisation is slower, at most.
const SLOWNESS: u32 = 20;

/// What an attack may cost, in ratios. What one does not name is as in [`Bounds::NOTHING`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of memory at its peak, for each byte sent.
    pub(crate) memory_per_byte: u64,
    /// Bytes of memory at its peak, for each connection that was opened.
    pub(crate) memory_per_connection: u64,
    /// Bytes in the kernel for the server's ends, for each connection: not sent, and not read.
    pub(crate) kernel_per_connection: u64,
    /// Microseconds of the processor for each byte sent.
    pub(crate) cpu_us_per_byte: f64,
    /// Microseconds of the processor for each connection.
    pub(crate) cpu_us_per_connection: u64,
    /// Bytes answered for each byte sent.
    pub(crate) answered_per_byte: u64,
    /// Bytes answered for each connection.
    pub(crate) answered_per_connection: u64,
    /// Bytes answered at once, whatever was sent, and for each second that the attack has lasted.
    pub(crate) answered_free: [u64; 2],
}

impl Bounds {
    /// Of an attack that gets nothing for what it sends.
    pub(crate) const NOTHING: Self = Self {
        memory_per_byte: 4,
        memory_per_connection: 32 << 10,
        // What is on its way when it is looked at.
        kernel_per_connection: 64 << 10,
        cpu_us_per_byte: 1.0,
        cpu_us_per_connection: 1_000,
        answered_per_byte: 4,
        answered_per_connection: 2 << 10,
        answered_free: [64 << 10, 0],
    };
}

/// An attack on a server of its own that has served honest clients by every transport, so that what they need is there already.
pub(crate) struct Attack {
    pub(crate) server: Server,
    tally: Arc<Tally>,
    kernel_peak: AtomicU64,
    resident: u64,
    cpu: Duration,
    began: Instant,
}

impl Attack {
    /// On a server with these flags, or those by default.
    pub(crate) async fn on(flags: &[&str]) -> Self {
        Self::against(Server::start(flags).await).await
    }

    pub(crate) async fn against(server: Server) -> Self {
        serve_honest(&server).await;
        server.forget_peak();
        let (resident, cpu) = (server.resident(), server.cpu());
        Self { server, tally: Arc::default(), kernel_peak: AtomicU64::new(0), resident, cpu, began: Instant::now() }
    }

    /// Leaves out what it took to prepare: the cost is counted from here on.
    pub(crate) fn begin(&mut self) {
        self.server.forget_peak();
        (self.resident, self.cpu, self.began) = (self.server.resident(), self.server.cpu(), Instant::now());
        self.tally = Arc::default();
    }

    /// Connects from this host of the machine.
    pub(crate) async fn dial(&self, host: u8) -> Wire {
        Wire::dial(&self.server.target, host, None, &self.tally).await
    }

    /// A connection of TCP and nothing above it, though the server may want TLS.
    pub(crate) async fn dial_plain(&self, host: u8) -> Wire {
        let plain = Target { address: self.server.target.address, tls: None };
        Wire::dial(&plain, host, None, &self.tally).await
    }

    /// Connects with so small a buffer for what comes that not reading is soon felt: what the kernel holds of that is the server's.
    pub(crate) async fn dial_narrow(&self, host: u8) -> Wire {
        Wire::dial(&self.server.target, host, Some(4 << 10), &self.tally).await
    }

    /// Comes in from this host of the machine; nothing where the server has no place for now.
    pub(crate) async fn enter(&self, door: Door, host: u8) -> Option<Guest> {
        Guest::enter(&self.server.target, &self.tally, door, host).await
    }

    /// Comes in as somebody who attacks nobody, at nobody's cost.
    pub(crate) async fn honest(&self, door: Door) -> Guest {
        let uncounted = Arc::default();
        Guest::enter(&self.server.target, &uncounted, door, HONEST).await.expect("an honest client comes in")
    }

    /// How long it has lasted, for bounds that are rates.
    pub(crate) fn lasted(&self) -> Duration {
        self.began.elapsed()
    }

    /// Looks at what the kernel holds now.
    pub(crate) fn look(&self) {
        let Queues { unsent, unread } = self.server.queues();
        self.kernel_peak.fetch_max(unsent + unread, Ordering::Relaxed);
    }

    /// Waits until the server takes no more of what lies in the kernel for it, and gives no more: whatever it does of its own accord is done.
    pub(crate) async fn settle(&self) {
        let settled = async {
            let mut before = self.server.queues();
            let mut same = 0;
            while same < 5 {
                healthz(&self.server).await;
                let now = self.server.queues();
                same = if now == before { same + 1 } else { 0 };
                before = now;
            }
        };
        in_time(settled).await;
        self.look();
    }

    /// The end of an attack: what it has cost is said, and within its bounds, and an honest client is served by every transport.
    pub(crate) async fn costs_at_most(&self, what: &str, bounds: &Bounds) {
        self.settle().await;
        let [sent, answered, connections] = [&self.tally.sent, &self.tally.answered, &self.tally.connections]
            .map(|count| count.load(Ordering::Relaxed));
        let memory = self.server.resident_peak().saturating_sub(self.resident);
        let kernel = self.kernel_peak.load(Ordering::Relaxed);
        let cpu = self.server.cpu().saturating_sub(self.cpu);
        serve_honest(&self.server).await;
        println!(
            "{what}: {connections} connections and {sent} bytes sent cost {} KiB of memory, {} KiB in the kernel, {} ms of CPU and {answered} \
             bytes answered",
            memory >> 10,
            kernel >> 10,
            cpu.as_millis()
        );
        let by = |each: u64, per: u64, of: u64| each * sent + per * connections + of;
        let memory_max = by(bounds.memory_per_byte, bounds.memory_per_connection, MEMORY_FREE);
        assert!(memory <= memory_max, "{what}: {memory} bytes of memory, of {memory_max}");
        let kernel_max = bounds.kernel_per_connection * (connections + 1);
        assert!(kernel <= kernel_max, "{what}: {kernel} bytes in the kernel, of {kernel_max}");
        let bytes_us = sent as f64 * bounds.cpu_us_per_byte;
        let spent_us = bytes_us + (bounds.cpu_us_per_connection * connections) as f64;
        let cpu_max = CPU_FREE + Duration::from_secs_f64(spent_us / 1e6);
        let cpu_max = cpu_max * if is_slow() { SLOWNESS } else { 1 };
        assert!(cpu <= cpu_max, "{what}: {cpu:?} of CPU, of {cpu_max:?}");
        let [once, second] = bounds.answered_free;
        let free = once + second * (self.lasted().as_secs() + 1);
        let answered_max = by(bounds.answered_per_byte, bounds.answered_per_connection, free);
        assert!(answered <= answered_max, "{what}: {answered} bytes answered, of {answered_max}");
    }
}

async fn healthz(server: &Server) {
    let tally = Arc::default();
    let mut wire = Wire::dial(&server.target, HONEST, None, &tally).await;
    assert!(wire.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await);
    let answer = wire.answer().await.expect("an answer");
    assert_eq!(answer.status, 200);
}

/// Somebody comes in by each transport, makes a room, says something there, and hears it.
async fn serve_honest(server: &Server) {
    healthz(server).await;
    for door in Door::ALL {
        let tally = Arc::default();
        let mut guest = Guest::enter(&server.target, &tally, door, HONEST).await.expect("an honest client comes in");
        let room = guest.create("Honest").await;
        guest.say("send", &format!(r#""room":"{room}","text":"all is well""#)).await;
        guest.expect("all is well").await;
        guest.say("leave", &format!(r#""room":"{room}""#)).await;
        guest.expect(r#""reason":"left""#).await;
    }
}
