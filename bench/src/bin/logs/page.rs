//! The figures as a page: what was wanted and what was found, and a table for each level.

use std::fmt::Write;

use bench::table::{Run, Spread, digits, ratios, show, spread};

use super::store::KINDS;
use super::window::{CPU, OUTSIDE_CPU, P50, P99, RATE};
use super::{Level, SCENARIOS};

/// Sends to one durable room with 16 in flight: as many of log-redb's, at least.
const SENDS_BY_REDB_MIN: f64 = 0.5;
/// Records/s that PostgreSQL takes of 1,000 rooms.
const APPENDS_MIN: f64 = 8_000.0;

/// What was measured, and on what.
pub(crate) struct Ground {
    pub(crate) caption: String,
    pub(crate) versions: String,
    pub(crate) is_quick: bool,
    pub(crate) record_bytes: usize,
}

/// The page in Markdown.
pub(crate) fn render(ground: &Ground, runs: &[Run], failures: &[String]) -> String {
    let Ground { caption, versions, is_quick, record_bytes } = ground;
    let quick = if *is_quick { ", **quick: too short to quote**" } else { "" };
    let mut page = format!(
        "# The logs side by side\n\n{caption}{quick}. {versions}. The load, the engine, the log and PostgreSQL share all cores; \
         PostgreSQL has its default settings, on a socket of its own.\n\n\
         Medians (least-most); ratios are of runs of the same round, with the same durability. `noise` is the most that others used of the \
         machine during a run, in cores; the kernel's own work for the disk is among it.\n\n"
    );
    put_goals(&mut page, runs);
    put_table(&mut page, runs, Level::Sends, "Through the engine: from a command to its ack", "sends/s");
    let appends = format!("By itself: batches of one record of {record_bytes} bytes");
    put_table(&mut page, runs, Level::Appends, &appends, "records/s");
    for failure in failures {
        let _ = writeln!(page, "- no figures of {failure}");
    }
    page
}

fn put_goals(page: &mut String, runs: &[Run]) {
    let by_redb = Spread::of(ratios(runs, "sends-1x16", "postgres", "redb", RATE));
    let appends = spread(runs, "appends-1000", "postgres", RATE);
    let goals = [
        ("one room, 16 in flight: sends/s by redb's", SENDS_BY_REDB_MIN, by_redb, "x"),
        ("1,000 rooms by themselves: records/s", APPENDS_MIN, appends, ""),
    ];
    if by_redb.or(appends).is_none() {
        return;
    }
    page.push_str("| goal of PostgreSQL, synced | wanted | found | |\n|---|---:|---:|---|\n");
    for (what, min, found, unit) in goals {
        let Some(found) = found else { continue };
        let verdict = if found.median >= min { "met" } else { "**missed**" };
        let _ = writeln!(page, "| {what} | ≥ {}{unit} | {}{unit} | {verdict} |", digits(min), show(Some(found)));
    }
    page.push('\n');
}

fn put_table(page: &mut String, runs: &[Run], level: Level, caption: &str, rate: &str) {
    let scenarios = || SCENARIOS.iter().filter(|scenario| scenario.level == level);
    if !runs.iter().any(|run| scenarios().any(|scenario| scenario.name == run.trial)) {
        return;
    }
    let _ = writeln!(
        page,
        "## {caption}\n\n| rooms | in flight in each | log | {rate} | by redb's | p50 us | p99 us | us CPU of all | of PostgreSQL | noise \
         |\n|---:|---:|---|{}",
        "---:|".repeat(7)
    );
    for scenario in scenarios() {
        for kind in &KINDS {
            let mine = runs.iter().filter(|run| run.trial == scenario.name && run.server == kind.name);
            let Some(noise) = mine.map(Run::noise).reduce(f64::max) else { continue };
            let figure = |name| show(spread(runs, scenario.name, kind.name, name));
            let by_redb = kind.beside.map(|redb| ratios(runs, scenario.name, kind.name, redb, RATE));
            let _ = writeln!(
                page,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {noise:.2} |",
                scenario.rooms,
                scenario.in_flight,
                kind.name,
                figure(RATE),
                show(by_redb.and_then(Spread::of)),
                figure(P50),
                figure(P99),
                figure(CPU),
                if kind.needs_postgres() { figure(OUTSIDE_CPU) } else { "-".to_owned() },
            );
        }
    }
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn run(trial: &'static str, server: &'static str, round: usize, rate: f64) -> Run {
        let Value::Object(figures) = json!({"per_s": rate, "us_cpu_outside": 0.0, "steal_share": 0.25}) else {
            unreachable!("an object is an object")
        };
        Run { trial, server, round, figures }
    }

    fn page(runs: &[Run]) -> String {
        let ground = Ground { caption: String::new(), versions: String::new(), is_quick: false, record_bytes: 220 };
        render(&ground, runs, &[])
    }

    #[test]
    fn postgres_is_held_against_redb_of_the_same_round() {
        let rates = [("redb", 0, 1_000.0), ("postgres", 0, 600.0), ("redb", 1, 2_000.0), ("postgres", 1, 800.0)];
        let runs = rates.map(|(log, round, rate)| run("sends-1x16", log, round, rate));
        let page = page(&runs);
        assert!(page.contains("sends/s by redb's | ≥ 0.500x | 0.500 (0.400-0.600)x | met |"), "{page}");
        assert!(page.contains("| 1 | 16 | redb | 1500 (1000-2000) | - |"), "{page}");
        assert!(
            page.contains("| 1 | 16 | postgres | 700 (600-800) | 0.500 (0.400-0.600) | - | - | - | 0.000 | 0.25 |")
        );
        assert!(!page.contains("1,000 rooms"), "what was not measured is neither met nor missed");
    }

    #[test]
    fn what_is_missed_is_shown_as_missed() {
        let page = page(&[run("appends-1000", "postgres", 0, 7_999.0)]);
        assert!(page.contains("records/s | ≥ 8000 | 7999 | **missed** |"), "{page}");
        assert!(page.contains("of one record of 220 bytes"), "{page}");
    }

    #[test]
    fn without_postgres_there_are_no_goals() {
        assert!(!page(&[run("appends-1000", "redb", 0, 9e3)]).contains("goal"));
    }
}
