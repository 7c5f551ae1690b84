use std::collections::{BTreeMap, BTreeSet};

use aaa_types::{UserId, WebhookId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Attempt, Declaration, Declared, Holder, Intent, Lease, LeaseId, LedgerError, Outcome, Seen,
    Summary,
};
use crate::coverage::{Cause, Gap, Heartbeat, Proof, Span, before, gaps};

/// A ledger as plain data: what a store in memory wraps, and what every other one has to do.
/// A store that keeps documents keeps it as JSON.
///
/// # Examples
///
/// ```
/// use aaa_replay::{coverage::RunId, ledger::{Book, Holder, Role}};
/// use jiff::SignedDuration;
///
/// let mut book = Book::new(SignedDuration::from_secs(5));
/// let listen = Holder { name: "aaa listen".into(), run: RunId(1), role: Role::Listener };
/// let now: jiff::Timestamp = "2025-11-22T04:13:00Z".parse()?;
/// let lease = book.take_lease(listen, now, now + SignedDuration::from_secs(30)).unwrap();
/// assert_eq!(book.lease(), Some(&lease));
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Book {
    period: SignedDuration,
    spans: Vec<Span>,
    /// How many spans are gone.
    gone: u64,
    proofs: Vec<Proof>,
    lease: Option<Lease>,
    attempts: Vec<Kept>,
    declared: Vec<Declared>,
    numbers: u64,
    declarations: u64,
    #[serde(default)]
    seen: BTreeMap<WebhookId, Seen>,
    /// Of memory stores: where the book is a document that every heartbeat writes anew, thousands of
    /// users have one of their own.
    #[serde(skip)]
    subscribers: BTreeMap<WebhookId, BTreeSet<UserId>>,
    #[serde(with = "whole")]
    summary: Summary,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    attempt: Attempt,
    /// The newest event at the time of the intent.
    after: u64,
}

impl Book {
    /// Creates an empty one; heartbeats come once a `period`.
    pub fn new(period: SignedDuration) -> Self {
        Self {
            period,
            spans: Vec::new(),
            gone: 0,
            proofs: Vec::new(),
            lease: None,
            attempts: Vec::new(),
            declared: Vec::new(),
            numbers: 0,
            declarations: 0,
            seen: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            summary: Summary::default(),
        }
    }

    /// Returns how often heartbeats come.
    pub fn period(&self) -> SignedDuration {
        self.period
    }

    /// Returns the last heartbeat.
    pub fn last_heartbeat(&self) -> Option<&Heartbeat> {
        self.spans.last().map(|span| &span.last)
    }

    /// See [`Ledger::heartbeat`](super::Ledger::heartbeat).
    pub fn heartbeat(&mut self, heartbeat: Heartbeat) {
        let Some(span) = self.spans.last_mut() else {
            self.spans.push(Span::new(heartbeat));
            return;
        };
        let before = span.last;
        if !span.extend(heartbeat, self.period) {
            self.spans.push(Span::new(heartbeat));
        } else if let Some(proof) = Proof::between(&before, &heartbeat)
            && !self.proofs.last_mut().is_some_and(|last| last.join(proof))
        {
            self.proofs.push(proof);
        }
    }

    /// See [`Ledger::spans_from`](super::Ledger::spans_from).
    pub fn spans_from(&self, number: u64) -> Vec<(u64, Span)> {
        let numbered = (self.gone + 1..).zip(self.spans.iter().copied());
        numbered.filter(|(n, _)| *n >= number).collect()
    }

    /// See [`Ledger::proofs`](super::Ledger::proofs).
    pub fn proofs(&self) -> &[Proof] {
        &self.proofs
    }

