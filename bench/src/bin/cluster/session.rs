//! One session of the load: it asks again until it is answered, resumes as the protocol says, and checks all that it is told.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench::stamp::{Stamp, blank_text};
use tokio::time::{sleep, timeout, timeout_at};

use super::Fault;
use super::frame::Frame;
use super::moments::Noticed;
use super::place::Place;
use super::wire::Wire;

/// Between a refusal and the next try: 20 a second is what a session may be refused in the long run.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);
/// How long an answer may take, of whatever kind it is.
const ANSWER_MAX: Duration = Duration::from_secs(40);
/// How long a session may be without a connection.
const AWAY_MAX: Duration = Duration::from_secs(40);
/// How long a server may take to let a session in, before it is asked elsewhere.
const GREETED_MAX: Duration = Duration::from_secs(5);
/// How long what was acked may take until everybody has heard it.
const HEARD_MAX: Duration = Duration::from_secs(20);
/// How a room refuses somebody who is not in it. Whoever was told of no end of their membership is; such a refusal is counted by itself, and has to pass.
const NOT_MEMBER: &str = "not_member";
const TEXT_BYTES: usize = 100;

/// A session and what it knows of its rooms.
pub(crate) struct Session {
    name: String,
    servers: Arc<[SocketAddr]>,
    /// Which of the servers it is connected to.
    at: usize,
    wire: Option<Wire>,
    token: Option<String>,
    /// When it may come back, where the server said so.
    back_at: Instant,
    id: u64,
    pub(crate) places: BTreeMap<String, Place>,
    /// How often it has come back, at whichever server.
    pub(crate) resumes: u64,
    /// Whatever was refused, and each end of a connection, in their order.
    pub(crate) noticed: Vec<Noticed>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Nothing has changed, or what was asked: it may be asked again.
    Refused(String),
    /// The connection was lost before the answer.
    Unanswered,
}

/// A message that was acked in the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) asked: Instant,
    pub(crate) acked: Instant,
    /// How often it was refused before.
    pub(crate) refused: u64,
    /// How often of these as somebody who is not in the room.
    pub(crate) disowned: u64,
}

impl Said {
    pub(crate) fn took(&self) -> Duration {
        self.acked - self.asked
    }
}

/// Why a connection is over.
enum Lost {
    /// It may be resumed. Why.
    Connection(String),
    /// A promise was broken.
    Promise(Fault),
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        Self::Connection(error.kind().to_string())
    }
}

impl Session {
    /// Begins one at this server. A name has no `-`.
    pub(crate) async fn begin(servers: &Arc<[SocketAddr]>, at: usize, name: String) -> Result<Self, Fault> {
        let mut session = Self {
            name,
            servers: Arc::clone(servers),
            at,
            wire: None,
            token: None,
            back_at: Instant::now(),
            id: 0,
            places: BTreeMap::new(),
            resumes: 0,
            noticed: Vec::new(),
        };
        session.connect().await?;
        Ok(session)
    }

