//! The window of a measurement: what is answered in it counts, and what it cost the machine.

use std::time::{Duration, Instant};

use bench::meter::{Mark, Process};
use bench::scenario::Figures;
use bench::table::percentile;
use tokio::task::JoinSet;

use super::Fault;
use super::store::Store;

/// How long a measurement is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length {
    /// Before the window.
    pub(crate) warmup: Duration,
    pub(crate) window: Duration,
}

/// When answers count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    from: Instant,
    until: Instant,
}

impl Window {
    pub(crate) fn after_warmup(length: Length) -> Self {
        let from = Instant::now() + length.warmup;
        Self { from, until: from + length.window }
    }

    pub(crate) fn is_over(self) -> bool {
        Instant::now() >= self.until
    }

    /// Lets the tasks, one for each room, run until they end by themselves, which they do with the window.
    pub(crate) async fn watch(
        self,
        store: &Store,
        mut tasks: JoinSet<Result<Answers, Fault>>,
    ) -> Result<Figures, Fault> {
        let mark = || Ok::<_, std::io::Error>((Mark::now(Process::own())?, store.outside_ns()?));
        tokio::time::sleep_until(self.from.into()).await;
        let (begin, outside_before) = mark()?;
        tokio::time::sleep_until(self.until.into()).await;
        let (end, outside_after) = mark()?;
        let mut took = Vec::new();
        while let Some(answers) = tasks.join_next().await {
            took.extend(answers??.took);
        }
        if took.is_empty() {
            return Err("nothing was answered within the window".into());
        }

        took.sort_unstable();
        let machine = begin.until(&end);
        let outside_ns = outside_after.saturating_sub(outside_before);
        let outside_share = outside_ns as f64 / 1e9 / machine.seconds;
        let count = took.len() as f64;
        let mut figures = Figures::new();
        let mut put = |name: &str, value: f64| figures.insert(name.to_owned(), ((value * 1e3).round() / 1e3).into());
        put(RATE, count / (self.until - self.from).as_secs_f64());
        put(P50, percentile(&took, 0.50).as_secs_f64() * 1e6);
        put(P99, percentile(&took, 0.99).as_secs_f64() * 1e6);
        put(CPU, (machine.server_ns + outside_ns) as f64 / 1e3 / count);
        put(OUTSIDE_CPU, outside_ns as f64 / 1e3 / count);
        put("window_s", machine.seconds);
        put("own_cpu_share", machine.server_share);
        put("outside_cpu_share", outside_share);
        put("others_cpu_share", (machine.others_share - outside_share).max(0.0));
        put("steal_share", machine.steal_share);
        Ok(figures)
    }
}

/// The names of the figures.
pub(crate) const RATE: &str = "per_s";
pub(crate) const P50: &str = "p50_us";
pub(crate) const P99: &str = "p99_us";
/// Of this process and PostgreSQL, microseconds for each answer.
pub(crate) const CPU: &str = "us_cpu";
/// Of PostgreSQL alone.
pub(crate) const OUTSIDE_CPU: &str = "us_cpu_outside";

/// What one room's task was answered.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// How many, whenever.
    pub(crate) total: u64,
    /// How long those of the window took.
    took: Vec<Duration>,
}

impl Answers {
    /// Now there is an answer to what was asked then.
    pub(crate) fn note(&mut self, window: Window, asked: Instant) {
        let now = Instant::now();
        self.total += 1;
        if (window.from..window.until).contains(&now) {
            self.took.push(now - asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_before_and_after_the_window_do_not_count() {
        let (now, hour) = (Instant::now(), Duration::from_secs(3_600));
        let mut answers = Answers::default();
        answers.note(Window { from: now + hour, until: now + 2 * hour }, now);
        answers.note(Window { from: now, until: now }, now);
        assert_eq!((answers.total, answers.took.len()), (2, 0));
        answers.note(Window { from: now, until: now + hour }, now);
        assert_eq!((answers.total, answers.took.len()), (3, 1));
    }
}
