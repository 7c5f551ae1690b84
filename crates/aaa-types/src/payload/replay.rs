use serde::{Deserialize, Serialize};

use crate::{JobId, WebhookId};

/// The end of a replay job, delivered through the webhook like an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayJobStatus {
    /// The webhook whose events were replayed.
    pub webhook_id: WebhookId,
    /// How it ended.
    pub job_state: JobState,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_state_description: Option<String>,
    /// The job.
    pub job_id: JobId,
}

/// How a replay job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum JobState {
    /// Everything was sent again.
    Complete,
    /// Something could not be delivered: ask again.
    Incomplete,
    /// A word that is not known here.
    #[serde(untagged)]
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json() {
        let status: ReplayJobStatus = serde_json::from_str(
            r#"{"webhook_id":"1234577122340233217","job_state":"Complete",
                "job_state_description":"Job completed successfully","job_id":"1095098195724558337"}"#,
        )
        .unwrap();
        insta::assert_json_snapshot!(status, @r#"
        {
          "webhook_id": "1234577122340233217",
          "job_state": "Complete",
          "job_state_description": "Job completed successfully",
          "job_id": "1095098195724558337"
        }
        "#);
    }

    #[test]
    fn states() {
        let read = |text| serde_json::from_str::<JobState>(text).unwrap();
        assert_eq!(read(r#""Incomplete""#), JobState::Incomplete);
        assert_eq!(read(r#""Paused""#), JobState::Other("Paused".into()));
        assert_eq!(serde_json::to_string(&read(r#""Paused""#)).unwrap(), r#""Paused""#);
    }
}
