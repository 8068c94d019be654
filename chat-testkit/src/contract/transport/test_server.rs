//! An engine with a harness in front of it, and people who come in.

use std::sync::Arc;
use std::time::Duration;

use chat_core::{Engine, EngineBuilder, Limits, Log};

use super::{Resume, TestClient, Trail, TransportHarness};

/// One engine behind one harness.
pub struct TestServer<D> {
    /// What lies behind the harness.
    pub engine: Engine,
    /// Where everybody comes in.
    pub harness: D,
}

impl<D: TransportHarness> TestServer<D> {
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
        Self { harness: D::open(engine.clone()).await, engine }
    }

    /// With other bounds, over a log.
    pub(super) async fn over(log: Arc<dyn Log>, change: impl FnOnce(&mut Limits)) -> Self {
        Self::build(change, |engine| engine.log(log).expect("no other engine has it")).await
    }

    /// Somebody with a new session.
    pub async fn client(&self) -> TestClient<D::Client> {
        TestClient::new(&self.harness).await
    }

    /// Somebody who comes back.
    pub async fn back(&self, trail: &Trail) -> TestClient<D::Client> {
        TestClient::back(&self.harness, trail).await
    }

    /// Who is turned away, with the code they are told.
    pub async fn turned_away(&self, resume: Option<Resume>) -> String {
        TestClient::turned_away(&self.harness, resume).await
    }

    /// Who is turned away for now, with the codes of the `error` and of the `closing`.
    pub async fn put_off(&self, resume: Option<Resume>) -> (String, u64) {
        TestClient::put_off(&self.harness, resume).await
    }

    /// People in one room, the first its owner; all have read everything so far.
    pub async fn people<const N: usize>(&self, room: &str, nicks: [&str; N]) -> [TestClient<D::Client>; N] {
        let mut clients = Vec::with_capacity(N);
        for (index, nick) in nicks.into_iter().enumerate() {
            let mut client = self.client().await;
            match index {
                0 => client.create(room, nick).await,
                _ => client.join(room, nick).await,
            };
            clients.push(client);
        }
        for client in &mut clients {
            client.read_to(room, N as u64).await;
        }
        clients.try_into().unwrap_or_else(|_| unreachable!("one client was made for each nick"))
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
