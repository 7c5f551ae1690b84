//! The challenge-response check (CRC): X sends a token, the webhook answers with its HMAC.
//!
//! # The oracle
//!
//! The answer to a token is exactly the signature of a delivery whose body is that token, and
//! anybody who can reach the URL can ask; it is the signature of a check whose query is that token
//! as well. Two rules keep the answers useless to an attacker. A token has 16 to 256 characters of
//! the base64 alphabets, and `=` only as padding at its end ([`CrcToken`]). A delivery is always a
//! JSON object (`aaa_types::event::Body`), and the query of a check has a token behind
//! `crc_token=` ([`CrcToken::from_query`]). So no token is a delivery, and none is a query.
//!
//! X does not document what its tokens look like. Should they change, a [`TokenRule`] lets others
//! through, whose answers are of as little use.

use std::{fmt, ops::RangeInclusive};

use aaa_types::ConsumerSecret;
use percent_encoding::percent_decode_str;

use crate::signature::Signature;

/// The shortest token that is answered.
pub const MIN_LENGTH: usize = 16;

/// The longest token that is answered.
pub const MAX_LENGTH: usize = 256;

/// No rule lets longer ones through.
const LONGEST: usize = 4096;

/// What may stand in a token besides base64: no part of a JSON object begins with any of these, and
/// none parts a query.
const HARMLESS: &str = "!$'()*,.:;@~";

/// The longest padding of a token; X's own have none.
const MAX_PADDING: usize = 2;

/// The token of a check, percent-decoded: 16 to 256 characters of `A-Z a-z 0-9 + / _ -`, of which
/// up to two at the end may be `=`.
///
/// # Examples
///
/// ```
/// use aaa_webhook::crc::CrcToken;
///
/// let token = CrcToken::parse("__TOKEN_FROM_TWITTER__")?;
/// assert_eq!(
///     token.answer(&"__APP_SECRET__".parse().unwrap()),
///     r#"{"response_token":"sha256=rPq0FJoFEukzQI8G52D6xjiQ4BGXK4EuZWYZCWMMlsQ="}"#,
/// );
/// // A delivery is no token, so nobody can have one signed.
/// assert!(CrcToken::parse(r#"{"for_user_id":"7"}"#).is_err());
/// # Ok::<(), aaa_webhook::crc::CrcTokenError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CrcToken(String);

impl CrcToken {
    /// Takes a token, percent-decoded.
    ///
    /// # Errors
    ///
    /// Fails when it is too short, too long, has another character, or a `=` that is no padding.
    pub fn parse(text: &str) -> Result<Self, CrcTokenError> {
        TokenRule::default().parse(text)
    }

    /// Finds the token in the query of a request, `crc_token=…`; other parameters are ignored.
    ///
    /// The value is percent-decoded. A `+` stands for itself: it is a digit of base64, and a token
    /// has no space.
    ///
    /// # Errors
    ///
    /// Fails when the parameter is missing, is there more than once, or is not a token.
    pub fn from_query(query: &str) -> Result<Self, CrcTokenError> {
        TokenRule::default().find(query)
    }

    /// Returns the token.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the body of the answer, `{"response_token":"sha256=…"}`, for `application/json`.
    pub fn answer(&self, secret: &ConsumerSecret) -> String {
        let signature = Signature::of(secret, self.0.as_bytes());
        format!(r#"{{"response_token":"{signature}"}}"#)
    }
}

/// Which tokens are answered: those of [`CrcToken`], unless told otherwise.
///
/// # Examples
///
/// ```
/// use aaa_webhook::crc::TokenRule;
///
/// assert!(TokenRule::default().parse("foo").is_err());
/// assert!(TokenRule::new(3..=64, ".~")?.parse("foo.bar").is_ok());
/// // Such tokens could be deliveries or checks.
/// assert!(TokenRule::new(3..=64, "{}").is_err());
/// # Ok::<(), aaa_webhook::crc::TokenRuleError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRule {
    length: RangeInclusive<usize>,
    /// Characters that are answered besides those of base64.
    also: String,
}

