use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicI64, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use jiff::Timestamp;

use super::Reason;
use crate::{
    app::SecretSlot,
    distribution::{Distribution, Durations},
    inbox::Receipt,
};

/// How long a receiver that could not store a delivery is called unready, at most: somebody who
/// takes it out of a balancer for that would never see it store one again.
const TROUBLE: Duration = Duration::from_secs(30);

/// What a receiver counts; a handle that is cheap to clone.
///
/// # Examples
///
/// ```
/// use aaa_webhook::receiver::Status;
///
/// let status = Status::default();
/// assert_eq!(status.counts().refusals, 0);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Status {
    cells: Arc<Cells>,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Deliveries with a right signature.
    pub verified: u64,
    /// Of these, the ones that the secret before a rotation verified. While it rises, X still
    /// signs with that one.
    pub verified_by_previous: u64,
    /// Deliveries that were answered 200, or would have been had the answer not come too late.
    pub committed: u64,
    /// Events that were stored.
    pub stored: u64,
    /// Copies of events that were there already.
    pub duplicates: u64,
    /// Verified deliveries that were not stored in time, and connections that were not taken:
    /// each may be an event that was missed.
    pub refusals: u64,
    /// Requests without a usable signature, with a wrong one, or signed without being a delivery.
    /// Anybody can cause these, so they say nothing about missed events.
    pub rejections: u64,
    /// Requests whose body was not read: too large, too slow, encoded, cut off, framed in an
    /// unclear way, or too many at once. Nobody knows who sent them, so they say nothing about
    /// missed events either; but X's own could be among them, and many are worth a look.
    pub unread: u64,
    /// Challenge-response checks that were answered.
    pub checks: u64,
    /// Of these, the ones that were signed with one of our secrets and are none of our own
    /// [probes](crate::signature::PROBE), so that X surely asked.
    pub signed_checks: u64,
    /// Challenge-response checks that were refused.
    pub refused_checks: u64,
    /// Connections that are open now.
    pub connections: u64,
}

/// What the signatures of one app's requests tell of its secrets, whatever those of other apps do.
/// Our own [probes](crate::signature::PROBE) are not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signatures {
    /// Deliveries, and checks that X has signed, with a right signature: they show that the secrets
    /// are right.
    pub verified: u64,
    /// Requests without a usable signature, with a wrong one, or signed without being a delivery,
    /// before the first and after the last that was verified: while the secrets are wrong, X's own
    /// are among them. Between two that fit the secrets were right.
    pub doubtful: u64,
}

/// What a receiver measures, at one moment: the [`Counts`], and what takes longer to gather.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Figures {
    /// The counts.
    pub counts: Counts,
    /// How many requests were not answered 200, for each reason.
    pub refused: Vec<(Reason, u64)>,
    /// How long an acknowledged delivery took, from its head to its answer, in seconds.
    pub deliveries: Distribution,
    /// How long the inbox took to make a delivery durable, in seconds.
    pub commits: Distribution,
    /// How long the answer to a check took, in seconds.
    pub checks: Distribution,
    /// When the last delivery that was committed had arrived.
    pub last_delivery: Option<Timestamp>,
    /// When a check was answered last.
    pub last_check: Option<Timestamp>,
}

/// Whether X surely asked: a check had a right signature, which not all of X's have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    Yes,
    No,
}

#[derive(Default)]
struct Cells {
    verified: AtomicU64,
    verified_by_previous: AtomicU64,
    committed: AtomicU64,
    stored: AtomicU64,
    duplicates: AtomicU64,
    refusals: AtomicU64,
    rejections: AtomicU64,
    proofs: Mutex<BTreeMap<String, Arc<Proof>>>,
    unread: AtomicU64,
    checks: AtomicU64,
    signed_checks: AtomicU64,
    refused_checks: AtomicU64,
    connections: AtomicU64,
    refused: [AtomicU64; Reason::ALL.len()],
    delivery_times: Durations,
    commit_times: Durations,
    check_times: Durations,
    last_delivery: Moment,
    last_check: Moment,
    last_failure: Moment,
    /// Which of the two was last: clocks may be set back, so their times do not tell.
    failing: AtomicBool,
    draining: AtomicBool,
}

