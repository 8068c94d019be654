//! Over real sockets: both versions of HTTP, addresses, lost and stalled connections.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use chat_core::{Engine, Limits, Policy};
use chat_serve::{ServeConfig, serve};
use chat_testkit::sockets::{dial, listen};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use transport_sse::SseConfig;

use super::support::{Event, Parser, Says, TestServer};

const REQUEST: &[u8] = b"GET /sse?room=LUNCH&nick=Bob HTTP/1.1\r\nHost: test\r\n\r\n";

/// What runs the routes: our own loop sends streams itself, any other leaves them to hyper.
#[derive(Clone, Copy, Debug)]
enum Loop {
    Own,
    Axum,
}

const LOOPS: [Loop; 2] = [Loop::Own, Loop::Axum];

async fn start(served_by: Loop, router: Router) -> SocketAddr {
    let (listener, address) = listen();
    match served_by {
        Loop::Own => tokio::spawn(serve(listener, router, ServeConfig::default(), std::future::pending())),
        Loop::Axum => {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            tokio::spawn(async move { axum::serve(listener, service).await.expect("it serves for ever") })
        }
    };
    address
}

async fn read_until(stream: &mut TcpStream, what: &str) -> String {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(what) {
        let read = timeout(Duration::from_secs(10), stream.read_buf(&mut bytes)).await.expect("in time").expect("read");
        assert!(read > 0, "it ends without {what}: {}", String::from_utf8_lossy(&bytes));
    }
    String::from_utf8(bytes).expect("text")
}

/// Waits for what happens outside of this task.
async fn eventually(what: impl Fn() -> bool) {
    for _ in 0..500 {
        if what() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("it never happens");
}

#[tokio::test]
async fn a_socket_is_a_chat_client() {
    for served_by in LOOPS {
        let server = TestServer::new();
        let ann = server.client("LUNCH", "Ann").await;
        let address = start(served_by, server.router.clone()).await;
        let mut bob = TcpStream::connect(address).await.expect("accepted");
        bob.write_all(REQUEST).await.expect("sent");
        let head = read_until(&mut bob, "event: joined").await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("transfer-encoding: chunked"), "{head}");
        let is_left_to_the_loop = head.contains("connection: close");
        assert_eq!(is_left_to_the_loop, matches!(served_by, Loop::Own), "{head}");
        server.say(&ann, "LUNCH", "Pizza?").await;
        read_until(&mut bob, "Pizza?").await;
    }
}

