//! What all pages share.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use aaa_auth::tokens::{TokenFile, Tokens};
use aaa_replay::{
    coverage::Heartbeat,
    engine::{Settings, Webhook as Target},
    picture::{Now, Picture},
};
use aaa_types::WebhookId;
use aaa_webhook::{
    inbox::InboxError,
    metrics::{Behind, Probe},
    receiver::{Figures, Status},
};
use tokio::sync::watch;

use crate::{
    access::Access,
    answer::Refused,
    clock::{self, Steady},
    dashboard::{Record, Recover, Resend},
    hosts::Hosts,
    rates::Rates,
    reading,
    sign_ins::SignIns,
    store::{Answer, Store},
    x::X,
};

/// Stands for the webhook while none is known: then nothing depends on it.
const NOBODY: u64 = 1;

pub(crate) struct Shared {
    /// What comes before every path, without a slash at its end.
    pub(crate) base: String,
    pub(crate) store: Box<dyn Store>,
    pub(crate) x: X,
    pub(crate) access: Access,
    pub(crate) hosts: Hosts,
    pub(crate) clock: Steady,
    pub(crate) settings: Settings,
    pub(crate) webhook: Option<WebhookId>,
    pub(crate) tokens: Option<TokenFile>,
    pub(crate) sign_ins: SignIns,
    pub(crate) resend: Option<Box<dyn Resend>>,
    pub(crate) recover: Option<Box<dyn Recover>>,
    pub(crate) record: Option<Box<dyn Record>>,
    pub(crate) figures: Option<Box<dyn Look>>,
    pub(crate) is_claimed: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    pub(crate) woken: Option<watch::Receiver<u64>>,
    pub(crate) rates: Rates,
    pub(crate) newest: AtomicU64,
}

impl Shared {
    /// Returns the address of a page, whose path begins with a slash.
    pub(crate) fn at(&self, path: &str) -> String {
        match (path, self.base.as_str()) {
            ("/", "") => path.to_owned(),
            ("/", base) => base.to_owned(),
            (path, base) => format!("{base}{path}"),
        }
    }

    /// Returns the number of the last event.
    pub(crate) async fn last(&self) -> Result<u64, InboxError> {
        let last = reading::last(&*self.store, self.newest.load(SeqCst)).await?;
        self.newest.fetch_max(last, SeqCst);
        Ok(last)
    }

    /// Reads what the ledger knows.
    pub(crate) async fn picture(&self) -> Result<(Picture, Now), Refused> {
        let mut picture = self.store.picture().await?;
        picture.in_use = self.is_claimed.as_ref().is_none_or(|is_claimed| is_claimed());
        let now = now(picture.last());
        Ok((picture, now))
    }

    /// Returns the webhook that coverage and replays are about, as well as it is known.
    pub(crate) async fn target(&self, picture: &Picture) -> Option<Target> {
        let listed = self.x.webhooks().await.unwrap_or_default();
        let known = self.webhook.or_else(|| picture.webhook());
        let only = || match listed.as_slice() {
            [only] => Some(only.id),
            _ => None,
        };
        let id = known.or_else(only)?;
        let created_at = listed.iter().find(|w| w.id == id).and_then(|w| w.created_at);
        Some(Target { id, created_at })
    }

    /// Reads the users' tokens, on a thread for that.
    pub(crate) async fn tokens(&self) -> Result<Option<Tokens>, String> {
        let Some(file) = self.tokens.clone() else { return Ok(None) };
        let read = tokio::task::spawn_blocking(move || file.read()).await;
        let read = read.map_err(|error| error.to_string())?;
        read.map(Some).map_err(|error| error.to_string())
    }

    /// Changes the users' tokens, on a thread for that: it may wait for another process.
    pub(crate) async fn change_tokens<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Tokens) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let file = self.tokens.clone();
        let file = file.ok_or_else(|| Refused::not_here("no file for users' tokens was named"))?;
        let failed = |error: String| {
            let words = format!("could not change the users' tokens: {error}");
            Refused::new(http::StatusCode::INTERNAL_SERVER_ERROR, words)
        };
        let changed = tokio::task::spawn_blocking(move || file.update(change)).await;
        changed
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))
    }
}

/// A webhook that stands for none.
pub(crate) fn nobody() -> Option<Target> {
    Some(Target { id: WebhookId::try_from(NOBODY).ok()?, created_at: None })
}

/// Returns this moment; X's clock is as far off as it was for the last heartbeat.
pub(crate) fn now(last: Option<&Heartbeat>) -> Now {
    let wall = clock::wall();
    let x = last.and_then(|last| wall.checked_add(last.offset).ok());
    Now { x: x.unwrap_or(wall), wall }
}

/// What a receiver in the same process measures.
pub(crate) trait Look: Send + Sync {
    fn figures(&self) -> Figures;
    fn behind(&self) -> Answer<'_, Behind>;
}

pub(crate) struct Measured<P>(pub(crate) Status, pub(crate) P);

impl<P: Probe> Look for Measured<P> {
    fn figures(&self) -> Figures {
        self.0.figures()
    }

    fn behind(&self) -> Answer<'_, Behind> {
        Box::pin(self.1.look())
    }
}
