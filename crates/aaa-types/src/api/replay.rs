use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::webhook::readable_time;
use crate::{JobId, id};

/// A replay job that X accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayJob {
    /// Its identifier; the `replay_job_status` delivery at its end names it again.
    #[serde(deserialize_with = "id::text_or_integer")]
    pub job_id: JobId,
    /// When it was created, where X says it in a form that is known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "readable_time")]
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

    /// The guide, both descriptions, X's dashboard, and v1.1, which leaves the fraction out.
    #[test]
    fn every_envelope() {
        use crate::api::Answer;
        let job = r#"{"job_id":"1095098195724558337","created_at":"2021-01-01T00:00:00Z"}"#;
        for body in [
            job.to_owned(),
            format!(r#"{{"data":{job}}}"#),
            format!(r#"{{"for_user_id":"7","replay_event":{job}}}"#),
            format!(r#"{{"data":{{"for_user_id":"7","replay_event":{job}}}}}"#),
        ] {
            let parsed = Answer::<ReplayJob>::parse(body.as_bytes()).unwrap();
            assert_eq!(parsed.job_id.as_u64(), 1_095_098_195_724_558_337, "{body}");
            assert!(parsed.created_at.is_some(), "{body}");
        }
        let unreadable = br#"{"job_id":"1","created_at":"now"}"#;
        assert_eq!(Answer::<ReplayJob>::parse(unreadable).unwrap().created_at, None);
    }
}
