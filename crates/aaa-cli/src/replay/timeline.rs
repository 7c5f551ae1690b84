//! A line that shows what is covered, what is missing and what became of it.

use aaa_replay::{ledger::Outcome, plan::Plan};
use aaa_types::WebhookId;
use jiff::{SignedDuration, Timestamp};

use super::picture::{Now, Picture};

/// How many characters it has.
const WIDTH: i32 = 72;

/// What a character stands for. A later one hides those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Nothing,
    Covered,
    Recovered,
    Later,
    Now,
    Running,
    MaybeLost,
    Lost,
}

impl Mark {
    const ALL: [Self; 8] = [
        Self::Nothing,
        Self::Covered,
        Self::Recovered,
        Self::Running,
        Self::Now,
        Self::Later,
        Self::MaybeLost,
        Self::Lost,
    ];

    fn sign(self) -> char {
        match self {
            Self::Nothing => ' ',
            Self::Covered => '=',
            Self::Recovered => '+',
            Self::Running => '>',
            Self::Now => 'o',
            Self::Later => '~',
            Self::MaybeLost => '?',
            Self::Lost => 'x',
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "before the first start",
            Self::Covered => "covered",
            Self::Recovered => "recovered",
            Self::Running => "being replayed",
            Self::Now => "missing, can be replayed now",
            Self::Later => "missing, X replays it later",
            Self::MaybeLost => "perhaps lost",
            Self::Lost => "lost",
        }
    }
}

/// Draws the time that matters: since coverage began, or since a little before X's look-back.
/// Three lines: from and to, the picture, what its characters mean.
pub(super) fn draw(
    picture: &Picture,
    plan: &Plan,
    webhook: WebhookId,
    look_back: SignedDuration,
    now: Now,
) -> Vec<String> {
    let segments = segments(picture, plan, webhook, now);
    let earliest = segments.iter().map(|(from, ..)| *from).min();
    let back = now.x.saturating_sub(look_back + look_back / 12).unwrap_or(Timestamp::MIN);
    let Some(start) = earliest.map(|earliest| earliest.max(back)) else { return Vec::new() };
    let length = now.x.duration_since(start).max(SignedDuration::from_mins(1));
    let at = |n: i32| start.saturating_add(length * n / WIDTH).unwrap_or(now.x);
    let marks: Vec<_> = (0..WIDTH)
        .map(|n| {
            let (from, to) = (at(n), at(n + 1));
            let here = segments.iter().filter(|(begin, end, _)| *begin < to && from < *end);
            here.map(|(.., mark)| *mark).max().unwrap_or(Mark::Nothing)
        })
        .collect();
    let (left, right) = (format!("{start:.0}"), format!("{:.0}", now.x));
    let width = usize::try_from(WIDTH).unwrap_or(0).saturating_sub(left.len());
    let legend =
        Mark::ALL.into_iter().filter(|mark| *mark != Mark::Nothing && marks.contains(mark));
    let legend: Vec<_> = legend.map(|mark| format!("{} {}", mark.sign(), mark.words())).collect();
    vec![
        format!("{left}{right:>width$}"),
        marks.into_iter().map(Mark::sign).collect(),
        legend.join("   "),
    ]
}

fn segments(
    picture: &Picture,
    plan: &Plan,
    webhook: WebhookId,
    now: Now,
) -> Vec<(Timestamp, Timestamp, Mark)> {
    let mut segments = Vec::new();
    for span in &picture.spans {
        let (from, to) = (span.first.x_time(), span.last.x_time());
        segments.push((from.min(to), to, Mark::Covered));
    }
    for attempt in picture.attempts.iter().filter(|attempt| attempt.intent.webhook == webhook) {
        if matches!(attempt.outcome, Outcome::Recovered { .. }) {
            let core = attempt.intent.core;
            segments.push((core.from_date().start(), core.to_date().start(), Mark::Recovered));
        }
    }
    if let Some(live) = picture.live(webhook, now) {
        let core = live.intent.core;
        segments.push((core.from_date().start(), core.to_date().start(), Mark::Running));
    }
    for window in &plan.now {
        let (from, to) = (window.core.from_date().start(), window.core.to_date().start());
        segments.push((from, to, Mark::Now));
    }
    for later in &plan.later {
        let core = later.window.core;
        segments.push((core.from_date().start(), core.to_date().start(), Mark::Later));
    }
    for lost in &plan.lost {
        let mark = if lost.reason.is_certain() { Mark::Lost } else { Mark::MaybeLost };
        segments.push((lost.from, lost.to, mark));
    }
    segments
}
