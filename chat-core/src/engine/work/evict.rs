//! Who gives memory back when all backlogs together hold too much.

use std::sync::Arc;

use crate::engine::feed::budget::Purpose;
use crate::engine::rooms::cell::{RoomCell, Weight};
use crate::engine::rooms::inbox::{Eviction, InboxItem};
use crate::engine::shared::Shared;

/// Asks rooms to give back what is too much, if it is, and this was not done just now.
pub(crate) fn keep(shared: &Arc<Shared>) {
    if shared.budget.is_short() && shared.budget.may_look(Purpose::Memory, shared.clock.now().mono) {
        shared.spawn(evict(Arc::clone(shared)));
    }
}

/// Asks empty rooms that can be put away to make place for others, unless this was done just now. Whoever may come back to a room
/// has the place that it takes.
pub(crate) fn make_place(shared: &Arc<Shared>) {
    if shared.log.is_some() && shared.budget.may_look(Purpose::Places, shared.clock.now().mono) {
        let shared_then = Arc::clone(shared);
        shared.spawn(async move { put_away(&shared_then, |weight| weight.is_lingering).await });
    }
}

async fn put_away(shared: &Arc<Shared>, is_wanted: impl Fn(Weight) -> bool) {
    for cell in shared.registry.cells(|weight| weight.is_unattended && is_wanted(weight)).await {
        ask(shared, &cell, Eviction::PutAway);
    }
}

fn ask(shared: &Arc<Shared>, cell: &Arc<RoomCell>, eviction: Eviction) {
    if cell.may_evict() {
        shared.push(cell, InboxItem::Evict(eviction));
    }
}

async fn evict(shared: Arc<Shared>) {
    shared.ended.evict();
    for cell in shared.registry.cells(|weight| weight.is_lingering && weight.bytes > 0).await {
        ask(&shared, &cell, Eviction::Lingering);
    }
    // They are done when everybody who runs now has run.
    tokio::task::yield_now().await;
    if shared.budget.is_short() {
        put_away(&shared, |_| true).await;
        tokio::task::yield_now().await;
    }
    if !shared.budget.is_nearly_passed() {
        return;
    }
    let level = shared.budget.set_level(shared.registry.weights().await);
    for cell in shared.registry.cells(|weight| weight.bytes > level).await {
        ask(&shared, &cell, Eviction::Above(level));
    }
}
