use aaa_types::WebhookId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::coverage::{Cause, Gap};

/// A gap that heartbeats cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// The gap. Its end may still [move](super::Ledger::prolong).
    pub gap: Gap,
    /// The webhook that it is about; `None` for all of them.
    pub webhook: Option<WebhookId>,
    /// When it was declared, on X's clock as far as it was known.
    pub at: Timestamp,
}

impl Declaration {
    /// Declares an outage since a time: up to where coverage `began`, or up to `now` if the outage
    /// began later than that. `None` when such an outage, with the same beginning, is declared
    /// already: then it is looked after.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_replay::ledger::{Declaration, Declared};
    /// use jiff::SignedDuration;
    ///
    /// let hour = SignedDuration::from_hours(1);
    /// let now: jiff::Timestamp = "2025-11-22T04:13:00Z".parse()?;
    /// let outage = Declaration::since(now - hour * 9, Some(now - hour), &[], now).unwrap();
    /// assert_eq!((outage.gap.from, outage.gap.to), (now - hour * 9, now - hour));
    /// // The next start with the same flag declares nothing.
    /// let known = [Declared { number: 1, after: 0, declaration: outage }];
    /// assert_eq!(Declaration::since(now - hour * 9, Some(now - hour), &known, now), None);
    /// # Ok::<(), jiff::Error>(())
    /// ```
    pub fn since(
        time: Timestamp,
        began: Option<Timestamp>,
        declared: &[Declared],
        now: Timestamp,
    ) -> Option<Self> {
        let same = |gap: Gap| gap.cause == Cause::Declared && gap.from == time;
        if time >= now || declared.iter().any(|known| same(known.declaration.gap)) {
            return None;
        }
        let to = began.filter(|began| time < *began).unwrap_or(now);
        Some(Self { gap: Gap::new(time, to, Cause::Declared), webhook: None, at: now })
    }

    /// Says whether the gap is one of a webhook.
    pub fn is_about(&self, webhook: WebhookId) -> bool {
        self.webhook.is_none_or(|id| id == webhook)
    }

    /// Says whether it only asks to look at covered time.
    pub fn is_sweep(&self) -> bool {
        self.gap.cause == Cause::Sweep
    }
}

/// A declared gap as the ledger has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// Its number.
    pub number: u64,
    /// The number of the newest attempt when it was declared. Only later ones close it: it may ask
    /// for minutes that were recovered before. No clock tells, since one may have been wrong.
    pub after: u64,
    /// What was declared.
    #[serde(flatten)]
    pub declaration: Declaration,
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn an_outage_ends_where_coverage_began_unless_it_is_younger() {
        let now: Timestamp = "2025-11-22T12:00:00Z".parse().unwrap();
        let ago = |hours| now - SignedDuration::from_hours(hours);
        let gap = |time, began, known: &[Declared]| {
            Declaration::since(time, began, known, now)
                .map(|outage| (outage.gap.from, outage.gap.to))
        };
        assert_eq!(gap(ago(9), Some(ago(2)), &[]), Some((ago(9), ago(2))));
        assert_eq!(gap(ago(1), Some(ago(2)), &[]), Some((ago(1), now)));
        assert_eq!(gap(ago(9), None, &[]), Some((ago(9), now)));
        assert_eq!(gap(now, None, &[]), None);
        let outage = Declaration::since(ago(9), None, &[], now).unwrap();
        let other = Declaration { gap: Gap { cause: Cause::Requested, ..outage.gap }, ..outage };
        let known = |declaration| [Declared { number: 1, after: 0, declaration }];
        assert_eq!(gap(ago(9), None, &known(outage)), None);
        assert!(gap(ago(9), None, &known(other)).is_some());
        assert!(gap(ago(8), None, &known(outage)).is_some());
    }

    #[test]
    fn json_of_a_declared_gap() {
        let (from, to) = ("2025-11-22T04:13:00Z".parse(), "2025-11-22T04:19:30Z".parse());
        let (from, to): (Timestamp, Timestamp) = (from.unwrap(), to.unwrap());
        let gap = Gap::new(from, to, Cause::Declared);
        let declaration = Declaration { gap, webhook: None, at: to };
        let declared = Declared { number: 7, after: 3, declaration };
        insta::assert_json_snapshot!(declared, @r#"
        {
          "number": 7,
          "after": 3,
          "gap": {
            "from": "2025-11-22T04:13:00Z",
            "to": "2025-11-22T04:19:30Z",
            "cause": "declared"
          },
          "webhook": null,
          "at": "2025-11-22T04:19:30Z"
        }
        "#);
        let text = serde_json::to_string(&declared).unwrap();
        assert_eq!(serde_json::from_str::<Declared>(&text).unwrap(), declared);
        assert!(declaration.is_about("12".parse().unwrap()) && !declaration.is_sweep());
    }
}
