//! `aaa doctor` and its flags.

use clap::Args;

use super::{Api, StoreArgs};

pub(super) const HELP: &str = "Examples:
  aaa doctor https://example.com/webhooks/twitter
  aaa doctor http://127.0.0.1:8080/webhooks/twitter --json

It challenges the URL as X does, and posts a few bodies that no receiver can take for a delivery:
they are JSON lists, and a delivery is an object. Nothing is stored, registered or changed. Without
the consumer secret it can prove nothing to the receiver, which may then take the forged ones for X's
and replay the minutes since its start. It ends with 0 when nothing is wrong; a warning is no more
than that.";

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The webhook's URL, as X is to call it
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The generation of the API; v1.1 is Enterprise
    #[arg(long, value_enum, value_name = "VERSION", default_value_t = Api::V2)]
    pub(crate) api: Api,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
