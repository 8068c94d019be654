//! The protocol page against the code: every example is a frame, every code is listed.

use chat_core::wire::{ServerFrame, TaggedMessage};
use chat_core::{ClientFrame, CloseReason, Epoch, FrameKind, Limits, RejectCode};

const PAGE: &str = include_str!("../../docs/protocol.md");

/// The fenced blocks of the page whose info string is `json <side>`.
fn examples(side: &str) -> Vec<&'static str> {
    let fence = format!("```json {side}\n");
    let examples: Vec<&str> = PAGE
        .match_indices(&fence)
        .map(|(start, fence)| {
            let body = &PAGE[start + fence.len()..];
            body[..body.find("```").expect("a fence is closed")].trim()
        })
        .collect();
    assert!(examples.len() > 10, "the page has examples of {side} frames");
    examples
}

/// The rows of the table under a heading, without its head.
fn rows(heading: &str) -> Vec<&'static str> {
    let section = &PAGE[PAGE.find(heading).expect("the section is there") + heading.len()..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    section.lines().filter_map(|line| line.strip_prefix("| ")).filter(|row| !row.starts_with("code")).collect()
}

#[test]
fn every_client_example_is_a_client_frame() {
    let limits = Limits::default();
    for example in examples("client") {
        let frame = ClientFrame::parse(example.as_bytes(), &limits.room, &limits.session);
        assert!(frame.is_ok(), "{example}: {frame:?}");
    }
}

#[test]
fn every_client_example_is_written_as_it_is_read() {
    let limits = Limits::default();
    for example in examples("client") {
        let read = |bytes: &[u8]| ClientFrame::parse(bytes, &limits.room, &limits.session).expect(example);
        let frame = read(example.as_bytes());
        let written = frame.encode();
        assert_eq!(read(&written), frame, "{example}: {}", String::from_utf8_lossy(&written));
        let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).expect("JSON");
        assert_eq!(json(&written), json(example.as_bytes()), "no field more and none less");
    }
}

#[test]
fn every_server_example_is_written_as_it_is_read() {
    for example in examples("server") {
        let frame: ServerFrame = serde_json::from_str(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        let written = serde_json::to_string(&frame).expect("a frame is JSON");
        assert_eq!(written, example);
    }
}

#[test]
fn every_kind_of_frame_has_an_example() {
    use FrameKind::*;
    let kinds = [
        Welcome,
        Joined,
        Ack,
        Error,
        History,
        Members,
        Message,
        MemberJoined,
        MemberLeft,
        MemberChanged,
        Redacted,
        Reacted,
        Edited,
        TopicChanged,
        SettingsChanged,
        RoleChanged,
        NoticesChanged,
        Typing,
        Read,
        Presence,
        Gap,
        RoomClosed,
        Closing,
        Resumed,
        Token,
        Ended,
    ];
    let examples = examples("server");
    for kind in kinds {
        let tag = format!("{{\"type\":\"{}\"", kind.as_str());
        assert!(examples.iter().any(|example| example.starts_with(&tag)), "{kind:?} has no example");
    }
}

#[test]
fn every_error_code_is_listed_in_order() {
    let listed: Vec<&str> =
        rows("\n## Error codes").iter().map(|row| row.split('`').nth(1).expect("a code in backquotes")).collect();
    assert_eq!(listed, RejectCode::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>());
}

#[test]
fn every_close_code_is_listed_in_order() {
    let listed: Vec<String> = rows("\n## Close codes").iter().map(|row| row.split(" | ").take(2).collect()).collect();
    let codes = CloseReason::ALL.iter().map(|reason| format!("{}`{}`", reason.code(), reason.as_str()));
    assert_eq!(listed, codes.collect::<Vec<_>>());
}

#[test]
fn the_history_of_the_joined_example_lies_before_its_position() {
    let example = examples("server").into_iter().find(|example| example.contains("\"history\":[")).expect("a joined");
    let frame: ServerFrame = serde_json::from_str(example).expect("checked above");
    let ServerFrame::Joined(joined) = frame else { panic!("{frame:?}") };
    assert_ne!(joined.epoch, Epoch(0));
    assert!(joined.history.iter().map(TaggedMessage::frame).all(|message| message.seq <= joined.seq));
}
