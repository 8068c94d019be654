//! Choices read off bytes, one byte each: what a fuzzer changes is one choice, and the others stay.

/// Bytes as a run of choices. Where they end every choice is the first one.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    rest: &'a [u8],
}

impl<'a> Choices<'a> {
    /// All choices that these bytes hold.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether no byte is left.
    pub fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// The next two bytes as a number.
    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number below `bound`, which is at most 256.
    ///
    /// # Panics
    /// With a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    /// One of these, of which there are at most 256.
    ///
    /// # Panics
    /// With none.
    pub fn one_of<T: Clone>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())].clone()
    }

    /// Yes, in about so many of 256 cases.
    pub fn in_256(&mut self, cases: u8) -> bool {
        // The last values, so that the end of the bytes means no.
        self.byte() > u8::MAX - cases
    }

    /// At most this many of the bytes left.
    pub fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(most.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Everything left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_is_one_choice_and_the_end_is_the_first() {
        let mut choices = Choices::new(&[7, 0xFF, 1, 2, 3]);
        assert_eq!((choices.below(5), choices.in_256(1), choices.word()), (2, true, 0x0102));
        assert_eq!((choices.take(9), choices.is_over()), (&[3][..], true));
        assert_eq!((choices.byte(), choices.one_of(&["a", "b"]), choices.in_256(255)), (0, "a", false));
    }
}
