//! Servers on loopback: who is linked, what comes over the links, and what ends them.

mod frames;
mod http;
mod strangers;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

use super::*;

/// What nothing here takes that works.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with nothing but its links.
struct Server {
    id: NodeId,
    identity: Identity,
    address: SocketAddr,
    links: Links,
}

impl Server {
    async fn start(id: u128) -> Self {
        Self::start_with(id, LinkOptions::default()).await
    }

    async fn start_with(id: u128, options: LinkOptions) -> Self {
        let identity = Identity::draw("a server").expect("a key");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        Self { id: NodeId(id), address, links: Links::start(listener, identity.clone(), options), identity }
    }

    /// As it stands in the others' tables.
    fn row(&self) -> Peer {
        let certificate = self.identity.certificate_der().to_vec();
        Peer { id: self.id, address: self.address.to_string(), certificate }
    }

    /// Gives it a table of these.
    fn meet(&self, others: &[&Server]) {
        self.links.set_peers(self.id, others.iter().map(|other| other.row()).collect());
    }

    /// The next event, whatever is said of strangers.
    async fn next(&self) -> LinkEvent {
        loop {
            match self.next_of_all().await {
                LinkEvent::Unknown => {}
                event => return event,
            }
        }
    }

    async fn next_of_all(&self) -> LinkEvent {
        timeout(PATIENCE, self.links.next()).await.expect("something happens")
    }

    async fn sees_up(&self, other: &Server) {
        assert_eq!(self.next().await, LinkEvent::Up(other.id));
    }

    async fn sees_down(&self, other: &Server) {
        assert_eq!(self.next().await, LinkEvent::Down(other.id));
    }

    async fn hears(&self, other: &Server, bytes: &[u8]) {
        match self.next().await {
            LinkEvent::Parcel { from, bytes: came } => assert!(from == other.id && came == bytes),
            event => panic!("not a parcel: {event:?}"),
        }
    }
}

/// Two that are linked.
async fn pair() -> (Server, Server) {
    let (ann, bob) = (Server::start(1).await, Server::start(2).await);
    ann.meet(&[&bob]);
    bob.meet(&[&ann]);
    ann.sees_up(&bob).await;
    bob.sees_up(&ann).await;
    (ann, bob)
}

#[tokio::test(flavor = "multi_thread")]
async fn parcels_come_in_order_both_ways_and_large_ones_too() {
    let (ann, bob) = pair().await;
    let parcel = |number: usize, salt: u8| {
        let bytes = match number % 100 {
            0 => 3 << 20,
            50 => 100_000,
            small => small * 7,
        };
        let mut parcel = vec![salt; bytes];
        parcel.extend_from_slice(&number.to_be_bytes());
        parcel
    };
    for number in 0..500 {
        ann.links.send(bob.id, parcel(number, 1)).expect("it is up");
        bob.links.send(ann.id, parcel(number, 2)).expect("it is up");
    }
    let there = async {
        for number in 0..500 {
            bob.hears(&ann, &parcel(number, 1)).await;
        }
    };
    let back = async {
        for number in 0..500 {
            ann.hears(&bob, &parcel(number, 2)).await;
        }
    };
    tokio::join!(there, back);

    let largest = vec![7; PARCEL_BYTES_MAX];
    ann.links.send(bob.id, largest.clone()).expect("it is up");
    bob.hears(&ann, &largest).await;
    ann.links.send_control(bob.id, b"mine".to_vec()).expect("it is up");
    assert_eq!(bob.next().await, LinkEvent::Control { from: ann.id, bytes: b"mine".to_vec() });
}

#[tokio::test]
async fn three_servers_are_linked_each_to_each() {
    let servers = [Server::start(1).await, Server::start(2).await, Server::start(3).await];
    let [ann, bob, cid] = &servers;
    // With a row of one's own, as the database has it.
    servers.iter().for_each(|server| server.meet(&[ann, bob, cid]));
    for server in &servers {
        let mut up = vec![server.next().await, server.next().await];
        up.sort_by_key(|event| match event {
            LinkEvent::Up(id) => *id,
            event => panic!("not up: {event:?}"),
        });
        let others = servers.iter().filter(|other| other.id != server.id);
        assert_eq!(up, others.map(|other| LinkEvent::Up(other.id)).collect::<Vec<_>>());
    }
    for [from, to] in [[ann, bob], [bob, cid], [cid, ann], [ann, cid]] {
        from.links.send(to.id, b"you alone".to_vec()).expect("it is up");
        to.hears(from, b"you alone").await;
    }
    assert_eq!(ann.links.send(NodeId(4), Vec::new()), Err(NotSent));
    assert_eq!(ann.links.send(ann.id, Vec::new()), Err(NotSent));
}

