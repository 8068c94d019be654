//! Over TLS: a server is trusted by the certificates that one has named, and no other is.

use chat_client::{Bounds, Client, Error, Options, Status};
use chat_core::Engine;
use chat_serve::{ServeConfig, Tls, serve};
use chat_testkit::sockets::listen;
use rcgen::{CertifiedKey, generate_simple_self_signed};

#[tokio::test]
async fn a_server_is_trusted_by_the_certificate_that_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    for name in ["own", "other"] {
        let made = generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let CertifiedKey { cert, signing_key } = made;
        std::fs::write(file(name), cert.pem()).expect("writable");
        std::fs::write(file(&format!("{name}-key")), signing_key.serialize_pem()).expect("writable");
    }
    let tls = Tls::load(file("own"), file("own-key")).expect("a certificate");
    let (listener, address) = listen();
    let routes = transport_ws::routes(Engine::builder().build(), transport_ws::WsConfig::default());
    let config = ServeConfig { tls: Some(tls), ..ServeConfig::default() };
    tokio::spawn(serve(listener, routes, config, std::future::pending()));
    let url = format!("https://localhost:{}", address.port());

    let client = Client::connect(&url, Options::new().with_roots_file(file("own"))).expect("certificates");
    let room = client.create(None, "Ann").await.expect("a room");
    room.send("in private").await.expect("said");

    let stranger = Client::connect(&url, Options::new().with_roots_file(file("other"))).expect("certificates");
    let mut statuses = stranger.statuses();
    let lost = statuses.wait_for(|status| matches!(status, Status::Waiting { .. })).await.expect("it is told").clone();
    assert!(matches!(&lost, Status::Waiting { reason, .. } if reason.contains("certificate")), "{lost:?}");

    let none = Client::connect(&url, Options::new().with_bounds(Bounds::default()).with_roots_file(file("none")));
    assert!(matches!(none, Err(Error::Roots { .. })), "{none:?}");
}
