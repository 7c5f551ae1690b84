//! Bearer tokens: app-only ones, and users' OAuth 2.0 tokens.

use aaa_types::BearerToken;
use http::HeaderValue;

use crate::header;

/// Returns the value of the `Authorization` header for a bearer token, marked sensitive.
///
/// The token is used verbatim: X hands it out with percent signs that belong to it.
///
/// # Examples
///
/// ```
/// let token: aaa_types::BearerToken = "AAAA%2Fbbbb%3D".parse()?;
/// let header = aaa_auth::bearer::authorization(&token);
/// assert_eq!(header, "Bearer AAAA%2Fbbbb%3D");
/// assert!(header.is_sensitive());
/// # Ok::<(), aaa_types::secret::SecretError>(())
/// ```
pub fn authorization(token: &BearerToken) -> HeaderValue {
    header::sensitive(&format!("Bearer {}", token.expose()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_token_fits_into_a_header_and_is_not_shown(token in "[!-~]{8,60}") {
            let header = authorization(&token.parse().unwrap());
            prop_assert_eq!(header.to_str().unwrap(), format!("Bearer {token}"));
            let shown = format!("{header:?}");
            prop_assert!(!shown.contains(&token));
        }
    }
}
