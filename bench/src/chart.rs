//! The comparison as a picture: one panel for each scenario, one bar for each server, from the median, with least and most.

use std::fmt::Write;

use crate::servers::named;
use crate::table::{Run, Spread, digits, spread};

/// A panel: which scenario and figure, what it is called, and which way is better.
const PANELS: [(&str, &str, &str); 6] = [
    ("saturation", "deliveries_per_s", "Full room of 500: deliveries/s, more is better"),
    ("saturation-sse", "deliveries_per_s", "Full room of 500 over SSE: deliveries/s, more is better"),
    ("quiet", "server_us_per_delivery", "Quiet room of 500: µs CPU per delivery, less is better"),
    ("small-rooms", "server_us_per_delivery", "250 rooms of 4: µs CPU per delivery, less is better"),
    ("idle", "kib_per_connection", "5,000 idle connections: KiB each, less is better"),
    ("join-storm", "server_us_per_join", "1,000 join one room: µs CPU per join, less is better"),
];

const WIDTH: f64 = 760.0;
const NAMES: f64 = 190.0;
const BARS: f64 = 420.0;
const LINE: f64 = 24.0;
const MARGIN: f64 = 16.0;

/// The picture as SVG, as far as there are runs.
pub fn render(runs: &[Run], caption: &str) -> String {
    let (mut body, mut y) = (String::new(), MARGIN + 18.0);
    put_text(&mut body, MARGIN, y, "title", "Chat servers side by side: medians, with least and most");
    y += 20.0;
    put_text(&mut body, MARGIN, y, "small", caption);
    y += 14.0;
    for (trial, figure, title) in PANELS {
        let bars = bars(runs, trial, figure);
        let Some(most) = bars.iter().map(|(_, spread)| spread.max).reduce(f64::max).filter(|most| *most > 0.0) else {
            continue;
        };
        y += LINE;
        put_text(&mut body, MARGIN, y, "head", title);
        y += 10.0;
        for (server, spread) in &bars {
            put_bar(&mut body, y, server, spread, most);
            y += LINE;
        }
    }
    let height = y + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <style>.title{{font-size:17px;font-weight:600}}.head{{font-weight:600}}.small{{font-size:11px;fill:#57606a}}\
         text{{fill:#1f2328}}.ours{{fill:#0969da}}.peer{{fill:#afb8c1}}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

/// The servers that have run it, in the order they are listed.
fn bars(runs: &[Run], trial: &str, figure: &str) -> Vec<(&'static str, Spread)> {
    let servers = crate::matrix::TRIALS.iter().filter(|known| known.name == trial).flat_map(|known| known.servers);
    servers.filter_map(|server| Some((*server, spread(runs, trial, server, figure)?))).collect()
}

fn put_bar(body: &mut String, y: f64, server: &str, spread: &Spread, most: f64) {
    let place = |value: f64| MARGIN + NAMES + value / most * BARS;
    let class = if server.starts_with("ours") { "ours" } else { "peer" };
    let (start, end) = (place(0.0), place(spread.median));
    put_text(body, MARGIN, y + 14.0, "name", &format!("{server} ({})", named(server).transport));
    let width = end - start;
    let _ = writeln!(
        body,
        "<rect class=\"{class}\" x=\"{start:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"18\" rx=\"2\"/>"
    );
    let (from, to, middle) = (place(spread.min), place(spread.max), y + 9.0);
    let _ = writeln!(body, "<path d=\"M{from:.1} {middle:.1}H{to:.1}\" stroke=\"#1f2328\" stroke-width=\"1.5\"/>");
    put_text(body, place(spread.max) + 8.0, y + 14.0, "value", &digits(spread.median));
}

fn put_text(body: &mut String, x: f64, y: f64, class: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::TRIALS;
    use crate::table::tests::run;

    #[test]
    fn every_panel_is_of_a_figure_that_is_measured() {
        for (trial, figure, _) in PANELS {
            let trial = TRIALS.iter().find(|known| known.name == trial).expect("the trial exists");
            assert!(trial.figures.iter().any(|(name, _)| *name == figure));
        }
    }

    #[test]
    fn bars_are_as_long_as_their_medians() {
        let picture = render(&[run("ours-ws", 0, 4e6), run("sketch", 0, 2e6)], "a <quiet> machine");
        assert!(picture.contains("class=\"ours\" x=\"206.0\" y=\"102.0\" width=\"420.0\""), "{picture}");
        assert!(picture.contains("class=\"peer\" x=\"206.0\" y=\"126.0\" width=\"210.0\""), "{picture}");
        assert!(picture.contains("a &lt;quiet> machine") && picture.ends_with("</svg>\n"));
        assert!(!picture.contains("idle"), "what was not run has no panel");
    }
}
