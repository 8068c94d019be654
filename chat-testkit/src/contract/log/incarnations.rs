//! What becomes of a code: claimed by one incarnation at a time, free again once that incarnation is deleted.

use std::sync::Arc;

use chat_core::{Amend, AppendError, Epoch, LogInUse, Offset, Seq, Tail};

use super::{code, open_life, read_all, tail_of};
use crate::contract::Home;
use crate::records::Scribe;

/// The next engine may have the log as soon as the claim is dropped, and not before.
pub async fn one_engine_at_a_time_has_the_log(mut home: impl Home) {
    let log = home.open().await;
    for _ in 0..2 {
        let claim = log.claim().expect("nobody has it");
        assert_eq!(log.claim().err(), Some(LogInUse));
        assert_eq!(log.claim().err(), Some(LogInUse), "a claim that was refused changes nothing");
        drop(claim);
    }
    let _claim = log.claim().expect("it was given back");
    open_life(&*log, &code("CLAIMED"), 1).await;
}

/// The tail names the incarnation from then on.
pub async fn the_first_append_claims_the_code(mut home: impl Home) {
    let (log, room) = (home.open().await, code("CLAIM"));
    let (scribe, tail) = open_life(&*log, &room, 1).await;
    assert_eq!((tail.epoch, tail.offset), (Some(Epoch(1)), scribe.offset()));
    assert_eq!(tail_of(&*log, &room).await, tail);
    assert_eq!(log.rooms(None, None, 10).await, Ok(vec![room]));
}

