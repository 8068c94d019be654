//! The bytes of parcels, as the first version writes them; what is no parcel; and what a feed may hold.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::{BanTerms, Event, Named, Said};
use crate::room::{Actor, Entered, Entry, HistorySlice, SendPermit};
use crate::types::{Body, Identity, Key, Nick, PersonData, RejectCode, Seq, Wall};

fn bytes(json: &str) -> Vec<u8> {
    [&[VERSION], json.as_bytes()].concat()
}

fn room() -> RoomCode {
    RoomCode::parse("LUNCH").expect("a valid code")
}

fn nick(text: &str) -> Nick {
    Nick::parse(text).expect("a valid nick")
}

fn caller() -> Caller {
    Caller { session: SessionId::new(1), generation: Generation(2), identity: None, network: None, named: None }
}

fn record(offset: u64) -> Record {
    Record { offset: Offset(offset), seq: None, at: Wall(5), by: None, event: Event::Protected }
}

fn feed(after: u64, records: &[u64], notes: &[u64]) -> Parcel {
    Parcel::Feed(Box::new(Feed {
        room: room(),
        term: 3,
        fresh: Some(Offset(after)),
        epoch: Some(Epoch(7)),
        after: Offset(after),
        records: records.iter().copied().map(record).collect(),
        notes: notes.iter().map(|offset| (Offset(*offset), Note::Elapsed)).collect(),
    }))
}

