//! Both generations against an emulator: every call, its success and its documented refusals.

mod receiver;
mod refusals;
mod sign_in;

use std::{sync::Arc, time::Duration};

use aaa_auth::{Consumer, UserCredential, UserToken, flow::Callback};
use aaa_client::{
    ApiVersion::{self, V1_1, V2},
    Bulk, BulkResult, Client, ClientBuilder, Ensured, Operation, ReqwestTransport, RetryPolicy,
    Timeouts, Transport, TransportError,
    v2::ReplayRoute,
};
use aaa_emulator::{
    Emulator,
    control::{self as called, Action, Fault, Match},
    credentials,
    settings::{OauthTime, Quota, Settings, TimeMode},
};
use aaa_types::{ReplayWindow, UserId, UtcMinute, api::NewDirectMessage};
use bytes::Bytes;
use http::{Request, Response};

use self::receiver::Receiver;

/// An emulator whose clock stands still, a receiver, and a client that repeats nothing.
struct Stage {
    emulator: Arc<Emulator>,
    receiver: Receiver,
    client: Client,
}

impl Stage {
    async fn new(version: ApiVersion) -> Self {
        Self::with(version, Settings::default()).await
    }

    async fn with(version: ApiVersion, settings: Settings) -> Self {
        let settings = Settings { time: TimeMode::Virtual, ..settings };
        let emulator = Emulator::builder().settings(settings).start().await.unwrap();
        let client = builder(&emulator, version).retry(RetryPolicy::none()).build().unwrap();
        Self { emulator: Arc::new(emulator), receiver: Receiver::start().await, client }
    }

    /// A replay's window, in minutes before now.
    fn window(&self, from: i64, to: i64) -> ReplayWindow {
        let minute = |ago: i64| {
            let at = self.emulator.now() - jiff::SignedDuration::from_mins(ago);
            UtcMinute::floor(at)
        };
        ReplayWindow::new(minute(from), minute(to)).unwrap()
    }

    /// Answers the next calls of a sort with a status.
    fn fail(&self, operation: called::Operation, status: u16, times: u32) {
        let when = Match { operation: Some(operation), ..Match::default() };
        let fault = Fault { when, times, action: Action::Respond { status, form: None } };
        self.emulator.plan_fault(fault).unwrap();
    }

    async fn forward(&self, by: Duration) {
        self.emulator.advance(by).await.unwrap();
    }
}

fn builder(emulator: &Emulator, version: ApiVersion) -> ClientBuilder {
    let key = credentials::CONSUMER_KEY.parse().unwrap();
    Client::builder(emulator.url().parse().unwrap())
        .version(version)
        .consumer(Consumer::new(key, credentials::CONSUMER_SECRET.parse().unwrap()))
        .owner(token(credentials::OWNER))
        .bearer(credentials::BEARER_TOKEN.parse().unwrap())
}

fn token(user: u64) -> UserToken {
    let tokens = credentials::user_token(user);
    UserToken::new(tokens.token.parse().unwrap(), tokens.secret.parse().unwrap())
}

fn oauth2(user: u64) -> UserCredential {
    UserCredential::OAuth2(credentials::user_token(user).oauth2.parse().unwrap())
}

fn user(number: u64) -> UserId {
    number.try_into().unwrap()
}

