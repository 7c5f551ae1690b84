//! What the examples need when there is no account: an emulated X that calls them.

mod account;

use std::{env, error::Error, future};

use aaa_auth::environment::Environment;
use aaa_client::{ApiVersion, Client};
use aaa_emulator::{control::Trigger, credentials};
use aaa_store::MemoryStore;
use aaa_types::ConsumerSecret;
use aaa_webhook::{app::App, receiver::Receiver, server::Server};

pub use self::account::{Account, emulated_user};

/// Whatever went wrong.
pub type Failure = Box<dyn Error + Send + Sync>;

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

    /// Returns the account at X whose credentials are in the environment; an emulated one where
    /// there is no address.
    ///
    /// # Errors
    ///
    /// Fails when credentials are malformed.
    pub async fn account(&self) -> Result<Account, Failure> {
        if self.emulated { Account::emulated().await } else { Account::find().await }
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
    let account = Account::emulated().await?;
    let_things_happen(&account, &account.client(ApiVersion::V2)?, url).await?;
    future::pending().await
}

/// Registers the webhook at an emulated X, subscribes user 7 and lets a few things happen.
///
/// # Errors
///
/// Fails when the webhook does not answer as it should.
pub async fn let_things_happen(
    account: &Account,
    client: &Client,
    url: String,
) -> Result<(), Failure> {
    let webhook = client.app().create_webhook(&url.parse()?).await?;
    client.user(emulated_user(7)?).subscribe(webhook.id).await?;
    let emulator = account.emulator().ok_or("the account is emulated")?;
    for kind in ["tweet_create_events", "favorite_events", "follow_events", "direct_message_events"]
    {
        emulator.trigger_and_wait(&Trigger::new(kind, "7".parse()?)).await?;
    }
    Ok(())
}

/// Answers X's challenges and stores nothing, for an example that is not about deliveries. Returns
/// the URL; it answers until the program ends.
///
/// # Errors
///
/// Fails when there is no consumer secret, or no free port.
pub async fn answering_webhook(found: &Environment) -> Result<String, Failure> {
    let app = App::new("default", found.require_consumer_secret()?.clone());
    let receiver = Receiver::new(MemoryStore::default(), app);
    let server = Server::bind("127.0.0.1:0".parse()?).await?;
    let url = format!("http://{}/webhooks/twitter", server.local_addr());
    let (router, status) = (receiver.clone().router("/webhooks/twitter"), receiver.status());
    tokio::spawn(server.serve(router, status, future::pending()));
    Ok(url)
}
