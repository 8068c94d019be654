//! What the example servers share: flags, the page, and an orderly end.

// They panic where nobody can be written to; `say` and `tell` do not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod cluster;
mod console;
mod data;
mod descriptors;
mod flags;
mod health;
mod operator;
mod page;
mod run;
mod signals;
mod webhook;

pub use cluster::ClusterFlags;
pub use console::{say, tell};
pub use data::{DataError, DataFlags, Durability, Kept, OLD_SECRET_VARIABLE, Place, SECRET_VARIABLE};
pub use flags::Flags;
pub use health::health;
pub use operator::Operator;
pub use page::page;
pub use run::{block_on, run, run_with};
pub use webhook::{Sending, WEBHOOK_SECRET_VARIABLE, WebhookFlags, WebhookStartError};
