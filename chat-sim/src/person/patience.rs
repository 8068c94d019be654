//! Whether the server is patient: nobody is let go who is there, and nobody is closed for what they have not done.

use std::time::Duration;

use chat_core::{CloseReason, ServerFrame};
use tokio::time::Instant;

use super::{LATE, PINGED, Person};
use crate::promise::{Broken, Promise, hold};

/// How long servers need to find each other, where they can.
const FINDS: Duration = Duration::from_secs(5);
/// How much later than it was decided one hears of it at most.
const LASTS: Duration = Duration::from_secs(25);
/// For how long a server may not know what was ended while it was out of reach.
const HEARS: Duration = Duration::from_secs(60);
/// For how long what was asked may be refused after a server was out of reach.
const ROUGHLY: Duration = Duration::from_secs(10);
/// What comes at once is heard within this, in seconds.
const WAY: f64 = 0.5;

impl Person {
    /// Nobody leaves by timeout who has been there since before that can have been decided.
    pub(super) fn check_patience(&self, frame: &ServerFrame) -> Result<(), Broken> {
        let ServerFrame::MemberLeft { room, member, reason, .. } = frame else { return Ok(()) };
        let late = if self.scene.plan.parts.is_some() { LATE } else { self.late() };
        let reads = !self.stalled && self.welcomed && self.reads_since.elapsed() >= late;
        let own = self.views.get(room).filter(|view| view.member() == *member);
        let is_there = own.is_some_and(|view| view.is_live_for(late));
        let is_gone = reason != "timeout" || self.is_rough() || !reads || !is_there || self.is_out_of_reach();
        hold!(is_gone, Promise::Patience, "{room}: {} is there as {member}, and leaves by timeout", self.name);
        Ok(())
    }

    /// Whether the server where one is may have been out of reach for others for nearly as long as a grace.
    fn is_out_of_reach(&self) -> bool {
        let Some(links) = &self.scene.links else { return false };
        let grace = self.scene.plan.limits.room.grace;
        links.troubled(self.place, grace + LASTS) + FINDS >= grace
    }

    /// Whether the server where one is may just have been unable to reach the one that decides.
    pub(super) fn is_cut_off(&self) -> bool {
        self.was_cut_off(self.place)
    }

    /// Whether the server where one is may have learned too late who decides to be told what was decided.
    pub(super) fn has_just_learned(&self) -> bool {
        self.scene.links.as_ref().is_some_and(|links| links.has_learned_within(self.place, ROUGHLY))
    }

    /// Whether the server in a place may just have been unable to reach some other.
    pub(super) fn was_cut_off(&self, place: usize) -> bool {
        self.scene.links.as_ref().is_some_and(|links| !links.troubled(place, ROUGHLY).is_zero())
    }

    /// Whether the server in a place may not have heard of what others have told all, lately.
    pub(super) fn may_not_know(&self, place: usize) -> bool {
        self.scene.links.as_ref().is_some_and(|links| !links.troubled(place, HEARS).is_zero())
    }

    /// Nobody is told that they are not in a room where they are, and were live when they asked. Another device may have left, and come back.
    pub(super) fn check_membership(&self, room: &str, asked: Instant, code: &str) -> Result<(), Broken> {
        let (plan, truth) = (&self.scene.plan, &self.scene.truth);
        let is_asked = code == "not_member" && !plan.pairs;
        let live = self.views.get(room).filter(|view| is_asked && view.is_live_for(asked.elapsed()));
        let Some(view) = live else { return Ok(()) };
        let (epoch, member) = (view.position().epoch, view.member());
        let is_out = !truth.is_member(room, epoch, member) || truth.ended(room, epoch, member, asked).is_some();
        hold!(is_out, Promise::Fold, "{room}: {} is there as {member}, and is told that they are not", self.name);
        Ok(())
    }

