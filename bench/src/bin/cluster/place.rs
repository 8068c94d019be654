//! Where a session is in a room: no event may be missing, told twice, or out of order.

use std::hash::{DefaultHasher, Hash, Hasher};

/// What a session has said and heard in one room.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    epoch: String,
    seq: u64,
    /// Messages of its own that were acked.
    pub(crate) acked: u64,
    /// Messages of its own that it has heard.
    pub(crate) own: u64,
    /// Messages that it has heard, whoever sent them.
    pub(crate) messages: u64,
    /// Of all of their keys, in the order in which they came.
    pub(crate) digest: u64,
}

impl Place {
    pub(crate) fn new(epoch: String, seq: u64) -> Self {
        Self { epoch, seq, acked: 0, own: 0, messages: 0, digest: 0 }
    }

    /// As one of the positions of a `hello`.
    pub(crate) fn position(&self, room: &str) -> String {
        format!(r#""{room}":"{}:{}""#, self.epoch, self.seq)
    }

    pub(crate) fn is_at(&self, epoch: &str, seq: u64) -> bool {
        (self.epoch.as_str(), self.seq) == (epoch, seq)
    }

    /// The next event, with a key where it is a message. Each has to follow the one before, and so do the messages that are its own (`NAME-NUMBER`).
    pub(crate) fn take(&mut self, name: &str, seq: u64, key: Option<&str>) -> Result<(), String> {
        if seq != self.seq + 1 {
            return Err(format!("event {seq} after {}", self.seq));
        }
        self.seq = seq;
        let Some(key) = key else { return Ok(()) };
        self.messages += 1;
        let mut hasher = DefaultHasher::new();
        (self.digest, key).hash(&mut hasher);
        self.digest = hasher.finish();
        if let Some((sender, number)) = key.split_once('-')
            && sender == name
        {
            if number.parse() != Ok(self.own) {
                return Err(format!("message {key} of its own after {} others", self.own));
            }
            self.own += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_told_twice_is_seen() {
        let mut place = Place::new("E".to_owned(), 4);
        assert_eq!(place.take("ann", 5, Some("ann-00000000")), Ok(()));
        assert_eq!(place.take("ann", 6, Some("bob-00000007")), Ok(()));
        assert_eq!(place.take("ann", 7, None), Ok(()));
        assert_eq!((place.own, place.messages, place.position("R").as_str()), (1, 2, r#""R":"E:7""#));
        assert!(place.clone().take("ann", 7, None).is_err(), "told twice");
        assert!(place.clone().take("ann", 9, None).is_err(), "one is missing");
        assert!(place.clone().take("ann", 8, Some("ann-00000000")).is_err(), "said twice");
        assert!(place.clone().take("ann", 8, Some("ann-00000002")).is_err(), "one of its own is missing");
    }

    #[test]
    fn an_order_has_one_digest() {
        let digest = |keys: [&str; 2]| {
            let mut place = Place::new("E".to_owned(), 0);
            for (seq, key) in (1..).zip(keys) {
                place.take("cid", seq, Some(key)).expect("they follow each other");
            }
            place.digest
        };
        assert_eq!(digest(["a-1", "b-1"]), digest(["a-1", "b-1"]));
        assert_ne!(digest(["a-1", "b-1"]), digest(["b-1", "a-1"]));
    }
}
