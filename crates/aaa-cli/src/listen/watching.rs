//! Watches the webhook and its subscriptions while the receiver recovers.

use std::collections::{BTreeMap, BTreeSet};

use aaa_auth::tokens::{TokenFile, Tokens};
use aaa_client::{Client, ReqwestTransport};
use aaa_replay::{
    driver::{Aid, Target, Watch, XClock},
    notice::Notice,
    watch::{Report, Rhythm},
};
use aaa_types::{ConsumerSecret, UserId, WebhookId};
use aaa_webhook::inbox::StoredEvent;
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    Phase, Run,
    following::follow,
    revoked::{self, Revoked},
    store::Store,
};
use crate::{
    cli::{Api, ListenArgs},
    credentials::Credentials,
    exit::{Exit, Failure},
    output,
    self_check::self_check,
};

/// A watch that is ready to start.
pub(super) struct Watching {
    watch: Watch<Store, ReqwestTransport, Helper>,
    store: Store,
    /// Users whose token is stored, and when it was added.
    stored: BTreeMap<UserId, Option<Timestamp>>,
    /// Users who revoked access, as it is noted at their tokens.
    revoked: BTreeMap<UserId, Timestamp>,
}

/// Whom `--subscribe` subscribes.
pub(super) struct Subscribing {
    pub(super) users: BTreeSet<UserId>,
    /// Ready when that is done, or was given up. Until then nobody misses them.
    pub(super) done: oneshot::Receiver<()>,
}

impl Watching {
    /// Prepares to watch. `known` is when all was well for the last time.
    ///
    /// # Errors
    ///
    /// Fails when the stored tokens cannot be read and are needed.
    pub(super) fn prepare(
        args: &ListenArgs,
        credentials: &Credentials,
        (store, clock, client): (&Store, &XClock, &Client),
        target: Target,
        known: Option<Timestamp>,
        notices: Option<mpsc::Sender<Notice>>,
    ) -> Result<Self, Failure> {
        let tokens = credentials.token_file(&args.store.data_dir);
        let held = match tokens.read() {
            Ok(held) => held,
            Err(error) if args.resubscribe => {
                return Err(Exit::Credentials.of("users' tokens", error));
            }
            Err(error) => {
                output::note(format_args!("warning: users' tokens: {error}"));
                Tokens::default()
            }
        };
        let (mut stored, mut revoked) = (BTreeMap::new(), BTreeMap::new());
        for (user, token) in held.iter() {
            if let Some(at) = token.revoked_at.filter(|_| token.is_revoked()) {
                revoked.insert(user, at);
            } else {
                stored.insert(user, token.added_at);
            }
        }
        let tokens = args.resubscribe.then_some(tokens);
        let aid = Helper { client: client.clone(), secret: credentials.consumer_secret()?, tokens };
        let rhythm = match args.api {
            _ if credentials.api().is_loopback() => {
                Rhythm { pause: SignedDuration::from_secs(5), ..Rhythm::loopback() }
            }
            Api::V2 => Rhythm::v2(),
            Api::V1_1 => Rhythm::v1_1(),
        };
        let watch =
            Watch::new(store.clone(), client.clone(), clock.clone(), target, rhythm, aid, known);
        let watch = match notices {
            Some(notices) => watch.telling(notices),
            None => watch,
        };
        Ok(Self { watch, store: store.clone(), stored, revoked })
    }

    /// Starts to watch.
    pub(super) fn start(self, run: &Run, subscribing: Subscribing) -> JoinHandle<()> {
        let (ended, given_up) = (run.reached(Phase::Ended), run.reached(Phase::Ended));
        tokio::spawn(async move {
            // The run before may have ended before it heard of one of them.
            let (revoked, last) = tokio::select! {
                revoked = Revoked::read(&self.store) => revoked,
                () = given_up => return,
            };
            let (sender, news) = mpsc::channel(16);
            let held = self.stored.iter().filter(|(user, added)| revoked.holds(**user, **added));
            let wanted: BTreeSet<UserId> = held.map(|(user, _)| *user).collect();
            let tell = async {
                // What is being subscribed has not vanished.
                let _ = subscribing.done.await;
                let wanted = wanted.union(&subscribing.users).copied().collect();
                let _ = sender.send(Report::Wanted(wanted)).await;
                std::future::pending::<()>().await;
            };
            let watch = self.watch.revoked(revoked.and(self.revoked).latest());
            let live =
                |event: &StoredEvent| revoked::read(event).map(|(user, _)| Report::Revoked(user));
            tokio::select! {
                () = watch.run(news, ended) => {}
                () = follow(self.store, revoked::KIND, last, live, sender.clone()) => {}
                () = tell => {}
            }
        })
    }
}

/// What a watch needs: a look at our own URL, and the tokens of users.
struct Helper {
    client: Client,
    secret: ConsumerSecret,
    tokens: Option<TokenFile>,
}

impl Aid for Helper {
    async fn self_check(&self, webhook: WebhookId) -> Result<(), String> {
        self_check(&self.client, &self.secret, webhook).await
    }

    fn subscribes(&self) -> bool {
        self.tokens.is_some()
    }

    async fn subscribe(&self, webhook: WebhookId, user: UserId) -> Result<(), String> {
        let tokens = self.tokens.as_ref().ok_or("--resubscribe is not given")?;
        let tokens = tokens.read().map_err(|error| error.to_string())?;
        let stored = tokens.get(user).ok_or("no token of this user is stored")?;
        let subscribed = self.client.user(stored.token.clone()).ensure_subscription(webhook).await;
        subscribed.map(drop).map_err(|error| error.to_string())
    }
}
