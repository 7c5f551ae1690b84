use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Book, Declaration, Holder, Lease, LedgerError, Role};
use crate::coverage::{Cause, Gap, Heartbeat, RunId, Tally};

/// By how much what one node missed is widened on both sides: the request deadline, one heartbeat
/// period and the uncertainty of the offset, as for gaps between heartbeats.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// Of how many nodes that stayed away the last heartbeats are kept.
const GONE: usize = 64;

/// The ledger of several receivers that share an inbox, as plain data.
///
/// A cluster covers what *every* one of its nodes covers: X's deliveries are spread over all of
/// them, so what one refuses or dies of is missing. Only a node that said that it ends ([`leave`])
/// is missed by nobody, as long as another one goes on.
///
/// While a single node is there, the spans are those of its own heartbeats. With more of them, the
/// spans tell when any was there, with the tallies of all added up, so that a refusal of one breaks
/// the span of all; and what else a node misses while others go on is [declared](Declaration): its
/// silence, its unclean end, its wrong clock, its wrong secret. A node that stays away is waited
/// for as long as a load balancer may need to notice; after that it counts as gone. One that was
/// alive all the time is missing from its last heartbeat to the one with which it is back.
///
/// A node has a name, which it keeps from run to run: the next run of the same name tells that the
/// last one is over. When that one goes on all the same, two nodes have one name: it is refused.
///
/// Wall clocks of nodes may differ. Heartbeats are compared on X's clock where both nodes have read
/// it; only while one of them has not yet noticed that X's clock was set, their own clocks tell.
///
/// [`leave`]: Self::leave
///
/// # Examples
///
/// ```
/// use aaa_replay::{coverage::{Heartbeat, RunId, Tally}, ledger::ClusterBook};
/// use jiff::SignedDuration;
///
/// let second = SignedDuration::from_secs(1);
/// let beat = |run, at: i64| Heartbeat {
///     run: RunId(run),
///     wall: jiff::Timestamp::UNIX_EPOCH + second * i32::try_from(at).unwrap(),
///     uptime: second * i32::try_from(at).unwrap(),
///     offset: SignedDuration::ZERO,
///     offset_read: true,
///     tally: Tally::default(),
/// };
/// let mut cluster = ClusterBook::new(second * 5, second * 120);
/// for at in [0, 5, 10] {
///     cluster.heartbeat("one", beat(1, at))?;
///     cluster.heartbeat("two", beat(2, at + 1))?;
/// }
/// // `two` is heard no more.
/// (3..20).try_for_each(|n| cluster.heartbeat("one", beat(1, n * 5)))?;
/// let missing = cluster.book().declared()[0].declaration.gap;
/// assert_eq!(missing.from + second * 60, beat(2, 11).wall);
/// # Ok::<(), aaa_replay::ledger::LedgerError>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClusterBook {
    book: Book,
    gone_after: SignedDuration,
    nodes: BTreeMap<String, Node>,
    /// The last heartbeats of nodes that stayed away without a word.
    #[serde(default)]
    gone: BTreeMap<String, Heartbeat>,
    epoch: Option<Epoch>,
    /// Whose the lease is.
    holder: Option<String>,
}

/// A node that has not said that it ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Node {
    /// The first heartbeat of its run.
    first: Heartbeat,
    last: Heartbeat,
    /// The declared gap that grows while it is silent.
    silence: Option<u64>,
    /// What it had counted when all were away; the others count from then on.
    before: Tally,
    /// The run before, which is over.
    #[serde(default)]
    former: Option<RunId>,
}

impl Node {
    fn tally(&self) -> Tally {
        let (now, before) = (self.last.tally, self.before);
        Tally {
            refusals: now.refusals.saturating_sub(before.refusals),
            verified: now.verified.saturating_sub(before.verified),
            rejected: now.rejected.saturating_sub(before.rejected),
            arrived: now.arrived.saturating_sub(before.arrived),
        }
    }
}

/// A time in which some node was always there.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Epoch {
    /// The run that stands for all of them.
    run: RunId,
    /// Since when there was more than one run: then their heartbeats are told as those of one.
    shared: Option<Heartbeat>,
    /// The last of them as its node wrote it.
    #[serde(default)]
    heard: Option<Heartbeat>,
    /// What those counted that are not there any more.
    past: Tally,
}

impl ClusterBook {
    /// Creates an empty one; heartbeats of each node come once a `period`. A node that stays away
    /// is gone after `gone_after`.
    pub fn new(period: SignedDuration, gone_after: SignedDuration) -> Self {
        Self {
            book: Book::new(period),
            gone_after,
            nodes: BTreeMap::new(),
            gone: BTreeMap::new(),
            epoch: None,
            holder: None,
        }
    }

