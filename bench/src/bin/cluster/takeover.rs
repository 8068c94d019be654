//! Many rooms of one server that goes: how long until the other one answers for all of them.

use std::time::{Duration, Instant};

use bench::scenario::Figures;
use futures_util::future::try_join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::service::{OTHER, OWNER, Service};
use super::session::{Outcome, PAUSE, Session};
use super::{End, Fault, Length, put};

/// Rooms that one session may be in.
const ROOMS_OF_SESSION: usize = 32;
/// Sessions that make their rooms at the same time.
const ENTERING_MAX: usize = 32;
/// Between two rounds of a session that is answered, while the server that goes is still there.
const ROUND_EVERY: Duration = Duration::from_millis(500);
/// Between two looks at whose the slots are.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) async fn measure(service: &mut Service, length: Length, end: End) -> Result<Figures, Fault> {
    let count = length.choose(200, 10_000);
    let servers = service.addresses();
    let rooms = service.rooms_of(OWNER, "MANY", count).await?;
    let mut sessions = Vec::new();
    for (number, rooms) in rooms.chunks(ROOMS_OF_SESSION).enumerate() {
        sessions.push((Session::begin(&servers, OTHER, format!("s{number:04}")).await?, rooms.to_vec()));
    }
    for entering in sessions.chunks_mut(ENTERING_MAX) {
        try_join_all(entering.iter_mut().map(|(session, rooms)| session.enter("create", rooms))).await?;
    }

    let (moved, is_moved) = watch::channel(false);
    let begun = Instant::now();
    match end {
        End::Killed => service.servers[OWNER].kill()?,
        End::Drained => service.servers[OWNER].drain()?,
    }
    // Nobody answers in place of one that is dead but its heir. One that drains answers until its slots are another's.
    moved.send_replace(end == End::Killed);
    let mut tasks = JoinSet::new();
    for (session, rooms) in sessions {
        tasks.spawn(ask(session, rooms, is_moved.clone()));
    }
    let gone = service.servers[OWNER].pid();
    while service.owners().await?.iter().any(|owner| owner.is_none_or(|owner| owner == gone)) {
        sleep(LOOK_EVERY).await;
    }
    let taken = Instant::now();
    moved.send_replace(true);

    let (mut answered, mut refused, mut longest) = (Vec::new(), 0, Duration::ZERO);
    while let Some(asked) = tasks.join_next().await {
        let asked = asked??;
        answered.extend(asked.answered);
        refused += asked.refused;
        longest = longest.max(asked.longest);
    }
    answered.sort_unstable();
    let (Some(first), Some(last)) = (answered.first(), answered.last()) else { return Err("nothing was asked".into()) };
    let mut figures = Figures::new();
    put(&mut figures, ROOMS, answered.len() as f64);
    put(&mut figures, TAKEN, (taken - begun).as_secs_f64());
    put(&mut figures, FIRST, (*first - begun).as_secs_f64());
    put(&mut figures, ALL, (*last - *first).as_secs_f64());
    put(&mut figures, LONGEST, longest.as_secs_f64());
    put(&mut figures, REFUSED, refused as f64);
    Ok(figures)
}

pub(crate) const ROOMS: &str = "rooms";
/// From the end of the server until the table says that another has all slots, in seconds.
pub(crate) const TAKEN: &str = "taken_s";
/// To the first answer.
pub(crate) const FIRST: &str = "first_s";
/// From there to the last.
pub(crate) const ALL: &str = "all_s";
/// That one command has waited for its ack.
pub(crate) const LONGEST: &str = "longest_s";
pub(crate) const REFUSED: &str = "refused";

/// What one session has found.
struct Asked {
    /// For each of its rooms, when it first answered for the server that has it now.
    answered: Vec<Instant>,
    refused: u64,
    longest: Duration,
}

/// Asks in all rooms until each has answered what was asked after its slot had moved.
async fn ask(mut session: Session, rooms: Vec<String>, is_moved: watch::Receiver<bool>) -> Result<Asked, Fault> {
    let mut asked = Asked { answered: Vec::new(), refused: 0, longest: Duration::ZERO };
    // Since when each of them has waited for an answer.
    let mut waits: Vec<(String, Instant)> = rooms.iter().map(|room| (room.clone(), Instant::now())).collect();
    // Whoever is refused for the first of them does not ask for the others: there is a bound on refusals.
    let mut at_once = 1;
    while !waits.is_empty() {
        let counts = *is_moved.borrow();
        let now: Vec<String> = waits.iter().take(at_once).map(|(room, _)| room.clone()).collect();
        let outcomes = session.say_once(&now).await?;
        let at = Instant::now();
        let mut refusals = 0;
        let mut left = Vec::new();
        for ((room, since), outcome) in waits.drain(..now.len()).zip(&outcomes) {
            match outcome {
                Outcome::Done => {
                    asked.longest = asked.longest.max(at - since);
                    match counts {
                        true => asked.answered.push(at),
                        false => left.push((room, at)),
                    }
                }
                Outcome::Refused(_) => {
                    refusals += 1;
                    left.push((room, since));
                }
                Outcome::Unanswered => left.push((room, since)),
            }
        }
        asked.refused += refusals;
        let is_round_over = waits.is_empty() || refusals > 0;
        waits.append(&mut left);
        at_once = if refusals > 0 { 1 } else { ROOMS_OF_SESSION };
        if refusals > 0 {
            sleep(PAUSE).await;
        } else if is_round_over && !counts {
            sleep(ROUND_EVERY).await;
            let now = Instant::now();
            waits.iter_mut().for_each(|(_, since)| *since = now);
        }
    }
    for room in &rooms {
        let acked = session.places.get(room).map_or(0, |place| place.acked);
        session.hear_all(room, acked).await?;
    }
    Ok(asked)
}
