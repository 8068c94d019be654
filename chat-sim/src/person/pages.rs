//! Pages of history: people look back and on and around, read up what a gap has left out, and hold every page to what the log says.

use std::time::Duration;

use chat_core::{Epoch, MemberId, Position, Seq};
use rand::RngExt;
use serde_json::json;
use tokio::time::Instant;

use super::{Asked, Person};
use crate::promise::{Broken, Promise, hold};
use crate::view::View;

/// After a page that could not be read it is asked for again this much later.
const AGAIN: Duration = Duration::from_secs(1);

/// A question for a page.
#[derive(Clone, Debug)]
pub(super) struct AskedPage {
    pub(super) room: String,
    side: Side,
    limit: u64,
    /// Where one was when it was asked, as whom: what had been told by then is known to who answers.
    then: Option<(Position, MemberId)>,
    /// It is to fill a hole that a gap has left.
    fills: bool,
}

/// Where a page lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Newest,
    Before(u64),
    After(u64),
    Around(u64),
}

/// What a page shows.
pub(super) struct ShownPage {
    pub(super) epoch: Epoch,
    pub(super) seqs: Vec<Seq>,
    pub(super) more_before: bool,
    pub(super) more_after: bool,
}

impl Person {
    /// Some page of some messages.
    pub(super) fn look_back(&mut self, room: &str) {
        let limit = self.rng.random_range(1..10);
        let seq = self.rng.random_bool(0.5).then(|| self.rng.random_range(1..60));
        let side = match (seq, self.whims.random_range(0..4)) {
            (None, _) => Side::Newest,
            (Some(seq), 0) => Side::Before(seq),
            (Some(seq), 1) => Side::After(seq),
            (Some(seq), _) => Side::Around(seq),
        };
        self.ask_for_page(room, side, limit, false);
    }

    /// Reads what gaps have left out, one question for each room at a time.
    pub(super) fn read_up(&mut self) {
        if !self.welcomed || self.stalled || Instant::now() < self.pages_at {
            return;
        }
        let live = |room: &String, epoch| {
            let view = self.views.get(room).filter(|view| view.is_live());
            view.is_some_and(|view| view.position().epoch == epoch)
        };
        let is_asked = |room: &String| {
            let asked = self.asked.values();
            asked
                .into_iter()
                .any(|(_, asked)| matches!(asked, Asked::History(page) if page.fills && page.room == *room))
        };
        let holes = self.screens.iter().filter(|(room, screen)| live(room, screen.epoch()) && !is_asked(room));
        let due: Vec<(String, Seq)> =
            holes.filter_map(|(room, screen)| Some((room.clone(), screen.reads_after()?))).collect();
        for (room, after) in due {
            let limit = self.whims.random_range(1..10);
            self.ask_for_page(&room, Side::After(after.0), limit, true);
        }
    }

    fn ask_for_page(&mut self, room: &str, side: Side, limit: u64, fills: bool) {
        let mut frame = json!({"type": "history", "room": room, "limit": limit});
        match side {
            Side::Newest => {}
            Side::Before(seq) => frame["before"] = seq.into(),
            Side::After(seq) => frame["after"] = seq.into(),
            Side::Around(seq) => frame["around"] = seq.into(),
        }
        let then = self.views.get(room).filter(|view| view.is_live()).map(|view| (view.position(), view.member()));
        self.ask(frame, Asked::History(AskedPage { room: room.to_owned(), side, limit, then, fills }));
    }

    /// A page cannot be had now.
    pub(super) fn page_refused(&mut self) {
        self.pages_at = Instant::now() + AGAIN;
    }

    /// A page is a stretch of the messages of some life of the room, without holes; and it says truly whether there are others on either
    /// side, as far as was known when it was asked for.
    pub(super) fn page_shown(&mut self, asked: &AskedPage, page: &ShownPage) -> Result<(), Broken> {
        self.check_stretch(asked, page)?;
        let Some((then, member)) = asked.then.filter(|(then, _)| then.epoch == page.epoch) else { return Ok(()) };
        let is_same = |view: &&View| view.member() == member && view.position().epoch == then.epoch;
        if self.views.get(&asked.room).filter(is_same).is_none() {
            return Ok(());
        }
        self.check_ends(asked, page, then.seq, member)?;
        if asked.fills {
            let is_unread = page.seqs.is_empty() && page.more_after;
            if is_unread {
                self.page_refused();
            } else if let Some(screen) = self.screens.get_mut(&asked.room).filter(|screen| screen.epoch() == page.epoch)
            {
                let last = page.seqs.last().copied().filter(|_| page.more_after).unwrap_or(then.seq);
                screen.filled(asked.after(), last);
            }
        }
        Ok(())
    }

