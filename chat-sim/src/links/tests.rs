//! Links that carry parcels in order and late, hold only so much, and go down; and a table on which all servers agree.

use super::way::HELD_BYTES;
use super::*;

fn world(places: usize) -> (Arc<Links>, Vec<Arc<Node>>) {
    let links = Links::new(places, 7, Arc::new(Transcript::new(false)), false);
    let nodes = (0..places).map(|place| links.join(place)).collect();
    (links, nodes)
}

/// What comes to a server until nothing more does.
async fn all(node: &Node) -> Vec<ClusterEvent> {
    let mut events = Vec::new();
    while let Ok(event) = tokio::time::timeout(Duration::from_secs(1), node.next()).await {
        events.push(event);
    }
    events
}

fn is_move(event: &ClusterEvent) -> bool {
    matches!(event, ClusterEvent::Moved(_))
}

#[tokio::test(start_paused = true)]
async fn parcels_come_in_their_order_and_late() {
    let (_links, nodes) = world(2);
    let (from, to) = (&nodes[0], &nodes[1]);
    for event in [all(from).await, all(to).await].concat() {
        assert!(is_move(&event) || matches!(event, ClusterEvent::LinkUp(_)), "{event:?}");
    }
    let begun = Instant::now();
    for number in 0..9 {
        assert_eq!(from.send(to.id(), vec![number]), Ok(()));
    }
    for number in 0..9 {
        assert_eq!(to.next().await, ClusterEvent::Parcel { from: from.id(), parcel: vec![number] });
    }
    assert!(begun.elapsed() <= Duration::from_millis(LATENCY_MAX + 1));
}

#[tokio::test(start_paused = true)]
async fn a_link_is_up_before_anything_comes_over_it() {
    let (_links, nodes) = world(4);
    for (node, other) in nodes.iter().flat_map(|node| nodes.iter().map(move |other| (node, other))) {
        let is_sent = node.send(other.id(), Vec::new());
        assert_eq!(is_sent.is_ok(), node.id() != other.id());
    }
    for node in &nodes {
        let mut up = Vec::new();
        for event in all(node).await {
            match event {
                ClusterEvent::LinkUp(other) => up.push(other),
                ClusterEvent::Parcel { from, .. } => assert!(up.contains(&from)),
                event => assert!(is_move(&event), "{event:?}"),
            }
        }
        assert_eq!(up.len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_takes_no_more_than_it_holds() {
    let (_links, nodes) = world(2);
    let (from, to) = (&nodes[0], &nodes[1]);
    for node in &nodes {
        all(node).await;
    }
    assert_eq!(from.send(to.id(), vec![0; HELD_BYTES]), Ok(()));
    all(to).await;
    assert_eq!(from.send(to.id(), vec![0; HELD_BYTES]), Ok(()), "what was taken makes room");
    assert_eq!(from.send(to.id(), vec![0; 1]), Err(NotSent), "it is cut");
    for (node, other) in [(from, to), (to, from)] {
        assert_eq!(all(node).await, [ClusterEvent::LinkDown(other.id()), ClusterEvent::LinkUp(other.id())]);
    }
    assert_eq!(from.send(to.id(), vec![0; 1]), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn what_a_server_that_is_gone_has_sent_is_lost_and_the_others_hear_of_it() {
    let (links, nodes) = world(3);
    for node in &nodes {
        all(node).await;
    }
    assert_eq!(nodes[0].send(nodes[1].id(), vec![1]), Ok(()));
    nodes[0].leave();
    nodes[0].leave();
    for node in &nodes[1..] {
        let events = all(node).await;
        let [ClusterEvent::Moved(slots), ClusterEvent::LinkDown(gone)] = &events[..] else { panic!("{events:?}") };
        assert_eq!(*gone, nodes[0].id());
        assert!(slots.iter().all(|slot| node.owner(*slot) == Owner::Nobody));
        assert_eq!(node.send(*gone, vec![1]), Err(NotSent));
    }
    assert_eq!(all(&nodes[0]).await, []);
    assert_eq!(nodes[0].send(nodes[1].id(), vec![1]), Err(NotSent));
    let next = links.join(0);
    let own = Slot::all().filter(|slot| next.owner(*slot) == Owner::Me(Term(2))).count();
    assert!(own > 0, "what is in its place takes its slots, under a later term");
}

#[tokio::test(start_paused = true)]
async fn every_slot_has_one_owner_whom_all_agree_on() {
    let (_links, nodes) = world(4);
    for slot in Slot::all() {
        let owners: Vec<Owner> = nodes.iter().map(|node| node.owner(slot)).collect();
        let own = nodes.iter().filter(|node| node.owner(slot) == Owner::Me(Term(1))).map(|node| node.id());
        let [owner] = own.collect::<Vec<_>>()[..] else { panic!("{slot} has the owners {owners:?}") };
        let others = owners.iter().filter(|other| **other == Owner::Other(owner, Term(1))).count();
        assert_eq!(others, 3, "{slot}: {owners:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_has_taken_nothing() {
    let (_links, nodes) = world(2);
    all(&nodes[1]).await;
    assert_eq!(nodes[0].send(nodes[1].id(), vec![1]), Ok(()));
    let waits = tokio::time::timeout(Duration::ZERO, nodes[1].next()).await;
    let event = match waits {
        Ok(event) => event,
        Err(_) => nodes[1].next().await,
    };
    assert_eq!(event, ClusterEvent::Parcel { from: nodes[0].id(), parcel: vec![1] });
}

#[tokio::test(start_paused = true)]
async fn a_server_is_not_awake_while_it_stands_still() {
    let (links, nodes) = world(2);
    let seconds = Duration::from_secs;
    for clock_stands in [true, false] {
        tokio::time::sleep(seconds(5)).await;
        nodes[0].freeze(seconds(2), clock_stands);
        tokio::time::sleep(seconds(1)).await;
        assert_eq!(links.awake(0, seconds(3)), seconds(2));
        tokio::time::sleep(seconds(4)).await;
        assert_eq!(links.awake(0, seconds(4)), seconds(3));
        assert_eq!((links.awake(0, seconds(5)), links.awake(1, seconds(5))), (seconds(3), seconds(5)));
    }
}
