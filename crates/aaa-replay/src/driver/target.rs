use aaa_types::{WebhookId, WebhookUrl, api::Webhook};

/// Which webhook to replay.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// This one.
    Id(WebhookId),
    /// The one with this URL.
    Url(WebhookUrl),
    /// The app's only one.
    Only,
}

impl Target {
    /// Finds the webhook in a list.
    ///
    /// # Errors
    ///
    /// Fails when it is not there, or when it is not clear which of several is meant.
    pub fn find<'a>(&self, webhooks: &'a [Webhook]) -> Result<&'a Webhook, TargetError> {
        let found = match (self, webhooks) {
            (Self::Id(id), _) => webhooks.iter().find(|webhook| webhook.id == *id),
            (Self::Url(url), _) => webhooks.iter().find(|webhook| webhook.url == *url),
            (Self::Only, [only]) => Some(only),
            (Self::Only, []) => None,
            (Self::Only, several) => return Err(TargetError::Several(several.len())),
        };
        found.ok_or(TargetError::None)
    }
}

/// It is not clear which webhook to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// There is none.
    #[error("the app has no such webhook: register one, or name another")]
    None,
    /// There are several.
    #[error("the app has {0} webhooks: name the one to recover by its id or its public URL")]
    Several(usize),
}
