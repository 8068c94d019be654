//! Servers that share a log compare what they are to have alike: each says it in its row, and whoever joins reads what the others say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chat_core::PARCELS;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::connection::Connection;
use crate::error::OpenError;
use crate::id::Id;
use crate::options::{MemberOptions, Options};
use crate::setup::{Setup, mark};

/// The longest row of another server that is looked at, in bytes. 64 KiB: ten times what there is to say.
const SAID_BYTES_MAX: usize = 64 << 10;
/// How often it is looked whether a server that has another secret still beats. 250 ms: several times within the shortest lease.
const LOOK: Duration = Duration::from_millis(250);
/// Reads of the table in which a server must have shown itself silent before it counts as gone: what a stall of the database shows is none.
const LOOKS_MIN: u32 = 4;

/// What a server says in its row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    /// The mark of the secret that signs its tokens.
    #[serde(default)]
    secret: Option<String>,
    /// Marks of others whose tokens are good there, too.
    #[serde(default)]
    old_secrets: BTreeSet<String>,
    /// Limits and settings by their names.
    #[serde(default)]
    limits: BTreeMap<String, String>,
    /// Versions of what servers tell each other that it reads, from and to; it writes the last.
    #[serde(default)]
    parcels: Option<(u8, u8)>,
}

/// What goes into the row of a server that shares the log in this way. `kept` is the secret in the database.
fn said_of(setup: &Setup, kept: &[u8; 32], options: &Options) -> Said {
    let Options { durability, retention, .. } = options;
    let settings = [
        ("durability", format!("{durability:?}")),
        ("keep_messages", format!("{:?}", retention.messages_max)),
        ("keep_bytes", format!("{:?}", retention.bytes_max)),
        ("keep_age", format!("{:?}", retention.age_max)),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value));
    let secret = Some(setup.secret.clone().unwrap_or_else(|| mark(kept)));
    let limits = setup.limits.clone().into_iter().chain(settings).collect();
    let parcels = Some(PARCELS.into_inner());
    Said { secret, old_secrets: setup.old_secrets.clone(), limits, parcels }
}

impl Said {
    /// Whether tokens of each are good at the other, as far as both say so.
    fn takes_tokens_of(&self, other: &Self) -> bool {
        let takes = |one: &Self, other: &Self| match (&one.secret, &other.secret) {
            (Some(own), Some(theirs)) => own == theirs || one.old_secrets.contains(theirs),
            _ => true,
        };
        takes(self, other) && takes(other, self)
    }

    /// Whether each reads what the other writes, as far as both say so.
    fn understands(&self, other: &Self) -> bool {
        let (Some((first, last)), Some((their_first, their_last))) = (self.parcels, other.parcels) else { return true };
        (first..=last).contains(&their_last) && (their_first..=their_last).contains(&last)
    }

    /// Why the two cannot be servers of one service.
    fn is_apart_from(&self, other: &Other) -> Option<OpenError> {
        if !self.takes_tokens_of(&other.said) {
            return Some(OpenError::Secret(other.name.clone()));
        }
        let theirs = other.said.parcels.filter(|_| !self.understands(&other.said))?.1;
        Some(OpenError::Parcels { server: other.name.clone(), theirs, ours: *PARCELS.end() })
    }

    /// What both say and is not alike, with this server's value and the other's.
    fn differences(&self, other: &Self) -> Vec<String> {
        let differs = |(name, own): (&String, &String)| {
            let theirs = other.limits.get(name).filter(|theirs| *theirs != own)?;
            Some(format!("{name} (here {own}, there {theirs})"))
        };
        self.limits.iter().filter_map(differs).collect()
    }
}

/// Another server, as its row says.
struct Other {
    id: Id,
    name: String,
    beat: i64,
    lease: Duration,
    said: Said,
}

async fn others(connection: &Connection, me: Option<Id>) -> Result<Vec<Other>, OpenError> {
    let rows = "select id, name, coalesce(address, ''), beat, coalesce(lease_ms, 0), setup from nodes \
                where id is distinct from $1 and address is not null and octet_length(setup) <= $2";
    let most = i32::try_from(SAID_BYTES_MAX).unwrap_or(i32::MAX);
    let rows = connection.query_once(rows, &[&me, &most]).await?;
    let other = |row: &tokio_postgres::Row| {
        let (name, address, lease): (String, String, i64) = (row.get(1), row.get(2), row.get(4));
        let lease = Duration::from_millis(u64::try_from(lease).unwrap_or_default());
        // Of a later program, or of nobody's: nothing to compare.
        let said = serde_json::from_str(row.get(5)).ok()?;
        Some(Other { id: row.get(0), name: format!("{name} at {address}"), beat: row.get(3), lease, said })
    };
    Ok(rows.iter().filter_map(other).collect())
}

