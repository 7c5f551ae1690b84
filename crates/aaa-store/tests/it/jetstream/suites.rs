//! The suites that every inbox, every store of cursors and every ledger pass.

use aaa_store::jetstream::{JetStreamInbox, Keys, Settings};

use super::nats::Nats;

mod single {
    use super::*;

    async fn make() -> Option<(Nats, JetStreamInbox)> {
        let nats = Nats::one()?;
        let inbox = nats.open().await;
        // The first heartbeat has the first number; events begin with 1 in the suites.
        Some((nats, inbox))
    }

    aaa_store::inbox_conformance!(if make);
    aaa_store::consumer_conformance!(if make);
    aaa_store::ledger_conformance!(if make);
}

/// A subject for each key.
mod subjects {
    use super::*;

    async fn make() -> Option<(Nats, JetStreamInbox)> {
        let nats = Nats::one()?;
        let inbox = nats.open_with(Settings { keys: Keys::Subjects, ..nats.settings() }).await;
        Some((nats, inbox))
    }

    aaa_store::inbox_conformance!(if make);
}
