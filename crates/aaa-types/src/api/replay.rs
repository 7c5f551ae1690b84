use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{JobId, id};

/// A replay job that X accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayJob {
    /// Its identifier; the `replay_job_status` delivery at its end names it again.
    #[serde(deserialize_with = "id::text_or_integer")]
    pub job_id: JobId,
    /// When it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numeric_id() {
        let job: ReplayJob = serde_json::from_str(r#"{"job_id":1095098195724558337}"#).unwrap();
        insta::assert_json_snapshot!(job, @r#"
        {
          "job_id": "1095098195724558337"
        }
        "#);
    }

    #[test]
    fn json() {
        let job: ReplayJob = serde_json::from_str(
            r#"{"job_id":"1095098195724558337","created_at":"2025-04-24T20:57:15.242Z"}"#,
        )
        .unwrap();
        insta::assert_json_snapshot!(job, @r#"
        {
          "job_id": "1095098195724558337",
          "created_at": "2025-04-24T20:57:15.242Z"
        }
        "#);
    }
}
