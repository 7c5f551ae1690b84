//! `aaa webhooks`: registers webhooks, lists, validates and deletes them.

mod ensure;
mod record;

use aaa_client::{AppClient, ClientError};
use aaa_types::{
    WebhookId, WebhookUrl,
    api::{Cause, Webhook},
};
use serde_json::json;

pub(crate) use self::record::Record;
use crate::{
    api,
    cli::{WebhooksArgs, WebhooksCommand},
    credentials::Credentials,
    exit::{Exit, Failure},
    output,
    table::Table,
};

pub(crate) async fn run(args: WebhooksArgs, credentials: &Credentials) -> Result<(), Failure> {
    let json = args.api.json;
    let url = |text: &str| api::webhook_url(text, credentials);
    let client = api::client(credentials, args.api)?;
    let app = client.app();
    match args.command {
        WebhooksCommand::Create { url: text, store } => {
            let record = Record::new(&store.data_dir, client.api_url());
            create(&app, &record, &url(&text)?, json).await
        }
        WebhooksCommand::List => list(&app, json).await,
        WebhooksCommand::Validate { id } => validate(&app, id, json).await,
        WebhooksCommand::Delete { id, store } => {
            let record = Record::new(&store.data_dir, client.api_url());
            delete(&app, &record, id, json).await
        }
        WebhooksCommand::Ensure { url: text, replace, store } => {
            let record = Record::new(&store.data_dir, client.api_url());
            let others = if replace { ensure::Others::Replaced } else { ensure::Others::Kept };
            ensure::run(&client, &record, &url(&text)?, others, json).await
        }
    }
}

/// What happens while a call waits for longer than usual.
const CHALLENGED: &str = "X challenges the URL";

/// Makes a call, and shows a person what takes its time.
async fn while_asking<T>(what: &str, call: impl Future<Output = T>) -> T {
    let working = output::Working::begin(what);
    let answer = call.await;
    working.end();
    answer
}

async fn create(
    app: &AppClient,
    record: &Record,
    url: &WebhookUrl,
    json: bool,
) -> Result<(), Failure> {
    // What cannot be noted afterwards is better known before.
    record.made()?;
    let created = while_asking(CHALLENGED, app.create_webhook(url)).await;
    let webhook = match created {
        Ok(webhook) => webhook,
        Err(error) => return Err(with_hint(app, url, error).await),
    };
    note_made(record, &webhook).await;
    if json {
        return output::json(&webhook);
    }
    let state = if webhook.valid { "valid" } else { "not valid yet" };
    output::line(format_args!("webhook {} is registered and {state}: {url}", webhook.id))?;
    Ok(())
}

/// Tells whoever registers a URL twice which webhook has it: X's own words do not, and those of
/// v1.1 do not even say that one has.
async fn with_hint(app: &AppClient, url: &WebhookUrl, error: ClientError) -> Failure {
    let refused = error.api().and_then(|api| api.cause()) == Some(Cause::UrlNotAccepted);
    let is_candidate = error.is_duplicate() || refused;
    let failure = Failure::from(error);
    if !is_candidate {
        return failure;
    }
    let listed = app.list_webhooks().await.unwrap_or_default();
    match listed.into_iter().find(|webhook| webhook.url == *url) {
        Some(webhook) => {
            let id = webhook.id;
            failure.advise(format!(
                "webhook {id} has this URL already: `aaa webhooks ensure URL` takes it"
            ))
        }
        None => failure,
    }
}

async fn list(app: &AppClient, json: bool) -> Result<(), Failure> {
    let webhooks = app.list_webhooks().await?;
    for webhook in webhooks.iter().filter(|webhook| !webhook.valid) {
        let id = webhook.id;
        output::note(format_args!(
            "warning: webhook {id} is invalid and receives nothing: `aaa webhooks validate {id}`"
        ));
    }
    if json {
        return output::json(&webhooks);
    }
    let mut table = Table::new(["ID", "VALID", "CREATED", "URL"]);
    for webhook in &webhooks {
        let valid = if webhook.valid { "yes" } else { "no" };
        let created = webhook.created_at.map(|time| format!("{time:.0}"));
        table.row([
            webhook.id.to_string(),
            valid.to_owned(),
            created.unwrap_or_else(|| "-".to_owned()),
            webhook.url.to_string(),
        ]);
    }
    if table.is_empty() {
        output::note("there are no webhooks: `aaa webhooks create URL` registers one");
    }
    table.print()
}

/// What the answer to the call means differs between X's documents, so the list decides.
async fn validate(app: &AppClient, id: WebhookId, json: bool) -> Result<(), Failure> {
    let validation = while_asking(CHALLENGED, app.validate_webhook(id)).await?;
    let listed = app.list_webhooks().await;
    let webhook = match listed {
        Ok(webhooks) => webhooks.into_iter().find(|webhook| webhook.id == id),
        Err(error) => {
            output::note(format_args!("warning: not confirmed: {error}"));
            None
        }
    };
    let valid = webhook.as_ref().map_or(validation.valid, |webhook| webhook.valid);
    if !valid {
        let words = format!("webhook {id} was checked, and X does not list it as valid");
        let advice = "see that its URL answers the challenge with this app's consumer secret, and \
                      try again";
        return Err(Exit::Refused.with(words).advise(advice));
    }
    match (json, webhook) {
        (true, Some(webhook)) => output::json(&webhook),
        (true, None) => output::json(&json!({ "id": id, "valid": valid })),
        (false, _) => output::line(format_args!("webhook {id} is valid")).map(drop),
    }
}

async fn delete(
    app: &AppClient,
    record: &Record,
    id: WebhookId,
    json: bool,
) -> Result<(), Failure> {
    app.delete_webhook(id).await?;
    forget(record, id).await;
    if json {
        return output::json(&json!({ "id": id, "deleted": true }));
    }
    output::line(format_args!("webhook {id} is deleted, and its subscriptions with it"))?;
    Ok(())
}

/// Notes that a webhook is ours. It is there already, so a failure is no more than a warning.
async fn note_made(record: &Record, webhook: &Webhook) {
    if let Err(failure) = record.add(webhook).await {
        let id = webhook.id;
        output::note(format_args!("warning: webhook {id} will not count as made here: {failure}"));
    }
}

/// Forgets a webhook that is gone.
async fn forget(record: &Record, id: WebhookId) {
    if let Err(failure) = record.remove(id).await {
        output::note(format_args!("warning: {failure}"));
    }
}
