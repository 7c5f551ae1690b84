//! Stored deliveries are sent once more.

use std::sync::Arc;

use aaa_webhook::consumer::StoredDelivery;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use url::Url;

use crate::{
    answer::{Change, Done, Refused},
    pages::event::find,
    shared::Shared,
};

#[derive(Deserialize)]
pub(crate) struct Resend {
    #[serde(default)]
    to: String,
}

pub(crate) async fn resend(
    State(shared): State<Arc<Shared>>,
    Path(seq): Path<String>,
    Change(change): Change<Resend>,
) -> Result<Done, Refused> {
    let resend = shared.resend.as_ref();
    let resend = resend
        .ok_or_else(|| Refused::not_here("this dashboard was started without a way to send"))?;
    let to = match change.to.trim() {
        "" => None,
        // The usual place is shown without what a query may hold.
        to if Some(to) == resend.usual().as_deref() => None,
        to => {
            let url = Url::parse(to).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            Some(url.ok_or_else(|| Refused::wrong("expected an http or https URL"))?.to_string())
        }
    };
    let event = find(&shared, &seq).await?;
    let delivery = StoredDelivery::split([event]).pop();
    let delivery = delivery.ok_or_else(|| Refused::missing("there is no such event"))?;
    let sent = resend.resend(delivery, to).await;
    sent.map(Done::new).map_err(|error| Refused::new(StatusCode::BAD_GATEWAY, error))
}
