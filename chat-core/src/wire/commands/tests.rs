//! Commands read from frames, and what is wrong in their fields.

use super::*;
use crate::types::{Data, Key, NewcomersSee, PersonData, RoomCode, RoomSecret};
use crate::wire::Request;
use crate::wire::client_frame::tests::{parse, refusal};

fn command(text: &str) -> Command {
    let Request::Command(command) = parse(text).expect(text).request else { panic!("{text} is a command") };
    command
}

#[test]
fn a_message_has_a_text_or_data_or_both_and_may_answer_another() {
    let room = || RoomCode::parse("ABC").expect("valid");
    let data = |json: &str| Data::parse(json, 100).expect("valid");
    let hi = || Body::parse("hi", 10).expect("valid");
    let sent = command(r#"{"type":"send","room":"ABC","text":"hi","data":{"b":1.0, "a":[]},"reply_to":7}"#);
    assert_eq!(sent, Command::send(room(), hi()).with_data(data(r#"{"b":1.0, "a":[]}"#)).with_reply_to(Seq(7)));
    for text in ["", r#","text":"""#, r#","text":null"#] {
        let sent = command(&format!(r#"{{"type":"send","room":"ABC"{text},"data":{{}}}}"#));
        assert_eq!(sent, Command::send(room(), Body::empty()).with_data(data("{}")), "{text}");
    }
    assert_eq!(command(r#"{"type":"send","room":"ABC","text":"hi","data":null}"#), Command::send(room(), hi()));
    let edited = command(r#"{"type":"edit","room":"ABC","target":9,"text":"hi","key":"k"}"#);
    assert_eq!(edited, Command::edit(room(), Seq(9), hi()).with_key(Key::parse("k").expect("valid")));
    let edited = command(r#"{"type":"edit","room":"ABC","target":9,"data":{}}"#);
    assert_eq!(edited, Command::edit(room(), Seq(9), Body::empty()).with_data(data("{}")));
    use RejectCode::*;
    for (fields, code, field) in [
        (r#""type":"send","text":"hi","data":[]"#, BadField, "data"),
        (r#""type":"send","text":"hi","data":"{}""#, BadField, "data"),
        (r#""type":"send","text":7,"data":{}"#, BadField, "text"),
        (r#""type":"send","text":"","data":null"#, BadField, "text"),
        (r#""type":"send","text":"hi","reply_to":-1"#, BadField, "reply_to"),
        (r#""type":"edit","text":"hi""#, BadField, "target"),
        (r#""type":"edit","target":9"#, BadField, "text"),
        (r#""type":"send","data":{"a":[[[[[[[[]]]]]]]]}"#, TooLong, "data"),
    ] {
        assert_eq!(refusal(&format!(r#"{{"room":"ABC",{fields}}}"#)), (None, code, Some(field)), "{fields}");
    }
    let much = format!(r#"{{"type":"send","room":"ABC","data":{{"a":"{}"}}}}"#, "x".repeat(4_096));
    assert_eq!(refusal(&much), (None, TooLong, Some("data")));
}

#[test]
fn a_history_lies_at_one_place_and_two_are_refused() {
    let anchor = |fields: &str| {
        let frame = parse(&format!(r#"{{"type":"history","room":"ABC"{fields}}}"#)).expect(fields);
        let Request::Command(Command::History { anchor, .. }) = frame.request else { panic!("{fields}") };
        anchor
    };
    assert_eq!(anchor(""), HistoryAnchor::Newest);
    assert_eq!(anchor(r#","before":7,"after":null"#), HistoryAnchor::Before(Seq(7)));
    assert_eq!(anchor(r#","after":0"#), HistoryAnchor::After(Seq(0)));
    assert_eq!(anchor(r#","around":7,"before":null"#), HistoryAnchor::Around(Seq(7)));
    for (fields, field) in [
        (r#""before":1,"after":2"#, "after"),
        (r#""after":2,"around":3"#, "around"),
        (r#""before":1,"around":1"#, "around"),
        (r#""before":1,"after":2,"around":3"#, "around"),
        (r#""after":"04HMASW9NF6YF:17""#, "after"),
        (r#""around":-1"#, "around"),
        (r#""around":1.5"#, "around"),
    ] {
        let frame = format!(r#"{{"type":"history","room":"ABC",{fields}}}"#);
        assert_eq!(refusal(&frame), (None, RejectCode::BadField, Some(field)), "{fields}");
    }
}

#[test]
fn a_number_that_is_too_large_is_refused_with_its_bound() {
    for (frame, field) in [
        (r#"{"type":"ban","room":"ABC","member":2,"minutes":4294967296}"#, "minutes"),
        (r#"{"type":"settings","room":"ABC","history":4294967296}"#, "history"),
        (r#"{"type":"settings","room":"ABC","slow_ms":4294967296}"#, "slow_ms"),
        (r#"{"type":"history","room":"ABC","limit":4294967296}"#, "limit"),
        (r#"{"type":"hello","catch_up":4294967296}"#, "catch_up"),
    ] {
        let reject = parse(frame).expect_err(frame).reject;
        assert_eq!((reject.code, reject.field), (RejectCode::BadField, Some(field)), "{frame}");
        assert!(reject.message.starts_with(field) && reject.message.ends_with(" to 4294967295"), "{}", reject.message);
    }
}

#[test]
fn settings_name_what_changes_and_null_takes_a_secret_away() {
    let change = |fields: &str| {
        let frame = parse(&format!(r#"{{"type":"settings","room":"ABC"{fields}}}"#)).expect(fields);
        let Request::Command(Command::Settings { change, .. }) = frame.request else { panic!("{fields}") };
        change
    };
    let secret = RoomSecret::parse("hush").expect("valid");
    assert_eq!(change(r#","slow_ms":5000,"locked":true"#), SettingsChange::new().slow_ms(5_000).locked(true));
    assert_eq!(change(r#","secret":null,"locked":null"#), SettingsChange::new().secret(None));
    assert_eq!(change(r#","secret":"hush""#), SettingsChange::new().secret(Some(secret.clone())));
    for (json, history) in
        [("\"all\"", NewcomersSee::All), ("\"none\"", NewcomersSee::Nothing), ("3", NewcomersSee::Last(3))]
    {
        assert_eq!(change(&format!(",\"history\":{json}")), SettingsChange::new().history(history));
    }
    let all = change(r#","read_only":false,"listed":true"#);
    assert_eq!(all, SettingsChange::new().read_only(false).listed(true));
    for (fields, field) in [
        (r#""slow_ms":-1"#, "slow_ms"),
        (r#""locked":1"#, "locked"),
        (r#""read_only":"yes""#, "read_only"),
        (r#""secret":"""#, "secret"),
        (r#""secret":7"#, "secret"),
        (r#""history":"some""#, "history"),
        (r#""listed":[]"#, "listed"),
    ] {
        let frame = format!(r#"{{"type":"settings","room":"ABC",{fields}}}"#);
        assert_eq!(refusal(&frame), (None, RejectCode::BadField, Some(field)), "{fields}");
    }
    for fields in ["", r#","slow":5"#, r#","slow_ms":null"#] {
        let frame = format!(r#"{{"type":"settings","room":"ABC"{fields}}}"#);
        assert_eq!(refusal(&frame), (None, RejectCode::BadField, None), "nothing is named: {fields}");
    }
    let join = |secret: &str| {
        let frame = parse(&format!(r#"{{"type":"join","room":"ABC","nick":"Ann","secret":{secret}}}"#));
        assert!(!format!("{frame:?}").contains("hush"), "it may go to a log");
        let Request::Command(Command::Join { secret, .. }) = frame.expect("valid").request else { panic!("a join") };
        secret
    };
    assert_eq!((join("null"), join("\"hush\"")), (None, Some(secret)));
}

#[test]
fn what_one_is_shown_as_is_named_and_null_takes_data_away() {
    let command = |json: &str| {
        let Request::Command(command) = parse(json).expect(json).request else { panic!("{json}") };
        command
    };
    let lunch = RoomCode::parse("LUNCH").expect("valid");
    let nick = Nick::parse("Ann").expect("valid");
    let data = PersonData::parse(r#"{"b":1,"a":[2]}"#).expect("valid");
    let me = |change| Command::me(lunch.clone(), change);
    assert_eq!(command(r#"{"type":"me","room":"LUNCH"}"#), me(MemberChange::new()));
    assert_eq!(
        command(r#"{"type":"me","room":"LUNCH","nick":" Ann ","data":{"b": 1, "a": [ 2 ]}}"#),
        me(MemberChange::new().nick(nick.clone()).data(data.clone()))
    );
    let without = command(r#"{"type":"me","room":"LUNCH","nick":null,"data":null}"#);
    assert_eq!(without, me(MemberChange::new().data(None)));
    let join = Command::join(lunch.clone(), nick.clone());
    assert_eq!(command(r#"{"type":"join","room":"LUNCH","nick":"Ann","data":null}"#), join);
    let shown = command(r#"{"type":"join","room":"LUNCH","nick":"Ann","data":{"b":1,"a":[2]}}"#);
    assert_eq!(shown, join.with_person_data(data.clone()));
    let create = command(r#"{"type":"create","nick":"Ann","data":{"b":1,"a":[2]}}"#);
    assert_eq!(create, Command::create(nick).with_person_data(data));
    for kind in ["join", "create", "me"] {
        let wrong = |data: &str| refusal(&format!(r#"{{"type":"{kind}","room":"ABC","nick":"Ann","data":{data}}}"#));
        for data in ["[]", "7", r#""{}""#, r#"{"a":1e999}"#, r#"{"a":1,"a":2}"#] {
            assert_eq!(wrong(data), (None, RejectCode::BadField, Some("data")), "{data}");
        }
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(249));
        assert_eq!(wrong(&long), (None, RejectCode::TooLong, Some("data")));
    }
    assert_eq!(refusal(r#"{"type":"me","room":"ABC","nick":""}"#), (None, RejectCode::BadField, Some("nick")));
}