impl Default for TokenRule {
    fn default() -> Self {
        Self { length: MIN_LENGTH..=MAX_LENGTH, also: String::new() }
    }
}

impl TokenRule {
    /// Makes a rule by the number of characters and by those that are answered besides
    /// `A-Z a-z 0-9 + / _ -`. What is padding stays as it is.
    ///
    /// # Errors
    ///
    /// Fails when no token would be answered, or some that may be a delivery or a check: of other
    /// characters only `! $ \' ( ) * , . : ; @ ~` are let through.
    pub fn new(length: RangeInclusive<usize>, also: &str) -> Result<Self, TokenRuleError> {
        if length.is_empty() || *length.start() == 0 || *length.end() > LONGEST {
            return Err(TokenRuleError::Length);
        }
        match also.chars().find(|character| !HARMLESS.contains(*character)) {
            Some(_) => Err(TokenRuleError::Character),
            None => Ok(Self { length, also: also.to_owned() }),
        }
    }

    /// Takes a token, percent-decoded.
    ///
    /// # Errors
    ///
    /// Fails when it is too short, too long, has another character, or a `=` that is no padding.
    pub fn parse(&self, text: &str) -> Result<CrcToken, CrcTokenError> {
        if !self.length.contains(&text.len()) {
            return Err(CrcTokenError::Length);
        }
        let also = self.also.as_bytes();
        let is_one =
            |b| u8::is_ascii_alphanumeric(&b) || b"+/=_-".contains(&b) || also.contains(&b);
        if !text.bytes().all(is_one) {
            return Err(CrcTokenError::Character);
        }
        // Without digits, `crc_token==` would be a token, and a check with the token `=`.
        let digits = text.trim_end_matches('=');
        if digits.is_empty() || digits.contains('=') || text.len() - digits.len() > MAX_PADDING {
            return Err(CrcTokenError::Padding);
        }
        Ok(CrcToken(text.to_owned()))
    }

    /// Finds the token in the query of a request, see [`CrcToken::from_query`].
    ///
    /// # Errors
    ///
    /// Fails when the parameter is missing, is there more than once, or is not a token.
    pub fn find(&self, query: &str) -> Result<CrcToken, CrcTokenError> {
        let mut values = query.split('&').filter_map(|pair| pair.strip_prefix("crc_token="));
        match (values.next(), values.next()) {
            (None, _) => Err(CrcTokenError::Missing),
            (Some(_), Some(_)) => Err(CrcTokenError::Repeated),
            // A token may be longer while it is encoded, up to three bytes for one.
            (Some(value), None) if value.len() > 3 * self.length.end() => {
                Err(CrcTokenError::Length)
            }
            // A broken escape stays as it is, and its percent sign is refused.
            (Some(value), None) => {
                let token = percent_decode_str(value).decode_utf8();
                self.parse(&token.map_err(|_| CrcTokenError::Character)?)
            }
        }
    }
}

/// There is no such rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenRuleError {
    /// No token has such a length.
    #[error("tokens have at least 1 and at most {LONGEST} characters")]
    Length,
    /// A token with that character may be a delivery or a check, whose signature its answer is.
    #[error("besides those of base64 only the characters {HARMLESS} can be let through")]
    Character,
}

impl fmt::Debug for CrcToken {
    /// Nothing about a token is logged: with its answer it would be a signed text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CrcToken([redacted])")
    }
}

/// A check is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrcTokenError {
    /// The query has no `crc_token`.
    #[error("the query has no crc_token")]
    Missing,
    /// The query has several.
    #[error("the query has more than one crc_token")]
    Repeated,
    /// The token is shorter or longer than what is answered: 16 to 256 characters, unless there is
    /// another rule.
    #[error("the crc_token is too short or too long to be answered")]
    Length,
    /// The token has a character outside the base64 alphabets, and no rule lets it through.
    #[error("the crc_token has a character that is not one of `A-Z a-z 0-9 + / = _ -`")]
    Character,
    /// The token has a `=` before its end, or more than two.
    #[error("the crc_token has a `=` that is not one of at most two at its end")]
    Padding,
}

#[cfg(test)]
mod tests;
