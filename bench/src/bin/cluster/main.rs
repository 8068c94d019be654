//! Measures several servers on one database: what a hop costs, what a follower costs, and what people notice when a server goes.
//!
//! Servers are processes of their own, as they are released; the load is this process, on one thread. All share the machine with PostgreSQL.

mod follower;
mod frame;
mod hop;
mod moments;
mod outage;
mod page;
mod place;
mod rolling;
mod service;
mod session;
mod takeover;
mod wire;

use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bench::machine;
use bench::postgres::Programs;
use bench::scenario::Figures;
use bench::table::Run;
use clap::Parser;
use tokio::runtime::Builder;

use service::{Service, Settings};

/// What may end a measurement, from whichever task.
type Fault = Box<dyn Error + Send + Sync>;

/// How long one measurement may take, with all that comes before it.
const MEASURE_MAX: Duration = Duration::from_secs(300);

#[derive(Debug, Parser)]
#[command(about = "Measures several servers on one database and writes a page.")]
struct Options {
    /// Everything small, and once: shows that everything works, not how fast.
    #[arg(long)]
    quick: bool,
    /// How often each scenario is repeated; otherwise as often as its own figures need.
    #[arg(long)]
    rounds: Option<usize>,
    /// Only these scenarios: hop, follower, takeover, outage, rolling.
    #[arg(long, value_delimiter = ',')]
    scenarios: Vec<String>,
    /// The folder that all data lie below, on a disk; the system's for what is temporary unless it is named.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Where the page and the raw lines go.
    #[arg(long, default_value = "bench/results")]
    out: PathBuf,
}

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Quick,
    Full,
}

impl Length {
    fn choose<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// How a server goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// By SIGKILL, and the others have to find out.
    Killed,
    /// By SIGTERM, and it gives its rooms away first.
    Drained,
}

/// One thing that is measured, in one of its variants.
#[derive(Debug)]
struct Case {
    scenario: &'static str,
    variant: &'static str,
    rounds: usize,
    servers: usize,
    durability: &'static str,
    lease: Duration,
    end: End,
}

const fn case(scenario: &'static str, variant: &'static str, rounds: usize) -> Case {
    Case {
        scenario,
        variant,
        rounds,
        servers: 2,
        durability: "synced",
        lease: Duration::from_secs(5),
        end: End::Killed,
    }
}

const CASES: [Case; 9] = [
    Case { durability: "relaxed", ..case("hop", "relaxed", 3) },
    case("hop", "synced", 3),
    Case { durability: "relaxed", ..case("follower", "relaxed", 3) },
    case("takeover", "killed", 3),
    Case { end: End::Drained, ..case("takeover", "drained", 3) },
    case("outage", "killed, lease 5 s", 5),
    Case { lease: Duration::from_secs(2), ..case("outage", "killed, lease 2 s", 5) },
    Case { end: End::Drained, ..case("outage", "drained", 5) },
    Case { servers: 3, ..case("rolling", "restarted", 3) },
];

fn main() -> ExitCode {
    match compare(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), Fault> {
    let length = if options.quick { Length::Quick } else { Length::Full };
    let programs = Programs::find().ok_or("neither /usr/lib/postgresql nor the path has PostgreSQL's initdb")?;
    let wanted =
        |case: &&Case| options.scenarios.is_empty() || options.scenarios.iter().any(|name| name == case.scenario);
    let mut cases: Vec<&Case> = CASES.iter().filter(wanted).collect();
    if cases.is_empty() {
        return Err("nothing is left to measure".into());
    }
    let rounds_of = |case: &Case| options.rounds.unwrap_or(length.choose(1, case.rounds)).clamp(1, 20);
    let rounds = cases.iter().map(|case| rounds_of(case)).max().unwrap_or(1);

    let above = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let file_system = machine::file_system(&above)?;
    if ["tmpfs", "ramfs"].contains(&file_system.as_str()) {
        return Err(format!("{} lies in memory: name a folder on a disk with --dir", above.display()).into());
    }
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let dir = above.canonicalize()?.join(format!("chat-cluster-{}", std::process::id()));
    fs::create_dir_all(options.out.join("raw"))?;
    let mut raw = File::create(options.out.join(format!("raw/cluster-{stamp}.jsonl")))?;
    let (mut runs, mut failures) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        for case in cases.iter().filter(|case| round < rounds_of(case)) {
            eprintln!("round {}: {}, {} ...", round + 1, case.scenario, case.variant);
            match measure(case, &dir, &programs, length) {
                Ok(mut figures) => {
                    let line = serde_json::to_string(&figures)?;
                    eprintln!("  {line}");
                    figures.insert("scenario".into(), case.scenario.into());
                    figures.insert("variant".into(), case.variant.into());
                    figures.insert("round".into(), round.into());
                    writeln!(raw, "{}", serde_json::to_string(&figures)?)?;
                    runs.push(Run { trial: case.scenario, server: case.variant, round, figures });
                }
                Err(error) => {
                    eprintln!("  {error}");
                    let why = error.to_string();
                    let why = why.lines().next().unwrap_or_default();
                    failures.push(format!("{}, {}, round {}: {why}", case.scenario, case.variant, round + 1));
                }
            }
        }
        // Nobody is always the first.
        cases.rotate_left(1);
    }

    let versions = machine::versions_of(&["tokio-postgres", "tokio-rustls", "tokio"]);
    let ground = page::Ground {
        caption: format!("{}, {file_system}, rounds: {rounds} at most", machine::hardware()),
        versions: format!("{}, {versions}", programs.version()),
        length,
    };
    let page = page::render(&ground, &runs, &failures);
    fs::write(options.out.join(length.choose("cluster-quick.md", "cluster.md")), &page)?;
    println!("{page}");
    match failures.is_empty() {
        true => Ok(()),
        false => Err(format!("{} measurements have no figures", failures.len()).into()),
    }
}

/// One case, on servers and a database of its own, which are gone afterwards.
fn measure(case: &Case, dir: &Path, programs: &Programs, length: Length) -> Result<Figures, Fault> {
    // One thread: the load is not to take more than one core from the servers.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let folder = Folder::new(dir)?;
    let lease = length.choose(Duration::from_secs(1), case.lease);
    let settings = Settings { servers: case.servers, durability: case.durability, lease, length };
    runtime.block_on(async {
        let mut service = Service::start(programs, &folder.0, settings).await?;
        let measured = tokio::time::timeout(MEASURE_MAX, async {
            match case.scenario {
                "hop" => hop::measure(&mut service, length).await,
                "follower" => follower::measure(&mut service, length).await,
                "takeover" => takeover::measure(&mut service, length, case.end).await,
                "outage" => outage::measure(&mut service, length, case.end).await,
                _ => rolling::measure(&mut service, length).await,
            }
        });
        let measured = measured.await.unwrap_or_else(|_| Err(format!("it was not done within {MEASURE_MAX:?}").into()));
        measured.map_err(|error| format!("{error}{}", service.said()).into())
    })
}

fn put(figures: &mut Figures, name: &str, value: f64) {
    figures.insert(name.to_owned(), ((value * 1e4).round() / 1e4).into());
}

/// A folder that goes with what is in it.
struct Folder(PathBuf);

impl Folder {
    fn new(path: &Path) -> std::io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} is left behind: {error}", self.0.display());
        }
    }
}
