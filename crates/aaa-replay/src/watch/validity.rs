use aaa_types::WebhookId;
use jiff::SignedDuration;

use super::{
    Errand, Rhythm, Spell, Tries,
    well::{Well, unwatched},
};
use crate::{coverage::Cause, engine::Moment, ledger::Seen, notice::Notice};

/// How often the end of a spell that goes on is recorded.
const RECORD: SignedDuration = SignedDuration::from_hours(1);

/// Whether the webhook is valid, and since when it is not.
#[derive(Debug)]
pub(super) struct Validity {
    /// Until when it was surely valid.
    well: Well,
    spell: Option<Spell>,
    /// This run has said that it is invalid.
    said: bool,
    missing: bool,
    tries: Tries,
    /// What was told last about this spell.
    told: Option<Notice>,
}

impl Validity {
    /// `open` is a spell that an earlier run has declared, and that may go on.
    pub(super) fn new(well: Well, open: Option<Spell>) -> Self {
        Self { well, spell: open, said: false, missing: false, tries: Tries::default(), told: None }
    }

    /// The machine slept.
    pub(super) fn wake(&mut self, rhythm: Rhythm, now: Moment) {
        self.well.wake(rhythm.webhooks, now);
    }

    /// The list says that it is valid, or not, or it is not there.
    pub(super) fn seen(
        &mut self,
        webhook: WebhookId,
        rhythm: Rhythm,
        valid: Option<bool>,
        now: Moment,
        notices: &mut Vec<Notice>,
    ) -> Vec<Errand> {
        let was_missing = std::mem::replace(&mut self.missing, valid.is_none());
        match valid {
            None if was_missing => Vec::new(),
            None => {
                notices.push(Notice::WebhookMissing { webhook });
                Vec::new()
            }
            Some(true) => {
                let unseen = self.well.is(rhythm.webhooks, now);
                (self.tries, self.told, self.said) = (Tries::default(), None, false);
                let mut errands = Vec::new();
                if let Some(mut spell) = self.spell.take() {
                    notices.push(Notice::WebhookValid { webhook, from: spell.from, to: now.x });
                    errands.extend(spell.prolong(now));
                } else if let Some(since) = unseen {
                    errands.push(unwatched(webhook, since, now));
                }
                // What was wrong is in the ledger before that.
                let seen = Seen { valid: Some(now.x), complete: None };
                errands.push(Errand::Confirm { webhook, seen });
                errands
            }
            Some(false) => self.invalid(webhook, now, notices),
        }
    }

    fn invalid(
        &mut self,
        webhook: WebhookId,
        now: Moment,
        notices: &mut Vec<Notice>,
    ) -> Vec<Errand> {
        let mut errands = Vec::new();
        let since = self.spell.map(|spell| spell.from).or(self.well.until);
        let since = since.unwrap_or(now.x).min(now.x);
        if !std::mem::replace(&mut self.said, true) {
            notices.push(Notice::WebhookInvalid { webhook, since });
        }
        match &mut self.spell {
            None => {
                let (spell, errand) = Spell::begin(webhook, since, Cause::Invalid, now);
                self.spell = Some(spell);
                errands.push(errand);
            }
            // Should this run end in the middle, little of the spell is forgotten.
            Some(spell) if now.x.duration_since(spell.to) >= RECORD => {
                errands.extend(spell.prolong(now));
            }
            Some(_) => {}
        }
        if self.tries.are_due(now) {
            errands.push(Errand::SelfCheck);
        }
        errands
    }

    /// The gap of this spell has a number.
    pub(super) fn declared(&mut self, number: u64) {
        if let Some(spell) = &mut self.spell {
            spell.number = Some(number);
        }
    }

    /// A try was made; the next one has to wait.
    pub(super) fn failed(&mut self, rhythm: Rhythm, now: Moment) {
        self.tries.failed(rhythm, now);
    }

    /// Returns the notice unless it is what was told last.
    pub(super) fn news(&mut self, notice: Notice) -> Option<Notice> {
        if self.told.as_ref() == Some(&notice) {
            return None;
        }
        self.told = Some(notice.clone());
        Some(notice)
    }
}