#[tokio::test]
async fn every_call_succeeds_in_both_generations() {
    for version in [V2, V1_1] {
        let stage = Stage::new(version).await;
        let Stage { client, receiver, emulator } = &stage;
        let (app, url) = (client.app(), receiver.url("hook"));
        assert!(app.list_webhooks().await.unwrap().is_empty());
        let ensured = app.ensure_webhook(&url).await.unwrap();
        assert_eq!(ensured.how, Ensured::Created);
        assert_eq!(app.ensure_webhook(&url).await.unwrap().how, Ensured::Existed);
        let webhook = app.create_webhook(&receiver.url("other")).await.unwrap();
        assert!(webhook.valid && webhook.created_at.is_some());
        assert_eq!(app.list_webhooks().await.unwrap(), [ensured.webhook.clone(), webhook.clone()]);
        assert!(app.validate_webhook(webhook.id).await.unwrap().valid);
        app.delete_webhook(webhook.id).await.unwrap();
        let id = ensured.webhook.id;
        assert_eq!(app.list_webhooks().await.unwrap().len(), 1);

        let seven = client.user(token(7));
        assert!(!seven.check_subscription(id).await.unwrap().subscribed);
        assert!(seven.subscribe(id).await.unwrap().subscribed);
        assert!(seven.check_subscription(id).await.unwrap().subscribed);
        assert_eq!(seven.ensure_subscription(id).await, Ok(Ensured::Existed));
        let eight = client.user(token(8));
        assert_eq!(eight.ensure_subscription(id).await, Ok(Ensured::Created));
        let listed = app.list_subscriptions(id).await.unwrap();
        assert_eq!(listed.webhook_id, id);
        let users: Vec<_> = listed.subscriptions.iter().map(|one| one.user_id).collect();
        assert_eq!(users, [user(7), user(8)]);
        let count = app.count_subscriptions().await.unwrap();
        assert_eq!((count.used(), count.provisioned()), (Some(2), Some(5000)));

        // A message is sent over v2 in any case, and both users hear of it.
        let message = NewDirectMessage::text("hello").unwrap();
        let sent = seven.send_direct_message(user(8), &message).await.unwrap();
        assert_eq!(sent.dm_conversation_id, "7-8");
        let heard = emulator.ledger().events;
        assert!(heard.iter().all(|event| event.key.ends_with(&sent.dm_event_id)), "{heard:?}");
        assert_eq!(heard.len(), 2);

        stage.forward(Duration::from_secs(3600)).await;
        let job = app.create_replay(id, stage.window(90, 30 + 2)).await.unwrap();
        assert_eq!(emulator.ledger().jobs[0].id, job.job_id);

        assert!(!app.remove_subscription(id, user(8)).await.unwrap().subscribed);
        assert!(!eight.check_subscription(id).await.unwrap().subscribed);
        if version == V1_1 {
            assert!(!seven.unsubscribe(id).await.unwrap().subscribed);
            assert!(!seven.check_subscription(id).await.unwrap().subscribed);
        }

        assert_eq!(client.server_time().await.unwrap().as_second(), emulator.now().as_second());
        let offset = client.clock_offset().unwrap();
        assert!((3590..=3610).contains(&offset.as_secs()), "{offset}");
        let limit = client.rate_limit(Operation::ListWebhooks).unwrap();
        assert_eq!(limit.limit, Some(if version == V2 { 450 } else { 15 }));
        assert!(limit.remaining < limit.limit && limit.reset.is_some());
        assert!(seven.rate_limit(Operation::SendDirectMessage).is_some());
        assert!(eight.rate_limit(Operation::SendDirectMessage).is_none());
    }
}

#[tokio::test]
async fn v2_takes_oauth2_and_the_older_route() {
    let stage = Stage::new(V2).await;
    let url = stage.receiver.url("hook");
    // Without a bearer token the owner vouches for webhooks.
    let owner = Client::builder(stage.emulator.url().parse().unwrap())
        .consumer(stage.client.credentials().consumer.clone().unwrap())
        .owner(token(credentials::OWNER))
        .build()
        .unwrap();
    let id = owner.app().create_webhook(&url).await.unwrap().id;
    assert!(owner.app().validate_webhook(id).await.unwrap().valid);

    let seven = stage.client.user(oauth2(7));
    assert!(seven.subscribe(id).await.unwrap().subscribed);
    assert!(seven.check_subscription(id).await.unwrap().subscribed);
    let message = NewDirectMessage::text("hello").unwrap();
    seven.send_direct_message(user(8), &message).await.unwrap();
    let older =
        builder(&stage.emulator, V2).replay_route(ReplayRoute::AccountActivity).build().unwrap();
    stage.forward(Duration::from_secs(3600)).await;
    older.app().create_replay(id, stage.window(90, 40)).await.unwrap();
    owner.app().delete_webhook(id).await.unwrap();
}

