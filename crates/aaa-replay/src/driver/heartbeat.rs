use std::{future::Future, time::Duration};

use super::XClock;
use crate::{
    coverage::Heartbeat,
    engine::Health,
    ledger::{Ledger, LedgerError},
};

/// Writes a heartbeat at once and then every `period`, until `shutdown` is ready; then the last
/// one, so that a clean stop leaves no wider gap than it has to. Says whether that one was written:
/// if not, the ledger does not know what was refused since the one before.
///
/// A heartbeat that cannot be written is left out: the gap it leaves is the truth. A ledger that does
/// not answer at all delays the end by a period.
pub async fn heartbeats(
    ledger: &impl Ledger,
    clock: &XClock,
    health: impl Fn() -> Health,
    period: Duration,
    shutdown: impl Future<Output = ()>,
) -> bool {
    let mut tick = tokio::time::interval(period);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut shutdown = std::pin::pin!(shutdown);
    let (mut fails, mut last) = (false, false);
    loop {
        tokio::select! {
            () = &mut shutdown, if !last => last = true,
            _ = tick.tick(), if !last => {}
            else => {}
        }
        let is_last = last;
        let patience = async {
            if !last {
                (&mut shutdown).await;
                last = true;
            }
            tokio::time::sleep(period).await;
        };
        let written = tokio::select! {
            written = ledger.heartbeat(heartbeat(clock, health())) => written,
            () = patience => {
                tracing::warn!("the last heartbeat was not written in time");
                return false;
            }
        };
        let is_written = written.is_ok();
        match written {
            // A disk may be full for hours, and a twin may run for as long.
            Err(error @ LedgerError::Twin(_)) if !std::mem::replace(&mut fails, true) => {
                tracing::error!(%error, "heartbeats are not written");
            }
            Err(error) if !std::mem::replace(&mut fails, true) => {
                tracing::warn!(%error, "heartbeats are not written: what arrives is a gap");
            }
            Err(error) => tracing::debug!(%error, "a heartbeat was not written"),
            Ok(()) if std::mem::take(&mut fails) => tracing::info!("heartbeats are written again"),
            Ok(()) => {}
        }
        if is_last {
            return is_written;
        }
    }
}

/// Makes the heartbeat of this moment.
///
/// The health is taken before the clock is read, so that a refusal in between falls after it.
pub fn heartbeat(clock: &XClock, health: Health) -> Heartbeat {
    Heartbeat {
        run: health.run,
        tally: health.tally,
        offset: clock.offset(),
        offset_read: clock.age().is_some(),
        wall: clock.wall(),
        uptime: clock.uptime(),
    }
}
