//! What the pages make is noted where the commands note it, and deleted from there.

use aaa_dashboard::{Record, RecordFuture};
use aaa_types::{WebhookId, api::Webhook};

use crate::{exit::Failure, webhooks};

impl Record for webhooks::Record {
    fn made<'a>(&'a self, webhook: &'a Webhook) -> RecordFuture<'a> {
        Box::pin(async { self.add(webhook).await.map_err(words) })
    }

    fn deleted(&self, webhook: WebhookId) -> RecordFuture<'_> {
        Box::pin(async move { self.remove(webhook).await.map_err(words) })
    }
}

fn words(failure: Failure) -> String {
    failure.to_string()
}
