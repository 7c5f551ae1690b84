//! Makes every call of a generation against the emulator, with success and with failure.

use std::error::Error;

use aaa_auth::{Consumer, Credentials, UserCredential, UserToken};
use aaa_client::{
    ApiVersion, AppClient, Client, ClientBuilder, ClientError, ReqwestTransport, RetryPolicy,
    Timeouts, v2::ReplayRoute,
};
use aaa_emulator::{
    Emulator,
    control::{Action, Fault, Operation},
    credentials,
    settings::{ReplayAnswer, Settings},
};
use aaa_types::{ReplayWindow, UserId, UtcMinute, WebhookId, api::NewDirectMessage};
use jiff::SignedDuration;

use crate::{
    record::{Exchange, Recorder},
    webhook::Webhook,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The user whose account is subscribed.
const USER: u64 = 7;

/// The user who is written to.
const FRIEND: u64 = 8;

/// An id that nothing has.
const NOBODY: &str = "9";

/// Makes every call of a generation, and returns what went over the wire.
pub(crate) async fn run(version: ApiVersion) -> Outcome<Vec<Exchange>> {
    let mut scene = Scene::start(version, Settings::default()).await?;
    scene.webhooks().await?;
    scene.subscriptions().await?;
    scene.replays().await?;
    scene.credentials().await?;
    if version == ApiVersion::V2 {
        scene.messages().await?;
    }
    let mut traffic = scene.end().await;
    if version == ApiVersion::V2 {
        traffic.extend(older_replay_route().await?);
    }
    Ok(traffic)
}

/// The replay route that is deprecated. X's description of it and its guide contradict each other
/// about the answer, so the emulator is told to play the description.
async fn older_replay_route() -> Outcome<Vec<Exchange>> {
    let settings = Settings { replay_answer: ReplayAnswer::Flat, ..Settings::default() };
    let scene = Scene::start(ApiVersion::V2, settings).await?;
    let client = scene.builder(all_credentials()?)?.replay_route(ReplayRoute::AccountActivity);
    let app = scene.build(client).app();
    let hook = app.create_webhook(&scene.webhook.right(1).parse()?).await?;
    app.create_replay(hook.id, scene.window(60, 40)?).await?;
    refused(app.create_replay(hook.id, scene.window(60, 2)?).await)?;
    refused(app.create_replay(NOBODY.parse()?, scene.window(60, 40)?).await)?;
    Ok(scene.end().await)
}

/// An emulator, a webhook, and a client between them that keeps what it sends.
struct Scene {
    version: ApiVersion,
    emulator: Emulator,
    webhook: Webhook,
    recorder: Recorder,
    app: AppClient<Recorder>,
    /// A webhook that was registered.
    hook: Option<WebhookId>,
}

impl Scene {
    async fn start(version: ApiVersion, settings: Settings) -> Outcome<Self> {
        let emulator = Emulator::builder().settings(settings).start().await?;
        let webhook = Webhook::start(credentials::CONSUMER_SECRET.parse()?).await?;
        let api = emulator.url().parse()?;
        let recorder = Recorder::new(ReqwestTransport::new(&api, Timeouts::default())?);
        let builder = ClientBuilder::new(api).version(version).credentials(all_credentials()?);
        let app = builder.retry(RetryPolicy::none()).build_with(recorder.clone()).app();
        Ok(Self { version, emulator, webhook, recorder, app, hook: None })
    }

    async fn end(self) -> Vec<Exchange> {
        self.emulator.shutdown().await;
        self.recorder.take()
    }

    fn builder(&self, credentials: Credentials) -> Outcome<ClientBuilder> {
        let builder = ClientBuilder::new(self.emulator.url().parse()?).version(self.version);
        Ok(builder.credentials(credentials).retry(RetryPolicy::none()))
    }

    fn build(&self, builder: ClientBuilder) -> Client<Recorder> {
        builder.build_with(self.recorder.clone())
    }

    fn client(&self, credentials: Credentials) -> Outcome<Client<Recorder>> {
        Ok(self.build(self.builder(credentials)?))
    }

    fn hook(&self) -> Outcome<WebhookId> {
        self.hook.ok_or_else(|| "there is no webhook yet".into())
    }

    /// A window that began and ended so many minutes ago.
    fn window(&self, from: i64, to: i64) -> Outcome<ReplayWindow> {
        let ago =
            |minutes| UtcMinute::floor(self.emulator.now() - SignedDuration::from_mins(minutes));
        Ok(ReplayWindow::new(ago(from), ago(to))?)
    }

    async fn webhooks(&mut self) -> Outcome<()> {
        let app = &self.app;
        app.list_webhooks().await?;
        let hook = app.create_webhook(&self.webhook.right(1).parse()?).await?.id;
        app.list_webhooks().await?;
        app.validate_webhook(hook).await?;

        for url in [self.webhook.right(1), self.webhook.wrong(), self.webhook.missing()] {
            refused(app.create_webhook(&url.parse()?).await)?;
        }
        for number in 2..=5 {
            app.create_webhook(&self.webhook.right(number).parse()?).await?;
        }
        refused(app.create_webhook(&self.webhook.right(6).parse()?).await)?;
        refused(app.validate_webhook(NOBODY.parse()?).await)?;
        refused(app.delete_webhook(NOBODY.parse()?).await)?;

        for webhook in app.list_webhooks().await? {
            if webhook.id != hook {
                app.delete_webhook(webhook.id).await?;
            }
        }
        self.hook = Some(hook);
        Ok(())
    }

    async fn subscriptions(&self) -> Outcome<()> {
        let (app, hook, nobody) = (&self.app, self.hook()?, NOBODY.parse()?);
        let client = self.client(all_credentials()?)?;
        let user = client.user(token(USER)?);
        if user.check_subscription(hook).await?.subscribed {
            return Err("the user is subscribed before being subscribed".into());
        }
        user.subscribe(hook).await?;
        user.check_subscription(hook).await?;
        app.list_subscriptions(hook).await?;
        app.count_subscriptions().await?;

        refused(user.subscribe(hook).await)?;
        refused(user.subscribe(nobody).await)?;
        refused(user.check_subscription(nobody).await)?;
        refused(app.list_subscriptions(nobody).await)?;
        refused(app.remove_subscription(nobody, user_id(USER)?).await)?;
        refused(app.remove_subscription(hook, user_id(FRIEND)?).await)?;

        app.remove_subscription(hook, user_id(USER)?).await?;
        match self.version {
            ApiVersion::V2 => {
                let token = credentials::user_token(USER).oauth2.parse()?;
                let user = client.user(UserCredential::OAuth2(token));
                user.subscribe(hook).await?;
                user.check_subscription(hook).await?;
            }
            _ => {
                user.subscribe(hook).await?;
                user.unsubscribe(hook).await?;
            }
        }
        Ok(())
    }

    async fn replays(&self) -> Outcome<()> {
        let (app, hook) = (&self.app, self.hook()?);
        app.create_replay(hook, self.window(60, 40)?).await?;
        refused(app.create_replay(NOBODY.parse()?, self.window(60, 40)?).await)?;
        // Too old, and too young.
        refused(app.create_replay(hook, self.window(10 * 24 * 60, 40)?).await)?;
        refused(app.create_replay(hook, self.window(60, 2)?).await)?;
        Ok(())
    }

    async fn credentials(&self) -> Outcome<()> {
        // Where both kinds are taken, the signature of the app's owner too.
        let signing = Credentials { bearer: None, ..all_credentials()? };
        let app = self.client(signing)?.app();
        let hook = app.create_webhook(&self.webhook.right(7).parse()?).await?.id;
        app.validate_webhook(hook).await?;
        app.delete_webhook(hook).await?;

        let wrong = Credentials::default().with_bearer("nobodys".parse()?);
        refused(self.client(wrong)?.app().list_webhooks().await)?;
        let unsigned = Consumer::new(credentials::CONSUMER_KEY.parse()?, "wrong".parse()?);
        let wrong = Credentials { consumer: Some(unsigned), bearer: None, ..all_credentials()? };
        refused(self.client(wrong)?.app().validate_webhook(self.hook()?).await)?;

        for status in [429, 500, 503] {
            let mut fault = Fault::new(Action::Respond { status, form: None });
            fault.when.operation = Some(Operation::ListWebhooks);
            self.emulator.plan_fault(fault)?;
            refused(self.app.list_webhooks().await)?;
        }
        Ok(())
    }

    async fn messages(&self) -> Outcome<()> {
        let client = self.client(all_credentials()?)?;
        let oauth2 = UserCredential::OAuth2(credentials::user_token(USER).oauth2.parse()?);
        for user in [client.user(token(USER)?), client.user(oauth2)] {
            let message = NewDirectMessage::text("Hello Ladies + Gentlemen, \"a\" message: é")?;
            user.send_direct_message(user_id(FRIEND)?, &message).await?;
        }
        Ok(())
    }
}

/// Makes sure that the API refused.
fn refused<T>(result: Result<T, ClientError>) -> Outcome<()> {
    match result {
        Err(error) if error.api().is_some() => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err("a call succeeded that must be refused".into()),
    }
}

fn all_credentials() -> Outcome<Credentials> {
    let consumer =
        Consumer::new(credentials::CONSUMER_KEY.parse()?, credentials::CONSUMER_SECRET.parse()?);
    let credentials = Credentials::default()
        .with_consumer(consumer)
        .with_owner(token(credentials::OWNER)?)
        .with_bearer(credentials::BEARER_TOKEN.parse()?);
    Ok(credentials)
}

fn token(user: u64) -> Outcome<UserToken> {
    let tokens = credentials::user_token(user);
    Ok(UserToken::new(tokens.token.parse()?, tokens.secret.parse()?))
}

fn user_id(user: u64) -> Outcome<UserId> {
    Ok(user.to_string().parse()?)
}
