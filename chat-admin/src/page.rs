//! The operator's page: four files without a secret in them, which may do nothing but ask these routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::OriginalUri;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::call::Shared;

/// Only this page's own script, style and requests; nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
    base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

const INDEX: &str = include_str!("page/index.html");
const SCRIPT: &str = include_str!("page/admin.js");
const PEOPLE: &str = include_str!("page/people.js");
const STYLE: &str = include_str!("page/admin.css");
/// What stands in the index for where it is nested.
const BASE: &str = "{base}";

pub(crate) fn page() -> Router<Arc<Shared>> {
    let index = async |OriginalUri(uri): OriginalUri| send("text/html; charset=utf-8", index(uri.path()));
    Router::new()
        .route("/", get(index))
        .route("/admin.js", get(async || send("text/javascript; charset=utf-8", SCRIPT)))
        .route("/people.js", get(async || send("text/javascript; charset=utf-8", PEOPLE)))
        .route("/admin.css", get(async || send("text/css; charset=utf-8", STYLE)))
}

/// The index for this path: what it names is below that, whether or not the path ends in a slash.
fn index(path: &str) -> String {
    let escaped: String = path
        .trim_matches('/')
        .chars()
        .map(|letter| match letter {
            '&' => "&amp;".to_owned(),
            '"' => "&quot;".to_owned(),
            '<' => "&lt;".to_owned(),
            letter => letter.to_string(),
        })
        .collect();
    let base = if escaped.is_empty() { "/".to_owned() } else { format!("/{escaped}/") };
    INDEX.replace(BASE, &base)
}

fn send(content_type: &'static str, text: impl Into<String>) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_finds_its_files_wherever_it_is_nested() {
        for (path, base) in
            [("/", "/"), ("/admin", "/admin/"), ("/admin/", "/admin/"), ("/a/\"<b>&", "/a/&quot;&lt;b>&amp;/")]
        {
            assert!(index(path).contains(&format!("<base href=\"{base}\">")), "{path}");
        }
    }
}
