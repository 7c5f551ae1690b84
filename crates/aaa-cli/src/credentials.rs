//! Credentials from flags, the environment or `.env`, in this order; users' tokens from their file.

use std::path::{Path, PathBuf};

use aaa_auth::{
    UserCredential,
    environment::{DotEnvWarning, Environment, Prefix, Variable, Variables},
    tokens::TokenFile,
};
use aaa_client::{ApiUrl, Client, ClientBuilder};
use aaa_types::{BearerToken, ConsumerSecret, UserId};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    api,
    exit::{Exit, Failure},
};

/// The flags. A secret in a flag is seen by everybody who can list processes, so the environment
/// or `.env` is the better place.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Credentials (or the variables X_…, or .env)")]
pub(crate) struct CredentialArgs {
    /// The app's consumer key (API key) (X_CONSUMER_KEY)
    #[arg(long, global = true, value_name = "KEY")]
    consumer_key: Option<String>,
    /// The app's consumer secret (API secret key) (X_CONSUMER_SECRET)
    #[arg(long, global = true, value_name = "SECRET")]
    consumer_secret: Option<SecretString>,
    /// The consumer secret before a rotation (X_CONSUMER_SECRET_PREVIOUS)
    #[arg(long, global = true, value_name = "SECRET")]
    consumer_secret_previous: Option<SecretString>,
    /// The access token of the app's owner (X_ACCESS_TOKEN)
    #[arg(long, global = true, value_name = "TOKEN")]
    access_token: Option<SecretString>,
    /// Its secret (X_ACCESS_TOKEN_SECRET)
    #[arg(long, global = true, value_name = "SECRET")]
    access_token_secret: Option<SecretString>,
    /// The app-only bearer token (X_BEARER_TOKEN)
    #[arg(long, global = true, value_name = "TOKEN")]
    bearer_token: Option<SecretString>,
    /// Where the API is (X_API_URL; by default X itself)
    #[arg(long, global = true, value_name = "URL")]
    api_url: Option<String>,
    /// The file with the tokens of users [default: tokens.json in the data directory]
    #[arg(long, global = true, value_name = "FILE")]
    tokens: Option<PathBuf>,
}

impl CredentialArgs {
    fn get(&self, name: &str) -> Option<String> {
        let flag = match name {
            "X_CONSUMER_KEY" => return self.consumer_key.clone(),
            "X_CONSUMER_SECRET" => &self.consumer_secret,
            "X_CONSUMER_SECRET_PREVIOUS" => &self.consumer_secret_previous,
            "X_ACCESS_TOKEN" => &self.access_token,
            "X_ACCESS_TOKEN_SECRET" => &self.access_token_secret,
            "X_BEARER_TOKEN" => &self.bearer_token,
            "X_API_URL" => return self.api_url.clone(),
            _ => &None,
        };
        flag.as_ref().map(|secret| secret.expose_secret().to_owned())
    }

    /// Returns the file with the tokens of users, for a command that needs no other credentials.
    pub(crate) fn token_file(&self, data_dir: &Path) -> TokenFile {
        token_file(self.tokens.as_deref(), data_dir)
    }
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Credentials {
    found: Environment,
    variables: Variables,
    flags: Vec<Variable>,
    tokens: Option<PathBuf>,
}

impl Credentials {
    /// Finds the credentials.
    ///
    /// # Errors
    ///
    /// Fails when one of them is malformed, and when `.env` cannot be read.
    pub(crate) fn load(flags: CredentialArgs) -> Result<Self, Failure> {
        let variables =
            Variables::load().map_err(|error| Exit::Credentials.with(error.to_string()))?;
        let is_exposed = |it: &DotEnvWarning| matches!(it, DotEnvWarning::Exposed { .. });
        let (exposed, others): (Vec<_>, Vec<_>) =
            variables.warnings().iter().cloned().partition(is_exposed);
        // What is malformed may be the one that nobody meant.
        others.iter().for_each(|warning| tracing::warn!("{warning}"));
        let found = Self::from(flags, variables)?;
        // What an emulator takes is no secret.
        if !found.api().is_loopback() {
            exposed.iter().for_each(|warning| tracing::warn!("{warning}"));
        }
        Ok(found)
    }

