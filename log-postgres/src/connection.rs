//! One connection to the database: its settings, read back, the warnings it was sent, and which server is at its other end.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::Severity;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, Error, Row, Statement};

use crate::address::{self, Address};
use crate::error::{Failure, NoAnswer, OpenError, words};
use crate::options::{Durability, Options};
use crate::tls::MakeTls;

/// The longest that a connection may take until it can be used.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(10);
/// What both sides send to a peer that is silent, and how long they wait for what they sent: 6 s. A server whose client has lost its power
/// in the middle of a write holds the locks of that write until TCP gives it up, which by default is after hours.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(3), Duration::from_secs(1), 3);
const UNANSWERED_MAX: Duration = Duration::from_secs(6);

/// The longest that a statement which writes is waited for: longer than the server lets it run, but for its wait for a standby.
const WRITE_MAX: Duration = Duration::from_secs(40);
/// The longest that any other is waited for: a little longer than the server lets it run. A server that is frozen lets nothing end, and the
/// system at its end still answers for it.
const ANSWER_MAX: Duration = Duration::from_secs(32);

/// What every connection sets at its start, and what the server must then say of it. A pooler between that drops them is found by that.
const SETTINGS: [(&str, &str); 5] = [
    // By this the tables know a program that knows of feeds: see the trigger of `writers`.
    ("chat.feeds", "known"),
    ("lock_timeout", "2s"),
    ("statement_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("timezone", "UTC"),
];

/// How statements are planned. A plan that was made while the tables were empty may read all of them, so each is planned when it is run: but
/// for what one room appends, which is always found by an index, and is run too often for that.
const PLANNED_EACH_TIME: [(&str, &str); 1] = [("plan_cache_mode", "force_custom_plan")];
const PLANNED_ONCE: [(&str, &str); 2] = [("plan_cache_mode", "auto"), ("enable_seqscan", "off")];

/// Set where a connection is over TCP. The server takes them or not, as its system has them.
const TCP_SETTINGS: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "3"),
    ("tcp_keepalives_interval", "1"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "6000"),
];

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Batches of rooms, as durable as the options say.
    Append,
    /// All else.
    Other,
}

impl Purpose {
    /// What a connection for this sets, in turn.
    fn settings(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let plans = match self {
            Self::Append => &PLANNED_ONCE[..],
            Self::Other => &PLANNED_EACH_TIME,
        };
        SETTINGS.iter().chain(plans).copied()
    }
}

/// Makes connections to one database.
pub(crate) struct Connector {
    config: Config,
    tls: MakeTls,
    schema: String,
    durability: Durability,
}

impl Connector {
    /// # Errors
    /// [`OpenError::Address`] and [`OpenError::Schema`].
    pub(crate) fn new(url: &str, options: &Options) -> Result<Self, OpenError> {
        let schema = options.schema.clone();
        let is_name = |text: &str| text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if !is_name(&schema)
            || !(1..=63).contains(&schema.len())
            || schema.starts_with(|first: char| first.is_numeric())
        {
            return Err(OpenError::Schema(schema));
        }
        let Address { mut config, protection } = address::parse(url)?;
        let tls = MakeTls::new(&protection)?;
        let (idle, interval, retries) = KEEPALIVE;
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .application_name(format!("chat {}", options.name))
            .connect_timeout(CONNECT_MAX / 2)
            .tcp_user_timeout(UNANSWERED_MAX)
            .keepalives(true)
            .keepalives_idle(idle)
            .keepalives_interval(interval)
            .keepalives_retries(retries);
        Ok(Self { config, tls, schema, durability: options.durability })
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// What a connection for this sets, beside what a pooler is found by.
    fn options(&self, purpose: Purpose) -> String {
        let mut options = self.config.get_options().unwrap_or_default().to_owned();
        for (name, value) in purpose.settings().chain(TCP_SETTINGS) {
            options.push_str(&format!(" -c {name}={value}"));
        }
        options.push_str(&format!(" -c search_path={}", self.schema));
        if self.durability == Durability::Relaxed {
            // All but batches is durable whatever the database does by itself: an end of a session must not be taken back.
            options.push_str(match purpose {
                Purpose::Append => " -c synchronous_commit=off",
                Purpose::Other => " -c synchronous_commit=on",
            });
        }
        options
    }

    /// A connection with its settings, or why there is none.
    pub(crate) async fn connect(&self, purpose: Purpose) -> Result<Connection, OpenError> {
        let mut config = self.config.clone();
        config.options(self.options(purpose));
        let connected = async {
            let (client, connection) = config.connect(self.tls.clone()).await.map_err(NoAnswer::from)?;
            let warnings = Arc::new(AtomicU64::new(0));
            tokio::spawn(drive(connection, Arc::clone(&warnings)));
            Connection::begin(client, warnings, &self.schema, purpose).await
        };
        match tokio::time::timeout(CONNECT_MAX, connected).await {
            Ok(connection) => connection,
            Err(_) => Err(OpenError::Unavailable(format!("no connection within {CONNECT_MAX:?}"))),
        }
    }
}

/// Reads what the server sends. A warning is noted before the answer that follows it is handed on, because that is the order in which they
/// are read here.
async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, warnings: Arc<AtomicU64>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            // The text is in the language of the server; the severity is not.
            Ok(AsyncMessage::Notice(notice)) if notice.parsed_severity() == Some(Severity::Warning) => {
                warnings.fetch_add(1, Ordering::SeqCst);
                tracing::warn!(warning = notice.message(), "the log's database warns");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(error = words(&error), "a connection to the log's database has ended");
                return;
            }
        }
    }
}

