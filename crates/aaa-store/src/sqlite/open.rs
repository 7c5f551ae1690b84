//! The open file, as the writer has it.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{
    Settings,
    batch::{Batch, Done, Rules},
    files::FileId,
    filing::Unfiled,
    schema::{self, Look},
};
use crate::error::StoreError;

/// A connection, and what has to be known beside it.
#[derive(Debug)]
pub(super) struct Open {
    db: Connection,
    /// Which file it is, in case another takes its place.
    file: Option<FileId>,
    unfiled: Unfiled,
}

impl Open {
    pub(super) fn new(db: Connection, path: &Path) -> Result<Self, StoreError> {
        let file = FileId::of(path);
        let unfiled = Unfiled::load(&db).map_err(|error| StoreError::sqlite(path, &error))?;
        Ok(Self { db, file, unfiled })
    }

    /// Opens the file again and checks it, as if the process had been started anew.
    pub(super) fn again(path: &Path, settings: &Settings) -> Result<Self, StoreError> {
        if FileId::of(path).is_none() {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        let db = schema::open_writer(path, settings, Look::Everywhere)?;
        schema::empty_log(&db, path)?;
        Self::new(db, path)
    }

    /// Does some work in one transaction.
    pub(super) fn commit(
        &mut self,
        path: &Path,
        rules: Rules,
        work: impl FnOnce(&mut Batch<'_>) -> rusqlite::Result<()>,
    ) -> Result<Done, StoreError> {
        if FileId::of(path) != self.file {
            let reason = "it was moved or deleted while in use".to_owned();
            return Err(StoreError::Io { path: path.to_owned(), reason });
        }
        let told = |error: rusqlite::Error| StoreError::sqlite(path, &error);
        let transaction =
            Transaction::new(&mut self.db, TransactionBehavior::Immediate).map_err(told)?;
        let done = run(&transaction, rules, &mut self.unfiled, work)
            .and_then(|done| transaction.commit().map(|()| done));
        if done.is_ok() {
            self.unfiled.keep();
        } else {
            self.unfiled.undo();
        }
        done.map_err(told)
    }

    /// Says whether a transaction is open that nobody ends any more.
    pub(super) fn is_stuck(&self) -> bool {
        !self.db.is_autocommit()
    }

    /// Closes the file, with nothing left in its log.
    pub(super) fn close(mut self, path: &Path) -> Result<(), StoreError> {
        // What is not filed now is filed by the next process, and what a reader keeps in the log
        // is durable there as well.
        if let Err(error) = file_all(&mut self.db, &mut self.unfiled) {
            tracing::debug!(%error, "the last events were not filed at the end");
        }
        if let Err(error) = schema::empty_log(&self.db, path) {
            tracing::debug!(%error, "the write-ahead log was not emptied at the end");
        }
        self.db.close().map_err(|(_, error)| StoreError::sqlite(path, &error))
    }
}

fn run(
    transaction: &Transaction<'_>,
    rules: Rules,
    unfiled: &mut Unfiled,
    work: impl FnOnce(&mut Batch<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<Done> {
    let mut batch = Batch::new(transaction, rules, unfiled)?;
    work(&mut batch)?;
    batch.finish()
}

fn file_all(db: &mut Connection, unfiled: &mut Unfiled) -> rusqlite::Result<()> {
    let transaction = Transaction::new(db, TransactionBehavior::Immediate)?;
    unfiled.file(&transaction)?;
    unfiled.count(&transaction)?;
    transaction.commit()
}
