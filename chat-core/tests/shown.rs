//! What members are shown as: what it costs, what a policy makes of it, and how much of it goes into one answer.
#![cfg(feature = "engine")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chat_core::wire::MemberEntry;
use chat_core::{
    Admission, Command, ConnectRequest, Engine, Identity, MemberChange, MemberId, PersonData, Policy, Reject,
    RejectCode, ServerFrame, SessionView,
};
use support::*;

fn data(json: &str) -> PersonData {
    PersonData::parse(json).expect("a test's data are valid")
}

fn me(change: MemberChange) -> Command {
    Command::me(code("LUNCH"), change)
}

fn to(name: &str) -> MemberChange {
    MemberChange::new().nick(nick(name))
}

#[tokio::test(start_paused = true)]
async fn a_change_costs_as_much_as_a_message() {
    let engine = engine_with(|limits| {
        (limits.session.send_burst, limits.session.send_per_second) = (2, 1);
        limits.room.member_change_interval = secs(0);
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    ann.say("LUNCH", "one").await;
    acked(ann.session.call(me(to("Anna"))).await);
    let refused = ann.refused(me(to("Ann"))).await;
    assert_eq!((refused.code, refused.retry_after), (RejectCode::RateLimited, Some(secs(1))));
    assert_eq!(ann.refused(send("LUNCH", "three")).await.code, RejectCode::RateLimited);
    pass(secs(1)).await;
    assert_eq!(acked(ann.session.call(me(to("Ann"))).await), 4);
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_a_change_are_said_bytes() {
    let engine = engine_with(|limits| {
        limits.lift_rates();
        (limits.session.said_bytes_burst, limits.session.said_bytes_per_second) = (100, 10);
        limits.room.member_change_interval = secs(0);
    });
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let long = |fill: &str| data(&format!(r#"{{"a":"{}"}}"#, fill.repeat(92)));
    acked(ann.session.call(me(MemberChange::new().data(long("x")))).await);
    let refused = ann.refused(me(MemberChange::new().data(long("y")))).await;
    assert_eq!((refused.code, refused.retry_after), (RejectCode::RateLimited, Some(secs(10))));
}

/// Lets nobody be called an admin, and gives everybody a picture.
struct Pictures;

#[async_trait]
impl Policy for Pictures {
    async fn check(&self, _session: &SessionView, command: Command) -> Result<Command, Reject> {
        let nick = match &command {
            Command::Create { nick, .. } | Command::Join { nick, .. } => Some(nick),
            Command::Me { change, .. } => change.nick.as_ref(),
            _ => return Ok(command),
        };
        if nick.is_some_and(|nick| nick.as_str() == "Admin") {
            return Err(Reject::new(RejectCode::Forbidden, "nobody is an admin here"));
        }
        Ok(match nick.map(|nick| nick.as_str().len()) {
            Some(length) => command.with_person_data(data(&format!(r#"{{"picture":{length}}}"#))),
            None => command.with_member_change(MemberChange::new()),
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_sees_how_somebody_wants_to_be_shown_and_may_change_it() {
    let engine = Engine::builder().policy(Arc::new(Pictures)).build();
    let ann = Client::new(&engine).await;
    assert_eq!(ann.refused(Command::create(nick("Admin"))).await.code, RejectCode::Forbidden);
    let joined = ann.enter("LUNCH", "Ann").await;
    assert_eq!(joined.you.data, Some(data(r#"{"picture":3}"#)));
    assert_eq!(ann.refused(me(to("Admin"))).await.code, RejectCode::Forbidden);
    assert_eq!(acked(ann.session.call(me(MemberChange::new().data(None))).await), 1, "nothing is left of it");
    assert_eq!(acked(ann.session.call(me(to("Annabel"))).await), 2);
    let ServerFrame::MemberChanged { nick, data: shown, .. } = ann.frames().await.pop().expect("it is told") else {
        panic!("the change is told")
    };
    assert_eq!((nick.as_deref(), shown), (Some("Annabel"), Some(Some(data(r#"{"picture":7}"#)))));
}

/// Says of everybody that they are Kim, with the number of times that anybody has come.
struct Kim(AtomicUsize);

#[async_trait]
impl Policy for Kim {
    async fn admit(&self, _request: &ConnectRequest) -> Result<Admission, Reject> {
        let times = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let admission = Admission::of(Identity::new(&format!("person-{}", times.min(2)))).with_nick(nick("Kim"));
        Ok(admission.with_data(data(&format!(r#"{{"times":{times}}}"#))))
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_policy_says_of_somebody_is_said_on_all_their_devices_and_as_of_the_last_of_them() {
    let engine = Engine::builder().policy(Arc::new(Kim(AtomicUsize::new(0)))).build();
    let ann = Client::in_room(&engine, "LUNCH", "Ann").await;
    let laptop = Client::in_room(&engine, "LUNCH", "Bob").await;
    let phone = Client::in_room(&engine, "LUNCH", "Robert").await;
    let shown = |entries: &[MemberEntry]| -> Vec<_> {
        entries.iter().map(|entry| (entry.member, entry.nick.clone(), entry.data.clone())).collect()
    };
    let ServerFrame::Members { members, .. } = ann.session.call(Command::members(code("LUNCH"))).await.expect("a page")
    else {
        panic!("a page of members")
    };
    let kim =
        |member, times: usize| (MemberId(member), "Kim".to_owned(), Some(data(&format!(r#"{{"times":{times}}}"#))));
    assert_eq!(shown(&members), [kim(1, 1), kim(2, 3)]);
    let asked = me(to("Bob").data(data("{}")));
    for device in [phone, laptop] {
        assert_eq!(acked(device.session.call(asked.clone()).await), 3, "it stands as it was said last");
    }
}

/// As many as fit; the others are there for whoever asks.
#[tokio::test(start_paused = true)]
async fn lists_of_members_with_much_to_show_end_at_a_page_and_go_on() {
    const PEOPLE: usize = 300;
    let engine = engine_with(|limits| {
        limits.lift_rates();
        limits.lift_addresses();
    });
    let mut clients = Vec::new();
    for number in 1..=PEOPLE {
        let client = Client::new(&engine).await;
        let shown = data(&format!(r#"{{"a":"{}"}}"#, "x".repeat(PersonData::BYTES_MAX - 8)));
        let name = nick(&format!("Person {number}"));
        let command = match number {
            1 => Command::create(name).with_room(code("LUNCH")),
            _ => Command::join(code("LUNCH"), name).with_history(0),
        };
        client.session.call(command.with_person_data(shown)).await.expect("there is room");
        clients.push(client);
    }
    let last = clients.last().expect("somebody");
    let joined = last.joined().await;
    let page = engine.limits().session.page_bytes_max;
    let bytes = |entries: &[MemberEntry]| serde_json::to_string(entries).expect("JSON").len();
    assert!((page - 1_000..=page + 2).contains(&bytes(&joined.members)), "{}", bytes(&joined.members));
    assert_eq!((joined.members_total, joined.you.data.is_some()), (PEOPLE, true));
    let (mut seen, mut pages) = (0, 0);
    loop {
        let after = (seen > 0).then_some(MemberId(seen));
        let asked = Command::members(code("LUNCH")).with_members_after(after);
        let Ok(ServerFrame::Members { members, more, .. }) = last.session.call(asked).await else {
            panic!("a page of members")
        };
        assert!(bytes(&members) <= page + 2 && !members.is_empty());
        assert!(members.iter().map(|entry| entry.member.0).eq(seen + 1..=seen + members.len() as u32));
        (seen, pages) = (seen + members.len() as u32, pages + 1);
        if !more {
            break;
        }
    }
    assert_eq!((seen, pages), (PEOPLE as u32, 2));
}