    fn from(flags: CredentialArgs, variables: Variables) -> Result<Self, Failure> {
        let lookup = |name: &str| flags.get(name).or_else(|| variables.get(name));
        let found = Environment::from_lookup(lookup).map_err(|error| {
            // Whoever wrote a flag looks for what is wrong there.
            let name = error.variable();
            let words = error.to_string();
            // Where the API is, is no credential.
            let is_place = name == Variable::ApiUrl.name(&Prefix::X);
            let exit = if is_place { Exit::Usage } else { Exit::Credentials };
            match (flags.get(name), words.strip_prefix(name)) {
                (Some(_), Some(wrong)) => exit.with(format!("{}{wrong}", flag(name))),
                _ => exit.with(words),
            }
        })?;
        warn_of_halves(&found);
        let given = |variable: &Variable| flags.get(&variable.name(&Prefix::X)).is_some();
        let given = Variable::ALL.into_iter().filter(given).collect();
        Ok(Self { found, variables, flags: given, tokens: flags.tokens })
    }

    /// Returns the consumer secret.
    ///
    /// # Errors
    ///
    /// Fails, and says what to set, when there is none.
    pub(crate) fn consumer_secret(&self) -> Result<ConsumerSecret, Failure> {
        self.found.require_consumer_secret().cloned().map_err(|error| {
            Exit::Credentials.with(format!(
                "{error} (the API secret key of your app) in the environment or in .env; to try \
                 without an account, `aaa emulate --print-env` prints the emulator's",
            ))
        })
    }

    /// Returns the consumer secret before a rotation.
    pub(crate) fn previous_secret(&self) -> Option<ConsumerSecret> {
        self.found.previous_secret.clone()
    }

    /// Says whether there is a bearer token.
    pub(crate) fn has_bearer(&self) -> bool {
        self.found.credentials.bearer.is_some()
    }

    /// Returns the bearer token.
    ///
    /// # Errors
    ///
    /// Fails, and says what to set, when there is none.
    pub(crate) fn bearer(&self) -> Result<&BearerToken, Failure> {
        let found = self.found.require_bearer();
        found.map_err(|error| Exit::Credentials.with(error.to_string()).advise(api::GET_BEARER))
    }

    /// Says where these come from: a flag, the environment or `.env`, each of them once.
    pub(crate) fn sources(&self, variables: &[Variable]) -> String {
        let mut names: Vec<_> = variables
            .iter()
            .map(|variable| {
                let name = variable.name(&Prefix::X);
                if self.flags.contains(variable) {
                    "flag"
                } else if std::env::var_os(name).is_some() {
                    "environment"
                } else {
                    ".env"
                }
            })
            .collect();
        names.dedup();
        names.join(", ")
    }

    /// Returns a variable of the environment or of `.env` that has no flag of its own here.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name)
    }

    /// Returns where the API is.
    pub(crate) fn api(&self) -> &ApiUrl {
        &self.found.api
    }

    /// Begins a client that has all the credentials.
    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder(self.found.api.clone()).credentials(self.found.credentials.clone())
    }

    /// Builds a client that has all the credentials.
    ///
    /// # Errors
    ///
    /// Fails when its TLS cannot be set up.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        self.builder()
            .build()
            .map_err(|error| Exit::Failed.of("the client could not be built", error))
    }

    /// Returns all that was found for the app whose variables begin with `X_`.
    pub(crate) fn environment(&self) -> &Environment {
        &self.found
    }

    /// Finds the credentials of another app, whose variables begin with a prefix. No flag says
    /// anything about it.
    ///
    /// # Errors
    ///
    /// Fails when one of them is malformed.
    pub(crate) fn app(&self, prefix: &Prefix) -> Result<Environment, Failure> {
        if *prefix == Prefix::X {
            return Ok(self.found.clone());
        }
        // The errors name the variable and do not repeat its value.
        let found = Environment::of_app(prefix, |name| self.variables.get(name));
        let found = found.map_err(|error| Exit::Credentials.with(error.to_string()))?;
        warn_of_halves(&found);
        Ok(found)
    }

    /// Returns the file with the tokens of users.
    pub(crate) fn token_file(&self, data_dir: &Path) -> TokenFile {
        token_file(self.tokens.as_deref(), data_dir)
    }

    /// Returns the credential of a user; without one, that of the app's owner.
    ///
    /// # Errors
    ///
    /// Fails, and says what to do, when there is none, and when the file with the tokens cannot be
    /// read.
    pub(crate) fn user(
        &self,
        user: Option<UserId>,
        data_dir: &Path,
    ) -> Result<UserCredential, Failure> {
        let owner = self.found.require_owner();
        let Some(user) = user else {
            let owner = owner.map_err(|error| {
                Exit::Credentials
                    .with(format!(
                        "{error}; or name a user with --user, whose token `aaa auth login` has \
                         stored"
                    ))
                    .advise(api::GET_CREDENTIALS)
            })?;
            return Ok(owner.clone().into());
        };
        let file = self.token_file(data_dir);
        let tokens = file.read().map_err(|error| {
            Exit::Credentials.of(&format!("could not read the token of user {user}"), error)
        })?;
        // What the user has permitted last is in the file.
        if let Some(stored) = tokens.get(user) {
            return Ok(stored.token.clone().into());
        }
        match owner.ok().filter(|owner| owner.user_id() == Some(user)) {
            Some(owner) => Ok(owner.clone().into()),
            None => Err(Exit::Credentials.with(format!(
                "no token of user {user} in `{}`: `aaa auth login` asks the user and stores it; or \
                 choose another file with --tokens",
                file.path().display(),
            ))),
        }
    }
}

