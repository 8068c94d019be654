//! What every transport must do, over Server-Sent Events and POST under TLS: what lies between is felt by none of it.

#[path = "../../transport-sse/tests/harness/mod.rs"]
mod event_source;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use chat_serve::{ServeConfig, Tls};
use chat_testkit::sockets::dial;
use event_source::{Carrier, EventSource};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// TLS, with a certificate of its own.
struct UnderTls(TlsConnector);

#[async_trait]
impl Carrier for UnderTls {
    type Stream = TlsStream<TcpStream>;

    fn new() -> (Self, ServeConfig) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).expect("one");
        let folder = tempfile::tempdir().expect("a folder");
        let [certificate, key] = ["cert.pem", "key.pem"].map(|file| folder.path().join(file));
        std::fs::write(&certificate, cert.pem()).expect("written");
        std::fs::write(&key, signing_key.serialize_pem()).expect("written");
        let tls = Tls::load(&certificate, &key).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).expect("a root");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        (Self(TlsConnector::from(Arc::new(config))), ServeConfig { tls: Some(tls), ..ServeConfig::default() })
    }

    async fn dial(&self, address: SocketAddr) -> TlsStream<TcpStream> {
        let name = ServerName::try_from("localhost").expect("a name");
        self.0.connect(name, dial(address).await).await.expect("a handshake")
    }
}

chat_testkit::transport_contract!(EventSource<UnderTls>);
