//! `--register` and `--subscribe`: the listener has X call it, and with `--cleanup` undoes at its
//! end what it made itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aaa_auth::UserCredential;
use aaa_client::{BulkResult, Client, Ensured, RetryPolicy};
use aaa_replay::driver::Target;
use aaa_types::{UserId, WebhookId, WebhookUrl};
use jiff::Timestamp;
use tokio::{
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{revoked::Revoked, store::Store};
use crate::{
    api,
    cli::{ListenArgs, Subscribe},
    credentials::Credentials,
    exit::{Exit, Failure},
    output,
    webhooks::Record,
};

/// How long a call may be waited for that is under way when the listener has to end.
const LAST_CALL: Duration = Duration::from_secs(5);

/// How long undoing may take in all.
const UNDOING: Duration = Duration::from_secs(30);

/// How long to wait after X could not be reached.
const AGAIN: Duration = Duration::from_secs(60);

/// What is to be there once the listener listens.
pub(super) struct Registering {
    client: Client,
    url: Option<WebhookUrl>,
    target: Target,
    users: Vec<(Option<UserId>, UserCredential)>,
    /// When the tokens were added that only are there because they are stored.
    stored: BTreeMap<UserId, Option<Timestamp>>,
    record: Record,
    cleanup: bool,
}

/// What this run made, and nothing that was there before.
#[derive(Debug, Default, Clone)]
struct Made {
    webhook: Option<WebhookId>,
    subscribed: Option<(WebhookId, Vec<UserId>)>,
}

impl Registering {
    /// Finds out what is wanted, and with which credentials, before anything listens.
    ///
    /// # Errors
    ///
    /// Fails when X would not take the URL, and when a credential is missing.
    pub(super) fn prepare(
        args: &ListenArgs,
        credentials: &Credentials,
    ) -> Result<Option<Self>, Failure> {
        if args.register.is_none() && args.subscribe.is_none() {
            if args.cleanup {
                let words = "--cleanup undoes what --register and --subscribe made";
                return Err(Exit::Usage.with(words).advise("add one of them, or leave it out"));
            }
            return Ok(None);
        }
        let client = credentials.builder().version(args.api.into()).build();
        let client =
            client.map_err(|error| Exit::Failed.of("the client could not be built", error))?;
        let url = match &args.register {
            Some(url) => Some(api::webhook_url(url.as_str(), credentials)?),
            None => None,
        };
        // Both lists, and so everything here, take the bearer token.
        credentials.bearer()?;
        let target = match (&url, args.webhook, &args.public_url) {
            (Some(url), ..) | (None, None, Some(url)) => Target::Url(url.clone()),
            (None, Some(id), _) => Target::Id(id),
            (None, None, None) => Target::Only,
        };
        let (users, stored) = match &args.subscribe {
            Some(wanted) => users(wanted, args, credentials)?,
            None => Default::default(),
        };
        let record = Record::new(&args.store.data_dir, client.api_url());
        record.made()?;
        Ok(Some(Self { client, url, target, users, stored, record, cleanup: args.cleanup }))
    }

    /// Leaves out whose token is stored and was revoked since: who took access back is not subscribed
    /// again unless somebody names them.
    pub(super) async fn without_revoked(mut self, store: &Store) -> Self {
        if !self.stored.is_empty() {
            let (revoked, _) = Revoked::read(store).await;
            let stored = self.stored.iter().filter(|(user, at)| !revoked.holds(**user, **at));
            let revoked: BTreeSet<_> = stored.map(|(user, _)| *user).collect();
            self.users.retain(|(user, _)| user.is_none_or(|user| !revoked.contains(&user)));
        }
        self
    }

    /// Returns who is to be subscribed, as far as their ids are known.
    pub(super) fn users(&self) -> impl Iterator<Item = UserId> {
        self.users.iter().filter_map(|(user, _)| *user)
    }

    /// Begins. The receiver must be listening: X challenges it before it registers anything. `done`
    /// goes when it is done, or cannot be.
    pub(super) fn start(self, done: oneshot::Sender<()>) -> Registered {
        let made = Arc::new(Mutex::new(Made::default()));
        let work = Arc::new(self);
        let ending = Arc::new(Notify::new());
        let task = tokio::spawn({
            let (work, made, ending) = (Arc::clone(&work), Arc::clone(&made), Arc::clone(&ending));
            async move {
                let result = work.run(&made, &ending).await;
                drop(done);
                result
            }
        });
        Registered { task: Some(task), work, made, ending }
    }

    /// Sees to it that all of it is there. While X cannot be reached it is tried again: what is
    /// received meanwhile does not depend on it.
    async fn run(&self, made: &Mutex<Made>, ending: &Notify) -> Result<(), Failure> {
        loop {
            match self.once(made).await {
                Err(failure) if failure.is_network() => {
                    output::note(format_args!("warning: {failure}; trying again in a minute"));
                    tokio::select! {
                        () = sleep(AGAIN) => {}
                        () = ending.notified() => return Ok(()),
                    }
                }
                done => return done,
            }
        }
    }

    async fn once(&self, made: &Mutex<Made>) -> Result<(), Failure> {
        let id = match &self.url {
            Some(url) => self.register(url, made).await?,
            None => {
                let listed = self.client.app().list_webhooks().await?;
                let found = self.target.find(&listed).map_err(|error| {
                    let words = format!("nobody could be subscribed: {error}");
                    Exit::Usage.with(words).advise(
                        "--register URL registers one; --webhook ID and --public-url URL name one",
                    )
                })?;
                found.id
            }
        };
        if !self.users.is_empty() {
            self.subscribe(id, made).await;
        }
        Ok(())
    }

    async fn register(&self, url: &WebhookUrl, made: &Mutex<Made>) -> Result<WebhookId, Failure> {
        let ensured = self.client.app().ensure_webhook(url).await?;
        let id = ensured.webhook.id;
        let words = match ensured.how {
            Ensured::Created => {
                lock(made).webhook = Some(id);
                if let Err(failure) = self.record.add(&ensured.webhook).await {
                    output::note(format_args!(
                        "warning: webhook {id} will not count as made here: {failure}"
                    ));
                }
                "is registered and valid"
            }
            Ensured::Validated => "was there and invalid; X checked it, and it is valid again",
            _ => "was there already, and is valid",
        };
        output::note(format_args!("webhook {id} {words}: {url}"));
        Ok(id)
    }

    /// Subscribes them. Who cannot be subscribed is told, and holds up nobody.
    async fn subscribe(&self, webhook: WebhookId, made: &Mutex<Made>) {
        let (mut new, mut old) = (Vec::new(), Vec::new());
        for (user, credential) in self.users.iter().filter(|(user, _)| user.is_none()) {
            let done = self.client.user(credential.clone()).ensure_subscription(webhook).await;
            match done {
                Ok(_) => output::note(format_args!("the app's owner is subscribed")),
                Err(error) => output::note(format_args!("warning: the app's owner: {error}")),
            }
            debug_assert!(user.is_none(), "only whose id is not known is subscribed alone");
        }
        let known = self.users.iter().filter_map(|(user, c)| Some(((*user)?, c.clone())));
        let note = |step: &aaa_client::BulkProgress<'_, Ensured>| {
            if step.result == Ok(&Ensured::Created) {
                let mut made = lock(made);
                made.subscribed.get_or_insert((webhook, Vec::new())).1.push(step.user);
            }
        };
        let report = self.client.bulk(webhook).subscribe(known, note).await;
        for (user, result) in report.results() {
            match result {
                BulkResult::Done(Ensured::Existed) => old.push(user.to_string()),
                BulkResult::Done(_) => new.push(user.to_string()),
                BulkResult::Failed(error) => {
                    output::note(format_args!("warning: user {user}: {error}"));
                }
                BulkResult::NotTried => output::note(format_args!(
                    "warning: user {user} is not subscribed: the same would have happened"
                )),
            }
        }
        for (users, words) in [(new, "subscribed"), (old, "subscribed already")] {
            if !users.is_empty() {
                output::note(format_args!("{words}: {}", users.join(", ")));
            }
        }
    }

    /// Takes away what was made, and nothing else.
    async fn undo(&self, made: Made) {
        let client = self.client.with_retry(RetryPolicy::none());
        if let Some(id) = made.webhook {
            match client.app().delete_webhook(id).await {
                Err(error) if !error.is_not_found() => output::note(format_args!(
                    "warning: webhook {id} is still there: {error}; `aaa webhooks delete {id}`"
                )),
                _ => {
                    output::note(format_args!(
                        "deleted webhook {id}, which this run had registered, and with it its \
                         subscriptions"
                    ));
                    if let Err(failure) = self.record.remove(id).await {
                        output::note(format_args!("warning: {failure}"));
                    }
                }
            }
            return;
        }
        let Some((webhook, users)) = made.subscribed else {
            output::note("nothing to undo: this run made nothing");
            return;
        };
        let report = client.bulk(webhook).unsubscribe(users, |_| {}).await;
        let mut done = Vec::new();
        for (user, result) in report.results() {
            match result {
                BulkResult::Done(_) => done.push(user.to_string()),
                BulkResult::Failed(error) => output::note(format_args!(
                    "warning: user {user} is still subscribed: {error}; `aaa subscriptions remove \
                     {webhook} {user}`"
                )),
                BulkResult::NotTried => output::note(format_args!(
                    "warning: user {user} is still subscribed; `aaa subscriptions remove {webhook} \
                     {user}`"
                )),
            }
        }
        if !done.is_empty() {
            output::note(format_args!(
                "no longer subscribed, as before this run: {}",
                done.join(", ")
            ));
        }
    }
}

