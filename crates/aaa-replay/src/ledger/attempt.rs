use aaa_types::{JobId, ReplayWindow, WebhookId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::coverage::Gap;

/// A job that is about to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The webhook.
    pub webhook: WebhookId,
    /// The minutes that are missing.
    pub core: ReplayWindow,
    /// The minutes that are asked for: the core, and what X's rules and the overlap add.
    pub request: ReplayWindow,
    /// When, on X's clock.
    pub at: Timestamp,
    /// What for.
    #[serde(default)]
    pub purpose: Purpose,
}

/// What a job is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To close a gap.
    #[default]
    Gap,
    /// To see whether covered time lacks anything.
    Sweep,
}

/// A job that was asked for, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number.
    pub number: u64,
    /// What was asked for.
    pub intent: Intent,
    /// What came of it so far.
    pub outcome: Outcome,
    /// When that was recorded, on X's clock.
    pub settled_at: Timestamp,
    /// How many events of the minutes asked for were stored from the intent to the outcome.
    #[serde(default)]
    pub found: u64,
}

impl Attempt {
    /// Says whether the attempt is open, or asked for minutes that end after a time.
    pub fn is_open_or_ends_after(&self, time: Timestamp) -> bool {
        self.outcome.is_open() || self.intent.core.to_date().start() >= time
    }

    /// Says whether the attempt asked for minutes of one of these gaps.
    pub fn is_about(&self, gaps: &[Gap]) -> bool {
        let core = self.intent.core;
        let (from, to) = (core.from_date().start(), core.to_date().start());
        gaps.iter().any(|gap| gap.from < to && from < gap.to)
    }
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The call was about to be made; whether X heard it is not known.
    Intended,
    /// X accepted the job; its completion has not arrived.
    Running {
        /// The job.
        job: JobId,
    },
    /// The job completed, and nothing was refused meanwhile: the core is recovered.
    Recovered {
        /// The job.
        job: JobId,
    },
    /// X says that the job did not deliver everything.
    Incomplete {
        /// The job.
        job: JobId,
        /// X's words.
        reason: String,
    },
    /// The attempt recovered nothing for sure, for a reason that says nothing about the events;
    /// the text says which.
    Failed {
        /// The job, when there was one.
        job: Option<JobId>,
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// Says whether the attempt may still end well.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Intended | Self::Running { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_an_attempt() {
        let window = |from: &str, to: &str| {
            ReplayWindow::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
        };
        let at = "2025-11-22T04:43:00Z".parse().unwrap();
        let attempt = |outcome| Attempt {
            number: 1,
            intent: Intent {
                webhook: "12".parse().unwrap(),
                core: window("202511220413", "202511220420"),
                request: window("202511220412", "202511220421"),
                at,
                purpose: Purpose::Gap,
            },
            outcome,
            settled_at: at,
            found: 3,
        };
        let job = "1095098195724558337".parse().unwrap();
        insta::assert_json_snapshot!(attempt(Outcome::Running { job }), @r#"
        {
          "number": 1,
          "intent": {
            "webhook": "12",
            "core": {
              "from_date": "202511220413",
              "to_date": "202511220420"
            },
            "request": {
              "from_date": "202511220412",
              "to_date": "202511220421"
            },
            "at": "2025-11-22T04:43:00Z",
            "purpose": "gap"
          },
          "outcome": {
            "state": "running",
            "job": "1095098195724558337"
          },
          "settled_at": "2025-11-22T04:43:00Z",
          "found": 3
        }
        "#);
        let outcomes = [
            Outcome::Intended,
            Outcome::Recovered { job },
            Outcome::Incomplete { job, reason: "retry".to_owned() },
            Outcome::Failed { job: None, reason: "refused".to_owned() },
        ];
        insta::assert_snapshot!(serde_json::to_string(&outcomes).unwrap(), @r#"[{"state":"intended"},{"state":"recovered","job":"1095098195724558337"},{"state":"incomplete","job":"1095098195724558337","reason":"retry"},{"state":"failed","job":null,"reason":"refused"}]"#);
        assert!(outcomes[0].is_open() && outcomes[1..].iter().all(|outcome| !outcome.is_open()));
    }
}
