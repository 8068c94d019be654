//! Frames and records in few words: numbers first, then what they say. A record and its frame are the same words.

use chat_core::wire::{RoomSettings, RoomStatus};
use chat_core::{Content, Event, LeaveReason, MemberId, PersonData, Record, Seq, ServerFrame};
use serde_json::{Map, Value};

/// A frame in few words.
pub(crate) fn summary(frame: &ServerFrame) -> String {
    let by = |by: &Option<MemberId>| by.map_or(String::new(), |by| format!(" by {by}"));
    match frame {
        ServerFrame::Welcome { resumed, rooms, .. } => {
            let rooms: Vec<String> = rooms.iter().map(summary_of_status).collect();
            format!("welcome{} {}", if *resumed { " back" } else { "" }, rooms.join(" ")).trim_end().into()
        }
        ServerFrame::Resumed(status) => format!("resumed {}", summary_of_status(status)),
        ServerFrame::Joined(joined) => {
            let (room, epoch, seq, you) = (&joined.room, joined.epoch, joined.seq, joined.you.member);
            format!("{room} joined {epoch}:{seq} as {you} of {}", joined.members_total)
        }
        ServerFrame::Ack { id, room, seq, .. } => format!("{room} ack{} {seq}", number(*id)),
        ServerFrame::Error { id, code, message, .. } => format!("error{} {code} ({message})", number(*id)),
        ServerFrame::History { id, room, messages, more, more_after, .. } => {
            let seqs: Vec<String> = messages.iter().map(|message| message.frame().seq.to_string()).collect();
            let (before, after) = (if *more { "... " } else { "" }, if *more_after { " ..." } else { "" });
            format!("{room} history{} [{before}{}{after}]", number(*id), seqs.join(" "))
        }
        ServerFrame::Changes { id, room, messages, through, as_of, more, .. } => {
            let seqs: Vec<String> = messages.iter().map(|message| message.seq().to_string()).collect();
            let more = if *more { " more" } else { "" };
            format!("{room} changes{} [{}] through {through} as of {as_of}{more}", number(*id), seqs.join(" "))
        }
        ServerFrame::Members { id, room, members, members_total, .. } => {
            let ids: Vec<String> = members.iter().map(|entry| entry.member.to_string()).collect();
            format!("{room} members{} [{}] of {members_total}", number(*id), ids.join(" "))
        }
        ServerFrame::Message(message) => match message.redacted {
            true => format!("{} {} (redacted)", message.seq, message.nick),
            false => {
                let key = message.key.as_ref().map_or(String::new(), |key| format!(" #{key}"));
                let rest = format!("{}{key} @{}", answers(message.reply_to), message.at);
                let says = says(&message.text, message.data.as_ref());
                format!("{} {}: {says}{}{rest}", message.seq, message.nick, times(message.edited))
            }
        },
        ServerFrame::MemberJoined { seq, nick, member, data, .. } => format!("{seq} +{nick} {member}{}", shown(data)),
        ServerFrame::MemberChanged { seq, member, nick, data, .. } => {
            let nick = nick.as_ref().map_or(String::new(), |nick| format!(" {nick}"));
            let data = data.as_ref().map_or(String::new(), |data| format!(" data{}", shown(data)));
            format!("{seq} {member} is{nick}{data}")
        }
        ServerFrame::MemberLeft { seq: Some(seq), nick, member, reason, by: who, until, .. } => {
            let until = until.map_or(String::new(), |until| format!(" until {until}"));
            format!("{seq} -{nick} {member} {reason}{}{until}", by(who))
        }
        ServerFrame::MemberLeft { room, nick, member, reason, .. } => format!("{room} -{nick} {member} {reason}"),
        ServerFrame::Redacted { seq, target: None, .. } => format!("{seq} redacted"),
        ServerFrame::Edited { seq, target: None, .. } => format!("{seq} edited"),
        ServerFrame::Redacted { seq, target: Some(target), by: who, .. } => {
            format!("{seq} redacted {target}{}", by(who))
        }
        ServerFrame::Edited { seq, target: Some(target), text: None, .. } => format!("{seq} edited {target}"),
        ServerFrame::Edited { seq, target: Some(target), text: Some(text), data, n, by: who, .. } => {
            let n = n.unwrap_or_default();
            format!("{seq} edited {target}{}: {}{}", by(who), says(text, data.as_ref()), times(n))
        }
        ServerFrame::Reacted { seq, target: Some(target), reaction: Some(change), .. } => {
            let (name, by, count) = (&change.name, change.by, change.count);
            format!("{seq} reacted {target} {name} {} by {by} of {count}", if change.on { "on" } else { "off" })
        }
        ServerFrame::Reacted { seq, .. } => format!("{seq} reacted to what is hidden"),
        ServerFrame::Swept { seq, range: Some(range), .. } => {
            format!("{seq} swept {} {}-{}{}", range.member, range.from, range.to, by(&range.by))
        }
        ServerFrame::Swept { seq, .. } => format!("{seq} swept"),
        ServerFrame::TopicChanged { seq, topic, by: who, .. } => format!("{seq} topic {topic:?}{}", by(who)),
        ServerFrame::SettingsChanged { seq, settings, by: who, .. } => {
            format!("{seq} settings {}{}", words(settings), by(who))
        }
        ServerFrame::RoleChanged { seq, member, role, by: who, .. } => {
            format!("{seq} {member} is {role:?}{}", by(who))
        }
        ServerFrame::NoticesChanged { seq, notices, .. } => format!("{seq} notices {notices:?}"),
        ServerFrame::Typing { room, members } => {
            let ids: Vec<String> = members.iter().map(ToString::to_string).collect();
            format!("{room} typing [{}]", ids.join(" "))
        }
        ServerFrame::Live { room, target, text, .. } => format!("{room} live {target} {text:?}"),
        ServerFrame::Signals { room, signals } => {
            let each = signals.iter().map(|signal| format!("{} {}={}", signal.member, signal.name, signal.data));
            format!("{room} signals [{}]", each.collect::<Vec<_>>().join(" "))
        }
        ServerFrame::Read { id, room, read, .. } => {
            format!("{room} read{} through {}, {} left as of {}", number(*id), read.through, read.unread, read.as_of)
        }
        ServerFrame::Presence { room, members, online } => format!("{room} presence {online}/{members}"),
        ServerFrame::Gap { room, from, to, ended, changed_at, .. } => {
            let changed = changed_at.map_or(String::new(), |at| format!(" changed at {at}"));
            format!("{room} gap {from}..{to}{changed}{}", if *ended { " ended" } else { "" })
        }
        ServerFrame::RoomClosed { room, reason, .. } => format!("{room} closed {reason}"),
        ServerFrame::Closing { code, .. } => format!("closing {code}"),
        other => format!("{other:?}"),
    }
}

