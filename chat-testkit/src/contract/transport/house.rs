//! An engine with a door in front of it, and people who come in.

use std::time::Duration;

use chat_core::{Engine, EngineBuilder, Limits};

use super::{Door, Guest, Resume, Trail};

/// One engine behind one door.
pub struct House<D> {
    /// What lies behind the door.
    pub engine: Engine,
    /// Where everybody comes in.
    pub door: D,
}

impl<D: Door> House<D> {
    /// With the bounds of the contract.
    pub async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// With other bounds than those of the contract.
    pub async fn with(change: impl FnOnce(&mut Limits)) -> Self {
        Self::build(change, |builder| builder).await
    }

    /// With other bounds, and with ports.
    pub async fn build(change: impl FnOnce(&mut Limits), ports: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        let mut limits = limits();
        change(&mut limits);
        let engine = ports(Engine::builder().limits(limits)).build();
        Self { door: D::open(engine.clone()).await, engine }
    }

    /// Somebody with a new session.
    pub async fn guest(&self) -> Guest<D::Client> {
        Guest::new(&self.door).await
    }

    /// Somebody who comes back.
    pub async fn back(&self, trail: &Trail) -> Guest<D::Client> {
        Guest::back(&self.door, trail).await
    }

    /// Who is turned away, with the code they are told.
    pub async fn turned_away(&self, resume: Option<Resume>) -> String {
        Guest::turned_away(&self.door, resume).await
    }

    /// Who is turned away for now, with the codes of the `error` and of the `closing`.
    pub async fn put_off(&self, resume: Option<Resume>) -> (String, u64) {
        Guest::put_off(&self.door, resume).await
    }

    /// People in one room, the first its owner; all have read everything so far.
    pub async fn people<const N: usize>(&self, room: &str, nicks: [&str; N]) -> [Guest<D::Client>; N] {
        let mut guests = Vec::with_capacity(N);
        for (index, nick) in nicks.into_iter().enumerate() {
            let mut guest = self.guest().await;
            match index {
                0 => guest.create(room, nick).await,
                _ => guest.join(room, nick).await,
            };
            guests.push(guest);
        }
        for guest in &mut guests {
            guest.read_to(room, N as u64).await;
        }
        guests.try_into().unwrap_or_else(|_| unreachable!("one guest was made for each nick"))
    }
}

/// The defaults, without the rates that a test would run into at once.
pub(super) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.lift_rates();
    limits
}

/// A grace that runs out while a test waits for it.
pub(super) const SHORT_GRACE: Duration = Duration::from_millis(200);
