//! What the servers are compared in, and one run of it: a fresh server on one core, the load on another.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::running::{Running, free_address};
use crate::scenario::Figures;
use crate::servers::Server;

/// The load ends itself before that; this is for a load that cannot.
const RUN_SECONDS_MAX: &str = "300";

/// One thing to compare servers in.
#[derive(Debug)]
pub struct Trial {
    /// Chosen by, and the heading of its table.
    pub name: &'static str,
    /// What happens, in words.
    pub about: &'static str,
    arguments: &'static [&'static str],
    full_length: &'static [&'static str],
    quick_length: &'static [&'static str],
    /// Who can take part.
    pub servers: &'static [&'static str],
    /// What to show of it: the figure's name in the load's line, and what it is called in tables, with its unit.
    pub figures: &'static [(&'static str, &'static str)],
}

const RATE: (&str, &str) = ("deliveries_per_s", "deliveries/s");
const CPU: (&str, &str) = ("server_us_per_delivery", "us CPU/delivery");
const P50: (&str, &str) = ("p50_us", "p50 us");
const P99: (&str, &str) = ("p99_us", "p99 us");
const FIVE_SECONDS: &[&str] = &["--seconds", "5"];
const EIGHT_SECONDS: &[&str] = &["--seconds", "8"];
const SHORT: &[&str] = &["--seconds", "2"];

