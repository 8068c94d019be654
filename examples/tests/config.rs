//! A server that is told what to do by a file and by its environment, and says what it would do.
#![cfg(unix)]

#[path = "crash/server.rs"]
mod server;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use server::Server;

/// The program, with nothing of this process' environment that is about it.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.to_string_lossy().starts_with("CHAT_")).for_each(|name| {
        command.env_remove(name);
    });
    command.stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it writes text")
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the server is built")
}

/// A file that has nothing wrong with it.
fn file(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("chat.toml");
    let data = folder.join("rooms");
    let text = format!(
        "listen = \"127.0.0.1:0\"\nsend-rate = 3\ndata = {:?}\ndurability = \"relaxed\"\nkeep-empty = \"30days\"\n\
         host = [\"a.example\", \"b.example\"]\n",
        data.display().to_string()
    );
    fs::write(&path, text).expect("writable");
    path
}

#[test]
fn a_server_obeys_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = program();
    command.arg("--config").arg(file(folder.path()));
    let mut server = Server::start_with(command);
    let address = server.address().expect("it starts");
    assert!(!address.ends_with(":5000"), "{address}");
    assert!(folder.path().join("rooms/rooms.redb").exists());
    assert!(server.terminate(), "an orderly end");
}

#[test]
fn a_flag_comes_before_a_variable_and_that_before_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(folder.path());
    let checked = run(program()
        .env("CHAT_CONFIG", &path)
        .env("CHAT_SEND_RATE", "5")
        .env("CHAT_DRAIN_SPREAD", "9")
        .env("CHAT_HOST", "c.example,d.example")
        .args(["--check-config", "--drain-spread", "1"]));
    let report = text(&checked.stdout);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    for line in [
        "drain-spread = 1  # --drain-spread".to_owned(),
        "send-rate = 5  # CHAT_SEND_RATE".to_owned(),
        "host = [\"c.example\", \"d.example\"]  # CHAT_HOST".to_owned(),
        format!("durability = \"relaxed\"  # {}", path.display()),
        "# keep-lost = \"10m\"  # default".to_owned(),
        "# tls-cert is not set".to_owned(),
    ] {
        assert!(report.lines().any(|said| said == line), "{line} is not in\n{report}");
    }
    assert!(!folder.path().join("rooms").exists(), "nothing is made");

    // What it has said is a file that says the same.
    let again = folder.path().join("again.toml");
    fs::write(&again, &report).expect("writable");
    let again = run(program().arg("--config").arg(&again).arg("--check-config"));
    let values = |report: &str| -> Vec<String> {
        report.lines().map(|line| line.split("  # ").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(values(&text(&again.stdout)), values(&report), "{}", text(&again.stderr));
}

#[test]
fn what_is_wrong_is_told_with_where_it_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.toml");
    let refused = |content: &str, variables: &[(&str, &str)], words: &[&str]| {
        fs::write(&path, content).expect("writable");
        for check in [&["--check-config"][..], &[]] {
            let refused = run(program().arg("--config").arg(&path).args(check).envs(variables.iter().copied()));
            let said = text(&refused.stderr);
            assert_eq!(refused.status.code(), Some(2), "{content}: {said}");
            assert!(words.iter().all(|word| said.contains(word)), "{content}: {said}");
        }
    };
    refused("listn = \"127.0.0.1:0\"", &[], &["no flag has the name \"listn\"", "chat.toml"]);
    refused("keep_empty = \"1h\"", &[], &["\"keep_empty\"", "write keep-empty"]);
    refused("listen = \"everywhere\"", &[], &["everywhere", "--listen", "listen is in ", "chat.toml"]);
    refused("keep-messages = 5", &[], &["--data"]);
    refused("", &[("CHAT_SEND_RATE", "many")], &["many", "--send-rate", "CHAT_SEND_RATE is in the environment"]);
    let gone = run(program().args(["--config", "/nowhere/chat.toml", "--check-config"]));
    assert_eq!(gone.status.code(), Some(2));
    assert!(text(&gone.stderr).contains("/nowhere/chat.toml cannot be read"));
}

