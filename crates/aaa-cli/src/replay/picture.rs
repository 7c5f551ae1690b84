//! What the store of a data directory knows of coverage and replays at one moment.

use std::{ops::Deref, path::PathBuf};

pub(super) use aaa_replay::picture::{Now, Picture, job, minutes};
use aaa_replay::{engine::Settings, ledger::LedgerError};
use aaa_store::{SqliteReader, SqliteStore, StoreError, sqlite};
use jiff::SignedDuration;

use super::unfollowed::{Evidence, Unfollowed};
use crate::{
    cli::StoreArgs,
    exit::{Exit, Failure},
};

/// How many periods without a heartbeat mean that nobody receives.
const SILENCE: u32 = 3;

/// Reads the store.
///
/// # Errors
///
/// Fails when it cannot be read.
pub(super) async fn read(store: &Store) -> Result<Picture, Failure> {
    let silence = aaa_store::Settings::default().heartbeat_period * SILENCE;
    let read = async {
        Ok(Picture {
            in_use: sqlite::is_in_use(&store.directory),
            spans: store.spans().await?,
            proofs: store.proofs().await?,
            declared: store.declared().await?,
            lease: store.lease().await?,
            summary: store.summary().await?,
            attempts: store.attempts().await?,
            silence: SignedDuration::try_from(silence).unwrap_or(SignedDuration::ZERO),
        })
    };
    read.await.map_err(|error| unreadable(&error))
}

/// Returns the attempts that nobody follows, and what became of them as far as it can be told. To be
/// called by who holds the lease, or when nobody does.
///
/// # Errors
///
/// Fails when the inbox cannot be read.
pub(super) async fn unfollowed(
    picture: &Picture,
    store: &Store,
    settings: &Settings,
    now: Now,
) -> Result<Vec<Unfollowed>, Failure> {
    let (spans, is_received) = (&picture.spans, picture.is_received(now));
    let evidence = Evidence { settings, spans, is_received, now: now.x };
    let judged = evidence.judge(&store.reader, &picture.attempts).await;
    judged.map_err(|error| Exit::Failed.of("could not read the inbox", error))
}

/// Opens the store to read it, beside a receiver or without one.
///
/// # Errors
///
/// Fails when there is none, and when it cannot be read.
pub(super) fn open(args: &StoreArgs) -> Result<Store, Failure> {
    let reader = SqliteStore::open_reader(&args.data_dir);
    let reader = reader.map_err(|error| Exit::Failed.of("could not open the store", error))?;
    Ok(Store { reader, directory: args.data_dir.clone() })
}

/// A store that is read, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Store {
    reader: SqliteReader,
    directory: PathBuf,
}

impl Deref for Store {
    type Target = SqliteReader;

    fn deref(&self) -> &SqliteReader {
        &self.reader
    }
}

pub(super) fn unreadable(error: &StoreError) -> Failure {
    Exit::Failed.of("could not read the store", error)
}

pub(super) fn unusable(error: &LedgerError) -> Failure {
    Exit::Failed.with(error.to_string())
}
