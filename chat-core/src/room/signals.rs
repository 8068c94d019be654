//! Signals: what members show of themselves under a name, for as long as they renew it. Never logged.

use crate::seldom::Nothing;
use crate::types::{MemberId, Mono, Reject, RejectCode, RoomLimits, SignalData, SignalName};

/// What a member shows under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signal {
    /// Whose it is.
    pub member: MemberId,
    /// What it is called.
    pub name: SignalName,
    /// What it says.
    pub data: SignalData,
    until: Mono,
}

/// All of a room, in the order of the members and names. Nothing is allocated while there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Signals {
    all: Vec<Signal>,
    /// As they stand in a frame, together.
    bytes: usize,
    /// When the first of them runs out.
    earliest: Option<Mono>,
    /// Another whenever something else is shown.
    revision: u32,
}

/// What stands around the name and the data in a frame: `{"member":4294967295,"name":"","data":},`.
const AROUND_BYTES: usize = 40;

/// How long it is in a frame, at most. A name may have to be escaped.
fn frame_bytes(name: &SignalName, data: &SignalData) -> usize {
    let escaped = name.as_str().bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    AROUND_BYTES + name.as_str().len() + escaped + data.as_str().len()
}

impl Nothing for Signals {
    const NOTHING: &'static Self = &Self { all: Vec::new(), bytes: 0, earliest: None, revision: 0 };
}

impl Signals {
    pub(super) fn as_slice(&self) -> &[Signal] {
        &self.all
    }

    pub(super) fn revision(&self) -> u32 {
        self.revision
    }

    /// When the first of them runs out.
    pub(super) fn earliest(&self) -> Option<Mono> {
        self.earliest
    }

    /// Bytes that it holds, and that whoever tells it holds once more.
    pub(super) fn weight(&self) -> usize {
        self.all.capacity() * size_of::<Signal>() + 2 * self.bytes
    }

    /// A member shows something under a name, in place of what they showed there.
    pub(super) fn show(&mut self, member: MemberId, name: SignalName, data: SignalData, until: Mono) {
        match self.find(member, &name) {
            Ok(index) if self.all[index].data == data => {
                self.all[index].until = until;
                self.earliest = self.all.iter().map(|signal| signal.until).min();
                return;
            }
            Ok(index) => self.all[index] = Signal { member, name, data, until },
            Err(index) => self.all.insert(index, Signal { member, name, data, until }),
        }
        self.changed();
    }

    pub(super) fn take_away(&mut self, member: MemberId, name: &SignalName) {
        if let Ok(index) = self.find(member, name) {
            self.all.remove(index);
            self.changed();
        }
    }

    pub(super) fn end_of(&mut self, member: MemberId) {
        self.retain(|signal| signal.member != member);
    }

    /// Forgets those that have run out.
    pub(super) fn expire(&mut self, now: Mono) {
        if self.earliest.is_none_or(|at| at > now) {
            return;
        }
        #[cfg(feature = "fault_injection")]
        if crate::fault_injection::is(crate::fault_injection::Bug::KeepSignal) {
            self.all.iter_mut().filter(|signal| signal.until <= now).for_each(|signal| signal.until = Mono(u64::MAX));
        }
        self.retain(|signal| signal.until > now);
        self.earliest = self.all.iter().map(|signal| signal.until).min();
    }

    /// Whether a member may show this, in place of what they show under this name.
    ///
    /// # Errors
    /// `signals_full`, with the bound.
    pub(super) fn room_for(
        &self,
        member: MemberId,
        name: &SignalName,
        data: &SignalData,
        limits: &RoomLimits,
    ) -> Result<(), Reject> {
        let shown = self.find(member, name).ok().map(|index| &self.all[index]);
        let (most, bytes_max) = (limits.signals_per_member_max, limits.signals_bytes_max);
        if shown.is_none() && self.of(member).len() >= most {
            return Err(full(Some("name"), most, "you show as many signals as you may"));
        }
        let others = self.bytes - shown.map_or(0, |shown| frame_bytes(&shown.name, &shown.data));
        if others + frame_bytes(name, data) > bytes_max {
            return Err(full(Some("data"), bytes_max, "the signals of this room have as many bytes as they may"));
        }
        Ok(())
    }

    /// Takes all others away.
    pub(super) fn retain(&mut self, stays: impl FnMut(&Signal) -> bool) {
        let before = self.all.len();
        self.all.retain(stays);
        if self.all.len() < before {
            self.changed();
        }
    }

    fn changed(&mut self) {
        if self.all.is_empty() {
            self.all = Vec::new();
        }
        self.revision = self.revision.wrapping_add(1);
        self.bytes = self.all.iter().map(|signal| frame_bytes(&signal.name, &signal.data)).sum();
        self.earliest = self.all.iter().map(|signal| signal.until).min();
    }

