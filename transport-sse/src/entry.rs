//! The room in the address of a stream: entered at once, or when it has said that the session is not in it any more.

use chat_core::wire::{RemovalReason, RoomStatus, Status};
use chat_core::{Answered, Command, Connection, FrameKind, Position, Reply, ServerFrame};

/// The entry of a stream whose room has not said yet whether the session is in it.
///
/// An `EventSource` knows its address and nothing else: what this does not bring back in stays outside for as long as the
/// stream lasts.
pub(crate) struct LateEntry {
    entry: Command,
    /// Where more events than this are due, one gap is told instead.
    catch_up: Option<u32>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The room has not said anything.
    Waiting,
    /// The session is not in the room.
    Due,
    /// The session is in the room, or was put out.
    Needless,
}

/// Brings a session into the room it asks for, unless it is there already. What waits for the room is given back.
///
/// A session that came back to other rooms is not given up for one that will not have it: it reads the answer in its
/// stream.
pub(crate) async fn enter(
    connection: &Connection,
    entry: Option<Command>,
    catch_up: Option<u32>,
) -> Result<Option<Box<LateEntry>>, Answered> {
    let Some(mut entry) = entry else { return Ok(None) };
    let standings = standings(connection);
    if let Some(standing) = standings.iter().find(|standing| is_of(&entry, standing)) {
        match standing.status {
            Status::Live | Status::Gap => return Ok(None),
            Status::Waiting => {
                let late = LateEntry { entry, catch_up, stage: Stage::Waiting };
                return Ok(Some(Box::new(late)));
            }
            _ => entry = going_on(entry, standing, catch_up),
        }
    }
    // Where a command is not taken, or its answer does not come, a newer connection has the session: the stream says
    // so.
    if standings.iter().any(|standing| matches!(standing.status, Status::Live | Status::Gap | Status::Waiting)) {
        // An `EventSource` comes back with the address it was made with, again and again: one that is in a room makes no other.
        if !matches!(entry, Command::Create { .. }) {
            let _ = connection.submit(entry, Reply::mailbox(None));
        }
        return Ok(None);
    }
    let (reply, answer) = Reply::channel(None);
    if connection.submit(entry, reply).is_err() {
        return Ok(None);
    }
    match answer.await {
        Ok(answered) if answered.reject.is_some() => Err(answered),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// Where the session stands in the rooms it came back to, as its `welcome` says.
fn standings(connection: &Connection) -> Vec<RoomStatus> {
    let welcome = connection.peek().filter(|frame| frame.kind == FrameKind::Welcome);
    match welcome.map(|frame| serde_json::from_slice(&frame.json)) {
        Some(Ok(ServerFrame::Welcome { rooms, .. })) => rooms,
        _ => Vec::new(),
    }
}

/// Whether the room named is the one to be entered.
fn is_of(entry: &Command, standing: &RoomStatus) -> bool {
    match entry {
        Command::Join { room, .. } | Command::Create { room: Some(room), .. } => standing.room == room.as_str(),
        _ => false,
    }
}

/// The entry of somebody who was in the room: from where they left it, and not as its founder while it is there.
fn going_on(entry: Command, standing: &RoomStatus, catch_up: Option<u32>) -> Command {
    let mut entry = match entry {
        Command::Create { nick, room: Some(room), data, .. } if standing.status == Status::Left => {
            Command::join(room, nick).with_person_data(data).with_catch_up(catch_up)
        }
        entry => entry,
    };
    if let Command::Join { after, .. } = &mut entry {
        *after = standing.epoch.zip(standing.seq).map(|(epoch, seq)| Position { epoch, seq });
    }
    entry
}

impl LateEntry {
    /// Hears a `resumed` frame, and makes the entry due where its room says that the session has to enter it.
    pub(crate) fn hear(&mut self, json: &[u8]) {
        let Ok(ServerFrame::Resumed(standing)) = serde_json::from_slice(json) else { return };
        if !is_of(&self.entry, &standing) {
            return;
        }
        self.stage = match (standing.status, standing.reason) {
            (Status::Live | Status::Gap, _) => Stage::Needless,
            // Who was put out comes again when a person says so, and not by itself.
            (_, Some(RemovalReason::Kicked | RemovalReason::Banned)) => Stage::Needless,
            _ => Stage::Due,
        };
        self.entry = going_on(self.entry.clone(), &standing, self.catch_up);
    }

    /// Hands in the entry, if it is due; gives back what still waits. Its answer is an event of the stream.
    pub(crate) fn hand_in(self: Box<Self>, connection: &Connection) -> Option<Box<Self>> {
        match self.stage {
            Stage::Waiting => return Some(self),
            // Where it is not taken, a newer connection has the session.
            Stage::Due => drop(connection.submit(self.entry, Reply::mailbox(None))),
            Stage::Needless => {}
        }
        None
    }
}
