//! Networks that are slow and lie: what is on its way is held up, cut off in the middle, said twice, or answered by somebody else.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The share of worlds that have such a network where nobody says which they are to have: the others are those that they were before.
const SHARE: f64 = 0.15;
/// So that lies are drawn beside everything else that is drawn from the seed of a world.
const APART: u64 = 0x6c69_6573;

/// What connects people and servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Connections that deliver in time, until they are cut.
    Plain,
    /// Connections that are slow and lie.
    Lying,
}

/// How a network lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lies {
    /// How long one piece may be held up, at most, and with it what follows in its direction. Other connections overtake it meanwhile.
    pub(crate) hiccup: Duration,
    /// The share of directions that deliver a few bytes at a time.
    pub(crate) dribbles: f64,
    /// How long it takes until the server learns, at most, that who has ended a connection is gone: a newer one may be there by then.
    pub(crate) late_end: Duration,
    /// The share of connections of which one direction ends in the middle of what is on its way.
    pub(crate) breaks: f64,
    /// The share of requests that a proxy answers in place of the server, which may have carried them out or not.
    pub(crate) bad_gateways: f64,
    /// The share of POSTs that a proxy hands in twice, over two connections.
    pub(crate) doubles: f64,
}

impl Lies {
    /// Those of the world of this seed; none where its network is plain, or is drawn to be.
    pub(crate) fn of(seed: u64, network: Option<Network>) -> Option<Self> {
        let mut rng = StdRng::seed_from_u64(seed ^ APART);
        let is_lying = rng.random_bool(SHARE);
        network.map_or(is_lying, |network| network == Network::Lying).then(|| Self {
            hiccup: Duration::from_millis(rng.random_range(100..2_500)),
            dribbles: rng.random_range(0.0..0.3),
            late_end: Duration::from_millis(rng.random_range(500..15_000)),
            breaks: rng.random_range(0.0..0.3),
            bad_gateways: rng.random_range(0.0..0.1),
            doubles: rng.random_range(0.0..0.5),
        })
    }

    /// The same where nothing that carries somebody may be lost.
    pub(crate) fn that_lose_nothing(self) -> Self {
        Self { breaks: 0.0, bad_gateways: 0.0, ..self }
    }
}

/// What a proxy does with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxied {
    /// Hands it on, and the answer back.
    Once,
    /// Hands it on twice.
    Twice,
    /// Answers it with an error, and hands nothing on.
    Refused,
    /// Hands it on, and answers it with an error.
    Lost,
}

impl Proxied {
    /// What is drawn for the next request.
    pub(crate) fn draw(lies: Option<&Lies>, rng: &mut StdRng) -> Self {
        let Some(lies) = lies else { return Self::Once };
        if rng.random_bool(lies.bad_gateways) {
            return if rng.random_bool(0.5) { Self::Refused } else { Self::Lost };
        }
        if rng.random_bool(lies.doubles) { Self::Twice } else { Self::Once }
    }
}
