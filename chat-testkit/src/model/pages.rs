//! Pages of a history: everything that was said is laid out, and a window of it is cut at a place.

use chat_core::room::{HistorySlice, More, NewerSlice};
use chat_core::{HistoryAnchor, Seq};

use super::{Model, facts};

/// How much of a page lies before its place, and how much from it on.
#[derive(Clone, Copy)]
struct Window {
    place: Seq,
    older: usize,
    newer: usize,
}

/// The newest messages that somebody sees.
pub(super) fn newest(model: &Model, limit: Option<u32>, sees: Seq) -> HistorySlice {
    page(model, HistoryAnchor::Newest, limit, sees)
}

/// The messages of a page, as far as the room remembers them; and what a log may have besides.
pub(super) fn page(model: &Model, anchor: HistoryAnchor, limit: Option<u32>, sees: Seq) -> HistorySlice {
    let size = limit.map_or(model.limits.history_default, |limit| limit as usize).min(model.limits.history_max);
    let end = Seq(model.head().0 + 1);
    let (wish, older) = match anchor {
        HistoryAnchor::Newest => (end, size),
        HistoryAnchor::Before(seq) => (seq, size),
        HistoryAnchor::After(seq) => (Seq(seq.0.saturating_add(1)), 0),
        HistoryAnchor::Around(seq) => (seq, size / 2),
        other => unreachable!("the model knows no {other:?}"),
    };
    let newer = match anchor {
        HistoryAnchor::After(_) | HistoryAnchor::Around(_) => size - older,
        _ => 0,
    };
    // Nobody stands before what they see, or past the end.
    let place = if wish <= sees { Seq(sees.0 + 1) } else { wish };
    let window = Window { place: if place > end { end } else { place }, older, newer };
    HistorySlice { newer: later(model, window), ..earlier(model, window, sees) }
}

/// What was said, but is not remembered: of these the room knows the first and the last.
fn forgotten(model: &Model) -> Vec<Seq> {
    let marks = model.marks();
    let said = facts::messages(&model.facts()).into_iter().map(|message| message.seq);
    said.filter(|seq| !marks.contains(seq)).collect()
}

fn earlier(model: &Model, Window { place, older, .. }: Window, sees: Seq) -> HistorySlice {
    let marks: Vec<Seq> = model.marks().into_iter().filter(|seq| *seq > sees && *seq < place).collect();
    let (rest, named) = marks.split_at(marks.len().saturating_sub(older));
    let ends = named.first().copied().unwrap_or(place);
    let forgotten = forgotten(model);
    // One of the two may lie between what is seen and what is named, or one between them.
    let may_be = forgotten.iter().any(|seq| *seq > sees)
        && forgotten.first().is_some_and(|first| (*first).max(Seq(sees.0 + 1)) < ends);
    HistorySlice {
        seqs: named.to_vec(),
        wanted: if may_be { (older - named.len()).min(forgotten.len()) } else { 0 },
        before: ends,
        sees,
        more: if may_be || !rest.is_empty() { More::Yes } else { More::No },
        earlier: rest.last().copied(),
        newer: NewerSlice::default(),
    }
}

fn later(model: &Model, Window { place, newer, .. }: Window) -> NewerSlice {
    let marks: Vec<Seq> = model.marks().into_iter().filter(|seq| *seq >= place).collect();
    NewerSlice {
        from: place,
        through: model.head(),
        count: newer,
        seqs: marks.iter().copied().take(newer).collect(),
        newest: marks.last().copied(),
        forgotten: if forgotten(model).iter().any(|seq| *seq >= place) { More::Yes } else { More::No },
    }
}