    /// Returns what is as in any other ledger.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Changes what is as in any other ledger: attempts and declared gaps.
    pub fn book_mut(&mut self) -> &mut Book {
        &mut self.book
    }

    /// Takes a heartbeat of a node.
    ///
    /// # Errors
    ///
    /// Fails when another node that is alive has the same name; then nothing is changed.
    pub fn heartbeat(&mut self, name: &str, heartbeat: Heartbeat) -> Result<(), LedgerError> {
        let former = self.former(name, heartbeat.run);
        if former == Some(heartbeat.run) {
            return Err(LedgerError::Twin(name.to_owned()));
        }
        let others = self.nodes.iter().any(|(n, node)| n != name && self.is_near(node, &heartbeat));
        let goes_on = self.epoch.is_some()
            && (others
                || self.nodes.get(name).is_some_and(|node| {
                    node.last.run == heartbeat.run && self.is_near(node, &heartbeat)
                }));
        let gone = self.gone.remove(name);
        if !self.nodes.contains_key(name) {
            // Where nobody was there, the end of the span tells the rest.
            let end = self.book.last_heartbeat().map(Heartbeat::x_time);
            let to = end.map(|end| if goes_on { heartbeat.x_time() } else { end });
            self.look_back(gone, &heartbeat, to);
        }
        if goes_on {
            self.silent_ones(name, &heartbeat);
        } else {
            // Nobody was there: the end of the span tells it, for all whose end it is.
            self.strangers(name, &heartbeat);
            self.epoch = Some(Epoch::of(heartbeat.run));
        }
        self.look_at_itself(name, &heartbeat);
        let before = gone.filter(|last| last.run == heartbeat.run).map(|last| last.tally);
        self.count(name, heartbeat, before.unwrap_or_default(), former);
        let told = self.told(&heartbeat);
        self.book.heartbeat(told);
        Ok(())
    }

    /// Takes the word of a node that it ends by itself: it has answered all that it took, and
    /// takes nothing more.
    pub fn leave(&mut self, name: &str) {
        if let Some(last) = self.gone.remove(name)
            && let Some(end) = self.book.last_heartbeat().map(Heartbeat::x_time)
        {
            self.miss(&mut None, last.x_time(), end, Cause::Silent);
        }
        let Some(node) = self.nodes.remove(name) else { return };
        if let Some(epoch) = &mut self.epoch {
            epoch.past = sum(epoch.past, node.tally());
        }
        let heard = |other: &Node| self.is_near(other, &node.last);
        if !self.nodes.values().any(heard) {
            self.epoch = None;
        }
    }

