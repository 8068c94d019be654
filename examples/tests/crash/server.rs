//! The real server as a process, over a folder.
#![allow(dead_code, reason = "every test file uses its own part of this")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

pub(crate) fn command(dir: &Path) -> Command {
    let mut command = bare_command();
    command.arg("--data").arg(dir);
    command
}

/// One that does not say yet where anything is kept.
pub(crate) fn bare_command() -> Command {
    bare_command_of(Path::new(env!("CARGO_BIN_EXE_server")))
}

/// The same of a program that may be of another version.
pub(crate) fn bare_command_of(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["--listen", "127.0.0.1:0", "--send-rate", "0", "--sessions-per-address", "0", "--drain-spread", "0"]);
    command.env_remove("CHAT_SECRET").env_remove("CHAT_SECRET_OLD").stdin(Stdio::null());
    command
}

/// A running server; killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_with(command(dir))
    }

    pub(crate) fn start_with(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server is built");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, out }
    }

    /// Waits until it listens, and returns where. `None` when it has ended before.
    pub(crate) fn address(&mut self) -> Option<String> {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("it writes text");
        let address = line.trim_end().strip_prefix("Chat is at http://")?.strip_suffix('/')?;
        Some(address.to_owned())
    }

    #[cfg(unix)]
    pub(crate) fn id(&self) -> i32 {
        rustix::process::Pid::from_child(&self.child).as_raw_pid()
    }

    /// With SIGKILL: it has no moment to put anything in order.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is dead");
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).expect("it is ours");
    }

    /// With SIGTERM, as an operator ends it. Returns whether it says that all went well.
    #[cfg(unix)]
    pub(crate) fn terminate(&mut self) -> bool {
        self.signal(rustix::process::Signal::TERM);
        let status = self.child.wait().expect("it ends");
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("it writes text");
        status.success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a server that is expected not to start.
pub(crate) fn refused(mut command: Command) -> String {
    let Output { status, stderr, .. } = command.output().expect("the server is built");
    let said = String::from_utf8(stderr).expect("it writes text");
    assert!(!status.success(), "it started: {said}");
    said
}
