//! A PostgreSQL of a measurement's own: in a folder, behind a socket in it, with the settings that it comes with.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::machine;
use crate::meter::Process;

/// The one that the tests of the log start theirs with: the server ends with whoever started it, and its folder with the server.
const SCRIPT: &str = include_str!("../../log-postgres/tests/support/postgres.sh");

/// Where the programs of PostgreSQL are.
#[derive(Debug)]
pub struct Programs(PathBuf);

impl Programs {
    /// The latest that the system has, or what is in the path.
    pub fn find() -> Option<Self> {
        let has_all = |bin: &PathBuf| bin.join("initdb").exists() && bin.join("postgres").exists();
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let of_system = versions.map(|version| version.path().join("bin")).filter(has_all);
        let version = |bin: &PathBuf| bin.iter().rev().nth(1).and_then(|name| name.to_str()?.parse::<u32>().ok());
        let path = std::env::var_os("PATH").unwrap_or_default();
        of_system.max_by_key(version).or_else(|| std::env::split_paths(&path).find(has_all)).map(Self)
    }

    /// As people say it.
    pub fn version(&self) -> String {
        let version = machine::first_word_after(&self.0.join("postgres"), "--version", "(PostgreSQL) ");
        version.map_or("a PostgreSQL that does not say its version".to_owned(), |found| format!("PostgreSQL {found}"))
    }
}

/// A server that runs until this is dropped, or this process is gone.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    address: String,
    client: PathBuf,
    script: Child,
}

impl Postgres {
    /// A new one in a folder below this one. It may not take connections yet.
    pub fn start(programs: &Programs, above: &Path) -> io::Result<Self> {
        let folder = above.join("postgres");
        fs::create_dir(&folder)?;
        let mut script = Command::new("sh")
            .args(["-c", SCRIPT, "postgres.sh"])
            .args([&programs.0, &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // An interrupt from the keyboard is for this process: the script then ends the server, and takes its folder away.
            .process_group(0)
            .spawn()?;
        let mut line = String::new();
        let said = script.stdout.take().ok_or_else(|| io::Error::other("the script says nothing"))?;
        BufReader::new(said).read_line(&mut line)?;
        if line != "started\n" {
            let why = fs::read_to_string(folder.join("initdb")).unwrap_or_default();
            return Err(io::Error::other(format!("no cluster is made: {why}")));
        }
        let address = format!("host={} user=postgres dbname=postgres", folder.display());
        let client = programs.0.join("psql");
        Ok(Self { folder, address, client, script })
    }

    /// How it is reached, as `libpq` has it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The same, as an address of the web.
    pub fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.folder.display().to_string().replace('/', "%2F"))
    }

    /// What answers a statement, a line for each row, with bars between its values. Waits for it.
    pub fn query(&self, statement: &str) -> io::Result<String> {
        let output = Command::new(&self.client).args(["-XAtq", "-d", &self.address, "-c", statement]).output()?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
        }
    }

    /// What the server has written to its own log.
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// CPU time of the server and of all its backends that are there.
    pub fn cpu_ns(&self) -> io::Result<u64> {
        let lock = fs::read_to_string(self.folder.join("data/postmaster.pid"))?;
        let first = lock.lines().next().and_then(|line| line.parse().ok());
        let server: u32 = first.ok_or_else(|| io::Error::other("the server's process is not known"))?;
        let processes = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let own = processes.filter(|pid| *pid == server || parent(*pid) == Some(server));
        // One that has just ended has no time any more.
        Ok(own.filter_map(|pid| Process::of(pid).cpu_ns().ok()).sum())
    }
}

/// The process that started this one.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // What is in brackets is a name, and may have any characters.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        if let Err(error) = self.script.wait() {
            eprintln!("the PostgreSQL in {} may still run: {error}", self.folder.display());
        }
    }
}
