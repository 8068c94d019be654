//! The checks that fuzzers run, in short: any bytes, and every file of the corpus.

use chat_testkit::checks;
use chat_testkit::strategies::cases;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Bytes of one case, at most.
const BYTES_MAX: usize = 600;

fn config(default_cases: u32) -> ProptestConfig {
    ProptestConfig { cases: cases(default_cases), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn a_room_does_what_the_model_does_whatever_the_bytes(data in vec(any::<u8>(), 0..BYTES_MAX)) {
        checks::room_commands(&data);
    }

    #[test]
    fn a_reader_misses_nothing_whatever_the_bytes(data in vec(any::<u8>(), 0..BYTES_MAX)) {
        checks::session_ops(&data);
    }

    #[test]
    fn only_what_was_signed_resumes_whatever_the_bytes(data in vec(any::<u8>(), 0..40)) {
        checks::cursor_token(&data);
    }
}

proptest! {
    #![proptest_config(config(1_000))]

    #[test]
    fn a_frame_is_read_or_refused_whatever_the_bytes(data in any_frame()) {
        checks::client_frame(&data);
    }

    #[test]
    fn a_parcel_is_read_or_refused_whatever_the_bytes(data in any_parcel()) {
        checks::parcel(&data);
    }
}

/// Bytes that are often nearly a frame.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        Just("null".to_owned()),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|state| state.to_string()),
        "\"[!#-Z^-~]{0,40}\"",
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        r#"(\[|\{"a": ?){0,9}(-?[0-9]{1,3}(\.[0-9]{1,3})?(e[0-9]{1,3})?|"\\u[0-9a-f]{4}")[\]}]{0,9}"#,
    ];
    let name = proptest::sample::select(vec![
        "type",
        "id",
        "room",
        "nick",
        "text",
        "key",
        "history",
        "before",
        "after",
        "limit",
        "on",
        "target",
        "member",
        "topic",
        "resume",
        "positions",
        "name",
        "data",
    ]);
    let kind = proptest::sample::select(vec![
        "hello", "create", "join", "send", "leave", "history", "changes", "members", "typing", "redact", "kick", "ban",
        "topic", "live", "signal",
    ]);
    let fields = vec((name, value), 0..8);
    let frame = (kind, fields).prop_map(|(kind, fields)| {
        let fields: String = fields.iter().map(|(name, value)| format!(r#","{name}":{value}"#)).collect();
        format!(r#"{{"type":"{kind}"{fields}}}"#).into_bytes()
    });
    prop_oneof![4 => frame, 1 => vec(any::<u8>(), 0..64)]
}

/// Bytes that are often nearly a parcel: one of the seeds, with a few pieces of it put elsewhere.
fn any_parcel() -> impl Strategy<Value = Vec<u8>> {
    let seed = proptest::sample::select(parcels()).prop_map(|(_, parcel)| parcel);
    let piece = |seed: &[u8], at: Index, length: usize| {
        let start = at.index(seed.len());
        seed[start..(start + length).min(seed.len())].to_vec()
    };
    let moves = vec((any::<Index>(), 0..40_usize, any::<Index>(), 0..40_usize, any::<Option<u8>>()), 0..4);
    let changed = (seed, moves).prop_map(move |(seed, moves)| {
        moves.into_iter().fold(seed.clone(), |mut parcel, (from, length, to, over, other)| {
            let put = other.map_or_else(|| piece(&seed, from, length), |byte| vec![byte]);
            let start = to.index(parcel.len());
            let end = (start + over).min(parcel.len());
            parcel.splice(start..end, put);
            if parcel.is_empty() { vec![1] } else { parcel }
        })
    });
    prop_oneof![4 => changed, 1 => vec(any::<u8>(), 0..64)]
}

/// Written by `CORPUS_WRITE=1 cargo test -p chat-testkit --test checks`.
#[test]
fn every_seed_is_in_the_corpus() {
    checks::sow("client_frame", protocol_frames());
    checks::sow("parcel", parcels());
    // Create, join, join, send with a key, the same again, detach, restart, come back, leave, close.
    let room = [
        &[6, 0, 1, 3, 9][..],
        &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 3, 0, 0, 0, 0, 0, 1, 0, 6, 7, 0, 0],
        &[0, 0, 4, 0, 0, 0, 0, 255, 0, 0, 0, 0, 4, 0, 0, 0, 0, 255, 0, 0],
        &[0, 0, 16, 0, 6, 0, 0, 19, 0, 0, 3, 0, 6, 255, 2, 0, 0, 7, 0, 0, 0, 0, 15, 1],
    ];
    let waits = [&[3, 0, 0, 2, 0][..], &[0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 255, 0, 4, 17, 255, 0, 5, 17]];
    checks::sow("room_commands", [("a_life", room.concat()), ("a_grace_runs_out", waits.concat())]);
    // Everybody connects and comes in; much is said; one reads by bytes, one comes back, one is put out.
    let reads = [
        &[10, 4, 5, 0, 1, 0, 0, 200, 0][..],
        &[6, 0, 6, 1, 6, 2, 6, 0, 0, 0, 0, 6, 1, 0, 0, 0, 6, 2, 0, 0, 0],
        &[0, 7, 40, 6, 0, 6, 0, 99, 0, 7, 90, 6, 0, 6, 1, 200, 6, 1, 3, 6, 1, 2, 3, 3, 1, 6, 2, 9],
    ];
    let lags = [&[0, 0, 0, 1, 15, 160, 3, 231, 0][..], &[6, 0, 6, 0, 0, 0, 0, 6, 0, 9], &[0, 7, 255].repeat(12)];
    checks::sow("session_ops", [("readers", reads.concat()), ("a_gap", lags.concat())]);
    let text = |text: &str| [&[0], text.as_bytes()].concat();
    checks::sow(
        "cursor_token",
        [
            ("position", text("04HMASW9NF6YF:17")),
            ("shape_of_a_token", text("0000000000000000000000007V.000000000001.0000000000000000000000007V")),
            ("true_token", vec![1]),
            ("true_cursor", vec![2]),
            ("other_signature", vec![1, 4, 27]),
        ],
    );
}

/// A parcel of each kind, and those that are asked most.
fn parcels() -> Vec<(&'static str, Vec<u8>)> {
    let (session, by) = (r#""session":"0000000000000000000000007V","generation":2"#, r#""by":{SESSION}"#);
    let fill = |json: &str| json.replace("BY", by).replace("SESSION", session);
    let parcel = |json: &str| [b"\x01", fill(json).as_bytes()].concat();
    let ask =
        |input: &str| parcel(&format!(r#"{{"ask":{{"room":"LUNCH","number":1,"follows":true,"input":{input}}}}}"#));
    let feed = |rest: &str| {
        parcel(&format!(r#"{{"feed":{{"room":"LUNCH","term":3,"fresh":1,"epoch":"0000000000007","after":1,{rest}}}}}"#))
    };
    let answers = |rest: &str| parcel(&format!(r#"{{"answers":{{"room":"LUNCH","ahead":true,"answers":[{rest}]}}}}"#));
    vec![
        (
            "follow",
            parcel(
                r#"{"follow":{"room":"LUNCH","epoch":"0000000000007","attached":[{SESSION,"member":1,"begun":2,"network":4}],"awaited":[["0000000000000000000000007V",2]]}}"#,
            ),
        ),
        ("detach", parcel(r#"{"detach":{"room":"LUNCH",SESSION}}"#)),
        (
            "end",
            parcel(
                r#"{"end":{"room":"LUNCH","by":{SESSION,"identity":"ann","named":{"nick":"Ann","data":"{}"}},"whole":true}}"#,
            ),
        ),
        ("undecided", parcel(r#"{"undecided":{"room":"LUNCH","numbers":[7,8]}}"#)),
        ("unfollow", parcel(r#"{"unfollow":{"room":"LUNCH"}}"#)),
        ("replaced", parcel(r#"{"replaced":{SESSION}}"#)),
        ("other_version", b"\x02{}".to_vec()),
        (
            "join",
            ask(
                r#"{"join":{BY,"nick":"Ann","data":"{\"a\":1}","history":5,"after":"0000000000007:17","secret":[1,2]}}"#,
            ),
        ),
        (
            "send",
            ask(r#"{"send":{BY,"said":{"content":{"text":"a","data":"{}"},"reply_to":1},"key":"k","permit":"paid"}}"#),
        ),
        (
            "edit",
            ask(
                r#"{"edit":{BY,"target":1,"content":{"text":"a"},"permit":{"exhausted":{"retry_after":{"secs":1,"nanos":2}}},"evidence":{"epoch":"0000000000007","by":1,"at":2,"content":{"text":""},"edits":3,"is_taken_back":true,"as_of":4}}}"#,
            ),
        ),
        (
            "settings",
            ask(r#"{"settings":{"by":"host","change":{"slow_ms":1,"secret":null,"history":5,"listed":true}}}"#),
        ),
        (
            "ban",
            ask(r#"{"ban":{"by":{"member":{SESSION}},"member":1,"terms":{"minutes":5,"network":true,"sweep":false}}}"#),
        ),
        ("me", ask(r#"{"me":{BY,"change":{"nick":"Ann","data":null}}}"#)),
        (
            "records",
            feed(
                r#""records":[{"offset":2,"seq":1,"at":1,"by":1,"event":{"redacted":{"target":1}}},{"offset":3,"seq":2,"at":2,"by":1,"event":{"sent":{"nick":"Ann","color":0,"text":"a","keyed":{"key":"k","digest":[1,2]}}}}],"notes":[]"#,
            ),
        ),
        (
            "notes",
            feed(
                r#""records":[],"notes":[[1,{"attached":{SESSION,"member":1}}],[1,{"signal":{"member":1,"name":"hand","data":"1"}}],[1,{"live":{"member":1,"target":7,"text":"a"}}],[1,"elapsed"]]"#,
            ),
        ),
        (
            "answers",
            answers(
                r#"{"number":1,"after":1,"verdict":{"reject":{"code":"banned","message":"no","field":"room","limit":1,"until":2}}},{"number":2,"epoch":"0000000000007","after":1,"verdict":{"answer":{"bans":{"page":[],"more":"no"}}}},{"number":3,"after":1,"verdict":{"answer":{"members":{"page":[1],"total":1}}}}"#,
            ),
        ),
        (
            "entered",
            answers(
                r#"{"number":1,"epoch":"0000000000007","after":9,"verdict":{"answer":{"entered":{"member":3,"from":9,"is_named":true,"entry":"attached","history":{"seqs":[],"wanted":0,"before":0,"sees":0,"more":"yes","earlier":1,"newer":{"from":1,"through":2,"count":3,"seqs":[4],"newest":5,"forgotten":"yes"}}}}}}"#,
            ),
        ),
        (
            "ended",
            parcel(r#"{"ended":{"number":7,"who":{"person":"ann"},"through":"0000000000000000000000007V","until":5}}"#),
        ),
        ("end_heard", parcel(r#"{"end_heard":{"number":7}}"#)),
    ]
}

#[test]
fn every_parcel_of_the_corpus_but_one_is_read() {
    for (name, bytes) in parcels() {
        assert_eq!(chat_core::checks::reads_parcel(&bytes), name != "other_version", "{name}");
    }
}

/// The examples of the protocol page.
fn protocol_frames() -> Vec<(&'static str, Vec<u8>)> {
    [
        ("hello", r#"{"type":"hello","id":0,"resume":"TOKEN","positions":{"TLBSWGOC":"04HMASW9NF6YF:17"}}"#),
        ("create", r#"{"type":"create","id":1,"nick":"Ann","room":"MY-ROOM"}"#),
        ("join", r#"{"type":"join","id":2,"room":"TLBSWGOC","nick":"Bob","history":50,"after":"04HMASW9NF6YF:17"}"#),
        ("send", r#"{"type":"send","id":3,"room":"TLBSWGOC","text":"h\u00ed \ud83e\udd8a","key":"c0ffee"}"#),
        ("leave", r#"{"type":"leave","id":4,"room":"TLBSWGOC"}"#),
        ("history", r#"{"type":"history","id":5,"room":"TLBSWGOC","before":17,"limit":50}"#),
        ("members", r#"{"type":"members","id":6,"room":"TLBSWGOC","after":500,"limit":500}"#),
        ("typing", r#"{"type":"typing","room":"TLBSWGOC","on":true}"#),
        ("redact", r#"{"type":"redact","id":7,"room":"TLBSWGOC","target":18}"#),
        ("kick", r#"{"type":"kick","id":8,"room":"TLBSWGOC","member":2}"#),
        ("topic", r#"{"type":"topic","id":10,"room":"TLBSWGOC","topic":"Lunch"}"#),
    ]
    .map(|(name, frame)| (name, frame.as_bytes().to_vec()))
    .to_vec()
}

#[test]
fn every_file_of_the_corpus_passes() {
    every_seed_is_in_the_corpus();
    checks::replay("client_frame", checks::client_frame);
    checks::replay("room_commands", checks::room_commands);
    checks::replay("session_ops", checks::session_ops);
    checks::replay("cursor_token", checks::cursor_token);
    checks::replay("parcel", checks::parcel);
}

#[test]
fn every_target_is_built_run_and_explained() {
    let fuzz = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let read = |name: &str| std::fs::read_to_string(fuzz.join(name)).expect("it is there");
    let (manifest, script, page) = (read("Cargo.toml"), read("run.sh"), read("README.md"));
    let targets = std::fs::read_dir(fuzz.join("fuzz_targets")).expect("it is there");
    let mut found = 0;
    for target in targets.flatten() {
        let target = target.path().file_stem().expect("a file has a name").to_string_lossy().into_owned();
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} is built");
        assert!(script.contains(&target), "{target} is run by the smoke");
        assert!(page.contains(&format!("| `{target}` |")), "{target} is on the page");
        assert!(target == "canary" || fuzz.join("corpus").join(&target).is_dir(), "{target} has seeds");
        found += 1;
    }
    assert_eq!(manifest.matches("[[bin]]").count(), found, "nothing else is built");
}
