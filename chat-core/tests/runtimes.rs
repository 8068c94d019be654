//! Engines used from threads and runtimes that are not their own, and engines whose own runtime has ended.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::{Engine, Policy, RejectCode, Reply};
use support::*;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// Lets everything through, and so has a task for each session that asks.
struct Open;

#[async_trait]
impl Policy for Open {}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime needs nothing")
}

/// An engine on a runtime of its own, that runs on a thread of its own until it is told to end.
struct Elsewhere {
    engine: Engine,
    end: tokio::sync::oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Elsewhere {
    fn begin(policy: Option<Arc<dyn Policy>>) -> Self {
        let (end, ended) = tokio::sync::oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                let builder = Engine::builder().limits(limits(|limits| limits.session.send_per_second = 0));
                let builder = if let Some(policy) = policy { builder.policy(policy) } else { builder };
                tell.send(builder.build()).expect("somebody waits for it");
                let _ = ended.await;
            });
        });
        Self { engine: told.recv().expect("it is built"), end, thread }
    }

    fn end(self) -> Engine {
        self.end.send(()).expect("it runs");
        self.thread.join().expect("it ends");
        self.engine
    }
}

/// Real time here, as there are two threads: so long nothing takes that happens at all.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), what).await.expect("it is answered")
}

#[test]
fn a_runtime_that_ends_takes_no_room_and_no_session_along() {
    for policy in [None, Some(Arc::new(Open) as Arc<dyn Policy>)] {
        let elsewhere = Elsewhere::begin(policy);
        let engine = elsewhere.engine.clone();
        let runtime = runtime();
        let ann = runtime.block_on(async { Client::in_room(&engine, "LUNCH", "Ann").await });
        for number in 0..20 {
            // It ends at once: nothing that was begun in it goes on.
            let short = self::runtime();
            short.block_on(async {
                ann.session
                    .submit(send("LUNCH", &number.to_string()), Reply::mailbox(None))
                    .expect("few are in flight");
            });
            drop(short);
            let bob = runtime.block_on(soon(async { Client::in_room(&engine, "LUNCH", "Bob").await }));
            let token = bob.token();
            let short = self::runtime();
            short.block_on(async { drop(bob) });
            drop(short);
            let again = runtime.block_on(soon(async { Client::with_hello(&engine, resume(&token, &[])).await }));
            runtime.block_on(soon(async { again.session.call(leave("LUNCH")).await })).expect("Bob is in still");
            runtime.block_on(async { ann.take() });
        }
        runtime.block_on(soon(async { ann.say("LUNCH", "still here").await }));
        drop(ann);
        elsewhere.end();
    }
}

#[test]
fn an_engine_whose_runtime_has_ended_answers_unavailable() {
    for policy in [None, Some(Arc::new(Open) as Arc<dyn Policy>)] {
        let elsewhere = Elsewhere::begin(policy);
        let runtime = runtime();
        let (ann, bob) = runtime.block_on(async {
            let ann = Client::in_room(&elsewhere.engine, "LUNCH", "Ann").await;
            (ann, Client::in_room(&elsewhere.engine, "LUNCH", "Bob").await)
        });
        let engine = elsewhere.end();
        let token = bob.token();
        runtime.block_on(soon(async {
            for _ in 0..3 {
                let reject = ann.refused(send("LUNCH", "hi")).await;
                let is_known = matches!(reject.code, RejectCode::Unavailable | RejectCode::RoomNotFound);
                assert!(is_known, "the room went down with what works on it: {reject:?}");
                assert_eq!(ann.refused(create("DINNER", "Ann")).await.code, RejectCode::Unavailable);
            }
            let host = engine.moderate(&code("DINNER"), chat_core::Moderation::Close).await;
            assert!(host.is_err());
            drop(bob);
            let statuses = Client::with_hello(&engine, resume(&token, &[])).await.welcomed().await;
            assert_eq!(statuses.len(), 1, "{statuses:?}");
        }));
    }
}
