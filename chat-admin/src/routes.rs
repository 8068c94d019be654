//! Everything that can be asked, and where.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chat_core::Engine;
use chat_core::RejectCode::*;
use chat_metrics::Metrics;
use chat_serve::{Hosts, TrustedProxies};

use super::call::{Shared, let_in};
use super::config::AdminConfig;
use super::door::Door;
use super::operation::{Operation, Verb};
use super::{acts, adding, erasing, kept, page, people, revoked, rooms};

static LIST: Operation =
    Operation::look("listRooms", "/rooms", "Rooms in the order of their codes, in memory and in the log, one page.");
static CREATE: Operation = Operation::act(
    Verb::Post,
    "createRoom",
    "/rooms",
    "Makes a room, which is kept while nobody is in it: under a code that is said, or drawn.",
)
.named("create")
.refused(&[NameTaken, Busy, AtCapacity]);
static KEEP: Operation =
    Operation::act(Verb::Post, "keepRoom", "/rooms/{room}/keep", "Keeps a room while nobody is in it.")
        .named("keep")
        .refused(&[RoomNotFound, Busy, AtCapacity]);
static LET_GO: Operation = Operation::act(
    Verb::Post,
    "letRoomGo",
    "/rooms/{room}/let-go",
    "Has a room go with its last member, as others do.",
)
.named("let_go")
.refused(&[RoomNotFound, Busy, AtCapacity]);
static ROOM: Operation =
    Operation::look("room", "/rooms/{room}", "A room as it is.").refused(&[RoomNotFound, Busy, AtCapacity]);
static CLOSE: Operation = Operation::act(Verb::Delete, "closeRoom", "/rooms/{room}", "Ends a room for everyone.")
    .named("close")
    .refused(&[RoomNotFound, Busy, AtCapacity]);
static MEMBERS: Operation =
    Operation::look("members", "/rooms/{room}/members", "Members in the order of their numbers, one page.").refused(&[
        RoomNotFound,
        Busy,
        AtCapacity,
    ]);
static CHANGE_MEMBER: Operation =
    Operation::act(Verb::Patch, "changeMember", "/rooms/{room}/members/{member}", "Changes what a member is shown as.")
        .named("change_member")
        .refused(&[RoomNotFound, MemberNotFound, Busy, AtCapacity]);
static MESSAGES: Operation =
    Operation::look("messages", "/rooms/{room}/messages", "Messages as they are now, oldest first, one page.")
        .refused(&[RoomNotFound, Busy, AtCapacity]);
static SAY: Operation =
    Operation::act(Verb::Post, "say", "/rooms/{room}/messages", "Says something under one of the host's names.")
        .refused(&[RoomNotFound, KeyConflict, Busy, AtCapacity]);
static BANS: Operation = Operation::look("bans", "/rooms/{room}/bans", "Who is kept out, one page.").refused(&[
    RoomNotFound,
    Busy,
    AtCapacity,
]);
static KICK: Operation = Operation::act(Verb::Post, "kick", "/rooms/{room}/kick", "Puts a member out.").refused(&[
    RoomNotFound,
    MemberNotFound,
    Busy,
    AtCapacity,
]);
static BAN: Operation =
    Operation::act(Verb::Post, "ban", "/rooms/{room}/ban", "Keeps somebody out, and puts them out if they are there.")
        .refused(&[RoomNotFound, MemberNotFound, BansFull, Busy, AtCapacity]);
static UNBAN: Operation = Operation::act(Verb::Post, "unban", "/rooms/{room}/unban", "Lets somebody in again.")
    .refused(&[RoomNotFound, BanNotFound, Busy, AtCapacity]);
static REDACT: Operation = Operation::act(Verb::Post, "redact", "/rooms/{room}/redact", "Takes back a message.")
    .refused(&[RoomNotFound, MessageNotFound, Busy, AtCapacity]);
static SWEEP: Operation =
    Operation::act(Verb::Post, "sweep", "/rooms/{room}/sweep", "Takes back all that a member said.").refused(&[
        RoomNotFound,
        MemberNotFound,
        Busy,
        AtCapacity,
    ]);
static ROLE: Operation = Operation::act(Verb::Post, "role", "/rooms/{room}/role", "Says what a member may do.")
    .refused(&[RoomNotFound, MemberNotFound, RolesFull, Busy, AtCapacity]);
static PROTECT: Operation = Operation::act(
    Verb::Post,
    "protect",
    "/rooms/{room}/protect",
    "Keeps a room for the host: from now on only it says who owns the room.",
)
.refused(&[RoomNotFound, Busy, AtCapacity]);
static SETTINGS: Operation =
    Operation::act(Verb::Patch, "settings", "/rooms/{room}/settings", "Changes what is set for a room.").refused(&[
        RoomNotFound,
        Busy,
        AtCapacity,
    ]);
