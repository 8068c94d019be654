//! Where a client's credentials are looked for, and what is found: who it is, a policy says.

use std::fmt;

use axum::extract::Query;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use tower_http::cors::CorsLayer;

use super::bearer::bearer;
use super::origins::Origins;

/// Parameters of a query that are credentials by their name, in other services: where nothing reads them, whoever sends one is mistaken.
const WELL_KNOWN: [&str; 2] = ["token", "access_token"];

/// Where the credentials of a client are looked for: what a policy is shown to say who it is.
///
/// By default in the header `Authorization: Bearer`, and in the client's first message, as `token`: of a `hello`, of Socket.IO's `auth`, of the
/// query of a stream. A page can set no header of a WebSocket or an `EventSource`; beside `token` it has cookies, and the query:
///
/// ```
/// use chat_serve::Credentials;
///
/// let of_pages = Credentials::default().cookie("pass");
/// let of_links = Credentials::default().query("ticket");
/// let of_cookies_alone = Credentials::off().cookie("pass");
/// ```
///
/// Credentials may be sent in two places only where they are the same. And one that is sent where nothing reads it is an error, as its client
/// would else be a guest without knowing it: a bearer, a `token`, and `token` or `access_token` of a query where nothing else is found. A cookie
/// is sent by the browser and not by the page: one that is not read is none.
///
/// **Cookies** come with every request to their host, whichever page has made it. So a cookie is good for the pages of
/// [`Origins::SameHost`] and of [`Origins::Listed`], and routes with a cookie and [`Origins::Any`] are not made: a stranger's page would speak
/// for whoever looks at it. Set it `HttpOnly`, `Secure`, and `SameSite=Lax` or `Strict`.
///
/// **Addresses** end up in the logs of proxies: what a query holds should be good for a minute, and once. Nothing here logs it, and no error
/// repeats it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    bearer: bool,
    message: bool,
    cookies: Vec<String>,
    parameters: Vec<String>,
}

/// What was found, and where: `bearer`, `cookie` or `query`; the first of these where it is in several.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shown {
    /// The credential.
    pub credential: String,
    /// Where it was.
    pub place: &'static str,
}

impl Shown {
    /// The credential, and where it was; nothing in no place where there is none.
    pub fn parts(shown: Option<Self>) -> (Option<String>, &'static str) {
        shown.map_or((None, ""), |Self { credential, place }| (Some(credential), place))
    }
}

impl fmt::Debug for Shown {
    /// Without the credential: it is secret, and this may go to a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Credentials that cannot be used. Never repeats them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCredentials {
    /// In two places, and not the same.
    #[error("two credentials were sent that are not the same")]
    Differ,
    /// Where nothing reads them.
    #[error("a credential was sent where none is read")]
    Unread,
    /// A parameter of the query that is there and holds nothing.
    #[error("a credential was sent that holds nothing")]
    Empty,
}

impl Default for Credentials {
    /// A bearer, or the `token` of the first message.
    fn default() -> Self {
        Self { bearer: true, message: true, ..Self::off() }
    }
}

impl Credentials {
    /// Nowhere: for a server without a policy, and to begin with.
    pub fn off() -> Self {
        Self { bearer: false, message: false, cookies: Vec::new(), parameters: Vec::new() }
    }

    /// Also the token of `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self) -> Self {
        Self { bearer: true, ..self }
    }

    /// Also the `token` of the first message.
    #[must_use]
    pub fn message(self) -> Self {
        Self { message: true, ..self }
    }

    /// Also the cookie of this name.
    #[must_use]
    pub fn cookie(mut self, name: impl Into<String>) -> Self {
        self.cookies.push(name.into());
        self
    }

    /// Also the parameter of this name, in the query of the request.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>) -> Self {
        self.parameters.push(name.into());
        self
    }

    /// Whether the `token` of a first message is read.
    pub fn reads_message(&self) -> bool {
        self.message
    }

    /// The same, where there is somebody who looks at what is found; nowhere, where there is nobody.
    #[must_use]
    pub fn where_read(self, is_read: bool) -> Self {
        if is_read { self } else { Self::off() }
    }

    /// The credentials that a client's first request shows.
    ///
    /// # Errors
    /// Where it shows some that cannot be used.
    pub fn find(&self, request: &Parts) -> Result<Option<Shown>, BadCredentials> {
        self.find_beside(request, |_| false)
    }

    /// The same, where some bearers are the transport's own and no credentials.
    ///
    /// # Errors
    /// Where it shows some that cannot be used.
    pub fn find_beside(
        &self,
        request: &Parts,
        is_own: impl FnOnce(&str) -> bool,
    ) -> Result<Option<Shown>, BadCredentials> {
        let mut found: Option<Shown> = None;
        let mut differ = false;
        let mut find = |credential: &str, place| match &found {
            Some(found) => differ |= found.credential != credential,
            None => found = Some(Shown { credential: credential.to_owned(), place }),
        };
        if let Some(token) = bearer(&request.headers).filter(|token| !is_own(token)) {
            if !self.bearer {
                return Err(BadCredentials::Unread);
            }
            find(token, "bearer");
        }
        self.cookies.iter().flat_map(|name| cookies(&request.headers, name)).for_each(|value| find(value, "cookie"));
        let parameters = match Query::<Vec<(String, String)>>::try_from_uri(&request.uri) {
            Ok(Query(parameters)) => parameters,
            Err(_) => Vec::new(),
        };
        let mut unread = false;
        for (name, value) in parameters {
            if self.parameters.contains(&name) {
                if value.is_empty() {
                    return Err(BadCredentials::Empty);
                }
                find(&value, "query");
            } else {
                unread |= WELL_KNOWN.contains(&name.as_str());
            }
        }
        match (found, unread) {
            _ if differ => Err(BadCredentials::Differ),
            (None, true) => Err(BadCredentials::Unread),
            (found, _) => Ok(found),
        }
    }

    /// What lets pages of other origins read the answers ([`Origins::cors`]), with the cookies of their browser where those are read.
    ///
    /// # Panics
    /// Where cookies are read, and any page may connect; and as [`Origins::cors`].
    pub fn cors(&self, origins: &Origins) -> Option<CorsLayer> {
        self.check(origins);
        let layer = origins.cors()?;
        Some(if self.cookies.is_empty() { layer } else { layer.allow_credentials(true) })
    }

    /// Holds that cookies are read of pages alone that were chosen.
    ///
    /// # Panics
    /// Where cookies are read, and any page may connect.
    pub fn check(&self, origins: &Origins) {
        let is_open = !self.cookies.is_empty() && *origins == Origins::Any;
        assert!(!is_open, "where cookies are credentials, the pages that may connect are listed");
    }
}

/// The values of a cookie: several where it was set for several paths.
fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    // Another cookie on the line may have bytes that are no text to HTTP: an application's, or one that a neighbour has set.
    let lines = headers.get_all(header::COOKIE).iter().map(|line| line.as_bytes());
    let pairs = lines.flat_map(|line| line.split(|byte| *byte == b';'));
    let pairs = pairs.filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='));
    let values = pairs.filter(move |(known, _)| *known == name).map(|(_, value)| value.trim());
    // A value may stand in quotes (RFC 6265); an empty one is what is left of a login that is over.
    let bare = |value: &'a str| value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    values.map(bare).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
