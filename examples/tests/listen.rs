//! The command line of the real server: where it listens, and what it says where it cannot.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};

fn server(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_server")).args(arguments).output().expect("the server starts")
}

#[test]
fn an_address_that_cannot_be_listened_on_is_refused_with_what_to_write() {
    let ended = server(&["--listen", "example.org:8080"]);
    assert_eq!(ended.status.code(), Some(2));
    let words = String::from_utf8(ended.stderr).expect("text");
    for part in ["'example.org:8080'", "--listen <ADDRESS:PORT>", "127.0.0.1:8080", "0.0.0.0:8080 for every network"] {
        assert!(words.contains(part), "{words}");
    }
}

#[test]
fn the_help_says_that_a_port_alone_stays_on_this_machine() {
    let words = |flag| String::from_utf8(server(&[flag]).stdout).expect("text");
    assert!(words("-h").contains("a port alone (`8080` or `:8080`) listens on"), "{}", words("-h"));
    assert!(words("--help").contains("write `0.0.0.0:8080`"), "{}", words("--help"));
}

#[test]
fn what_keeps_a_server_from_its_work_is_an_error_to_whoever_reads_the_log_by_level() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().map(|at| (at.to_string(), taken)).expect("it listens");
    let nowhere = ["--tls-cert", "/nowhere/cert.pem", "--tls-key", "/nowhere/key.pem"];
    for (arguments, words) in [
        (vec!["--listen", &taken.0], "Cannot listen on"),
        ([&["--listen", "0"][..], &nowhere].concat(), "Cannot use TLS"),
        (vec!["--listen", "0", "--data", "/dev/null/rooms"], "Cannot keep rooms"),
        (vec!["--listen", "0", "--jwt-key", "/nowhere/key"], "Cannot use the key of tokens"),
    ] {
        let ended = server(&[&arguments[..], &["--log-format", "json"]].concat());
        assert_eq!(ended.status.code(), Some(1), "{words}");
        let said = String::from_utf8(ended.stderr).expect("text");
        let lines = said.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        let levels: Vec<_> = lines
            .filter(|line| line["message"].as_str().is_some_and(|message| message.starts_with(words)))
            .map(|line| line["level"].clone())
            .collect();
        assert_eq!(levels, ["ERROR"], "{words}: {said}");
    }
}

#[tokio::test]
async fn a_port_alone_is_listened_on_where_only_this_machine_can_reach_it() {
    for text in ["0", ":0", "localhost:0"] {
        let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_server"))
            .args(["--listen", text])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let greeting = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await.expect("in time");
        let greeting = greeting.expect("readable").expect("it says where it listens");
        assert!(greeting.starts_with("Chat is at http://127.0.0.1:"), "{text}: {greeting}");
        process.kill().await.expect("it ends");
    }
}
