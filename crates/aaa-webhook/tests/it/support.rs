//! Inboxes that do as they are told, and signed requests.

mod log;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use aaa_webhook::{
    app::App,
    delivery::VerifiedDelivery,
    inbox::{Inbox, InboxError, Receipt},
    signature::{HEADER, Signature},
};
use bytes::Bytes;
use http::{Request, request::Builder};
use http_body_util::Full;
use tokio::sync::Notify;

pub(crate) use self::log::Log;

pub(crate) const PATH: &str = "/webhooks/twitter";
pub(crate) const TOKEN: &str = "OWY4ODQ2ZjgtNDljMC00NDY2LWJhMGQtYTE4NzQ0MTM2OGFi";
pub(crate) const BODY: &str = r#"{"for_user_id":"7","favorite_events":[{"id":"a"}]}"#;

pub(crate) fn app() -> App {
    App::new("main", "consumer-secret".parse().unwrap())
}

/// What the inbox of a test does.
#[derive(Clone)]
pub(crate) enum Behaviour {
    Store,
    /// Has seen it all before.
    Know,
    Fail(InboxError),
    Panic,
    /// Waits until it is told to go on.
    Wait(Arc<Notify>),
}

#[derive(Clone)]
pub(crate) struct TestInbox {
    pub(crate) behaviour: Arc<Mutex<Behaviour>>,
    pub(crate) bodies: Arc<Mutex<Vec<Bytes>>>,
    pub(crate) apps: Arc<Mutex<Vec<String>>>,
    pub(crate) started: Arc<AtomicUsize>,
}

impl TestInbox {
    pub(crate) fn new(behaviour: Behaviour) -> Self {
        Self {
            behaviour: Arc::new(Mutex::new(behaviour)),
            bodies: Arc::default(),
            apps: Arc::default(),
            started: Arc::default(),
        }
    }
}

impl Inbox for TestInbox {
    async fn commit(&self, delivery: VerifiedDelivery) -> Result<Receipt, InboxError> {
        self.started.fetch_add(1, SeqCst);
        let behaviour = self.behaviour.lock().unwrap().clone();
        match behaviour {
            Behaviour::Store => {}
            Behaviour::Know => {
                return Ok(Receipt { stored: 0, duplicates: delivery.events().len() });
            }
            Behaviour::Fail(error) => return Err(error),
            Behaviour::Panic => panic!("as the test wants it"),
            Behaviour::Wait(notify) => notify.notified().await,
        }
        self.apps.lock().unwrap().push(delivery.app().to_owned());
        self.bodies.lock().unwrap().push(delivery.body().clone());
        Ok(Receipt { stored: delivery.events().len(), duplicates: 0 })
    }
}

pub(crate) fn post(body: &str) -> Builder {
    let signature = Signature::of(app().active(), body.as_bytes());
    Request::post(PATH).header(HEADER, signature.to_string())
}

pub(crate) fn full(builder: Builder, body: &str) -> Request<Full<Bytes>> {
    builder.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}
