//! What a token or a cursor says in words, before anybody has looked whether it is true.

use std::fmt;
use std::str::FromStr;

use super::base32;
use super::id::SessionId;

/// Characters of the middle part: 32 bits of generation, 16 of the day, 8 of the key, and 4 that are 0.
const ISSUE_CHARS: usize = 12;

/// A token or a cursor as it is written: `SESSION.ISSUE.SIGNATURE`, 26, 12 and 26 base32 characters.
///
/// Reading one says nothing about whether its signature is right: that is for the engine that signed it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credential {
    /// The session that it is said to be of.
    pub session: SessionId,
    /// How often the session had been resumed by token when it was made, about: a newer one, once used, supersedes it.
    pub generation: u32,
    /// When it was made, in days since the Unix epoch, UTC.
    pub day: u16,
    /// Which secret has signed it.
    pub key: u8,
    /// What the secret makes of all of it.
    pub signature: u128,
}

impl Credential {
    /// What is signed beside the session, in one number.
    pub(crate) fn issue(&self) -> u64 {
        u64::from(self.generation) << 24 | u64::from(self.day) << 8 | u64::from(self.key)
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issue = base32::encode::<ISSUE_CHARS>(self.issue().into());
        let issue = std::str::from_utf8(&issue).expect("the alphabet is ASCII");
        write!(f, "{}.{issue}.{}", self.session, SessionId::new(self.signature))
    }
}

impl fmt::Debug for Credential {
    /// Without the signature: with it, it is a secret, and this may go to a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, generation, day, .. } = self;
        write!(f, "Credential({session}, generation {generation}, day {day})")
    }
}

impl FromStr for Credential {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "a credential is SESSION.ISSUE.SIGNATURE";
        let mut parts = text.split('.');
        let (Some(session), Some(issue), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SHAPE);
        };
        let session: SessionId = session.parse().map_err(|_| SHAPE)?;
        let issue = base32::decode(issue, ISSUE_CHARS, (1 << 56) - 1).ok_or(SHAPE)?;
        let signature: SessionId = signature.parse().map_err(|_| SHAPE)?;
        Ok(Self {
            session,
            generation: (issue >> 24) as u32,
            day: (issue >> 8) as u16,
            key: issue as u8,
            signature: signature.bits(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for (generation, day, key) in [(0, 0, 0), (1, 20_786, 7), (u32::MAX, u16::MAX, u8::MAX)] {
            let credential = Credential { session: SessionId::new(42), generation, day, key, signature: u128::MAX };
            let text = credential.to_string();
            assert_eq!((text.parse(), text.len()), (Ok(credential), 66), "{text}");
            assert!(!format!("{credential:?}").contains("ZZZZ"), "the signature is shown to nobody");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let true_one = Credential { session: SessionId::new(1), generation: 1, day: 1, key: 1, signature: 1 };
        let text = true_one.to_string();
        for bad in ["", ".", "..", &text[1..], &format!("{text}.0"), &text.replacen('.', "", 1), &text.to_lowercase()] {
            assert!(bad.parse::<Credential>().is_err(), "{bad}");
        }
        let beyond = text.replace(&text[27..39], &"Z".repeat(12));
        assert!(beyond.parse::<Credential>().is_err(), "bits that mean nothing are 0: {beyond}");
    }
}
