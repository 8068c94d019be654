//! The command line of a server that keeps rooms on disk or in PostgreSQL: what is kept, where, for how long, and signed with what.

use std::ffi::OsString;
use std::io;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{EngineBuilder, Limits};
use clap::ValueEnum;
use clap::builder::{OsStringValueParser, TypedValueParser};
use cluster_postgres::JoinError;
use log_postgres::{PgLog, Setup};
use log_redb::{OpenError, Options, RedbLog, Retention};

use super::cluster::ClusterFlags;
use super::kept::{Kept, RoomsFile};
use super::webhook::WebhookFlags;

/// Holds the secret that session tokens are signed with, as 64 hexadecimal digits; takes the place of the one in the folder.
pub const SECRET_VARIABLE: &str = "CHAT_SECRET";
/// Holds the secret before that one, while it is changed: tokens that it has signed are good, and no new one is signed with it.
pub const OLD_SECRET_VARIABLE: &str = "CHAT_SECRET_OLD";

/// Flags about what outlives the server.
#[derive(Clone, Debug, clap::Args)]
pub struct DataFlags {
    /// Keep rooms and messages in this folder, or in this PostgreSQL database (postgres://USER@HOST/DATABASE), with the secret that sessions
    /// are signed with; without it they live in memory. CHAT_SECRET (64 hexadecimal digits) in the environment takes the place of the secret.
    /// A server that is given a database takes it over from any other
    #[arg(long, value_name = "DIR|URL", group = "kept", value_parser = OsStringValueParser::new().map(Place::from))]
    pub data: Option<Place>,

    /// Servers that share a database.
    #[command(flatten)]
    pub cluster: ClusterFlags,

    /// A backend that is told what happens.
    #[command(flatten)]
    pub webhook: WebhookFlags,

    /// What a confirmed message has survived
    #[arg(long, value_enum, default_value_t = Durability::Synced, requires = "kept")]
    pub durability: Durability,

    /// Keep a room for so long after its last member has left, over restarts too (for example 90s, 12h, 30days)
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    pub keep_empty: Duration,

    /// Keep a room for so long after its last member was lost, and did not leave; for as long as --keep-empty says, where that
    /// is longer
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    pub keep_lost: Duration,

    /// Let a session be resumed with its token for so long after it was made, in whole days; whoever stays connected, or comes back in time,
    /// is given a new one
    #[arg(long, value_name = "DURATION", default_value = "30days", value_parser = parse_days)]
    pub token_expiry: Duration,

    /// Keep about so many of the newest messages of each room on disk
    #[arg(long, value_name = "N", requires = "kept")]
    pub keep_messages: Option<NonZeroU64>,

    /// Keep about so many bytes of each room on disk
    #[arg(long, value_name = "N", requires = "kept")]
    pub keep_bytes: Option<NonZeroU64>,

    /// Keep messages on disk for about so long
    #[arg(long, value_name = "DURATION", requires = "kept", value_parser = humantime::parse_duration)]
    pub keep_age: Option<Duration>,
}

/// What a confirmed message has survived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// It is on the disk
    Synced,
    /// It is on the disk 100 ms later (in PostgreSQL up to a second); a crash loses what came in between
    Relaxed,
}

/// Where rooms are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file in this folder.
    Folder(PathBuf),
    /// In the database at this address.
    Database(String),
}

impl From<OsString> for Place {
    fn from(text: OsString) -> Self {
        let is_address = |text: &str| text.starts_with("postgres://") || text.starts_with("postgresql://");
        match text.to_str() {
            Some(address) if is_address(address) => Self::Database(address.to_owned()),
            _ => Self::Folder(text.into()),
        }
    }
}