#[test]
fn what_a_check_can_find_out_it_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("cert.pem");
    let missing = missing.to_str().expect("text");
    let refused = run(program().args(["--check-config", "--tls-cert", missing, "--tls-key", missing]));
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("Cannot use TLS"), "{}", text(&refused.stderr));
    let refused = run(program().env("CHAT_SECRET", "changeme").arg("--check-config"));
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("CHAT_SECRET must be"), "{}", text(&refused.stderr));
    let file = folder.path().join("key");
    fs::write(&file, "too short").expect("writable");
    let key = file.to_str().expect("text");
    let kept = folder.path().join("rooms");
    let data = kept.to_str().expect("text");
    // All of it at once, and none of what is secret.
    let wrong = run(program().env("CHAT_WEBHOOK_SECRET", "swordfish").env("CHAT_ADMIN_TOKEN", "swordfish").args([
        "--check-config",
        "--jwt-key",
        key,
        "--data",
        data,
        "--webhook",
        "https://backend/",
        "--admin",
        "0",
    ]));
    let said = text(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2), "{said}");
    for words in ["CHAT_WEBHOOK_SECRET has to be set", "CHAT_ADMIN_TOKEN must be", "less than 32 bytes"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("swordfish") && !kept.exists(), "{said}");
    let secret = "0123456789abcdef";
    for (url, secret, words) in [
        ("http://backend/", "short", "CHAT_AUTH_SECRET has to be set"),
        ("backend", secret, "Cannot ask --auth-url: this is no URL"),
        ("https://a:swordfish@backend/", secret, "Cannot ask --auth-url: this is no URL"),
    ] {
        let wrong = run(program().env("CHAT_AUTH_SECRET", secret).args(["--check-config", "--auth-url", url]));
        let said = text(&wrong.stderr);
        assert_eq!((wrong.status.code(), said.contains(words)), (Some(2), true), "{url}: {said}");
        assert!(!said.contains("swordfish"), "{said}");
    }
    let right =
        run(program().env("CHAT_AUTH_SECRET", secret).args(["--check-config", "--auth-url", "http://backend/"]));
    assert!(right.status.success(), "{}", text(&right.stderr));
    let address = "postgres://chat:swordfish@db/chat?sslmode=disable";
    let report = text(&run(program().env("CHAT_DATA", address).arg("--check-config")).stdout);
    assert!(report.contains("chat:...@db") && !report.contains("swordfish"), "{report}");
}

/// As one of a page that had it wrong.
#[test]
fn a_misspelt_variable_is_said_and_what_it_holds_is_not() {
    let mut misspelt = program();
    misspelt.env("CHAT_OLD_SECRET", "swordfish").env("CHAT_SECRET_OLD", "8f2d0c4be6a917355d1fb0a8c3e27946".repeat(2));
    let checked = run(misspelt.arg("--check-config"));
    let report = text(&checked.stdout);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert!(report.contains("# CHAT_OLD_SECRET is in the environment, and nothing reads it"), "{report}");
    assert!(!report.contains("CHAT_SECRET_OLD") && !report.contains("swordfish"), "{report}");
}

#[test]
fn what_can_never_work_is_no_configuration() {
    let refused = |arguments: &[&str], words: &str| {
        let wrong = run(program().arg("--check-config").args(arguments));
        let said = text(&wrong.stderr);
        assert_eq!((wrong.status.code(), said.contains(words)), (Some(2), true), "{arguments:?}: {said}");
    };
    for (listen, admin) in [("6140", "6140"), ("0.0.0.0:6140", "6140"), ("[::1]:6140", "[::]:6140")] {
        refused(&["--listen", listen, "--admin", admin], "for --admin: clients are listened to there");
    }
    for name in ["room", "nick", "resume", "cursor", "at", "EIO", "sid"] {
        refused(&["--jwt-key", "key", "--auth-query", name], "a transport reads this parameter itself");
    }
    for flag in ["--auth-query", "--auth-cookie"] {
        refused(&["--jwt-key", "key", flag, ""], flag);
    }
    refused(&["--jwt-key", "key", "--auth-cookie", "a b"], "a cookie has no such name");
    for expiry in ["36h", "0s", "1ms"] {
        refused(&["--data", "rooms", "--token-expiry", expiry], "whole days");
    }
    let admin = ["--listen", "127.0.0.1:6140", "--admin", "127.0.0.2:6140", "--data", "rooms", "--token-expiry", "48h"];
    for right in [&admin[..], &["--listen", "0", "--admin", "0"]] {
        let checked = run(program().env("CHAT_ADMIN_TOKEN", "0123456789abcdef").arg("--check-config").args(right));
        assert!(checked.status.success(), "{right:?}: {}", text(&checked.stderr));
    }
}

#[test]
fn every_shell_is_given_every_flag() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let done = run(program().args(["completions", shell]));
        let script = text(&done.stdout);
        assert!(done.status.success() && script.contains("keep-empty") && script.contains("completions"), "{shell}");
    }
    assert_eq!(run(program().args(["completions", "dos"])).status.code(), Some(2));
}

#[test]
fn help_names_the_variable_of_each_flag() {
    let help = text(&run(program().arg("--help")).stdout);
    assert!(help.contains("[env: CHAT_LISTEN]") && help.contains("[env: CHAT_KEEP_EMPTY]"), "{help}");
    assert!(text(&run(program().arg("--version")).stdout).starts_with("server "));
}
