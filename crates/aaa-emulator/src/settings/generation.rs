use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Relations;

/// Which of X's two APIs a call belongs to. A webhook belongs to the one it was registered through.
///
/// # Examples
///
/// ```
/// use aaa_emulator::settings::Generation;
///
/// assert_eq!(Generation::V2.deadline().as_secs(), 10);
/// assert_eq!(Generation::V1_1.look_back().as_hours(), 5 * 24);
/// assert!(Generation::V2.retries().is_empty());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Generation {
    /// `/2/…`
    #[serde(rename = "v2")]
    V2,
    /// `/1.1/account_activity/…`, the Enterprise API.
    #[serde(rename = "v1.1")]
    V1_1,
}

impl Generation {
    /// Returns how long a webhook may take to answer, by X's documents.
    pub const fn deadline(self) -> SignedDuration {
        match self {
            Self::V2 => SignedDuration::from_secs(10),
            Self::V1_1 => SignedDuration::from_secs(3),
        }
    }

    /// Returns how far back a replay can reach, by X's documents.
    pub const fn look_back(self) -> SignedDuration {
        match self {
            Self::V2 => SignedDuration::from_hours(24),
            Self::V1_1 => SignedDuration::from_hours(5 * 24),
        }
    }

    /// Returns whom unfollows, blocks and mutes are delivered for, by X's documents.
    pub const fn relations(self) -> Relations {
        match self {
            Self::V2 => Relations::ByUserOrOfUser,
            Self::V1_1 => Relations::ByUser,
        }
    }

    /// Returns when a failed live delivery is sent again, by X's documents; none are published for
    /// v2.
    pub const fn retries(self) -> &'static [SignedDuration] {
        const RETRIES: [SignedDuration; 3] = [
            SignedDuration::from_secs(3),
            SignedDuration::from_secs(27),
            SignedDuration::from_secs(242),
        ];
        match self {
            Self::V2 => &[],
            Self::V1_1 => &RETRIES,
        }
    }
}
