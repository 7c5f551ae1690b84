//! What the pages need of a store, whatever its type: the traits without their type.

use std::{future::Future, ops::RangeInclusive, pin::Pin};

use aaa_replay::{
    ledger::{Declaration, Ledger, LedgerError},
    picture::Picture,
};
use aaa_types::{UserId, WebhookId};
use aaa_webhook::{
    consumer::{
        ConsumerName, Cursor, CursorError, Cursors, DeadLetter, DeadLetterQuery, DeadLetters,
    },
    inbox::{EventLog, EventQuery, InboxError, StoredEvent},
};

pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A store.
pub(crate) trait Store: Send + Sync {
    fn events(&self, query: EventQuery) -> Answer<'_, Result<Vec<StoredEvent>, InboxError>>;
    fn picture(&self) -> Answer<'_, Result<Picture, LedgerError>>;
    fn declare(&self, declaration: Declaration) -> Answer<'_, Result<u64, LedgerError>>;
    fn dismiss(&self, webhook: WebhookId, user: UserId) -> Answer<'_, Result<(), LedgerError>>;
    fn cursors(&self) -> Answer<'_, Result<Vec<(ConsumerName, Cursor)>, CursorError>>;
    fn dead_letters(
        &self,
        query: DeadLetterQuery,
    ) -> Answer<'_, Result<Vec<DeadLetter>, CursorError>>;
    fn redrive<'a>(
        &'a self,
        consumer: &'a ConsumerName,
        seqs: RangeInclusive<u64>,
    ) -> Answer<'a, Result<u64, CursorError>>;
}

impl<T: EventLog + Cursors + DeadLetters + Ledger> Store for T {
    fn events(&self, query: EventQuery) -> Answer<'_, Result<Vec<StoredEvent>, InboxError>> {
        Box::pin(EventLog::events(self, query))
    }

    fn picture(&self) -> Answer<'_, Result<Picture, LedgerError>> {
        Box::pin(Picture::read(self))
    }

    fn declare(&self, declaration: Declaration) -> Answer<'_, Result<u64, LedgerError>> {
        Box::pin(Ledger::declare(self, declaration))
    }

    fn dismiss(&self, webhook: WebhookId, user: UserId) -> Answer<'_, Result<(), LedgerError>> {
        Box::pin(Ledger::dismiss(self, webhook, user))
    }

    fn cursors(&self) -> Answer<'_, Result<Vec<(ConsumerName, Cursor)>, CursorError>> {
        Box::pin(Cursors::cursors(self))
    }

    fn dead_letters(
        &self,
        query: DeadLetterQuery,
    ) -> Answer<'_, Result<Vec<DeadLetter>, CursorError>> {
        Box::pin(DeadLetters::dead_letters(self, query))
    }

    fn redrive<'a>(
        &'a self,
        consumer: &'a ConsumerName,
        seqs: RangeInclusive<u64>,
    ) -> Answer<'a, Result<u64, CursorError>> {
        Box::pin(DeadLetters::redrive(self, consumer, seqs))
    }
}
