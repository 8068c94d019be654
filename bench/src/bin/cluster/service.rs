//! The service under measurement: release servers as processes of their own, on one PostgreSQL that is there for them alone.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench::meter::{Mark, Process};
use bench::postgres::{Postgres, Programs};
use bench::scenario::Figures;
use chat_core::{RoomCode, Slot};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use super::{Fault, Length};

/// How long PostgreSQL, or all servers together, may take until they are ready.
const READY_MAX: Duration = Duration::from_secs(60);
/// How long a server that drains may take until it has ended.
const DRAINED_MAX: Duration = Duration::from_secs(40);
/// Between two looks at whose the slots are. When they are the same, and all have some, it is settled.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How many slots a server has at least once it has its share: a third of them is far more.
const SLOTS_MIN: usize = 16;
/// How many lines of a server's own are shown where something went wrong.
const LINES: usize = 6;

/// Of two servers, the one that has the rooms.
pub(crate) const OWNER: usize = 0;
/// The one that has not.
pub(crate) const OTHER: usize = 1;

/// What servers are started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) servers: usize,
    pub(crate) durability: &'static str,
    pub(crate) lease: Duration,
    pub(crate) length: Length,
}

/// Servers and their database. All end with this.
pub(crate) struct Service {
    pub(crate) servers: Vec<Server>,
    database: Arc<Postgres>,
    folder: PathBuf,
    settings: Settings,
    started: usize,
}

/// One server, which ends with this, or with this process.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// The least that a window needs to say how quiet the machine was.
pub(crate) struct Quiet {
    mark: Mark,
    ours_ns: u64,
}

