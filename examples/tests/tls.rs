//! The real server over TLS: every transport, HTTP/2 for who wants it, and a certificate that is changed while it runs.
#![cfg(unix)]

#[path = "support/signal.rs"]
mod signal;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use signal::Signal;

const PATIENCE: Duration = Duration::from_secs(60);

async fn in_time<T>(act: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, act).await.expect("in time")
}

/// A folder with a certificate, which vouches for itself, and its key.
struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { dir: TempDir::new().expect("a folder") };
        files.renew();
        files
    }

    fn certificate(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    fn renew(&self) {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).expect("a certificate");
        std::fs::write(self.certificate(), cert.pem()).expect("writable");
        std::fs::write(self.key(), signing_key.serialize_pem()).expect("writable");
    }
}

struct Server {
    process: Child,
    said: Lines<BufReader<ChildStderr>>,
    address: SocketAddr,
}

impl Server {
    async fn start(files: &Files) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_server"))
            .args(["--listen", "127.0.0.1:0", "--tls-cert"])
            .arg(files.certificate())
            .arg("--tls-key")
            .arg(files.key())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the server starts");
        let mut out = BufReader::new(process.stdout.take().expect("piped")).lines();
        let said = BufReader::new(process.stderr.take().expect("piped")).lines();
        let greeting = in_time(out.next_line()).await.expect("readable").expect("it says where it listens");
        let address = greeting.strip_prefix("Chat is at https://").expect("an address over TLS");
        let address = address.trim_end_matches('/').parse().expect("an address");
        Self { process, said, address }
    }

    fn reload(&self) {
        signal::send(&self.process, Signal::HUP);
    }

    async fn hear(&mut self, words: &str) {
        let heard =
            async { while !self.said.next_line().await.expect("readable").expect("it goes on").contains(words) {} };
        in_time(heard).await;
    }

    /// A connection that believes in this certificate alone, and wants to speak this.
    async fn connect(&self, certificate: &Path, protocol: &str) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).expect("a certificate")).expect("a root");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(self.address).await.expect("it listens");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = in_time(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        stream
    }
}

/// Sends a request of HTTP/1.1, and reads on until it is answered with this.
async fn ask(stream: &mut TlsStream<TcpStream>, request: &str, body: &str, answer: &str) -> String {
    let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if text.contains(answer) {
            return text.into_owned();
        }
        assert!(in_time(stream.read_buf(&mut bytes)).await.expect("an answer") > 0, "no {answer}");
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).and_then(|(_, rest)| rest.split_once(after)).expect("it is there").0
}

