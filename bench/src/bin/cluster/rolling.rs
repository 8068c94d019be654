//! Three servers, restarted one after the other while people talk: what they notice of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bench::scenario::Figures;
use bench::table::percentile;
use tokio::task::JoinSet;

use super::moments::Moments;
use super::service::Service;
use super::session::{Said, Session};
use super::{Fault, Length, put};

/// Between two messages of one session.
const PACE: Duration = Duration::from_millis(100);

pub(crate) async fn measure(service: &mut Service, length: Length) -> Result<Figures, Fault> {
    let (people, per_server, rest) = length.choose((6, 1, Duration::from_millis(300)), (60, 4, Duration::from_secs(5)));
    let servers = service.addresses();
    let mut rooms = Vec::new();
    for index in 0..servers.len() {
        rooms.extend(service.rooms_of(index, "ROLL", per_server).await?);
    }
    let mut sessions = Vec::new();
    for number in 0..people {
        // Everybody is in one room; with as many people of it at each server.
        let room = rooms[number % rooms.len()].clone();
        let at = (number / rooms.len()) % servers.len();
        let mut session = Session::begin(&servers, at, format!("p{number:03}")).await?;
        session.enter(if number < rooms.len() { "create" } else { "join" }, std::slice::from_ref(&room)).await?;
        sessions.push((session, room));
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for (session, room) in sessions {
        tasks.spawn(talk(session, room, Arc::clone(&is_over)));
    }
    let mut moments = Moments::begin("before");
    tokio::time::sleep(rest).await;
    let begun = Instant::now();
    for index in 0..servers.len() {
        moments.now(format!("server {index} goes"));
        service.servers[index].drain()?;
        service.servers[index].ended().await?;
        moments.now(format!("server {index} starts"));
        service.replace(index)?;
        service.join(servers.len()).await?;
        moments.now(format!("server {index} is back"));
        tokio::time::sleep(rest).await;
    }
    let took = begun.elapsed();
    is_over.store(true, Ordering::Relaxed);
    let mut talks = Vec::new();
    while let Some(talk) = tasks.join_next().await {
        talks.push(talk??);
    }
    check(&mut talks, &rooms).await?;

    let mut figures = Figures::new();
    let said = || talks.iter().flat_map(|talk| &talk.said);
    let mut waits: Vec<Duration> = said().map(Said::took).collect();
    waits.sort_unstable();
    put(&mut figures, COMMANDS, waits.len() as f64);
    put(&mut figures, LONGEST, percentile(&waits, 1.0).as_secs_f64());
    put(&mut figures, P99, percentile(&waits, 0.99).as_secs_f64());
    put(&mut figures, REFUSED, said().map(|said| said.refused).sum::<u64>() as f64);
    put(&mut figures, DISOWNED, said().map(|said| said.disowned).sum::<u64>() as f64);
    put(&mut figures, RESUMES, talks.iter().map(|talk| talk.session.resumes).sum::<u64>() as f64);
    put(&mut figures, TOOK, took.as_secs_f64());
    moments.put(talks.iter().map(|talk| (&*talk.said, &*talk.session.noticed)), &mut figures);
    Ok(figures)
}

pub(crate) const COMMANDS: &str = "commands";
/// That a command has waited for its ack, in seconds.
pub(crate) const LONGEST: &str = "longest_s";
pub(crate) const P99: &str = "p99_s";
pub(crate) const REFUSED: &str = "refused";
/// Of these, as somebody who is not in the room.
pub(crate) const DISOWNED: &str = "disowned";
pub(crate) const RESUMES: &str = "resumes";
/// All three restarts.
pub(crate) const TOOK: &str = "took_s";

/// What one session has said.
struct Talk {
    session: Session,
    room: String,
    said: Vec<Said>,
}

async fn talk(mut session: Session, room: String, is_over: Arc<AtomicBool>) -> Result<Talk, Fault> {
    let mut said = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        said.push(session.say(&room).await?);
        session.listen(Instant::now() + PACE).await?;
    }
    Ok(Talk { session, room, said })
}

/// Everybody has heard all that was acked in their room since they came, once, and in one order.
async fn check(talks: &mut [Talk], rooms: &[String]) -> Result<(), Fault> {
    for room in rooms {
        let said = talks.iter().filter(|talk| talk.room == *room).map(|talk| talk.said.len() as u64).sum();
        let mut order = None;
        for talk in talks.iter_mut().filter(|talk| talk.room == *room) {
            let heard = talk.session.hear_all(room, said).await?.digest;
            if *order.get_or_insert(heard) != heard {
                return Err(format!("two members of {room} have heard another order").into());
            }
        }
    }
    Ok(())
}
