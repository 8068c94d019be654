//! People are erased, one after the other: a job that looks at every room, keeps in the log how far it has come, and goes on after a restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::engine::engine::Engine;
use crate::engine::erase_room::{Found, erase_from, working};
use crate::engine::rooms::backoff::Backoff;
use crate::engine::shared::{Shared, unavailable};
use crate::ports::{AppendError, Erasure, ReadError};
use crate::types::{Identity, Reject, RejectCode, RoomCode, SessionId};

/// How often servers that share a log look whether another one was asked, and how long it takes until a pass in which a room failed is followed by
/// another. 10 s: nobody waits for an erasure at their screen, and it is one small question of a log.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The longest rest of a job between two passes that fail; the first is [`LOOK_EVERY`], and each is twice as long. An hour: each reads the whole log.
const REST_MAX: Duration = Duration::from_secs(3_600);
/// Codes of a log listed at once: what one task holds.
const PAGE: usize = 256;
/// How often what is kept of an erasure is read again that another server has changed meanwhile. 8: as many are asked for the same person within milliseconds,
/// or all is left as it is.
const FOLLOW_TRIES_MAX: usize = 8;
/// Rooms looked at before it is kept how far the job has come: so many are looked at once more after a crash.
const KEEP_EVERY: u64 = 64;

impl Engine {
    /// Erases a person: a job that looks at every room, of the log and in memory, one after the other. From each in which they are or were, they leave
    /// (as by themselves), all that they said is taken back, and what the room remembers of them goes: their place, role, keys, read position, invite, and where they
    /// came from. Then the log is made to say `erased` ([`Nick::erased`](crate::Nick::erased)) where it named them, in every record, and nothing of their identity,
    /// keys and data; what is read or shown from then on, at any server, says the same. Their number stays, and so do bans that keep them out, as a
    /// salted hash of whom.
    ///
    /// It is answered once it is kept that the person is to be erased: from then on the job goes on by itself, after a restart and at another
    /// server too, until it is done ([`Engine::erasures`]). The identity is in the log until it is
    /// done, and not after that. A second call for the same person joins the first, and has it look at all rooms once more, for what came after it had
    /// looked at them; so ask again for somebody who was still there when it was asked for first.
    ///
    /// What was delivered before is out of reach: what clients, feeds and webhooks hold, the write-ahead log of a database, and backups. What the person
    /// does from then on is new: end their sessions ([`Engine::end`]), which remembers the identity for as long as their tokens would be good, and have the
    /// policy refuse them first. Who was connected without an identity is nobody whom this finds, and what others say of them stays.
    ///
    /// ```
    /// # use chat_core::{Engine, Identity};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), chat_core::Reject> {
    /// # let engine = Engine::builder().build();
    /// let ann = Identity::new("user:17").expect("an identity");
    /// let begun = engine.erase(ann).await?;
    /// assert_eq!(begun.looked, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `at_capacity` past [`erasures_max`](crate::EngineLimits::erasures_max), `unavailable` when the log does not keep it, or is of a kind that erases nobody;
    /// `draining`. Nothing was begun, unless the log has kept it without saying so in time: then it is carried out, and [`Engine::erasures`] names it.
    pub async fn erase(&self, identity: Identity) -> Result<Erasure, Reject> {
        self.shared.check_accepting()?;
        let (done, told) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.shared.spawn(async move {
            // Whoever asked may be gone.
            let _ = done.send(shared.begin_erasure(identity).await);
        });
        told.await.unwrap_or_else(|_| Err(unavailable()))
    }

    /// Every erasure that is not done, each as far as it has come; at most [`erasures_max`](crate::EngineLimits::erasures_max). One that another server carries
    /// out may be a little further. One that is done is not among them.
    ///
    /// # Errors
    /// `unavailable` when the log cannot say.
    pub async fn erasures(&self) -> Result<Vec<Erasure>, Reject> {
        self.shared.erasures().await
    }
}

impl Shared {
    /// All that there are, each as far as it has come.
    async fn erasures(&self) -> Result<Vec<Erasure>, Reject> {
        let Some(log) = &self.log else { return Ok(self.erasing.all()) };
        let mut all = log.erasures().await.map_err(|_| unavailable())?;
        for known in self.erasing.all() {
            let is_it = |kept: &&mut Erasure| kept.identity == known.identity && kept.alias == known.alias;
            if let Some(kept) = all.iter_mut().find(is_it) {
                *kept = known;
            }
        }
        Ok(all)
    }

