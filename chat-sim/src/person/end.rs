//! People end sessions for good, and try whether they stay ended; and some welcomes are lost on their way.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{ServerFrame, SessionId, Wall};
use rand::RngExt;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::connect::hear_the_end;
use super::{Asked, Person, Phase};
use crate::endings::Moment;
use crate::link::{Heard, Hello, Link};
use crate::promise::{Broken, Promise, hold};

/// Tokens of ended sessions that are kept, the newest.
const OVER_MAX: usize = 16;
/// How long a connection is tried for.
const TRIED: Duration = Duration::from_secs(20);

/// What a person has of tokens, beside the one they come back with.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// All that were told of this session.
    told: Vec<String>,
    /// Those that one has come back with.
    shown: BTreeSet<String>,
    /// The one that one has connected with last was shown before.
    is_shown_again: bool,
    /// Those of the session before, which was left as it was.
    left_behind: Vec<String>,
    /// Those of sessions that were ended, and how many servers without a log had gone down by then.
    over: Vec<(String, u32)>,
    /// This session may have been ended.
    is_ending: bool,
    /// When the session was first welcomed, and what its id says of that.
    began: Option<Moment>,
    /// It is still to be said why one has come back as somebody new.
    is_refused: bool,
}

/// An end that was asked for.
pub(super) struct End {
    /// Of what is to be ended.
    tokens: Vec<String>,
    is_own: bool,
    is_all: bool,
    asked: Moment,
    /// Servers without a log that had gone down.
    lost: u32,
}

impl Person {
    /// Ends one's own session, or the one that was left behind.
    pub(super) fn end(&mut self) {
        let (asked, lost) = (self.scene.truth.moment(), self.scene.truth.endings.lost());
        let left_behind = std::mem::take(&mut self.tokens.left_behind);
        let is_own = left_behind.is_empty();
        let tokens = if is_own { self.tokens.told.clone() } else { left_behind };
        let mut frame = json!({"type": "end"});
        if !is_own || self.rng.random_bool(0.5) {
            // Superseded or not.
            let Some(token) = tokens.get(self.rng.random_range(0..tokens.len().max(1))) else { return };
            frame["token"] = token.as_str().into();
        }
        let is_all = is_own && self.rng.random_bool(0.3);
        if is_all {
            frame["all"] = true.into();
            if let Some(person) = &self.pass {
                self.scene.truth.endings.ask_for_all(person);
            }
        }
        self.tokens.is_ending |= is_own;
        self.ask(frame, Asked::End(End { tokens, is_own, is_all, asked, lost }));
    }

    /// Comes back with this token, or by the cursor of a stream, which has the token's of before.
    pub(super) fn shows(&mut self, token: Option<&String>) {
        self.tokens.is_shown_again = token.is_none_or(|token| !self.tokens.shown.insert(token.clone()));
    }

    /// Whether somebody else may have come with the same token, whom a server by its clock takes for the later.
    pub(super) fn may_seem_older(&self) -> bool {
        self.scene.plan.parts.is_some() && self.tokens.is_shown_again
    }

    /// What was to be ended is.
    pub(super) fn ended(&mut self, end: End) {
        let End { tokens, is_own, is_all, asked, lost } = end;
        let endings = &self.scene.truth.endings;
        if endings.lost() == lost {
            self.tokens.over.extend(tokens.into_iter().map(|token| (token, lost)));
            let surplus = self.tokens.over.len().saturating_sub(OVER_MAX);
            self.tokens.over.drain(..surplus);
            if let Some(person) = self.pass.as_ref().filter(|_| is_all) {
                endings.all_are_ended(person, asked, self.scene.truth.moment().wall);
            }
        }
        if is_own {
            if let Some(link) = self.lose() {
                let (name, truth) = (self.name.clone(), Arc::clone(&self.scene.truth));
                let may_fail = self.scene.plan.parts.is_some();
                tokio::spawn(async move {
                    if let Ok(Err(how)) = timeout(TRIED, hear_the_end(link, may_fail)).await {
                        truth.note(Broken { promise: Promise::Protocol, how: format!("{name}, ended: {how}") });
                    }
                });
            }
            self.begin_anew();
        }
    }

    /// Whether some of one's sessions may have been ended, by oneself or on another device.
    pub(super) fn may_be_ended(&self) -> bool {
        let others = || self.pass.as_ref().is_some_and(|person| self.scene.truth.endings.were_asked_for(person));
        self.tokens.is_ending || others()
    }

