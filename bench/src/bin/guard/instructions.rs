//! Instructions in process, as valgrind counts them: of so many times a work, less those of half as many.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};

use bench::scenario::Figures;

/// A work of `in_process`, how often it is done, and how many things one of it is.
const WORKS: [(&str, &str, usize, f64); 3] = [
    ("instructions_per_keyed_send", "send", 2, 20_000.0),
    ("instructions_per_join", "join", 100, 1.0),
    ("instructions_per_delivery", "delivery", 100, 100.0),
];

pub(crate) fn count(programs: &Path, counts: &mut Figures) -> Result<(), Box<dyn Error>> {
    for (name, work, times, things) in WORKS {
        let (once, twice) = (instructions(programs, work, times)?, instructions(programs, work, 2 * times)?);
        let each = (twice as f64 - once as f64) / (times as f64 * things);
        counts.insert(name.into(), each.into());
    }
    Ok(())
}

/// All that the program does to do it so many times.
fn instructions(programs: &Path, work: &str, times: usize) -> Result<u64, Box<dyn Error>> {
    let mut command = Command::new("valgrind");
    // No cache is played: instructions are counted, and nothing is written.
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    command.arg(programs.join("in_process")).args(["work", work, "--times", &times.to_string()]);
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind, {work}: {said}").into());
    }
    let line = said.lines().find(|line| line.contains("I") && line.contains("refs:"));
    let number = line.and_then(|line| line.rsplit(':').next()).ok_or_else(|| format!("valgrind, {work}: {said}"))?;
    Ok(number.trim().replace(',', "").parse()?)
}
