//! `aaa webhooks ensure`: what is wanted is there afterwards, whatever was there before.

use aaa_client::{AppClient, Client, ClientError, Ensured, EnsuredWebhook, RetryPolicy};
use aaa_types::{
    WebhookUrl,
    api::{Cause, Webhook},
};
use serde::Serialize;

use super::{CHALLENGED, forget, note_made, record::Record, while_asking};
use crate::{exit::Failure, output};

/// What becomes of the other webhooks that were made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// They stay.
    Kept,
    /// The one that is wanted takes their place.
    Replaced,
}

/// The answer in JSON.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    webhook: &'a Webhook,
    outcome: &'static str,
    removed: &'a [Webhook],
}

pub(super) async fn run(
    client: &Client,
    record: &Record,
    url: &WebhookUrl,
    others: Others,
    json: bool,
) -> Result<(), Failure> {
    // What cannot be noted afterwards is better known before.
    record.made()?;
    let mut place = Place { client, app: client.app(), record, url, removed: Vec::new() };
    let ensured = while_asking(CHALLENGED, place.app.ensure_webhook(url)).await;
    let ensured = match ensured {
        Err(error) if is_full(&error) => match others {
            Others::Replaced => place.make_room(error).await?,
            Others::Kept => return Err(place.with_hint(error).await),
        },
        ensured => ensured?,
    };
    if ensured.how == Ensured::Created {
        note_made(record, &ensured.webhook).await;
    }
    let cleared = match others {
        Others::Replaced => place.clear().await,
        Others::Kept => Ok(()),
    };
    print(&ensured, &place.removed, json)?;
    cleared
}

fn print(ensured: &EnsuredWebhook, removed: &[Webhook], json: bool) -> Result<(), Failure> {
    let (outcome, words) = match ensured.how {
        Ensured::Existed => ("existing", "was there already, and is valid"),
        Ensured::Validated => ("revalidated", "was invalid; X checked it, and it is valid again"),
        _ => ("created", "is registered and valid"),
    };
    let webhook = &ensured.webhook;
    if json {
        return output::json(&Answer { webhook, outcome, removed });
    }
    output::line(format_args!("webhook {} {words}: {}", webhook.id, webhook.url))?;
    Ok(())
}

/// The place for the webhook, and those of ours that may be in it.
struct Place<'a> {
    client: &'a Client,
    app: AppClient,
    record: &'a Record,
    url: &'a WebhookUrl,
    removed: Vec<Webhook>,
}

impl Place<'_> {
    /// Removes ours, one by one and the oldest first, until the wanted one is taken.
    async fn make_room(&mut self, mut full: ClientError) -> Result<EnsuredWebhook, Failure> {
        let ours = self.ours().await?;
        for webhook in ours {
            self.remove(webhook).await?;
            match self.app.ensure_webhook(self.url).await {
                Err(error) if is_full(&error) => full = error,
                ensured => return Ok(ensured?),
            }
        }
        let advice = if self.removed.is_empty() {
            "`aaa` made none of the webhooks that are there, so it removes none: `aaa webhooks \
             list` shows them, `aaa webhooks delete ID` deletes one"
        } else {
            "the account's other webhooks are not `aaa`'s, so they stay: `aaa webhooks list` shows \
             those of this app"
        };
        Err(Failure::from(full).advise(advice))
    }

    /// Removes what is left of ours.
    async fn clear(&mut self) -> Result<(), Failure> {
        for webhook in self.ours().await? {
            self.remove(webhook).await?;
        }
        Ok(())
    }

    /// Tells whoever has no room which of ours could make it.
    async fn with_hint(&self, full: ClientError) -> Failure {
        let ours = self.ours().await.unwrap_or_default();
        let ids: Vec<_> = ours.iter().map(|webhook| webhook.id.to_string()).collect();
        let failure = Failure::from(full);
        if ids.is_empty() {
            return failure;
        }
        let ids = ids.join(", ");
        failure.advise(format!(
            "`aaa` made the webhook {ids}: with --replace the new one takes its place; or delete \
             one that is not in use"
        ))
    }

    /// Lists the webhooks that were made here, but for the wanted one. The URL must be the noted
    /// one as well: an id alone could be another's at an emulator that was started anew.
    async fn ours(&self) -> Result<Vec<Webhook>, Failure> {
        let made = self.record.made()?;
        if made.is_empty() {
            return Ok(Vec::new());
        }
        let mut ours = self.app.list_webhooks().await?;
        ours.retain(|webhook| {
            let is_ours = made.get(&webhook.id).is_some_and(|made| made.url == webhook.url);
            is_ours && webhook.url != *self.url
        });
        ours.sort_by_key(|webhook| webhook.id);
        Ok(ours)
    }

    async fn remove(&mut self, webhook: Webhook) -> Result<(), Failure> {
        let (id, url) = (webhook.id, output::printable(webhook.url.as_str()));
        let subscribed = self.subscribed(&webhook).await;
        match self.app.delete_webhook(id).await {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
        forget(self.record, id).await;
        output::note(format_args!(
            "removed webhook {id} ({url}), which `aaa` had made, and its subscriptions: {subscribed}"
        ));
        self.removed.push(webhook);
        Ok(())
    }

    /// Says in words who is subscribed: they have to be subscribed again.
    async fn subscribed(&self, webhook: &Webhook) -> String {
        /// More would hide what was said before.
        const MOST: usize = 20;
        let client = self.client.with_retry(RetryPolicy::none());
        let users = match client.app().list_subscriptions(webhook.id).await {
            Ok(list) => list.subscriptions,
            Err(_) => return "whoever was subscribed has to be subscribed again".to_owned(),
        };
        let ids: Vec<_> = users.iter().take(MOST).map(|user| user.user_id.to_string()).collect();
        match users.len() {
            0 => "nobody was subscribed".to_owned(),
            1 => format!("user {} has to be subscribed again", ids.join("")),
            2..=MOST => format!("the users {} have to be subscribed again", ids.join(", ")),
            all => format!(
                "the users {} and {} more have to be subscribed again",
                ids.join(", "),
                all.saturating_sub(MOST)
            ),
        }
    }
}

/// Says whether X takes no more webhooks.
fn is_full(error: &ClientError) -> bool {
    error.api().and_then(|api| api.cause()) == Some(Cause::TooManyWebhooks)
}
