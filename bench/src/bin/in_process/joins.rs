//! Joins of a room with history: the command, the answer with 50 messages, and taking it.

use std::error::Error;

use bench::meter::ThreadTime;
use bench::scenario::Figures;
use chat_core::{Command, Connection, Engine, RoomCode};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::heap;
use super::setup::{Ear, code, connect, create, join, limits, runtime, text};
use super::{Outcome, median, put};

pub(crate) const RESIDENTS: usize = 9;
const MESSAGES: usize = 50;
/// Joins of one room. Each joiner leaves again, and all that stays in the backlog.
const JOINS: usize = 200;

pub(crate) fn measure(rounds: usize) -> Outcome {
    let runtime = runtime()?;
    let (engine, residents) = runtime.block_on(async {
        let engine = Engine::builder().limits(limits()).build();
        let residents = connect(&engine, RESIDENTS).await?;
        Ok::<_, Box<dyn Error>>((engine, residents))
    })?;
    let joiner = runtime.block_on(connect(&engine, 1))?.pop().ok_or("nobody connects")?;

    let (mut ear, mut rates, mut allocations, mut clean) = (Ear::default(), Vec::new(), Vec::new(), true);
    for round in 0..rounds {
        let room = code("JOIN", round)?;
        runtime.block_on(furnish(&room, &residents))?;
        let mut seconds = 0.0;
        for _ in 0..JOINS {
            let command = join(&room, RESIDENTS)?;
            let since = ThreadTime::now();
            enter(&runtime, &joiner, command, &mut ear)?;
            seconds += since.elapsed().as_secs_f64();
            clean &= is_whole(&ear.count.joined) || round > 0;
            runtime.block_on(leave(&room, &joiner))?;
            ear.hear(&joiner);
        }
        clean &= is_whole(&ear.count.joined) && ear.count.broken == 0;
        rates.push(JOINS as f64 / seconds);

        let command = join(&room, RESIDENTS)?;
        let mut entered = Ok(());
        let counted = heap::asked(|| entered = enter(&runtime, &joiner, command, &mut ear));
        entered?;
        allocations.push(counted.times as f64);
        runtime.block_on(async {
            leave(&room, &joiner).await?;
            for resident in &residents {
                leave(&room, resident).await?;
                ear.hear(resident);
            }
            Ok::<_, Box<dyn Error>>(())
        })?;
        ear.hear(&joiner);
    }
    let mut figures = Figures::new();
    figures.insert("joins".into(), (rounds * JOINS).into());
    figures.insert("clean".into(), clean.into());
    put(&mut figures, "joins_per_s", median(rates));
    put(&mut figures, "allocations_per_join", median(allocations));
    Ok(figures)
}

pub(crate) fn enter(
    runtime: &Runtime,
    joiner: &Connection,
    join: Command,
    ear: &mut Ear,
) -> Result<(), Box<dyn Error>> {
    runtime.block_on(joiner.call(join))?;
    ear.hear(joiner);
    Ok(())
}

pub(crate) async fn leave(room: &RoomCode, session: &Connection) -> Result<(), Box<dyn Error>> {
    session.call(Command::leave(room.clone())).await?;
    Ok(())
}

/// A room with its residents and what they have said.
pub(crate) async fn furnish(room: &RoomCode, residents: &[Connection]) -> Result<(), Box<dyn Error>> {
    let text = text()?;
    residents[0].call(create(room, 0)?).await?;
    for (nick, resident) in residents.iter().enumerate().skip(1) {
        resident.call(join(room, nick)?).await?;
    }
    for resident in residents.iter().cycle().take(MESSAGES) {
        resident.call(Command::send(room.clone(), text.clone())).await?;
    }
    Ok(())
}

/// Whether a `joined` has all members and all messages.
fn is_whole(joined: &[u8]) -> bool {
    let Ok(joined) = serde_json::from_slice::<Value>(joined) else { return false };
    let length = |name: &str| joined[name].as_array().map(Vec::len);
    length("members") == Some(RESIDENTS + 1) && length("history") == Some(MESSAGES)
}
