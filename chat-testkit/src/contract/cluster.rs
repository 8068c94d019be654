//! What every [`Cluster`] must do: slots that one server has at any time, and parcels that come in order, each at most once, or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{Cluster, ClusterEvent, NodeId, NotSent, Owner, Slot, Term};

/// The longest that anything may take: far longer than it does, so that what never comes fails the test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The servers of one test. Empty when it is made.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// Another server comes in. The first has every slot when it is in.
    async fn join(&self) -> Box<dyn Place>;
}

/// One server's place among the others.
#[async_trait]
pub trait Place: Send + Sync + 'static {
    /// Which one it is.
    fn id(&self) -> NodeId;

    /// What its engine is given.
    fn cluster(&self) -> Arc<dyn Cluster>;

    /// It gives all it has to the others, in order, and stays.
    async fn give_all(&self);

    /// It is gone without a word.
    async fn vanish(self: Box<Self>);
}

/// Tests of all that is asked of a [`Cluster`]; `$make` makes a [`Service`], or `None` where the test cannot run here.
#[macro_export]
macro_rules! cluster_contract {
    ($make:expr) => {
        $crate::cluster_contract! { @tests $make;
            a_server_that_is_alone_has_every_slot,
            servers_hear_of_each_other_and_agree_on_who_has_what,
            parcels_come_in_order_and_once_both_ways,
            an_asker_that_stops_waiting_takes_nothing,
            a_parcel_to_nobody_is_refused,
            slots_that_are_given_are_told_under_a_later_term,
            who_is_gone_is_heard_of_and_loses_its_slots,
        }
    };
    (@tests $make:expr; $($name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                $crate::contract::run(async {
                    if let Some(service) = $make.await {
                        $crate::contract::cluster::$name(service).await;
                    }
                });
            }
        )*
    };
}

/// A server, and what it has heard so far.
struct Listener {
    place: Box<dyn Place>,
    cluster: Arc<dyn Cluster>,
    linked: BTreeMap<NodeId, bool>,
    parcels: Vec<(NodeId, Vec<u8>)>,
}

impl Listener {
    async fn join(service: &impl Service) -> Self {
        let place = service.join().await;
        let cluster = place.cluster();
        Self { place, cluster, linked: BTreeMap::new(), parcels: Vec::new() }
    }

    /// Takes one event.
    async fn hear(&mut self) {
        match tokio::time::timeout(PATIENCE, self.cluster.next()).await.expect("something happens") {
            ClusterEvent::LinkUp(node) => {
                assert_ne!(self.linked.insert(node, true), Some(true), "a link that is up comes up");
            }
            ClusterEvent::LinkDown(node) => {
                assert_eq!(self.linked.insert(node, false), Some(true), "a link goes down that is not up");
            }
            ClusterEvent::Parcel { from, parcel } => {
                assert_eq!(self.linked.get(&from), Some(&true), "a parcel without a link");
                self.parcels.push((from, parcel));
            }
            _ => {}
        }
    }

    fn is_linked(&self, to: &Self) -> bool {
        self.linked.get(&to.place.id()) == Some(&true)
    }

    fn owners(&self) -> Vec<Owner> {
        Slot::all().map(|slot| self.cluster.owner(slot)).collect()
    }

    /// The term of each slot, where all are its own.
    fn terms(&self) -> Option<Vec<Term>> {
        let term = |owner: &Owner| if let Owner::Me(term) = owner { Some(*term) } else { None };
        self.owners().iter().map(term).collect()
    }
}

/// Hears at both until it is so.
async fn until(one: &mut Listener, other: &mut Listener, is_so: impl Fn(&Listener, &Listener) -> bool) {
    while !is_so(one, other) {
        tokio::select! {
            () = one.hear() => {}
            () = other.hear() => {}
        }
    }
}

async fn two(service: &impl Service) -> (Listener, Listener) {
    let (mut one, mut other) = (Listener::join(service).await, Listener::join(service).await);
    until(&mut one, &mut other, |one, other| one.is_linked(other) && other.is_linked(one)).await;
    (one, other)
}

/// Whether all is one's, as both know.
fn has_all(one: &Listener, other: &Listener) -> bool {
    let id = one.place.id();
    let seen = one.terms().map(|terms| terms.into_iter().map(|term| Owner::Other(id, term)).collect::<Vec<_>>());
    seen.is_some_and(|seen| seen == other.owners())
}