    /// Keeps how far one has come that is carried out here. Where it was asked for again, at whichever server, that is known then. Where it is not kept,
    /// more is looked at twice.
    async fn keep_progress(&self, job: &mut Erasure) {
        self.erasing.note(job);
        let Some(log) = &self.log else { return };
        for _ in 0..FOLLOW_TRIES_MAX {
            let Err(AppendError::Conflict) = log.put_erasure(job, Some(job.asked)).await else { return };
            let kept = log.erasures().await.unwrap_or_default();
            let Some(kept) = kept.into_iter().find(|kept| kept.alias == job.alias) else { return };
            job.asked = kept.asked;
        }
    }

    async fn begin_erasure(self: &Arc<Self>, identity: Identity) -> Result<Erasure, Reject> {
        let _turn = self.erasing.asking.lock().await;
        let mut asked = Err(unavailable());
        for _ in 0..FOLLOW_TRIES_MAX {
            let all = match &self.log {
                Some(log) => log.erasures().await.map_err(|_| unavailable())?,
                None => self.erasing.all(),
            };
            let (mut erasure, kept) = self.asked_for(&identity, all)?;
            self.have_policy_forget(&identity);
            let put = match &self.log {
                Some(log) => log.put_erasure(&erasure, kept).await,
                None => {
                    self.erasing.note(&mut erasure);
                    Ok(())
                }
            };
            // Where another server was asked meanwhile, what it has kept is read again.
            if put != Err(AppendError::Conflict) {
                asked = put.map(|()| erasure).map_err(|_| unavailable());
                break;
            }
        }
        // Also where the log has not said: what it has kept all the same is not to wait for a restart.
        self.erasing.news.notify_one();
        let erasure = asked?;
        if self.log.is_some() {
            self.erasing.ask_again(&erasure);
        }
        Ok(erasure)
    }

    /// What is to be kept of a person of whom this is asked, and how often it was asked for before.
    fn asked_for(&self, identity: &Identity, all: Vec<Erasure>) -> Result<(Erasure, Option<u32>), Reject> {
        let (max, len) = (self.limits.engine.erasures_max, all.len());
        if let Some(mut known) = all.into_iter().find(|known| known.identity == *identity) {
            let before = known.asked;
            known.asked = before.saturating_add(1);
            return Ok((known, Some(before)));
        }
        if len >= max {
            let reject = Reject::new(RejectCode::AtCapacity, "as many people are being erased as may be");
            return Err(reject.limit(max as u64));
        }
        let now = self.clock.now().wall;
        Ok((Erasure::new(identity.clone(), self.ids.session(now), now), None))
    }

    /// Some of the rooms after this one, in the order of their codes; without a log, all of them: to put them in order takes as long for one as for all.
    async fn codes_after(&self, after: Option<&RoomCode>) -> Result<Vec<RoomCode>, ReadError> {
        if let Some(log) = &self.log {
            return log.rooms(None, after, PAGE).await;
        }
        let mut codes = self.registry.codes();
        codes.retain(|code| after.is_none_or(|after| code > after));
        codes.sort_unstable();
        Ok(codes)
    }
}

/// Carries out what this server is to, until the engine is gone. It is held while something is done for it alone.
pub(crate) async fn run(engine: Weak<Shared>) {
    let mut backoff = Backoff::default();
    let mut rests = BTreeMap::<SessionId, Rest>::new();
    loop {
        let Some(shared) = engine.upgrade() else { return };
        let is_shared = shared.cluster.is_some();
        let all = shared.erasures().await;
        let is_known = all.is_ok();
        let mut all = all.unwrap_or_default();
        all.retain(|erasure| shared.decides_slot(erasure.slot()));
        all.sort_by_key(|erasure| (erasure.since, erasure.alias));
        if is_known {
            rests.retain(|alias, _| all.iter().any(|erasure| erasure.alias == *alias));
            if shared.log.is_some() {
                shared.erasing.keep_only(&all);
            }
        }
        let erasing = Arc::clone(&shared.erasing);
        drop(shared);
        let mut is_left = false;
        for erasure in all {
            let alias = erasure.alias;
            let is_asked_for = erasure.asked > erasure.answered;
            if rests.get(&alias).is_some_and(|rest| !is_asked_for && Instant::now() < rest.until) {
                is_left = true;
                continue;
            }
            match pass(&engine, erasure).await {
                Pass::Done => drop(rests.remove(&alias)),
                Pass::Left => {
                    is_left = true;
                    rests.entry(alias).or_default().after_failure();
                }
                Pass::Again => erasing.news.notify_one(),
                Pass::Ended => return,
            }
        }
        if is_known {
            backoff = Backoff::default();
        }
        let pause = match is_known {
            true if is_left || is_shared => Some(LOOK_EVERY),
            true => None,
            false => Some(backoff.next()),
        };
        match pause {
            Some(pause) => tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = erasing.news.notified() => {}
            },
            // The only one who asks is this engine; and what wakes it when that is gone is that.
            None => erasing.news.notified().await,
        }
    }
}