    /// The connection is ended by the server, which says why.
    pub(super) fn closed(&self, code: u16) -> Result<(), Broken> {
        if code == CloseReason::PeerTimeout.code() {
            let is_silent = self.stalled || self.reads_since.elapsed() < PINGED;
            hold!(is_silent, Promise::Patience, "{} answers every ping, and counts as gone", self.name);
        }
        if code == CloseReason::Flooding.code() {
            let limits = &self.scene.plan.limits.session;
            let lies = self.scene.plan.lies;
            let (owes, burst) = (self.owes(), limits.refusal_burst);
            // What this takes until it is heard is forgiven meanwhile; where it waited to be read, nobody knows how much that is.
            let way = WAY + lies.map_or(0.0, |lies| 2.0 * lies.hiccup.as_secs_f64());
            let forgiven = f64::from(limits.refusals_per_second) * way;
            let has_waited = self.read_on.is_some_and(|at| at.elapsed() < PINGED);
            let floods = owes + forgiven > f64::from(burst) - 1.0;
            hold!(
                floods || has_waited,
                Promise::Patience,
                "{} is closed as flooding, and owes {owes} of {burst}",
                self.name
            );
            return Ok(());
        }
        if code == CloseReason::Ended.code() {
            hold!(self.may_be_ended(), Promise::Ended, "{} is ended, and nobody has asked for it", self.name);
            return Ok(());
        }
        if code == CloseReason::Replaced.code() && self.may_seem_older() {
            return Ok(());
        }
        if code == CloseReason::Replaced.code()
            && let Some(lies) = self.scene.plan.lies
        {
            // What was sent on the connection before may be heard after this one: who is heard last counts as the newer.
            let late = 2 * lies.hiccup + lies.late_end;
            hold!(self.connected.elapsed() < late, Promise::Protocol, "{} is replaced by nobody", self.name);
            return Ok(());
        }
        let may_be_refused = self.scene.plan.embedder.is_some_and(|temper| temper.denies > 0.0);
        let is_refused = may_be_refused && !self.welcomed && code == CloseReason::Refused.code();
        hold!(code < 4500 || is_refused, Promise::Protocol, "{} is closed with {code}", self.name);
        Ok(())
    }

    /// How many refusals the server holds against this client at most.
    fn owes(&self) -> f64 {
        // Nothing is forgiven while the server stands still: its clock may stand, too, or it has said so before, and is heard only afterwards.
        let links = self.scene.links.as_ref();
        let awake = |time| links.map_or(time, |links| links.awake(self.place, time));
        let unanswered = self.asked.values().map(|_| Duration::ZERO);
        let ago = self.refused.iter().map(|at| awake(at.elapsed())).chain(unanswered);
        let per_second = f64::from(self.scene.plan.limits.session.refusals_per_second);
        // What a proxy says twice is refused twice, and no more of it is forgiven meanwhile.
        let each = if self.scene.plan.lies.is_some() { 2.0 } else { 1.0 };
        owed(ago.collect(), per_second, each)
    }
}

/// What is left of refusals that were so long ago, each of which counts so much, where so many per second are forgiven.
fn owed(mut ago: Vec<Duration>, per_second: f64, each: f64) -> f64 {
    ago.sort_unstable();
    let (mut owes, mut last) = (0.0_f64, Duration::ZERO);
    for at in ago.into_iter().rev() {
        owes = (owes - per_second * last.saturating_sub(at).as_secs_f64()).max(0.0) + each;
        last = at;
    }
    (owes - per_second * last.as_secs_f64()).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_forgiven_one_by_one_and_never_ahead() {
        let ago = |millis: &[u64]| millis.iter().copied().map(Duration::from_millis).collect::<Vec<_>>();
        let owed = |millis: &[u64], each| owed(ago(millis), 2.0, each);
        assert_eq!(owed(&[], 1.0), 0.0);
        assert_eq!(owed(&[0, 0, 0], 1.0), 3.0);
        assert_eq!(owed(&[0, 250, 250], 2.0), 5.5);
        assert_eq!(owed(&[60_000, 60_000, 250, 0], 1.0), 1.5);
        assert_eq!(owed(&[60_000], 1.0), 0.0);
    }
}
