//! A server that somebody looks after: a service manager that wants to be told, and a check from beside it.
#![cfg(target_os = "linux")]

#[path = "crash/server.rs"]
mod server;

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

use server::{Server, bare_command};

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);

fn heard(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 256];
    let length = socket.recv(&mut bytes).expect("it is told");
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

fn is_told_all(socket: &UnixDatagram, name: &str) {
    socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
    let mut command = bare_command();
    command.env("NOTIFY_SOCKET", name).env("WATCHDOG_USEC", "100000");
    let mut server = Server::start_with(command);
    server.address().expect("it starts");
    assert_eq!(heard(socket), "READY=1");
    for _ in 0..3 {
        assert_eq!(heard(socket), "WATCHDOG=1");
    }
    assert!(server.terminate(), "an orderly end");
    while heard(socket) != "STOPPING=1" {}
}

#[test]
fn a_service_manager_hears_when_a_server_is_ready_alive_and_going() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    is_told_all(&UnixDatagram::bind(&path).expect("a socket"), path.to_str().expect("text"));
    let name = format!("chat-test-{}", std::process::id());
    let at = SocketAddr::from_abstract_name(&name).expect("a name");
    is_told_all(&UnixDatagram::bind_addr(&at).expect("a socket"), &format!("@{name}"));
}

#[test]
fn a_watchdog_of_another_process_is_told_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
    let mut command = bare_command();
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let mut server = Server::start_with(command);
    server.address().expect("it starts");
    assert!(server.terminate(), "an orderly end");
    assert_eq!((heard(&socket), heard(&socket)), ("READY=1".to_owned(), "STOPPING=1".to_owned()));
}

#[test]
fn a_check_from_beside_finds_a_server_that_is_there() {
    let check = |address: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
        let output = command.args(["healthcheck"]).env("CHAT_LISTEN", address).output().expect("it is built");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let mut server = Server::start_with(bare_command());
    let address = server.address().expect("it starts");
    assert_eq!(check(&address), (Some(0), String::new()));
    // One that listens everywhere is found at home.
    let port = address.rsplit_once(':').expect("a port").1;
    assert_eq!(check(&format!("0.0.0.0:{port}")).0, Some(0));
    // Where its file says so.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("chat.toml");
    std::fs::write(&file, format!("listen = {address:?}\n")).expect("writable");
    let by_variable = Command::new(env!("CARGO_BIN_EXE_server")).arg("healthcheck").env("CHAT_CONFIG", &file).output();
    assert!(by_variable.expect("it is built").status.success());
    let by_flag = Command::new(env!("CARGO_BIN_EXE_server")).args(["healthcheck", "--config"]).arg(&file).output();
    assert!(by_flag.expect("it is built").status.success());
    let given = Command::new(env!("CARGO_BIN_EXE_server")).args(["healthcheck", &address]).output();
    assert!(given.expect("it is built").status.success());
    // As --listen is written.
    for written in [port.to_owned(), format!(":{port}"), format!("localhost:{port}")] {
        let by_port = Command::new(env!("CARGO_BIN_EXE_server")).args(["healthcheck", &written]).output();
        let by_port = by_port.expect("it is built");
        assert!(by_port.status.success(), "{written}: {}", String::from_utf8_lossy(&by_port.stderr));
    }
    server.kill();
    let (status, said) = check(&address);
    assert!(status == Some(1) && said.contains("does not answer"), "{said}");
    // Somebody else listens there.
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = other.local_addr().expect("bound").to_string();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().expect("somebody asks");
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 503 Service Unavailable\r\n\r\n").expect("sent");
        std::io::Read::read(&mut stream, &mut [0; 512]).expect("asked")
    });
    let (status, said) = check(&at);
    assert!(status == Some(1) && said.contains("HTTP/1.1 503"), "{said}");
    answering.join().expect("no panic");
}
