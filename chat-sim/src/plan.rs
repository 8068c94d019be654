//! What kind of world a seed makes: how many people, which transports, which bounds, and what goes wrong how often.

use std::time::Duration;

use chat_core::{Limits, NewcomersSee};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::embedder::Temper;
use crate::network::Lies;
use crate::transport_kind::TransportKind;

/// The rooms of every world: few, so that people meet.
pub(crate) const ROOMS: [&str; 3] = ["AAA", "BBB", "CCC"];

/// One kind of world.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) people: usize,
    /// How many servers there are at a time.
    pub(crate) servers: usize,
    pub(crate) transports: Vec<TransportKind>,
    pub(crate) has_log: bool,
    pub(crate) limits: Limits,
    /// Whether joins and leaves are told in every room.
    pub(crate) tells: bool,
    /// Two people each are one and the same, on two devices.
    pub(crate) pairs: bool,
    /// How long things go wrong.
    pub(crate) storm: Duration,
    /// How long a person does nothing, at most.
    pub(crate) pause: Duration,
    /// Whether the host puts out one member after the other, and who is put out wants in again.
    pub(crate) kicks: bool,
    /// How many networks people come from: who comes from one is the same to a ban of it.
    pub(crate) homes: u8,
    /// Whether people are often kept out by where they come from.
    pub(crate) bans: bool,
    /// Whether the host says something now and then, under keys, again where it was not answered.
    pub(crate) host: bool,
    /// Whether owners set much for their rooms, and people show secrets.
    pub(crate) sets: bool,
    /// Whether people often take back what was said, edit it, or react to it.
    pub(crate) takes_back: bool,
    /// How likely it is, at each step without a connection, that one stays away for longer than most graces.
    pub(crate) away: f64,
    /// How many messages somebody says in one breath, at most.
    pub(crate) breath: usize,
    pub(crate) latency: Duration,
    pub(crate) capacity: usize,
    pub(crate) wrong: Wrong,
    /// How the network lies, where it does.
    pub(crate) lies: Option<Lies>,
    /// The embedder's rules and its observer, where it has any.
    pub(crate) embedder: Option<Temper>,
    /// How servers lose each other, where they do.
    pub(crate) parts: Option<Parts>,
}

/// How often, of all that befalls a world of several servers, it is one of these.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    /// Links that break, are slow, or are full.
    pub(crate) links: f64,
    /// Slots that move from one server to another.
    pub(crate) moves: f64,
    /// Leases that lapse.
    pub(crate) lapses: f64,
    /// Servers that stand still.
    pub(crate) freezes: f64,
    /// How far a server's wall clock may be off, in milliseconds.
    pub(crate) clock_off: i64,
}

/// What goes wrong, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wrong {
    /// The share of calls of the log that fail in some way.
    pub(crate) log_fails: f64,
    /// The share of calls of the log that take their time.
    pub(crate) log_slow: f64,
    /// The share of the director's acts, where the log fails at all, after which it is out of reach, or back.
    pub(crate) outages: f64,
    /// The share of failed appends before which another owner of the room has written.
    pub(crate) others: f64,
    /// The share of the director's acts that end the server.
    pub(crate) restarts: f64,
    /// Connections are lost now and then.
    pub(crate) cuts: bool,
    /// People stop reading now and then.
    pub(crate) stalls: bool,
}