    /// Returns the names of the nodes that have not said that they end, with their last heartbeats.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Heartbeat)> {
        self.nodes.iter().map(|(name, node)| (name.as_str(), &node.last))
    }

    /// Takes the lease for a node, or keeps it for longer, as [`Lease::take`] does. But a listener
    /// takes it from the listener of another node only when it is over: both may be there. An end
    /// that is too far away was written by a wrong clock, and is over too.
    ///
    /// # Errors
    ///
    /// Fails when somebody else holds it.
    pub fn take_lease(
        &mut self,
        name: &str,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, LedgerError> {
        let far = until.saturating_add(until.duration_since(now)).unwrap_or(Timestamp::MAX);
        if let Some(current) = self.book.lease()
            && current.holder.role == Role::Listener
            && holder.role == Role::Listener
            && let Some(other) = self.holder.as_deref().filter(|other| *other != name)
            && let end = self.on_the_clock_of(name, other, current.expires_at)
            && (now < end && end <= far)
        {
            return Err(LedgerError::Held(Box::new(current.clone())));
        }
        let lease = self.book.take_lease(holder, now, until)?;
        self.holder = Some(name.to_owned());
        Ok(lease)
    }

    /// Returns which run of a name was over when this one, or an earlier heartbeat of it, came.
    fn former(&self, name: &str, run: RunId) -> Option<RunId> {
        match self.nodes.get(name) {
            Some(node) if node.last.run == run => node.former,
            // Where it is the former one, it is not over.
            Some(node) if node.former == Some(run) => node.former,
            Some(node) => Some(node.last.run),
            None => self.gone.get(name).map(|last| last.run).filter(|gone| *gone != run),
        }
    }

    /// Returns a time that another node's wall clock tells on that of a node, as far as both are
    /// known.
    fn on_the_clock_of(&self, name: &str, other: &str, time: Timestamp) -> Timestamp {
        let last = |name: &str| self.nodes.get(name).map(|node| node.last);
        let (Some(own), Some(theirs)) = (last(name), last(other)) else { return time };
        let apart = own.x_time().duration_since(theirs.x_time()).abs();
        if !(own.offset_read && theirs.offset_read) || apart > self.limit() {
            return time;
        }
        time.saturating_add(theirs.offset.saturating_sub(own.offset)).unwrap_or(time)
    }

    /// Says whether a node was heard shortly before or after a heartbeat.
    fn is_near(&self, node: &Node, heartbeat: &Heartbeat) -> bool {
        self.apart(&node.last, heartbeat).abs() <= self.limit()
    }

    /// Returns how long after a heartbeat another one came, perhaps of another node.
    ///
    /// X's clock tells where both know it, since wall clocks may differ. When it was set, the one
    /// that has not read it since is near by its wall clock.
    fn apart(&self, earlier: &Heartbeat, later: &Heartbeat) -> SignedDuration {
        let wall = later.wall.duration_since(earlier.wall);
        let x = later.x_time().duration_since(earlier.x_time());
        let limit = self.limit();
        let is_set = x.abs() > limit && wall.abs() <= limit;
        if earlier.offset_read && later.offset_read && !is_set { x } else { wall }
    }

    fn limit(&self) -> SignedDuration {
        self.book.period().checked_mul(3).unwrap_or(SignedDuration::MAX)
    }

    /// Declares that other nodes are silent, for as long as they are, and forgets those that stay
    /// away.
    fn silent_ones(&mut self, name: &str, heartbeat: &Heartbeat) {
        let names: Vec<String> = self.nodes.keys().filter(|n| *n != name).cloned().collect();
        for other in names {
            let Some(mut node) = self.nodes.remove(&other) else { continue };
            if !self.is_near(&node, heartbeat) {
                let away = self.apart(&node.last, heartbeat);
                let from = node.last.x_time();
                self.miss(&mut node.silence, from, heartbeat.x_time(), Cause::Silent);
                if away > self.gone_after {
                    if let Some(epoch) = &mut self.epoch {
                        epoch.past = sum(epoch.past, node.tally());
                    }
                    self.forget(other, node.last);
                    continue;
                }
            }
            self.nodes.insert(other, node);
        }
    }

    /// Declares what those missed that were silent before the last span ended. Until they are
    /// gone, they may still be sent something.
    fn strangers(&mut self, name: &str, heartbeat: &Heartbeat) {
        let end = self.book.last_heartbeat().map(Heartbeat::x_time);
        self.nodes.remove(name);
        for (other, mut node) in std::mem::take(&mut self.nodes) {
            let from = node.last.x_time();
            if let Some(end) = end.filter(|end| end.duration_since(from).abs() > self.limit()) {
                self.miss(&mut node.silence, from, end, Cause::Silent);
            }
            if self.apart(&node.last, heartbeat) <= self.gone_after {
                node.before = node.last.tally;
                self.nodes.insert(other, node);
            } else {
                self.forget(other, node.last);
            }
        }
    }

    /// Counts a node as gone. When it comes back, it may have been alive.
    fn forget(&mut self, name: String, last: Heartbeat) {
        self.gone.insert(name, last);
        while self.gone.len() > GONE {
            let oldest = self.gone.iter().min_by_key(|(_, last)| last.x_time());
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { return };
            self.gone.remove(&oldest);
        }
    }

    /// Declares what a node missed up to a time that is not among those that are there, but was
    /// alive: it was gone, or never heard.
    fn look_back(&mut self, gone: Option<Heartbeat>, now: &Heartbeat, to: Option<Timestamp>) {
        // Before coverage began, nothing was promised.
        let Some(to) = to else { return };
        if let Some(last) = gone.filter(|last| last.run == now.run) {
            return self.miss(&mut None, last.x_time(), to, Cause::Silent);
        }
        if now.uptime <= self.limit() && now.tally.refusals == 0 {
            return;
        }
        let began = now.x_time().saturating_sub(now.uptime).unwrap_or(Timestamp::MIN);
        // The run before was over when this one began.
        let since = self.book.summary().since.max(gone.map(|last| last.x_time()));
        let from = since.map_or(began, |since| since.max(began));
        if from < to {
            self.miss(&mut None, from, to, Cause::Silent);
        }
    }

    /// Declares what a node missed since its own last heartbeat while others went on.
    fn look_at_itself(&mut self, name: &str, heartbeat: &Heartbeat) {
        let Some(mut node) = self.nodes.remove(name) else { return };
        let (before, now) = (node.last, heartbeat.x_time());
        // What it refused is in the tally of all.
        let calm = Tally { refusals: before.tally.refusals, ..heartbeat.tally };
        if !before.covers_until(&Heartbeat { tally: calm, ..*heartbeat }, self.book.period()) {
            if before.run != heartbeat.run {
                self.miss(&mut node.silence, before.x_time(), now, Cause::Down);
            } else if before.offset_read || !heartbeat.offset_read {
                self.miss(&mut node.silence, before.x_time(), now, Cause::Silent);
            } else {
                let from = node.first.x_time().min(before.x_time());
                self.miss(&mut node.silence, from, now, Cause::Clock);
            }
        } else if let Some(number) = node.silence {
            self.book.prolong(number, widened(now));
        }
        let proved = before.run == heartbeat.run
            && before.tally.verified == 0
            && heartbeat.tally.verified > 0
            && heartbeat.tally.rejected > 0;
        if proved && self.epoch.as_ref().is_some_and(|epoch| epoch.shared.is_some()) {
            self.miss(&mut None, node.first.x_time(), now, Cause::Signatures);
        }
        node.silence = None;
        self.nodes.insert(name.to_owned(), node);
    }

    /// Declares a gap, or lengthens the one that is declared.
    fn miss(&mut self, silence: &mut Option<u64>, from: Timestamp, to: Timestamp, cause: Cause) {
        // One that somebody took back is declared anew.
        if silence.is_some_and(|number| self.book.prolong(number, widened(to))) {
            return;
        }
        let gap = Gap::new(from, to, cause).widened(MARGIN);
        *silence = Some(self.book.declare(Declaration { gap, webhook: None, at: to }));
    }

    /// Counts a node's heartbeat among those of all.
    fn count(&mut self, name: &str, heartbeat: Heartbeat, counted: Tally, former: Option<RunId>) {
        let before = self.nodes.get(name);
        let same = before.is_some_and(|node| node.last.run == heartbeat.run);
        if let Some(epoch) = &mut self.epoch {
            if let Some(before) = before.filter(|_| !same) {
                epoch.past = sum(epoch.past, before.tally());
            }
            if epoch.run != heartbeat.run && epoch.shared.is_none() {
                epoch.shared = Some(self.book.last_heartbeat().copied().unwrap_or(heartbeat));
            }
        }
        match self.nodes.get_mut(name) {
            Some(node) if same => node.last = heartbeat,
            _ => {
                let (first, last, silence, before) = (heartbeat, heartbeat, None, counted);
                let node = Node { first, last, silence, before, former };
                self.nodes.insert(name.to_owned(), node);
            }
        }
    }

    /// Returns a heartbeat as one of all nodes: on the clocks of the one that was there first.
    fn told(&mut self, heartbeat: &Heartbeat) -> Heartbeat {
        let Some(Epoch { run, shared: Some(_), past, heard }) = self.epoch.clone() else {
            return *heartbeat;
        };
        let Some(before) = self.book.last_heartbeat().copied() else { return *heartbeat };
        let tally = self.nodes.values().fold(past, |tally, node| sum(tally, node.tally()));
        let since = self.apart(&heard.unwrap_or(before), heartbeat);
        let wall = before.wall.saturating_add(since).unwrap_or(heartbeat.wall);
        let uptime = before.uptime.saturating_add(since);
        // Whoever has read X's clock knows it better than who assumes it.
        let is_known = before.offset_read && !heartbeat.offset_read;
        let own = heartbeat.x_time().duration_since(wall);
        let offset = if is_known { before.offset } else { own };
        let offset_read = heartbeat.offset_read || is_known;
        if let Some(epoch) = &mut self.epoch {
            epoch.heard = Some(*heartbeat);
        }
        Heartbeat { run, wall, uptime, offset, offset_read, tally }
    }
}

impl Epoch {
    fn of(run: RunId) -> Self {
        Self { run, shared: None, heard: None, past: Tally::default() }
    }
}

fn widened(to: Timestamp) -> Timestamp {
    to.saturating_add(MARGIN).unwrap_or(Timestamp::MAX)
}

fn sum(one: Tally, other: Tally) -> Tally {
    Tally {
        refusals: one.refusals.saturating_add(other.refusals),
        verified: one.verified.saturating_add(other.verified),
        rejected: one.rejected.saturating_add(other.rejected),
        arrived: one.arrived.saturating_add(other.arrived),
    }
}

#[cfg(test)]
mod tests;
