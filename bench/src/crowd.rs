//! All members of a run over one poll and one read buffer: connect, enter, say, hear.
//!
//! Only a read that ends inside a frame leaves bytes with a connection, and only a full socket leaves bytes to write.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventFlags};

use crate::protocol::{Protocol, Seat, Step, Told};

/// Large enough that one read takes all a socket has; no frame may be larger.
const READ_BYTES_MAX: usize = 256 * 1024;
/// Connections that are being opened at the same time: fewer than any server's accept queue holds.
const OPENING_MAX: usize = 64;
const EVENTS_MAX: usize = 1024;
const TICK: Duration = Duration::from_millis(100);
/// In an event's token: it is of a connection that a member only speaks on. Which of them stands above the member's index.
const VOICE: u64 = 1 << 63;
const LANE_SHIFT: u32 = 32;

/// What has happened besides messages, over all connections.
#[derive(Debug, Clone, Default)]
pub struct Census {
    /// Joins and leaves told.
    pub notices: u64,
    /// Signals told: counts of those present, who is typing.
    pub signals: u64,
    /// Events that the server said it would not deliver.
    pub skipped: u64,
    /// Commands refused, and frames not understood.
    pub refused: u64,
    /// The first of those.
    pub first_refusal: Option<String>,
    /// Connections that the server has ended.
    pub ended: u64,
    /// Reads that brought bytes.
    pub reads: u64,
    /// Bytes read.
    pub bytes: u64,
}

/// Lets a member speak while it listens.
#[derive(Debug)]
pub struct Pen<'a, P> {
    protocol: &'a mut P,
    seat: &'a Seat,
    out: &'a mut Vec<u8>,
    voices: &'a mut [Voice],
}

impl<P: Protocol> Pen<'_, P> {
    /// Says `text`, over the connection `lane` where the protocol has several; it leaves when all that was read at once has been heard.
    pub fn say(&mut self, lane: usize, text: &[u8]) {
        let out = self.voices.get_mut(lane).map_or(&mut *self.out, |voice| &mut voice.out);
        self.protocol.say(self.seat, text, out);
    }
}

/// The members and their connections.
pub struct Crowd<P> {
    protocol: P,
    server: SocketAddr,
    deadline: Instant,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    members: Vec<Member>,
    buffer: Vec<u8>,
    ready: usize,
    inside: usize,
    census: Census,
}

#[derive(Debug)]
struct Member {
    seat: Seat,
    stream: TcpStream,
    stage: Stage,
    /// The beginning of a frame whose end has not come yet.
    rest: Vec<u8>,
    /// What the socket would not take yet.
    out: Vec<u8>,
    /// Where the protocol has it speak over connections of its own: opened when they are first spoken on.
    voices: Vec<Voice>,
}

#[derive(Debug)]
struct Voice {
    stream: TcpStream,
    rest: Vec<u8>,
    out: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Open,
    Ended,
}

impl<P: Protocol> Crowd<P> {
    /// Nobody yet. No call returns later than `deadline`: a run that hangs ends with an error.
    pub fn new(protocol: P, server: SocketAddr, deadline: Instant) -> io::Result<Self> {
        Ok(Self {
            protocol,
            server,
            deadline,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(EVENTS_MAX),
            members: Vec::new(),
            buffer: vec![0; READ_BYTES_MAX],
            ready: 0,
            inside: 0,
            census: Census::default(),
        })
    }

    /// Connects one member for each seat (in order of `member`), and waits until each has a session.
    pub fn connect(&mut self, seats: &[Seat]) -> io::Result<()> {
        for seat in seats {
            while self.members.len() - self.ready >= OPENING_MAX {
                self.step()?;
            }
            let stream = self.dial(self.members.len() as u64)?;
            let (rest, out) = (Vec::new(), Vec::new());
            let mut member = Member { seat: *seat, stream, stage: Stage::Opening, rest, out, voices: Vec::new() };
            self.protocol.open(seat, &mut member.out);
            member.flush()?;
            self.members.push(member);
            self.ready += usize::from(!P::SESSION_FIRST);
        }
        while self.ready < self.members.len() {
            self.step()?;
        }
        Ok(())
    }

