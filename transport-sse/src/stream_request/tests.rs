//! Which session a request means, and which room, from everything it may carry.

use axum::http::Request;
use chat_core::{Command, RejectCode};

use super::*;

const TOKEN: &str = "0000000000000000000000007V.000000000001.3ZZZZZZZZZZZZZZZZZZZZZZZZZ";

fn read(uri: &str, headers: &[(&str, &str)]) -> Result<StreamRequest, Reject> {
    let request = headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
    let credentials = Credentials::default().query("token");
    StreamRequest::read(&request.body(()).expect("a request").into_parts().0, &credentials, 32)
}

fn asked(uri: &str, headers: &[(&str, &str)]) -> StreamRequest {
    read(uri, headers).unwrap_or_else(|reject| panic!("{uri}: {reject}"))
}

fn refusal(uri: &str) -> (RejectCode, Option<&'static str>) {
    read(uri, &[]).err().map(|reject| (reject.code, reject.field)).expect(uri)
}

fn shown(asked: &StreamRequest) -> Option<&str> {
    asked.shown.as_ref().map(|shown| shown.credential.as_str())
}

fn token(asked: &StreamRequest) -> Option<&str> {
    asked.resume.as_ref().map(|resume| resume.token.as_str())
}

#[test]
fn a_bare_request_asks_for_a_new_session_and_no_room() {
    let asked = asked("/sse", &[("last-event-id", "")]);
    assert!(asked.resume.is_none() && asked.entry.is_none() && asked.shown.is_none());
}

#[test]
fn the_last_event_wins_over_everything_else() {
    let uri = "/sse?cursor=C&resume=R&positions=nonsense";
    let authorization = format!("Bearer {TOKEN}");
    assert_eq!(token(&asked(uri, &[("last-event-id", "L~"), ("authorization", &authorization)])), Some("L"));
    assert_eq!(token(&asked(uri, &[("authorization", &authorization)])), Some("C"));
    assert_eq!(token(&asked("/sse?resume=R", &[("authorization", &authorization)])), Some("R"));
    assert_eq!(token(&asked("/sse", &[("authorization", &authorization)])), Some(TOKEN));
}

#[test]
fn positions_come_with_a_token() {
    let both = asked("/sse?resume=R&positions=LUNCH~04HMASW9NF6YF:17,TEA:04HMASW9NF6YF:3", &[]);
    assert_eq!(both.resume.expect("a resume").positions.len(), 2);
    let one = asked("/sse?resume=R&positions=LUNCH,LUNCH:17,a+b:04HMASW9NF6YF:1,TEA:04HMASW9NF6YF:3", &[]);
    assert_eq!(one.resume.expect("a resume").positions.len(), 1, "what is no position costs nothing else");
}

#[test]
fn a_bearer_that_is_no_token_of_ours_is_the_policys() {
    let theirs = asked("/sse", &[("authorization", "bearer eyJ0.eyJz.c2ln")]);
    assert!(theirs.resume.is_none());
    assert_eq!(shown(&theirs), Some("eyJ0.eyJz.c2ln"));
    let ours = asked("/sse", &[("authorization", &format!("Bearer {TOKEN}"))]);
    assert_eq!(shown(&ours), None);
    assert!(asked("/sse", &[("authorization", "Basic QQ==")]).shown.is_none());
    let beside = asked("/sse?token=eyJ0.eyJz.c2ln", &[("authorization", &format!("Bearer {TOKEN}"))]);
    assert_eq!((token(&beside), shown(&beside)), (Some(TOKEN), Some("eyJ0.eyJz.c2ln")));
    let last = format!("{TOKEN}~TEA:04HMASW9NF6YF:3");
    let in_headers = asked("/sse", &[("last-event-id", &last), ("authorization", "Bearer eyJ0.eyJz.c2ln")]);
    assert_eq!((token(&in_headers), shown(&in_headers)), (Some(TOKEN), Some("eyJ0.eyJz.c2ln")));
    assert_eq!(in_headers.resume.expect("a resume").positions.len(), 1);
}

