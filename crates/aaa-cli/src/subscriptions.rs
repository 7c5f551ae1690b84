//! `aaa subscriptions`: who is subscribed to a webhook.

mod stored;

use std::path::Path;

use aaa_auth::{UserCredential, tokens::TokenFile};
use aaa_client::{AppClient, Client, Ensured};
use aaa_replay::ledger::Ledger;
use aaa_store::{SqliteBeside, StoreError};
use aaa_types::{UserId, WebhookId};
use serde::Serialize;

use crate::{
    api,
    cli::{StoreArgs, SubscriptionsArgs, SubscriptionsCommand},
    credentials::Credentials,
    exit::Failure,
    output,
    table::Table,
};

/// The answer about one user in JSON.
#[derive(Serialize)]
struct State {
    webhook_id: WebhookId,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    subscribed: bool,
}

pub(crate) async fn run(args: SubscriptionsArgs, credentials: &Credentials) -> Result<(), Failure> {
    let json = args.api.json;
    let client = api::client(credentials, args.api)?;
    match args.command {
        SubscriptionsCommand::Add { id, user, all_stored: true } => {
            let file = credentials.token_file(&user.store.data_dir);
            stored::add(&client, id, &file, json).await
        }
        SubscriptionsCommand::Add { id, user, all_stored: false } => {
            let user = User::find(credentials, user.user, &user.store.data_dir)?;
            add(&client, id, user, json).await
        }
        SubscriptionsCommand::Check { id, user } => {
            let user = User::find(credentials, user.user, &user.store.data_dir)?;
            check(&client, id, user, json).await
        }
        SubscriptionsCommand::List { id } => list(&client.app(), id, json).await,
        SubscriptionsCommand::Remove { id, user, store } => {
            // Whoever looks at X in between sees who is missed no more; and should a listener still
            // have seen them before, it is told once more.
            dismiss(&store, id, user).await;
            let removed = remove(&client.app(), id, user, json).await;
            dismiss(&store, id, user).await;
            if removed.is_ok() {
                warn_of_token(&credentials.token_file(&store.data_dir), user);
            }
            removed
        }
        SubscriptionsCommand::Count => count(&client.app(), json).await,
    }
}

/// For whom a call is made.
struct User {
    credential: UserCredential,
    id: Option<UserId>,
}

impl User {
    fn find(
        credentials: &Credentials,
        user: Option<UserId>,
        data_dir: &Path,
    ) -> Result<Self, Failure> {
        let credential = credentials.user(user, data_dir)?;
        let of_token = match &credential {
            UserCredential::OAuth1(token) => token.user_id(),
            UserCredential::OAuth2(_) => None,
        };
        Ok(Self { credential, id: user.or(of_token) })
    }

    /// Returns their name in a sentence.
    fn name(&self) -> String {
        match self.id {
            Some(id) => format!("user {id}"),
            None => "the app's owner".to_owned(),
        }
    }
}

async fn add(client: &Client, webhook: WebhookId, user: User, json: bool) -> Result<(), Failure> {
    let name = user.name();
    let how = client.user(user.credential).ensure_subscription(webhook).await?;
    let already = how == Ensured::Existed;
    if json {
        if already {
            output::note(format_args!("{name} was subscribed already"));
        }
        return output::json(&State { webhook_id: webhook, user_id: user.id, subscribed: true });
    }
    let already = if already { " already" } else { "" };
    output::line(format_args!("{name} is{already} subscribed to webhook {webhook}"))?;
    Ok(())
}

async fn check(client: &Client, webhook: WebhookId, user: User, json: bool) -> Result<(), Failure> {
    let name = user.name();
    let state = client.user(user.credential).check_subscription(webhook).await?;
    if json {
        let subscribed = state.subscribed;
        return output::json(&State { webhook_id: webhook, user_id: user.id, subscribed });
    }
    let not = if state.subscribed { "" } else { " not" };
    output::line(format_args!("{name} is{not} subscribed to webhook {webhook}"))?;
    Ok(())
}

async fn list(app: &AppClient, webhook: WebhookId, json: bool) -> Result<(), Failure> {
    let list = app.list_subscriptions(webhook).await?;
    if json {
        return output::json(&list);
    }
    let mut table = Table::new(["USER"]);
    for subscription in &list.subscriptions {
        table.row([subscription.user_id.to_string()]);
    }
    if table.is_empty() {
        output::note(format_args!(
            "nobody is subscribed to webhook {webhook}, so nothing is delivered: `aaa \
             subscriptions add {webhook}` subscribes a user"
        ));
    }
    table.print()
}

async fn remove(
    app: &AppClient,
    webhook: WebhookId,
    user: UserId,
    json: bool,
) -> Result<(), Failure> {
    let state = app.remove_subscription(webhook, user).await?;
    if json {
        let subscribed = state.subscribed;
        return output::json(&State { webhook_id: webhook, user_id: Some(user), subscribed });
    }
    output::line(format_args!("user {user} is no longer subscribed to webhook {webhook}"))?;
    Ok(())
}

/// Has listeners on the data directory not miss a user.
async fn dismiss(args: &StoreArgs, webhook: WebhookId, user: UserId) {
    let dismissed = match SqliteBeside::open(&args.data_dir) {
        Ok(store) => store.into_ledger().dismiss(webhook, user).await,
        Err(StoreError::Missing { .. }) => return,
        Err(error) => Err(error.into()),
    };
    if let Err(error) = dismissed {
        output::note(format_args!("warning: a listener will miss user {user}: {error}"));
    }
}

/// Tells of a token that is still stored: whoever has one should be subscribed.
fn warn_of_token(tokens: &TokenFile, user: UserId) {
    if tokens.read().is_ok_and(|tokens| tokens.get(user).is_some_and(|it| !it.is_revoked())) {
        output::note(format_args!(
            "warning: a token of user {user} is stored, so the next listener will miss them all the \
             same: `aaa store forget --user {user}` removes it, with what was delivered for them"
        ));
    }
}

async fn count(app: &AppClient, json: bool) -> Result<(), Failure> {
    let count = app.count_subscriptions().await?;
    if json {
        return output::json(&count);
    }
    let mut table = Table::new(["ACCOUNT", "SUBSCRIPTIONS", "ALLOWED"]);
    table.row([
        count.account_name.unwrap_or_else(|| "-".to_owned()),
        count.subscriptions_count_all,
        count.provisioned_count,
    ]);
    table.print()
}
