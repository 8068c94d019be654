//! Changes of one incarnation's messages that lie over what is read: they mask a page that was read before the log was amended for them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::domain::{Amend, Content, Event, Record};
#[cfg(feature = "fault_injection")]
use crate::fault_injection::{self, Bug};
use crate::locks::lock;
use crate::room::{Evidence, Sweep};
use crate::types::{MemberId, Nick, Offset, Seq};
use crate::wire::{self, FrameKind};

/// What an event changes of what was said before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    TakeBack {
        target: Seq,
        change: Seq,
    },
    Edit {
        target: Seq,
        change: Seq,
        content: Content,
        n: u32,
    },
    Sweep(Sweep),
    /// Nobody is named any more who had one of these numbers.
    Erase(Arc<Unnamed>),
}

/// Members who were erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unnamed {
    members: Vec<MemberId>,
    /// The record that erased them.
    through: Offset,
    /// The first event after it.
    change: Seq,
}

impl Change {
    /// The same of a person who was erased, by a record that nobody is told: `head` is the last event before it.
    pub(crate) fn of_quiet(record: &Record, head: Seq) -> Option<Self> {
        let Event::Erased { members, .. } = &record.event else { return None };
        #[cfg(feature = "fault_injection")]
        if fault_injection::is(Bug::ShowErased) {
            return None;
        }
        Some(Self::erased(members, record.offset, head))
    }

    /// That nobody is named any more who had one of these numbers.
    pub(crate) fn erased(members: &[MemberId], through: Offset, head: Seq) -> Self {
        Self::Erase(Arc::new(Unnamed { members: members.to_vec(), through, change: head.next() }))
    }

    /// What a record changes; nothing where it is none that does, or has been superseded.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        let change = record.seq?;
        match &record.event {
            Event::Redacted { target } => Some(Self::TakeBack { target: *target, change }),
            Event::Edited { target, content: Some(content), n, .. } => {
                Some(Self::Edit { target: *target, change, content: content.clone(), n: *n })
            }
            &Event::Swept { member, from, to } => Some(Self::Sweep(Sweep { member, from, to, change })),
            _ => None,
        }
    }

    /// The event that makes it.
    pub(crate) fn seq(&self) -> Seq {
        match self {
            Self::TakeBack { change, .. } | Self::Edit { change, .. } => *change,
            Self::Sweep(sweep) => sweep.change,
            Self::Erase(unnamed) => unnamed.change,
        }
    }

    /// The first event that may be another for it.
    pub(crate) fn first(&self) -> Seq {
        match self {
            Self::TakeBack { target, .. } | Self::Edit { target, .. } => *target,
            Self::Sweep(sweep) => sweep.from,
            Self::Erase(_) => Seq(1),
        }
    }

    /// What becomes of an encoded event: the message that was changed, and earlier edits of it. `None` where it stays as it is.
    pub(crate) fn rewrite(&self, seq: Seq, kind: FrameKind, json: &[u8]) -> Option<Vec<u8>> {
        if seq >= self.seq() {
            return None;
        }
        #[cfg(feature = "fault_injection")]
        if unmasked(std::slice::from_ref(self)).is_empty() {
            return None;
        }
        match (self, kind) {
            (Self::Erase(unnamed), kind) => wire::unnamed(kind, json, &unnamed.members),
            (Self::TakeBack { target, .. }, FrameKind::Message) if seq == *target => wire::tombstone(json),
            (Self::Edit { target, content, n, .. }, FrameKind::Message) if seq == *target => {
                wire::as_edited(json, content, *n)
            }
            (Self::Sweep(sweep), FrameKind::Message) if sweep.has(seq) => {
                wire::author(json).filter(|by| sweep.covers(*by, seq)).and_then(|_| wire::tombstone(json))
            }
            (Self::TakeBack { target, .. } | Self::Edit { target, .. }, FrameKind::Edited) => {
                wire::target_of_edit(json).filter(|of| of == target).and_then(|_| wire::superseded(json))
            }
            (Self::Sweep(sweep), FrameKind::Edited) => {
                let of = wire::target_of_edit(json).filter(|of| sweep.has(*of))?;
                wire::author_of_edit(json).filter(|by| sweep.covers(*by, of)).and_then(|_| wire::superseded(json))
            }
            _ => None,
        }
    }

    /// The same of a record that a log has not been amended in.
    pub(crate) fn apply(&self, record: &mut Record) {
        let Some(seq) = record.seq else { return };
        let by = record.by.unwrap_or(MemberId::HOST);
        let change = self.seq();
        if seq >= change {
            return;
        }
        let of = match record.event {
            Event::Edited { target, .. } => target,
            _ => seq,
        };
        if let Self::Erase(unnamed) = self {
            return unnamed.apply(record);
        }
        let is_meant = match self {
            Self::Erase(_) => false,
            Self::TakeBack { target, .. } | Self::Edit { target, .. } => of == *target,
            Self::Sweep(sweep) => sweep.covers(by, of),
        };
        if is_meant && of != seq {
            Amend::bare(seq, change).apply(record);
        } else if is_meant {
            match self {
                Self::Edit { content, n, .. } => Amend::replace(seq, change, content.clone(), *n).apply(record),
                Self::TakeBack { .. } | Self::Sweep(_) | Self::Erase(_) => Amend::take_back(seq, change).apply(record),
            };
        }
    }
}

