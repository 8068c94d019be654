//! What sessions notice of a restart, by its moments: who was refused, where and why, and what the longest waits were made of.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use bench::scenario::Figures;
use bench::table::Run;
use serde_json::{Value, json};

use super::session::Said;

/// How many of the longest waits are shown.
const WAITS_MAX: usize = 10;

/// Something that a session did not want to hear: a refusal, or the end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noticed {
    pub(crate) at: Instant,
    /// By which of the servers.
    pub(crate) server: usize,
    pub(crate) what: String,
}

/// What is done to the servers, and since when.
#[derive(Debug)]
pub(crate) struct Moments(Vec<(Instant, String)>);

impl Moments {
    pub(crate) fn begin(what: &str) -> Self {
        Self(vec![(Instant::now(), what.to_owned())])
    }

    pub(crate) fn now(&mut self, what: String) {
        self.0.push((Instant::now(), what));
    }

    /// In which of them that was, by number.
    fn of(&self, at: Instant) -> usize {
        self.0.iter().rposition(|(since, _)| *since <= at).unwrap_or_default()
    }

    /// Puts down how often what was noticed where, and of what the longest waits were made.
    pub(crate) fn put<'a>(&self, talks: impl Iterator<Item = (&'a [Said], &'a [Noticed])>, figures: &mut Figures) {
        let mut counts: BTreeMap<(usize, usize, &str), u64> = BTreeMap::new();
        let mut waits = Vec::new();
        for (said, noticed) in talks {
            for one in noticed {
                *counts.entry((self.of(one.at), one.server, &one.what)).or_default() += 1;
            }
            waits.extend(said.iter().map(|said| (said, noticed)));
        }
        waits.sort_unstable_by_key(|(said, _)| std::cmp::Reverse(said.took()));
        waits.truncate(WAITS_MAX);
        let rows = counts.iter().map(|(&(moment, server, what), count)| json!([self.0[moment].1, server, what, count]));
        figures.insert(NOTICED.to_owned(), rows.collect());
        let wait = |(said, noticed): (&Said, &[Noticed])| {
            let (moment, seconds) = (&self.0[self.of(said.asked)].1, said.took().as_secs_f64());
            let heard = noticed.iter().filter(|one| (said.asked..=said.acked).contains(&one.at));
            let heard = heard.map(|one| {
                let after = (one.at - said.asked).as_secs_f64();
                format!("{after:.2} s: {} at {}", one.what, one.server)
            });
            json!([moment, (seconds * 1e3).round() / 1e3, heard.collect::<Vec<_>>().join(", ")])
        };
        figures.insert(WAITS.to_owned(), waits.into_iter().map(wait).collect());
    }
}

/// How often what was noticed: moment, server, what, count.
const NOTICED: &str = "noticed";
/// The longest waits: in which moment they began, seconds, and what was heard meanwhile.
const WAITS: &str = "waits";

/// Both as tables, of each run that has them.
pub(crate) fn render(page: &mut String, runs: &[Run]) {
    let tables = [
        (
            NOTICED,
            "What people noticed, by moment and server",
            "| moment | server | what | times |\n|---|---:|---|---:|",
        ),
        (WAITS, "The longest waits", "| asked while | seconds | heard meanwhile |\n|---|---:|---|"),
    ];
    for run in runs {
        for (figure, caption, head) in tables {
            let rows = run.figures.get(figure).and_then(Value::as_array).filter(|rows| !rows.is_empty());
            let Some(rows) = rows else { continue };
            let _ = writeln!(page, "### {caption}: {}, round {}\n\n{head}", run.server, run.round + 1);
            for row in rows {
                let cells = row.as_array().into_iter().flatten().map(|cell| match cell {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                let _ = writeln!(page, "| {} |", cells.collect::<Vec<_>>().join(" | "));
            }
            page.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_noticed_belongs_to_its_moment_and_to_the_wait_that_it_was_in() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let moments = Moments(vec![(at(0), "before".to_owned()), (at(1_000), "server 0 drains".to_owned())]);
        let noticed = |ms, what: &str| Noticed { at: at(ms), server: 0, what: what.to_owned() };
        let noticed = [noticed(1_100, "draining"), noticed(1_150, "draining"), noticed(1_200, "closing 4001")];
        let said = |asked, acked| Said { asked: at(asked), acked: at(acked), refused: 0, disowned: 0 };
        let said = [said(10, 20), said(1_120, 1_500)];
        let mut figures = Figures::new();
        moments.put([(&said[..], &noticed[..])].into_iter(), &mut figures);
        let expected = json!([["server 0 drains", 0, "closing 4001", 1], ["server 0 drains", 0, "draining", 2]]);
        assert_eq!(figures[NOTICED], expected);
        let first = json!(["server 0 drains", 0.38, "0.03 s: draining at 0, 0.08 s: closing 4001 at 0"]);
        assert_eq!(figures[WAITS][0], first);
        assert_eq!(figures[WAITS][1], json!(["before", 0.01, ""]));

        let mut page = String::new();
        render(&mut page, &[Run { trial: "rolling", server: "restarted", round: 0, figures }]);
        assert!(page.contains("| server 0 drains | 0 | draining | 2 |\n"), "{page}");
        assert!(page.contains("| before | 0.01 |  |\n"), "{page}");
    }
}
