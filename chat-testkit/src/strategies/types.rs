//! Values: valid texts and ids of every sort, a few that collide, and text that nobody should send.

use chat_core::room::HostNames;
use chat_core::{
    Body, Data, Epoch, Identity, Key, Nick, Position, ReactionName, RoomCode, Seq, SignalData, SignalName, Topic,
};
use proptest::char as chars;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Characters that have broken chats: direction overrides, zero-width, stacked marks, surrogates' neighbours, controls,
/// line separators, characters that grow when folded, joined emoji.
const HOSTILE: &[char] = &[
    '\0',
    '\u{7}',
    '\u{8}',
    '\t',
    '\n',
    '\r',
    '\u{1B}',
    ' ',
    '"',
    '\\',
    '\u{7F}',
    '\u{85}',
    '\u{A0}',
    '\u{AD}',
    '\u{130}',
    '\u{300}',
    '\u{323}',
    '\u{34F}',
    '\u{3C2}',
    '\u{430}',
    '\u{61C}',
    '\u{F72}',
    '\u{115F}',
    '\u{1E9E}',
    '\u{200B}',
    '\u{200D}',
    '\u{200E}',
    '\u{202E}',
    '\u{2028}',
    '\u{2029}',
    '\u{2066}',
    '\u{20DD}',
    '\u{2126}',
    '\u{3000}',
    '\u{3164}',
    '\u{D7FF}',
    '\u{E000}',
    '\u{FB03}',
    '\u{FDFA}',
    '\u{FE0F}',
    '\u{FEFF}',
    '\u{FF21}',
    '\u{FFFD}',
    '\u{FFFF}',
    '\u{2764}',
    '\u{2800}',
    '\u{2D7F}',
    '\u{94D}',
    '\u{915}',
    '\u{628}',
    '\u{200C}',
    '\u{1D159}',
    '\u{1F468}',
    '\u{1F3FD}',
    '\u{1F92F}',
    '\u{1F1E6}',
    '\u{E0041}',
    '\u{10FFFF}',
];

/// Nicks of which some look alike: the other names of a line are taken when the first is, and `lan` is no `ian`.
const FEW_NICKS: &[&str] = &[
    "Ann",
    "ann",
    "\u{410}nn", //
    "Bob",
    "B\u{43E}b", //
    "mary",
    "rnary", //
    "Ian",
    "ian",
    "lan", //
    "Cid",
    "Dan",
    "Eve",
    "Zo\u{EB}",
    "\u{91D1} \u{2615}",
];

/// Any text at all, with a liking for what has broken chats, of at most `chars_max` characters.
pub fn hostile_text(chars_max: usize) -> impl Strategy<Value = String> + Clone {
    let character = prop_oneof![
        3 => select(HOSTILE),
        2 => chars::range('a', 'z'),
        2 => chars::any(),
        1 => chars::range('\u{300}', '\u{36F}'),
    ];
    vec(character, 0..=chars_max).prop_map(String::from_iter)
}

/// Any nick that is allowed.
pub fn any_nick() -> impl Strategy<Value = Nick> + Clone {
    let text = prop_oneof![
        4 => "[a-zA-Z0-9_.-]{1,32}",
        2 => "[a-z]{1,8} [A-Z]{1,8}",
        2 => "[\\p{Greek}\\p{Cyrillic}\\p{Han}\\p{Arabic}]{1,12}",
        1 => hostile_text(32),
    ];
    text.prop_filter_map("not a nick", |text| Nick::parse(&text).ok())
}

/// Few nicks, some of which look alike.
pub fn few_nicks() -> impl Strategy<Value = Nick> + Clone {
    select(FEW_NICKS).prop_map(|text| Nick::parse(text).expect("a valid nick"))
}

/// The names of the host in a run: one that others would take, and one of its own.
pub fn host_names() -> HostNames {
    HostNames::parse(["Eve", "Bot"]).expect("valid nicks")
}

/// A name that the host speaks under, one that looks like it, or one that is none of its names.
pub fn few_host_names() -> impl Strategy<Value = Nick> + Clone {
    select(vec!["Bot", "Bot", "b\u{43E}t", "Eve", "Ann"]).prop_map(|text| Nick::parse(text).expect("a valid nick"))
}

/// Any message of at most `chars_max` characters.
pub fn any_body(chars_max: usize) -> impl Strategy<Value = Body> + Clone {
    let short = chars_max.min(40);
    let text = prop_oneof![
        4 => hostile_text(short),
        4 => "[ -~]{1,40}",
        1 => (hostile_text(short), 1..=chars_max).prop_map(|(text, times)| text.repeat(times)),
    ];
    text.prop_filter_map("not a message", move |text| {
        let allowed = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
        Body::parse(&String::from_iter(allowed.take(chars_max)), chars_max).ok()
    })
}

/// Few messages; the longest has 13 characters.
pub fn few_texts() -> impl Strategy<Value = Body> + Clone {
    let texts = vec!["hi", "hello", "h\u{EB}llo \u{1F98A}", "twelve chars", "thirteen char"];
    select(texts).prop_map(|text| Body::parse(text, 13).expect("a valid text"))
}

