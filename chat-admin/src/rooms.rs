//! Rooms looked at: all of them page by page, and one with its members, messages and bans.

use chat_core::{BanId, MemberId, Reject};

use super::asked::{HistoryAsked, InRoom, Nothing, PageAsked, RoomsAsked};
use super::call::Call;
use super::inside::{Bans, Members, Messages};
use super::shown::{Room, Rooms};

pub(crate) async fn list(call: Call<Nothing, RoomsAsked, Nothing>) -> Result<Rooms, Reject> {
    let engine = &call.shared.engine;
    let (after, max) = call.query.page()?;
    let page = engine.rooms_page(after.as_ref(), max).await?;
    let rooms = page.rooms.into_iter().map(|entry| Room::listed(engine, entry)).collect();
    Ok(Rooms { rooms, next: page.next.map(|code| code.to_string()) })
}

pub(crate) async fn one(call: Call<InRoom, Nothing, Nothing>) -> Result<Room, Reject> {
    let room = call.room()?;
    let info = room.info().await?;
    Ok(Room::new(&call.shared.engine, room.code(), Some(info)))
}

pub(crate) async fn members(call: Call<InRoom, PageAsked, Nothing>) -> Result<Members, Reject> {
    let (after, max) = call.query.page()?;
    Ok(call.room()?.members(after.map(MemberId), max).await?.into())
}

pub(crate) async fn messages(call: Call<InRoom, HistoryAsked, Nothing>) -> Result<Messages, Reject> {
    let (anchor, max) = call.query.page()?;
    Ok(call.room()?.history(anchor, max).await?.into())
}

pub(crate) async fn bans(call: Call<InRoom, PageAsked, Nothing>) -> Result<Bans, Reject> {
    let (after, max) = call.query.page()?;
    Ok(call.room()?.bans(after.map(BanId), max).await?.into())
}