impl Unnamed {
    /// A message without the name, where it is one of theirs. `None` where it is not, or has none.
    pub(crate) fn unname(&self, seq: Seq, message: &[u8]) -> Option<Vec<u8>> {
        if seq < self.change { wire::unnamed(FrameKind::Message, message, &self.members) } else { None }
    }

    /// The same of a record that the log has not been made to scrub.
    fn apply(&self, record: &mut Record) {
        let is_one = |member: MemberId| self.members.contains(&member);
        let is_by_one = record.by.is_some_and(is_one);
        match &mut record.event {
            Event::Sent { nick, keyed, .. } if is_by_one => (*nick, *keyed) = (Nick::erased(), None),
            Event::Joined { nick, data, .. } if is_by_one => (*nick, *data) = (Nick::erased(), None),
            Event::Left { nick, .. } if is_by_one => *nick = Nick::erased(),
            Event::Kicked { member, nick, .. } if is_one(*member) => *nick = Nick::erased(),
            Event::MemberChanged { member, nick, data, .. } if is_one(*member) => {
                nick.iter_mut().for_each(|nick| *nick = Nick::erased());
                data.iter_mut().for_each(|data| *data = None);
            }
            _ => {}
        }
    }
}

/// Of most incarnations it holds nothing, and takes two words.
pub(crate) struct Overlay {
    known: Mutex<Option<Box<Known>>>,
    /// See [`RoomLimits::owed_max`](crate::RoomLimits::owed_max): as many are remembered.
    entries_max: usize,
}

#[derive(Default)]
struct Known {
    /// In the order of the changes.
    entries: VecDeque<Entry>,
    /// Counts what has become of them: another for each that was noted, and whenever the log was amended.
    moment: u64,
    /// Of those that were forgotten again: when the last of them was noted, and when the log was amended for it.
    forgotten: Option<(u64, u64)>,
}

struct Entry {
    what: What,
    change: Seq,
    /// When it was noted.
    noted: u64,
    /// When the log was amended for it, or the backlog where there is no log. Before that it is never forgotten.
    amended: Option<u64>,
}

/// What was changed.
enum What {
    TakenBack(Seq),
    /// What it says is here as long as the log does not have it.
    Edited {
        target: Seq,
        content: Option<Content>,
        n: u32,
    },
    Swept(Sweep),
    Erased(Arc<Unnamed>),
}

/// When a page was read, and when it was last masked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    begun: u64,
    masked: Option<u64>,
}

impl Seen {
    /// Whether a page shows what was noted then, and what the log was amended for then.
    fn shows(self, noted: u64, amended: Option<u64>) -> bool {
        amended.is_some_and(|amended| amended <= self.begun) || self.masked.is_some_and(|masked| noted <= masked)
    }
}

/// What lies over a page, by the places of its messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Masks {
    pub(crate) taken_back: Vec<usize>,
    pub(crate) edited: Vec<(usize, Content, u32)>,
    pub(crate) swept: Vec<Sweep>,
    pub(crate) erased: Vec<Arc<Unnamed>>,
}

/// A page shows something that was changed since, and not what it was changed to: it has to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stale;

