//! Crockford's base32, fixed width: how epochs and session ids are written.

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Writes the low `5 * N` bits of `value`, most significant first.
pub(super) fn encode<const N: usize>(value: u128) -> [u8; N] {
    let mut out = [b'0'; N];
    let mut rest = value;
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    out
}

/// Reads exactly `width` characters; `None` for any other length, character, or a value over `max`.
pub(super) fn decode(text: &str, width: usize, max: u128) -> Option<u128> {
    if text.len() != width {
        return None;
    }
    let mut value: u128 = 0;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|&letter| letter == byte)? as u128;
        if value > (u128::MAX >> 5) {
            return None;
        }
        value = (value << 5) | digit;
    }
    (value <= max).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for value in [0, 1, 31, 32, u64::MAX as u128] {
            let text = encode::<13>(value);
            let text = std::str::from_utf8(&text).expect("the alphabet is ASCII");
            assert_eq!(decode(text, 13, u64::MAX as u128), Some(value));
        }
        let widest = encode::<26>(u128::MAX);
        let widest = std::str::from_utf8(&widest).expect("the alphabet is ASCII");
        assert_eq!(decode(widest, 26, u128::MAX), Some(u128::MAX));
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(decode("", 13, u128::MAX), None);
        assert_eq!(decode("000000000000U", 13, u128::MAX), None, "U is not in the alphabet");
        assert_eq!(decode("ZZZZZZZZZZZZZ", 13, u64::MAX as u128), None, "65 bits do not fit in 64");
        assert_eq!(decode(&"Z".repeat(26), 26, u128::MAX), None, "130 bits do not fit in 128");
    }
}
