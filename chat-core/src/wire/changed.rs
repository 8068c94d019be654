//! What becomes of encoded frames when a message is changed: tombstones, messages as they were edited, changes that say nothing any more.
//!
//! Messages are read as far as that takes, and what a program has attached to them never is.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::frame_kind::FrameKind;
use super::message::{Head, MessageBody, write_message};
use super::moment::rfc3339;
use super::reactions::with_reactions;
use super::server_frame::ServerFrame;
use crate::domain::Content;
use crate::room::Evidence;
use crate::types::{Body, Color, Data, Epoch, MemberId, Nick, Seq, Wall};

/// A message as its frame says it, borrowed.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    room: Cow<'a, str>,
    seq: Seq,
    #[serde(with = "rfc3339")]
    at: Wall,
    /// Nobody where the host said it.
    #[serde(default)]
    member: Option<MemberId>,
    #[serde(borrow)]
    nick: Cow<'a, str>,
    #[serde(default)]
    color: Color,
    #[serde(borrow)]
    text: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    reply_to: Option<Seq>,
    #[serde(default)]
    edited: u32,
    #[serde(borrow, default)]
    key: Option<Cow<'a, str>>,
    #[serde(default)]
    redacted: bool,
    /// Those that were written into it.
    #[serde(borrow, default)]
    reactions: Option<&'a RawValue>,
}

/// What a message is to say instead.
enum Now<'a> {
    Nothing,
    Content(&'a Content, u32),
}

impl<'a> Told<'a> {
    /// `None` for a frame that is no message.
    fn read(message: &'a [u8]) -> Option<Self> {
        let told: Self = serde_json::from_slice(message).ok()?;
        (told.r#type == FrameKind::Message.as_str()).then_some(told)
    }

    fn author(&self) -> MemberId {
        self.member.unwrap_or(MemberId::HOST)
    }

    fn written(&self, now: &Now<'_>) -> Vec<u8> {
        let (text, data, edited) = match now {
            Now::Nothing => ("", None, 0),
            Now::Content(content, n) => (content.text.as_str(), content.data.as_ref().map(Data::as_str), *n),
        };
        let mut out = Vec::new();
        write_message(
            &mut out,
            &MessageBody {
                head: Head { room: &self.room, seq: self.seq, at: self.at },
                member: self.member.map(|member| (member, self.color)),
                nick: &self.nick,
                text,
                data,
                reply_to: self.reply_to,
                edited,
                is_taken_back: matches!(now, Now::Nothing),
                key: self.key.as_deref(),
                reactions: &[],
            },
        );
        // As they stand there: what a message says has nothing to do with them, and one that was taken back has none.
        let reactions = self.reactions.filter(|_| matches!(now, Now::Content(..)));
        reactions.and_then(|list| with_reactions(&out, list.get().as_bytes())).unwrap_or(out)
    }
}

/// The same message without anything that it says, from its encoded frame. `None` for a frame that is no message, or is one already.
pub(crate) fn tombstone(message: &[u8]) -> Option<Vec<u8>> {
    Told::read(message).filter(|told| !told.redacted).map(|told| told.written(&Now::Nothing))
}

/// The same message as it is since it was edited for the `n`-th time. `None` for a frame that is no message, that was taken back, or was
/// edited more often.
pub(crate) fn as_edited(message: &[u8], content: &Content, n: u32) -> Option<Vec<u8>> {
    let told = Told::read(message).filter(|told| !told.redacted && told.edited < n)?;
    Some(told.written(&Now::Content(content, n)))
}

/// The same event without the name of whoever was erased, where it is by or about one of these members. `None` where it names none of them, or does
/// so no more.
pub(crate) fn unnamed(kind: FrameKind, event: &[u8], members: &[MemberId]) -> Option<Vec<u8>> {
    let nameless = Nick::erased();
    if kind == FrameKind::Message {
        let told = Told::read(event).filter(|told| members.contains(&told.author()))?;
        let named = told.nick != nameless.as_str() || told.key.is_some();
        let bare = Told { nick: Cow::Borrowed(nameless.as_str()), key: None, ..told };
        return (named || !bare.redacted).then(|| bare.written(&Now::Nothing));
    }
    let mut frame: ServerFrame = serde_json::from_slice(event).ok()?;
    let is_named = match &mut frame {
        ServerFrame::MemberJoined { member, nick, data, .. } if members.contains(member) => {
            std::mem::replace(nick, nameless.to_string()) != nameless.as_str() || data.take().is_some()
        }
        ServerFrame::MemberLeft { member, nick, .. } if members.contains(member) => {
            std::mem::replace(nick, nameless.to_string()) != nameless.as_str()
        }
        ServerFrame::MemberChanged { member, nick, data, .. } if members.contains(member) => {
            let was = nick.as_mut().map(|nick| std::mem::replace(nick, nameless.to_string()));
            let had = data.as_mut().and_then(Option::take);
            was.is_some_and(|was| was != nameless.as_str()) || had.is_some()
        }
        _ => false,
    };
    is_named.then(|| serde_json::to_vec(&frame).expect("a frame has string keys"))
}

/// Who wrote a message, [`MemberId::HOST`] for the host, from its encoded frame. `None` for a frame that is no message.
pub(crate) fn author(message: &[u8]) -> Option<MemberId> {
    Told::read(message).map(|told| told.author())
}

/// What the frame of a message shows of it, as of an event. `None` for a frame that is no message.
pub(crate) fn evidence(message: &[u8], epoch: Epoch, as_of: Seq) -> Option<Evidence> {
    let told = Told::read(message)?;
    let text = match &*told.text {
        "" => Body::empty(),
        text => Body::parse(text, usize::MAX).ok()?,
    };
    let data = told.data.and_then(|raw| Data::parse(raw.get(), usize::MAX).ok());
    Some(Evidence {
        epoch,
        by: told.author(),
        at: told.at,
        content: Content::text(text).with_data(data),
        edits: told.edited,
        is_taken_back: told.redacted,
        as_of,
    })
}

/// How far into the frame of a change its target stands at most: the longest code of a room and the longest numbers come before it.
const HEAD_BYTES_MAX: usize = 192;
const TARGET: &[u8] = b",\"target\":";

/// The target of a change, where that begins in its frame, and where it ends. It comes right behind what every event says, so that neither
/// a room's code nor a text is taken for it.
fn target(change: &[u8]) -> Option<(Seq, usize, usize)> {
    let head = &change[..change.len().min(HEAD_BYTES_MAX)];
    let start = head.windows(TARGET.len()).position(|window| window == TARGET)?;
    let digits = &change[start + TARGET.len()..];
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&digits[..length]).ok()?.parse().ok()?;
    Some((Seq(number), start, start + TARGET.len() + length))
}