#[tokio::test]
async fn an_invalid_webhook_is_ensured_to_be_valid() {
    for version in [V2, V1_1] {
        let stage = Stage::new(version).await;
        let (app, url) = (stage.client.app(), stage.receiver.url("hook"));
        let id = app.ensure_webhook(&url).await.unwrap().webhook.id;
        stage.receiver.fail_challenges(true);
        app.validate_webhook(id).await.unwrap_err();
        assert!(!app.list_webhooks().await.unwrap()[0].valid);
        assert!(app.ensure_webhook(&url).await.unwrap_err().api().unwrap().is_invalid_webhook());
        stage.receiver.fail_challenges(false);
        let ensured = app.ensure_webhook(&url).await.unwrap();
        assert_eq!((ensured.how, ensured.webhook.id), (Ensured::Validated, id));
        assert!(ensured.webhook.valid);
    }
}

#[tokio::test]
async fn two_who_ensure_the_same_webhook_share_it() {
    for version in [V2, V1_1] {
        for quota in [Quota::ENTERPRISE, Quota::PAY_PER_USE] {
            let stage = Stage::with(version, Settings { quota, ..Settings::default() }).await;
            let (app, url) = (stage.client.app(), stage.receiver.url("hook"));
            let (one, two) = tokio::join!(app.ensure_webhook(&url), app.ensure_webhook(&url));
            let (one, two) = (one.unwrap(), two.unwrap());
            assert_eq!(one.webhook, two.webhook);
            let existed = [one.how, two.how].iter().filter(|how| **how == Ensured::Existed).count();
            assert_eq!(existed, 1, "{one:?} {two:?}");
            let user = stage.client.user(token(7));
            let id = one.webhook.id;
            let (one, two) =
                tokio::join!(user.ensure_subscription(id), user.ensure_subscription(id));
            assert_ne!(one.unwrap(), two.unwrap());
            assert_eq!(stage.emulator.state().webhooks.len(), 1);
        }
    }
}

/// The local clock is ten minutes behind.
#[tokio::test]
async fn a_wrong_clock_costs_one_refusal_at_most() {
    for version in [V2, V1_1] {
        let strict = Settings { oauth_time: OauthTime::Strict, ..Settings::default() };
        let stage = Stage::with(version, strict).await;
        let id = stage.client.app().create_webhook(&stage.receiver.url("hook")).await.unwrap().id;
        stage.forward(Duration::from_secs(600)).await;

        // Who repeats nothing is told, and signs with the right time from then on.
        let once = builder(&stage.emulator, version).retry(RetryPolicy::none()).build().unwrap();
        let error = once.user(token(7)).subscribe(id).await.unwrap_err();
        assert!(error.is_unauthorized());
        assert!(error.to_string().contains("code 135"), "{error}");
        assert!(once.user(token(7)).subscribe(id).await.unwrap().subscribed);

        // Others need not notice.
        let client = builder(&stage.emulator, version).build().unwrap();
        assert!(client.user(token(8)).subscribe(id).await.unwrap().subscribed);
        let client = builder(&stage.emulator, version).build().unwrap();
        client.oauth().request_token(&Callback::OUT_OF_BAND).await.unwrap();

        // Nor when the clocks agree again.
        stage.emulator.reset();
        assert!(client.user(token(8)).subscribe(id).await.unwrap_err().is_not_found());
    }
}

