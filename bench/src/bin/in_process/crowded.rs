//! One very large room without sockets: what a join costs the engine as the room fills.

use std::error::Error;

use bench::meter::ThreadTime;
use bench::scenario::Figures;
use chat_core::{Connection, Engine, RoomCode};

use super::setup::{Ear, code, connect, create, join, limits, runtime};
use super::{Outcome, median, put};

/// Joins that are timed together.
const CHUNK: usize = 50;

pub(crate) fn measure(members: usize, small: usize, stretch: usize) -> Outcome {
    if small == 0 || small + 2 * stretch > members || stretch < CHUNK {
        return Err("the room is too small for two stretches".into());
    }
    let runtime = runtime()?;
    // Sessions that go while they are in a room want a runtime around them.
    let _around = runtime.enter();
    runtime.block_on(async {
        let engine = Engine::builder().limits(limits()).build();
        let sessions = connect(&engine, members).await?;
        let room = code("HUGE", 0)?;
        sessions[0].call(create(&room, 0)?).await?;
        let mut ear = Ear::default();
        enter(&sessions, 1..small, &room, &mut ear).await?;
        let near = enter(&sessions, small..small + stretch, &room, &mut ear).await?;
        enter(&sessions, small + stretch..members - stretch, &room, &mut ear).await?;
        let far = enter(&sessions, members - stretch..members, &room, &mut ear).await?;

        let total = serde_json::from_slice::<serde_json::Value>(&ear.count.joined)?["members_total"] == members;
        let mut figures = Figures::new();
        figures.insert("members".into(), members.into());
        figures.insert("clean".into(), (total && ear.count.broken == 0).into());
        put(&mut figures, "us_per_join_small", near);
        put(&mut figures, "us_per_join_huge", far);
        put(&mut figures, "join_growth", far / near);
        Ok(figures)
    })
}

/// Microseconds of one join and of taking its answer, the median over chunks. The others sleep and take nothing.
async fn enter(
    sessions: &[Connection],
    range: std::ops::Range<usize>,
    room: &RoomCode,
    ear: &mut Ear,
) -> Result<f64, Box<dyn Error>> {
    let mut times = Vec::new();
    let members: Vec<usize> = range.collect();
    for chunk in members.chunks(CHUNK) {
        let since = ThreadTime::now();
        for index in chunk {
            sessions[*index].call(join(room, *index)?).await?;
            ear.hear(&sessions[*index]);
        }
        times.push(since.elapsed().as_secs_f64() * 1e6 / chunk.len() as f64);
    }
    Ok(median(times))
}
