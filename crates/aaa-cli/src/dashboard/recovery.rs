//! Has replayed what is missing when nobody else does, in the background.

use std::sync::{Arc, Mutex, PoisonError};

use aaa_dashboard::{ActionFuture, Recover};
use aaa_types::WebhookId;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    cli::{Api, StoreArgs},
    credentials::Credentials,
    replay::Background,
};

/// Recovers when it is asked to; one at a time. Clones are the same.
#[derive(Clone)]
pub(crate) struct Recovery(Arc<Inner>);

struct Inner {
    store: StoreArgs,
    api: Api,
    credentials: Arc<Credentials>,
    running: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl Recovery {
    pub(crate) fn new(store: &StoreArgs, api: Api, credentials: Arc<Credentials>) -> Self {
        let store = StoreArgs { data_dir: store.data_dir.clone() };
        Self(Arc::new(Inner { store, api, credentials, running: Mutex::default() }))
    }

    /// Stops it, and gives its lease back. A job that runs goes on at X.
    pub(crate) async fn stop(&self) {
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((stop, task)) = running {
            let _ = stop.send(());
            let _ = task.await;
        }
    }

    fn is_running(&self) -> bool {
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().is_some_and(|(_, task)| !task.is_finished())
    }
}

impl Recover for Recovery {
    fn recover(&self, webhook: WebhookId) -> ActionFuture<'_> {
        Box::pin(async move {
            if self.is_running() {
                return Ok("it is being recovered already".to_owned());
            }
            let inner = &self.0;
            let begun = Background::begin(&inner.store, inner.api, &inner.credentials, webhook);
            let background = begun.await.map_err(|failure| failure.to_string())?;
            let (stop, stopped) = oneshot::channel();
            let task = tokio::spawn(background.run(stopped));
            let mut running = inner.running.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((other, _)) = running.replace((stop, task)) {
                // Two came at once: the lease is held by one of them.
                let _ = other.send(());
            }
            Ok("recovery has begun".to_owned())
        })
    }
}
