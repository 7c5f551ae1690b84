//! Credentials from flags, the environment or `.env`, in this order.

use std::{collections::HashMap, str::FromStr};

use aaa_auth::{Consumer, UserToken};
use aaa_client::{ApiUrl, Client};
use aaa_types::{BearerToken, ConsumerSecret};
use clap::Args;

use crate::exit::{Exit, Failure};

/// The flags. A secret in a flag is seen by everybody who can list processes, so the environment
/// or `.env` is the better place.
#[derive(Debug, Args)]
#[command(next_help_heading = "Credentials (or the variables X_…, or .env)")]
pub(crate) struct CredentialArgs {
    /// The app's consumer key (API key) (X_CONSUMER_KEY)
    #[arg(long, global = true, value_name = "KEY")]
    consumer_key: Option<String>,
    /// The app's consumer secret (API secret key) (X_CONSUMER_SECRET)
    #[arg(long, global = true, value_name = "SECRET")]
    consumer_secret: Option<String>,
    /// The consumer secret before a rotation (X_CONSUMER_SECRET_PREVIOUS)
    #[arg(long, global = true, value_name = "SECRET")]
    consumer_secret_previous: Option<String>,
    /// The access token of the app's owner (X_ACCESS_TOKEN)
    #[arg(long, global = true, value_name = "TOKEN")]
    access_token: Option<String>,
    /// Its secret (X_ACCESS_TOKEN_SECRET)
    #[arg(long, global = true, value_name = "SECRET")]
    access_token_secret: Option<String>,
    /// The app-only bearer token (X_BEARER_TOKEN)
    #[arg(long, global = true, value_name = "TOKEN")]
    bearer_token: Option<String>,
    /// Where the API is (X_API_URL; by default X itself)
    #[arg(long, global = true, value_name = "URL")]
    api_url: Option<String>,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Credentials {
    consumer: Option<Consumer>,
    consumer_secret: Option<ConsumerSecret>,
    previous_secret: Option<ConsumerSecret>,
    owner: Option<UserToken>,
    bearer: Option<BearerToken>,
    api: ApiUrl,
}

impl Credentials {
    /// Finds the credentials.
    ///
    /// # Errors
    ///
    /// Fails when one of them is malformed, and when `.env` cannot be read.
    pub(crate) fn load(flags: CredentialArgs) -> Result<Self, Failure> {
        let file = read_dotenv()?;
        Self::from(flags, |name| std::env::var(name).ok().or_else(|| file.get(name).cloned()))
    }

    fn from(
        flags: CredentialArgs,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let find = |flag: Option<String>, name: &'static str| {
            let value = flag.or_else(|| variable(name)).filter(|value| !value.is_empty());
            Found { name, value }
        };
        let key = find(flags.consumer_key, "X_CONSUMER_KEY").parse()?;
        let secret = find(flags.consumer_secret, "X_CONSUMER_SECRET").parse::<ConsumerSecret>()?;
        let token = find(flags.access_token, "X_ACCESS_TOKEN").parse()?;
        let token_secret = find(flags.access_token_secret, "X_ACCESS_TOKEN_SECRET").parse()?;
        let api = find(flags.api_url, "X_API_URL").parse()?;
        let consumer = key.zip(secret.clone()).map(|(key, secret)| Consumer::new(key, secret));
        Ok(Self {
            consumer,
            consumer_secret: secret,
            previous_secret: find(flags.consumer_secret_previous, "X_CONSUMER_SECRET_PREVIOUS")
                .parse()?,
            owner: token.zip(token_secret).map(|(token, secret)| UserToken::new(token, secret)),
            bearer: find(flags.bearer_token, "X_BEARER_TOKEN").parse()?,
            api: match api {
                Some(api) => api,
                None => ApiUrl::X.parse().map_err(|error| Exit::Failed.of("X's address", error))?,
            },
        })
    }

