//! The command line of a server that tells a backend what happens in its rooms.

use chat_core::{Engine, FeedBounds, FeedError, FeedName};
use chat_webhook::{BadSecret, Config, Secret, Webhook, WebhookError};
use tokio::task::JoinHandle;

use super::console::tell_failure;

/// Holds the secret that deliveries are signed with, as Standard Webhooks write it.
pub const WEBHOOK_SECRET_VARIABLE: &str = "CHAT_WEBHOOK_SECRET";
/// The feed that is delivered.
const FEED: &str = "webhook";

/// Flags about a backend that is told what happens.
#[derive(Clone, Debug, clap::Args)]
pub struct WebhookFlags {
    /// Tell this URL everything that happens in all rooms, as Standard Webhooks signed with CHAT_WEBHOOK_SECRET (`whsec_` and base64). What it does
    /// not confirm waits with the rooms of --data, up to 256 MiB or 3 days; a start without this flag gives it up. Servers that share a database
    /// (--cluster) are all given it: one of them tells at a time
    #[arg(long, value_name = "URL", requires = "kept")]
    pub webhook: Option<String>,
}

/// Why a backend cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum WebhookStartError {
    /// The URL, or what servers are trusted by.
    #[error("Cannot send webhooks: {0}")]
    Webhook(#[from] WebhookError),
    /// The secret in the environment. Its text is nobody's business.
    #[error("Cannot send webhooks: {WEBHOOK_SECRET_VARIABLE} has to be set: {0}")]
    Secret(#[from] BadSecret),
    /// The log.
    #[error("Cannot send webhooks: {0}")]
    Feed(FeedError),
}

/// Deliveries that are under way.
pub struct Sending(Option<JoinHandle<()>>);

impl WebhookFlags {
    /// How much the log holds back for the backend, where there is one.
    pub fn feed(&self) -> Option<FeedBounds> {
        self.webhook.as_ref().map(|_| FeedBounds::default())
    }

    /// Whether what the flags and the environment say can be used: nothing is sent yet.
    ///
    /// # Errors
    /// See [`WebhookStartError`].
    pub fn check(&self) -> Result<(), WebhookStartError> {
        self.webhook.as_deref().map(Self::made).transpose().map(drop)
    }

    fn made(url: &str) -> Result<Webhook, WebhookStartError> {
        let secret = Secret::parse(&std::env::var(WEBHOOK_SECRET_VARIABLE).unwrap_or_default())?;
        Ok(Webhook::new(url, secret, Config::default())?)
    }

    /// Begins to deliver, where there is a backend.
    ///
    /// # Errors
    /// See [`WebhookStartError`].
    pub async fn start(&self, engine: &Engine) -> Result<Sending, WebhookStartError> {
        let Some(url) = &self.webhook else { return Ok(Sending(None)) };
        let webhook = Self::made(url)?;
        let feed =
            engine.feed_of(FeedName::parse(FEED).expect("a valid name")).await.map_err(WebhookStartError::Feed)?;
        Ok(Sending(Some(tokio::spawn(async move {
            let error = webhook.run(feed).await;
            tell_failure(format_args!("No webhook is sent any more: {error}"));
        }))))
    }
}

impl Sending {
    /// Ends deliveries. What was not confirmed is sent after the next start.
    pub async fn end(self) {
        if let Some(task) = self.0 {
            task.abort();
            // It holds the log until it is gone.
            let _ = task.await;
        }
    }
}
