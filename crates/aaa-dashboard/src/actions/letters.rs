//! Dead letters are tried again.

use std::sync::Arc;

use aaa_webhook::consumer::ConsumerName;
use axum::extract::State;
use serde::Deserialize;

use crate::{
    answer::{Change, Done, Refused},
    shared::Shared,
    words,
};

#[derive(Deserialize)]
pub(crate) struct Redrive {
    consumer: String,
    /// All, when there is none.
    #[serde(default)]
    first: Option<String>,
    #[serde(default)]
    last: Option<String>,
}

pub(crate) async fn redrive(
    State(shared): State<Arc<Shared>>,
    Change(change): Change<Redrive>,
) -> Result<Done, Refused> {
    let consumer: ConsumerName = change.consumer.parse().map_err(Refused::wrong)?;
    let number = |text: Option<String>, otherwise: u64| match text {
        Some(text) => text.parse().map_err(|_| Refused::wrong("expected numbers of events")),
        None => Ok(otherwise),
    };
    let (first, last) = (number(change.first, 1)?, number(change.last, u64::MAX)?);
    let asked = shared.store.redrive(&consumer, first..=last).await?;
    if asked == 0 {
        return Err(Refused::missing(format!("the consumer {consumer} has no such dead letter")));
    }
    Ok(Done::new(format!("{} will be tried again", words::counted(asked, "event", "events"))))
}