    /// Returns the consumer secret.
    ///
    /// # Errors
    ///
    /// Fails, and says what to set, when there is none.
    pub(crate) fn consumer_secret(&self) -> Result<ConsumerSecret, Failure> {
        self.consumer_secret.clone().ok_or_else(|| {
            Exit::Credentials.with(
                "no consumer secret: set X_CONSUMER_SECRET (the API secret key of your app) in \
                 the environment or in .env; to try without an account, `aaa emulate --print-env` \
                 prints the emulator's",
            )
        })
    }

    /// Returns the consumer secret before a rotation.
    pub(crate) fn previous_secret(&self) -> Option<ConsumerSecret> {
        self.previous_secret.clone()
    }

    /// Says whether there is a bearer token.
    pub(crate) fn has_bearer(&self) -> bool {
        self.bearer.is_some()
    }

    /// Returns where the API is.
    pub(crate) fn api(&self) -> &ApiUrl {
        &self.api
    }

    /// Builds a client that has all the credentials.
    ///
    /// # Errors
    ///
    /// Fails when its TLS cannot be set up.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let mut credentials = aaa_client::Credentials::default();
        if let Some(consumer) = &self.consumer {
            credentials = credentials.with_consumer(consumer.clone());
        }
        if let Some(owner) = &self.owner {
            credentials = credentials.with_owner(owner.clone());
        }
        if let Some(bearer) = &self.bearer {
            credentials = credentials.with_bearer(bearer.clone());
        }
        let client = Client::builder(self.api.clone()).credentials(credentials).build();
        client.map_err(|error| Exit::Failed.of("the client could not be built", error))
    }
}

/// A value and the name under which a user knows it.
struct Found {
    name: &'static str,
    value: Option<String>,
}

impl Found {
    fn parse<T: FromStr<Err: std::fmt::Display>>(self) -> Result<Option<T>, Failure> {
        let parsed = self.value.map(|value| value.parse()).transpose();
        // The errors of secrets do not repeat them.
        parsed.map_err(|error| Exit::Credentials.of(self.name, error))
    }
}

/// Reads `.env` of the working directory into a map; the process's environment stays as it is.
fn read_dotenv() -> Result<HashMap<String, String>, Failure> {
    let lines = match dotenvy::from_path_iter(".env") {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Ok(HashMap::new()),
        Err(error) => return Err(Exit::Credentials.of("could not read .env", error)),
    };
    // The error of a line repeats it, and it may hold a secret.
    lines.collect::<Result<_, _>>().map_err(|_| {
        Exit::Credentials.with("could not read .env: a line is not `NAME=value`; quote the value")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> CredentialArgs {
        CredentialArgs {
            consumer_key: None,
            consumer_secret: None,
            consumer_secret_previous: None,
            access_token: None,
            access_token_secret: None,
            bearer_token: None,
            api_url: None,
        }
    }

    #[test]
    fn flags_go_before_variables() {
        let flags = CredentialArgs { consumer_secret: Some("flag".to_owned()), ..flags() };
        let found = Credentials::from(flags, |name| Some(format!("http://localhost/{name}")));
        let found = found.unwrap();
        assert_eq!(found.consumer_secret().unwrap().expose(), "flag");
        assert!(found.has_bearer());
    }

    #[test]
    fn nothing_is_needed_until_it_is_used() {
        let found = Credentials::from(flags(), |_| Some(String::new())).unwrap();
        assert_eq!(found.api().to_string().trim_end_matches('/'), "https://api.x.com");
        assert!(!found.has_bearer());
        let failure = found.consumer_secret().unwrap_err();
        assert!(format!("{failure:?}").contains("X_CONSUMER_SECRET"));
    }

    #[test]
    fn a_bad_value_is_named_but_not_shown() {
        let flags = CredentialArgs { bearer_token: Some("hush hush".to_owned()), ..flags() };
        let failure = format!("{:?}", Credentials::from(flags, |_| None).unwrap_err());
        assert!(failure.contains("X_BEARER_TOKEN") && !failure.contains("hush"), "{failure}");
    }
}