/// For how long one rests in which a room failed: each pass reads the log once more.
struct Rest {
    until: Instant,
    pause: Duration,
}

impl Default for Rest {
    fn default() -> Self {
        Self { until: Instant::now(), pause: LOOK_EVERY / 2 }
    }
}

impl Rest {
    fn after_failure(&mut self) {
        self.pause = (self.pause * 2).min(REST_MAX);
        self.until = Instant::now() + self.pause;
    }
}

/// What came of a look at all rooms.
enum Pass {
    Done,
    /// It was asked for once more meanwhile.
    Again,
    /// A room failed, or the log does not forget the job.
    Left,
    /// The engine is gone, or goes down.
    Ended,
}

async fn pass(engine: &Weak<Shared>, mut job: Erasure) -> Pass {
    let mut backoff = Backoff::default();
    if job.after.is_none() {
        (job.looked, job.failed, job.answered) = (0, 0, job.asked);
        match count(engine).await {
            Some(rooms) => job.rooms = rooms,
            None => return Pass::Left,
        }
    }
    loop {
        let Some(shared) = working(engine) else { return Pass::Ended };
        if !shared.decides_slot(job.slot()) {
            shared.erasing.forget(&job.identity);
            return Pass::Done;
        }
        let listed = shared.codes_after(job.after.as_ref()).await;
        drop(shared);
        let codes = match listed {
            Ok(codes) if codes.is_empty() => break,
            Ok(codes) => codes,
            Err(ReadError::Unavailable(_)) => {
                tokio::time::sleep(backoff.next()).await;
                continue;
            }
            Err(_) => return Pass::Left,
        };
        backoff = Backoff::default();
        for code in codes {
            let found = erase_from(engine, &job, &code).await;
            job.looked += 1;
            match found {
                Found::Nothing => {}
                Found::Erased => job.erased += 1,
                Found::Failed => job.failed += 1,
                Found::Ended => return Pass::Ended,
            }
            job.after = Some(code);
            let Some(shared) = working(engine) else { return Pass::Ended };
            match matches!(found, Found::Erased) || job.looked.is_multiple_of(KEEP_EVERY) {
                true => shared.keep_progress(&mut job).await,
                false => shared.erasing.note(&mut job),
            }
        }
    }
    let Some(shared) = working(engine) else { return Pass::Ended };
    // Whoever asks from here on waits until it is dropped, where they ask at this server.
    let _turn = shared.erasing.asking.lock().await;
    shared.keep_progress(&mut job).await;
    if job.failed > 0 || job.asked > job.answered {
        job.after = None;
        shared.keep_progress(&mut job).await;
        return if job.failed > 0 { Pass::Left } else { Pass::Again };
    }
    let dropped = match &shared.log {
        Some(log) => log.drop_erasure(&job).await,
        None => Ok(()),
    };
    match dropped {
        Ok(()) => {
            shared.erasing.forget(&job.identity);
            Pass::Done
        }
        // Another server was asked at this very moment.
        Err(AppendError::Conflict) => {
            job.after = None;
            shared.keep_progress(&mut job).await;
            Pass::Again
        }
        Err(_) => Pass::Left,
    }
}

/// How many rooms there are; `None` where that cannot be said now.
async fn count(engine: &Weak<Shared>) -> Option<u64> {
    let (mut rooms, mut after) = (0, None);
    if let Some(shared) = working(engine).filter(|shared| shared.log.is_none()) {
        return Some(shared.registry.len() as u64);
    }
    loop {
        let codes = working(engine)?.codes_after(after.as_ref()).await.ok()?;
        rooms += codes.len() as u64;
        match codes.into_iter().next_back() {
            Some(last) => after = Some(last),
            None => return Some(rooms),
        }
    }
}