/// All that is compared.
pub const TRIALS: [Trial; 13] = [
    Trial {
        name: "saturation",
        about: "500 members, 1 sender with 16 messages in flight",
        arguments: &["saturation", "--members", "500", "--senders", "1", "--in-flight", "16"],
        full_length: FIVE_SECONDS,
        quick_length: SHORT,
        servers: &["ours-ws", "sketch", "axum", "ours-socketio", "socketioxide"],
        figures: &[RATE, CPU],
    },
    Trial {
        name: "saturation-sse",
        about: "500 members, 1 sender with 16 messages in flight, each over its own connection to POST on",
        arguments: &["saturation", "--members", "500", "--senders", "1", "--in-flight", "16"],
        full_length: FIVE_SECONDS,
        quick_length: SHORT,
        servers: &["ours-sse", "axum-sse", "nchan"],
        figures: &[RATE, CPU],
    },
    Trial {
        name: "saturation-20",
        about: "500 members, 20 senders with 16 messages in flight each",
        arguments: &["saturation", "--members", "500", "--senders", "20", "--in-flight", "16"],
        full_length: FIVE_SECONDS,
        quick_length: SHORT,
        servers: &["ours-ws", "sketch", "axum"],
        figures: &[RATE, CPU],
    },
    Trial {
        name: "quiet",
        about: "500 members, 20 messages/s",
        arguments: &["quiet", "--members", "500", "--rate", "20"],
        full_length: EIGHT_SECONDS,
        quick_length: SHORT,
        servers: &["ours-ws", "sketch", "axum", "ours-sse", "axum-sse", "nchan", "ours-socketio", "socketioxide"],
        figures: &[CPU, P99],
    },
    Trial {
        name: "small-rooms",
        about: "250 rooms of 4, 2,000 messages/s in all",
        arguments: &["small-rooms", "--rooms", "250", "--members", "4", "--rate", "2000"],
        full_length: EIGHT_SECONDS,
        quick_length: SHORT,
        servers: &["ours-ws", "axum", "ours-socketio", "socketioxide"],
        figures: &[CPU, P50, P99],
    },
    Trial {
        name: "idle",
        about: "5,000 connections in rooms of 4",
        arguments: &["idle"],
        full_length: &["--connections", "5000", "--settle", "2"],
        quick_length: &["--connections", "1000", "--settle", "1"],
        servers: &["ours-ws", "sketch", "axum", "ours-sse", "axum-sse", "nchan", "ours-socketio", "socketioxide"],
        figures: &[
            ("kib_per_connection", "KiB/connection"),
            ("kib_per_connection_after_a_message", "KiB/connection after a message"),
        ],
    },
    Trial {
        name: "join-storm",
        about: "1,000 members join one room, 32 at a time, and all inside are told of each",
        arguments: &["join-storm", "--members", "1000"],
        full_length: &[],
        quick_length: &[],
        servers: &["ours-ws", "ours-socketio", "socketioxide"],
        figures: &[("server_us_per_join", "us CPU/join"), ("told_ms", "ms until all are told")],
    },
    Trial {
        name: "huge-room",
        about: "15,000 members of one room; 1,000 joins at 2,000 members and at 14,000; then 2 messages/s",
        arguments: &["huge-room"],
        full_length: &["--members", "15000", "--messages", "20"],
        quick_length: &["--members", "5000", "--messages", "4"],
        servers: &["ours-ws", "sketch", "axum"],
        figures: &[
            ("server_us_per_join_small", "us CPU/join at 2,000"),
            ("server_us_per_join_huge", "us CPU/join at the end"),
            ("join_growth", "growth without signals"),
            CPU,
            P99,
        ],
    },
    Trial {
        name: "huge-room-inside",
        about: "15,000 members of one room, without sockets; 1,000 joins at 2,000 members and at 14,000, each taken by its joiner",
        arguments: &["crowded"],
        full_length: &["--members", "15000"],
        quick_length: &["--members", "5000"],
        servers: &["ours"],
        figures: &[
            ("us_per_join_small", "us/join at 2,000"),
            ("us_per_join_huge", "us/join at the end"),
            ("join_growth", "growth"),
        ],
    },
    Trial {
        name: "many-rooms",
        about: "100,000 rooms of 4 members with 50 messages of 100 bytes each, all idle; what a step costs beside 1,000 and beside all",
        arguments: &["rooms"],
        full_length: &["--rooms", "100000"],
        quick_length: &["--rooms", "5000"],
        servers: &["ours"],
        figures: &[
            ("bytes_per_room", "bytes/room (resident)"),
            ("heap_bytes_per_room", "of which asked for"),
            ("encoded_bytes_per_room", "of which encoded messages"),
            ("bytes_beyond", "bytes/room beyond 1.3x those"),
            ("create_growth", "create, growth"),
            ("join_growth", "join, growth"),
            ("send_growth", "send, growth"),
            ("delete_growth", "delete, growth"),
        ],
    },
    Trial {
        name: "joins",
        about: "joins of a room of 10 with 50 messages of history, each read by its joiner",
        arguments: &["joins"],
        full_length: &[],
        quick_length: &["--quick"],
        servers: &["ours"],
        figures: &[("joins_per_s", "joins/s"), ("allocations_per_join", "allocations/join")],
    },
    Trial {
        name: "pure-room",
        about: "decide and apply of a send, without the engine",
        arguments: &["send"],
        full_length: &[],
        quick_length: &["--quick"],
        servers: &["ours"],
        figures: &[
            ("sends_per_s", "sends/s"),
            ("allocations_per_send", "allocations/send"),
            ("keyed_sends_per_s", "sends/s with a key"),
            ("allocations_per_keyed_send", "allocations/send with a key"),
        ],
    },
    Trial {
        name: "parts",
        about: "nanoseconds: a client frame read as a command; an event taken from the backlog and framed for one of 100 readers; a server frame's JSON written and read by serde",
        arguments: &["parts"],
        full_length: &[],
        quick_length: &["--quick"],
        servers: &["ours"],
        figures: &[
            ("parse_ns", "parse"),
            ("fill_ns", "backlog and framing"),
            ("write_json_ns", "JSON written"),
            ("read_json_ns", "JSON read"),
        ],
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
    /// Starts `server`, lets the load run `trial` against it, ends it, and gives back the load's figures. A server without a
    /// protocol measures itself.
    pub fn run(&self, server: &Server, trial: &Trial) -> io::Result<Figures> {
        let program = server.program(self.programs).map_err(io::Error::other)?;
        let Some(protocol) = server.protocol else {
            return self.figures(self.server_core, &program, &[], server, trial);
        };
        let address = free_address()?;
        let scratch = Scratch::new(address.port())?;
        // The server ends when this process does, however that happens.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(self.pin(self.server_core));
        command.arg(program).args(server.arguments(address, &scratch.0)?);
        let mut running = Running::start(&mut command)?;
        running.wait_until_ready(address)?;
        let (address, pid) = (address.to_string(), running.id().to_string());
        let words = ["--protocol", protocol, "--server", &address, "--pid", &pid];
        self.figures(self.load_core, &self.programs.join("load"), &words, server, trial)
    }

    /// What a program that measures has printed.
    fn figures(
        &self,
        core: usize,
        program: &Path,
        words: &[&str],
        server: &Server,
        trial: &Trial,
    ) -> io::Result<Figures> {
        let mut command = Command::new("timeout");
        command.args(["--foreground", RUN_SECONDS_MAX]).args(self.pin(core)).arg(program).args(words);
        command.args(trial.arguments).args(match self.length {
            Length::Full => trial.full_length,
            Length::Quick => trial.quick_length,
        });
        let output = command.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().find(|line| !line.is_empty()).unwrap_or("the program has ended without a word");
            return Err(io::Error::other(format!("{} in {}: {said}", server.name, trial.name)));
        }
        match serde_json::from_slice(&output.stdout)? {
            Value::Object(figures) => Ok(figures),
            _ => Err(io::Error::other("something else than figures was printed")),
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

/// A folder for what a server wants to have written; goes with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new(port: u16) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("bench-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is a few bytes in a folder for such.
        drop(fs::remove_dir_all(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::SERVERS;

    #[test]
    fn every_trial_names_servers_that_exist() {
        for trial in &TRIALS {
            assert!(trial.servers.iter().all(|name| SERVERS.iter().any(|server| server.name == *name)));
            assert!(!trial.figures.is_empty());
        }
    }
}