#[tokio::test]
async fn curl_believes_the_certificate_and_gets_http_2() {
    let files = Files::new();
    let server = Server::start(&files).await;
    let url = format!("https://localhost:{}/healthz", server.address.port());
    let curl = |more: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-sS", "--max-time", "60", "-w", "%{http_version}", "--cacert"]).arg(files.certificate());
        command.args(more).arg(&url);
        async move { command.output().await.expect("there is curl") }
    };
    for (more, heard) in [(&[][..], "ok\n2"), (&["--http1.1"][..], "ok\n1.1")] {
        let output = curl(more).await;
        assert_eq!(String::from_utf8_lossy(&output.stdout), heard, "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn all_transports_are_there_over_tls() {
    let files = Files::new();
    let server = Server::start(&files).await;
    let certificate = files.certificate();

    // WebSocket: a room, and messages that are longer than any buffer on the way.
    let stream = server.connect(&certificate, "http/1.1").await;
    let (mut ann, _) = client_async("wss://localhost/ws", stream).await.expect("a WebSocket");
    ann.send(Message::text(r#"{"type":"create","room":"LUNCH","nick":"Ann"}"#)).await.expect("open");
    let mut hear = async |words: &str| loop {
        let heard = in_time(ann.next()).await.expect("it goes on").expect("a frame").to_string();
        if heard.contains(words) {
            return heard;
        }
    };
    hear(r#""type":"joined""#).await;

    // SSE and POST, over HTTP/2: a stream and commands on one connection.
    let stream = server.connect(&certificate, "h2").await;
    let (client, connection) = h2::client::handshake(stream).await.expect("a handshake");
    let connection = tokio::spawn(connection);
    let request = axum::http::Request::get("https://localhost/sse?room=LUNCH&nick=Bob").body(()).expect("a request");
    let (answer, _) =
        client.clone().ready().await.expect("a connection").send_request(request, true).expect("a stream");
    let mut events = in_time(answer).await.expect("an answer").into_body();
    let mut told = String::new();
    while !told.contains("event: joined") {
        let chunk = in_time(events.data()).await.expect("it goes on").expect("data");
        let _ = events.flow_control().release_capacity(chunk.len());
        told += &String::from_utf8_lossy(&chunk);
    }
    let (session, token) = (between(&told, r#""session":""#, "\""), between(&told, r#""token":""#, "\""));
    let text = "x".repeat(3_900);
    for number in 0..5 {
        let request = axum::http::Request::post(format!("https://localhost/sse/{session}"))
            .header("authorization", format!("Bearer {token}"))
            .body(())
            .expect("a request");
        let mut client = client.clone().ready().await.expect("a connection");
        let (answer, mut body) = client.send_request(request, false).expect("a stream");
        let command = format!(r#"{{"type":"send","id":1,"room":"LUNCH","text":"{number} {text}"}}"#);
        body.send_data(Bytes::from(command), true).expect("sent");
        assert_eq!(in_time(answer).await.expect("an answer").status(), 200);
    }
    hear(&format!(r#""text":"4 {text}""#)).await;

    // Socket.IO: by long-polling, and over a WebSocket.
    let mut polling = server.connect(&certificate, "http/1.1").await;
    let opened = ask(&mut polling, "GET /socket.io/?EIO=4&transport=polling", "", "maxPayload\":").await;
    assert!(opened.contains("\r\ncache-control: no-store\r\n"), "{opened}");
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", between(&opened, r#""sid":""#, "\""));
    // What is left of the answer before comes first.
    ask(&mut polling, &format!("POST {path}"), "40", "ok").await;
    let mut polling = server.connect(&certificate, "http/1.1").await;
    let polled = ask(&mut polling, &format!("GET {path}"), "", "40{").await;
    assert!(polled.contains("\r\ncache-control: no-store\r\n"), "{polled}");
    let stream = server.connect(&certificate, "http/1.1").await;
    let (mut eve, _) =
        client_async("wss://localhost/socket.io/?EIO=4&transport=websocket", stream).await.expect("a WebSocket");
    eve.send(Message::text("40")).await.expect("open");
    while !in_time(eve.next()).await.expect("it goes on").expect("a frame").to_string().starts_with("40{") {}
    connection.abort();
}

#[tokio::test]
async fn a_new_certificate_is_taken_at_a_hangup_and_a_bad_one_is_not() {
    let files = Files::new();
    let mut server = Server::start(&files).await;
    let old = files.dir.path().join("old.pem");
    std::fs::copy(files.certificate(), &old).expect("copied");
    let mut before = server.connect(&old, "http/1.1").await;
    files.renew();
    server.reload();
    server.hear("The certificate was read again").await;
    let new = files.certificate();
    ask(&mut server.connect(&new, "http/1.1").await, "GET /healthz", "", "ok\n").await;
    ask(&mut before, "GET /healthz", "", "ok\n").await;

    let kept = files.dir.path().join("kept.pem");
    std::fs::copy(&new, &kept).expect("copied");
    std::fs::write(&new, "no certificate").expect("writable");
    server.reload();
    server.hear("the old certificate stays").await;
    ask(&mut server.connect(&kept, "http/1.1").await, "GET /healthz", "", "ok\n").await;
    // Of another key.
    std::fs::copy(&old, &new).expect("copied");
    server.reload();
    server.hear("the old certificate stays").await;
    ask(&mut server.connect(&kept, "http/1.1").await, "GET /healthz", "", "ok\n").await;
}

#[tokio::test]
async fn who_waits_for_a_certificate_that_cannot_be_read_holds_up_nobody() {
    let files = Files::new();
    let mut server = Server::start(&files).await;
    let (certificate, kept) = (files.certificate(), files.dir.path().join("kept.pem"));
    std::fs::rename(&certificate, &kept).expect("renamed");
    let pipe = std::process::Command::new("mkfifo").arg(&certificate).status().expect("every Unix has it");
    assert!(pipe.success());
    server.reload();
    // Opened for writing once it is opened for reading; nothing comes out of it.
    let writer = tokio::task::spawn_blocking(move || std::fs::File::options().write(true).open(certificate));
    let _pipe = in_time(writer).await.expect("ran").expect("writable");
    (0..8).for_each(|_| server.reload());
    ask(&mut server.connect(&kept, "http/1.1").await, "GET /healthz", "", "ok\n").await;
    if cfg!(target_os = "linux") {
        let tasks = format!("/proc/{}/task", server.process.id().expect("it runs"));
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let tasks = std::fs::read_dir(tasks).expect("its threads").map(|task| name(task.expect("a thread")));
        assert_eq!(tasks.filter(|name| name.trim_end() == "reload").count(), 1, "however often it is asked");
    }
    signal::send(&server.process, Signal::TERM);
    assert!(in_time(server.process.wait()).await.expect("waited for").success());
}

#[test]
fn a_certificate_needs_its_key_and_both_have_to_be_there() {
    let server = |arguments: &[&str]| {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_server")).args(arguments).output().expect("it starts");
        assert!(!output.status.success());
        String::from_utf8(output.stderr).expect("text")
    };
    assert!(server(&["--tls-cert", "cert.pem"]).contains("--tls-key"));
    let words =
        server(&["--listen", "127.0.0.1:0", "--tls-cert", "/nowhere/cert.pem", "--tls-key", "/nowhere/key.pem"]);
    assert!(words.contains("Cannot use TLS: /nowhere/cert.pem: "), "{words}");
}

#[tokio::test]
async fn a_server_that_others_can_reach_without_tls_warns_in_one_line() {
    let files = Files::new();
    let (cert, key) = (files.certificate(), files.key());
    let tls = ["--tls-cert", cert.to_str().expect("text"), "--tls-key", key.to_str().expect("text")];
    for (arguments, warns) in [
        (&["--listen", "0.0.0.0:0"][..], true),
        (&["--listen", "127.0.0.1:0"], false),
        (&["--listen", "0.0.0.0:0", "--trusted-proxy", "10.0.0.0/8"], false),
        (&[&["--listen", "0.0.0.0:0"], &tls[..]].concat(), false),
    ] {
        let mut process = Command::new(env!("CARGO_BIN_EXE_server"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the server starts");
        let mut out = BufReader::new(process.stdout.take().expect("piped")).lines();
        in_time(out.next_line()).await.expect("readable").expect("it says where it listens");
        // All that it says before that.
        process.kill().await.expect("it is ours");
        let mut said = String::new();
        process.stderr.take().expect("piped").read_to_string(&mut said).await.expect("text");
        assert_eq!(said.lines().filter(|line| line.contains("without TLS")).count(), usize::from(warns), "{said}");
    }
}
