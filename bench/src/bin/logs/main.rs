//! Puts the logs beside each other in one run: PostgreSQL and redb, synced and relaxed, through the engine and by themselves.
//!
//! The load, the engine, the log and PostgreSQL share all cores of the machine: that is what one small server has.

mod appends;
mod page;
mod sends;
mod store;
mod window;

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

use store::{KINDS, Kind, Store};
use window::Length;

/// What may end a measurement, from whichever task.
type Fault = Box<dyn Error + Send + Sync>;

#[derive(Debug, Parser)]
#[command(about = "Puts the logs beside each other in one run and writes tables.")]
struct Options {
    /// Short windows and one round: shows that everything works, not how fast.
    #[arg(long)]
    quick: bool,
    /// How often everything is repeated.
    #[arg(long)]
    rounds: Option<usize>,
    /// Length of a window.
    #[arg(long)]
    seconds: Option<f64>,
    /// Only these logs.
    #[arg(long, value_delimiter = ',')]
    logs: Vec<String>,
    /// Only these scenarios.
    #[arg(long, value_delimiter = ',')]
    scenarios: Vec<String>,
    /// The folder that all data lie below, on a disk; the system's for what is temporary unless it is named.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Where the tables and the raw lines go.
    #[arg(long, default_value = "bench/results")]
    out: PathBuf,
}

/// One thing that is asked of every log.
#[derive(Debug)]
struct Scenario {
    name: &'static str,
    level: Level,
    rooms: usize,
    /// Unanswered at the same time in each room.
    in_flight: usize,
}

/// Who asks the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// The engine, of which a session asks.
    Sends,
    /// The load.
    Appends,
}

const fn scenario(name: &'static str, level: Level, rooms: usize, in_flight: usize) -> Scenario {
    Scenario { name, level, rooms, in_flight }
}

const SCENARIOS: [Scenario; 7] = [
    scenario("sends-1", Level::Sends, 1, 1),
    scenario("sends-1x16", Level::Sends, 1, 16),
    scenario("sends-100", Level::Sends, 100, 1),
    scenario("sends-1000", Level::Sends, 1_000, 1),
    scenario("appends-1", Level::Appends, 1, 1),
    scenario("appends-100", Level::Appends, 100, 1),
    scenario("appends-1000", Level::Appends, 1_000, 1),
];

fn main() -> ExitCode {
    match compare(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("logs: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), Fault> {
    let rounds = options.rounds.unwrap_or(if options.quick { 1 } else { 3 }).clamp(1, 20);
    let seconds = options.seconds.unwrap_or(if options.quick { 0.5 } else { 4.0 });
    let length =
        Length { warmup: Duration::try_from_secs_f64(seconds / 4.0)?, window: Duration::try_from_secs_f64(seconds)? };

    let programs = Programs::find();
    let wanted = |list: &[String], name: &str| list.is_empty() || list.iter().any(|wanted| wanted == name);
    let mut kinds: Vec<&Kind> = KINDS.iter().filter(|kind| wanted(&options.logs, kind.name)).collect();
    if programs.is_none() {
        eprintln!("PostgreSQL takes no part: neither /usr/lib/postgresql nor the path has its initdb");
        kinds.retain(|kind| !kind.needs_postgres());
    }
    let scenarios: Vec<&Scenario> =
        SCENARIOS.iter().filter(|scenario| wanted(&options.scenarios, scenario.name)).collect();
    if kinds.is_empty() || scenarios.is_empty() {
        return Err("nothing is left to measure".into());
    }

    let above = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let file_system = machine::file_system(&above)?;
    if ["tmpfs", "ramfs"].contains(&file_system.as_str()) {
        return Err(format!("{} lies in memory: name a folder on a disk with --dir", above.display()).into());
    }
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let dir = above.canonicalize()?.join(format!("chat-logs-{}", std::process::id()));
    fs::create_dir_all(options.out.join("raw"))?;
    let mut raw = File::create(options.out.join(format!("raw/logs-{stamp}.jsonl")))?;
    let (mut runs, mut failures) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        for scenario in &scenarios {
            // Nobody is always the first.
            kinds.rotate_left(1);
            for kind in &kinds {
                eprintln!("round {}: {} in {} ...", round + 1, kind.name, scenario.name);
                match measure(kind, scenario, &dir, programs.as_ref(), length) {
                    Ok(mut figures) => {
                        figures.insert("log".into(), kind.name.into());
                        figures.insert("scenario".into(), scenario.name.into());
                        figures.insert("round".into(), round.into());
                        writeln!(raw, "{}", serde_json::to_string(&figures)?)?;
                        runs.push(Run { trial: scenario.name, server: kind.name, round, figures });
                    }
                    Err(error) => {
                        eprintln!("{error}");
                        failures.push(format!("{} in {}, round {}: {error}", kind.name, scenario.name, round + 1));
                    }
                }
            }
        }
    }

    let versions = machine::versions_of(&["redb", "tokio-postgres", "tokio"]);
    let postgres = programs.as_ref().map_or("no PostgreSQL".to_owned(), Programs::version);
    let ground = page::Ground {
        caption: format!("{}, {file_system}, {rounds} round(s) of {seconds} s each", machine::hardware()),
        versions: format!("{postgres}, {versions}"),
        is_quick: options.quick,
        record_bytes: appends::record_bytes()?,
    };
    let page = page::render(&ground, &runs, &failures);
    let name = if options.quick { "logs-quick.md" } else { "logs.md" };
    fs::write(options.out.join(name), &page)?;
    println!("{page}");
    Ok(())
}

/// One log in one scenario: a new one, which is gone afterwards.
fn measure(
    kind: &Kind,
    scenario: &Scenario,
    dir: &Path,
    programs: Option<&Programs>,
    length: Length,
) -> Result<Figures, Fault> {
    // As many threads as cores, as a server has them. A new one each time: nothing of what was measured before goes on.
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let folder = Folder::new(dir)?;
    runtime.block_on(async {
        let store = Store::open(kind, &folder.0, programs).await?;
        let figures = match scenario.level {
            Level::Sends => sends::measure(&store, scenario, length).await,
            Level::Appends => appends::measure(&store, scenario, length).await,
        };
        store.close().await?;
        figures
    })
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
