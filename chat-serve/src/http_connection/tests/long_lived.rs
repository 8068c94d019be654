//! Answers that last are sent as any others, and their connections end when others do.

use axum::middleware::map_response;

use super::*;

const REQUEST: &[u8] = b"GET /told HTTP/1.1\r\nHost: test\r\n\r\n";

/// As [`told`]; all answers are marked.
pub(super) fn lasting() -> (mpsc::UnboundedSender<Bytes>, Router) {
    let mark = |mut response: Response| async {
        response.extensions_mut().insert(LongLived);
        response
    };
    let (say, router) = told();
    (say, router.layer(map_response(mark)))
}

async fn read_until(pipe: &mut DuplexStream, last: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(last.as_bytes()) {
        assert!(pipe.read_buf(&mut bytes).await.expect("read") > 0, "{last:?} after {bytes:?}");
    }
    String::from_utf8(bytes).expect("text")
}

async fn read_rest(pipe: &mut DuplexStream) -> String {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).await.expect("an end in order");
    String::from_utf8(bytes).expect("text")
}

/// A connection on which the answer has begun.
pub(super) async fn begin(router: &Router) -> (DuplexStream, watch::Sender<bool>) {
    let (mut pipe, ending) = connect(router).await;
    pipe.write_all(REQUEST).await.expect("sent");
    let head = read_until(&mut pipe, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\nconnection: close\r\n"), "{head}");
    (pipe, ending)
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_lasts_has_the_head_of_any_other() {
    let head = async |router: &Router| {
        let (mut pipe, _ending) = connect(router).await;
        pipe.write_all(REQUEST).await.expect("sent");
        let head = read_until(&mut pipe, "\r\n\r\n").await;
        let lines = head.lines().filter(|line| *line != "connection: close");
        // The second may have changed in between.
        let date = "date: Mon, 23 Nov 2026 08:00:00 GMT";
        let is_date = |line: &str| line.starts_with("date: ") && line.len() == date.len() && line.ends_with(" GMT");
        let mut lines: Vec<_> = lines.map(|line| if is_date(line) { date } else { line }.to_owned()).collect();
        lines.sort();
        lines
    };
    assert_eq!(head(&lasting().1).await, head(&told().1).await);
}

#[tokio::test(start_paused = true)]
async fn each_chunk_is_sent_when_it_is_there_and_the_end_ends_the_connection() {
    let (say, router) = lasting();
    let (mut pipe, _ending) = begin(&router).await;
    for (said, sent) in [("one", "3\r\none\r\n"), ("", ""), ("more than nine", "e\r\nmore than nine\r\n")] {
        say.send(Bytes::from(said)).expect("heard");
        assert_eq!(read_until(&mut pipe, sent).await, sent);
    }
    drop(say);
    assert_eq!(read_rest(&mut pipe).await, "0\r\n\r\n");
}

#[tokio::test(start_paused = true)]
async fn what_is_there_at_once_comes_with_the_head() {
    let (say, router) = lasting();
    say.send(Bytes::from("one")).expect("heard");
    drop(say);
    let (mut pipe, _ending) = connect(&router).await;
    pipe.write_all(REQUEST).await.expect("sent");
    let answer = read_rest(&mut pipe).await;
    assert_eq!(answer.split_once("\r\n\r\n").expect("a head").1, "3\r\none\r\n0\r\n\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_gone_in_mid_answer_is_noticed_at_once() {
    let (say, router) = lasting();
    let (pipe, _ending) = begin(&router).await;
    sleep(3_600 * SECOND).await;
    drop(pipe);
    assert_eq!(until_dropped(&say).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_it_will_send_no_more_is_as_good_as_gone() {
    let (say, router) = lasting();
    let (mut pipe, _ending) = begin(&router).await;
    pipe.shutdown().await.expect("open");
    assert_eq!(until_dropped(&say).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_talks_into_an_answer_gets_it_all_the_same_but_is_not_read() {
    let (say, router) = lasting();
    let (pipe, _ending) = begin(&router).await;
    let (mut hear, mut talk) = tokio::io::split(pipe);
    let talked = timeout(60 * SECOND, talk.write_all(&[b'x'; 64 << 10])).await;
    assert!(talked.is_err(), "all of it was read");
    say.send(Bytes::from("one")).expect("heard");
    drop(say);
    let mut rest = String::new();
    hear.read_to_string(&mut rest).await.expect("an end in order");
    assert_eq!(rest, "3\r\none\r\n0\r\n\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_of_an_answer_that_lasts_is_cut_off() {
    let (say, router) = lasting();
    let (_pipe, _ending) = begin(&router).await;
    for _ in 0..100 {
        say.send(CHUNK).expect("heard");
    }
    assert_eq!(until_dropped(&say).await, 40 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_little_gets_every_byte() {
    let (say, router) = lasting();
    let (mut pipe, _ending) = begin(&router).await;
    let chunk = |index: usize| "abcdefghij"[index % 10..].repeat(1 + index * 97);
    let mut expected = String::new();
    for index in 0..20 {
        say.send(Bytes::from(chunk(index))).expect("heard");
        expected += &format!("{:x}\r\n{}\r\n", chunk(index).len(), chunk(index));
    }
    drop(say);
    expected += "0\r\n\r\n";
    let mut came = Vec::new();
    let mut piece = [0; 1_009];
    loop {
        let length = pipe.read(&mut piece).await.expect("an end in order");
        if length == 0 {
            break;
        }
        came.extend_from_slice(&piece[..length]);
        sleep(SECOND).await;
    }
    assert!(came == expected.as_bytes(), "{} of {} bytes came, or others", came.len(), expected.len());
}

#[tokio::test(start_paused = true)]
async fn a_later_answer_of_a_connection_may_last_too() {
    let (_say, router) = lasting();
    // All are marked, but what has a length does not last.
    let (mut pipe, _ending) = connect(&router).await;
    for _ in 0..2 {
        pipe.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
        read_until(&mut pipe, "hello").await;
    }
    pipe.write_all(REQUEST).await.expect("sent");
    assert!(read_until(&mut pipe, "\r\n\r\n").await.contains("\r\nconnection: close\r\n"));
}

#[tokio::test(start_paused = true)]
async fn an_earlier_answer_that_is_not_taken_yet_is_not_lost() {
    let (say, router) = lasting();
    // More than the pipe holds, as an answer to a request whose body is still to come: with the end of that body hyper goes on to
    // the next request, whatever waits to be written.
    let big = "big".repeat(8 << 10);
    let early = {
        let big = big.clone();
        async move |body: Body| {
            tokio::spawn(axum::body::to_bytes(body, 4));
            (StatusCode::NO_CONTENT, [("x", big)])
        }
    };
    let (mut pipe, _ending) = connect(&router.route("/early", axum::routing::post(early))).await;
    let first = b"POST /early HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n";
    pipe.write_all(first).await.expect("sent");
    sleep(SECOND).await;
    pipe.write_all(&[b"body", REQUEST].concat()).await.expect("sent");
    sleep(SECOND).await;
    say.send(Bytes::from("one")).expect("heard");
    drop(say);
    let both = read_until(&mut pipe, "\r\n\r\n3\r\none\r\n0\r\n\r\n").await;
    assert!(both.contains(&format!("\r\nx: {big}\r\n")), "{} bytes", both.len());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_knows_no_chunks_gets_none() {
    let (say, router) = lasting();
    say.send(Bytes::from("one")).expect("heard");
    drop(say);
    let (mut pipe, _ending) = connect(&router).await;
    pipe.write_all(b"GET /told HTTP/1.0\r\nHost: test\r\n\r\n").await.expect("sent");
    let answer = read_rest(&mut pipe).await;
    assert!(answer.ends_with("\r\n\r\none") && !answer.contains("chunked"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_the_head_gets_no_more() {
    let (_say, router) = lasting();
    let (mut pipe, _ending) = connect(&router).await;
    for _ in 0..2 {
        pipe.write_all(b"HEAD / HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
        assert!(read_until(&mut pipe, "\r\n\r\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_lasts_may_finish_when_the_server_ends_and_is_cut_off_when_it_is_gone() {
    let (say, router) = lasting();
    let (mut pipe, ending) = begin(&router).await;
    ending.send_replace(true);
    sleep(SECOND).await;
    say.send(Bytes::from("one")).expect("heard");
    assert_eq!(read_until(&mut pipe, "one\r\n").await, "3\r\none\r\n");
    drop(ending);
    assert_eq!(read_rest(&mut pipe).await, "");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_fails_is_seen_to_be_cut_off() {
    let chunks = || [Ok(Bytes::from("one")), Err(std::io::Error::from(std::io::ErrorKind::Other))];
    let fail =
        move || async move { (axum::Extension(LongLived), Body::from_stream(futures_util::stream::iter(chunks()))) };
    let (mut pipe, _ending) = connect(&Router::new().route("/told", get(fail))).await;
    pipe.write_all(REQUEST).await.expect("sent");
    let answer = read_rest(&mut pipe).await;
    assert!(answer.contains("\r\nconnection: close\r\n") && answer.ends_with("\r\n\r\n3\r\none\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn at_the_end_nobody_waits_for_a_peer_that_takes_nothing_of_an_answer() {
    let (say, router) = lasting();
    let (_pipe, ending) = begin(&router).await;
    for _ in 0..100 {
        say.send(CHUNK).expect("heard");
    }
    sleep(SECOND).await;
    ending.send_replace(true);
    assert_eq!(until_dropped(&say).await, Duration::ZERO);
}
