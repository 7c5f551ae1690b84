use std::fmt;

/// The failures that X's documents name, by operation
/// (<https://docs.x.com/x-api/webhooks/introduction>).
///
/// # Examples
///
/// ```
/// use aaa_types::api::{ApiError, Failure};
///
/// let error = ApiError::parse(400, br#"{"errors":[{"message":"WebhookIdInvalid: "}]}"#);
/// assert_eq!(error.failure(), Some(&Failure::WebhookIdInvalid));
/// assert_eq!(Failure::WebhookIdInvalid.name(), "WebhookIdInvalid");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The webhook did not answer its challenge-response check correctly.
    CrcValidationFailed,
    /// The URL does not meet the requirements.
    UrlValidationFailed,
    /// The URL is registered already.
    DuplicateUrlFailed,
    /// The account has as many webhooks as it may have.
    WebhookLimitExceeded,
    /// The webhook does not exist or belongs to another app.
    WebhookIdInvalid,
    /// The user is subscribed already.
    DuplicateSubscriptionFailed,
    /// The account has as many subscriptions as it may have.
    SubscriptionLimitExceeded,
    /// The user is not subscribed.
    SubscriptionNotFound,
    /// A parameter of a replay is malformed or out of its range.
    QueryParamInvalid,
    /// A replay job is in progress for the webhook.
    ReplayConflictError,
    /// A name that is not known here.
    Other(String),
}

impl Failure {
    /// Returns the name, as it stands on the wire.
    pub fn name(&self) -> &str {
        match self {
            Self::CrcValidationFailed => "CrcValidationFailed",
            Self::UrlValidationFailed => "UrlValidationFailed",
            Self::DuplicateUrlFailed => "DuplicateUrlFailed",
            Self::WebhookLimitExceeded => "WebhookLimitExceeded",
            Self::WebhookIdInvalid => "WebhookIdInvalid",
            Self::DuplicateSubscriptionFailed => "DuplicateSubscriptionFailed",
            Self::SubscriptionLimitExceeded => "SubscriptionLimitExceeded",
            Self::SubscriptionNotFound => "SubscriptionNotFound",
            Self::QueryParamInvalid => "QueryParamInvalid",
            Self::ReplayConflictError => "ReplayConflictError",
            Self::Other(name) => name,
        }
    }

    /// Finds a name in X's words: a known one anywhere, or a single word in camel case at the
    /// beginning, before a colon.
    pub(super) fn in_words(words: &str) -> Option<Self> {
        let mut names = words.split(|c: char| !c.is_ascii_alphanumeric());
        names.find_map(Self::known).or_else(|| {
            let (name, _) = words.split_once(':')?;
            let name = name.trim();
            is_camel_case(name).then(|| Self::Other(name.to_owned()))
        })
    }

    fn known(name: &str) -> Option<Self> {
        Some(match name {
            "CrcValidationFailed" => Self::CrcValidationFailed,
            "UrlValidationFailed" => Self::UrlValidationFailed,
            "DuplicateUrlFailed" => Self::DuplicateUrlFailed,
            "WebhookLimitExceeded" => Self::WebhookLimitExceeded,
            "WebhookIdInvalid" => Self::WebhookIdInvalid,
            "DuplicateSubscriptionFailed" => Self::DuplicateSubscriptionFailed,
            "SubscriptionLimitExceeded" => Self::SubscriptionLimitExceeded,
            "SubscriptionNotFound" => Self::SubscriptionNotFound,
            "QueryParamInvalid" => Self::QueryParamInvalid,
            "ReplayConflictError" => Self::ReplayConflictError,
            _ => return None,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn is_camel_case(name: &str) -> bool {
    let capitals = name.bytes().filter(u8::is_ascii_uppercase).count();
    let letters = name.bytes().all(|b| b.is_ascii_alphabetic());
    letters
        && capitals >= 2
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().any(|b| b.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_words() {
        for (words, name) in [
            ("WebhookLimitExceeded: ", Some("WebhookLimitExceeded")),
            ("WebhookLimitExceeded", Some("WebhookLimitExceeded")),
            ("ReplayConflictError.", Some("ReplayConflictError")),
            ("Invalid Request: CrcValidationFailed: no answer", Some("CrcValidationFailed")),
            ("SomethingElseFailed: why", Some("SomethingElseFailed")),
            ("SomethingElseFailed", None),
            ("Sorry: no", None),
            ("NOT A NAME: no", None),
            ("", None),
        ] {
            let found = Failure::in_words(words);
            assert_eq!(found.as_ref().map(Failure::name), name, "{words}");
        }
    }
}