    /// A welcome has come with this token, if it told any.
    pub(super) fn take_welcome(
        &mut self,
        session: SessionId,
        token: Option<&String>,
        is_resumed: bool,
    ) -> Result<(), Broken> {
        if is_resumed && let (Some(person), Some(began)) = (&self.pass, self.tokens.began) {
            let is_ended = self.scene.truth.endings.is_ended(person, began, self.connected);
            // Which had begun by then is told by the clocks of two servers.
            let is_ended = is_ended && !self.may_not_know(self.place) && !self.scene.plan.are_times_apart();
            hold!(!is_ended, Promise::Ended, "{} comes back, and all sessions of {person} were ended", self.name);
        }
        if !is_resumed && self.token.is_some() && self.may_be_ended() {
            self.begin_anew();
            self.tokens.is_refused = true;
        }
        let begun = Wall((session.bits() >> 80) as u64);
        self.tokens.began.get_or_insert_with(|| Moment { at: Instant::now(), wall: begun });
        self.tokens.told.extend(token.cloned());
        Ok(())
    }

    /// A new token takes the place of the one before.
    pub(super) fn take_token(&mut self, token: &str) {
        self.token = Some(token.to_owned());
        self.tokens.told.push(token.to_owned());
    }

    /// Whether this says why one has come back as somebody new.
    pub(super) fn is_refused_as_ended(&mut self, code: &str) -> bool {
        code == "bad_token" && std::mem::take(&mut self.tokens.is_refused)
    }

    /// Whether a welcome is lost on its way, and the token in it with it.
    pub(super) fn loses_welcome(&mut self) -> bool {
        let is_storm = *self.scene.phase.borrow() == Phase::Storm;
        is_storm && self.scene.plan.wrong.cuts && self.rng.random_bool(0.05)
    }

    /// Another one begins here: new keys, another name, nothing known of any room.
    pub(super) fn begin_anew(&mut self) {
        self.lives += 1;
        let name = self.name.split('.').next().unwrap_or_default();
        self.name = format!("{name}.{}", self.lives);
        self.token = None;
        self.cursor = None;
        // What comes next is no connection of the same session.
        self.older = None;
        self.views.clear();
        self.screens.clear();
        self.said.clear();
        self.refused.clear();
        self.joins.clear();
        self.named.clear();
        let over = std::mem::take(&mut self.tokens.over);
        self.tokens = Tokens { over, ..Tokens::default() };
        self.note("begins anew");
    }

    /// Leaves the session as it is, for good.
    pub(super) fn leave_behind(&mut self) {
        let told = std::mem::take(&mut self.tokens.told);
        self.begin_anew();
        self.tokens.left_behind = told;
    }

    /// Tries one of the tokens that must not work any more.
    pub(super) fn try_ended(&mut self) {
        if !self.tokens.over.is_empty() {
            let which = self.rng.random_range(0..self.tokens.over.len());
            self.try_over(which);
        }
    }

    /// Tries all of them.
    pub(super) fn try_all_ended(&mut self) {
        for which in 0..self.tokens.over.len() {
            self.try_over(which);
        }
    }

    fn try_over(&mut self, which: usize) {
        let (token, lost) = self.tokens.over[which].clone();
        let transports = &self.scene.plan.transports;
        let transport = transports[self.rng.random_range(0..transports.len())];
        let hello = Hello { token: Some(token.clone()), pass: self.pass.clone(), ..Hello::default() };
        let (front, place) = self.draw_server();
        let is_known = !self.may_not_know(place);
        let mut link = Link::open(
            transport,
            &front,
            &self.scene.plan,
            self.scene.phase.clone(),
            self.rng.random(),
            self.comes_from(Some(&token)),
            hello,
        );
        self.note(format_args!("tries {token}"));
        let (name, truth) = (self.name.clone(), Arc::clone(&self.scene.truth));
        tokio::spawn(async move {
            let is_back = timeout(TRIED, comes_back(&mut link)).await;
            if is_back == Ok(true) && is_known && truth.endings.lost() == lost {
                let how = format!("{name} comes back by {token}, whose session was ended");
                truth.note(Broken { promise: Promise::Ended, how });
            }
        });
    }
}

/// Whether the first welcome is to a session that was there before.
async fn comes_back(link: &mut Link) -> bool {
    loop {
        match link.hear().await {
            Heard::Frame(frame) => {
                if let ServerFrame::Welcome { resumed, .. } = *frame {
                    return resumed;
                }
            }
            Heard::Ended(_) => return false,
            _ => {}
        }
    }
}
