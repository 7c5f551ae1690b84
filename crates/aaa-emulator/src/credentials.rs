//! The credentials that every emulator knows. None of them is secret.

use aaa_types::{ConsumerSecret, UserId};

/// The consumer key of the app.
pub const CONSUMER_KEY: &str = "emulator-key";

/// The consumer secret of the app: signs deliveries and challenges.
pub const CONSUMER_SECRET: &str = "emulator-secret";

/// The app-only bearer token; when it was invalidated, `emulator-bearer-2` and so on.
pub const BEARER_TOKEN: &str = "emulator-bearer";

/// The id of the app.
pub const APP_ID: u64 = 100;

/// The user who owns the app.
pub const OWNER: u64 = 1;

/// The largest user id that has tokens; the smallest is 1.
pub const MAX_USER: u64 = 9_999_999;

/// The tokens of one user.
///
/// # Examples
///
/// ```
/// let seven = aaa_emulator::credentials::user_token(7);
/// assert_eq!(seven.token, "7-emulator");
/// assert_eq!(seven.secret, "7-emulator-secret");
/// assert_eq!(seven.oauth2, "7-emulator-oauth2");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserTokens {
    /// The OAuth 1.0a access token.
    pub token: String,
    /// The secret of that token.
    pub secret: String,
    /// The OAuth 2.0 user token.
    pub oauth2: String,
}

/// Returns the tokens of a user, 1 to [`MAX_USER`].
pub fn user_token(user: u64) -> UserTokens {
    UserTokens {
        token: format!("{user}{ACCESS}"),
        secret: format!("{user}-emulator-secret"),
        oauth2: format!("{user}{OAUTH2}"),
    }
}

const ACCESS: &str = "-emulator";
const OAUTH2: &str = "-emulator-oauth2";

/// Finds the user of an OAuth 1.0a access token.
pub(crate) fn user_of_access_token(token: &str) -> Option<UserId> {
    user(token.strip_suffix(ACCESS)?)
}

/// Finds the user of an OAuth 2.0 user token.
pub(crate) fn user_of_oauth2_token(token: &str) -> Option<UserId> {
    user(token.strip_suffix(OAUTH2)?)
}

/// The consumer secret, ready to sign.
pub(crate) fn consumer_secret() -> Option<ConsumerSecret> {
    CONSUMER_SECRET.parse().ok()
}

fn user(text: &str) -> Option<UserId> {
    let user: UserId = text.parse().ok()?;
    (1..=MAX_USER).contains(&user.as_u64()).then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_name_their_user() {
        for user in [1, 7, MAX_USER] {
            let tokens = user_token(user);
            assert_eq!(user_of_access_token(&tokens.token).map(UserId::as_u64), Some(user));
            assert_eq!(user_of_oauth2_token(&tokens.oauth2).map(UserId::as_u64), Some(user));
            assert!(user_of_access_token(&tokens.oauth2).is_none());
        }
        for bad in ["0-emulator", "10000000-emulator", "07-emulator", "-emulator", "x-emulator"] {
            assert!(user_of_access_token(bad).is_none(), "{bad}");
        }
        assert!(consumer_secret().is_some());
    }
}
