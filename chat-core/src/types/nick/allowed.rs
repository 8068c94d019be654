//! Which characters may be in a nick: the FreeformClass of PRECIS, derived as RFC 8264 (section 9) says, without blank glyphs.

use unicode_properties::general_category::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_script::{Script, UnicodeScript};

use super::context::{self, EMOJI_SELECTOR, JOINER, KEYCAP, NON_JOINER};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Allowed,
    /// Where the characters around it want it.
    InContext,
    Refused,
}

/// Where in a nick, which is normalised already, the first character stands that may not be there.
pub(super) fn refused_at(nick: &[char]) -> Option<usize> {
    let is_allowed = |at: usize| match class(nick[at]) {
        Class::Allowed => stands_on_its_script(nick, at),
        Class::InContext => context::fits(nick, at),
        Class::Refused => false,
    };
    (0..nick.len()).find(|&at| !is_allowed(at))
}

/// Whether it may be in no nick, wherever it stands.
pub(super) fn is_refused(c: char) -> bool {
    class(c) == Class::Refused
}

/// Whether it shows something by itself, given that it is allowed: a mark or a joiner needs something to stand on.
pub(super) fn has_ink(c: char) -> bool {
    use GeneralCategoryGroup::{Letter, Number, Punctuation, Symbol};
    matches!(c.general_category_group(), Letter | Number | Punctuation | Symbol)
}

/// Whether it shows something by itself, wherever it stands. What is private or not assigned yet may: somebody has drawn it, or a later version
/// of Unicode says what it is.
pub(crate) fn is_seen(c: char) -> bool {
    let may_be = matches!(c.general_category(), GeneralCategory::PrivateUse | GeneralCategory::Unassigned);
    let is_filler = matches!(c, '\u{115F}' | '\u{1160}' | '\u{2065}' | '\u{FFF0}'..='\u{FFF8}');
    (has_ink(c) || may_be) && !is_ignorable(c) && !is_blank(c) && !is_filler
}

/// In the order of RFC 8264, section 8; what is unassigned is so in the tables at hand, so that it comes in with them.
fn class(c: char) -> Class {
    match c {
        NON_JOINER | JOINER | EMOJI_SELECTOR | KEYCAP => Class::InContext,
        // Its exceptions: digits and signs that look like others, letters that make a word longer or repeat it.
        '\u{B7}' | '\u{375}' | '\u{5F3}' | '\u{5F4}' | '\u{30FB}' => Class::InContext,
        '\u{660}'..='\u{669}' | '\u{6F0}'..='\u{6F9}' => Class::InContext,
        '\u{640}' | '\u{7FA}' | '\u{302E}' | '\u{302F}' | '\u{3031}'..='\u{3035}' | '\u{303B}' => Class::Refused,
        _ if is_old_jamo(c) || is_ignorable(c) || is_blank(c) => Class::Refused,
        _ => match c.general_category() {
            GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned => Class::Refused,
            // PRECIS has them. Many fonts draw them aside or not at all, and no skeleton leaves them out: a name with one looks like the name.
            GeneralCategory::EnclosingMark => Class::Refused,
            _ => Class::Allowed,
        },
    }
}

/// Parts of old Hangul syllables, which stand for themselves in no modern text.
fn is_old_jamo(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11FF}' | '\u{A960}'..='\u{A97C}' | '\u{D7B0}'..='\u{D7C6}' | '\u{D7CB}'..='\u{D7FB}')
}

/// What is to be ignored where it is not understood (Default_Ignorable_Code_Point), as far as its category does not say so.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{34F}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}'
        | '\u{E0000}'..='\u{E0FFF}')
}

/// Symbols and letters whose glyph is a space: braille, ideographic, of music and of hieroglyphs; and the place of an object.
fn is_blank(c: char) -> bool {
    matches!(c, '\u{2800}' | '\u{303F}' | '\u{FFFC}' | '\u{13441}' | '\u{13442}' | '\u{1D159}')
}

/// A mark that belongs to one script shows nothing on a letter of another, or not what it is: `Ann` with a Tifinagh joiner behind it
/// looks like `Ann`.
fn stands_on_its_script(nick: &[char], at: usize) -> bool {
    let mark = nick[at];
    let may_be_unseen =
        matches!(mark.general_category(), GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark);
    if !may_be_unseen || matches!(mark.script(), Script::Inherited | Script::Common) {
        return true;
    }
    let is_base = |c: &&char| has_ink(**c) || **c == ' ';
    nick[..at].iter().rev().find(is_base).is_some_and(|base| {
        let scripts = base.script_extension();
        !scripts.is_common() && !scripts.intersection(mark.script_extension()).is_empty()
    })
}
