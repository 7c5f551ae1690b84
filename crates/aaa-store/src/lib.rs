//! Stores for an X (Twitter) webhook receiver: an inbox in which an accepted delivery is durable,
//! a log of its events, and the ledger of replays.
//!
//! [`SqliteStore`] keeps everything in one SQLite file that any SQLite tool can open.
//! [`MemoryStore`] forgets everything with the process and is there for tests and for trying out.
//!
//! ```
//! use aaa_store::{Settings, SqliteStore};
//! use aaa_webhook::{app::App, delivery::Received, signature::{self, Signature}};
//! use aaa_webhook::inbox::{EventLog, EventQuery};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path().join("aaa-data");
//! let store = SqliteStore::open(&directory, Settings::default())?;
//!
//! let app = App::new("main", "consumer-secret".parse()?);
//! let body = br#"{"for_user_id":"7","favorite_events":[{"id":"a"}]}"#;
//! let mut headers = http::HeaderMap::new();
//! headers.insert(signature::HEADER, Signature::of(app.active(), body).to_string().parse()?);
//! let now = "2025-11-22T04:13:00Z".parse()?;
//! let delivery = Received::new(body.as_slice().into(), now).verify(&headers, &[app])?;
//!
//! // Only what is durable can be acknowledged.
//! let durable = delivery.commit(&store).await?;
//! assert_eq!(durable.acknowledge().status(), 200);
//!
//! let events = store.events(EventQuery::after(0, 100)).await?;
//! assert_eq!(events[0].key, "7/favorite_events:a");
//! store.close().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Consumers
//!
//! With the feature `consumer` of `aaa-webhook`, handlers get every event at least once, in order
//! for each user, and go on where they were after a restart:
//!
//! ```
//! use aaa_store::MemoryStore;
//! use aaa_webhook::{consumer::{Consumer, Failed}, inbox::StoredEvent};
//! use std::sync::Arc;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let store = Arc::new(MemoryStore::default());
//! let welcome = async |event: StoredEvent| -> Result<(), Failed> {
//!     println!("{}", event.key);
//!     Ok(())
//! };
//! let consumer = Consumer::new("welcome".parse()?, Arc::clone(&store), welcome);
//! // Until a signal comes, say.
//! let ended = async {};
//! consumer.run(store.subscribe(), ended).await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Reading order
//!
//! [`sqlite`] holds the handles and what they promise; inside it `writer` is the one thread that
//! writes, `batch` what one transaction stores, `filing` what it puts off, `measured` how large it
//! was, `reader` the pages, `consumers` the cursors and dead letters, `ledger` coverage and replays,
//! `schema` the tables, `files` the directory. `prune` and `redact` take away; `check`, `backup`,
//! `forget` and `beside` are for commands beside the listener. `conformance` is what every inbox
//! and every ledger has to do. [What it costs](sqlite#what-it-costs) stands there as well.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod error;
#[cfg(feature = "jetstream")]
pub mod jetstream;
pub mod memory;
pub mod sqlite;
mod stale;

pub use crate::{
    error::StoreError,
    memory::MemoryStore,
    sqlite::{
        Queued, Settings, SqliteBeside, SqliteLedger, SqliteReader, SqliteStore, Stats,
        Transactions,
    },
};

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
