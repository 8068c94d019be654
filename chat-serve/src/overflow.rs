//! Connections for which there is no place: each is told so, and none is left hanging.

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::places::Crowded;

/// Connections beyond all bounds that are being told so at once. 32: each takes a moment, unless its peer is slow; then it gives way to
/// the next one, so that whoever sends a request at once is answered however many others send half of one.
pub const OVERFLOW_MAX: usize = 32;

/// How long one has, from being accepted to its end. 5 s: a request and its answer over a slow line.
const TIME: Duration = Duration::from_secs(5);

/// Those that are being told, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Overflow(VecDeque<AbortHandle>);

impl Overflow {
    /// Runs a connection to its end. Without a place that comes soon: with its time, or when it is the oldest and another one needs its turn.
    pub(crate) fn run(&mut self, connection: impl Future<Output = ()> + Send + 'static, crowded: Option<Crowded>) {
        if crowded.is_none() {
            tokio::spawn(connection);
            return;
        }
        self.0.retain(|running| !running.is_finished());
        while self.0.len() >= OVERFLOW_MAX {
            self.0.pop_front().expect("there are many").abort();
        }
        self.0
            .push_back(tokio::spawn(async move { timeout(TIME, connection).await.unwrap_or_default() }).abort_handle());
    }
}
