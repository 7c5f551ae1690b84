//! What the examples need when there is no account: an emulated X that calls them.

use std::{env, error::Error, future};

use aaa_auth::{Consumer, UserToken};
use aaa_client::Client;
use aaa_emulator::{Emulator, control::Trigger, credentials};
use aaa_types::ConsumerSecret;

type Failure = Box<dyn Error + Send + Sync>;

/// Where an example listens, and with whose secret.
#[derive(Debug)]
pub struct Place {
    /// The address to bind.
    pub bind: String,
    /// The consumer secret.
    pub secret: ConsumerSecret,
    /// Where the store is.
    pub directory: &'static str,
    emulated: bool,
}

impl Place {
    /// Takes the address that the user names, with the user's secret from `X_CONSUMER_SECRET`.
    /// Without an address it is a free port of this machine, and an emulated X, whose secret
    /// everybody knows, will call.
    ///
    /// # Errors
    ///
    /// Fails when there is an address and no secret.
    pub fn find() -> Result<Self, Failure> {
        Ok(match env::args().nth(1) {
            Some(bind) => {
                let secret = env::var("X_CONSUMER_SECRET");
                let secret = secret.map_err(|_| "X_CONSUMER_SECRET is not set")?.parse()?;
                Self { bind, secret, directory: "aaa-data", emulated: false }
            }
            None => Self {
                bind: "127.0.0.1:0".to_owned(),
                secret: credentials::CONSUMER_SECRET.parse()?,
                directory: "aaa-example-data",
                emulated: true,
            },
        })
    }

    /// Returns a client for X with the credentials in the environment; for an emulated X, which is
    /// returned too, where there is no address.
    ///
    /// # Errors
    ///
    /// Fails when credentials are malformed.
    pub async fn client(&self) -> Result<(Client, Option<Emulator>), Failure> {
        if self.emulated {
            let (emulator, client) = emulated_x().await?;
            return Ok((client, Some(emulator)));
        }
        let found = aaa_auth::environment::Environment::from_lookup(|name| env::var(name).ok())?;
        Ok((Client::builder(found.api).credentials(found.credentials).build()?, None))
    }

    /// Has the emulated X call a webhook, if it is to; never ends but with an error.
    ///
    /// # Errors
    ///
    /// Fails when the webhook does not answer as it should.
    pub async fn calls(&self, url: String) -> Result<(), Failure> {
        if self.emulated { call_from_an_emulated_x(url).await } else { future::pending().await }
    }
}

/// Starts an emulator, registers the webhook, subscribes user 7 and lets a few things happen. The
/// emulator lives on until the program ends.
///
/// # Errors
///
/// Fails when the webhook does not answer as it should.
pub async fn call_from_an_emulated_x(url: String) -> Result<(), Failure> {
    let (emulator, client) = emulated_x().await?;
    let_things_happen(&emulator, &client, url).await?;
    future::pending().await
}

/// Starts an emulator; returns it with a client that has its credentials.
///
/// # Errors
///
/// Fails when it cannot listen.
pub async fn emulated_x() -> Result<(Emulator, Client), Failure> {
    let emulator = Emulator::start().await?;
    let consumer =
        Consumer::new(credentials::CONSUMER_KEY.parse()?, credentials::CONSUMER_SECRET.parse()?);
    let client = Client::builder(emulator.url().parse()?)
        .consumer(consumer)
        .bearer(credentials::BEARER_TOKEN.parse()?)
        .build()?;
    Ok((emulator, client))
}

/// Registers the webhook, subscribes user 7 and lets a few things happen.
///
/// # Errors
///
/// Fails when the webhook does not answer as it should.
pub async fn let_things_happen(
    emulator: &Emulator,
    client: &Client,
    url: String,
) -> Result<(), Failure> {
    let webhook = client.app().create_webhook(&url.parse()?).await?;
    let tokens = credentials::user_token(7);
    let user = UserToken::new(tokens.token.parse()?, tokens.secret.parse()?);
    client.user(user).subscribe(webhook.id).await?;
    for kind in ["tweet_create_events", "favorite_events", "follow_events", "direct_message_events"]
    {
        emulator.trigger_and_wait(&Trigger::new(kind, "7".parse()?)).await?;
    }
    Ok(())
}
