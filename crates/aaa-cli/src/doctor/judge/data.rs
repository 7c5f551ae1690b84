//! Clocks, the data directory and its disk.

use std::time::Duration;

use jiff::{SignedDuration, fmt::rfc2822};

use super::super::{
    disk::{Disk, State},
    probe::Answer,
    report::{Check, Finding},
};

/// Clocks are told to the second, and an answer takes its time.
const CLOSE: SignedDuration = SignedDuration::from_secs(30);

/// X refuses signatures that are further away.
const FAR: SignedDuration = SignedDuration::from_mins(5);

/// A delivery waits for one commit, and should be answered within a fraction of the 3 s of v1.1.
const SLOW_COMMIT: Duration = Duration::from_millis(100);
const TOO_SLOW_COMMIT: Duration = Duration::from_secs(1);

/// A receiver that runs full refuses everything.
const LITTLE: u64 = 1024 * 1024 * 1024;
const TOO_LITTLE: u64 = 64 * 1024 * 1024;

/// Judges X's clock against the local one.
pub(in super::super) fn clock(
    offset: Option<SignedDuration>,
    api_is_loopback: bool,
) -> Option<Finding> {
    let offset = offset?;
    let found = distance("X's clock", offset);
    Some(match offset.abs() {
        off if off <= CLOSE => Finding::ok(Check::XClock, found),
        _ if api_is_loopback => Finding::warning(
            Check::XClock,
            found,
            "an emulator's clock may be set forward; otherwise set this machine's clock (NTP)",
        ),
        off if off <= FAR => Finding::warning(Check::XClock, found, SET),
        _ => Finding::wrong(Check::XClock, found, SET),
    })
}

const SET: &str = "set the clock of this machine and keep it right (NTP)";

/// Judges the receiver's clock against the local one, by the `Date` of its answer.
pub(in super::super) fn receiver_clock(answer: &Answer) -> Option<Finding> {
    let date = answer.header(http::header::DATE)?;
    let date = rfc2822::parse(date).ok()?.timestamp();
    Some(judge_receiver_clock(date.duration_since(answer.at)))
}

fn judge_receiver_clock(offset: SignedDuration) -> Finding {
    let found = distance("its clock", offset);
    if offset.abs() <= CLOSE {
        return Finding::ok(Check::ReceiverClock, found);
    }
    Finding::warning(
        Check::ReceiverClock,
        found,
        "set the clocks of both machines (NTP); a cached answer has an old `Date` too",
    )
}

fn distance(whose: &str, offset: SignedDuration) -> String {
    let seconds = offset.as_secs();
    match seconds {
        -1..=1 => format!("{whose} and this machine's agree"),
        2.. => format!("{whose} is {seconds} s ahead of this machine's"),
        _ => format!("{whose} is {} s behind this machine's", seconds.unsigned_abs()),
    }
}

/// Judges the data directory and the disk below it.
pub(in super::super) fn disk(disk: &Disk) -> Vec<Finding> {
    let name = disk.directory.display();
    let directory = match &disk.state {
        State::Private => Finding::ok(Check::Directory, format!("`{name}`, for its owner only")),
        State::Absent => Finding::ok(Check::Directory, format!("`{name}` is made at the start")),
        State::Exposed(mode) => Finding::wrong(
            Check::Directory,
            format!("`{name}` is open to other users (mode {mode:03o}): no receiver starts there"),
            format!("`chmod 700 {name}`, after a look at what is in it"),
        ),
        State::Unusable(why) => Finding::wrong(
            Check::Directory,
            format!("`{name}` cannot be used: {why}"),
            "name another one with --data-dir, or mend this one",
        ),
    };
    let commits = match &disk.commits {
        Ok(commits) => judge_commits(commits),
        Err(why) if matches!(disk.state, State::Unusable(_)) => {
            tracing::debug!(why, "nothing to measure");
            None
        }
        Err(why) => Some(Finding::wrong(
            Check::Disk,
            format!("nothing can be written there: {why}"),
            "give this user the right to write there, or name another directory with --data-dir",
        )),
    };
    [Some(directory), commits, disk.free.and_then(judge_free)].into_iter().flatten().collect()
}

fn judge_commits(commits: &[Duration]) -> Option<Finding> {
    let median = *commits.get(commits.len() / 2)?;
    let longest = *commits.last()?;
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let found =
        format!("a commit takes {:.1} ms, at the longest {:.0} ms", ms(median), ms(longest));
    let fix = "move the data directory to a local disk that is not busy: each delivery is answered \
               after a commit, and v1.1 waits 3 s in all";
    Some(if median >= TOO_SLOW_COMMIT {
        Finding::wrong(Check::Disk, found, fix)
    } else if median >= SLOW_COMMIT || longest >= TOO_SLOW_COMMIT {
        Finding::warning(Check::Disk, found, fix)
    } else {
        Finding::ok(Check::Disk, found)
    })
}

