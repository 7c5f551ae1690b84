use std::{fmt, str::FromStr};

/// Which generation of the API is spoken.
///
/// # Examples
///
/// ```
/// use aaa_client::ApiVersion;
///
/// assert_eq!("v1.1".parse(), Ok(ApiVersion::V1_1));
/// assert_eq!(ApiVersion::default().to_string(), "v2");
/// assert!("1.1".parse::<ApiVersion>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ApiVersion {
    /// `/2/webhooks` and `/2/account_activity`.
    #[default]
    V2,
    /// `/1.1/account_activity`, the Enterprise API.
    V1_1,
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V2 => "v2",
            Self::V1_1 => "v1.1",
        })
    }
}

impl FromStr for ApiVersion {
    type Err = ApiVersionError;

    fn from_str(text: &str) -> Result<Self, ApiVersionError> {
        match text {
            "v2" => Ok(Self::V2),
            "v1.1" => Ok(Self::V1_1),
            _ => Err(ApiVersionError),
        }
    }
}

/// A text names no generation of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the API has the versions `v2` and `v1.1`")]
pub struct ApiVersionError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_read_again() {
        for version in [ApiVersion::V2, ApiVersion::V1_1] {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        for text in ["", "2", "V2", "v1", "v1.1 "] {
            assert_eq!(text.parse::<ApiVersion>(), Err(ApiVersionError), "{text}");
        }
    }
}
