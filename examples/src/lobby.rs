//! The lobby: which rooms may be shown to people who are not in them, as one page that is made at most once a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chat_core::{Admission, ConnectRequest, Engine, Policy, Reject, RejectCode, RoomCode};
use chat_serve::{ClientAddress, Credentials, Places, Shown};
use tokio::time::timeout;

/// The page is made anew after this time, however many ask.
const LOBBY_AGE_MAX: Duration = Duration::from_secs(1);
/// So many rooms are named at most, the first in their order: a page of them has at most 4 KiB.
const LOBBY_ROOMS_MAX: usize = 100;
/// Who asks is looked at by the policy, at most so many at once: a policy may ask a backend, and whoever is turned away can ask again.
const ASKED_MAX: usize = 64;
/// So many of one address, an office: each is there for as long as the policy takes, and a page asks for one at a time.
const ASKED_PER_ADDRESS_MAX: usize = 8;

/// Who is shown the lobby.
#[derive(Clone)]
pub enum LobbyFor {
    /// Whoever asks: nobody here is known.
    Everybody,
    /// Whom this policy lets in, by the credentials that it is shown here as in a transport: each the rooms that they may enter. Who is a guest to it
    /// is shown the lobby where guests come in.
    Admitted(Arc<Door>),
}

impl LobbyFor {
    /// Whom `policy` lets in, by what they show where `credentials` look, and from where `address` says that they come.
    pub fn admitted(policy: Arc<dyn Policy>, credentials: Credentials, address: ClientAddress) -> Self {
        let places = Places::new(ASKED_MAX, ASKED_PER_ADDRESS_MAX);
        Self::Admitted(Arc::new(Door { policy, credentials, address, places }))
    }
}

/// Where it is asked who somebody is.
pub struct Door {
    policy: Arc<dyn Policy>,
    credentials: Credentials,
    address: ClientAddress,
    places: Arc<Places>,
}

/// Codes in their order, and when they were asked for.
type Page = Arc<Mutex<Option<(Instant, Arc<[RoomCode]>)>>>;

/// `/lobby` answers with `{"rooms":["CODE",...]}`: the rooms whose settings say that they are `listed`. Who is not let in is answered with 401 or 503 and
/// an `error` frame.
pub fn lobby(engine: Engine, who: LobbyFor) -> Router {
    let page = Page::default();
    let answer = move |request: Request| {
        let (page, engine, who) = (Arc::clone(&page), engine.clone(), who.clone());
        async move {
            let admission = match &who {
                LobbyFor::Everybody => Admission::guest(),
                LobbyFor::Admitted(door) => {
                    let head = request.into_parts().0;
                    match door.admit(&head, engine.limits().engine.policy_timeout).await {
                        Ok(admission) => admission,
                        Err(reject) => return refused(&reject),
                    }
                }
            };
            let codes = current(&page, Instant::now(), || engine.rooms_listed().into_iter().collect());
            let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, cached(&who))];
            (headers, body_of(codes.iter().filter(|code| admission.may_enter(code)))).into_response()
        }
    };
    Router::new().route("/lobby", get(answer))
}

/// What is shown to one person is nobody else's to keep.
fn cached(who: &LobbyFor) -> &'static str {
    match who {
        LobbyFor::Everybody => "max-age=1",
        LobbyFor::Admitted(..) => "no-store",
    }
}

impl Door {
    async fn admit(&self, head: &Parts, patience: Duration) -> Result<Admission, Reject> {
        let shown = self.credentials.find(head).map_err(|bad| Reject::bad_field("token", bad.to_string()))?;
        let (credentials, shown_in) = Shown::parts(shown);
        let address = self.address.find(head);
        let Ok(_place) = self.places.take(address) else {
            return Err(Reject::new(RejectCode::Busy, "too many ask who they are"));
        };
        let request = ConnectRequest { transport: "lobby", address, credentials, shown_in };
        let admitted = timeout(patience, self.policy.admit(&request)).await;
        admitted.unwrap_or_else(|_| Err(Reject::new(RejectCode::Unavailable, "nobody says who this is in time")))
    }
}

