//! Characters that are allowed where those around them want them: joiners (RFC 5892, appendix A, and UTS #51) and a few signs.

use unicode_joining_type::{JoiningType, get_joining_type};
use unicode_normalization::char::canonical_combining_class;
use unicode_properties::emoji::{UnicodeEmoji, is_regional_indicator};
use unicode_script::{Script, UnicodeScript};

/// Keeps two letters apart that would join: Persian writes so within words.
pub(super) const NON_JOINER: char = '\u{200C}';
/// Joins two letters that would stay apart, or two emoji to one.
pub(super) const JOINER: char = '\u{200D}';
/// Asks for the picture, not the sign.
pub(super) const EMOJI_SELECTOR: char = '\u{FE0F}';
/// The combining class of the signs that silence a vowel, and of those that only join.
const VIRAMA: u8 = 9;
/// The mark around a digit that makes it an emoji.
pub(super) const KEYCAP: char = '\u{20E3}';

/// Whether the character at this place may be there.
pub(super) fn fits(nick: &[char], at: usize) -> bool {
    let (before, after) = (&nick[..at], &nick[at + 1..]);
    let follows = |rule: fn(char) -> bool| before.last().is_some_and(|&c| rule(c));
    let has = |rule: fn(char) -> bool| nick.iter().any(|&c| rule(c));
    match nick[at] {
        NON_JOINER => follows(is_virama) || keeps_letters_apart(before, after),
        JOINER => follows(is_virama) || joins_emoji(before, after),
        EMOJI_SELECTOR => follows(is_emoji) || (follows(is_key) && after.first() == Some(&KEYCAP)),
        KEYCAP => match before {
            [.., key, EMOJI_SELECTOR] | [.., key] => is_key(*key),
            [] => false,
        },
        '\u{B7}' => before.last() == Some(&'l') && after.first() == Some(&'l'),
        '\u{375}' => after.first().is_some_and(|c| c.script() == Script::Greek),
        '\u{5F3}' | '\u{5F4}' => follows(|c| c.script() == Script::Hebrew),
        '\u{30FB}' => has(|c| matches!(c.script(), Script::Hiragana | Script::Katakana | Script::Han)),
        '\u{660}'..='\u{669}' => !has(|c| matches!(c, '\u{6F0}'..='\u{6F9}')),
        '\u{6F0}'..='\u{6F9}' => !has(|c| matches!(c, '\u{660}'..='\u{669}')),
        c => unreachable!("{c:?} needs no context"),
    }
}

/// A sign after which joiners have a meaning (RFC 5892, appendix A).
fn is_virama(c: char) -> bool {
    canonical_combining_class(c) == VIRAMA
}

/// Between letters that would join, marks aside.
fn keeps_letters_apart(before: &[char], after: &[char]) -> bool {
    use JoiningType::{DualJoining, LeftJoining, RightJoining, Transparent};
    let joins = |c: &char| Some(get_joining_type(*c)).filter(|joins| *joins != Transparent);
    let left = before.iter().rev().find_map(joins);
    let right = after.iter().find_map(joins);
    matches!(left, Some(LeftJoining | DualJoining)) && matches!(right, Some(RightJoining | DualJoining))
}

/// Between two emoji, of which the first may have a colour of skin or a selector.
fn joins_emoji(before: &[char], after: &[char]) -> bool {
    let bare = match before {
        [bare @ .., last] if *last == EMOJI_SELECTOR || is_skin(*last) => bare,
        all => all,
    };
    bare.last().is_some_and(|&c| is_emoji(c)) && after.first().is_some_and(|&c| is_emoji(c))
}

/// One that may be part of a sequence with joiners: no digit, no half of a flag, no colour of skin.
fn is_emoji(c: char) -> bool {
    c.is_emoji_char() && !c.is_ascii() && !is_regional_indicator(c) && !is_skin(c)
}

fn is_skin(c: char) -> bool {
    matches!(c, '\u{1F3FB}'..='\u{1F3FF}')
}

fn is_key(c: char) -> bool {
    matches!(c, '0'..='9' | '#' | '*')
}
