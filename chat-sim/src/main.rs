//! Runs worlds: one that is named by its seed, or many.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use chat_sim::{Settings, Way, World, run};
use clap::{Parser, ValueEnum};

/// Simulates chat servers and their people. One seed is one world.
#[derive(Debug, Parser)]
struct Flags {
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many worlds, seed by seed.
    #[arg(long, default_value_t = 1)]
    worlds: u64,
    /// The doors people come by; may be given several times. Without, each world draws some.
    #[arg(long)]
    by: Vec<Door>,
    /// Print everything that happens.
    #[arg(long)]
    trace: bool,
    /// Run each world twice, and compare.
    #[arg(long)]
    twice: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Door {
    Ws,
    Sse,
    SocketIo,
    Polling,
}

impl From<Door> for Way {
    fn from(door: Door) -> Self {
        match door {
            Door::Ws => Self::Ws,
            Door::Sse => Self::Sse,
            Door::SocketIo => Self::SocketIo,
            Door::Polling => Self::Polling,
        }
    }
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let ways = (!flags.by.is_empty()).then(|| flags.by.iter().copied().map(Way::from).collect());
    let settings = Settings { ways, shown: flags.trace };
    let begun = Instant::now();
    let (mut lines, mut records) = (0, 0);
    for (count, seed) in (flags.seed..flags.seed.saturating_add(flags.worlds)).enumerate() {
        if flags.worlds == 1 {
            println!("seed {seed}");
        }
        let world = run(seed, &settings);
        if world.broken.is_some() {
            return tell(&world);
        }
        if flags.twice && run(seed, &settings).hash != world.hash {
            println!("seed {seed}: run again, the world is another one");
            return ExitCode::FAILURE;
        }
        (lines, records) = (lines + world.lines, records + world.records as u64);
        if flags.worlds == 1 {
            println!("hash {:016x}, {} lines, {} servers", world.hash, world.lines, world.servers);
        } else if std::io::stdout().is_terminal() || (count + 1) % 100 == 0 {
            print!("\r{} of {} worlds, {} s", count + 1, flags.worlds, begun.elapsed().as_secs());
            let _ = std::io::stdout().flush();
        }
    }
    if flags.worlds > 1 {
        println!("\n{} worlds, {records} records, {lines} lines: every promise was kept", flags.worlds);
    }
    ExitCode::SUCCESS
}

fn tell(world: &World) -> ExitCode {
    println!("\nseed {}", world.seed);
    for line in &world.last {
        println!("{line}");
    }
    if let Some(broken) = &world.broken {
        println!("{broken}");
    }
    println!("replay: cargo run --release -p chat-sim -- --seed {}", world.seed);
    ExitCode::FAILURE
}
