//! Who a page is: an `EventSource` sets no header, so it says so by cookie or in the query.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_core::{Admission, ConnectRequest, Engine, Policy, Reject};
use transport_sse::{Credentials, Origins, SseConfig};

use super::support::TestServer;

/// Lets everybody in, and remembers what they showed.
#[derive(Default)]
struct Book(Mutex<Vec<Option<String>>>);

#[async_trait]
impl Policy for Book {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        self.0.lock().expect("not poisoned").push(request.credentials.clone());
        Ok(Admission::guest())
    }
}

fn server(book: &Arc<Book>, config: SseConfig) -> TestServer {
    TestServer::build(Engine::builder().policy(Arc::clone(book) as _), config)
}

fn of_pages() -> SseConfig {
    SseConfig { credentials: Credentials::default().cookie("pass").query("ticket"), ..SseConfig::default() }
}

#[tokio::test]
async fn a_page_says_who_it_is_by_cookie_or_in_the_query() {
    let book = Arc::new(Book::default());
    let server = server(&book, of_pages());
    for (uri, cookie) in [
        ("/sse", "a=1; pass=ann"),
        ("/sse?ticket=ann", "a=1"),
        ("/sse?token=ann", "a=1"),
        ("/sse?token=ann", "pass=ann"),
    ] {
        server.open_with(uri, &[("cookie", cookie)]).await.expect("welcome").await;
        assert_eq!(book.0.lock().expect("not poisoned").pop(), Some(Some("ann".to_owned())), "{uri} {cookie}");
    }
    for uri in ["/sse?token=ann&ticket=bob", "/sse?access_token=ann", "/sse?token="] {
        let refused = server.refused(uri).await;
        assert_eq!(refused.code(), (400, "bad_field"), "{uri}");
        assert!(!refused.frame.to_string().contains("ann"), "{}", refused.frame);
    }
    assert!(book.0.lock().expect("not poisoned").is_empty(), "the policy was asked about none of these");
}

#[tokio::test]
async fn a_page_of_a_listed_origin_comes_with_its_cookies_and_a_strangers_does_not_come() {
    let book = Arc::new(Book::default());
    let origins = Origins::Listed(vec!["https://www.example.org".to_owned()]);
    let server = server(&book, SseConfig { origins, ..of_pages() });
    let ask = async |origin| server.ask("/sse", &[("origin", origin), ("cookie", "pass=ann")]).await;
    let answer = ask("https://www.example.org").await;
    let says = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    assert_eq!(answer.status(), 200);
    assert_eq!(says("access-control-allow-credentials").as_deref(), Some("true"));
    assert_eq!(says("access-control-allow-origin").as_deref(), Some("https://www.example.org"));
    assert_eq!(ask("https://evil.example.org").await.status(), 403);
    assert_eq!(book.0.lock().expect("not poisoned").len(), 1);
}
