//! The pure room: decide and apply of a send, as fast as one core can.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;

use bench::meter::ThreadTime;
use bench::scenario::Figures;
use chat_core::room::{Caller, Input, Room, SendPermit};
use chat_core::{Epoch, Generation, Key, Mono, Now, RoomLimits, SessionId, Wall};

use super::heap;
use super::setup::{nick, text};
use super::{Outcome, median, put};

const SENDS: usize = 20_000;
const MEMBERS: usize = 4;

pub(crate) fn measure(rounds: usize) -> Outcome {
    let mut figures = Figures::new();
    let mut clean = true;
    for (rate, allocations, keyed) in [
        ("sends_per_s", "allocations_per_send", None),
        ("keyed_sends_per_s", "allocations_per_keyed_send", Some("key")),
    ] {
        let (mut room, members) = furnished()?;
        let mut rates = Vec::new();
        let mut run = 0;
        for _ in 0..rounds {
            let inputs = inputs(&members, keyed, run)?;
            let since = ThreadTime::now();
            clean &= send_all(&mut room, &inputs, run);
            rates.push(SENDS as f64 / since.elapsed().as_secs_f64());
            run += 1;
        }
        let inputs = inputs(&members, keyed, run)?;
        let counted = heap::asked(|| clean &= send_all(&mut room, &inputs, run));
        // The makers' joins were told too.
        clean &= room.head().0 == ((rounds + 1) * SENDS + MEMBERS) as u64;
        put(&mut figures, rate, median(rates));
        put(&mut figures, allocations, counted.times as f64 / SENDS as f64);
    }
    figures.insert("clean".into(), clean.into());
    Ok(figures)
}

/// Whether none was refused.
pub(crate) fn send_all(room: &mut Room, inputs: &[Input], run: usize) -> bool {
    inputs.iter().enumerate().all(|(index, input)| {
        let at = (run * SENDS + index) as u64;
        step(room, Now { wall: Wall(1_795_370_400_000 + at), mono: Mono(at) }, input)
    })
}

fn step(room: &mut Room, now: Now, input: &Input) -> bool {
    let Ok(decision) = room.decide(now, black_box(input)) else { return false };
    decision.records.iter().for_each(|record| room.apply(now, record));
    decision.note.into_iter().for_each(|note| room.note(now, note));
    true
}

/// A room and those who are in it.
pub(crate) fn furnished() -> Result<(Room, Vec<Caller>), Box<dyn Error>> {
    let mut room = Room::new(Arc::new(RoomLimits::default()));
    let caller = |index| {
        let session = SessionId::new(index as u128);
        Caller { session, generation: Generation(1), identity: None, network: None, named: None }
    };
    let members: Vec<Caller> = (0..MEMBERS).map(caller).collect();
    for (index, by) in members.iter().cloned().enumerate() {
        let nick = nick(index)?;
        let input = match index {
            0 => Input::Create { by, nick, data: None, epoch: Epoch(7), salt: 8 },
            _ => Input::Join { by, nick, data: None, history: None, after: None, secret: None },
        };
        if !step(&mut room, Now { wall: Wall(0), mono: Mono(0) }, &input) {
            return Err("somebody was not let in".into());
        }
    }
    Ok((room, members))
}

/// What they say, each with a key of its own where `keyed`.
pub(crate) fn inputs(members: &[Caller], keyed: Option<&str>, run: usize) -> Result<Vec<Input>, Box<dyn Error>> {
    let text = text()?;
    let mut inputs = Vec::with_capacity(SENDS);
    for (index, by) in members.iter().cycle().take(SENDS).enumerate() {
        let key = keyed.map(|word| Key::parse(&format!("{word}-{run:04}-{index:06}"))).transpose()?;
        inputs.push(Input::Send {
            by: by.clone(),
            said: text.clone().into(),
            as_sent: None,
            key,
            permit: SendPermit::Paid,
        });
    }
    Ok(inputs)
}
