use std::fmt;

use aaa_types::secret::SecretError;

use crate::ApiUrlError;

/// The variables cannot be read. No value is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// A value cannot be what its name says.
    #[error("{variable}: {reason}")]
    #[non_exhaustive]
    Value {
        /// The name of the variable.
        variable: String,
        /// What is wrong with its value.
        reason: ValueError,
    },
}

impl EnvironmentError {
    /// Returns the name of the variable.
    pub fn variable(&self) -> &str {
        match self {
            Self::Value { variable, .. } => variable,
        }
    }
}

/// What is wrong with the value of a variable. The value itself is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// White space, or something invisible, before or after it.
    #[error("white space or an invisible character was copied along with the value: remove it")]
    Space,
    /// A quote before or after it. Shells and `.env` take quotes away; other places do not.
    #[error("the quotes belong to the value here: write it without them")]
    Quoted,
    /// A whole header where a token should be.
    #[error("the value begins with `Bearer `: write the token alone")]
    Scheme,
    /// Not a key, token or secret.
    #[error("{0}")]
    Secret(SecretError),
    /// Not the address of an API.
    #[error("{0}")]
    Url(ApiUrlError),
}

impl From<SecretError> for ValueError {
    fn from(error: SecretError) -> Self {
        Self::Secret(error)
    }
}

impl From<ApiUrlError> for ValueError {
    fn from(error: ApiUrlError) -> Self {
        Self::Url(error)
    }
}

/// Something is needed that no variable says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingVariables {
    pub(super) what: &'static str,
    pub(super) missing: Vec<String>,
    pub(super) present: Vec<String>,
}

impl MissingVariables {
    /// Returns the names of the variables to set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().map(String::as_str)
    }
}

impl fmt::Display for MissingVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {}: set {}", self.what, self.missing.join(" and "))?;
        if self.present.is_empty() {
            Ok(())
        } else {
            write!(f, " too ({} is set)", self.present.join(" and "))
        }
    }
}

impl std::error::Error for MissingVariables {}
