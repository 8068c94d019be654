//! The lobby: which rooms may be shown to people who are not in them, as one page that is made at most once a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header;
use axum::routing::get;
use chat_core::Engine;

/// The page is made anew after this time, however many ask.
const LOBBY_AGE_MAX: Duration = Duration::from_secs(1);
/// So many rooms are named at most, the first in their order: a page of them has at most 4 KiB.
const LOBBY_ROOMS_MAX: usize = 100;

type Page = Arc<Mutex<Option<(Instant, String)>>>;

/// `/lobby` answers with `{"rooms":["CODE",...]}`: the rooms whose settings say that they are `listed`.
pub fn lobby(engine: Engine) -> Router {
    let page = Page::default();
    let answer = move || {
        let body = current(&page, Instant::now(), || body_of(&engine));
        async move { ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "max-age=1")], body) }
    };
    Router::new().route("/lobby", get(answer))
}

fn current(page: &Page, now: Instant, make: impl FnOnce() -> String) -> String {
    let mut page = page.lock().unwrap_or_else(PoisonError::into_inner);
    match &*page {
        Some((made, body)) if now.duration_since(*made) < LOBBY_AGE_MAX => body.clone(),
        _ => page.insert((now, make())).1.clone(),
    }
}

/// Codes hold nothing that JSON escapes.
fn body_of(engine: &Engine) -> String {
    let codes = engine.rooms_listed();
    let named: Vec<String> = codes.iter().take(LOBBY_ROOMS_MAX).map(|code| format!("\"{code}\"")).collect();
    format!("{{\"rooms\":[{}]}}", named.join(","))
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use chat_core::{RoomOptions, SettingsChange};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn the_lobby_names_the_rooms_that_are_listed() {
        let engine = Engine::builder().build();
        let ask = async || {
            let request = Request::get("/lobby").body(Body::empty()).expect("a request");
            let answer = lobby(engine.clone()).oneshot(request).await.expect("routers do not fail");
            to_bytes(answer.into_body(), 4_096).await.expect("short")
        };
        for (code, is_listed) in [("OPEN", true), ("HIDDEN", false)] {
            let options = RoomOptions::new().settings(SettingsChange::new().listed(is_listed));
            engine.room(&code.parse().expect("a code")).create(options).await.expect("made");
        }
        assert_eq!(ask().await, "{\"rooms\":[\"OPEN\"]}");
    }

    #[test]
    fn the_page_is_made_once_a_second() {
        let (page, start) = (Page::default(), Instant::now());
        let at = |ms, body: &str| current(&page, start + Duration::from_millis(ms), || body.to_owned());
        assert_eq!([at(0, "a"), at(999, "b"), at(1_000, "c")], ["a", "a", "c"]);
    }
}
