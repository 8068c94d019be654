//! Who is compared, in what, and one run of it: a fresh server on one core, the load on another.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::scenario::Figures;

const START_MAX: Duration = Duration::from_secs(10);
/// The load ends itself before that; this is for a load that cannot.
const RUN_SECONDS_MAX: &str = "150";

/// A server that takes part.
#[derive(Debug)]
pub struct Server {
    /// Its column.
    pub name: &'static str,
    /// Its program, beside the one that compares.
    pub program: &'static str,
    /// How the load speaks to it.
    pub protocol: &'static str,
    arguments: fn(SocketAddr) -> Vec<String>,
}

/// Ours first: the others are what it is held against.
pub const SERVERS: [Server; 3] = [
    Server {
        name: "ours",
        program: "ws-server",
        protocol: "chat-ws",
        arguments: |address| ["--listen", &address.to_string(), "--send-rate", "0"].map(str::to_owned).to_vec(),
    },
    Server {
        name: "sketch",
        program: "fanout",
        protocol: "raw-ws",
        arguments: |address| vec![address.port().to_string()],
    },
    Server {
        name: "axum",
        program: "peer-axum-broadcast",
        protocol: "axum-broadcast",
        arguments: |address| vec![address.port().to_string()],
    },
];

/// One thing to compare the servers in.
#[derive(Debug)]
pub struct Trial {
    /// Chosen by, and the first word of its rows.
    pub name: &'static str,
    /// What happens, in words.
    pub about: &'static str,
    arguments: &'static [&'static str],
    full_length: &'static [&'static str],
    quick_length: &'static [&'static str],
    /// Who can take part.
    pub servers: &'static [&'static str],
    /// What to show of it.
    pub rows: &'static [Row],
}

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    /// The figure's name in the load's line.
    pub figure: &'static str,
    /// How it is called in the table, with its unit.
    pub label: &'static str,
}

const fn row(figure: &'static str, label: &'static str) -> Row {
    Row { figure, label }
}

const ALL: &[&str] = &["ours", "sketch", "axum"];

/// All that is compared.
pub const TRIALS: [Trial; 6] = [
    Trial {
        name: "saturation",
        about: "500 members, 1 sender with 16 messages in flight",
        arguments: &["saturation", "--members", "500", "--senders", "1", "--in-flight", "16"],
        full_length: &["--seconds", "5"],
        quick_length: &["--seconds", "2"],
        servers: ALL,
        rows: &[row("deliveries_per_s", "deliveries/s"), row("server_us_per_delivery", "us CPU/delivery")],
    },
    Trial {
        name: "saturation-20",
        about: "500 members, 20 senders with 16 messages in flight each",
        arguments: &["saturation", "--members", "500", "--senders", "20", "--in-flight", "16"],
        full_length: &["--seconds", "5"],
        quick_length: &["--seconds", "2"],
        servers: ALL,
        rows: &[row("deliveries_per_s", "deliveries/s"), row("server_us_per_delivery", "us CPU/delivery")],
    },
    Trial {
        name: "quiet",
        about: "500 members, 20 messages/s",
        arguments: &["quiet", "--members", "500", "--rate", "20"],
        full_length: &["--seconds", "8"],
        quick_length: &["--seconds", "3"],
        servers: ALL,
        rows: &[row("server_us_per_delivery", "us CPU/delivery"), row("p99_us", "p99 us")],
    },
    Trial {
        name: "small-rooms",
        about: "250 rooms of 4, 2,000 messages/s in all",
        arguments: &["small-rooms", "--rooms", "250", "--members", "4", "--rate", "2000"],
        full_length: &["--seconds", "8"],
        quick_length: &["--seconds", "3"],
        servers: &["ours", "axum"],
        rows: &[row("server_us_per_delivery", "us CPU/delivery"), row("p50_us", "p50 us"), row("p99_us", "p99 us")],
    },
    Trial {
        name: "idle",
        about: "5,000 connections in rooms of 4",
        arguments: &["idle"],
        full_length: &["--connections", "5000", "--settle", "2"],
        quick_length: &["--connections", "1000", "--settle", "1"],
        servers: ALL,
        rows: &[
            row("kib_per_connection", "KiB/connection"),
            row("kib_per_connection_after_a_message", "KiB/connection after a message"),
        ],
    },
    Trial {
        name: "join-storm",
        about: "1,000 members join one room, all are told",
        arguments: &["join-storm", "--members", "1000"],
        full_length: &[],
        quick_length: &[],
        servers: &["ours"],
        rows: &[row("server_us_per_join", "us CPU/join"), row("told_ms", "ms until all are told")],
    },
];

