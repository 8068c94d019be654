//! Backups as an operator makes them: of a server that people talk to, of one that is down, and back again.
#![cfg(target_os = "linux")]

#[path = "crash/client.rs"]
#[allow(dead_code, reason = "the crash test uses all of it")]
mod client;
#[path = "crash/server.rs"]
mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use tokio::task::JoinHandle;

use client::{Client, Heard, Person};
use server::Server;

const ROUNDS: usize = 4;

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

/// Runs the program with this task.
fn run(task: &str, from: &Path, to: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command.arg(task).arg(from).arg(to).output().expect("the server is built")
}

fn done(task: &str, from: &Path, to: &Path) -> String {
    let output = run(task, from, to);
    assert!(output.status.success(), "{task}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it writes text")
}

fn refused(task: &str, from: &Path, to: &Path) -> String {
    let output = run(task, from, to);
    assert_eq!(output.status.code(), Some(1), "{task}");
    String::from_utf8(output.stderr).expect("it writes text")
}

/// Says so many messages, each once the one before was acked. Stops where the server has gone.
async fn say(client: &mut Client, person: &mut Person, messages: usize) -> Option<()> {
    for _ in 0..messages {
        let number = person.begin();
        client.say(person.line(number)).await.ok()?;
        while !matches!(person.take(&client.hear().await.ok()?), Heard::Acked(_)) {}
    }
    Some(())
}

async fn enter(address: &str, room: usize) -> (Client, Person) {
    let mut client = Client::connect(address).await.expect("it listens");
    let mut person = Person::new(room, 0);
    person.enter(&mut client).await.expect("nobody ends it");
    (client, person)
}

/// Talks until the server has gone.
async fn chatter(address: String, room: usize) -> JoinHandle<()> {
    let (mut client, mut person) = enter(&address, room).await;
    say(&mut client, &mut person, 20).await.expect("nobody ends it");
    tokio::spawn(async move { while say(&mut client, &mut person, 20).await.is_some() {} })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acked_before_a_backup_is_in_it_while_others_talk_on() {
    let (dir, backups, restored) = (folder(), folder(), folder());
    let mut server = Server::start(dir.path());
    let address = server.address().expect("it starts");
    let mut talking = Vec::new();
    for room in 0..2 {
        talking.push(chatter(address.clone(), ROUNDS + room).await);
    }
    // In each round somebody says something, and then there is a backup.
    let mut people = Vec::new();
    for round in 0..ROUNDS {
        let (mut client, mut person) = enter(&address, round).await;
        say(&mut client, &mut person, 25).await.expect("nobody ends it");
        let said = done("backup", dir.path(), &backups.path().join(round.to_string()));
        assert!(said.contains(&format!("{} rooms", 3 + round)), "{said}");
        people.push((client, person));
    }
    server.kill();
    for talker in talking {
        talker.await.expect("no panic");
    }
    for round in 0..ROUNDS {
        let (backup, into) = (backups.path().join(round.to_string()), restored.path().join(round.to_string()));
        done("restore", &backup, &into);
        let mut server = Server::start(&into);
        server.address().expect("it opens clean");
        assert!(server.terminate(), "an orderly end");
    }
    // The last has all of them, who come back with the tokens that they have.
    let last = restored.path().join((ROUNDS - 1).to_string());
    let mut server = Server::start(&last);
    let address = server.address().expect("it starts");
    for (_, mut person) in people {
        let mut client = Client::connect(&address).await.expect("it listens");
        person.come_back(&mut client).await.expect("nobody ends it");
        person.look_back(&mut client).await.expect("nobody ends it");
        assert_eq!(person.acked(), 25);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_that_nobody_serves_are_backed_up_as_well() {
    let (dir, backup, restored) = (folder(), folder(), folder());
    let mut server = Server::start(dir.path());
    let address = server.address().expect("it starts");
    let (mut client, mut person) = enter(&address, 0).await;
    say(&mut client, &mut person, 5).await.expect("nobody ends it");
    // The socket that it leaves behind is nobody's.
    server.kill();
    assert!(dir.path().join("backup.sock").exists());
    let into = backup.path().join("a");
    assert!(done("backup", dir.path(), &into).contains("1 rooms"));
    for name in ["rooms.redb", "secret"] {
        let mode = fs::metadata(into.join(name)).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    done("restore", &into, &restored.path().join("b"));
    let mut server = Server::start(&restored.path().join("b"));
    let address = server.address().expect("it starts");
    let mut client = Client::connect(&address).await.expect("it listens");
    person.come_back(&mut client).await.expect("nobody ends it");
    person.look_back(&mut client).await.expect("nobody ends it");
    assert!(server.terminate());
    assert!(!restored.path().join("b/backup.sock").exists(), "an orderly end takes the socket away");
}

#[test]
fn nothing_is_overwritten_and_what_is_wrong_is_told() {
    let (dir, backup) = (folder(), folder());
    let into = backup.path().join("a");
    assert!(refused("backup", dir.path(), &into).contains("has no rooms.redb"));
    assert!(!into.exists());
    assert!(refused("restore", dir.path(), &into).contains("is no backup"));
    let mut server = Server::start(dir.path());
    server.address().expect("it starts");
    done("backup", dir.path(), &into);
    assert!(refused("backup", dir.path(), &into).contains("rooms.redb is there already"));
    assert!(refused("restore", &into, dir.path()).contains("is in use"));
    assert!(server.terminate());
    assert!(refused("restore", &into, dir.path()).contains("rooms.redb is there already; move it away first"));
    // Where a backup cannot be written that is told, and the server goes on.
    let nowhere = backup.path().join("file");
    fs::write(&nowhere, "").expect("writable");
    let mut server = Server::start(dir.path());
    server.address().expect("it starts");
    assert!(refused("backup", dir.path(), &nowhere.join("b")).contains("cannot be written"));
    done("backup", dir.path(), &backup.path().join("c"));
}

#[test]
fn another_user_of_the_machine_is_given_no_backup() {
    let (dir, backup) = (folder(), folder());
    let mut server = Server::start(dir.path());
    server.address().expect("it starts");
    let socket = dir.path().join("backup.sock");
    let mode = fs::metadata(&socket).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    // Only root can ask as somebody else; and the socket is opened to all, to see that its mode is not all there is.
    if rustix::process::geteuid().is_root() {
        for (path, mode) in [(dir.path(), 0o755), (&socket, 0o666), (backup.path(), 0o777)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
        command.arg("backup").arg(dir.path()).arg(backup.path().join("a")).uid(65_534);
        let refused = command.output().expect("the server is built");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("only the server's own user and root may ask"), "{said}");
        assert!(!backup.path().join("a/rooms.redb").exists());
    }
    done("backup", dir.path(), &backup.path().join("b"));
}
