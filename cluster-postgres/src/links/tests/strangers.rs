//! Who is not in the table, or is somebody else there: no link comes of them, and they keep nobody out.

use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls::version::TLS12;
use rustls::{AlertDescription, ClientConfig, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::*;

/// What TLS says has gone wrong.
fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

#[tokio::test]
async fn a_stranger_who_dials_is_refused_and_told_of_until_it_is_in_the_table() {
    let (ann, bob) = (Server::start(1).await, Server::start(2).await);
    bob.meet(&[]);
    ann.meet(&[&bob]);
    assert_eq!(bob.next_of_all().await, LinkEvent::Unknown);
    assert_eq!(bob.next_of_all().await, LinkEvent::Unknown, "it dials again");
    bob.meet(&[&ann]);
    bob.sees_up(&ann).await;
    ann.sees_up(&bob).await;
}

#[tokio::test]
async fn a_stranger_who_answers_is_refused_and_told_of_until_it_is_in_the_table() {
    let (ann, bob) = (Server::start(1).await, Server::start(2).await);
    let other = Identity::draw("another").expect("a key");
    bob.meet(&[&ann]);
    ann.links.set_peers(ann.id, vec![Peer { certificate: other.certificate_der().to_vec(), ..bob.row() }]);
    assert_eq!(ann.next_of_all().await, LinkEvent::Unknown);
    ann.meet(&[&bob]);
    ann.sees_up(&bob).await;
    bob.sees_up(&ann).await;
}

#[tokio::test]
async fn before_there_is_a_table_everybody_is_a_stranger() {
    let (ann, bob) = (Server::start(1).await, Server::start(2).await);
    ann.meet(&[&bob]);
    assert_eq!(bob.next_of_all().await, LinkEvent::Unknown);
}

#[tokio::test]
async fn one_who_has_another_id_than_the_table_says_is_refused_at_both_ends() {
    let (mut ann, bob) = (Server::start(1).await, Server::start(5).await);
    bob.meet(&[&ann]);
    ann.id = NodeId(2);
    ann.meet(&[&bob]);
    assert_eq!(ann.next_of_all().await, LinkEvent::Unknown);
    assert_eq!(bob.next_of_all().await, LinkEvent::Unknown);
    bob.meet(&[&ann]);
    ann.sees_up(&bob).await;
    bob.sees_up(&ann).await;
}

#[tokio::test]
async fn an_older_tls_is_not_spoken() {
    let bob = Server::start(2).await;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS12])
        .expect("ring has suites of TLS 1.2")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let stream = TcpStream::connect(bob.address).await.expect("it listens");
    let refused = TlsConnector::from(Arc::new(config)).connect(pinned::no_name(), stream).await;
    assert_eq!(alert(&refused.expect_err("it is too old")), Some(AlertDescription::ProtocolVersion));
}

/// Shows no certificate.
#[derive(Debug)]
struct Nobody;

impl ResolvesClientCert for Nobody {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// What this server says to one who dials with what `ann` has, and with `shown` where that is something else.
async fn refuses(bob: &Server, ann: &Server, protocol: &[u8], shown: Option<Nobody>) -> Option<AlertDescription> {
    let mut config = Arc::unwrap_or_clone(pinned::dialling(&ann.identity, bob.identity.certificate_der(), protocol));
    if let Some(nobody) = shown {
        config.client_auth_cert_resolver = Arc::new(nobody);
    }
    let stream = TcpStream::connect(bob.address).await.expect("it listens");
    match TlsConnector::from(Arc::new(config)).connect(pinned::no_name(), stream).await {
        // The other side looks at a certificate once this one is done.
        Ok(mut stream) => alert(&stream.read_u8().await.expect_err("nothing is said")),
        Err(error) => alert(&error),
    }
}

#[tokio::test]
async fn tls_itself_refuses_who_is_unknown_shows_no_certificate_or_speaks_something_else() {
    let (ann, bob, cid) = (Server::start(1).await, Server::start(2).await, Server::start(3).await);
    bob.meet(&[&ann]);
    let unknown = Some(AlertDescription::AccessDenied);
    for protocol in [pinned::LINK, pinned::HTTP] {
        assert_eq!(refuses(&bob, &cid, protocol, None).await, unknown);
        let nobody = refuses(&bob, &ann, protocol, Some(Nobody)).await;
        assert_eq!(nobody, Some(AlertDescription::CertificateRequired));
    }
    assert_eq!(refuses(&bob, &ann, b"chat-link/9", None).await, Some(AlertDescription::NoApplicationProtocol));
}

#[tokio::test]
async fn strangers_who_say_nothing_keep_no_server_out() {
    let (ann, bob) = (Server::start(1).await, Server::start(2).await);
    let mut silent = Vec::new();
    for _ in 0..HANDSHAKES_MAX + 8 {
        silent.push(TcpStream::connect(bob.address).await.expect("it listens"));
    }
    let closed = timeout(PATIENCE, silent[0].read(&mut [0; 1])).await.expect("the oldest makes way");
    assert!(matches!(closed, Ok(0) | Err(_)), "nobody says anything to it");
    ann.meet(&[&bob]);
    bob.meet(&[&ann]);
    ann.sees_up(&bob).await;
    bob.sees_up(&ann).await;
}

#[tokio::test]
async fn what_is_no_tls_is_closed() {
    let bob = Server::start(2).await;
    let mut stream = TcpStream::connect(bob.address).await.expect("it listens");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: bob\r\n\r\n").await.expect("it is open");
    let mut answer = Vec::new();
    // What it has not read makes its end a reset.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is closed");
    assert!(!answer.starts_with(b"HTTP"));
}

#[tokio::test]
async fn who_says_nothing_is_cut() {
    let bob = Server::start(2).await;
    let mut silent = TcpStream::connect(bob.address).await.expect("it listens");
    let closed = timeout(PATIENCE, silent.read(&mut [0; 1])).await.expect("it is closed");
    assert!(matches!(closed, Ok(0) | Err(_)), "nobody says anything to it");
}
