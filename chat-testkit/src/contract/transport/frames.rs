//! What tests read off a frame: its fields, and the whole of it in a few words.

use serde_json::Value;

/// A frame in a few words: `4 Ann: hi`, `5 +Bob`, `6 -Bob left`, `7 2 is Rob`, `-Bob left` without a number, `joined 4 as 2`, `gap 3-9`.
pub fn summary(frame: &Value) -> String {
    let of = |field: &str| match &frame[field] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match frame["type"].as_str().expect("a frame has a type") {
        "joined" => format!("joined {} as {}", of("seq"), frame["you"]["member"]),
        "message" if frame["redacted"] == true => format!("{} {} took back", of("seq"), of("nick")),
        "message" => format!("{} {}: {}", of("seq"), of("nick"), of("text")),
        "member_joined" => format!("{} +{}", of("seq"), of("nick")),
        "member_left" if frame.get("seq").is_none() => format!("-{} {}", of("nick"), of("reason")),
        "member_left" => format!("{} -{} {}", of("seq"), of("nick"), of("reason")),
        "member_changed" => {
            let parts = ["nick", "data"].into_iter().filter(|part| frame.get(*part).is_some()).map(of);
            format!("{} {} is {}", of("seq"), of("member"), parts.collect::<Vec<_>>().join(" "))
        }
        "edited" => format!("{} edited {}: {}", of("seq"), of("target"), of("text")),
        "redacted" => format!("{} redacted {}", of("seq"), of("target")),
        "reacted" => {
            let whose = if frame["on"] == true { "by" } else { "no more by" };
            format!("{} {} {} {whose} {} of {}", of("seq"), of("target"), of("name"), of("by"), of("count"))
        }
        "swept" => format!("{} swept {} {}-{}", of("seq"), of("member"), of("from"), of("to")),
        "topic_changed" => format!("{} topic {}", of("seq"), of("topic")),
        "settings_changed" => format!("{} settings {}", of("seq"), of("settings")),
        "role_changed" => format!("{} role {} {}", of("seq"), of("member"), of("role")),
        "notices_changed" => format!("{} notices {}", of("seq"), of("notices")),
        "gap" => format!("gap {}-{}", of("from"), of("to")),
        "resumed" => format!("resumed {}", of("status")),
        "room_closed" => format!("closed {}", of("reason")),
        "read" => format!("read {}", of("through")),
        "error" => format!("error {}", of("code")),
        "closing" => format!("closing {}", of("code")),
        other => other.to_owned(),
    }
}

pub(super) fn text(frame: &Value, field: &str) -> String {
    frame[field].as_str().unwrap_or_else(|| panic!("{field} in {frame}")).to_owned()
}

pub(super) fn number(frame: &Value, field: &str) -> u64 {
    frame[field].as_u64().unwrap_or_else(|| panic!("{field} in {frame}"))
}

pub(super) fn list<'a>(frame: &'a Value, field: &str) -> &'a [Value] {
    frame[field].as_array().unwrap_or_else(|| panic!("{field} in {frame}"))
}
