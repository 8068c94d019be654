//! A backend that does what a test says: it answers, hangs, hangs up, or says no end.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file uses its part")]

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_core::{Admission, Clock, ConnectRequest, Mono, Now, Policy, Reject, Wall};
use policy_http::{HttpConfig, HttpPolicy};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// What becomes of a question.
pub enum Fate {
    /// It is answered so, and the connection kept.
    Says(u16, String),
    /// It is answered with exactly this, and the connection is closed.
    Raw(String),
    /// It is never answered.
    Silence,
    /// It is answered for ever.
    Endless,
    /// The connection is closed.
    Lost,
}

/// An admission of this JSON.
pub fn yes(admission: Value) -> Fate {
    Fate::Says(200, admission.to_string())
}

type Decide = dyn Fn(&Value) -> Fate + Send + Sync;

/// What a backend was asked, and how.
pub struct Backend {
    pub url: String,
    decide: Box<Decide>,
    /// Heads and questions, as they came.
    pub asked: Mutex<Vec<(String, Value)>>,
    pub connections: AtomicUsize,
    under_way: AtomicUsize,
    pub most_under_way: AtomicUsize,
}

impl Backend {
    pub async fn start(decide: impl Fn(&Value) -> Fate + Send + Sync + 'static) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let backend = Self::at(format!("http://{}/auth?v=1", listener.local_addr().expect("it listens")), decide);
        let serving = Arc::clone(&backend);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&serving).serve(socket));
            }
        });
        backend
    }

    pub fn at(url: String, decide: impl Fn(&Value) -> Fate + Send + Sync + 'static) -> Arc<Self> {
        let decide = Box::new(decide);
        let (connections, under_way) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self {
            url,
            decide,
            asked: Mutex::default(),
            connections,
            under_way,
            most_under_way: AtomicUsize::new(0),
        })
    }

    pub async fn serve(self: Arc<Self>, mut socket: impl AsyncRead + AsyncWrite + Unpin) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        while let Some((head, question)) = read_request(&mut socket).await {
            let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
            self.most_under_way.fetch_max(under_way, Ordering::Relaxed);
            let fate = (self.decide)(&question);
            self.asked.lock().expect("no panic").push((head, question));
            // Others come meanwhile.
            tokio::task::yield_now().await;
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            let answered = match fate {
                Fate::Says(status, body) => {
                    let length = body.len();
                    let answer = format!("HTTP/1.1 {status} So\r\ncontent-length: {length}\r\n\r\n{body}");
                    socket.write_all(answer.as_bytes()).await
                }
                Fate::Raw(answer) => {
                    let _ = socket.write_all(answer.as_bytes()).await;
                    return;
                }
                Fate::Silence => std::future::pending().await,
                Fate::Endless => {
                    let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                    while socket.write_all(&[b' '; 1_024]).await.is_ok() {}
                    return;
                }
                Fate::Lost => return,
            };
            if answered.is_err() {
                return;
            }
        }
    }

    /// How often it was asked.
    pub fn count(&self) -> usize {
        self.asked.lock().expect("no panic").len()
    }
}

/// A request's head and body; `None` where the other side has hung up.
async fn read_request(socket: &mut (impl AsyncRead + Unpin)) -> Option<(String, Value)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(read[..end + 2].to_vec()).expect("heads are text");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let mut body = read.split_off(end + 4);
            while body.len() < length.unwrap_or(0) {
                socket.read_buf(&mut body).await.ok().filter(|read| *read > 0)?;
            }
            return Some((head, serde_json::from_slice(&body).expect("it is JSON")));
        }
        socket.read_buf(&mut read).await.ok().filter(|read| *read > 0)?;
    }
}

/// A policy that waits for a long time: nothing is measured.
pub fn policy(backend: &Backend, config: HttpConfig) -> HttpPolicy {
    let config = HttpConfig { timeout: Duration::from_secs(60), ..config };
    HttpPolicy::new(&backend.url, config).expect("a valid URL")
}

/// What a policy says of who shows this, from 192.0.2.7 over WebSocket.
pub async fn admit(policy: &HttpPolicy, credential: &str) -> Result<Admission, Reject> {
    let address = Some(IpAddr::from([192, 0, 2, 7]));
    let request =
        ConnectRequest { transport: "ws", address, credentials: Some(credential.to_owned()), shown_in: "cookie" };
    policy.admit(&request).await
}

/// One that is set by hand.
#[derive(Default)]
pub struct Dial(Mutex<u64>);

impl Dial {
    /// Noon of a day, in seconds since 1970.
    pub const NOON: u64 = 1_790_000_000;

    /// Turns it on by so much.
    pub fn turn(&self, seconds: u64) {
        *self.0.lock().expect("no panic") += seconds * 1_000;
    }
}

impl Clock for Dial {
    fn now(&self) -> Now {
        let passed = *self.0.lock().expect("no panic");
        Now { wall: Wall(Self::NOON * 1_000 + passed), mono: Mono(passed) }
    }

    fn instant(&self, _: Mono) -> tokio::time::Instant {
        tokio::time::Instant::now()
    }
}
