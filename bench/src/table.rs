//! The runs of a comparison as tables, one for each scenario: medians with their spread, and ratios within rounds.

use std::fmt::Write;
use std::time::Duration;

use crate::matrix::{TRIALS, Trial};
use crate::scenario::Figures;
use crate::servers::named;

/// One run that has ended well.
#[derive(Debug)]
pub struct Run {
    /// Which trial, by name.
    pub trial: &'static str,
    /// Which server, by name.
    pub server: &'static str,
    /// Which round. Runs of one round follow each other closely, so that they share the machine's mood.
    pub round: usize,
    /// What the load has printed.
    pub figures: Figures,
}

impl Run {
    /// How busy others have kept the machine meanwhile, in cores, with what the hypervisor took.
    pub fn noise(&self) -> f64 {
        self.number("others_cpu_share").unwrap_or(0.0) + self.number("steal_share").unwrap_or(0.0)
    }

    /// Whether all was delivered as promised. A run that measures nothing of the kind is.
    pub fn is_clean(&self) -> bool {
        let failures = ["protocol_faults", "refused", "ended", "skipped"];
        let none = failures.iter().all(|name| self.number(name).unwrap_or(0.0) == 0.0);
        none && self.figures.get("clean").is_none_or(|clean| clean == true)
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.figures.get(name)?.as_f64()
    }
}

/// A median with the least and the most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Half of the values are no larger.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Of these values; `None` of none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len().is_multiple_of(2) { (values[middle - 1] + values[middle]) / 2.0 } else { values[middle] };
        Some(Self { median, min, max })
    }
}

/// The time that so many of these took at most. They are sorted, and there is one at least.
pub fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// The tables in Markdown, and below them whatever was not delivered as promised.
pub fn render(runs: &[Run]) -> String {
    let mut page = String::new();
    for trial in TRIALS.iter().filter(|trial| runs.iter().any(|run| run.trial == trial.name)) {
        let _ = write!(page, "### {}\n\n{}.\n\n| server | over |", trial.name, trial.about);
        for (_, label) in trial.figures {
            let _ = write!(page, " {label} |");
        }
        let compares = trial.servers.len() > 1;
        if compares {
            let _ = write!(page, " ours by it: {} |", trial.figures[0].1);
        }
        let columns = trial.figures.len() + usize::from(compares);
        let _ = write!(page, " lost | noise |\n|---|---|{}\n", "---:|".repeat(columns + 2));
        for server in trial.servers {
            put_row(&mut page, runs, trial, server, compares);
        }
        page.push('\n');
    }
    put_promises(&mut page, runs);
    page
}

fn put_row(page: &mut String, runs: &[Run], trial: &Trial, server: &str, compares: bool) {
    let mine: Vec<&Run> = runs.iter().filter(|run| run.trial == trial.name && run.server == server).collect();
    if mine.is_empty() {
        return;
    }
    let _ = write!(page, "| {server} | {} |", named(server).transport);
    for (figure, _) in trial.figures {
        let _ = write!(page, " {} |", show(spread(runs, trial.name, server, figure)));
    }
    if compares {
        let against = ours_over(trial, named(server).transport).filter(|ours| *ours != server);
        let ratios = against.map(|ours| ratios(runs, trial.name, ours, server, trial.figures[0].0));
        let _ = write!(page, " {} |", show(ratios.and_then(Spread::of)));
    }
    let lost = mine.iter().filter_map(|run| run.figures.get("lost")?.as_u64()).reduce(u64::max);
    let noise = mine.iter().map(|run| run.noise()).fold(0.0, f64::max);
    let lost = lost.map_or("-".to_owned(), |lost| lost.to_string());
    let _ = writeln!(page, " {lost} | {noise:.2} |");
}

/// This project's server in a trial that is spoken to in the same way.
fn ours_over(trial: &Trial, transport: &str) -> Option<&'static str> {
    let is_ours = |name: &&&'static str| name.starts_with("ours") && named(name).transport == transport;
    trial.servers.iter().find(is_ours).copied()
}

