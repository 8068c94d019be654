//! A nick as it is shown, and what it looks like.
//!
//! The profile is Nickname of PRECIS (RFC 8266). Its code points are derived from the Unicode of today (RFC 8264, section 9), and it
//! takes what an emoji needs besides.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_properties::general_category::{GeneralCategory, UnicodeGeneralCategory};
use unicode_security::confusable_detection::skeleton;

use self::allowed::{has_ink, is_refused, refused_at};
use self::context::EMOJI_SELECTOR;
use super::reject::Reject;

pub(super) use self::allowed::is_seen;

mod allowed;
mod context;
#[cfg(test)]
mod tests;

/// A nick as it is shown: 1 to 32 Unicode scalars after the PRECIS Nickname profile (RFC 8266), at least one of them with ink.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nick(CompactString);

impl Nick {
    /// The most scalars.
    pub const CHARS_MAX: usize = 32;
    /// The most combining marks on one base character; more is ink all over the neighbours' lines.
    pub const MARKS_MAX: usize = 4;
    /// The most bytes taken in before normalising: four per scalar, and room for spaces that are folded.
    const RAW_BYTES_MAX: usize = 512;

    /// Reads a nick that somebody typed; spaces are trimmed and folded, compatibility forms normalised.
    ///
    /// # Errors
    /// `too_long` or `bad_field`, both naming `nick`; the message names the first character that may not be where it is.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        if text.len() > Self::RAW_BYTES_MAX {
            return Err(Reject::too_long("nick", Self::CHARS_MAX as u64, "characters"));
        }
        let chars: Vec<char> = normalized(text).chars().collect();
        if chars.is_empty() {
            return Err(Reject::bad_field("nick", "nick is empty"));
        }
        if chars.len() > Self::CHARS_MAX {
            return Err(Reject::too_long("nick", Self::CHARS_MAX as u64, "characters"));
        }
        if let Some(at) = refused_at(&chars) {
            let number = u32::from(chars[at]);
            return Err(Reject::bad_field("nick", format!("nick holds U+{number:04X}, which may not be there")));
        }
        if !chars.iter().any(|&c| has_ink(c)) {
            return Err(Reject::bad_field("nick", "nick has nothing to see"));
        }
        if surplus_mark_at(&chars).is_some() {
            return Err(Reject::bad_field("nick", "nick stacks more than 4 marks on one character"));
        }
        Ok(Self(chars.into_iter().collect()))
    }

    /// What somebody is called elsewhere, as far as a nick holds it: the first 32 of the characters that may be in one, out of the first
    /// 512 bytes; the others are left out. `None` where nothing is left that is seen.
    ///
    /// ```
    /// use chat_core::Nick;
    ///
    /// assert_eq!(Nick::of_name("\u{202E}Ann").map(|nick| nick.to_string()), Some("Ann".to_owned()));
    /// assert_eq!(Nick::of_name("\u{200B}"), None);
    /// ```
    pub fn of_name(name: &str) -> Option<Self> {
        let head = &name[..name.floor_char_boundary(Self::RAW_BYTES_MAX)];
        let mut kept: String = normalized(head).chars().filter(|&c| !is_refused(c)).collect();
        // What is left may normalise anew, and what stood by a character that is gone may have lost its reason. Each time there is one less.
        for _ in 0..=Self::CHARS_MAX {
            let mut chars: Vec<char> = normalized(&kept).chars().take(Self::CHARS_MAX).collect();
            let Some(at) = refused_at(&chars).or_else(|| surplus_mark_at(&chars)) else { break };
            chars.remove(at);
            kept = chars.into_iter().collect();
        }
        let short: String = normalized(&kept).chars().take(Self::CHARS_MAX).collect();
        Self::parse(&short).ok()
    }

    /// What somebody is called in records who was erased: `erased`. Nobody else is kept from the name.
    pub fn erased() -> Self {
        Self("erased".into())
    }

    /// What this nick looks like. Stored with the join and never computed again: the tables change with Unicode.
    pub fn key(&self) -> NickKey {
        let typed = look(&without_case(&self.0));
        // Capitals look like other letters than their small ones do: `BiIl` is `Bill` to the eye, and `biil` is not.
        let seen = look(&without_case(&look(&self.0)));
        let mut key = CompactString::from(typed);
        if seen != key.as_str() {
            key.push(NickKey::BETWEEN);
            key.push_str(&seen);
        }
        NickKey(key)
    }

    /// The nick as shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a nick looks like: two nicks of which one [looks like](NickKey::looks_like) the other are the same nick to a room.
///
/// It holds one look or two, each a skeleton as of UTS #39 without case: that of the nick in small letters, and that of the nick as it
/// is shown, where it is another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NickKey(CompactString);

impl NickKey {
    /// Between two looks; it is in no nick.
    const BETWEEN: char = '\n';

    /// Whether nobody could tell one nick from the other: they have a look in common.
    pub fn looks_like(&self, other: &Self) -> bool {
        self.looks().any(|look| other.looks().any(|same| same == look))
    }

    pub(crate) fn looks(&self) -> impl Iterator<Item = &str> {
        [Some(self.first_look()), self.second_look()].into_iter().flatten()
    }

    pub(crate) fn first_look(&self) -> &str {
        self.0.split_once(Self::BETWEEN).map_or(&self.0, |(first, _)| first)
    }

    pub(crate) fn second_look(&self) -> Option<&str> {
        self.0.split_once(Self::BETWEEN).map(|(_, second)| second)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Compatibility forms normalised, every space a plain one, none at the ends and no two in a row.
fn normalized(text: &str) -> String {
    let normal: String = without_lost_selectors(text).nfkc().collect();
    let words = normal.split(|c: char| c.general_category() == GeneralCategory::SpaceSeparator);
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Keyboards put a selector behind an emoji that normalising turns into letters: `™` with one becomes `TM`, which is no emoji.
fn without_lost_selectors(text: &str) -> impl Iterator<Item = char> {
    let before = std::iter::once(None).chain(text.chars().map(Some));
    let is_lost = |before: Option<char>| before.is_some_and(|c| !std::iter::once(c).eq(std::iter::once(c).nfkc()));
    text.chars().zip(before).filter(move |&(c, before)| c != EMOJI_SELECTOR || !is_lost(before)).map(|(c, _)| c)
}

/// Where the first mark stands that is one too many on its base. Counted decomposed: a mark that has melted into its base is ink all the same.
fn surplus_mark_at(chars: &[char]) -> Option<usize> {
    let mut run = 0;
    chars.iter().position(|&c| {
        std::iter::once(c).nfd().any(|part| {
            run = if is_combining_mark(part) { run + 1 } else { 0 };
            run > Nick::MARKS_MAX
        })
    })
}

/// Without what cannot be seen, and each character as the one that it looks like.
fn look(text: &str) -> String {
    skeleton(text).collect()
}

/// In small letters; both small sigmas are one, wherever they stand.
fn without_case(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

impl fmt::Display for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nick({:?})", &*self.0)
    }
}

impl fmt::Debug for NickKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NickKey({:?})", &*self.0)
    }
}
