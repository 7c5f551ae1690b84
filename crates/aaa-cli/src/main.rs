//! The command line of the X (Twitter) Account Activity API toolkit.
//!
//! Data goes to stdout, everything else to stderr. Every command ends with one of the exit codes
//! of [`exit::Exit`].

mod api;
mod auth;
mod cli;
mod credentials;
mod dashboard;
mod demo;
mod doctor;
mod emulate;
mod events;
mod exit;
mod forward;
mod listen;
mod manual;
mod output;
mod replay;
mod self_check;
mod signals;
mod store;
mod subscriptions;
mod table;
mod trigger;
mod verify;
mod webhooks;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{Cli, Command},
    credentials::Credentials,
    exit::Exit,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    output::start_log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let code = Exit::Failed.with(format!("the runtime did not start: {error}")).end();
            output::finish();
            return code;
        }
    };
    let done = runtime.block_on(run(cli));
    // A blocking read of a store may still be under way; nothing waits for it any more.
    runtime.shutdown_background();
    let code = match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.end(),
    };
    output::finish();
    code
}

async fn run(cli: Cli) -> Result<(), exit::Failure> {
    match cli.command {
        Command::Demo(args) => demo::run(args).await,
        Command::Emulate(args) => emulate::run(args).await,
        Command::Listen(args) => listen::run(*args, Credentials::load(cli.credentials)?).await,
        Command::Webhooks(args) => {
            let credentials = Credentials::load(cli.credentials)?;
            signals::or_end(webhooks::run(args, &credentials)).await
        }
        Command::Subscriptions(args) => {
            let credentials = Credentials::load(cli.credentials)?;
            signals::or_end(subscriptions::run(args, &credentials)).await
        }
        Command::Replay(args) => replay::run(args, &Credentials::load(cli.credentials)?).await,
        Command::Auth(args) => {
            let credentials = Credentials::load(cli.credentials)?;
            signals::or_end(auth::run(args, &credentials)).await
        }
        Command::Events(args) => events::run(args, cli.credentials).await,
        Command::Store(args) => store::run(args, &cli.credentials),
        Command::Doctor(args) => {
            let credentials = Credentials::load(cli.credentials)?;
            signals::or_end(doctor::run(args, &credentials)).await
        }
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
        Command::Trigger(args) => trigger::run(args, cli.credentials).await,
        Command::Dashboard(args) => {
            dashboard::run(*args, Credentials::load(cli.credentials)?).await
        }
        Command::Verify(args) => verify::run(args, &Credentials::load(cli.credentials)?).await,
    }
}
