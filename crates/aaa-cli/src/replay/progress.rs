//! How far a recovery is, in one line for people.

use std::fmt;

use aaa_replay::{
    ledger::{Attempt, Outcome},
    plan::Plan,
};
use jiff::{SignedDuration, Timestamp};

use super::picture;

/// How many characters a bar has.
const WIDTH: i64 = 20;

/// How far a recovery is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    /// Minutes that are recovered, and those and what is still to be recovered now.
    minutes: (i64, i64),
    /// The same in windows.
    windows: (usize, usize),
    events: u64,
    /// How long the job that runs was asked for ago.
    running: Option<SignedDuration>,
    /// How many windows X does not take yet, and after how long it takes the first.
    waits: Option<(usize, SignedDuration)>,
}

impl Progress {
    /// Counts what is recovered, what runs, and what a plan leaves.
    pub(super) fn new<'a>(
        settled: impl IntoIterator<Item = &'a Attempt>,
        live: Option<&Attempt>,
        plan: &Plan,
        now: Timestamp,
    ) -> Self {
        let (mut done, mut windows, mut events) = (0, 0, 0);
        for attempt in settled {
            events += attempt.found;
            if matches!(attempt.outcome, Outcome::Recovered { .. }) {
                done += attempt.intent.core.minutes();
                windows += 1;
            }
        }
        let left = picture::minutes(&plan.now) + live.map_or(0, |a| a.intent.core.minutes());
        let first = plan.later.iter().map(|later| later.at).min();
        Self {
            minutes: (done, done + left),
            windows: (windows, windows + plan.now.len() + usize::from(live.is_some())),
            events,
            running: live.map(|live| now.duration_since(live.intent.at)),
            waits: first.map(|at| (plan.later.len(), at.duration_since(now))),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((done, all), (windows, of)) = (self.minutes, self.windows);
        let full = (done * WIDTH).checked_div(all).unwrap_or(WIDTH).clamp(0, WIDTH);
        let sign = |sign: &str, times: i64| sign.repeat(usize::try_from(times).unwrap_or(0));
        write!(f, "[{}{}] ", sign("#", full), sign("-", WIDTH - full))?;
        write!(f, "{done} of {all} minutes, {windows} of {of} windows, {} events", self.events)?;
        if let Some(since) = self.running {
            write!(f, "; a job runs for {}", lasting(since))?;
        }
        match self.waits {
            Some((1, left)) => write!(f, "; 1 waits, for {}", lasting(left)),
            Some((number, left)) => write!(f, "; {number} wait, the first for {}", lasting(left)),
            None => Ok(()),
        }
    }
}

/// Writes a time for people, in its two largest units.
pub(super) fn lasting(time: SignedDuration) -> String {
    let units = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let mut left = time.as_secs().max(0);
    let mut parts = Vec::new();
    for (name, length) in units {
        let count = left / length;
        left %= length;
        if count > 0 || (name == "s" && parts.is_empty()) {
            parts.push(format!("{count} {name}"));
        }
        if parts.len() == 2 {
            break;
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use aaa_replay::{
        ledger::{Intent, Purpose},
        plan::{LaterWindow, Window},
    };
    use aaa_types::{JobId, ReplayWindow};

    use super::*;

    const NOW: &str = "2025-11-22T07:00:00Z";

    fn window(from: &str, to: &str) -> Window {
        let core = ReplayWindow::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
        Window { core, request: core }
    }

    fn attempt(core: ReplayWindow, outcome: Outcome) -> Attempt {
        let at = "2025-11-22T06:58:45Z".parse().unwrap();
        let webhook = "12".parse().unwrap();
        let intent = Intent { webhook, core, request: core, at, purpose: Purpose::Gap };
        Attempt { number: 1, intent, outcome, settled_at: at, found: 1200 }
    }

    #[test]
    fn a_line_from_the_beginning_to_the_end() {
        let job: JobId = 5.try_into().unwrap();
        let now = NOW.parse().unwrap();
        let one = window("202511220100", "202511220200").core;
        let two = window("202511220300", "202511220400");
        let at = "2025-11-22T07:03:30Z".parse().unwrap();
        let later = LaterWindow { window: window("202511220640", "202511220650"), at };
        let plan = |now: &[Window], later: &[LaterWindow]| Plan {
            now: now.to_vec(),
            later: later.to_vec(),
            lost: Vec::new(),
        };
        let recovered = attempt(one, Outcome::Recovered { job });
        let failed = attempt(one, Outcome::Failed { job: None, reason: "x".to_owned() });
        let runs = attempt(two.core, Outcome::Running { job });
        let lines = [
            Progress::new([], None, &plan(&[Window { core: one, request: one }, two], &[]), now),
            Progress::new([], Some(&runs), &plan(&[two], &[later, later]), now),
            Progress::new([&failed, &recovered], Some(&runs), &plan(&[], &[later]), now),
            Progress::new([&recovered], None, &plan(&[], &[later]), now),
            Progress::new([], None, &Plan::default(), now),
        ];
        let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        [--------------------] 0 of 120 minutes, 0 of 2 windows, 0 events
        [--------------------] 0 of 120 minutes, 0 of 2 windows, 0 events; a job runs for 1 min 15 s; 2 wait, the first for 3 min 30 s
        [##########----------] 60 of 120 minutes, 1 of 2 windows, 2400 events; a job runs for 1 min 15 s; 1 waits, for 3 min 30 s
        [####################] 60 of 60 minutes, 1 of 1 windows, 1200 events; 1 waits, for 3 min 30 s
        [####################] 0 of 0 minutes, 0 of 0 windows, 0 events
        ");
    }

    #[test]
    fn times_for_people() {
        for (seconds, words) in [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3661, "1 h 1 min"),
            (90_000, "1 d 1 h"),
            (86_401, "1 d 1 s"),
        ] {
            assert_eq!(lasting(SignedDuration::from_secs(seconds)), words);
        }
    }
}
