//! The engine of record: statements in four moments, a primary and the standby that confirms what it has written.
//!
//! Begin (what a statement sees), locks, commit (written, and seen by nobody before the standby has it), answer. A step is one moment of
//! one statement; which comes next is drawn.

use super::rows::{Change, Life, Rows, WriterId};
use super::statement::Statement;
use super::what::{Bug, Key, Mode, Outcome, What};

/// Names a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatementId(pub u64);

/// What its client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Success.
    Done(Outcome),
    /// Success, with the warning that no standby has confirmed it.
    Warned(Outcome),
    /// An error: nothing was written.
    Refused,
    /// The connection is gone, and with it the answer.
    Broken,
}

#[derive(Clone, Debug)]
enum Moment {
    /// It waits for rows, or has all it needs.
    Locking,
    /// It is in the write-ahead log, at this place, and not yet to be seen.
    Written { at: usize, changes: Vec<Change>, outcome: Outcome },
}

#[derive(Clone, Debug)]
struct Running {
    id: StatementId,
    statement: Statement,
    moment: Moment,
    /// Its client waits for the answer.
    is_awaited: bool,
    /// Its client's machine is gone between two packets: it keeps what it has locked, and never comes to its end.
    is_stuck: bool,
}

/// One thing that may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A statement locks the row that it wants.
    Lock(StatementId),
    /// It commits.
    Write(StatementId),
    /// The standby has it: it is seen, and answered.
    Confirm(StatementId),
    /// The standby takes in the next entry of the log.
    Send,
}

impl Step {
    /// Whose it is.
    pub fn statement(self) -> Option<StatementId> {
        match self {
            Self::Lock(id) | Self::Write(id) | Self::Confirm(id) => Some(id),
            Self::Send => None,
        }
    }
}

/// A statement that has just come to be seen, and the changes that it made.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What it was.
    pub what: What,
    /// What it changed.
    pub changes: Vec<Change>,
    /// What was to be seen then.
    pub rows: Rows,
}

/// The engine of record.
#[derive(Debug, Default)]
pub struct Engine {
    /// What whoever reads it sees.
    pub rows: Rows,
    log: Vec<Vec<Change>>,
    /// So many entries of the log are at the standby.
    sent: usize,
    running: Vec<Running>,
    next: u64,
    bug: Option<Bug>,
    /// Answers, in order.
    pub answers: Vec<(StatementId, Answer)>,
    /// What came to be seen, in order.
    pub seen: Vec<Seen>,
}

impl Engine {
    /// An empty one.
    pub fn new(bug: Option<Bug>) -> Self {
        Self { bug, ..Self::default() }
    }

    /// Begins a statement.
    pub fn begin(&mut self, what: What) -> StatementId {
        self.next += 1;
        let id = StatementId(self.next);
        let statement = Statement::begin(what, &self.rows, self.bug);
        self.running.push(Running { id, statement, moment: Moment::Locking, is_awaited: true, is_stuck: false });
        id
    }

    /// The statements that have begun and not ended.
    pub fn running(&self) -> impl Iterator<Item = (StatementId, &What)> {
        self.running.iter().map(|running| (running.id, &running.statement.what))
    }

    /// What may happen next.
    pub fn steps(&self) -> Vec<Step> {
        let of = |running: &Running| match &running.moment {
            Moment::Locking if running.is_stuck => None,
            Moment::Locking => match running.statement.wants() {
                Some((key, mode)) => self.may_lock(running.id, key, mode).then_some(Step::Lock(running.id)),
                None => Some(Step::Write(running.id)),
            },
            Moment::Written { at, .. } => (*at < self.sent).then_some(Step::Confirm(running.id)),
        };
        let mut steps: Vec<Step> = self.running.iter().filter_map(of).collect();
        steps.extend((self.sent < self.log.len()).then_some(Step::Send));
        steps
    }

    fn may_lock(&self, id: StatementId, key: Key, mode: Mode) -> bool {
        self.blockers(id, key, mode).next().is_none()
    }

    /// Those that hold what a statement wants.
    fn blockers(&self, id: StatementId, key: Key, mode: Mode) -> impl Iterator<Item = StatementId> {
        let stands_in_the_way = move |held: &(Key, Mode)| held.0 == key && !held.1.agrees(mode);
        let others = self.running.iter().filter(move |other| other.id != id);
        others.filter(move |other| other.statement.holds.iter().any(stands_in_the_way)).map(|other| other.id)
    }

    /// Statements that wait for each other in a circle, if there are any: the engine ends one of them after a second.
    pub fn circle(&self) -> Option<Vec<(StatementId, Key)>> {
        self.running.iter().find_map(|running| self.circle_from(running.id, &mut Vec::new()))
    }

    fn circle_from(&self, at: StatementId, path: &mut Vec<(StatementId, Key)>) -> Option<Vec<(StatementId, Key)>> {
        if let Some(begin) = path.iter().position(|(id, _)| *id == at) {
            return Some(path.split_off(begin));
        }
        let (key, mode) = self.wanted(at)?;
        path.push((at, key));
        let found =
            self.blockers(at, key, mode).collect::<Vec<_>>().into_iter().find_map(|next| self.circle_from(next, path));
        path.pop();
        found
    }

