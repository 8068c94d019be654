//! What people of a run are shown as: few names and few data, so that they meet.

use chat_core::{MemberChange, PersonData};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::types::{any_nick, few_nicks};

/// Any data: names that need escapes, parts in parts, and as much as may be.
pub fn any_person_data() -> impl Strategy<Value = PersonData> + Clone {
    let text = "[^\"\\\\\\p{Cc}]{0,12}";
    let value = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        text.prop_map(|text| format!("\"{text}\"")),
        select(vec!["[[],{\"\":1.50e-3}]", "\"\\ud83d\\ude42\\n\"", "{\"a\" : [ 1 , 2 ]}"]).prop_map(str::to_owned),
    ];
    let fields = proptest::collection::btree_map("[a-zA-Z\u{E4}]{0,6}", value, 0..5);
    let long = (200..=248_usize).prop_map(|bytes| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes)));
    let object = fields.prop_map(|fields| {
        let fields: Vec<String> = fields.into_iter().map(|(name, value)| format!(" \"{name}\" : {value}")).collect();
        format!("{{{}}}", fields.join(","))
    });
    prop_oneof![6 => object, 1 => long].prop_filter_map("not too long", |json| PersonData::parse(&json).ok())
}

/// Few data.
pub fn few_person_data() -> impl Strategy<Value = PersonData> + Clone {
    select(vec!["{}", r#"{"id":1}"#, r#"{"id":2}"#]).prop_map(|json| PersonData::parse(json).expect("valid data"))
}

/// Any change, as a client asks for it.
pub(super) fn any_member_change() -> impl Strategy<Value = MemberChange> + Clone {
    change(option::of(any_nick()), option::of(option::of(any_person_data())))
}

/// A change of one or both, or of nothing.
pub(super) fn few_member_changes() -> impl Strategy<Value = MemberChange> + Clone {
    change(option::weighted(0.8, few_nicks()), option::weighted(0.3, option::weighted(0.7, few_person_data())))
}

fn change(
    nick: impl Strategy<Value = Option<chat_core::Nick>> + Clone,
    data: impl Strategy<Value = Option<Option<PersonData>>> + Clone,
) -> impl Strategy<Value = MemberChange> + Clone {
    (nick, data).prop_map(|(nick, data)| {
        let mut change = MemberChange::new();
        (change.nick, change.data) = (nick, data);
        change
    })
}
