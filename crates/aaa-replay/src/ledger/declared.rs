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
    /// When it was declared, on X's clock. Only jobs that were asked for later close it: it may
    /// ask for minutes that were recovered before.
    pub at: Timestamp,
}

impl Declaration {
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
    /// What was declared.
    #[serde(flatten)]
    pub declaration: Declaration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_a_declared_gap() {
        let (from, to) = ("2025-11-22T04:13:00Z".parse(), "2025-11-22T04:19:30Z".parse());
        let (from, to): (Timestamp, Timestamp) = (from.unwrap(), to.unwrap());
        let gap = Gap::new(from, to, Cause::Declared);
        let declaration = Declaration { gap, webhook: None, at: to };
        let declared = Declared { number: 7, declaration };
        insta::assert_json_snapshot!(declared, @r#"
        {
          "number": 7,
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
