//! What X says of itself: its time, and the webhook.

use std::time::Duration;

use aaa_client::{Client, RetryPolicy};
use aaa_replay::{
    driver::{Pace, Target, TargetError, XClock},
    engine::{Settings, Webhook},
};
use aaa_types::WebhookId;
use jiff::SignedDuration;
use tokio::time::timeout;

use super::picture::{Now, Picture};
use crate::{
    api,
    cli::{Api, ApiArgs, OfArgs, RouteArgs},
    credentials::Credentials,
    exit::{Exit, Failure},
    output,
};

/// How long a look at the store waits for X.
const PATIENCE: Duration = Duration::from_secs(3);

/// Stands for the webhook while nobody has named one and nothing was ever asked for: then nothing
/// depends on it.
const NONE: u64 = 1;

/// X's time and the webhook, as well as they are known.
pub(super) struct X {
    pub(super) clock: XClock,
    pub(super) settings: Settings,
    pub(super) webhook: Webhook,
    /// None when X is not to be asked.
    client: Option<Client>,
    every: SignedDuration,
}

impl X {
    /// Asks X; fails when it does not answer, and when it is not clear which webhook is meant.
    pub(super) async fn ask(
        of: &OfArgs,
        (args, route): (ApiArgs, RouteArgs),
        credentials: &Credentials,
    ) -> Result<(Self, Client), Failure> {
        credentials.bearer()?;
        let client = api::replay_client(credentials, args, route)?;
        let clock = XClock::new();
        clock.observe(client.server_time().await?);
        let webhooks = client.app().list_webhooks().await?;
        let found = target(of).find(&webhooks);
        let found = found.map_err(|error| match error {
            TargetError::Several(_) => several(error),
            error => Exit::Failed.with(error.to_string()),
        })?;
        let webhook = Webhook { id: found.id, created_at: found.created_at };
        Ok((Self::new(clock, args, credentials, webhook, Some(client.clone())), client))
    }

    /// Asks X if that is possible and wanted, and goes by the store otherwise; fails when it is not
    /// clear which of several webhooks is meant.
    pub(super) async fn guess(
        of: &OfArgs,
        args: ApiArgs,
        credentials: &Credentials,
        offline: bool,
        picture: &Picture,
    ) -> Result<Self, Failure> {
        let clock = XClock::new();
        if let Some(last) = picture.last() {
            clock.assume(last.offset);
        }
        let known = of.webhook.or_else(|| picture.webhook());
        let mut webhook = Webhook { id: known.map_or_else(nobody, Ok)?, created_at: None };
        if offline || !credentials.has_bearer() {
            return Ok(Self::new(clock, args, credentials, webhook, None));
        }
        let client = api::client(credentials, args)?.with_retry(RetryPolicy::none());
        let asked = async {
            clock.observe(client.server_time().await?);
            client.app().list_webhooks().await
        };
        match timeout(PATIENCE, asked).await {
            Ok(Ok(webhooks)) => {
                let named = match target(of).find(&webhooks) {
                    Err(error @ TargetError::Several(_)) => return Err(several(error)),
                    named => named.ok(),
                };
                let found = named.or_else(|| webhooks.iter().find(|w| w.id == webhook.id));
                if let Some(found) = found {
                    webhook = Webhook { id: found.id, created_at: found.created_at };
                }
            }
            Ok(Err(error)) => by_the_store(&error.to_string()),
            Err(_) => by_the_store("X does not answer"),
        }
        Ok(Self::new(clock, args, credentials, webhook, Some(client)))
    }

    fn new(
        clock: XClock,
        args: ApiArgs,
        credentials: &Credentials,
        webhook: Webhook,
        client: Option<Client>,
    ) -> Self {
        let every = Pace::for_loopback(credentials.api().is_loopback()).clock;
        Self { clock, settings: settings(args.api, credentials), webhook, client, every }
    }

    /// Returns this moment.
    pub(super) fn now(&self) -> Now {
        Now { x: self.clock.now(), wall: self.clock.wall() }
    }

    /// Reads X's clock again when the last reading is old; without an answer it goes on as it was.
    pub(super) async fn keep_clock(&self) {
        let is_old = self.clock.age().is_some_and(|age| age >= self.every);
        let Some(client) = self.client.as_ref().filter(|_| is_old) else { return };
        match timeout(PATIENCE, client.server_time()).await {
            Ok(Ok(date)) => self.clock.observe(date),
            // It is as old as it was; the next look tries again.
            Ok(Err(error)) => tracing::debug!(%error, "X's clock could not be read"),
            Err(_) => tracing::debug!("X's clock could not be read in time"),
        }
    }
}

/// Returns what X's documents say of a generation's limits.
pub(crate) fn documented(api: Api) -> Settings {
    match api {
        Api::V2 => Settings::v2(),
        Api::V1_1 => Settings::v1_1(),
    }
}

/// Returns what is known of a generation's limits. An emulator may be asked again sooner than X.
pub(crate) fn settings(api: Api, credentials: &Credentials) -> Settings {
    let settings = documented(api);
    if credentials.api().is_loopback() {
        let (pause, long_pause) = (SignedDuration::from_secs(2), SignedDuration::from_secs(20));
        return Settings { pause, long_pause, ..settings };
    }
    settings
}

fn target(of: &OfArgs) -> Target {
    match (of.webhook, &of.public_url) {
        (Some(id), _) => Target::Id(id),
        (None, Some(url)) => Target::Url(url.clone()),
        (None, None) => Target::Only,
    }
}

fn several(error: TargetError) -> Failure {
    Exit::Usage.with(format!("{error}: --webhook ID or --public-url URL"))
}

fn nobody() -> Result<WebhookId, Failure> {
    NONE.try_into().map_err(|_| Exit::Failed.with("no webhook is known"))
}

fn by_the_store(why: &str) {
    output::note(format_args!("going by what the store knows of X's time: {why}"));
}
