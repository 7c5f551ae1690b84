//! Finds the gaps of an X (Twitter) webhook receiver and replays them.
//!
//! [`coverage`] says when the receiver was up, [`plan`](mod@plan) turns the gaps into windows that
//! X takes, [`engine`] decides what to do next, and [`ledger`] is what a store remembers of all
//! that. They are pure: time is an argument. With the feature `driver`, `driver` does what the
//! engine decides, with a real client and a real clock.
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

pub mod coverage;
#[cfg(feature = "driver")]
pub mod driver;
pub mod engine;
pub mod ledger;
pub mod notice;
pub mod plan;
pub mod sweep;
pub mod watch;
