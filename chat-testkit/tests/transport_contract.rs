//! The transport contract over no transport: frames go straight into a session. What fails here is no transport's.

use std::collections::VecDeque;
use std::future::poll_fn;

use async_trait::async_trait;
use chat_core::{
    AccessToken, BadFrame, ClientFrame, ConnectRequest, Connection, Engine, FrameKind, Hello, Refusal, Reject,
    RejectCode, Reply, Request, RoomCode, ServerFrame,
};
use chat_testkit::contract::run;
use chat_testkit::contract::transport::{self, Client, Resume, TransportHarness, is_answer};
use serde_json::Value;

chat_testkit::transport_contract!(Straight);

mod pair {
    use super::Straight;

    chat_testkit::transport_pair_contract!(Straight, Straight);
}

/// No harness at all.
struct Straight(Engine);

/// A session in hand, or what is left to say to who has none.
struct Inside {
    engine: Engine,
    session: Result<Connection, VecDeque<Value>>,
    kept: VecDeque<Value>,
    over: bool,
}

#[async_trait]
impl TransportHarness for Straight {
    type Client = Inside;

    const IS_IN_HAND: bool = true;

    async fn open(engine: Engine) -> Self {
        Self(engine)
    }

    async fn connect(&self, resume: Option<Resume>) -> Inside {
        self.say_hello(resume, None).await
    }

    async fn connect_showing(&self, resume: Option<Resume>, token: &str) -> Option<Inside> {
        Some(self.say_hello(resume, Some(token)).await)
    }
}

impl Straight {
    async fn say_hello(&self, resume: Option<Resume>, token: Option<&str>) -> Inside {
        let catch_up = resume.as_ref().and_then(|resume| resume.catch_up);
        let resume = resume.map(|Resume { token, positions, .. }| {
            let parse =
                |(room, position): &(String, String)| Some((RoomCode::parse(room).ok()?, position.parse().ok()?));
            chat_core::Resume { token, positions: positions.iter().filter_map(parse).collect() }
        });
        let token = token.map(|token| AccessToken::parse(token).expect("a token"));
        let hello = Hello { resume, catch_up, token, ..Hello::default() };
        let session = self.0.connect(ConnectRequest::default(), hello).await.map_err(last_words);
        Inside { engine: self.0.clone(), session, kept: VecDeque::new(), over: false }
    }
}

impl Inside {
    fn session(&self) -> &Connection {
        self.session.as_ref().unwrap_or_else(|refusal| panic!("let in: {refusal:?}"))
    }

    async fn frame(&mut self) -> Value {
        let session = self.session();
        let frame = poll_fn(|cx| session.poll_peek(cx)).await;
        session.commit(frame.mark);
        self.over |= frame.kind == FrameKind::Closing;
        serde_json::from_slice(&frame.json).expect("JSON")
    }
}

fn last_words(Refusal { close, reject, reconnect_after, .. }: Refusal) -> VecDeque<Value> {
    let error = ServerFrame::Error {
        until: reject.until,
        id: None,
        room: None,
        code: reject.code.as_str().to_owned(),
        message: reject.message.into_owned(),
        field: reject.field.map(str::to_owned),
        limit: reject.limit,
        retry_after_ms: reject.retry_after.map(|wait| wait.as_millis() as u64),
    };
    let frames = [error, ServerFrame::closing(close, reconnect_after)];
    frames.iter().map(|frame| serde_json::to_value(frame).expect("JSON")).collect()
}

#[async_trait]
impl Client for Inside {
    async fn command(&mut self, frame: Value) -> Value {
        let limits = self.engine.limits();
        let parsed = ClientFrame::parse(frame.to_string().as_bytes(), &limits.room, &limits.session);
        let taken = match parsed {
            Ok(ClientFrame { id, request: Request::Command(command) }) => {
                self.session().submit(command, Reply::mailbox(id))
            }
            Ok(ClientFrame { id, request: Request::Hello(_) }) => {
                let reject = Reject::new(RejectCode::UnknownType, "hello comes only as the first frame");
                self.session().refuse(BadFrame { id, reject }, Reply::mailbox(id))
            }
            Err(bad) => {
                let id = bad.id;
                self.session().refuse(bad, Reply::mailbox(id))
            }
        };
        if taken.is_err() {
            let code = RejectCode::Busy.as_str();
            return serde_json::json!({"type": "error", "id": frame["id"], "code": code, "message": "not taken"});
        }
        loop {
            let frame = self.frame().await;
            if is_answer(&frame) {
                return frame;
            }
            self.kept.push_back(frame);
        }
    }

    async fn next(&mut self) -> Option<Value> {
        if let Some(frame) = self.kept.pop_front() {
            return Some(frame);
        }
        match &mut self.session {
            Err(words) => words.pop_front(),
            Ok(session) if self.over => {
                assert!(session.ended().is_some());
                // Who has heard the end goes.
                self.session = Err(VecDeque::new());
                None
            }
            Ok(_) => Some(self.frame().await),
        }
    }

    async fn cut(self) {}
}

/// A harness whose clients lose every `LOST`th frame, or hear it twice.
struct Careless<const LOST: usize, const TWICE: usize>(Straight);

struct CarelessClient<const LOST: usize, const TWICE: usize> {
    inside: Inside,
    heard: usize,
    again: Option<Value>,
}

#[async_trait]
impl<const LOST: usize, const TWICE: usize> TransportHarness for Careless<LOST, TWICE> {
    type Client = CarelessClient<LOST, TWICE>;

    const IS_IN_HAND: bool = true;

    async fn open(engine: Engine) -> Self {
        Self(Straight(engine))
    }

    async fn connect(&self, resume: Option<Resume>) -> Self::Client {
        CarelessClient { inside: self.0.connect(resume).await, heard: 0, again: None }
    }
}

#[async_trait]
impl<const LOST: usize, const TWICE: usize> Client for CarelessClient<LOST, TWICE> {
    async fn command(&mut self, frame: Value) -> Value {
        self.inside.command(frame).await
    }

    async fn next(&mut self) -> Option<Value> {
        if let Some(frame) = self.again.take() {
            return Some(frame);
        }
        self.heard += 1;
        if self.heard.is_multiple_of(LOST) {
            self.inside.next().await;
        }
        let frame = self.inside.next().await;
        self.again = frame.clone().filter(|_| self.heard.is_multiple_of(TWICE));
        frame
    }

    async fn cut(self) {}
}

const NEVER: usize = usize::MAX;

#[test]
#[should_panic(expected = "the next event")]
fn a_lost_event_is_found() {
    run(transport::history_is_paged_backwards_to_the_first_message::<Careless<5, NEVER>>());
}

#[test]
#[should_panic(expected = "the next event")]
fn a_repeated_event_is_found() {
    run(transport::history_is_paged_backwards_to_the_first_message::<Careless<NEVER, 5>>());
}
