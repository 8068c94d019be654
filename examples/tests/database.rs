//! A server that keeps rooms in PostgreSQL, as its operator sees it: it goes on where it was, and ends when another takes over.
#![cfg(unix)]

#[path = "crash/client.rs"]
#[allow(dead_code, reason = "other tests use all of it")]
mod client;
#[path = "../../log-postgres/tests/support/cluster.rs"]
mod cluster;
#[path = "crash/server.rs"]
mod server;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use client::{Client, Person};
use cluster::Cluster;
use server::{Server, bare_command, command, refused};

/// The address of a database, as on a command line.
fn address(cluster: &Cluster) -> String {
    let folder = cluster.folder().to_str().expect("a folder of a test").replace('/', "%2F");
    format!("postgres://postgres@{folder}/postgres")
}

fn server(cluster: &Cluster) -> Command {
    command(Path::new(&address(cluster)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_ended_or_killed_goes_on_where_it_was() {
    let Some(cluster) = Cluster::start() else { return };
    drop(cluster.connect().await);
    let mut person = Person::new(0, 0);
    let mut running = Server::start_with(server(&cluster));
    let mut client = Client::connect(&running.address().expect("it starts")).await.expect("it listens");
    person.enter(&mut client).await.expect("it listens");
    for is_killed in [true, false] {
        drop(client);
        match is_killed {
            true => running.kill(),
            false => assert!(running.terminate(), "an orderly end"),
        }
        running = Server::start_with(server(&cluster));
        client = Client::connect(&running.address().expect("it starts")).await.expect("it listens");
        person.come_back(&mut client).await.expect("it listens");
        person.look_back(&mut client).await.expect("it listens");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_database_another_has_taken_ends_and_says_why() {
    let Some(cluster) = Cluster::start() else { return };
    drop(cluster.connect().await);
    let mut person = Person::new(0, 0);
    let mut first = server(&cluster);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the server is built");
    // Once it has the log, the next takes it.
    let client = cluster.connect().await;
    let beats = "select count(*) from chat.nodes where beat > 0";
    while client.query_one(beats, &[]).await.map_or(0, |row| row.get::<_, i64>(0)) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        assert!(first.try_wait().expect("it is ours").is_none(), "it has ended by itself");
    }
    let mut second = Server::start_with(server(&cluster));
    let mut client = Client::connect(&second.address().expect("it starts")).await.expect("it listens");
    person.enter(&mut client).await.expect("it listens");
    let ended = first.wait_with_output().expect("it is ours");
    let said = String::from_utf8(ended.stderr).expect("it writes text");
    assert!(ended.status.success() && said.contains("another server has taken the log over"), "{said}");
    person.look_back(&mut client).await.expect("it listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_used_is_refused_in_words() {
    let said = refused(command(Path::new("postgres://postgres:changeme@db.example.com/postgres")));
    assert!(said.contains("Cannot keep rooms") && said.contains("TLS") && !said.contains("changeme"), "{said}");
    let Some(cluster) = Cluster::start() else { return };
    drop(cluster.connect().await);
    let said = refused(command(Path::new(&format!("{}_of_nobody", address(&cluster)))));
    assert!(said.contains("Cannot keep rooms: the database cannot be used now") && said.contains("3D000"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_listen_joins_no_others() {
    let Some(cluster) = Cluster::start() else { return };
    let client = cluster.connect().await;
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = (taken.local_addr().expect("it listens").to_string(), taken);
    for (listen, admin) in [(&*taken.0, "127.0.0.1:0"), ("127.0.0.1:0", &taken.0)] {
        let mut command = Command::new(bare_command().get_program());
        command.args(["--cluster", &address(&cluster), "--listen", listen, "--admin", admin]);
        let said = refused(command);
        assert!(said.contains(&format!("Cannot listen on {}", taken.0)), "{said}");
    }
    let begun = client.query("select from pg_namespace where nspname = 'chat'", &[]).await.expect("it answers");
    assert!(begun.is_empty(), "it has asked the database for tables");
}
