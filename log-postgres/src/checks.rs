//! Whether what answers is a PostgreSQL that the rules of the log hold on: asked once, when a log is opened, on two connections.

use std::time::Duration;

use crate::connection::Connection;
use crate::error::{NoAnswer, OpenError};
use crate::id::Id;
use crate::options::Durability;

/// The first version that has all that is used: 14.
const VERSION_MIN: i32 = 140_000;
/// How long the second connection is waited for until it waits itself.
const BLOCKED_MAX: Duration = Duration::from_secs(2);

/// What of an acked record outlives the loss of the machine that the database runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// Nothing: no standby is waited for (`synchronous_standby_names` is empty).
    OneMachine,
    /// All of it: a standby has confirmed it, too.
    Standby,
}

/// Finds out what the server promises, and refuses one that is not durable where acks are to be.
///
/// # Errors
/// [`OpenError::Unfit`] says which setting it is.
pub(crate) async fn durability(connection: &Connection, wanted: Durability) -> Result<Copies, OpenError> {
    let settings = "select version(), current_setting('server_version_num')::int, current_setting('fsync'), \
                    current_setting('full_page_writes'), current_setting('synchronous_commit'), \
                    current_setting('synchronous_standby_names')";
    let row = connection.query_one(settings, &[]).await?;
    let (product, version): (&str, i32) = (row.get(0), row.get(1));
    if !product.starts_with("PostgreSQL ") || version < VERSION_MIN {
        return Err(OpenError::Unfit(format!("PostgreSQL 14 or later is needed, and this is {product}")));
    }
    let [fsync, full_page_writes, synchronous_commit, standbys] = [2, 3, 4, 5].map(|column| row.get::<_, &str>(column));
    if wanted == Durability::Synced {
        for (name, value) in
            [("fsync", fsync), ("full_page_writes", full_page_writes), ("synchronous_commit", synchronous_commit)]
        {
            if value == "off" {
                return Err(OpenError::Unfit(format!("{name} is off, so what is acked would not be durable")));
            }
        }
    }
    let waits = !standbys.is_empty() && !["off", "local"].contains(&synchronous_commit) && wanted == Durability::Synced;
    Ok(if waits { Copies::Standby } else { Copies::OneMachine })
}

/// Tries out what the rules of writing rest on.
///
/// # Errors
/// [`OpenError::Unfit`] says what does not hold.
pub(crate) async fn rules(one: &Connection, other: &Connection) -> Result<(), OpenError> {
    let probe = format!("probe-{}", Id::draw());
    let insert = "insert into meta (key, value) values ($1, '1')";
    one.execute(insert, &[&probe]).await?;
    let found = try_out(one, other, &probe).await;
    if found.is_err() {
        // It may have ended in the middle of a transaction.
        let _ = one.batch("rollback").await;
    }
    let gone = one.execute("delete from meta where key = $1", &[&probe]).await;
    found.and(gone.map(drop).map_err(OpenError::from))
}

async fn try_out(one: &Connection, other: &Connection, probe: &String) -> Result<(), OpenError> {
    let unfit = |what: &str| Err(OpenError::Unfit(what.to_owned()));
    // A row that a writing statement has locked cannot be deleted.
    one.batch("begin").await?;
    one.query_once("select 1 from meta where key = $1 for key share", &[probe]).await?;
    other.batch("set lock_timeout = 20").await?;
    let deleted = other.execute("delete from meta where key = $1", &[probe]).await;
    other.batch("set lock_timeout = '2s'").await?;
    if deleted.as_ref().err().and_then(NoAnswer::code) != Some("55P03") {
        return unfit("a locked row was deleted: `for key share` does not hold up a `delete`");
    }
    one.batch("commit").await?;

    // A condition is looked at again once a row that was waited for is there.
    let pid: i32 = other.query_one("select pg_backend_pid()", &[]).await?.get(0);
    one.batch("begin").await?;
    one.execute("update meta set value = '2' where key = $1", &[probe]).await?;
    let late = async {
        let late = "update meta set value = '3' where key = $1 and value = '1'";
        other.execute(late, &[probe]).await
    };
    let first = async {
        wait_until_blocked(one, pid).await?;
        one.batch("commit").await
    };
    let (late, first) = tokio::join!(late, first);
    first?;
    if late? != 0 {
        return unfit("a condition was not checked again on the row that was waited for");
    }

    // Two transactions of one connection are of one backend.
    let again: i32 = other.query_one("select pg_backend_pid()", &[]).await?.get(0);
    if again != pid {
        return unfit("one connection has several backends: is there a pooler between that is not in session mode?");
    }
    Ok(())
}

/// Waits until a backend waits for this connection's locks, for a while: where it comes late, it finds the row as it is then.
async fn wait_until_blocked(one: &Connection, pid: i32) -> Result<(), NoAnswer> {
    let blocked = async {
        loop {
            let blocked = "select cardinality(pg_blocking_pids($1)) > 0";
            if one.query_one(blocked, &[&pid]).await?.get(0) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(BLOCKED_MAX, blocked).await.unwrap_or(Ok(()))
}
