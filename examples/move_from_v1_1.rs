//! Moves the webhook of v1.1 Enterprise and its subscriptions to v2: registers the same URL there,
//! subscribes whoever was subscribed and whose token is stored, and removes the old webhook only
//! when nobody is missing.
//!
//! ```sh
//! cargo run --example move_from_v1_1 -p examples                   # an emulated X
//! X_CONSUMER_KEY=… X_CONSUMER_SECRET=… X_ACCESS_TOKEN=… X_ACCESS_TOKEN_SECRET=… X_BEARER_TOKEN=… \
//!     cargo run --example move_from_v1_1 -p examples -- aaa-data/tokens.json
//! ```

#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::env;

use aaa_auth::tokens::{StoredToken, TokenFile, Tokens};
use aaa_client::{ApiVersion, Client};
use aaa_types::api::Webhook;
use examples::{Account, Failure, emulated_user};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let account = Account::find().await?;
    let (old, new) = (account.client(ApiVersion::V1_1)?, account.client(ApiVersion::V2)?);
    let tokens = match account.emulator() {
        Some(_) => emulated(&account, &old).await?,
        None => {
            let file = env::args().nth(1).unwrap_or("aaa-data/tokens.json".to_owned());
            TokenFile::new(file).read()?
        }
    };
    for webhook in old.app().list_webhooks().await? {
        one(&old, &new, &webhook, &tokens).await?;
    }
    Ok(())
}

async fn one(
    old: &Client,
    new: &Client,
    webhook: &Webhook,
    tokens: &Tokens,
) -> Result<(), Failure> {
    // The same URL may be registered in both generations; each delivers a copy, and copies are
    // dropped. Where X takes it for the same webhook, it is that one.
    let moved = new.app().ensure_webhook(&webhook.url.as_str().parse()?).await?.webhook;
    println!("{}: {} -> {}", webhook.url, webhook.id, moved.id);
    let (mut users, mut missing) = (Vec::new(), Vec::new());
    for subscription in old.app().list_subscriptions(webhook.id).await?.subscriptions {
        match tokens.get(subscription.user_id) {
            Some(stored) => users.push((subscription.user_id, stored.token.clone().into())),
            None => missing.push(subscription.user_id.to_string()),
        }
    }
    let report = new.bulk(moved.id).subscribe(users, |_| {}).await;
    println!(
        "subscribed: {} of {}",
        report.results().len(),
        report.results().len() + missing.len()
    );
    if !report.is_complete() || !missing.is_empty() {
        println!("the old webhook stays; no token of: {}", missing.join(", "));
    } else if moved.id != webhook.id {
        old.app().delete_webhook(webhook.id).await?;
        println!("removed the old webhook {}", webhook.id);
    }
    Ok(())
}

/// A webhook of v1.1 at the emulated X with two subscribers, and the token of one of them.
async fn emulated(account: &Account, old: &Client) -> Result<Tokens, Failure> {
    let url = examples::answering_webhook(&account.found).await?;
    let webhook = old.app().create_webhook(&url.parse()?).await?;
    for user in [7, 8] {
        old.user(emulated_user(user)?).subscribe(webhook.id).await?;
    }
    let mut tokens = Tokens::default();
    let stored = StoredToken::new(emulated_user(7)?, "2025-11-22T04:13:00Z".parse()?);
    tokens.insert("7".parse()?, stored);
    Ok(tokens)
}
