//! What the examples need when there is no account: an emulated X that calls them.

use std::{error::Error, future};

use aaa_auth::{Consumer, UserToken};
use aaa_client::Client;
use aaa_emulator::{Emulator, control::Trigger, credentials};

/// Starts an emulator, registers the webhook, subscribes user 7 and lets a few things happen. The
/// emulator lives on until the program ends.
///
/// # Errors
///
/// Fails when the webhook does not answer as it should.
pub async fn call_from_an_emulated_x(url: String) -> Result<(), Box<dyn Error + Send + Sync>> {
    let emulator = Emulator::start().await?;
    let consumer =
        Consumer::new(credentials::CONSUMER_KEY.parse()?, credentials::CONSUMER_SECRET.parse()?);
    let client = Client::builder(emulator.url().parse()?)
        .consumer(consumer)
        .bearer(credentials::BEARER_TOKEN.parse()?)
        .build()?;
    let webhook = client.app().create_webhook(&url.parse()?).await?;
    let tokens = credentials::user_token(7);
    let user = UserToken::new(tokens.token.parse()?, tokens.secret.parse()?);
    client.user(user).subscribe(webhook.id).await?;
    for kind in ["tweet_create_events", "favorite_events", "follow_events", "direct_message_events"]
    {
        emulator.trigger_and_wait(&Trigger::new(kind, "7".parse()?)).await?;
    }
    future::pending().await
}
