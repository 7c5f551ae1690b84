//! `aaa replay`: what is missing, and having X send it again.

mod awaited;
mod background;
mod create;
mod own;
mod picture;
mod plan;
mod progress;
mod recover;
mod status;
mod timeline;
pub(crate) mod unfollowed;
mod x;

pub(crate) use self::{
    background::Background,
    x::{documented, settings},
};

use crate::{
    cli::{ReplayArgs, ReplayCommand},
    credentials::Credentials,
    exit::Failure,
    signals,
};

/// Runs a command.
///
/// # Errors
///
/// Fails when the store cannot be read or X does not do what it is asked for, and, with
/// `recover`, when something is lost.
pub(crate) async fn run(args: ReplayArgs, credentials: &Credentials) -> Result<(), Failure> {
    let api = args.api;
    match args.command {
        ReplayCommand::Plan(args) => signals::or_end(plan::run(args, api, credentials)).await,
        ReplayCommand::Create(args) => create::run(args, api, credentials).await,
        ReplayCommand::Recover(args) => recover::run(args, api, credentials).await,
        ReplayCommand::Status(args) => status::run(args, api, credentials).await,
    }
}