/// What this server says of itself, as it is written into its row.
pub(crate) async fn said(
    connection: &Connection,
    options: &Options,
    member: &MemberOptions,
) -> Result<String, OpenError> {
    let kept = crate::secret::secret(connection).await?;
    let said = said_of(&member.setup, &kept, options);
    Ok(serde_json::to_string(&said).expect("text by names is JSON"))
}

/// Before a server joins: whether tokens are good at all servers that are there, and each reads what the others write; which of their limits differ, and who of them has another lease,
/// which each is judged by alone. Gives back those that are silent and are not asked again.
///
/// # Errors
/// [`OpenError::Secret`] and [`OpenError::Parcels`], once a server that it is about has beaten; [`OpenError::Database`].
pub(crate) async fn agree(
    connection: &Connection,
    said: &str,
    member: &MemberOptions,
) -> Result<BTreeSet<Id>, OpenError> {
    let own: Said = serde_json::from_str(said).expect("it was written just now");
    let mut apart = Vec::new();
    for other in others(connection, None).await? {
        let differences = own.differences(&other.said);
        if !differences.is_empty() {
            tracing::warn!(
                server = other.name,
                differ = differences.join(", "),
                "another server has other limits: a room decides otherwise once it moves between the two"
            );
        }
        if !other.lease.is_zero() && other.lease != member.lease {
            tracing::warn!(server = other.name, here = ?member.lease, there = ?other.lease, "another server has another lease: each is judged by its own");
        }
        apart.extend(own.is_apart_from(&other).map(|why| (other, why)));
    }
    let (begun, mut silent, mut looks) = (Instant::now(), BTreeSet::new(), 0);
    while !apart.is_empty() {
        tokio::time::sleep(LOOK).await;
        let now = others(connection, None).await?;
        looks += 1;
        let mut left = Vec::new();
        for (other, why) in apart {
            match now.iter().find(|row| row.id == other.id) {
                Some(row) if row.beat != other.beat => return Err(why),
                // As long as anybody else would wait.
                Some(_) if looks < LOOKS_MIN || begun.elapsed() < other.lease * 6 / 5 => left.push((other, why)),
                Some(_) => drop(silent.insert(other.id)),
                None => {}
            }
        }
        apart = left;
    }
    Ok(silent)
}

/// Once a server has joined: whether one has joined at the same moment that does not go with it. Of two such both may end, and both are started
/// again.
///
/// # Errors
/// As [`agree`].
pub(crate) async fn agree_still(
    connection: &Connection,
    said: &str,
    me: Id,
    silent: &BTreeSet<Id>,
) -> Result<(), OpenError> {
    let own: Said = serde_json::from_str(said).expect("it was written just now");
    let others = others(connection, Some(me)).await?;
    let apart = others.iter().filter(|other| !silent.contains(&other.id)).find_map(|other| own.is_apart_from(other));
    apart.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use chat_core::Limits;

    use super::*;

    const ONE: [u8; 32] = [1; 32];
    const TWO: [u8; 32] = [2; 32];

    fn said(setup: &Setup) -> Said {
        said_of(setup, &ONE, &Options::default())
    }

    #[test]
    fn tokens_are_good_at_both_or_it_is_no_service() {
        let plain = said(&Setup::default());
        assert!(plain.takes_tokens_of(&said(&Setup::default().secret(&ONE))), "it is the one in the database");
        assert!(!plain.takes_tokens_of(&said(&Setup::default().secret(&TWO))));
        // As a secret is changed: first the next one is taken everywhere, and then it signs.
        let first = said(&Setup::default().old_secret(&TWO));
        let then = said(&Setup::default().secret(&TWO).old_secret(&ONE));
        assert!(first.takes_tokens_of(&plain) && then.takes_tokens_of(&first) && first.takes_tokens_of(&then));
        assert!(!then.takes_tokens_of(&plain), "its own tokens would be void there");
        assert!(Said::default().takes_tokens_of(&plain), "who says nothing agrees with everybody");
    }

    #[test]
    fn each_reads_what_the_other_writes_or_it_is_no_service() {
        let of = |parcels| Said { parcels, ..Said::default() };
        let reads_two = of(Some((1, 2)));
        for (other, is_understood) in [(Some((1, 1)), false), (Some((2, 2)), true), (Some((2, 3)), false), (None, true)]
        {
            assert_eq!(reads_two.understands(&of(other)), is_understood, "{other:?}");
            assert_eq!(of(other).understands(&reads_two), is_understood, "{other:?}");
        }
    }

    #[test]
    fn what_differs_is_named_with_both_values() {
        let mut limits = Limits::default();
        limits.room.members_max = 7;
        let (ours, theirs) = (said(&Setup::of(&Limits::default())), said(&Setup::of(&limits)));
        assert_eq!(ours.differences(&theirs), ["room.members_max (here 20000, there 7)"]);
        assert!(ours.differences(&ours).is_empty() && ours.differences(&Said::default()).is_empty());
    }
}
