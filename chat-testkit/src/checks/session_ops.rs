//! Any order of publishing, reading, lagging and coming back: in order, nothing twice, and nothing missing but what a gap names.

mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_core::{
    Body, Command, ConnectRequest, Connection, Engine, Epoch, Event, Hello, Limits, MemberChange, MemberId, Moderation,
    Nick, Observer, ObserverEvent, PersonData, Record, Reply, RoomCode, Seq, ServerFrame,
};

use super::choices::Choices;
use reader::Reader;

const READERS: usize = 3;
/// Steps of one run, at most.
const STEPS_MAX: usize = 200;
/// Rounds that every task gets before nothing more is expected without time passing.
const ROUNDS: usize = 24;

/// The first ten bytes are bounds of the engine and how people read; each run of bytes after them is a step of the room or of one reader.
///
/// # Panics
/// When a reader is told what it must not be, or is not told what it must.
pub fn session_ops(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime needs nothing").block_on(async {
        let mut choices = Choices::new(data);
        let mut stage = Stage::new(&mut choices).await;
        for _ in 0..STEPS_MAX {
            if choices.is_over() {
                break;
            }
            stage.step(&mut choices).await;
            stage.keep_up();
        }
        stage.end().await;
    });
}

/// One room, one who speaks and never reads, and some who read.
struct Stage {
    engine: Engine,
    truth: Arc<Truth>,
    speaker: Connection,
    readers: Vec<Reader>,
    said: usize,
    /// Whether everybody reads everything after each step.
    is_prompt: bool,
}

impl Stage {
    async fn new(choices: &mut Choices<'_>) -> Self {
        let truth = Arc::new(Truth::default());
        let engine = Engine::builder().limits(limits(choices)).seed(1).observer(Arc::clone(&truth) as _).build();
        let speaker = engine.connect(ConnectRequest::default(), Hello::default()).await.expect("everybody is let in");
        let create = Command::create(nick("Ann")).with_room(room());
        speaker.call(create).await.expect("nobody has the name");
        let readers = (0..READERS).map(|number| Reader::new(nick(&format!("Reader {number}")))).collect();
        let is_prompt = choices.in_256(64);
        Self { engine, truth, speaker, readers, said: 0, is_prompt }
    }

    async fn step(&mut self, choices: &mut Choices<'_>) {
        let (engine, truth) = (&self.engine, &*self.truth);
        match choices.below(14) {
            0 | 1 => return self.say(1 + choices.below(8), usize::from(choices.byte())).await,
            2 => {
                // Whether there is such a message is for the room to say.
                let back = choices.below(40) as u64;
                let seq = Seq((truth.head().0 + 1).saturating_sub(back));
                let _ = engine.moderate(&room(), Moderation::Redact(seq)).await;
                return;
            }
            3 => {
                // The first member is the one who speaks.
                let member = MemberId(2 + choices.below(6) as u32);
                let _ = engine.moderate(&room(), Moderation::Kick(member)).await;
                return;
            }
            4 => return tokio::time::sleep(Duration::from_millis(u64::from(choices.byte()) * 20)).await,
            5 if choices.in_256(128) => {
                // Of the one who speaks, whom nobody puts out.
                let data = choices.in_256(200).then(|| data(choices.below(3)));
                let change = Moderation::ChangeMember(MemberId(1), MemberChange::new().data(data));
                engine.moderate(&room(), change).await.expect("she is there");
                return;
            }
            5 => return settle().await,
            _ => {}
        }
        let reader = &mut self.readers[choices.below(READERS)];
        if !reader.is_connected() {
            return reader.connect(engine, truth, choices).await;
        }
        match choices.below(10) {
            0 | 1 => reader.enter(truth, choices).await,
            2 => reader.leave().await,
            3 => reader.cut(),
            4 => reader.connect(engine, truth, choices).await,
            5 => reader.take(1 + choices.below(6), truth),
            6 | 7 => reader.take_bytes(choices.word().into(), truth),
            _ => reader.take(usize::MAX, truth),
        }
    }

    fn keep_up(&mut self) {
        if self.is_prompt {
            self.readers.iter_mut().for_each(|reader| reader.take(usize::MAX, &self.truth));
        }
    }

    /// Says so many messages at once.
    async fn say(&mut self, messages: usize, chars: usize) {
        let mut answers = Vec::new();
        for _ in 0..messages {
            self.said += 1;
            let text = Body::parse(&format!("{} {}", self.said, "x".repeat(chars)), 4_000).expect("a valid text");
            let (reply, answer) = Reply::channel(None);
            let taken = self.speaker.submit(Command::send(room(), text), reply);
            taken.expect("few commands are in flight");
            answers.push(answer);
        }
        for answer in answers {
            let answered = answer.await.expect("every command is answered");
            assert_eq!(answered.reject, None, "the speaker may speak");
        }
    }

    /// Everybody comes back, and reads to the end.
    async fn end(mut self) {
        for reader in &mut self.readers {
            reader.connect(&self.engine, &self.truth, &mut Choices::new(&[])).await;
        }
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            settle().await;
            self.readers.iter_mut().for_each(|reader| reader.take(usize::MAX, &self.truth));
        }
        self.readers.iter().for_each(|reader| reader.check_at_the_end(&self.truth));
        if self.is_prompt {
            assert_eq!(self.engine.stats().gaps_unblocked, 0, "who takes everything misses nothing");
        }
    }
}

