//! Calls into the embedder's code: a panic there, and a policy that does not answer in time, is one failed call; an observer must return.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::FutureExt;

use crate::engine::parcel::Parcel;
use crate::engine::shared::Shared;
use crate::ports::{NotSent, ObserverEvent, Owner, Slot, Term};
use crate::types::{Identity, NodeId, Reject, RejectCode};

/// What who asked is told to wait before they ask again.
const RETRY: Duration = Duration::from_secs(1);

impl Shared {
    /// Tells the observer, and waits for it on the spot. Nothing may be locked: it may ask the engine.
    pub(crate) fn observe(&self, event: ObserverEvent<'_>) {
        let Some(observer) = &self.observer else { return };
        // Whatever half-done thing a panic leaves is the observer's own.
        if catch_unwind(AssertUnwindSafe(|| observer.observe(event))).is_err() {
            self.failures.note_panic();
        }
    }

    /// Who decides for the rooms of a slot; nobody, where the cluster cannot say.
    pub(crate) fn owner_of(&self, slot: Slot) -> Owner {
        let Some(cluster) = &self.cluster else { return Owner::Me(Term::default()) };
        catch_unwind(AssertUnwindSafe(|| cluster.owner(slot))).unwrap_or_else(|_| {
            self.failures.note_panic();
            Owner::Nobody
        })
    }

    /// The other servers that there are, as far as the cluster says.
    pub(crate) fn living(&self) -> Vec<NodeId> {
        let Some(cluster) = &self.cluster else { return Vec::new() };
        catch_unwind(AssertUnwindSafe(|| cluster.living())).unwrap_or_else(|_| {
            self.failures.note_panic();
            Vec::new()
        })
    }

    /// Sends bytes to another server. One that could not be sent is as good as lost.
    pub(crate) fn send_bytes(&self, node: NodeId, parcel: Vec<u8>) -> Result<(), NotSent> {
        let cluster = self.cluster.as_ref().ok_or(NotSent)?;
        if parcel.len() > Parcel::BYTES_MAX {
            // It would not be read.
            return Err(NotSent);
        }
        catch_unwind(AssertUnwindSafe(|| cluster.send(node, parcel))).unwrap_or_else(|_| {
            self.failures.note_panic();
            Err(NotSent)
        })
    }

    /// Has the policy forget what it remembers of a person.
    pub(crate) fn have_policy_forget(&self, identity: &Identity) {
        let Some(policy) = &self.policy else { return };
        if catch_unwind(AssertUnwindSafe(|| policy.forget(identity))).is_err() {
            self.failures.note_panic();
        }
    }

    /// Waits for what the policy says, for so long and no longer.
    ///
    /// # Errors
    /// The policy's reject; `unavailable` where it panicked, or said nothing in time.
    pub(crate) async fn ask_policy<T>(&self, call: impl Future<Output = Result<T, Reject>>) -> Result<T, Reject> {
        let call = AssertUnwindSafe(call).catch_unwind();
        let how = match tokio::time::timeout(self.limits.engine.policy_timeout, call).await {
            Ok(Ok(said)) => return said,
            Ok(Err(_)) => {
                self.failures.note_panic();
                "whether this is allowed could not be found out"
            }
            Err(_) => {
                self.failures.note_timeout();
                "whether this is allowed could not be found out in time"
            }
        };
        Err(Reject::new(RejectCode::Unavailable, how).retry_after(RETRY))
    }
}
