//! `aaa store`.

use std::path::PathBuf;

use aaa_types::UserId;
use clap::{Args, Subcommand};

use super::StoreArgs as DirectoryArgs;

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    pub(crate) command: StoreCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Says whether the store is sound; exit 1 if it is not
    #[command(after_help = "Example:\n  aaa store check")]
    Check(CheckArgs),
    /// Copies the store into a new file
    #[command(after_help = "Example:\n  aaa store backup inbox-2025-11-22.db")]
    Backup(BackupArgs),
    /// Gives unused room back to the file system
    #[command(
        after_help = "While a listener runs only pages that are free are given back; without one \
                      the whole file is written anew."
    )]
    Vacuum(VacuumArgs),
    /// Removes everything that was delivered for a user, and the user's token
    #[command(
        after_help = "The keys stay, so that a replay does not bring the events back. The subscription \
                      stays too: `aaa subscriptions remove` ends it.\n\nExample:\n  aaa store forget \
                      --user 7"
    )]
    Forget(ForgetArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) store: DirectoryArgs,
    /// Look at each page only, not at whether events, keys and bodies agree
    #[arg(long)]
    pub(crate) quick: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The new file; one that is there is not replaced
    #[arg(value_name = "FILE")]
    pub(crate) to: PathBuf,
    #[command(flatten)]
    pub(crate) store: DirectoryArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VacuumArgs {
    #[command(flatten)]
    pub(crate) store: DirectoryArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// The user
    #[arg(long, value_name = "ID")]
    pub(crate) user: UserId,
    #[command(flatten)]
    pub(crate) store: DirectoryArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
