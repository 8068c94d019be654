//! The server as a process of its own.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Starts it on a free port of this machine with these flags, and waits until it listens; returns its address too.
pub(crate) async fn start(flags: &[&str]) -> (Child, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_server"))
        .args(["--listen", "127.0.0.1:0"])
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("piped")).read_line(&mut line).await.expect("a line");
    let address = line.trim().strip_prefix("Chat is at http://").and_then(|rest| rest.strip_suffix('/'));
    (server, address.expect("where it listens").to_owned())
}
