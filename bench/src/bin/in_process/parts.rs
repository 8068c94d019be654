//! The parts of a message's way that are not the room: reading a command, taking an event from the backlog, JSON.

use std::error::Error;
use std::hint::black_box;

use bench::meter::ThreadTime;
use bench::scenario::Figures;
use chat_core::{ClientFrame, Command, Engine, ServerFrame};

use super::setup::{Ear, code, connect, create, join, limits, runtime, text};
use super::{Outcome, median, put};

const REPEATS: usize = 5_000;
const READERS: usize = 100;
const EVENTS: usize = 64;
const SEND: &str = r#"{"type":"send","id":3,"room":"TLBSWGOC","text":"the quick brown fox jumps over the lazy dog and the quick brown fox jumps over the lazy dog once more","key":"c0ffee"}"#;
const MESSAGE: &str = r#"{"type":"message","room":"TLBSWGOC","seq":18,"at":"2026-11-22T18:00:00.123Z","member":2,"nick":"Bob","color":4,"text":"the quick brown fox jumps over the lazy dog and the quick brown fox jumps over the lazy dog once more","key":"c0ffee"}"#;

pub(crate) fn measure(rounds: usize) -> Outcome {
    let limits = limits();
    let frame: ServerFrame = serde_json::from_str(MESSAGE)?;
    ClientFrame::parse(SEND.as_bytes(), &limits.room, &limits.session).map_err(|bad| bad.reject)?;
    let mut figures = Figures::new();
    put(
        &mut figures,
        "parse_ns",
        ns(rounds, || {
            drop(black_box(ClientFrame::parse(black_box(SEND.as_bytes()), &limits.room, &limits.session)));
        }),
    );
    put(&mut figures, "write_json_ns", ns(rounds, || drop(black_box(serde_json::to_vec(black_box(&frame))))));
    put(
        &mut figures,
        "read_json_ns",
        ns(rounds, || {
            drop(black_box(serde_json::from_slice::<ServerFrame>(black_box(MESSAGE.as_bytes()))));
        }),
    );
    let (fill, clean) = runtime()?.block_on(fill(rounds))?;
    put(&mut figures, "fill_ns", fill);
    figures.insert("clean".into(), clean.into());
    Ok(figures)
}

/// Nanoseconds of one call, the median over rounds of many.
fn ns(rounds: usize, mut call: impl FnMut()) -> f64 {
    let round = |_| {
        let since = ThreadTime::now();
        (0..REPEATS).for_each(|_| call());
        since.elapsed().as_nanos() as f64 / REPEATS as f64
    };
    median((0..rounds).map(round).collect())
}

/// Nanoseconds to bring one event to one reader, up to the bytes of a write; and whether each has got all.
async fn fill(rounds: usize) -> Result<(f64, bool), Box<dyn Error>> {
    let engine = Engine::builder().limits(limits()).build();
    let readers = connect(&engine, READERS).await?;
    let (room, text) = (code("FILL", 0)?, text()?);
    readers[0].call(create(&room, 0)?).await?;
    for (nick, reader) in readers.iter().enumerate().skip(1) {
        reader.call(join(&room, nick)?).await?;
    }
    let (mut ear, mut times) = (Ear::default(), Vec::new());
    readers.iter().for_each(|reader| ear.hear(reader));
    for _ in 0..rounds {
        for _ in 0..EVENTS {
            readers[0].call(Command::send(room.clone(), text.clone())).await?;
        }
        let since = ThreadTime::now();
        readers.iter().for_each(|reader| ear.hear(reader));
        times.push(since.elapsed().as_nanos() as f64 / (EVENTS * READERS) as f64);
    }
    let clean = ear.count.messages == (rounds * EVENTS * READERS) as u64 && ear.count.broken == 0;
    Ok((median(times), clean))
}
