//! Credentials from variables, named as X's own samples name them.
//!
//! | Variable | Is |
//! |---|---|
//! | `X_CONSUMER_KEY` | the app's consumer key (API key) |
//! | `X_CONSUMER_SECRET` | its secret (API secret key); alone it is enough for a receiver |
//! | `X_CONSUMER_SECRET_PREVIOUS` | the secret before a rotation |
//! | `X_ACCESS_TOKEN` | the access token of the app's owner |
//! | `X_ACCESS_TOKEN_SECRET` | its secret |
//! | `X_BEARER_TOKEN` | the app's bearer token, used verbatim |
//! | `X_API_URL` | where the API is; X itself by default |
//!
//! All are optional here; [`Environment`] says by name what is missing once it is needed. With
//! another [`Prefix`] they are another app's. Where the variables come from is the caller's
//! business; with the feature `files`, `Variables` reads those of the process and of `.env`.
//!
//! ```
//! use aaa_auth::environment::Environment;
//!
//! let found = Environment::from_lookup(|name| match name {
//!     "X_CONSUMER_SECRET" => Some("app-secret".to_owned()),
//!     "X_ACCESS_TOKEN" => Some("7-token".to_owned()),
//!     _ => None,
//! })?;
//! assert_eq!(found.require_consumer_secret()?.expose(), "app-secret");
//! assert_eq!(found.api.to_string(), "https://api.x.com");
//! assert_eq!(
//!     found.require_owner().unwrap_err().to_string(),
//!     "no access token of the app's owner: set X_ACCESS_TOKEN_SECRET too (X_ACCESS_TOKEN is set)",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
#[cfg(feature = "files")]
mod files;
mod prefix;
mod variable;

use std::{collections::BTreeSet, str::FromStr};

use aaa_types::{BearerToken, ConsumerSecret};

#[cfg(feature = "files")]
pub use self::files::{DotEnvError, DotEnvWarning, LoadError, Variables, load};
pub use self::{
    error::{EnvironmentError, MissingVariables, ValueError},
    prefix::{Prefix, PrefixError},
    variable::Variable,
};
use crate::{ApiUrl, ApiUrlError, Consumer, Credentials, UserToken};

/// What the variables of one app say.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Environment {
    /// What is whole: a key without its secret is not among them.
    pub credentials: Credentials,
    /// The consumer secret, whether or not there is a key: it verifies deliveries.
    pub consumer_secret: Option<ConsumerSecret>,
    /// The consumer secret before a rotation.
    pub previous_secret: Option<ConsumerSecret>,
    /// Where the API is.
    pub api: ApiUrl,
    prefix: Prefix,
    present: BTreeSet<Variable>,
}

impl Environment {
    /// Reads the variables that begin with `X_`. An empty variable is an absent one.
    ///
    /// # Errors
    ///
    /// Fails when a value cannot be what its name says, and names the variable. The value is not
    /// repeated.
    pub fn from_lookup(
        lookup: impl FnMut(&str) -> Option<String>,
    ) -> Result<Self, EnvironmentError> {
        Self::of_app(&Prefix::X, lookup)
    }

    /// Reads the variables of another app. Where the API is, is also taken from `X_API_URL` when
    /// the app has no such variable of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_auth::environment::{Environment, Prefix};
    ///
    /// let shop: Prefix = "SHOP".parse()?;
    /// let found = Environment::of_app(&shop, |name| {
    ///     (name == "SHOP_CONSUMER_SECRET").then(|| "shop-secret".to_owned())
    /// })?;
    /// assert_eq!(found.require_consumer_secret()?.expose(), "shop-secret");
    /// assert_eq!(
    ///     found.require_bearer().unwrap_err().to_string(),
    ///     "no bearer token: set SHOP_BEARER_TOKEN",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Environment::from_lookup`].
    pub fn of_app(
        prefix: &Prefix,
        lookup: impl FnMut(&str) -> Option<String>,
    ) -> Result<Self, EnvironmentError> {
        let mut reader = Reader { lookup, present: BTreeSet::new() };
        let key = reader.read(prefix, Variable::ConsumerKey)?;
        let secret = reader.read::<ConsumerSecret>(prefix, Variable::ConsumerSecret)?;
        let token = reader.read(prefix, Variable::AccessToken)?;
        let token_secret = reader.read(prefix, Variable::AccessTokenSecret)?;
        let api = match reader.read(prefix, Variable::ApiUrl)? {
            None => reader.read(&Prefix::X, Variable::ApiUrl)?,
            own => own,
        };
        Ok(Self {
            credentials: Credentials {
                consumer: key.zip(secret.clone()).map(|(key, secret)| Consumer::new(key, secret)),
                owner: token.zip(token_secret).map(|(token, secret)| UserToken::new(token, secret)),
                bearer: reader.read(prefix, Variable::BearerToken)?,
            },
            consumer_secret: secret,
            previous_secret: reader.read(prefix, Variable::ConsumerSecretPrevious)?,
            api: match api {
                Some(api) => api,
                None => default_api()?,
            },
            prefix: prefix.clone(),
            present: reader.present,
        })
    }

