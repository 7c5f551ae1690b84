//! How long a receiver keeps what.

use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::Api;
use crate::{
    exit::{Exit, Failure},
    replay::documented,
};

/// What is printed, forwarded and recovered is read from the store, so it stays there for a while.
const SHORTEST_STAY: Duration = Duration::from_secs(60 * 60);

/// How much longer than a replay reaches back a key must be known.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug, Default, Args)]
pub(crate) struct KeepArgs {
    /// Remove events with their bodies after this time, such as 30d, dead letters' too; what a
    /// consumer has yet to handle stays, but not in JetStream, where it is told of before [default:
    /// never]
    #[arg(long, value_name = "TIME", value_parser = keep_events)]
    pub(crate) keep_events: Option<Duration>,
    /// Know the keys of events for so long, by which copies are refused; older events are stored
    /// as stale and not handled. A day longer than a replay reaches back at least: 2d, with --api
    /// v1.1 6d [default: 8d]
    #[arg(long, value_name = "TIME", value_parser = days)]
    pub(crate) keep_keys: Option<Duration>,
    /// Take the content out of stored posts when X reports their deletion, and out of a user's
    /// events when they revoke access; events of the X Activity API keep theirs
    #[arg(long)]
    pub(crate) redact_deleted: bool,
}

impl KeepArgs {
    /// Sees to it that what a replay brings is handled: it reaches back as far as the generation of
    /// the API lets it.
    ///
    /// # Errors
    ///
    /// Fails when keys are forgotten sooner.
    pub(crate) fn check(&self, api: Api) -> Result<(), Failure> {
        let look_back = documented(api).limits.look_back;
        let shortest = look_back.saturating_add(MARGIN);
        let too_short = |time| SignedDuration::try_from(time).is_ok_and(|time| time < shortest);
        if !self.keep_keys.is_some_and(too_short) {
            return Ok(());
        }
        let generation = api.to_possible_value();
        Err(Exit::Usage.with(format!(
            "--keep-keys: at least {} hours with --api {}: a replay reaches back {} hours, and what \
             it brings is only known to be a copy, and not an old capture, while its key is there",
            shortest.as_hours(),
            generation.as_ref().map_or("", |value| value.get_name()),
            look_back.as_hours(),
        )))
    }
}

impl From<&KeepArgs> for aaa_store::Settings {
    fn from(args: &KeepArgs) -> Self {
        let default = Self::default();
        Self {
            body_retention: args.keep_events.or(default.body_retention),
            key_retention: args.keep_keys.unwrap_or(default.key_retention),
            redact_on_deletion: args.redact_deleted,
            ..default
        }
    }
}

fn keep_events(text: &str) -> Result<Duration, String> {
    let time = days(text)?;
    if time < SHORTEST_STAY {
        return Err("at least an hour: what is printed, forwarded and recovered is read from the \
                    store"
            .to_owned());
    }
    Ok(time)
}

/// Reads a time such as `12h` or `30d`.
fn days(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<Span>().ok();
    let parsed = parsed.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let positive = parsed.and_then(|duration| Duration::try_from(duration).ok());
    positive.ok_or_else(|| "expected a time such as `12h`, `30d` or `1d 12h`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, hours) in [("12h", 12), ("30d", 720), ("1d 12h", 36), ("2w", 336)] {
            assert_eq!(keep_events(text), Ok(Duration::from_secs(hours * 3600)), "{text}");
        }
        for bad in ["", "5", "-5d", "soon", "1 month", "59m", "0d"] {
            assert!(keep_events(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_outlive_what_a_replay_brings() {
        let check = |keys: &str, api| {
            let keep_keys = Some(days(keys).unwrap());
            KeepArgs { keep_keys, ..KeepArgs::default() }.check(api)
        };
        for (shortest, shorter, api) in
            [("48h", "47h 59m", Api::V2), ("6d", "5d 23h 59m", Api::V1_1)]
        {
            assert!(check(shortest, api).is_ok() && KeepArgs::default().check(api).is_ok());
            assert_eq!(check(shorter, api).unwrap_err().exit(), Exit::Usage);
        }
        insta::assert_snapshot!(check("48h", Api::V1_1).unwrap_err(), @"--keep-keys: at least 144 hours with --api v1.1: a replay reaches back 120 hours, and what it brings is only known to be a copy, and not an old capture, while its key is there");
    }

    #[test]
    fn without_a_flag_nothing_changes() {
        let default = aaa_store::Settings::default();
        assert_eq!(aaa_store::Settings::from(&KeepArgs::default()), default);
    }
}
