//! The command line of a server that shares a database with others.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use chat_core::Engine;
use chat_serve::{Elsewhere, PeerStream, ServeConfig, ServerName, serve_passed_on};
use cluster_postgres::links::HttpConnection;
use cluster_postgres::{JoinError, JoinOptions, PgCluster, Standing};
use log_postgres::{Options, PgLog, Setup};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::console::tell;

/// Connections at once over which others pass on requests. 4,096: each of up to 32 servers has no more than a few hundred requests under way, and who
/// polls or has changed to WebSocket has one for as long.
const PASSED_ON_MAX: usize = 4_096;
/// How often it is looked whether the others reach this server. 500 ms: little of a grace of 30 s.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a server that goes waits at most until the others have its rooms.
const HAND_OVER_MAX: Duration = Duration::from_secs(10);

/// Flags of a server among several.
#[derive(Clone, Debug, clap::Args)]
pub struct ClusterFlags {
    /// Keep rooms and messages in this PostgreSQL database (postgres://USER@HOST/DATABASE) together with other servers that are given the same:
    /// clients of all of them are in the same rooms
    #[arg(long = "cluster", value_name = "URL", group = "kept", value_parser = parse_database)]
    pub database: Option<String>,

    /// Where this server listens for the other servers, and they reach it: an IP address of this machine and a port, no name; on several machines it
    /// has to be said, for example 10.0.0.5:7000. Servers speak TLS with certificates that they know from the database
    #[arg(long, value_name = "ADDRESS:PORT", requires = "database", value_parser = parse_node)]
    pub node: Option<SocketAddr>,

    /// How long rooms of a server that has died wait at least until others have them; 1s to 60s, the same at all servers
    #[arg(long, value_name = "DURATION", default_value = "5s", requires = "database", value_parser = parse_lease)]
    pub lease: Duration,
}

impl ClusterFlags {
    /// Joins the other servers, with rooms kept as `log` says, where `setup` agrees with theirs.
    ///
    /// # Errors
    /// See [`JoinError`].
    pub(crate) async fn join(
        &self,
        database: &str,
        log: Options,
        setup: Setup,
    ) -> Result<(Arc<PgLog>, Arc<PgCluster>), JoinError> {
        let listen = self.node.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let options = JoinOptions { log, listen, address: None, lease: self.lease, setup };
        let (log, cluster) = PgCluster::join(database, options).await?;
        Ok((Arc::new(log), Arc::new(cluster)))
    }
}

/// The other servers, as requests are passed on to them.
pub(crate) struct Others(pub(crate) Arc<PgCluster>);

#[async_trait]
impl Elsewhere for Others {
    fn me(&self) -> Option<ServerName> {
        self.0.name().parse().ok()
    }

    fn is_me(&self, name: &ServerName) -> bool {
        self.0.is_me(name.as_str())
    }

    async fn connect(&self, name: &ServerName) -> io::Result<Box<dyn PeerStream>> {
        Ok(Box::new(self.0.connect_http(name.as_str()).await?))
    }
}

/// Serves what other servers pass on, for as long as they do.
pub(crate) async fn serve_others(cluster: Arc<PgCluster>, router: Router, config: Arc<ServeConfig>) {
    let mut connections = cluster.http_connections();
    let places = Arc::new(Semaphore::new(PASSED_ON_MAX));
    let mut serving = JoinSet::new();
    while let Some(HttpConnection { stream, gone, .. }) = connections.recv().await {
        while serving.try_join_next().is_some() {}
        // Above the bound it is closed, and whoever passes on hears that the server cannot be reached.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (router, config) = (router.clone(), Arc::clone(&config));
        serving.spawn(async move {
            serve_passed_on(stream, router, config, gone.cancelled_owned()).await;
            drop(place);
        });
    }
}

