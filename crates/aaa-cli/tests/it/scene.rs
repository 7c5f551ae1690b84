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
}

impl Scene {
    /// Starts everything; an event happens and arrives.
    pub(crate) async fn new(recover: &str) -> Self {
        Self::with(Settings::default(), &["--recover", recover]).await
    }

    /// The same with another X, and other flags for the receiver.
    pub(crate) async fn with(settings: Settings, args: &[&str]) -> Self {
        let lab = Lab::with(settings).await;
        let mut scene =
            Self { lab, bind: "127.0.0.1:0".into(), webhook: String::new(), receiver: None };
        scene.listen(args).await;
        let url = format!("{}/webhooks/twitter", scene.receiver.as_ref().unwrap().url);
        let webhook = scene.lab.json(&["webhooks", "create", &url]).await;
        scene.webhook = webhook["id"].as_str().unwrap().to_owned();
        scene.lab.store(7, &aaa_emulator::credentials::user_token(7).token);
        scene.lab.json(&["subscriptions", "add", &scene.webhook, "--user", "7"]).await;
        scene.happen(1).await;
        scene
    }

    pub(crate) async fn listen(&mut self, args: &[&str]) {
        let all = [&["listen", "--format", "none", "--bind", &self.bind][..], args].concat();
        let receiver = Server::start(self.lab.command(&all)).await;
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

    /// The receiver is away for so many hours, in each of which two events happen.
    pub(crate) async fn outage(&mut self, hours: u32) {
        self.stop().await;
        for _ in 0..hours {
            self.happen(2).await;
            self.forward(HOUR).await;
        }
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Done {
        self.lab.run(&[&["replay"][..], args].concat()).await
    }

    pub(crate) async fn json(&self, args: &[&str]) -> Value {
        self.lab.json(&[&["replay"][..], args].concat()).await
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

    /// Looks at the status until it is as it should be.
    pub(crate) async fn until(&self, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let look = async {
            loop {
                let status = self.json(&["status"]).await;
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
