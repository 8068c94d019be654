//! A person with one session: does random things, loses connections, comes back by another transport, and checks what it is told.

mod act;
mod compare;
mod connect;
mod end;
mod enter;
mod hear;
mod moderate;
mod pages;
mod patience;
mod show;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Position, Seq};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use self::compare::Compared;
use self::connect::Older;
use self::end::{End, Tokens};
use self::pages::AskedPage;
use crate::homes::Home;
use crate::link::{Front, Heard, Link};
use crate::links::Links;
use crate::phase::Phase;
use crate::plan::Plan;
use crate::promise::{Broken, Promise, hold};
use crate::reads::Reading;
use crate::screen::Screen;
use crate::server::HELD_BYTES;
use crate::showing::{Place, Showing};
use crate::transcript::Transcript;
use crate::truth::{Knock, Truth};
use crate::view::View;

/// Within which a command is answered on a connection that is read.
const PATIENCE: Duration = Duration::from_secs(90);

/// Within which somebody who reads is told what is due, beside the pause between two gaps.
const LATE: Duration = Duration::from_secs(4);
/// How much longer that may be where the log fails now and then.
const ROUGH: Duration = Duration::from_secs(20);
/// And where servers lose each other: for as long as that may take, and until they have found each other again.
const PARTED: Duration = Duration::from_secs(40);
/// How long a room may wait before it looks again whether its log is back.
const LOOKS: Duration = Duration::from_secs(6);
/// Who has been reading for so long has answered every ping.
const PINGED: Duration = Duration::from_secs(30);
/// What is drawn beside the rest.
const WHIMS: u64 = 0x57_41_49_4D_53;
/// For so long a command may still be refused whose connection was lost.
const AFTERWARDS: Duration = Duration::from_secs(70);

/// What a person has of its world.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) plan: Arc<Plan>,
    pub(crate) truth: Arc<Truth>,
    pub(crate) transcript: Arc<Transcript>,
    /// The places where there are servers.
    pub(crate) fronts: Arc<[Front]>,
    /// What connects them, where there are several.
    pub(crate) links: Option<Arc<Links>>,
    pub(crate) phase: watch::Receiver<Phase>,
}

pub(crate) struct Person {
    name: String,
    number: u8,
    /// Where they are.
    home: Home,
    /// Shown when connecting, in worlds where people have two devices.
    pass: Option<String>,
    scene: Scene,
    rng: StdRng,
    /// Draws what came to people's minds later: the rest of the world stays as it was.
    whims: StdRng,
    token: Option<String>,
    link: Option<Link>,
    /// In which place the server is that one has chosen last.
    place: usize,
    /// What one has taken over from, until that is replaced.
    older: Option<Older>,
    welcomed: bool,
    stalled: bool,
    /// Since when everything that comes is read.
    reads_since: Instant,
    /// When something was answered last. Commands that go one after the other may wait for many before them.
    answered: Instant,
    /// When it last read on after it had not.
    read_on: Option<Instant>,
    /// When this connection was asked for.
    connected: Instant,
    /// When commands were refused for what this client is, at the latest.
    refused: Vec<Instant>,
    views: BTreeMap<String, View>,
    /// What is shown of each room, over all connections.
    screens: BTreeMap<String, Screen>,
    /// What is shown beside the messages of each room, on this connection.
    showing: BTreeMap<String, Showing>,
    /// Before this nobody asks again what was changed.
    asks_at: Instant,
    /// Before this nobody asks again for what a gap has left out.
    pages_at: Instant,
    /// Rooms in which more was due on coming back than was wanted.
    skips: BTreeSet<String>,
    /// What was asked on this connection and not yet answered.
    asked: BTreeMap<u64, (Instant, Asked)>,
    next_id: u64,
    said: Vec<Said>,
    /// Joins ever asked for. A POST may come true after its stream was lost, and be answered down the next one.
    joins: BTreeMap<u64, Option<Position>>,
    /// The positions named with the last hello.
    named: BTreeMap<String, Position>,
    /// The last cursor of the stream one is on.
    cursor: Option<String>,
    next: Instant,
    /// Whether it is still to go where the others are when the storm is over.
    gathers: bool,
    /// What is still to be asked, to be compared with what others are told.
    to_compare: VecDeque<Compared>,
    /// How often it has still something to say when the storm is over.
    last_words: usize,
    /// How often somebody new began here.
    lives: u32,
    tokens: Tokens,
}