/// A code that is held takes no other first batch, also not one with the same epoch.
pub async fn a_second_life_is_refused_while_the_first_lives(mut home: impl Home) {
    let (log, room) = (home.open().await, code("SECOND"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    for epoch in [2, 1] {
        let opening = Scribe::new(Epoch(epoch)).opening();
        assert_eq!(log.append(&room, &Tail::default(), &opening).await, Err(AppendError::Conflict));
    }
    assert_eq!(read_all(&*log, &room).await, Scribe::new(Epoch(1)).opening());
    log.append(&room, &tail, &scribe.talk(1)).await.expect("the first incarnation goes on");
}

/// Of many who claim a code at once, one gets it; everybody else hears `Conflict`.
pub async fn of_concurrent_claims_exactly_one_wins(mut home: impl Home) {
    let log = home.open().await;
    for round in 0..5 {
        let room = code(&format!("CLAIM-{round}"));
        let claims = (1..=4).map(|epoch| {
            let (log, room) = (Arc::clone(&log), room.clone());
            let opening = Scribe::new(Epoch(epoch)).opening();
            tokio::spawn(async move { log.append(&room, &Tail::default(), &opening).await })
        });
        let claims: Vec<_> = claims.collect();
        let mut won = Vec::new();
        for claim in claims {
            match claim.await.expect("an append does not panic") {
                Ok(tail) => won.push(tail.epoch.expect("a claimed code has an incarnation")),
                Err(error) => assert_eq!(error, AppendError::Conflict),
            }
        }
        assert_eq!(won.len(), 1, "exactly one claim of a code wins");
        assert_eq!(read_all(&*log, &room).await, Scribe::new(won[0]).opening());
    }
}

/// A deletion takes an incarnation's records, messages and snapshot; and a new incarnation may claim the code.
pub async fn a_deleted_life_is_gone_and_its_code_is_free(mut home: impl Home) {
    let (log, room) = (home.open().await, code("GONE"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    log.append(&room, &tail, &scribe.talk(3)).await.expect("the tail is the end");
    log.save_snapshot(&room, Epoch(1), scribe.offset(), b"snapshot").await.expect("a snapshot can be saved");
    log.delete(&room, Epoch(1)).await.expect("an incarnation can be deleted");

    assert_eq!(read_all(&*log, &room).await, []);
    assert_eq!(tail_of(&*log, &room).await, Tail::default());
    assert_eq!(log.messages(&room, Epoch(1), Seq(100), 100).await, Ok(Vec::new()));
    assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(None));
    assert_eq!(log.rooms(None, None, 10).await, Ok(Vec::new()));
    log.delete(&room, Epoch(1)).await.expect("deleting what is gone is no error");

    let (_, tail) = open_life(&*log, &room, 2).await;
    assert_eq!(tail.epoch, Some(Epoch(2)));
}

/// A late deletion of an old incarnation does not take the new one with it.
pub async fn deleting_another_life_changes_nothing(mut home: impl Home) {
    let (log, room) = (home.open().await, code("ANOTHER"));
    log.delete(&room, Epoch(1)).await.expect("deleting an incarnation that never was is no error");
    open_life(&*log, &room, 1).await;
    log.delete(&room, Epoch(1)).await.expect("an incarnation can be deleted");
    let (mut scribe, tail) = open_life(&*log, &room, 2).await;
    log.delete(&room, Epoch(1)).await.expect("deleting another incarnation is no error");
    assert_eq!(read_all(&*log, &room).await, Scribe::new(Epoch(2)).opening());
    log.append(&room, &tail, &scribe.talk(1)).await.expect("the new incarnation goes on");
}

/// An owner that did not hear of the deletion cannot bring the incarnation back, neither before nor after the code is claimed
/// anew.
pub async fn an_append_to_a_deleted_life_conflicts(mut home: impl Home) {
    let (log, room) = (home.open().await, code("GHOST"));
    let (mut ghost, tail) = open_life(&*log, &room, 1).await;
    log.delete(&room, Epoch(1)).await.expect("an incarnation can be deleted");
    let late = ghost.talk(1);
    assert_eq!(log.append(&room, &tail, &late).await, Err(AppendError::Conflict));
    assert_eq!(tail_of(&*log, &room).await, Tail::default());
    open_life(&*log, &room, 2).await;
    assert_eq!(log.append(&room, &tail, &late).await, Err(AppendError::Conflict));
    assert_eq!(read_all(&*log, &room).await, Scribe::new(Epoch(2)).opening());
}

/// The offsets of a new incarnation begin at 1 again; what was taken back or longer before does not show.
pub async fn a_new_life_holds_nothing_of_the_old(mut home: impl Home) {
    let (log, room) = (home.open().await, code("ANEW"));
    let (mut old, tail) = open_life(&*log, &room, 1).await;
    log.append(&room, &tail, &old.talk(20)).await.expect("the tail is the end");
    log.amend(&room, Epoch(1), &[Amend::take_back(Seq(2), Seq(u64::MAX))]).await.expect("a message can be taken back");
    log.delete(&room, Epoch(1)).await.expect("an incarnation can be deleted");

    let (mut new, tail) = open_life(&*log, &room, 2).await;
    let mut written = Scribe::new(Epoch(2)).opening();
    let said = new.talk(2);
    log.append(&room, &tail, &said).await.expect("the tail is the end");
    written.extend(said.iter().cloned());
    assert_eq!(read_all(&*log, &room).await, written);
    assert_eq!(log.messages(&room, Epoch(2), Seq(100), 100).await, Ok(said));
    assert_eq!(log.read(&room, None, Offset(4), 100).await.map(|stretch| stretch.records), Ok(Vec::new()));
}

/// A reopened log has its records, amendments and snapshots; and what it says is its end can be appended to.
pub async fn what_was_written_is_there_after_reopening(mut home: impl Home) {
    let (log, room) = (home.open().await, code("REOPEN"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let tail = log.append(&room, &tail, &scribe.talk(5)).await.expect("the tail is the end");
    log.amend(&room, Epoch(1), &[Amend::take_back(Seq(3), Seq(u64::MAX))]).await.expect("a message can be taken back");
    log.save_snapshot(&room, Epoch(1), scribe.offset(), b"snapshot").await.expect("a snapshot can be saved");
    let before = read_all(&*log, &room).await;
    drop(log);

    let log = home.open().await;
    assert_eq!(read_all(&*log, &room).await, before);
    assert_eq!(log.load_snapshot(&room, Epoch(1)).await, Ok(Some((scribe.offset(), b"snapshot".to_vec()))));
    assert_eq!(log.rooms(None, None, 10).await, Ok(vec![room.clone()]));
    let end = tail_of(&*log, &room).await;
    assert_eq!((end.epoch, end.offset), (tail.epoch, tail.offset));
    log.append(&room, &end, &scribe.talk(1)).await.expect("what was read is the end");
}

/// A tail of before a reopening is taken or refused: where it is refused, nothing is written, and the end is where it was.
pub async fn a_tail_of_before_a_reopening_is_taken_or_conflicts(mut home: impl Home) {
    let (log, room) = (home.open().await, code("REOPEN"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    let before = read_all(&*log, &room).await;
    drop(log);

    let log = home.open().await;
    let batch = scribe.talk(2);
    let end = match log.append(&room, &tail, &batch).await {
        Ok(end) => end,
        Err(error) => {
            assert_eq!((error, read_all(&*log, &room).await), (AppendError::Conflict, before.clone()));
            let tail = tail_of(&*log, &room).await;
            log.append(&room, &tail, &batch).await.expect("what was read is the end")
        }
    };
    assert_eq!(tail_of(&*log, &room).await, end);
    assert_eq!(read_all(&*log, &room).await, [before, batch].concat());
}

/// An incarnation that was deleted is gone after reopening too, and its code is still free.
pub async fn what_was_deleted_stays_deleted_after_reopening(mut home: impl Home) {
    let (log, room) = (home.open().await, code("REOPEN"));
    let (mut scribe, tail) = open_life(&*log, &room, 1).await;
    log.append(&room, &tail, &scribe.talk(5)).await.expect("the tail is the end");
    log.delete(&room, Epoch(1)).await.expect("an incarnation can be deleted");
    drop(log);

    let log = home.open().await;
    assert_eq!(read_all(&*log, &room).await, []);
    assert_eq!(log.rooms(None, None, 10).await, Ok(Vec::new()));
    open_life(&*log, &room, 2).await;
}
