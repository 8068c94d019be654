//! A signal to a server of the tests, also where no program is installed that sends them.

use rustix::process::{Pid, kill_process};
use tokio::process::Child;

pub(crate) use rustix::process::Signal;

/// To a process that has not been waited for.
pub(crate) fn send(process: &Child, signal: Signal) {
    let id = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    kill_process(id.expect("it runs"), signal).expect("it is ours");
}