    /// Makes these rooms, or joins them, asked again until all of it is done.
    pub(crate) async fn enter(&mut self, verb: &str, rooms: &[String]) -> Result<(), Fault> {
        let since = Instant::now();
        let mut left = rooms.to_vec();
        while !left.is_empty() {
            let nick = &self.name;
            let ask = |room: &String| format!(r#""type":"{verb}","room":"{room}","nick":"{nick}","history":0"#);
            let outcomes = self.ask(left.iter().map(ask).collect()).await?;
            if let Some(Outcome::Refused(why)) = outcomes.iter().find(|outcome| matches!(outcome, Outcome::Refused(_)))
                && since.elapsed() > AWAY_MAX
            {
                return Err(format!("{} cannot {verb}: {why}", self.name).into());
            }
            let is_in = |outcome: &Outcome| {
                // Where the first answer was lost, the second says that it was done.
                *outcome == Outcome::Done || matches!(outcome, Outcome::Refused(why) if why == "already_member")
            };
            let mut outcomes = outcomes.into_iter();
            left.retain(|_| !outcomes.next().is_some_and(|outcome| is_in(&outcome)));
            if !left.is_empty() {
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Says the next message in a room, asked again until it is acked.
    pub(crate) async fn say(&mut self, room: &String) -> Result<Said, Fault> {
        let (asked, mut refused, mut disowned) = (Instant::now(), 0, 0);
        while asked.elapsed() < ANSWER_MAX {
            match self.say_once(std::slice::from_ref(room)).await?.first() {
                Some(Outcome::Done) => return Ok(Said { asked, acked: Instant::now(), refused, disowned }),
                Some(Outcome::Refused(why)) => {
                    self.notice(self.at, why.clone());
                    refused += 1;
                    disowned += u64::from(why == NOT_MEMBER);
                    sleep(PAUSE).await;
                }
                _ => {}
            }
        }
        let refused = format!("refused {refused} times, {disowned} of them as no member");
        Err(format!("{} could say nothing in {room} for {ANSWER_MAX:?}: {refused}", self.name).into())
    }

    /// Says the next message in each of these rooms once. One that is not acked is the next one again, under its key.
    pub(crate) async fn say_once(&mut self, rooms: &[String]) -> Result<Vec<Outcome>, Fault> {
        let asks = rooms.iter().map(|room| self.message(room)).collect::<Result<_, _>>()?;
        let outcomes = self.ask(asks).await?;
        for (room, outcome) in rooms.iter().zip(&outcomes) {
            if *outcome == Outcome::Done {
                self.place(room)?.acked += 1;
            }
        }
        Ok(outcomes)
    }

    fn message(&mut self, room: &str) -> Result<String, Fault> {
        let number = self.place(room)?.acked;
        let mut text = blank_text(TEXT_BYTES);
        let stamped = u32::try_from(number)?;
        Stamp { sender: 0, number: stamped, at_ns: 0 }.put(&mut text);
        let text = String::from_utf8(text)?;
        let name = &self.name;
        Ok(format!(r#""type":"send","room":"{room}","key":"{name}-{number:08}","text":"{text}""#))
    }

    fn place(&mut self, room: &str) -> Result<&mut Place, Fault> {
        self.places.get_mut(room).ok_or_else(|| format!("{} is not in {room}", self.name).into())
    }

    /// Hands commands in, all at once, and waits for the answers.
    async fn ask(&mut self, asks: Vec<String>) -> Result<Vec<Outcome>, Fault> {
        if self.wire.is_none() {
            self.connect().await?;
        }
        let first = self.id + 1;
        self.id += asks.len() as u64;
        let mut answers = vec![None; asks.len()];
        let wire = self.wire.as_mut().expect("connected just now");
        for (id, ask) in (first..).zip(&asks) {
            wire.put(&format!(r#"{{"id":{id},{ask}}}"#));
        }
        // Where nothing can be written any more, nothing can be read before long.
        let _ = wire.flush().await;
        let until = tokio::time::Instant::now() + ANSWER_MAX;
        while answers.iter().any(Option::is_none) {
            let told = timeout_at(until, self.hear()).await;
            let told = told.map_err(|_| format!("{} was not answered within {ANSWER_MAX:?}", self.name))?;
            let Some(frame) = told? else { break };
            let answered = frame.id.and_then(|id| id.checked_sub(first)).and_then(|at| usize::try_from(at).ok());
            let Some(at) = answered.filter(|at| *at < asks.len()) else { continue };
            answers[at] = Some(match frame.kind.as_str() {
                "error" => Outcome::Refused(self.refusal(&frame, &asks[at])?),
                _ => Outcome::Done,
            });
        }
        Ok(answers.into_iter().map(|answer| answer.unwrap_or(Outcome::Unanswered)).collect())
    }

    /// The code of a refusal that may pass.
    fn refusal(&self, frame: &Frame, ask: &str) -> Result<String, Fault> {
        const PASSING: [&str; 7] =
            ["unavailable", "draining", "busy", "rate_limited", "at_capacity", "room_not_found", "already_member"];
        let code = frame.code.as_ref().and_then(|code| code.as_str()).unwrap_or_default();
        match PASSING.contains(&code) || (code == NOT_MEMBER && !self.places.is_empty()) {
            true => Ok(code.to_owned()),
            false => Err(format!("{} was refused after {} resumes: {code}, for {ask}", self.name, self.resumes).into()),
        }
    }

    /// Takes in what comes until then.
    pub(crate) async fn listen(&mut self, until: Instant) -> Result<(), Fault> {
        while let Ok(told) = timeout_at(until.into(), self.hear()).await {
            told?;
        }
        Ok(())
    }

    /// Waits until it has heard so many messages of a room, no more and no fewer, its own among them.
    pub(crate) async fn hear_all(&mut self, room: &str, messages: u64) -> Result<&Place, Fault> {
        let since = tokio::time::Instant::now();
        while self.place(room)?.messages < messages {
            if let Ok(told) = timeout_at(since + HEARD_MAX, self.hear()).await {
                told?;
            } else {
                let heard = self.place(room)?.messages;
                return Err(format!("{} has heard {heard} of {messages} messages in {room}", self.name).into());
            }
        }
        let name = self.name.clone();
        let place = self.place(room)?;
        match (place.messages, place.own) == (messages, place.acked) {
            true => Ok(place),
            false => Err(format!("{name} has heard more than was said in {room}: {place:?} of {messages}").into()),
        }
    }

    /// What comes next. `None` where the connection was lost meanwhile: it is resumed by then.
    async fn hear(&mut self) -> Result<Option<Frame>, Fault> {
        if self.wire.is_none() {
            self.connect().await?;
            return Ok(None);
        }
        let at = self.at;
        match self.next().await {
            Ok(frame) => Ok(Some(frame)),
            Err(Lost::Promise(fault)) => Err(fault),
            Err(Lost::Connection(why)) => {
                self.notice(at, why);
                self.wire = None;
                self.connect().await?;
                Ok(None)
            }
        }
    }

    /// Connects, and resumes where there is something to resume: at the server where it was, or at the next one that is there.
    async fn connect(&mut self) -> Result<(), Fault> {
        let since = Instant::now();
        while since.elapsed() < AWAY_MAX {
            sleep(self.back_at.saturating_duration_since(Instant::now())).await;
            let at = self.at;
            let why = match timeout(GREETED_MAX, self.greet()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(Lost::Promise(fault))) => return Err(fault),
                Ok(Err(Lost::Connection(why))) => why,
                Err(_) => "no welcome".to_owned(),
            };
            self.notice(at, format!("hello: {why}"));
            self.wire = None;
            self.at = (at + 1) % self.servers.len();
            sleep(PAUSE).await;
        }
        Err(format!("{} was let in nowhere for {AWAY_MAX:?}", self.name).into())
    }

    async fn greet(&mut self) -> Result<(), Lost> {
        let mut wire = Wire::open(self.servers[self.at]).await?;
        let is_back = self.token.is_some();
        let mut hello = r#"{"type":"hello""#.to_owned();
        if let Some(token) = &self.token {
            let positions: Vec<String> = self.places.iter().map(|(room, place)| place.position(room)).collect();
            let _ = write!(hello, r#","resume":"{token}","positions":{{{}}}"#, positions.join(","));
        }
        wire.put(&(hello + "}"));
        wire.flush().await?;
        self.wire = Some(wire);
        let welcome = self.next().await?;
        if welcome.kind != "welcome" {
            return Err(Lost::Connection(welcome.kind));
        }
        if is_back {
            if welcome.resumed != Some(true) {
                return Err(Lost::Promise(format!("the session of {} was lost", self.name).into()));
            }
            self.resumes += 1;
        }
        for standing in &welcome.rooms {
            self.stand(&standing.room, &standing.status)?;
        }
        if is_back && welcome.rooms.len() != self.places.len() {
            return Err(Lost::Promise(format!("{} comes back and is not told of all its rooms", self.name).into()));
        }
        Ok(())
    }

    /// Where it stands after a resume: in all of its rooms, sooner or later.
    fn stand(&self, room: &str, status: &str) -> Result<(), Lost> {
        let found = |what: &str| Lost::Promise(format!("{} comes back to {room} and finds: {what}", self.name).into());
        if !self.places.contains_key(room) {
            return Err(found("a room that it was never in"));
        }
        match status {
            "live" | "waiting" => Ok(()),
            "unavailable" => Err(Lost::Connection("room unavailable".to_owned())),
            other => Err(found(other)),
        }
    }

    /// The next frame, checked and taken in.
    async fn next(&mut self) -> Result<Frame, Lost> {
        let Some(wire) = &mut self.wire else { return Err(Lost::Connection("no connection".to_owned())) };
        let json = wire.next().await?;
        let broken = |why: String| Lost::Promise(why.into());
        let frame = Frame::parse(json)
            .map_err(|error| broken(format!("{} cannot read {}: {error}", self.name, String::from_utf8_lossy(json))))?;
        if let Some((room, seq)) = frame.event() {
            let place = self.places.get_mut(room);
            let place = place.ok_or_else(|| broken(format!("{} was told of {room} before it came in", self.name)))?;
            place
                .take(&self.name, seq, frame.key.as_deref())
                .map_err(|why| broken(format!("{} in {room}: {why}", self.name)))?;
            return Ok(frame);
        }
        match (frame.kind.as_str(), &frame.room) {
            ("welcome" | "token", _) => {
                if let Some(token) = &frame.token {
                    self.token = Some(token.clone());
                }
            }
            ("joined", Some(room)) => {
                let at =
                    frame.epoch.clone().zip(frame.seq).ok_or_else(|| broken("a joined without a position".into()))?;
                match self.places.get(room) {
                    Some(place) if place.is_at(&at.0, at.1) => {}
                    Some(place) => {
                        return Err(broken(format!("{} was at {place:?} in {room}, and is shown {at:?}", self.name)));
                    }
                    None => drop(self.places.insert(room.clone(), Place::new(at.0, at.1))),
                }
            }
            ("resumed", Some(room)) => self.stand(room, frame.status.as_deref().unwrap_or_default())?,
            ("gap" | "room_closed", Some(room)) => {
                return Err(broken(format!("{} is told of {room}: {}", self.name, frame.kind)));
            }
            ("closing", _) => return Err(self.close(&frame)),
            _ => {}
        }
        Ok(frame)
    }

    /// The server ends the connection. Whoever is sent away by one that goes down comes back elsewhere.
    fn close(&mut self, frame: &Frame) -> Lost {
        let code = frame.code.as_ref().and_then(|code| code.as_u64()).unwrap_or_default();
        if !(4000..4500).contains(&code) {
            return Lost::Promise(format!("{} was closed with {code}", self.name).into());
        }
        self.back_at = Instant::now() + Duration::from_millis(frame.reconnect_after_ms.unwrap_or(0));
        if code == 4001 {
            self.at = (self.at + 1) % self.servers.len();
        }
        Lost::Connection(format!("closing {code}"))
    }

    fn notice(&mut self, server: usize, what: String) {
        self.noticed.push(Noticed { at: Instant::now(), server, what });
    }

    /// Gives its connection away, once it is in the room that it is to listen to.
    pub(crate) fn into_wire(self) -> Option<Wire> {
        self.wire
    }
}