fn token_file(named: Option<&Path>, data_dir: &Path) -> TokenFile {
    named.map_or_else(|| TokenFile::new(data_dir.join("tokens.json")), TokenFile::new)
}

/// Returns the flag that stands for a variable.
fn flag(variable: &str) -> String {
    let name = variable.strip_prefix("X_").unwrap_or(variable);
    format!("--{}", name.to_ascii_lowercase().replace('_', "-"))
}

/// Tells the user of what is there by half.
fn warn_of_halves(found: &Environment) {
    for half in found.halves() {
        tracing::warn!("{half}");
    }
}

#[cfg(test)]
mod tests {
    use aaa_auth::{UserToken, tokens::StoredToken};

    use super::*;

    /// What is found with these flags and a `.env` of these lines.
    fn found(flags: CredentialArgs, dotenv: &str) -> Result<Credentials, Failure> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env");
        std::fs::write(&path, dotenv).unwrap();
        Credentials::from(flags, Variables::with_file(&path).unwrap())
    }

    fn words(failure: &Failure) -> String {
        format!("{failure:?}")
    }

    /// The token that a user's requests are signed with.
    fn token(credential: UserCredential) -> String {
        match credential {
            UserCredential::OAuth1(token) => token.token.expose().to_owned(),
            UserCredential::OAuth2(_) => panic!("not a token of OAuth 1.0a"),
        }
    }

    const OWNER: &str = "X_ACCESS_TOKEN=1-owner\nX_ACCESS_TOKEN_SECRET=hush\n";

    #[test]
    fn flags_go_before_variables() {
        let flags = CredentialArgs {
            consumer_secret: Some("flag".into()),
            api_url: Some("http://localhost:1".to_owned()),
            ..CredentialArgs::default()
        };
        let dotenv = "X_CONSUMER_SECRET=file\nX_CONSUMER_SECRET_PREVIOUS=old\nX_BEARER_TOKEN=b\n";
        let found = found(flags, dotenv).unwrap();
        assert_eq!(found.consumer_secret().unwrap().expose(), "flag");
        assert_eq!(found.previous_secret().unwrap().expose(), "old");
        assert_eq!(found.api().to_string(), "http://localhost:1");
        assert!(found.has_bearer());
    }

    #[test]
    fn every_flag_stands_for_its_variable() {
        let some = |text: &str| Some(SecretString::from(text));
        let flags = CredentialArgs {
            consumer_key: Some("key".to_owned()),
            consumer_secret: some("secret"),
            consumer_secret_previous: some("previous"),
            access_token: some("token"),
            access_token_secret: some("token-secret"),
            bearer_token: some("bearer"),
            api_url: Some("http://[::1]:1".to_owned()),
            tokens: None,
        };
        let found = found(flags, "").unwrap().found;
        let consumer = found.require_consumer().unwrap();
        assert_eq!((consumer.key.as_str(), consumer.secret.expose()), ("key", "secret"));
        assert_eq!(found.previous_secret.as_ref().unwrap().expose(), "previous");
        let owner = found.require_owner().unwrap();
        assert_eq!((owner.token.expose(), owner.secret.expose()), ("token", "token-secret"));
        assert_eq!(found.require_bearer().unwrap().expose(), "bearer");
        assert_eq!(found.api.to_string(), "http://[::1]:1");
    }

    #[test]
    fn nothing_is_needed_until_it_is_used() {
        let found = found(CredentialArgs::default(), "X_CONSUMER_SECRET=\n").unwrap();
        assert_eq!(found.api().to_string(), "https://api.x.com");
        assert!(!found.has_bearer());
        let failure = found.consumer_secret().unwrap_err();
        assert!(words(&failure).contains("X_CONSUMER_SECRET"));
    }

    #[test]
    fn a_bad_value_is_named_but_not_shown() {
        let bearer_token = Some("hush hush".into());
        let flags = CredentialArgs { bearer_token, ..CredentialArgs::default() };
        let failure = words(&found(flags, "").unwrap_err());
        // By the name that the user wrote.
        assert!(failure.contains("--bearer-token: "), "{failure}");
        assert!(!failure.contains("X_BEARER_TOKEN") && !failure.contains("hush"), "{failure}");
        let bearer = "X_BEARER_TOKEN=\"hush hush\"\n";
        let failure = words(&found(CredentialArgs::default(), bearer).unwrap_err());
        assert!(failure.contains("X_BEARER_TOKEN: ") && !failure.contains("hush"), "{failure}");
        for (name, api) in [("X_API_URL", None), ("--api-url", Some("http://x.com".to_owned()))] {
            let flags = CredentialArgs { api_url: api, ..CredentialArgs::default() };
            let failure = words(&found(flags, "X_API_URL=http://x.com\n").unwrap_err());
            assert!(failure.contains(&format!("\"{name}: ")), "{failure}");
        }
    }

    #[test]
    fn another_app_has_variables_of_its_own() {
        let flags =
            CredentialArgs { consumer_secret: Some("mine".into()), ..CredentialArgs::default() };
        let found = found(flags, "SHOP_CONSUMER_SECRET=its\n").unwrap();
        let shop = found.app(&"SHOP".parse().unwrap()).unwrap();
        assert_eq!(shop.require_consumer_secret().unwrap().expose(), "its");
        let other = found.app(&"OTHER".parse().unwrap()).unwrap();
        let missing = other.require_consumer_secret().unwrap_err();
        assert_eq!(missing.to_string(), "no consumer secret: set OTHER_CONSUMER_SECRET");
    }

    #[test]
    fn the_tokens_of_users() {
        let data = tempfile::tempdir().unwrap();
        let user = |id: u64| Some(UserId::try_from(id).unwrap());
        let credentials = found(CredentialArgs::default(), OWNER).unwrap();
        let token_of = |user| credentials.user(user, data.path()).map(token);

        assert_eq!(token_of(None).unwrap(), "1-owner");
        assert_eq!(token_of(user(1)).unwrap(), "1-owner", "the token says whose it is");
        let failure = words(&token_of(user(7)).unwrap_err());
        assert!(failure.contains("user 7") && failure.contains("tokens.json"), "{failure}");

        let stored = |token: &str| {
            let token = UserToken::new(token.parse().unwrap(), "hush".parse().unwrap());
            StoredToken::new(token, "2025-11-22T04:00:00Z".parse().unwrap())
        };
        let file = credentials.token_file(data.path());
        file.update(|tokens| {
            tokens.insert(user(7).unwrap(), stored("7-stored"));
            tokens.insert(user(1).unwrap(), stored("1-stored"));
        })
        .unwrap();
        assert_eq!(token_of(user(7)).unwrap(), "7-stored");
        assert_eq!(token_of(user(1)).unwrap(), "1-stored");
        assert_eq!(token_of(None).unwrap(), "1-owner");

        // The same file, named by the flag and not by the directory.
        let flags =
            CredentialArgs { tokens: Some(file.path().to_owned()), ..CredentialArgs::default() };
        let named = found(flags, "X_ACCESS_TOKEN=1-owner\n").unwrap();
        let elsewhere = Path::new("nowhere");
        assert_eq!(named.user(user(7), elsewhere).map(token).unwrap(), "7-stored");
        let failure = words(&named.user(None, elsewhere).map(token).unwrap_err());
        assert!(failure.contains("set X_ACCESS_TOKEN_SECRET too"), "{failure}");

        std::fs::write(file.path(), "{\"users\":\"hush\"}").unwrap();
        let failure = words(&token_of(user(7)).unwrap_err());
        assert!(failure.contains("line 1, column 15") && !failure.contains("hush"), "{failure}");
    }
}
