//! People who are who they say, and what follows that: for tests of what a policy says of somebody.

use async_trait::async_trait;
use chat_core::{Admission, ConnectRequest, Connection, Engine, Hello, Identity, Policy, Reject, Resume, Role};
use chat_testkit::one_room::nick;

/// Everybody is who their credentials say first; a role, `nowhere` for no room at all, and a name may follow.
pub struct Passes;

#[async_trait]
impl Policy for Passes {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        let Some(shown) = &request.credentials else { return Ok(Admission::guest()) };
        let mut words = shown.split(' ');
        let mut admission = Admission::of(words.next().and_then(Identity::new));
        for word in words {
            admission = match word {
                "moderator" => admission.with_role(Role::Moderator),
                "member" => admission.with_role(Role::Member),
                "nowhere" => admission.with_rooms([]),
                name => admission.with_nick(nick(name)),
            };
        }
        Ok(admission)
    }
}

pub async fn connect_as(engine: &Engine, credentials: &str) -> Connection {
    connect_again_as(engine, credentials, None).await
}

/// The same, in the session of a token where there is one.
pub async fn connect_again_as(engine: &Engine, credentials: &str, token: Option<&str>) -> Connection {
    let request = ConnectRequest { credentials: Some(credentials.to_owned()), ..ConnectRequest::default() };
    let resume = token.map(|token| Resume { token: token.to_owned(), positions: Vec::new() });
    engine.connect(request, Hello { resume, ..Hello::default() }).await.expect("everybody is let in")
}

pub fn bob() -> Identity {
    Identity::new("bob").expect("an identity")
}
