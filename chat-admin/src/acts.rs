//! Acts in a room: the host speaks, moderates, and closes it.

use chat_core::{BanId, Key, MemberId, Reject, Topic};

use super::asked::{InRoom, Nothing, OfMember};
use super::bodies::{
    BanAsked, BanNamed, MemberAsked, MemberNamed, Message, MessageNamed, RoleAsked, SettingsAsked, Sweep, TopicAsked,
};
use super::call::Call;
use super::shown::{Done, Receipt};

pub(crate) async fn say(call: Call<InRoom, Nothing, Message>) -> Result<Receipt, Reject> {
    let (room, message) = (call.room()?, &call.body);
    let key = message.key.as_deref().map(Key::parse).transpose()?;
    let said = room.say(&message.name, message.text.as_str()).with_data(message.data(&call.shared.engine)?);
    Ok(said.with_reply_to(message.reply_to()?).with_key(key).await?.into())
}

pub(crate) async fn kick(call: Call<InRoom, Nothing, MemberNamed>) -> Result<Done, Reject> {
    Ok(call.room()?.kick(MemberId(call.body.member)).await?.into())
}

pub(crate) async fn ban(call: Call<InRoom, Nothing, BanAsked>) -> Result<Done, Reject> {
    Ok(call.room()?.ban(MemberId(call.body.member), call.body.terms()).await?.into())
}

pub(crate) async fn unban(call: Call<InRoom, Nothing, BanNamed>) -> Result<Done, Reject> {
    Ok(call.room()?.unban(BanId(call.body.ban)).await?.into())
}

pub(crate) async fn redact(call: Call<InRoom, Nothing, MessageNamed>) -> Result<Done, Reject> {
    Ok(call.room()?.redact(call.body.seq()?).await?.into())
}

pub(crate) async fn sweep(call: Call<InRoom, Nothing, Sweep>) -> Result<Done, Reject> {
    Ok(call.room()?.redact_all(MemberId(call.body.member), call.body.from()?).await?.into())
}

pub(crate) async fn role(call: Call<InRoom, Nothing, RoleAsked>) -> Result<Done, Reject> {
    Ok(call.room()?.role(MemberId(call.body.member), call.body.role()).await?.into())
}

pub(crate) async fn change_member(call: Call<OfMember, Nothing, MemberAsked>) -> Result<Done, Reject> {
    let (room, member) = call.member()?;
    Ok(room.change_member(member, call.body.change()?).await?.into())
}

pub(crate) async fn settings(call: Call<InRoom, Nothing, SettingsAsked>) -> Result<Done, Reject> {
    Ok(call.room()?.settings(call.body.change()?).await?.into())
}

pub(crate) async fn topic(call: Call<InRoom, Nothing, TopicAsked>) -> Result<Done, Reject> {
    Ok(call.room()?.topic(Topic::parse(&call.body.topic)?).await?.into())
}

pub(crate) async fn protect(call: Call<InRoom, Nothing, Nothing>) -> Result<Done, Reject> {
    Ok(call.room()?.protect().await?.into())
}

pub(crate) async fn close(call: Call<InRoom, Nothing, Nothing>) -> Result<Done, Reject> {
    Ok(call.room()?.close().await?.into())
}