fn judge_free(free: u64) -> Option<Finding> {
    let found = format!("{} MiB are free", free / (1024 * 1024));
    let fix = "make room: a receiver that cannot write refuses every delivery";
    match free {
        LITTLE.. => None,
        TOO_LITTLE.. => Some(Finding::warning(Check::Disk, found, fix)),
        _ => Some(Finding::wrong(Check::Disk, found, fix)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn told(findings: impl IntoIterator<Item = Finding>) -> String {
        findings.into_iter().map(|finding| finding.line()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn clocks() {
        let seconds = SignedDuration::from_secs;
        let mut judged: Vec<_> =
            [0, -1, 30, -31, 300, 301].map(|s| clock(Some(seconds(s)), false)).into();
        judged.push(clock(Some(seconds(-4000)), true));
        assert_eq!(clock(None, false), None);
        let judged = judged.into_iter().flatten();
        let judged = judged.chain([-30, 31].map(|s| judge_receiver_clock(seconds(s))));
        insta::assert_snapshot!(told(judged), @"
        ok X's clock: X's clock and this machine's agree
        ok X's clock: X's clock and this machine's agree
        ok X's clock: X's clock is 30 s ahead of this machine's
        warning X's clock: X's clock is 31 s behind this machine's | set the clock of this machine and keep it right (NTP)
        warning X's clock: X's clock is 300 s ahead of this machine's | set the clock of this machine and keep it right (NTP)
        wrong X's clock: X's clock is 301 s ahead of this machine's | set the clock of this machine and keep it right (NTP)
        warning X's clock: X's clock is 4000 s behind this machine's | an emulator's clock may be set forward; otherwise set this machine's clock (NTP)
        ok receiver's clock: its clock is 30 s behind this machine's
        warning receiver's clock: its clock is 31 s ahead of this machine's | set the clocks of both machines (NTP); a cached answer has an old `Date` too
        ");
    }

    #[test]
    fn directories_and_disks() {
        let state = |state, commits: Result<&[u64], &str>, free| {
            let commits = commits.map_err(str::to_owned);
            let commits = commits.map(|ms| ms.iter().copied().map(Duration::from_millis).collect());
            disk(&Disk { directory: "aaa-data".into(), state, commits, free })
        };
        let judged = [
            state(State::Private, Ok(&[1, 2, 3]), Some(LITTLE)),
            state(State::Absent, Ok(&[1, 100, 101]), Some(LITTLE - 1)),
            state(State::Exposed(0o755), Ok(&[1, 2, 1000]), Some(TOO_LITTLE - 1)),
            state(State::Private, Ok(&[1, 1000, 2000]), None),
            state(State::Private, Err("read-only"), None),
            state(State::Unusable("it is not a directory".to_owned()), Err("no"), None),
        ];
        insta::assert_snapshot!(told(judged.into_iter().flatten()), @"
        ok data directory: `aaa-data`, for its owner only
        ok disk: a commit takes 2.0 ms, at the longest 3 ms
        ok data directory: `aaa-data` is made at the start
        warning disk: a commit takes 100.0 ms, at the longest 101 ms | move the data directory to a local disk that is not busy: each delivery is answered after a commit, and v1.1 waits 3 s in all
        warning disk: 1023 MiB are free | make room: a receiver that cannot write refuses every delivery
        wrong data directory: `aaa-data` is open to other users (mode 755): no receiver starts there | `chmod 700 aaa-data`, after a look at what is in it
        warning disk: a commit takes 2.0 ms, at the longest 1000 ms | move the data directory to a local disk that is not busy: each delivery is answered after a commit, and v1.1 waits 3 s in all
        wrong disk: 63 MiB are free | make room: a receiver that cannot write refuses every delivery
        ok data directory: `aaa-data`, for its owner only
        wrong disk: a commit takes 1000.0 ms, at the longest 2000 ms | move the data directory to a local disk that is not busy: each delivery is answered after a commit, and v1.1 waits 3 s in all
        ok data directory: `aaa-data`, for its owner only
        wrong disk: nothing can be written there: read-only | give this user the right to write there, or name another directory with --data-dir
        wrong data directory: `aaa-data` cannot be used: it is not a directory | name another one with --data-dir, or mend this one
        ");
    }

    #[test]
    fn the_date_of_an_answer() {
        let at: Timestamp = "2025-11-22T04:13:00Z".parse().unwrap();
        let answer = |date: &'static str| Answer {
            status: http::StatusCode::OK,
            headers: [(http::header::DATE, http::HeaderValue::from_static(date))]
                .into_iter()
                .collect(),
            body: Default::default(),
            took: Duration::ZERO,
            at,
        };
        let judged = receiver_clock(&answer("Sat, 22 Nov 2025 04:15:00 GMT")).unwrap();
        assert!(judged.line().contains("120 s ahead"), "{}", judged.line());
        assert_eq!(receiver_clock(&answer("soon")), None);
    }
}
