//! The server as a process, and what the kernel says of it.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio_rustls::TlsConnector;

use super::in_time;
use super::wire::Target;

/// Ticks of `/proc/PID/stat` in a second, on every architecture that Linux has for users.
const TICKS: u64 = 100;

/// A server process; killed when the test is over.
pub(crate) struct Server {
    process: Child,
    pub(crate) target: Target,
}

/// Bytes that the kernel holds for the sockets of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queues {
    /// Not sent, or not acknowledged.
    pub(crate) unsent: u64,
    /// Not read by the server.
    pub(crate) unread: u64,
}

impl Server {
    /// Starts it on a free port of this machine, with these flags.
    pub(crate) async fn start(flags: &[&str]) -> Self {
        let mut process = Command::new(binary())
            .args(["--listen", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let greeting = in_time(lines.next_line()).await.expect("readable").expect("it says where it listens");
        let address = greeting.trim_end_matches('/').rsplit('/').next().and_then(|address| address.parse().ok());
        Self { process, target: Target { address: address.expect("an address"), tls: None } }
    }

    /// Spoken to over TLS from now on.
    pub(crate) fn with_tls(mut self, tls: TlsConnector) -> Self {
        self.target.tls = Some(tls);
        self
    }

    fn proc(&self, file: &str) -> String {
        let id = self.process.id().expect("it runs");
        fs::read_to_string(format!("/proc/{id}/{file}")).expect("the process goes on")
    }

    fn status(&self, field: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field is there");
        line.trim_end_matches("kB").trim_start_matches(':').trim().parse::<u64>().expect("KiB") << 10
    }

    /// Resident memory now, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        self.status("VmRSS")
    }

    /// The most that was resident since [`Server::forget_peak`], in bytes.
    pub(crate) fn resident_peak(&self) -> u64 {
        self.status("VmHWM")
    }

    pub(crate) fn forget_peak(&self) {
        let id = self.process.id().expect("it runs");
        fs::write(format!("/proc/{id}/clear_refs"), "5").expect("it is our own process");
    }

    /// Time of the processor, of the process and of the kernel for it.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        let fields: Vec<&str> = stat.rsplit_once(')').expect("the name of the program").1.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 1_000 / TICKS)
    }

    /// What lies in the kernel for the server's ends of all connections.
    pub(crate) fn queues(&self) -> Queues {
        let mut queues = Queues::default();
        let own = format!(":{:04X}", self.target.address.port());
        for line in fs::read_to_string("/proc/net/tcp").expect("readable").lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // The queue of a socket that listens counts connections.
            if !fields[1].ends_with(&own) || fields[3] == "0A" {
                continue;
            }
            let (unsent, unread) = fields[4].split_once(':').expect("two queues");
            queues.unsent += u64::from_str_radix(unsent, 16).expect("hexadecimal");
            queues.unread += u64::from_str_radix(unread, 16).expect("hexadecimal");
        }
        queues
    }
}

fn binary() -> String {
    std::env::var("CHAT_SERVER").unwrap_or_else(|_| env!("CARGO_BIN_EXE_server").to_owned())
}

/// Whether the server is one that was built with the tests, without optimisation.
pub(crate) fn is_slow() -> bool {
    std::env::var_os("CHAT_SERVER").is_none() && cfg!(debug_assertions)
}