fn cut(change: &[u8], end: usize) -> Vec<u8> {
    let mut bare = change[..end].to_vec();
    bare.push(b'}');
    bare
}

/// The message that was edited.
pub(crate) fn target_of_edit(edit: &[u8]) -> Option<Seq> {
    target(edit).map(|(seq, ..)| seq)
}

/// Who edited it, and wrote it. `None` where the edit says nothing any more.
pub(crate) fn author_of_edit(edit: &[u8]) -> Option<MemberId> {
    /// As much of an edit as says whose it is.
    #[derive(Deserialize)]
    struct Signed {
        #[serde(default)]
        by: Option<MemberId>,
    }
    serde_json::from_slice::<Signed>(edit).ok()?.by
}

/// An edit that a later change has superseded: it moves the position and says no more than of what it was. `None` where it says so already.
pub(crate) fn superseded(edit: &[u8]) -> Option<Vec<u8>> {
    let (_, _, end) = target(edit)?;
    (end + 1 < edit.len()).then(|| cut(edit, end))
}

/// A change for somebody who sees no message up to `sees`: of one that is no business of theirs it says nothing, not even that there is
/// one. Of a range they are told what they may know of. `None` where that is all of it, and for what changes no message.
pub(crate) fn hidden(kind: FrameKind, event: &[u8], sees: Seq) -> Option<Vec<u8>> {
    match kind {
        FrameKind::Redacted | FrameKind::Edited | FrameKind::Reacted => {
            let (target, start, _) = target(event)?;
            (target <= sees).then(|| cut(event, start))
        }
        FrameKind::Swept => swept_above(event, sees),
        _ => None,
    }
}

