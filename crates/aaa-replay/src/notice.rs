//! What somebody has to hear of: an event for a hook.

use std::fmt;

use aaa_types::{UserId, WebhookId};
use jiff::Timestamp;
use serde::Serialize;

/// Something that went wrong, or right again, and that nobody else tells.
///
/// In JSON it is an object whose `event` is the kind in `snake_case`; [`Display`](fmt::Display)
/// is a sentence for people.
///
/// # Examples
///
/// ```
/// use aaa_replay::notice::Notice;
///
/// let notice = Notice::WebhookMissing { webhook: "12".parse()? };
/// assert_eq!(serde_json::to_string(&notice)?, r#"{"event":"webhook_missing","webhook":"12"}"#);
/// assert_eq!(notice.event(), "webhook_missing");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// X marked the webhook invalid, and delivers nothing to it.
    WebhookInvalid {
        /// The webhook.
        webhook: WebhookId,
        /// Until when it was surely valid.
        since: Timestamp,
    },
    /// The webhook is valid again.
    WebhookValid {
        /// The webhook.
        webhook: WebhookId,
        /// Since when it was invalid.
        from: Timestamp,
        /// When it was seen valid again. What X did not attempt in between is lost.
        to: Timestamp,
    },
    /// X no longer lists the webhook.
    WebhookMissing {
        /// The webhook.
        webhook: WebhookId,
    },
    /// The webhook is invalid, and its URL does not answer as it has to: nothing was asked of X.
    SelfCheckFailed {
        /// The webhook.
        webhook: WebhookId,
        /// What is wrong.
        reason: String,
    },
    /// X was asked to check the webhook, and it did not pass.
    ValidationFailed {
        /// The webhook.
        webhook: WebhookId,
        /// X's words.
        reason: String,
    },
    /// A subscription is not there any more.
    SubscriptionGone {
        /// The webhook.
        webhook: WebhookId,
        /// The user.
        user: UserId,
        /// Until when it was surely there; nothing when it was never seen.
        since: Option<Timestamp>,
        /// How it went.
        how: Gone,
    },
    /// A subscription is there again.
    SubscriptionBack {
        /// The webhook.
        webhook: WebhookId,
        /// The user.
        user: UserId,
        /// Since when it was not there. X attempts nothing for such a time: it is lost.
        from: Timestamp,
        /// When it was seen again.
        to: Timestamp,
    },
    /// A user could not be subscribed again.
    SubscribeFailed {
        /// The webhook.
        webhook: WebhookId,
        /// The user.
        user: UserId,
        /// Why.
        reason: String,
    },
    /// A sweep found events that had been lost on their way to a healthy receiver.
    FoundBySweep {
        /// How many.
        found: u64,
    },
    /// Minutes cannot be replayed, or perhaps cannot.
    Unrecoverable {
        /// The webhook.
        webhook: WebhookId,
        /// The first moment.
        from: Timestamp,
        /// The first moment that is not lost.
        to: Timestamp,
        /// Why.
        reason: String,
        /// Whether it is certain.
        certain: bool,
    },
}

/// How a subscription went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gone {
    /// The user revoked access.
    Revoked,
    /// Nobody knows.
    Lost,
}