impl Plan {
    /// The world of a seed, with these transports and of this kind, or with what is drawn.
    pub(crate) fn draw(rng: &mut StdRng, transports: Option<&[TransportKind]>, kind: Option<Kind>) -> Self {
        let tells = rng.random_bool(0.8);
        let mut limits = Limits::default();
        limits.room.backlog_events_max = rng.random_range(8..64);
        limits.room.grace = Duration::from_millis(rng.random_range(1_000..8_000));
        limits.room.empty_linger = Duration::from_millis(rng.random_range(0_u64..3).saturating_sub(1) * 1_500);
        // Some rooms wait for whoever was alone and was lost. Not drawn: it is to go with what is.
        limits.room.lost_linger =
            [0, 3_000, 0, 12_000].map(Duration::from_millis)[limits.room.backlog_events_max / 2 % 4];
        limits.room.notices_members_max = if tells { 1_000 } else { rng.random_range(0..4) };
        limits.room.batch_inputs_max = rng.random_range(1..16);
        // Rooms are put away at once in some worlds, soon in others, and only after a start or for want of place in the rest.
        limits.engine.room_idle = [60_000, 0, 500].map(Duration::from_millis)[limits.room.batch_inputs_max % 3];
        // Not drawn: it is to go with what is.
        limits.room.changes_max = [1_024, 2, 5][limits.room.backlog_events_max % 3];
        // Some seats of owners who are lost run out within a world.
        let held = [600_000, 4_000, 15_000].map(Duration::from_millis);
        limits.room.owner_seat_held = held[limits.room.backlog_events_max / 3 % 3];
        limits.room.moderators_max = [64, 1][limits.room.backlog_events_max % 2];
        limits.room.live_ttl = [30_000, 3_000, 8_000].map(Duration::from_millis)[limits.room.batch_inputs_max % 3];
        limits.room.signal_ttl = [3_000, 30_000, 6_000].map(Duration::from_millis)[limits.room.batch_inputs_max % 3];
        limits.room.live_max = [4, 1][limits.room.backlog_events_max % 2];
        limits.room.member_change_interval =
            [10_000, 0, 1_500].map(Duration::from_millis)[limits.room.backlog_events_max % 3];
        limits.room.owed_max = [256, 3, 256][limits.room.backlog_events_max % 3];
        limits.room.reactable_max = [512, 3, 8][limits.room.backlog_events_max % 3];
        limits.room.reactions_per_person_max = [64, 2][limits.room.backlog_events_max / 5 % 2];
        // A sweep takes back each reaction by itself, and what comes of one command has to fit into every backlog.
        limits.room.reactions_per_person_max = 4;
        limits.room.history_default = rng.random_range(0..10);
        // In half of the worlds a newcomer does not see everything.
        let sees = [NewcomersSee::All, NewcomersSee::Last(3), NewcomersSee::All, NewcomersSee::Nothing];
        limits.room.newcomers_see = sees[limits.room.backlog_events_max % 4];
        limits.room.inbox_max = if rng.random_bool(0.1) { rng.random_range(1..8) } else { 1_024 };
        limits.session.chunk_bytes_max = rng.random_range(1..4_000);
        limits.session.room_quantum_bytes = rng.random_range(1..1_000);
        limits.session.gap_interval = Duration::from_millis(rng.random_range(0..1_000));
        limits.session.stall_timeout = Duration::from_millis(rng.random_range(2_000..10_000));
        if rng.random_bool(0.7) {
            limits.lift_rates();
        }
        let drawn: Vec<TransportKind> = TransportKind::ALL.into_iter().filter(|_| rng.random_bool(0.5)).collect();
        let transports = match transports {
            Some(transports) => transports.to_vec(),
            None if drawn.is_empty() => TransportKind::ALL.to_vec(),
            None => drawn,
        };
        let is_rough = rng.random_bool(0.7);
        if rng.random_bool(0.2) {
            limits.session.commands_in_flight_max = rng.random_range(1..5);
        }
        if rng.random_bool(0.15) {
            limits.engine.sessions_detached_max = rng.random_range(0..3);
        }
        if rng.random_bool(0.1) {
            limits.engine.rooms_max = rng.random_range(1..3);
        }
        if rng.random_bool(0.1) {
            limits.room.members_max = rng.random_range(1..4);
        }
        let pairs = rng.random_bool(0.3);
        if pairs {
            // Both say things under keys of one person.
            limits.room.keys_per_scope_max = 4_096;
        }
        if rng.random_bool(0.2) {
            limits.session.refusal_burst = rng.random_range(5..20);
            limits.session.refusals_per_second = rng.random_range(1..4);
        }
        if rng.random_bool(0.5) {
            // Then a room that cannot say is one whose log cannot be reached.
            limits.session.misses_per_second = 0;
        }
        let embedder = rng.random_bool(0.3).then(|| Temper::draw(rng));
        limits.engine.policy_timeout = Duration::from_secs(rng.random_range(1..10));
        let mut plan = Self {
            people: rng.random_range(2..6),
            servers: 1,
            transports,
            has_log: rng.random_bool(0.8),
            limits,
            tells,
            pairs,
            storm: Duration::from_secs(rng.random_range(20..90)),
            pause: Duration::from_millis(rng.random_range(50..1_500)),
            homes: 1,
            kicks: false,
            bans: false,
            host: false,
            sets: false,
            takes_back: false,
            away: if rng.random_bool(0.3) { 0.4 } else { 0.1 },
            breath: 1,
            latency: Duration::from_millis(rng.random_range(0..80)),
            capacity: rng.random_range(600..12_000),
            wrong: Wrong {
                log_fails: if is_rough { rng.random_range(0.0..0.15) } else { 0.0 },
                log_slow: rng.random_range(0.0..0.5),
                outages: 0.1,
                others: if rng.random_bool(0.3) { 0.5 } else { 0.0 },
                restarts: if rng.random_bool(0.6) { rng.random_range(0.0..0.3) } else { 0.0 },
                cuts: rng.random_bool(0.9),
                stalls: rng.random_bool(0.8),
            },
            lies: None,
            embedder,
            parts: None,
        };
        plan.homes = [2, 1, 3][plan.capacity % 3];
        match kind.unwrap_or_else(|| Kind::draw(rng)) {
            // Not drawn: it is to go with what is.
            Kind::Usual => plan.sets = plan.limits.room.backlog_events_max.is_multiple_of(5),
            Kind::Ruled => plan.rule(rng),
            Kind::Narrow => plan.narrow(rng),
            Kind::Bursts => plan.burst(rng),
            Kind::HeldBack => plan.hold_back(rng),
            Kind::Counted => plan.count(rng),
            Kind::Devices => plan.count_devices(rng),
            Kind::Cut => plan.cut(rng),
            Kind::PutOut => plan.put_out(rng),
            Kind::Networks => plan.keep_out(rng),
            Kind::Servers => plan.share(rng),
            Kind::Failover => plan.part(rng),
            Kind::Host => plan.speak(rng),
        }
        plan
    }

