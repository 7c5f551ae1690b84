//! `aaa verify` and its flags.

use std::path::PathBuf;

use aaa_auth::environment::Prefix;
use clap::Args;

pub(super) const HELP: &str = "Example:
  aaa verify --body delivery.json --signature 'sha256=YWHphPn/JFq43jkF0y4/w8R/SelmLjvpunhVFY8JhlI='

It ends with 0 when the signature is right and with 1 when it is wrong. Which signature would have
been right is never printed: it would sign whatever is in the file.";

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The body, saved as it came; `-` reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) body: PathBuf,
    /// What the header x-twitter-webhooks-signature said, or the whole line
    #[arg(long, value_name = "HEADER", allow_hyphen_values = true)]
    pub(crate) signature: String,
    /// What the header Content-Length said
    #[arg(long, value_name = "BYTES")]
    pub(crate) content_length: Option<u64>,
    /// Try the secrets of another app too, in PREFIX_CONSUMER_SECRET and so on; may be given more
    /// than once
    #[arg(long = "app", value_name = "PREFIX")]
    pub(crate) apps: Vec<Prefix>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
