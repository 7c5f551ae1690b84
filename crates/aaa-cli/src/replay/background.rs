//! A recovery that nobody waits for: that of the dashboard.

use std::time::Duration;

use aaa_types::WebhookId;
use jiff::SignedDuration;
use tokio::{sync::oneshot, time::timeout};

use super::{
    own::Own,
    picture::{self, Store},
    x::X,
};
use crate::{
    cli::{Api, ApiArgs, OfArgs, RouteArgs, StoreArgs, WaitArgs},
    credentials::Credentials,
    exit::{Exit, Failure},
};

/// How often to look at the store.
const LOOK: Duration = Duration::from_millis(250);

/// For how long nothing may happen although something could: whoever recovers would be in the way
/// of others. What X refuses is asked for again by whoever begins anew.
const IDLE: SignedDuration = SignedDuration::from_mins(15);

/// A recovery under way.
pub(crate) struct Background {
    store: Store,
    own: Own,
    x: X,
}

impl Background {
    /// Begins, unless somebody else looks after the replays or nobody receives.
    ///
    /// # Errors
    ///
    /// Fails with why that is no use.
    pub(crate) async fn begin(
        store: &StoreArgs,
        api: Api,
        credentials: &Credentials,
        webhook: WebhookId,
    ) -> Result<Self, Failure> {
        let data_dir = store.data_dir.clone();
        let args =
            OfArgs { store: StoreArgs { data_dir }, webhook: Some(webhook), public_url: None };
        let wait = WaitArgs { max_wait: Duration::ZERO, no_wait: true };
        let store = picture::open(&args.store)?;
        let (x, client) =
            X::ask(&args, (ApiArgs { api, wait, json: false }, RouteArgs::default()), credentials)
                .await?;
        let (picture, now) = (picture::read(&store).await?, x.now());
        if let Some(lease) = picture.holder(now) {
            let name = &lease.holder.name;
            return Err(Exit::Failed.with(format!("{name} looks after the replays already")));
        }
        if !picture.is_received(now) {
            let words =
                "nobody receives into this store, and what X replays arrives at the receiver";
            return Err(Exit::Failed.with(words));
        }
        let beginning = (&picture, x.webhook.id, x.settings);
        let name = "aaa dashboard";
        let own = Own::start(name, &args.store, &client, credentials, &store, beginning).await?;
        Ok(Self { store, own, x })
    }

    /// Goes on until there is nothing more to do now, nobody receives any more, or it is stopped.
    pub(crate) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let (mut newest, mut moved) = (0, self.x.clock.uptime());
        loop {
            self.x.keep_clock().await;
            let Ok(picture) = picture::read(&self.store).await else { break };
            let now = self.x.now();
            let plan = picture.plan(self.x.webhook, self.x.settings, now);
            let live = picture.live(self.x.webhook.id, now).is_some();
            let last = picture.attempts.last().map_or(0, |attempt| attempt.number);
            if live || last > newest {
                (newest, moved) = (last, self.x.clock.uptime());
            }
            let is_idle = self.x.clock.uptime().saturating_sub(moved) > IDLE;
            if (plan.now.is_empty() && !live) || !picture.is_received(now) || is_idle {
                break;
            }
            if self.own.feed(&self.store, &picture, now).await.is_err() {
                break;
            }
            if timeout(LOOK, &mut stopped).await.is_ok() {
                break;
            }
        }
        self.own.stop().await;
    }
}