/// A connection that can be used.
pub(crate) struct Connection {
    client: Client,
    warnings: Arc<AtomicU64>,
    prepared: HashMap<&'static str, Statement>,
    /// A statement was given up: whatever comes behind it would wait for it.
    is_mute: AtomicBool,
    /// Which server this is, of those that may be at the address one after the other: its system, timeline and start.
    pub(crate) server: String,
}

impl Connection {
    async fn begin(
        client: Client,
        warnings: Arc<AtomicU64>,
        schema: &str,
        purpose: Purpose,
    ) -> Result<Self, OpenError> {
        let names: Vec<&str> = purpose.settings().map(|(name, _)| name).chain(["search_path"]).collect();
        let mut this =
            Self { client, warnings, prepared: HashMap::new(), is_mute: AtomicBool::new(false), server: String::new() };
        let set =
            "select array(select current_setting(n, true) from unnest($1::text[]) with ordinality u(n, i) order by i)";
        let set: Vec<Option<String>> = this.query_one(set, &[&names]).await?.get(0);
        let wanted = purpose.settings().map(|(_, value)| value).chain([schema]);
        for ((name, found), wanted) in names.iter().zip(&set).zip(wanted) {
            if found.as_deref() != Some(wanted) {
                return Err(OpenError::Unfit(format!(
                    "{name} was set to {wanted}, and is {}: is there a pooler between that is not in session mode?",
                    found.as_deref().unwrap_or("unknown")
                )));
            }
        }
        let server = "select format('%s/%s/%s', (select system_identifier from pg_control_system()), \
                      left(pg_walfile_name(pg_current_wal_lsn()), 8), extract(epoch from pg_postmaster_start_time()))";
        this.server = this.query_one(server, &[]).await?.get(0);
        Ok(this)
    }

    /// Runs one statement, which is prepared once.
    pub(crate) async fn query(
        &mut self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, NoAnswer> {
        let statement = self.prepare(sql).await?;
        self.answered(ANSWER_MAX, self.client.query(&statement, values)).await
    }

    /// Runs one statement that writes. What comes of it is not known where the server does not answer in time, and where it warns: it says
    /// that it has written also where the wait for its standby was cut short.
    pub(crate) async fn write(
        &mut self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        // Nothing of it is run before it is prepared.
        let prepared = self.prepare(sql).await.map_err(|error| Failure::NotWritten(error.to_string()))?;
        self.written(self.client.query(&prepared, values)).await
    }

    /// The same of a statement that is planned for these values, whatever [`Connection::write`] does with a statement that it has run often.
    pub(crate) async fn write_planned(
        &self,
        sql: &'static str,
        values: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Failure> {
        self.written(self.client.query_typed(sql, values)).await
    }

    async fn written(&self, answer: impl Future<Output = Result<Vec<Row>, Error>>) -> Result<Vec<Row>, Failure> {
        let warnings = self.warnings();
        match self.answered(WRITE_MAX, answer).await {
            Ok(_) if self.warnings() != warnings => Err(Failure::Unknown("the database warned".to_owned())),
            Ok(rows) => Ok(rows),
            Err(error) => Err(Failure::of(&error)),
        }
    }

    /// Has the server ready to run a statement, of which it has then not run anything.
    async fn prepare(&mut self, sql: &'static str) -> Result<Statement, NoAnswer> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.answered(CONNECT_MAX, self.client.prepare(sql)).await?;
        self.prepared.insert(sql, statement.clone());
        Ok(statement)
    }

    /// Runs a statement that is run once.
    pub(crate) async fn query_once(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, NoAnswer> {
        self.answered(ANSWER_MAX, self.client.query(sql, values)).await
    }

    /// The same of one that answers one row.
    pub(crate) async fn query_one(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Row, NoAnswer> {
        self.answered(ANSWER_MAX, self.client.query_one(sql, values)).await
    }

    /// The same of one that answers how many rows it was about.
    pub(crate) async fn execute(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<u64, NoAnswer> {
        self.answered(ANSWER_MAX, self.client.execute(sql, values)).await
    }

    /// Runs statements without values, one after the other.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), NoAnswer> {
        self.answered(ANSWER_MAX, self.client.batch_execute(sql)).await
    }

    /// An answer, or that there is none in time.
    async fn answered<T>(&self, max: Duration, answer: impl Future<Output = Result<T, Error>>) -> Result<T, NoAnswer> {
        match tokio::time::timeout(max, answer).await {
            Ok(answer) => answer.map_err(NoAnswer::from),
            Err(_) => {
                self.is_mute.store(true, Ordering::Relaxed);
                Err(NoAnswer::Mute(max))
            }
        }
    }

    /// How many warnings the server has sent so far.
    pub(crate) fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::SeqCst)
    }

    /// Whether nothing can be asked on it any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_mute.load(Ordering::Relaxed) || self.client.is_closed()
    }
}
