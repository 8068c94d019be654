//! Drives one chat server through one scenario and prints its figures as one line of JSON.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bench::meter::Process;
use bench::protocol::{AxumBroadcast, ChatSocketIo, ChatSse, ChatWs, PlainSse, Protocol, RawWs, Socketioxide};
use bench::scenario::{self, Figures, Ground, Huge, Idle, Paced, Saturation, Storm, Waiting};
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::Value;

#[derive(Debug, Parser)]
#[command(about = "Drives one chat server through one scenario and prints its figures as one line of JSON.")]
struct Options {
    /// How the server speaks.
    #[arg(long, value_enum)]
    protocol: Speech,
    /// Where it listens; loopback only.
    #[arg(long)]
    server: SocketAddr,
    /// Its process, whose CPU time and memory are read.
    #[arg(long)]
    pid: u32,
    /// Bytes of each message's text.
    #[arg(long, default_value_t = 100)]
    text: usize,
    /// Seconds after which a run that has not ended is an error.
    #[arg(long, default_value_t = 120)]
    deadline: u64,
    /// Ask for news again and again instead of sleeping until there is some.
    #[arg(long)]
    spin: bool,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Speech {
    ChatWs,
    ChatSse,
    #[value(name = "chat-socketio")]
    ChatSocketIo,
    RawWs,
    AxumBroadcast,
    AxumSse,
    Nchan,
    Socketioxide,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// One room, as many messages as the server can deliver.
    Saturation {
        #[arg(long, default_value_t = 500)]
        members: usize,
        #[arg(long, default_value_t = 1)]
        senders: usize,
        #[arg(long, default_value_t = 16)]
        in_flight: u32,
        #[arg(long, default_value_t = 1.0)]
        warmup: f64,
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// One room in which somebody speaks now and then.
    Quiet {
        #[arg(long, default_value_t = 500)]
        members: usize,
        #[arg(long, default_value_t = 20)]
        rate: u32,
        #[arg(long, default_value_t = 1.0)]
        warmup: f64,
        #[arg(long, default_value_t = 8.0)]
        seconds: f64,
    },
    /// Many rooms of a few members.
    SmallRooms {
        #[arg(long, default_value_t = 250)]
        rooms: usize,
        #[arg(long, default_value_t = 4)]
        members: usize,
        #[arg(long, default_value_t = 2000)]
        rate: u32,
        #[arg(long, default_value_t = 1.0)]
        warmup: f64,
        #[arg(long, default_value_t = 8.0)]
        seconds: f64,
    },
    /// Many connections that say nothing.
    Idle {
        #[arg(long, default_value_t = 5000)]
        connections: usize,
        #[arg(long, default_value_t = 2.0)]
        settle: f64,
    },
    /// Everybody joins one room.
    JoinStorm {
        #[arg(long, default_value_t = 1000)]
        members: usize,
        #[arg(long, default_value_t = 32)]
        in_flight: usize,
    },
    /// One very large room.
    HugeRoom {
        #[arg(long, default_value_t = 15_000)]
        members: usize,
        #[arg(long, default_value_t = 2000)]
        small: usize,
        #[arg(long, default_value_t = 1000)]
        stretch: usize,
        #[arg(long, default_value_t = 10)]
        messages: u32,
        #[arg(long, default_value_t = 2)]
        rate: u32,
    },
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(figures) => {
            println!("{}", Value::Object(figures));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<Figures, Box<dyn Error>> {
    if !options.server.ip().is_loopback() {
        return Err("this load is for loopback only".into());
    }
    let run = std::process::id();
    match options.protocol {
        Speech::ChatWs => run_with(ChatWs::new(run), options),
        Speech::ChatSse => run_with(ChatSse::new(run), options),
        Speech::ChatSocketIo => run_with(ChatSocketIo::new(run), options),
        Speech::RawWs => run_with(RawWs, options),
        Speech::AxumBroadcast => run_with(AxumBroadcast, options),
        Speech::AxumSse => run_with(PlainSse::axum(), options),
        Speech::Nchan => run_with(PlainSse::nchan(), options),
        Speech::Socketioxide => run_with(Socketioxide, options),
    }
}

fn run_with<P: Protocol>(protocol: P, options: &Options) -> Result<Figures, Box<dyn Error>> {
    let ground = Ground {
        server: options.server,
        process: Process::of(options.pid),
        deadline: Instant::now() + Duration::from_secs(options.deadline),
        text_bytes: options.text,
        waiting: if options.spin { Waiting::Spinning } else { Waiting::Sleeping },
    };
    let (name, found) = match options.scenario {
        Scenario::Saturation { members, senders, in_flight, warmup, seconds } => {
            let (warmup, window) = (bounded(warmup)?, bounded(seconds)?);
            let senders = senders.clamp(1, members);
            let plan = Saturation { members, senders, in_flight, warmup, window };
            ("saturation", scenario::saturation(protocol, &ground, &plan)?)
        }
        Scenario::Quiet { members, rate, warmup, seconds } => {
            let (warmup, window) = (bounded(warmup)?, bounded(seconds)?);
            let plan = Paced { rooms: 1, room_size: members, senders: 1, rate: rate.max(1), warmup, window };
            ("quiet", scenario::paced(protocol, &ground, &plan)?)
        }
        Scenario::SmallRooms { .. } if !P::ROOMS => return Err("this server has only one room".into()),
        Scenario::SmallRooms { rooms, members, rate, warmup, seconds } => {
            let (warmup, window) = (bounded(warmup)?, bounded(seconds)?);
            let plan = Paced { rooms, room_size: members, senders: members, rate: rate.max(1), warmup, window };
            ("small-rooms", scenario::paced(protocol, &ground, &plan)?)
        }
        Scenario::Idle { connections, settle } => {
            ("idle", scenario::idle(protocol, &ground, &Idle { connections, settle: bounded(settle)? })?)
        }
        Scenario::JoinStorm { members, in_flight } => {
            ("join-storm", scenario::storm(protocol, &ground, &Storm { members, in_flight: in_flight.max(1) })?)
        }
        Scenario::HugeRoom { members, small, stretch, messages, rate } => {
            let plan = Huge { members, stretch: stretch.max(1), small, messages, rate: rate.max(1) };
            ("huge-room", scenario::huge(protocol, &ground, &plan)?)
        }
    };
    let speech = options.protocol.to_possible_value().map(|value| value.get_name().to_owned());
    let mut figures = Figures::new();
    figures.insert("scenario".into(), name.into());
    figures.insert("protocol".into(), speech.into());
    figures.insert("loadavg".into(), fs::read_to_string("/proc/loadavg")?.trim().into());
    figures.extend(found);
    Ok(figures)
}

/// Every stretch of a run is bounded: a minute is longer than any needs.
fn bounded(seconds: f64) -> Result<Duration, Box<dyn Error>> {
    if seconds > 60.0 { Err("at most 60 seconds".into()) } else { Ok(Duration::try_from_secs_f64(seconds)?) }
}
