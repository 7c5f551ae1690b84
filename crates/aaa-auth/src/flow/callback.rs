use std::{borrow::Cow, str::FromStr};

use url::Url;

use super::VerifierError;
use crate::form::Twice;

/// What stands for a callback where there is none.
const OOB: &str = "oob";

/// Where the user is sent after they agreed or did not; registered in the app's settings, and sent
/// exactly as it was written.
///
/// # Examples
///
/// ```
/// use aaa_auth::flow::Callback;
///
/// let callback: Callback = "http://localhost/sign-in".parse()?;
/// assert_eq!(callback.as_str(), "http://localhost/sign-in");
/// assert_eq!("oob".parse::<Callback>()?, Callback::OUT_OF_BAND);
/// assert!("/sign-in".parse::<Callback>().is_err());
/// # Ok::<(), aaa_auth::flow::CallbackUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Callback(Cow<'static, str>);

impl Callback {
    /// Nowhere: the user is shown a PIN and types it in.
    pub const OUT_OF_BAND: Self = Self(Cow::Borrowed(OOB));

    /// Returns the URL, or `oob`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether the user is shown a PIN.
    pub fn is_out_of_band(&self) -> bool {
        self.0 == OOB
    }
}

impl FromStr for Callback {
    type Err = CallbackUrlError;

    fn from_str(text: &str) -> Result<Self, CallbackUrlError> {
        // Apps on a phone have schemes of their own, so any is taken.
        let visible = !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if text == OOB || visible && Url::parse(text).is_ok() {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(CallbackUrlError)
        }
    }
}

/// A text cannot be a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the callback is neither an absolute URL without white space nor `oob`")]
#[non_exhaustive]
pub struct CallbackUrlError;

/// The callback brought no verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// The user did not agree.
    #[error("the user did not give permission")]
    Denied,
    /// It belongs to another request token.
    #[error(
        "the callback belongs to another request token: begin again, and do not trust its link"
    )]
    OtherToken,
    /// Something is not there.
    #[error("the callback lacks `{0}`: begin again")]
    Missing(&'static str),
    /// Something is there twice, so that nobody can say which was meant.
    #[error("the callback has `{0}` twice: begin again")]
    Twice(&'static str),
    /// The verifier cannot be one.
    #[error("the callback brought no verifier: {0}")]
    Verifier(VerifierError),
}

impl From<Twice> for CallbackError {
    fn from(Twice(name): Twice) -> Self {
        Self::Twice(name)
    }
}
