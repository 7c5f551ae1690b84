//! The router and what it is made of.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use aaa_auth::tokens::TokenFile;
use aaa_client::{Client, Transport};
use aaa_replay::{engine::Settings, ledger::Ledger};
use aaa_types::{WebhookId, api::Webhook};
use aaa_webhook::{
    consumer::{Cursors, DeadLetters, StoredDelivery},
    inbox::EventLog,
    metrics::Probe,
    receiver::Status,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, RawQuery},
    middleware,
    response::Redirect,
    routing::{get, post},
};
use tokio::sync::watch;

use crate::{
    access::{Access, Password},
    actions, assets,
    clock::Steady,
    guard,
    hosts::Hosts,
    pages,
    rates::Rates,
    shared::{Measured, Shared},
    sign_ins::SignIns,
    store::Store,
    stream,
    x::X,
};

/// How long a call waits at most before it is made again.
const WAIT: Duration = Duration::from_secs(10);

/// No change is larger.
const LARGEST_CHANGE: usize = 64 * 1024;

/// What is being done; it ends with words for whoever asked.
pub type ActionFuture<'a> = Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

/// Sends a stored delivery once more, somewhere.
pub trait Resend: Send + Sync + 'static {
    /// Sends it to a URL, or to where it is usually sent, and says how that was answered.
    fn resend(&self, delivery: StoredDelivery, to: Option<String>) -> ActionFuture<'_>;

    /// Returns where it is usually sent, as it may be shown.
    fn usual(&self) -> Option<String> {
        None
    }
}

/// Looks after replays where no receiver does so by itself.
pub trait Recover: Send + Sync + 'static {
    /// Begins to have what is missing replayed, unless somebody does so already. Answers once it
    /// has begun.
    fn recover(&self, webhook: WebhookId) -> ActionFuture<'_>;
}

/// Noting something; it ends with words when that did not work.
pub type RecordFuture<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Remembers which webhooks were made here, so that nobody else's are taken for ours.
pub trait Record: Send + Sync + 'static {
    /// Notes a webhook that was just made.
    fn made<'a>(&'a self, webhook: &'a Webhook) -> RecordFuture<'a>;

    /// Forgets a webhook that was just deleted, whoever had made it.
    fn deleted(&self, webhook: WebhookId) -> RecordFuture<'_>;
}

/// Makes the pages; see [the crate](crate).
#[must_use]
pub struct Dashboard {
    store: Box<dyn Store>,
    calls: Box<dyn FnOnce(Steady) -> X + Send>,
    base: String,
    password: Option<Password>,
    hosts: Hosts,
    settings: Settings,
    webhook: Option<WebhookId>,
    tokens: Option<TokenFile>,
    resend: Option<Box<dyn Resend>>,
    recover: Option<Box<dyn Recover>>,
    record: Option<Box<dyn Record>>,
    figures: Option<Box<dyn crate::shared::Look>>,
    is_claimed: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    woken: Option<watch::Receiver<u64>>,
}

impl Dashboard {
    /// Begins with a store and a client of the API, which has the app's credentials.
    pub fn new<S, T>(store: S, client: Client<T>) -> Self
    where
        S: EventLog + Cursors + DeadLetters + Ledger,
        T: Transport + 'static,
    {
        // Somebody looks at the page meanwhile, and can ask again.
        let client = client.with_retry(client.retry().waiting_at_most(WAIT));
        Self {
            store: Box::new(store),
            calls: Box::new(|clock| X::new(client, clock)),
            base: String::new(),
            password: None,
            hosts: Hosts::default(),
            settings: Settings::v2(),
            webhook: None,
            tokens: None,
            resend: None,
            recover: None,
            record: None,
            figures: None,
            is_claimed: None,
            woken: None,
        }
    }

    /// Puts the pages under a path, such as `/dashboard`.
    pub fn at(mut self, path: &str) -> Self {
        let path = path.trim_matches('/');
        self.base = if path.is_empty() { String::new() } else { format!("/{path}") };
        self
    }

    /// Asks for a password. Without one only requests from the machine itself are answered.
    pub fn with_password(mut self, password: Password) -> Self {
        self.password = Some(password);
        self
    }

    /// Answers under this name as well, without a port; otherwise only as `localhost` and by
    /// addresses of loopback.
    pub fn with_host(mut self, name: &str) -> Self {
        self.hosts.add(name);
        self
    }

    /// Answers by any address of the machine.
    pub fn with_any_address(mut self) -> Self {
        self.hosts.add_addresses();
        self
    }

    /// Goes by other rules and limits of replays than those of v2.
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Shows the replays of this webhook; otherwise of the one that the store knows, or the app's
    /// only one.
    pub fn with_webhook(mut self, webhook: WebhookId) -> Self {
        self.webhook = Some(webhook);
        self
    }

