//! TLS at the serving loop: who may take how long, and that nothing stays in a buffer.

mod support;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::get;
use chat_serve::{LongLived, ServeConfig, Tls};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use support::{Server, connect, hello, start};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, advance, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A configuration with a new certificate, and a client that believes in it.
fn tls(protocol: &str) -> (ServeConfig, TlsConnector) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let dir = TempDir::new().expect("a folder");
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&certificate, cert.pem()).expect("writable");
    std::fs::write(&key, signing_key.serialize_pem()).expect("writable");
    let tls = Tls::load(&certificate, &key).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a root");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    (ServeConfig { tls: Some(tls), ..ServeConfig::default() }, TlsConnector::from(Arc::new(config)))
}

async fn connect_with(connector: &TlsConnector, server: &Server) -> TlsStream<TcpStream> {
    let name = ServerName::try_from("localhost").expect("a name");
    connector.connect(name, connect(server).await).await.expect("a handshake")
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_process_a_handshake_has_as_long_as_ever() {
    let (config, _) = tls("h2");
    let server = start(hello(), config).await;
    let mut slow = connect(&server).await;
    slow.write_all(&[22, 3, 1, 2, 0]).await.expect("sent");
    let five = Duration::from_secs(5);
    assert!(timeout(five, slow.read_to_end(&mut Vec::new())).await.is_err(), "not yet");
    advance(12 * five).await;
    let resumed = Instant::now();
    let _ = slow.read_to_end(&mut Vec::new()).await;
    assert_eq!(resumed.elapsed(), 2 * five);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends_is_cut_off() {
    let (config, _) = tls("h2");
    let server = start(hello(), config).await;
    // The beginning of a record, nothing at all, and what is no TLS.
    for (beginning, seconds) in [(&[22, 3, 1, 2, 0][..], 10), (&[], 10), (b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", 0)] {
        let start = Instant::now();
        let mut slow = connect(&server).await;
        slow.write_all(beginning).await.expect("sent");
        let _ = slow.read_to_end(&mut Vec::new()).await;
        assert_eq!(start.elapsed().as_secs(), seconds, "{beginning:?}");
    }
}

#[tokio::test]
async fn a_peer_without_a_place_is_told_so_over_tls_too() {
    let (config, connector) = tls("http/1.1");
    let server = start(hello(), ServeConfig { connections_max: 1, ..config }).await;
    let _first = connect_with(&connector, &server).await;
    let mut second = connect_with(&connector, &server).await;
    second.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    second.read_to_end(&mut answer).await.expect("an answer, and the end");
    assert!(answer.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&answer));
}

/// 4 MB, more than all buffers on the way, and a last word.
fn much() -> Vec<Bytes> {
    let mut chunks = vec![Bytes::from(vec![b'x'; 64 << 10]); 64];
    chunks.push(Bytes::from_static(b"the end"));
    chunks
}

async fn read_much(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"the end") && !bytes.ends_with(b"the end\r\n") {
        assert!(stream.read_buf(&mut bytes).await.expect("read") > 0, "cut off after {}", bytes.len());
    }
    assert!(bytes.len() > 4 << 20);
}

/// Somebody who reads late is sent all of it, by whoever writes: hyper, an answer that lasts, or a protocol that never flushes.
#[tokio::test]
async fn whoever_reads_late_receives_everything() {
    let lasting = || async {
        let chunks = futures_util::stream::iter(much().into_iter().map(Ok::<_, std::io::Error>));
        let never = futures_util::stream::pending();
        (Extension(LongLived), Body::from_stream(futures_util::StreamExt::chain(chunks, never)))
    };
    let upgrade = |mut request: Request| async move {
        let upgrading = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = hyper_util::rt::TokioIo::new(upgrading.await.expect("upgraded"));
            for chunk in much() {
                stream.write_all(&chunk).await.expect("sent");
            }
            // It reads, and never flushes.
            let _ = stream.read(&mut [0]).await;
        });
        (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "much")])
    };
    let router = Router::new()
        .route("/lasting", get(lasting))
        .route("/upgrade", get(upgrade))
        .route("/whole", get(|| async { much().concat() }));
    let (config, connector) = tls("http/1.1");
    let server = start(router, config).await;
    for request in [
        "GET /whole HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /lasting HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /upgrade HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: much\r\n\r\n",
    ] {
        let mut stream = connect_with(&connector, &server).await;
        stream.write_all(request.as_bytes()).await.expect("sent");
        // Until the first byte has come, the server has filled what there is of buffers; it goes on as they are read.
        read_much(&mut stream).await;
    }
}
