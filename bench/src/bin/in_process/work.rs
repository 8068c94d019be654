//! One kind of work, done so many times: what a tool counts of twice as many, less what it counts of these, is the work's own.

use std::error::Error;

use bench::scenario::Figures;
use chat_core::{Command, Connection, Engine, RoomCode};
use clap::ValueEnum;

use super::setup::{Ear, code, connect, create, join, limits, runtime, text};
use super::{Outcome, joins, send};

/// How many hear what is said.
pub(crate) const READERS: usize = 100;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    /// 20,000 sends that the pure room decides and applies.
    Send,
    /// One join of a room of 9 with 50 messages, and its leave.
    Join,
    /// One message that somebody says to 100, and hears too: the command, its ack, and 100 deliveries.
    Delivery,
}

pub(crate) fn measure(kind: Kind, times: usize) -> Outcome {
    match kind {
        Kind::Send => sends(times)?,
        Kind::Join => join_often(times)?,
        Kind::Delivery => {
            let runtime = runtime()?;
            let _around = runtime.enter();
            let mut hall = runtime.block_on(Hall::furnished())?;
            for _ in 0..times {
                runtime.block_on(hall.say())?;
                hall.hear();
            }
            hall.check(times)?;
        }
    }
    let mut figures = Figures::new();
    figures.insert("times".into(), times.into());
    Ok(figures)
}

fn sends(times: usize) -> Result<(), Box<dyn Error>> {
    let (mut room, members) = send::furnished()?;
    for run in 0..times {
        let inputs = send::inputs(&members, Some("key"), run)?;
        if !send::send_all(&mut room, &inputs, run) {
            return Err("a send was refused".into());
        }
    }
    Ok(())
}

fn join_often(times: usize) -> Result<(), Box<dyn Error>> {
    let runtime = runtime()?;
    let _around = runtime.enter();
    let engine = Engine::builder().limits(limits()).build();
    let mut sessions = runtime.block_on(connect(&engine, joins::RESIDENTS + 1))?;
    let joiner = sessions.pop().ok_or("nobody connects")?;
    let (room, mut ear) = (code("JOIN", 0)?, Ear::default());
    runtime.block_on(joins::furnish(&room, &sessions))?;
    for _ in 0..times {
        joins::enter(&runtime, &joiner, join(&room, joins::RESIDENTS)?, &mut ear)?;
        runtime.block_on(joins::leave(&room, &joiner))?;
        ear.hear(&joiner);
    }
    Ok(())
}

/// A room in which somebody says something to many.
pub(crate) struct Hall {
    /// Where all of it takes place; with it the sessions end.
    _engine: Engine,
    room: RoomCode,
    pub(crate) readers: Vec<Connection>,
    pub(crate) ear: Ear,
}

impl Hall {
    /// One in which everybody has heard of everybody.
    pub(crate) async fn furnished() -> Result<Self, Box<dyn Error>> {
        let engine = Engine::builder().limits(limits()).build();
        let readers = connect(&engine, READERS).await?;
        let room = code("HALL", 0)?;
        readers[0].call(create(&room, 0)?).await?;
        for (nick, reader) in readers.iter().enumerate().skip(1) {
            reader.call(join(&room, nick)?).await?;
        }
        let mut hall = Self { _engine: engine, room, readers, ear: Ear::default() };
        hall.hear();
        Ok(hall)
    }

    /// The first one says something.
    pub(crate) async fn say(&self) -> Result<(), Box<dyn Error>> {
        self.readers[0].call(Command::send(self.room.clone(), text()?)).await?;
        Ok(())
    }

    /// Everybody takes what they are due.
    pub(crate) fn hear(&mut self) {
        self.readers.iter().for_each(|reader| self.ear.hear(reader));
    }

    /// Whether each of so many messages has come to each.
    pub(crate) fn check(&self, messages: usize) -> Result<(), Box<dyn Error>> {
        let wanted = (messages * READERS) as u64;
        match self.ear.count.messages == wanted && self.ear.count.broken == 0 {
            true => Ok(()),
            false => Err(format!("{} of {wanted} messages have come", self.ear.count.messages).into()),
        }
    }
}
