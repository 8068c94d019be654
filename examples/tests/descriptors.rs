//! The real server with few file descriptors: it raises its own bound, keeps some back, and answers `/healthz` whoever else came.
#![cfg(target_os = "linux")]

use std::future::Future;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_secs(60);

async fn in_time<T>(act: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, act).await.expect("in time")
}

/// A server after these words of a shell; what it says of its bounds, and where it listens.
async fn start(limits: &str, flags: &str) -> (Child, String, SocketAddr) {
    let mut process = Command::new("sh")
        .args(["-c", &format!("{limits}; exec \"$0\" --listen 127.0.0.1:0 {flags}"), env!("CARGO_BIN_EXE_server")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("there is a shell");
    let mut out = BufReader::new(process.stdout.take().expect("piped")).lines();
    let mut err = BufReader::new(process.stderr.take().expect("piped")).lines();
    // Lines of the log may come before it.
    let bounds = loop {
        let line = in_time(err.next_line()).await.expect("readable").expect("it says what it has room for");
        if line.starts_with("Room for") {
            break line;
        }
    };
    let greeting = in_time(out.next_line()).await.expect("readable").expect("it says where it listens");
    let address = greeting.trim_end_matches('/').rsplit('/').next().expect("an address").parse().expect("an address");
    (process, bounds, address)
}

/// A connection from a host of this machine, each of which is an address of its own.
async fn connect(host: u8, server: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, host], 0))).expect("a free port");
    in_time(socket.connect(server)).await.expect("it is taken")
}

async fn ask(host: u8, server: SocketAddr, path: &str) -> String {
    let mut client = connect(host, server).await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    in_time(client.read_to_string(&mut answer)).await.expect("an answer, and the end");
    answer
}

#[tokio::test]
async fn the_server_takes_as_many_file_descriptors_as_it_may_and_says_so() {
    let (_process, bounds, _) = start("ulimit -Sn 100; ulimit -Hn 200", "").await;
    assert_eq!(bounds, "Room for 136 connections, with 200 file descriptors.");
}

#[tokio::test]
async fn whoever_asks_how_it_is_gets_an_answer_though_all_places_are_taken() {
    let (_process, _, server) = start("ulimit -n 128", "--sessions-per-address 0").await;
    let mut held = Vec::new();
    for number in 0..300_u32 {
        let mut client = connect(1, server).await;
        // Who is cut off has taken no place.
        let _ = client.write_all(b"GET / HTTP/1.1\r\nHost: te").await;
        held.push(client);
        if number % 50 == 0 {
            let answer = ask(1, server, "/healthz").await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "after {number}: {answer}");
        }
    }
    assert!(ask(1, server, "/healthz").await.starts_with("HTTP/1.1 200 "));
    let answer = ask(2, server, "/").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: "), "{answer}");
}

#[tokio::test]
async fn one_address_does_not_take_the_server() {
    let (_process, _, server) = start("ulimit -n 128", "").await;
    let mut held = Vec::new();
    for _ in 0..100 {
        let mut client = connect(1, server).await;
        let _ = client.write_all(b"GET / HTTP/1.1\r\nHost: te").await;
        held.push(client);
    }
    assert!(ask(1, server, "/").await.starts_with("HTTP/1.1 503 "));
    assert!(ask(2, server, "/").await.starts_with("HTTP/1.1 200 "));
}
