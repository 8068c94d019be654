//! What may be a nick, and which nicks are one.

use super::*;
use crate::types::RejectCode;

fn nick(text: &str) -> Nick {
    Nick::parse(text).unwrap_or_else(|reject| panic!("{text:?}: {reject}"))
}

#[track_caller]
fn assert_kept(texts: &[&str]) {
    for text in texts {
        assert_eq!(Nick::parse(text).map(|nick| nick.to_string()), Ok((*text).to_owned()), "{}", text.escape_unicode());
    }
}

#[track_caller]
fn assert_refused(texts: &[&str]) {
    for text in texts {
        let refused = Nick::parse(text).map_err(|reject| (reject.code, reject.field));
        assert_eq!(refused, Err((RejectCode::BadField, Some("nick"))), "{}", text.escape_unicode());
    }
}

fn are_one(a: &str, b: &str) -> bool {
    nick(a).key().looks_like(&nick(b).key())
}

#[test]
fn nicks_that_look_alike_share_a_key() {
    for (taken, other) in [
        ("admin", "Admin"),
        ("admin", "\u{430}dmin"),  // a Cyrillic a
        ("admin", "\u{FF41}dmin"), // a full-width a
        ("mary", "rnary"),
        ("\u{39F}\u{394}\u{39F}\u{3A3}", "\u{3BF}\u{3B4}\u{3BF}\u{3C2}"), // a small sigma at the end of a word
        ("Zoe\u{308}", "zo\u{EB}"),
    ] {
        assert!(are_one(taken, other), "{taken} and {other}");
    }
    for (taken, other) in [("ann", "anne"), ("Ali", "All"), ("mill", "miil"), ("kim", "klm"), ("Ann", "Ann\u{301}")] {
        assert!(!are_one(taken, other), "{taken} and {other}");
    }
}

/// Small letters and capitals are like different others: `I` is `l` to the eye and `i` to the keyboard.
#[test]
fn a_capital_looks_like_what_it_looks_like() {
    for (taken, other) in [
        ("Bill", "BiIl"),
        ("Owner", "0wner"),
        ("Owner", "\u{41E}wner"),
        ("Tom", "\u{422}\u{43E}m"), // Cyrillic
        ("Tom", "\u{422}om"),
        ("Max", "\u{41C}ax"),
        ("max", "\u{41C}ax"),
        ("Sam", "\u{405}am"),
        ("Ian", "ian"),
        ("Ian", "lan"),
    ] {
        assert!(are_one(taken, other), "{taken} and {other}");
        assert!(are_one(other, taken), "{other} and {taken}");
    }
    assert!(!are_one("ian", "lan"), "what looks like one look of a nick is not all that looks like the other");
}

#[test]
fn joiners_and_selectors_make_no_other_nick() {
    assert!(are_one("\u{2764}\u{FE0F}", "\u{2764}"));
    assert!(are_one(
        "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}",
        "\u{645}\u{6CC}\u{62E}\u{648}\u{627}\u{647}\u{645}"
    ));
}

#[test]
fn a_nick_is_trimmed_and_folded() {
    for (typed, shown) in [
        ("  Ann   Lee ", "Ann Lee"),
        ("Zoë ☕", "Zoë ☕"),
        ("Ann\u{A0}\u{1680}\u{3000}Lee", "Ann Lee"),
        ("Ann\u{2122}\u{FE0F}", "AnnTM"),
        ("\u{FF21}nn", "Ann"),
    ] {
        assert_eq!(nick(typed).as_str(), shown, "{typed:?}");
    }
}

/// The RFC's own registry is that of Unicode 6.3, of 2013.
#[test]
fn characters_of_today_are_allowed() {
    assert_kept(&[
        "Ann\u{1F642}",       // 7.0
        "\u{1F92F} Bob",      // 10.0
        "\u{20BD}",           // 7.0
        "\u{20BF}",           // 10.0
        "\u{1FAE0}",          // 14.0
        "\u{1E900}\u{1E922}", // Adlam, 9.0
        "\u{10570}\u{10597}", // Vithkuqi, 14.0
        "\u{9FFF}",           // the end of Han, 14.0
        "\u{1FAE9}",          // 16.0
        "\u{1F600}",
        "Ann \u{1F451}",
    ]);
}