/// One of each kind, with what it is written as. Bytes of version 1 are never changed: another program reads them.
fn each_kind() -> Vec<(Parcel, &'static str)> {
    let (session, generation) = (SessionId::new(1), Generation(2));
    let attachment = |network| Attachment { session, generation, member: MemberId(3), begun: Offset(2), network };
    let data = PersonData::parse("{\"id\":2}").expect("valid data");
    let by = Caller {
        identity: Identity::new("ann"),
        network: Some(NetworkTag(u64::MAX)),
        named: Some(Arc::new(Named::new().nick(nick("Ann")).data(data))),
        ..caller()
    };
    let said = Said::from(Body::parse("h\u{ed}", 9).expect("a valid text"));
    let send = Input::Send {
        by,
        said: said.with_reply_to(Seq(4)),
        as_sent: None,
        key: Key::parse("k").ok(),
        permit: SendPermit::Exhausted { retry_after: Duration::new(1, 500) },
    };
    let history = HistorySlice { seqs: vec![Seq(1), Seq(2)], wanted: 5, ..HistorySlice::default() };
    let entered = Entered { member: MemberId(3), from: Seq(9), is_named: false, entry: Entry::Joined, history };
    let full = Feed {
        room: room(),
        term: 3,
        fresh: None,
        epoch: Some(Epoch(7)),
        after: Offset(8),
        records: vec![record(9)],
        notes: vec![
            (Offset(8), Note::Elapsed),
            (Offset(9), Note::Attached { session, generation, member: MemberId(3), network: None }),
        ],
    };
    let refused = Reject::bad_field("nick", "nick is empty").retry_after(Duration::from_secs(1));
    let answers = vec![
        Decided {
            number: 1,
            epoch: Some(Epoch(7)),
            after: Offset(9),
            verdict: Ok(Answer::Entered(Box::new(entered))),
            newer: None,
        },
        Decided { number: 2, epoch: None, after: Offset(0), verdict: Err(refused), newer: Some(Generation(7)) },
    ];
    vec![
        (
            Parcel::Follow {
                room: room(),
                epoch: Some(Epoch(7)),
                attached: vec![attachment(None), attachment(Some(NetworkTag(4)))],
                awaited: vec![(session, generation)],
            },
            r#"{"follow":{"room":"LUNCH","epoch":"0000000000007","attached":[{"session":"00000000000000000000000001","generation":2,"member":3,"begun":2},{"session":"00000000000000000000000001","generation":2,"member":3,"begun":2,"network":4}],"awaited":[["00000000000000000000000001",2]]}}"#,
        ),
        (
            Parcel::Ask { room: room(), number: u64::MAX, follows: true, input: Box::new(send) },
            r#"{"ask":{"room":"LUNCH","number":18446744073709551615,"follows":true,"input":{"send":{"by":{"session":"00000000000000000000000001","generation":2,"identity":"ann","network":18446744073709551615,"named":{"nick":"Ann","data":"{\"id\":2}"}},"said":{"content":{"text":"hí"},"reply_to":4},"key":"k","permit":{"exhausted":{"retry_after":{"secs":1,"nanos":500}}}}}}}"#,
        ),
        (
            Parcel::Detach { room: room(), session, generation },
            r#"{"detach":{"room":"LUNCH","session":"00000000000000000000000001","generation":2}}"#,
        ),
        (
            Parcel::End { room: room(), by: caller(), whole: true },
            r#"{"end":{"room":"LUNCH","by":{"session":"00000000000000000000000001","generation":2},"whole":true}}"#,
        ),
        (Parcel::Unfollow { room: room() }, r#"{"unfollow":{"room":"LUNCH"}}"#),
        (
            Parcel::Feed(Box::new(full)),
            r#"{"feed":{"room":"LUNCH","term":3,"epoch":"0000000000007","after":8,"records":[{"offset":9,"seq":null,"at":5,"by":null,"event":"protected"}],"notes":[[8,"elapsed"],[9,{"attached":{"session":"00000000000000000000000001","generation":2,"member":3}}]]}}"#,
        ),
        (
            Parcel::Answers { room: room(), ahead: true, answers },
            r#"{"answers":{"room":"LUNCH","ahead":true,"answers":[{"number":1,"epoch":"0000000000007","after":9,"verdict":{"answer":{"entered":{"member":3,"from":9,"is_named":false,"entry":"joined","history":{"seqs":[1,2],"wanted":5,"before":0,"sees":0,"more":"no","earlier":null,"newer":{"from":0,"through":0,"count":0,"seqs":[],"newest":null,"forgotten":"no"}}}}}},{"number":2,"after":0,"verdict":{"reject":{"code":"bad_field","message":"nick is empty","field":"nick","retry_after":{"secs":1,"nanos":0}}},"newer":7}]}}"#,
        ),
        (Parcel::Undecided { room: room(), numbers: vec![7, 8] }, r#"{"undecided":{"room":"LUNCH","numbers":[7,8]}}"#),
        (
            Parcel::Ended { number: 7, who: ParcelWho::Session(session), through: session, until: Wall(5) },
            r#"{"ended":{"number":7,"who":{"session":"00000000000000000000000001"},"through":"00000000000000000000000001","until":5}}"#,
        ),
        (
            Parcel::Revoked {
                number: 7,
                identity: Identity::new("ann").expect("an identity"),
                what: ParcelRevoked::RoomsBut(vec![room()]),
            },
            r#"{"revoked":{"number":7,"identity":"ann","what":{"rooms_but":["LUNCH"]}}}"#,
        ),
        (
            Parcel::Revoked {
                number: 8,
                identity: Identity::new("ann").expect("an identity"),
                what: ParcelRevoked::All,
            },
            r#"{"revoked":{"number":8,"identity":"ann","what":"all"}}"#,
        ),
        (
            Parcel::Revoked {
                number: 9,
                identity: Identity::new("ann").expect("an identity"),
                what: ParcelRevoked::Role,
            },
            r#"{"revoked":{"number":9,"identity":"ann","what":"role"}}"#,
        ),
        (
            Parcel::SessionsOf { number: 7, identity: Identity::new("ann").expect("an identity") },
            r#"{"sessions_of":{"number":7,"identity":"ann"}}"#,
        ),
        (
            Parcel::SessionsAre {
                number: 7,
                sessions: vec![ParcelSession { session, is_connected: true, rooms: vec![room()] }],
                more: false,
            },
            r#"{"sessions_are":{"number":7,"sessions":[{"session":"00000000000000000000000001","is_connected":true,"rooms":["LUNCH"]}],"more":false}}"#,
        ),
        (
            Parcel::Add {
                number: 7,
                whom: Whom {
                    identity: Identity::new("ann").expect("an identity"),
                    room: room(),
                    nick: Some(nick("Ann")),
                },
            },
            r#"{"add":{"number":7,"whom":{"identity":"ann","room":"LUNCH","nick":"Ann"}}}"#,
        ),
        (
            Parcel::Added { number: 7, attached: 2, refused: Some(Reject::new(RejectCode::NickTaken, "no")) },
            r#"{"added":{"number":7,"attached":2,"refused":{"code":"nick_taken","message":"no"}}}"#,
        ),
        (Parcel::EndHeard { number: 7 }, r#"{"end_heard":{"number":7}}"#),
        (Parcel::ReadEnded {}, r#"{"read_ended":{}}"#),
        (
            Parcel::Replaced { session, generation },
            r#"{"replaced":{"session":"00000000000000000000000001","generation":2}}"#,
        ),
    ]
}

#[test]
fn a_parcel_of_each_kind_is_written_as_it_ever_was() {
    let kinds = each_kind();
    assert_eq!(kinds.len(), 19);
    for (parcel, json) in kinds {
        assert_eq!(String::from_utf8_lossy(&parcel.encode()[1..]), json);
        assert_eq!(parcel.encode(), bytes(json));
        assert_eq!(Parcel::decode(&bytes(json)).expect(json), parcel);
    }
}

/// What is asked, by its every kind, with all that may be there; a line is never changed.
const INPUTS: [&str; 35] = [
    r#"{"create":{"by":BY,"nick":"Ann","data":"{}","epoch":"0000000000007","salt":18446744073709551615}}"#,
    r#"{"join":{"by":BY,"nick":"Ann","data":"{}","history":5,"after":"0000000000007:17","secret":[1,2]}}"#,
    r#"{"attach":{"by":BY,"after":"0000000000007:17"}}"#,
    r#"{"me":{"by":BY,"change":{"nick":"Ann","data":null}}}"#,
    r#"{"change_member":{"member":1,"change":{"data":"{}"}}}"#,
    r#"{"send":{"by":BY,"said":{"content":{"text":"","data":"{\"a\": 1}"},"reply_to":null},"as_sent":{"content":{"text":"a"},"reply_to":1},"key":"k","permit":"paid"}}"#,
    r#"{"edit":{"by":BY,"target":1,"content":{"text":"a"},"as_sent":{"text":"b","data":"{}"},"key":"k","permit":"paid","evidence":{"epoch":"0000000000007","by":1,"at":2,"content":{"text":""},"edits":3,"is_taken_back":true,"as_of":4}}}"#,
    r#"{"leave":{"by":BY}}"#,
    r#"{"say":{"name":"Bot","said":{"content":{"text":"hi"},"reply_to":null},"key":"k"}}"#,
    r#"{"history":{"by":BY,"anchor":"newest"}}"#,
    r#"{"history":{"by":BY,"anchor":{"around":7},"limit":5}}"#,
    r#"{"changes":{"by":BY,"after":7}}"#,
    r#"{"members":{"by":BY,"after":1,"limit":5}}"#,
    r#"{"members":{"by":"host","after":1,"limit":5}}"#,
    r#"{"history":{"by":"host","anchor":"newest"}}"#,
    r#"{"typing":{"by":BY,"state":"on"}}"#,
    r#"{"live":{"by":BY,"target":7,"text":"a"}}"#,
    r#"{"signal":{"by":BY,"name":"hand","data":"[1]"}}"#,
    r#"{"read":{"by":BY,"through":7}}"#,
    r#"{"react":{"by":BY,"target":7,"name":"+1","on":true,"key":"k"}}"#,
    r#"{"redact":{"by":{"member":BY},"target":7}}"#,
    r#"{"settle":{"through":7}}"#,
    r#"{"kick":{"by":"host","member":1}}"#,
    r#"{"ban":{"by":"host","member":1,"terms":{"minutes":5,"network":true,"sweep":false}}}"#,
    r#"{"unban":{"by":"host","ban":1}}"#,
    r#"{"bans":{"by":"host","after":1,"limit":5}}"#,
    r#"{"redact_all":{"by":"host","member":1,"from":7}}"#,
    r#"{"set_topic":{"by":"host","topic":""}}"#,
    r#"{"settings":{"by":"host","change":{"slow_ms":1,"locked":true,"read_only":false,"secret":[1,2],"history":"all","listed":true}}}"#,
    r#"{"settings":{"by":"host","change":{"secret":null,"history":5}}}"#,
    r#"{"set_role":{"by":"host","member":1,"role":"moderator"}}"#,
    r#"{"invite":{"identity":"ann"}}"#,
    r#"{"erase":{"identity":"ann","alias":"00000000000000000000000007","members":[1,2],"is_told_of":true}}"#,
    r#"{"erased":{"alias":"00000000000000000000000007"}}"#,
    r#"{"scrubbed":{"through":5}}"#,
];
const INPUTS_WITHOUT_MORE: [&str; 4] = [r#""protect""#, r#""look""#, r#"{"close":{"cause":"host"}}"#, r#""elapsed""#];

/// What an owner notes; a line is never changed.
const NOTES: [&str; 11] = [
    r#"{"attached":{"session":"00000000000000000000000001","generation":2,"member":3,"network":4}}"#,
    r#"{"detached":{"session":"00000000000000000000000001","generation":2}}"#,
    r#"{"typing":{"member":3,"state":"off"}}"#,
    r#"{"live":{"member":3,"target":7,"text":"a"}}"#,
    r#"{"live":{"member":3,"target":7}}"#,
    r#"{"signal":{"member":3,"name":"hand","data":"{}"}}"#,
    r#"{"signal":{"member":3,"name":"hand"}}"#,
    r#"{"read":{"member":3,"through":7}}"#,
    r#""elapsed""#,
    r#""recovered""#,
    r#"{"typing":{"member":3,"state":"on"}}"#,
];

/// What an owner answers; a line is never changed.
const ANSWERS: [&str; 15] = [
    r#"{"answer":{"entered":{"member":3,"from":9,"is_named":true,"entry":"attached","history":{"seqs":[],"wanted":0,"before":0,"sees":0,"more":"yes","earlier":1,"newer":{"from":1,"through":2,"count":3,"seqs":[4],"newest":5,"forgotten":"yes"}}}}}"#,
    r#"{"answer":{"sent":{"seq":7,"at":5,"repeated":"first"}}}"#,
    r#"{"answer":{"sent":{"seq":7,"at":5,"repeated":"retry"}}}"#,
    r#"{"answer":{"left":{"seq":7}}}"#,
    r#"{"answer":{"done":{"seq":7}}}"#,
    r#"{"answer":{"history":{"seqs":[1],"wanted":2,"before":3,"sees":4,"more":"no","earlier":null,"newer":{"from":0,"through":0,"count":0,"seqs":[],"newest":null,"forgotten":"no"}}}}"#,
    r#"{"answer":{"changes":{"after":1,"changed":[{"target":2,"change":3}],"swept":[{"member":1,"from":2,"to":3,"change":4}],"through":4,"more":"no"}}}"#,
    r#"{"answer":{"members":{"page":[1,2],"total":3}}}"#,
    r#"{"answer":{"read":{"through":1,"unread":2,"as_of":3}}}"#,
    r#"{"answer":{"bans":{"page":[{"ban":1,"member":2,"nick":"Ann","by":null,"at":5,"until":null,"network":true}],"more":"yes"}}}"#,
    r#"{"answer":{"invited":{"until":5,"nick":"Ann"}}}"#,
    r#"{"answer":{"invited":{}}}"#,
    r#"{"answer":{"erased":{"is_owed":true}}}"#,
    r#"{"answer":"nothing"}"#,
    r#"{"reject":{"code":"banned","message":"no","until":5}}"#,
];

#[test]
fn everything_that_is_asked_noted_or_answered_is_read_and_would_be_written_as_it_was() {
    let by = r#"{"session":"00000000000000000000000001","generation":2}"#;
    let feed = |note: &&str| {
        format!(r#"{{"feed":{{"room":"LUNCH","term":3,"fresh":8,"after":8,"records":[],"notes":[[8,{note}]]}}}}"#)
    };
    let answer = |answer: &&str| {
        format!(
            r#"{{"answers":{{"room":"LUNCH","ahead":false,"answers":[{{"number":1,"after":8,"verdict":{answer}}}]}}}}"#
        )
    };
    let ask = |input: &&str| {
        format!(r#"{{"ask":{{"room":"LUNCH","number":1,"follows":false,"input":{}}}}}"#, input.replace("BY", by))
    };
    let asked = INPUTS.iter().chain(&INPUTS_WITHOUT_MORE).map(ask);
    let noted = NOTES.iter().map(feed);
    let answered = ANSWERS.iter().map(answer);
    for json in asked.chain(noted).chain(answered) {
        let parcel = Parcel::decode(&bytes(&json)).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(String::from_utf8_lossy(&parcel.encode()[1..]), json);
    }
}

/// The same, with another text in the place of one that stands there as a value; each in turn. What may be empty is left as it is.
fn with_other_texts(json: &str) -> Vec<String> {
    let mut others = Vec::new();
    let mut at = 0;
    while let Some(start) = json[at..].find('"').map(|found| at + found) {
        let mut is_escaped = false;
        let end = json[start + 1..].find(|c| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        });
        at = start + 2 + end.expect("a text has an end");
        if !json[at..].starts_with(':') && at > start + 2 {
            others.push(format!("{}\"\\u0001\"{}", &json[..start], &json[at..]));
        }
    }
    others
}

#[test]
fn no_text_is_taken_from_another_server_that_a_client_could_not_say() {
    let by = r#"{"session":"00000000000000000000000001","generation":2,"identity":"ann","named":{"nick":"Ann","data":"{}"}}"#;
    let inputs = INPUTS.iter().flat_map(|input| with_other_texts(&input.replace("BY", by)));
    let asks: Vec<String> = inputs
        .map(|input| format!(r#"{{"ask":{{"room":"LUNCH","number":1,"follows":false,"input":{input}}}}}"#))
        .collect();
    let notes: Vec<String> = NOTES
        .iter()
        .flat_map(|note| with_other_texts(note))
        .map(|note| {
            format!(r#"{{"feed":{{"room":"LUNCH","term":3,"fresh":8,"after":8,"records":[],"notes":[[8,{note}]]}}}}"#)
        })
        .collect();
    assert!(asks.len() > 80 && notes.len() > 8, "{} and {}", asks.len(), notes.len());
    for json in asks.iter().chain(&notes) {
        // Whatever the policy has told a person apart by, it may be.
        if !json.contains(r#""identity":"\u0001""#) {
            assert!(matches!(Parcel::decode(&bytes(json)), Err(BadParcel::Unreadable(_))), "{json}");
        }
    }
}

#[test]
fn what_is_not_known_is_refused_and_what_it_is_said() {
    let ask =
        |input: &str| bytes(&format!(r#"{{"ask":{{"room":"LUNCH","number":1,"follows":false,"input":{input}}}}}"#));
    for (bytes, says) in [
        (bytes(r#"{"dance":{"room":"LUNCH"}}"#), "unknown variant `dance`"),
        (bytes(r#"{"unfollow":{"room":"LUNCH","why":1}}"#), "unknown field `why`"),
        (bytes(r#"{"unfollow":{}}"#), "missing field `room`"),
        (bytes(r#"{"unfollow":{"room":"no room"}}"#), "room is 3 to 32 letters"),
        (bytes(r#"{"unfollow":{"room":"LUNCH","room":"LUNCH"}}"#), "duplicate field `room`"),
        (ask(r#"{"dance":{}}"#), "unknown variant `dance`"),
        (ask(r#"{"settle":{"through":1,"from":1}}"#), "unknown field `from`"),
        (ask(r#"{"settings":{"by":"host","change":{"loud":true}}}"#), "unknown field `loud`"),
        (ask(r#"{"ban":{"by":"host","member":1,"terms":{"minutes":0,"network":true,"sweep":true}}}"#), "nonzero"),
        (ask(r#"{"close":{"cause":"bored"}}"#), "unknown variant `bored`"),
        (ask(r#"{"set_topic":{"by":"host","topic":"a\nb"}}"#), "topic holds U+000A"),
    ] {
        let refused = Parcel::decode(&bytes).expect_err("it is not known").to_string();
        assert!(refused.starts_with("a parcel that cannot be read: ") && refused.contains(says), "{refused}");
    }
}

#[test]
fn a_parcel_is_one_value_of_a_known_version_and_no_longer_than_it_may_be() {
    let parcel = Parcel::Unfollow { room: room() };
    let whole = parcel.encode();
    for end in 0..whole.len() {
        assert!(matches!(Parcel::decode(&whole[..end]), Err(BadParcel::Unreadable(_))), "{end} bytes of it");
    }
    for more in [&b" "[..], b"\n", b"}", b"{}", b"\0", &whole[1..]] {
        let longer = [&whole, more].concat();
        assert!(matches!(Parcel::decode(&longer), Err(BadParcel::Unreadable(_))), "{longer:?}");
        let longer = [&[VERSION], more, &whole[1..]].concat();
        assert!(matches!(Parcel::decode(&longer), Err(BadParcel::Unreadable(_))), "{longer:?}");
    }
    for version in (0..=u8::MAX).filter(|version| *version != VERSION) {
        let other = [&[version], &whole[1..]].concat();
        assert!(matches!(Parcel::decode(&other), Err(BadParcel::Version(said)) if said == version));
    }
    let message = "x".repeat(Parcel::BYTES_MAX);
    let sized = |bytes: usize| {
        let rest = r#"{"answers":{"room":"LUNCH","ahead":true,"answers":[{"number":1,"after":0,"verdict":{"reject":{"code":"busy","message":""}}}]}}"#;
        let (before, after) = rest.split_at(rest.find("\"}}}]").expect("the end of the message"));
        [&[VERSION], before.as_bytes(), &message.as_bytes()[..bytes - 1 - rest.len()], after.as_bytes()].concat()
    };
    assert!(Parcel::decode(&sized(Parcel::BYTES_MAX)).is_ok());
    let longer = Parcel::decode(&sized(Parcel::BYTES_MAX + 1));
    assert!(matches!(longer, Err(BadParcel::TooLong(bytes)) if bytes == Parcel::BYTES_MAX + 1), "{longer:?}");
}

#[test]
fn the_records_of_a_feed_follow_one_another_and_notes_lie_among_them() {
    let read = |parcel: Parcel| Parcel::decode(&parcel.encode()).map_err(|error| error.to_string());
    for good in [
        feed(8, &[], &[]),
        feed(8, &[9, 10], &[]),
        feed(8, &[9, 10], &[8, 9, 9, 10]),
        feed(8, &[], &[8]),
        feed(0, &[1], &[0]),
        feed(u64::MAX, &[], &[u64::MAX]),
    ] {
        assert_eq!(read(good.clone()), Ok(good));
    }
    for bad in [&[8][..], &[10], &[9, 9], &[9, 11], &[0]] {
        let refused = read(feed(8, bad, &[])).expect_err("a hole");
        assert!(refused.contains("do not follow one another"), "{bad:?}: {refused}");
    }
    for bad in [&[7][..], &[10], &[9, 8], &[u64::MAX]] {
        let refused = read(feed(8, &[9], bad)).expect_err("elsewhere");
        assert!(refused.contains("do not lie among"), "{bad:?}: {refused}");
    }
    assert!(read(feed(u64::MAX, &[0], &[])).is_err_and(|refused| refused.contains("too many")));
}

#[test]
fn what_a_later_program_refuses_for_is_unavailable_here_and_costs_nothing_else() {
    let json = r#"{"answers":{"room":"LUNCH","ahead":true,"answers":[{"number":1,"after":0,"verdict":{"reject":{"code":"too_loud","message":"too loud","field":"volume","unit":"decibels"}}},{"number":2,"after":0,"verdict":{"answer":"nothing"}}]}}"#;
    let Ok(Parcel::Answers { answers, .. }) = Parcel::decode(&bytes(json)) else { panic!("it is read") };
    let verdicts: Vec<_> = answers.into_iter().map(|decided| decided.verdict).collect();
    assert_eq!(verdicts, [Err(Reject::new(RejectCode::Unavailable, "too loud")), Ok(Answer::Nothing)]);
}

#[test]
fn what_moderates_arrives_as_who_it_is() {
    let terms = BanTerms::lasting(NonZeroU32::MAX).with_network().with_sweep();
    for by in [Actor::Host, Actor::Member(caller())] {
        let input = Input::Ban { by, member: MemberId(u32::MAX), terms };
        let ask = Parcel::Ask { room: room(), number: 0, follows: false, input: Box::new(input) };
        assert_eq!(Parcel::decode(&ask.encode()).expect("it is read"), ask);
    }
}
