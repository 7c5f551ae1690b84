//! The two streams: data to stdout, all else to stderr.

mod bar;
mod colour;
mod stderr;
mod working;

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use serde::Serialize;
use tracing_subscriber::EnvFilter;

pub(crate) use self::{bar::bar, colour::Colour, working::Working};
use crate::exit::{Exit, Failure};

/// Starts the log on stderr; `AAA_LOG` sets what it shows.
pub(crate) fn start_log() {
    let wanted = std::env::var("AAA_LOG").unwrap_or_default();
    let filter = EnvFilter::try_new(shown(&wanted));
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(shown("")));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(colour::belongs_on(&io::stderr()))
        .with_writer(|| stderr::Stderr)
        .init();
}

/// Returns what the log shows. What the client of NATS tells of its connections, we tell in words of
/// our own, unless somebody asks for it by its name.
fn shown(wanted: &str) -> String {
    match wanted.trim() {
        "" => "info,async_nats=warn".to_owned(),
        all if ["info", "debug", "trace"].iter().any(|level| all.contains(level))
            && !all.contains("async_nats") =>
        {
            format!("async_nats=warn,{all}")
        }
        all => all.to_owned(),
    }
}

/// How long the end may wait for somebody to read the last lines on stderr.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Waits, within bounds, until what was told has been written.
pub(crate) fn finish() {
    stderr::flush(LAST_LINES);
}

/// Writes one line of data, at once. Returns false when nobody reads any more.
///
/// # Errors
///
/// Fails when stdout cannot be written for another reason.
pub(crate) fn line(text: impl std::fmt::Display) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Exit::Failed.of("could not write to stdout", error)),
    }
}

/// Writes one JSON value, in a line, as data.
///
/// # Errors
///
/// Fails when stdout cannot be written.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value);
    let text = text.map_err(|error| Exit::Failed.of("could not print the answer", error))?;
    line(text).map(drop)
}

/// Returns a text that somebody else wrote, without what could steer the terminal, or have it show
/// letters in another order.
pub(crate) fn printable(text: &str) -> String {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.replace(steers, " ")
}

/// Says whether the data is read by a person at a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Says whether the data may have colours.
#[cfg(feature = "tui")]
pub(crate) fn has_colours() -> bool {
    colour::belongs_on(&io::stdout())
}

/// Colours a part of the data, where that is for a person at a terminal.
pub(crate) fn paint(colour: Colour, text: &str) -> String {
    if colour::belongs_on(&io::stdout()) { colour.around(text) } else { text.to_owned() }
}

/// Tells the user something beside the data. It never waits for somebody to read it.
pub(crate) fn note(text: impl std::fmt::Display) {
    stderr::push(format!("{text}\n").into_bytes());
}

/// Tells how far something is, over what was told before. Only a person at a terminal sees it.
pub(crate) fn progress(done: usize, total: usize) {
    if io::stderr().is_terminal() {
        let end = if done == total { "\n" } else { "" };
        stderr::push(format!("\r{done} of {total}{end}").into_bytes());
    }
}

/// Tells the user something in the place of what [`bar()`] shows.
pub(crate) fn over(text: impl std::fmt::Display) {
    bar("");
    note(text);
}

/// Tells the user why the command fails.
pub(crate) fn error(text: &str) {
    let error = "error:";
    if colour::belongs_on(&io::stderr()) {
        note(format_args!("{} {text}", Colour::Red.around(error)));
    } else {
        note(format_args!("{error} {text}"));
    }
}

/// Says on stdout, as the first line, at which URL a server listens.
///
/// # Errors
///
/// Fails when stdout cannot be written.
pub(crate) fn listening(url: &str, json: bool) -> Result<(), Failure> {
    if json {
        line(serde_json::json!({ "listening": url }))?;
    } else {
        line(format_args!("listening on {url}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_of_nats_is_shown_when_somebody_asks_for_it() {
        for (wanted, expected) in [
            ("", "info,async_nats=warn"),
            ("debug", "async_nats=warn,debug"),
            ("warn,aaa_store=trace", "async_nats=warn,warn,aaa_store=trace"),
            ("error", "error"),
            ("debug,async_nats=debug", "debug,async_nats=debug"),
        ] {
            assert_eq!(shown(wanted), expected);
            assert!(EnvFilter::try_new(shown(wanted)).is_ok());
        }
    }
}
