//! The apps whose deliveries a receiver takes.

use aaa_types::ConsumerSecret;

use crate::signature::Signature;

/// An app: a name of your choice and its consumer secrets.
///
/// Nothing in a delivery names the app it was made for; the secret that verifies it does. The name
/// becomes part of the key of every event, so it must not change between runs.
///
/// # Examples
///
/// ```
/// use aaa_webhook::app::{App, SecretSlot};
/// use aaa_webhook::signature::Signature;
///
/// // In a rotation, X may still sign with the previous secret.
/// let app = App::new("main", "new-secret".parse()?).with_previous("old-secret".parse()?);
/// let signature = Signature::of(&"old-secret".parse()?, b"{}");
/// assert_eq!(app.verify(&signature, b"{}"), Some(SecretSlot::Previous));
/// # Ok::<(), aaa_types::secret::SecretError>(())
/// ```
#[derive(Debug, Clone)]
pub struct App {
    name: String,
    active: ConsumerSecret,
    previous: Option<ConsumerSecret>,
}

impl App {
    /// Creates an app with its active secret.
    pub fn new(name: impl Into<String>, active: ConsumerSecret) -> Self {
        Self { name: name.into(), active, previous: None }
    }

    /// Also takes deliveries that are signed with an older secret.
    #[must_use]
    pub fn with_previous(mut self, previous: ConsumerSecret) -> Self {
        self.previous = Some(previous);
        self
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the secret that answers challenge-response checks which are not signed.
    pub fn active(&self) -> &ConsumerSecret {
        &self.active
    }

    /// Returns a secret by its place; the active one where there is no previous one.
    #[cfg(feature = "axum")]
    pub(crate) fn secret(&self, slot: SecretSlot) -> &ConsumerSecret {
        match (slot, &self.previous) {
            (SecretSlot::Previous, Some(previous)) => previous,
            _ => &self.active,
        }
    }

    /// Says whether the two have a secret in common. Nothing could tell such apps apart: the
    /// deliveries of one would be taken for the other's.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_webhook::app::App;
    ///
    /// let one = App::new("one", "new-secret".parse()?).with_previous("old-secret".parse()?);
    /// let two = App::new("two", "old-secret".parse()?);
    /// assert!(one.shares_secret_with(&two));
    /// # Ok::<(), aaa_types::secret::SecretError>(())
    /// ```
    pub fn shares_secret_with(&self, other: &Self) -> bool {
        // Secrets are not compared, what they sign is.
        other.secrets().any(|secret| self.verify(&Signature::of(secret, b"?"), b"?").is_some())
    }

    /// Returns which secret made the signature. Every secret is tried, whichever fits.
    pub fn verify(&self, signature: &Signature, bytes: &[u8]) -> Option<SecretSlot> {
        let previous = self.previous.as_ref().is_some_and(|s| signature.verifies(s, bytes));
        let active = signature.verifies(&self.active, bytes);
        match (active, previous) {
            (true, _) => Some(SecretSlot::Active),
            (false, true) => Some(SecretSlot::Previous),
            (false, false) => None,
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &ConsumerSecret> {
        [&self.active].into_iter().chain(&self.previous)
    }
}

/// Which of an app's secrets verified a delivery or a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretSlot {
    /// The current one.
    Active,
    /// The one before a rotation.
    Previous,
}

impl SecretSlot {
    /// Returns `active` or `previous`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Previous => "previous",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_share_a_secret_wherever_it_stands() {
        let app = |active: &str, previous: Option<&str>| {
            let app = App::new("app", active.parse().unwrap());
            match previous {
                Some(previous) => app.with_previous(previous.parse().unwrap()),
                None => app,
            }
        };
        for (one, two, shared) in [
            (app("a", None), app("a", None), true),
            (app("a", Some("b")), app("a", Some("c")), true),
            (app("a", Some("b")), app("c", Some("a")), true),
            (app("a", Some("b")), app("c", Some("b")), true),
            (app("a", None), app("b", None), false),
            (app("a", Some("b")), app("c", Some("d")), false),
        ] {
            assert_eq!(one.shares_secret_with(&two), shared, "{one:?} {two:?}");
            assert_eq!(two.shares_secret_with(&one), shared, "{two:?} {one:?}");
        }
    }
}
