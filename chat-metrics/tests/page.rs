//! The page of metrics, the page about them, and the dashboard: all three speak of the same metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Body, Command, ConnectRequest, DeliveryOutcome, Engine, FeedBounds, FeedName, Hello, Nick, RoomCode};
use chat_metrics::Metrics;
use chat_testkit::servers::Servers;
use log_redb::{Options, RedbLog};

/// A family: its type, and the labels of its lines but `le`.
type Exported = BTreeMap<String, (String, BTreeSet<String>)>;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// An engine with everything that has metrics of its own, and a little talk.
async fn page() -> String {
    let servers = Servers::default();
    let end = servers.join();
    servers.give_all(&end);
    let dir = tempfile::tempdir().expect("a folder");
    let options = Options { feed: Some(FeedBounds::default()), ..Options::default() };
    let log = RedbLog::open(dir.path(), options).expect("it is empty");
    let engine = Engine::builder().log(Arc::new(log)).expect("nobody else has it").cluster(end).build();
    let request = ConnectRequest { transport: "ws", ..ConnectRequest::default() };
    let ann = engine.connect(request, Hello::default()).await.expect("everybody is let in");
    let room = RoomCode::parse("LUNCH").expect("valid");
    let create = Command::create(Nick::parse("Ann").expect("valid")).with_room(room.clone());
    ann.call(create).await.expect("she may");
    ann.call(Command::send(room, Body::parse("hello", 10).expect("valid"))).await.expect("she is in it");
    let mut feed = engine.feed_of(FeedName::parse("webhook").expect("valid")).await.expect("there is one");
    let page = feed.next().await.expect("it can be read");
    feed.deliveries().count(DeliveryOutcome::Failed, Duration::from_millis(1));
    feed.deliveries().count(DeliveryOutcome::Done, Duration::from_millis(1));
    feed.done(&page).await.expect("it is stored");
    Metrics::new(&engine).encode()
}

/// What a page exports.
fn exported(page: &str) -> Exported {
    let mut all = Exported::new();
    let mut names = BTreeMap::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            let full = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
            names.insert(name.to_owned(), full.clone());
            all.insert(full, (kind.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            let (name, labels) = line.split_once('{').unwrap_or((line.split(' ').next().unwrap_or_default(), ""));
            let stem = ["_total", "_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let full = names.get(stem.unwrap_or(name)).or_else(|| names.get(name)).expect("a type stands before it");
            let labels = labels.split('}').next().unwrap_or_default().split(',').filter(|label| !label.is_empty());
            let labels = labels.filter_map(|label| label.split('=').next()).filter(|label| *label != "le");
            all.get_mut(full).expect("just named").1.extend(labels.map(str::to_owned));
        }
    }
    all
}

#[tokio::test]
async fn the_page_about_metrics_has_all_that_are_exported_with_their_labels_and_no_others() {
    let exported = exported(&page().await);
    let page = read("docs/metrics.md");
    let mut told = Exported::new();
    for line in page.lines().filter(|line| line.starts_with("| `chat_")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        // The others say when to be woken.
        if cells.len() != 4 {
            continue;
        }
        let labels = cells[2]
            .split(", ")
            .filter_map(|part| part.strip_prefix('`'))
            .filter(|part| !cells[2].is_empty() && !part.is_empty());
        // A label stands in front of a colon, or alone; what follows the colon are its values.
        let mut names = BTreeSet::new();
        let mut is_name = true;
        for part in labels {
            let name = part.split('`').next().unwrap_or_default();
            if is_name {
                names.insert(name.to_owned());
            }
            is_name = is_name && !part.contains("`:");
        }
        told.insert(cells[0].trim_matches('`').to_owned(), (cells[1].to_owned(), names));
    }
    for (name, of) in &exported {
        assert_eq!(told.get(name), Some(of), "{name}, on docs/metrics.md");
    }
    assert_eq!(
        told.len(),
        exported.len(),
        "{:?}",
        told.keys().filter(|name| !exported.contains_key(*name)).collect::<Vec<_>>()
    );
    assert!(exported.len() > 35, "{}", exported.len());
}

/// Every name of a metric in a query.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |part: char| part.is_ascii_alphanumeric() || part == '_';
    let words = text.split(|part| !is_part(part)).filter(|word| word.starts_with("chat_"));
    words.map(str::to_owned).collect()
}

fn is_exported(exported: &Exported, name: &str) -> bool {
    let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
    exported.contains_key(name)
        || of_histogram.and_then(|stem| exported.get(stem)).is_some_and(|(kind, _)| kind == "histogram")
}

#[tokio::test]
async fn what_the_dashboard_asks_for_and_what_one_is_woken_for_is_exported() {
    let exported = exported(&page().await);
    let dashboard: serde_json::Value = serde_json::from_str(&read("examples/grafana/chat.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries: Vec<&str> = targets.map(|target| target["expr"].as_str().expect("a query")).collect();
    assert!(queries.len() > 15, "{}", queries.len());
    let page = read("docs/metrics.md");
    let alerts = page.lines().filter(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
    for query in queries.into_iter().chain(alerts) {
        for name in named(query) {
            assert!(is_exported(&exported, &name), "{name}, in {query}");
        }
    }
    let mut ids: Vec<_> = panels.iter().map(|panel| panel["id"].as_u64().expect("a number")).collect();
    ids.dedup();
    assert_eq!(ids.len(), panels.len(), "each has its own number");
}

#[tokio::test]
async fn no_label_has_a_value_that_a_client_has_chosen() {
    let page = page().await;
    for word in ["LUNCH", "Ann", "hello"] {
        assert!(!page.contains(&format!("\"{word}\"")), "{word}");
    }
    assert!(page.ends_with("# EOF\n"));
    assert!(page.contains("chat_commands_total{kind=\"send\",outcome=\"done\"} 1\n"), "{page}");
    assert!(page.contains("chat_connections_open{transport=\"ws\"} 1\n"), "{page}");
    assert!(page.contains("chat_cluster_slots{owner=\"this\"} 1024\n"), "{page}");
    assert!(page.contains("chat_log_appends_total{outcome=\"done\"} 2\n"), "{page}");
    for line in [
        "chat_feed_here{feed=\"webhook\"} 1\n",
        "chat_feed_behind{feed=\"webhook\"} 0\n",
        "chat_feed_lag_seconds{feed=\"webhook\"} 0.0\n",
        "chat_feed_events_total{feed=\"webhook\"} 2\n",
        "chat_feed_deliveries_total{feed=\"webhook\",outcome=\"failed\"} 1\n",
        "chat_feed_deliveries_total{feed=\"webhook\",outcome=\"left\"} 0\n",
        "chat_feed_delivery_duration_seconds_count 2\n",
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
    assert!(page.lines().count() < 600, "{}", page.lines().count());
}

#[tokio::test]
async fn a_page_is_of_the_format_that_is_accepted() {
    let metrics = Metrics::new(&Engine::builder().build());
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2";
    let page = metrics.page(Some(prometheus));
    assert!(page.content_type.starts_with("application/openmetrics-text") && page.text.ends_with("# EOF\n"));
    for accepted in [None, Some("text/plain"), Some("*/*")] {
        let page = metrics.page(accepted);
        assert!(page.content_type.starts_with("text/plain") && !page.text.contains("# EOF"));
    }
}
