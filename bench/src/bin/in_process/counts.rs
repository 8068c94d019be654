//! What does not depend on the machine: allocations of a send, a join and a delivery, wake-ups, and the bytes that rooms and sessions keep.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bench::scenario::Figures;
use bytes::BytesMut;
use chat_core::Engine;

use super::setup::{Count, connect, limits, runtime};
use super::work::{Hall, READERS};
use super::{Outcome, heap, joins, put, rooms, send};

const ROUNDS: usize = 5;
const MESSAGES: usize = 200;
const SESSIONS: usize = 2_000;
const ROOMS: usize = 2_000;

pub(crate) fn measure() -> Outcome {
    let (sends, joins) = (send::measure(ROUNDS)?, joins::measure(ROUNDS)?);
    let mut figures = Figures::new();
    for (all, name) in
        [(&sends, "allocations_per_send"), (&sends, "allocations_per_keyed_send"), (&joins, "allocations_per_join")]
    {
        figures.insert(name.into(), all[name].clone());
    }
    let mut is_clean = sends["clean"] == true && joins["clean"] == true;
    deliver(&mut figures)?;
    is_clean &= keep(&mut figures)?;
    figures.insert("clean".into(), is_clean.into());
    Ok(figures)
}

/// How often somebody was woken.
#[derive(Default)]
struct Woken(AtomicU64);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A message said to many: what the command asks for, what hearing it asks for, and how often its readers are woken.
fn deliver(figures: &mut Figures) -> Result<(), Box<dyn Error>> {
    let runtime = runtime()?;
    // Sessions that go while they are in a room want a runtime around them.
    let _around = runtime.enter();
    let mut hall = runtime.block_on(Hall::furnished())?;
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let (mut said, mut heard) = (0, 0);
    for _ in 0..MESSAGES {
        // Each waits as a transport does, which has written all.
        for reader in &hall.readers {
            let waits = reader.poll_fill(&Context::from_waker(&waker), &mut Count::default(), &mut BytesMut::new());
            if !matches!(waits, Poll::Pending) {
                return Err("somebody has not heard all yet".into());
            }
        }
        let mut done = Ok(());
        said += heap::asked(|| done = runtime.block_on(hall.say())).times;
        done?;
        heard += heap::asked(|| hall.hear()).times;
    }
    hall.check(MESSAGES)?;
    let deliveries = (MESSAGES * READERS) as f64;
    put(figures, "allocations_per_command", said as f64 / MESSAGES as f64);
    put(figures, "allocations_per_delivery", heard as f64 / deliveries);
    put(figures, "wake_ups_per_delivery", woken.0.load(Ordering::Relaxed) as f64 / deliveries);
    Ok(())
}

/// The bytes that an idle session keeps, and an idle room of 4 members with 50 messages; and whether everybody heard all of them.
fn keep(figures: &mut Figures) -> Result<bool, Box<dyn Error>> {
    let runtime = runtime()?;
    let _around = runtime.enter();
    let engine = Engine::builder().limits(limits()).build();
    // What is allocated once is there before the first look.
    let sessions = ROOMS.div_ceil(rooms::ROOMS_PER_SESSION) * rooms::MEMBERS;
    let mut connected = runtime.block_on(connect(&engine, sessions.max(SESSIONS)))?;
    let mut more = Ok(Vec::with_capacity(SESSIONS));
    let idle = heap::asked(|| more = runtime.block_on(connect(&engine, SESSIONS)));
    connected.extend(more?);
    let (mut ear, mut filled) = (super::setup::Ear::default(), Ok(()));
    let held = heap::asked(|| filled = runtime.block_on(rooms::fill(&connected, 0..ROOMS, &mut ear)));
    filled?;
    put(figures, "bytes_per_idle_session", idle.bytes_kept as f64 / SESSIONS as f64);
    put(figures, "bytes_per_idle_room", held.bytes_kept as f64 / ROOMS as f64);
    Ok(ear.count.broken == 0 && engine.stats().rooms == ROOMS)
}