    /// Brings these members into their rooms, with at most `in_flight` of them on the way at a time.
    pub fn enter(&mut self, members: &[usize], in_flight: usize) -> io::Result<()> {
        let before = self.inside;
        for (asked, index) in members.iter().enumerate() {
            while asked - (self.inside - before) >= in_flight {
                self.step()?;
            }
            let member = &mut self.members[*index];
            if self.protocol.enter(&member.seat, &mut member.out) == Step::Done {
                self.inside += 1;
            }
            member.flush()?;
        }
        while self.inside - before < members.len() {
            self.step()?;
        }
        Ok(())
    }

    /// `index` says `text` now, over the connection `lane` where the protocol has several.
    pub fn say(&mut self, index: usize, lane: usize, text: &[u8]) -> io::Result<()> {
        while P::VOICE && self.members[index].voices.len() <= lane {
            let token = VOICE | (self.members[index].voices.len() as u64) << LANE_SHIFT | index as u64;
            let voice = Voice { stream: self.dial(token)?, rest: Vec::new(), out: Vec::new() };
            self.members[index].voices.push(voice);
        }
        let member = &mut self.members[index];
        let out = member.voices.get_mut(lane).map_or(&mut member.out, |voice| &mut voice.out);
        self.protocol.say(&member.seat, text, out);
        member.flush()
    }

