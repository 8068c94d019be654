//! Going down without a stampede: nothing new, and everybody is told when to come back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::session::connection_state::ConnectionState;
use crate::engine::shared::Shared;

pub(crate) async fn drain(shared: &Arc<Shared>, spread: Duration) {
    let mut connections: Vec<Arc<ConnectionState>> = {
        let sessions = shared.lock_sessions();
        // Under the lock: a connection is either among these, or finds that nobody is let in any more.
        shared.draining.store(true, Ordering::Release);
        sessions.by_id.values().filter_map(|cell| cell.lock().connection.clone()).collect()
    };
    let flush_until = shared.clock.now().mono.after(shared.limits.session.flush_timeout);
    // A table of hashes has no order of its own.
    connections.sort_unstable_by_key(|connection| connection.generation);
    for connection in &connections {
        connection.drain(shared.ids.delay(spread), flush_until);
        // A session in the middle of something when the time is over hears of the end then.
        shared.timers.wake_connection(flush_until, connection);
    }
    let is_told = |connection: &Arc<ConnectionState>| connection.closing().is_some_and(|closing| closing.told);
    let are_gone = || shared.connected.load(Ordering::Acquire) == 0;
    let all_gone = async {
        until(shared, || are_gone() || connections.iter().all(is_told)).await;
        // The last frames may still be on their way out. A session held in this process, though, may be held for ever.
        let _ = tokio::time::timeout(shared.limits.session.flush_timeout, until(shared, are_gone)).await;
    };
    // A peer that takes nothing does not hold up the end.
    let _ = tokio::time::timeout(shared.limits.session.stall_timeout, all_gone).await;
}

/// Waits until it is so; looked at whenever a connection is gone, or has been told that it ends.
async fn until(shared: &Shared, is_so: impl Fn() -> bool) {
    loop {
        let changed = shared.gone.notified();
        tokio::pin!(changed);
        // Registered before the look, so that the last change is not missed.
        changed.as_mut().enable();
        if is_so() {
            return;
        }
        changed.await;
    }
}
