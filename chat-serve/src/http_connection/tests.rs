//! How long a connection may be of no use, over pipes in memory: there the clock stands still while bytes are on their way.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use h2::RecvStream;
use h2::client::{Builder, SendRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep, timeout};

use super::*;
use crate::places::Places;
use crate::request_service::Source;

mod again;
mod long_lived;

const SECOND: Duration = Duration::from_secs(1);
/// A frame of no settings: length, type, flags, stream.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// A connection to a server that runs as long as its `watch` is held.
async fn connect(router: &Router) -> (DuplexStream, watch::Sender<bool>) {
    let (client, server) = duplex(16 << 10);
    let config = Arc::new(ServeConfig::default());
    let places = Places::new(1, 0);
    let socket = Socket::new(server, places.take(None).expect("a place"), config.stall_timeout);
    let (ending, end) = watch::channel(false);
    let peer = SocketAddr::from(([192, 0, 2, 1], 1234));
    let service = RequestService::new(router.clone(), Source::Client(peer), places, Arc::clone(&config), None);
    tokio::spawn(run(socket, service, config, end));
    (client, ending)
}

/// A client whose streams have the default window of 65,535 bytes, and whose connection has room for many of them.
async fn client(pipe: DuplexStream) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let mut builder = Builder::new();
    let (client, connection) =
        builder.initial_connection_window_size(16 << 20).handshake(pipe).await.expect("a handshake");
    (client, tokio::spawn(connection))
}

async fn ask(client: &SendRequest<Bytes>, path: &str) -> RecvStream {
    let mut client = client.clone().ready().await.expect("a connection");
    let request = Request::get(format!("http://test{path}")).body(()).expect("a request");
    let (answer, _) = client.send_request(request, true).expect("a stream");
    let (head, body) = answer.await.expect("an answer").into_parts();
    assert_eq!(head.status, StatusCode::OK);
    body
}

/// A router with `/`, and with `/told`, whose one body says what it is told to.
fn told() -> (mpsc::UnboundedSender<Bytes>, Router) {
    let (say, mut said) = mpsc::unbounded_channel();
    let chunks = futures_util::stream::poll_fn(move |cx| said.poll_recv(cx).map(|chunk| chunk.map(Ok::<_, h2::Error>)));
    let body = Arc::new(Mutex::new(Some(Body::from_stream(chunks))));
    let send = move || async move { body.lock().expect("no panic").take().expect("asked for once") };
    (say, Router::new().route("/", get(|| async { "hello" })).route("/told", get(send)))
}

/// Reads to the end. Returns how long that took.
async fn rest(pipe: &mut DuplexStream) -> Duration {
    let start = Instant::now();
    let _ = pipe.read_to_end(&mut Vec::new()).await;
    start.elapsed()
}

/// How long until the body of `/told` is given up.
async fn until_dropped(say: &mpsc::UnboundedSender<Bytes>) -> Duration {
    let start = Instant::now();
    timeout(3_600 * SECOND, say.closed()).await.expect("it is given up");
    start.elapsed()
}

const CHUNK: Bytes = Bytes::from_static(&[b'x'; 16 << 10]);

#[tokio::test(start_paused = true)]
async fn first_bytes_that_never_end_are_cut_off() {
    for length in [0, 1, 12, version::PREFACE.len() - 1] {
        let (mut slow, _ending) = connect(&told().1).await;
        slow.write_all(&version::PREFACE[..length]).await.expect("sent");
        assert_eq!(rest(&mut slow).await, 10 * SECOND, "{length} bytes");
    }
}