/// Sends whoever is connected away, once each time that the others turn out not to reach this server: there is one of them that goes on with its rooms,
/// and the graces of its people have begun to run there. Those who come back here nevertheless find no other way, and are served.
pub(crate) async fn send_away_when_apart(cluster: Arc<PgCluster>, engine: Engine, spread: Duration) {
    // Without the database it is not known who is there.
    let is_cut_off =
        || matches!(cluster.standing(), Standing { holds: true, is_draining: false, stays_apart: true, .. });
    let mut was_cut_off = false;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let is_cut_off = is_cut_off();
        if is_cut_off && !was_cut_off {
            tell("Other servers do not reach this one: whoever is connected is sent to them.");
            engine.send_away(spread).await;
        }
        was_cut_off = is_cut_off;
    }
}

/// Gives the rooms of a server that goes to the others.
pub(crate) async fn hand_over(cluster: &PgCluster) {
    cluster.drain(HAND_OVER_MAX).await;
}

fn parse_database(text: &str) -> Result<String, String> {
    match text.starts_with("postgres://") || text.starts_with("postgresql://") {
        true => Ok(text.to_owned()),
        false => Err("write the address of a PostgreSQL database: postgres://USER@HOST/DATABASE".to_owned()),
    }
}

fn parse_lease(text: &str) -> Result<Duration, String> {
    let lease = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let is_kept = (Duration::from_secs(1)..=Duration::from_secs(60)).contains(&lease);
    if is_kept { Ok(lease) } else { Err("a lease is 1s to 60s".to_owned()) }
}

/// An address that others can reach: they are told it as it is.
fn parse_node(text: &str) -> Result<SocketAddr, String> {
    let example = "write the address at which the other servers reach this one, and a port: 10.0.0.5:7000";
    let address: SocketAddr = text.parse().map_err(|_| example.to_owned())?;
    let is_everywhere = match address.ip() {
        IpAddr::V4(ip) => ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_unspecified(),
    };
    if is_everywhere { Err(format!("nobody is reached at {text}; {example}")) } else { Ok(address) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        data: crate::DataFlags,
    }

    fn parse(arguments: &[&str]) -> Result<ClusterFlags, String> {
        let named = [&["server"], arguments].concat();
        Arguments::try_parse_from(named).map(|arguments| arguments.data.cluster).map_err(|error| error.to_string())
    }

    #[test]
    fn servers_share_a_database_and_nothing_else() {
        let flags = parse(&["--cluster", "postgres:///chat", "--durability", "relaxed"]).expect("valid");
        assert_eq!((flags.database.as_deref(), flags.lease), (Some("postgres:///chat"), Duration::from_secs(5)));
        assert!(parse(&["--cluster", "/var/lib/chat"]).expect_err("a folder").contains("postgres://USER@HOST"));
        let both = parse(&["--cluster", "postgres:///chat", "--data", "rooms"]).expect_err("one or the other");
        assert!(both.contains("cannot be used with"), "{both}");
        for lease in ["500ms", "61s", "0s", "soon"] {
            let refused = parse(&["--cluster", "postgres:///chat", "--lease", lease]).expect_err(lease);
            assert!(refused.contains("--lease") && (lease == "soon" || refused.contains("1s to 60s")), "{refused}");
        }
        for alone in [["--node", "10.0.0.5:7000"], ["--lease", "2s"]] {
            assert!(parse(&alone).expect_err("without a database").contains("--cluster"));
        }
    }

    #[test]
    fn a_server_is_reached_at_an_address_and_not_everywhere() {
        let node = |text| parse(&["--cluster", "postgres:///chat", "--node", text]).map(|flags| flags.node);
        assert_eq!(node("10.0.0.5:7000"), Ok(Some(SocketAddr::from(([10, 0, 0, 5], 7_000)))));
        for bad in ["0.0.0.0:7000", "[::]:7000", "10.0.0.5", "chat.internal:7000", ":7000"] {
            assert!(node(bad).expect_err(bad).contains("10.0.0.5:7000"));
        }
    }
}
