//! Who takes part: this project's servers, the sketch, and what a user would pick instead.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

const NGINX: &str = "/usr/sbin/nginx";
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// A server that takes part.
#[derive(Debug)]
pub struct Server {
    /// Its name in tables.
    pub name: &'static str,
    /// How it is spoken to, for people.
    pub transport: &'static str,
    /// How the load speaks to it; nothing where the program measures itself.
    pub protocol: Option<&'static str>,
    program: Program,
    arguments: fn(SocketAddr, &Path) -> io::Result<Vec<String>>,
}

/// Where a program comes from.
#[derive(Debug)]
enum Program {
    /// Built here: it lies beside the one that compares.
    Built(&'static str),
    /// Installed, with a module of its own; takes no part where either is missing.
    Installed { program: &'static str, module: &'static str },
}

impl Server {
    /// Its program, or what is missing.
    pub fn program(&self, programs: &Path) -> Result<PathBuf, String> {
        match self.program {
            Program::Built(name) => {
                let program = programs.join(name);
                if program.exists() {
                    Ok(program)
                } else {
                    Err(format!("there is no {name} (it has to be built first)"))
                }
            }
            Program::Installed { program, module } => {
                match [program, module].iter().find(|file| !Path::new(file).exists()) {
                    None => Ok(program.into()),
                    Some(missing) => Err(format!("{missing} is not installed")),
                }
            }
        }
    }

    /// What to start it with. `scratch` is a folder of its own for this run.
    pub fn arguments(&self, address: SocketAddr, scratch: &Path) -> io::Result<Vec<String>> {
        (self.arguments)(address, scratch)
    }
}

/// All of them. A name that begins with `ours` is held against the others.
pub const SERVERS: [Server; 9] = [
    ours("ours-ws", "WebSocket", "chat-ws", "ws-server"),
    ours("ours-sse", "SSE", "chat-sse", "sse-server"),
    ours("ours-socketio", "Socket.IO", "chat-socketio", "socketio-server"),
    Server { arguments: |_, _| Ok(Vec::new()), protocol: None, ..ours("ours", "in process", "", "in_process") },
    peer("sketch", "WebSocket", "raw-ws", "baseline"),
    peer("axum", "WebSocket", "axum-broadcast", "peer-axum-broadcast"),
    peer("axum-sse", "SSE", "axum-sse", "peer-axum-broadcast"),
    peer("socketioxide", "Socket.IO", "socketioxide", "peer-socketioxide"),
    Server {
        name: "nchan",
        transport: "SSE",
        protocol: Some("nchan"),
        program: Program::Installed { program: NGINX, module: NCHAN },
        arguments: configure_nginx,
    },
];

/// The server of this name.
///
/// # Panics
/// Where there is none: names are written in this crate only.
pub fn named(name: &str) -> &'static Server {
    SERVERS.iter().find(|server| server.name == name).expect("tables name servers that exist")
}

/// Without the limits on what is said, and on what comes from one address: the load says more than people do, and all of it comes
/// from here.
const fn ours(name: &'static str, transport: &'static str, protocol: &'static str, program: &'static str) -> Server {
    let program = Program::Built(program);
    let arguments = |address: SocketAddr, _: &Path| {
        let address = address.to_string();
        Ok(["--listen", &address, "--send-rate", "0", "--sessions-per-address", "0"].map(str::to_owned).to_vec())
    };
    Server { name, transport, protocol: Some(protocol), program, arguments }
}

const fn peer(name: &'static str, transport: &'static str, protocol: &'static str, program: &'static str) -> Server {
    let program = Program::Built(program);
    let arguments = |address: SocketAddr, _: &Path| Ok(vec![address.port().to_string()]);
    Server { name, transport, protocol: Some(protocol), program, arguments }
}

/// One process, so that its CPU time is all in one place.
fn configure_nginx(address: SocketAddr, scratch: &Path) -> io::Result<Vec<String>> {
    let folder = scratch.display();
    let paths =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {folder}/{name};"));
    let configuration = format!(
        "load_module {NCHAN};\ndaemon off; master_process off; worker_processes 1;\n\
         pid {folder}/nginx.pid; error_log {folder}/error.log;\nevents {{ worker_connections 20000; }}\n\
         http {{ access_log off; {paths}\n server {{ listen {address} backlog=1024; keepalive_requests 1000000;\n\
         location /sse {{ nchan_subscriber eventsource; nchan_channel_id $arg_room; nchan_subscriber_first_message newest; }}\n\
         location /say {{ nchan_publisher; nchan_channel_id $arg_room; }}\n }} }}\n",
        paths = paths.join(" ")
    );
    let file = scratch.join("nginx.conf");
    fs::write(&file, configuration)?;
    Ok(["-p".to_owned(), folder.to_string(), "-c".to_owned(), file.display().to_string()].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_servers_get_their_address_and_no_send_limit() {
        let address = SocketAddr::from(([127, 0, 0, 1], 4000));
        for name in ["ours-ws", "ours-sse", "ours-socketio"] {
            let arguments = named(name).arguments(address, Path::new("/nowhere")).expect("nothing to write");
            assert_eq!(arguments[..2], ["--listen", "127.0.0.1:4000"]);
            assert_eq!(arguments[2..], ["--send-rate", "0", "--sessions-per-address", "0"]);
        }
    }

    #[test]
    fn what_is_not_there_is_said() {
        let missing = named("sketch").program(Path::new("/nowhere")).expect_err("nothing is nowhere");
        assert_eq!(missing, "there is no baseline (it has to be built first)");
    }
}
