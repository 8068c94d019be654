//! A server that keeps rooms in a folder, as its operator sees it: what it makes there, and what it refuses in clear words.
#![cfg(unix)]

#[path = "crash/client.rs"]
#[allow(dead_code, reason = "the crash test uses all of it")]
mod client;
#[path = "crash/server.rs"]
mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use client::{Client, Person};
use server::{Server, command, refused};

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_ended_goes_on_where_it_was() {
    let dir = folder();
    let rooms = dir.path().join("made/by/the/server");
    let mut person = Person::new(0, 0);
    let mut server = Server::start(&rooms);
    let address = server.address().expect("it starts");
    let mut client = Client::connect(&address).await.expect("it listens");
    person.enter(&mut client).await.expect("it listens");
    drop(client);
    assert!(server.terminate(), "an orderly end");
    let mode = |name: &str| fs::metadata(rooms.join(name)).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode("secret"), 0o600);

    let mut server = Server::start(&rooms);
    let address = server.address().expect("it starts");
    let mut client = Client::connect(&address).await.expect("it listens");
    person.come_back(&mut client).await.expect("it listens");
    person.look_back(&mut client).await.expect("it listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_the_environment_takes_the_place_of_the_one_in_the_folder() {
    let dir = folder();
    let with = |secret: &str| {
        let mut command = command(dir.path());
        command.env("CHAT_SECRET", secret);
        command
    };
    let mut person = Person::new(0, 0);
    for restart in [false, true] {
        let mut server = Server::start_with(with(&"5e".repeat(32)));
        let address = server.address().expect("it starts");
        let mut client = Client::connect(&address).await.expect("it listens");
        match restart {
            false => person.enter(&mut client).await.expect("it listens"),
            true => person.come_back(&mut client).await.expect("it listens"),
        }
    }
    assert!(!dir.path().join("secret").exists(), "it needs none of its own");
    let said = refused(with("changeme"));
    assert!(said.contains("CHAT_SECRET must be 64 hexadecimal digits") && !said.contains("changeme"), "{said}");
    let said = refused(with(&"0".repeat(64)));
    assert!(said.contains("CHAT_SECRET is one digit over and over") && !said.contains("000"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_can_be_changed_without_anybody_losing_their_session() {
    let dir = folder();
    let with = |secret: u8, old: Option<u8>| {
        let mut command = command(dir.path());
        command.env("CHAT_SECRET", format!("{secret:02x}").repeat(32));
        old.map(|old| command.env("CHAT_SECRET_OLD", format!("{old:02x}").repeat(32)));
        command
    };
    let mut person = Person::new(0, 0);
    for (start, secrets) in [(0x5e, None), (0xa1, Some(0x5e)), (0xa1, None)].into_iter().enumerate() {
        let mut server = Server::start_with(with(secrets.0, secrets.1));
        let address = server.address().expect("it starts");
        let mut client = Client::connect(&address).await.expect("it listens");
        match start {
            0 => person.enter(&mut client).await.expect("it listens"),
            _ => person.come_back(&mut client).await.expect("it listens"),
        }
    }
    let mut command = with(0xa1, None);
    command.env("CHAT_SECRET_OLD", "changeme");
    let said = refused(command);
    assert!(said.contains("CHAT_SECRET_OLD must be 64 hexadecimal digits") && !said.contains("changeme"), "{said}");
}

#[test]
fn a_folder_has_one_server() {
    let dir = folder();
    let mut first = Server::start(dir.path());
    first.address().expect("it starts");
    let said = refused(command(dir.path()));
    assert!(said.contains("is in use; is another server running on it?"), "{said}");
    first.kill();
    Server::start(dir.path()).address().expect("a killed server leaves nothing locked");
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let dir = folder();
    Server::start(dir.path()).address().expect("it starts");
    let file = dir.path().join("rooms.redb");

    let under_a_file = refused(command(&file));
    assert!(under_a_file.contains("Cannot keep rooms: ") && under_a_file.contains("rooms.redb"), "{under_a_file}");

    let whole = fs::read(&file).expect("readable");
    fs::write(&file, &whole[..whole.len() / 2]).expect("writable");
    let damaged = refused(command(dir.path()));
    assert!(damaged.contains("rooms.redb is damaged: "), "{damaged}");
    assert_eq!(fs::read(&file).expect("readable").len(), whole.len() / 2, "and left as it is");
    fs::write(&file, &whole).expect("writable");

    fs::set_permissions(dir.path().join("secret"), fs::Permissions::from_mode(0o644)).expect("it is ours");
    let open_to_all = refused(command(dir.path()));
    assert!(open_to_all.contains("Cannot use the secret: ") && open_to_all.contains("644"), "{open_to_all}");
    fs::set_permissions(dir.path().join("secret"), fs::Permissions::from_mode(0o600)).expect("it is ours");

    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let open_to_all = refused(command(dir.path()));
    assert!(open_to_all.contains("is not safe: its mode is 777; others must not"), "{open_to_all}");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    Server::start(dir.path()).address().expect("others may look");

    // Only root can make it another's.
    if std::os::unix::fs::chown(dir.path(), Some(65_534), None).is_ok() {
        let of_another = refused(command(dir.path()));
        assert!(of_another.contains("is not safe: it belongs to user 65534"), "{of_another}");
    }
}