impl Status {
    /// Returns the counts.
    pub fn counts(&self) -> Counts {
        let cells = &self.cells;
        Counts {
            verified: cells.verified.load(SeqCst),
            verified_by_previous: cells.verified_by_previous.load(SeqCst),
            committed: cells.committed.load(SeqCst),
            stored: cells.stored.load(SeqCst),
            duplicates: cells.duplicates.load(SeqCst),
            refusals: cells.refusals.load(SeqCst),
            rejections: cells.rejections.load(SeqCst),
            unread: cells.unread.load(SeqCst),
            checks: cells.checks.load(SeqCst),
            signed_checks: cells.signed_checks.load(SeqCst),
            refused_checks: cells.refused_checks.load(SeqCst),
            connections: cells.connections.load(SeqCst),
        }
    }

    /// Returns what the signatures of an app's requests tell, at whichever receiver that shares
    /// this status.
    ///
    /// # Examples
    ///
    /// ```
    /// use aaa_webhook::receiver::Status;
    ///
    /// let signatures = Status::default().signatures("main");
    /// assert_eq!((signatures.verified, signatures.doubtful), (0, 0));
    /// ```
    pub fn signatures(&self, app: &str) -> Signatures {
        let proofs = self.cells.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        proofs.get(app).map(|proof| proof.read()).unwrap_or_default()
    }

    /// Returns all that is measured.
    pub fn figures(&self) -> Figures {
        let refused = Reason::ALL.into_iter().zip(&self.cells.refused);
        Figures {
            counts: self.counts(),
            refused: refused.map(|(reason, count)| (reason, count.load(Relaxed))).collect(),
            deliveries: self.cells.delivery_times.read(),
            commits: self.cells.commit_times.read(),
            checks: self.cells.check_times.read(),
            last_delivery: self.cells.last_delivery.read(),
            last_check: self.cells.last_check.read(),
        }
    }

    /// Says whether deliveries can be expected to be taken, as far as the receiver knows: it is
    /// not shutting down, and did not fail to store the last verified delivery within the last
    /// 30 seconds.
    ///
    /// # Errors
    ///
    /// Tells what is in the way.
    pub fn ready(&self, now: Timestamp) -> Result<(), Unready> {
        if self.cells.draining.load(SeqCst) {
            return Err(Unready::Draining);
        }
        let fresh = |at: &Timestamp| now.duration_since(*at).unsigned_abs() < TROUBLE;
        let failed = self.cells.last_failure.read().filter(fresh);
        match self.cells.failing.load(SeqCst) && failed.is_some() {
            true => Err(Unready::NotStored),
            false => Ok(()),
        }
    }

    /// Counts a refusal: something that X sent, or would have, was not taken.
    pub fn refused(&self) {
        self.cells.refusals.fetch_add(1, SeqCst);
    }

    /// Says that no more deliveries are taken.
    pub fn drain(&self) {
        self.cells.draining.store(true, SeqCst);
    }

    /// Returns the handle of an app's proof.
    pub(super) fn proof(&self, app: &str) -> Arc<Proof> {
        let mut proofs = self.cells.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(proofs.entry(app.to_owned()).or_default())
    }

    pub(super) fn verified(&self, slot: SecretSlot) {
        self.cells.verified.fetch_add(1, SeqCst);
        if slot == SecretSlot::Previous {
            self.cells.verified_by_previous.fetch_add(1, SeqCst);
        }
    }

    pub(super) fn committed(&self, receipt: Receipt, arrived_at: Timestamp, took: Duration) {
        self.cells.committed.fetch_add(1, SeqCst);
        self.cells.stored.fetch_add(receipt.stored as u64, SeqCst);
        self.cells.duplicates.fetch_add(receipt.duplicates as u64, SeqCst);
        self.cells.commit_times.add(took);
        self.cells.last_delivery.set(arrived_at);
        self.cells.failing.store(false, SeqCst);
    }

    /// Counts a verified delivery that the inbox refused.
    pub(super) fn not_stored(&self, now: Timestamp) {
        self.refused();
        self.cells.last_failure.put(now);
        self.cells.failing.store(true, SeqCst);
    }

    pub(super) fn acknowledged(&self, took: Duration) {
        self.cells.delivery_times.add(took);
    }

