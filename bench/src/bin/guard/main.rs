//! Counts what a send, a join, a delivery, an idle room and an idle session cost, and fails where one costs more than it did.
//!
//! Nothing here is a time: counts are nearly the same on every machine, and on one that is busy. Builds nothing.

mod bounds;
mod instructions;
mod sockets;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use bench::scenario::Figures;
use clap::Parser;
use serde_json::Value;

use self::bounds::BOUNDS;

#[derive(Debug, Parser)]
#[command(
    about = "Counts what the engine and a server cost, and fails where a count is above its bound. Builds nothing."
)]
struct Options {
    /// Where `in_process`, `load` and `ws-server` lie. As a rule, beside this program.
    #[arg(long)]
    programs: Option<PathBuf>,
}

fn main() -> ExitCode {
    match guard(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("guard: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every count is within its bound, and none is missing that has to be there.
fn guard(options: &Options) -> Result<bool, Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let beside = own.parent().ok_or("this program lies in no folder")?;
    let programs = options.programs.as_deref().unwrap_or(beside);
    let mut counts = printed(Command::new(programs.join("in_process")).arg("counts"))?;
    if counts["clean"] != true {
        return Err("not everybody heard everything".into());
    }
    let many = printed(Command::new(programs.join("in_process")).args(["many", "--sessions", "4000"]))?;
    if many["clean"] != true {
        return Err("not everybody came back".into());
    }
    counts.insert("bytes_per_session_in_a_room".into(), many["heap_bytes_per_session"].clone());
    counts.insert("bytes_per_session_that_came_back".into(), many["storm_3_heap_bytes_per_session"].clone());
    // Without a tool its counts are left out; where everything must be checked, they must not be.
    let must = std::env::var("CI").is_ok_and(|value| value == "true");
    let mut is_good = true;
    for (tool, count) in [
        ("valgrind", instructions::count as fn(&Path, &mut Figures) -> Result<(), Box<dyn Error>>),
        ("strace", sockets::count_calls),
        ("taskset", sockets::count_switches),
    ] {
        match Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status() {
            Ok(_) => count(programs, &mut counts)?,
            Err(_) => {
                eprintln!("guard: there is no {tool}, and what it counts is left out");
                is_good &= !must;
            }
        }
    }
    println!("{:<44} {:>12} {:>12}", "what", "counted", "at most");
    for (name, most) in BOUNDS {
        let Some(counted) = counts.get(*name).and_then(Value::as_f64) else { continue };
        let words = if counted > *most { "  too much" } else { "" };
        println!("{name:<44} {counted:>12.3} {most:>12.3}{words}");
        is_good &= counted <= *most;
    }
    Ok(is_good)
}

/// The figures that a program prints as one line of JSON.
fn printed(command: &mut Command) -> Result<Figures, Box<dyn Error>> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    match serde_json::from_slice(&output.stdout)? {
        Value::Object(figures) => Ok(figures),
        _ => Err("something else than figures was printed".into()),
    }
}
