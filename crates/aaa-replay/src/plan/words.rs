use std::fmt;

use aaa_types::ReplayWindow;
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::coverage::Cause;

/// What to do about the missing minutes.
///
/// In JSON: `{"now":[{"from_date","to_date"}],"later":[{"from_date","to_date","at"}],
/// "lost":[{"from","to","reason"}]}`, the windows as they will be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Windows that can be asked for at once, what expires first in front.
    pub now: Vec<Window>,
    /// Windows that X does not take yet.
    pub later: Vec<LaterWindow>,
    /// Minutes that cannot be had any more.
    pub lost: Vec<Lost>,
}

/// Missing minutes, and the window to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The missing minutes.
    pub core: ReplayWindow,
    /// What is asked for, at least the core.
    pub request: ReplayWindow,
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.request.serialize(serializer)
    }
}

/// A window that X does not take yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaterWindow {
    /// The window; its request may begin earlier once the time has come.
    pub window: Window,
    /// When it can be asked for, on X's clock.
    pub at: Timestamp,
}

impl Serialize for LaterWindow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut later = serializer.serialize_struct("LaterWindow", 3)?;
        later.serialize_field("from_date", &self.window.request.from_date())?;
        later.serialize_field("to_date", &self.window.request.to_date())?;
        later.serialize_field("at", &self.at)?;
        later.end()
    }
}

/// Minutes that cannot be recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment that is not lost.
    pub to: Timestamp,
    /// Why.
    pub reason: LostReason,
}

/// Why minutes cannot be recovered. In JSON it is its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostReason {
    /// X no longer has them.
    TooOld {
        /// How far back a replay reaches.
        look_back: SignedDuration,
    },
    /// X no longer has them, and it may be that nothing is missing: requests with wrong signatures
    /// came, and none with a right one. While a secret is wrong X's own are such requests, but
    /// anybody can send them.
    Suspected {
        /// How far back a replay reaches.
        look_back: SignedDuration,
    },
    /// X replays nothing to a webhook from before its registration. Perhaps nothing was sent
    /// then; perhaps it was sent to a webhook that this one replaced.
    BeforeWebhook,
    /// They may be lost: X may never have attempted to deliver. They are replayed all the same.
    MaybeNotAttempted {
        /// What kept X from it.
        cause: Cause,
    },
    /// X ended every job for them incomplete.
    GivenUp {
        /// How many jobs there were.
        tries: usize,
    },
}

impl LostReason {
    /// Says whether the minutes are lost for certain, and not only perhaps.
    pub fn is_certain(self) -> bool {
        matches!(self, Self::TooOld { .. } | Self::GivenUp { .. })
    }
}

impl fmt::Display for LostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooOld { look_back } => too_old(*look_back, f),
            Self::Suspected { look_back } => {
                f.write_str("possibly: signatures were wrong and none was right, and it is ")?;
                too_old(*look_back, f)
            }
            Self::BeforeWebhook => f.write_str("before the webhook was registered"),
            Self::MaybeNotAttempted { cause: Cause::Invalid } => {
                f.write_str("possibly: the webhook was marked invalid")
            }
            Self::MaybeNotAttempted { cause: Cause::Unsubscribed } => {
                f.write_str("possibly: a user was not subscribed")
            }
            Self::MaybeNotAttempted { cause: Cause::Unwatched } => {
                f.write_str("possibly: nobody could ask X whether the webhook was valid")
            }
            Self::MaybeNotAttempted { cause } => write!(f, "possibly: {cause}"),
            Self::GivenUp { tries } => write!(f, "{tries} replay jobs ended incomplete"),
        }
    }
}

fn too_old(look_back: SignedDuration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (hours, minutes) = (look_back.as_mins() / 60, look_back.as_mins() % 60);
    write!(f, "older than the look-back of {hours} hours")?;
    if minutes == 0 { Ok(()) } else { write!(f, " and {minutes} minutes") }
}

impl Serialize for LostReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
