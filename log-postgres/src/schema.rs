//! The tables, made where they are not there, and their version. `SCHEMA.md` says it in words.

use crate::connection::{Connection, Connector};
use crate::error::OpenError;

/// The version of the tables that this program makes.
pub(crate) const FORMAT: u32 = 2;
/// The version of tables with a feed, for as long as there is one, and the latest that this program can use: one that knows nothing of it would
/// append without telling it.
pub(crate) const WITH_FEED: u32 = 3;

/// Made in one transaction; where they are there, nothing happens.
const TABLES: &str = "
create table if not exists meta (key text collate \"C\" primary key, value text not null);
create table if not exists nodes (
    id uuid primary key, name text not null, started timestamptz not null default now(), beat bigint not null default 0,
    address text, certificate bytea, lease_ms bigint, draining boolean not null default false, reaches uuid[], setup text);
create table if not exists writers (
    id uuid primary key, node uuid not null references nodes on delete cascade, pid int not null, started timestamptz not null);
create index if not exists writers_node on writers (node);
create table if not exists slots (
    slot int primary key, node uuid references nodes on delete set null, term bigint not null default 0);
create index if not exists slots_node on slots (node);
create table if not exists tails (
    code text collate \"C\" primary key, slot int not null, life uuid not null, epoch bigint not null, term bigint not null,
    first bigint not null, last bigint not null, head bigint not null, messages bigint not null, bytes bigint not null,
    through bigint not null, about bytea) with (fillfactor = 50);
create index if not exists tails_slot on tails (slot, code);
create table if not exists records (
    life uuid not null, last bigint not null, seq bigint, kind smallint not null, version smallint not null, at bigint not null,
    xid xid8 not null default pg_current_xact_id(), body bytea not null, primary key (life, last));
create index if not exists records_said on records (life, kind, seq) where kind > 0;
create table if not exists snapshots (life uuid primary key, through bigint not null, body bytea not null);
create table if not exists read_positions (life uuid primary key, body bytea not null);
create table if not exists graves (life uuid primary key, since timestamptz not null default now());
create table if not exists ended (
    is_person boolean not null, who bytea not null, through uuid not null, until bigint not null, primary key (is_person, who));
insert into slots (slot) select generate_series(0, 1023) on conflict do nothing;
insert into meta (key, value) values ('format', '2') on conflict do nothing;
";

/// What makes tables of version 1 those of version 2.
const FROM_1: &str = "
alter table nodes add column if not exists address text, add column if not exists certificate bytea, add column if not exists lease_ms bigint,
    add column if not exists draining boolean not null default false, add column if not exists reaches uuid[], add column if not exists setup text;
alter table tails add column if not exists about bytea;
update meta set value = '2' where key = 'format' and value = '1';
";

/// What tables of version 2 lack that were made before servers said whom they reach and what they do alike, and before a room's tail said what is
/// known of the room. Who knows nothing of it says nothing.
const REACHES: &str = "alter table nodes add column if not exists reaches uuid[], add column if not exists setup text; alter table tails add column if not exists about bytea;";
const HAS_REACHES: &str = "select count(*) = 3 from pg_attribute where not attisdropped and \
    (attrelid, attname) in ((to_regclass('nodes'), 'reaches'), (to_regclass('nodes'), 'setup'), (to_regclass('tails'), 'about'))";

/// The feed, which is empty where nobody asked for one, and erasures. A program of before there were feeds gets no row to write with while there is
/// one: whoever begins a feed takes such rows away, so that it notices. What tables lack that were made before there were any.
const FEED: &str = "
create table if not exists feed_state (
    is_one boolean primary key default true check (is_one), id bigint not null, bytes_max bigint not null, age_ms bigint not null);
create table if not exists feed_slots (
    slot int primary key, last bigint not null default 0, mark int not null default 0, key bigint not null default 0,
    bytes bigint not null default 0) with (fillfactor = 10);
create table if not exists feed (
    slot int not null, number bigint not null, key bigint not null, mark int not null, life uuid not null,
    code text collate \"C\" not null, epoch bigint not null, first bigint, last bigint, at bigint not null,
    bytes bigint not null, total bigint not null, primary key (slot, number));
create index if not exists feed_life on feed (life, first);
create table if not exists feed_names (
    name text collate \"C\" primary key, slots int[] not null, numbers bigint[] not null, marks int[] not null);
create table if not exists erasures (identity bytea primary key, body bytea not null);
create or replace function know_of_feeds() returns trigger language plpgsql set search_path from current as $$
begin
    if coalesce(current_setting('chat.feeds', true), '') <> 'known' then
        if exists (select from feed_state) then
            raise exception 'a feed was begun, and this program knows of none: it would write without telling it';
        end if;
    end if;
    return new;
end $$;
create or replace trigger know_of_feeds before insert on writers for each row execute function know_of_feeds();
";
const HAS_FEED: &str = "select to_regclass('feed_names') is not null and to_regclass('erasures') is not null \
    and to_regproc('know_of_feeds') is not null";

/// Makes the tables, or finds that they are of a version that can be used.
///
/// # Errors
/// [`OpenError::Later`], [`OpenError::Unfit`] where the schema holds other tables, and [`OpenError::Database`].
pub(crate) async fn prepare(connector: &Connector, connection: &Connection) -> Result<(), OpenError> {
    let schema = connector.schema();
    if let Some(found) = format(connection).await? {
        match found {
            FORMAT | WITH_FEED if connection.query_one(HAS_REACHES, &[]).await?.get(0) => {}
            FORMAT | WITH_FEED => make(connector, connection, REACHES).await?,
            1 => make(connector, connection, FROM_1).await?,
            found => return Err(OpenError::Later { found, reads: WITH_FEED }),
        }
        return match connection.query_one(HAS_FEED, &[]).await?.get(0) {
            true => Ok(()),
            false => make(connector, connection, FEED).await,
        };
    }
    // Who may use the schema does not always have the right to make one.
    let is_there: bool = connection.query_one("select to_regnamespace($1) is not null", &[&schema]).await?.get(0);
    if !is_there {
        // Two servers that start at once: the one that comes second finds it made.
        connection.batch(&format!("create schema if not exists {schema}")).await.or_else(|error| {
            match error.code() {
                Some("42P06" | "23505") => Ok(()),
                _ => Err(error),
            }
        })?;
    }
    make(connector, connection, &format!("{TABLES}{FEED}")).await?;
    match format(connection).await? {
        Some(FORMAT | WITH_FEED) => Ok(()),
        Some(found) => Err(OpenError::Later { found, reads: WITH_FEED }),
        None => Err(OpenError::Unfit(format!("schema {schema} does not say of which format its tables are"))),
    }
}

/// Changes the tables, in one transaction: `create table if not exists` fails where two do it at the same moment.
async fn make(connector: &Connector, connection: &Connection, tables: &str) -> Result<(), OpenError> {
    let schema = connector.schema();
    let making = format!("begin; select pg_advisory_xact_lock(hashtext('chat schema {schema}')); {tables} commit;");
    if let Err(error) = connection.batch(&making).await {
        connection.batch("rollback").await?;
        return Err(error.into());
    }
    Ok(())
}

/// The version of the tables; `None` where there are none.
async fn format(connection: &Connection) -> Result<Option<u32>, OpenError> {
    if !connection.query_one("select to_regclass('meta') is not null", &[]).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let rows = connection.query_once("select value from meta where key = 'format'", &[]).await?;
    let format: Option<String> = rows.first().map(|row| row.get(0));
    let Some(text) = format else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|_| OpenError::Unfit(format!("the tables are of format {text:?}, which is no version")))
}