    /// The same world with a network that lies; where nobody is to lose a connection, it loses nothing either. Not where there are several servers.
    pub(crate) fn with_lies(self, lies: Option<Lies>) -> Self {
        let lies = lies.filter(|_| self.servers == 1);
        let lies = lies.map(|lies| if self.wrong.cuts { lies } else { lies.that_lose_nothing() });
        Self { lies, ..self }
    }

    /// Whether a server may have fewer rooms than there are: who comes back after a restart finds no place for theirs.
    pub(crate) fn has_few_rooms(&self) -> bool {
        self.limits.engine.rooms_max < ROOMS.len()
    }

    /// Whether servers have wall clocks of their own.
    pub(crate) fn are_clocks_apart(&self) -> bool {
        self.parts.is_some_and(|parts| parts.clock_off > 0)
    }

    /// Whether servers may tell different times: a server whose clock has stood still is behind from then on, and what was done to the wall clock
    /// before a server began it goes by.
    pub(crate) fn are_times_apart(&self) -> bool {
        let begin_later = self.parts.is_some() && self.wrong.restarts > 0.0;
        self.are_clocks_apart() || begin_later || self.parts.is_some_and(|parts| parts.freezes > 0.0)
    }

    /// How long so many bytes take over a line of the slowest kind, which carries its capacity in each latency.
    pub(crate) fn time_on_the_line(&self, bytes: usize) -> Duration {
        self.latency.mul_f64(bytes as f64 / self.capacity as f64)
    }

    /// Whoever is not quick misses something, and hears of it seldom.
    fn narrow(&mut self, rng: &mut StdRng) {
        // What comes of one command fits in.
        self.limits.room.backlog_events_max = rng.random_range(8..14);
        self.limits.session.gap_interval = Duration::from_millis(rng.random_range(3_000..8_000));
        self.limits.session.commands_in_flight_max = 32;
        self.breath = rng.random_range(4..16);
        self.takes_back = true;
        self.pause = self.pause.max(Duration::from_millis(400));
        self.capacity = rng.random_range(300..1_000);
        self.latency = self.latency.max(Duration::from_millis(40));
        if rng.random_bool(0.5) {
            // Nothing but the room itself takes its time.
            self.wrong.log_fails = 0.0;
        }
    }

