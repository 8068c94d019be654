//! What is set in a run: few values, so that they meet, and mostly one at a time.

use chat_core::{NewcomersSee, RoomSecret, SecretHash, SettingsChange};
use proptest::prelude::*;
use proptest::sample::select;

/// Any secret.
pub(super) fn any_secret() -> impl Strategy<Value = RoomSecret> + Clone {
    "[^\\p{Cc}]{1,16}".prop_map(|text| RoomSecret::parse(&text).expect("no control characters"))
}

/// Any change, as a client asks for it.
pub(super) fn any_change() -> impl Strategy<Value = SettingsChange> + Clone {
    let sees =
        prop_oneof![Just(NewcomersSee::All), any::<u32>().prop_map(NewcomersSee::Last), Just(NewcomersSee::Nothing)];
    let secret = proptest::option::of(proptest::option::of(any_secret()));
    let is = any::<[Option<bool>; 3]>;
    (any::<Option<u32>>(), is(), secret, proptest::option::of(sees)).prop_map(
        |(slow_ms, [locked, read_only, listed], secret, history)| {
            let mut change = SettingsChange::new();
            (change.slow_ms, change.locked, change.read_only) = (slow_ms, locked, read_only);
            (change.secret, change.history, change.listed) = (secret, history, listed);
            change
        },
    )
}

/// One of two secrets, as they are kept.
pub(super) fn few_secrets() -> impl Strategy<Value = SecretHash> + Clone {
    select(vec![1, 2]).prop_map(SecretHash::from_bits)
}

/// A change of one thing, of what stands in people's way, or of nothing. Slow mode of more than 20 s is over the bound of a run.
pub(super) fn few_changes() -> impl Strategy<Value = SettingsChange<SecretHash>> + Clone {
    let change = SettingsChange::new;
    let sees = vec![NewcomersSee::All, NewcomersSee::Last(0), NewcomersSee::Last(2), NewcomersSee::Nothing];
    prop_oneof![
        3 => select(vec![0, 500, 6_000, 6_000, 20_000, 20_001]).prop_map(move |wait| change().slow_ms(wait)),
        1 => any::<bool>().prop_map(move |is_so| change().locked(is_so)),
        2 => any::<bool>().prop_map(move |is_so| change().read_only(is_so)),
        2 => proptest::option::weighted(0.6, few_secrets()).prop_map(move |secret| change().secret(secret)),
        2 => select(sees).prop_map(move |sees| change().history(sees)),
        1 => any::<bool>().prop_map(move |is_so| change().listed(is_so)),
        2 => Just(change().locked(false).read_only(false).secret(None)),
        1 => Just(change()),
    ]
}
