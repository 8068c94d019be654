//! The figures as a page: what was wanted and what was found, and a table for each scenario.

use std::fmt::Write;

use bench::table::{Run, digits, show, spread};

use super::{Length, follower, hop, moments, outage, rolling, takeover};

/// What was measured, and on what.
pub(crate) struct Ground {
    pub(crate) caption: String,
    pub(crate) versions: String,
    pub(crate) length: Length,
}

/// What is wanted: no more than this, in one figure of one scenario.
struct Goal {
    about: &'static str,
    scenario: &'static str,
    variant: &'static str,
    figure: &'static str,
    max: f64,
    unit: &'static str,
    /// Of all runs, the one that is held against it.
    run: Judged,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Judged {
    Median,
    /// What people wait for is to be short each time.
    Worst,
}

const fn goal(
    about: &'static str,
    scenario: &'static str,
    variant: &'static str,
    figure: &'static str,
    max: f64,
) -> Goal {
    Goal { about, scenario, variant, figure, max, unit: " s", run: Judged::Worst }
}

const GOALS: [Goal; 10] = [
    Goal {
        unit: " ms",
        run: Judged::Median,
        ..goal("a hop adds to the median of acks", "hop", "relaxed", hop::HOP_P50, 0.5)
    },
    Goal { unit: " ms", run: Judged::Median, ..goal("a hop adds to their p99", "hop", "relaxed", hop::HOP_P99, 2.0) },
    Goal {
        unit: "x",
        run: Judged::Median,
        ..goal(
            "CPU of a follower for each delivery, by that of one server",
            "follower",
            "relaxed",
            follower::FOLLOWER_BY_ALONE,
            1.05,
        )
    },
    goal("takeover of all rooms, from the first answer to the last", "takeover", "killed", takeover::ALL, 5.0),
    goal("the same of a server that drains", "takeover", "drained", takeover::ALL, 5.0),
    goal("owner killed, lease 5 s: nobody answers for", "outage", "killed, lease 5 s", outage::GAP, 8.0),
    goal("owner killed, lease 2 s: nobody answers for", "outage", "killed, lease 2 s", outage::GAP, 4.0),
    goal("owner drained: nobody answers for", "outage", "drained", outage::GAP, 1.0),
    goal("rolling restart: longest wait of a command", "rolling", "restarted", rolling::LONGEST, 1.0),
    Goal { unit: "", ..goal("rolling restart: commands refused", "rolling", "restarted", rolling::REFUSED, 0.0) },
];

/// One scenario as a table.
struct Table {
    scenario: &'static str,
    caption: &'static str,
    about: &'static str,
    figures: &'static [(&'static str, &'static str)],
}

const TABLES: [Table; 5] = [
    Table {
        scenario: "hop",
        caption: "A hop",
        about: "Two servers with nothing else to do. A session at the owner of a room and one at the other server take turns, 50 messages a second \
                each; milliseconds from before the write to the ack.",
        figures: &[
            (hop::OWNER_P50, "p50 at the owner"),
            (hop::OTHER_P50, "at the other"),
            (hop::HOP_P50, "hop"),
            (hop::OWNER_P99, "p99 at the owner"),
            (hop::OTHER_P99, "at the other"),
            (hop::HOP_P99, "hop"),
        ],
    },
    Table {
        scenario: "follower",
        caption: "A follower",
        about: "A room of 500 members at its owner, and then one with 250 at its owner and 250 at the other server; 100 messages a second. \
                Microseconds of each server's CPU for each delivery to one of its own members.",
        figures: &[
            (follower::ALONE, "all at the owner"),
            (follower::LEADER, "owner of both"),
            (follower::FOLLOWER, "follower"),
            (follower::OWNER_BY_ALONE, "owner by alone"),
            (follower::FOLLOWER_BY_ALONE, "follower by alone"),
        ],
    },
    Table {
        scenario: "takeover",
        caption: "Many rooms of a server that goes",
        about: "10,000 rooms of one server, lease 5 s, whose members are all connected to the other, 32 rooms to a session. From the signal every room \
                is asked until it answers; of a server that drains, what counts is asked after the table has given all its slots away. Seconds.",
        figures: &[
            (takeover::ROOMS, "rooms"),
            (takeover::TAKEN, "signal to slots moved"),
            (takeover::FIRST, "signal to first answer"),
            (takeover::ALL, "first to last answer"),
            (takeover::LONGEST, "longest wait of a command"),
            (takeover::REFUSED, "refused"),
        ],
    },
    Table {
        scenario: "outage",
        caption: "The owner of a room goes",
        about: "A session at the other server says a message 20 ms after the last was acked. Seconds from the last ack before to the first one after, \
                which is the longest time between two; commands refused meanwhile, asked again after 50 ms; and how often the session had to resume.",
        figures: &[
            (outage::GAP, "nobody answers"),
            (outage::REFUSED, "refused"),
            (outage::RESUMES, "resumes"),
            (outage::ENDED, "signal to end of process"),
        ],
    },
    Table {
        scenario: "rolling",
        caption: "A rolling restart",
        about: "60 people in 12 rooms on three servers say about ten messages a second each, while one server after the other drains, ends, is started \
                again and has been there for 5 s. Clients are told to come back spread over a second. Seconds from a message to its ack, whatever it \
                was refused or resumed for meanwhile.",
        figures: &[
            (rolling::COMMANDS, "commands"),
            (rolling::LONGEST, "longest wait"),
            (rolling::P99, "p99"),
            (rolling::REFUSED, "refused"),
            (rolling::DISOWNED, "of these as no member"),
            (rolling::RESUMES, "resumes"),
            (rolling::TOOK, "all restarts"),
        ],
    },
];

/// The page in Markdown.
pub(crate) fn render(ground: &Ground, runs: &[Run], failures: &[String]) -> String {
    let Ground { caption, versions, length } = ground;
    let quick = length.choose(", **quick: too small to quote; every lease is 1 s**", "");
    let mut page = format!(
        "# Several servers on one database\n\n{caption}{quick}. {versions}. The load, the servers and PostgreSQL share all cores; PostgreSQL has its \
         default settings, and each measurement servers and a database of its own.\n\n\
         Medians (least-most). Every ack and every delivery is counted and in order: a run with a loss has no figures, and stands below. `noise` is \
         the most that others used of the machine during a run, in cores, where no server ends meanwhile.\n\n"
    );
    put_goals(&mut page, runs);
    for table in &TABLES {
        put_table(&mut page, table, runs);
    }
    moments::render(&mut page, runs);
    for failure in failures {
        let _ = writeln!(page, "- no figures of {failure}");
    }
    page
}

fn put_goals(page: &mut String, runs: &[Run]) {
    let found = |goal: &Goal| spread(runs, goal.scenario, goal.variant, goal.figure);
    if GOALS.iter().all(|goal| found(goal).is_none()) {
        return;
    }
    page.push_str("| goal | wanted | found | |\n|---|---:|---:|---|\n");
    for goal in &GOALS {
        let Some(found) = found(goal) else { continue };
        let (judged, name) = match goal.run {
            Judged::Median => (found.median, "median"),
            Judged::Worst => (found.max, "worst"),
        };
        let verdict = if judged <= goal.max { "met" } else { "**missed**" };
        let Goal { about, unit, .. } = goal;
        let _ =
            writeln!(page, "| {about} | ≤ {}{unit} | {name} {}{unit} | {verdict} |", digits(goal.max), digits(judged));
    }
    page.push('\n');
}

fn put_table(page: &mut String, table: &Table, runs: &[Run]) {
    let of_table = || runs.iter().filter(|run| run.trial == table.scenario);
    if of_table().next().is_none() {
        return;
    }
    let _ = write!(page, "## {}\n\n{}\n\n| |", table.caption, table.about);
    for (_, label) in table.figures {
        let _ = write!(page, " {label} |");
    }
    let _ = writeln!(page, " noise | runs |\n|---|{}", "---:|".repeat(table.figures.len() + 2));
    for case in super::CASES.iter().filter(|case| case.scenario == table.scenario) {
        let mine: Vec<&Run> = of_table().filter(|run| run.server == case.variant).collect();
        if mine.is_empty() {
            continue;
        }
        let _ = write!(page, "| {} |", case.variant);
        for (figure, _) in table.figures {
            let _ = write!(page, " {} |", show(spread(runs, table.scenario, case.variant, figure)));
        }
        let is_known = mine.iter().all(|run| run.figures.contains_key("others_cpu_share"));
        let noise = mine.iter().map(|run| run.noise()).fold(0.0, f64::max);
        let noise = if is_known { format!("{noise:.2}") } else { "-".to_owned() };
        let _ = writeln!(page, " {noise} | {} |", mine.len());
    }
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn run(scenario: &'static str, variant: &'static str, round: usize, figures: Value) -> Run {
        let Value::Object(figures) = figures else { unreachable!("an object is an object") };
        Run { trial: scenario, server: variant, round, figures }
    }

    fn page(runs: &[Run], failures: &[String]) -> String {
        let ground = Ground { caption: String::new(), versions: String::new(), length: Length::Full };
        render(&ground, runs, failures)
    }

    #[test]
    fn the_worst_outage_is_held_against_its_goal_and_the_median_of_a_hop() {
        let outages = [0.5, 0.7, 1.25].map(|gap| run("outage", "drained", 0, json!({"gap_s": gap, "refused": 3})));
        let hops = [0.25, 0.4, 0.75].map(|hop| run("hop", "relaxed", 0, json!({"hop_p50_ms": hop})));
        let page = page(&outages.into_iter().chain(hops).collect::<Vec<_>>(), &[]);
        assert!(
            page.contains("| owner drained: nobody answers for | ≤ 1.00 s | worst 1.25 s | **missed** |"),
            "{page}"
        );
        assert!(page.contains("| a hop adds to the median of acks | ≤ 0.500 ms | median 0.400 ms | met |"), "{page}");
        assert!(page.contains("| drained | 0.700 (0.500-1.25) | 3.00 | - | - | - | 3 |"), "{page}");
        assert!(!page.contains("lease 2 s: nobody"), "what was not measured is neither met nor missed");
    }

    #[test]
    fn a_run_with_a_loss_is_named_and_has_no_goal() {
        let page = page(&[], &["hop, synced, round 1: one is missing".to_owned()]);
        assert!(page.contains("- no figures of hop, synced, round 1: one is missing\n"), "{page}");
        assert!(!page.contains("| goal |"), "{page}");
    }

    #[test]
    fn every_goal_and_every_table_is_of_something_that_is_measured() {
        let is_measured = |scenario: &str, variant: Option<&str>| {
            super::super::CASES
                .iter()
                .any(|case| case.scenario == scenario && variant.is_none_or(|it| it == case.variant))
        };
        assert!(GOALS.iter().all(|goal| is_measured(goal.scenario, Some(goal.variant))));
        assert!(TABLES.iter().all(|table| is_measured(table.scenario, None)));
        assert!(super::super::CASES.iter().all(|case| TABLES.iter().any(|table| table.scenario == case.scenario)));
    }
}
