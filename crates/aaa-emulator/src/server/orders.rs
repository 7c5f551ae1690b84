//! What the control API can be told, with or without HTTP around it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{ControlError, shared::Shared};
use crate::{
    control::{Deliver, Delivered, Fault, PlannedFault, Traffic, TrafficState, Trigger, Triggered},
    world::Outcome,
};

/// How long somebody waits for deliveries before being told how it stands.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The longest step of the clock.
const LONGEST_STEP: Duration = Duration::from_secs(366 * 24 * 3600);

pub(super) async fn trigger(
    shared: &Arc<Shared>,
    ask: &Trigger,
) -> Result<Triggered, ControlError> {
    let mut events = Vec::new();
    for part in parts(ask) {
        events.extend(shared.visit(|v| v.world.trigger(&part, v.now))?.events);
        tokio::task::yield_now().await;
    }
    Ok(Triggered::new(events))
}

pub(super) async fn trigger_and_wait(
    shared: &Arc<Shared>,
    ask: &Trigger,
    patience: Duration,
) -> Result<Triggered, ControlError> {
    let mut events = Vec::new();
    let mut endings = Vec::new();
    for part in parts(ask) {
        let (made, ending) =
            shared.visit_and_wait(|v| match v.world.trigger_and_wait(&part, v.now) {
                Ok((made, ticket)) => (Ok(made), Some(ticket)),
                Err(error) => (Err(error), None),
            });
        events.extend(made?.events);
        endings.extend(ending);
        tokio::task::yield_now().await;
    }
    let all = async {
        for ending in endings {
            ending.await.map_err(|_| ControlError::Gone)?;
        }
        Ok::<_, ControlError>(())
    };
    let under_way = match tokio::time::timeout(patience, all).await {
        Ok(ended) => ended.map(|()| Vec::new())?,
        // What failed may be due for a retry in minutes, and what is delayed in hours.
        Err(_) => shared.look(|world, _| world.under_way(&events)),
    };
    Ok(Triggered { events, under_way })
}

/// Cuts a large order into parts, so that deliveries and calls go on while it is worked off.
fn parts(ask: &Trigger) -> Vec<Trigger> {
    const PART: u32 = 100;
    let count = ask.count.unwrap_or(1);
    if count <= PART || count > Trigger::MAX_COUNT {
        return vec![ask.clone()];
    }
    let part = |begin: u32| ask.clone().with_count(PART.min(count - begin));
    (0..count).step_by(PART as usize).map(part).collect()
}

pub(super) async fn deliver(shared: &Arc<Shared>, ask: Deliver) -> Result<Delivered, ControlError> {
    let webhook = ask.webhook_id;
    let (asked, answer) = shared.visit_and_wait(|v| match v.world.deliver(ask, v.now) {
        Ok(ticket) => (Ok(()), Some(ticket)),
        Err(refusal) => (Err(refusal), None),
    });
    asked.map_err(|_| ControlError::Webhook(webhook))?;
    let answer = answer.ok_or(ControlError::Gone)?;
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(Outcome::Delivered(delivered))) => Ok(delivered),
        Ok(_) => Err(ControlError::Gone),
        Err(_) => {
            let error = "nothing within a minute: it waits for its turn, or for an answer";
            Ok(Delivered { status: None, body: String::new(), error: Some(error.to_owned()) })
        }
    }
}

pub(super) async fn advance(shared: &Arc<Shared>, by: Duration) -> Result<Timestamp, ControlError> {
    if by > LONGEST_STEP {
        return Err(ControlError::TooFar);
    }
    shared.advance(by).await
}

pub(super) fn set_traffic(
    shared: &Arc<Shared>,
    ask: Traffic,
) -> Result<TrafficState, ControlError> {
    shared.visit(|v| v.world.set_traffic(ask, v.now)).map_err(ControlError::Traffic)
}

pub(super) fn plan_fault(shared: &Arc<Shared>, fault: Fault) -> Result<PlannedFault, ControlError> {
    shared.visit(|v| v.world.plan_fault(fault)).map_err(ControlError::Fault)
}
