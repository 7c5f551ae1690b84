//! The compiled binary, as a script would use it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[cfg(unix)]
mod apps;
mod auth;
#[cfg(unix)]
mod beside;
#[cfg(unix)]
mod between;
mod browser;
#[cfg(feature = "jetstream")]
mod cluster;
#[cfg(unix)]
mod crash;
#[cfg(unix)]
mod dashboard;
#[cfg(unix)]
mod demo;
#[cfg(unix)]
mod doctor;
#[cfg(unix)]
mod documents;
mod emulate;
#[cfg(unix)]
mod emulate_state;
#[cfg(unix)]
mod errors;
#[cfg(unix)]
mod forward;
#[cfg(unix)]
mod keeping;
mod lab;
mod manual;
#[cfg(unix)]
mod receive;
#[cfg(unix)]
mod recovery;
#[cfg(unix)]
mod reference;
#[cfg(unix)]
mod register;
#[cfg(unix)]
mod replay;
#[cfg(unix)]
mod scene;
mod soak;
mod sources;
mod store;
mod subscriptions;
mod support;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod tls;
#[cfg(unix)]
mod trigger;
#[cfg(unix)]
mod unfit;
mod unfollowed;
mod usage;
mod vanished;
mod verify;
#[cfg(all(unix, feature = "tui"))]
mod view;
#[cfg(unix)]
mod watch;
mod webhooks;