    /// See [`Ledger::take_lease`](super::Ledger::take_lease).
    ///
    /// # Errors
    ///
    /// Fails when somebody else holds it.
    pub fn take_lease(
        &mut self,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, LedgerError> {
        let taken = Lease::take(self.lease.as_ref(), &holder, now, until);
        Ok(self.lease.insert(taken.map_err(LedgerError::Held)?).clone())
    }

    /// See [`Ledger::release_lease`](super::Ledger::release_lease).
    pub fn release_lease(&mut self, lease: LeaseId) {
        if self.holds(lease).is_ok() {
            self.lease = self.lease.take().map(Lease::released);
        }
    }

    /// See [`Ledger::lease`](super::Ledger::lease).
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// See [`Ledger::intend`](super::Ledger::intend). `newest` is the number of the newest event.
    ///
    /// # Errors
    ///
    /// Fails when this is not the lease that counts.
    pub fn intend(
        &mut self,
        lease: LeaseId,
        intent: Intent,
        newest: u64,
    ) -> Result<u64, LedgerError> {
        self.holds(lease)?;
        self.numbers += 1;
        let (number, outcome) = (self.numbers, Outcome::Intended);
        let attempt = Attempt { number, intent, outcome, settled_at: intent.at, found: 0 };
        self.attempts.push(Kept { attempt, after: newest });
        Ok(number)
    }

    /// See [`Ledger::settle`](super::Ledger::settle). `count` counts the events of a time that are
    /// newer than a number: it is asked when the job has ended.
    ///
    /// # Errors
    ///
    /// Fails when this is not the lease that counts, and when there is no such attempt.
    pub fn settle(
        &mut self,
        lease: LeaseId,
        attempt: u64,
        outcome: Outcome,
        at: Timestamp,
        count: impl FnOnce(&Intent, u64) -> u64,
    ) -> Result<u64, LedgerError> {
        self.holds(lease)?;
        let kept = self.attempts.iter_mut().find(|kept| kept.attempt.number == attempt);
        let kept = kept.ok_or(LedgerError::NoAttempt(attempt))?;
        if !outcome.is_open() {
            kept.attempt.found = count(&kept.attempt.intent, kept.after);
        }
        (kept.attempt.outcome, kept.attempt.settled_at) = (outcome, at);
        Ok(kept.attempt.found)
    }

    /// Returns what an attempt asked for, and the number of the newest event at that time: what
    /// is to be counted when it has ended.
    pub fn intent(&self, attempt: u64) -> Option<(Intent, u64)> {
        let kept = self.attempts.iter().find(|kept| kept.attempt.number == attempt)?;
        Some((kept.attempt.intent, kept.after))
    }

    /// See [`Ledger::attempts`](super::Ledger::attempts).
    pub fn attempts(&self) -> Vec<Attempt> {
        self.attempts.iter().map(|kept| kept.attempt.clone()).collect()
    }

    /// See [`Ledger::declare`](super::Ledger::declare).
    ///
    /// What several receivers miss one after another, or at once, is one gap: else a node that comes
    /// and goes would fill the book.
    pub fn declare(&mut self, declaration: Declaration) -> u64 {
        if let Some(number) = self.join(&declaration) {
            return number;
        }
        self.declarations += 1;
        let number = self.declarations;
        self.declared.push(Declared { number, after: self.numbers, declaration });
        number
    }

    /// Adds a gap to one that it adjoins and that the same attempts close.
    fn join(&mut self, new: &Declaration) -> Option<u64> {
        use Cause::{Clock, Down, Refused, Signatures, Silent};
        // Whoever declares others knows them by their numbers, and may take them back.
        if !matches!(new.gap.cause, Clock | Down | Refused | Signatures | Silent) {
            return None;
        }
        let (after, gap) = (self.numbers, new.gap);
        let known = self.declared.iter_mut().rev().find(|known| {
            let Declaration { gap: other, webhook, .. } = known.declaration;
            (known.after, webhook, other.cause) == (after, new.webhook, gap.cause)
                && (other.from <= gap.to && gap.from <= other.to)
        })?;
        let joined = &mut known.declaration;
        joined.gap.from = joined.gap.from.min(gap.from);
        joined.gap.to = joined.gap.to.max(gap.to);
        joined.at = joined.at.max(new.at);
        Some(known.number)
    }

    /// See [`Ledger::prolong`](super::Ledger::prolong).
    pub fn prolong(&mut self, number: u64, to: Timestamp) -> bool {
        let declared = self.declared.iter_mut().find(|declared| declared.number == number);
        if let Some(Declared { declaration, .. }) = declared {
            declaration.gap.to = declaration.gap.to.max(to);
            return true;
        }
        false
    }

    /// See [`Ledger::withdraw`](super::Ledger::withdraw).
    pub fn withdraw(&mut self, number: u64) -> bool {
        let before = self.declared.len();
        self.declared.retain(|declared| declared.number != number);
        self.declared.len() < before
    }

    /// See [`Ledger::declared`](super::Ledger::declared).
    pub fn declared(&self) -> &[Declared] {
        &self.declared
    }

    /// See [`Ledger::confirm`](super::Ledger::confirm).
    pub fn confirm(&mut self, webhook: WebhookId, seen: Seen) {
        self.seen.entry(webhook).or_default().update(seen);
    }

    /// See [`Ledger::confirmed`](super::Ledger::confirmed).
    pub fn confirmed(&self, webhook: WebhookId) -> Seen {
        self.seen.get(&webhook).copied().unwrap_or_default()
    }

    /// See [`Ledger::remember`](super::Ledger::remember).
    pub fn remember(&mut self, webhook: WebhookId, subscribers: BTreeSet<UserId>) {
        self.subscribers.insert(webhook, subscribers);
    }

    /// See [`Ledger::remembered`](super::Ledger::remembered).
    pub fn remembered(&self, webhook: WebhookId) -> BTreeSet<UserId> {
        self.subscribers.get(&webhook).cloned().unwrap_or_default()
    }

    /// See [`Ledger::trim`](super::Ledger::trim).
    pub fn trim(&mut self, time: Timestamp) {
        let spans = before(&self.spans, time);
        for span in self.spans.drain(..spans) {
            self.summary.add_span(&span);
            self.gone += 1;
        }
        let time = Self::settled_before(self.spans.first(), time);
        self.proofs.retain(|proof| proof.to >= time);
        let last_sweep = self.declared.iter().filter(|d| d.declaration.is_sweep());
        let last_sweep = last_sweep.map(|d| d.number).max();
        self.declared.retain(|d| d.declaration.gap.to >= time || Some(d.number) == last_sweep);
        let gaps = Self::gaps_left(&self.spans, &self.declared);
        let summary = &mut self.summary;
        self.attempts.retain(|Kept { attempt, .. }| {
            let keep = attempt.is_open_or_ends_after(time) || attempt.is_about(&gaps);
            if !keep {
                summary.add_attempt(attempt);
            }
            keep
        });
    }

    /// Returns before which time attempts and declared gaps matter no more: behind the first span
    /// that is kept there may be a gap that they have closed.
    pub fn settled_before(first: Option<&Span>, time: Timestamp) -> Timestamp {
        first.map_or(time, |span| span.last.x_time().min(time))
    }

    /// Returns the gaps that are still told by spans and declarations, however old: as long as they
    /// are, so is what closed them. Coverage as a whole is swept, but is no gap.
    pub fn gaps_left(spans: &[Span], declared: &[Declared]) -> Vec<Gap> {
        // More than any margin: it costs a few attempts that are kept in vain.
        let mut left = gaps(spans, SignedDuration::from_hours(1));
        let declared = declared.iter().map(|declared| declared.declaration);
        left.extend(declared.filter(|it| !it.is_sweep()).map(|it| it.gap));
        left
    }

    /// See [`Ledger::summary`](super::Ledger::summary).
    pub fn summary(&self) -> Summary {
        let first = self.spans.first().map(|span| span.first.x_time());
        Summary { since: self.summary.since.or(first), ..self.summary }
    }

    fn holds(&self, lease: LeaseId) -> Result<(), LedgerError> {
        let held = self.lease.as_ref().is_some_and(|current| current.id == lease);
        if held { Ok(()) } else { Err(LedgerError::NotHeld) }
    }
}

/// A summary with every digit: people are shown whole seconds.
mod whole {
    use jiff::{SignedDuration, Timestamp};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Summary;

