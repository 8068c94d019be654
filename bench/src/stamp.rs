//! The stamp in each message's text: who said it, which number it has, and when it left.
//!
//! `bench:` + sender (8 digits) + number (8 digits) + nanoseconds (16 digits), then letters up to the wanted length. All of it
//! is plain ASCII that no JSON encoder escapes, so it is found and read in the frame without decoding anything.

/// Bytes of a stamp; no text is shorter.
pub const STAMP_BYTES: usize = MARK.len() + 32;
/// The highest message number of one sender, bounded by its eight digits.
pub const NUMBER_MAX: u32 = 99_999_999;

const MARK: &[u8; 6] = b"bench:";

/// Where a message comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The sender's index among the members of the run.
    pub sender: u32,
    /// 0, 1, 2, ... per sender.
    pub number: u32,
    /// Nanoseconds since the run began, on the load's clock.
    pub at_ns: u64,
}

impl Stamp {
    /// Overwrites the first [`STAMP_BYTES`] of `text`.
    pub fn put(&self, text: &mut [u8]) {
        text[..6].copy_from_slice(MARK);
        put_digits(&mut text[6..14], u64::from(self.sender));
        put_digits(&mut text[14..22], u64::from(self.number));
        put_digits(&mut text[22..38], self.at_ns);
    }

    /// Reads a stamp at the very start of `text`.
    #[inline]
    pub fn read(text: &[u8]) -> Option<Self> {
        let (stamp, _) = text.split_first_chunk::<STAMP_BYTES>()?;
        if stamp[..6] != MARK[..] {
            return None;
        }
        let sender = eight_digits(stamp, 6) as u32;
        let number = eight_digits(stamp, 14) as u32;
        let at_ns = eight_digits(stamp, 22) * 100_000_000 + eight_digits(stamp, 30);
        Some(Self { sender, number, at_ns })
    }
}

/// A text of `bytes` (at least [`STAMP_BYTES`]) that is ready to be stamped.
pub fn blank_text(bytes: usize) -> Vec<u8> {
    (0..bytes.max(STAMP_BYTES)).map(|i| b"the quick brown fox jumps over the lazy dog "[i % 44]).collect()
}

/// Finds stamps in payloads. Texts of one run end equally far from the end of their frame, so the last place is tried first.
#[derive(Debug, Default)]
pub struct Finder {
    from_end: usize,
}

impl Finder {
    /// The stamp in `payload`, wherever it stands.
    #[inline]
    pub fn find(&mut self, payload: &[u8]) -> Option<Stamp> {
        if let Some(at) = payload.len().checked_sub(self.from_end)
            && let Some(stamp) = Stamp::read(&payload[at..])
        {
            return Some(stamp);
        }
        self.search(payload)
    }

    #[cold]
    fn search(&mut self, payload: &[u8]) -> Option<Stamp> {
        let at = payload.windows(MARK.len()).position(|window| window == MARK)?;
        self.from_end = payload.len() - at;
        Stamp::read(&payload[at..])
    }
}

fn put_digits(place: &mut [u8], mut value: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Eight decimal digits in three multiplications; garbage in, garbage out (the tally then reports it as a loss).
#[inline]
fn eight_digits(stamp: &[u8; STAMP_BYTES], at: usize) -> u64 {
    let mut digits = [0; 8];
    digits.copy_from_slice(&stamp[at..at + 8]);
    let ones = u64::from_le_bytes(digits).wrapping_sub(0x3030_3030_3030_3030);
    let tens = ones.wrapping_mul(10).wrapping_add(ones >> 8);
    let low = (tens & 0x0000_00FF_0000_00FF).wrapping_mul(0x000F_4240_0000_0064);
    let high = ((tens >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(0x0000_2710_0000_0001);
    low.wrapping_add(high) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_from_anywhere() {
        let stamp = Stamp { sender: 41, number: NUMBER_MAX, at_ns: 1_234_567_890_123 };
        let mut text = blank_text(100);
        stamp.put(&mut text);
        let payload = [b"{\"nick\":\"Ann\",\"text\":\"".as_slice(), &text, b"\"}"].concat();
        let mut finder = Finder::default();
        assert_eq!(finder.find(&payload), Some(stamp));
        assert_eq!(finder.from_end, 102);
        assert_eq!(finder.find(&[b"longer ".as_slice(), &payload].concat()), Some(stamp));
        assert_eq!(finder.find(&text), Some(stamp), "a moved text is searched for again");
    }

    #[test]
    fn a_text_without_a_stamp_has_none() {
        assert_eq!(Finder::default().find(b"hello"), None);
        assert_eq!(Finder { from_end: 3 }.find(b"hello"), None);
    }
}
