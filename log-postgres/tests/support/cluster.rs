//! A PostgreSQL of the tests' own, in a folder, for as long as their process lives.
#![allow(dead_code, reason = "every test file uses its own part of this")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use tokio_postgres::{Client, NoTls};

/// What all of them are set to: many tests share one, beside many others on the machine.
const SETTINGS: [&str; 4] =
    ["max_connections=400", "shared_buffers=32MB", "max_wal_senders=4", "autovacuum_naptime=5s"];

/// A server in a folder of its own, which ends with this process at the latest, and takes its folder with it.
pub(crate) struct Cluster {
    pub(crate) address: String,
    folder: PathBuf,
    script: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    _child: Child,
}

impl Cluster {
    /// The one that the tests of this process share; none where PostgreSQL is not installed. Then a line says so, and where it has to be
    /// there (`CI=true`, or `CHAT_POSTGRES=required`), the test fails.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// A new one, for tests that change or crash it.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(|_| Vec::new())
    }

    /// The same with settings of its own, of what is put into its folder before: `name=value` each.
    pub(crate) fn start_with(settings: impl FnOnce(&Path) -> Vec<String>) -> Option<Self> {
        let Some(bin) = programs() else {
            let must = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
            let skipped = "PostgreSQL is not installed: what log-postgres does with one is not tested";
            assert!(!must("CI", "true") && !must("CHAT_POSTGRES", "required"), "{skipped}");
            println!("{skipped}");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("log-postgres-").tempdir().expect("a folder").keep();
        let settings = SETTINGS.map(str::to_owned).into_iter().chain(settings(&folder)).collect();
        Some(Self::run(&bin, folder, settings, None))
    }

    /// A standby of this one that goes by this name, with a copy of all that is there now.
    pub(crate) fn standby(&self, name: &str) -> Self {
        let bin = programs().expect("they have started this one");
        let folder = tempfile::Builder::new().prefix("log-postgres-").tempdir().expect("a folder").keep();
        let settings = SETTINGS.map(str::to_owned).into_iter().chain([format!("cluster_name={name}")]).collect();
        Self::run(&bin, folder, settings, Some(&self.folder))
    }

    fn run(bin: &Path, folder: PathBuf, settings: Vec<String>, primary: Option<&Path>) -> Self {
        let settings = settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]);
        let mut child = Command::new("sh")
            .args(["-c", include_str!("postgres.sh"), "postgres.sh"])
            .args([bin, &folder])
            .args(settings)
            .env("PRIMARY", primary.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let ends = (child.stdin.take().expect("piped"), BufReader::new(child.stdout.take().expect("piped")));
        let address = format!("host={} user=postgres dbname=postgres", folder.display());
        let cluster = Self { address, folder, script: Mutex::new(ends), _child: child };
        cluster.hears("started");
        cluster
    }

    /// The same, known to listen at this port.
    pub(crate) fn at_port(mut self, port: u16) -> Self {
        self.address.push_str(&format!(" port={port}"));
        self
    }

    /// Ends the server as a crash would, and starts it again.
    pub(crate) fn crash(&self) {
        self.stop();
        self.go_on();
    }

    /// Ends the server as a crash would.
    pub(crate) fn stop(&self) {
        self.tell("stop");
        self.hears("stopped");
    }

    /// Starts it again.
    pub(crate) fn go_on(&self) {
        self.tell("start");
        self.hears("started");
    }

    fn tell(&self, line: &str) {
        let mut script = self.script.lock().expect("no panic");
        writeln!(script.0, "{line}").and_then(|()| script.0.flush()).expect("the script runs");
    }

    fn hears(&self, word: &str) {
        let mut line = String::new();
        self.script.lock().expect("no panic").1.read_line(&mut line).expect("the script runs");
        let made = std::fs::read_to_string(self.folder.join("initdb")).unwrap_or_default();
        assert_eq!(line.trim_end(), word, "{made}");
    }

    /// A connection of the test's own.
    pub(crate) async fn connect(&self) -> Client {
        for _ in 0..500 {
            if let Ok((client, connection)) = tokio_postgres::connect(&self.address, NoTls).await {
                tokio::spawn(connection);
                return client;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no connection: {}", std::fs::read_to_string(self.folder.join("log")).unwrap_or_default());
    }

    /// What the server has written to its own log.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Where the programs of PostgreSQL are: the latest that the system has, or what is in the path.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let of_system = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists());
    let version = |bin: &PathBuf| bin.iter().rev().nth(1).and_then(|name| name.to_str()?.parse::<u32>().ok());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists());
    of_system.max_by_key(version).or(in_path)
}
