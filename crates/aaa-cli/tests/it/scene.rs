//! A receiver that is stopped and killed, and an emulated X whose clock is set forward.

use std::{collections::BTreeSet, time::Duration};

use aaa_emulator::{control::Trigger, settings::Settings};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    lab::Lab,
    support::{Done, PATIENCE, Server},
};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

/// An emulated X, a registered webhook with a subscribed user, and a receiver.
pub(crate) struct Scene {
    pub(crate) lab: Lab,
    pub(crate) bind: String,
    pub(crate) webhook: String,
    pub(crate) receiver: Option<Server>,
    /// The generation of the API that everything speaks.
    api: &'static str,
    /// Where the receiver finds X.
    pub(crate) x: String,
}

impl Scene {
    /// Starts everything; an event happens and arrives.
    pub(crate) async fn new(recover: &str) -> Self {
        Self::with(Settings::default(), &["--recover", recover]).await
    }

    /// The same with another X, and other flags for the receiver.
    pub(crate) async fn with(settings: Settings, args: &[&str]) -> Self {
        Self::of("v2", settings, args).await
    }

    /// The same with a generation of the API.
    pub(crate) async fn of(api: &'static str, settings: Settings, args: &[&str]) -> Self {
        let lab = Lab::with(settings).await;
        let (bind, x) = ("127.0.0.1:0".to_owned(), lab.emulator.url());
        let mut scene = Self { lab, bind, webhook: String::new(), receiver: None, api, x };
        scene.listen(args).await;
        let url = scene.url();
        let webhook = scene.lab.json(&["webhooks", "create", &url, "--api", api]).await;
        scene.webhook = webhook["id"].as_str().unwrap().to_owned();
        scene.subscribe(7).await;
        scene.happen(1).await;
        scene
    }

    /// The webhook's URL at the receiver that runs.
    pub(crate) fn url(&self) -> String {
        format!("{}/webhooks/twitter", self.receiver.as_ref().unwrap().url)
    }

    /// Subscribes a user, whose token is stored from now on.
    pub(crate) async fn subscribe(&self, user: u64) {
        self.lab.store(user, &aaa_emulator::credentials::user_token(user).token);
        let (webhook, user) = (&self.webhook, user.to_string());
        let add = ["subscriptions", "add", webhook, "--user", &user, "--api", self.api];
        self.lab.json(&add).await;
    }

    pub(crate) async fn listen(&mut self, args: &[&str]) {
        let own = ["listen", "--format", "none", "--bind", &self.bind, "--api", self.api];
        let mut command = self.lab.command(&[&own[..], args].concat());
        command.env("X_API_URL", &self.x);
        let receiver = Server::start(command).await;
        self.bind = receiver.url.strip_prefix("http://").unwrap().to_owned();
        self.receiver = Some(receiver);
    }

    pub(crate) async fn stop(&mut self) {
        assert_eq!(self.receiver.take().unwrap().end().await, 0);
    }

    pub(crate) async fn kill(&mut self) {
        let mut receiver = self.receiver.take().unwrap();
        receiver.child.kill().await.unwrap();
    }

    /// Lets user 7 be followed; the deliveries end, well or not.
    pub(crate) async fn happen(&self, count: u32) {
        let trigger = Trigger::new("follow_events", "7".parse().unwrap()).with_count(count);
        self.lab.emulator.trigger_and_wait(&trigger).await.unwrap();
    }

    pub(crate) async fn forward(&self, by: Duration) {
        self.lab.emulator.advance(by).await.unwrap();
    }

    /// Waits until the receiver knows X's time.
    pub(crate) async fn noticed(&self) {
        let now = self.lab.emulator.now();
        self.until(|status| {
            let last = status["receiver"]["last_heartbeat"].as_str().unwrap();
            last.parse::<jiff::Timestamp>().unwrap() >= now
        })
        .await;
    }

    /// The receiver is away for so many hours, in each of which two events happen.
    pub(crate) async fn outage(&mut self, hours: u32) {
        self.stop().await;
        for _ in 0..hours {
            self.happen(2).await;
            self.forward(HOUR).await;
        }
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Done {
        self.lab.run(&[&["replay", "--api", self.api][..], args].concat()).await
    }

    pub(crate) async fn json(&self, args: &[&str]) -> Value {
        self.lab.json(&[&["replay", "--api", self.api][..], args].concat()).await
    }

    /// The keys of everything that X sent, and those in the inbox.
    pub(crate) async fn keys(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let sent = self.lab.emulator.ledger().events.into_iter().map(|event| event.key).collect();
        let listed = self.lab.run(&["events", "list", "--json"]).await.stdout;
        let stored = listed.lines().map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            (event["kind"] == "follow_events").then(|| event["key"].as_str().unwrap().to_owned())
        });
        (sent, stored.flatten().collect())
    }

    pub(crate) async fn missing(&self) -> usize {
        let (sent, stored) = self.keys().await;
        sent.difference(&stored).count()
    }

    /// Looks at the status until it is as it should be. X is not asked for that where it allows
    /// few calls.
    pub(crate) async fn until(&self, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let args: &[&str] = if self.api == "v2" { &["status"] } else { &["status", "--offline"] };
        let look = async {
            loop {
                let status = self.json(args).await;
                if holds(&status) {
                    return status;
                }
                last = status;
                sleep(Duration::from_millis(100)).await;
            }
        };
        let found = timeout(PATIENCE, look).await;
        found.unwrap_or_else(|_| panic!("the status never came; the last: {last}"))
    }
}

pub(crate) fn length(value: &Value) -> usize {
    value.as_array().unwrap().len()
}

pub(crate) fn minutes(window: &Value) -> (aaa_types::UtcMinute, aaa_types::UtcMinute) {
    let minute = |name: &str| window[name].as_str().unwrap().parse().unwrap();
    (minute("from_date"), minute("to_date"))
}
