//! Earlier messages by number: from the backlog, and where that does not reach, from the log.

use std::sync::Arc;

use crate::engine::feed::life::Life;
use crate::engine::feed::segment::Segment;
use crate::engine::shared::Shared;
use crate::messages::Event;
use crate::ports::Log;
use crate::room::{HistorySlice, More};
use crate::wire;
use crate::words::{Body, Seq};

/// Encoded messages, oldest first.
#[derive(Default)]
pub(crate) struct Messages {
    frames: Vec<Message>,
    pub(crate) more: bool,
}

enum Message {
    /// In a segment of the backlog.
    Shared(Arc<Segment>, Seq),
    /// Read from the log.
    Owned(Vec<u8>),
}

impl Messages {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.frames.iter().map(|message| match message {
            Message::Shared(segment, seq) => segment.event(*seq).expect("the segment was chosen for this number"),
            Message::Owned(json) => json,
        })
    }
}

/// Finds the messages of a slice and goes on with them: at once where the backlog has them all, else when the log has answered.
/// The room does not wait.
pub(crate) fn with_messages(
    shared: &Arc<Shared>,
    life: Arc<Life>,
    slice: HistorySlice,
    then: impl FnOnce(&Arc<Life>, Messages) + Send + 'static,
) {
    let mut frames = Vec::with_capacity(slice.seqs.len());
    let mut last: Option<Arc<Segment>> = None;
    // The newest are in the backlog: walk back until one is not.
    for &seq in slice.seqs.iter().rev() {
        let segment =
            last.take().filter(|segment| segment.event(seq).is_some()).or_else(|| life.backlog.segment_of(seq));
        let Some(segment) = segment else { break };
        frames.push(Message::Shared(Arc::clone(&segment), seq));
        last = Some(segment);
    }
    frames.reverse();
    let missing = slice.seqs.len() - frames.len() + slice.wanted;
    match &shared.log {
        Some(log) if missing > 0 => {
            // Where the backlog has none of them, all are missing, also the newest.
            let first = slice.seqs.get(slice.seqs.len() - frames.len()).copied();
            let before = first.or(slice.seqs.last().map(|last| last.next())).unwrap_or(slice.before);
            let log = Arc::clone(log);
            shared.spawn(async move {
                let messages = from_log(&*log, &life, before, missing, frames).await;
                then(&life, messages);
            });
        }
        log => {
            let has_earlier = slice.more == More::Yes;
            let first = slice.seqs.get(slice.seqs.len() - frames.len()).copied().unwrap_or(slice.before);
            let more = missing == 0 && has_earlier && (log.is_some() || life.backlog.oldest() < first);
            then(&life, Messages { frames, more });
        }
    }
}

/// Reads what the backlog does not have. A log that cannot be read now leaves the older ones out, and says that there is more.
async fn from_log(log: &dyn Log, life: &Life, before: Seq, missing: usize, newer: Vec<Message>) -> Messages {
    // One more than shown tells whether there is more.
    let Ok(mut records) = log.messages(&life.code, life.epoch, before, missing + 1).await else {
        return Messages { frames: newer, more: true };
    };
    let more = records.len() > missing;
    if more {
        records.remove(0);
    }
    // The log may hold what it could not be made to forget yet.
    let unscrubbed = life.unscrubbed().clone();
    for record in records.iter_mut().filter(|record| record.seq.is_some_and(|seq| unscrubbed.contains(&seq))) {
        if let Event::Sent { text, .. } = &mut record.event {
            *text = Body::scrubbed();
        }
    }
    let older = records.iter().filter(|record| record.event.is_message()).map(|record| {
        let mut json = Vec::new();
        wire::encode_event(&life.code, record, &mut json);
        Message::Owned(json)
    });
    Messages { frames: older.chain(newer).collect(), more }
}
