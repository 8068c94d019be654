//! What all attacks need: a server that is measured, connections that count, and guests of every transport.

mod cost;
mod guest;
mod server;
mod wire;

use std::future::Future;
use std::time::Duration;

pub(crate) use cost::{Attack, Bounds};
pub(crate) use guest::{Door, Guest, UPGRADE, ws_frame};
pub(crate) use server::Server;
pub(crate) use wire::Wire;

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(120);

/// Somebody who attacks nobody comes from this host of the machine; each host of it is an address of its own.
pub(crate) const HONEST: u8 = 77;

pub(crate) async fn in_time<T>(act: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, act).await.expect("in time")
}

/// What stands between these two, at the first place where both are there.
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}