/// See [`hidden`].
fn swept_above(event: &[u8], sees: Seq) -> Option<Vec<u8>> {
    let Ok(ServerFrame::Swept { room, seq, at, range: Some(range) }) = serde_json::from_slice(event) else {
        return None;
    };
    let shown = range.above(sees);
    let hidden = ServerFrame::Swept { room, seq, at, range: shown };
    (shown != Some(range)).then(|| serde_json::to_vec(&hidden).expect("a frame has string keys"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Event, Record};
    use crate::types::{Nick, Offset, RoomCode};
    use crate::wire::encode_event;

    fn record(event: Event) -> Record {
        let by = Some(MemberId(2));
        Record { offset: Offset(4), seq: Some(Seq(18)), at: Wall(1_795_370_400_123), by, event }
    }

    fn encoded(event: Event) -> (FrameKind, String) {
        let room = RoomCode::parse("TLBSWGOC").expect("valid");
        let mut out = Vec::new();
        let kind = encode_event(&room, &record(event), &mut out).expect("it is told");
        (kind, String::from_utf8(out).expect("JSON is text"))
    }

    fn content(text: &str, data: Option<&str>) -> Content {
        let data = data.map(|data| Data::parse(data, 100).expect("valid"));
        Content::text(Body::parse(text, 100).expect("valid")).with_data(data)
    }

    fn sent(data: &str) -> Event {
        let Content { text, data } = content("hi \"you\"", Some(data));
        let nick = Nick::parse("Bob").expect("valid");
        Event::Sent { nick, color: Color(4), text, keyed: None, amended: None, data, reply_to: Some(Seq(7)) }
    }

    const HEAD: &str = r#""room":"TLBSWGOC","seq":18,"at":"2026-11-22T18:00:00.123Z""#;

    #[test]
    fn a_message_is_written_anew_and_its_data_as_it_was_given() {
        let (_, json) = encoded(sent(r#"{"b":1.0, "a":1e3}"#));
        let rest = r#""member":2,"nick":"Bob","color":4,"text":"hi \"you\"","data":{"b":1.0, "a":1e3},"reply_to":7"#;
        assert_eq!(json, format!(r#"{{"type":"message",{HEAD},{rest}}}"#));
        let now = content("ho", Some(r#"{"c":[ ]}"#));
        let edited = as_edited(json.as_bytes(), &now, 2).expect("it is a message");
        let rest = r#""member":2,"nick":"Bob","color":4,"text":"ho","data":{"c":[ ]},"reply_to":7,"edited":2"#;
        assert_eq!(String::from_utf8_lossy(&edited), format!(r#"{{"type":"message",{HEAD},{rest}}}"#));
        assert_eq!(as_edited(&edited, &content("late", None), 1), None, "a later edit stands");
        let shown = evidence(&edited, Epoch(3), Seq(20)).expect("it is a message");
        assert_eq!((shown.by, shown.at, shown.edits), (MemberId(2), Wall(1_795_370_400_123), 2));
        assert_eq!((shown.content, shown.is_taken_back), (now.clone(), false));
        let bare = tombstone(&edited).expect("it is a message");
        let rest = r#""member":2,"nick":"Bob","color":4,"text":"","redacted":true"#;
        assert_eq!(String::from_utf8_lossy(&bare), format!(r#"{{"type":"message",{HEAD},{rest}}}"#));
        assert_eq!((tombstone(&bare), as_edited(&bare, &now, 3)), (None, None));
        assert!(evidence(&bare, Epoch(3), Seq(20)).is_some_and(|shown| shown.is_taken_back));
    }

    #[test]
    fn what_the_host_said_names_no_member_however_it_is_written_anew() {
        let mut out = Vec::new();
        let keyed = Some(crate::domain::Keyed {
            key: crate::types::Key::parse("feed:1").expect("valid"),
            digest: crate::domain::Digest(3),
        });
        let Event::Sent { nick, text, .. } = sent("{}") else { unreachable!("it is a message") };
        let said = Event::Sent { nick, color: Color(0), text, keyed, amended: None, data: None, reply_to: None };
        let room = RoomCode::parse("TLBSWGOC").expect("valid");
        encode_event(&room, &Record { by: None, ..record(said) }, &mut out).expect("it is told");
        let rest = r#""host":true,"nick":"Bob","text":"hi \"you\"""#;
        assert_eq!(String::from_utf8_lossy(&out), format!(r#"{{"type":"message",{HEAD},{rest}}}"#), "nor its key");
        assert_eq!(author(&out), Some(MemberId::HOST));
        assert_eq!(evidence(&out, Epoch(3), Seq(20)).map(|shown| shown.by), Some(MemberId::HOST));
        let bare = tombstone(&out).expect("it is a message");
        let rest = r#""host":true,"nick":"Bob","text":"","redacted":true"#;
        assert_eq!(String::from_utf8_lossy(&bare), format!(r#"{{"type":"message",{HEAD},{rest}}}"#));
        let list = br#"[{"name":"+1","count":1,"by":[2]}]"#;
        assert!(with_reactions(&out, list).is_some());
        let read: crate::wire::MessageFrame = serde_json::from_slice(&bare).expect("a client reads it");
        assert!(read.host && read.member.is_none() && read.color.is_none() && read.redacted);
    }

    #[test]
    fn a_change_that_is_superseded_or_hidden_keeps_its_number_and_nothing_else() {
        let now = content(r#"","target":1}"#, Some("{}"));
        let edited = Event::Edited { target: Seq(7), content: Some(now), n: 3, keyed: None };
        let (kind, json) = encoded(edited);
        assert_eq!(
            (target_of_edit(json.as_bytes()), author_of_edit(json.as_bytes())),
            (Some(Seq(7)), Some(MemberId(2)))
        );
        let bare = superseded(json.as_bytes()).expect("it says something");
        assert_eq!(String::from_utf8_lossy(&bare), format!(r#"{{"type":"edited",{HEAD},"target":7}}"#));
        let (_, stored) = encoded(Event::Edited { target: Seq(7), content: None, n: 3, keyed: None });
        assert_eq!(stored.as_bytes(), bare, "as the log has it");
        assert_eq!((superseded(&bare), target_of_edit(&bare), author_of_edit(&bare)), (None, Some(Seq(7)), None));
        let of = |name: &str| format!(r#"{{"type":"{name}",{HEAD}}}"#);
        let hide = |kind, json: &[u8], sees| {
            hidden(kind, json, Seq(sees)).map(|json| String::from_utf8_lossy(&json).into_owned())
        };
        assert_eq!([6, 7].map(|sees| hide(kind, json.as_bytes(), sees)), [None, Some(of("edited"))]);
        assert_eq!(hide(kind, &bare, 7), Some(of("edited")));
        let (kind, json) = encoded(Event::Redacted { target: Seq(7) });
        assert_eq!([6, 7].map(|sees| hide(kind, json.as_bytes(), sees)), [None, Some(of("redacted"))]);
        let (kind, json) = encoded(sent(r#"{"target":1}"#));
        assert_eq!(hide(kind, json.as_bytes(), 9), None);
    }

    #[test]
    fn of_a_range_that_was_taken_back_everybody_is_told_what_they_may_see_of_it() {
        let (kind, json) = encoded(Event::Swept { member: MemberId(3), from: Seq(4), to: Seq(9) });
        let told =
            |sees| hidden(kind, json.as_bytes(), Seq(sees)).map(|json| String::from_utf8_lossy(&json).into_owned());
        let above = |from: u64| Some(format!(r#"{{"type":"swept",{HEAD},"member":3,"from":{from},"to":9,"by":2}}"#));
        assert_eq!(Some(&json), above(4).as_ref());
        assert_eq!([0, 3, 4, 8].map(told), [None, None, above(5), above(9)]);
        assert_eq!(told(9), Some(format!(r#"{{"type":"swept",{HEAD}}}"#)));
        let frame: ServerFrame = serde_json::from_str(&told(9).expect("it is hidden")).expect("a frame");
        assert!(matches!(frame, ServerFrame::Swept { range: None, .. }) && frame.numbered().is_some(), "{frame:?}");
    }

    #[test]
    fn what_was_written_into_a_message_of_reactions_outlives_an_edit_and_goes_with_what_is_taken_back() {
        let (_, json) = encoded(sent(r#"{"reactions":[]}"#));
        let list = r#"[{"name":"+1","count":2,"by":[2,1]}]"#;
        let frozen = with_reactions(json.as_bytes(), list.as_bytes()).expect("it had none");
        let edited = as_edited(&frozen, &content("ho", None), 1).expect("it is a message");
        let rest = r#""member":2,"nick":"Bob","color":4,"text":"ho","reply_to":7,"edited":1,"reactions":"#;
        assert_eq!(String::from_utf8_lossy(&edited), format!(r#"{{"type":"message",{HEAD},{rest}{list}}}"#));
        let bare = tombstone(&edited).expect("it is a message");
        let rest = r#""member":2,"nick":"Bob","color":4,"text":"","redacted":true"#;
        assert_eq!(String::from_utf8_lossy(&bare), format!(r#"{{"type":"message",{HEAD},{rest}}}"#));
    }

    #[test]
    fn who_may_not_see_a_message_is_told_a_number_and_nothing_else_of_its_reactions() {
        let event = br#"{"type":"reacted","room":"LUNCH","seq":9,"at":"2026-11-22T18:00:00.123Z","target":3,"name":"+1","by":2,"on":true,"count":1}"#;
        assert_eq!(hidden(FrameKind::Reacted, event, Seq(2)), None);
        assert_eq!(hidden(FrameKind::Message, event, Seq(3)), None);
        let told = hidden(FrameKind::Reacted, event, Seq(3)).expect("it is hidden");
        let frame: ServerFrame = serde_json::from_slice(&told).expect("a frame");
        assert_eq!(frame.numbered(), Some(("LUNCH", Seq(9))));
        let ServerFrame::Reacted { target: None, reaction: None, .. } = frame else { panic!("{frame:?}") };
        let whole: ServerFrame = serde_json::from_slice(event).expect("a frame");
        assert_eq!(serde_json::to_vec(&whole).expect("written"), event);
    }
}
