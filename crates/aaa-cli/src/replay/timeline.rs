//! A line that shows what is covered, what is missing and what became of it.

use aaa_replay::{picture::State, plan::Plan};
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

    fn of(state: State) -> Self {
        match state {
            State::Assumed | State::Proved => Self::Covered,
            State::Recovered => Self::Recovered,
            State::Later => Self::Later,
            State::Now => Self::Now,
            State::Running => Self::Running,
            State::MaybeLost => Self::MaybeLost,
            State::Lost => Self::Lost,
            // What became of it is said besides.
            _ => Self::Nothing,
        }
    }

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
    let segments = picture.segments(&[], plan, webhook, now).into_iter();
    let segments = segments.map(|segment| (segment.from, segment.to, Mark::of(segment.state)));
    let segments: Vec<_> = segments.filter(|(.., mark)| *mark != Mark::Nothing).collect();
    let began = picture.spans.first().map(|span| span.first.x_time());
    let earliest = segments.iter().map(|(from, ..)| *from).chain(began).min();
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

#[cfg(test)]
mod tests {
    use aaa_replay::{
        coverage::{Heartbeat, RunId, Span, Tally},
        engine::{Settings, Webhook},
    };

    use super::*;

    #[test]
    fn a_line() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let beat = |run, at: &str| Heartbeat {
            run: RunId(run),
            wall: time(at),
            uptime: SignedDuration::from_secs(5),
            offset: SignedDuration::ZERO,
            offset_read: true,
            tally: Tally::default(),
        };
        let span = |run, from: &str, to: &str| {
            let mut span = Span::new(beat(run, from));
            span.last = beat(run, to);
            span
        };
        let picture = Picture {
            spans: vec![
                span(1, "2025-11-21T02:00:00Z", "2025-11-21T05:00:00Z"),
                span(2, "2025-11-21T09:00:00Z", "2025-11-21T20:00:00Z"),
                span(3, "2025-11-21T22:00:00Z", "2025-11-22T06:50:00Z"),
                span(4, "2025-11-22T06:55:00Z", "2025-11-22T07:00:00Z"),
            ],
            in_use: true,
            ..Picture::default()
        };
        let webhook = Webhook { id: "12".parse().unwrap(), created_at: None };
        let (x, settings) = (time("2025-11-22T07:00:05Z"), Settings::v2());
        let now = Now { x, wall: x };
        let plan = picture.plan(webhook, settings, now);
        let lines = draw(&picture, &plan, webhook.id, settings.limits.look_back, now);
        assert!(lines.iter().take(2).all(|line| line.chars().count() == 72));
        insta::assert_snapshot!(lines.join("\n"), @"
        2025-11-21T05:00:05Z                                2025-11-22T07:00:05Z
        xxxxxxoooooo=============================ooooooo=======================~
        = covered   o missing, can be replayed now   ~ missing, X replays it later   x lost
        ");
    }
}
