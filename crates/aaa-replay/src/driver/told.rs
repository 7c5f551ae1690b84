//! What the driver tells, each thing once.

use std::collections::BTreeMap;

use aaa_types::{UtcMinute, WebhookId};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use crate::{
    engine::{Figures, Fleet, Moment},
    notice::Notice,
    plan::Lost,
};

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Which stretches were named as lost: where they begin, and where they ended then.
    lost: BTreeMap<(WebhookId, Timestamp), Timestamp>,
    /// What there was to tell of at the last look, which was in this minute.
    last: Option<(usize, usize, UtcMinute)>,
    /// How many events sweeps had found, as long as the same engines count them.
    swept: Option<u64>,
    notices: Option<mpsc::Sender<Notice>>,
}

impl Told {
    pub(super) fn tell_to(&mut self, notices: mpsc::Sender<Notice>) {
        self.notices = Some(notices);
    }

    /// Other engines count from now on.
    pub(super) fn recount(&mut self) {
        self.swept = None;
    }

    /// Tells what is new.
    pub(super) fn look(&mut self, fleet: &mut Fleet, figures: Figures, now: Moment) {
        if !fleet.is_empty() {
            let before = self.swept.replace(figures.swept).unwrap_or(figures.swept);
            let found = figures.swept.saturating_sub(before);
            if found > 0 {
                tracing::warn!("found by sweep: {found}");
                self.send(Notice::FoundBySweep { found });
            }
        }
        let lost = (figures.lost, figures.maybe_lost, UtcMinute::floor(now.x));
        if self.last.replace(lost) != Some(lost) {
            self.lost(fleet, now);
        }
    }

    /// Names what is lost, each stretch once, and again when it has grown by an hour.
    fn lost(&mut self, fleet: &mut Fleet, now: Moment) {
        let mut all = Vec::new();
        for engine in fleet.engines() {
            let webhook = engine.webhook().id;
            all.extend(engine.plan(now).lost.iter().map(|lost| (webhook, lost.clone())));
        }
        for (webhook, Lost { from, to, reason }) in all {
            let told = self.lost.get(&(webhook, from));
            if told.is_some_and(|told| to.duration_since(*told) < SignedDuration::from_hours(1)) {
                continue;
            }
            self.lost.insert((webhook, from), to);
            let certain = reason.is_certain();
            if certain {
                tracing::error!(%from, %to, %reason, "LOST: cannot be replayed any more");
            } else {
                tracing::warn!(%from, %to, %reason, "perhaps it cannot be replayed");
            }
            let reason = reason.to_string();
            self.send(Notice::Unrecoverable { webhook, from, to, reason, certain });
        }
    }

    fn send(&self, notice: Notice) {
        if self.notices.as_ref().is_some_and(|notices| notices.try_send(notice).is_err()) {
            tracing::warn!("nobody takes the notices");
        }
    }
}
