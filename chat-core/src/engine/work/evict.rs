//! Who gives memory back when all backlogs together hold too much.

use std::sync::Arc;

use crate::engine::rooms::cell::{Eviction, Letter, RoomCell};
use crate::engine::shared::Shared;

/// Asks rooms to give back what is too much, if it is, and this was not done just now.
pub(crate) fn keep(shared: &Arc<Shared>) {
    if shared.budget.is_nearly_passed() && shared.budget.may_look(shared.clock.now().mono) {
        shared.spawn(evict(Arc::clone(shared)));
    }
}

async fn evict(shared: Arc<Shared>) {
    shared.ended.evict();
    let ask = |cell: Arc<RoomCell>, eviction| {
        if cell.may_evict() {
            shared.push(&cell, Letter::Evict(eviction));
        }
    };
    for cell in shared.registry.cells(|weight| weight.is_lingering && weight.bytes > 0).await {
        ask(cell, Eviction::Lingering);
    }
    // They are done when everybody who runs now has run.
    tokio::task::yield_now().await;
    if !shared.budget.is_nearly_passed() {
        return;
    }
    let level = shared.budget.set_level(shared.registry.weights().await);
    for cell in shared.registry.cells(|weight| weight.bytes > level).await {
        ask(cell, Eviction::Above(level));
    }
}
