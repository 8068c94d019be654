//! The signals that a server obeys: SIGTERM and SIGINT ask for its end, SIGHUP for a reload or, where its terminal is gone, for its end.

/// What whoever runs the server asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "other systems have no SIGHUP"))]
pub(crate) enum Asked {
    /// An end: SIGTERM, or SIGINT (Ctrl-C).
    End,
    /// SIGHUP, while the terminal is there, or where there never was one: read again what can be read again.
    Reload,
    /// SIGHUP, because the terminal that the server was started from is gone.
    TerminalGone,
}

#[cfg(unix)]
pub(crate) use on_unix::Signals;

#[cfg(unix)]
mod on_unix {
    use std::fs::{self, File};

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::Asked;

    /// Signals that have come since this was made.
    pub(crate) struct Signals {
        terminate: Signal,
        interrupt: Signal,
        hangup: Signal,
        /// Whether an end of the terminal is the end of the server.
        is_of_terminal: bool,
    }

    impl Signals {
        pub(crate) fn listen() -> Self {
            // Looked at before we listen, which ends the ignoring.
            let is_of_terminal = has_terminal() && !ignores_hangup();
            let listen = |kind| signal(kind).expect("a runtime with signals can listen for them");
            // A write past a limit on the size of files (`ulimit -f`) is an error like that of a full disk once somebody has listened for
            // this; else it is the end of the process.
            drop(listen(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())));
            Self {
                terminate: listen(SignalKind::terminate()),
                interrupt: listen(SignalKind::interrupt()),
                hangup: listen(SignalKind::hangup()),
                is_of_terminal,
            }
        }

        pub(crate) async fn next(&mut self) -> Asked {
            tokio::select! {
                _ = self.terminate.recv() => Asked::End,
                _ = self.interrupt.recv() => Asked::End,
                _ = self.hangup.recv() => match self.is_of_terminal && !has_terminal() {
                    true => Asked::TerminalGone,
                    false => Asked::Reload,
                }
            }
        }
    }

    /// Whether this process belongs to a terminal that is still there.
    fn has_terminal() -> bool {
        File::open("/dev/tty").is_ok()
    }

    /// Whether the process was started with SIGHUP ignored, as `nohup` does. Only Linux tells.
    fn ignores_hangup() -> bool {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        // SIGHUP is the first of them.
        ignored.is_some_and(|mask| mask & 1 != 0)
    }
}

/// What asks a server to end: Ctrl-C.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn listen() -> Self {
        Self
    }

    pub(crate) async fn next(&mut self) -> Asked {
        let _ = tokio::signal::ctrl_c().await;
        Asked::End
    }
}