#[test]
fn what_is_not_seen_is_refused() {
    assert_refused(&[
        "",
        " ",
        "a\u{200B}b",
        "a\u{202E}b",
        "a\nb",
        "a\tb",
        "a\u{FE0F}",
        "\u{3164}",
        "\u{200D}",
        "a\u{2028}b",
    ]);
    for blank in
        ["\u{2800}", "\u{1D159}", "\u{FFFC}", "\u{303F}", "\u{13441}", "\u{115F}", "\u{FFA0}", "\u{34F}", "\u{FEFF}"]
    {
        assert_refused(&[blank, &format!("Ann{blank}"), &format!("{blank}Ann"), &format!("An{blank}n")]);
    }
}

#[test]
fn a_nick_of_marks_alone_is_refused() {
    assert_refused(&["\u{301}", "\u{20DD}", "\u{488}", "\u{5BF}", "\u{E31}", "\u{301}\u{302}", "\u{B4}"]);
    assert_kept(&["\u{D3}\u{302}b", "Ann \u{301}", "\u{308}_\u{308}"]);
}

/// `Ann` with a joiner of Tifinagh, a virama of Gunjala Gondi or a mark of Hebrew behind it shows `Ann`, or nobody knows what.
#[test]
fn a_mark_stands_on_its_own_script() {
    assert_refused(&[
        "Ann\u{2D7F}",
        "Ann\u{11D97}",
        "Ann\u{1107F}",
        "Ann\u{5BF}",
        "Ann\u{E3A}",
        "\u{1F642}\u{94D}",
        "Ann \u{94D}",
    ]);
    assert_kept(&["\u{5D0}\u{5BF}", "\u{915}\u{94D}\u{937}\u{93F}", "\u{E01}\u{E4A}", "\u{644}\u{35C}"]);
}

/// Many fonts have no glyph for one or draw it aside, and no skeleton leaves it out: `Alice` with one behind it would pass for `Alice`.
#[test]
fn an_enclosing_mark_stands_around_a_key_alone() {
    assert_refused(&["Alice\u{488}", "A\u{489}", "A\u{20DD}", "\u{436}\u{A670}", "A\u{20E3}", "\u{1F642}\u{20E3}"]);
    assert_kept(&["1\u{20E3}", "1\u{FE0F}\u{20E3}", "Ann #\u{FE0F}\u{20E3}"]);
}

#[test]
fn joiners_are_allowed_where_the_script_needs_them() {
    assert_kept(&[
        "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}", // Persian: between letters that would join
        "\u{628}\u{64E}\u{200C}\u{64E}\u{628}",                      // with marks in between
        "\u{915}\u{94D}\u{200D}\u{937}",                             // Hindi: after a virama
        "\u{915}\u{94D}\u{200C}\u{937}",
        "\u{DC1}\u{DCA}\u{200D}\u{DBB}\u{DD3}", // Sinhala
    ]);
    assert_refused(&[
        "An\u{200C}n",
        "An\u{200D}n",
        "\u{628}\u{200C}",
        "\u{200C}\u{628}",
        "\u{62F}\u{200C}\u{628}", // after a letter that joins nothing
        "\u{628}\u{200C}\u{200C}\u{628}",
        "\u{628}\u{200D}\u{628}",
        "\u{915}\u{94D}\u{200D}\u{200D}\u{937}",
    ]);
}

#[test]
fn joiners_and_selectors_are_allowed_where_an_emoji_needs_them() {
    assert_kept(&[
        "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{200D}\u{1F466}", // a family
        "\u{1F469}\u{1F3FD}\u{200D}\u{1F680}",                          // a woman of some colour in a rocket
        "\u{1F3F3}\u{FE0F}\u{200D}\u{1F308}",                           // a flag of a rainbow
        "\u{2764}\u{FE0F}\u{200D}\u{1F525} Eve",
        "\u{1F468}\u{200D}\u{1F9B0}", // red hair
        "Ann \u{2764}\u{FE0F}",
        "1\u{FE0F}\u{20E3}",
        "\u{1F1E9}\u{1F1EA}",
    ]);
    assert_refused(&[
        "\u{1F468}\u{200D}",
        "\u{200D}\u{1F468}",
        "\u{1F468}\u{200D}\u{200D}\u{1F468}",
        "\u{1F468}\u{200D}a",
        "a\u{200D}\u{1F468}",
        "1\u{200D}\u{1F468}",
        "\u{1F1E9}\u{200D}\u{1F1EA}",
        "\u{1F3FD}\u{200D}\u{1F680}",
        "\u{2764}\u{FE0F}\u{FE0F}",
        "\u{2764}\u{FE0E}",
        "1\u{FE0F}",
        "\u{1F3F4}\u{E0067}\u{E007F}",
    ]);
}

