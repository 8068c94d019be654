//! The command line of a server that knows the users of an application: by which tokens or which backend, where those are looked for, what guests may.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use chat_core::{Guests, Policy};
use chat_serve::Credentials;
use clap::ValueEnum;
use policy_http::{BadSecret, EndpointError, HttpConfig, HttpPolicy, Secret};
use policy_jwt::{JwtConfig, JwtPolicy, KeyError};

/// Holds what the backend at `--auth-url` knows the server by.
pub const AUTH_SECRET_VARIABLE: &str = "CHAT_AUTH_SECRET";

/// Parameters of the address that a transport reads itself: those of streams and what is posted to them, and of Engine.IO. `token` is none of
/// them: it is a credential already.
const OF_TRANSPORTS: [&str; 17] = [
    "EIO",
    "at",
    "b64",
    "catch_up",
    "create",
    "cursor",
    "data",
    "history",
    "j",
    "nick",
    "positions",
    "resume",
    "room",
    "secret",
    "sid",
    "t",
    "transport",
];

/// Flags about who people are.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct UserFlags {
    /// Know people by JSON Web Tokens that were signed with the key in this file, which is read again at SIGHUP: a public key in PEM (RS256,
    /// EdDSA), a JSON Web Key Set, or a secret of 32 bytes or more (HS256)
    ///
    /// A token says who somebody is (sub) and until when (exp); and, where it has them, what they are called (name), what they are in rooms
    /// (chat_role: owner, moderator, member) and which rooms they may enter (chat_rooms).
    #[arg(long, value_name = "FILE", group = "known")]
    pub jwt_key: Option<PathBuf>,

    /// Ask this URL who people are, when they come and when they show another token: a POST of JSON, with CHAT_AUTH_SECRET (16 characters or more) as
    /// `Authorization: Bearer`. While it is down nobody new comes in, and those who are there stay
    #[arg(long, value_name = "URL", group = "known")]
    pub auth_url: Option<String>,

    /// What those may who show no token
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = GuestsMay::Allow, requires = "known")]
    pub guests: GuestsMay,

    /// Take tokens that are for this (aud), and no others; may be given several times. Without it a token that is for anybody is refused
    #[arg(long = "jwt-audience", value_name = "NAME", requires = "jwt_key", conflicts_with = "auth_url")]
    pub jwt_audiences: Vec<String>,

    /// Take tokens that this has made (iss), and no others; may be given several times
    #[arg(long = "jwt-issuer", value_name = "NAME", requires = "jwt_key", conflicts_with = "auth_url")]
    pub jwt_issuers: Vec<String>,

    /// Look for the token in this cookie too, of pages that may connect: beside `Authorization: Bearer` and what a client says first
    #[arg(long, value_name = "NAME", requires = "known", value_parser = parse_cookie)]
    pub auth_cookie: Option<String>,

    /// Look for the token in this parameter of the address too. Addresses end up in the logs of proxies: it should be good for a minute
    #[arg(long, value_name = "NAME", requires = "known", value_parser = parse_parameter)]
    pub auth_query: Option<String>,

    /// Once it is made: what is read again is its key.
    #[arg(skip)]
    policy: OnceLock<Arc<JwtPolicy>>,
}

/// What those may who show no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum GuestsMay {
    /// Whatever anybody may
    #[default]
    Allow,
    /// Not come in
    Deny,
    /// Join rooms that are there, and read
    Read,
}

impl From<GuestsMay> for Guests {
    fn from(may: GuestsMay) -> Self {
        match may {
            GuestsMay::Allow => Self::Allow,
            GuestsMay::Deny => Self::Deny,
            GuestsMay::Read => Self::Read,
        }
    }
}

