//! Connections for HTTP on the port of the links.

use super::*;

#[tokio::test]
async fn a_connection_for_http_reaches_who_takes_them_with_the_name_of_its_peer() {
    let (ann, bob) = pair().await;
    for (from, to) in [(&ann, &bob), (&bob, &ann)] {
        let mut connections = to.links.http_connections();
        let mut near = from.links.connect_http(to.id).await.expect("it is in the table");
        near.write_all(b"ping").await.expect("it is open");
        near.flush().await.expect("it is open");
        let mut far = timeout(PATIENCE, connections.recv()).await.expect("it comes").expect("it is handed on");
        assert_eq!(far.from, from.id);
        let mut heard = [0; 4];
        far.stream.read_exact(&mut heard).await.expect("it is open");
        assert_eq!(heard, *b"ping");
        far.stream.write_all(b"pong").await.expect("it is open");
        far.stream.flush().await.expect("it is open");
        near.read_exact(&mut heard).await.expect("it is open");
        assert_eq!(heard, *b"pong");

        assert!(!far.gone.is_cancelled());
        to.meet(&[]);
        assert!(far.gone.is_cancelled(), "it left the table");
        to.meet(&[from]);
    }
}

#[tokio::test]
async fn a_connection_for_http_that_nobody_takes_is_closed() {
    let (ann, bob) = pair().await;
    for waits in [false, true] {
        if waits {
            drop(bob.links.http_connections());
        }
        let mut near = ann.links.connect_http(bob.id).await.expect("it is in the table");
        let closed = timeout(PATIENCE, near.read(&mut [0; 1])).await.expect("it ends");
        assert!(matches!(closed, Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn no_stranger_has_a_connection_for_http() {
    let (ann, bob) = (Server::start(1).await, Server::start(2).await);
    let mut connections = bob.links.http_connections();
    let unknown = ann.links.connect_http(bob.id).await.expect_err("it is in no table");
    assert_eq!(unknown.kind(), io::ErrorKind::NotFound);
    // Known to the one, and not to the other.
    bob.meet(&[]);
    ann.meet(&[&bob]);
    let mut near = ann.links.connect_http(bob.id).await.expect("it is who it should be");
    assert!(near.read(&mut [0; 1]).await.is_err(), "it is refused");
    assert_eq!(bob.next_of_all().await, LinkEvent::Unknown);
    assert!(connections.try_recv().is_err());
    // Whoever answers there is somebody else.
    let other = Identity::draw("another").expect("a key");
    ann.links.set_peers(ann.id, vec![Peer { certificate: other.certificate_der().to_vec(), ..bob.row() }]);
    ann.links.connect_http(bob.id).await.expect_err("it is another");
}
