//! `aaa replay` and its flags.

use aaa_types::{UtcMinute, WebhookId, WebhookUrl};
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{ApiArgs, RouteArgs, StoreArgs, masked::Masked};

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(subcommand)]
    pub(crate) command: ReplayCommand,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReplayCommand {
    /// Says what is missing: what X can replay now, what it takes later, what is lost
    #[command(
        after_help = "The store is only read, whether a listener runs or not. With a bearer token X \
                      is asked for its time and\nwhen the webhook was registered; --offline goes by \
                      what the store knows.\n\nExample:\n  aaa replay plan --json"
    )]
    Plan(PlanArgs),
    /// Asks X for one replay job
    #[command(
        after_help = "Times are UTC, as in 2025-11-22T04:13:00Z or 202511220413. X wants the first \
                      to be 31 minutes to 24 hours old\n(5 days with --api v1.1), the second at \
                      least 10 minutes. A listener that recovers is handed the request.\n\nExample:\
                      \n  aaa replay create 1234577122340233217 --from 202511220413 --to 202511220500 \
                      --follow"
    )]
    Create(CreateArgs),
    /// Has everything replayed that X takes now, and waits for it; exit 6 if something is lost
    #[command(
        after_help = "What is replayed arrives at the receiver, so a listener has to run. One that \
                      recovers does the work\nitself, and this follows it; beside `aaa listen \
                      --recover off` this command does it. It may be interrupted\nat any time and \
                      goes on when it is run again.\n\nExample:\n  aaa replay recover"
    )]
    Recover(RecoverArgs),
    /// Shows coverage, jobs, what waits until when, and what is lost
    #[command(after_help = "Example:\n  aaa replay status --watch")]
    Status(StatusArgs),
}

/// Which webhook, in which store.
#[derive(Debug, Args)]
pub(crate) struct OfArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The webhook [default: the app's only one]
    #[arg(long, value_name = "ID", conflicts_with = "public_url")]
    pub(crate) webhook: Option<WebhookId>,
    /// The same by its public URL
    #[arg(long, value_name = "URL", value_parser = Masked::<WebhookUrl>::default())]
    pub(crate) public_url: Option<WebhookUrl>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) of: OfArgs,
    /// Ask X for nothing
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The webhook
    pub(crate) id: WebhookId,
    /// The first minute
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) from: Timestamp,
    /// The first minute that is not wanted
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) to: Timestamp,
    /// Wait until the job has ended; exit 1 unless everything arrived
    #[arg(long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) route: RouteArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) route: RouteArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) of: OfArgs,
    /// Go on, and print a line whenever something has changed
    #[arg(long)]
    pub(crate) watch: bool,
    /// Ask X for nothing
    #[arg(long)]
    pub(crate) offline: bool,
}

/// Reads a time as RFC 3339 or as X writes minutes.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(minute) = text.parse::<UtcMinute>() {
        return Ok(minute.start());
    }
    text.parse().map_err(|_| {
        "expected a time in UTC such as 2025-11-22T04:13:00Z or 202511220413".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let expected: Timestamp = "2025-11-22T04:13:00Z".parse().unwrap();
        for text in ["202511220413", "2025-11-22T04:13:00Z", "2025-11-22T05:13:00+01:00"] {
            assert_eq!(time(text), Ok(expected), "{text}");
        }
        for bad in ["", "2025-11-22", "2025-11-22T04:13", "20251122041", "yesterday"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
