//! What the project wants to reach, and whether the runs show it. What is missed is shown as missed.

use std::fmt::Write;

use crate::servers::named;
use crate::table::{Run, Spread, digits, ratios, show, spread};

/// One figure of one of our servers, and what it is held against.
#[derive(Debug)]
struct Goal {
    trial: &'static str,
    server: &'static str,
    figure: &'static str,
    /// What is measured, for people.
    what: &'static str,
    /// Reached where any of these is.
    bounds: &'static [Bound],
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
    /// At least so many times another server's figure in the same round.
    Times(f64, &'static str),
    /// At most so many times another server's.
    Within(f64, &'static str),
    /// At most another server's figure and so much more.
    Above(f64, &'static str),
}

use Bound::{Above, AtLeast, AtMost, Times, Within};

const fn goal(
    trial: &'static str,
    server: &'static str,
    figure: &'static str,
    what: &'static str,
    bounds: &'static [Bound],
) -> Goal {
    Goal { trial, server, figure, what, bounds }
}

const RATE: &str = "deliveries_per_s";
const CPU: &str = "server_us_per_delivery";
const MEMORY: &str = "kib_per_connection";
const FULL: &str = "full room of 500: deliveries/s";
const QUIET: &str = "quiet room of 500: us CPU/delivery";
const IDLE: &str = "idle: KiB/connection";
const STORM: &str = "join storm of 1,000: us CPU/join";

const GOALS: [Goal; 28] = [
    goal("saturation", "ours-ws", RATE, FULL, &[AtLeast(3.5e6)]),
    goal("saturation", "ours-ws", RATE, FULL, &[Times(0.9, "sketch")]),
    goal("saturation", "ours-ws", RATE, FULL, &[Times(16.0, "axum")]),
    goal("saturation", "ours-ws", RATE, FULL, &[Times(4.0, "socketioxide")]),
    goal("saturation-sse", "ours-sse", RATE, FULL, &[AtLeast(2e6), Times(9.0, "axum-sse")]),
    goal("saturation", "ours-socketio", RATE, FULL, &[Times(0.8, "socketioxide")]),
    goal("quiet", "ours-ws", CPU, QUIET, &[Within(0.9, "axum")]),
    goal("quiet", "ours-sse", CPU, QUIET, &[Within(1.0, "nchan")]),
    goal("quiet", "ours-socketio", CPU, QUIET, &[Within(1.25, "socketioxide")]),
    goal("small-rooms", "ours-ws", CPU, "250 rooms of 4: us CPU/delivery", &[Within(1.0, "axum")]),
    goal("small-rooms", "ours-ws", "p99_us", "250 rooms of 4: p99 us", &[AtMost(500.0)]),
    goal("idle", "ours-ws", MEMORY, IDLE, &[AtMost(6.0)]),
    goal("idle", "ours-sse", MEMORY, IDLE, &[AtMost(16.0)]),
    goal("idle", "ours-socketio", MEMORY, IDLE, &[Above(2.0, "socketioxide")]),
    goal("join-storm", "ours-ws", "server_us_per_join", STORM, &[Within(1.0, "socketioxide")]),
    goal("join-storm", "ours-socketio", "server_us_per_join", STORM, &[Within(1.0, "socketioxide")]),
    goal("huge-room", "ours-ws", "join_growth", "15,000 members: join by join at 2,000", &[AtMost(FLAT)]),
    goal("huge-room-inside", "ours", "join_growth", "15,000 members: join by join at 2,000", &[AtMost(FLAT)]),
    goal("huge-room", "ours-ws", "p99_us", "15,000 members: p99 us of a message", &[AtMost(200_000.0)]),
    goal("many-rooms", "ours", "bytes_beyond", "100,000 rooms: bytes/room beyond 1.3x its messages", &[AtMost(2048.0)]),
    goal("many-rooms", "ours", "create_growth", "100,000 rooms: create by create beside 1,000", &[AtMost(FLAT)]),
    goal("many-rooms", "ours", "join_growth", "100,000 rooms: join, likewise", &[AtMost(FLAT)]),
    goal("many-rooms", "ours", "send_growth", "100,000 rooms: send, likewise", &[AtMost(FLAT)]),
    goal("many-rooms", "ours", "delete_growth", "100,000 rooms: delete, likewise", &[AtMost(FLAT)]),
    goal("joins", "ours", "joins_per_s", "joins with 50 messages of history/s", &[AtLeast(20_000.0)]),
    goal("pure-room", "ours", "sends_per_s", "pure room: sends/s", &[AtLeast(3e6)]),
    goal("pure-room", "ours", "allocations_per_send", "pure room: allocations/send", &[]),
    goal("parts", "ours", "fill_ns", "backlog and framing: ns/event", &[]),
];

/// What still counts as flat: caches and the sockets' own tables grow too.
const FLAT: f64 = 1.5;

/// The goals as a table in Markdown, as far as there are runs.
pub fn render(runs: &[Run]) -> String {
    let mut page = String::from("| goal | over | ours | wanted | found | |\n|---|---|---:|---:|---:|---|\n");
    for goal in &GOALS {
        let Some(ours) = spread(runs, goal.trial, goal.server, goal.figure) else { continue };
        let found: Vec<Found> = goal.bounds.iter().map(|bound| bound.look(goal, runs, ours)).collect();
        let join = |words: fn(&Found) -> &String| found.iter().map(words).cloned().collect::<Vec<_>>().join(" or ");
        let is_clean =
            runs.iter().filter(|run| run.trial == goal.trial && run.server == goal.server).all(Run::is_clean);
        let verdict = match () {
            () if !is_clean => "**something was lost**",
            () if found.iter().any(|found| found.is_met == Some(true)) => "met",
            () if found.iter().any(|found| found.is_met == Some(false)) => "**missed**",
            () => "",
        };
        let (wanted, shown) = (join(|found| &found.wanted), join(|found| &found.shown));
        let (what, over) = (goal.what, named(goal.server).transport);
        let _ = writeln!(page, "| {what} | {over} | {} | {wanted} | {shown} | {verdict} |", show(Some(ours)));
    }
    page
}

struct Found {
    wanted: String,
    shown: String,
    /// `None` where the other server took no part.
    is_met: Option<bool>,
}

impl Bound {
    fn look(self, goal: &Goal, runs: &[Run], ours: Spread) -> Found {
        let ratio = |other: &str| Spread::of(ratios(runs, goal.trial, goal.server, other, goal.figure));
        let (wanted, found, is_met) = match self {
            AtLeast(bound) => (format!("≥ {}", digits(bound)), Some(ours), Some(ours.median >= bound)),
            AtMost(bound) => (format!("≤ {}", digits(bound)), Some(ours), Some(ours.median <= bound)),
            Times(factor, other) => {
                let found = ratio(other);
                (format!("≥ {factor}x {other}"), found, found.map(|found| found.median >= factor))
            }
            Within(factor, other) => {
                let found = ratio(other);
                (format!("≤ {factor}x {other}"), found, found.map(|found| found.median <= factor))
            }
            Above(more, other) => {
                let found = spread(runs, goal.trial, other, goal.figure);
                (format!("≤ {other} + {more}"), found, found.map(|found| ours.median <= found.median + more))
            }
        };
        let sign = if matches!(self, Times(..) | Within(..)) && found.is_some() { "x" } else { "" };
        Found { wanted, shown: format!("{}{sign}", show(found)), is_met }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::TRIALS;
    use crate::table::tests::run;

    #[test]
    fn every_goal_is_of_a_trial_that_its_servers_run() {
        for goal in &GOALS {
            let trial = TRIALS.iter().find(|trial| trial.name == goal.trial).expect("the trial exists");
            assert!(trial.figures.iter().any(|(figure, _)| *figure == goal.figure), "{goal:?}");
            for bound in goal.bounds {
                let others = match bound {
                    AtLeast(_) | AtMost(_) => &[][..],
                    Times(_, other) | Within(_, other) | Above(_, other) => &[*other][..],
                };
                assert!([goal.server].iter().chain(others).all(|name| trial.servers.contains(name)), "{goal:?}");
            }
        }
    }

    #[test]
    fn what_is_met_missed_and_not_known_is_told_apart() {
        let page = render(&[run("ours-ws", 0, 3e6), run("sketch", 0, 3e6)]);
        assert!(page.contains("| 3.00 M | ≥ 3.50 M | 3.00 M | **missed** |"), "{page}");
        assert!(page.contains("| 3.00 M | ≥ 0.9x sketch | 1.00x | met |"), "{page}");
        assert!(page.contains("| 3.00 M | ≥ 16x axum | - |  |"), "{page}");
    }

    #[test]
    fn no_rate_makes_up_for_a_loss() {
        let mut lossy = run("ours-ws", 0, 9e6);
        lossy.figures.insert("clean".into(), false.into());
        assert!(render(&[lossy]).contains("| ≥ 3.50 M | 9.00 M | **something was lost** |"));
    }
}
