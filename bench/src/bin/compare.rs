//! Runs every server through every scenario, one after the other and in rounds, and writes the tables and the chart.
//!
//! Builds nothing: everything has to be built before, the way README.md says.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use bench::matrix::{Length, TRIALS, Track, Trial};
use bench::servers::{SERVERS, Server};
use bench::table::Run;
use bench::{chart, goals, machine, table};
use clap::Parser;

#[derive(Debug, Parser)]
#[command(about = "Runs every server through every scenario and writes tables and a chart. Builds nothing.")]
struct Options {
    /// Short runs and one round: shows that everything works, not how fast.
    #[arg(long)]
    quick: bool,
    /// How often everything is repeated.
    #[arg(long)]
    rounds: Option<usize>,
    /// Only these scenarios.
    #[arg(long, value_delimiter = ',')]
    scenarios: Vec<String>,
    /// Only these servers.
    #[arg(long, value_delimiter = ',')]
    servers: Vec<String>,
    /// The core of the servers.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core of the load.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// How nice servers and load are, and this session with them. Where others work on the machine, -10 keeps most of them away (it
    /// needs the right to).
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    nice: i32,
    /// A run during which others used more of the machine than this many cores is repeated.
    #[arg(long, default_value_t = 0.15)]
    noise_max: f64,
    /// At most so many times; then the least disturbed of its runs counts.
    #[arg(long, default_value_t = 2)]
    repeats_max: usize,
    /// Where the table and the raw lines go.
    #[arg(long, default_value = "bench/results")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match compare(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let programs = program.parent().ok_or("this program lies nowhere")?;
    let length = if options.quick { Length::Quick } else { Length::Full };
    if options.nice != 0 {
        // Where the kernel groups processes by session, niceness counts only within a group; this is the group's own.
        if let Err(error) = fs::write("/proc/self/autogroup", options.nice.to_string()) {
            eprintln!("the session's niceness cannot be set: {error}");
        }
    }
    let (server_core, load_core, niceness) = (options.server_core, options.load_core, options.nice);
    let track = Track { programs, server_core, load_core, niceness, length };
    let rounds = options.rounds.unwrap_or(if options.quick { 1 } else { 3 }).clamp(1, 20);

    let wanted = |list: &[String], name: &str| list.is_empty() || list.iter().any(|wanted| wanted == name);
    let servers: Vec<&Server> = SERVERS.iter().filter(|server| wanted(&options.servers, server.name)).collect();
    let trials: Vec<&Trial> = TRIALS.iter().filter(|trial| wanted(&options.scenarios, trial.name)).collect();
    let mut present = Vec::new();
    for server in servers {
        match server.program(programs) {
            Ok(_) => present.push(server),
            Err(missing) => eprintln!("{} takes no part: {missing}", server.name),
        }
    }

    let stamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    fs::create_dir_all(options.out.join("raw"))?;
    let mut raw = File::create(options.out.join(format!("raw/compare-{stamp}.jsonl")))?;
    let (mut runs, mut failures) = (Vec::new(), String::new());
    for round in 0..rounds {
        for trial in &trials {
            for server in present.iter().filter(|server| trial.servers.contains(&server.name)) {
                match least_disturbed(options, &track, server, trial, round, &mut raw) {
                    Ok(run) => runs.push(run),
                    Err(error) => {
                        eprintln!("{error}");
                        writeln!(failures, "- no figures in round {}: {error}", round + 1)?;
                    }
                }
            }
        }
    }

    let quick = if options.quick { ", **quick: too short to quote**" } else { "" };
    let caption = format!("{}, {rounds} round(s)", machine::hardware());
    let name = if options.quick { "quick" } else { "compare" };
    let page = format!(
        "# Side by side\n\n{caption}{quick}. {versions}.\n\nMedians (least-most); ratios are of runs of the same round. `noise` is \
         the most that others used of the machine during a run, in cores; `lost` the most that a run has lost.\n\n\
         ![The chart]({name}.svg)\n\n## Goals\n\n{goals}\n## Scenarios\n\n{tables}{failures}",
        versions = machine::versions(),
        goals = goals::render(&runs),
        tables = table::render(&runs),
    );
    fs::write(options.out.join(format!("{name}.md")), &page)?;
    fs::write(options.out.join(format!("{name}.svg")), chart::render(&runs, &caption))?;
    println!("{page}");
    Ok(())
}

/// One run, repeated while others use too much of the machine. All runs are kept in `raw`.
fn least_disturbed(
    options: &Options,
    track: &Track<'_>,
    server: &Server,
    trial: &Trial,
    round: usize,
    raw: &mut File,
) -> Result<Run, Box<dyn Error>> {
    let mut best: Option<Run> = None;
    for _ in 0..=options.repeats_max {
        eprintln!("round {}: {} in {} ...", round + 1, server.name, trial.name);
        let mut figures = track.run(server, trial)?;
        figures.insert("server".into(), server.name.into());
        figures.insert("trial".into(), trial.name.into());
        figures.insert("round".into(), round.into());
        writeln!(raw, "{}", serde_json::to_string(&figures)?)?;
        let run = Run { trial: trial.name, server: server.name, round, figures };
        // A run that broke a promise counts, whatever the machine did meanwhile.
        let is_final = run.noise() <= options.noise_max || !run.is_clean();
        if is_final {
            return Ok(run);
        }
        if best.as_ref().is_none_or(|best| run.noise() < best.noise()) {
            best = Some(run);
        }
    }
    best.ok_or_else(|| "no run".into())
}
