use serde::{Deserialize, Serialize};

/// Asks for a world of users who post, like, follow and write to one another.
///
/// Each act is one that at least one subscribed user takes part in; without any subscription
/// nothing happens. Who acts comes from the emulator's seed, and when from its clock.
///
/// # Examples
///
/// ```
/// use aaa_emulator::control::Traffic;
///
/// let traffic: Traffic = serde_json::from_str(r#"{"rate":2.5}"#)?;
/// assert_eq!(traffic, Traffic::new(2.5));
/// assert_eq!(traffic.users, Traffic::USERS);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// How many acts there are per second of the emulator's clock, at most
    /// [`Traffic::MAX_RATE`]; 0 ends it.
    pub rate: f64,
    /// How many users there are, besides those who are subscribed: 1 to this one, at least 2.
    #[serde(default = "users")]
    pub users: u32,
}

impl Traffic {
    /// The most acts per second.
    pub const MAX_RATE: f64 = 100_000.0;

    /// The fewest acts per second.
    pub const MIN_RATE: f64 = 0.001;

    /// How many users there are, if not told otherwise.
    pub const USERS: u32 = 20;

    /// The most users.
    pub const MAX_USERS: u32 = 10_000;

    /// The most acts of one step of the clock.
    pub const MAX_STEP: u64 = 100_000;

    /// Asks for so many acts per second.
    pub fn new(rate: f64) -> Self {
        Self { rate, users: Self::USERS }
    }

    /// With so many users.
    #[must_use]
    pub fn with_users(mut self, users: u32) -> Self {
        self.users = users;
        self
    }
}

fn users() -> u32 {
    Traffic::USERS
}

/// What the world of users does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrafficState {
    /// Acts per second; 0 when nothing happens by itself.
    pub rate: f64,
    /// How many users there are.
    pub users: u32,
    /// How many acts there were since it began.
    pub acts: u64,
    /// How many were left out, because the emulator or a receiver was too slow for the rate.
    pub left_out: u64,
}
