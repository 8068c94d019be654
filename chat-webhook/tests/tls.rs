//! A backend behind TLS: it is told what happens if its certificate is of whom the configuration trusts, for the host of the URL, and nothing otherwise.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Engine, FeedBounds, FeedName, Retention};
use chat_testkit::logs::MemoryLog;
use chat_testkit::one_room::founder;
use chat_webhook::{Config, Secret, StatsReader, Webhook};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The longest that anything here may take.
const LONG: Duration = Duration::from_secs(60);

/// Who signs certificates.
struct Authority(Issuer<'static, KeyPair>, String);

impl Authority {
    fn new() -> Self {
        let (mut params, key) = (CertificateParams::default(), KeyPair::generate().expect("a key"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("it can be signed").pem();
        Self(Issuer::new(params, key), pem)
    }

    /// Its certificate in a file.
    fn file(&self, dir: &TempDir, name: &str) -> PathBuf {
        let file = dir.path().join(name);
        std::fs::write(&file, &self.1).expect("writable");
        file
    }

    /// A backend for this host that confirms everything: where it listens.
    async fn backend(&self, host: &str) -> u16 {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([host.to_owned()]).expect("a host");
        let certificate: CertificateDer<'static> = params.signed_by(&key, &self.0).expect("it can be signed").into();
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("as it was made");
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("they belong together")));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let Ok(mut socket) = acceptor.accept(socket).await else { continue };
                let mut some = [0; 4_096];
                // One request and its answer: what is sent here fits into one read.
                if socket.read(&mut some).await.is_ok_and(|read| read > 0) {
                    let _ = socket.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
                }
            }
        });
        port
    }
}

/// Delivers what happens in an engine, until this is dropped.
async fn deliver(port: u16, roots: PathBuf) -> (Engine, StatsReader) {
    let log = Arc::new(MemoryLog::with_feed(FeedBounds::default(), Retention::default()));
    let engine = Engine::builder().log(log).expect("nobody else has it").build();
    let pause = (Duration::from_millis(10), Duration::from_millis(20));
    let config = Config { roots: Some(roots), pause, ..Config::default() };
    let secret = Secret::parse(SECRET).expect("a valid secret");
    let webhook = Webhook::new(&format!("https://localhost:{port}/hook"), secret, config).expect("a valid URL");
    let (stats, feed) = (webhook.stats(), engine.feed_of(FeedName::parse("webhook").expect("valid")).await);
    tokio::spawn(webhook.run(feed.expect("there is a feed")));
    (engine, stats)
}

/// Waits until this many were delivered, or so many attempts have failed.
async fn counts(stats: &StatsReader, delivered: u64, failed: u64) -> (u64, bool) {
    let waited = tokio::time::timeout(LONG, async {
        while stats.now().delivered < delivered && stats.now().failed < failed {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.expect("one of the two comes");
    (stats.now().delivered, stats.now().failed >= failed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_is_told_over_tls_if_its_certificate_is_good() {
    let (dir, trusted, other) = (TempDir::new().expect("a folder"), Authority::new(), Authority::new());
    let roots = trusted.file(&dir, "trusted.pem");
    let cases = [
        (trusted.backend("localhost").await, true, "it is good"),
        (other.backend("localhost").await, false, "nobody trusts who signed it"),
        (trusted.backend("backend.example").await, false, "it is another host's"),
    ];
    for (port, is_good, why) in cases {
        let (engine, stats) = deliver(port, roots.clone()).await;
        let _ann = founder(&engine).await;
        let (delivered, has_failed) = counts(&stats, 1, 3).await;
        assert_eq!((delivered > 0, has_failed), (is_good, !is_good), "{why}");
    }
}
