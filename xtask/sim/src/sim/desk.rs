//! The driver's side of the ledger, as the real driver has it: the lease, and what was read so
//! far.

use aaa_replay::{
    coverage::{Coverage, Gap},
    engine::{Flaw, Settings},
    ledger::{Declared, Holder, Lease, LeaseId, LedgerError},
    sweep,
};
use jiff::{SignedDuration, Timestamp};

use crate::disk::Disk;

/// How long a lease lasts unless it is taken again.
const LEASE: SignedDuration = SignedDuration::from_secs(30);

/// After how long it is taken again.
const RENEW: SignedDuration = SignedDuration::from_secs(10);

/// How often what is old is removed.
const TRIM: SignedDuration = SignedDuration::from_hours(1);

/// How much longer than the look-back something is kept.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);

/// What the driver remembers of the ledger.
pub(super) struct Desk {
    pub(super) holder: Holder,
    lease: Option<Lease>,
    /// When it was taken last.
    taken: SignedDuration,
    trimmed: Option<SignedDuration>,
    pub(super) coverage: Coverage,
    pub(super) gaps: Vec<Gap>,
    pub(super) declared: Vec<Declared>,
}

/// The clocks of the process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) wall: Timestamp,
    pub(super) x: Timestamp,
    pub(super) uptime: SignedDuration,
    pub(super) x_is_read: bool,
}

impl Desk {
    pub(super) fn new(holder: Holder) -> Self {
        Self {
            holder,
            lease: None,
            taken: SignedDuration::ZERO,
            trimmed: None,
            coverage: Coverage::default(),
            gaps: Vec::new(),
            declared: Vec::new(),
        }
    }

    /// Takes or keeps the lease; says whether it is a new one.
    pub(super) fn hold(&mut self, disk: &Disk, times: Times) -> Result<bool, LedgerError> {
        let fresh = times.uptime.saturating_sub(self.taken) < RENEW;
        if self.lease.is_some() && fresh { Ok(false) } else { self.take(disk, times) }
    }

    /// Takes the lease, or keeps it for longer, as a driver does every few seconds.
    pub(super) fn take(&mut self, disk: &Disk, times: Times) -> Result<bool, LedgerError> {
        let before = self.lease.take().map(|lease| lease.id);
        let until = times.wall.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        let lease = disk.take_lease(self.holder.clone(), times.wall, until)?;
        let new = before != Some(lease.id);
        (self.lease, self.taken) = (Some(lease), times.uptime);
        if new {
            // Whoever had it meanwhile may have removed what closed a gap, and the gap with it.
            (self.coverage, self.gaps) = (Coverage::default(), Vec::new());
        }
        Ok(new)
    }

    /// Says whether it has a lease, as far as it knows.
    pub(super) fn thinks_it_holds(&self) -> bool {
        self.lease.is_some()
    }

    /// Knows that the lease is gone.
    pub(super) fn lose(&mut self) {
        self.lease = None;
    }

    /// Gives the lease back.
    pub(super) fn leave(&mut self, disk: &Disk) {
        if let Some(lease) = self.lease.take() {
            let _ = disk.release_lease(lease.id);
        }
    }

    /// Reads what is new; says whether there was anything.
    pub(super) fn look(
        &mut self,
        disk: &Disk,
        settings: &Settings,
        times: Times,
    ) -> Result<bool, LedgerError> {
        let mut changed = self.trim(disk, settings, times)?;
        changed |= self.coverage.add(disk.spans_from(self.coverage.next())?);
        if changed {
            self.gaps = settings.gaps(self.coverage.spans());
        }
        let mut declared = disk.declared()?;
        if let (Some(every), Some(began)) = (settings.sweep, self.coverage.began())
            && let Some(due) = sweep::due(every, &declared, began, &settings.limits, times.x)
        {
            disk.declare(due)?;
            declared = disk.declared()?;
        }
        changed |= self.declared != declared;
        self.declared = declared;
        Ok(changed)
    }

    fn trim(
        &mut self,
        disk: &Disk,
        settings: &Settings,
        times: Times,
    ) -> Result<bool, LedgerError> {
        let fresh = |at: SignedDuration| times.uptime.saturating_sub(at) < TRIM;
        if self.trimmed.is_some_and(fresh) || !times.x_is_read {
            return Ok(false);
        }
        let keep = settings.limits.look_back + settings.margin + SHOWN;
        let before = times.x.saturating_sub(keep).unwrap_or(Timestamp::MIN);
        disk.trim(before)?;
        self.trimmed = Some(times.uptime);
        Ok(self.coverage.forget_before(before))
    }

    pub(super) fn is_idle(&self) -> bool {
        self.gaps.is_empty() && self.declared.is_empty()
    }

    /// Returns the lease to write under.
    pub(super) fn lease(&self, disk: &Disk, settings: &Settings) -> Result<LeaseId, LedgerError> {
        if settings.flaw == Some(Flaw::BorrowedLease) {
            // Whichever counts.
            return disk.lease()?.map(|lease| lease.id).ok_or(LedgerError::NotHeld);
        }
        self.lease.as_ref().map(|lease| lease.id).ok_or(LedgerError::NotHeld)
    }
}