/// A backlog that is soon too short, and chunks of any size.
fn limits(choices: &mut Choices<'_>) -> Limits {
    let mut limits = Limits::default();
    // More than one step can tell: who reads after each of them is never behind.
    limits.room.backlog_events_max = 9 + choices.below(60);
    limits.room.batch_inputs_max = 1 + choices.below(16);
    limits.room.history_default = choices.below(10);
    limits.room.grace = Duration::from_secs(2);
    limits.session.gap_interval = Duration::from_millis(choices.one_of(&[0, 300, 1_000]));
    limits.session.chunk_bytes_max = 1 + usize::from(choices.word()) % 4_000;
    limits.session.room_quantum_bytes = 1 + usize::from(choices.word()) % 1_000;
    limits.lift_rates();
    limits.session.refusals_per_second = 0;
    limits
}

/// What the room has told, as its observer saw it.
#[derive(Default)]
struct Truth(Mutex<Told>);

#[derive(Default)]
struct Told {
    epoch: Option<Epoch>,
    events: BTreeMap<Seq, Record>,
    redacted: BTreeSet<Seq>,
}

impl Observer for Truth {
    fn observe(&self, event: ObserverEvent<'_>) {
        let ObserverEvent::Published { epoch, record, .. } = event else { return };
        let mut told = self.told();
        assert!(told.epoch.is_none_or(|known| known == epoch), "the speaker stays, so the room has one life");
        told.epoch = Some(epoch);
        if let Event::Redacted { target } = record.event {
            told.redacted.insert(target);
        }
        if let Some(seq) = record.seq {
            assert_eq!(
                seq,
                told.events.keys().next_back().copied().unwrap_or_default().next(),
                "numbers have no holes"
            );
            told.events.insert(seq, record.clone());
        }
    }
}

impl Truth {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look<T>(&self, look: impl FnOnce(&Told) -> T) -> T {
        look(&self.told())
    }

    fn head(&self) -> Seq {
        self.look(|told| told.events.keys().next_back().copied().unwrap_or_default())
    }

    fn epoch(&self) -> Epoch {
        self.look(|told| told.epoch).expect("the room was made before anybody reads")
    }

    /// Whether somebody was ever put out, also from a stay that they were not shown.
    fn was_kicked(&self, who: &Nick) -> bool {
        let is_it = |record: &Record| matches!(&record.event, Event::Kicked { nick, .. } if nick == who);
        self.look(|told| told.events.values().any(is_it))
    }

    /// The last messages up to here, so many of them.
    fn last_messages(&self, until: Seq, most: usize) -> Vec<Seq> {
        self.look(|told| {
            let messages = told.events.range(..=until).filter(|(_, record)| matches!(record.event, Event::Sent { .. }));
            let mut last: Vec<Seq> = messages.map(|(seq, _)| *seq).rev().take(most).collect();
            last.reverse();
            last
        })
    }

    /// What the one who speaks shows after this event.
    fn shown(&self, until: Seq) -> Option<PersonData> {
        self.look(|told| {
            let mut changes = told.events.range(..=until).rev().filter_map(|(_, record)| match &record.event {
                Event::MemberChanged { data, .. } => data.clone(),
                _ => None,
            });
            changes.next().flatten()
        })
    }

    /// Checks an event as it was told: by its kind, and a message by its text.
    fn check(&self, seq: Seq, frame: &ServerFrame) {
        self.look(|told| {
            let record = told.events.get(&seq).unwrap_or_else(|| panic!("{seq} was never published: {frame:?}"));
            let is_it = match (frame, &record.event) {
                (ServerFrame::Message(message), Event::Sent { nick, text, .. }) => {
                    let text = if message.redacted { "" } else { text.as_str() };
                    let may_be_redacted = !message.redacted || told.redacted.contains(&seq);
                    may_be_redacted && message.nick == nick.as_str() && message.text == text
                }
                (ServerFrame::MemberJoined { member, .. }, Event::Joined { .. }) => Some(*member) == record.by,
                (ServerFrame::MemberLeft { member, .. }, Event::Left { .. }) => Some(*member) == record.by,
                (ServerFrame::MemberLeft { member, .. }, Event::Kicked { member: kicked, .. }) => member == kicked,
                (ServerFrame::MemberChanged { data, .. }, Event::MemberChanged { data: changed, .. }) => {
                    data == changed
                }
                (ServerFrame::Redacted { target, .. }, Event::Redacted { target: meant }) => target == meant,
                _ => false,
            };
            assert!(is_it, "{frame:?} is told of {record:?}");
        });
    }
}

/// Lets every task run until it has nothing more to do. No time passes.
async fn settle() {
    for _ in 0..ROUNDS {
        tokio::task::yield_now().await;
    }
}

fn room() -> RoomCode {
    RoomCode::parse("LOBBY").expect("a valid code")
}

fn data(number: usize) -> PersonData {
    PersonData::parse(&format!("{{\"id\":{number}}}")).expect("valid data")
}

fn nick(text: &str) -> Nick {
    Nick::parse(text).expect("a valid nick")
}
