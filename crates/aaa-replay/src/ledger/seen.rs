use aaa_types::WebhookId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Declaration, Declared};
use crate::{
    coverage::{Cause, Gap},
    watch::Errand,
};

/// When all was last seen to be well with a webhook, on X's clock; `None` for never.
///
/// It is durable, so that a restart knows from when on something may have been wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// When X listed the webhook as valid.
    pub valid: Option<Timestamp>,
    /// When everybody was subscribed who should be.
    pub complete: Option<Timestamp>,
}

impl Seen {
    /// Takes over what is known by `newer`.
    pub fn update(&mut self, newer: Self) {
        self.valid = newer.valid.or(self.valid);
        self.complete = newer.complete.or(self.complete);
    }

    /// Returns the latest spell of a kind that stands in the ledger and had not ended when all was
    /// last seen to be well: whoever ends it has to move its end.
    pub fn open_spell(
        &self,
        webhook: WebhookId,
        cause: Cause,
        declared: &[Declared],
    ) -> Option<Declared> {
        let well = if cause == Cause::Invalid { self.valid } else { self.complete };
        let is_open = |it: &&Declared| {
            let Declaration { gap, webhook: about, .. } = it.declaration;
            about == Some(webhook) && gap.cause == cause && well.is_none_or(|well| well < gap.to)
        };
        declared.iter().rev().find(is_open).copied()
    }

    /// Returns what to record when X says that the webhook is invalid: before anybody has it
    /// checked, since afterwards nothing shows that it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_replay::{ledger::Seen, watch::Errand};
    ///
    /// let now: jiff::Timestamp = "2025-11-22T04:13:00Z".parse()?;
    /// let valid = "2025-11-22T03:00:00Z".parse()?;
    /// let seen = Seen { valid: Some(valid), complete: None };
    /// let Errand::Declare(spell) = seen.invalid("12".parse()?, &[], now) else { panic!() };
    /// assert_eq!((spell.gap.from, spell.gap.to), (valid, now));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn invalid(&self, webhook: WebhookId, declared: &[Declared], now: Timestamp) -> Errand {
        if let Some(Declared { number, .. }) = self.open_spell(webhook, Cause::Invalid, declared) {
            return Errand::Prolong { number, to: now };
        }
        let gap = Gap::new(self.valid.unwrap_or(now).min(now), now, Cause::Invalid);
        Errand::Declare(Declaration { gap, webhook: Some(webhook), at: now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_763_784_000 + minute * 60).unwrap()
    }

    #[test]
    fn a_spell_is_open_until_all_was_well_at_its_end_or_later() {
        let (webhook, other) = ("12".parse().unwrap(), "13".parse().unwrap());
        let spell = |number, webhook, from, to, cause| {
            let gap = Gap::new(at(from), at(to), cause);
            Declared { number, after: 0, declaration: Declaration { gap, webhook, at: at(to) } }
        };
        let declared = [
            spell(1, Some(webhook), 0, 10, Cause::Invalid),
            spell(2, Some(webhook), 20, 30, Cause::Invalid),
            spell(3, Some(other), 20, 40, Cause::Invalid),
            spell(4, None, 20, 40, Cause::Declared),
            spell(5, Some(webhook), 20, 35, Cause::Unsubscribed),
        ];
        let open = |valid: Option<i64>, cause| {
            let well = valid.map(at);
            let seen = Seen { valid: well, complete: well };
            seen.open_spell(webhook, cause, &declared).map(|declared| declared.number)
        };
        assert_eq!(open(Some(29), Cause::Invalid), Some(2));
        assert_eq!(open(Some(30), Cause::Invalid), None);
        assert_eq!(open(None, Cause::Invalid), Some(2));
        assert_eq!(open(Some(34), Cause::Unsubscribed), Some(5));
        let seen = Seen { valid: Some(at(25)), complete: None };
        let prolonged = Errand::Prolong { number: 2, to: at(50) };
        assert_eq!(seen.invalid(webhook, &declared, at(50)), prolonged);
    }

    #[test]
    fn json() {
        let mut seen = Seen { valid: Some(at(0)), complete: None };
        seen.update(Seen { valid: None, complete: Some(at(1)) });
        insta::assert_json_snapshot!(seen, @r#"
        {
          "valid": "2025-11-22T04:00:00Z",
          "complete": "2025-11-22T04:01:00Z"
        }
        "#);
    }
}
