//! What bytes that claim to be a parcel make a server ask the allocator for, counted in a process of its own.

use std::alloc::System;

use chat_core::checks::reads_parcel;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes of each case.
const BYTES: usize = 1 << 20;
/// The most bytes of memory for each byte that came in. 8: the shortest note is 14 bytes and takes 56, and half of a list that grows is empty.
const TIMES_MAX: usize = 8;

#[test]
fn bytes_from_another_server_take_a_few_times_as_much_memory_and_no_more() {
    let feed = |rest: &str| format!(r#"{{"feed":{{"room":"LUNCH","term":1,"fresh":true,"after":0,{rest}}}}}"#);
    let answer = |answer: &str| feed(&format!(r#""records":[],"notes":[],"answers":[[1,{{"answer":{answer}}}]]"#));
    let attached = r#"{"session":"00000000000000000000000001","generation":0,"member":0}"#;
    // A list of as many as go into it, in the place of `LIST`.
    let lists = [
        (r#"{"follow":{"room":"LUNCH","attached":[LIST]}}"#.to_owned(), attached),
        (
            feed(r#""records":[LIST],"notes":[],"answers":[]"#),
            r#"{"offset":1,"seq":null,"at":0,"by":null,"event":"protected"}"#,
        ),
        (feed(r#""records":[],"notes":[LIST],"answers":[]"#), r#"[0,"elapsed"]"#),
        (feed(r#""records":[],"notes":[],"answers":[LIST]"#), r#"[0,{"answer":"nothing"}]"#),
        (answer(r#"{"members":{"page":[LIST],"total":1}}"#), "0"),
        (answer(r#"{"bans":{"page":[LIST],"more":"no"}}"#), r#"{"ban":0,"network":true}"#),
        (answer(r#"{"history":{"seqs":[LIST]}}"#), "0"),
        (
            answer(r#"{"changes":{"after":0,"changed":[LIST],"swept":[],"through":0,"more":"no"}}"#),
            r#"{"target":0,"change":0}"#,
        ),
        (r#"{"unfollow":{"room":[LIST]}}"#.to_owned(), "0"),
    ];
    let text = "x".repeat(BYTES);
    let nested = "[".repeat(BYTES);
    let texts = [
        format!(r#"{{"unfollow":{{"room":"{text}"}}}}"#),
        format!(r#"{{"{text}":{{}}}}"#),
        format!(r#"{{"unfollow":{{"{text}":1}}}}"#),
        format!(r#"{{"ask":{{"room":"LUNCH","number":1,"input":{{"me":{{"by":{nested}}}}}}}}}"#),
        format!(r#"{{"ask":{{"room":"LUNCH","number":1,"input":{{"set_topic":{{"by":"host","topic":"{text}"}}}}}}}}"#),
    ];
    let lists = lists.into_iter().map(|(around, one)| {
        let many = format!("{one},").repeat(BYTES / (one.len() + 1));
        around.replace("LIST", many.trim_end_matches(','))
    });
    for json in lists.chain(texts) {
        let bytes = [b"\x01", json.as_bytes()].concat();
        let region = Region::new(HEAP);
        reads_parcel(&bytes);
        let asked = region.change().bytes_allocated;
        let what: String = json.chars().take(120).collect();
        println!("{:5.1} times: {what}", asked as f64 / bytes.len() as f64);
        assert!(asked <= TIMES_MAX * bytes.len(), "{asked} bytes for {}: {what}", bytes.len());
    }
}