impl Overlay {
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { known: Mutex::new(None), entries_max }
    }

    /// Notes what a batch changes. Called before the batch is published, so that whoever has heard of it is shown nothing else.
    pub(crate) fn add(&self, changes: &[Change]) {
        #[cfg(feature = "fault_injection")]
        let changes = &unmasked(changes)[..];
        if changes.is_empty() {
            return;
        }
        let mut guard = self.lock();
        let known = guard.get_or_insert_default();
        changes.iter().for_each(|change| known.note(change));
        known.shrink(self.entries_max);
    }

    /// The log has been amended for every change up to this one; the backlog, where there is no log.
    pub(crate) fn amended(&self, through: Seq) {
        if let Some(known) = &mut *self.lock() {
            known.moment += 1;
            let moment = known.moment;
            let is_settled = |entry: &Entry| entry.change <= through && !matches!(entry.what, What::Erased(_));
            let owed = known.entries.iter_mut().filter(|entry| entry.amended.is_none() && is_settled(entry));
            owed.for_each(|entry| {
                entry.amended = Some(moment);
                if let What::Edited { content, .. } = &mut entry.what {
                    *content = None;
                }
            });
        }
    }

    /// The log names those no more who were erased by records up to this one; the backlog, where there is no log.
    pub(crate) fn scrubbed(&self, through: Offset) {
        if let Some(known) = &mut *self.lock() {
            known.moment += 1;
            for entry in &mut known.entries {
                if matches!(&entry.what, What::Erased(unnamed) if unnamed.through <= through) {
                    entry.amended.get_or_insert(known.moment);
                }
            }
        }
    }

    /// For [`Overlay::over`], before a page is read.
    pub(crate) fn begin(&self) -> Seen {
        let begun = self.lock().as_ref().map_or(0, |known| known.moment);
        Seen { begun, masked: None }
    }

    /// What lies over a page. `place` says where in it a message is.
    ///
    /// # Errors
    /// [`Stale`]: not all is known.
    pub(crate) fn over(&self, seen: &mut Seen, place: impl Fn(Seq) -> Option<usize>) -> Result<Masks, Stale> {
        let guard = self.lock();
        let mut masks = Masks::default();
        let Some(known) = &*guard else { return Ok(masks) };
        if known.forgotten.is_some_and(|(noted, amended)| !seen.shows(noted, Some(amended))) {
            return Err(Stale);
        }
        for entry in &known.entries {
            match &entry.what {
                What::TakenBack(target) => masks.taken_back.extend(place(*target)),
                What::Swept(sweep) => masks.swept.push(*sweep),
                What::Erased(unnamed) => masks.erased.push(Arc::clone(unnamed)),
                What::Edited { target, content, n } => match (place(*target), content) {
                    (Some(index), Some(content)) => masks.edited.push((index, content.clone(), *n)),
                    (Some(_), None) if !seen.shows(entry.noted, entry.amended) => return Err(Stale),
                    _ => {}
                },
            }
        }
        seen.masked = Some(known.moment);
        Ok(masks)
    }

    /// Lays over a record what the log has not been amended for.
    pub(crate) fn apply(&self, record: &mut Record) {
        let guard = self.lock();
        let Some(known) = &*guard else { return };
        known.entries.iter().filter_map(Entry::owed).for_each(|change| change.apply(record));
    }

    /// Lays the same over what a log has shown of a message; `false` where there is nothing of it.
    pub(crate) fn apply_to(&self, target: Seq, shown: &mut Evidence) -> bool {
        let guard = self.lock();
        let Some(known) = &*guard else { return false };
        let by = shown.by;
        let last = known.entries.iter().rev().filter(|entry| entry.amended.is_none()).find(|entry| match &entry.what {
            What::TakenBack(of) | What::Edited { target: of, .. } => *of == target,
            What::Swept(sweep) => sweep.covers(by, target),
            What::Erased(_) => false,
        });
        match last.map(|entry| &entry.what) {
            None | Some(What::Edited { content: None, .. }) => return false,
            Some(What::Edited { content: Some(content), n, .. }) => {
                (shown.content, shown.edits) = (content.clone(), *n);
            }
            Some(What::TakenBack(_) | What::Swept(_) | What::Erased(_)) => shown.is_taken_back = true,
        }
        true
    }

    /// What a message says since this edit, as long as the log does not have it.
    pub(crate) fn content(&self, change: Seq) -> Option<Content> {
        let guard = self.lock();
        let is_it = |entry: &&Entry| entry.change == change && !matches!(entry.what, What::Erased(_));
        let entry = guard.as_ref()?.entries.iter().find(is_it)?;
        match &entry.what {
            What::Edited { content, .. } => content.clone(),
            _ => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Known>>> {
        lock(&self.known)
    }
}

impl Entry {
    /// The change, as long as the log has not been amended for it.
    fn owed(&self) -> Option<Change> {
        let change = self.change;
        match &self.what {
            _ if self.amended.is_some() => None,
            What::TakenBack(target) => Some(Change::TakeBack { target: *target, change }),
            What::Edited { target, content, n } => {
                let (target, n) = (*target, *n);
                content.clone().map(|content| Change::Edit { target, change, content, n })
            }
            What::Swept(sweep) => Some(Change::Sweep(*sweep)),
            What::Erased(unnamed) => Some(Change::Erase(Arc::clone(unnamed))),
        }
    }
}

impl Known {
    fn note(&mut self, change: &Change) {
        self.moment += 1;
        let what = match change {
            Change::TakeBack { target, .. } => What::TakenBack(*target),
            Change::Edit { target, content, n, .. } => {
                What::Edited { target: *target, content: Some(content.clone()), n: *n }
            }
            Change::Sweep(sweep) => What::Swept(*sweep),
            Change::Erase(unnamed) => What::Erased(Arc::clone(unnamed)),
        };
        if let Change::TakeBack { target, .. } | Change::Edit { target, .. } = change {
            // Whoever is shown the later one is shown the earlier one no more.
            self.entries.retain(|entry| !matches!(&entry.what, What::Edited { target: of, .. } if of == target));
        }
        self.entries.push_back(Entry { what, change: change.seq(), noted: self.moment, amended: None });
    }

    /// Forgets the oldest that the log has been amended for.
    fn shrink(&mut self, entries_max: usize) {
        let mut over = self.entries.len().saturating_sub(entries_max);
        if over == 0 {
            return;
        }
        let forgotten = &mut self.forgotten;
        self.entries.retain(|entry| {
            let Some(amended) = entry.amended.filter(|_| over > 0) else { return true };
            over -= 1;
            let (noted_before, amended_before) = forgotten.unwrap_or_default();
            *forgotten = Some((entry.noted.max(noted_before), amended.max(amended_before)));
            false
        });
    }
}

/// Without edits, where that is the bug.
#[cfg(feature = "fault_injection")]
fn unmasked(changes: &[Change]) -> Vec<Change> {
    let is_masked = |change: &&Change| !(fault_injection::is(Bug::UnmaskEdit) && matches!(change, Change::Edit { .. }));
    changes.iter().filter(is_masked).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Body;

    fn taken_back(targets: &[u64]) -> Vec<Change> {
        targets.iter().map(|&target| Change::TakeBack { target: Seq(target), change: Seq(10 + target) }).collect()
    }

    fn content(text: &str) -> Content {
        Content::text(Body::parse(text, 10).expect("a valid text"))
    }

    fn edit(target: u64, change: u64, text: &str, n: u32) -> Change {
        Change::Edit { target: Seq(target), change: Seq(change), content: content(text), n }
    }

    /// Places of what was taken back, and of what was edited, with what it says.
    type Laid = (Vec<usize>, Vec<(usize, String)>);

    fn over(overlay: &Overlay, seen: &mut Seen) -> Result<Laid, Stale> {
        let masks = overlay.over(seen, |seq| Some(seq.0 as usize))?;
        let edited = masks.edited.into_iter().map(|(index, content, _)| (index, content.text.to_string()));
        Ok((masks.taken_back, edited.collect()))
    }

    fn page(overlay: &Overlay) -> Seen {
        overlay.begin()
    }

    #[test]
    fn what_the_log_still_holds_is_never_forgotten_and_what_it_has_forgotten_is_when_there_is_no_place() {
        let overlay = Overlay::new(2);
        overlay.add(&taken_back(&[1, 2]));
        overlay.amended(Seq(12));
        overlay.add(&taken_back(&[3]));
        assert_eq!(over(&overlay, &mut page(&overlay)), Ok((vec![2, 3], vec![])));
        overlay.add(&taken_back(&[4, 5]));
        assert_eq!(over(&overlay, &mut page(&overlay)), Ok((vec![3, 4, 5], vec![])));
        overlay.amended(Seq(14));
        overlay.add(&taken_back(&[6]));
        assert_eq!(over(&overlay, &mut page(&overlay)), Ok((vec![5, 6], vec![])));
    }

    #[test]
    fn a_range_is_known_as_long_as_the_log_may_hold_something_of_it() {
        let sweep = Sweep { member: MemberId(2), from: Seq(1), to: Seq(9), change: Seq(10) };
        let swept = |overlay: &Overlay, seen: &mut Seen| overlay.over(seen, |_| None).map(|masks| masks.swept);
        let overlay = Overlay::new(1);
        let mut early = page(&overlay);
        overlay.add(&[Change::Sweep(sweep)]);
        let mut between = page(&overlay);
        assert_eq!(swept(&overlay, &mut between), Ok(vec![sweep]));
        overlay.amended(Seq(10));
        overlay.add(&taken_back(&[5]));
        assert_eq!((swept(&overlay, &mut page(&overlay)), swept(&overlay, &mut early)), (Ok(vec![]), Err(Stale)));
        assert_eq!(swept(&overlay, &mut between), Ok(vec![]), "it was masked before");
    }

    #[test]
    fn a_page_that_is_older_than_what_is_remembered_is_stale() {
        let overlay = Overlay::new(2);
        let (mut early, mut masked) = (page(&overlay), page(&overlay));
        overlay.add(&taken_back(&[1, 2]));
        overlay.amended(Seq(12));
        assert_eq!(over(&overlay, &mut masked), Ok((vec![1, 2], vec![])));
        overlay.add(&taken_back(&[3]));
        assert_eq!(over(&overlay, &mut early), Err(Stale));
        assert_eq!(over(&overlay, &mut masked), Ok((vec![2, 3], vec![])));
        assert_eq!(over(&overlay, &mut page(&overlay)), Ok((vec![2, 3], vec![])));
    }

    /// A page that was begun after a message was taken back shows it all the same, where the log had not been amended by then.
    #[test]
    fn a_page_that_was_read_before_the_log_was_amended_is_stale_once_the_change_is_forgotten() {
        let overlay = Overlay::new(1);
        overlay.add(&taken_back(&[1]));
        let mut read = page(&overlay);
        overlay.amended(Seq(11));
        overlay.add(&taken_back(&[2]));
        assert_eq!(over(&overlay, &mut read), Err(Stale));
    }

    #[test]
    fn an_edit_lies_over_what_was_read_before_the_log_has_it_and_then_it_is_read_again() {
        let overlay = Overlay::new(4);
        let (mut early, mut masked) = (page(&overlay), page(&overlay));
        overlay.add(&[edit(1, 11, "one", 1), edit(2, 12, "two", 1), edit(1, 13, "more", 2)]);
        let all = Ok((vec![], vec![(2, "two".to_owned()), (1, "more".to_owned())]));
        assert_eq!(over(&overlay, &mut masked), all, "the later one stands");
        assert_eq!(overlay.content(Seq(13)), Some(content("more")));
        let mut between = page(&overlay);
        overlay.amended(Seq(13));
        assert_eq!(overlay.content(Seq(13)), None, "the log has it");
        for seen in [&mut early, &mut between] {
            assert_eq!(over(&overlay, seen), Err(Stale), "it was read before the log was amended");
        }
        for seen in [&mut masked, &mut page(&overlay)] {
            assert_eq!(over(&overlay, seen), Ok((vec![], vec![])));
        }
        overlay.add(&taken_back(&[1]));
        assert_eq!(over(&overlay, &mut masked), Ok((vec![1], vec![])));
    }

    #[test]
    fn without_a_log_an_edit_lies_over_what_is_read_until_the_backlog_has_it() {
        let overlay = Overlay::new(4);
        let mut early = page(&overlay);
        overlay.add(&[edit(1, 11, "one", 1)]);
        let (mut between, mut masked) = (page(&overlay), page(&overlay));
        assert_eq!(over(&overlay, &mut masked), Ok((vec![], vec![(1, "one".to_owned())])));
        overlay.amended(Seq(11));
        for seen in [&mut early, &mut between] {
            assert_eq!(over(&overlay, seen), Err(Stale), "it may have been read before the backlog was amended");
        }
        assert_eq!((over(&overlay, &mut masked), overlay.content(Seq(11))), (Ok((vec![], vec![])), None));
        assert_eq!(over(&overlay, &mut page(&overlay)), Ok((vec![], vec![])));
    }
}