    /// Waits for news for at most `wait`, and hands every message to `hear`. Everything else is counted in the [`Census`].
    pub fn turn(&mut self, wait: Duration, hear: &mut impl FnMut(&Seat, &[u8], &mut Pen<'_, P>)) -> io::Result<()> {
        let wait = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if Instant::now() > self.deadline {
            let seen = format!("{} ready, {} inside, {:?}", self.ready, self.inside, self.census);
            return Err(io::Error::new(ErrorKind::TimedOut, format!("the run's time is over: {seen}")));
        }
        for event in 0..self.events.len() {
            let epoll::Event { flags, data } = self.events[event];
            match data.u64() {
                token if token & VOICE == 0 => self.serve(token as usize, flags, hear)?,
                token => self.answers(token as u32 as usize, ((token & !VOICE) >> LANE_SHIFT) as usize)?,
            }
        }
        Ok(())
    }

    /// Turns until nothing has come for `quiet`.
    pub fn settle(&mut self, quiet: Duration) -> io::Result<()> {
        let mut since = Instant::now();
        while since.elapsed() < quiet {
            let reads = self.census.reads;
            self.turn(quiet / 4, &mut |_, _, _| {})?;
            if self.census.reads != reads {
                since = Instant::now();
            }
        }
        Ok(())
    }

    /// What has happened so far besides messages.
    pub fn census(&self) -> &Census {
        &self.census
    }

    /// See [`Protocol::faults`].
    pub fn faults(&self) -> u64 {
        self.protocol.faults()
    }

    fn dial(&self, token: u64) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.server)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        // Edges, not levels: a socket is looked at once for each arrival, and a short read needs no second one.
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(token), flags)?;
        Ok(stream)
    }

    /// One turn while connecting or entering, when nobody may be turned away.
    fn step(&mut self) -> io::Result<()> {
        self.turn(TICK, &mut |_, _, _| {})?;
        if self.census.refused > 0 || self.census.ended > 0 {
            return Err(io::Error::other(format!("not everybody gets in: {:?}", self.census)));
        }
        Ok(())
    }

    fn serve(
        &mut self,
        index: usize,
        flags: EventFlags,
        hear: &mut impl FnMut(&Seat, &[u8], &mut Pen<'_, P>),
    ) -> io::Result<()> {
        if flags.contains(EventFlags::OUT) && !self.members[index].out.is_empty() {
            self.members[index].flush()?;
        }
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR)
            && self.members[index].stage != Stage::Ended
        {
            self.read(index, hear)?;
        }
        Ok(())
    }

    fn read(&mut self, index: usize, hear: &mut impl FnMut(&Seat, &[u8], &mut Pen<'_, P>)) -> io::Result<()> {
        let mut kept = self.members[index].rest.len();
        self.buffer[..kept].copy_from_slice(&self.members[index].rest);
        self.members[index].rest.clear();
        loop {
            let read = match self.members[index].stream.read(&mut self.buffer[kept..]) {
                Ok(0) => return self.end(index),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return self.end(index),
                Err(error) => return Err(error),
            };
            self.census.reads += 1;
            self.census.bytes += read as u64;
            let (room, end) = (READ_BYTES_MAX - kept, kept + read);
            let used = self.hear(index, end, hear)?;
            self.buffer.copy_within(used..end, 0);
            kept = end - used;
            if kept == READ_BYTES_MAX {
                return Err(io::Error::other("a frame is larger than the read buffer"));
            }
            // A short read has emptied the socket; what comes next raises a new event.
            if read < room || self.members[index].stage == Stage::Ended {
                break;
            }
        }
        let member = &mut self.members[index];
        member.rest.extend_from_slice(&self.buffer[..kept]);
        member.flush()
    }

    /// Hears all that is whole in the first `end` bytes of the buffer; returns how many bytes that was.
    #[inline]
    fn hear(
        &mut self,
        index: usize,
        end: usize,
        hear: &mut impl FnMut(&Seat, &[u8], &mut Pen<'_, P>),
    ) -> io::Result<usize> {
        let Self { protocol, members, buffer, census, ready, inside, .. } = self;
        let Member { seat, stage, out, voices, .. } = &mut members[index];
        let mut at = 0;
        if *stage == Stage::Opening {
            let Some(head) = protocol.opened(seat, &buffer[..end])? else { return Ok(0) };
            at = head;
            *stage = Stage::Open;
            if protocol.greet(seat, out) == Step::Done && P::SESSION_FIRST {
                *ready += 1;
            }
        }
        while let Some((length, told)) = protocol.read(seat, &buffer[at..end]) {
            at += length;
            match told {
                Told::Message(payload) => hear(seat, payload, &mut Pen { protocol, seat, out, voices }),
                Told::Notice => census.notices += 1,
                Told::Signal => census.signals += 1,
                Told::Answer => {}
                Told::Ready => *ready += 1,
                Told::Entered => *inside += 1,
                Told::Skipped(count) => census.skipped += count,
                Told::Refused(frame) => census.refuse(frame),
                Told::Ping(payload) => protocol.pong(payload, out),
                Told::Ended => {
                    census.ended += 1;
                    *stage = Stage::Ended;
                    break;
                }
            }
        }
        Ok(at)
    }

    /// Reads what answers what a member has said over one of its connections for that.
    fn answers(&mut self, index: usize, lane: usize) -> io::Result<()> {
        let Self { protocol, members, buffer, census, .. } = self;
        let Some(voice) = members[index].voices.get_mut(lane) else { return Ok(()) };
        loop {
            match voice.stream.read(buffer) {
                Ok(0) => {
                    census.ended += 1;
                    break;
                }
                Ok(read) => voice.rest.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        while let Some((length, told)) = protocol.answered(&voice.rest) {
            if let Told::Refused(answer) = told {
                census.refuse(answer);
            }
            voice.rest.drain(..length);
        }
        voice.flush()
    }

    fn end(&mut self, index: usize) -> io::Result<()> {
        self.census.ended += 1;
        self.members[index].stage = Stage::Ended;
        Ok(())
    }
}

impl Member {
    fn flush(&mut self) -> io::Result<()> {
        if self.stage != Stage::Ended {
            flush(&mut self.stream, &mut self.out)?;
        }
        self.voices.iter_mut().try_for_each(Voice::flush)
    }
}

impl Voice {
    fn flush(&mut self) -> io::Result<()> {
        flush(&mut self.stream, &mut self.out)
    }
}

/// Writes what the socket takes.
fn flush(stream: &mut TcpStream, out: &mut Vec<u8>) -> io::Result<()> {
    while !out.is_empty() {
        match stream.write(out) {
            Ok(written) => drop(out.drain(..written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Census {
    #[cold]
    fn refuse(&mut self, frame: &[u8]) {
        self.refused += 1;
        self.first_refusal.get_or_insert_with(|| String::from_utf8_lossy(&frame[..frame.len().min(300)]).into_owned());
    }
}
