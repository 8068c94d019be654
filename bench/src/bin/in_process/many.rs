//! A million sessions in rooms of four: what each keeps in memory, what a message and a resume cost, and whether all come back at once.

use std::error::Error;
use std::time::{Duration, Instant};

use bench::meter::{Process, ThreadTime};
use bench::scenario::Figures;
use bytes::BytesMut;
use chat_core::{
    Command, ConnectRequest, Connection, Engine, FrameKind, FrameRef, Framing, Hello, Limits, Position, Resume,
    RoomCode,
};
use serde_json::Value;

use super::setup::{self, code, create, hear_into, join, runtime, text};
use super::{Outcome, heap, median, put};

const MEMBERS: usize = 4;
/// Sessions beside which a step is cheap, if it ever is.
const FEW: usize = 1_000;
/// Rooms in which somebody says something, to measure it; and sessions that come back.
const PROBES: usize = 200;
const CHUNK: usize = 16;
/// How often everybody comes back.
const STORMS: usize = 3;

pub(crate) fn measure(sessions: usize) -> Outcome {
    if sessions <= FEW {
        return Err("there must be more sessions than the few they are compared with".into());
    }
    let runtime = runtime()?;
    let _around = runtime.enter();
    let engine = Engine::builder().limits(limits(sessions)).build();
    let mut crowd =
        Crowd { engine, members: Vec::with_capacity(sessions), heard: Heard::default(), out: BytesMut::new() };
    let mut figures = Figures::new();

    let before = Process::own().rss_kib()?;
    let mut filled = Ok(());
    let first = heap::asked(|| filled = runtime.block_on(crowd.fill(FEW)));
    filled?;
    let few = runtime.block_on(crowd.steps())?;
    let mut filled = Ok(());
    let rest = heap::asked(|| filled = runtime.block_on(crowd.fill(sessions)));
    filled?;
    let after = Process::own().rss_kib()?;
    let many = runtime.block_on(crowd.steps())?;
    let count = crowd.members.len();
    figures.insert("sessions".into(), count.into());
    figures.insert("rooms".into(), crowd.engine.stats().rooms.into());
    put(&mut figures, "bytes_per_session", (after.saturating_sub(before) * 1024) as f64 / count as f64);
    let mut heap_bytes = first.bytes_kept + rest.bytes_kept;
    put(&mut figures, "heap_bytes_per_session", heap_bytes as f64 / count as f64);
    for (name, few, many) in [("message", few.message, many.message), ("resume", few.resume, many.resume)] {
        put(&mut figures, &format!("{name}_ns_beside_few"), few);
        put(&mut figures, &format!("{name}_ns_beside_many"), many);
        put(&mut figures, &format!("{name}_growth"), many / few);
    }

    let mut is_clean = crowd.heard.broken == 0;
    for storm in 1..=STORMS {
        let mut stormed = Ok((0, 0.0));
        heap_bytes += heap::asked(|| stormed = runtime.block_on(crowd.storm())).bytes_kept;
        let (came_back, rate) = stormed?;
        is_clean &= came_back == count;
        figures.insert(format!("storm_{storm}_came_back"), came_back.into());
        put(&mut figures, &format!("storm_{storm}_resumes_per_s"), rate);
        let resident = Process::own().rss_kib()?.saturating_sub(before) * 1024;
        put(&mut figures, &format!("storm_{storm}_bytes_per_session"), resident as f64 / count as f64);
        put(&mut figures, &format!("storm_{storm}_heap_bytes_per_session"), heap_bytes as f64 / count as f64);
    }
    figures.insert("clean".into(), (is_clean && crowd.heard.broken == 0).into());
    Ok(figures)
}

/// As many as are wanted, and a grace in which all of them can be gone at once.
fn limits(sessions: usize) -> Limits {
    let mut limits = setup::limits();
    limits.engine.connections_max = 2 * sessions;
    limits.engine.sessions_detached_max = 2 * sessions;
    limits.engine.rooms_max = sessions;
    limits.room.grace = Duration::from_secs(600);
    limits
}

/// Somebody, their room, and what they know of it.
struct Member {
    connection: Option<Connection>,
    token: String,
    room: RoomCode,
    /// As of their coming in: since then they were told what the room has said.
    seen: Position,
}

struct Crowd {
    engine: Engine,
    members: Vec<Member>,
    heard: Heard,
    out: BytesMut,
}

/// What somebody was told, as far as it is looked at.
#[derive(Default)]
struct Heard {
    /// The answer to a join.
    joined: Vec<u8>,
    resumed: usize,
    messages: usize,
    broken: usize,
}