fn put_promises(page: &mut String, runs: &[Run]) {
    let unclean: Vec<&Run> = runs.iter().filter(|run| !run.is_clean()).collect();
    page.push_str(match unclean.is_empty() {
        true => "In every run every member got every message exactly once, in one order.\n",
        false => "Not delivered as promised:\n\n",
    });
    for run in unclean {
        let _ = write!(page, "- {} in {}, round {}:", run.server, run.trial, run.round + 1);
        for name in ["expected", "delivered", "lost", "repeated_or_late", "other_order", "strange", "notices_expected"]
            .into_iter()
            .chain(["notices", "skipped", "refused", "ended", "protocol_faults", "first_refusal"])
        {
            if let Some(value) = run.figures.get(name).filter(|value| value.as_u64() != Some(0)) {
                let _ = write!(page, " {name} {value}");
            }
        }
        page.push('\n');
    }
}

/// One server's figure over all rounds.
pub fn spread(runs: &[Run], trial: &str, server: &str, figure: &str) -> Option<Spread> {
    Spread::of(values(runs, trial, server, figure).into_iter().map(|(_, value)| value).collect())
}

/// One server's figure by another's, for each round that both have run.
pub fn ratios(runs: &[Run], trial: &str, server: &str, other: &str, figure: &str) -> Vec<f64> {
    let others = values(runs, trial, other, figure);
    let pairs = values(runs, trial, server, figure).into_iter().filter_map(|(round, value)| {
        let (_, against) = others.iter().find(|(other_round, against)| *other_round == round && *against > 0.0)?;
        Some(value / against)
    });
    pairs.collect()
}

fn values(runs: &[Run], trial: &str, server: &str, figure: &str) -> Vec<(usize, f64)> {
    let runs = runs.iter().filter(|run| run.trial == trial && run.server == server);
    runs.filter_map(|run| Some((run.round, run.number(figure)?))).collect()
}

/// A median with its spread, as people read it.
pub fn show(spread: Option<Spread>) -> String {
    let Some(Spread { median, min, max }) = spread else { return "-".to_owned() };
    if min == max { digits(median) } else { format!("{} ({}-{})", digits(median), digits(min), digits(max)) }
}

/// Three figures that mean something.
pub fn digits(value: f64) -> String {
    match value.abs() {
        1e6.. => format!("{:.2} M", value / 1e6),
        1e4.. => format!("{:.1} k", value / 1e3),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A run of saturation at this rate.
    pub(crate) fn run(server: &'static str, round: usize, rate: f64) -> Run {
        let serde_json::Value::Object(figures) = json!({"deliveries_per_s": rate, "clean": true, "lost": 0}) else {
            unreachable!("an object is an object")
        };
        Run { trial: "saturation", server, round, figures }
    }

    #[test]
    fn ratios_are_made_within_rounds() {
        let runs = [
            run("ours-ws", 0, 3e6),
            run("sketch", 0, 4e6),
            run("ours-ws", 1, 1.5e6),
            run("sketch", 1, 2e6),
            run("ours-ws", 2, 3e6),
        ];
        let table = render(&runs);
        assert!(table.contains("| ours-ws | WebSocket | 3.00 M (1.50 M-3.00 M) | - | - | 0 | 0.00 |\n"), "{table}");
        assert!(table.contains("| sketch | WebSocket | 3.00 M (2.00 M-4.00 M) | - | 0.750 | 0 | 0.00 |\n"), "{table}");
        assert!(table.contains("exactly once"));
    }

    #[test]
    fn what_went_wrong_is_listed() {
        let mut lossy = run("axum", 0, 1e5);
        lossy.figures.insert("clean".into(), false.into());
        lossy.figures.insert("lost".into(), 7.into());
        assert!(render(&[lossy]).contains("- axum in saturation, round 1: lost 7\n"));
    }

    #[test]
    fn an_even_number_of_values_has_its_median_between_two() {
        let spread = Spread::of(vec![4.0, 1.0, 2.0, 3.0]).expect("four values");
        assert_eq!(spread, Spread { median: 2.5, min: 1.0, max: 4.0 });
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn a_percentile_is_a_time_that_something_took() {
        let took: Vec<Duration> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!(percentile(&took, 0.50), Duration::from_micros(100));
        assert_eq!(percentile(&took, 0.99), Duration::from_micros(198));
        assert_eq!(percentile(&took[..1], 0.99), Duration::from_micros(1));
    }
}