/// Who is to be subscribed, and since when the tokens are there that nobody named.
type Found = (Vec<(Option<UserId>, UserCredential)>, BTreeMap<UserId, Option<Timestamp>>);

/// Finds the credentials of whom is to be subscribed.
fn users(
    wanted: &Subscribe,
    args: &ListenArgs,
    credentials: &Credentials,
) -> Result<Found, Failure> {
    let directory = &args.store.data_dir;
    if let Subscribe::These(ids) = wanted {
        let of = |id: &UserId| Ok((Some(*id), credentials.user(Some(*id), directory)?));
        let users = ids.iter().map(of).collect::<Result<_, Failure>>()?;
        return Ok((users, BTreeMap::new()));
    }
    let file = credentials.token_file(directory);
    let tokens = file.read().map_err(|error| Exit::Credentials.of("users' tokens", error))?;
    let mut known = BTreeMap::new();
    let mut users = Vec::new();
    if let Ok(owner) = credentials.environment().require_owner() {
        match owner.user_id() {
            Some(id) => drop(known.insert(id, UserCredential::from(owner.clone()))),
            None => users.push((None, owner.clone().into())),
        }
    }
    // What a user has permitted last is in the file, and whether they have taken it back.
    for (id, stored) in tokens.iter() {
        if stored.is_revoked() {
            known.remove(&id);
        } else {
            known.insert(id, stored.token.clone().into());
        }
    }
    users.extend(known.into_iter().map(|(id, credential)| (Some(id), credential)));
    if users.is_empty() && tokens.is_empty() {
        let words = format!(
            "--subscribe finds nobody: no token of the app's owner, and none in `{}`",
            file.path().display()
        );
        return Err(Exit::Credentials.with(words).advise(
            "set X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET, or let `aaa auth login` ask a user",
        ));
    }
    let stored = tokens.iter().map(|(id, stored)| (id, stored.added_at)).collect();
    Ok((users, stored))
}

