//! Which tokens are good after anything: an engine over a log against a model that keeps every token ever told.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_core::{
    Clock, Command, ConnectRequest, Connection, Credential, Engine, Extent, Hello, Limits, Mono, Now, RejectCode,
    Resume, SessionId, SystemClock, Wall,
};
use chat_testkit::logs::MemoryLog;
use proptest::collection::vec;
use proptest::prelude::*;
use support::bent::BentLog;

const DAY: u64 = 86_400_000;
/// For how many days a token is good.
const EXPIRY: u64 = 10;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Comes back with one of the tokens told so far; perhaps the welcome is lost.
    Resume {
        which: usize,
        is_lost: bool,
    },
    /// Comes back with one of the cursors told so far.
    FollowCursor {
        which: usize,
    },
    /// Speaks beside its frames, with one of the tokens.
    Post {
        which: usize,
    },
    /// Ends the session with one of the tokens.
    End {
        which: usize,
    },
    Restart,
    Days(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<usize>(), any::<bool>()).prop_map(|(which, is_lost)| Step::Resume { which, is_lost }),
        3 => any::<usize>().prop_map(|which| Step::FollowCursor { which }),
        4 => any::<usize>().prop_map(|which| Step::Post { which }),
        1 => any::<usize>().prop_map(|which| Step::End { which }),
        1 => Just(Step::Restart),
        2 => (1..8_u64).prop_map(Step::Days),
    ]
}

/// The rule, told as simply as it can be.
struct Model {
    session: SessionId,
    today: u64,
    /// Every token that somebody has, its cursor with it.
    told: Vec<(String, String)>,
    /// The newest that was used since the server began; none is known after a restart.
    used: Option<u32>,
    is_ended: bool,
}

impl Model {
    fn is_true(&self, credential: &str) -> bool {
        let day = u64::from(read(credential).day);
        self.today - day <= EXPIRY
    }

    fn is_good(&self, credential: &str) -> bool {
        let is_superseded = self.used.is_some_and(|used| read(credential).generation < used);
        self.is_true(credential) && !is_superseded && !self.is_ended
    }

    fn uses(&mut self, credential: &str) {
        self.used = Some(read(credential).generation);
    }
}

fn read(credential: &str) -> Credential {
    credential.parse().expect("a credential")
}

/// A clock whose day a test sets.
struct DatedClock {
    mono: SystemClock,
    wall: AtomicU64,
}

impl Clock for DatedClock {
    fn now(&self) -> Now {
        Now { wall: Wall(self.wall.load(Ordering::SeqCst)), mono: self.mono.now().mono }
    }

    fn instant(&self, mono: Mono) -> tokio::time::Instant {
        self.mono.instant(mono)
    }
}

struct Server {
    log: Arc<MemoryLog>,
    clock: Arc<DatedClock>,
    engine: Option<Engine>,
    /// The connection of the session, as of the last resume that went well.
    connection: Option<Connection>,
}

impl Server {
    fn new(today: u64) -> Self {
        let clock = Arc::new(DatedClock { mono: SystemClock::new(), wall: AtomicU64::new(today * DAY) });
        let mut server = Self { log: Arc::new(MemoryLog::new()), clock, engine: None, connection: None };
        server.restart();
        server
    }

    fn restart(&mut self) {
        (self.connection, self.engine) = (None, None);
        let mut limits = Limits::default();
        limits.session.token_expiry = std::time::Duration::from_millis(EXPIRY * DAY);
        limits.room.clock_step_max = std::time::Duration::from_millis(1_000 * DAY);
        // Of the server before something may be left, which does not keep the next from coming.
        let log = BentLog::new(&self.log);
        let builder = Engine::builder().limits(limits).secret([7; 32]).clock(Arc::clone(&self.clock) as _);
        self.engine = Some(builder.log(Arc::new(log)).expect("nobody else has it").build());
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("it is up")
    }

    async fn connect(&self, credential: Option<&str>) -> Connection {
        let resume = credential.map(|token| Resume { token: token.to_owned(), positions: Vec::new() });
        let hello = Hello { resume, ..Hello::default() };
        self.engine().connect(ConnectRequest::default(), hello).await.expect("everybody is let in")
    }
}

/// Plays a run on both, and holds each answer against what the model says.
async fn play(steps: &[Step]) {
    const FIRST: u64 = 20_786;
    let mut server = Server::new(FIRST);
    let first = server.connect(None).await;
    let told = vec![(first.token(), first.cursor())];
    let mut model = Model { session: first.session_id(), today: FIRST, told, used: Some(1), is_ended: false };
    server.connection = Some(first);
    for step in steps {
        match *step {
            Step::Resume { which, is_lost } => {
                let token = model.told[which % model.told.len()].0.clone();
                let back = server.connect(Some(&token)).await;
                assert_eq!(
                    back.session_id() == model.session,
                    model.is_good(&token),
                    "{step:?} with {:?}",
                    read(&token)
                );
                if back.session_id() == model.session {
                    model.uses(&token);
                    assert_eq!(read(&back.token()).generation, read(&token).generation + 1);
                    if !is_lost {
                        model.told.push((back.token(), back.cursor()));
                    }
                    server.connection = Some(back);
                }
            }
            Step::FollowCursor { which } => {
                let cursor = model.told[which % model.told.len()].1.clone();
                let back = server.connect(Some(&cursor)).await;
                assert_eq!(
                    back.session_id() == model.session,
                    model.is_good(&cursor),
                    "{step:?} with {:?}",
                    read(&cursor)
                );
                if back.session_id() == model.session {
                    model.uses(&cursor);
                    assert_eq!(read(&back.cursor()).generation, read(&cursor).generation, "it rotates nothing");
                    server.connection = Some(back);
                }
            }
            Step::Post { which } => {
                let token = model.told[which % model.told.len()].0.clone();
                let said = server.engine().sender(model.session, &token).map(drop).map_err(|reject| reject.code);
                let expected = match (&server.connection, model.is_good(&token)) {
                    (Some(_), true) => Ok(()),
                    (Some(_), false) => Err(RejectCode::BadToken),
                    // Whose session it is is not known: nothing is done, and nothing is used. That it was ended is known once somebody has
                    // asked, on each server.
                    (None, _) if model.is_ended && said == Err(RejectCode::BadToken) => said,
                    (None, _) => Err(RejectCode::NotConnected),
                };
                assert_eq!(said, expected, "{step:?} with {:?}", read(&token));
                if said.is_ok() {
                    model.uses(&token);
                }
            }
            Step::End { which } => {
                let token = model.told[which % model.told.len()].0.clone();
                let is_done = match which % 2 {
                    0 => server
                        .engine()
                        .end_by_token(&ConnectRequest::default(), model.session, &token, Extent::Session)
                        .await
                        .is_ok(),
                    // From another connection.
                    _ => {
                        let command = Command::end().with_token(read(&token));
                        server.connect(None).await.call(command).await.is_ok()
                    }
                };
                assert_eq!(is_done, model.is_true(&token), "superseded or not: {step:?} with {:?}", read(&token));
                if is_done {
                    model.is_ended = true;
                    server.connection = None;
                }
            }
            Step::Restart => {
                server.restart();
                model.used = None;
            }
            Step::Days(days) => {
                model.today += days;
                server.clock.wall.store(model.today * DAY, Ordering::SeqCst);
            }
        }
    }
}

proptest! {
    #[test]
    fn a_token_is_good_or_not_as_the_model_says(steps in vec(step(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime needs nothing").block_on(play(&steps));
    }
}
