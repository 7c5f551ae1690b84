use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::replay::time;

/// What the emulated X knows and lets the app do.
#[derive(Debug, Args)]
pub(crate) struct EmulatedArgs {
    /// When its clock begins; now, if not given
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) start_at: Option<Timestamp>,
    /// What X lets the app do
    #[arg(long, value_enum, default_value_t = Access::Full)]
    pub(crate) access: Access,
    /// Call `https` webhooks whose certificate is in this file, or signed by one that is
    #[arg(long, value_name = "FILE")]
    pub(crate) trust_ca: Option<PathBuf>,
    /// Go on from what is in this file, if it is there, and keep everything in it
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
}

/// What X lets the app do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Access {
    /// Everything.
    Full,
    /// Users gave permission to read only.
    ReadOnly,
    /// Everything but replays.
    WithoutReplay,
    /// Nothing: the product was never enabled for the app.
    NotEnrolled,
}
