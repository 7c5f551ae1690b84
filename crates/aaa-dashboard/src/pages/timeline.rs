//! What is covered, what is missing and what became of it, as a picture, with the events of the
//! time above it.

use aaa_replay::{
    engine::Webhook,
    picture::{Now, Picture, Segment, State},
    plan::Plan,
};
use aaa_webhook::inbox::InboxError;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use crate::{shared::Shared, words};

/// How many stretches the picture tells apart.
const COLUMNS: i64 = 720;

/// How many bars show the events.
const BARS: i64 = 72;

/// How many gaps the list below it has.
const LISTED: usize = 50;

/// The height of the bars, of the lanes, and of what is between them.
const BARS_HEIGHT: u64 = 90;
const LANE: u64 = 22;
const SPACE: u64 = 8;

/// How much time is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) name: &'static str,
    length: SignedDuration,
}

/// What can be chosen.
pub(super) const SPANS: [Span; 4] = [
    Span { name: "1h", length: SignedDuration::from_hours(1) },
    Span { name: "6h", length: SignedDuration::from_hours(6) },
    Span { name: "24h", length: SignedDuration::from_hours(24) },
    Span { name: "5d", length: SignedDuration::from_hours(120) },
];

impl Span {
    /// Finds the one that is asked for; a day is usual, since so far back X replays.
    pub(super) fn named(name: Option<&str>) -> Self {
        let [_, _, day, _] = SPANS;
        SPANS.into_iter().find(|span| Some(span.name) == name).unwrap_or(day)
    }

    /// Returns its beginning: so that bars are whole, and do not move with every look.
    fn bars(self, now: Timestamp) -> Vec<Timestamp> {
        let step = (self.length.as_secs() / BARS).max(1);
        let end = (now.as_second().div_euclid(step) + 1) * step;
        let edges = (0..=BARS).map(|n| Timestamp::from_second(end - (BARS - n) * step));
        edges.filter_map(Result::ok).collect()
    }
}

/// Draws the time up to now. The page's address is `at`.
pub(super) async fn draw(
    shared: &Shared,
    (picture, plan, webhook): (&Picture, &Plan, Webhook),
    span: Span,
    now: Now,
    at: &str,
) -> Result<Markup, InboxError> {
    let edges = span.bars(now.x);
    let (Some(from), Some(to)) = (edges.first().copied(), edges.last().copied()) else {
        return Ok(html! {});
    };
    // Events keep the local time of their arrival.
    let offset = now.x.duration_since(now.wall);
    let local: Vec<_> = edges.iter().filter_map(|edge| edge.checked_sub(offset).ok()).collect();
    let settled = now.wall.saturating_sub(SignedDuration::from_mins(1)).unwrap_or(now.wall);
    let last = shared.last().await?;
    let counts = shared.rates.counts(&*shared.store, &local, last, settled).await?;
    let gaps = picture.gaps(&shared.settings, now);
    let segments = picture.segments(&gaps, plan, webhook.id, now);
    let receiver = lane(&segments, from, to, is_of_receiver);
    let repair = lane(&segments, from, to, is_of_repair);
    let step = to.duration_since(from).as_secs() / BARS;
    let per_minute = |count: u64| rate(count, step);
    let peak = counts.iter().copied().max().unwrap_or(0);
    let height = BARS_HEIGHT + 2 * (SPACE + LANE);
    let words_of = |count: u64| {
        format!(
            "{} in {}, {} per minute",
            words::counted(count, "event", "events"),
            words::lasting(step),
            per_minute(count)
        )
    };
    let total: u64 = counts.iter().sum();
    let summary = format!(
        "The last {}: {}; the receiver was {}.",
        words::lasting(span.length.as_secs()),
        words::counted(total, "event", "events"),
        spoken(&segments, from, now.x),
    );
    Ok(html! {
        figure.timeline {
            div.picked role="group" aria-label="How much time is shown" {
                @for one in SPANS {
                    a href=(format!("{at}?span={}", one.name)) aria-current=[(one == span).then_some("true")] { (one.name) }
                }
            }
            div.scale { span { "peak " (per_minute(peak)) " events per minute" } span { (words::counted(total, "event", "events")) } }
            svg.coverage viewBox=(format!("0 0 {COLUMNS} {height}")) preserveAspectRatio="none" role="img" aria-label=(summary) {
                @for n in 0..=4_i64 {
                    line.grid x1=(n * COLUMNS / 4) x2=(n * COLUMNS / 4) y1="0" y2=(height) {}
                }
                @for (n, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                    @let tall = (count * BARS_HEIGHT).div_ceil(peak.max(1)).max(2);
                    rect.bar x=(n as i64 * COLUMNS / BARS) y=(BARS_HEIGHT.saturating_sub(tall)) width=(COLUMNS / BARS - 2) height=(tall) rx="1" {
                        title { (edges.get(n).map(|edge| edge.strftime("%m-%d %H:%M").to_string()).unwrap_or_default()) ": " (words_of(*count)) }
                    }
                }
                (lane_markup(&receiver, BARS_HEIGHT + SPACE, from, to))
                (lane_markup(&repair, BARS_HEIGHT + 2 * SPACE + LANE, from, to))
            }
            div.axis aria-hidden="true" {
                @for n in 0..=4_i32 {
                    @let time = from.saturating_add(to.duration_since(from) * n / 4).unwrap_or(to);
                    span { (time.strftime(if span.length.as_hours() > 24 { "%m-%d" } else { "%H:%M" })) }
                }
            }
            figcaption {
                ul.legend {
                    li { span.swatch.bar aria-hidden="true" {} "events" }
                    @for (class, name) in legend(&[&receiver, &repair]) {
                        li { span class=(format!("swatch {class}")) aria-hidden="true" {} (name) }
                    }
                }
                p.lanes { "Upper band: the receiver. Lower band: what became of what was missed." }
            }
        }
        (list(&segments, from, now))
    })
}

