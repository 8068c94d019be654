//! Three real servers on one database, as whoever strikes them has them: each behind ways of its own, to the database and to the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_postgres::{Client, NoTls};

use super::server::{Server, bare_command, bare_command_of};
use super::wire::{Way, Wire};

pub(crate) const SERVERS: usize = 3;
/// The longest that it may take until everything has found its place again: many times what it takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Where a server is reached by the others, in place of where it listens.
const WAYS: &str = "create table ways (node text primary key, wire text not null)";
/// From now on the table of servers says so.
const THROUGH: &str = "
    create function through_wire() returns trigger language plpgsql as $$
    begin
        new.address := (select wire from public.ways where node = new.address);
        return new;
    end $$;
    create trigger through_wire before insert on chat.nodes for each row execute function public.through_wire();";

/// Where clients reach each server; nowhere while it is away.
pub(crate) type Places = Vec<Option<String>>;

pub(crate) struct Fleet {
    pub(crate) lease: Duration,
    /// Where the test finds the database, as the driver has it.
    database: String,
    /// Where each server does.
    urls: Vec<String>,
    wires: Vec<Wire>,
    servers: Vec<Option<Server>>,
    places: watch::Sender<Places>,
    /// What the servers write on standard error, a file each.
    said: TempDir,
}

impl Fleet {
    /// Servers on a database that has nothing in it.
    pub(crate) async fn start(lease: Duration, database: String, urls: Vec<String>) -> Self {
        let mut fleet = Self {
            lease,
            database,
            urls,
            wires: Vec::new(),
            servers: Vec::new(),
            places: watch::Sender::new(vec![None; SERVERS]),
            said: TempDir::new().expect("a folder"),
        };
        for _ in 0..SERVERS {
            fleet.wires.push(Wire::lay().await);
            fleet.servers.push(None);
        }
        let client = fleet.connect().await;
        client.batch_execute(WAYS).await.expect("it is the test's own database");
        // The first one makes the tables.
        fleet.run(0).await;
        client.batch_execute(THROUGH).await.expect("it is the test's own database");
        fleet.kill(0);
        for index in 0..SERVERS {
            fleet.run(index).await;
        }
        fleet.settled().await;
        fleet
    }

    /// A connection of the test's own, to whichever database takes what is written.
    pub(crate) async fn connect(&self) -> Client {
        let begun = Instant::now();
        loop {
            match tokio_postgres::connect(&self.database, NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return client;
                }
                Err(error) => assert!(begun.elapsed() < LONG, "no connection: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts a server, and waits until it listens.
    pub(crate) async fn run(&mut self, index: usize) {
        // Another each time: somebody may have the old one by now.
        let node = free_address();
        let wire = &self.wires[index];
        wire.lead_to(node);
        let way = "insert into ways values ($1, $2) on conflict (node) do update set wire = excluded.wire";
        let (node, wire) = (node.to_string(), wire.address.to_string());
        self.connect().await.execute(way, &[&node, &wire]).await.expect("it answers");
        let said = File::options().create(true).append(true).open(self.said.path().join(index.to_string()));
        let mut command = match (index, std::env::var_os("CHAT_CLUSTER_OTHER")) {
            (0, Some(other)) => bare_command_of(Path::new(&other)),
            _ => bare_command(),
        };
        command.args(["--cluster", &self.urls[index], "--node", &node]);
        command.args(["--lease", &format!("{}ms", self.lease.as_millis())]).stderr(said.expect("a file"));
        let mut server = Server::start_with(command);
        let address = tokio::task::block_in_place(|| server.address()).expect("it starts");
        self.servers[index] = Some(server);
        self.set_place(index, Some(address));
    }

    fn set_place(&self, index: usize, place: Option<String>) {
        self.places.send_modify(|places| places[index] = place);
    }

    pub(crate) fn places(&self) -> watch::Receiver<Places> {
        self.places.subscribe()
    }

    fn server(&self, index: usize) -> &Server {
        self.servers[index].as_ref().expect("it runs")
    }

    /// With SIGKILL.
    pub(crate) fn kill(&mut self, index: usize) {
        self.set_place(index, None);
        self.servers[index].take().expect("it runs").kill();
    }

    /// As an operator ends it. Says how long that takes.
    pub(crate) fn drain(&mut self, index: usize) -> Duration {
        let begun = Instant::now();
        let mut server = self.servers[index].take().expect("it runs");
        // Until it has gone, clients may come: they ask no balancer.
        assert!(tokio::task::block_in_place(|| server.terminate()), "an orderly end");
        self.set_place(index, None);
        begun.elapsed()
    }

    /// Stands still for so long, and goes on. Of its clients those who lose patience go elsewhere meanwhile.
    pub(crate) async fn pause(&self, index: usize, long: Duration) {
        let place = self.places.borrow()[index].clone();
        self.server(index).signal(Signal::STOP);
        self.set_place(index, None);
        tokio::time::sleep(long).await;
        self.server(index).signal(Signal::CONT);
        self.set_place(index, place);
    }

    /// For so long nobody reaches these servers but their clients, and who was reached by them before.
    pub(crate) async fn part(&self, servers: &[usize], way: Way, long: Duration) {
        servers.iter().for_each(|index| self.wires[*index].set(way));
        tokio::time::sleep(long).await;
        servers.iter().for_each(|index| self.wires[*index].set(Way::Open));
    }

    /// Servers by what they are called in the table.
    fn names(&self) -> BTreeMap<String, usize> {
        let running = self.servers.iter().enumerate();
        running.filter_map(|(index, server)| Some((format!("server {}", server.as_ref()?.id()), index))).collect()
    }

    /// Waits until exactly these servers are there and each slot is one's of them. Returns whose each room is.
    pub(crate) async fn settled(&self) -> BTreeMap<String, usize> {
        let client = self.connect().await;
        let names = self.names();
        let begun = Instant::now();
        loop {
            let there: Vec<String> = column(&client, "select name from chat.nodes").await;
            let of: Vec<String> = column(
                &client,
                "select coalesce(n.name, '') from chat.slots s left join chat.nodes n on n.id = s.node",
            )
            .await;
            let is_there = there.len() == SERVERS && there.iter().all(|name| names.contains_key(name));
            if is_there && of.len() == 1_024 && of.iter().all(|name| names.contains_key(name)) {
                break;
            }
            assert!(begun.elapsed() < LONG, "{there:?} are there, of {names:?}; slots: {:?}", counted(&of));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let owners =
            "select t.code, n.name from chat.tails t join chat.slots s using (slot) join chat.nodes n on n.id = s.node";
        let rows = client.query(owners, &[]).await.expect("it answers");
        rows.iter().filter_map(|row| Some((row.get(0), *names.get(row.get::<_, &str>(1))?))).collect()
    }

    /// The servers that there are: one that was deposed and has begun anew is another.
    pub(crate) async fn ids(&self) -> Vec<String> {
        column(&self.connect().await, "select id::text from chat.nodes order by id").await
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for index in 0..SERVERS {
            let said = std::fs::read_to_string(self.said.path().join(index.to_string())).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            println!("server {index} said last:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
}

async fn column(client: &Client, sql: &str) -> Vec<String> {
    client.query(sql, &[]).await.expect("it answers").iter().map(|row| row.get(0)).collect()
}

fn counted(names: &[String]) -> BTreeMap<&str, usize> {
    let each: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    each.into_iter().map(|name| (name, names.iter().filter(|other| *other == name).count())).collect()
}

/// One that nobody listens at now.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it listens")
}
