//! The credentials of a request: what `Authorization: Bearer` carries.

use axum::http::{HeaderMap, header};

/// The token of an `Authorization: Bearer` header; the scheme in any case, as RFC 9110 has it. `None` for any other scheme.
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