/// A told record in the words of its frame.
pub(crate) fn summary_of_record(record: &Record) -> String {
    let seq = record.seq.expect("told");
    let by = record.by.map_or(String::new(), |by| format!(" by {by}"));
    let who = record.by.map_or(String::new(), |by| by.to_string());
    match &record.event {
        Event::Joined { nick, data, .. } => format!("{seq} +{} {who}{}", nick.as_str(), shown(data)),
        Event::MemberChanged { member, nick, data, .. } => {
            let nick = nick.as_ref().map_or(String::new(), |nick| format!(" {nick}"));
            let data = data.as_ref().map_or(String::new(), |data| format!(" data{}", shown(data)));
            format!("{seq} {member} is{nick}{data}")
        }
        Event::Left { nick, reason: LeaveReason::Left, .. } => format!("{seq} -{} {who} left", nick.as_str()),
        Event::Left { nick, reason: LeaveReason::Timeout, .. } => format!("{seq} -{} {who} timeout", nick.as_str()),
        Event::Sent { text, data, .. } => {
            let content = Content::text(text.clone()).with_data(data.clone());
            summary_of_message(record, &content, 0)
        }
        Event::Edited { target, content: None, .. } => format!("{seq} edited {target}"),
        Event::Edited { target, content: Some(content), n, .. } => {
            format!("{seq} edited {target}{by}: {}{}", says_of(content), times(*n))
        }
        Event::Redacted { target } => format!("{seq} redacted {target}{by}"),
        Event::Kicked { nick, member, ban: None } => format!("{seq} -{} {member} kicked{by}", nick.as_str()),
        Event::Kicked { nick, member, ban: Some(ban) } => {
            let until = ban.until.map_or(String::new(), |until| format!(" until {until}"));
            format!("{seq} -{} {member} banned{by}{until}", nick.as_str())
        }
        Event::Reacted { target, name, on, count, .. } => {
            format!("{seq} reacted {target} {name} {} by {who} of {count}", if *on { "on" } else { "off" })
        }
        Event::Swept { member, from, to } => format!("{seq} swept {member} {from}-{to}{by}"),
        Event::TopicChanged { topic } => format!("{seq} topic {:?}{by}", topic.as_str()),
        Event::SettingsChanged { settings } => format!("{seq} settings {}{by}", words(&settings.into())),
        Event::RoleChanged { member, role } => format!("{seq} {member} is {role:?}{by}"),
        Event::NoticesChanged { notices } => format!("{seq} notices {notices:?}"),
        other => format!("{seq} never told: {other:?}"),
    }
}

/// A message in the words of its frame, as it is since it was edited so often.
pub(crate) fn summary_of_message(record: &Record, content: &Content, edits: u32) -> String {
    let Event::Sent { nick, keyed, reply_to, .. } = &record.event else { return String::new() };
    let key = keyed
        .as_ref()
        .filter(|_| record.by.is_some())
        .map_or(String::new(), |keyed| format!(" #{}", keyed.key.as_str()));
    let rest = format!("{}{key} @{}", answers(*reply_to), record.at);
    let seq = record.seq.unwrap_or_default();
    format!("{seq} {}: {}{}{rest}", nick.as_str(), says_of(content), times(edits))
}

/// A text, and what a program has attached to it.
pub(crate) fn says(text: &str, data: Option<&Map<String, Value>>) -> String {
    let data = data.map_or(String::new(), |data| format!(" {}", Value::Object(data.clone())));
    format!("{text}{data}")
}

/// The same of a record.
pub(crate) fn says_of(content: &Content) -> String {
    let data = content.data.as_ref().map(|data| serde_json::from_str(data.as_str()).expect("data is one JSON object"));
    says(content.text.as_str(), data.as_ref())
}

fn answers(reply_to: Option<Seq>) -> String {
    reply_to.map_or(String::new(), |seq| format!(" ->{seq}"))
}

fn times(edited: u32) -> String {
    if edited == 0 { String::new() } else { format!(" (edited {edited})") }
}

fn words(settings: &RoomSettings) -> String {
    serde_json::to_string(settings).expect("settings have string keys")
}

fn shown(data: &Option<PersonData>) -> String {
    data.as_ref().map_or(String::new(), |data| format!(" {}", data.as_str()))
}

fn number(id: Option<chat_core::CommandId>) -> String {
    id.map_or(String::new(), |id| format!(" #{}", id.0))
}

fn summary_of_status(status: &RoomStatus) -> String {
    let seq = status.seq.map_or(String::new(), |seq| format!(":{seq}"));
    format!("{}={:?}{seq}", status.room, status.status)
}
