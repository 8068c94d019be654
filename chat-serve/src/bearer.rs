//! The credentials of a request: what `Authorization: Bearer` carries.

use axum::http::{HeaderMap, header};

/// The token of an `Authorization: Bearer` header; the scheme in any case, as RFC 9110 has it. `None` for any other scheme.
///
/// Where else the transports look for what they give a policy, [`Credentials`](crate::Credentials) says: a cookie by its name, for example. What
/// is sent in another way yet (in two cookies, say, or signed) a middleware around the routes makes a bearer of. One that is there already
/// stays: over SSE it may be the token of a session.
///
/// ```
/// use axum::extract::Request;
/// use axum::http::{HeaderMap, HeaderValue, header};
///
/// /// The cookie `pass` as a bearer.
/// async fn pass_as_bearer(mut request: Request) -> Request {
///     if let Some(bearer) = pass(request.headers()) {
///         request.headers_mut().entry(header::AUTHORIZATION).or_insert(bearer);
///     }
///     request
/// }
///
/// fn pass(headers: &HeaderMap) -> Option<HeaderValue> {
///     let mut cookies = headers.get(header::COOKIE)?.to_str().ok()?.split("; ");
///     let pass = cookies.find_map(|cookie| cookie.strip_prefix("pass="))?;
///     HeaderValue::try_from(format!("Bearer {pass}")).ok()
/// }
///
/// # fn around(routes: axum::Router) -> axum::Router {
/// let app = routes.layer(axum::middleware::map_request(pass_as_bearer));
/// # app
/// # }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let of = |name: &str, line: &str| Request::builder().header(name, line).body(axum::body::Body::empty()).unwrap();
/// # let shown = |request| chat_serve::bearer(runtime.block_on(pass_as_bearer(request)).headers()).map(str::to_owned);
/// # assert_eq!(shown(of("cookie", "a=1; pass=ann-17")).as_deref(), Some("ann-17"));
/// # assert_eq!(shown(of("authorization", "Bearer TOKEN")).as_deref(), Some("TOKEN"));
/// # assert_eq!(shown(of("cookie", "a=1")), None);
/// ```
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_read_in_any_case_and_no_other_scheme_is() {
        for (line, token) in [
            ("Bearer ann", Some("ann")),
            ("bEARER   ann ", Some("ann")),
            ("Basic YW5u", None),
            ("Bearer", None),
            ("ann", None),
        ] {
            let headers = [(header::AUTHORIZATION, line.parse().expect("a header value"))].into_iter().collect();
            assert_eq!(bearer(&headers), token, "{line:?}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
