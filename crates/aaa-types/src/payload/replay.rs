use super::model::{model, words};
use crate::{JobId, WebhookId};

model! {
    /// The end of a replay job, delivered through the webhook like an event.
    ///
    /// An identifier that came as a number is written as a text.
    #[derive(Eq)]
    pub struct ReplayJobStatus {
        /// The webhook whose events were replayed.
        pub webhook_id: WebhookId = id("webhook_id"),
        /// How it ended.
        pub job_state: JobState = required("job_state"),
        /// The same in words.
        pub job_state_description: Option<String> = optional("job_state_description"),
        /// The job.
        pub job_id: JobId = id("job_id"),
    }
}

words! {
    /// How a replay job ended.
    pub enum JobState {
        /// Everything was sent again.
        Complete = "Complete",
        /// Something could not be delivered: ask again.
        Incomplete = "Incomplete",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

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

    /// X writes its ids as strings, but a number must not stall a recovery.
    #[test]
    fn numeric_ids() {
        let payload = r#"{"webhook_id":1234577122340233217,"job_state":"Complete",
            "job_id":9999999999999999999}"#;
        let Event::ReplayJobStatus(status) = Event::decode("replay_job_status", payload) else {
            panic!("not understood");
        };
        insta::assert_json_snapshot!(status, @r#"
        {
          "webhook_id": "1234577122340233217",
          "job_state": "Complete",
          "job_id": "9999999999999999999"
        }
        "#);
        for bad in ["-1", "1.0", "1e3", "10000000000000000000", "\"01\"", "null", "[1]"] {
            let payload = payload.replace("9999999999999999999", bad);
            let event = Event::decode("replay_job_status", &payload);
            assert!(matches!(event, Event::Unknown { .. }), "{bad} was taken");
        }
    }

    #[test]
    fn states() {
        let read = |text| serde_json::from_str::<JobState>(text).unwrap();
        assert_eq!(read(r#""Incomplete""#), JobState::Incomplete);
        assert_eq!(read(r#""Paused""#), JobState::Other("Paused".into()));
        assert_eq!(serde_json::to_string(&read(r#""Paused""#)).unwrap(), r#""Paused""#);
        assert!(serde_json::from_str::<JobState>(r#"{"Complete":null}"#).is_err());
    }
}