/// Where and how a run takes place.
#[derive(Debug, Clone, Copy)]
pub struct Track<'a> {
    /// Where the programs lie.
    pub programs: &'a Path,
    /// The core of the server.
    pub server_core: usize,
    /// The core of the load.
    pub load_core: usize,
    /// How nice server and load are; a negative number keeps others away, and needs the right to.
    pub niceness: i32,
    /// How long runs are.
    pub length: Length,
}

/// How long runs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Long enough for figures to quote.
    Full,
    /// Long enough to see that everything works.
    Quick,
}

impl Track<'_> {
    /// Starts `server`, lets the load run `trial` against it, ends it, and gives back the load's figures.
    pub fn run(&self, server: &Server, trial: &Trial) -> io::Result<Figures> {
        let address = free_address()?;
        let program = self.programs.join(server.program);
        // The server ends when this process does, however that happens.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(self.pin(self.server_core));
        command.arg(program).args((server.arguments)(address));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = Running(command.spawn()?);
        running.wait_until_ready(address)?;

        let mut load = Command::new("timeout");
        load.args(["--foreground", RUN_SECONDS_MAX]).args(self.pin(self.load_core));
        load.arg(self.programs.join("load")).args(["--protocol", server.protocol]);
        load.args(["--server", &address.to_string(), "--pid", &running.0.id().to_string()]);
        load.args(trial.arguments).args(match self.length {
            Length::Full => trial.full_length,
            Length::Quick => trial.quick_length,
        });
        let output = load.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().next().unwrap_or("the load has ended without a word");
            return Err(io::Error::other(format!("{} in {}: {said}", server.name, trial.name)));
        }
        match serde_json::from_slice(&output.stdout)? {
            Value::Object(figures) => Ok(figures),
            _ => Err(io::Error::other("the load has printed something else than its figures")),
        }
    }

    /// What to write before a program to have it run on `core` only.
    fn pin(&self, core: usize) -> Vec<String> {
        let (niceness, core) = (self.niceness.to_string(), core.to_string());
        let words: &[&str] = match self.niceness {
            0 => &["taskset", "-c", &core],
            _ => &["nice", "-n", &niceness, "taskset", "-c", &core],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

/// A server's process; ends with its owner.
struct Running(Child);

impl Running {
    /// Waits until it accepts connections.
    fn wait_until_ready(&mut self, address: SocketAddr) -> io::Result<()> {
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.0.try_wait()? {
                return Err(io::Error::other(format!("the server has ended: {status}")));
            }
            if start.elapsed() > START_MAX {
                return Err(io::Error::new(ErrorKind::TimedOut, "the server does not listen"));
            }
            sleep(Duration::from_millis(20));
        }
        sleep(Duration::from_millis(200));
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end and nobody to wait for.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// An address on loopback that nobody listens on at the moment.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trial_names_servers_that_exist() {
        for trial in &TRIALS {
            assert!(trial.servers.iter().all(|name| SERVERS.iter().any(|server| server.name == *name)));
            assert!(!trial.rows.is_empty());
        }
    }

    #[test]
    fn our_server_gets_its_address_and_no_send_limit() {
        let arguments = (SERVERS[0].arguments)(SocketAddr::from(([127, 0, 0, 1], 4000)));
        assert_eq!(arguments, ["--listen", "127.0.0.1:4000", "--send-rate", "0"]);
    }
}
