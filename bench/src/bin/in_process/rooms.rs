//! Many idle rooms: what each keeps in memory, and whether creating, joining, sending and deleting cost the same beside them.

use std::error::Error;

use bench::meter::{Process, ThreadTime};
use bench::scenario::Figures;
use chat_core::{Command, Connection, Engine};
use tokio::task::yield_now;

use super::heap;
use super::setup::{Ear, code, connect, create, join, limits, runtime, text};
use super::{Outcome, median, put};

pub(crate) const MEMBERS: usize = 4;
const MESSAGES: usize = 50;
/// As many as a session may be in.
pub(crate) const ROOMS_PER_SESSION: usize = 32;
/// Rooms beside which a step is cheap, if it ever is.
const FEW: usize = 1_000;
const CHUNK: usize = 16;
const CHUNKS: usize = 125;

pub(crate) fn measure(rooms: usize) -> Outcome {
    if rooms <= FEW {
        return Err("there must be more rooms than the few they are compared with".into());
    }
    let runtime = runtime()?;
    // Sessions that go while they are in a room want a runtime around them.
    let _around = runtime.enter();
    let (engine, sessions, probes) = runtime.block_on(async {
        let engine = Engine::builder().limits(limits()).build();
        let sessions = connect(&engine, rooms.div_ceil(ROOMS_PER_SESSION) * MEMBERS).await?;
        let probes = connect(&engine, MEMBERS).await?;
        // What is allocated once is there before the first look.
        Steps::measured(&engine, &probes, 0).await?;
        Ok::<_, Box<dyn Error>>((engine, sessions, probes))
    })?;

    let mut ear = Ear::default();
    let before = Process::own().rss_kib()?;
    let mut heap_bytes = 0;
    let mut fill = |rooms| {
        let mut filled = Ok(());
        let held = heap::asked(|| filled = runtime.block_on(fill(&sessions, rooms, &mut ear)));
        heap_bytes += held.bytes_kept;
        filled
    };
    fill(0..FEW)?;
    let few = runtime.block_on(Steps::measured(&engine, &probes, 1))?;
    fill(FEW..rooms)?;
    let after = Process::own().rss_kib()?;
    let many = runtime.block_on(Steps::measured(&engine, &probes, 2))?;

    // Each member heard each message once.
    let heard = ear.count.messages == (rooms * MEMBERS * MESSAGES) as u64 && ear.count.broken == 0;
    let encoded = ear.count.message_bytes as f64 / (rooms * MEMBERS) as f64;
    let bytes = after.saturating_sub(before) as f64 * 1024.0 / rooms as f64;
    let mut figures = Figures::new();
    figures.insert("rooms".into(), rooms.into());
    figures.insert("clean".into(), (heard && engine.stats().rooms == rooms).into());
    put(&mut figures, "bytes_per_room", bytes);
    put(&mut figures, "heap_bytes_per_room", heap_bytes as f64 / rooms as f64);
    put(&mut figures, "encoded_bytes_per_room", encoded);
    put(&mut figures, "bytes_beyond", bytes - 1.3 * encoded);
    for (name, few, many) in [
        ("create", few.create, many.create),
        ("join", few.join, many.join),
        ("send", few.send, many.send),
        ("delete", few.delete, many.delete),
    ] {
        put(&mut figures, &format!("{name}_ns_beside_few"), few);
        put(&mut figures, &format!("{name}_ns_beside_many"), many);
        put(&mut figures, &format!("{name}_growth"), many / few);
    }
    Ok(figures)
}

/// Makes these rooms, has everybody say their share, and everybody hear it.
pub(crate) async fn fill(
    sessions: &[Connection],
    rooms: std::ops::Range<usize>,
    ear: &mut Ear,
) -> Result<(), Box<dyn Error>> {
    let text = text()?;
    for index in rooms {
        let first = index / ROOMS_PER_SESSION * MEMBERS;
        let members = &sessions[first..first + MEMBERS];
        let room = code("IDLE", index)?;
        members[0].call(create(&room, 0)?).await?;
        for (nick, member) in members.iter().enumerate().skip(1) {
            member.call(join(&room, nick)?).await?;
        }
        for member in members.iter().cycle().take(MESSAGES) {
            member.call(Command::send(room.clone(), text.clone())).await?;
        }
        members.iter().for_each(|member| ear.hear(member));
    }
    Ok(())
}

/// Nanoseconds of each step, medians over chunks of rooms.
struct Steps {
    create: f64,
    join: f64,
    send: f64,
    delete: f64,
}

impl Steps {
    async fn measured(engine: &Engine, probes: &[Connection], run: usize) -> Result<Self, Box<dyn Error>> {
        let (text, before, mut ear) = (text()?, engine.stats().rooms, Ear::default());
        let mut times: [Vec<f64>; 4] = Default::default();
        let mut took = |step: usize, count: usize, since: ThreadTime| {
            times[step].push(since.elapsed().as_nanos() as f64 / count as f64);
        };
        for chunk in 0..CHUNKS {
            let codes = (0..CHUNK).map(|index| code("PROBE", (run * CHUNKS + chunk) * CHUNK + index));
            let codes = codes.collect::<Result<Vec<_>, _>>()?;
            let since = ThreadTime::now();
            for room in &codes {
                probes[0].call(create(room, 0)?).await?;
            }
            took(0, CHUNK, since);
            let since = ThreadTime::now();
            for room in &codes {
                for (nick, probe) in probes.iter().enumerate().skip(1) {
                    probe.call(join(room, nick)?).await?;
                }
            }
            took(1, CHUNK * (MEMBERS - 1), since);
            let since = ThreadTime::now();
            for room in &codes {
                for probe in probes {
                    probe.call(Command::send(room.clone(), text.clone())).await?;
                }
            }
            took(2, CHUNK * MEMBERS, since);
            for probe in &probes[1..] {
                for room in &codes {
                    probe.call(Command::leave(room.clone())).await?;
                }
            }
            let since = ThreadTime::now();
            for room in &codes {
                probes[0].call(Command::leave(room.clone())).await?;
            }
            // The last leave is answered before its room has gone.
            while engine.stats().rooms > before {
                yield_now().await;
            }
            took(3, CHUNK, since);
            probes.iter().for_each(|probe| ear.hear(probe));
        }
        let [create, join, send, delete] = times.map(median);
        Ok(Self { create, join, send, delete })
    }
}
