//! A room of many on two servers: what a delivery costs the one that follows it, beside the one that has all members.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bench::scenario::Figures;
use bench::stamp::Finder;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::service::{OTHER, OWNER, Service};
use super::session::Session;
use super::wire::Wire;
use super::{Fault, Length, put};

/// How long what was acked may take until every member has it.
const HEARD_MAX: Duration = Duration::from_secs(20);

pub(crate) async fn measure(service: &mut Service, length: Length) -> Result<Figures, Fault> {
    let members = length.choose(40, 500);
    let rooms = service.rooms_of(OWNER, "FULL", 2).await?;
    let mut figures = Figures::new();
    let quiet = service.quiet()?;
    let alone = Crowd::enter(service, &rooms[0], [members, 0]).await?.measure(service, length).await?;
    let split = Crowd::enter(service, &rooms[1], [members / 2; 2]).await?.measure(service, length).await?;
    service.put_noise(&quiet, &mut figures)?;
    put(&mut figures, ALONE, alone[0]);
    put(&mut figures, LEADER, split[0]);
    put(&mut figures, FOLLOWER, split[1]);
    put(&mut figures, OWNER_BY_ALONE, split[0] / alone[0]);
    put(&mut figures, FOLLOWER_BY_ALONE, split[1] / alone[0]);
    Ok(figures)
}

/// CPU time in microseconds for each delivery.
pub(crate) const ALONE: &str = "alone_us";
pub(crate) const LEADER: &str = "owner_us";
pub(crate) const FOLLOWER: &str = "follower_us";
pub(crate) const OWNER_BY_ALONE: &str = "owner_by_alone";
pub(crate) const FOLLOWER_BY_ALONE: &str = "follower_by_alone";

/// The servers that the members of a room are at, in the order in which their numbers stand here.
const SIDES: [usize; 2] = [OWNER, OTHER];

/// The members of one room: one who sends, at the owner, and listeners at both servers.
struct Crowd {
    room: String,
    sender: Session,
    /// How many of the members are at each server.
    members: [u64; 2],
    /// What the listeners at each have heard.
    heard: [Arc<AtomicU64>; 2],
    listeners: JoinSet<Fault>,
}

impl Crowd {
    async fn enter(service: &Service, room: &str, members: [usize; 2]) -> Result<Self, Fault> {
        let servers = service.addresses();
        let rooms = [room.to_owned()];
        let mut sender = Session::begin(&servers, OWNER, "sender".to_owned()).await?;
        sender.enter("create", &rooms).await?;
        let heard = [Arc::default(), Arc::default()];
        let mut listeners = JoinSet::new();
        for (side, heard) in heard.iter().enumerate() {
            let sends_here = usize::from(SIDES[side] == OWNER);
            for number in sends_here..members[side] {
                let mut session = Session::begin(&servers, SIDES[side], format!("m{side}x{number:04}")).await?;
                session.enter("join", &rooms).await?;
                let wire = session.into_wire().ok_or("a listener was lost")?;
                listeners.spawn(listen(wire, Arc::clone(heard)));
                // Its notice is taken by all, the sender among them.
                sender.listen(Instant::now()).await?;
            }
        }
        Ok(Self { room: room.to_owned(), sender, members: members.map(|members| members as u64), heard, listeners })
    }

    /// What a delivery costs each of the servers. The window ends when every member has the last message.
    async fn measure(mut self, service: &Service, length: Length) -> Result<[f64; 2], Fault> {
        let (warmup, messages) = length.choose((20, 60), (200, 2_000));
        self.say(warmup, length).await?;
        let cpu_ns =
            || Ok::<_, Fault>([service.servers[OWNER].process().cpu_ns()?, service.servers[OTHER].process().cpu_ns()?]);
        let before = cpu_ns()?;
        self.say(messages, length).await?;
        let after = cpu_ns()?;
        self.sender.hear_all(&self.room, warmup + messages).await?;
        let cost = |side: usize| {
            let deliveries = (self.members[side] * messages).max(1);
            (after[side] - before[side]) as f64 / 1e3 / deliveries as f64
        };
        Ok([cost(0), cost(1)])
    }

    async fn say(&mut self, messages: u64, length: Length) -> Result<(), Fault> {
        let mut ticks = interval(Duration::from_secs(1) / length.choose(50, 100));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..messages {
            ticks.tick().await;
            self.sender.say(&self.room).await?;
        }
        let said = self.sender.places[&self.room].acked;
        let listeners = [self.members[0] - 1, self.members[1]];
        let since = Instant::now();
        loop {
            let heard = [0, 1].map(|side: usize| self.heard[side].load(Ordering::Relaxed));
            if heard == listeners.map(|listeners| listeners * said) {
                return Ok(());
            }
            if let Some(broken) = self.listeners.try_join_next() {
                return Err(broken?);
            }
            if since.elapsed() > HEARD_MAX {
                return Err(format!("{listeners:?} listeners have heard {heard:?} of {said} messages").into());
            }
            sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Counts messages, each of which has to be the one after the last, until one is not.
async fn listen(mut wire: Wire, heard: Arc<AtomicU64>) -> Fault {
    let (mut finder, mut next) = (Finder::default(), 0);
    loop {
        let payload = match wire.next().await {
            Ok(payload) => payload,
            Err(error) => return format!("a listener was lost: {error}").into(),
        };
        if !payload.starts_with(br#"{"type":"message""#) {
            continue;
        }
        match finder.find(payload) {
            Some(stamp) if stamp.number == next => next += 1,
            other => return format!("a listener has heard {other:?} instead of message {next}").into(),
        }
        heard.fetch_add(1, Ordering::Relaxed);
    }
}