/// Contextual rules of RFC 5892 (appendix A), which RFC 8264 takes over.
#[test]
fn signs_that_look_like_others_are_allowed_where_they_belong() {
    assert_kept(&[
        "col\u{B7}la",
        "\u{375}\u{3B1}",
        "\u{5D0}\u{5F3}",
        "\u{30A2}\u{30FB}\u{30A2}",
        "a\u{660}",
        "\u{6F0}",
        "\u{DF}",
        "\u{3007}",
    ]);
    assert_refused(&[
        "a\u{B7}b",
        "\u{375}a",
        "a\u{5F3}",
        "a\u{30FB}b",
        "\u{660}\u{6F0}",
        "\u{640}",
        "\u{302E}",
        "\u{3031}",
        "\u{1100}",
    ]);
}

#[test]
fn a_refusal_names_the_character() {
    let message = |text| Nick::parse(text).map_err(|reject| reject.message.into_owned());
    assert_eq!(message("An\u{202E}n"), Err("nick holds U+202E, which may not be there".to_owned()));
    assert_eq!(message("\u{301}"), Err("nick has nothing to see".to_owned()));
}

#[test]
fn marks_are_bounded_and_so_is_the_nick() {
    assert_refused(&["a\u{323}\u{324}\u{325}\u{330}\u{331}"]);
    assert_eq!(Nick::parse(&"a".repeat(33)).map_err(|r| r.limit), Err(Some(32)));
    assert_eq!(Nick::parse(&"a".repeat(513)).map_err(|r| r.limit), Err(Some(32)));
    assert!(Nick::parse(&"ä".repeat(32)).is_ok(), "scalars are counted, not bytes");
}

/// What people are called elsewhere is often theirs to choose: whoever puts in a character that may not be there is called what is left.
#[test]
fn of_a_name_what_may_not_be_in_a_nick_is_left_out() {
    let called = |name: &str| Nick::of_name(name).map(|nick| nick.to_string());
    for (name, nick) in [
        ("Ann", "Ann"),
        ("\u{202E}evil", "evil"),
        ("a\nb", "ab"),
        ("\0Ann\u{7F} \u{2800} Lee\u{FEFF}", "Ann Lee"),
        ("Ann\u{2D7F}", "Ann"),
        ("Alice\u{488}", "Alice"),
        ("a\u{200D}\u{301}", "\u{E1}"),
        ("\u{1112}\u{1161}\u{11AB}", "\u{D55C}"),
        ("\u{1F468}\u{200D}\u{1F469}\u{200D}", "\u{1F468}\u{200D}\u{1F469}"),
        ("\u{1F3F4}\u{E0067}\u{E007F}", "\u{1F3F4}"),
        ("a\u{323}\u{324}\u{325}\u{330}\u{331}b", "\u{1EA1}\u{324}\u{325}\u{330}b"),
        ("Ann of the very long and winding name", "Ann of the very long and winding"),
    ] {
        assert_eq!(called(name).as_deref(), Some(nick), "{}", name.escape_unicode());
    }
    for nothing in ["", " ", "\u{202E}", "\u{301}", "\u{200B}\u{2800}", "\n\t"] {
        assert_eq!(called(nothing), None, "{}", nothing.escape_unicode());
    }
    assert_eq!(called(&"\u{1F600}\u{200B}".repeat(10_000)).map(|nick| nick.chars().count()), Some(Nick::CHARS_MAX));
}

/// Each character by itself and behind a letter: what is shown is read the same again, and what cannot be seen is not in.
#[test]
fn of_every_character_a_nick_is_seen_and_read_the_same_again() {
    // Han and Hangul aside, which are most of them and all alike, and planes of nothing.
    let characters = ('\0'..='\u{4DFF}').chain('\u{A000}'..='\u{ABFF}').chain('\u{D7A4}'..='\u{1FFFF}');
    for c in characters.chain('\u{E0000}'..='\u{E0FFF}') {
        for text in [c.to_string(), format!("a{c}"), format!("\u{1F468}{c}\u{1F468}")] {
            let Ok(nick) = Nick::parse(&text) else { continue };
            assert_eq!(Nick::parse(nick.as_str()).as_ref(), Ok(&nick), "U+{:04X}", u32::from(c));
            assert!(nick.key().looks().all(|look| !look.is_empty()), "U+{:04X}", u32::from(c));
            let is_ignored = look(&c.to_string()).is_empty();
            assert!(!is_ignored || matches!(c, '\u{200D}' | EMOJI_SELECTOR), "U+{:04X} is not seen", u32::from(c));
        }
    }
}
