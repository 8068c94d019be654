//! People who are erased: records that name nobody any more, and jobs that are kept until they are done.

use std::sync::Arc;

use chat_core::{
    AppendError, Epoch, Erasure, Event, Identity, Log, Nick, Offset, PersonHash, Record, RoomCode, Scope, Scrub, Seq,
    SessionId, Tail, Wall,
};

use super::{code, open_life, read_all, tail_of};
use crate::contract::Home;

const ALIAS: SessionId = SessionId::new(77);

fn scrub(offset: u64) -> Scrub {
    Scrub { offset: Offset(offset), alias: ALIAS, person: PersonHash(7) }
}

/// A room with the opening, and a message of its first member under a key; the stored snapshot covers all of it.
async fn told_room(log: &Arc<dyn Log>, room: &RoomCode) -> (Vec<Record>, Tail) {
    let (mut scribe, tail) = open_life(&**log, room, 1).await;
    let batch = vec![scribe.sent("before"), scribe.sent_keyed("secret", "k1"), scribe.sent("after")];
    let tail = log.append(room, &tail, &batch).await.expect("the tail is the end");
    log.save_snapshot(room, Epoch(1), tail.offset, b"{}").await.expect("a snapshot is kept");
    (read_all(&**log, room).await, tail)
}

/// Records by their numbers in the log, told or not: they keep their numbers, times and authors, and every other record stays as it is.
pub async fn what_was_scrubbed_names_nobody_and_nothing_else_changes(mut home: impl Home) {
    let (log, room) = (home.open().await, code("SCRUBBED"));
    let (before, tail) = told_room(&log, &room).await;
    for _ in 0..2 {
        log.scrub(&room, Epoch(1), &[scrub(2), scrub(4)]).await.expect("records can be scrubbed, also twice");
        let after = read_all(&*log, &room).await;
        assert_eq!(after.len(), before.len());
        for (was, is) in before.iter().zip(&after) {
            assert_eq!((was.offset, was.seq, was.at, was.by), (is.offset, is.seq, is.at, is.by));
            if ![2, 4].contains(&is.offset.0) {
                assert_eq!(was, is);
            }
        }
        let Event::Joined { nick, scope, .. } = &after[1].event else { panic!("a life begins with a join") };
        assert_eq!((nick, scope), (&Nick::erased(), &Scope::Session(ALIAS)));
        let Event::Sent { nick, text, keyed, .. } = &after[3].event else { panic!("it was said") };
        assert_eq!((nick, text.as_str(), keyed), (&Nick::erased(), "", &None));
        assert!(after[3].event.is_taken_back());
        assert_eq!(log.messages(&room, Epoch(1), Seq(100), 3).await.as_deref(), Ok(&after[2..]));
        assert_eq!(tail_of(&*log, &room).await.offset, tail.offset, "nothing was appended");
    }
}

/// What it said before does not come back, and the room can be written on.
pub async fn what_was_scrubbed_is_so_after_reopening(mut home: impl Home) {
    let (log, room) = (home.open().await, code("SCRUBBED"));
    told_room(&log, &room).await;
    log.scrub(&room, Epoch(1), &[scrub(2), scrub(3), scrub(4)]).await.expect("records can be scrubbed");
    let scrubbed = read_all(&*log, &room).await;
    drop(log);
    let log = home.open().await;
    assert_eq!(read_all(&*log, &room).await, scrubbed);
    assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(Some((Offset(5), b"{}".to_vec()))));
}

/// Of another life, of no room, and past the end.
pub async fn scrubbing_what_is_not_there_changes_nothing(mut home: impl Home) {
    let (log, room) = (home.open().await, code("SCRUBBED"));
    let (before, _) = told_room(&log, &room).await;
    for (which, epoch) in [(&room, 2), (&code("NOBODY"), 1)] {
        log.scrub(which, Epoch(epoch), &[scrub(2)]).await.expect("nothing happens");
    }
    log.scrub(&room, Epoch(1), &[]).await.expect("nothing happens");
    assert_eq!(read_all(&*log, &room).await, before);
}

/// One of each person, what was said of it last, over reopening too; and nothing of it afterwards.
pub async fn an_erasure_is_kept_as_far_as_it_has_come_until_it_is_done(mut home: impl Home) {
    let log = home.open().await;
    assert_eq!(log.erasures().await, Ok(Vec::new()));
    let person = |name: &str| Identity::new(name).expect("an identity");
    let ann = Erasure::new(person("ann@example.com"), ALIAS, Wall(5));
    let bob = Erasure::new(person(&"b".repeat(128)), SessionId::new(u128::MAX), Wall(6));
    let mut further = ann.clone();
    (further.after, further.looked, further.rooms) = (Some(code("LUNCH")), 3, 9);
    for (erasure, asked) in [(&ann, None), (&bob, None), (&further, Some(1))] {
        log.put_erasure(erasure, asked).await.expect("the log can be written");
    }
    drop(log);
    let log = home.open().await;
    let mut kept = log.erasures().await.expect("the log can be read");
    kept.sort_by_key(|erasure| erasure.since);
    assert_eq!(kept, [further, bob.clone()]);
    for _ in 0..2 {
        log.drop_erasure(&ann).await.expect("the log can be written, also twice");
        assert_eq!(log.erasures().await.as_deref(), Ok(&[bob.clone()][..]));
    }
}

/// Who has not read what is kept by now changes nothing of it: neither who puts, nor who drops.
pub async fn an_erasure_follows_what_was_read_of_it_or_is_refused(mut home: impl Home) {
    let log = home.open().await;
    let identity = Identity::new("ann@example.com").expect("an identity");
    let first = Erasure::new(identity.clone(), ALIAS, Wall(5));
    let other = Erasure::new(identity, SessionId::new(78), Wall(6));
    let mut again = first.clone();
    again.asked = 2;
    assert_eq!(log.put_erasure(&again, Some(1)).await, Err(AppendError::Conflict), "there is none");
    log.put_erasure(&first, None).await.expect("the log can be written");
    for (which, asked) in [(&other, None), (&other, Some(1)), (&again, Some(2)), (&first, None)] {
        assert_eq!(log.put_erasure(which, asked).await, Err(AppendError::Conflict), "{which:?} after {asked:?}");
    }
    log.put_erasure(&again, Some(1)).await.expect("it follows");
    for which in [&first, &other] {
        assert_eq!(log.drop_erasure(which).await, Err(AppendError::Conflict), "{which:?}");
    }
    assert_eq!(log.erasures().await, Ok(vec![again.clone()]));
    log.drop_erasure(&again).await.expect("it is the one");
    assert_eq!(log.erasures().await, Ok(Vec::new()));
}
