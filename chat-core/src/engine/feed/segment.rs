//! A run of events with consecutive numbers, encoded, one behind the other in one buffer.

use crate::engine::feed::fanout::Extent;
use crate::types::Seq;
use crate::wire::FrameKind;

/// What a segment takes beside its events, about.
pub(crate) const SEGMENT_BYTES: usize = 96;
/// What an event takes beside its JSON.
pub(crate) const SLOT_BYTES: usize = size_of::<Slot>();

/// Room for one event, so that one of few words is written without moving. 256: more would be left over between the events of idle rooms.
const EVENT_BYTES: usize = 256;

/// As far as an open segment grows, by small batches being added to it: an idle room holds few allocations.
const MERGED_BYTES_MAX: usize = 16 << 10;
/// By how much it grows at a time. 1 KiB: a few messages.
const GROWTH_BYTES: usize = 1 << 10;
/// The same, in events.
const GROWTH_SLOTS: usize = 16;

/// A run of events with consecutive numbers.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    first: u64,
    slots: Vec<Slot>,
    json: Vec<u8>,
}

/// Five bytes and not eight: there is one for each event of a hundred thousand rooms.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed)]
struct Slot {
    end: u32,
    kind: FrameKind,
}

impl Segment {
    pub(crate) fn new(first: Seq) -> Self {
        Self { first: first.0, slots: Vec::new(), json: Vec::new() }
    }

    /// The buffer to write the next event's JSON to, before [`Segment::close_event`].
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        self.json.reserve(EVENT_BYTES);
        &mut self.json
    }

    /// Everything written since the last call is one event.
    pub(crate) fn close_event(&mut self, kind: FrameKind) {
        let end = u32::try_from(self.json.len()).expect("a segment is far smaller than 4 GiB");
        self.slots.push(Slot { kind, end });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn size(&self) -> Extent {
        Extent { events: self.slots.len(), bytes: self.json.len() }
    }

    /// The number of its first event.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The number of its last event; it has one.
    pub(crate) fn last(&self) -> u64 {
        self.first + self.slots.len() as u64 - 1
    }

    pub(crate) fn get(&self, seq: u64) -> Option<(FrameKind, &[u8])> {
        let index = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        let slot = self.slots.get(index)?;
        let start = if index == 0 { 0 } else { self.slots[index - 1].end as usize };
        Some((slot.kind, &self.json[start..slot.end as usize]))
    }

    /// One event of this segment.
    pub(crate) fn event(&self, seq: Seq) -> Option<&[u8]> {
        self.get(seq.0).map(|(_, json)| json)
    }

    /// Events after `after` up to `until`, with their numbers.
    pub(crate) fn events(&self, after: Seq, until: Seq) -> impl Iterator<Item = (Seq, FrameKind, &[u8])> {
        let start = (after.0 + 1).max(self.first);
        let end = until.0.min(self.last());
        (start..=end).map(|seq| {
            let (kind, json) = self.get(seq).expect("clamped to the segment");
            (Seq(seq), kind, json)
        })
    }

    /// How many events lie after `after` up to `until`, and how many bytes they have.
    pub(crate) fn extent(&self, after: Seq, until: Seq) -> (usize, usize) {
        let start = (after.0 + 1).max(self.first);
        let end = until.0.min(self.last());
        if start > end {
            return (0, 0);
        }
        let (start, end) = ((start - self.first) as usize, (end - self.first) as usize);
        let before = if start == 0 { 0 } else { self.slots[start - 1].end };
        (end + 1 - start, (self.slots[end].end - before) as usize)
    }

    /// Whether what follows may be added to it.
    pub(crate) fn takes(&self, next: &Segment) -> bool {
        self.json.len() + next.json.len() <= MERGED_BYTES_MAX
    }

    /// Adds what follows, which it takes. Room is made in small steps: doubled, it would be mostly empty in most of a hundred
    /// thousand quiet rooms. The last step is no larger than what can still be added.
    pub(crate) fn extend(&mut self, next: &Segment) {
        let left = MERGED_BYTES_MAX - self.json.len();
        reserve(&mut self.json, next.json.len(), GROWTH_BYTES.min(left));
        reserve(&mut self.slots, next.slots.len(), GROWTH_SLOTS);
        let base = self.json.len() as u32;
        self.json.extend_from_slice(&next.json);
        self.slots.extend(next.slots.iter().map(|slot| Slot { end: base + slot.end, ..*slot }));
    }

    /// Gives back what it has not filled.
    pub(crate) fn shrink(&mut self) {
        self.json.shrink_to_fit();
        self.slots.shrink_to_fit();
    }

    /// The events from this one on, which is in it.
    pub(crate) fn from(&self, first: u64) -> Self {
        let mut fresh = Self::new(Seq(first));
        for (_, kind, json) in self.events(Seq(first - 1), Seq(self.last())) {
            fresh.json.extend_from_slice(json);
            fresh.close_event(kind);
        }
        fresh.shrink();
        fresh
    }

    /// The same events, with another JSON for some of them; `None` where that is none of them.
    pub(crate) fn rewritten(&self, another: impl Fn(Seq, FrameKind, &[u8]) -> Option<Vec<u8>>) -> Option<Self> {
        let all = || self.events(Seq(self.first - 1), Seq(self.last()));
        // Looked for first: most segments stay as they are, and are not copied.
        let others: Vec<(Seq, Vec<u8>)> =
            all().filter_map(|(seq, kind, json)| another(seq, kind, json).map(|other| (seq, other))).collect();
        let mut others = others.into_iter().peekable();
        others.peek()?;
        let mut fresh = Self::new(Seq(self.first));
        for (seq, kind, json) in all() {
            let other = others.next_if(|(of, _)| *of == seq);
            fresh.json.extend_from_slice(other.as_ref().map_or(json, |(_, other)| other));
            fresh.close_event(kind);
        }
        fresh.shrink();
        Some(fresh)
    }
}