    /// Returns key and secret of the app.
    ///
    /// # Errors
    ///
    /// Fails, and names what to set, when one or both are missing.
    pub fn require_consumer(&self) -> Result<&Consumer, MissingVariables> {
        let found = self.credentials.consumer.as_ref();
        found.ok_or_else(|| self.missing("consumer key and secret", CONSUMER))
    }

    /// Returns the consumer secret.
    ///
    /// # Errors
    ///
    /// Fails, and names what to set, when it is missing.
    pub fn require_consumer_secret(&self) -> Result<&ConsumerSecret, MissingVariables> {
        let found = self.consumer_secret.as_ref();
        found.ok_or_else(|| self.missing("consumer secret", &[Variable::ConsumerSecret]))
    }

    /// Returns the access token of the app's owner.
    ///
    /// # Errors
    ///
    /// Fails, and names what to set, when the token or its secret is missing.
    pub fn require_owner(&self) -> Result<&UserToken, MissingVariables> {
        let found = self.credentials.owner.as_ref();
        found.ok_or_else(|| self.missing("access token of the app's owner", OWNER))
    }

    /// Returns the bearer token.
    ///
    /// # Errors
    ///
    /// Fails, and names what to set, when it is missing.
    pub fn require_bearer(&self) -> Result<&BearerToken, MissingVariables> {
        let found = self.credentials.bearer.as_ref();
        found.ok_or_else(|| self.missing("bearer token", &[Variable::BearerToken]))
    }

    /// Returns what is there by half: a key or a token without its secret, or the secret of a
    /// token alone. It is of no use, and mostly a mistake.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_auth::environment::Environment;
    ///
    /// let found = Environment::from_lookup(|name| {
    ///     (name == "X_CONSUMER_KEY").then(|| "app-key".to_owned())
    /// })?;
    /// let halves: Vec<_> = found.halves().map(|half| half.to_string()).collect();
    /// assert_eq!(
    ///     halves,
    ///     ["no consumer key and secret: set X_CONSUMER_SECRET too (X_CONSUMER_KEY is set)"],
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn halves(&self) -> impl Iterator<Item = MissingVariables> {
        let has = |variable| self.present.contains(&variable);
        let key_alone = has(Variable::ConsumerKey) && !has(Variable::ConsumerSecret);
        let token_alone = has(Variable::AccessToken) != has(Variable::AccessTokenSecret);
        let consumer = key_alone.then(|| self.require_consumer().err());
        let owner = token_alone.then(|| self.require_owner().err());
        consumer.into_iter().chain(owner).flatten()
    }

    fn missing(&self, what: &'static str, needed: &[Variable]) -> MissingVariables {
        let (present, missing): (Vec<_>, Vec<_>) =
            needed.iter().partition(|variable| self.present.contains(variable));
        let names = |variables: Vec<&Variable>| {
            variables.into_iter().map(|variable| variable.name(&self.prefix)).collect()
        };
        MissingVariables { what, missing: names(missing), present: names(present) }
    }
}

const CONSUMER: &[Variable] = &[Variable::ConsumerKey, Variable::ConsumerSecret];
const OWNER: &[Variable] = &[Variable::AccessToken, Variable::AccessTokenSecret];

fn default_api() -> Result<ApiUrl, EnvironmentError> {
    ApiUrl::X.parse().map_err(|error: ApiUrlError| EnvironmentError::Value {
        variable: Variable::ApiUrl.name(&Prefix::X),
        reason: error.into(),
    })
}

struct Reader<L> {
    lookup: L,
    present: BTreeSet<Variable>,
}

impl<L: FnMut(&str) -> Option<String>> Reader<L> {
    fn read<T: FromStr<Err: Into<ValueError>>>(
        &mut self,
        prefix: &Prefix,
        variable: Variable,
    ) -> Result<Option<T>, EnvironmentError> {
        let name = variable.name(prefix);
        let text = (self.lookup)(&name).map(secrecy::zeroize::Zeroizing::new);
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let value = variable.check(&text).and_then(|()| text.parse().map_err(Into::into));
        match value {
            Ok(value) => {
                self.present.insert(variable);
                Ok(Some(value))
            }
            Err(reason) => Err(EnvironmentError::Value { variable: name, reason }),
        }
    }
}

#[cfg(test)]
mod tests;
