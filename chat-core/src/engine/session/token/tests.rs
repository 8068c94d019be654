//! Signing and recognising, without an engine.

use super::*;

const TODAY: u16 = 20_786;
const ISSUE: Issue = Issue { generation: 3, day: TODAY };

fn signer(secret: u8, old: Option<u8>) -> Signer {
    let old = old.map(|byte| [byte; 32]);
    Signer::new(&[secret; 32], old.as_ref(), 30 * DAY)
}

fn session() -> SessionId {
    SessionId::new(42)
}

/// Of whom it is a token today, to whom it was given.
fn verified(signer: &Signer, token: &str) -> Option<SessionId> {
    signer.verify(Kind::Token, token, None, TODAY).map(|shown| shown.session)
}

#[test]
fn only_a_token_of_the_same_secret_is_recognised() {
    let (signer, session) = (signer(1, None), session());
    let token = signer.sign(Kind::Token, session, ISSUE, None);
    let shown = signer.verify(Kind::Token, &token, None, TODAY).expect("it is ours");
    assert_eq!((shown.session, shown.generation, shown.day), (session, 3, TODAY));
    assert_eq!(verified(&super::tests::signer(2, None), &token), None);
    assert_eq!(verified(&signer, &token.replace('.', "")), None);
    assert_eq!(verified(&signer, &session.to_string()), None);
    let other = signer.sign(Kind::Token, SessionId::new(43), ISSUE, None);
    let spliced = format!("{session}.{}", other.split_once('.').expect("a token has a dot").1);
    assert_eq!(verified(&signer, &spliced), None, "the signature of another session");
    assert_eq!((claimed(&spliced), claimed("x"), claimed("x.y.z")), (Some(session), None, None));
}

#[test]
fn nothing_that_it_says_can_be_changed() {
    let signer = signer(1, None);
    let token: Credential = signer.sign(Kind::Token, session(), ISSUE, None).parse().expect("a credential");
    let changed = [
        Credential { generation: 4, ..token },
        Credential { day: TODAY + 1, ..token },
        Credential { key: token.key ^ 1, ..token },
        Credential { signature: token.signature ^ 1, ..token },
        Credential { session: SessionId::new(43), ..token },
    ];
    for changed in changed {
        assert_eq!(verified(&signer, &changed.to_string()), None, "{changed:?}");
    }
}

#[test]
fn a_token_is_of_one_identity() {
    let signer = signer(1, None);
    let (ann, bob) = (Identity::new("ann"), Identity::new("bob"));
    let token = signer.sign(Kind::Token, session(), ISSUE, ann.as_ref());
    assert!(signer.verify(Kind::Token, &token, ann.as_ref(), TODAY).is_some());
    for other in [None, bob.as_ref()] {
        assert_eq!(signer.verify(Kind::Token, &token, other, TODAY), None);
        assert_eq!(signer.verify_resume(&token, other, TODAY), None);
    }
}

#[test]
fn a_cursor_resumes_and_does_nothing_else() {
    let signer = signer(1, None);
    let cursor = signer.sign(Kind::Cursor, session(), ISSUE, None);
    let token = signer.sign(Kind::Token, session(), ISSUE, None);
    let kind = |text: &str| signer.verify_resume(text, None, TODAY).map(|(_, kind)| kind);
    assert_eq!((kind(&cursor), kind(&token)), (Some(Kind::Cursor), Some(Kind::Token)));
    assert_eq!(verified(&signer, &cursor), None);
}

#[test]
fn a_secret_can_be_changed_for_another() {
    let (before, between, after) = (signer(1, None), signer(2, Some(1)), signer(2, None));
    let old = before.sign(Kind::Token, session(), ISSUE, None);
    let new = between.sign(Kind::Token, session(), ISSUE, None);
    assert_eq!((verified(&between, &old), verified(&between, &new)), (Some(session()), Some(session())));
    assert_eq!((verified(&after, &old), verified(&after, &new)), (None, Some(session())), "the new one signs");
    assert_eq!(verified(&before, &new), None);
}

#[test]
fn two_secrets_that_are_known_by_one_number_are_told_apart() {
    let one = Key::new(&[1; 32]);
    let other = (0..=u8::MAX).flat_map(|high| (0..=u8::MAX).map(move |low| [high, low]));
    let mut secrets = other.map(|[high, low]| {
        let mut secret = [1; 32];
        (secret[0], secret[1]) = (high, low);
        secret
    });
    let twin = secrets.find(|secret| *secret != [1; 32] && Key::new(secret).id == one.id).expect("one in 256");
    let old = Signer::new(&[1; 32], None, DAY).sign(Kind::Token, session(), ISSUE, None);
    assert_eq!(verified(&Signer::new(&twin, Some(&[1; 32]), DAY), &old), Some(session()));
    assert_eq!(verified(&Signer::new(&twin, None, DAY), &old), None);
}

#[test]
fn it_is_good_for_as_many_days_as_it_may_be() {
    let token = signer(1, None).sign(Kind::Token, session(), ISSUE, None);
    for (expiry, days) in [(Duration::ZERO, 1), (DAY, 1), (DAY + Duration::from_millis(1), 2), (Duration::MAX, 1_000)] {
        let signer = Signer::new(&[1; 32], None, expiry);
        let is_good = |today| signer.verify(Kind::Token, &token, None, today).is_some();
        assert!(is_good(TODAY + days), "{expiry:?}");
        assert!(expiry == Duration::MAX || !is_good(TODAY + days + 1), "{expiry:?}");
        assert!(is_good(TODAY - 5), "a clock that was set back makes none worthless");
    }
}

#[test]
fn a_day_begins_where_the_one_before_ends() {
    let noon = Wall(u64::from(TODAY) * 86_400_000 + 43_200_000);
    assert_eq!((day(noon), until(TODAY, noon), until(TODAY + 2, noon)), (TODAY, Duration::ZERO, DAY * 3 / 2));
    let next = noon.after(until(TODAY + 1, noon));
    assert_eq!((day(next), day(Wall(next.0 - 1))), (TODAY + 1, TODAY));
    assert_eq!(day(Wall::MAX), u16::MAX);
}
