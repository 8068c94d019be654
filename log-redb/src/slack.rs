//! What lies behind the last row of a page: cleared before the page is written, as it may be a copy of what was taken away.
//!
//! A row that is removed from a page a transaction has already changed is closed over in place: what follows moves forward, and its old
//! bytes stay behind the new end. No checksum covers them and nothing reads them, but somebody who opens the file can.

use std::borrow::Cow;
use std::io;
use std::ops::Bound;

use redb::{BackendError, StorageBackend};

use crate::format;

/// A storage that never gets such bytes.
#[derive(Debug)]
pub(crate) struct Cleared<S>(pub(crate) S);

/// Where the rows of a page end, if it holds nothing but rows of ours: every one of them must match its checksum.
///
/// A leaf of redb: 1, a byte, the number of rows (u16), where each key ends, where each value ends (u32), keys, values; all
/// little-endian. What looks otherwise is written as it is.
fn end_of_rows(page: &[u8]) -> Option<usize> {
    let [1, _, low, high, ..] = *page else { return None };
    let rows = usize::from(u16::from_le_bytes([low, high]));
    let end = |index: usize| {
        let bytes = page.get(4 + 4 * index..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    };
    let (mut key, mut value) = (4 + 8 * rows, end(rows.checked_sub(1)?)?);
    for row in 0..rows {
        let (key_end, value_end) = (end(row)?, end(rows + row)?);
        if !format::is_row(page.get(key..key_end)?, page.get(value..value_end)?) {
            return None;
        }
        (key, value) = (key_end, value_end);
    }
    Some(value)
}

/// Pages are this large, or a power of two times so.
const PAGE: usize = 4_096;

fn cleared(page: &[u8]) -> Cow<'_, [u8]> {
    let Some(end) = end_of_rows(page) else { return page.into() };
    // A large page is more than half full. One that is not would be several in one write, as redb makes none today.
    let until = if end > page.len() / 2 { page.len() } else { end.next_multiple_of(PAGE).min(page.len()) };
    if page[end..until].iter().all(|byte| *byte == 0) {
        return page.into();
    }
    let mut page = page.to_vec();
    page[end..until].fill(0);
    page.into()
}

impl<S: StorageBackend> StorageBackend for Cleared<S> {
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.write(offset, &cleared(data))
    }

    fn len(&self) -> Result<u64, io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.sync_data()
    }

    fn close(&self) -> Result<(), io::Error> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use chat_core::Epoch;

    use super::*;
    use crate::format::{RecordRow, TailRow, record_key};

    /// A leaf as redb lays it out, with `slack` behind it.
    fn leaf(rows: &[(Vec<u8>, Vec<u8>)], slack: &[u8]) -> Vec<u8> {
        let mut page = vec![1, 0];
        page.extend((rows.len() as u16).to_le_bytes());
        let mut end = 4 + 8 * rows.len();
        let parts = || rows.iter().map(|(key, _)| key).chain(rows.iter().map(|(_, value)| value));
        for part in parts() {
            end += part.len();
            page.extend((end as u32).to_le_bytes());
        }
        parts().for_each(|part| page.extend(part));
        page.extend(slack);
        page
    }

    fn rows() -> Vec<(Vec<u8>, Vec<u8>)> {
        let record = |offset| {
            let key = record_key("ROOM", Epoch(7), offset);
            let row = RecordRow { version: 1, is_message: true, head: 2, message_before: 0, at: 5, json: b"{}" };
            (key.clone(), row.encode(&key))
        };
        vec![record(1), record(2), record(300)]
    }

    #[test]
    fn what_lies_behind_rows_is_cleared_and_nothing_else() {
        let (clean, dirty) = (leaf(&rows(), &[0; 9]), leaf(&rows(), b"a secret!"));
        assert_eq!(cleared(&dirty), clean);
        assert!(matches!(cleared(&clean), Cow::Borrowed(_)));
        let tail = vec![(b"ROOM".to_vec(), TailRow::new(Epoch(7)).encode("ROOM"))];
        assert_eq!(cleared(&leaf(&tail, b"x")), leaf(&tail, &[0]));
    }

    #[test]
    fn of_two_pages_in_one_write_the_second_is_left_alone() {
        let mut first = leaf(&rows(), b"a secret!");
        first.resize(PAGE, b'x');
        let second = [2; PAGE];
        let written = cleared(&[&first[..], &second].concat()).into_owned();
        assert_eq!(written[..PAGE], *cleared(&first));
        assert_eq!(written[PAGE..], second);
        assert!(!written.contains(&b'x'));
    }

    #[test]
    fn a_page_that_is_not_all_rows_of_ours_is_left_as_it_is() {
        let whole = leaf(&rows(), b"a secret!");
        for position in 0..whole.len() - 9 {
            let mut other = whole.clone();
            other[position] ^= 1;
            // The byte after the kind of page means nothing.
            if position != 1 {
                assert_eq!(cleared(&other), other, "byte {position}");
            }
        }
        for length in 0..whole.len() - 9 {
            assert_eq!(&*cleared(&whole[..length]), &whole[..length]);
        }
    }
}
