//! Every metric of an engine: its name, what it says, and where the engine has it. Read anew for each page.

use std::fmt::{self, Debug, Error, Formatter};

use chat_core::{
    CloseReason, CommandKind, CommandMeter, DeliveryOutcome, Engine, FeedMeter, Meters, RejectCode, Slot, Stats,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::families::Families;

/// An engine whose counts are asked for with each page.
pub(crate) struct EngineCollector(pub(crate) Engine);

impl Debug for EngineCollector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineCollector").finish_non_exhaustive()
    }
}

impl Collector for EngineCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let (stats, meters) = (self.0.stats(), self.0.meters());
        let mut families = Families(encoder);
        people(&mut families, &stats, &meters)?;
        commands(&mut families, &meters)?;
        rooms(&mut families, &stats, &meters)?;
        readers(&mut families, &stats, &meters)?;
        log(&mut families, &stats, &meters)?;
        feeds(&mut families, &meters)?;
        cluster(&mut families, &meters)?;
        let limit = self.0.limits().engine.memory_bytes_max as u64;
        families.bytes("memory_limit", "What backlogs and ledgers may hold together.", limit)?;
        let draining = u64::from(self.0.is_draining());
        families.gauge("draining", "Whether the server is going down: 0 or 1.", draining)?;
        families.counter(
            "embedder_panics",
            "Calls of the policy, the log or the observer that panicked.",
            stats.embedder_panics,
        )?;
        families.counter(
            "embedder_timeouts",
            "Calls of the policy or the log that said nothing in time.",
            stats.embedder_timeouts,
        )?;
        families.counter("clock_steps", "Steps of the wall clock forward by more than an hour.", stats.clock_steps)
    }
}

fn people(families: &mut Families<'_>, stats: &Stats, meters: &Meters) -> Result<(), Error> {
    let sessions = [("connected", stats.sessions), ("detached", stats.sessions_detached)];
    families.gauges(
        "sessions",
        "Sessions, with a connection and without one.",
        sessions.map(|(state, count)| ([("state", state)], count as u64)),
    )?;
    let transports = &meters.transports;
    families.gauges(
        "connections_open",
        "Connections of sessions, by transport.",
        transports.iter().map(|meter| ([("transport", meter.transport)], meter.open)),
    )?;
    families.counters(
        "connections",
        "Connections that sessions have had, by transport.",
        transports.iter().map(|meter| ([("transport", meter.transport)], meter.opened)),
    )?;
    let reasons = CloseReason::ALL.iter().copied().map(Some).chain([None]);
    families.counters(
        "connections_closed",
        "Connections that have ended, by why the server ended them; none where it did not.",
        reasons.map(|reason| ([("reason", reason.map_or("none", CloseReason::as_str))], of(&meters.closed, &reason))),
    )?;
    families.counters(
        "connections_refused",
        "Clients that were not let in, by the code they were told.",
        codes(&meters.turned_away),
    )?;
    families.gauge("ended", "Sessions and people that are remembered as ended for good.", stats.ended as u64)
}

fn commands(families: &mut Families<'_>, meters: &Meters) -> Result<(), Error> {
    let rows = CommandKind::ALL.iter().flat_map(|kind| {
        let meter = meters.commands.iter().find(|meter| meter.kind == *kind);
        let count = |of: fn(&CommandMeter) -> u64| meter.map_or(0, of);
        let outcomes = [
            ("done", count(|meter| meter.done)),
            ("refused", count(|meter| meter.refused)),
            ("lost", count(|meter| meter.lost)),
        ];
        outcomes.map(|(outcome, count)| ([("kind", kind.as_str()), ("outcome", outcome)], count))
    });
    families.counters("commands", "Commands, by what they asked for and what became of them.", rows)?;
    families.counters(
        "rejects",
        "Refusals, by code: of commands, of frames that are none, and by a policy.",
        codes(&meters.rejects),
    )?;
    families.seconds(
        "command_duration",
        "From a command being handed in to its answer being due; one in eight is timed.",
        &meters.answered,
    )
}

fn rooms(families: &mut Families<'_>, stats: &Stats, meters: &Meters) -> Result<(), Error> {
    let rooms = [("memory", stats.rooms), ("away", stats.rooms_away)];
    families.gauges(
        "rooms",
        "Rooms, in memory and in the log alone.",
        rooms.map(|(state, count)| ([("state", state)], count as u64)),
    )?;
    families.gauge("members", "Members of the rooms that are decided here.", meters.members)?;
    families.sizes("batch_inputs", "Commands and news that were decided at once.", &meters.batch_inputs)?;
    families.sizes("batch_records", "Records that were logged and published at once.", &meters.batch_records)?;
    families.sizes("inbox_depth", "What waited in a room when it took up its work.", &meters.inbox_depth)?;
    families.bytes("backlogs", "What the backlogs of all rooms hold, about.", stats.backlog_bytes as u64)?;
    families.bytes("ledgers", "What rooms hold beside that, about.", stats.ledger_bytes as u64)
}

