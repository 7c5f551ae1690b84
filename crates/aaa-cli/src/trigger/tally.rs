//! What became of all events together.

use std::time::Duration;

use http::StatusCode;

use super::Told;
use crate::{
    exit::{Exit, Failure},
    forward::told as status_and_name,
};

/// Counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    acknowledged: u64,
    refused: u64,
    first_refusal: Option<u16>,
    unanswered: u64,
    first_error: Option<String>,
    under_way: u64,
}

impl Tally {
    /// Counts an event.
    pub(super) fn add(&mut self, told: &Told) {
        match told.status {
            _ if told.under_way => self.under_way += 1,
            Some(200) => self.acknowledged += 1,
            Some(status) => {
                self.refused += 1;
                self.first_refusal.get_or_insert(status);
            }
            None => {
                self.unanswered += 1;
                let error = told.error.clone();
                self.first_error.get_or_insert_with(|| {
                    error.unwrap_or_else(|| "it was not sent: the webhook is invalid".to_owned())
                });
            }
        }
    }

    /// Says it in one line.
    pub(super) fn summary(&self, elapsed: Duration) -> String {
        let Self { acknowledged, refused, unanswered, under_way, .. } = self;
        let all = self.all();
        let s = if all == 1 { "" } else { "s" };
        let seconds = elapsed.as_secs_f64();
        format!(
            "{all} event{s} in {seconds:.1} s: {acknowledged} answered 200, {refused} refused, \
             {unanswered} without an answer{}",
            match under_way {
                0 => String::new(),
                under_way => format!(", {under_way} still under way"),
            }
        )
    }

    /// Says how the command ends.
    pub(super) fn judge(self, advice: impl Fn(u16) -> Option<&'static str>) -> Result<(), Failure> {
        if let Some(status) = self.first_refusal {
            let words = format!("{} of {} were refused", self.refused, self.all());
            let failure = Exit::Refused.with(format!("{words}, the first with {}", named(status)));
            return Err(match advice(status) {
                Some(advice) => failure.advise(advice),
                None => failure,
            });
        }
        match (&self.first_error, self.acknowledged) {
            (Some(error), _) => {
                let words = format!("{} of {} were not answered", self.unanswered, self.all());
                Err(Exit::Network.of(&words, error))
            }
            (None, _) if self.under_way > 0 => {
                let words = format!("{} of {} are still under way", self.under_way, self.all());
                let why = "retries are due, or deliveries are delayed";
                Err(Exit::Failed.of(&words, why).advise(
                    "the ledger of the emulator says what becomes of them: GET /_emulator/ledger",
                ))
            }
            (None, 0) => Err(Exit::Failed
                .with("nobody was told: no subscribed user is concerned")
                .advise("subscribe the user first: `aaa subscriptions add WEBHOOK_ID --user ID`")),
            (None, _) => Ok(()),
        }
    }

    fn all(&self) -> u64 {
        self.acknowledged + self.refused + self.unanswered + self.under_way
    }
}

/// Returns a status with its name.
pub(super) fn named(status: u16) -> String {
    StatusCode::from_u16(status).map_or_else(|_| status.to_string(), status_and_name)
}