#[tokio::test]
async fn a_lost_connection_detaches_at_once() {
    for served_by in LOOPS {
        let server = TestServer::new();
        let _ann = server.client("LUNCH", "Ann").await;
        let address = start(served_by, server.router.clone()).await;
        let mut bob = TcpStream::connect(address).await.expect("accepted");
        bob.write_all(REQUEST).await.expect("sent");
        read_until(&mut bob, "event: joined").await;
        assert_eq!(server.engine.stats().sessions, 2);
        drop(bob);
        eventually(|| server.engine.stats().sessions == 1).await;
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_given_up() {
    for served_by in LOOPS {
        let mut limits = Limits::default();
        limits.lift_rates();
        limits.session.stall_timeout = Duration::from_millis(400);
        let server = TestServer::with(limits);
        let ann = server.client("LUNCH", "Ann").await;
        let address = start(served_by, server.router.clone()).await;
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4_096).expect("a small window");
        let mut bob = socket.connect(address).await.expect("accepted");
        bob.write_all(REQUEST).await.expect("sent");
        eventually(|| server.engine.stats().sessions == 2).await;
        let text = "x".repeat(4_000);
        for _ in 0..4_000 {
            server.say(&ann, "LUNCH", &text).await;
        }
        eventually(|| server.engine.stats().sessions == 1).await;
        // What was on its way still comes, and then the end.
        let mut all = Vec::new();
        timeout(Duration::from_secs(10), async {
            while !all.ends_with(b"0\r\n\r\n") {
                assert!(bob.read_buf(&mut all).await.expect("read") > 0);
            }
        })
        .await
        .expect("in time");
        assert!(String::from_utf8_lossy(&all).contains("\"code\":4002"));
    }
}

#[tokio::test]
async fn the_policy_learns_where_a_client_comes_from() {
    for served_by in LOOPS {
        let policy = Arc::new(Says::default());
        let engine = Engine::builder().policy(Arc::clone(&policy) as Arc<dyn Policy>);
        let server = TestServer::build(engine, SseConfig::default());
        let address = start(served_by, server.router.clone()).await;
        let mut client = TcpStream::connect(address).await.expect("accepted");
        client.write_all(b"GET /sse HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer ann\r\n\r\n").await.expect("sent");
        read_until(&mut client, "event: welcome").await;
        let shown = policy.shown.lock().expect("no panic")[0].clone();
        assert_eq!((shown.transport, shown.address), ("sse", Some(client.local_addr().expect("bound").ip())));
        assert_eq!(shown.credentials.as_deref(), Some("ann"));
    }
}

/// Reads on to the next event of a stream.
async fn next(stream: &mut Incoming, parser: &mut Parser, events: &mut VecDeque<Event>) -> Event {
    loop {
        if let Some(event) = events.pop_front() {
            return event;
        }
        let bytes = stream.frame().await.expect("more").expect("no error").into_data().expect("data");
        parser.read(&bytes, |event| events.push_back(event));
    }
}

/// A server, and one connection of HTTP/2 to it.
struct Second {
    client: SendRequest<Body>,
    connection: JoinHandle<hyper::Result<()>>,
    shutdown: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Second {
    async fn open(server: &TestServer) -> Self {
        let (listener, address) = listen();
        let socket = dial(address).await;
        let (shutdown, asked) = oneshot::channel();
        let serving = serve(listener, server.router.clone(), ServeConfig::default(), async {
            let _ = asked.await;
        });
        let serving = tokio::spawn(serving);
        let (client, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.expect("a handshake");
        Self { client, connection: tokio::spawn(connection), shutdown, serving }
    }

    async fn ask(&mut self, request: Request<Body>) -> Response<Incoming> {
        self.client.send_request(request).await.expect("an answer")
    }
}

#[tokio::test]
async fn one_connection_of_the_second_version_carries_stream_and_commands() {
    let mut limits = Limits::default();
    limits.lift_rates();
    let server = TestServer::with(limits);
    let mut second = Second::open(&server).await;
    let request = Request::get("http://test/sse?create=LUNCH&nick=Ann").body(Body::empty()).expect("a request");
    let mut stream = second.ask(request).await.into_body();
    let (mut parser, mut events) = (Parser::default(), VecDeque::new());
    let welcome = next(&mut stream, &mut parser, &mut events).await.data;
    assert_eq!(next(&mut stream, &mut parser, &mut events).await.name, "joined");
    let text = |field: &str| welcome[field].as_str().expect("a text").to_owned();
    // In all more than the windows of the stream and of the connection.
    for number in 0..40 {
        let key = number.to_string();
        let send = json!({"type": "send", "id": number, "room": "LUNCH", "text": "x".repeat(4_000), "key": key});
        let post = Request::post(format!("http://test/sse/{}", text("session")))
            .header("authorization", format!("Bearer {}", text("token")))
            .body(Body::from(send.to_string()))
            .expect("a request");
        assert_eq!(second.ask(post).await.status(), 200);
        let message = next(&mut stream, &mut parser, &mut events).await;
        assert_eq!((message.name.as_str(), &message.data["key"]), ("message", &json!(key)));
    }
    // Streams end first, and then the connection has no reason to stay.
    server.engine.drain(Duration::ZERO).await;
    assert_eq!(next(&mut stream, &mut parser, &mut events).await.data["code"], 4001);
    assert!(stream.collect().await.expect("an end in order").to_bytes().is_empty());
    second.shutdown.send(()).expect("still serving");
    second.serving.await.expect("ended");
    second.connection.await.expect("no panic").expect("an end in order");
}

#[tokio::test]
async fn a_stream_of_the_second_version_that_is_given_up_detaches_at_once() {
    let server = TestServer::new();
    let mut second = Second::open(&server).await;
    let request = Request::get("http://test/sse?create=LUNCH&nick=Ann").body(Body::empty()).expect("a request");
    let stream = second.ask(request).await.into_body();
    assert_eq!(server.engine.stats().sessions, 1);
    drop(stream);
    eventually(|| server.engine.stats().sessions == 0).await;
}
