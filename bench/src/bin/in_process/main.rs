//! Measures the engine and the room without any socket, in this process, and prints figures as one line of JSON.
//!
//! Everything runs on one thread. The global allocator counts; that costs a few nanoseconds for each allocation, which are in all figures
//! of time.

mod counts;
mod crowded;
mod heap;
mod joins;
mod many;
mod parts;
mod rooms;
mod send;
mod setup;
mod work;

use std::error::Error;
use std::process::ExitCode;

use bench::meter::{Mark, Process};
use bench::scenario::Figures;
use bench::table::Spread;
use clap::{Parser, Subcommand};
use serde_json::Value;

#[derive(Debug, Parser)]
#[command(about = "Measures the engine and the room in this process and prints figures as one line of JSON.")]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Many idle rooms: their memory, and what a step costs beside them.
    Rooms {
        #[arg(long, default_value_t = 100_000)]
        rooms: usize,
    },
    /// Many sessions in rooms of four: their memory, what a step costs beside them, and everybody coming back at once.
    Many {
        #[arg(long, default_value_t = 1_000_000)]
        sessions: usize,
    },
    /// One very large room: what a join costs as it fills.
    Crowded {
        #[arg(long, default_value_t = 15_000)]
        members: usize,
        #[arg(long, default_value_t = 2_000)]
        small: usize,
        #[arg(long, default_value_t = 1_000)]
        stretch: usize,
    },
    /// Joins that are shown 50 messages.
    Joins {
        #[arg(long)]
        quick: bool,
    },
    /// The pure room: decide and apply of a send.
    Send {
        #[arg(long)]
        quick: bool,
    },
    /// Parsing, backlog and framing, JSON.
    Parts {
        #[arg(long)]
        quick: bool,
    },
    /// What does not depend on the machine: allocations, wake-ups, bytes that are kept.
    Counts,
    /// One kind of work, so many times and nothing else: for a tool that counts instructions.
    Work {
        #[arg(value_enum)]
        kind: work::Kind,
        #[arg(long)]
        times: usize,
    },
}

type Outcome = Result<Figures, Box<dyn Error>>;

fn main() -> ExitCode {
    match run(&Options::parse().what) {
        Ok(figures) => {
            println!("{}", Value::Object(figures));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("in_process: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(what: &What) -> Outcome {
    let rounds = |quick: bool| if quick { 5 } else { 51 };
    let from = Mark::now(Process::own())?;
    let mut figures = match what {
        What::Rooms { rooms } => rooms::measure(*rooms)?,
        What::Many { sessions } => many::measure(*sessions)?,
        What::Crowded { members, small, stretch } => crowded::measure(*members, *small, *stretch)?,
        What::Joins { quick } => joins::measure(rounds(*quick))?,
        What::Send { quick } => send::measure(rounds(*quick))?,
        What::Parts { quick } => parts::measure(rounds(*quick))?,
        What::Counts => counts::measure()?,
        What::Work { kind, times } => work::measure(*kind, *times)?,
    };
    let window = from.until(&Mark::now(Process::own())?);
    put(&mut figures, "window_s", window.seconds);
    put(&mut figures, "others_cpu_share", window.others_share);
    put(&mut figures, "steal_share", window.steal_share);
    Ok(figures)
}

/// A figure with three decimals.
fn put(figures: &mut Figures, name: &str, value: f64) {
    figures.insert(name.to_owned(), ((value * 1e3).round() / 1e3).into());
}

/// The median of `values`, of which there is at least one.
fn median(values: Vec<f64>) -> f64 {
    Spread::of(values).map_or(f64::NAN, |spread| spread.median)
}
