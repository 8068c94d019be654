//! Floods of TLS: half of a handshake, whole ones that say nothing after, records that are none, and bytes one by one.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::support::{Attack, Bounds, Server};

/// A server with a certificate, attacked; and what its clients have to know.
struct Secured {
    attack: Attack,
    config: Arc<ClientConfig>,
    _folder: TempDir,
}

impl Secured {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).expect("one");
        let [certificate, key] = ["cert.pem", "key.pem"].map(|file| folder.path().join(file));
        std::fs::write(&certificate, cert.pem()).expect("written");
        std::fs::write(&key, signing_key.serialize_pem()).expect("written");
        let [certificate, key] = [certificate, key].map(|path| path.to_str().expect("text").to_owned());
        let server = Server::start(&["--tls-cert", &certificate, "--tls-key", &key]).await;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&certificate).expect("a certificate")).expect("a root");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Arc::new(config);
        let attack = Attack::against(server.with_tls(TlsConnector::from(Arc::clone(&config)))).await;
        Self { attack, config, _folder: folder }
    }

    /// The first thing that a client says.
    fn hello(&self) -> Vec<u8> {
        let name = ServerName::try_from("localhost").expect("a name");
        let mut client = ClientConnection::new(Arc::clone(&self.config), name).expect("a client");
        let mut hello = Vec::new();
        client.write_tls(&mut hello).expect("bytes");
        hello
    }
}

/// What one handshake costs: a signature of an elliptic curve, and the keys.
const HANDSHAKE: Bounds = Bounds { cpu_us_per_connection: 5_000, memory_per_connection: 64 << 10, ..TLS };
const TLS: Bounds = Bounds { answered_per_connection: 4 << 10, ..Bounds::NOTHING };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_are_begun_and_never_ended() {
    let secured = Secured::start().await;
    let hello = secured.hello();
    let mut held = Vec::new();
    for number in 0..400 {
        let mut wire = secured.attack.dial_plain(2).await;
        // A piece of the first record, all of it, and what stands for nothing.
        let part = [&hello[..5], &hello[..hello.len() - 1], &hello[..]][number % 3];
        wire.send(part).await;
        held.push(wire);
    }
    secured.attack.costs_at_most("handshakes begun", &HANDSHAKE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_one_after_the_other() {
    let secured = Secured::start().await;
    for host in 2..6 {
        for _ in 0..100 {
            secured.attack.dial(host).await;
        }
    }
    secured.attack.costs_at_most("handshakes", &HANDSHAKE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_over_tls_that_are_idle() {
    let secured = Secured::start().await;
    let mut held = Vec::new();
    for host in 2..6 {
        for _ in 0..100 {
            held.push(secured.attack.dial(host).await);
        }
    }
    let bounds = Bounds { memory_per_connection: 32 << 10, ..HANDSHAKE };
    secured.attack.costs_at_most("idle over TLS", &bounds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_none() {
    let secured = Secured::start().await;
    let hello = secured.hello();
    for number in 0..200 {
        let mut wire = secured.attack.dial_plain(2).await;
        let mut bytes = hello.clone();
        match number % 4 {
            // As a program does that knows of no TLS.
            0 => bytes = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            // A record that says it is longer than any.
            1 => bytes = [&[22, 3, 1, 0xff, 0xff][..], &[0; 32 << 10]].concat(),
            // One that goes on for ever in pieces of a byte, as it says.
            2 => bytes = [22, 3, 3, 0, 1, 1].repeat(4_000),
            // A second beginning in place of the rest: whoever renegotiates does so, and nobody may.
            _ => bytes.extend_from_slice(&hello),
        }
        wire.send(bytes).await;
        wire.rest().await;
    }
    secured.attack.costs_at_most("records that are none", &HANDSHAKE).await;
}