/// Why a server cannot know its users.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The key of tokens.
    #[error("Cannot use the key of tokens: {0}")]
    Key(#[from] KeyError),
    /// The URL, or what its server is trusted by.
    #[error("Cannot ask --auth-url: {0}")]
    Backend(#[from] EndpointError),
    /// The secret in the environment. Its text is nobody's business.
    #[error("Cannot ask --auth-url: {AUTH_SECRET_VARIABLE} has to be set: {0}")]
    Secret(#[from] BadSecret),
}

impl UserFlags {
    /// The policy that the flags name, if they name one. Nothing is asked yet.
    ///
    /// # Errors
    /// See [`UsersError`].
    pub fn policy(&self) -> Result<Option<Arc<dyn Policy>>, UsersError> {
        if let Some(url) = &self.auth_url {
            let secret = Secret::parse(&std::env::var(AUTH_SECRET_VARIABLE).unwrap_or_default())?;
            let config = HttpConfig { guests: self.guests.into(), secret: Some(secret), ..HttpConfig::default() };
            return Ok(Some(Arc::new(HttpPolicy::new(url, config)?)));
        }
        let Some(file) = &self.jwt_key else { return Ok(None) };
        let policy = match self.policy.get() {
            Some(policy) => policy,
            None => {
                let policy = Arc::new(JwtPolicy::load(file, self.config())?);
                self.policy.get_or_init(|| policy)
            }
        };
        Ok(Some(Arc::clone(policy) as _))
    }

    /// Reads its key again; nothing, where there is no policy.
    ///
    /// # Errors
    /// Where the key cannot be used: that from before stays.
    pub(crate) fn reload(&self) -> Option<Result<(), KeyError>> {
        self.policy.get().map(|policy| policy.reload())
    }

    fn config(&self) -> JwtConfig {
        let config = JwtConfig::default().with_guests(self.guests.into());
        let config = self.jwt_audiences.iter().fold(config, JwtConfig::with_audience);
        self.jwt_issuers.iter().fold(config, JwtConfig::with_issuer)
    }

    /// Where tokens are looked for, over every transport.
    pub fn credentials(&self) -> Credentials {
        let credentials = self.auth_cookie.iter().fold(Credentials::default(), Credentials::cookie);
        self.auth_query.iter().fold(credentials, Credentials::query)
    }
}

/// The name of a cookie (RFC 6265): a token of HTTP.
fn parse_cookie(name: &str) -> Result<String, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match !name.is_empty() && name.bytes().all(is_token) {
        true => Ok(name.to_owned()),
        false => Err("a cookie has no such name: it is of letters, digits and signs like - and _".to_owned()),
    }
}

/// The name of a parameter that nothing else is read from.
fn parse_parameter(name: &str) -> Result<String, String> {
    match name {
        "" => Err("a parameter has a name".to_owned()),
        own if OF_TRANSPORTS.contains(&own) => {
            Err("a transport reads this parameter itself; choose another, as ticket".to_owned())
        }
        name => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        users: UserFlags,
    }

    fn parse(arguments: &[&str]) -> Result<UserFlags, String> {
        let named = ["server"].iter().chain(arguments);
        Arguments::try_parse_from(named).map(|arguments| arguments.users).map_err(|error| error.to_string())
    }

    #[test]
    fn a_server_without_a_key_or_a_backend_knows_nobody_and_takes_no_flag_about_users() {
        let none = parse(&[]).expect("nothing is wrong");
        assert!(none.policy().expect("there is no key").is_none() && none.reload().is_none());
        for flag in
            ["--guests=deny", "--jwt-audience=chat", "--jwt-issuer=us", "--auth-cookie=pass", "--auth-query=ticket"]
        {
            assert!(parse(&[flag]).expect_err(flag).contains("--jwt-key"), "{flag}");
        }
        let both = parse(&["--jwt-key", "key", "--auth-url", "http://backend/"]).expect_err("one of them");
        assert!(both.contains("cannot be used with"), "{both}");
        assert!(parse(&["--auth-url", "http://backend/", "--jwt-issuer=us"]).is_err());
        assert!(parse(&["--auth-url", "http://backend/", "--guests=deny", "--auth-cookie=pass"]).is_ok());
    }

    #[test]
    fn tokens_are_looked_for_where_the_flags_say() {
        let flags = parse(&["--jwt-key", "key", "--auth-cookie", "pass", "--auth-query", "ticket"]).expect("right");
        assert_eq!(flags.credentials(), Credentials::default().cookie("pass").query("ticket"));
        assert_eq!(parse(&[]).expect("nothing is wrong").credentials(), Credentials::default());
    }

    #[test]
    fn no_token_is_looked_for_where_a_transport_reads_something_else() {
        let flags = |name| parse(&["--jwt-key", "key", "--auth-query", name]);
        let document: serde_json::Value =
            serde_json::from_str(include_str!("../../transport-sse/src/openapi.json")).expect("JSON");
        let paths = document["paths"].as_object().expect("there are some").values();
        let operations = paths.flat_map(|path| path.as_object().expect("of methods").values());
        let parameters = operations.flat_map(|operation| operation["parameters"].as_array().into_iter().flatten());
        let names = parameters.filter(|parameter| parameter["in"] == "query").map(|one| one["name"].as_str());
        let names: Vec<&str> = names.map(|name| name.expect("it has one")).filter(|name| *name != "token").collect();
        assert!(names.len() > 8, "{names:?}");
        for name in names.into_iter().chain(OF_TRANSPORTS) {
            assert!(flags(name).is_err(), "{name}");
        }
        assert!(flags("token").is_ok() && flags("ticket").is_ok());
    }
}
