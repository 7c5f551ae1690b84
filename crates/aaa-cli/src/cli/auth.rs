//! `aaa auth` and its flags.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{ApiArgs, StoreArgs, WaitArgs, calls::duration};

#[derive(Debug, Args)]
pub(crate) struct AuthArgs {
    #[command(subcommand)]
    pub(crate) command: AuthCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Asks a user for permission, and stores the token for `--user`
    #[command(after_help = "Examples:
  aaa auth login
  aaa auth login --callback http://127.0.0.1:8765/callback

The callback must stand in the app's settings, exactly so.")]
    Login(LoginArgs),
    /// Prints the app's bearer token, for X_BEARER_TOKEN
    #[command(after_help = "Examples:
  aaa auth bearer --env >> .env
  aaa auth bearer --invalidate")]
    Bearer(BearerArgs),
    /// Tells which credentials are there, where they come from, and whether they work
    #[command(after_help = "Example:\n  aaa auth whoami")]
    Whoami(WhoamiArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// Listen here for the user to come back, instead of asking for a PIN; port 0 takes a free one
    #[arg(long, value_name = "URL")]
    pub(crate) callback: Option<String>,
    /// How long to wait for the user
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Print the page to open, and at the end who signed in, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BearerArgs {
    /// Print it as a line for .env
    #[arg(long, conflicts_with_all = ["json", "invalidate"])]
    pub(crate) env: bool,
    /// Invalidate the token in X_BEARER_TOKEN, for everybody who uses it
    #[arg(long)]
    pub(crate) invalidate: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Print one JSON value
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WhoamiArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
}
