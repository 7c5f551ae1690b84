//! The driver's side of the ledger: the lease, and what was read so far.

use aaa_types::WebhookId;
use jiff::{SignedDuration, Timestamp};

use super::XClock;
use crate::{
    coverage::{Coverage, Gap, RunId},
    engine::Settings,
    ledger::{
        Attempt, Declared, Holder, Intent, Lease, LeaseId, Ledger, LedgerError, Outcome, Role,
    },
    sweep,
    watch::Errand,
};

/// How long a lease lasts unless it is taken again.
const LEASE: SignedDuration = SignedDuration::from_secs(30);

/// After how long it is taken again.
const RENEW: SignedDuration = SignedDuration::from_secs(10);

/// How often what is old is removed.
const TRIM: SignedDuration = SignedDuration::from_hours(1);

/// How much longer than the look-back something is kept, so that what was lost is still shown.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);

pub(super) struct Desk<L> {
    ledger: L,
    clock: XClock,
    settings: Settings,
    /// Who takes the lease, unless it is the listener.
    holder: Option<Holder>,
    lease: Option<Lease>,
    /// When the lease was taken last, and when old things were removed, in the time since the
    /// run started.
    taken: SignedDuration,
    trimmed: Option<SignedDuration>,
    /// Whether gaps went with that since the last look.
    forgot: bool,
    coverage: Coverage,
    gaps: Vec<Gap>,
    declared: Vec<Declared>,
    /// What went wrong last, so that it is said once.
    trouble: Option<LedgerError>,
}

impl<L: Ledger> Desk<L> {
    pub(super) fn new(ledger: L, clock: XClock, settings: Settings) -> Self {
        Self {
            ledger,
            clock,
            settings,
            holder: None,
            lease: None,
            taken: SignedDuration::ZERO,
            trimmed: None,
            forgot: false,
            coverage: Coverage::default(),
            gaps: Vec::new(),
            declared: Vec::new(),
            trouble: None,
        }
    }

    pub(super) fn held_by(&mut self, holder: Holder) {
        self.holder = Some(holder);
    }

    /// Takes or keeps the lease; says whether it is a new one.
    pub(super) async fn hold(&mut self, run: RunId) -> Result<bool, LedgerError> {
        let uptime = self.clock.uptime();
        let fresh = uptime.saturating_sub(self.taken) < RENEW;
        if self.lease.is_some() && fresh {
            return Ok(false);
        }
        // It is given back even if nobody waits for the answer any more.
        let before = self.lease.as_ref().map(|lease| lease.id);
        let listener = || Holder { name: "aaa listen".to_owned(), run, role: Role::Listener };
        let holder = self.holder.clone().unwrap_or_else(listener);
        let now = self.clock.wall();
        let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        let lease = self.ledger.take_lease(holder, now, until).await?;
        let new = before != Some(lease.id);
        (self.lease, self.taken) = (Some(lease), uptime);
        if new {
            // Whoever had it meanwhile may have removed what closed a gap, and the gap with it.
            (self.coverage, self.gaps) = (Coverage::default(), Vec::new());
        }
        Ok(new)
    }

    /// Gives the lease back.
    pub(super) async fn leave(&mut self) {
        if let Some(lease) = self.lease.take()
            && let Err(error) = self.ledger.release_lease(lease.id).await
        {
            tracing::debug!(%error, "the lease was not given back");
        }
    }

    /// Says once what went wrong.
    pub(super) fn tell(&mut self, error: &LedgerError) {
        if matches!(error, LedgerError::NotHeld) {
            self.lease = None;
        }
        if self.trouble.as_ref() == Some(error) {
            return;
        }
        match error {
            LedgerError::Held(lease) => {
                // Its end moves on; that is no news.
                let same = |before: &LedgerError| matches!(before, LedgerError::Held(before) if before.id == lease.id);
                if !self.trouble.as_ref().is_some_and(same) {
                    tracing::warn!(%error, "recovery has to wait");
                }
            }
            error => tracing::error!(%error, "recovery has to wait"),
        }
        self.trouble = Some(error.clone());
    }

    /// Reads what is new; says whether there was anything.
    pub(super) async fn look(&mut self) -> Result<bool, LedgerError> {
        let mut changed = std::mem::take(&mut self.forgot);
        changed |= self.coverage.add(self.ledger.spans_from(self.coverage.next()).await?);
        if changed {
            self.gaps = self.settings.gaps(self.coverage.spans());
        }
        let mut declared = self.ledger.declared().await?;
        let now = self.clock.now();
        if let (Some(every), Some(began)) = (self.settings.sweep, self.coverage.began())
            && let Some(due) = sweep::due(every, &declared, began, &self.settings.limits, now)
        {
            self.ledger.declare(due).await?;
            declared = self.ledger.declared().await?;
        }
        changed |= self.declared != declared;
        self.declared = declared;
        self.trouble = None;
        Ok(changed)
    }

    /// Removes what matters no more, now and then. No lease is needed: where the ledger is full,
    /// nobody gets one before.
    pub(super) async fn trim(&mut self) -> Result<(), LedgerError> {
        let uptime = self.clock.uptime();
        if self.trimmed.is_some_and(|at| uptime.saturating_sub(at) < TRIM) {
            return Ok(());
        }
        // Not before X's clock is known: a wrong one must not remove anything.
        let Some(_) = self.clock.age() else { return Ok(()) };
        let keep = self.settings.limits.look_back + self.settings.margin + SHOWN;
        let before = self.clock.now().saturating_sub(keep).unwrap_or(Timestamp::MIN);
        self.ledger.trim(before).await?;
        self.trimmed = Some(uptime);
        // A gap that is kept longer than what closed it would be found once more.
        self.forgot |= self.coverage.forget_before(before);
        Ok(())
    }

    /// Says whether there is nothing to recover.
    pub(super) fn is_idle(&self) -> bool {
        self.gaps.is_empty() && self.declared.is_empty()
    }

    pub(super) fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    pub(super) fn declared(&self) -> &[Declared] {
        &self.declared
    }

    pub(super) async fn attempts(&self) -> Result<Vec<Attempt>, LedgerError> {
        self.ledger.attempts().await
    }

    pub(super) async fn intend(&self, intent: Intent) -> Result<u64, LedgerError> {
        self.ledger.intend(self.lease()?, intent).await
    }

    pub(super) async fn settle(
        &self,
        attempt: u64,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        self.ledger.settle(self.lease()?, attempt, outcome, at).await
    }

    /// Records that a webhook is invalid; returns the number of the gap.
    pub(super) async fn invalid(&self, webhook: WebhookId) -> Result<u64, LedgerError> {
        let (seen, declared) =
            (self.ledger.confirmed(webhook).await?, self.ledger.declared().await?);
        match seen.invalid(webhook, &declared, self.clock.now()) {
            Errand::Prolong { number, to } => {
                self.ledger.prolong(number, to).await?;
                Ok(number)
            }
            Errand::Declare(declaration) => self.ledger.declare(declaration).await,
            _ => Err(LedgerError::Unavailable("nothing to record".to_owned())),
        }
    }

    /// Moves the end of a declared gap to now.
    pub(super) async fn prolong(&self, number: u64) -> Result<(), LedgerError> {
        self.ledger.prolong(number, self.clock.now()).await.map(drop)
    }

    fn lease(&self) -> Result<LeaseId, LedgerError> {
        self.lease.as_ref().map(|lease| lease.id).ok_or(LedgerError::NotHeld)
    }
}
