//! Any JSON value as text, read without a reader of JSON: whole, in one line, and no deeper than it may be.
//!
//! What is passed on as it is has to be readable for everybody who gets it: strings hold whole characters, numbers are finite, and
//! between the tokens there is nothing, so that a value never breaks a line.

/// The same value without space between its tokens.
///
/// # Errors
/// What is wrong with it: it is not one JSON value, or one that not every reader can read, or it nests deeper than `depth_max`.
pub(crate) fn compact(text: &str, depth_max: usize) -> Result<String, &'static str> {
    let mut reader = Reader { rest: text.as_bytes(), out: Vec::with_capacity(text.len()), depth_left: depth_max };
    reader.value()?;
    reader.skip_space();
    match reader.rest {
        [] => Ok(String::from_utf8(reader.out).expect("whole tokens of a text are text")),
        _ => Err(NO_VALUE),
    }
}

const NO_VALUE: &str = "is not one JSON value";
const HALF: &str = "holds half of a surrogate pair, which is no character";
/// It nests deeper than it may.
pub(crate) const TOO_DEEP: &str = "nests too deep";
const TOO_LARGE: &str = "holds a number that is too large";

struct Reader<'a> {
    rest: &'a [u8],
    out: Vec<u8>,
    /// How many lists and objects may still be opened in each other.
    depth_left: usize,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<(), &'static str> {
        self.skip_space();
        match self.rest.first() {
            Some(b'{') => self.list(b'}', |reader| {
                reader.skip_space();
                reader.string()?;
                reader.skip_space();
                reader.token(b":")?;
                reader.value()
            }),
            Some(b'[') => self.list(b']', Self::value),
            Some(b'"') => self.string(),
            Some(b't') => self.token(b"true"),
            Some(b'f') => self.token(b"false"),
            Some(b'n') => self.token(b"null"),
            _ => self.number(),
        }
    }

    /// An object or a list, from its opening sign on.
    fn list(
        &mut self,
        end: u8,
        mut entry: impl FnMut(&mut Self) -> Result<(), &'static str>,
    ) -> Result<(), &'static str> {
        self.depth_left = self.depth_left.checked_sub(1).ok_or(TOO_DEEP)?;
        self.take(1);
        self.skip_space();
        if self.rest.first() != Some(&end) {
            entry(self)?;
            self.skip_space();
            while self.rest.first() == Some(&b',') {
                self.take(1);
                entry(self)?;
                self.skip_space();
            }
        }
        self.token(&[end])?;
        self.depth_left += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), &'static str> {
        self.token(b"\"")?;
        loop {
            match self.rest {
                [b'"', ..] => {
                    self.take(1);
                    return Ok(());
                }
                [b'\\', b'u', ..] => self.escaped_unit()?,
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.take(2),
                [b'\\', ..] | [0..=0x1F, ..] | [] => return Err(NO_VALUE),
                [_, ..] => self.take(1),
            }
        }
    }

    /// One escaped character, of two units where it is a pair.
    fn escaped_unit(&mut self) -> Result<(), &'static str> {
        match self.unit().ok_or(NO_VALUE)? {
            0xD800..=0xDBFF => match self.unit() {
                Some(0xDC00..=0xDFFF) => Ok(()),
                _ => Err(HALF),
            },
            0xDC00..=0xDFFF => Err(HALF),
            _ => Ok(()),
        }
    }

    /// `\u` and four digits; `None` where they are not there.
    fn unit(&mut self) -> Option<u32> {
        let [b'\\', b'u', digits @ ..] = self.rest else { return None };
        let digits = digits.get(..4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        let unit = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        self.take(6);
        Some(unit)
    }

    fn number(&mut self) -> Result<(), &'static str> {
        let begin = self.out.len();
        if self.rest.first() == Some(&b'-') {
            self.take(1);
        }
        match self.rest.first() {
            Some(b'0') => self.take(1),
            _ => self.digits()?,
        }
        if self.rest.first() == Some(&b'.') {
            self.take(1);
            self.digits()?;
        }
        if matches!(self.rest.first(), Some(b'e' | b'E')) {
            self.take(1);
            if matches!(self.rest.first(), Some(b'+' | b'-')) {
                self.take(1);
            }
            self.digits()?;
        }
        let number = std::str::from_utf8(&self.out[begin..]).ok().and_then(|digits| digits.parse::<f64>().ok());
        if number.is_some_and(f64::is_finite) { Ok(()) } else { Err(TOO_LARGE) }
    }

    /// One or more.
    fn digits(&mut self) -> Result<(), &'static str> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.take(count);
        if count > 0 { Ok(()) } else { Err(NO_VALUE) }
    }

    fn token(&mut self, token: &[u8]) -> Result<(), &'static str> {
        if !self.rest.starts_with(token) {
            return Err(NO_VALUE);
        }
        self.take(token.len());
        Ok(())
    }

    fn take(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at(bytes);
        self.out.extend_from_slice(taken);
        self.rest = rest;
    }

    /// What JSON calls space: a form feed is none.
    fn skip_space(&mut self) {
        let space = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.rest = &self.rest[space..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn space_between_tokens_goes_and_everything_else_stays() {
        for (text, expected) in [
            (" { \"a\" : [ 1 , -2.50e+3 ,\ttrue\r\n] } ", r#"{"a":[1,-2.50e+3,true]}"#),
            (r#""a b\u00e9\ud83d\ude42\\" "#, r#""a b\u00e9\ud83d\ude42\\""#),
            ("[]", "[]"),
            ("{ }", "{}"),
            ("null", "null"),
            ("0", "0"),
            ("12345678901234567890123", "12345678901234567890123"),
        ] {
            assert_eq!(compact(text, 8).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_not_everybody_can_read_is_refused() {
        for text in
            ["", " ", "01", "1.", ".5", "+1", "1e", "tru", "[1,]", "[1 2]", "{\"a\"}", "{1:2}", "1 2", "\"", "\"\\x\""]
        {
            assert_eq!(compact(text, 8), Err(NO_VALUE), "{text}");
        }
        assert_eq!(compact("\"a\nb\"", 8), Err(NO_VALUE));
        assert_eq!(compact("\u{c}1", 8), Err(NO_VALUE), "a form feed is no space");
        for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#""\ud800x""#] {
            assert_eq!(compact(text, 8), Err(HALF), "{text}");
        }
        assert_eq!(compact("1e999", 8), Err(TOO_LARGE));
        assert_eq!(compact("[[1]]", 1), Err(TOO_DEEP));
        assert_eq!(compact("[[1],{}]", 2).as_deref(), Ok("[[1],{}]"), "beside each other is no deeper");
        assert_eq!(compact(&"[".repeat(10_000), 8), Err(TOO_DEEP));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Against a reader of JSON: what it reads is read here, and is the same afterwards.
        #[test]
        fn it_reads_what_a_reader_of_json_reads(text in "[\\[\\]{}:,\"\\\\u0-9a-fA-FdDe+. \t\n-]{0,24}|[\\[{]{0,3}(\"[a-z\\\\\"u0-9]{0,8}\"|-?[0-9.eE+-]{1,6}|true|null)[ ,:\\]}]{0,4}") {
            let read = serde_json::from_str::<Value>(&text);
            let own = compact(&text, 100);
            prop_assert_eq!(own.is_ok(), read.is_ok(), "{:?} {:?}", own, read);
            if let (Ok(own), Ok(read)) = (own, read) {
                prop_assert_eq!(serde_json::from_str::<Value>(&own).ok(), Some(read));
                prop_assert_eq!(compact(&own, 100), Ok(own));
            }
        }
    }
}