enum Asked {
    Send {
        number: usize,
    },
    /// To be let in; what was so then, where it is known who asks.
    Join(Option<Knock>),
    Leave {
        room: String,
    },
    History(AskedPage),
    Changes {
        room: String,
    },
    Read(Reading),
    /// What a room is like, to be compared.
    Compared(Compared),
    End(End),
    Other,
}

/// A message with a key, until it is known what became of it.
struct Said {
    room: String,
    text: String,
    key: String,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nobody knows.
    Open,
    /// It is in the log.
    Acked(Seq),
    /// It is not, and is not tried again.
    Refused,
    /// It was too long ago to be asked safely.
    GivenUp,
}

impl Person {
    pub(crate) fn new(number: usize, scene: Scene, seed: u64) -> Self {
        let place = u8::try_from(number).expect("a world has few people");
        // At several servers there is more to be compared in rooms that all are in.
        let gathers = scene.plan.servers > 1;
        let last_words = if scene.plan.breath > 1 { 6 } else { 1 };
        Self {
            name: format!("P{number}"),
            number: place,
            home: Home(place % scene.plan.homes),
            pass: scene.plan.pairs.then(|| format!("person-{}", number / 2)),
            scene,
            rng: StdRng::seed_from_u64(seed),
            whims: StdRng::seed_from_u64(seed ^ WHIMS),
            token: None,
            link: None,
            place: 0,
            older: None,
            welcomed: false,
            stalled: false,
            reads_since: Instant::now(),
            answered: Instant::now(),
            read_on: None,
            connected: Instant::now(),
            refused: Vec::new(),
            views: BTreeMap::new(),
            screens: BTreeMap::new(),
            showing: BTreeMap::new(),
            asks_at: Instant::now(),
            pages_at: Instant::now(),
            skips: BTreeSet::new(),
            asked: BTreeMap::new(),
            next_id: 0,
            said: Vec::new(),
            joins: BTreeMap::new(),
            named: BTreeMap::new(),
            cursor: None,
            next: Instant::now(),
            gathers,
            to_compare: VecDeque::new(),
            last_words,
            lives: 0,
            tokens: Tokens::default(),
        }
    }

    /// Lives until everybody goes.
    ///
    /// # Errors
    /// The first promise that is broken to this person.
    pub(crate) async fn live(mut self) -> Result<(), Broken> {
        let mut phases = self.scene.phase.clone();
        loop {
            tokio::select! {
                biased;
                heard = hear(&mut self.link) => self.hear(heard)?,
                changed = phases.changed() => {
                    let phase = *phases.borrow_and_update();
                    match phase {
                        Phase::Storm => {}
                        Phase::Calm => self.calm_down(),
                        Phase::Compare => self.compare(),
                        Phase::Check => self.check()?,
                        Phase::Leave => return self.go().await,
                    }
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                () = sleep_until(self.next) => {
                    match *phases.borrow() {
                        Phase::Storm => self.act(),
                        _ => self.come_back(),
                    }
                    self.ask_for_changes();
                    self.read_up();
                    self.compare_next();
                    self.check_answers()?;
                    self.check_in_time()?;
                }
            }
        }
    }

    /// The answer to a command will not come.
    fn forget(&mut self, id: u64) {
        self.refused.push(Instant::now() + AFTERWARDS);
        if let Some((_, Asked::Compared(compared))) = self.asked.remove(&id) {
            self.to_compare.push_back(compared);
        }
    }

    fn calm_down(&mut self) {
        if let Some(link) = &self.link {
            link.stall(false);
            link.heal();
        }
        if std::mem::take(&mut self.stalled) {
            self.read_on = Some(Instant::now());
        }
        self.reads_since = Instant::now();
        self.try_all_ended();
        self.next = Instant::now() + Duration::from_millis(self.rng.random_range(0..2_000));
    }

    fn check_answers(&self) -> Result<(), Broken> {
        if self.stalled || self.link.is_none() || self.reads_since.elapsed() < PATIENCE {
            return Ok(());
        }
        let is_late = |at: &Instant| at.elapsed() > PATIENCE && self.answered.elapsed() > PATIENCE;
        let late = self.asked.iter().find(|(_, (at, _))| is_late(at));
        hold!(late.is_none(), Promise::Answered, "{}: no answer to {:?}", self.name, late.map(|(id, _)| id));
        let reads = !self.stalled && self.welcomed && self.reads_since.elapsed() > PATIENCE;
        let patience = self.scene.plan.limits.session.resume_timeout + PATIENCE;
        self.views.values().filter(|_| reads).try_for_each(|view| view.check_answered(patience))
    }

    /// Within which somebody who reads is told what is due.
    fn late(&self) -> Duration {
        let plan = &self.scene.plan;
        let rough = if self.is_rough() { ROUGH } else { Duration::ZERO };
        let parted = if plan.parts.is_some() { PARTED } else { Duration::ZERO };
        LATE + parted + plan.time_on_the_line(HELD_BYTES) + plan.limits.session.gap_interval + rough
    }

    /// Where calls of the log fail, a room asks many times in a row, and each may take its time; and so does a network that lies.
    fn is_rough(&self) -> bool {
        let plan = &self.scene.plan;
        plan.has_log && plan.wrong.log_fails > 0.0 || plan.lies.is_some()
    }

    fn check_in_time(&self) -> Result<(), Broken> {
        let (plan, truth, late) = (&self.scene.plan, &self.scene.truth, self.late());
        if !truth.is_log_back(late + LOOKS) || self.stalled || !self.welcomed || self.reads_since.elapsed() < late {
            return Ok(());
        }
        self.views.values().try_for_each(|view| view.check_in_time(truth, late))?;
        // What waits for a policy that takes its time is shown later.
        let shown = self.showing.iter().filter(|_| plan.embedder.is_none());
        shown
            .filter_map(|(room, showing)| Some((showing, self.place(room)?)))
            .try_for_each(|(showing, place)| showing.check_in_time(&place, late))
    }

    /// Where one stands in a room.
    fn place(&self, room: &str) -> Option<Place<'_>> {
        let view = self.views.get(room).filter(|view| view.is_live())?;
        let (truth, limits) = (&*self.scene.truth, &self.scene.plan.limits.room);
        let (epoch, seq) = (view.position().epoch, view.position().seq);
        let floor = truth.floor(room, epoch, view.member());
        Some(Place { name: &self.name, truth, limits, room: view.room(), epoch, seq, floor })
    }

