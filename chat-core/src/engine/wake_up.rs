//! The task that wakes rooms and connections when their time has come, and tells of days that begin and clocks that were set.

use std::sync::{Arc, Weak};

use crate::engine::rooms::inbox::InboxItem;
use crate::engine::shared::Shared;
use crate::engine::shared::timers::{Sleeper, Timers};
use crate::ports::ObserverEvent;

/// Wakes whoever is due, until the engine is gone. Looks at the date too.
pub(crate) async fn run(engine: Weak<Shared>, timers: Arc<Timers>) {
    loop {
        let next = {
            let Some(shared) = engine.upgrade() else { return };
            let steps = shared.clock.take_untold();
            steps.into_iter().for_each(|step| shared.observe(ObserverEvent::WallStepped { step }));
            let (due, next) = timers.take_due(shared.clock.now().mono);
            for sleeper in due {
                match sleeper {
                    Sleeper::Room(room) => {
                        if let Some(room) = room.upgrade() {
                            shared.push(&room, InboxItem::Tick);
                        }
                    }
                    Sleeper::Admission(cell, connection) => {
                        if let (Some(cell), Some(connection)) = (cell.upgrade(), connection.upgrade()) {
                            shared.look_at_admission(&cell, &connection);
                        }
                    }
                    Sleeper::ConnectionState(connection) => {
                        if let Some(connection) = connection.upgrade() {
                            connection.wake.wake();
                        }
                    }
                }
            }
            let next = [next, shared.renew_tokens()].into_iter().flatten().min();
            next.map(|at| shared.clock.instant(at))
        };
        match next {
            Some(at) => tokio::select! {
                biased;
                () = tokio::time::sleep_until(at) => {}
                () = timers.sooner.notified() => {}
            },
            None => timers.sooner.notified().await,
        }
    }
}
