//! Replays are begun.

use std::sync::Arc;

use aaa_replay::{
    coverage::{Cause, Gap},
    ledger::Declaration,
};
use aaa_types::{ReplayWindow, UtcMinute, WebhookId};
use axum::extract::State;
use http::StatusCode;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::Deserialize;

use crate::{
    answer::{Change, Done, Refused},
    pages::webhooks::id,
    shared::Shared,
};

#[derive(Deserialize)]
pub(crate) struct Recover {
    webhook: String,
}

pub(crate) async fn recover(
    State(shared): State<Arc<Shared>>,
    Change(change): Change<Recover>,
) -> Result<Done, Refused> {
    let webhook = id(&change.webhook)?;
    begin(&shared, webhook).await.map(Done::new)
}

#[derive(Deserialize)]
pub(crate) struct Create {
    webhook: String,
    from: String,
    to: String,
}

/// Leaves the request in the ledger, for whoever looks after the replays, and sees to it that
/// somebody does.
pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    Change(change): Change<Create>,
) -> Result<Done, Refused> {
    let webhook = id(&change.webhook)?;
    let (from, to) = (minute(&change.from)?, minute(&change.to)?);
    let window = ReplayWindow::new(UtcMinute::floor(from), UtcMinute::ceil(to));
    let window = window.map_err(Refused::wrong)?;
    let (picture, now) = shared.picture().await?;
    let taken = shared.settings.limits.check(window, now.x);
    taken.map_err(|error| Refused::wrong(format!("X would not take {window}: {error}")))?;
    let gap = Gap::new(window.from_date().start(), window.to_date().start(), Cause::Requested);
    // Whoever asks compares this with a clock of its own, which may be a little behind ours.
    let at = picture.last().map_or(now.x, |last| last.x_time().min(now.x));
    shared.store.declare(Declaration { gap, webhook: Some(webhook), at }).await?;
    let asked = format!("{} minutes are asked for", window.minutes());
    if let Some(lease) = picture.holder(now) {
        let name = &lease.holder.name;
        return Ok(Done::new(format!("{asked}; {name} looks after the replays")));
    }
    match begin(&shared, webhook).await {
        Ok(words) => Ok(Done::new(format!("{asked}; {words}"))),
        Err(refused) => {
            let words = format!("{asked}, but nobody looks after the replays: {}", refused.error());
            Err(Refused::new(refused.status(), words)
                .advise("the request stays in the ledger: a receiver that recovers, or `aaa replay recover`, finds it"))
        }
    }
}

async fn begin(shared: &Shared, webhook: WebhookId) -> Result<String, Refused> {
    let recover = shared.recover.as_ref();
    let recover = recover
        .ok_or_else(|| Refused::not_here("this dashboard was started without a way to recover"))?;
    let begun = recover.recover(webhook).await;
    begun.map_err(|error| Refused::new(StatusCode::CONFLICT, error))
}

/// Reads a time as a browser writes it, in UTC, or one with an offset.
fn minute(text: &str) -> Result<Timestamp, Refused> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let time = text.parse::<DateTime>().and_then(|time| time.to_zoned(TimeZone::UTC));
    time.map(|time| time.timestamp())
        .map_err(|_| Refused::wrong("expected times such as 2025-11-22T04:13, in UTC"))
}

#[cfg(test)]
mod tests {
    use super::minute;

    #[test]
    fn times() {
        for text in ["2025-11-22T04:13", "2025-11-22T04:13:00", " 2025-11-22T05:13:00+01:00 "] {
            assert_eq!(minute(text).unwrap().to_string(), "2025-11-22T04:13:00Z", "{text}");
        }
        for text in ["", "x", "04:13", "2025-11-22T25:00"] {
            assert!(minute(text).is_err(), "{text}");
        }
    }
}
