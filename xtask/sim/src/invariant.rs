//! What must hold in every history.

use std::fmt;

macro_rules! invariants {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What must hold in every history.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Invariant {
            $($(#[$doc])* $name,)*
        }

        impl fmt::Display for Invariant {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $text,)*
                })
            }
        }
    };
}

invariants! {
    /// What was attempted, and could be had when an engine could first have asked, is stored.
    Stored = "what could be recovered is stored",
    /// What was answered 200 is stored.
    Acknowledged = "what was answered 200 is stored",
    /// Nothing is stored twice.
    Once = "nothing is stored twice",
    /// Nothing is stored that X did not send.
    Genuine = "nothing is stored that X did not send",
    /// What is missing lies in a stretch that was named.
    Named = "what is missing is named",
    /// What is named was really out of reach.
    Truthful = "what is named was out of reach",
    /// What was dropped on its way is found by a sweep.
    Swept = "a sweep finds what was dropped on its way",
    /// Every gap is near something that really happened.
    GapsAreReal = "every gap touches a true one",
    /// One attempt at a time is not settled, and nobody asks while a job runs that they know of.
    OneJob = "never two live jobs",
    /// Nobody writes about a job under a lease that somebody else has taken over.
    LeaseKept = "who writes about a job has the lease",
    /// What was missed with a wrong secret is one gap.
    SpellOnce = "a wrong secret opens one gap, once",
    /// An intent is recorded before its call.
    IntentFirst = "the intent is there before the call",
    /// A request covers what is missing, and a minute beyond.
    Overlap = "windows overlap by a minute",
    /// X takes every window that is asked for, and none is longer than its documents say.
    Window = "every window is as X wants it",
    /// X never says that there were too many calls, unless a fault does.
    Rate = "X's rate limit is kept",
    /// With something left to do there is a next time to do it.
    WakesUp = "the engine ends or names its next wake-up",
    /// In the end there is nothing left to do.
    Ends = "the engine comes to an end",
    /// The history was worth looking at.
    Eventful = "a seed has its days, events, outages and faults",
}

/// Something that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What.
    pub invariant: Invariant,
    /// How it showed.
    pub words: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.words)
    }
}