fn reserve<T>(list: &mut Vec<T>, count: usize, step: usize) {
    if list.capacity() - list.len() < count {
        list.reserve_exact(count.max(step));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, bytes: usize) -> Segment {
        let mut segment = Segment::new(Seq(seq));
        segment.buffer().resize(bytes, b'x');
        segment.close_event(FrameKind::Message);
        segment
    }

    #[test]
    fn an_open_segment_holds_little_more_than_its_events_and_grows_to_its_bound_and_no_further() {
        let mut open = event(1, 200);
        open.shrink();
        for seq in 2.. {
            let next = event(seq, 200);
            if !open.takes(&next) {
                break;
            }
            open.extend(&next);
            assert!(open.json.capacity() - open.json.len() <= GROWTH_BYTES);
            assert!(open.slots.capacity() - open.slots.len() <= GROWTH_SLOTS);
            assert!(open.json.capacity() <= MERGED_BYTES_MAX);
        }
        assert_eq!(open.size().events, MERGED_BYTES_MAX / 200);
        assert_eq!((SLOT_BYTES, open.extent(Seq(0), Seq(u64::MAX))), (5, (81, 16_200)));
    }

    #[test]
    fn however_long_events_are_an_open_segment_grows_in_steps_and_never_past_its_bound() {
        for bytes in [20, 90, 333, 700, 1_500] {
            let mut open = event(1, bytes);
            open.shrink();
            for seq in 2.. {
                let next = event(seq, bytes);
                if !open.takes(&next) {
                    break;
                }
                let (before, room) = (open.json.capacity(), open.json.capacity() - open.json.len());
                open.extend(&next);
                if room >= bytes {
                    assert_eq!(open.json.capacity(), before, "there was room for it");
                } else {
                    let left = MERGED_BYTES_MAX - (open.json.len() - bytes);
                    assert!(open.json.capacity() - before >= (1_024 - bytes.min(1_024)).min(left - bytes));
                }
                assert!(open.json.capacity() <= MERGED_BYTES_MAX, "events of {bytes} bytes");
            }
        }
    }

    #[test]
    fn a_segment_that_is_closed_holds_its_events_and_no_more() {
        let mut segment = event(1, 200);
        segment.shrink();
        assert_eq!((segment.json.capacity(), segment.slots.capacity()), (200, 1));
    }

    #[test]
    fn of_the_events_between_two_numbers_count_and_bytes_are_known() {
        let mut segment = Segment::new(Seq(5));
        for bytes in [2, 3, 4] {
            segment.buffer().extend(std::iter::repeat_n(b'x', bytes));
            segment.close_event(FrameKind::Message);
        }
        let extent = |after, until| segment.extent(Seq(after), Seq(until));
        assert_eq!([extent(4, 7), extent(0, 99), extent(5, 6), extent(6, 7)], [(3, 9), (3, 9), (1, 3), (1, 4)]);
        assert_eq!([extent(7, 9), extent(0, 4), extent(5, 5)], [(0, 0); 3]);
    }
}
