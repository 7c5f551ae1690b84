//! What goes wrong in a history, and how often it did.

use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns what it is called.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

kinds! {
    /// The process is killed at some moment.
    Crash = "killed at some moment",
    /// The process is killed with a verified delivery in its hands.
    CrashBeforeCommit = "killed before a commit",
    /// The process is killed after a commit, before the 200.
    CrashAfterCommit = "killed between commit and 200",
    /// The process is killed before an intent is written.
    CrashBeforeIntent = "killed before an intent",
    /// The process is killed between intent and call.
    CrashAfterIntent = "killed between intent and call",
    /// The process is killed while X answers a call.
    CrashInCall = "killed within a call",
    /// The process is killed when it knows what came of a job, before it wrote that down.
    CrashBeforeOutcome = "killed before an outcome",
    /// The process is killed after it wrote down what came of a job.
    CrashAfterOutcome = "killed after an outcome",
    /// The process ends cleanly.
    Stop = "stopped cleanly",
    /// The process stands still, or the machine sleeps.
    Stall = "stood still",
    /// The process runs with the secret of another app.
    WrongSecret = "started with a wrong secret",
    /// A command asks for minutes while the listener has the lease.
    CommandBeside = "command handed over",
    /// A command takes the lease while the listener stands still.
    CommandTook = "command took the lease",
    /// A command dies with the lease.
    CommandDied = "command died with the lease",
    /// The listener finds its lease taken over.
    LeaseLost = "lease lost while standing still",
    /// The store takes nothing.
    StoreFails = "store failed",
    /// A commit takes longer than a delivery may.
    SlowCommit = "slow commit",
    /// The local wall clock is set.
    WallStep = "wall clock set",
    /// A delivery is lost on its way to a healthy receiver.
    Drop = "delivery lost on its way",
    /// The answer to a delivery is lost.
    LostAnswer = "200 lost on its way",
    /// A delivery comes late, after others.
    Delay = "delivery late, reordered",
    /// A delivery comes twice.
    Duplicate = "delivery doubled",
    /// A delivery is signed with another secret.
    BadSignature = "delivery wrongly signed",
    /// A delivery is changed on its way.
    Corrupt = "delivery corrupted",
    /// A delivery is cut.
    Truncate = "delivery truncated",
    /// A delivery takes seconds to arrive.
    SlowWay = "delivery slow on its way",
    /// Somebody posts what X never signed.
    Forged = "forged deliveries",
    /// A replayed delivery is lost on its way.
    ReplayDrop = "replayed delivery lost",
    /// The answer to a replayed delivery is lost.
    ReplayLostAnswer = "replayed delivery's 200 lost",
    /// A replayed delivery comes minutes later.
    ReplayDelay = "replayed delivery late",
    /// The call for a job is answered 429.
    RateLimited = "call answered 429",
    /// The call for a job is answered 5xx.
    ServerError = "call answered 5xx",
    /// The call for a job does not reach X.
    LostCall = "call lost on its way",
    /// The answer to the call for a job is lost; the job exists.
    LostCallAnswer = "answer to a call lost",
    /// X cannot be reached.
    ApiOutage = "API unreachable",
    /// Somebody else has a job at the same webhook.
    ForeignJob = "job of somebody else",
    /// A job ends incomplete.
    Incomplete = "job ended incomplete",
    /// The end of a job is not told.
    MissingCompletion = "completion missing",
    /// The end of a job is told twice.
    DoubledCompletion = "completion doubled",
    /// A job is called complete although a delivery of it was refused.
    FalseComplete = "complete, though refused",
    /// X's clock jumps.
    XJump = "X's clock jumped",
    /// A check is answered wrongly, which invalidates the webhook.
    Invalid = "webhook made invalid",
    /// A user subscribes in the middle.
    LateSubscription = "subscribed late",
    /// X forgets a subscription.
    Unsubscribed = "subscription forgotten",
    /// A user takes the permission back.
    Revoked = "subscription revoked",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How often something was to go wrong, and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How often it was planned.
    pub planned: u64,
    /// How often it happened.
    pub fired: u64,
}

/// The counts of all kinds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(Vec<Count>);

impl Tally {
    /// Returns the counts of one kind.
    pub fn of(&self, kind: Kind) -> Count {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    /// Returns how many faults fired, of all kinds.
    pub fn fired(&self) -> u64 {
        self.0.iter().map(|count| count.fired).sum()
    }

    /// Returns the kinds that never fired.
    pub fn silent(&self) -> Vec<Kind> {
        let silent = |kind: &Kind| self.of(*kind).fired == 0;
        Kind::ALL.iter().copied().filter(silent).collect()
    }

    pub(crate) fn plan(&mut self, kind: Kind, times: u64) {
        self.count(kind, Count { planned: times, fired: 0 });
    }

    pub(crate) fn fire(&mut self, kind: Kind) {
        self.count(kind, Count { planned: 0, fired: 1 });
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for kind in Kind::ALL {
            self.count(*kind, other.of(*kind));
        }
    }

    pub(crate) fn count(&mut self, kind: Kind, more: Count) {
        if self.0.is_empty() {
            self.0 = vec![Count::default(); Kind::ALL.len()];
        }
        if let Some(count) = self.0.get_mut(kind as usize) {
            count.planned += more.planned;
            count.fired += more.fired;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_fired_is_named() {
        let mut tally = Tally::default();
        assert_eq!(tally.silent().len(), Kind::ALL.len());
        tally.plan(Kind::Drop, 2);
        tally.fire(Kind::Drop);
        let mut sum = Tally::default();
        sum.add(&tally);
        sum.add(&tally);
        assert_eq!(sum.of(Kind::Drop), Count { planned: 4, fired: 2 });
        assert!(!sum.silent().contains(&Kind::Drop));
        assert_eq!(sum.fired(), 2);
    }
}
