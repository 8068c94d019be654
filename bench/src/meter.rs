//! What processes cost: CPU time and resident memory, read from `/proc`.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A process to watch.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    pid: u32,
}

impl Process {
    /// The process with this number.
    pub fn of(pid: u32) -> Self {
        Self { pid }
    }

    /// The load itself.
    pub fn own() -> Self {
        Self { pid: std::process::id() }
    }

    /// CPU time of all its living threads in nanoseconds, as the scheduler counts it (a running thread lags by up to a tick).
    pub fn cpu_ns(&self) -> io::Result<u64> {
        let (mut total, mut threads) = (0, 0);
        for task in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            // A thread that has just ended is no error; a process without any readable thread is.
            if let Ok(line) = fs::read_to_string(task?.path().join("schedstat")) {
                total += number(line.split_whitespace().next())?;
                threads += 1;
            }
        }
        if threads == 0 { Err(io::Error::other("no CPU time of the server can be read")) } else { Ok(total) }
    }

    /// Resident memory in KiB, summed over the process's mappings.
    pub fn rss_kib(&self) -> io::Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        number(line.and_then(|rest| rest.split_whitespace().next()))
    }
}

/// A moment of this thread's own CPU time: what others do with the machine meanwhile does not count.
#[derive(Debug, Clone, Copy)]
pub struct ThreadTime(Duration);

impl ThreadTime {
    /// Now. Costs a system call, a few hundred nanoseconds.
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Self(Duration::new(now.tv_sec as u64, now.tv_nsec as u32))
    }

    /// CPU time of this thread since.
    pub fn elapsed(&self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}

/// A moment with all counters of the machine that a window needs.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    at: Instant,
    server_ns: u64,
    load_ns: u64,
    busy_ns: u64,
    steal_ns: u64,
}

impl Mark {
    /// Now. Costs some ten microseconds, so a window should be at least a hundred milliseconds long.
    pub fn now(server: Process) -> io::Result<Self> {
        let (busy_ns, steal_ns) = machine_ns()?;
        Ok(Self {
            at: Instant::now(),
            server_ns: server.cpu_ns()?,
            // A process that measures itself is not two.
            load_ns: if server.pid == Process::own().pid { 0 } else { Process::own().cpu_ns()? },
            busy_ns,
            steal_ns,
        })
    }

    /// What happened since.
    pub fn until(&self, end: &Self) -> Window {
        let seconds = (end.at - self.at).as_secs_f64();
        let share = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e9 / seconds;
        let (server, load) = (share(self.server_ns, end.server_ns), share(self.load_ns, end.load_ns));
        Window {
            seconds,
            server_ns: end.server_ns.saturating_sub(self.server_ns),
            server_share: server,
            load_share: load,
            others_share: (share(self.busy_ns, end.busy_ns) - server - load).max(0.0),
            steal_share: share(self.steal_ns, end.steal_ns),
        }
    }
}

/// A stretch of time between two marks. Shares are in cores: 1.0 is one core, always busy.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Its length.
    pub seconds: f64,
    /// CPU time of the server.
    pub server_ns: u64,
    /// How busy the server was.
    pub server_share: f64,
    /// How busy the load was. Near 1.0 the load, not the server, is what was measured.
    pub load_share: f64,
    /// How busy everybody else was: with much of it, figures per second are low and figures per CPU time a little high.
    pub others_share: f64,
    /// What the hypervisor took away.
    pub steal_share: f64,
}

impl Window {
    /// Server CPU in microseconds for each of `count` things.
    pub fn server_us_per(&self, count: u64) -> f64 {
        self.server_ns as f64 / 1e3 / count.max(1) as f64
    }
}

/// Busy and stolen time of all cores; in hundredths of a second, so it is only good for shares of long windows.
fn machine_ns() -> io::Result<(u64, u64)> {
    const TICK_NS: u64 = 10_000_000;
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let ticks = line.split_whitespace().skip(1).map(|field| number(Some(field))).collect::<io::Result<Vec<u64>>>()?;
    // user nice system idle iowait irq softirq steal; guest time is part of user time.
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else {
        return Err(io::Error::other("/proc/stat has too few fields"));
    };
    Ok(((user + nice + system + irq + softirq) * TICK_NS, steal * TICK_NS))
}

fn number(field: Option<&str>) -> io::Result<u64> {
    let field = field.ok_or_else(|| io::Error::other("a field of /proc is missing"))?;
    field.parse().map_err(|_| io::Error::other(format!("a field of /proc is no number: {field}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_as_cpu_time_and_memory() {
        let own = Process::own();
        assert!(own.rss_kib().expect("own memory") > 100);
        let (start, thread) = (Instant::now(), ThreadTime::now());
        let mut sum = 0_u64;
        while start.elapsed().as_millis() < 60 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(own.cpu_ns().expect("own CPU time") > 1_000_000);
        assert!(thread.elapsed().as_millis() > 0);
        assert_eq!(Mark::now(own).expect("a mark").load_ns, 0, "a process that measures itself is not two");
    }
}
