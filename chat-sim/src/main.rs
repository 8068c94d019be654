//! Runs worlds: one that is named by its seed, or many, on several threads.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{LineWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Instant;

use chat_sim::frames::{self, Side};
use chat_sim::store::play;
use chat_sim::{Kind, Network, Settings, TransportKind, World, run};
use clap::{Parser, ValueEnum};

/// Simulates chat servers and their people. One seed is one world.
#[derive(Debug, Parser)]
struct Flags {
    /// The first seed: a number, or `random` for one that the system draws.
    #[arg(long, default_value = "0")]
    seed: Seed,
    /// How many worlds, seed by seed.
    #[arg(long, default_value_t = 1)]
    worlds: u64,
    /// The transports people come by; may be given several times. Without, each world draws some.
    #[arg(long)]
    by: Vec<TransportFlag>,
    /// What the worlds are about. Without, each world draws it.
    #[arg(long)]
    kind: Option<About>,
    /// What connects people and servers. Without, each world draws it.
    #[arg(long)]
    network: Option<NetworkFlag>,
    /// Print everything that happens.
    #[arg(long)]
    trace: bool,
    /// Run each world twice, and compare.
    #[arg(long)]
    twice: bool,
    /// Go on after a broken promise; one line for each.
    #[arg(long)]
    keep_going: bool,
    /// Play schedules of several servers over one store, in place of worlds.
    #[arg(long, conflicts_with_all = ["by", "kind", "network", "trace", "twice", "jobs"])]
    store: bool,
    /// Write every frame that somebody says or is told into this file, a line for each: whose it is, and the frame.
    #[arg(long, conflicts_with_all = ["store", "jobs"])]
    frames: Option<PathBuf>,
    /// How many worlds at once. Each has a thread to itself.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_024))]
    jobs: u64,
}

/// The first seed of a run.
#[derive(Clone, Copy, Debug)]
struct Seed(u64);

