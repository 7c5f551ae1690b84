//! `aaa emulate`: X's side, on this machine.

use std::net::SocketAddr;

use aaa_emulator::{
    Emulator,
    control::Traffic,
    credentials,
    settings::{OauthTime, Quota as Limits, Settings, TimeMode, UrlRule},
};

use crate::{
    cli::{EmulateArgs, Quota},
    exit::{Exit, Failure},
    output, signals,
};

pub(crate) async fn run(args: EmulateArgs) -> Result<(), Failure> {
    if args.print_env {
        return print_env(args.bind);
    }
    let signal = signals::end();
    let mut builder = Emulator::builder().bind(args.bind).settings(settings(&args));
    if let Some(rate) = args.traffic {
        builder = builder.traffic(Traffic { rate, users: args.traffic_users });
    }
    let emulator = builder.start().await;
    let emulator =
        emulator.map_err(|error| Exit::Failed.of("the emulator did not start", error))?;
    output::listening(&format!("http://{}", emulator.addr()), args.json)?;
    let signal = signal.await;
    output::note(format_args!("{signal}: ending"));
    emulator.shutdown().await;
    Ok(())
}

fn settings(args: &EmulateArgs) -> Settings {
    let mut settings = Settings { seed: args.seed, ..Settings::default() };
    if args.strict_urls {
        settings.urls = UrlRule::Strict;
    }
    if args.strict_oauth_time {
        settings.oauth_time = OauthTime::Strict;
    }
    if args.virtual_time {
        settings.time = TimeMode::Virtual;
    }
    settings.quota = match args.quota {
        Quota::Enterprise => Limits::ENTERPRISE,
        Quota::PayPerUse => Limits::PAY_PER_USE,
    };
    settings
}

/// Prints what `.env` needs so that every command talks to the emulator.
fn print_env(bind: SocketAddr) -> Result<(), Failure> {
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
