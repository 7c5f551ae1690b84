//! What the other receivers of a stream say of themselves.
//!
//! X's replayed deliveries are spread over all receivers and are not sent again, so minutes are
//! recovered only if *none* of them refused anything from the call to the completion.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use aaa_replay::{
    coverage::{Heartbeat, RunId, Tally},
    engine::Health,
};
use aaa_store::jetstream::JetStreamInbox;
use aaa_types::payload::ReplayJobStatus;
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

/// How often to look.
const LOOK: Duration = Duration::from_secs(1);

/// How long a receiver may be silent before it counts as another one, and with it every job that
/// is running.
const PATIENCE: Duration = Duration::from_secs(20);

/// The last heartbeats of all receivers, as they are known here.
#[derive(Debug, Clone)]
pub(super) struct Others(watch::Receiver<Known>);

#[derive(Debug, Clone, Default)]
struct Known {
    nodes: BTreeMap<String, Heartbeat>,
    /// How often one of them was not heard when it had to be.
    silences: u64,
}

impl Others {
    /// Begins to look. A completion that goes in comes out when every receiver has said what it
    /// refused up to then.
    pub(super) fn watch(
        inbox: &JetStreamInbox,
        own: RunId,
        mut completions: mpsc::Receiver<ReplayJobStatus>,
    ) -> (Self, mpsc::Receiver<ReplayJobStatus>) {
        let (known, watched) = watch::channel(Known::default());
        let others = Self(watched);
        let (sender, complete) = mpsc::channel(64);
        let (inbox, mut heard) = (inbox.clone(), others.clone());
        tokio::spawn(async move {
            loop {
                match inbox.nodes().await {
                    Ok(nodes) => known.send_modify(|known| {
                        known.nodes =
                            nodes.into_iter().filter(|(_, last)| last.run != own).collect();
                    }),
                    Err(error) => {
                        tracing::debug!(%error, "what other receivers say is not known");
                    }
                }
                tokio::select! {
                    () = sleep(LOOK) => {}
                    completed = completions.recv() => {
                        let Some(status) = completed else { return };
                        let asked = heard.0.borrow().clone();
                        let all = async {
                            // The second heartbeat from now on was surely made after now.
                            for _ in 0..2 {
                                heard.all_are_newer(&inbox, own, &known).await;
                            }
                        };
                        if timeout(PATIENCE, all).await.is_err() {
                            tracing::warn!(
                                receivers = asked.nodes.len(),
                                "a receiver is silent: what a replay brought may not be all"
                            );
                            known.send_modify(|known| known.silences += 1);
                        }
                        if sender.send(status).await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
        (others, complete)
    }

    /// Waits for a new heartbeat of every one that is there by now; what was known before may be old.
    async fn all_are_newer(
        &mut self,
        inbox: &JetStreamInbox,
        own: RunId,
        known: &watch::Sender<Known>,
    ) {
        let mut awaited = Awaited::default();
        loop {
            if let Ok(nodes) = inbox.nodes().await {
                let now = nodes.into_iter().filter(|(_, last)| last.run != own).collect();
                known.send_modify(|known| known.nodes.clone_from(&now));
                if awaited.are_heard(now) {
                    return;
                }
            }
            sleep(LOOK).await;
        }
    }

    /// Returns the health of all receivers, with that of this one as it is now. Whoever comes or
    /// goes makes it that of another run.
    pub(super) fn with(&self, own: Health) -> Health {
        let known = self.0.borrow();
        combined(own, &known)
    }
}

/// Who was there at the first look, with their last heartbeats of then.
#[derive(Debug, Default)]
struct Awaited(Option<BTreeMap<String, Heartbeat>>);

impl Awaited {
    /// Says whether all of them were heard once more, or are gone.
    fn are_heard(&mut self, now: BTreeMap<String, Heartbeat>) -> bool {
        let is_newer = |(name, last): (&String, &Heartbeat)| {
            now.get(name).is_none_or(|now| now.run != last.run || now.uptime > last.uptime)
        };
        match &self.0 {
            Some(before) => before.iter().all(is_newer),
            None => {
                let is_alone = now.is_empty();
                self.0 = Some(now);
                is_alone
            }
        }
    }
}

fn combined(own: Health, known: &Known) -> Health {
    if known.nodes.is_empty() && known.silences == 0 {
        return own;
    }
    let mut hasher = DefaultHasher::new();
    (own.run, known.silences).hash(&mut hasher);
    let mut tally = own.tally;
    for (name, last) in &known.nodes {
        (name, last.run).hash(&mut hasher);
        let Tally { refusals, verified, rejected, arrived } = last.tally;
        tally.refusals = tally.refusals.saturating_add(refusals);
        tally.verified = tally.verified.saturating_add(verified);
        tally.rejected = tally.rejected.saturating_add(rejected);
        tally.arrived = tally.arrived.saturating_add(arrived);
    }
    Health::new(RunId(hasher.finish()), tally)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn heartbeat(run: u64, refusals: u64) -> Heartbeat {
        Heartbeat {
            run: RunId(run),
            wall: Timestamp::UNIX_EPOCH,
            uptime: SignedDuration::ZERO,
            offset: SignedDuration::ZERO,
            offset_read: true,
            tally: Tally { refusals, ..Tally::default() },
        }
    }

    /// What was written before the first look says nothing of what was refused until then.
    #[test]
    fn everybody_is_heard_after_the_first_look() {
        let nodes = |all: &[(&str, u64, i64)]| {
            let node = |(name, run, uptime): &(&str, u64, i64)| {
                let uptime = SignedDuration::from_secs(*uptime);
                ((*name).to_owned(), Heartbeat { uptime, ..heartbeat(*run, 0) })
            };
            all.iter().map(node).collect::<BTreeMap<_, _>>()
        };
        assert!(Awaited::default().are_heard(nodes(&[])));
        let mut awaited = Awaited::default();
        assert!(!awaited.are_heard(nodes(&[("b", 2, 7), ("c", 3, 9)])));
        assert!(!awaited.are_heard(nodes(&[("b", 2, 7), ("c", 3, 14)])));
        // Who comes meanwhile is not waited for; who is gone, or another, neither.
        assert!(awaited.are_heard(nodes(&[("b", 2, 12), ("c", 3, 14), ("d", 4, 0)])));
        assert!(awaited.are_heard(nodes(&[("c", 5, 0)])));
    }

    #[test]
    fn what_any_of_them_refuses_counts() {
        let own = Health::new(RunId(1), Tally { refusals: 2, ..Tally::default() });
        let known = |nodes: &[(&str, Heartbeat)], silences| Known {
            nodes: nodes.iter().map(|(name, last)| ((*name).to_owned(), *last)).collect(),
            silences,
        };
        assert_eq!(combined(own, &known(&[], 0)), own);
        let before = combined(own, &known(&[("b", heartbeat(2, 3))], 0));
        assert_eq!(before.tally.refusals, 5);
        let same = combined(own, &known(&[("b", heartbeat(2, 3))], 0));
        let refused = combined(own, &known(&[("b", heartbeat(2, 4))], 0));
        let restarted = combined(own, &known(&[("b", heartbeat(3, 3))], 0));
        let more = combined(own, &known(&[("b", heartbeat(2, 3)), ("c", heartbeat(4, 0))], 0));
        let silent = combined(own, &known(&[("b", heartbeat(2, 3))], 1));
        assert_eq!(same, before);
        for other in [restarted, more, silent] {
            assert_ne!(other.run, before.run);
        }
        assert_eq!((refused.run, refused.tally.refusals), (before.run, 6));
    }
}
