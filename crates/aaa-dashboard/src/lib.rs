//! Web pages over an X (Twitter) webhook receiver: what arrives and arrived, webhooks and
//! subscriptions, coverage and replays, dead letters.
//!
//! A [`Dashboard`] is an axum router over the traits that a store implements and a client of the
//! API. `aaa dashboard` serves it beside a receiver, `aaa listen --dashboard` within one, and a
//! program of one's own mounts it where it likes:
//!
//! ```
//! use aaa_client::{ApiUrl, ClientBuilder, Transport, TransportError};
//! use aaa_dashboard::Dashboard;
//! use aaa_replay::ledger::Ledger;
//! use aaa_webhook::{consumer::{Cursors, DeadLetters}, inbox::EventLog};
//! # use bytes::Bytes;
//! # use http::{Request, Response};
//! # struct Canned;
//! # impl Transport for Canned {
//! #     async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
//! #         Ok(Response::new(Bytes::new()))
//! #     }
//! # }
//!
//! /// Any store will do, such as the one in SQLite.
//! fn pages(
//!     store: impl EventLog + Cursors + DeadLetters + Ledger,
//! ) -> Result<axum::Router, Box<dyn std::error::Error>> {
//!     let client = ClientBuilder::new(ApiUrl::X.parse()?).build_with(Canned);
//!     let pages = Dashboard::new(store, client)
//!         .at("/dashboard")
//!         .with_host("ops.example.com")
//!         .with_password("correct horse battery".parse()?);
//!     Ok(axum::Router::new().merge(pages.router()?))
//! }
//! ```
//!
//! # Who may use it
//!
//! The pages change things at X and show direct messages, so they are for whoever runs the
//! receiver. Never put them on the listener that X reaches.
//!
//! * Without a password only the machine itself is answered: names and addresses of loopback, and,
//!   where the server [tells the other side's address](axum::extract::ConnectInfo), connections
//!   from loopback. What shows that a proxy has passed it on (`Forwarded`, `X-Forwarded-…`,
//!   `X-Real-IP`, `Via`, HTTP/1.0) is refused then.
//! * With one, everybody who knows it is let in, by a cookie that no script and no other site can
//!   use. Behind TLS it is sent over TLS only. Wrong ones are looked at ten times a minute from one
//!   sender, and five hundred times from all together.
//! * Another name in `Host` than those that were named is refused: a page of somewhere else cannot
//!   have its own name lead here.
//! * A change has to be `application/json`, come from a page of ours (`Origin`), and bring the
//!   token that only those have.
//! * Nothing is shown that was not escaped; the content security policy lets nothing run but the
//!   one script of ours, and nobody frame the pages.
//! * No secret is shown, no token, no signature.
//!
//! # What it costs
//!
//! A look at a page reads a page of events and the ledger; that there are many events more costs
//! some halvings. What X said is shown for half a minute before X is asked again, so that looking
//! uses up no rate limit. What the pages need is compiled in: nothing is loaded from elsewhere.
//!
//! # Reading order
//!
//! `dashboard` makes the router; `guard` is what every request has to pass, with `hosts` and
//! `access`. `pages` are the pages and `actions` the changes, `stream` the events as they arrive.
//! `reading` and `rates` read a log backwards and count in it; `x` keeps what X said.

mod access;
mod actions;
mod answer;
mod assets;
mod clock;
mod dashboard;
mod guard;
mod hosts;
mod pages;
mod rates;
mod reading;
mod shared;
mod sign_ins;
mod store;
mod stream;
mod words;
mod x;

pub use crate::{
    access::{Password, PasswordError},
    dashboard::{ActionFuture, Dashboard, NoRandomness, Record, RecordFuture, Recover, Resend},
};