static TOPIC: Operation = Operation::act(Verb::Put, "topic", "/rooms/{room}/topic", "Says what a room is about.")
    .refused(&[RoomNotFound, Busy, AtCapacity]);
static ADD: Operation = Operation::act(
    Verb::Post,
    "add",
    "/rooms/{room}/add",
    "Brings a person into a room: whoever of them is connected is in it, and who is not may come in once.",
)
.refused(&[RoomNotFound, Banned, Busy, AtCapacity, Draining]);
static SESSIONS: Operation = Operation::look("sessions", "/sessions", "The sessions of a person, at all servers.");
static END: Operation =
    Operation::act(Verb::Post, "end", "/end", "Ends a session, or all of a person's, for good and at every server.")
        .refused(&[AtCapacity, Draining]);
static REVOKE: Operation = Operation::act(
    Verb::Post,
    "revoke",
    "/revoke",
    "Takes back what a person was admitted for: all of it, rooms, or a role; at every server.",
)
.refused(&[AtCapacity, Draining]);
static ERASE: Operation = Operation::act(
    Verb::Post,
    "erase",
    "/erase",
    "Erases a person from every room and from the log: a job that goes on by itself until it is done.",
)
.refused(&[AtCapacity, Draining]);
static ERASURES: Operation = Operation::look(
    "erasures",
    "/erasures",
    "Who is being erased, and how far that has come; who is not named is erased.",
);
static STATUS: Operation = Operation::look("status", "/status", "How this server is.");
static DRAIN: Operation =
    Operation::act(Verb::Post, "drain", "/drain", "Begins to go down: clients are told when to come back.").begun();

/// The routes of the operator's door, for a router with any state, merged or nested. They belong on a listener of their own, with few connections:
/// `/metrics`, `/healthz`, `/readyz`, `/openapi.json`, a page at `/`, and what the description lists.
///
/// The page, its description and health are for anybody who reaches the listener; all else is for who shows [`AdminConfig::token`]. Pages of
/// elsewhere are refused in any case. [`chat_serve::serve`] puts the address of the peer into requests, which the audit names.
///
/// Each act is one event of `tracing`, of the target [`AUDIT_TARGET`](crate::AUDIT_TARGET).
pub fn routes<S>(engine: Engine, config: AdminConfig) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let is_guarded = config.token.is_some();
    let (router, document) = operations().open();
    let document: Arc<str> = document.finish(is_guarded).to_string().into();
    let described = async move || {
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
        (headers, String::from(&*document))
    };
    let metrics = Metrics::new(&engine);
    let router = router
        .route("/metrics", get(metrics_page))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/openapi.json", get(described))
        .merge(page::page())
        .with_state(Arc::new(Shared { engine, config, metrics }));
    // A page of a stranger may have a name of its own point to this machine; it has no token.
    let hosts = if is_guarded { Hosts::Any } else { Hosts::Named(Vec::new()) };
    hosts.guard(router, TrustedProxies::default()).with_state(())
}

fn operations() -> Door {
    Door::default()
        .with(&LIST, rooms::list)
        .with(&CREATE, kept::create)
        .with(&ROOM, rooms::one)
        .with(&CLOSE, acts::close)
        .with(&MEMBERS, rooms::members)
        .with(&CHANGE_MEMBER, acts::change_member)
        .with(&MESSAGES, rooms::messages)
        .with(&SAY, acts::say)
        .with(&BANS, rooms::bans)
        .with(&KICK, acts::kick)
        .with(&BAN, acts::ban)
        .with(&UNBAN, acts::unban)
        .with(&REDACT, acts::redact)
        .with(&SWEEP, acts::sweep)
        .with(&ROLE, acts::role)
        .with(&PROTECT, acts::protect)
        .with(&SETTINGS, acts::settings)
        .with(&TOPIC, acts::topic)
        .with(&KEEP, kept::keep)
        .with(&LET_GO, kept::let_go)
        .with(&ADD, adding::add)
        .with(&SESSIONS, people::sessions)
        .with(&END, people::end)
        .with(&REVOKE, revoked::revoke)
        .with(&ERASE, erasing::erase)
        .with(&ERASURES, erasing::erasures)
        .with(&STATUS, people::status)
        .with(&DRAIN, people::drain)
}

async fn metrics_page(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if let Err(refusal) = let_in(&shared, &request) {
        return refusal.into_response();
    }
    let accepted = request.headers().get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
    let page = shared.metrics.page(accepted);
    ([(header::CONTENT_TYPE, page.content_type), (header::CACHE_CONTROL, "no-store")], page.text).into_response()
}

async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    let draining = shared.engine.is_draining().then_some("draining");
    let why_not = || shared.config.why_not_ready.as_ref().and_then(|why_not| why_not());
    match draining.or_else(why_not) {
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        None => (StatusCode::OK, "ok\n".to_owned()),
    }
}