fn refused(reject: &Reject) -> Response {
    let status = match reject.code {
        RejectCode::Unavailable | RejectCode::Busy => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNAUTHORIZED,
    };
    let frame = serde_json::json!({ "type": "error", "code": reject.code.as_str(), "message": &*reject.message });
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    let mut response = (status, headers, frame.to_string()).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn current(page: &Page, now: Instant, make: impl FnOnce() -> Arc<[RoomCode]>) -> Arc<[RoomCode]> {
    let mut page = page.lock().unwrap_or_else(PoisonError::into_inner);
    match &*page {
        Some((made, codes)) if now.duration_since(*made) < LOBBY_AGE_MAX => Arc::clone(codes),
        _ => Arc::clone(&page.insert((now, make())).1),
    }
}

/// Codes hold nothing that JSON escapes.
fn body_of<'c>(codes: impl Iterator<Item = &'c RoomCode>) -> String {
    let named: Vec<String> = codes.take(LOBBY_ROOMS_MAX).map(|code| format!("\"{code}\"")).collect();
    format!("{{\"rooms\":[{}]}}", named.join(","))
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use axum::body::{Body, to_bytes};
    use chat_core::{Command, Guests, RoomOptions, SessionView, SettingsChange};
    use futures_util::FutureExt;
    use tower::ServiceExt;

    use super::*;

    /// Knows who says `ann`, and lets no guest in; a pass called `slow` is never looked at.
    struct Doorkeeper;

    #[async_trait]
    impl Policy for Doorkeeper {
        async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
            match request.credentials.as_deref() {
                None => Guests::Deny.admit(),
                Some("ann") => Ok(Admission::guest().with_rooms(["OPEN".parse().expect("a code")])),
                Some("slow") => std::future::pending().await,
                Some(_) => Err(Reject::new(RejectCode::BadToken, "who is that?")),
            }
        }

        async fn check(&self, _: &SessionView, command: Command) -> Result<Command, Reject> {
            Ok(command)
        }
    }

    /// Everybody comes from the same place.
    fn nowhere() -> ClientAddress {
        ClientAddress::new(|_| Some([192, 0, 2, 1].into()))
    }

    async fn with_rooms() -> Engine {
        let engine = Engine::builder().build();
        for (code, is_listed) in [("ELSEWHERE", true), ("HIDDEN", false), ("OPEN", true)] {
            let options = RoomOptions::new().settings(SettingsChange::new().listed(is_listed));
            engine.room(&code.parse().expect("a code")).create(options).await.expect("made");
        }
        engine
    }

    async fn ask(engine: &Engine, who: LobbyFor, pass: Option<&str>) -> (StatusCode, String) {
        let bearer = pass.map(|pass| format!("Bearer {pass}"));
        let request = bearer
            .into_iter()
            .fold(Request::get("/lobby"), |request, bearer| request.header(header::AUTHORIZATION, bearer));
        let request = request.body(Body::empty()).expect("a request");
        let answer = lobby(engine.clone(), who).oneshot(request).await.expect("routers do not fail");
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 4_096).await.expect("short");
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn the_lobby_names_the_rooms_that_are_listed() {
        let engine = with_rooms().await;
        let told = ask(&engine, LobbyFor::Everybody, None).await;
        assert_eq!(told, (StatusCode::OK, "{\"rooms\":[\"ELSEWHERE\",\"OPEN\"]}".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn where_guests_are_denied_the_lobby_is_for_those_who_are_let_in() {
        let engine = with_rooms().await;
        let who = LobbyFor::admitted(Arc::new(Doorkeeper), Credentials::default(), nowhere());
        let told = ask(&engine, who.clone(), Some("ann")).await;
        assert_eq!(told, (StatusCode::OK, "{\"rooms\":[\"OPEN\"]}".to_owned()));
        for (pass, status) in [
            (None, StatusCode::UNAUTHORIZED),
            (Some("eve"), StatusCode::UNAUTHORIZED),
            (Some("slow"), StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let (refused, body) = ask(&engine, who.clone(), pass).await;
            assert_eq!(refused, status, "{pass:?}: {body}");
            assert!(body.contains("\"type\":\"error\""), "{body}");
            assert!(!body.contains("OPEN"), "{body}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_keeps_the_policy_busy_with_so_many_and_no_more() {
        let engine = with_rooms().await;
        let who = LobbyFor::admitted(Arc::new(Doorkeeper), Credentials::default(), nowhere());
        let mut slow: Vec<_> =
            (0..ASKED_PER_ADDRESS_MAX).map(|_| Box::pin(ask(&engine, who.clone(), Some("slow")))).collect();
        for one in &mut slow {
            assert!(one.as_mut().now_or_never().is_none(), "the policy does not say");
        }
        let (refused, body) = ask(&engine, who.clone(), Some("ann")).await;
        assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE, "{body}");
        assert!(body.contains("\"code\":\"busy\""), "{body}");
        for one in slow {
            assert_eq!(one.await.0, StatusCode::SERVICE_UNAVAILABLE, "after the time that a policy has");
        }
        assert_eq!(ask(&engine, who, Some("ann")).await.0, StatusCode::OK);
    }

    #[test]
    fn the_page_is_made_once_a_second() {
        let (page, start) = (Page::default(), Instant::now());
        let at = |ms, code: &str| {
            let made = || Arc::from([code.parse::<RoomCode>().expect("a code")]);
            current(&page, start + Duration::from_millis(ms), made)[0].to_string()
        };
        assert_eq!([at(0, "AAA"), at(999, "BBB"), at(1_000, "CCC")], ["AAA", "AAA", "CCC"]);
    }
}