/// Any object that is allowed: with text of every sort in it, as it may be written, and with lists within lists.
pub fn any_data() -> impl Strategy<Value = Data> + Clone {
    let value = prop_oneof![
        hostile_text(20).prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    let value = value.prop_recursive(6, 24, 4, |inner| vec(inner, 0..4).prop_map(serde_json::Value::from));
    (vec((hostile_text(6), value), 0..4), any::<bool>()).prop_map(|(fields, is_spaced)| {
        let fields: serde_json::Map<String, serde_json::Value> = fields.into_iter().collect();
        let json = match is_spaced {
            true => serde_json::to_string_pretty(&fields).expect("it has string keys"),
            false => serde_json::to_string(&fields).expect("it has string keys"),
        };
        Data::parse(&json, 4_096).expect("an object, and no deeper than it may be")
    })
}

/// Few objects; the longest has more than 10 bytes.
pub fn few_data() -> impl Strategy<Value = Data> + Clone {
    select(vec!["{}", "{\"a\":1}", "{\"a\": 12345}"]).prop_map(|json| Data::parse(json, 100).expect("an object"))
}

/// Any key that is allowed.
pub fn any_key() -> impl Strategy<Value = Key> + Clone {
    "[!-~]{1,64}".prop_map(|text| Key::parse(&text).expect("visible ASCII"))
}

/// Few keys.
pub fn few_keys() -> impl Strategy<Value = Key> + Clone {
    select(vec!["a", "b", "c", "d", "e"]).prop_map(|text| Key::parse(text).expect("visible ASCII"))
}

/// Any name of a signal that is allowed.
pub fn any_signal_name() -> impl Strategy<Value = SignalName> + Clone {
    prop_oneof!["[ -~]{1,32}", hostile_text(8)].prop_filter_map("not a name", |text| SignalName::parse(&text).ok())
}

/// Few names of signals, one of which is longer in a frame.
pub fn few_signal_names() -> impl Strategy<Value = SignalName> + Clone {
    select(vec!["hand", "look", "\"it\""]).prop_map(|text| SignalName::parse(text).expect("a valid name"))
}

/// Any data of a signal that is allowed, as far as this goes: texts, numbers, lists and objects of few.
pub fn any_signal_data() -> impl Strategy<Value = SignalData> + Clone {
    let text = prop_oneof![Just("true".to_owned()), "-?[1-9][0-9]{0,15}", "\"[ !#-Z~]{0,20}\"", Just("{}".to_owned())];
    let list = vec(text.clone(), 0..4).prop_map(|texts| format!("[{}]", texts.join(" , ")));
    let object = (text.clone(), list.clone()).prop_map(|(text, list)| format!("{{\"a\": {text}, \"b\":{list}}}"));
    prop_oneof![text, list, object].prop_map(|json| SignalData::parse(&json).expect("valid data"))
}

/// Few data of signals.
pub fn few_signal_data() -> impl Strategy<Value = SignalData> + Clone {
    select(vec!["true", "[1,2]", "{\"x\":1}"]).prop_map(|json| SignalData::parse(json).expect("valid data"))
}

/// Any topic that is allowed.
pub fn any_topic() -> impl Strategy<Value = Topic> + Clone {
    hostile_text(Topic::CHARS_MAX).prop_map(|text| {
        let is_layout = |c| matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        let allowed = String::from_iter(text.chars().filter(|&c| !c.is_control() && !is_layout(c)));
        Topic::parse(&allowed).expect("one line, and no controls")
    })
}

/// Few topics, one of them none.
pub fn few_topics() -> impl Strategy<Value = Topic> + Clone {
    select(vec!["", "Lunch", "Dinner"]).prop_map(|text| Topic::parse(text).expect("a valid topic"))
}

/// Any room code that is allowed, as a name or drawn.
pub fn any_room_code() -> impl Strategy<Value = RoomCode> + Clone {
    prop_oneof![
        "[A-Za-z0-9-]{3,32}".prop_map(|text| RoomCode::parse(&text).expect("a valid code")),
        any::<[u8; RoomCode::DRAWN_CHARS]>().prop_map(RoomCode::from_draw),
    ]
}

/// Few room codes.
pub fn few_room_codes() -> impl Strategy<Value = RoomCode> + Clone {
    select(vec!["LOBBY", "MY-ROOM", "TLBSWGOC"]).prop_map(|text| RoomCode::parse(text).expect("a valid code"))
}

/// Any identity that is allowed.
pub fn any_identity() -> impl Strategy<Value = Identity> + Clone {
    hostile_text(32).prop_filter_map("not an identity", |text| Identity::new(&text))
}

/// Any position, of any life.
pub fn any_position() -> impl Strategy<Value = Position> + Clone {
    let seq = prop_oneof![0..100_u64, any::<u64>()];
    (any::<u64>(), seq).prop_map(|(epoch, seq)| Position { epoch: Epoch(epoch), seq: Seq(seq) })
}

/// Any name of a reaction.
pub fn any_reaction_name() -> impl Strategy<Value = ReactionName> + Clone {
    let emoji =
        select(vec!["\u{1F44D}", "\u{2764}\u{FE0F}", "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{200D}\u{1F466}"]);
    let name = |text: &str| ReactionName::parse(text).expect("a valid name");
    prop_oneof![
        emoji.prop_map(name),
        "[ -~]{1,32}".prop_map(move |text| name(&text)),
        "[\u{E4}-\u{2FF}]{1,16}".prop_map(move |text| name(&text)),
    ]
}

/// A handful of names of reactions.
pub fn few_reaction_names() -> impl Strategy<Value = ReactionName> + Clone {
    select(vec!["+1", "\u{1F44D}", "x"]).prop_map(|text| ReactionName::parse(text).expect("a valid name"))
}