/// Why a server cannot keep rooms where it is told to.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The folder or the file in it.
    #[error("Cannot keep rooms: {0}{advice}", advice = advice(.0))]
    Log(#[from] OpenError),
    /// The database.
    #[error("Cannot keep rooms: {0}")]
    Database(#[from] log_postgres::OpenError),
    /// The database, or the address for other servers.
    #[error("Cannot join the other servers: {0}")]
    Cluster(#[from] JoinError),
    /// Other machines cannot reach this one.
    #[error(
        "Cannot join the other servers: say with --node where they reach this one, for example --node 10.0.0.5:7000; the database is on another machine, and so may they be"
    )]
    Node,
    /// The secret in the folder.
    #[error("Cannot use the secret: {0}")]
    Secret(#[from] io::Error),
    /// The secret in the environment. Its text is nobody's business.
    #[error("{0} must be 64 hexadecimal digits (`openssl rand -hex 32` draws some)")]
    Variable(&'static str),
    /// The secret in the environment, which anybody could guess.
    #[error("{0} is one digit over and over, which anybody could guess (`openssl rand -hex 32` draws a secret)")]
    Guessable(&'static str),
}

fn advice(error: &OpenError) -> &'static str {
    match error {
        OpenError::InUse { .. } => "; is another server running on it?",
        OpenError::Newer { .. } => "; start the version that wrote it",
        OpenError::Foreign { .. } => "; choose another folder with --data",
        OpenError::Damaged { .. } => {
            "; nothing is guessed at. Restore it from a backup, or choose another folder with --data"
        }
        OpenError::Exposed { .. } | OpenError::Io { .. } => "",
    }
}

impl DataFlags {
    /// `limits` with what the flags say.
    pub fn limits(&self, mut limits: Limits) -> Limits {
        limits.room.empty_linger = self.keep_empty;
        limits.room.lost_linger = self.keep_lost;
        limits.session.token_expiry = self.token_expiry;
        limits
    }

    /// Opens what the flags name, and gives the engine its log and its secret. Faults of the log are written to standard error
    /// from now on.
    ///
    /// Blocks while a file that was not closed properly is verified.
    ///
    /// # Errors
    /// See [`DataError`].
    pub async fn open(&self, engine: EngineBuilder) -> Result<(EngineBuilder, Kept), DataError> {
        let from_environment = secret_in(SECRET_VARIABLE)?;
        let old = secret_in(OLD_SECRET_VARIABLE)?;
        let engine = old.into_iter().fold(engine, EngineBuilder::old_secret);
        if self.data.is_none() && self.cluster.database.is_none() {
            return Ok((from_environment.into_iter().fold(engine, EngineBuilder::secret), Kept::Nowhere));
        }
        // Where what it says cannot be written (a full disk has both), that is nothing to end the log's own thread over.
        let faults = tracing_subscriber::fmt()
            .log_internal_errors(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::INFO);
        // Whoever has set up logging before keeps it.
        let _ = faults.with_writer(io::stderr).with_target(false).try_init();
        let in_database = async |engine: EngineBuilder, log: &Arc<PgLog>| {
            let kept = match log.secret().await {
                Ok(kept) => kept,
                Err(error) => {
                    // Its row is not to look like one of a server that was killed. Why it was not taken away is why there is no secret.
                    let _ = log.close().await;
                    return Err(DataError::from(error));
                }
            };
            let engine = engine.log(Arc::clone(log) as _).expect("it was opened just now, for this engine");
            Ok::<_, DataError>(engine.secret(from_environment.unwrap_or(kept)).lasting_secret(kept))
        };
        if let Some(address) = &self.cluster.database {
            if self.cluster.node.is_none() && !log_postgres::is_local(address)? {
                return Err(DataError::Node);
            }
            let mut setup = Setup::of(&self.limits(Limits::default()));
            setup = from_environment.iter().fold(setup, Setup::secret);
            setup = old.iter().fold(setup, Setup::old_secret);
            let (log, cluster) = self.cluster.join(address, self.database_options(), setup).await?;
            let engine = in_database(engine, &log).await?.cluster(Arc::clone(&cluster) as _);
            return Ok((engine, Kept::Cluster(log, cluster)));
        }
        let dir = match self.data.as_ref().expect("what is kept is kept somewhere") {
            Place::Folder(dir) => dir,
            Place::Database(address) => {
                let log = Arc::new(PgLog::open(address, self.database_options()).await?);
                return Ok((in_database(engine, &log).await?, Kept::Database(log)));
            }
        };
        let log = Arc::new(RedbLog::open(dir, self.options())?);
        // The one in the folder stays, whatever signs tokens: what rooms keep of their secrets is hashed with it, and the networks of banned
        // people are recognised by it.
        let is_kept = from_environment.is_none() || dir.join("secret").exists();
        let kept = is_kept.then(|| log_redb::secret(dir)).transpose()?;
        let secret = from_environment.or(kept).expect("without the one the other is made");
        let engine = engine.log(Arc::clone(&log) as _).expect("it was opened just now, for this engine");
        Ok((engine.secret(secret).lasting_secret(kept.unwrap_or(secret)), Kept::File(RoomsFile::new(dir, log))))
    }

    /// Whether the secrets in the environment can be used, where there are some.
    ///
    /// # Errors
    /// See [`DataError::Variable`] and [`DataError::Guessable`].
    pub fn check_secrets(&self) -> Result<(), DataError> {
        [SECRET_VARIABLE, OLD_SECRET_VARIABLE].into_iter().try_for_each(|variable| secret_in(variable).map(drop))
    }

    fn options(&self) -> Options {
        let durability = match self.durability {
            Durability::Synced => log_redb::Durability::Synced,
            Durability::Relaxed => log_redb::Durability::Relaxed,
        };
        let retention = Retention {
            messages_max: self.keep_messages.map(NonZeroU64::get),
            bytes_max: self.keep_bytes.map(NonZeroU64::get),
            age_max: self.keep_age,
        };
        Options { durability, retention, feed: self.webhook.feed(), ..Options::default() }
    }

    /// The same for a database, where the server goes by the name of its process.
    fn database_options(&self) -> log_postgres::Options {
        let durability = match self.durability {
            Durability::Synced => log_postgres::Durability::Synced,
            Durability::Relaxed => log_postgres::Durability::Relaxed,
        };
        let retention = self.options().retention;
        let name = format!("server {}", std::process::id());
        let feed = self.webhook.feed();
        log_postgres::Options { durability, retention, feed, name, ..log_postgres::Options::default() }
    }
}

/// The secret that the environment gives under this name, if it gives one.
fn secret_in(variable: &'static str) -> Result<Option<[u8; 32]>, DataError> {
    let Some(text) = std::env::var_os(variable) else { return Ok(None) };
    read_secret(variable, text.to_str().ok_or(DataError::Variable(variable))?).map(Some)
}

/// 32 bytes from 64 hexadecimal digits that are not all the same.
fn read_secret(variable: &'static str, text: &str) -> Result<[u8; 32], DataError> {
    let secret = parse_secret(text).ok_or(DataError::Variable(variable))?;
    let first = secret[0] >> 4;
    match secret.iter().all(|byte| *byte == first << 4 | first) {
        true => Err(DataError::Guessable(variable)),
        false => Ok(secret),
    }
}

/// 32 bytes from 64 hexadecimal digits.
fn parse_secret(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok()
}

/// One day or more, and no part of another: what tokens say of their time is in days.
fn parse_days(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let is_whole = !time.is_zero() && time.subsec_nanos() == 0 && time.as_secs().is_multiple_of(24 * 60 * 60);
    if is_whole { Ok(time) } else { Err("tokens are good for whole days, and for one at least: 7days".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        data: DataFlags,
    }

    fn parse(arguments: &[&str]) -> Result<DataFlags, clap::Error> {
        Arguments::try_parse_from([&["server"], arguments].concat()).map(|arguments| arguments.data)
    }

    #[test]
    fn a_room_goes_with_its_last_member_unless_told_otherwise() {
        let linger = |flags: &[&str]| parse(flags).expect("valid").limits(Limits::default()).room.empty_linger;
        assert_eq!(linger(&[]), Duration::ZERO);
        assert_eq!(linger(&["--keep-empty", "90s"]), Duration::from_secs(90));
        assert_eq!(linger(&["--keep-empty", "1h 30m"]), Duration::from_secs(5_400));
        assert!(parse(&["--keep-empty", "soon"]).is_err());
        assert!(parse(&["--keep-empty", "-1s"]).is_err());
    }

    #[test]
    fn a_room_whose_last_member_was_lost_waits_for_ten_minutes_unless_told_otherwise() {
        let linger = |flags: &[&str]| parse(flags).expect("valid").limits(Limits::default()).room.lost_linger;
        assert_eq!(linger(&[]), Duration::from_secs(600));
        assert_eq!(linger(&["--keep-lost", "0s"]), Duration::ZERO);
    }

    #[test]
    fn a_token_is_good_for_thirty_days_unless_told_otherwise() {
        let expiry = |flags: &[&str]| parse(flags).expect("valid").limits(Limits::default()).session.token_expiry;
        assert_eq!(expiry(&[]), Limits::default().session.token_expiry);
        assert_eq!(expiry(&["--token-expiry", "1week"]), Duration::from_secs(7 * 86_400));
    }

    #[test]
    fn what_is_kept_on_disk_needs_a_disk() {
        for flags in [["--durability", "relaxed"], ["--keep-messages", "100"], ["--keep-age", "7days"]] {
            assert!(parse(&flags).is_err(), "{flags:?}");
            let flags = parse(&[&["--data", "rooms"], &flags[..]].concat()).expect("valid");
            assert_ne!(flags.options(), Options::default());
        }
        assert_eq!(parse(&["--data", "rooms"]).expect("valid").options(), Options::default(), "acks are synced");
        assert!(parse(&["--data", "rooms", "--keep-messages", "0"]).is_err());
    }

    #[test]
    fn an_address_of_postgresql_is_no_folder() {
        let place = |text: &str| parse(&["--data", text]).expect("valid").data.expect("given");
        for address in ["postgres://chat@localhost/chat", "postgresql:///chat?host=/run/postgresql"] {
            assert_eq!(place(address), Place::Database(address.to_owned()));
        }
        for folder in ["rooms", "/var/lib/chat", "postgres"] {
            assert_eq!(place(folder), Place::Folder(folder.into()));
        }
        let flags = parse(&["--data", "postgres:///chat", "--durability", "relaxed", "--keep-messages", "9"]);
        let options = flags.expect("valid").database_options();
        assert_eq!(options.durability, log_postgres::Durability::Relaxed);
        assert_eq!(options.retention.messages_max, Some(9));
    }

    #[test]
    fn a_secret_is_64_hexadecimal_digits() {
        let text = "00ff".repeat(16);
        assert_eq!(parse_secret(&text).expect("a secret")[..4], [0x00, 0xFF, 0x00, 0xFF]);
        assert_eq!(parse_secret(&text.to_uppercase()), parse_secret(&text));
        for bad in ["", "changeme", &text[1..], &format!("{text}0"), &format!("{text}00"), &text.replace('0', "g")] {
            assert_eq!(parse_secret(bad), None, "{bad}");
        }
    }

    #[test]
    fn one_digit_over_and_over_is_no_secret() {
        for digit in "0123456789abcdefABCDEF".chars() {
            let text = digit.to_string().repeat(64);
            assert!(matches!(read_secret(SECRET_VARIABLE, &text), Err(DataError::Guessable(_))), "{text}");
            assert!(
                read_secret(SECRET_VARIABLE, &format!("{}e", &text[1..])).is_ok() || digit.eq_ignore_ascii_case(&'e')
            );
        }
    }
}
