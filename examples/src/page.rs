//! The page, embedded in the binary, and sent with headers that let it do nothing but chat.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

struct Asset {
    path: &'static str,
    bytes: &'static [u8],
}

macro_rules! asset {
    ($path:literal) => {
        Asset { path: $path, bytes: include_bytes!(concat!("../page/", $path)) }
    };
}

const INDEX: &str = "index.html";

/// Every file of the page; a test holds this against the folder.
const ASSETS: &[Asset] = &[
    asset!("index.html"),
    asset!("js/alerts.js"),
    asset!("js/blocks.js"),
    asset!("js/client.js"),
    asset!("js/composer.js"),
    asset!("js/dialog.js"),
    asset!("js/dom.js"),
    asset!("js/head.js"),
    asset!("js/home.js"),
    asset!("js/keys.js"),
    asset!("js/layers.js"),
    asset!("js/log.js"),
    asset!("js/main.js"),
    asset!("js/members.js"),
    asset!("js/menu.js"),
    asset!("js/message.js"),
    asset!("js/room.js"),
    asset!("js/route.js"),
    asset!("js/session.js"),
    asset!("js/settings.js"),
    asset!("js/sidebar.js"),
    asset!("js/socketio.js"),
    asset!("js/storage.js"),
    asset!("js/tabs.js"),
    asset!("js/text.js"),
    asset!("js/time.js"),
    asset!("js/timeline.js"),
    asset!("js/transports.js"),
    asset!("js/words.js"),
    asset!("style.css"),
    asset!("vendor/socket.io.LICENSE.txt"),
    asset!("vendor/socket.io.esm.min.js"),
];

/// Only this page's own scripts, styles and connections; nobody may frame it (Content Security Policy, level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page at `/`, what it loads below `/page/`.
pub fn page() -> Router {
    Router::new().route("/", get(|headers: HeaderMap| async move { send(INDEX, &headers) })).route(
        "/page/{*path}",
        get(|Path(path): Path<String>, headers: HeaderMap| async move { send(&path, &headers) }),
    )
}

fn send(path: &str, asked: &HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return (StatusCode::NOT_FOUND, headers("text/plain; charset=utf-8"), "no such file\n").into_response();
    };
    let tag = tag(asset.bytes);
    let headers = headers(content_type(path));
    let is_known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    if is_known {
        return (StatusCode::NOT_MODIFIED, headers, [(header::ETAG, tag)]).into_response();
    }
    (headers, [(header::ETAG, tag)], asset.bytes).into_response()
}

fn headers(content_type: &'static str) -> [(HeaderName, &'static str); 5] {
    [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Asked for each time, and sent only when it has changed: a new server has a new page.
        (header::CACHE_CONTROL, "no-cache"),
    ]
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("txt") => "text/plain; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// Tells versions of a file apart; good from one build to the next, which is all a browser needs.
fn tag(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    fn files(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("the page's folder is readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                files(&path, root, found);
            } else {
                let name = path.strip_prefix(root).expect("it lies below the folder");
                found.insert(name.to_string_lossy().replace('\\', "/"));
            }
        }
    }

    #[test]
    fn every_file_of_the_page_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        let mut found = BTreeSet::new();
        files(&root, &root, &mut found);
        let embedded: BTreeSet<String> = ASSETS.iter().map(|asset| asset.path.to_owned()).collect();
        assert_eq!(embedded, found);
    }

    async fn fetch(path: &str, tag: Option<&str>) -> Response {
        let mut request = Request::get(path);
        if let Some(tag) = tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let request = request.body(Body::empty()).expect("a request");
        page().oneshot(request).await.expect("routers do not fail")
    }

    #[tokio::test]
    async fn the_page_is_sent_once_per_version_and_may_do_nothing_but_chat() {
        let response = fetch("/", None).await;
        assert_eq!(response.status(), StatusCode::OK);
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        let tag = response.headers()[header::ETAG].to_str().expect("text").to_owned();
        assert_eq!(fetch("/", Some(&tag)).await.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(fetch("/page/../Cargo.toml", None).await.status(), StatusCode::NOT_FOUND);
    }
}
