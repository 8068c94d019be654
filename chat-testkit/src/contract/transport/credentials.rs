//! Who says who they are with their first message: whom the policy knows by it, and what is an error and no guest.

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{Admission, ConnectRequest, Identity, Nick, Policy, Reject, RejectCode};
use serde_json::json;

use super::frames::text;
use super::{TestClient, TestServer, TransportHarness};

/// Whoever shows a name is that person, and called so; Eve is never let in, and who shows nothing is a guest.
struct ByName;

#[async_trait]
impl Policy for ByName {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        match request.credentials.as_deref() {
            Some("eve") => Err(Reject::new(RejectCode::Forbidden, "not you")),
            Some(name) => Ok(Admission::of(Identity::new(name)).with_nick(Nick::parse(name)?)),
            None => Ok(Admission::guest()),
        }
    }
}

async fn server<D: TransportHarness>() -> TestServer<D> {
    TestServer::build(|_| {}, |engine| engine.policy(Arc::new(ByName))).await
}

/// And who may not come in by it does not.
pub async fn a_token_in_the_first_message_says_who_one_is<D: TransportHarness>() {
    let server = server::<D>().await;
    let Some(mut ann) = TestClient::showing(&server.harness, None, "ann").await else { return };
    assert_eq!(ann.create("LUNCH", "Somebody").await["you"]["nick"], "ann");
    let mut other = TestClient::showing(&server.harness, None, "ann").await.expect("as before");
    let joined = other.join("LUNCH", "Somebody else").await;
    assert_eq!((&joined["you"]["nick"], &joined["members_total"]), (&json!("ann"), &json!(1)), "one person");
    let mut guest = server.client().await;
    assert_eq!(guest.join("LUNCH", "Bob").await["you"]["nick"], "Bob");
    let eve = server.harness.connect_showing(None, "eve").await.expect("as before");
    let (error, _) = TestClient::last_words(eve).await;
    assert_eq!(text(&error, "code"), "forbidden");
}

/// Whoever else has it begins anew, and is told so.
pub async fn a_session_comes_back_with_the_token_of_its_person_alone<D: TransportHarness>() {
    let server = server::<D>().await;
    let Some(mut ann) = TestClient::showing(&server.harness, None, "ann").await else { return };
    ann.create("LUNCH", "Ann").await;
    let trail = ann.cut().await;
    let mut ann = TestClient::showing(&server.harness, Some(&trail), "ann").await.expect("as before");
    assert_eq!(ann.welcome["resumed"], true);
    ann.say("LUNCH", "back").await;
    let trail = ann.cut().await;
    let mut bob = TestClient::showing(&server.harness, Some(&trail), "bob").await.expect("as before");
    assert_eq!(bob.welcome["resumed"], false);
    assert_eq!(bob.next().await["code"], "bad_token");
}

/// Where there is no policy; the client would take itself for somebody.
pub async fn a_token_that_nobody_reads_is_an_error<D: TransportHarness>() {
    let server = TestServer::<D>::open().await;
    let Some(ann) = server.harness.connect_showing(None, "hush-hush").await else { return };
    let (error, closing) = TestClient::last_words(ann).await;
    assert_eq!((text(&error, "code").as_str(), text(&error, "field").as_str()), ("bad_field", "token"));
    assert!(!error.to_string().contains("hush-hush"), "{error}");
    if let Some(closing) = closing {
        assert_eq!((closing["code"].as_u64(), closing.get("reconnect_after_ms")), (Some(4500), None));
    }
    assert_eq!(server.engine.stats().sessions, 0);
}