    /// Much is said in one breath, so that everybody misses some of it, and then nothing for as long as they wait for the next gap.
    fn burst(&mut self, rng: &mut StdRng) {
        self.narrow(rng);
        (self.people, self.storm) = (rng.random_range(2..4), Duration::from_secs(90));
        self.breath = rng.random_range(16..32);
        self.pause = self.limits.session.gap_interval.mul_f64(rng.random_range(0.3..1.0));
        self.limits.lift_rates();
        (self.takes_back, self.embedder) = (false, None);
        (self.wrong.log_fails, self.wrong.others, self.wrong.restarts) = (0.0, 0.0, 0.0);
        (self.wrong.cuts, self.wrong.stalls) = (false, false);
    }

    /// Nobody goes away, but the policy takes so long over one command that whoever said it is not listened to for a while.
    fn hold_back(&mut self, rng: &mut StdRng) {
        let long = Duration::from_millis(rng.random_range(30_000..60_000));
        self.embedder = Some(Temper { long, ..Temper::default() });
        self.limits.engine.policy_timeout = Duration::from_secs(90);
        self.limits.session.commands_in_flight_max = rng.random_range(1..4);
        self.storm = Duration::from_secs(90);
        self.pause = self.pause.max(Duration::from_millis(400));
        (self.wrong.cuts, self.wrong.stalls, self.wrong.restarts) = (false, false, 0.0);
    }

    /// Few people, whose coming and going is only counted, and who leave some time for counts to be heard.
    fn count(&mut self, rng: &mut StdRng) {
        (self.tells, self.pairs) = (false, false);
        self.limits.room.notices_members_max = 0;
        (self.limits.room.empty_linger, self.limits.room.lost_linger) = (Duration::ZERO, Duration::ZERO);
        (self.people, self.storm) = (2, Duration::from_secs(90));
        self.pause = Duration::from_millis(rng.random_range(1_000..4_000));
    }

    /// People on two devices each, whose coming and going is only counted.
    fn count_devices(&mut self, rng: &mut StdRng) {
        (self.tells, self.pairs) = (false, true);
        self.limits.room.notices_members_max = 0;
        self.limits.room.keys_per_scope_max = 4_096;
        (self.people, self.storm) = (4, Duration::from_secs(90));
        self.pause = Duration::from_millis(rng.random_range(300..1_500));
    }

    /// The log is often out of reach, and who loses a connection then has just enough time to come back.
    fn cut(&mut self, rng: &mut StdRng) {
        self.has_log = true;
        self.limits.room.grace = Duration::from_millis(rng.random_range(4_000..8_000));
        self.limits.session.misses_per_second = 0;
        self.limits.session.refusal_burst = rng.random_range(8..20);
        self.limits.session.refusals_per_second = 1;
        self.wrong.log_fails = rng.random_range(0.02..0.1);
        (self.wrong.cuts, self.wrong.restarts) = (true, 0.0);
        self.wrong.outages = 0.5;
    }

    /// Owners are busy setting what holds in their rooms, while people come and go.
    fn rule(&mut self, rng: &mut StdRng) {
        (self.sets, self.storm) = (true, Duration::from_secs(90));
        self.pause = Duration::from_millis(rng.random_range(50..400));
        self.people = rng.random_range(3..6);
    }

    /// Guests of few homes keep each other out for a minute or for good, and want in again: for longer than a ban lasts, and over restarts. Rooms
    /// wait for who comes next, so that bans live.
    fn keep_out(&mut self, rng: &mut StdRng) {
        self.limits.room.empty_linger = Duration::from_secs(10);
        self.limits.room.members_max = 1_000;
        (self.pairs, self.bans, self.homes) = (false, true, 2);
        (self.people, self.storm) = (rng.random_range(4..6), Duration::from_secs(150));
        self.pause = Duration::from_millis(rng.random_range(200..900));
        self.has_log = true;
        self.wrong.restarts = rng.random_range(0.05..0.2);
    }

    /// Members are put out, come in again, and are gone for longer than their grace.
    fn put_out(&mut self, rng: &mut StdRng) {
        self.limits.room.grace = Duration::from_millis(rng.random_range(1_000..2_000));
        (self.pairs, self.kicks, self.away) = (false, true, 0.4);
        (self.wrong.cuts, self.wrong.restarts, self.wrong.log_fails) = (true, 0.0, 0.0);
    }

