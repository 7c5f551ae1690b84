//! `aaa store`: looks after the store, beside a running listener or without one.

use std::path::Path;

use aaa_auth::tokens::{TokenFile, TokenFileError};
use aaa_store::{
    StoreError,
    sqlite::{self, Depth, Report},
};
use aaa_types::UserId;
use serde_json::{Value, json};

use crate::{
    cli::store::{BackupArgs, CheckArgs, ForgetArgs, StoreArgs, StoreCommand, VacuumArgs},
    credentials::CredentialArgs,
    exit::{Exit, Failure},
    output,
};

/// Runs a command. It works on files only, and may take minutes for a large store.
///
/// # Errors
///
/// Fails when the store cannot be read or written, and when a check finds something wrong.
pub(crate) fn run(args: StoreArgs, credentials: &CredentialArgs) -> Result<(), Failure> {
    match args.command {
        StoreCommand::Check(args) => check(&args),
        StoreCommand::Backup(args) => backup(&args),
        StoreCommand::Vacuum(args) => vacuum(&args),
        StoreCommand::Forget(args) => forget(&args, &credentials.token_file(&args.store.data_dir)),
    }
}

fn check(args: &CheckArgs) -> Result<(), Failure> {
    let depth = if args.quick { Depth::Quick } else { Depth::Full };
    let found = meanwhile("checking the store", || sqlite::check(&args.store.data_dir, depth));
    let report = found.map_err(failed("could not check the store"))?;
    let Report { bytes, events, deliveries, keys, findings, .. } = &report;
    let findings: Vec<_> = findings.iter().map(ToString::to_string).collect();
    let json = json!({
        "sound": report.is_sound(), "bytes": bytes, "events": events, "deliveries": deliveries,
        "keys": keys, "findings": findings,
    });
    let text = format!("{events} events, {deliveries} deliveries, {keys} keys, {bytes} bytes");
    say(args.json, &json, &text)?;
    if report.is_sound() {
        return Ok(());
    }
    Err(Exit::Failed.with(format!("the store is not sound: {}", findings.join("; "))))
}

fn backup(args: &BackupArgs) -> Result<(), Failure> {
    let to = Path::new(&args.to);
    if let Some(directory) = to.parent().filter(|parent| !parent.as_os_str().is_empty())
        && !directory.is_dir()
    {
        let words =
            format!("could not copy the store: there is no directory `{}`", directory.display());
        return Err(Exit::Failed.with(words).advise("make it first, or name another file"));
    }
    let done = meanwhile("copying the store", || sqlite::backup(&args.store.data_dir, to));
    let done = done.map_err(failed("could not copy the store"))?;
    let json = json!({
        "file": to.display().to_string(), "bytes": done.bytes, "events": done.events,
        "last_seq": done.last_seq,
    });
    let text = format!("{}: {} events, {} bytes", to.display(), done.events, done.bytes);
    say(args.json, &json, &text)
}

fn vacuum(args: &VacuumArgs) -> Result<(), Failure> {
    let done = meanwhile("making the store smaller", || sqlite::vacuum(&args.store.data_dir));
    let done = done.map_err(failed("could not vacuum the store"))?;
    let json = json!({
        "bytes_before": done.bytes_before, "bytes_after": done.bytes_after,
        "rebuilt": done.rebuilt,
    });
    let text = format!("{} bytes before, {} after", done.bytes_before, done.bytes_after);
    say(args.json, &json, &text)
}

fn forget(args: &ForgetArgs, tokens: &TokenFile) -> Result<(), Failure> {
    // It goes first: with it a listener may subscribe the user again.
    let had_token = forget_token(tokens, args.user)?;
    let done = meanwhile("removing the user's events", || {
        sqlite::forget(&args.store.data_dir, &args.user)
    });
    let done = done.map_err(failed("could not remove the user's events"))?;
    if !done.log_emptied {
        output::note(
            "warning: another process reads the store, so what was removed can be found in its \
             write-ahead log until that process ends",
        );
    }
    let json = json!({
        "user_id": args.user, "events": done.events, "deliveries": done.deliveries,
        "log_emptied": done.log_emptied, "token_removed": had_token,
    });
    let token = if had_token { ", and the user's token" } else { "" };
    let text = format!("removed {} events, {} deliveries{token}", done.events, done.deliveries);
    say(args.json, &json, &text)
}

/// Removes the token of a user; says whether there was one.
fn forget_token(tokens: &TokenFile, user: UserId) -> Result<bool, Failure> {
    let remove = || {
        // Where there is none, no file is made.
        let is_there = tokens.read()?.get(user).is_some();
        Ok(is_there && tokens.update(|tokens| tokens.remove(user).is_some())?)
    };
    remove().map_err(|error: TokenFileError| {
        Exit::Credentials.of("could not remove the user's token, so nothing was removed", error)
    })
}

/// Does something that may take minutes, and shows a person that it goes on.
fn meanwhile<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let working = output::Working::begin(what);
    let done = work();
    working.end();
    done
}

fn say(as_json: bool, json: &Value, text: &str) -> Result<(), Failure> {
    if as_json {
        output::line(json)?
    } else {
        output::line(text)?
    };
    Ok(())
}

fn failed(tried: &'static str) -> impl Fn(StoreError) -> Failure {
    move |error| Exit::Failed.of(tried, error)
}
