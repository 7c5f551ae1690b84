//! Drives receiver, store, replay engine and emulator through random histories on a fake clock, in
//! one thread, without a socket.
//!
//! # The model
//!
//! A seed is drawn into a scenario: when X's users do something, what goes wrong and when, and how
//! X behaves where its documents leave a choice. Then it happens, event by event, from one to the
//! next, so that three days take milliseconds:
//!
//! * X is the emulator's `World`. What it posts is verified, keyed and committed by the receiver's
//!   core; its challenges are answered by that, too.
//! * The driver's part is played here, since the real one needs a runtime and real clocks: intent
//!   into the ledger, call, outcome into the ledger, the lease, and what is old removed. Its
//!   decisions are the engine's, its calls a real client's: what X hears and answers is HTTP,
//!   written and read by the code that people run.
//! * A process is what a crash takes away: its engines, its watchers, its clock's offset, its calls.
//!   What it wrote stays, in memory, or in an SQLite file of which a crash leaves an image.
//! * In one of four histories several webhooks lead to the receiver; their engines share X's rate.
//! * A command may come beside the process. It hands over what it wants, or takes the lease when
//!   that is free, and then has engines and calls of its own; it may die with the lease.
//! * There are three clocks: the true time, X's, and the local wall clock. The process knows the
//!   last two, as real ones do: from a `Date` in whole seconds, now and then. Heartbeats and
//!   readings happen at each of their times, but cost no event, since nothing else happens between.
//!
//! # The truth
//!
//! The emulator's ledger says of each event when it was attempted and acknowledged. Apart from it,
//! and from all that the engine says, is noted when deliveries could not be taken, when an engine
//! could have asked, and what held it up. [`Invariant`] lists what is judged by that, at the end or
//! as it happens; a [`Kind`] of fault that never fires fails a run, and so does a broken engine
//! ([`Flaw`]) that is not caught.
//!
//! # What is not covered
//!
//! Sockets, TLS, the limits of the HTTP receiver and its counting, the real driver's loop: tests of
//! their own crates and `xtask/crash` have these. A crash of a store in memory loses nothing that
//! was committed; that a commit survives is shown by `xtask/crash` with real kills. Webhooks are
//! never deleted and registered anew. The watchers' questions are answered at once, without HTTP.
//!
//! A time in which X attempted nothing is named as a whole, also when it began, ended, or both while
//! nobody could ask X. Two are excused. One that is no longer than three looks may lie between
//! two of them; events that are missing for it are counted. And one that ended while the store took
//! nothing, in a process that was killed before the store worked again, has left no trace: X says
//! that all is well, and the process may as well have been gone all the time.

mod campaign;
mod clock;
mod disk;
mod fault;
mod fired;
mod invariant;
mod oracle;
mod refusals;
mod report;
mod scenario;
mod sim;
mod truth;
mod wire;

pub use aaa_replay::engine::Flaw;

pub use crate::{
    campaign::{Caught, Options, Told, control, run, tell},
    disk::Failure,
    fault::{Count, Kind, Tally},
    invariant::{Invariant, Violation},
    report::{Broken, Report},
};