impl Framing for Heard {
    fn frame(&mut self, out: &mut BytesMut, frame: FrameRef<'_>) {
        out.extend_from_slice(frame.json);
        match frame.kind {
            FrameKind::Joined => self.joined = frame.json.to_vec(),
            FrameKind::Message => self.messages += 1,
            FrameKind::Welcome => {
                let words = br#""resumed":true"#;
                self.resumed += usize::from(frame.json.windows(words.len()).any(|part| part == words));
            }
            FrameKind::Gap | FrameKind::Closing => self.broken += 1,
            _ => {}
        }
    }
}

impl Crowd {
    /// Connects more, four to a room, until there are so many; everybody takes what they are due.
    async fn fill(&mut self, sessions: usize) -> Result<(), Box<dyn Error>> {
        while self.members.len() < sessions {
            let room = code("MANY", self.members.len() / MEMBERS)?;
            let first = self.members.len();
            for nick in 0..MEMBERS {
                let connection = self.engine.connect(ConnectRequest::default(), Hello::default()).await?;
                let command = if nick == 0 { create(&room, nick)? } else { join(&room, nick)? };
                connection.call(command).await?;
                hear_into(&connection, &mut self.heard, &mut self.out);
                let joined: Value = serde_json::from_slice(&self.heard.joined)?;
                let seen = format!("{}:{}", joined["epoch"].as_str().ok_or("no epoch")?, joined["seq"]).parse()?;
                let token = connection.token();
                self.members.push(Member { connection: Some(connection), token, room: room.clone(), seen });
            }
            self.hear_from(first);
        }
        Ok(())
    }

    /// The four from there on take what they are due.
    fn hear_from(&mut self, first: usize) {
        for member in &self.members[first..first + MEMBERS] {
            member.connection.iter().for_each(|connection| hear_into(connection, &mut self.heard, &mut self.out));
        }
    }

    /// Nanoseconds of a message said to four who hear it, and of a resume, medians over chunks; spread over all rooms that are there.
    async fn steps(&mut self) -> Result<Steps, Box<dyn Error>> {
        let (rooms, text) = (self.members.len() / MEMBERS, text()?);
        let (mut message, mut resume) = (Vec::new(), Vec::new());
        for chunk in 0..PROBES / CHUNK {
            let probes = (0..CHUNK).map(|probe| (chunk * CHUNK + probe) * rooms / PROBES * MEMBERS);
            let firsts: Vec<usize> = probes.collect();
            let since = ThreadTime::now();
            for &first in &firsts {
                let member = &self.members[first];
                let connection = member.connection.as_ref().ok_or("somebody is away")?;
                connection.call(Command::send(member.room.clone(), text.clone())).await?;
                self.hear_from(first);
            }
            message.push(since.elapsed().as_nanos() as f64 / CHUNK as f64);
            firsts.iter().for_each(|&first| self.members[first].connection = None);
            let since = ThreadTime::now();
            for &first in &firsts {
                self.come_back(first).await?;
            }
            resume.push(since.elapsed().as_nanos() as f64 / CHUNK as f64);
            firsts.iter().for_each(|&first| self.hear_from(first));
        }
        Ok(Steps { message: median(message), resume: median(resume) })
    }

    /// Somebody resumes, and takes what they are due.
    async fn come_back(&mut self, index: usize) -> Result<(), Box<dyn Error>> {
        let member = &mut self.members[index];
        let positions = vec![(member.room.clone(), member.seen)];
        let resume = Resume { token: std::mem::take(&mut member.token), positions };
        let hello = Hello { resume: Some(resume), ..Hello::default() };
        let connection = self.engine.connect(ConnectRequest::default(), hello).await?;
        hear_into(&connection, &mut self.heard, &mut self.out);
        member.token = connection.token();
        member.connection = Some(connection);
        Ok(())
    }

    /// Everybody loses their connection, and comes back: how many did as who they were, and at what rate.
    async fn storm(&mut self) -> Result<(usize, f64), Box<dyn Error>> {
        for members in self.members.chunks_mut(64) {
            members.iter_mut().for_each(|member| member.connection = None);
            // Their rooms hear of it meanwhile, as they do where a machine has sockets to close.
            tokio::task::yield_now().await;
        }
        let resumed = self.heard.resumed;
        let since = Instant::now();
        for index in 0..self.members.len() {
            self.come_back(index).await?;
        }
        let rate = self.members.len() as f64 / since.elapsed().as_secs_f64();
        (0..self.members.len()).step_by(MEMBERS).for_each(|first| self.hear_from(first));
        Ok((self.heard.resumed - resumed, rate))
    }
}

/// What a step costs.
struct Steps {
    message: f64,
    resume: f64,
}