impl Notice {
    /// Returns the kind, as it stands in JSON.
    pub fn event(&self) -> &'static str {
        match self {
            Self::WebhookInvalid { .. } => "webhook_invalid",
            Self::WebhookValid { .. } => "webhook_valid",
            Self::WebhookMissing { .. } => "webhook_missing",
            Self::SelfCheckFailed { .. } => "self_check_failed",
            Self::ValidationFailed { .. } => "validation_failed",
            Self::SubscriptionGone { .. } => "subscription_gone",
            Self::SubscriptionBack { .. } => "subscription_back",
            Self::SubscribeFailed { .. } => "subscribe_failed",
            Self::FoundBySweep { .. } => "found_by_sweep",
            Self::Unrecoverable { .. } => "unrecoverable",
        }
    }

    /// Says whether somebody has to act, or lost something.
    pub fn is_bad(&self) -> bool {
        !matches!(self, Self::WebhookValid { .. } | Self::SubscriptionBack { .. })
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WebhookInvalid { webhook, since } => {
                write!(f, "webhook {webhook} is invalid, since {since} at the earliest")
            }
            Self::WebhookValid { webhook, from, to } => {
                write!(
                    f,
                    "webhook {webhook} is valid again; from {from} to {to} it may not have been"
                )
            }
            Self::WebhookMissing { webhook } => write!(f, "webhook {webhook} is not registered"),
            Self::SelfCheckFailed { webhook, reason } => {
                write!(f, "webhook {webhook} is invalid and would not pass a check: {reason}")
            }
            Self::ValidationFailed { webhook, reason } => {
                write!(f, "webhook {webhook} did not pass X's check: {reason}")
            }
            Self::SubscriptionGone { user, how: Gone::Revoked, .. } => {
                write!(f, "user {user} revoked access and is not subscribed any more")
            }
            Self::SubscriptionGone { user, since: Some(since), .. } => {
                write!(f, "user {user} is not subscribed any more; {since} was the last time")
            }
            Self::SubscriptionGone { user, since: None, .. } => {
                write!(f, "user {user} is not subscribed")
            }
            Self::SubscriptionBack { user, from, to, .. } => {
                write!(f, "user {user} is subscribed again; what was from {from} to {to} is lost")
            }
            Self::SubscribeFailed { user, reason, .. } => {
                write!(f, "user {user} could not be subscribed again: {reason}")
            }
            Self::FoundBySweep { found } => write!(f, "found by sweep: {found}"),
            Self::Unrecoverable { from, to, reason, certain: true, .. } => {
                write!(f, "what was from {from} to {to} is lost: {reason}")
            }
            Self::Unrecoverable { from, to, reason, .. } => {
                write!(f, "what was from {from} to {to} may be lost: {reason}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_words() {
        let webhook = "12".parse().unwrap();
        let user = "7".parse().unwrap();
        let from: Timestamp = "2025-11-22T04:13:00Z".parse().unwrap();
        let to: Timestamp = "2025-11-22T05:00:00Z".parse().unwrap();
        let reason = || "no".to_owned();
        let (lost, revoked) = (Gone::Lost, Gone::Revoked);
        let all = [
            Notice::WebhookInvalid { webhook, since: from },
            Notice::WebhookValid { webhook, from, to },
            Notice::WebhookMissing { webhook },
            Notice::SelfCheckFailed { webhook, reason: reason() },
            Notice::ValidationFailed { webhook, reason: reason() },
            Notice::SubscriptionGone { webhook, user, since: Some(from), how: revoked },
            Notice::SubscriptionGone { webhook, user, since: Some(from), how: lost },
            Notice::SubscriptionGone { webhook, user, since: None, how: lost },
            Notice::SubscriptionBack { webhook, user, from, to },
            Notice::SubscribeFailed { webhook, user, reason: reason() },
            Notice::FoundBySweep { found: 3 },
            Notice::Unrecoverable { webhook, from, to, reason: reason(), certain: true },
            Notice::Unrecoverable { webhook, from, to, reason: reason(), certain: false },
        ];
        let mut lines = Vec::new();
        for notice in all {
            let json = serde_json::to_value(&notice).unwrap();
            assert_eq!(json["event"], notice.event());
            lines.push(format!("{json}\n    {notice}"));
        }
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"event":"webhook_invalid","since":"2025-11-22T04:13:00Z","webhook":"12"}
            webhook 12 is invalid, since 2025-11-22T04:13:00Z at the earliest
        {"event":"webhook_valid","from":"2025-11-22T04:13:00Z","to":"2025-11-22T05:00:00Z","webhook":"12"}
            webhook 12 is valid again; from 2025-11-22T04:13:00Z to 2025-11-22T05:00:00Z it may not have been
        {"event":"webhook_missing","webhook":"12"}
            webhook 12 is not registered
        {"event":"self_check_failed","reason":"no","webhook":"12"}
            webhook 12 is invalid and would not pass a check: no
        {"event":"validation_failed","reason":"no","webhook":"12"}
            webhook 12 did not pass X's check: no
        {"event":"subscription_gone","how":"revoked","since":"2025-11-22T04:13:00Z","user":"7","webhook":"12"}
            user 7 revoked access and is not subscribed any more
        {"event":"subscription_gone","how":"lost","since":"2025-11-22T04:13:00Z","user":"7","webhook":"12"}
            user 7 is not subscribed any more; 2025-11-22T04:13:00Z was the last time
        {"event":"subscription_gone","how":"lost","since":null,"user":"7","webhook":"12"}
            user 7 is not subscribed
        {"event":"subscription_back","from":"2025-11-22T04:13:00Z","to":"2025-11-22T05:00:00Z","user":"7","webhook":"12"}
            user 7 is subscribed again; what was from 2025-11-22T04:13:00Z to 2025-11-22T05:00:00Z is lost
        {"event":"subscribe_failed","reason":"no","user":"7","webhook":"12"}
            user 7 could not be subscribed again: no
        {"event":"found_by_sweep","found":3}
            found by sweep: 3
        {"certain":true,"event":"unrecoverable","from":"2025-11-22T04:13:00Z","reason":"no","to":"2025-11-22T05:00:00Z","webhook":"12"}
            what was from 2025-11-22T04:13:00Z to 2025-11-22T05:00:00Z is lost: no
        {"certain":false,"event":"unrecoverable","from":"2025-11-22T04:13:00Z","reason":"no","to":"2025-11-22T05:00:00Z","webhook":"12"}
            what was from 2025-11-22T04:13:00Z to 2025-11-22T05:00:00Z may be lost: no
        "#);
    }
}
