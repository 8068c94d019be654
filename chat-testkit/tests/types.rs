//! What people type becomes a value or a refusal, never a panic; and a value that is read again is the same value.

use chat_core::{Body, Identity, Key, Nick, RejectCode, RoomCode, Topic};
use chat_testkit::strategies::{any_nick, cases, hostile_text};
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

/// The profile's crate folds spaces at a count of characters, taken as a count of bytes: these panicked, or lost a
/// space between words.
#[test]
fn spaces_after_letters_of_two_bytes_are_trimmed_and_folded() {
    for (typed, shown) in [
        ("Zo\u{EB} ", "Zo\u{EB}"),
        ("Zo\u{EB}  Lee", "Zo\u{EB} Lee"),
        ("\u{E9}\u{E9} b ", "\u{E9}\u{E9} b"),
        ("\u{91D1} \u{3000}\u{2615}", "\u{91D1} \u{2615}"),
        ("\u{E9} \u{A8}", "\u{E9} \u{308}"),
    ] {
        assert_eq!(Nick::parse(typed).map(|nick| nick.to_string()), Ok(shown.to_owned()), "{typed:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(1_000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_typed_is_refused_or_read_the_same_again(text in hostile_text(60)) {
        if let Ok(nick) = Nick::parse(&text) {
            prop_assert_eq!(Nick::parse(nick.as_str()), Ok(nick.clone()));
            prop_assert_eq!(Nick::parse(nick.as_str()).map(|again| again.key()), Ok(nick.key()));
            prop_assert!(nick.as_str().chars().count() <= Nick::CHARS_MAX);
        }
        if let Ok(body) = Body::parse(&text, 60) {
            prop_assert_eq!(body.as_str(), &text);
        }
        if let Ok(topic) = Topic::parse(&text) {
            prop_assert_eq!(topic.as_str(), &text);
        }
        if let Ok(key) = Key::parse(&text) {
            prop_assert_eq!(key.as_str(), &text);
        }
        if let Ok(code) = RoomCode::parse(&text) {
            prop_assert_eq!(RoomCode::parse(&code.as_str().to_lowercase()), Ok(code));
        }
        prop_assert_eq!(Identity::new(&text).is_some(), (1..=Identity::BYTES_MAX).contains(&text.len()));
    }

    #[test]
    fn forms_of_one_nick_are_one_nick(nick in any_nick()) {
        let shown = nick.as_str();
        let forms = [
            shown.nfc().collect(),
            shown.nfd().collect(),
            shown.nfkd().collect(),
            format!(" {shown}\u{3000}"),
            shown.replace(' ', "\u{A0} "),
        ];
        for form in forms {
            let again: String = form;
            prop_assert_eq!(Nick::parse(&again), Ok(nick.clone()), "{:?}", again);
        }
        prop_assert!(nick.key().looks_like(&nick.key()));
        let unseen = shown.replace(['\u{200C}', '\u{200D}', '\u{FE0F}'], "");
        for form in [shown.to_lowercase(), shown.chars().map(capital).collect(), unseen] {
            if let Ok(other) = Nick::parse(&form) {
                prop_assert!(nick.key().looks_like(&other.key()), "{:?} and {:?}", nick, other);
                prop_assert!(other.key().looks_like(&nick.key()), "{:?} and {:?}", other, nick);
            }
        }
    }

    #[test]
    fn a_text_over_its_limit_is_too_long_and_nothing_else(text in hostile_text(60)) {
        if let Err(reject) = Body::parse(&text, 20) {
            prop_assert_eq!(reject.code == RejectCode::TooLong, text.chars().count() > 20);
        }
    }

    #[test]
    fn a_nick_shows_no_space_at_its_ends_and_no_two_in_a_row(nick in any_nick()) {
        let words: Vec<&str> = nick.as_str().split(' ').collect();
        prop_assert!(words.iter().all(|word| !word.is_empty()), "{:?}", nick);
        prop_assert!(!nick.as_str().chars().any(|c| c.is_control()));
    }
}

/// The letter as a capital, where that is one letter whose small one it is: not `ß`, and not the iota below a Greek vowel.
fn capital(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) if upper.to_lowercase().eq(c.to_lowercase()) => upper,
        _ => c,
    }
}
