//! The runs of a comparison as one table: medians with their spread, and ratios within rounds.

use std::fmt::Write;

use crate::contest::{SERVERS, TRIALS, Trial};
use crate::scenario::Figures;

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
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len().is_multiple_of(2) { (values[middle - 1] + values[middle]) / 2.0 } else { values[middle] };
        Some(Self { median, min, max })
    }
}

/// The table in Markdown, and below it whatever was not delivered as promised.
pub fn render(runs: &[Run]) -> String {
    let mut table = String::from("| scenario | figure |");
    for server in &SERVERS {
        let _ = write!(table, " {} |", server.name);
    }
    let (ours, others) = (SERVERS[0].name, &SERVERS[1..]);
    for other in others {
        let _ = write!(table, " {ours}/{} |", other.name);
    }
    let _ = write!(table, " noise |\n|---|---|{}---|\n", "---:|".repeat(SERVERS.len() + others.len()));
    for trial in TRIALS.iter().filter(|trial| runs.iter().any(|run| run.trial == trial.name)) {
        for row in trial.rows {
            let _ = write!(table, "| {}: {} | {} |", trial.name, trial.about, row.label);
            for server in &SERVERS {
                let values = values(runs, trial, server.name, row.figure).into_iter().map(|(_, value)| value);
                let _ = write!(table, " {} |", show(Spread::of(values.collect())));
            }
            for other in others {
                let _ = write!(table, " {} |", show(Spread::of(ratios(runs, trial, ours, other.name, row.figure))));
            }
            let noise = runs.iter().filter(|run| run.trial == trial.name).map(Run::noise).fold(0.0, f64::max);
            let _ = writeln!(table, " {noise:.2} |");
        }
    }
    let unclean: Vec<&Run> = runs.iter().filter(|run| !run.is_clean()).collect();
    if unclean.is_empty() {
        table.push_str("\nIn every run every member got every message exactly once, in one order.\n");
    } else {
        table.push_str("\nNot delivered as promised:\n\n");
    }
    for run in unclean {
        let _ = write!(table, "- {} in {}, round {}:", run.server, run.trial, run.round + 1);
        for name in ["expected", "delivered", "lost", "repeated_or_late", "other_order", "strange", "notices_expected"]
            .into_iter()
            .chain(["notices", "skipped", "refused", "ended", "protocol_faults", "first_refusal"])
        {
            if let Some(value) = run.figures.get(name).filter(|value| value.as_u64() != Some(0)) {
                let _ = write!(table, " {name} {value}");
            }
        }
        table.push('\n');
    }
    table
}

fn values(runs: &[Run], trial: &Trial, server: &str, figure: &str) -> Vec<(usize, f64)> {
    let runs = runs.iter().filter(|run| run.trial == trial.name && run.server == server);
    runs.filter_map(|run| Some((run.round, run.number(figure)?))).collect()
}

/// One server's figure by another's, for each round that both have run.
fn ratios(runs: &[Run], trial: &Trial, server: &str, other: &str, figure: &str) -> Vec<f64> {
    let others = values(runs, trial, other, figure);
    let pairs = values(runs, trial, server, figure).into_iter().filter_map(|(round, value)| {
        let (_, against) = others.iter().find(|(other_round, against)| *other_round == round && *against > 0.0)?;
        Some(value / against)
    });
    pairs.collect()
}

fn show(spread: Option<Spread>) -> String {
    let Some(Spread { median, min, max }) = spread else { return "-".to_owned() };
    if min == max { digits(median) } else { format!("{} ({}-{})", digits(median), digits(min), digits(max)) }
}

/// Three figures that mean something.
fn digits(value: f64) -> String {
    match value.abs() {
        1e6.. => format!("{:.2} M", value / 1e6),
        1e4.. => format!("{:.0} k", value / 1e3),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(server: &'static str, round: usize, rate: f64) -> Run {
        let serde_json::Value::Object(figures) = json!({"deliveries_per_s": rate, "clean": true, "lost": 0}) else {
            unreachable!("an object is an object")
        };
        Run { trial: "saturation", server, round, figures }
    }

    #[test]
    fn ratios_are_made_within_rounds() {
        let runs = [
            run("ours", 0, 3e6),
            run("sketch", 0, 4e6),
            run("ours", 1, 1.5e6),
            run("sketch", 1, 2e6),
            run("ours", 2, 3e6),
        ];
        let table = render(&runs);
        assert!(
            table.contains("| deliveries/s | 3.00 M (1.50 M-3.00 M) | 3.00 M (2.00 M-4.00 M) | - | 0.750 | - |"),
            "{table}"
        );
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
}
