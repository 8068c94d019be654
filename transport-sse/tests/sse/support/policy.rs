//! A policy that says what a test wants it to.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use chat_core::{Admission, Command, ConnectRequest, Identity, Policy, Reject, RejectCode, SessionView};
use tokio::sync::watch;

/// Lets everybody in, as whoever their credentials say they are, but for refusals that were asked for.
#[derive(Default)]
pub(crate) struct Says {
    /// One for each client that wants to connect, until there are none left.
    pub(crate) to_clients: Mutex<VecDeque<Reject>>,
    /// To every topic: the code that it names.
    pub(crate) to_topics: bool,
    /// While it is, commands wait.
    pub(crate) is_busy: watch::Sender<bool>,
    /// What clients have shown.
    pub(crate) shown: Mutex<Vec<ConnectRequest>>,
}

impl Says {
    pub(crate) fn to_clients(rejects: impl IntoIterator<Item = Reject>) -> Self {
        Self { to_clients: Mutex::new(rejects.into_iter().collect()), ..Self::default() }
    }
}

#[async_trait]
impl Policy for Says {
    async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Reject> {
        self.shown.lock().expect("no test panics with it").push(request.clone());
        match self.to_clients.lock().expect("no test panics with it").pop_front() {
            Some(reject) => Err(reject),
            None => Ok(Admission::of(request.credentials.as_deref().and_then(Identity::new))),
        }
    }

    async fn check(&self, _: &SessionView, command: Command) -> Result<Command, Reject> {
        self.is_busy.subscribe().wait_for(|is_busy| !is_busy).await.expect("the policy outlives its commands");
        match &command {
            Command::SetTopic { topic, .. } if self.to_topics => {
                let code = RejectCode::ALL.iter().copied().find(|code| code.as_str() == topic.as_str());
                Err(Reject::new(code.expect("a code"), "as the topic says"))
            }
            _ => Ok(command),
        }
    }
}
