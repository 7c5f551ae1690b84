//! Flags of every command that calls the API.

use std::time::Duration;

use aaa_client::{ApiVersion, v2::ReplayRoute};
use clap::{Args, ValueEnum};
use jiff::SignedDuration;

/// Which API is called, and what its answers become.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ApiArgs {
    /// The generation of the API; v1.1 is Enterprise
    #[arg(long, global = true, value_enum, value_name = "VERSION", default_value_t = Api::V2)]
    pub(crate) api: Api,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Print one JSON value
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// How patient a call is.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct WaitArgs {
    /// How long to wait at most until a rate limit ends or a failure has passed
    #[arg(long, global = true, value_name = "TIME", value_parser = duration, default_value = "16m")]
    pub(crate) max_wait: Duration,
    /// Fail at once instead
    #[arg(long, global = true, conflicts_with = "max_wait")]
    pub(crate) no_wait: bool,
}

/// A generation of the API: that of `/2/…`, or that of `/1.1/account_activity/…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Api {
    V2,
    #[value(name = "v1.1")]
    V1_1,
}

impl From<Api> for ApiVersion {
    fn from(api: Api) -> Self {
        match api {
            Api::V2 => Self::V2,
            Api::V1_1 => Self::V1_1,
        }
    }
}

/// Which of the two routes of v2 replays are asked for on; the other one is taken when the API does
/// not know it.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct RouteArgs {
    /// Where v2 is asked for replays: the newer route, or the one that the guide describes; when X
    /// does not know it, the other one is taken
    #[arg(long, value_enum, value_name = "ROUTE", default_value_t = Route::Webhooks)]
    pub(crate) replay_route: Route,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Route {
    /// `/2/webhooks/replay`
    #[default]
    Webhooks,
    /// `/2/account_activity/replay/…`, deprecated
    AccountActivity,
}

impl From<RouteArgs> for ReplayRoute {
    fn from(args: RouteArgs) -> Self {
        match args.replay_route {
            Route::Webhooks => Self::Webhooks,
            Route::AccountActivity => Self::AccountActivity,
        }
    }
}

/// Reads a time of at least a minute.
pub(super) fn minutes(text: &str) -> Result<SignedDuration, String> {
    let time = duration(text)?;
    let time = SignedDuration::try_from(time).map_err(|error| error.to_string())?;
    if time < SignedDuration::from_mins(1) { Err("at least a minute".to_owned()) } else { Ok(time) }
}

/// Reads a time such as `30s` or `5m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok();
    let positive = parsed.and_then(|duration| Duration::try_from(duration).ok());
    positive.ok_or_else(|| "expected a time such as `30s`, `5m` or `1h 30m`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_less_than_a_minute() {
        assert_eq!(minutes("6h"), Ok(SignedDuration::from_hours(6)));
        assert!(minutes("59s").is_err() && minutes("soon").is_err());
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("1h 30m", 5400), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "5", "-5m", "soon", "1 year"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
