//! Tells when X's clock and that of this machine are far apart.

use std::{pin::pin, time::Duration};

use aaa_replay::driver::XClock;
use jiff::SignedDuration;
use tokio::time::sleep;

use crate::output;

/// X refuses signatures that are further away.
const FAR: SignedDuration = SignedDuration::from_mins(5);

/// From one look to the next.
const PERIOD: Duration = Duration::from_secs(5);

/// Looks until the run has ended, and tells of each change.
pub(super) async fn watch(clock: XClock, api_is_loopback: bool, ended: impl Future<Output = ()>) {
    let mut ended = pin!(ended);
    let mut is_far = false;
    loop {
        let read = clock.age().is_some();
        let far = far(clock.offset(), api_is_loopback).filter(|_| read);
        match (is_far, &far) {
            (false, Some(far)) => output::note(format_args!("warning: {far}")),
            (true, None) => output::note("the clocks of this machine and of X agree again"),
            _ => {}
        }
        is_far = far.is_some();
        tokio::select! {
            () = &mut ended => return,
            () = sleep(PERIOD) => {}
        }
    }
}

/// Says how far X's clock is from this machine's, where that is too far. An emulator's may be set
/// forward.
fn far(offset: SignedDuration, api_is_loopback: bool) -> Option<String> {
    let way = match offset {
        off if off.abs() <= FAR => return None,
        off if off.is_negative() => "ahead of",
        _ if api_is_loopback => return None,
        _ => "behind",
    };
    let off = SignedDuration::from_secs(offset.abs().as_secs());
    Some(format!("the clock of this machine is {off:#} {way} X's: set it, and keep it right (NTP)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_is_too_far() {
        let minute = SignedDuration::from_mins(1);
        for (offset, is_loopback, is_far) in [
            (minute * 5, false, false),
            (minute * -5, false, false),
            (minute * 6, false, true),
            (minute * 6, true, false),
            (minute * -6, false, true),
            (minute * -6, true, true),
        ] {
            assert_eq!(far(offset, is_loopback).is_some(), is_far, "{offset:#}");
        }
        let days = SignedDuration::from_hours(24 * 9);
        insta::assert_snapshot!(far(-days, true).unwrap(), @"the clock of this machine is 216h ahead of X's: set it, and keep it right (NTP)");
        insta::assert_snapshot!(far(days, false).unwrap(), @"the clock of this machine is 216h behind X's: set it, and keep it right (NTP)");
    }
}