    /// Lets users sign in through X, and keeps their tokens there. The callback of the app has to
    /// be registered at X: the address of the pages and `/accounts/callback`.
    pub fn with_tokens(mut self, tokens: TokenFile) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Lets stored deliveries be sent once more.
    pub fn with_resend(mut self, resend: impl Resend) -> Self {
        self.resend = Some(Box::new(resend));
        self
    }

    /// Lets replays be begun where no receiver recovers by itself.
    pub fn with_recover(mut self, recover: impl Recover) -> Self {
        self.recover = Some(Box::new(recover));
        self
    }

    /// Has the webhooks noted that are made and deleted on the pages.
    pub fn with_record(mut self, record: impl Record) -> Self {
        self.record = Some(Box::new(record));
        self
    }

    /// Shows what a receiver in this process measures.
    pub fn with_figures(mut self, status: Status, probe: impl Probe) -> Self {
        self.figures = Some(Box::new(Measured(status, probe)));
        self
    }

    /// Knows whether a process has claimed the store. Otherwise one has, and the last heartbeat
    /// tells whether it receives.
    pub fn with_claim(mut self, is_claimed: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.is_claimed = Some(Box::new(is_claimed));
        self
    }

    /// Shows new events when this changes, and not only twice a second.
    pub fn woken_by(mut self, committed: watch::Receiver<u64>) -> Self {
        self.woken = Some(committed);
        self
    }

    /// Makes the router.
    ///
    /// # Errors
    ///
    /// Fails when the system has no randomness.
    pub fn router(self) -> Result<Router, NoRandomness> {
        let clock = Steady::start();
        let access = Access::new(self.password.as_ref(), clock).map_err(|_| NoRandomness(()))?;
        let base = self.base.clone();
        let shared = Arc::new(Shared {
            base: self.base,
            store: self.store,
            x: (self.calls)(clock),
            access,
            hosts: self.hosts,
            clock,
            settings: self.settings,
            webhook: self.webhook,
            tokens: self.tokens,
            sign_ins: SignIns::new(clock),
            resend: self.resend,
            recover: self.recover,
            record: self.record,
            figures: self.figures,
            is_claimed: self.is_claimed,
            woken: self.woken,
            rates: Rates::default(),
            newest: AtomicU64::new(0),
        });
        let check = middleware::from_fn_with_state(Arc::clone(&shared), guard::check);
        let routes = routes().with_state(shared).layer(check);
        if base.is_empty() {
            return Ok(routes);
        }
        // With a slash at its end it is no path of what is nested. It tells nothing and changes
        // nothing, so nobody is kept from it.
        let slashed = format!("{base}/");
        let lead = async move |RawQuery(query): RawQuery| {
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            Redirect::permanent(&format!("{base}{query}"))
        };
        Ok(Router::new().route(&slashed, get(lead)).nest(slashed.trim_end_matches('/'), routes))
    }
}

fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(pages::overview::page))
        .route("/events", get(pages::events::page))
        .route("/events/stream", get(stream::events))
        .route("/events/{seq}", get(pages::event::page))
        .route("/events/{seq}/body", get(pages::event::body))
        .route("/events/{seq}/resend", post(actions::events::resend))
        .route("/webhooks", get(pages::webhooks::page).post(actions::webhooks::create))
        .route("/webhooks/{id}", get(pages::webhook::page))
        .route("/webhooks/{id}/validate", post(actions::webhooks::validate))
        .route("/webhooks/{id}/delete", post(actions::webhooks::delete))
        .route("/webhooks/{id}/subscribe", post(actions::webhooks::subscribe))
        .route("/webhooks/{id}/unsubscribe", post(actions::webhooks::unsubscribe))
        .route("/accounts", get(pages::accounts::page))
        .route("/accounts/sign-in", post(actions::accounts::sign_in))
        .route("/accounts/pin", post(actions::accounts::pin))
        .route("/accounts/callback", get(actions::accounts::callback))
        .route("/accounts/{user}/forget", post(actions::accounts::forget))
        .route("/replay", get(pages::replay::page))
        .route("/replay/recover", post(actions::replay::recover))
        .route("/replay/create", post(actions::replay::create))
        .route("/dead-letters", get(pages::letters::page))
        .route("/dead-letters/redrive", post(actions::letters::redrive))
        .route("/login", get(pages::login::page).post(pages::login::sign_in))
        .route("/logout", post(pages::login::sign_out))
        .route("/assets/{name}", get(assets::asset))
        .fallback(pages::missing)
        .method_not_allowed_fallback(pages::not_so)
        .layer(DefaultBodyLimit::max(LARGEST_CHANGE))
}

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes, and the pages need some that nobody can guess")]
pub struct NoRandomness(());

impl std::fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dashboard").field("base", &self.base).finish_non_exhaustive()
    }
}