#[tokio::test]
async fn a_server_that_ends_is_down_and_up_again_once_it_is_back() {
    for (stays, ends) in [(1, 2), (2, 1)] {
        let (stays, mut ends) = (Server::start(stays).await, Server::start(ends).await);
        stays.meet(&[&ends]);
        ends.meet(&[&stays]);
        stays.sees_up(&ends).await;
        ends.sees_up(&stays).await;
        ends.links.send(stays.id, b"the last".to_vec()).expect("it is up");
        stays.hears(&ends, b"the last").await;

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        ends.address = listener.local_addr().expect("it is bound");
        ends.links = Links::start(listener, ends.identity.clone(), LinkOptions::default());
        stays.sees_down(&ends).await;
        assert_eq!(stays.links.send(ends.id, Vec::new()), Err(NotSent));
        stays.meet(&[&ends]);
        ends.meet(&[&stays]);
        stays.sees_up(&ends).await;
        ends.sees_up(&stays).await;
    }
}

/// Stands in front of a server; what is told to stand still passes nothing on, and closes nothing.
async fn proxy(to: SocketAddr) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let (flows, is_flowing) = watch::channel(true);
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.expect("a connection");
            let far = TcpStream::connect(to).await.expect("the server listens");
            let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
            for (mut from, mut to) in [(from_near, to_far), (from_far, to_near)] {
                let mut is_flowing = is_flowing.clone();
                tokio::spawn(async move {
                    let mut some = vec![0; 1 << 16];
                    while let Ok(count @ 1..) = from.read(&mut some).await {
                        if is_flowing.wait_for(|flows| *flows).await.is_err()
                            || to.write_all(&some[..count]).await.is_err()
                        {
                            return;
                        }
                    }
                });
            }
        }
    });
    (address, flows)
}

#[tokio::test]
async fn a_server_that_falls_silent_is_down_at_both_ends_and_up_once_it_is_heard() {
    let (ann, bob) = (Server::start(1).await, Server::start(2).await);
    let (address, flows) = proxy(bob.address).await;
    ann.links.set_peers(ann.id, vec![Peer { address: address.to_string(), ..bob.row() }]);
    bob.meet(&[&ann]);
    ann.sees_up(&bob).await;
    bob.sees_up(&ann).await;
    flows.send(false).expect("the proxy is there");
    ann.sees_down(&bob).await;
    bob.sees_down(&ann).await;
    flows.send(true).expect("the proxy is there");
    ann.sees_up(&bob).await;
    ann.links.send(bob.id, b"there again".to_vec()).expect("it is up");
    // Of what stood still on the way an earlier attempt may come through first.
    loop {
        match bob.next().await {
            LinkEvent::Up(_) | LinkEvent::Down(_) => {}
            event => break assert_eq!(event, LinkEvent::Parcel { from: ann.id, bytes: b"there again".to_vec() }),
        }
    }
}

#[tokio::test]
async fn who_is_not_in_the_table_any_more_is_cut_and_stays_out() {
    let (ann, bob) = pair().await;
    bob.meet(&[]);
    bob.sees_down(&ann).await;
    ann.sees_down(&bob).await;
    assert_eq!(bob.links.send(ann.id, Vec::new()), Err(NotSent));
    assert_eq!(bob.next_of_all().await, LinkEvent::Unknown, "it dials, and is nobody");
    bob.meet(&[&ann]);
    bob.sees_up(&ann).await;
    ann.sees_up(&bob).await;
    // The same table again, and others that come and go, change nothing.
    bob.meet(&[&ann]);
    let cid = Server::start(3).await;
    bob.meet(&[&ann, &cid]);
    ann.links.send(bob.id, b"still here".to_vec()).expect("it is up");
    bob.hears(&ann, b"still here").await;
}

#[tokio::test]
async fn a_server_under_another_id_is_linked_anew() {
    let (mut ann, bob) = pair().await;
    let earlier = ann.row();
    ann.id = NodeId(3);
    // The row of the earlier id may still be there.
    ann.links.set_peers(ann.id, vec![earlier, bob.row()]);
    assert!(ann.links.mesh.peer(NodeId(1)).is_none(), "nobody links to oneself");
    ann.sees_down(&bob).await;
    assert_eq!(bob.next().await, LinkEvent::Down(NodeId(1)));
    bob.meet(&[&ann]);
    bob.sees_up(&ann).await;
    ann.sees_up(&bob).await;
    ann.links.send(bob.id, b"another".to_vec()).expect("it is up");
    bob.hears(&ann, b"another").await;
}

#[tokio::test]
async fn a_full_queue_cuts_the_link_and_both_ends_hear_of_it() {
    let (ann, bob) = pair().await;
    let sent = (0..200u8).take_while(|number| ann.links.send(bob.id, vec![*number; 1 << 20]).is_ok()).count();
    // Nobody has had a turn to write meanwhile.
    assert_eq!(sent, (QUEUE_BYTES_MAX >> 20) - 1);
    assert_eq!(ann.links.send(bob.id, Vec::new()), Err(NotSent));
    ann.sees_down(&bob).await;
    ann.sees_up(&bob).await;
    ann.links.send(bob.id, b"anew".to_vec()).expect("it is up");
    bob.sees_down(&ann).await;
    bob.sees_up(&ann).await;
    bob.hears(&ann, b"anew").await;

    assert_eq!(ann.links.send(bob.id, vec![0; PARCEL_BYTES_MAX + 1]), Err(NotSent), "no parcel is as large");
    ann.sees_down(&bob).await;
    bob.sees_down(&ann).await;
}
