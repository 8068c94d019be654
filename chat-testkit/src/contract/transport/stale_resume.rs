//! Coming back too late, to another incarnation, or with positions that are not one's own.

use chat_core::{Moderation, RoomCode};
use serde_json::json;

use super::test_server::SHORT_GRACE;
use super::{TestServer, TransportHarness};

/// A membership that has run out is said so; `after` brings what was missed, one's own leaving included, which ends nothing: it was
/// before the present membership was entered.
pub async fn after_the_grace_a_join_goes_on_from_the_position<D: TransportHarness>() {
    let server = TestServer::<D>::with(|limits| limits.room.grace = SHORT_GRACE).await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let trail = bob.cut().await;
    ann.say("LUNCH", "while away").await;
    ann.find("member_left").await;
    let mut bob = server.back(&trail).await;
    assert_eq!(bob.standings(), ["LUNCH left 2"]);
    let after = trail.position("LUNCH");
    let joined = bob.enter(json!({"type": "join", "room": "LUNCH", "nick": "Bob", "after": after})).await;
    assert_eq!((&joined["seq"], &joined["you"]["member"], &joined["history"]), (&json!(2), &json!(2), &json!([])));
    assert_eq!((&joined["entered"], &joined["you"]["color"]), (&json!(5), &json!(1)));
    assert_eq!(bob.told_to("LUNCH", 5).await, ["3 Ann: while away", "4 -Bob timeout", "5 +Bob"]);
}

/// A resume says `left` of a room whose membership ended while the connection was away.
pub async fn who_was_kicked_while_away_has_left<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let trail = bob.cut().await;
    ann.done(json!({"type": "kick", "room": "LUNCH", "member": 2})).await;
    let mut bob = server.back(&trail).await;
    assert_eq!(bob.standings(), ["LUNCH left 2"]);
    assert_eq!(bob.welcome["rooms"][0]["reason"], "kicked");
    assert_eq!(bob.code(json!({"type": "send", "room": "LUNCH", "text": "hey"})).await, "not_member");
}

/// The room of that name is another one: the same number there means nothing.
pub async fn a_life_that_is_over_is_never_matched_by_number<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    ann.say("LUNCH", "of the first life").await;
    let mut trail = bob.cut().await;
    let code = RoomCode::parse("LUNCH").expect("a code");
    server.engine.moderate(&code, Moderation::Close).await.expect("the room is there");
    let bob = server.back(&trail).await;
    // Unknown where the end was told already, to a connection that was lost and not yet known to be.
    let standings = bob.standings();
    assert!(["LUNCH closed 2", "LUNCH unknown 2"].contains(&standings[0].as_str()), "{standings:?}");
    bob.cut().await;
    let [mut cid, _dan] = server.people("LUNCH", ["Cid", "Dan"]).await;
    cid.say("LUNCH", "of the second life").await;
    let mut bob = server.back(&trail).await;
    assert_eq!(bob.standings(), ["LUNCH closed 2"]);
    let after = trail.position("LUNCH");
    let joined = bob.enter(json!({"type": "join", "room": "LUNCH", "nick": "Bob", "after": after})).await;
    assert_eq!((&joined["seq"], &joined["history"][0]["text"]), (&json!(4), &json!("of the second life")));
    // A member of the second incarnation who names a position of the first is shown the second.
    trail.token = bob.cut().await.token;
    let mut bob = server.back(&trail).await;
    assert_eq!(bob.standings(), ["LUNCH live 4"]);
    assert_eq!(bob.told().await, "joined 4 as 3");
    cid.say("LUNCH", "after").await;
    assert_eq!(bob.told().await, "5 Cid: after");
}

/// Whatever is wrong with it. The others count.
pub async fn a_wrong_entry_in_positions_costs_that_entry_alone<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann, bob] = server.people("LUNCH", ["Ann", "Bob"]).await;
    let at = bob.trail().position("LUNCH");
    let trail = bob.cut().await;
    ann.say("LUNCH", "while away").await;
    let trail = trail.naming("NO", at.clone()).naming("TEA!", at).naming("DINNER", "17".to_owned());
    let mut bob = server.back(&trail.naming("COFFEE", "nonsense".to_owned())).await;
    assert_eq!(bob.standings(), ["LUNCH live 2"]);
    assert_eq!(bob.told().await, "3 Ann: while away");
}

/// A position makes no room, and nobody a member.
pub async fn a_room_that_never_was_is_unknown<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [bob] = server.people("LUNCH", ["Bob"]).await;
    let [mut ann] = server.people("DINNER", ["Ann"]).await;
    let nowhere = bob.trail().position("LUNCH");
    let trail = ann.trail().naming("NOWHERE", nowhere.clone()).naming("LUNCH", nowhere);
    ann.say("DINNER", "hi").await;
    let mut again = server.back(&trail).await;
    let mut standings = again.standings();
    standings.sort();
    assert_eq!(standings, ["DINNER live 1", "LUNCH unknown 1", "NOWHERE unknown 1"]);
    assert_eq!(again.told_to("DINNER", 2).await, ["2 Ann: hi"]);
    assert_eq!(again.code(json!({"type": "send", "room": "LUNCH", "text": "hey"})).await, "not_member");
}

/// A position before one's own joining or after the newest event is answered with what one may see: nothing before the one, nothing yet after the other.
pub async fn forged_positions_show_no_more_than_may_be_seen<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let [mut ann] = server.people("LUNCH", ["Ann"]).await;
    ann.say("LUNCH", "not for Bob").await;
    let mut bob = server.client().await;
    bob.enter(json!({"type": "join", "room": "LUNCH", "nick": "Bob", "history": 0})).await;
    ann.say("LUNCH", "for Bob").await;
    bob.read_to("LUNCH", 4).await;
    let mut head = 4;
    for (forged, standing) in [(0, None), (2, None), (3, Some(3)), (99, Some(4)), (u64::MAX, Some(4))] {
        // What was said meanwhile moves the newest event on.
        let standing = standing.map(|seq| if seq == 3 { 3 } else { head });
        let mut again = server.back(&bob.trail().at("LUNCH", forged)).await;
        let mut told = Vec::new();
        if let Some(seq) = standing {
            assert_eq!(again.standings(), [format!("LUNCH live {seq}")], "position {forged}");
            assert_eq!(again.seq("LUNCH"), seq);
        } else {
            told.push(again.told().await);
            assert_eq!(told, [format!("joined {head} as 2")], "position {forged}");
        }
        let seq = ann.say("LUNCH", &format!("{forged}")).await;
        let frames = again.told_to("LUNCH", seq).await;
        assert!(frames.iter().all(|line| !line.contains("not for Bob")), "position {forged}: {frames:?}");
        assert_eq!(frames.last(), Some(&format!("{seq} Ann: {forged}")));
        head = seq;
    }
}
