use std::{fmt, str::FromStr};

use secrecy::{ExposeSecret, SecretString};

/// The longest verifier; X's have about 40 characters.
const MAX: usize = 256;

/// How many digits a PIN may have; X shows 7.
const PIN_DIGITS: std::ops::RangeInclusive<usize> = 4..=12;

/// The proof that the user gave permission: what the callback brought, or the PIN that they were
/// shown. It works once.
///
/// # Examples
///
/// ```
/// use aaa_auth::flow::Verifier;
///
/// let pin = Verifier::from_pin(" 1234567\n")?;
/// assert_eq!(pin.expose(), "1234567");
/// assert_eq!(format!("{pin:?}"), "Verifier([redacted])");
/// assert!(Verifier::from_pin("12345a7").is_err());
/// # Ok::<(), aaa_auth::flow::VerifierError>(())
/// ```
#[derive(Clone)]
pub struct Verifier(SecretString);

impl Verifier {
    /// Reads a PIN as a user types it in: about 7 digits, with white space around them.
    ///
    /// # Errors
    ///
    /// Fails when it is not 4 to 12 digits.
    pub fn from_pin(text: &str) -> Result<Self, VerifierError> {
        let pin = text.trim();
        if PIN_DIGITS.contains(&pin.len()) && pin.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(SecretString::from(pin)))
        } else {
            Err(VerifierError::Pin)
        }
    }

    /// Returns the verifier itself; whoever calls this must not print or store it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl FromStr for Verifier {
    type Err = VerifierError;

    fn from_str(text: &str) -> Result<Self, VerifierError> {
        let fits = (1..=MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(SecretString::from(text))) } else { Err(VerifierError::Text) }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier([redacted])")
    }
}

/// A text cannot be a verifier. The text itself is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifierError {
    /// Not a PIN.
    #[error("the PIN is not 4 to 12 digits: type the number that X shows, mostly of 7 digits")]
    Pin,
    /// Not a verifier from a callback.
    #[error("the verifier is not 1 to 256 visible ASCII characters: begin again")]
    Text,
}
