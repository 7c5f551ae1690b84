//! What the driver tells, each thing once.

use std::collections::{BTreeMap, btree_map::Entry};

use aaa_types::{UtcMinute, WebhookId};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use crate::{
    engine::{Figures, Fleet, Moment},
    notice::Notice,
    plan::Lost,
};

/// How long a stretch has to be as it is before its extent is told once more.
const REST: SignedDuration = SignedDuration::from_mins(5);

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Which stretches were named as lost: where they begin, and whether for certain.
    lost: BTreeMap<(WebhookId, Timestamp, bool), Stretch>,
    /// What there was to tell of at the last look, which was in this minute of X's time and of the
    /// run's.
    last: Option<(usize, usize, UtcMinute, i64)>,
    /// How many events sweeps had found, as long as the same engines count them.
    swept: Option<u64>,
    notices: Option<mpsc::Sender<Notice>>,
}

/// A stretch that was named.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    /// Where it ended when it was named.
    told: Timestamp,
    /// Where it ends, and since when, in the time since the run started.
    to: Timestamp,
    since: SignedDuration,
}

impl Stretch {
    /// Takes note of where it ends now; says whether that is to be told.
    fn grow(&mut self, to: Timestamp, now: Moment) -> bool {
        if self.to < to {
            (self.to, self.since) = (to, now.uptime);
        }
        let rests = self.told < self.to && now.uptime.saturating_sub(self.since) >= REST;
        let is_news = rests || to.duration_since(self.told) >= SignedDuration::from_hours(1);
        if is_news {
            self.told = self.to;
        }
        is_news
    }
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
        let minute = (UtcMinute::floor(now.x), now.uptime.as_mins());
        let lost = (figures.lost, figures.maybe_lost, minute.0, minute.1);
        if self.last.replace(lost) != Some(lost) {
            self.lost(fleet, now);
        }
    }

    /// Names what is lost, each stretch once, and again when it has grown by an hour, and when it
    /// grows no more.
    fn lost(&mut self, fleet: &mut Fleet, now: Moment) {
        let mut all = Vec::new();
        for engine in fleet.engines() {
            let webhook = engine.webhook().id;
            all.extend(engine.plan(now).lost.iter().map(|lost| (webhook, lost.clone())));
        }
        for (webhook, Lost { from, to, reason }) in all {
            let certain = reason.is_certain();
            let is_news = match self.lost.entry((webhook, from, certain)) {
                Entry::Occupied(mut known) => known.get_mut().grow(to, now),
                Entry::Vacant(new) => {
                    new.insert(Stretch { told: to, to, since: now.uptime });
                    true
                }
            };
            if !is_news {
                continue;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        coverage::{Cause, Gap, RunId, Tally},
        engine::{Engine, Health, Input, Settings, Webhook},
    };

    fn at(minute: i64) -> Moment {
        let time = SignedDuration::from_mins(minute);
        let x = "2025-11-22T12:00:00Z".parse::<Timestamp>().unwrap() + time;
        Moment { x, uptime: time }
    }

    /// What grows by less than an hour is told once more when it has come to its end.
    #[test]
    fn the_final_extent_of_a_loss_is_told() {
        let webhook = Webhook { id: "12".parse().unwrap(), created_at: None };
        let health = Health::new(RunId(1), Tally::default());
        let mut engine = Engine::new(webhook, Settings::v2(), health, Vec::new());
        let day = SignedDuration::from_hours(24);
        // It is at the edge when the run begins, and twenty minutes later the last of it is lost.
        let gap =
            Gap::new(at(0).x - day - SignedDuration::from_mins(5), at(20).x - day, Cause::Down);
        engine.on(Input::Gaps(vec![gap]), at(0));
        let mut fleet = Fleet::default();
        fleet.add(engine);
        let (sender, mut notices) = mpsc::channel(16);
        let mut told = Told::default();
        told.tell_to(sender);
        let mut said = Vec::new();
        for minute in 0..60 {
            let figures = fleet.figures(at(minute));
            told.look(&mut fleet, figures, at(minute));
            while let Ok(Notice::Unrecoverable { from, to, .. }) = notices.try_recv() {
                said.push((minute, to.duration_since(from).as_mins()));
            }
        }
        let (told_at, whole) = said[1];
        assert_eq!((said.len(), said[0], whole), (2, (0, 6), 25));
        assert!((20..30).contains(&told_at), "{said:?}");
    }
}
