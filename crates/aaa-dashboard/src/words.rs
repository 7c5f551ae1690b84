//! Times, counts and causes, for people.

use aaa_replay::{coverage::Cause, ledger::Outcome, picture::State};
use jiff::Timestamp;
use maud::{Markup, html};

/// Writes a moment: a date and a time in UTC, with how long ago it was on hovering.
pub(crate) fn time(time: Timestamp, now: Timestamp) -> Markup {
    html! {
        time datetime=(format!("{time:.3}")) title=(format!("{time:.3}, {}", ago(time, now))) {
            (time.strftime("%Y-%m-%d %H:%M:%S"))
        }
    }
}

/// Writes the same in few characters: only the time when it was today.
pub(crate) fn short(time: Timestamp, now: Timestamp) -> Markup {
    let today = time.strftime("%Y-%m-%d").to_string() == now.strftime("%Y-%m-%d").to_string();
    let form = if today { "%H:%M:%S" } else { "%m-%d %H:%M" };
    html! {
        time datetime=(format!("{time:.3}")) title=(format!("{time:.3}, {}", ago(time, now))) {
            (time.strftime(form))
        }
    }
}

/// Says how long ago something was, or in how long it will be.
pub(crate) fn ago(time: Timestamp, now: Timestamp) -> String {
    match now.duration_since(time).as_secs() {
        0..=1 => "just now".to_owned(),
        seconds @ 2.. => format!("{} ago", lasting(seconds)),
        seconds => format!("in {}", lasting(-seconds)),
    }
}

/// Writes a length of time in its two largest units.
pub(crate) fn lasting(seconds: i64) -> String {
    let units = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let mut left = seconds.max(0);
    let mut parts = Vec::new();
    for (name, length) in units {
        let count = left / length;
        left %= length;
        if count > 0 || (name == "s" && parts.is_empty()) {
            parts.push(format!("{count} {name}"));
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    parts.join(" ")
}

/// Writes a count with its digits in groups.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Writes a count of things.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Writes a number of bytes.
pub(crate) fn bytes(number: u64) -> String {
    let mut left = number;
    for unit in ["B", "kB", "MB", "GB"] {
        if left < 10_000 {
            return format!("{} {unit}", count(left));
        }
        left /= 1000;
    }
    format!("{} TB", count(left))
}

/// Returns the class that a state is drawn with, and its words.
pub(crate) fn state(state: State) -> (&'static str, &'static str) {
    match state {
        State::Assumed => ("assumed", "up, nothing came"),
        State::Proved => ("proved", "up"),
        State::Missed(cause) => missed(cause),
        State::Recovered => ("recovered", "recovered"),
        State::Later => ("later", "X replays it later"),
        State::Now => ("now", "can be replayed now"),
        State::Running => ("running", "being replayed"),
        State::MaybeLost => ("maybe-lost", "perhaps lost"),
        State::Lost => ("lost", "lost"),
        _ => ("other", "unknown"),
    }
}

fn missed(cause: Cause) -> (&'static str, &'static str) {
    match cause {
        Cause::Down => ("down", "down"),
        Cause::Silent => ("silent", "stalled, or could not store"),
        Cause::Refused => ("refused", "refused deliveries"),
        Cause::Clock => ("clock", "X's clock was assumed wrongly"),
        Cause::Signatures => ("signatures", "only wrong signatures"),
        Cause::Invalid => ("invalid", "webhook invalid"),
        Cause::Unsubscribed => ("unsubscribed", "a user was not subscribed"),
        Cause::Declared => ("declared", "said to be an outage"),
        Cause::Requested => ("requested", "asked for"),
        Cause::Sweep => ("sweep", "swept"),
        _ => ("other", "missing"),
    }
}

/// Returns the class of an outcome, and its words.
pub(crate) fn outcome(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Intended => ("running", "being asked for".to_owned()),
        Outcome::Running { .. } => ("running", "running".to_owned()),
        Outcome::Recovered { .. } => ("recovered", "recovered".to_owned()),
        Outcome::Incomplete { reason, .. } => ("refused", format!("incomplete: {reason}")),
        Outcome::Failed { reason, .. } => ("refused", format!("failed: {reason}")),
        _ => ("other", "unknown".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        for (seconds, words) in [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3661, "1 h 1 min"),
            (86_401, "1 d"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(lasting(seconds), words);
        }
    }

    #[test]
    fn moments() {
        let now: Timestamp = "2025-11-22T12:00:00Z".parse().unwrap();
        let at = |seconds| now - jiff::SignedDuration::from_secs(seconds);
        assert_eq!(ago(at(0), now), "just now");
        assert_eq!(ago(at(61), now), "1 min 1 s ago");
        assert_eq!(ago(at(-60), now), "in 1 min");
        assert!(short(at(60), now).into_string().contains(">11:59:00<"));
        assert!(short(at(86_400), now).into_string().contains(">11-21 12:00<"));
        insta::assert_snapshot!(time(at(1), now).into_string(), @r#"<time datetime="2025-11-22T11:59:59.000Z" title="2025-11-22T11:59:59.000Z, just now">2025-11-22 11:59:59</time>"#);
    }

    #[test]
    fn counts() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1234), "1\u{202f}234");
        assert_eq!(count(123_456_789), "123\u{202f}456\u{202f}789");
        assert_eq!(counted(1, "event", "events"), "1 event");
        assert_eq!(counted(0, "event", "events"), "0 events");
        assert_eq!(bytes(9_999), "9\u{202f}999 B");
        assert_eq!(bytes(12_345_678_901), "12 GB");
        assert_eq!(bytes(u64::MAX), "18\u{202f}446\u{202f}744 TB");
    }
}
