//! `aaa subscriptions` and its flags.

use aaa_types::{UserId, WebhookId};
use clap::{Args, Subcommand};

use super::{ApiArgs, StoreArgs};

#[derive(Debug, Args)]
pub(crate) struct SubscriptionsArgs {
    #[command(subcommand)]
    pub(crate) command: SubscriptionsCommand,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SubscriptionsCommand {
    /// Subscribes a user; one who is subscribed already stays so
    #[command(after_help = "Examples:
  aaa subscriptions add 1234577122340233217
  aaa subscriptions add 1234577122340233217 --user 7
  aaa subscriptions add 1234577122340233217 --all-stored")]
    Add {
        /// The webhook
        id: WebhookId,
        #[command(flatten)]
        user: UserArgs,
        /// Subscribe every user whose token is stored, a few at a time
        #[arg(long, conflicts_with = "user")]
        all_stored: bool,
    },
    /// Asks whether a user is subscribed
    #[command(after_help = "Example:\n  aaa subscriptions check 1234577122340233217 --user 7")]
    Check {
        /// The webhook
        id: WebhookId,
        #[command(flatten)]
        user: UserArgs,
    },
    /// Lists the users who are subscribed
    #[command(after_help = "Example:\n  aaa subscriptions list 1234577122340233217 --json")]
    List {
        /// The webhook
        id: WebhookId,
    },
    /// Ends the subscription of a user, whom listeners on the same data directory do not miss then;
    /// their own token is not needed
    #[command(after_help = "Example:\n  aaa subscriptions remove 1234577122340233217 7")]
    Remove {
        /// The webhook
        id: WebhookId,
        /// The user
        user: UserId,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Counts the subscriptions of the account, over all webhooks
    #[command(after_help = "Example:\n  aaa subscriptions count")]
    Count,
}

/// For whom a call is made.
#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    /// The user, whose token `aaa auth login` has stored [default: the app's owner]
    #[arg(long, value_name = "ID")]
    pub(crate) user: Option<UserId>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}
