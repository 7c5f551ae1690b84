//! The suites that every inbox, every store of cursors and every ledger pass, on each of ours.

mod memory {
    use aaa_store::MemoryStore;

    async fn make() -> ((), MemoryStore) {
        ((), MemoryStore::default())
    }

    aaa_store::inbox_conformance!(make);
    aaa_store::consumer_conformance!(make);
    aaa_store::ledger_conformance!(make);
}

mod sqlite {
    use aaa_store::SqliteStore;

    use crate::helper::Directory;

    async fn make() -> (Directory, SqliteStore) {
        let directory = Directory::new();
        let store = directory.open();
        (directory, store)
    }

    aaa_store::inbox_conformance!(make);
    aaa_store::consumer_conformance!(make);
    aaa_store::ledger_conformance!(make);
}

/// A ledger that is shared.
mod shared {
    use std::sync::Arc;

    use aaa_store::MemoryStore;

    async fn make() -> ((), Arc<MemoryStore>) {
        ((), Arc::default())
    }

    aaa_store::ledger_conformance!(make);
}

/// With the option that looks at each post and deletion.
mod sqlite_that_redacts {
    use aaa_store::{Settings, SqliteStore};

    use crate::helper::{Directory, settings};

    async fn make() -> (Directory, SqliteStore) {
        let directory = Directory::new();
        let settings = Settings { redact_on_deletion: true, ..settings() };
        let store = SqliteStore::open(&directory.path, settings).unwrap();
        (directory, store)
    }

    aaa_store::inbox_conformance!(make);
}