/// See the name.
pub async fn a_server_that_is_alone_has_every_slot(service: impl Service) {
    let alone = Listener::join(&service).await;
    assert!(alone.terms().is_some());
}

/// See the name.
pub async fn servers_hear_of_each_other_and_agree_on_who_has_what(service: impl Service) {
    let (mut one, mut other) = two(&service).await;
    assert_ne!(one.place.id(), other.place.id());
    until(&mut one, &mut other, has_all).await;
    assert_eq!((one.cluster.living(), other.cluster.living()), (vec![other.place.id()], vec![one.place.id()]));
}

/// See the name.
pub async fn parcels_come_in_order_and_once_both_ways(service: impl Service) {
    let (mut one, mut other) = two(&service).await;
    let (first, second) = (one.place.id(), other.place.id());
    let parcel = |number: usize| {
        [&number.to_be_bytes()[..], &vec![7; if number % 50 == 49 { 1 << 20 } else { number }]].concat()
    };
    // Less than a link holds at a time.
    let all: Vec<Vec<u8>> = (0..500).map(parcel).collect();
    for parcel in &all {
        one.cluster.send(second, parcel.clone()).expect("the link is up");
        other.cluster.send(first, parcel.clone()).expect("the link is up");
    }
    until(&mut one, &mut other, |one, other| one.parcels.len() == 500 && other.parcels.len() == 500).await;
    assert!(other.parcels.iter().map(|(from, parcel)| (*from, parcel)).eq(all.iter().map(|parcel| (first, parcel))));
    assert!(one.parcels.iter().map(|(from, parcel)| (*from, parcel)).eq(all.iter().map(|parcel| (second, parcel))));
}

/// See the name.
pub async fn an_asker_that_stops_waiting_takes_nothing(service: impl Service) {
    let (one, mut other) = two(&service).await;
    let to = other.place.id();
    let mut sent = 0_u64;
    while other.parcels.len() < 200 {
        if sent < 200 {
            one.cluster.send(to, sent.to_be_bytes().to_vec()).expect("the link is up");
            sent += 1;
        }
        // It stops waiting at once, unless there is something already.
        tokio::select! {
            biased;
            () = other.hear() => {}
            () = tokio::task::yield_now() => {}
        }
    }
    let numbers: Vec<Vec<u8>> = (0..200_u64).map(|number| number.to_be_bytes().to_vec()).collect();
    assert!(other.parcels.into_iter().map(|(_, parcel)| parcel).eq(numbers));
}

/// See the name.
pub async fn a_parcel_to_nobody_is_refused(service: impl Service) {
    let (one, _other) = two(&service).await;
    assert_eq!(one.cluster.send(NodeId(u128::MAX), b"hello".to_vec()), Err(NotSent));
}

/// See the name.
pub async fn slots_that_are_given_are_told_under_a_later_term(service: impl Service) {
    let (mut one, mut other) = two(&service).await;
    until(&mut one, &mut other, has_all).await;
    let before = one.terms().expect("all are its own");
    let given = one.place.give_all();
    tokio::pin!(given);
    let mut is_given = false;
    while !is_given || !has_all(&other, &one) {
        tokio::select! {
            () = &mut given, if !is_given => is_given = true,
            () = async { tokio::select! { _ = one.cluster.next() => {}, () = other.hear() => {} } } => {}
        }
    }
    let after = other.terms().expect("all are its own");
    assert!(before.iter().zip(&after).all(|(before, after)| after > before));
}

/// See the name.
pub async fn who_is_gone_is_heard_of_and_loses_its_slots(service: impl Service) {
    let (mut one, mut other) = two(&service).await;
    until(&mut one, &mut other, has_all).await;
    let (gone, before) = (one.place.id(), one.terms().expect("all are its own"));
    let Listener { place, cluster, .. } = one;
    drop(cluster);
    place.vanish().await;
    while other.linked.get(&gone) == Some(&true) || other.terms().is_none() {
        other.hear().await;
    }
    let after = other.terms().expect("all are its own");
    assert!(before.iter().zip(&after).all(|(before, after)| after > before));
    assert_eq!(other.cluster.send(gone, b"hello".to_vec()), Err(NotSent));
}
