//! What a server says on standard output and standard error, whether or not anybody is there to read it.
//!
//! A closed terminal, a pipe without a reader or a log on a full disk must not end the server: `println!` would panic there.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line to standard output: what a program that started the server waits for. Errors are ignored.
pub fn say(line: impl Display) {
    write(&mut io::stdout().lock(), &line);
}

/// Writes a line to standard error: what an operator should know. Errors are ignored.
pub fn tell(line: impl Display) {
    write(&mut io::stderr().lock(), &line);
}

/// In one piece, so that lines of several processes that share a file do not mix.
fn write(out: &mut impl Write, line: &dyn Display) {
    let _ = out.write_all(format!("{line}\n").as_bytes());
}
