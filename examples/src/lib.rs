//! What the example servers share: flags, the page, and an orderly end.

// They panic where nobody can be written to; `say` and `tell` do not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod admin;
mod backup;
mod cluster;
mod config;
mod console;
mod data;
mod descriptors;
mod flags;
mod health;
mod healthcheck;
mod kept;
mod lobby;
mod logging;
mod operator;
mod page;
mod preflight;
mod run;
mod service_manager;
mod signals;
mod users;
mod webhook;

pub use admin::{ADMIN_TOKEN_VARIABLE, Admin, AdminError, AdminFlags};
pub use backup::{Made, NoBackup, backup, restore};
pub use cluster::ClusterFlags;
pub use config::{ConfigFlags, Configured, NotConfigured, command, configure};
pub use console::{say, tell, tell_failure, tell_warning};
pub use data::{DataError, DataFlags, Durability, OLD_SECRET_VARIABLE, Place, SECRET_VARIABLE};
pub use flags::{BadListen, Flags, parse_listen};
pub use health::health;
pub use healthcheck::healthcheck;
pub use kept::Kept;
pub use lobby::{LobbyFor, lobby};
pub use logging::{LogFlags, LogFormat, LogLevel};
pub use operator::Operator;
pub use page::page;
pub use preflight::preflight;
pub use run::{block_on, run, run_with};
pub use users::{AUTH_SECRET_VARIABLE, GuestsMay, UserFlags, UsersError};
pub use webhook::{Sending, WEBHOOK_SECRET_VARIABLE, WebhookFlags, WebhookStartError};
