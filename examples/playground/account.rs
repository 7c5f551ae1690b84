//! With whose credentials an example calls the API.

use std::env;

use aaa_auth::{UserToken, environment::Environment};
use aaa_client::{ApiVersion, Client};
use aaa_emulator::{Emulator, credentials};

use crate::Failure;

/// An app on X, or one on an emulated X that lives as long as this value.
#[derive(Debug)]
pub struct Account {
    /// Its credentials, and where its API is.
    pub found: Environment,
    emulator: Option<Emulator>,
}

impl Account {
    /// Takes the credentials in the environment (`X_CONSUMER_KEY` and so on). Without any, an
    /// emulated X is started, whose credentials everybody knows.
    ///
    /// # Errors
    ///
    /// Fails when one of the variables is malformed.
    pub async fn find() -> Result<Self, Failure> {
        let found = Environment::from_lookup(|name| env::var(name).ok())?;
        if found.consumer_secret.is_some() || found.credentials.bearer.is_some() {
            return Ok(Self { found, emulator: None });
        }
        Self::emulated().await
    }

    /// Starts an emulated X.
    ///
    /// # Errors
    ///
    /// Fails when it does not start.
    pub async fn emulated() -> Result<Self, Failure> {
        let emulator = Emulator::start().await?;
        let owner = credentials::user_token(credentials::OWNER);
        let url = emulator.url();
        let found = Environment::from_lookup(|name| {
            let value = match name {
                "X_CONSUMER_KEY" => credentials::CONSUMER_KEY,
                "X_CONSUMER_SECRET" => credentials::CONSUMER_SECRET,
                "X_ACCESS_TOKEN" => &owner.token,
                "X_ACCESS_TOKEN_SECRET" => &owner.secret,
                "X_BEARER_TOKEN" => credentials::BEARER_TOKEN,
                "X_API_URL" => &url,
                _ => return None,
            };
            Some(value.to_owned())
        })?;
        Ok(Self { found, emulator: Some(emulator) })
    }

    /// Returns the emulated X, if it is one.
    pub fn emulator(&self) -> Option<&Emulator> {
        self.emulator.as_ref()
    }

    /// Builds a client with these credentials.
    ///
    /// # Errors
    ///
    /// Fails when its TLS cannot be set up.
    pub fn client(&self, version: ApiVersion) -> Result<Client, Failure> {
        let builder = Client::builder(self.found.api.clone()).version(version);
        Ok(builder.credentials(self.found.credentials.clone()).build()?)
    }
}

/// Returns the token of a user of the emulated X.
///
/// # Errors
///
/// Never for the users that it has, 1 to 9999999.
pub fn emulated_user(user: u64) -> Result<UserToken, Failure> {
    let tokens = credentials::user_token(user);
    Ok(UserToken::new(tokens.token.parse()?, tokens.secret.parse()?))
}
