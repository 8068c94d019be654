//! What a server asks of the kernel for a delivery: system calls as strace counts them, and how often its threads are woken.
//!
//! Each is counted in a long run and in a short one, and their difference is told: starting, connecting and ending are the same in both.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bench::running::{Running, free_address};
use bench::scenario::Figures;
use bench::servers;
use rustix::process::{Pid, Signal, kill_process};

use super::printed;

const END_MAX: Duration = Duration::from_secs(20);
const SHORT: u32 = 1;
const LONG: u32 = 5;
/// What is counted in: under strace a server does some thousand calls a second, and these stay far below.
const SCENES: [(&str, &[&str]); 2] = [
    ("quiet", &["quiet", "--members", "200", "--rate", "20"]),
    ("small_rooms", &["small-rooms", "--rooms", "100", "--members", "4", "--rate", "500"]),
];

pub(crate) fn count_calls(programs: &Path, counts: &mut Figures) -> Result<(), Box<dyn Error>> {
    for (name, scene) in SCENES {
        let short = calls(programs, scene, SHORT)?;
        let long = calls(programs, scene, LONG)?;
        counts.insert(format!("calls_per_delivery_{name}"), difference(short, long).into());
    }
    Ok(())
}

pub(crate) fn count_switches(programs: &Path, counts: &mut Figures) -> Result<(), Box<dyn Error>> {
    for (name, scene) in SCENES {
        let (short, long) = (switches(programs, scene, SHORT)?, switches(programs, scene, LONG)?);
        counts.insert(format!("switches_per_delivery_{name}"), difference(short, long).into());
    }
    Ok(())
}

/// So many calls or switches, and the deliveries they were for.
type Counted = (u64, u64);

fn difference(short: Counted, long: Counted) -> f64 {
    (long.0 as f64 - short.0 as f64) / (long.1 as f64 - short.1 as f64)
}

fn calls(programs: &Path, scene: &[&str], seconds: u32) -> Result<Counted, Box<dyn Error>> {
    let table = std::env::temp_dir().join(format!("bench-guard-{}", std::process::id()));
    let mut command = Command::new("setpriv");
    // The one that counts is beside the server, not above it: the server is the child that is started, and ends as it always does.
    command.args(["--pdeathsig", "KILL", "strace", "--daemonize", "--follow-forks", "--summary-only", "--output"]);
    command.arg(&table).args(["taskset", "-c", "0"]);
    let (running, deliveries) = run(programs, command, scene, seconds)?;
    end(&running)?;
    let since = Instant::now();
    let total = loop {
        let said = fs::read_to_string(&table).unwrap_or_default();
        if let Some(total) = said.lines().rfind(|line| line.ends_with(" total")) {
            break total.to_owned();
        }
        if since.elapsed() > END_MAX {
            return Err(format!("strace has told no total: {said}").into());
        }
        sleep(Duration::from_millis(50));
    };
    fs::remove_file(&table)?;
    // `100.00    0.012345           1     38433        12 total`
    let calls = total.split_whitespace().nth(3).ok_or("strace tells its total in another way")?;
    Ok((calls.parse()?, deliveries))
}

fn switches(programs: &Path, scene: &[&str], seconds: u32) -> Result<Counted, Box<dyn Error>> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "-c", "0"]);
    let (running, deliveries) = run(programs, command, scene, seconds)?;
    let mut switches = 0;
    for task in fs::read_dir(format!("/proc/{}/task", running.id()))? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        let fields: BTreeMap<&str, &str> = status.lines().filter_map(|line| line.split_once(':')).collect();
        let own = fields.get("voluntary_ctxt_switches").ok_or("the kernel counts no switches")?;
        switches += own.trim().parse::<u64>()?;
    }
    Ok((switches, deliveries))
}

/// Starts the server by `command`, has the load play the scene, and tells how much was delivered.
fn run(programs: &Path, mut command: Command, scene: &[&str], seconds: u32) -> Result<(Running, u64), Box<dyn Error>> {
    let (server, address) = (servers::named("ours-ws"), free_address()?);
    command.arg(server.program(programs)?).args(server.arguments(address, Path::new(""))?);
    let mut running = Running::start(&mut command)?;
    running.wait_until_ready(address)?;
    let mut load = Command::new(programs.join("load"));
    load.args(["--protocol", "chat-ws", "--server", &address.to_string(), "--pid", &running.id().to_string()]);
    let figures = printed(load.args(scene).args(["--seconds", &seconds.to_string()]))?;
    if figures["clean"] != true {
        return Err(format!("not everything was delivered: {figures:?}").into());
    }
    Ok((running, figures["delivered"].as_u64().ok_or("the load says no number")?))
}

/// Asks the server to end, as an operator does: what counts its calls tells them then.
fn end(running: &Running) -> Result<(), Box<dyn Error>> {
    let pid = Pid::from_raw(i32::try_from(running.id())?).ok_or("a process has a number")?;
    kill_process(pid, Signal::TERM)?;
    Ok(())
}