fn readers(families: &mut Families<'_>, stats: &Stats, meters: &Meters) -> Result<(), Error> {
    families.seconds(
        "delivery_duration",
        "From an event's publication to its being written to a reader on time; at most ten events a second and room are timed.",
        &meters.written,
    )?;
    families.counter("gaps", "Gaps that readers were told.", stats.gaps)?;
    families.counter(
        "gaps_unblocked",
        "Gaps told to readers that had always taken what was due: stays 0.",
        stats.gaps_unblocked,
    )?;
    families.counter("gap_events", "Events that gaps leave out.", meters.gap_events)?;
    families.counter("short_writes", "Writes that a socket did not take whole.", meters.short_writes)?;
    families.bytes("unsent", "What sockets have not taken of the last write to each of them.", meters.unsent_bytes)
}

fn log(families: &mut Families<'_>, stats: &Stats, meters: &Meters) -> Result<(), Error> {
    families.seconds("log_append_duration", "How long the log took to append.", &meters.appended)?;
    let appends = meters.appends;
    let rows = [
        ("done", appends.done),
        ("conflict", appends.conflict),
        ("deposed", appends.deposed),
        ("failed", appends.failed),
        ("unknown", appends.unknown),
    ];
    families.counters(
        "log_appends",
        "Appends, by how they ended.",
        rows.map(|(outcome, count)| ([("outcome", outcome)], count)),
    )?;
    families.counter(
        "log_overtaken",
        "Batches that were undone, as the log held what somebody else had written.",
        meters.overtaken,
    )?;
    families.counter(
        "log_unreadable",
        "Times that a room was found to be of a later version of the program.",
        stats.unreadable,
    )?;
    let log = meters.log;
    if let Some(commits) = log.commits {
        families.counter("log_commits", "Transactions of the log, each with the appends of many rooms.", commits)?;
    }
    if let Some(syncs) = log.syncs {
        families.counter("log_syncs", "Times that the log had the disk flushed.", syncs)?;
    }
    if let Some(waiting) = log.waiting {
        families.gauge("log_waiting", "Changes that wait to be written.", waiting)?;
    }
    Ok(())
}

/// Without a feed of a name there is nothing to be told.
fn feeds(families: &mut Families<'_>, meters: &Meters) -> Result<(), Error> {
    let feeds = &meters.feeds;
    if feeds.is_empty() {
        return Ok(());
    }
    let each = |of: fn(&FeedMeter) -> u64| feeds.iter().map(move |feed| ([("feed", feed.name.as_str())], of(feed)));
    families.gauges(
        "feed_here",
        "Whether this server is the one that is told the feed: 0 or 1.",
        each(|feed| u64::from(feed.is_here)),
    )?;
    families.gauges(
        "feed_behind",
        "Batches of records that are not done, as of the last look.",
        each(|feed| feed.behind),
    )?;
    families.gauges_of_seconds(
        "feed_lag",
        "For how long the oldest record has waited that is not done.",
        feeds.iter().map(|feed| ([("feed", feed.name.as_str())], feed.lag)),
    )?;
    families.gauges(
        "feed_stalled",
        "Whether the server that is told the feed does not come on with it: 0 or 1.",
        each(|feed| u64::from(feed.is_stalled)),
    )?;
    families.counters("feed_events", "Events that were done here.", each(|feed| feed.events))?;
    families.counters(
        "feed_missed",
        "Batches that the log let go of before they were read.",
        each(|feed| feed.missed),
    )?;
    let deliveries = feeds.iter().flat_map(|feed| {
        let outcomes = DeliveryOutcome::ALL.iter().zip(feed.deliveries);
        outcomes.map(|(outcome, count)| ([("feed", feed.name.as_str()), ("outcome", outcome.as_str())], count))
    });
    families.counters("feed_deliveries", "Attempts to deliver, by what came of them.", deliveries)?;
    families.seconds("feed_delivery_duration", "How long each attempt to deliver took.", &meters.delivered)
}

fn cluster(families: &mut Families<'_>, meters: &Meters) -> Result<(), Error> {
    let Some(cluster) = meters.cluster else { return Ok(()) };
    let others = u64::from(Slot::COUNT).saturating_sub(cluster.slots_owned + cluster.slots_unowned);
    let slots = [("this", cluster.slots_owned), ("another", others), ("nobody", cluster.slots_unowned)];
    families.gauges(
        "cluster_slots",
        "Slots, by who decides for their rooms.",
        slots.map(|(owner, count)| ([("owner", owner)], count)),
    )?;
    families.gauge("cluster_links_up", "Other servers that can be reached.", cluster.links_up)?;
    families.counter("cluster_takeovers", "Rooms that were taken over from another server.", cluster.takeovers)?;
    families.gauge("cluster_parked", "Commands that wait for a server that decides.", cluster.parked)?;
    families.counter("cluster_commands_parked", "Commands that have ever waited so.", cluster.parked_total)
}

/// A row for each code.
fn codes(counted: &[(RejectCode, u64)]) -> impl Iterator<Item = ([(&'static str, &'static str); 1], u64)> {
    RejectCode::ALL.iter().map(|code| ([("code", code.as_str())], of(counted, code)))
}

/// How often it has occurred.
fn of<T: PartialEq>(counted: &[(T, u64)], one: &T) -> u64 {
    counted.iter().find(|(counted, _)| counted == one).map_or(0, |(_, count)| *count)
}
