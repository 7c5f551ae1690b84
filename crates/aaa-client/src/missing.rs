use crate::Operation;

/// A call needs a credential that is not at hand; nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("could not {what}: it needs {}", .needs.sentence())]
pub struct MissingCredential {
    what: Operation,
    needs: Needs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    Bearer,
    BearerOrOwner,
    Owner,
    Consumer,
}

impl MissingCredential {
    pub(crate) fn new(what: Operation, needs: Needs) -> Self {
        Self { what, needs }
    }

    /// Returns what was to be done.
    pub fn operation(&self) -> Operation {
        self.what
    }

    /// Returns the environment variables, named as X's own samples name them, any set of which
    /// would do.
    pub fn variables(&self) -> &'static [&'static [&'static str]] {
        match self.needs {
            Needs::Bearer => &[&["X_BEARER_TOKEN"]],
            Needs::BearerOrOwner => &[&["X_BEARER_TOKEN"], OWNER],
            Needs::Owner => &[OWNER],
            Needs::Consumer => &[&["X_CONSUMER_KEY", "X_CONSUMER_SECRET"]],
        }
    }
}

const OWNER: &[&str] =
    &["X_CONSUMER_KEY", "X_CONSUMER_SECRET", "X_ACCESS_TOKEN", "X_ACCESS_TOKEN_SECRET"];

impl Needs {
    fn sentence(self) -> &'static str {
        match self {
            Self::Bearer => "the app's bearer token: set X_BEARER_TOKEN",
            Self::BearerOrOwner => {
                "the app's bearer token or its owner's access token: set X_BEARER_TOKEN, or \
                 X_CONSUMER_KEY, X_CONSUMER_SECRET, X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET"
            }
            Self::Owner => {
                "the app's consumer key and secret and its owner's access token to sign with: set \
                 X_CONSUMER_KEY, X_CONSUMER_SECRET, X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET"
            }
            Self::Consumer => {
                "the app's consumer key and secret to sign with: set X_CONSUMER_KEY and \
                 X_CONSUMER_SECRET"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_the_variables() {
        for needs in [Needs::Bearer, Needs::BearerOrOwner, Needs::Owner, Needs::Consumer] {
            let error = MissingCredential::new(Operation::ListWebhooks, needs);
            let text = error.to_string();
            assert!(text.starts_with("could not list the webhooks: it needs the app's"));
            for name in error.variables().iter().copied().flatten() {
                assert!(text.contains(name), "{text} lacks {name}");
            }
        }
    }
}