impl Service {
    /// Starts PostgreSQL and the servers in a folder that is empty, and waits until each has its share of the slots.
    pub(crate) async fn start(programs: &Programs, folder: &Path, settings: Settings) -> Result<Self, Fault> {
        let database = Arc::new(Postgres::start(programs, folder)?);
        let since = Instant::now();
        while let Err(error) = database.query("select 1") {
            if since.elapsed() > READY_MAX {
                return Err(format!("{error}: {}", database.said()).into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        let mut service = Self { servers: Vec::new(), database, folder: folder.to_owned(), settings, started: 0 };
        // The first takes all slots, and those that come are given some after twelve leases. One that drains gives all of them at once.
        let mut first = service.launch("127.0.0.1:0")?;
        for _ in 0..settings.servers {
            let server = service.launch("127.0.0.1:0")?;
            service.servers.push(server);
        }
        service.join(settings.servers + 1).await?;
        first.drain()?;
        first.ended().await?;
        service.settle().await?;
        // What was left to be written before is not for these to wait for.
        if settings.length == Length::Full {
            Command::new("sync").status()?;
        }
        Ok(service)
    }

    /// Where its servers are.
    pub(crate) fn addresses(&self) -> Arc<[SocketAddr]> {
        self.servers.iter().map(|server| server.address).collect()
    }

    /// Starts a server in the place of one that has ended.
    pub(crate) fn replace(&mut self, index: usize) -> Result<(), Fault> {
        let listen = self.servers[index].address.to_string();
        self.servers[index] = self.launch(&listen)?;
        Ok(())
    }

    fn launch(&mut self, listen: &str) -> Result<Server, Fault> {
        self.started += 1;
        let program = std::env::current_exe()?.with_file_name("server");
        if !program.exists() {
            return Err(format!("there is no {} (it has to be built first)", program.display()).into());
        }
        let lease = format!("{}ms", self.settings.lease.as_millis());
        let url = self.database.url();
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(["--listen", listen, "--cluster", &url, "--lease", &lease, "--durability", self.settings.durability])
            .args(["--send-rate", "0", "--sessions-per-address", "0", "--drain-spread", "1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(self.folder.join(format!("server-{}", self.started)))?)
            .spawn()?;
        let mut line = String::new();
        let said = child.stdout.take().expect("piped");
        BufReader::new(said).read_line(&mut line)?;
        let address = line.trim().strip_prefix("Chat is at http://").and_then(|rest| rest.strip_suffix('/'));
        let address = address.and_then(|address| address.parse().ok());
        let server = |address| Server { child, address };
        address.map(server).ok_or_else(|| format!("no server: {}", self.said()).into())
    }

    /// Waits until so many servers that stay are there, and have seen each other.
    pub(crate) async fn join(&self, servers: usize) -> Result<(), Fault> {
        let since = Instant::now();
        let statement = "select count(*) from chat.nodes where not draining";
        while self.query(statement).await?.trim() != servers.to_string() {
            if since.elapsed() > READY_MAX {
                return Err(format!("not all servers are there: {}", self.said()).into());
            }
            sleep(LOOK_EVERY).await;
        }
        // Two beats.
        sleep(self.settings.lease * 2 / 5).await;
        Ok(())
    }

    /// Waits until every server has its share of the slots, and they stay where they are.
    async fn settle(&self) -> Result<(), Fault> {
        let since = Instant::now();
        let mut before = Vec::new();
        loop {
            let owners = self.owners().await?;
            let is_known = |owner: &Option<u32>| self.servers.iter().any(|server| *owner == Some(server.pid()));
            let count = |server: &Server| owners.iter().filter(|owner| **owner == Some(server.pid())).count();
            let have_all = self.servers.iter().all(|server| count(server) >= SLOTS_MIN);
            if owners.iter().all(is_known) && have_all && owners == before {
                return Ok(());
            }
            if since.elapsed() > READY_MAX {
                return Err(format!("the slots do not settle: {}", self.said()).into());
            }
            before = owners;
            sleep(LOOK_EVERY).await;
        }
    }

    async fn query(&self, statement: &'static str) -> Result<String, Fault> {
        let database = Arc::clone(&self.database);
        Ok(tokio::task::spawn_blocking(move || database.query(statement)).await??)
    }

    /// Whose each slot is: the process of a server, by which it goes in the table.
    pub(crate) async fn owners(&self) -> Result<Vec<Option<u32>>, Fault> {
        let statement =
            "select coalesce(n.name, '') from chat.slots s left join chat.nodes n on n.id = s.node order by s.slot";
        let rows = self.query(statement).await?;
        let owners: Vec<_> = rows.lines().map(|name| name.strip_prefix("server ")?.parse().ok()).collect();
        match owners.len() == usize::from(Slot::COUNT) {
            true => Ok(owners),
            false => Err(format!("the table has {} slots", owners.len()).into()),
        }
    }

    /// Names of so many rooms that are this server's as long as slots stay where they are.
    pub(crate) async fn rooms_of(&self, index: usize, word: &str, count: usize) -> Result<Vec<String>, Fault> {
        let owners = self.owners().await?;
        let pid = self.servers[index].pid();
        let is_its = |name: &String| {
            RoomCode::parse(name).is_ok_and(|code| owners[usize::from(Slot::of(&code).number())] == Some(pid))
        };
        let names: Vec<String> =
            (0..(count + 10) * 400).map(|number| format!("{word}-{number:06}")).filter(is_its).take(count).collect();
        match names.len() == count {
            true => Ok(names),
            false => Err(format!("server {index} has too few slots").into()),
        }
    }

    /// What the servers have written to standard error last.
    pub(crate) fn said(&self) -> String {
        let mut said = String::new();
        for number in 1..=self.started {
            let all = fs::read_to_string(self.folder.join(format!("server-{number}"))).unwrap_or_default();
            let lines: Vec<&str> = all.lines().collect();
            for line in &lines[lines.len().saturating_sub(LINES)..] {
                said.push_str(&format!("\n  server {number}: {line}"));
            }
        }
        said
    }

    /// A window begins, in which no server ends.
    pub(crate) fn quiet(&self) -> io::Result<Quiet> {
        Ok(Quiet { mark: Mark::now(Process::own())?, ours_ns: self.cpu_ns()? })
    }

    /// It ends: how much of the machine was used by what has nothing to do with it.
    pub(crate) fn put_noise(&self, since: &Quiet, figures: &mut Figures) -> io::Result<()> {
        let now = self.quiet()?;
        let window = since.mark.until(&now.mark);
        let ours = now.ours_ns.saturating_sub(since.ours_ns) as f64 / 1e9 / window.seconds;
        figures.insert("others_cpu_share".to_owned(), (window.others_share - ours).max(0.0).into());
        figures.insert("steal_share".to_owned(), window.steal_share.into());
        Ok(())
    }

    fn cpu_ns(&self) -> io::Result<u64> {
        let mut total = self.database.cpu_ns()?;
        for server in &self.servers {
            total += server.process().cpu_ns()?;
        }
        Ok(total)
    }
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn process(&self) -> Process {
        Process::of(self.pid())
    }

    /// Ends as by a power cut.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Asks it to drain and end.
    pub(crate) fn drain(&self) -> Result<(), Fault> {
        let pid = Pid::from_raw(i32::try_from(self.pid())?).ok_or("a server without a process")?;
        kill_process(pid, Signal::TERM)?;
        Ok(())
    }

    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> Result<(), Fault> {
        let since = Instant::now();
        while !self.has_ended()? {
            if since.elapsed() > DRAINED_MAX {
                return Err("a server that drains does not end".into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.kill();
    }
}
