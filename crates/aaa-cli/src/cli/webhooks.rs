//! `aaa webhooks` and its flags.

use aaa_types::WebhookId;
use clap::{Args, Subcommand};

use super::{ApiArgs, StoreArgs};

#[derive(Debug, Args)]
pub(crate) struct WebhooksArgs {
    #[command(subcommand)]
    pub(crate) command: WebhooksCommand,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// Registers a webhook; X challenges its URL first, so the receiver must be running
    #[command(after_help = "Example:\n  aaa webhooks create https://example.com/webhooks/twitter")]
    Create {
        /// Where X delivers: https, without a port, at most 200 characters
        url: String,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Lists the app's webhooks
    #[command(after_help = "Example:\n  aaa webhooks list --json")]
    List,
    /// Has X challenge a webhook again, which also enables one that became invalid
    #[command(after_help = "Example:\n  aaa webhooks validate 1234577122340233217")]
    Validate {
        /// The webhook
        id: WebhookId,
    },
    /// Deletes a webhook, and with it all its subscriptions
    #[command(after_help = "Example:\n  aaa webhooks delete 1234577122340233217")]
    Delete {
        /// The webhook
        id: WebhookId,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Takes the webhook with this URL, enables it if it is invalid, registers it if there is none
    #[command(after_help = "Examples:
  aaa webhooks ensure https://example.com/webhooks/twitter
  aaa webhooks ensure https://new-tunnel.example.com/webhooks/twitter --replace

What --replace removes loses its subscriptions. Which webhooks `aaa` made is noted in webhooks.json
in the data directory; all others are left alone.")]
    Ensure {
        /// Where X delivers: https, without a port, at most 200 characters
        url: String,
        /// Let it take the place of all webhooks that `aaa` made, also when no more are allowed
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
}
