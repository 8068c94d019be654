//! What the server says of its work on standard error, and in which form.

use std::io;

use chat_admin::AUDIT_TARGET;
use clap::ValueEnum;
use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::console;

/// The crates whose words follow `--log-level`. Of all others warnings and errors are told: their details are not ours to vouch for.
const OURS: [&str; 14] = [
    "chat_admin",
    "chat_core",
    "chat_metrics",
    "chat_serve",
    "chat_webhook",
    "cluster_postgres",
    "examples",
    "log_postgres",
    "log_redb",
    "policy_http",
    "policy_jwt",
    "transport_socketio",
    "transport_sse",
    "transport_ws",
];

/// Crates that read what strangers send, and may warn of each frame or request of theirs: whoever wants to would fill the disk with that. Names
/// that begin like these (`hyper_util`, `rustls_webpki`) follow them.
const FACING_STRANGERS: [&str; 9] = [
    "axum",
    "engineioxide",
    "h2",
    "hyper",
    "rustls",
    "socketioxide",
    "tokio_rustls",
    "tokio_tungstenite",
    "tungstenite",
];

/// Flags about what is logged.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct LogFlags {
    /// Write what operators should know to standard error as lines of text, or as one JSON object in each line
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// How much of it: from debug on every connection, from trace on every command and batch; never what people say, or who they are
    #[arg(long, value_enum, default_value_t = LogLevel::Info)]
    pub log_level: LogLevel,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "they are the levels of tracing")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogFlags {
    /// Begins to log, for the rest of the process. Whoever has set up logging before keeps theirs.
    pub fn begin(self) {
        let is_ours = self.subscriber(io::stderr).try_init().is_ok();
        if is_ours && self.log_format == LogFormat::Json {
            console::tell_in_json();
        }
    }

    fn subscriber<W>(self, out: W) -> impl SubscriberInitExt + tracing::Subscriber + Send + Sync
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        // Where what it says cannot be written (a full disk has both), that is nothing to end a thread over.
        let lines = tracing_subscriber::fmt::layer().log_internal_errors(false).with_writer(out);
        let lines = match self.log_format {
            LogFormat::Text => lines.with_target(false).boxed(),
            LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        };
        tracing_subscriber::registry().with(lines.with_filter(self.filter()))
    }

    fn filter(self) -> Targets {
        let level = match self.log_level {
            LogLevel::Error => Level::ERROR,
            LogLevel::Warn => Level::WARN,
            LogLevel::Info => Level::INFO,
            LogLevel::Debug => Level::DEBUG,
            LogLevel::Trace => Level::TRACE,
        };
        let others = LevelFilter::from(level.min(Level::WARN));
        let strangers = if level >= Level::DEBUG { others } else { LevelFilter::ERROR };
        // What the program itself tells, and what operators do, is told in any case.
        let told = LevelFilter::from(level.max(Level::INFO));
        Targets::new()
            .with_default(others)
            .with_targets(FACING_STRANGERS.map(|name| (name, strangers)))
            .with_targets(OURS.map(|name| (name, LevelFilter::from(level))))
            .with_targets([(console::TARGET, told), (AUDIT_TARGET, told)])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panics with it").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(log_format: LogFormat, log_level: LogLevel, say: impl FnOnce()) -> String {
        let lines = Lines::default();
        let out = lines.clone();
        let subscriber = LogFlags { log_format, log_level }.subscriber(move || out.clone());
        tracing::subscriber::with_default(subscriber, say);
        let bytes = lines.0.lock().expect("nobody panics with it").clone();
        String::from_utf8(bytes).expect("text")
    }

    fn all() {
        tracing::info!(target: "chat_core::engine", rooms = 3, "ours \"quoted\"");
        tracing::debug!(target: "log_redb", "ours in detail");
        tracing::info!(target: "tokio", "of others");
        tracing::warn!(target: "tokio", "a warning of others");
        tracing::info!(target: console::TARGET, "of the program");
    }

    #[test]
    fn ours_is_logged_as_it_is_asked_for_and_of_others_no_more_than_warnings() {
        let count = |level| logged(LogFormat::Text, level, all).lines().count();
        assert_eq!([count(LogLevel::Error), count(LogLevel::Info), count(LogLevel::Trace)], [1, 3, 4]);
        let text = logged(LogFormat::Text, LogLevel::Info, all);
        assert!(text.contains("ours \"quoted\" rooms=3") && !text.contains("chat_core"), "{text}");
    }

    /// `h2` warns of each stream that a client has reset: 40,000 lines in ten seconds of whoever is on the way to fill the disk.
    #[test]
    fn what_a_stranger_has_a_crate_warn_of_is_logged_in_detail_alone() {
        let count = |level| {
            let warn = || {
                tracing::warn!(target: "h2::proto::streams::streams", "locally-reset streams reached limit (0)");
                tracing::warn!(target: "hyper::proto::h1::conn", "read header from client timeout");
                tracing::warn!(target: "rustls::common_state", "Sending warning alert");
                tracing::error!(target: "hyper::proto::h1::role", "Internal Hyper error, please report");
            };
            logged(LogFormat::Text, level, warn).lines().count()
        };
        let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
        assert_eq!(levels.map(count), [1, 1, 1, 4, 4]);
    }

    #[test]
    fn as_json_each_line_is_an_object_with_its_level_target_and_fields() {
        let text = logged(LogFormat::Json, LogLevel::Debug, all);
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 4);
        assert_eq!((&lines[0]["message"], &lines[0]["rooms"]), (&"ours \"quoted\"".into(), &3.into()));
        assert_eq!((&lines[0]["level"], &lines[0]["target"]), (&"INFO".into(), &"chat_core::engine".into()));
        assert!(lines[0]["timestamp"].is_string());
    }
}
