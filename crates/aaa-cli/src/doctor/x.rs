//! What X says about the webhook, its subscriptions and the credentials.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aaa_client::{ClientError, ReqwestTransport, RetryPolicy, Timeouts, Transport, TransportError};
use aaa_types::{WebhookUrl, api::Webhook};
use bytes::Bytes;
use http::{Request, Response};
use jiff::SignedDuration;

use crate::{
    cli::Api,
    credentials::Credentials,
    exit::{Exit, Failure},
};

/// In which X tells what a user's token may do.
const ACCESS_LEVEL: &str = "x-access-level";

/// What was learnt. What nobody could ask is absent.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) has_secret: bool,
    pub(super) webhooks: Option<Result<Vec<Webhook>, Refusal>>,
    /// The webhook with this URL; the valid one of several.
    pub(super) webhook: Option<Webhook>,
    /// How many are subscribed to it.
    pub(super) subscribed: Option<Result<usize, Refusal>>,
    /// Whether the owner's token is taken.
    pub(super) owner: Owner,
    /// What a user's token may do, in X's words.
    pub(super) access_level: Option<String>,
    /// X's clock minus the local one.
    pub(super) clock_offset: Option<SignedDuration>,
}

/// What is known of the token of the app's owner.
#[derive(Debug, Default)]
pub(super) enum Owner {
    #[default]
    Missing,
    /// It takes a webhook and the consumer key to ask.
    NotAsked,
    Works,
    Refused(Refusal),
}

/// A call that failed.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) words: String,
    pub(super) advice: Option<String>,
    /// The API answered, and said no.
    pub(super) answered: bool,
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        let advice = error.advice().map(|advice| advice.to_string());
        Self { words: error.to_string(), advice, answered: error.api().is_some() }
    }
}

/// Asks X, and changes nothing. Nothing is repeated or waited for: what fails is the finding.
///
/// # Errors
///
/// Fails when TLS cannot be set up.
pub(super) async fn look(
    url: &WebhookUrl,
    credentials: &Credentials,
    api: Api,
) -> Result<Told, Failure> {
    let found = credentials.environment();
    let mut told = Told { has_secret: found.consumer_secret.is_some(), ..Told::default() };
    let timeouts = Timeouts { total: Duration::from_secs(15), ..Timeouts::default() };
    let transport = ReqwestTransport::new(credentials.api(), timeouts);
    let transport = transport.map_err(|error| Exit::Failed.with(error.to_string()))?;
    let level = Arc::default();
    let transport = Noting { transport, level: Arc::clone(&level) };
    let client =
        credentials.builder().version(api.into()).retry(RetryPolicy::none()).build_with(transport);
    if credentials.has_bearer() {
        let listed = client.app().list_webhooks().await;
        let with_url = |list: &Vec<Webhook>| {
            let fits = list.iter().filter(|webhook| webhook.url == *url);
            fits.max_by_key(|webhook| webhook.valid).cloned()
        };
        told.webhook = listed.as_ref().ok().and_then(with_url);
        told.webhooks = Some(listed.map_err(Refusal::from));
    } else {
        // Any answer tells X's clock.
        let _ = client.server_time().await;
    }
    if let Some(webhook) = &told.webhook {
        let listed = client.app().list_subscriptions(webhook.id).await;
        let counted = listed.map(|list| list.subscriptions.len());
        told.subscribed = Some(counted.map_err(Refusal::from));
    }
    let any = match &told.webhooks {
        Some(Ok(list)) => told.webhook.as_ref().or(list.first()),
        _ => None,
    };
    told.owner = match (&found.credentials.owner, any) {
        (None, _) => Owner::Missing,
        (Some(owner), Some(webhook)) if found.credentials.consumer.is_some() => {
            match client.user(owner.clone()).check_subscription(webhook.id).await {
                Ok(_) => Owner::Works,
                Err(error) => Owner::Refused(error.into()),
            }
        }
        _ => Owner::NotAsked,
    };
    told.access_level = level.lock().unwrap_or_else(PoisonError::into_inner).take();
    told.clock_offset = client.clock_offset();
    Ok(told)
}

/// Notes what X says of the token that a request was signed with.
struct Noting {
    transport: ReqwestTransport,
    level: Arc<Mutex<Option<String>>>,
}

impl Transport for Noting {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let answer = self.transport.send(request).await?;
        let level = answer.headers().get(ACCESS_LEVEL).and_then(|level| level.to_str().ok());
        if let Some(level) = level {
            *self.level.lock().unwrap_or_else(PoisonError::into_inner) = Some(level.to_owned());
        }
        Ok(answer)
    }

    fn pause(&self, duration: Duration) -> Option<impl Future<Output = ()> + Send> {
        self.transport.pause(duration)
    }
}