#[test]
fn credentials_that_cannot_be_used_are_refused_and_not_repeated() {
    for (uri, bearer) in [("/sse?token=hush", "Bearer hushed"), ("/sse?access_token=hush", "Basic aHVzaA==")] {
        let refused = read(uri, &[("authorization", bearer)]).err().expect(uri);
        assert_eq!((refused.code, refused.field), (RejectCode::BadField, Some("token")), "{uri}");
        assert!(!refused.message.contains("hush"), "{refused}");
    }
}

#[test]
fn a_room_is_joined_or_made() {
    let nick = Nick::parse("Ann").expect("a nick");
    let lunch = RoomCode::parse("LUNCH").expect("a code");
    let join = Command::join(lunch.clone(), nick.clone()).with_history(7);
    assert_eq!(asked("/sse?room=lunch&nick=Ann&history=7", &[]).entry, Some(join));
    let secret = RoomSecret::parse("two words").expect("a secret");
    let shown = Command::join(lunch.clone(), nick.clone()).with_secret(secret);
    assert_eq!(asked("/sse?room=lunch&nick=Ann&secret=two+words", &[]).entry, Some(shown));
    let skips = Command::join(lunch.clone(), nick.clone()).with_catch_up(20);
    let both = asked("/sse?room=lunch&nick=Ann&catch_up=20", &[]);
    assert_eq!((both.entry, both.catch_up), (Some(skips), Some(20)));
    let data = PersonData::parse(r#"{"id":"a b"}"#).expect("an object");
    let shown = Command::join(lunch.clone(), nick.clone()).with_person_data(data.clone());
    assert_eq!(asked("/sse?room=lunch&nick=Ann&data={%22id%22:+%22a+b%22}", &[]).entry, Some(shown));
    let shown = Command::create(nick.clone()).with_person_data(data);
    assert_eq!(asked("/sse?create&nick=Ann&data={%22id%22:%22a%20b%22}", &[]).entry, Some(shown));
    let drawn = Command::create(nick.clone());
    assert_eq!(asked("/sse?create&nick=Ann", &[]).entry, Some(drawn));
    let named = Command::create(nick).with_room(lunch);
    assert_eq!(asked("/sse?create=lunch&nick=Ann", &[]).entry, Some(named.clone()));
    assert_eq!(asked("/sse?create&room=lunch&nick=Ann", &[]).entry, Some(named));
}

#[test]
fn what_is_wrong_is_named() {
    use RejectCode::{BadField, TooLong};
    assert_eq!(refusal("/sse?room=LUNCH"), (BadField, Some("nick")));
    assert_eq!(refusal("/sse?create"), (BadField, Some("nick")));
    assert_eq!(refusal("/sse?room=a+b&nick=Ann"), (BadField, Some("room")));
    assert_eq!(refusal("/sse?create=a+b&nick=Ann"), (BadField, Some("create")));
    assert_eq!(refusal("/sse?create=A&nick=Ann"), (BadField, Some("create")));
    assert_eq!(refusal("/sse?create&room=A&nick=Ann"), (BadField, Some("room")));
    assert_eq!(refusal("/sse?room=LUNCH&nick=Ann&history=-1"), (BadField, Some("history")));
    assert_eq!(refusal("/sse?room=LUNCH&nick=Ann&secret=%0A"), (BadField, Some("secret")));
    for wrong in ["-1", "1.5", "many", "4294967296"] {
        assert_eq!(refusal(&format!("/sse?resume=R&catch_up={wrong}")), (BadField, Some("catch_up")), "{wrong}");
    }
    assert_eq!(refusal("/sse?room=LUNCH&nick=Ann&data=[]"), (BadField, Some("data")));
    let long = "x".repeat(249);
    assert_eq!(refusal(&format!("/sse?create&nick=Ann&data={{%22a%22:%22{long}%22}}")), (TooLong, Some("data")));
    assert_eq!(refusal(&format!("/sse?room=LUNCH&nick={}", "n".repeat(33))), (TooLong, Some("nick")));
}