    /// Several servers share the rooms, and people are now at one of them, now at another. Servers, links and the log do not fail.
    fn share(&mut self, rng: &mut StdRng) {
        if rng.random_bool(0.25) {
            self.narrow(rng);
        }
        self.sets = rng.random_bool(0.2);
        (self.servers, self.people) = (rng.random_range(2..5), rng.random_range(3..7));
        self.has_log = true;
        // Each has a place for every room.
        self.limits.engine.rooms_max = Limits::default().engine.rooms_max;
        (self.wrong.cuts, self.wrong.restarts) = (true, 0.0);
        (self.wrong.log_fails, self.wrong.outages, self.wrong.others) = (0.0, 0.0, 0.0);
    }

    /// What the server in this place is given. In some worlds every other one of several is a smaller or a larger machine: it holds, batches
    /// and remembers otherwise, and decides the same.
    pub(crate) fn limits_of(&self, place: usize) -> Limits {
        let mut limits = self.limits.clone();
        // Not drawn: it is to go with what is.
        if self.servers > 1 && place % 2 == 1 && limits.room.batch_inputs_max.is_multiple_of(3) {
            limits.room.batch_inputs_max = 17 - limits.room.batch_inputs_max;
            limits.room.backlog_events_max = 72 - limits.room.backlog_events_max;
            limits.room.keys_per_scope_max *= 2;
            limits.engine.room_idle = limits.engine.room_idle / 2 + Duration::from_millis(300);
            limits.session.chunk_bytes_max = 4_001 - limits.session.chunk_bytes_max;
            limits.session.room_quantum_bytes = 1_001 - limits.session.room_quantum_bytes;
        }
        limits
    }

    /// Several servers that lose each other, stand still, die, and take each other's rooms. A grace is longer than it takes them to find each other
    /// again.
    fn part(&mut self, rng: &mut StdRng) {
        self.share(rng);
        self.servers = self.servers.max(rng.random_range(2..5));
        self.limits.room.grace = Duration::from_millis(rng.random_range(10_000..20_000));
        self.storm = self.storm.max(Duration::from_secs(60));
        self.wrong.restarts = if rng.random_bool(0.5) { 0.1 } else { 0.0 };
        let mut share = |most: f64| if rng.random_bool(0.6) { rng.random_range(0.0..most) } else { 0.0 };
        self.parts = Some(Parts {
            links: 0.1 + share(0.3),
            moves: share(0.3),
            lapses: share(0.15),
            freezes: share(0.15),
            clock_off: if self.people.is_multiple_of(2) { 3_000 } else { 0 },
        });
    }
}

impl Plan {
    /// The host speaks in rooms whose log and servers fail: in half of these worlds several servers that lose each other.
    fn speak(&mut self, rng: &mut StdRng) {
        if rng.random_bool(0.5) {
            self.part(rng);
        }
        (self.has_log, self.host) = (true, true);
        self.wrong.restarts = self.wrong.restarts.max(0.1);
    }
}

/// What a world is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Everything at once.
    Usual,
    /// Readers that fall behind.
    Narrow,
    /// Readers that fall behind all at once, again and again.
    Bursts,
    /// Clients that are not listened to for a while.
    HeldBack,
    /// Rooms whose members are only counted.
    Counted,
    /// People on two devices, in rooms whose members are only counted.
    Devices,
    /// A log that is often out of reach.
    Cut,
    /// Members that are put out and come in again.
    PutOut,
    /// Rooms for which much is set.
    Ruled,
    /// Guests of few networks, who are kept out by where they come from.
    Networks,
    /// Several servers over one log, each of which decides for some rooms, or for none.
    Servers,
    /// Several servers that lose each other, stand still, die, and take each other's rooms.
    Failover,
    /// A host that speaks, and says nothing twice.
    Host,
}

impl Kind {
    fn draw(rng: &mut StdRng) -> Self {
        match rng.random_range(0..20) {
            0..11 => Self::Usual,
            11 => Self::Networks,
            12 => Self::Devices,
            13..16 => Self::Narrow,
            16 => Self::HeldBack,
            17 => Self::Counted,
            18 => Self::Cut,
            _ => Self::PutOut,
        }
    }
}