    /// Everything has been told; is it everything?
    fn check(&self) -> Result<(), Broken> {
        hold!(self.link.is_some() && self.welcomed, Promise::CatchUp, "{} could not come back", self.name);
        for view in self.views.values() {
            if view.is_parked() && self.scene.plan.has_few_rooms() {
                continue;
            }
            view.check_at_the_end(&self.scene.truth)?;
            let screen = self.screens.get(view.room()).filter(|screen| screen.epoch() == view.position().epoch);
            if let Some(screen) = screen.filter(|_| view.is_live()) {
                screen.check_at_the_end(view.room(), &self.name, &self.scene.plan, &self.scene.truth)?;
            }
        }
        let shown = self.showing.iter().filter_map(|(room, showing)| Some((showing, self.place(room)?)));
        shown.into_iter().try_for_each(|(showing, place)| showing.check_at_the_end(&place))?;
        let left = self.to_compare.len();
        hold!(left == 0, Promise::Answered, "{}: {left} questions are not asked in time", self.name);
        let open = self.asked.keys().next();
        hold!(open.is_none(), Promise::Answered, "{}: no answer to {open:?}", self.name);
        let unsure = self
            .said
            .iter()
            .find(|said| said.outcome == Outcome::Open && self.views.get(&said.room).is_some_and(View::is_live));
        hold!(unsure.is_none(), Promise::Answered, "{}: what became of {:?}", self.name, unsure.map(|said| &said.key));
        self.say_where();
        Ok(())
    }

    /// Goes: some say so, others are just gone.
    async fn go(mut self) -> Result<(), Broken> {
        if self.rng.random_bool(0.5) {
            self.note("leaves everywhere");
            for room in crate::plan::ROOMS {
                self.leave(room);
            }
            let end = Instant::now() + Duration::from_secs(5);
            loop {
                tokio::select! {
                    biased;
                    heard = hear(&mut self.link) => self.hear(heard)?,
                    () = sleep_until(end) => break,
                }
            }
        }
        self.note("is gone");
        Ok(())
    }

    fn note(&self, what: impl std::fmt::Display) {
        self.scene.transcript.note(&self.name, what);
    }
}

async fn hear(link: &mut Option<Link>) -> Heard {
    match link {
        Some(link) => link.hear().await,
        None => std::future::pending().await,
    }
}