/// What is being registered, or was.
pub(super) struct Registered {
    /// Nothing when it is done.
    task: Option<JoinHandle<Result<(), Failure>>>,
    work: Arc<Registering>,
    made: Arc<Mutex<Made>>,
    /// Ends what only waits.
    ending: Arc<Notify>,
}

impl Registered {
    /// Waits until it has failed for good; for ever if it does not.
    pub(super) async fn failed(&mut self) -> Failure {
        if let Some(task) = &mut self.task {
            let done = task.await;
            // Nothing is left to be waited for.
            self.task = None;
            if let Ok(Err(failure)) = done {
                return failure;
            }
        }
        std::future::pending().await
    }

    /// Says whether there is something to undo at the end.
    pub(super) fn cleans_up(&self) -> bool {
        self.work.cleanup
    }

    /// Ends it, and undoes what was made when that was asked for. A second signal ends that too.
    pub(super) async fn end(mut self, signal: impl Future<Output = &'static str>) {
        let task = self.task.take();
        if !self.work.cleanup {
            // What is under way may be carried out or not: it is wanted in any case.
            if let Some(task) = task {
                task.abort();
            }
            return;
        }
        if let Some(mut task) = task {
            self.ending.notify_one();
            if timeout(LAST_CALL, &mut task).await.is_err() {
                task.abort();
                output::note(
                    "warning: something was still being asked for, and may have been made: `aaa \
                     webhooks list` shows it",
                );
            }
        }
        let made = lock(&self.made).clone();
        let undone = timeout(UNDOING, self.work.undo(made));
        let words = tokio::select! {
            undone = undone => match undone {
                Ok(()) => return,
                Err(_) => "it took too long",
            },
            signal = signal => signal,
        };
        output::note(format_args!(
            "warning: {words}: not everything is undone; `aaa webhooks list` shows what is there"
        ));
    }
}

fn lock(made: &Mutex<Made>) -> std::sync::MutexGuard<'_, Made> {
    made.lock().unwrap_or_else(PoisonError::into_inner)
}