    fn check_stretch(&self, asked: &AskedPage, page: &ShownPage) -> Result<(), Broken> {
        let (AskedPage { room, side, limit, .. }, seqs) = (asked, &page.seqs);
        let (Some(first), Some(last)) = (seqs.first(), seqs.last()) else { return Ok(()) };
        let is_there = match *side {
            Side::Newest | Side::Around(_) => true,
            Side::Before(seq) => last.0 < seq,
            Side::After(seq) => first.0 > seq,
        };
        let bounds = is_there && seqs.len() as u64 <= *limit;
        hold!(bounds, Promise::Fold, "{room}: history {seqs:?}, {side:?}, {limit} at most");
        let truth = &self.scene.truth;
        if let Some(view) = self.views.get(room) {
            let floor = truth.lowest_floor(room, view.position().epoch, view.member());
            let is_above = *first > floor || truth.epochs(room).len() > 1;
            hold!(is_above, Promise::Floor, "{room}: history {seqs:?} to {view:?}, whose floor is {floor}");
        }
        let all = truth.messages(room, page.epoch, *last);
        let is_stretch = all[all.partition_point(|seq| seq < first)..] == **seqs;
        hold!(is_stretch, Promise::Fold, "{room}: {:?} has not this history: {seqs:?} of {all:?}", page.epoch);
        Ok(())
    }

    /// Where a page begins and ends. `known` is what the room knew at least when it answered.
    fn check_ends(&self, asked: &AskedPage, page: &ShownPage, known: Seq, member: MemberId) -> Result<(), Broken> {
        let (plan, truth, room) = (&self.scene.plan, &self.scene.truth, &asked.room);
        let floor = truth.floor(room, page.epoch, member);
        let all = truth.messages(room, page.epoch, Seq(u64::MAX));
        let theirs = &all[all.partition_point(|seq| *seq <= floor)..];
        let (seqs, has_log) = (&page.seqs, plan.has_log);
        let reads_log = !has_log || plan.wrong.log_fails == 0.0;
        let is_unread = seqs.is_empty() && page.more_before && page.more_after;
        // With the end of a life its messages go, also those of which a page was to speak.
        if is_unread && !reads_log || truth.is_over(room, page.epoch) {
            return Ok(());
        }
        let place = match asked.side {
            Side::Newest => Seq(u64::MAX),
            Side::Before(seq) | Side::Around(seq) => Seq(seq),
            Side::After(seq) => Seq(seq + 1),
        };
        let place = place.max(floor.next());
        let says = || {
            format!("{:?} is {seqs:?} of {theirs:?}, before {} after {}", asked.side, page.more_before, page.more_after)
        };
        // What the backlog alone had may be gone.
        if has_log {
            match (asked.side, seqs.first()) {
                (Side::After(_), Some(first)) => {
                    let next = theirs.iter().find(|seq| **seq >= place);
                    hold!(next == Some(first), Promise::Fold, "{room}: {} and begins not with {next:?}", says());
                }
                (Side::Around(seq), _) => {
                    let is_due = theirs.contains(&Seq(seq)) && Seq(seq) <= known;
                    hold!(!is_due || seqs.contains(&Seq(seq)), Promise::Fold, "{room}: {}", says());
                }
                _ => {}
            }
        }
        let (low, high) = (seqs.first().map_or(place, |first| *first), seqs.last().map_or(place, |last| last.next()));
        let is_before = theirs.iter().any(|seq| *seq < low && (*seq <= known || !seqs.is_empty()));
        let is_after = theirs.iter().any(|seq| *seq >= high);
        let is_known_after = theirs.iter().any(|seq| *seq >= high && *seq <= known);
        let may_be_gone = !has_log;
        hold!(page.more_before || !is_before || may_be_gone, Promise::Fold, "{room}: none before, {}", says());
        let may_be_gone = may_be_gone && seqs.is_empty();
        hold!(page.more_after || !is_known_after || may_be_gone, Promise::Fold, "{room}: none after, {}", says());
        if reads_log {
            let may_be = theirs.iter().any(|seq| *seq < low);
            hold!(!page.more_before || may_be, Promise::Fold, "{room}: others before, {}", says());
            hold!(!page.more_after || is_after, Promise::Fold, "{room}: others after, {}", says());
        }
        Ok(())
    }
}

impl AskedPage {
    fn after(&self) -> Seq {
        match self.side {
            Side::After(seq) => Seq(seq),
            _ => Seq(0),
        }
    }
}
