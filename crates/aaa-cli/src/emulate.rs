//! `aaa emulate`: X's side, on this machine.

mod settings;
mod state;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

use aaa_emulator::{Emulator, Trust, control::Traffic, credentials};

use self::{settings::settings, state::StateFile};
use crate::{
    cli::EmulateArgs,
    exit::{Exit, Failure},
    output, signals,
};

pub(crate) async fn run(args: EmulateArgs) -> Result<(), Failure> {
    if args.print_env {
        return print_env(args.bind);
    }
    let settings = settings(&args)?;
    let signal = signals::end();
    let mut builder = Emulator::builder().bind(args.bind).settings(settings);
    if let Some(rate) = args.traffic {
        builder = builder.traffic(Traffic { rate, users: args.traffic_users });
    }
    if let Some(file) = &args.emulated.trust_ca {
        builder = builder.trust(trust(file)?);
    }
    let state = args.emulated.state.clone().map(StateFile::new);
    if let Some(kept) = state.as_ref().map(StateFile::load).transpose()?.flatten() {
        builder = builder.state(kept);
    }
    let emulator = builder.start().await;
    let emulator =
        emulator.map_err(|error| Exit::Failed.of("the emulator did not start", error))?;
    // What is asked for once it is known where it listens is news.
    let known = emulator.changes();
    output::listening(&format!("http://{}", emulator.addr()), args.json)?;
    let kept = async {
        match &state {
            Some(state) => state.keep(&emulator, known).await,
            None => std::future::pending().await,
        }
    };
    let signal = tokio::select! {
        signal = signal => signal,
        never = kept => match never {},
    };
    output::note(format_args!("{signal}: ending"));
    let saved = match &state {
        Some(state) => state.save(&emulator).await,
        None => Ok(()),
    };
    emulator.shutdown().await;
    saved
}

fn trust(file: &Path) -> Result<Trust, Failure> {
    let tried = format!("the certificates in {} cannot be trusted", file.display());
    let pem = std::fs::read(file).map_err(|error| Exit::Failed.of(&tried, error))?;
    Trust::from_pem(&pem).map_err(|error| Exit::Failed.of(&tried, error))
}

/// Prints what `.env` needs so that every command talks to the emulator.
fn print_env(mut bind: SocketAddr) -> Result<(), Failure> {
    if bind.port() == 0 {
        return Err(Exit::Usage
            .with("--print-env cannot know which port will be free")
            .advise("name one with --bind, such as 127.0.0.1:7878"));
    }
    if bind.ip().is_unspecified() {
        // It answers to loopback names only, wherever it listens.
        bind.set_ip(match bind.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let owner = credentials::user_token(credentials::OWNER);
    for (name, value) in [
        ("X_CONSUMER_KEY", credentials::CONSUMER_KEY),
        ("X_CONSUMER_SECRET", credentials::CONSUMER_SECRET),
        ("X_ACCESS_TOKEN", &owner.token),
        ("X_ACCESS_TOKEN_SECRET", &owner.secret),
        ("X_BEARER_TOKEN", credentials::BEARER_TOKEN),
        ("X_API_URL", &format!("http://{bind}")),
    ] {
        if !output::line(format_args!("{name}={value}"))? {
            break;
        }
    }
    Ok(())
}
