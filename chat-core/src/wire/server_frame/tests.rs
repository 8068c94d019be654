//! Frames of this version and of a later one, read by a client.

use super::*;

fn read(json: &str) -> ServerFrame {
    serde_json::from_str(json).expect("a frame")
}

#[test]
fn an_event_of_a_later_version_is_read_whole_and_moves_the_position() {
    let json = r#"{"type":"pinned","room":"LUNCH","seq":9,"at":"2026-11-22T18:00:00.123Z","target":3}"#;
    let frame = read(json);
    assert_eq!(frame.numbered(), Some(("LUNCH", Seq(9))));
    let ServerFrame::Other(other) = &frame else { panic!("{frame:?}") };
    assert_eq!((other.kind(), &other.fields()["target"]), ("pinned", &Value::from(3)));
    assert_eq!(read(&serde_json::to_string(&frame).expect("written")), frame);
}

#[test]
fn a_frame_without_a_room_a_number_or_a_time_moves_nothing() {
    for json in [
        r#"{"type":"signal","room":"LUNCH","member":3}"#,
        r#"{"type":"heard","room":"LUNCH","through":9,"at":"2026-11-22T18:00:00.123Z"}"#,
        r#"{"type":"told","seq":9,"at":"2026-11-22T18:00:00.123Z"}"#,
        r#"{"type":"ack","id":1,"room":"LUNCH","seq":9,"at":"2026-11-22T18:00:00.123Z"}"#,
    ] {
        assert_eq!(read(json).numbered(), None, "{json}");
    }
}

#[test]
fn a_known_frame_that_lacks_a_field_is_refused_by_name() {
    let error = serde_json::from_str::<ServerFrame>(r#"{"type":"presence","room":"LUNCH","members":3}"#);
    assert!(error.expect_err("it lacks one").to_string().contains("online"));
    assert!(serde_json::from_str::<ServerFrame>(r#"{"room":"LUNCH"}"#).is_err());
}
