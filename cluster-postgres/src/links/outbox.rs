//! What waits to be written to one link: bounded in bytes, and what the servers say to each other before the engine's parcels.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::frame::{Kind, put_head};
use super::options::{ITEM_BYTES, PARCEL_BYTES_MAX, QUEUE_BYTES_MAX, WRITE_BYTES};

/// The queue of one link. What its writer has in hand is no part of it any more: one parcel, or what is gathered for one write.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Default)]
struct Waiting {
    control: VecDeque<Vec<u8>>,
    parcels: VecDeque<Vec<u8>>,
    bytes: usize,
}

/// Why something was not queued: then the link is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoRoom {
    #[error("what waits for it is more than {QUEUE_BYTES_MAX} bytes")]
    Full,
    #[error("a parcel for it is larger than {PARCEL_BYTES_MAX} bytes")]
    TooLarge,
}

impl Outbox {
    pub(super) fn push(&self, kind: Kind, body: Vec<u8>) -> Result<(), NoRoom> {
        if body.len() > PARCEL_BYTES_MAX {
            return Err(NoRoom::TooLarge);
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = waiting.bytes + body.len() + ITEM_BYTES;
        // The largest parcel fits where nothing waits.
        if waiting.bytes > 0 && bytes > QUEUE_BYTES_MAX {
            return Err(NoRoom::Full);
        }
        waiting.bytes = bytes;
        match kind {
            Kind::Control => waiting.control.push_back(body),
            _ => waiting.parcels.push_back(body),
        }
        drop(waiting);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits until there is something, and gathers it into `out`. A large parcel is not copied: its head is the last thing in `out`, and its body is
    /// to be written after that. Nothing is taken where this is dropped while it waits.
    pub(super) async fn gather(&self, out: &mut Vec<u8>) -> Option<Vec<u8>> {
        loop {
            let large = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).gather(out);
            if !out.is_empty() {
                return large;
            }
            self.filled.notified().await;
        }
    }
}

impl Waiting {
    fn gather(&mut self, out: &mut Vec<u8>) -> Option<Vec<u8>> {
        while out.len() < WRITE_BYTES {
            let control = self.control.pop_front().map(|body| (Kind::Control, body));
            let next = control.or_else(|| self.parcels.pop_front().map(|body| (Kind::Parcel, body)));
            let (kind, body) = next?;
            self.bytes -= body.len() + ITEM_BYTES;
            put_head(kind, body.len(), out);
            if body.len() > WRITE_BYTES {
                return Some(body);
            }
            out.extend_from_slice(&body);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: Kind, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_head(kind, body.len(), &mut out);
        out.extend_from_slice(body);
        out
    }

    #[tokio::test]
    async fn what_waits_is_gathered_into_one_write_control_first() {
        let outbox = Outbox::default();
        for (kind, body) in [(Kind::Parcel, "one"), (Kind::Parcel, ""), (Kind::Control, "mine")] {
            outbox.push(kind, body.into()).expect("room");
        }
        let mut out = Vec::new();
        assert_eq!(outbox.gather(&mut out).await, None);
        let wanted = [frame(Kind::Control, b"mine"), frame(Kind::Parcel, b"one"), frame(Kind::Parcel, b"")];
        assert_eq!(out, wanted.concat());
    }

    #[tokio::test]
    async fn a_large_parcel_is_handed_out_after_its_head() {
        let outbox = Outbox::default();
        let large = vec![7; WRITE_BYTES + 1];
        outbox.push(Kind::Parcel, b"small".to_vec()).expect("room");
        outbox.push(Kind::Parcel, large.clone()).expect("room");
        outbox.push(Kind::Parcel, b"later".to_vec()).expect("room");
        let mut out = Vec::new();
        assert_eq!(outbox.gather(&mut out).await, Some(large.clone()));
        assert_eq!(out, [frame(Kind::Parcel, b"small"), frame(Kind::Parcel, &large)[..5].to_vec()].concat());
        out.clear();
        assert_eq!(outbox.gather(&mut out).await, None);
        assert_eq!(out, frame(Kind::Parcel, b"later"));
    }

    #[tokio::test]
    async fn the_queue_takes_the_largest_parcel_and_no_more_than_its_bound() {
        let outbox = Outbox::default();
        assert_eq!(outbox.push(Kind::Parcel, vec![0; PARCEL_BYTES_MAX + 1]), Err(NoRoom::TooLarge));
        outbox.push(Kind::Parcel, vec![0; PARCEL_BYTES_MAX]).expect("nothing waits");
        assert_eq!(outbox.push(Kind::Control, Vec::new()), Err(NoRoom::Full));
        let mut out = Vec::new();
        outbox.gather(&mut out).await.expect("it is large");
        let (half, items) = (QUEUE_BYTES_MAX / 2 - ITEM_BYTES, 2);
        (0..items).for_each(|_| outbox.push(Kind::Parcel, vec![0; half]).expect("room"));
        assert_eq!(outbox.push(Kind::Parcel, Vec::new()), Err(NoRoom::Full), "an item without bytes takes room, too");
    }
}
