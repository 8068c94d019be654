//! The owner of a room goes: how long nobody answers there, for a session that is connected to the server that stays.

use std::time::{Duration, Instant};

use bench::scenario::Figures;

use super::service::{OTHER, OWNER, Service};
use super::session::Session;
use super::{End, Fault, Length, put};

/// Between two messages.
const PACE: Duration = Duration::from_millis(20);
/// How long it goes on once all is as it was.
const AFTER: Duration = Duration::from_millis(500);

pub(crate) async fn measure(service: &mut Service, length: Length, end: End) -> Result<Figures, Fault> {
    let servers = service.addresses();
    let rooms = service.rooms_of(OWNER, "OWNED", 1).await?;
    let room = &rooms[0];
    let mut session = Session::begin(&servers, OTHER, "asker".to_owned()).await?;
    session.enter("create", &rooms).await?;
    let until = Instant::now() + length.choose(Duration::from_millis(200), Duration::from_secs(2));
    let mut before = session.say(room).await?.acked;
    while Instant::now() < until {
        session.listen(Instant::now() + PACE).await?;
        before = session.say(room).await?.acked;
    }

    match end {
        End::Killed => service.servers[OWNER].kill()?,
        End::Drained => service.servers[OWNER].drain()?,
    }
    let begun = Instant::now();
    let (mut gap, mut refused) = (Duration::ZERO, 0);
    let mut ended = None;
    while ended.is_none_or(|ended: Instant| ended.elapsed() < AFTER) {
        session.listen(Instant::now() + PACE).await?;
        let said = session.say(room).await?;
        gap = gap.max(said.acked - before);
        before = said.acked;
        refused += said.refused;
        if ended.is_none() && service.servers[OWNER].has_ended()? {
            ended = Some(said.acked);
        }
    }
    let said = session.places[room].acked;
    session.hear_all(room, said).await?;
    let mut figures = Figures::new();
    put(&mut figures, GAP, gap.as_secs_f64());
    if let (End::Drained, Some(ended)) = (end, ended) {
        put(&mut figures, ENDED, (ended - begun).as_secs_f64());
    }
    put(&mut figures, REFUSED, refused as f64);
    put(&mut figures, RESUMES, session.resumes as f64);
    Ok(figures)
}

/// From the last answer before to the first one after, in seconds.
pub(crate) const GAP: &str = "gap_s";
/// From the signal until one that drains is gone, as far as the next ack tells.
pub(crate) const ENDED: &str = "ended_s";
pub(crate) const REFUSED: &str = "refused";
pub(crate) const RESUMES: &str = "resumes";
