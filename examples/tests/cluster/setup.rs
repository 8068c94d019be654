//! What servers of one database are to have alike, as an operator meets it: a wrong secret is refused at start, and one is changed while people are there.

use std::process::Command;

use super::client::{Client, Gone, Person};
use super::cluster::Cluster;
use super::server::{Server, bare_command, refused};

const BEFORE: &str = "8f2d0c4be6a917355d1fb0a8c3e27946107bd8f35ea2c6499b04d7e1236fa85c";
const NEXT: &str = "31c7e95a0fd8246b8ab14ce7705f923de8169d0b47a3f25cb25ed9608317f4aa";

/// A server of the cluster, which signs with the first secret and takes the second, too.
fn command(cluster: &Cluster, secret: &str, also: Option<&str>) -> Command {
    let mut command = bare_command();
    let url = format!("postgres://postgres@/postgres?host={}", cluster.folder().display());
    command.args(["--cluster", &url, "--node", "127.0.0.1:0", "--lease", "1s"]).env("CHAT_SECRET", secret);
    also.map(|also| command.env("CHAT_SECRET_OLD", also));
    command
}

fn start(command: Command) -> (Server, String) {
    let mut server = Server::start_with(command);
    let address = tokio::task::block_in_place(|| server.address()).expect("it starts");
    (server, address)
}

async fn connect(address: &str) -> Client {
    Client::connect(address).await.expect("it listens")
}

/// Comes back, however often a server that has just started says that it does not know yet whose the room is.
async fn come_back(person: &mut Person, address: &str) {
    loop {
        match person.come_back_in_time(&mut connect(address).await).await {
            Ok(()) => return,
            Err(Gone::Unavailable | Gone::Draining) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            Err(gone) => panic!("{gone:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_the_same_at_all_servers_and_is_changed_in_two_rounds() {
    let Some(cluster) = Cluster::start() else { return };
    drop(cluster.connect().await);
    let (mut first, at_first) = start(command(&cluster, BEFORE, None));
    let mut person = Person::new(0, 0);
    person.enter(&mut connect(&at_first).await).await.expect("a new room");

    for (secret, also) in [(NEXT, None), (NEXT, Some(BEFORE))] {
        let said = tokio::task::block_in_place(|| refused(command(&cluster, secret, also)));
        assert!(said.contains("signs sessions with another secret"), "{said}");
        assert!(!said.contains(BEFORE) && !said.contains(NEXT), "a secret is nobody's business: {said}");
    }
    let (mut second, at_second) = start(command(&cluster, BEFORE, None));
    come_back(&mut person, &at_second).await;

    // One round in which the next is taken, and one in which it is signed with. Somebody is in a room all the while.
    for (secret, also) in [(BEFORE, NEXT), (NEXT, BEFORE)] {
        for server in [&mut first, &mut second] {
            assert!(tokio::task::block_in_place(|| server.terminate()), "an orderly end");
            let address;
            (*server, address) = start(command(&cluster, secret, Some(also)));
            come_back(&mut person, &address).await;
        }
    }
    // And nothing of the one before is needed any more by who was told a token since.
    assert!(tokio::task::block_in_place(|| first.terminate()), "an orderly end");
    let (_first, at_first) = start(command(&cluster, NEXT, None));
    come_back(&mut person, &at_first).await;
}
