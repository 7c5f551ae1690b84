use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Traffic;

/// A world of users that goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedTraffic {
    /// What was asked for.
    pub asked: Traffic,
    /// When the next act is.
    pub next: Timestamp,
    /// How many there were.
    pub acts: u64,
    /// How many were left out.
    pub left_out: u64,
    /// From where what they do is drawn on.
    pub random: u64,
    /// The posts that can be answered, the oldest first.
    pub posts: Vec<SavedPost>,
    /// The conversations that go on, the oldest first.
    pub talks: Vec<SavedTalk>,
    /// Who follows, blocks and mutes whom.
    pub ties: Vec<SavedTie>,
}

/// A post that can be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPost {
    /// Its id.
    pub id: u64,
    /// Who wrote it.
    pub author: u64,
    /// What it says.
    pub text: String,
    /// When it was written.
    pub at: Timestamp,
    /// Who has liked it.
    pub liked_by: Vec<u64>,
}

/// A conversation of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedTalk {
    /// Who they are, the smaller id first.
    pub pair: (u64, u64),
    /// Who wrote the last message, and its id.
    pub last: Option<(u64, u64)>,
    /// Whether that was read.
    pub read: bool,
}

/// Somebody follows, blocks or mutes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedTie {
    /// The first follows the second.
    Follow(u64, u64),
    /// The first blocks the second.
    Block(u64, u64),
    /// The first mutes the second.
    Mute(u64, u64),
}