    pub(super) fn rejected(&self) {
        self.cells.rejections.fetch_add(1, SeqCst);
    }

    /// Counts a body that was not read, and returns how many there are now.
    pub(super) fn unread(&self) -> u64 {
        self.cells.unread.fetch_add(1, SeqCst).wrapping_add(1)
    }

    /// Returns how often a request was refused for this reason.
    pub(super) fn count(&self, reason: Reason) -> u64 {
        self.cells.refused.get(reason as usize).map_or(0, |count| count.load(Relaxed))
    }

    /// Counts an answer other than 200.
    pub(super) fn answered(&self, reason: Reason) {
        if let Some(count) = self.cells.refused.get(reason as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn check_answered(&self, now: Timestamp, took: Duration, signed: Signed) {
        self.cells.checks.fetch_add(1, SeqCst);
        if signed == Signed::Yes {
            self.cells.signed_checks.fetch_add(1, SeqCst);
        }
        self.cells.check_times.add(took);
        self.cells.last_check.set(now);
    }

    pub(super) fn check_refused(&self) {
        self.cells.refused_checks.fetch_add(1, SeqCst);
    }

    /// Refuses a request whose end only the accept loop saw to be unclear.
    #[cfg(feature = "server")]
    pub(crate) fn unclear(&self) -> super::Refused {
        super::Refused::unread(super::Refusal::Framing, self)
    }

    /// Refuses what is no request yet, or never will be.
    #[cfg(feature = "server")]
    pub(crate) fn refuse_head(&self, why: super::Refusal) -> super::Refused {
        super::Refused::new(why, self)
    }

    /// Counts a connection for as long as the guard lives.
    #[cfg(feature = "server")]
    pub(crate) fn connected(&self) -> Connected {
        self.cells.connections.fetch_add(1, SeqCst);
        Connected(self.clone())
    }

    /// Returns what counts a verified delivery as refused, if it comes to that.
    pub(super) fn fate(&self, now: fn() -> Timestamp) -> Fate {
        Fate { status: self.clone(), now, told: Arc::default() }
    }
}

impl fmt::Debug for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cells").finish_non_exhaustive()
    }
}

/// Why a receiver is not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unready {
    /// It is shutting down.
    #[error("the receiver is shutting down")]
    Draining,
    /// The last verified delivery was not stored.
    #[error("the last verified delivery could not be stored: see the log")]
    NotStored,
}

/// A time that may not have come yet, in milliseconds since 1970.
struct Moment(AtomicI64);

impl Default for Moment {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Moment {
    /// Two threads may come in any order; the later time stays.
    fn set(&self, at: Timestamp) {
        self.0.fetch_max(at.as_millisecond(), SeqCst);
    }

    /// The one that is told last stays.
    fn put(&self, at: Timestamp) {
        self.0.store(at.as_millisecond(), SeqCst);
    }

    fn read(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.0.load(SeqCst)).ok()
    }
}

/// What fitted the secrets of an app, and what did not.
#[derive(Debug)]
pub(super) struct Proof {
    verified: AtomicU64,
    rejected: AtomicU64,
    /// How many had been rejected when something fitted for the first time, and for the last.
    first: AtomicU64,
    last: AtomicU64,
}

impl Default for Proof {
    fn default() -> Self {
        let [verified, rejected, last] = [0; 3].map(AtomicU64::new);
        Self { verified, rejected, first: AtomicU64::new(u64::MAX), last }
    }
}

impl Proof {
    /// Notes that something fits.
    pub(super) fn verified(&self) {
        let rejected = self.rejected.load(SeqCst);
        // Of two threads the one that saw more was the later one.
        self.last.fetch_max(rejected, SeqCst);
        self.first.fetch_min(rejected, SeqCst);
        self.verified.fetch_add(1, SeqCst);
    }

    /// Notes that something does not.
    pub(super) fn rejected(&self) {
        self.rejected.fetch_add(1, SeqCst);
    }

    fn read(&self) -> Signatures {
        let verified = self.verified.load(SeqCst);
        let rejected = self.rejected.load(SeqCst);
        let doubtful = match self.first.load(SeqCst) {
            u64::MAX => rejected,
            first => first.saturating_add(rejected.saturating_sub(self.last.load(SeqCst))),
        };
        Signatures { verified, doubtful }
    }
}

