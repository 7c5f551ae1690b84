use std::{borrow::Cow, fmt, str::FromStr};

/// What the variables of one app begin with, without the underscore that follows.
///
/// # Examples
///
/// ```
/// use aaa_auth::environment::{Prefix, Variable};
///
/// let shop: Prefix = "SHOP".parse()?;
/// assert_eq!(Variable::ConsumerSecret.name(&shop), "SHOP_CONSUMER_SECRET");
/// assert!("my shop".parse::<Prefix>().is_err());
/// # Ok::<(), aaa_auth::environment::PrefixError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(Cow<'static, str>);

impl Prefix {
    /// The prefix in X's own samples.
    pub const X: Self = Self(Cow::Borrowed("X"));

    /// Returns the prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let first = text.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        // `SHOP_` would be read as `SHOP__CONSUMER_SECRET`, which nobody has set.
        if word && first && text.len() <= 64 && !text.ends_with('_') {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(PrefixError)
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text cannot begin the name of a variable. The text is not kept: in place of a prefix it may
/// be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the prefix of an app's variables is 1 to 64 letters, digits and underscores, begins with no \
     digit and ends with no underscore, as `SHOP` of SHOP_CONSUMER_SECRET"
)]
#[non_exhaustive]
pub struct PrefixError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_and_refused() {
        for good in ["X", "SHOP", "shop_2", "_a", &"a".repeat(64)] {
            assert_eq!(good.parse::<Prefix>().unwrap().to_string(), good);
        }
        for bad in ["", "2A", "A-B", "A B", "SHOP_", "A=B", "ä", &"a".repeat(65)] {
            assert_eq!(bad.parse::<Prefix>(), Err(PrefixError), "{bad}");
        }
    }
}
