//! Finds the gaps of an X (Twitter) webhook receiver and replays them.
//!
//! [`coverage`] says when the receiver was up, [`plan`](mod@plan) turns the gaps into windows that
//! X takes, [`engine`] decides what to do next, and [`ledger`] is what a store remembers of all
//! that. [`watch`] looks after the webhook and its subscriptions, [`sweep`] looks at covered time
//! once more, [`notice`] is what somebody has to hear of, [`picture`] what somebody can look at.
//! They are pure: time is an argument. With the feature `driver`, `driver` does what they decide,
//! with a real client and a real clock.
//!
//! ```
//! use aaa_replay::{coverage::{Cause, Gap}, plan::{Limits, outstanding, plan}};
//!
//! // The receiver was down for six minutes.
//! let (from, to) = ("2025-11-22T04:13:20Z".parse()?, "2025-11-22T04:19:30Z".parse()?);
//! let gap = Gap::new(from, to, Cause::Down);
//! let missing = outstanding(&[gap], &[]);
//! let plan = plan(&missing, "2025-11-22T05:00:00Z".parse()?, &Limits::v2());
//! assert_eq!(plan.now[0].request.to_string(), "202511220413..202511220421");
//! # Ok::<(), jiff::Error>(())
//! ```
//!
//! # Gaps
//!
//! A receiver writes a heartbeat every few seconds, through the writer that stores deliveries. Two
//! of one run that follow each other cover the time between them; whatever is not covered is a gap:
//!
//! | Cause | Seen as |
//! |---|---|
//! | nobody was running | two runs, and time between them |
//! | stopped, suspended, or the store did not take anything | heartbeats are missing |
//! | verified deliveries were refused | the count of refusals has changed |
//! | X's clock was assumed wrongly | its first reading corrects it |
//! | a wrong secret | signatures were wrong and none was right, until one is |
//! | the webhook was invalid, a user not subscribed any more | the [`watch`] declares it |
//! | somebody knows better | it is [declared](ledger::Ledger::declare) |
//!
//! Forged requests open none, nor does a jump of X's clock, or of the local one by up to three
//! periods. A machine that was paused with its wall clock looks like such a jump. Covered time is
//! *proved* where something arrived and *assumed* where only heartbeats say so
//! ([`coverage::graded`]). What is dropped between X and a healthy receiver leaves no trace in
//! either; only a [`sweep`] finds it.
//!
//! # What X replays, and when
//!
//! ```text
//!      look-back                        31 min   10 min
//!         |                                |        |
//! --------+--------------------------------+--------+-------> now
//!   lost  |   from_date may be here  ------|        |
//!         |   to_date may be here    ---------------|   later
//!
//!               an outage:   |=== S ... E ===|
//!               its core:   [|               |]          whole minutes, a margin on both sides
//!               the request:[                 +1)        and one minute more at its end
//! ```
//!
//! * `from_date` is at most the look-back ago (24 hours; five days on v1.1) and at least 31
//!   minutes, `to_date` at least ten. So what is missing can be had 11 minutes after the end of its
//!   core. Until its beginning is 31 minutes old, the request begins earlier than the core, and
//!   brings copies, which cost nothing.
//! * A job spans two hours at most, so a long outage is several cores that touch. What expires first
//!   is asked for first.
//! * X's own look-back may be shorter than documented: windows that it refuses near the edge
//!   [shorten ours](plan::Limits::doubt_look_back), by two hours at most, and the rest of them can be
//!   had.
//! * Windows that X does not take yet come *later*, at a time that is known. What is older than the
//!   look-back is *lost*, and so is a minute whose jobs all end incomplete; but what only wrong
//!   signatures speak for is then perhaps lost, since anybody can send those.
//! * X replays only what it attempted to deliver. While a webhook is invalid, or a user not
//!   subscribed, it may not have attempted anything: such a time is replayed all the same, and
//!   named as perhaps lost.
//!
//! All of these numbers are [settings](plan::Limits).
//!
//! # When a window is recovered
//!
//! ```text
//! plan --> intent in the ledger --> call --> job runs --> its end arrives as a delivery --> ledger
//!   ^                                |          |              |
//!   |      conflict, rate limit: wait|   silence: ask again    |
//!   +----------<---------------------+----------<--------------+
//!                                            incomplete: some tries, then in halves
//!                                            complete, but something was refused: again
//! ```
//!
//! X does not retry what it replays. So a job that ended `Complete` counts only if one run of the
//! receiver refused nothing from the call to that moment. Asking twice is safe, since events are
//! stored once; what is not safe is to believe too much.

pub mod coverage;
#[cfg(feature = "driver")]
pub mod driver;
pub mod engine;
pub mod ledger;
pub mod notice;
pub mod picture;
pub mod plan;
pub mod sweep;
pub mod watch;

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
