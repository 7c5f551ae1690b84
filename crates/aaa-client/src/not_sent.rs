use aaa_types::url::WebhookUrlError;

/// Why a call was refused on this side, before anything was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSent {
    /// X would not take the webhook's URL.
    #[error("{0}")]
    Url(WebhookUrlError),
    /// v1.1 knows no OAuth 2.0.
    #[error(
        "v1.1 does not take the OAuth 2.0 token of a user: use the user's OAuth 1.0a access token and its \
         secret, or v2"
    )]
    OAuth2OnV1_1,
    /// v2 has no route on which a user ends their own subscription.
    #[error(
        "on v2 a subscription is ended by the app: remove it by the user's id, with the app's \
         bearer token"
    )]
    NoOwnRoute,
    /// A signature needs a nonce.
    #[error("the system gave no random bytes for a nonce")]
    NoRandomness,
}
