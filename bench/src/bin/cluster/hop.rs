//! One more server between a session and its room: what that adds to the way from a message to its ack.

use std::time::{Duration, Instant};

use bench::scenario::Figures;
use bench::table::percentile;
use tokio::time::{MissedTickBehavior, interval};

use super::service::{OTHER, OWNER, Service};
use super::session::Session;
use super::{Fault, Length, put};

/// Messages a second of each session: no message of one is under way while the other waits.
const PACE: u32 = 50;

pub(crate) async fn measure(service: &mut Service, length: Length) -> Result<Figures, Fault> {
    let (warmup, count) = length.choose((25, 100), (250, 2_000));
    let servers = service.addresses();
    let rooms = service.rooms_of(OWNER, "HOP", 1).await?;
    let mut near = Session::begin(&servers, OWNER, "near".to_owned()).await?;
    let mut far = Session::begin(&servers, OTHER, "far".to_owned()).await?;
    near.enter("create", &rooms).await?;
    far.enter("join", &rooms).await?;

    let room = &rooms[0];
    let mut ticks = interval(Duration::from_secs(1) / (2 * PACE));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut at_owner, mut at_other) = (Vec::new(), Vec::new());
    let mut quiet = service.quiet()?;
    for number in 0..warmup + count {
        if number == warmup {
            quiet = service.quiet()?;
        }
        for (session, took) in [(&mut near, &mut at_owner), (&mut far, &mut at_other)] {
            ticks.tick().await;
            // What the other one has said is not to be read while the answer is waited for.
            session.listen(Instant::now()).await?;
            let said = session.say(room).await?;
            if said.refused > 0 {
                return Err("a message was refused where nothing happens".into());
            }
            if number >= warmup {
                took.push(said.took());
            }
        }
    }
    let mut figures = Figures::new();
    service.put_noise(&quiet, &mut figures)?;
    let total = 2 * (warmup + count) as u64;
    let digest = near.hear_all(room, total).await?.digest;
    if far.hear_all(room, total).await?.digest != digest || near.resumes + far.resumes > 0 {
        return Err("the two have not heard the same".into());
    }

    at_owner.sort_unstable();
    at_other.sort_unstable();
    for (share, at_owner_name, at_other_name, hop_name) in
        [(0.50, OWNER_P50, OTHER_P50, HOP_P50), (0.99, OWNER_P99, OTHER_P99, HOP_P99)]
    {
        let ms = |took: &[Duration]| percentile(took, share).as_secs_f64() * 1e3;
        put(&mut figures, at_owner_name, ms(&at_owner));
        put(&mut figures, at_other_name, ms(&at_other));
        put(&mut figures, hop_name, ms(&at_other) - ms(&at_owner));
    }
    Ok(figures)
}

pub(crate) const OWNER_P50: &str = "owner_p50_ms";
pub(crate) const OTHER_P50: &str = "other_p50_ms";
pub(crate) const HOP_P50: &str = "hop_p50_ms";
pub(crate) const OWNER_P99: &str = "owner_p99_ms";
pub(crate) const OTHER_P99: &str = "other_p99_ms";
pub(crate) const HOP_P99: &str = "hop_p99_ms";
