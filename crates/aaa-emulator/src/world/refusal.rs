use aaa_types::api::Failure;

/// Why the service refused, by one of the names in its documents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {words}", self.name())]
pub struct Refusal {
    failure: Failure,
    words: String,
}

impl Refusal {
    pub(crate) fn new(failure: Failure, words: impl Into<String>) -> Self {
        Self { failure, words: words.into() }
    }

    /// Returns the failure.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// Returns its name, as it stands on the wire.
    pub fn name(&self) -> &str {
        match &self.failure {
            Failure::CrcValidationFailed => "CrcValidationFailed",
            Failure::UrlValidationFailed => "UrlValidationFailed",
            Failure::DuplicateUrlFailed => "DuplicateUrlFailed",
            Failure::WebhookLimitExceeded => "WebhookLimitExceeded",
            Failure::WebhookIdInvalid => "WebhookIdInvalid",
            Failure::DuplicateSubscriptionFailed => "DuplicateSubscriptionFailed",
            Failure::SubscriptionLimitExceeded => "SubscriptionLimitExceeded",
            Failure::SubscriptionNotFound => "SubscriptionNotFound",
            Failure::QueryParamInvalid => "QueryParamInvalid",
            Failure::ReplayConflictError => "ReplayConflictError",
            Failure::Other(name) => name,
            _ => "InvalidRequest",
        }
    }

    /// Returns the words after the name; may be empty.
    pub fn words(&self) -> &str {
        &self.words
    }
}
