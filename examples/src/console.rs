//! What a server says on standard output and standard error, whether or not anybody is there to read it.
//!
//! A closed terminal, a pipe without a reader or a log on a full disk must not end the server: `println!` would panic there.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Level;

/// The target of what the program itself tells, where that is traced.
pub(crate) const TARGET: &str = "server";

/// Whether whoever reads standard error expects JSON.
static IN_JSON: AtomicBool = AtomicBool::new(false);

/// Writes a line to standard output: what a program that started the server waits for. Errors are ignored.
pub fn say(line: impl Display) {
    write(&mut io::stdout().lock(), &line);
}

/// Writes a line to standard error: what an operator should know. In JSON its level is INFO. Errors are ignored.
pub fn tell(line: impl Display) {
    tell_at(Level::INFO, &line);
}

/// The same of what is not as it should be, while the server goes on. In JSON its level is WARN.
pub fn tell_warning(line: impl Display) {
    tell_at(Level::WARN, &line);
}

/// The same of what was to be done and could not. In JSON its level is ERROR.
pub fn tell_failure(line: impl Display) {
    tell_at(Level::ERROR, &line);
}

fn tell_at(level: Level, line: &dyn Display) {
    if !IN_JSON.load(Ordering::Relaxed) {
        return write(&mut io::stderr().lock(), line);
    }
    match level {
        Level::ERROR => tracing::error!(target: TARGET, "{line}"),
        Level::WARN => tracing::warn!(target: TARGET, "{line}"),
        _ => tracing::info!(target: TARGET, "{line}"),
    }
}

/// From now on what is told is traced, and the subscriber makes JSON of it.
pub(crate) fn tell_in_json() {
    IN_JSON.store(true, Ordering::Relaxed);
}

/// In one piece, so that lines of several processes that share a file do not mix.
fn write(out: &mut impl Write, line: &dyn Display) {
    let _ = out.write_all(format!("{line}\n").as_bytes());
}
