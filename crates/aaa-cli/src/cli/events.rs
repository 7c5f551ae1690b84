//! `aaa events` and its flags.

use std::{ops::RangeInclusive, str::FromStr};

use aaa_webhook::consumer::ConsumerName;
use clap::{Args, Subcommand};
use secrecy::SecretString;

use super::StoreArgs;
use crate::forward::ForwardUrl;

#[cfg(feature = "tui")]
const TAIL_HELP: &str = "Examples:
  aaa events tail --json --kind direct_message_events
  aaa events tail --tui --resend-to http://127.0.0.1:3000/hook";

#[cfg(not(feature = "tui"))]
const TAIL_HELP: &str = "Example:
  aaa events tail --json --kind direct_message_events";

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    #[command(subcommand)]
    pub(crate) command: EventsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Lists events in the order of their arrival
    List(ListArgs),
    /// Shows one event with everything that is known of it
    Show(ShowArgs),
    /// Prints events as they arrive at a running receiver
    #[command(after_help = TAIL_HELP)]
    Tail(TailArgs),
    /// Sends the deliveries of some events somewhere, once more
    #[command(after_help = "Example:\n  aaa events resend 12-40 --to http://127.0.0.1:3000/hook")]
    Resend(ResendArgs),
    /// Counts what is stored, and how far consumers are
    Stats(StatsArgs),
    /// Lists what a consumer could not handle, and asks for it to be handled once more
    Dead(DeadArgs),
    /// Forgets a consumer that will not come back, so that nothing waits for it
    DropConsumer(DropConsumerArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// Only this kind, such as favorite_events
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Only events for this user
    #[arg(long, value_name = "ID")]
    pub(crate) user: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Print one JSON object for each event
    #[arg(long)]
    pub(crate) json: bool,
    /// Only events after this sequence number
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub(crate) after: u64,
    /// At most so many events [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The sequence number
    pub(crate) seq: u64,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Print it as `list --json` does
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Print one JSON object for each event
    #[arg(long)]
    pub(crate) json: bool,
    /// Begin after this sequence number [default: with what arrives from now on]
    #[arg(long, value_name = "SEQ")]
    pub(crate) after: Option<u64>,
    /// End after so many events [default: never]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Show them on the whole terminal: filter as you type, look at one, send one again
    #[cfg(feature = "tui")]
    #[arg(long, conflicts_with_all = ["json", "limit"])]
    pub(crate) tui: bool,
    /// Where the key `r` sends the delivery of an event once more
    #[cfg(feature = "tui")]
    #[arg(long, value_name = "URL", requires = "tui")]
    pub(crate) resend_to: Option<ForwardUrl>,
}

#[derive(Debug, Args)]
pub(crate) struct ResendArgs {
    /// Which events: SEQ, FIRST-LAST, or FIRST- for all from there on
    #[arg(value_name = "RANGE")]
    pub(crate) seqs: Seqs,
    /// Where to send them
    #[arg(long, value_name = "URL")]
    pub(crate) to: ForwardUrl,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Print one JSON object for each delivery
    #[arg(long)]
    pub(crate) json: bool,
    /// At most so many events [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Sign with this secret, not as X signed (X_FORWARD_SECRET)
    #[arg(long, value_name = "SECRET")]
    pub(crate) forward_secret: Option<SecretString>,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeadArgs {
    #[command(subcommand)]
    pub(crate) command: DeadCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadCommand {
    /// Lists dead letters
    List(DeadListArgs),
    /// Asks for dead letters to be handled once more, by a running receiver or the next one
    Redrive(RedriveArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DeadListArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Print one JSON object for each dead letter
    #[arg(long)]
    pub(crate) json: bool,
    /// Only those of this consumer [default: of all]
    #[arg(long, value_name = "NAME")]
    pub(crate) consumer: Option<ConsumerName>,
}

#[derive(Debug, Args)]
pub(crate) struct RedriveArgs {
    /// Which events: SEQ, FIRST-LAST, or FIRST- for all from there on
    #[arg(value_name = "RANGE", required_unless_present = "all")]
    pub(crate) seqs: Option<Seqs>,
    /// All of them
    #[arg(long, conflicts_with = "seqs")]
    pub(crate) all: bool,
    /// Whose dead letters; what is forwarded has the consumer `forward`
    #[arg(long, value_name = "NAME", default_value = crate::forward::CONSUMER)]
    pub(crate) consumer: ConsumerName,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DropConsumerArgs {
    /// Its name, as `aaa events stats` tells it
    pub(crate) name: ConsumerName,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// A range of sequence numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seqs(pub(crate) RangeInclusive<u64>);

impl FromStr for Seqs {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "expected SEQ, FIRST-LAST or FIRST-, from 1";
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let first = first.parse().map_err(|_| WANTED)?;
        let last = if last.is_empty() { u64::MAX } else { last.parse().map_err(|_| WANTED)? };
        if 0 < first && first <= last { Ok(Self(first..=last)) } else { Err(WANTED) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, range) in [("7", 7..=7), ("7-9", 7..=9), ("7-", 7..=u64::MAX)] {
            assert_eq!(text.parse(), Ok(Seqs(range)), "{text}");
        }
        for bad in ["", "-", "-7", "0", "9-7", "a", "1-b", "1-2-3", "1..2"] {
            assert!(bad.parse::<Seqs>().is_err(), "{bad}");
        }
    }
}