/// Lets the process stand still for a minute after it has waited for five seconds.
async fn pause(pipe: &mut DuplexStream) {
    assert!(timeout(5 * SECOND, pipe.read_to_end(&mut Vec::new())).await.is_err(), "not yet");
    advance(60 * SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_process_a_handshake_has_as_long_as_ever() {
    for length in [0, 1, version::PREFACE.len() - 1] {
        let (mut slow, _ending) = connect(&told().1).await;
        slow.write_all(&version::PREFACE[..length]).await.expect("sent");
        pause(&mut slow).await;
        assert_eq!(rest(&mut slow).await, 10 * SECOND, "{length} bytes");
    }
    // Of HTTP/2, before there is a request: then it is asked to go, and has as long again.
    let (mut slow, _ending) = connect(&told().1).await;
    slow.write_all(&[version::PREFACE, SETTINGS].concat()).await.expect("sent");
    pause(&mut slow).await;
    assert_eq!(rest(&mut slow).await, 20 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_process_a_body_has_as_long_as_ever() {
    let router = Router::new().route("/", axum::routing::post(|_: Bytes| async { "whole" }));
    let (mut slow, _ending) = connect(&router).await;
    slow.write_all(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n12").await.expect("sent");
    pause(&mut slow).await;
    // Time goes on in which it may come.
    sleep(29 * SECOND).await;
    slow.write_all(b"345").await.expect("sent");
    let mut answer = [0; 15];
    slow.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[tokio::test(start_paused = true)]
async fn first_bytes_that_come_one_by_one_have_the_same_deadline() {
    let (slow, _ending) = connect(&told().1).await;
    let (mut hear, mut say) = tokio::io::split(slow);
    let start = Instant::now();
    let talk = async {
        for byte in version::PREFACE {
            let _ = say.write_all(&[*byte]).await;
            sleep(SECOND).await;
        }
    };
    let end = async {
        let _ = hear.read_to_end(&mut Vec::new()).await;
        start.elapsed()
    };
    assert_eq!(tokio::join!(end, talk).0, 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_peer_of_the_first_version_that_takes_nothing_is_cut_off() {
    let (say, router) = told();
    let (mut pipe, _ending) = connect(&router).await;
    pipe.write_all(b"GET /told HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
    for _ in 0..100 {
        say.send(CHUNK).expect("heard");
    }
    assert_eq!(until_dropped(&say).await, 40 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_peer_of_the_first_version_that_takes_little_is_kept() {
    let (say, router) = told();
    let (mut pipe, _ending) = connect(&router).await;
    pipe.write_all(b"GET /told HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
    for _ in 0..100 {
        say.send(CHUNK).expect("heard");
    }
    drop(say);
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n0\r\n\r\n") {
        sleep(30 * SECOND).await;
        assert!(pipe.read_buf(&mut bytes).await.expect("read") > 0);
    }
    assert!(bytes.len() > 100 * CHUNK.len());
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_is_asked_is_cut_off() {
    // A head without an end: HEADERS of one byte on stream 1, without END_HEADERS.
    let begun = [0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82];
    for after in [&[][..], SETTINGS, &[SETTINGS, &begun].concat()] {
        let (mut silent, _ending) = connect(&told().1).await;
        silent.write_all(&[version::PREFACE, after].concat()).await.expect("sent");
        assert_eq!(rest(&mut silent).await, 20 * SECOND, "asked to go, and then cut off: {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_without_requests_is_asked_to_go_and_goes() {
    let (pipe, _ending) = connect(&told().1).await;
    let (client, connection) = client(pipe).await;
    let start = Instant::now();
    sleep(9 * SECOND).await;
    drop(ask(&client, "/").await);
    connection.await.expect("no panic").expect("an end in order");
    assert_eq!(start.elapsed(), 134 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_silent_keeps_its_connection() {
    let (say, router) = told();
    let (pipe, _ending) = connect(&router).await;
    let (client, _connection) = client(pipe).await;
    let mut stream = ask(&client, "/told").await;
    sleep(3_600 * SECOND).await;
    say.send(CHUNK).expect("heard");
    assert_eq!(stream.data().await.expect("more").expect("data"), CHUNK);
}

/// A connection of the second version by hand, on which `/told` has been asked for.
async fn ask_by_hand(router: &Router) -> (DuplexStream, watch::Sender<bool>) {
    let (mut pipe, ending) = connect(router).await;
    // GET http://test/told: names by their number in HPACK's table, two of the values as they are.
    let head = b"\x82\x86\x04\x05/told\x01\x04test";
    let headers = [&[0, 0, head.len() as u8, 1, 5, 0, 0, 0, 1], &head[..]].concat();
    pipe.write_all(&[version::PREFACE, SETTINGS, &headers].concat()).await.expect("sent");
    (pipe, ending)
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_process_the_answer_to_a_ping_has_as_long_as_ever() {
    /// A frame of type 6 without flags, before its eight bytes.
    const PING: [u8; 9] = [0, 0, 8, 6, 0, 0, 0, 0, 0];
    let (_say, router) = told();
    let (mut pipe, _ending) = ask_by_hand(&router).await;
    for _ in 0..3 {
        let mut bytes = Vec::new();
        let begin = loop {
            assert!(pipe.read_buf(&mut bytes).await.expect("open") > 0, "cut off");
            let found = bytes.windows(PING.len()).position(|bytes| bytes == PING);
            if let Some(begin) = found.filter(|begin| bytes.len() >= begin + 17) {
                break begin;
            }
        };
        tokio::time::advance(3_600 * SECOND).await;
        sleep(19 * SECOND).await;
        let mut pong = bytes[begin..begin + 17].to_vec();
        pong[4] = 1;
        pipe.write_all(&pong).await.expect("open");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_no_ping_is_cut_off() {
    let (_say, router) = told();
    let (mut pipe, _ending) = ask_by_hand(&router).await;
    assert_eq!(rest(&mut pipe).await, 40 * SECOND, "a ping after 20 s, and 20 s to answer it");
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_peer_takes_nothing_is_reset_and_the_others_go_on() {
    let (say, router) = told();
    let (pipe, _ending) = connect(&router).await;
    let (client, _connection) = client(pipe).await;
    let mut stalled = ask(&client, "/told").await;
    // The window is of 65,535 bytes, and nothing that comes is released.
    for _ in 0..8 {
        say.send(CHUNK).expect("heard");
    }
    assert_eq!(until_dropped(&say).await, 40 * SECOND);
    assert_eq!(ask(&client, "/").await.data().await.expect("more").expect("data"), "hello");
    let mut came = 0;
    let error = loop {
        match stalled.data().await.expect("no end in order") {
            Ok(chunk) => came += chunk.len(),
            Err(error) => break error,
        }
    };
    assert_eq!((came, error.reason()), (65_535, Some(h2::Reason::CANCEL)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_any_window_is_reset_too() {
    let (say, router) = told();
    let (pipe, _ending) = connect(&router).await;
    let (client, connection) = Builder::new().initial_window_size(0).handshake::<_, Bytes>(pipe).await.expect("shaken");
    let _connection = tokio::spawn(connection);
    let _stream = ask(&client, "/told").await;
    say.send(CHUNK).expect("heard");
    assert_eq!(until_dropped(&say).await, 40 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_peer_takes_little_is_kept() {
    let (say, router) = told();
    let (pipe, _ending) = connect(&router).await;
    let (client, _connection) = client(pipe).await;
    let mut stream = ask(&client, "/told").await;
    for _ in 0..40 {
        say.send(CHUNK).expect("heard");
    }
    drop(say);
    // More waits at all times. The client takes 1,600 bytes per second, and says so after every half of a window: each 20 s.
    let (start, mut came) = (Instant::now(), 0);
    while let Some(chunk) = stream.data().await {
        let length = chunk.expect("data").len();
        came += length;
        sleep(SECOND * length as u32 / 1_600).await;
        stream.flow_control().release_capacity(length).expect("it came");
    }
    assert_eq!(came, 40 * CHUNK.len());
    assert!(start.elapsed() > 300 * SECOND, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_after_an_upgrade_is_cut_off_too() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = Arc::new(Mutex::new(Some(tell)));
    let upgrade = move |mut request: axum::extract::Request| async move {
        let upgrading = hyper::upgrade::on(&mut request);
        let tell = tell.lock().expect("no panic").take().expect("asked for once");
        tokio::spawn(async move {
            let mut stream = TokioIo::new(upgrading.await.expect("upgraded"));
            let start = Instant::now();
            let error = loop {
                if let Err(error) = stream.write_all(&CHUNK).await {
                    break error.kind();
                }
            };
            tell.send((error, start.elapsed())).expect("waited for");
        });
        (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")])
    };
    let (mut pipe, _ending) = connect(&Router::new().route("/", get(upgrade))).await;
    let request = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    pipe.write_all(request).await.expect("sent");
    let told = timeout(3_600 * SECOND, told).await.expect("it is given up");
    assert_eq!(told, Ok((std::io::ErrorKind::TimedOut, 40 * SECOND)));
}

/// A router that takes in bodies.
fn taking() -> Router {
    Router::new().route("/", axum::routing::post(|body: Bytes| async move { format!("{} bytes", body.len()) }))
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_not_waited_for() {
    for body in ["Content-Length: 40\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"] {
        let (slow, _ending) = connect(&taking()).await;
        let (mut hear, mut say) = tokio::io::split(slow);
        say.write_all(format!("POST / HTTP/1.1\r\nHost: test\r\n{body}").as_bytes()).await.expect("sent");
        let start = Instant::now();
        let talk = async {
            while say.write_all(b"1\r\nx\r\n").await.is_ok() && start.elapsed() < 60 * SECOND {
                sleep(7 * SECOND).await;
            }
        };
        let end = async {
            let mut answer = Vec::new();
            let _ = hear.read_to_end(&mut answer).await;
            (String::from_utf8(answer).expect("text"), start.elapsed())
        };
        let ((answer, waited), ()) = tokio::join!(end, talk);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(waited >= 30 * SECOND && waited < 60 * SECOND, "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_of_the_second_version_that_never_ends_is_not_waited_for_either() {
    let (pipe, _ending) = connect(&taking()).await;
    let (client, _connection) = client(pipe).await;
    let mut ready = client.clone().ready().await.expect("a connection");
    let request = Request::post("http://test/").body(()).expect("a request");
    let (answer, mut body) = ready.send_request(request, false).expect("a stream");
    body.send_data(Bytes::from_static(b"x"), false).expect("sent");
    let start = Instant::now();
    assert_eq!(answer.await.expect("an answer").status(), StatusCode::BAD_REQUEST);
    assert_eq!(start.elapsed(), 30 * SECOND);
}
