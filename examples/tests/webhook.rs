//! The server as it is started: `--webhook` tells a backend what happens, over a kill and from the next server, and says so where it cannot.

#![cfg(unix)]

#[path = "../../log-postgres/tests/support/cluster.rs"]
mod cluster;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use cluster::Cluster;
use serde_json::Value;
use tempfile::TempDir;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn server(arguments: &[&str], secret: &str) -> Command {
    let mut server = Command::new(env!("CARGO_BIN_EXE_server"));
    server.args(["--listen", "127.0.0.1:0"]).args(arguments).env("CHAT_WEBHOOK_SECRET", secret);
    server
}

/// A running server, and where it is.
fn start(dir: &TempDir, url: &str) -> (Child, String) {
    start_with(&["--data", dir.path().to_str().expect("a folder has a name"), "--webhook", url])
}

fn start_with(arguments: &[&str]) -> (Child, String) {
    let mut child = server(arguments, SECRET)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server can be started");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let greeting = out.lines().next().expect("it greets").expect("readable");
    let at = greeting.split("://").nth(1).expect("it says where").trim_end_matches('/').to_owned();
    (child, at)
}

/// Opens a room by SSE and stays: the stream, which is the membership.
fn found(at: &str, room: &str) -> TcpStream {
    let mut stream = TcpStream::connect(at).expect("it listens");
    let request =
        format!("GET /sse?create={room}&nick=Ann HTTP/1.1\r\nhost: {at}\r\naccept: text/event-stream\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("\"joined\"") {
        let mut some = [0; 1_024];
        let read = stream.read(&mut some).expect("it answers");
        assert!(read > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&some[..read]);
    }
    stream
}

/// Takes one request, and confirms it or hangs up: its events.
fn take(backend: &TcpListener, confirms: bool) -> Vec<Value> {
    let (mut socket, _) = backend.accept().expect("somebody comes");
    let mut reader = BufReader::new(socket.try_clone().expect("it can be cloned"));
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line).expect("readable") > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("as long as it says");
    if confirms {
        // One that was killed does not read it.
        let _ = socket.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
    }
    let body: Value = serde_json::from_slice(&body).expect("it is JSON");
    body["data"]["events"].as_array().expect("they are there").clone()
}

#[test]
fn what_a_backend_has_not_confirmed_is_told_again_after_a_kill() {
    let dir = TempDir::new().expect("a folder");
    let backend = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/hook", backend.local_addr().expect("it listens"));
    let (mut first, at) = start(&dir, &url);
    let ann = found(&at, "LUNCH");
    let told = take(&backend, false);
    assert_eq!((&told[0]["type"], &told[0]["room"]), (&"member_joined".into(), &"LUNCH".into()));
    first.kill().expect("it runs");
    first.wait().expect("it is dead");
    drop(ann);
    let (mut second, _) = start(&dir, &url);
    // What the first had sent last may still wait to be taken.
    let again = std::iter::repeat_with(|| take(&backend, true)).find(|events| *events == told);
    assert!(again.is_some());
    second.kill().expect("it runs");
    second.wait().expect("it is dead");
}

/// Of servers that share a database one tells the backend, also what happens at the others; and when it is killed another goes on, with what was not
/// confirmed.
#[tokio::test(flavor = "multi_thread")]
async fn of_servers_that_share_a_database_another_goes_on_when_one_is_killed() {
    let Some(cluster) = Cluster::start() else { return };
    drop(cluster.connect().await);
    let folder = cluster.folder().to_str().expect("a folder of a test").replace('/', "%2F");
    let database = format!("postgres://postgres@{folder}/postgres");
    let backend = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/hook", backend.local_addr().expect("it listens"));
    let arguments = ["--cluster", &database, "--lease", "1s", "--webhook", &url];
    let told = |room: &str, confirms| {
        let of_room = |events: &Vec<Value>| events.iter().any(|event| event["room"] == room);
        std::iter::repeat_with(|| take(&backend, confirms)).find(of_room).expect("it goes on for ever")
    };
    // The first has everything, this feed too.
    let (mut first, at) = start_with(&arguments);
    let _ann = found(&at, "LUNCH");
    told("LUNCH", true);
    let (mut second, at) = start_with(&arguments);
    let _bob = found(&at, "DINNER");
    told("DINNER", true);
    let _cid = found(&at, "SUPPER");
    told("SUPPER", false);
    first.kill().expect("it runs");
    first.wait().expect("it is dead");
    told("SUPPER", true);
    second.kill().expect("it runs");
    second.wait().expect("it is dead");
}

#[test]
fn a_server_that_cannot_send_webhooks_says_so() {
    let dir = TempDir::new().expect("a folder");
    let dir = dir.path().to_str().expect("a folder has a name");
    let cases = [
        (vec!["--data", dir, "--webhook", "http://127.0.0.1:9/"], "short", "CHAT_WEBHOOK_SECRET has to be set"),
        (vec!["--data", dir, "--webhook", "backend"], SECRET, "is no URL"),
        (vec!["--webhook", "http://127.0.0.1:9/"], SECRET, "--data"),
    ];
    for (arguments, secret, said) in cases {
        let output = server(&arguments, secret).output().expect("the server can be started");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(said), "{arguments:?}: {told}");
        assert!(!told.contains(SECRET) && !told.contains("short"), "{told}");
    }
}