#[cfg(feature = "server")]
pub(crate) struct Connected(Status);

#[cfg(feature = "server")]
impl Drop for Connected {
    fn drop(&mut self) {
        self.0.cells.connections.fetch_sub(1, SeqCst);
    }
}

/// Counts a verified delivery that is not stored, or not in time, once: whoever waits for it may see
/// that first, or the work that goes on without them.
#[derive(Clone)]
pub(super) struct Fate {
    status: Status,
    now: fn() -> Timestamp,
    told: Arc<AtomicBool>,
}

impl Fate {
    pub(super) fn not_stored(&self) {
        if !self.told.swap(true, SeqCst) {
            self.status.not_stored((self.now)());
        }
    }

    /// Returns a guard that counts it when it is dropped before the end: the answer came too late,
    /// or the inbox panicked, whatever became of the delivery.
    pub(super) fn unless_finished(&self) -> Unfinished {
        Unfinished(Some(self.clone()))
    }
}

pub(super) struct Unfinished(Option<Fate>);

impl Unfinished {
    pub(super) fn finished(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(fate) = &self.0 {
            fate.not_stored();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    const RECEIPT: Receipt = Receipt { stored: 1, duplicates: 0 };

    #[test]
    fn unready_after_a_failure_until_something_is_stored_or_it_is_long_ago() {
        let status = Status::default();
        assert_eq!(status.ready(at(0)), Ok(()));
        status.not_stored(at(100));
        assert_eq!(status.ready(at(100)), Err(Unready::NotStored));
        assert_eq!(status.ready(at(129)), Err(Unready::NotStored));
        assert_eq!(status.ready(at(130)), Ok(()));
        status.committed(RECEIPT, at(101), Duration::ZERO);
        assert_eq!(status.ready(at(102)), Ok(()));
        // An older one that comes to its end later changes nothing.
        status.committed(RECEIPT, at(50), Duration::ZERO);
        assert_eq!(status.figures().last_delivery, Some(at(101)));
        status.drain();
        assert_eq!(status.ready(at(200)), Err(Unready::Draining));
    }

    /// The clock was set back between the last delivery that was stored and one that is not.
    #[test]
    fn a_clock_that_was_set_back_hides_no_failure() {
        let status = Status::default();
        status.committed(RECEIPT, at(5000), Duration::ZERO);
        status.not_stored(at(5001));
        status.not_stored(at(100));
        assert_eq!(status.ready(at(101)), Err(Unready::NotStored));
        status.committed(RECEIPT, at(102), Duration::ZERO);
        assert_eq!(status.ready(at(103)), Ok(()));
    }

    #[test]
    fn a_delivery_is_refused_once() {
        let status = Status::default();
        let fate = status.fate(|| Timestamp::UNIX_EPOCH);
        drop(fate.unless_finished());
        fate.not_stored();
        assert_eq!(status.counts().refusals, 1);
        let fate = status.fate(|| Timestamp::UNIX_EPOCH);
        fate.unless_finished().finished();
        assert_eq!(status.counts().refusals, 1);
        fate.not_stored();
        assert_eq!(status.counts().refusals, 2);
    }

    #[cfg(feature = "server")]
    #[test]
    fn connections_are_counted_while_they_are_open() {
        let status = Status::default();
        let (one, two) = (status.connected(), status.connected());
        assert_eq!(status.counts().connections, 2);
        drop(one);
        assert_eq!(status.counts().connections, 1);
        drop(two);
        assert_eq!(status.counts().connections, 0);
    }

    #[test]
    fn nothing_has_happened_yet() {
        let figures = Status::default().figures();
        assert_eq!(figures.counts, Counts::default());
        assert_eq!((figures.last_delivery, figures.last_check), (None, None));
        assert_eq!(figures.refused.len(), Reason::ALL.len());
    }

    #[test]
    fn each_reason_has_a_count_of_its_own() {
        let status = Status::default();
        for (times, reason) in Reason::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| status.answered(reason));
        }
        let counts: Vec<_> =
            status.figures().refused.into_iter().map(|(_, n)| n as usize).collect();
        assert_eq!(counts, (0..Reason::ALL.len()).collect::<Vec<_>>());
    }
}