    fn find(&self, member: MemberId, name: &SignalName) -> Result<usize, usize> {
        self.all.binary_search_by(|signal| (signal.member, &signal.name).cmp(&(member, name)))
    }

    /// Whether a member shows something under this name.
    pub(super) fn has(&self, member: MemberId, name: &SignalName) -> bool {
        self.find(member, name).is_ok()
    }

    fn of(&self, member: MemberId) -> &[Signal] {
        let start = self.all.partition_point(|signal| signal.member < member);
        &self.all[start..start + self.all[start..].partition_point(|signal| signal.member == member)]
    }

    /// Panics when a bound does not hold, when its parts disagree, or when somebody shows one without being here.
    pub(super) fn check(&self, limits: &RoomLimits, is_here: impl Fn(MemberId) -> bool) {
        assert!(self.all.is_sorted_by(|a, b| (a.member, &a.name) < (b.member, &b.name)), "a name shows one thing");
        let bytes: usize = self.all.iter().map(|signal| frame_bytes(&signal.name, &signal.data)).sum();
        assert!(bytes == self.bytes && bytes <= limits.signals_bytes_max, "signals_bytes_max holds");
        assert_eq!(self.earliest, self.all.iter().map(|signal| signal.until).min(), "the first to run out is known");
        for signal in &self.all {
            assert!(is_here(signal.member), "who shows a signal is here");
            assert!(self.of(signal.member).len() <= limits.signals_per_member_max, "signals_per_member_max holds");
        }
    }
}

/// `signals_full`, with the bound.
pub(super) fn full(field: Option<&'static str>, limit: usize, message: &'static str) -> Reject {
    Reject { field, ..Reject::new(RejectCode::SignalsFull, message) }.limit(limit as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(member: u32, name: &str, data: &str) -> (MemberId, SignalName, SignalData) {
        let name = SignalName::parse(name).expect("a name");
        (MemberId(member), name, SignalData::parse(data).expect("data"))
    }

    #[test]
    fn what_a_signal_is_counted_as_is_no_less_than_it_takes_in_a_frame() {
        for (name, data) in [("hand", "true"), ("\"\\\"", r#"{"x":"\n"}"#), ("ä", "[]")] {
            let (_, name, data) = signal(u32::MAX, name, data);
            let name_json = serde_json::to_string(name.as_str()).expect("a string");
            let frame =
                format!("{{\"member\":{},\"name\":{name_json},\"data\":{data}}},", u32::MAX, data = data.as_str());
            assert_eq!(frame_bytes(&name, &data), frame.len(), "{frame}");
        }
    }

    #[test]
    fn a_signal_is_renewed_without_being_told_again_and_runs_out_in_its_time() {
        let mut signals = Signals::default();
        let (member, name, data) = signal(2, "hand", "true");
        signals.show(member, name.clone(), data.clone(), Mono(10));
        let (other, look, at) = signal(1, "look", "[1,2]");
        signals.show(other, look, at, Mono(30));
        let told = signals.revision();
        signals.show(member, name, data, Mono(20));
        assert_eq!((signals.revision(), signals.earliest()), (told, Some(Mono(20))));
        signals.expire(Mono(19));
        assert_eq!(signals.revision(), told);
        signals.expire(Mono(20));
        assert_eq!(signals.as_slice().iter().map(|signal| signal.member).collect::<Vec<_>>(), [other]);
        assert_ne!(signals.revision(), told);
        signals.end_of(other);
        assert_eq!((signals.weight(), signals.earliest()), (0, None));
    }

    #[test]
    fn each_member_has_places_of_their_own_and_what_nobody_shows_ends_unnoticed() {
        let mut signals = Signals::default();
        for member in 1..=3 {
            let (member, name, data) = signal(member, "hand", "true");
            signals.show(member, name, data, Mono(10));
        }
        let limits = RoomLimits { signals_per_member_max: 1, ..RoomLimits::default() };
        let is_full = |signals: &Signals, member| {
            let (member, name, data) = signal(member, "look", "1");
            signals.room_for(member, &name, &data, &limits).is_err()
        };
        assert_eq!([1, 2, 3, 4].map(|member| is_full(&signals, member)), [true, true, true, false]);
        assert_eq!(signals.weight(), signals.all.capacity() * size_of::<Signal>() + 2 * signals.bytes);
        let told = signals.revision();
        signals.end_of(MemberId(9));
        assert_eq!(signals.revision(), told);
        signals.expire(Mono(25));
        assert_eq!((signals.as_slice(), is_full(&signals, 2)), (&[][..], false), "also where it ran out long ago");
    }
}
