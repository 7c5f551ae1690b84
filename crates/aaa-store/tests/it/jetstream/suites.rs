//! The suites that every inbox, every store of cursors and every ledger pass.

use aaa_store::jetstream::{JetStreamInbox, Keys, Settings};

use super::nats::Nats;

mod single {
    use super::*;

    async fn make() -> Option<(Nats, JetStreamInbox)> {
        let nats = Nats::one()?;
        let inbox = nats.open().await;
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

/// Three servers, each event on all of them.
mod three {
    use super::*;

    async fn make() -> Option<(Nats, JetStreamInbox)> {
        let nats = Nats::three()?;
        let inbox = nats.open().await;
        Some((nats, inbox))
    }

    aaa_store::inbox_conformance!(@ make;
        events_tell_their_delivery,
        the_same_delivery_at_once_is_stored_once,
        a_copy_is_answered_when_it_is_there,
        any_deliveries_at_once,
    );
    aaa_store::consumer_conformance!(@ make; whoever_opened_last_saves,);
    aaa_store::ledger_conformance!(@ make; the_lease_is_one_s_alone,);
}
