use std::time::Duration;

use super::error::JetStreamError;

/// How much longer than keys are promised the server remembers them: clocks of several machines
/// may differ by so much.
pub(super) const SLACK: Duration = Duration::from_secs(60 * 60);

/// What a message has beside the body: subject and headers.
pub(super) const BESIDE_BODY: usize = 4 * 1024;

/// How an inbox on JetStream behaves.
///
/// # Examples
///
/// ```
/// use aaa_store::jetstream::{Replicas, Settings};
///
/// let settings = Settings { node: "receiver-2".to_owned(), ..Settings::default() };
/// assert_eq!(settings.replicas, Replicas::Three);
/// assert!(settings.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The name of the stream, and what its subjects and its bucket begin with: 1 to 32 of `a-z`,
    /// `0-9`, `-` and `_`. `aaa`.
    pub stream: String,
    /// On how many servers each event is.
    pub replicas: Replicas,
    /// The name of this receiver, which it keeps from run to run, and which no other has: 1 to 64
    /// of `a-z`, `A-Z`, `0-9`, `-` and `_`.
    pub node: String,
    /// How long the key of an event is remembered; an event older than that at its arrival is
    /// stale. 8 days.
    pub key_retention: Duration,
    /// How far a replay may bring events back: X's look-back, and the sweep if there is one. Keys
    /// are kept for no less. 5 days, as on Enterprise.
    pub look_back: Duration,
    /// How long events are kept; `None` for ever. No shorter than their keys. They go whoever still
    /// waits for them, see [`JetStreamInbox::overdue`](super::JetStreamInbox::overdue).
    pub body_retention: Option<Duration>,
    /// Where the keys are kept.
    pub keys: Keys,
    /// How long a commit may take, all its attempts together: below the deadline of a request.
    /// 2 s, of 2.5 s.
    pub commit_time: Duration,
    /// How many deliveries may wait for their acknowledgement. 4,096.
    pub queue: u32,
    /// How many bytes of bodies may wait for it. 64 MiB.
    pub queue_bytes: u32,
    /// The largest body that a receiver takes. 1 MiB.
    pub largest_body: usize,
    /// How often heartbeats come. 5 s.
    pub heartbeat_period: Duration,
    /// How long a receiver that is silent may still be sent something: a load balancer takes it out
    /// in that time. What it misses meanwhile is replayed. 2 minutes.
    pub gone_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self {
            stream: "aaa".to_owned(),
            replicas: Replicas::Three,
            node: "receiver".to_owned(),
            key_retention: day * 8,
            look_back: day * 5,
            body_retention: None,
            keys: Keys::Window,
            commit_time: Duration::from_secs(2),
            queue: 4096,
            queue_bytes: 64 * 1024 * 1024,
            largest_body: 1024 * 1024,
            heartbeat_period: Duration::from_secs(5),
            gone_after: Duration::from_secs(120),
        }
    }
}

/// On how many servers each event is, and so what a 200 survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replicas {
    /// One. A 200 survives that the server is killed, and not that its machine loses power: no
    /// setting makes an acknowledgement of JetStream wait for the disk.
    One,
    /// Three. A 200 survives the loss of any one machine.
    Three,
}

impl Replicas {
    /// Returns the number.
    pub fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Three => 3,
        }
    }
}

/// Where the keys are kept by which a copy is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// In the server's memory, for as long as [`Settings::key_retention`]: some hundred bytes for
    /// each event of that time.
    Window,
    /// In the index of the stream, as a subject for each key: for as long as the events are there,
    /// and with less in memory. What was there once keeps its place until it goes with its body.
    Subjects,
}

impl Settings {
    /// Checks what no server is needed for.
    ///
    /// # Errors
    ///
    /// Fails with an explanation when something would lose events or store them twice.
    pub fn check(&self) -> Result<(), JetStreamError> {
        let plain = |text: &str, upper: bool, most: usize| {
            let fits = |b: u8| {
                b.is_ascii_lowercase()
                    || b.is_ascii_digit()
                    || b"-_".contains(&b)
                    || (upper && b.is_ascii_uppercase())
            };
            (1..=most).contains(&text.len()) && text.bytes().all(fits)
        };
        let refuse = |reason: String| Err(JetStreamError::Settings { reason });
        if !plain(&self.stream, false, 32) {
            return refuse("a stream's name is 1 to 32 of `a-z`, `0-9`, `-`, `_`".to_owned());
        }
        if !plain(&self.node, true, 64) {
            return refuse("a node's name is 1 to 64 of `a-z`, `A-Z`, `0-9`, `-`, `_`".to_owned());
        }
        if self.key_retention < self.look_back {
            return refuse(format!(
                "keys are kept for {}, and a replay brings events back after {}: they would be \
                 stored twice; keep keys for longer",
                days(self.key_retention),
                days(self.look_back),
            ));
        }
        if let Some(bodies) = self.body_retention.filter(|bodies| *bodies < self.window()) {
            return refuse(format!(
                "events are kept for {}, and their keys for {} (with an hour for clocks that \
                 differ): JetStream keeps no key for longer than its event; keep events for longer",
                days(bodies),
                days(self.window()),
            ));
        }
        if self.queue == 0 || self.queue_bytes < 1024 || self.commit_time.is_zero() {
            return refuse("with no room or no time, nothing can be stored".to_owned());
        }
        Ok(())
    }

    /// How long the server has to remember keys.
    pub(super) fn window(&self) -> Duration {
        self.key_retention.saturating_add(SLACK)
    }
}

/// A length of time for people.
pub(super) fn days(time: Duration) -> String {
    let hours = time.as_secs() / 3600;
    match (hours / 24, hours % 24) {
        _ if !time.as_secs().is_multiple_of(3600) => format!("{} s", time.as_secs()),
        (0, hours) => format!("{hours} h"),
        (1, 0) => "1 day".to_owned(),
        (days, 0) => format!("{days} days"),
        (days, hours) => format!("{days} days {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.check().unwrap_err().to_string()
    }

    #[test]
    fn what_would_lose_or_double_is_refused() {
        assert!(Settings::default().check().is_ok());
        let day = Duration::from_secs(86_400);
        let kept = Settings { body_retention: Some(day * 9), ..Settings::default() };
        assert!(kept.check().is_ok());
        insta::assert_snapshot!(refused(|s| s.body_retention = Some(day * 8)), @"events are kept for 8 days, and their keys for 8 days 1 h (with an hour for clocks that differ): JetStream keeps no key for longer than its event; keep events for longer");
        insta::assert_snapshot!(refused(|s| s.look_back = day * 9), @"keys are kept for 8 days, and a replay brings events back after 9 days: they would be stored twice; keep keys for longer");
        insta::assert_snapshot!(refused(|s| s.stream = "a.b".to_owned()), @"a stream's name is 1 to 32 of `a-z`, `0-9`, `-`, `_`");
        insta::assert_snapshot!(refused(|s| s.node = String::new()), @"a node's name is 1 to 64 of `a-z`, `A-Z`, `0-9`, `-`, `_`");
        insta::assert_snapshot!(refused(|s| s.queue = 0), @"with no room or no time, nothing can be stored");
    }
}