    fn wanted(&self, id: StatementId) -> Option<(Key, Mode)> {
        self.running.iter().find(|running| running.id == id)?.statement.wants()
    }

    /// Whether an incarnation was ever deleted, as far as that is in the log.
    pub fn has_ended(&self, life: Life) -> bool {
        self.log.iter().flatten().any(|change| matches!(change, Change::NoTail(_, ended) if *ended == life))
    }

    /// Whether it was over before.
    pub fn has_closed(&self, life: Life) -> bool {
        self.log
            .iter()
            .flatten()
            .any(|change| matches!(change, Change::Tail(_, tail) if tail.life == life && tail.is_closed))
    }

    /// Makes a step.
    pub fn step(&mut self, step: Step) {
        match step {
            Step::Send => self.sent += 1,
            Step::Lock(id) => {
                if let Some(running) = self.running.iter_mut().find(|running| running.id == id) {
                    running.statement.lock(&self.rows);
                }
            }
            Step::Write(id) => self.write(id),
            Step::Confirm(id) => {
                if let Some(running) = self.take(id) {
                    self.show(running, Answer::Done);
                }
            }
        }
    }

    fn write(&mut self, id: StatementId) {
        let Some(index) = self.running.iter().position(|running| running.id == id) else { return };
        let (changes, outcome) = self.running[index].statement.change(&self.rows);
        if changes.is_empty() && self.running[index].statement.holds.is_empty() {
            // Nothing was written, and nothing is waited for. A row that was locked has been written for that.
            let running = self.running.remove(index);
            return self.answer(&running, Answer::Done(outcome));
        }
        let at = self.log.len();
        self.log.push(changes.clone());
        let is_early = self.bug == Some(Bug::AnswerEarly);
        let early = Moment::Written { at, changes, outcome: outcome.clone() };
        self.running[index].moment = early;
        if is_early && self.running[index].is_awaited {
            self.answers.push((id, Answer::Done(outcome)));
            self.running[index].is_awaited = false;
        }
    }

    fn take(&mut self, id: StatementId) -> Option<Running> {
        let index = self.running.iter().position(|running| running.id == id)?;
        Some(self.running.remove(index))
    }

    fn answer(&mut self, running: &Running, answer: Answer) {
        if running.is_awaited {
            self.answers.push((running.id, answer));
        }
    }

    /// What was written is seen from now on.
    fn show(&mut self, running: Running, answer: impl FnOnce(Outcome) -> Answer) {
        if let Moment::Written { changes, outcome, .. } = &running.moment {
            self.rows.make(changes);
            let (what, changes) = (running.statement.what.clone(), changes.clone());
            self.seen.push(Seen { what, changes, rows: self.rows.clone() });
            self.answer(&running, answer(outcome.clone()));
        }
    }

    // What befalls it.

    /// A wait is cut short: one for a row is given up, one for the standby is called success, with a warning.
    pub fn cancel(&mut self, id: StatementId) {
        // What waits for the rest of a command hears of no cancellation.
        if self.running.iter().any(|running| running.id == id && running.is_stuck) {
            return;
        }
        let Some(running) = self.take(id) else { return };
        match running.moment {
            Moment::Written { .. } => self.show(running, Answer::Warned),
            Moment::Locking => self.answer(&running, Answer::Refused),
        }
    }

    /// A statement's client hears nothing more of it; it goes on.
    pub fn cut(&mut self, id: StatementId) {
        if let Some(running) = self.running.iter_mut().find(|running| running.id == id && running.is_awaited) {
            running.is_awaited = false;
            self.answers.push((id, Answer::Broken));
        }
    }

    /// The same, of one that has not come whole: it does not go on either, and keeps its locks.
    pub fn strand(&mut self, id: StatementId) {
        self.cut(id);
        if let Some(running) = self.running.iter_mut().find(|running| running.id == id) {
            running.is_stuck = true;
        }
    }

    /// The connections whose clients are gone like this.
    pub fn stranded(&self) -> Vec<WriterId> {
        self.running
            .iter()
            .filter(|running| running.is_stuck)
            .filter_map(|running| running.statement.what.writer())
            .collect()
    }

    /// Ends what a connection has under way: what is written is seen, and everything else undone.
    pub fn terminate(&mut self, writer: WriterId) {
        let of_this = |running: &&Running| running.statement.what.writer() == Some(writer);
        while let Some(id) = self.running.iter().find(of_this).map(|running| running.id) {
            let Some(running) = self.take(id) else { return };
            match running.moment {
                Moment::Written { .. } => self.show(running, |_| Answer::Broken),
                Moment::Locking => self.answer(&running, Answer::Broken),
            }
        }
    }

    /// It ends and begins again, with what it had written.
    pub fn restart(&mut self) {
        for running in std::mem::take(&mut self.running) {
            match running.moment {
                Moment::Written { .. } => self.show(running, |_| Answer::Broken),
                Moment::Locking => self.answer(&running, Answer::Broken),
            }
        }
    }

    /// It is gone, and the standby is in its place, with what it has.
    pub fn promote(&mut self) {
        for running in std::mem::take(&mut self.running) {
            self.answer(&running, Answer::Broken);
        }
        self.log.truncate(self.sent);
        self.rows = Rows::default();
        self.log.iter().for_each(|changes| self.rows.make(changes));
    }
}
