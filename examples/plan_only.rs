//! Finds out when a receiver was deaf and what can be done about it, with nothing but functions:
//! no network, no store, no clock. Whatever keeps heartbeats elsewhere can be planned so.
//!
//! ```sh
//! cargo run --example plan_only -p examples
//! ```

#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::error::Error;

use aaa_replay::{
    coverage::{Heartbeat, RunId, Span, Tally, gaps},
    plan::{Limits, outstanding, plan},
};
use aaa_types::ReplayWindow;
use jiff::{SignedDuration, Timestamp};

fn main() -> Result<(), Box<dyn Error>> {
    // Three runs of a receiver: two outages, of six hours and of twenty minutes.
    let spans = [
        span(1, "2025-11-20T20:00:00Z", "2025-11-21T02:00:00Z")?,
        span(2, "2025-11-21T08:00:00Z", "2025-11-22T04:13:20Z")?,
        span(3, "2025-11-22T04:33:20Z", "2025-11-22T04:40:00Z")?,
    ];
    let gaps = gaps(&spans, SignedDuration::from_mins(1));

    // What was recovered before is not asked for again.
    let recovered = [ReplayWindow::new("202511210600".parse()?, "202511210801".parse()?)?];
    let missing = outstanding(&gaps, &recovered);

    let plan = plan(&missing, "2025-11-22T04:40:00Z".parse()?, &Limits::v2());
    for window in &plan.now {
        println!("now: {}", window.request);
    }
    for later in &plan.later {
        println!("later: {} at {}", later.window.request, later.at);
    }
    for lost in &plan.lost {
        println!("lost: {} to {}, {}", lost.from, lost.to, lost.reason);
    }
    Ok(())
}

/// A run from its first heartbeat to its last; a receiver writes one every few seconds.
fn span(run: u64, first: &str, last: &str) -> Result<Span, Box<dyn Error>> {
    let (first, last): (Timestamp, Timestamp) = (first.parse()?, last.parse()?);
    let heartbeat = |wall: Timestamp| Heartbeat {
        run: RunId(run),
        wall,
        uptime: wall.duration_since(first),
        offset: SignedDuration::ZERO,
        offset_read: true,
        tally: Tally::default(),
    };
    Ok(Span { last: heartbeat(last), ..Span::new(heartbeat(first)) })
}