    type Parts = (Option<Timestamp>, SignedDuration, [u64; 4]);

    pub(super) fn serialize<S: Serializer>(
        summary: &Summary,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let Summary { since, covered, spans, attempts, found, swept } = *summary;
        (since, covered, [spans, attempts, found, swept]).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Summary, D::Error> {
        let (since, covered, [spans, attempts, found, swept]) = Parts::deserialize(deserializer)?;
        Ok(Summary { since, covered, spans, attempts, found, swept })
    }
}

#[cfg(test)]
mod tests {
    use aaa_types::{JobId, ReplayWindow, UtcMinute};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        coverage::{RunId, Tally, gaps},
        ledger::{Purpose, Role},
        plan::outstanding,
    };

    const MARGIN: SignedDuration = SignedDuration::from_secs(60);

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_763_784_000 + minute * 60).unwrap()
    }

    fn beat(run: u64, minute: i64) -> Heartbeat {
        Heartbeat {
            run: RunId(run),
            wall: at(minute),
            uptime: SignedDuration::from_mins(minute),
            offset: SignedDuration::ZERO,
            offset_read: true,
            tally: Tally::default(),
        }
    }

    /// The minutes that are missing from a time on.
    fn missing(book: &Book, from: Timestamp) -> Vec<ReplayWindow> {
        let recovered = book.attempts().into_iter().filter_map(|attempt| match attempt.outcome {
            Outcome::Recovered { .. } => Some(attempt.intent.core),
            _ => None,
        });
        let recovered: Vec<_> = recovered.collect();
        let spans: Vec<_> = book.spans_from(0).into_iter().map(|(_, span)| span).collect();
        let from = UtcMinute::ceil(from);
        let missing = outstanding(&gaps(&spans, MARGIN), &recovered);
        let later = |w: &ReplayWindow| ReplayWindow::new(w.from_date().max(from), w.to_date()).ok();
        missing.iter().filter_map(later).collect()
    }

    #[test]
    fn what_adjoins_is_one_gap() {
        let mut book = Book::new(SignedDuration::from_secs(5));
        let declare = |book: &mut Book, from, to, cause| {
            let gap = Gap::new(at(from), at(to), cause);
            book.declare(Declaration { gap, webhook: None, at: at(to) })
        };
        assert_eq!(declare(&mut book, 10, 12, Cause::Silent), 1);
        assert_eq!(declare(&mut book, 12, 14, Cause::Silent), 1);
        assert_eq!(declare(&mut book, 9, 11, Cause::Silent), 1);
        assert_eq!(declare(&mut book, 15, 16, Cause::Silent), 2);
        assert_eq!(declare(&mut book, 12, 14, Cause::Down), 3);
        // Whoever asks for minutes gets a number of its own.
        assert_eq!(declare(&mut book, 12, 14, Cause::Requested), 4);
        assert_eq!(declare(&mut book, 12, 14, Cause::Requested), 5);
        let first = book.declared()[0];
        let gap = first.declaration.gap;
        assert_eq!((gap.from, gap.to, first.declaration.at), (at(9), at(14), at(14)));
        // A job that was asked for since does not close what is declared now.
        let holder = Holder { name: "it".to_owned(), run: RunId(1), role: Role::Listener };
        let lease = book.take_lease(holder, at(0), at(1)).unwrap().id;
        let core = ReplayWindow::new(UtcMinute::floor(at(9)), UtcMinute::floor(at(14))).unwrap();
        let (webhook, purpose) = ("12".parse().unwrap(), Purpose::Gap);
        let intent = Intent { webhook, core, request: core, at: at(30), purpose };
        book.intend(lease, intent, 0).unwrap();
        assert_eq!(declare(&mut book, 12, 14, Cause::Silent), 6);
        assert_eq!(book.declared().len(), 6);
    }

    proptest! {
        /// What is trimmed does not change what is missing since.
        #[test]
        fn trimming_changes_nothing_that_is_younger(
            steps in prop::collection::vec((1..200_i64, any::<bool>()), 1..20),
            recovered in prop::collection::vec((0..2000_i64, 1..100_i64), 0..10),
            trims in prop::collection::vec(0..2500_i64, 1..4),
        ) {
            // A heartbeat each minute.
            let mut book = Book::new(SignedDuration::from_mins(1));
            let (mut minute, mut run) = (0, 1);
            for (length, down) in steps {
                if down {
                    run += 1;
                    minute += length;
                } else {
                    (0..length).for_each(|n| book.heartbeat(beat(run, minute + n)));
                    minute += length;
                }
            }
            let holder = Holder { name: "it".to_owned(), run: RunId(1), role: Role::Listener };
            let lease = book.take_lease(holder, at(0), at(1)).unwrap().id;
            for (from, length) in recovered {
                let from = UtcMinute::floor(at(from));
                let core = ReplayWindow::new(from, from.plus(length)).unwrap();
                let (webhook, purpose) = ("12".parse().unwrap(), Purpose::Gap);
                let intent = Intent { webhook, core, request: core, at: at(3000), purpose };
                let number = book.intend(lease, intent, 0).unwrap();
                let outcome = Outcome::Recovered { job: JobId::try_from(5).unwrap() };
                book.settle(lease, number, outcome, at(3000), |_, _| 0).unwrap();
            }
            for trim in trims {
                let before = missing(&book, at(trim));
                let last = book.spans_from(0).pop();
                book.trim(at(trim));
                prop_assert_eq!(missing(&book, at(trim)), before);
                prop_assert_eq!(book.spans_from(0).pop(), last);
            }
        }
    }
}