impl FromStr for Seed {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            // Short enough to be typed again.
            "random" => Ok(Self(u64::from(rand::random::<u32>()))),
            text => text.parse().map(Self),
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TransportFlag {
    Ws,
    Sse,
    SocketIo,
    Polling,
}

impl From<TransportFlag> for TransportKind {
    fn from(flag: TransportFlag) -> Self {
        match flag {
            TransportFlag::Ws => Self::Ws,
            TransportFlag::Sse => Self::Sse,
            TransportFlag::SocketIo => Self::SocketIo,
            TransportFlag::Polling => Self::Polling,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum About {
    Usual,
    Narrow,
    Bursts,
    HeldBack,
    Counted,
    Devices,
    Cut,
    PutOut,
    /// Rooms for which much is set.
    Ruled,
    /// Guests of few networks, who are kept out by where they come from.
    Networks,
    /// Several servers over one log, each of which decides for some rooms.
    Servers,
    /// Several servers that lose each other, stand still, die, and take each other's rooms.
    Failover,
    /// A host that speaks, and says nothing twice.
    Host,
}

impl From<About> for Kind {
    fn from(about: About) -> Self {
        match about {
            About::Usual => Self::Usual,
            About::Narrow => Self::Narrow,
            About::Bursts => Self::Bursts,
            About::HeldBack => Self::HeldBack,
            About::Counted => Self::Counted,
            About::Devices => Self::Devices,
            About::Cut => Self::Cut,
            About::PutOut => Self::PutOut,
            About::Ruled => Self::Ruled,
            About::Networks => Self::Networks,
            About::Servers => Self::Servers,
            About::Failover => Self::Failover,
            About::Host => Self::Host,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NetworkFlag {
    Plain,
    Lying,
}

impl From<NetworkFlag> for Network {
    fn from(flag: NetworkFlag) -> Self {
        match flag {
            NetworkFlag::Plain => Self::Plain,
            NetworkFlag::Lying => Self::Lying,
        }
    }
}

/// A world that has been run, and whether it was another one the second time.
struct Done {
    world: World,
    differs: bool,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let first = flags.seed.0;
    println!("seed {first}");
    if flags.store {
        return play_schedules(&flags);
    }
    let begun = Instant::now();
    let (mut count, mut lines, mut records, mut bad) = (0, 0, 0, 0_u64);
    let next = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (tell, done) = mpsc::channel();
        for _ in 0..flags.jobs.min(flags.worlds) {
            let (flags, next, is_over, tell) = (&flags, &next, &is_over, tell.clone());
            scope.spawn(move || work(flags, next, is_over, &tell));
        }
        drop(tell);
        for Done { world, differs } in done {
            (count, lines, records) = (count + 1, lines + world.lines, records + world.records as u64);
            if differs || world.broken.is_some() {
                bad += 1;
                tell_of(&flags, &world);
                is_over.store(!flags.keep_going, Ordering::Relaxed);
            } else if flags.worlds == 1 {
                println!("hash {:016x}, {} lines, {} servers", world.hash, world.lines, world.servers);
            }
            if flags.worlds > 1 && count % 1_000 == 0 {
                println!("{count} of {} worlds, {} s", flags.worlds, begun.elapsed().as_secs());
            }
        }
    });
    if bad > 0 {
        println!("{count} worlds from seed {first}, {bad} in which something is wrong");
        return ExitCode::FAILURE;
    }
    if flags.worlds > 1 {
        println!("{count} worlds from seed {first}, {records} records, {lines} lines: every promise was kept");
    }
    ExitCode::SUCCESS
}

/// Plays one schedule after the other.
fn play_schedules(flags: &Flags) -> ExitCode {
    let (mut acked, mut bad) = (0, 0_u64);
    for number in 0..flags.worlds {
        let seed = flags.seed.0.wrapping_add(number);
        let schedule = play(seed, None);
        acked += schedule.acked;
        if let Some(broken) = schedule.broken {
            bad += 1;
            println!("seed {seed}: {broken}\nreplay: cargo run --release -p chat-sim -- --store --seed {seed}");
            if !flags.keep_going {
                break;
            }
        }
    }
    if bad > 0 {
        return ExitCode::FAILURE;
    }
    println!("{} schedules from seed {}, {acked} acked: every promise was kept", flags.worlds, flags.seed.0);
    ExitCode::SUCCESS
}

/// Runs one world after the other, as long as there are any.
fn work(flags: &Flags, next: &AtomicU64, is_over: &AtomicBool, tell: &Sender<Done>) {
    let transports = (!flags.by.is_empty()).then(|| flags.by.iter().copied().map(TransportKind::from).collect());
    let (kind, network) = (flags.kind.map(Kind::from), flags.network.map(Network::from));
    let settings = Settings { transports, kind, network, feed_bug: None, shown: flags.trace };
    if let Some(path) = &flags.frames {
        write_frames(path);
    }
    while !is_over.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= flags.worlds {
            return;
        }
        let world = run(flags.seed.0.wrapping_add(number), &settings);
        let differs = flags.twice && world.broken.is_none() && run(world.seed, &settings).hash != world.hash;
        // Nobody listens any more where the first broken promise has ended it.
        let _ = tell.send(Done { world, differs });
    }
}

/// Writes the frames of the worlds that run on this thread.
fn write_frames(path: &Path) {
    let file = File::create(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // Line by line: what a thread still holds may be lost where the program ends before it.
    let mut file = LineWriter::new(file);
    frames::watch(move |side, json| {
        let side = match side {
            Side::Client => "client",
            Side::Server => "server",
        };
        writeln!(file, "{side} {json}").expect("the file takes frames");
    });
}

/// What is wrong with a world, and how to see it again.
fn tell_of(flags: &Flags, world: &World) {
    let mut replay = format!("cargo run --release -p chat-sim -- --seed {}", world.seed);
    for flag in &flags.by {
        let name = flag.to_possible_value().expect("no flag is hidden");
        write!(replay, " --by {}", name.get_name()).expect("a String takes every write");
    }
    if let Some(about) = flags.kind.and_then(|about| about.to_possible_value()) {
        write!(replay, " --kind {}", about.get_name()).expect("a String takes every write");
    }
    if let Some(network) = flags.network.and_then(|network| network.to_possible_value()) {
        write!(replay, " --network {}", network.get_name()).expect("a String takes every write");
    }
    let Some(broken) = &world.broken else {
        return println!("seed {}: run again, the world is another one: {replay} --twice", world.seed);
    };
    if flags.keep_going {
        let how: String = broken.how.chars().take(200).collect();
        return println!("seed {}: {}: {}: {replay}", world.seed, broken.promise, how.replace('\n', " "));
    }
    println!("\nseed {}", world.seed);
    for line in &world.last {
        println!("{line}");
    }
    println!("{broken}\nreplay: {replay}");
}
