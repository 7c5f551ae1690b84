//! Subscribes many users, each with a token of their own, a few at a time.
//!
//! ```sh
//! cargo run --example bulk_subscribe -p examples                   # 40 users of an emulated X
//! X_CONSUMER_KEY=… X_CONSUMER_SECRET=… X_BEARER_TOKEN=… \
//!     cargo run --example bulk_subscribe -p examples -- WEBHOOK_ID aaa-data/tokens.json
//! ```

#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::env;

use aaa_auth::{UserCredential, tokens::TokenFile};
use aaa_client::{ApiVersion, BulkResult, Ensured};
use aaa_types::{UserId, WebhookId};
use examples::{Account, Failure, emulated_user};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let account = Account::find().await?;
    let client = account.client(ApiVersion::V2)?;
    let (webhook, users) = match account.emulator() {
        Some(_) => emulated(&account).await?,
        None => named()?,
    };
    let bulk = client.bulk(webhook);
    let report = bulk.subscribe(users, |step| println!("{} of {}", step.done, step.total)).await;

    let count = |of: fn(&BulkResult<Ensured>) -> bool| {
        report.results().iter().filter(|(_, result)| of(result)).count()
    };
    let new = count(|result| matches!(result, BulkResult::Done(Ensured::Created)));
    let old = count(|result| matches!(result, BulkResult::Done(Ensured::Existed)));
    println!("new: {new}, already subscribed: {old}");
    for (user, result) in report.results() {
        if let BulkResult::Failed(error) = result {
            println!("user {user}: {error}");
        }
    }
    // What would hit everybody stops it: no place for more subscriptions, say.
    match report.stopped_by() {
        Some((user, error)) => Err(format!("stopped at user {user}: {error}").into()),
        None => Ok(()),
    }
}

type Users = Vec<(UserId, UserCredential)>;

/// The webhook and the token file that the user names.
fn named() -> Result<(WebhookId, Users), Failure> {
    let mut arguments = env::args().skip(1);
    let webhook = arguments.next().ok_or("name a webhook's id")?.parse()?;
    let file = TokenFile::new(arguments.next().unwrap_or("aaa-data/tokens.json".to_owned()));
    let tokens = file.read()?;
    let users = tokens.iter().map(|(user, stored)| (user, stored.token.clone().into()));
    Ok((webhook, users.collect()))
}

/// A webhook of the emulated X, where user 3 is subscribed already.
async fn emulated(account: &Account) -> Result<(WebhookId, Users), Failure> {
    let url = examples::answering_webhook(&account.found).await?;
    let client = account.client(ApiVersion::V2)?;
    let webhook = client.app().create_webhook(&url.parse()?).await?.id;
    client.user(emulated_user(3)?).subscribe(webhook).await?;
    let user = |id: u64| Ok::<_, Failure>((id.try_into()?, emulated_user(id)?.into()));
    Ok((webhook, (1..=40).map(user).collect::<Result<_, _>>()?))
}
