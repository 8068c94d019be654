//! Keeps the link to one server whose id is larger: dials, carries, and dials again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::carry::carry;
use super::handshake;
use super::mesh::{Mesh, ToDial};
use super::options::{REDIAL_MAX, REDIAL_MIN};

/// Ends with the peer's place in the table.
pub(super) async fn keep(mesh: Arc<Mesh>, ToDial { me, peer, gone }: ToDial) {
    let mut pause = REDIAL_MIN;
    loop {
        // Large, and let go of before the link is carried.
        let handshake = Box::pin(handshake::dial(&mesh, me, &peer));
        let Some(dialled) = gone.run_until_cancelled(handshake).await else { return };
        match dialled {
            Ok(agreed) => {
                let begun = Instant::now();
                if let Some(link) = mesh.link_up(&peer, agreed.attempt) {
                    carry(&mesh, &link, agreed.stream, agreed.frames).await;
                }
                // One that breaks each time as soon as it is up is dialled more and more seldom, too.
                if begun.elapsed() > REDIAL_MAX {
                    pause = REDIAL_MIN;
                }
            }
            Err(refusal) => {
                mesh.complain(&peer, &refusal);
                if refusal.is_of_a_table() {
                    mesh.inbox.stranger();
                }
            }
        }
        if gone.run_until_cancelled(sleep(jittered(pause))).await.is_none() {
            return;
        }
        pause = (pause * 2).min(REDIAL_MAX);
    }
}

/// Between half of it and all, so that servers that lost the same one do not come back to it at once.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.0))
}
