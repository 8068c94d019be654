//! Going down without a stampede: nothing new, and everybody is told when to come back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use crate::engine::session::connection_state::ConnectionState;
use crate::engine::shared::Shared;

pub(crate) async fn drain(shared: &Arc<Shared>, spread: Duration) {
    let goes_on = shared.goes_on_elsewhere();
    let mut connections: Vec<Arc<ConnectionState>> = {
        let sessions = shared.lock_sessions();
        shared.goes_on.store(goes_on, Ordering::Release);
        // Under the lock: a connection is either among these, or finds that nobody is let in any more.
        shared.draining.store(true, Ordering::Release);
        sessions.by_id.values().filter_map(|cell| cell.lock().connection.clone()).collect()
    };
    tracing::info!(connections = connections.len(), "going down: everybody is told when to come back");
    let flush_timeout = shared.limits.session.flush_timeout;
    // A table of hashes has no order of its own.
    connections.sort_unstable_by_key(|connection| connection.generation);
    if goes_on {
        send_on(shared, &connections, spread).await;
    } else {
        connections.iter().for_each(|connection| end(shared, connection, shared.ids.delay(spread)));
    }
    // Each is looked at until it is so, and never again.
    let mut flushed = 0;
    let all_flushed = until(shared, || {
        flushed += connections[flushed..].iter().take_while(|connection| connection.is_flushed()).count();
        flushed == connections.len()
    });
    let _ = timeout(flush_timeout, all_flushed).await;
    shared.flushed.store(true, Ordering::Release);
    for connection in &connections {
        connection.wake.wake();
    }
    // Who can take the end is taking it: for who cannot, there is no more time.
    cut(shared, connections.iter().filter(|connection| !connection.is_flushed()));
    let are_gone = || shared.connected.load(Ordering::Acquire) == 0;
    if timeout(flush_timeout / 2, until(shared, are_gone)).await.is_err() {
        // The last frames may still be on their way out, and then they have had time. A session held in this process, though, may be
        // held for ever.
        cut(shared, connections.iter());
        let _ = timeout(flush_timeout / 2, until(shared, are_gone)).await;
    }
    tracing::info!(left = shared.connected.load(Ordering::Acquire), "gone down: nobody is waited for any more");
}

/// Everybody who is connected now is told to come back at once; who comes meanwhile, or comes back, is let in.
pub(crate) async fn send_away(shared: &Shared, spread: Duration) {
    let mut connections: Vec<Arc<ConnectionState>> = {
        let sessions = shared.lock_sessions();
        sessions.by_id.values().filter_map(|cell| cell.lock().connection.clone()).collect()
    };
    connections.sort_unstable_by_key(|connection| connection.generation);
    tracing::info!(connections = connections.len(), "everybody is told to come back, at another server");
    send_on(shared, &connections, spread).await;
}

/// Other servers have the rooms: everybody is served here until a moment of their own, and may come back at once, elsewhere.
async fn send_on(shared: &Shared, connections: &[Arc<ConnectionState>], spread: Duration) {
    let begun = Instant::now();
    let mut moments: Vec<_> = connections.iter().map(|connection| (shared.ids.delay(spread), connection)).collect();
    moments.sort_by_key(|(after, _)| *after);
    for (after, connection) in moments {
        sleep_until(begun + after).await;
        end(shared, connection, Duration::ZERO);
    }
}

/// Tells a connection when to come back, once it has taken what is due, or has had its time.
fn end(shared: &Shared, connection: &Arc<ConnectionState>, reconnect_after: Duration) {
    let flush_until = shared.clock.now().mono.after(shared.limits.session.flush_timeout);
    connection.drain(reconnect_after, flush_until);
    // A session in the middle of something when the time is over hears of the end then.
    shared.timers.wake_connection(flush_until, connection);
}

fn cut<'a>(shared: &Shared, connections: impl Iterator<Item = &'a Arc<ConnectionState>>) {
    connections.for_each(|connection| connection.cut());
    shared.cutting.notify_waiters();
}

/// Waits until it is so; looked at whenever a connection is gone, or has been told that it ends.
async fn until(shared: &Shared, mut is_so: impl FnMut() -> bool) {
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