/// Writes how many that is in a minute.
fn rate(count: u64, seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(1).max(1);
    let tenths = count.saturating_mul(600) / seconds;
    if tenths >= 100 || tenths.is_multiple_of(10) {
        words::count(tenths / 10)
    } else {
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

fn is_of_receiver(state: State) -> bool {
    match state {
        State::Assumed | State::Proved => true,
        // Somebody's wish to see minutes again says nothing of the receiver.
        State::Missed(cause) => cause != aaa_replay::coverage::Cause::Requested,
        _ => false,
    }
}

fn is_of_repair(state: State) -> bool {
    !matches!(state, State::Assumed | State::Proved | State::Missed(_))
}

/// A stretch of columns in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    first: i64,
    end: i64,
    state: State,
}

/// Says for each column what is known of its time, and joins those that are alike.
fn lane(
    segments: &[Segment],
    from: Timestamp,
    to: Timestamp,
    wanted: fn(State) -> bool,
) -> Vec<Run> {
    let length = to.duration_since(from).as_millis().max(1);
    let column = |time: Timestamp| {
        let at = time.duration_since(from).as_millis() * i128::from(COLUMNS);
        at.clamp(0, length * i128::from(COLUMNS))
    };
    let mut columns = vec![None; usize::try_from(COLUMNS).unwrap_or(0)];
    for segment in segments.iter().filter(|s| wanted(s.state) && s.from < to && from < s.to) {
        let first = usize::try_from(column(segment.from) / length).unwrap_or(0);
        // What is shorter than a column is still seen.
        let end =
            usize::try_from((column(segment.to) + length - 1) / length).unwrap_or(0).max(first + 1);
        for known in columns.iter_mut().take(end).skip(first) {
            *known = (*known).max(Some(segment.state));
        }
    }
    let mut runs: Vec<Run> = Vec::new();
    for (at, state) in columns.into_iter().enumerate() {
        let (Some(state), Ok(at)) = (state, i64::try_from(at)) else { continue };
        match runs.last_mut() {
            Some(run) if run.end == at && run.state == state => run.end = at + 1,
            _ => runs.push(Run { first: at, end: at + 1, state }),
        }
    }
    runs
}

fn lane_markup(runs: &[Run], y: u64, from: Timestamp, to: Timestamp) -> Markup {
    let step = to.duration_since(from).as_secs() / COLUMNS;
    let at =
        |column: i64| from.saturating_add(SignedDuration::from_secs(column * step)).unwrap_or(to);
    html! {
        rect.lane x="0" y=(y) width=(COLUMNS) height=(LANE) rx="3" {}
        @for run in runs {
            @let (class, name) = words::state(run.state);
            rect class=(class) x=(run.first) y=(y) width=(run.end - run.first) height=(LANE) {
                title { (name) ": " (at(run.first).strftime("%m-%d %H:%M")) " to " (at(run.end).strftime("%m-%d %H:%M")) }
            }
        }
    }
}

/// Returns the classes and words of what is drawn, each once, the worst last.
fn legend(lanes: &[&Vec<Run>]) -> Vec<(&'static str, &'static str)> {
    let mut states: Vec<_> =
        lanes.iter().flat_map(|lane| lane.iter().map(|run| run.state)).collect();
    states.sort();
    states.dedup();
    states.into_iter().map(words::state).collect()
}

/// Says how much of the time the receiver was up.
fn spoken(segments: &[Segment], from: Timestamp, now: Timestamp) -> String {
    let up = segments.iter().filter(|s| matches!(s.state, State::Assumed | State::Proved));
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs().max(0);
    let Some(began) = up.clone().map(|segment| segment.from.max(from)).min() else {
        return "not there yet".to_owned();
    };
    let covered: i64 = up.map(|s| seconds(s.from.max(from), s.to.min(now))).sum();
    let percent = (covered * 100).checked_div(seconds(began, now)).unwrap_or(100).min(100);
    format!("up for {percent} % of the time since its first start")
}

/// Lists the gaps, the last first, with what became of each.
fn list(segments: &[Segment], from: Timestamp, now: Now) -> Markup {
    let mut gaps: Vec<_> = segments
        .iter()
        .filter(|segment| matches!(segment.state, State::Missed(_)) && segment.to > from)
        .collect();
    gaps.sort_by_key(|gap| std::cmp::Reverse(gap.from));
    let became = |gap: &Segment| {
        let here =
            segments.iter().filter(|s| is_of_repair(s.state) && s.from < gap.to && gap.from < s.to);
        let mut states: Vec<_> = here.map(|segment| segment.state).collect();
        states.sort();
        states.dedup();
        states
    };
    let more = gaps.len().saturating_sub(LISTED);
    html! {
        details.gaps {
            summary { (words::counted(gaps.len() as u64, "gap", "gaps")) " in this time" }
            @if !gaps.is_empty() {
                div.wide {
                    table {
                        thead { tr { th { "From" } th { "To" } th { "Lasted" } th { "Why" } th { "What became of it" } } }
                        tbody {
                            @for gap in gaps.iter().take(LISTED) {
                                @let (class, name) = words::state(gap.state);
                                tr {
                                    td { (words::time(gap.from, now.x)) }
                                    td { (words::time(gap.to, now.x)) }
                                    td { (words::lasting(gap.to.duration_since(gap.from).as_secs())) }
                                    td { span class=(format!("pill {class}")) { (name) } }
                                    td {
                                        @for state in became(gap) {
                                            @let (class, name) = words::state(state);
                                            span class=(format!("pill {class}")) { (name) } " "
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if more > 0 { p.note { (more) " earlier ones are not listed." } }
        }
    }
}

#[cfg(test)]
mod tests {
    use aaa_replay::coverage::Cause;
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn segment(from: i64, to: i64, state: State) -> Segment {
        Segment { from: at(from), to: at(to), state }
    }

    #[test]
    fn the_worst_is_seen() {
        let segments = [
            segment(-50, 3550, State::Proved),
            segment(3550, 3700, State::Missed(Cause::Down)),
            segment(3600, 3660, State::Recovered),
            segment(3660, 9000, State::Proved),
            segment(7000, 7001, State::Missed(Cause::Refused)),
            segment(100, 200, State::Missed(Cause::Requested)),
        ];
        // A column is ten seconds.
        let shown = |wanted| {
            let runs = lane(&segments, at(0), at(7200), wanted);
            let text = runs.iter().map(|r| format!("{}-{} {:?}", r.first, r.end, r.state));
            text.collect::<Vec<_>>().join(", ")
        };
        insta::assert_snapshot!(shown(is_of_receiver), @"0-355 Proved, 355-370 Missed(Down), 370-700 Proved, 700-701 Missed(Refused), 701-720 Proved");
        insta::assert_snapshot!(shown(is_of_repair), @"360-366 Recovered");
        // 110 s are missing in the two hours.
        let spoken = |now| spoken(&segments, at(0), at(now));
        assert_eq!(spoken(7200), "up for 98 % of the time since its first start");
        assert_eq!(super::spoken(&[], at(0), at(1)), "not there yet");
    }

    #[test]
    fn bars_are_whole_and_stay_where_they_are() {
        let day = Span::named(None);
        assert_eq!((day.name, Span::named(Some("5d")).name), ("24h", "5d"));
        let (bars, later) = (day.bars(at(1_763_784_001)), day.bars(at(1_763_784_500)));
        assert_eq!(bars, later);
        assert_eq!(bars.len(), 73);
        assert!(bars.last().unwrap() > &at(1_763_784_500) && bars[71] <= at(1_763_784_001));
    }

    #[test]
    fn rates() {
        assert_eq!(rate(0, 60), "0");
        assert_eq!(rate(3, 120), "1.5");
        assert_eq!(rate(1, 1200), "0");
        assert_eq!(rate(90_000, 60), "90\u{202f}000");
    }

    proptest! {
        #[test]
        fn every_segment_is_seen_and_none_leaves_the_picture(
            parts in prop::collection::vec((0_i64..7200, 0_i64..400), 1..40)
        ) {
            let segments: Vec<_> =
                parts.iter().map(|(from, long)| segment(*from, from + long + 1, State::Lost)).collect();
            let runs = lane(&segments, at(0), at(7200), is_of_repair);
            for run in &runs {
                prop_assert!(0 <= run.first && run.first < run.end && run.end <= COLUMNS);
            }
            for (from, _) in parts {
                prop_assert!(runs.iter().any(|run| (run.first..run.end).contains(&(from / 10))));
            }
        }
    }
}
