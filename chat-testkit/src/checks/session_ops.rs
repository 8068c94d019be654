//! Any order of publishing, reading, lagging and coming back: in order, nothing twice, and nothing missing but what a gap names.

mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_core::{
    Body, Command, ConnectRequest, Connection, Engine, Epoch, Event, Hello, Limits, MemberChange, MemberId, Moderation,
    Nick, Observer, ObserverEvent, PersonData, ReactionName, Record, Reply, RoomCode, Seq, ServerFrame, SignalData,
    SignalName,
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
        let limits = limits(choices);
        // Not drawn: it is to go with what is.
        let skips = limits.room.backlog_events_max.is_multiple_of(3);
        let catch_up = skips.then(|| u32::try_from(limits.room.history_default).expect("it is small"));
        let engine = Engine::builder().limits(limits).seed(1).observer(Arc::clone(&truth) as _).build();
        let speaker = engine.connect(ConnectRequest::default(), Hello::default()).await.expect("everybody is let in");
        let create = Command::create(nick("Ann")).with_room(room());
        speaker.call(create).await.expect("nobody has the name");
        let readers = (0..READERS).map(|number| Reader::new(nick(&format!("Reader {number}")), catch_up)).collect();
        let is_prompt = choices.in_256(64);
        Self { engine, truth, speaker, readers, said: 0, is_prompt }
    }

    async fn step(&mut self, choices: &mut Choices<'_>) {
        let (engine, truth) = (&self.engine, &*self.truth);
        match choices.below(20) {
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
            14 | 15 => return self.grow(choices).await,
            16 => return self.signal(choices).await,
            17 | 18 => return self.edit(choices).await,
            19 => return self.react(choices).await,
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
            8 => reader.take(usize::MAX, truth),
            _ => {
                reader.page(truth).await;
                reader.take(usize::MAX, truth);
            }
        }
    }

    /// Reacts to some number, or takes that back: whether it can be is for the room to say.
    async fn react(&mut self, choices: &mut Choices<'_>) {
        let target = Seq((self.truth.head().0 + 1).saturating_sub(choices.below(40) as u64));
        let name = ReactionName::parse("+1").expect("a valid name");
        let command = match choices.in_256(180) {
            true => Command::react(room(), target, name),
            false => Command::unreact(room(), target, name),
        };
        let _ = self.speaker.call(command).await;
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

    /// Shows what the last message says so far, or that it does not grow any more. One that was taken back does not.
    async fn grow(&mut self, choices: &mut Choices<'_>) {
        let Some(target) = self.truth.last_messages(self.truth.head(), 1).first().copied() else { return };
        self.said += 1;
        let text = format!("{} {}", self.said, "y".repeat(choices.byte().into()));
        let text = (!choices.in_256(60)).then_some(text);
        let body = text.as_ref().map(|text| Body::parse(text, 4_000).expect("a valid text"));
        if self.speaker.call(Command::live(room(), target, body)).await.is_ok() {
            self.truth.grows(target, text);
        }
    }

    /// Shows a number, or nothing.
    async fn signal(&mut self, choices: &mut Choices<'_>) {
        let number = (!choices.in_256(60)).then(|| choices.byte());
        let data = number.map(|number| SignalData::parse(&number.to_string()).expect("a number is JSON"));
        let name = SignalName::parse("count").expect("a valid name");
        self.speaker.call(Command::signal(room(), name, data)).await.expect("there is room for one signal");
        self.truth.told().signals.push(number);
    }

    /// Says something else in one of the last messages; whether there is such a message is for the room to say.
    async fn edit(&mut self, choices: &mut Choices<'_>) {
        self.said += 1;
        let target = Seq((self.truth.head().0 + 1).saturating_sub(choices.below(12) as u64));
        let text = Body::parse(&format!("{} {}", self.said, "y".repeat(usize::from(choices.byte()))), 4_000);
        let _ = self.speaker.call(Command::edit(room(), target, text.expect("a valid text"))).await;
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
    // What is shown ends by being ended, and by nothing else.
    (limits.room.live_ttl, limits.room.signal_ttl) = (Duration::from_secs(1 << 20), Duration::from_secs(1 << 20));
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
    /// What a message grows to say, and everything that any ever did.
    growing: Option<(Seq, String)>,
    texts: BTreeSet<(Seq, String)>,
    /// What was shown, the latest last.
    signals: Vec<Option<u8>>,
    /// Of messages that were edited: by which event last, and all that they said since.
    edited: BTreeMap<Seq, (Seq, Vec<String>)>,
}

impl Observer for Truth {
    fn observe(&self, event: ObserverEvent<'_>) {
        let ObserverEvent::Published { epoch, record, .. } = event else { return };
        let mut told = self.told();
        assert!(told.epoch.is_none_or(|known| known == epoch), "the speaker stays, so the room has one life");
        told.epoch = Some(epoch);
        if let Event::Redacted { target } = record.event {
            told.redacted.insert(target);
            told.growing.take_if(|(growing, _)| *growing == target);
        }
        if let (Event::Edited { target, content: Some(content), .. }, Some(seq)) = (&record.event, record.seq) {
            let (last, said) = told.edited.entry(*target).or_default();
            *last = seq;
            said.push(content.text.to_string());
            told.growing.take_if(|(growing, _)| *growing == *target);
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

    fn grows(&self, target: Seq, text: Option<String>) {
        let mut told = self.told();
        match text {
            Some(text) => {
                told.texts.insert((target, text.clone()));
                told.growing = Some((target, text));
            }
            None => drop(told.growing.take_if(|(growing, _)| *growing == target)),
        }
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
                    let edits = told.edited.get(&seq).map_or(&[][..], |(_, said)| said);
                    let text = match message.edited as usize {
                        _ if message.redacted => "",
                        0 => text.as_str(),
                        n => edits.get(n - 1).map_or("never said", String::as_str),
                    };
                    let may_be_redacted = !message.redacted || told.redacted.contains(&seq);
                    may_be_redacted && message.nick == nick.as_str() && message.text == text
                }
                (ServerFrame::MemberJoined { member, .. }, Event::Joined { .. }) => Some(*member) == record.by,
                (ServerFrame::MemberLeft { member, .. }, Event::Left { .. }) => Some(*member) == record.by,
                (ServerFrame::MemberLeft { member, .. }, Event::Kicked { member: kicked, .. }) => member == kicked,
                (ServerFrame::MemberChanged { data, .. }, Event::MemberChanged { data: changed, .. }) => {
                    data == changed
                }
                (ServerFrame::Redacted { target, .. }, Event::Redacted { target: meant }) => *target == Some(*meant),
                (
                    ServerFrame::Edited { target, text, n, .. },
                    Event::Edited { target: meant, content, n: said, .. },
                ) => {
                    // One that says nothing has been superseded.
                    let is_superseded = || {
                        let later = told.edited.get(meant).is_some_and(|(last, _)| *last > seq);
                        later || told.redacted.contains(meant)
                    };
                    let is_it = match (text, content) {
                        (Some(text), Some(content)) => text == content.text.as_str() && *n == Some(*said),
                        _ => is_superseded(),
                    };
                    *target == Some(*meant) && is_it
                }
                (ServerFrame::Reacted { target, reaction, .. }, Event::Reacted { target: meant, count, .. }) => {
                    *target == Some(*meant) && reaction.as_ref().is_some_and(|change| change.count == *count)
                }
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
