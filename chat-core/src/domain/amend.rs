//! What a log is to make of a record that was written before: what was said in it is taken back, or replaced.

use super::content::Content;
use super::event::{Amended, Event, Record};
use super::reaction::Reaction;
use crate::types::{Body, Seq};

/// One record that is to say something else from now on. It keeps its numbers, its time, its author and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amend {
    /// The number of the record.
    pub seq: Seq,
    /// The number of the event that changed it. A record that a later event has changed stays as it is.
    pub change: Seq,
    /// What becomes of it.
    pub what: Amendment,
}

/// What becomes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Amendment {
    /// A message says nothing any more, for good. Of another record: nothing.
    TakeBack,
    /// A message that was not taken back says this instead. Of another record: nothing.
    Replace {
        /// What it says.
        content: Content,
        /// How often it has been edited, with this.
        n: u32,
    },
    /// An edit that a later change has superseded keeps its number, and does not say any more what it replaced the message by. Of another
    /// record: nothing.
    Bare,
    /// A message that was not taken back takes no more reactions, and these are the ones it has: whatever else has changed it, and however it
    /// is changed later. Of another record: nothing.
    Freeze {
        /// All of them, in the order in which their names came; at most [`RoomLimits::reaction_names_max`](crate::RoomLimits::reaction_names_max).
        reactions: Vec<Reaction>,
    },
}

impl Amend {
    /// That a message was taken back, by the event `change`.
    pub fn take_back(seq: Seq, change: Seq) -> Self {
        Self { seq, change, what: Amendment::TakeBack }
    }

    /// That a message says this since it was edited for the `n`-th time, by the event `change`.
    pub fn replace(seq: Seq, change: Seq, content: Content, n: u32) -> Self {
        Self { seq, change, what: Amendment::Replace { content, n } }
    }

    /// That the edit with this number was superseded, by the event `change`.
    pub fn bare(seq: Seq, change: Seq) -> Self {
        Self { seq, change, what: Amendment::Bare }
    }

    /// That a message takes no more reactions, since the event `change`, and has these.
    pub fn freeze(seq: Seq, change: Seq, reactions: Vec<Reaction>) -> Self {
        Self { seq, change, what: Amendment::Freeze { reactions } }
    }

