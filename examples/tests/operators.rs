//! The operator's listener of the real server: acts are told to the audit whatever the log's level, and a drain that is asked for ends the process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

const TOKEN: &str = "not-to-be-guessed-7";

/// The status that a request is answered with, and the body.
fn ask(at: &str, request: &str, token: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(at).expect("it listens");
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {at}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer.split_once("\r\n\r\n").expect("a body").1.to_owned())
}

#[test]
fn a_drain_that_is_asked_for_ends_the_process_and_each_act_is_told() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_server"))
        .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--drain-spread", "0", "--admin-name", "Desk"])
        .args(["--log-level", "error", "--log-format", "json"])
        .env("CHAT_ADMIN_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server is built");
    let mut said = BufReader::new(server.stderr.take().expect("piped")).lines().map(|line| line.expect("text"));
    let line = said.find(|line| line.contains("Operators go to http://")).expect("it says where");
    let at = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address").to_owned();

    assert_eq!(ask(&at, "GET /status", "not-the-right-one", "").0, 401);
    let (status, body) = ask(&at, "GET /status", TOKEN, "");
    assert!(status == 200 && body.contains(r#""names":["Desk"]"#), "{body}");
    assert_eq!(ask(&at, "GET /rooms", TOKEN, ""), (200, r#"{"rooms":[]}"#.to_owned()));
    assert_eq!(ask(&at, "POST /rooms/LUNCH/messages", TOKEN, r#"{"name":"Desk","text":"hello"}"#).0, 404);
    assert_eq!(ask(&at, "POST /drain", TOKEN, "").0, 202);
    assert!(server.wait().expect("it ends").success());

    let rest: Vec<String> = said.collect();
    let audit: Vec<_> = rest.iter().filter(|line| line.contains(r#""target":"audit""#)).collect();
    let told = |line: &str, words: &[&str]| words.iter().all(|word| line.contains(word));
    assert_eq!(audit.len(), 2, "{rest:#?}");
    assert!(
        told(audit[0], &[r#""act":"say""#, r#""outcome":"room_not_found""#, r#""peer":"127.0.0.1""#]),
        "{}",
        audit[0]
    );
    assert!(told(audit[1], &[r#""act":"drain""#, r#""outcome":"done""#]), "{}", audit[1]);
    assert!(!rest.concat().contains(TOKEN) && !rest.concat().contains("LUNCH"), "{rest:#?}");
}