#[tokio::test]
async fn many_users_at_a_time() {
    for version in [V2, V1_1] {
        let stage = Stage::new(version).await;
        let url = stage.receiver.url("hook");
        let id = stage.client.app().create_webhook(&url).await.unwrap().id;
        let bulk: Bulk = stage.client.bulk(id);
        let users = (1..=30).map(|number| (user(number), token(number).into()));
        let report = bulk.subscribe(users, |_| ()).await;
        assert!(report.is_complete(), "{report:?}");
        let listed = stage.client.app().list_subscriptions(id).await.unwrap();
        assert_eq!(listed.subscriptions.len(), 30);
        // The last is nobody who ever subscribed.
        let report = bulk.unsubscribe((1..=31).map(user), |_| ()).await;
        assert!(report.is_complete(), "{report:?}");
        let last = &report.results()[30].1;
        assert_eq!(*last, BulkResult::Done(aaa_client::Removed::WasAbsent));
        let listed = stage.client.app().list_subscriptions(id).await.unwrap();
        assert!(listed.subscriptions.is_empty());
    }
}

/// Pauses by setting the emulator's clock forward, so that only X's clock can end a wait.
struct Forward(ReqwestTransport, Arc<Emulator>);

impl Transport for Forward {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.0.send(request).await
    }

    fn pause(&self, duration: Duration) -> Option<impl Future<Output = ()> + Send> {
        let emulator = Arc::clone(&self.1);
        Some(async move {
            emulator.advance(duration).await.unwrap();
        })
    }
}

fn patient(stage: &Stage, version: ApiVersion) -> (Client<Forward>, Arc<std::sync::Mutex<u32>>) {
    let waits = Arc::new(std::sync::Mutex::new(0));
    let told = Arc::clone(&waits);
    let api = stage.emulator.url().parse().unwrap();
    let transport = ReqwestTransport::new(&api, Timeouts::default()).unwrap();
    let client = builder(&stage.emulator, version)
        .on_wait(move |wait| *told.lock().unwrap() += u32::from(wait.is_rate_limit()))
        .build_with(Forward(transport, Arc::clone(&stage.emulator)));
    (client, waits)
}

#[tokio::test]
async fn a_real_rate_limit_is_waited_for_until_its_reset() {
    let stage = Stage::new(V1_1).await;
    let (client, waits) = patient(&stage, V1_1);
    // The first call comes late in a second, the last early in the next: a limit that ended within a
    // second could not be told, since X tells whole ones.
    let late = 1900 - stage.emulator.now().subsec_millisecond().unsigned_abs();
    stage.forward(Duration::from_millis(late.into())).await;
    // 15 in 15 minutes are allowed.
    for _ in 0..32 {
        client.app().list_webhooks().await.unwrap();
        stage.forward(Duration::from_millis(20)).await;
    }
    assert_eq!(*waits.lock().unwrap(), 2);
    let error = stage.client.app();
    for _ in 0..15 {
        drop(error.list_webhooks().await);
    }
    let error = error.list_webhooks().await.unwrap_err();
    assert!(error.is_rate_limited() && error.is_retryable() && !error.maybe_done());
    assert_eq!(error.rate_limit().unwrap().remaining, Some(0));
}

#[tokio::test]
async fn trouble_is_ridden_out_where_that_is_safe() {
    for version in [V2, V1_1] {
        let stage = Stage::new(version).await;
        let (client, _) = patient(&stage, version);
        let id = client.app().create_webhook(&stage.receiver.url("hook")).await.unwrap().id;
        for (status, times) in [(500, 2), (503, 2), (429, 1)] {
            stage.fail(called::Operation::ValidateWebhook, status, times);
            assert!(client.app().validate_webhook(id).await.unwrap().valid);
        }
        stage.forward(Duration::from_secs(3600)).await;
        stage.fail(called::Operation::CreateReplay, 503, 1);
        let error = client.app().create_replay(id, stage.window(90, 40)).await.unwrap_err();
        assert!(error.maybe_done() && error.is_retryable());
        assert!(stage.emulator.ledger().jobs.is_empty());
        assert!(stage.emulator.faults().faults.iter().all(|fault| fault.fired == fault.planned));
    }
}