    /// Amends the record, which is the one that it names. `false` where nothing changes: it has been done, or a later event has
    /// changed the record, or it is of another kind. So every log answers the same, however often it is asked.
    pub fn apply(&self, record: &mut Record) -> bool {
        if record.seq != Some(self.seq) {
            return false;
        }
        let is_taken_back = record.event.is_taken_back();
        let (text, data, reply_to, amended) = match (&mut record.event, &self.what) {
            (Event::Edited { content, .. }, Amendment::Bare) => return content.take().is_some(),
            (_, Amendment::Bare) => return false,
            (Event::Sent { text, data, reply_to, amended, .. }, _) => (text, data, reply_to, amended),
            _ => return false,
        };
        let before = amended.as_deref().cloned().unwrap_or_default();
        let is_late = before.change > self.change;
        match &self.what {
            // A record of an earlier program, in which only the missing text says so, is done too.
            _ if is_taken_back => return false,
            // No event changes what is frozen, and it changes nothing that an event does: neither comes late for the other.
            Amendment::Freeze { reactions } => {
                if before.reactions == *reactions {
                    return false;
                }
                *amended = Some(Box::new(Amended { reactions: reactions.clone(), ..before }));
            }
            _ if is_late => return false,
            Amendment::TakeBack => {
                (*text, *data, *reply_to) = (Body::scrubbed(), None, None);
                let now = Amended { change: self.change, taken_back: true, reactions: Vec::new(), ..before };
                *amended = Some(Box::new(now));
            }
            Amendment::Replace { content, n } => {
                let now = Some(Box::new(Amended { change: self.change, n: *n, ..before }));
                if *amended == now && *text == content.text && *data == content.data {
                    return false;
                }
                (*text, *data, *amended) = (content.text.clone(), content.data.clone(), now);
            }
            Amendment::Bare => unreachable!("it was answered above"),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Color, Data, MemberId, Nick, Offset, ReactionName, Wall};

    fn message(words: &str) -> Record {
        let nick = Nick::parse("Ann").expect("a valid nick");
        let text = Body::parse(words, 100).expect("a valid text");
        let event = Event::Sent { nick, color: Color(0), text, keyed: None, amended: None, data: None, reply_to: None };
        Record { offset: Offset(2), seq: Some(Seq(2)), at: Wall(1), by: Some(MemberId(1)), event }
    }

    fn replace(change: u64, words: &str, n: u32) -> Amend {
        let content = Content::text(Body::parse(words, 100).expect("a valid text"));
        Amend::replace(Seq(2), Seq(change), content, n)
    }

    fn says(record: &Record) -> (&str, Option<Amended>) {
        let Event::Sent { text, amended, .. } = &record.event else { panic!("{record:?} is no message") };
        (text.as_str(), amended.as_deref().cloned())
    }

    #[test]
    fn the_latest_change_stands_in_whatever_order_they_come_and_however_often() {
        let mut record = message("one");
        assert!(replace(5, "three", 2).apply(&mut record));
        assert!(!replace(5, "three", 2).apply(&mut record), "a second time");
        assert!(!replace(4, "two", 1).apply(&mut record), "late");
        assert_eq!(says(&record), ("three", Some(Amended { change: Seq(5), n: 2, ..Amended::default() })));
        assert!(!Amend::take_back(Seq(2), Seq(4)).apply(&mut record), "late");
        assert!(Amend::take_back(Seq(2), Seq(6)).apply(&mut record));
        assert_eq!(says(&record), ("", Some(Amended { change: Seq(6), n: 2, taken_back: true, ..Amended::default() })));
        assert!(record.event.is_taken_back());
    }

    #[test]
    fn what_was_taken_back_says_nothing_again() {
        let mut record = message("one");
        Amend::take_back(Seq(2), Seq(3)).apply(&mut record);
        let gone = record.clone();
        for late in [replace(9, "again", 1), Amend::take_back(Seq(2), Seq(9))] {
            assert!(!late.apply(&mut record));
        }
        assert_eq!(record, gone);
        let Event::Sent { amended, .. } = &mut record.event else { unreachable!("it is a message") };
        *amended = None;
        assert!(record.event.is_taken_back(), "as an earlier program left it");
        assert!(!replace(9, "again", 1).apply(&mut record));
    }

    #[test]
    fn reactions_stay_whatever_is_edited_before_or_after_and_go_with_what_is_taken_back() {
        let frozen = vec![Reaction::new(ReactionName::parse("+1").expect("valid"), &[MemberId(2), MemberId(1)])];
        let freeze = Amend::freeze(Seq(2), Seq(600), frozen.clone());
        let mut record = message("one");
        assert!(freeze.apply(&mut record) && !freeze.apply(&mut record), "a second time");
        assert_eq!((says(&record).0, record.event.frozen_reactions()), ("one", &frozen[..]));
        assert!(replace(5, "two", 1).apply(&mut record), "an edit that was made before and comes after");
        assert!(replace(700, "three", 2).apply(&mut record));
        assert!(!replace(700, "three", 2).apply(&mut record), "a second time");
        assert_eq!((says(&record).0, record.event.frozen_reactions()), ("three", &frozen[..]));
        assert!(!freeze.apply(&mut record));
        assert!(Amend::take_back(Seq(2), Seq(701)).apply(&mut record));
        assert_eq!(record.event.frozen_reactions(), []);
        assert!(!freeze.apply(&mut record), "late");
    }

    #[test]
    fn only_the_record_that_is_named_is_amended_and_only_a_message() {
        let mut record = message("one");
        assert!(!Amend::take_back(Seq(3), Seq(4)).apply(&mut record));
        assert!(!Amend::bare(Seq(2), Seq(4)).apply(&mut record));
        record.event = Event::Redacted { target: Seq(1) };
        assert!(!Amend::take_back(Seq(2), Seq(4)).apply(&mut record));
    }

    #[test]
    fn an_edit_that_was_superseded_keeps_its_number_and_says_nothing() {
        let content = || Content::text(Body::parse("two", 100).expect("a valid text"));
        let mut record = message("one");
        record.event = Event::Edited { target: Seq(1), content: Some(content()), n: 1, keyed: None };
        for other in [replace(4, "x", 1), Amend::take_back(Seq(2), Seq(4)), Amend::bare(Seq(3), Seq(4))] {
            assert!(!other.apply(&mut record), "it is no message, or another");
        }
        assert!(Amend::bare(Seq(2), Seq(4)).apply(&mut record));
        assert_eq!(record.event, Event::Edited { target: Seq(1), content: None, n: 1, keyed: None });
        assert!(!Amend::bare(Seq(2), Seq(4)).apply(&mut record), "a second time");
    }

    #[test]
    fn what_is_taken_back_loses_its_data_and_what_it_answers_and_data_alone_is_no_tombstone() {
        let mut record = message("one");
        let Event::Sent { text, data, reply_to, .. } = &mut record.event else { unreachable!("it is a message") };
        (*text, *data, *reply_to) = (Body::empty(), Data::parse("{\"a\":1}", 10).ok(), Some(Seq(1)));
        assert!(!record.event.is_taken_back());
        let only_text = Content::text(Body::parse("words", 100).expect("a valid text"));
        assert!(Amend::replace(Seq(2), Seq(3), only_text, 1).apply(&mut record));
        let Event::Sent { data, reply_to, .. } = &record.event else { unreachable!("it is a message") };
        assert_eq!((data, *reply_to), (&None, Some(Seq(1))), "an edit says all anew, and answers the same");
        let only_data = Content::text(Body::empty()).with_data(Data::parse("{}", 10).ok());
        assert!(Amend::replace(Seq(2), Seq(4), only_data, 2).apply(&mut record) && !record.event.is_taken_back());
        assert!(Amend::take_back(Seq(2), Seq(5)).apply(&mut record) && record.event.is_taken_back());
        let Event::Sent { text, data, reply_to, .. } = &record.event else { unreachable!("it is a message") };
        assert_eq!((text.as_str(), data, reply_to), ("", &None, &None));
    }
}
