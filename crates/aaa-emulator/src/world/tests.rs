//! The world driven by hand: every effect is carried out, refused or forgotten by the test.

mod checks;
mod deliveries;
mod faults;
mod generations;
mod grants;
mod messages;
mod other_products;
mod properties;
mod replays;
mod snapshots;
mod traffic;

use std::collections::HashMap;

use aaa_types::{ConsumerSecret, UserId, WebhookId, api};
use aaa_webhook::{crc::CrcToken, signature::Signature};
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::{
    control::Trigger,
    credentials,
    settings::{Generation, TimeMode},
};

/// A world, its time, and what it wants done.
struct Sim {
    world: World,
    now: Timestamp,
    checks: Vec<Check>,
    posts: Vec<Post>,
    answers: HashMap<Ticket, Outcome>,
    jumps: Vec<SignedDuration>,
}

/// A whole minute, so that edges are easy to name.
fn start() -> Timestamp {
    "2025-11-22T04:00:00Z".parse().unwrap()
}

fn user(id: u64) -> UserId {
    UserId::try_from(id).unwrap()
}

fn secret() -> ConsumerSecret {
    credentials::CONSUMER_SECRET.parse().unwrap()
}

/// The settings of most tests: nothing is paced.
fn still() -> Settings {
    Settings { time: TimeMode::Virtual, ..Settings::default() }
}

impl Sim {
    fn new(settings: Settings) -> Self {
        let world = World::new(settings, start());
        let (checks, posts, answers) = (Vec::new(), Vec::new(), HashMap::new());
        Self { world, now: start(), checks, posts, answers, jumps: Vec::new() }
    }

    /// With one webhook, to which users 7 and 8 are subscribed.
    fn subscribed(settings: Settings) -> (Self, WebhookId) {
        let mut sim = Self::new(settings);
        let webhook = sim.register("http://127.0.0.1:1/hook").unwrap().id;
        for id in [7, 8] {
            sim.world.subscribe(webhook, user(id), sim.now).unwrap();
        }
        (sim, webhook)
    }

    /// Collects what the world wants.
    fn collect(&mut self) {
        for effect in self.world.take_effects() {
            match effect {
                Effect::Check(check) => self.checks.push(check),
                Effect::Post(post) => self.posts.push(post),
                Effect::Answer(ticket, outcome) => {
                    let before = self.answers.insert(ticket, outcome);
                    assert!(before.is_none(), "a ticket is answered once");
                }
                Effect::JumpClock(by) => self.jumps.push(by),
            }
        }
    }

    fn pass(&mut self, by: SignedDuration) {
        self.now += by;
        self.world.wake(self.now);
        self.collect();
    }

    /// Answers all challenges, rightly or with what is given.
    fn answer_checks(&mut self, heard: Option<Heard>) {
        self.collect();
        for check in std::mem::take(&mut self.checks) {
            let heard = heard.clone().unwrap_or_else(|| Ok(right_answer(&check)));
            self.world.check_ended(check.id, heard, self.now);
        }
        self.collect();
    }

    /// Answers the deliveries under way, and those that follow, until none is left.
    fn answer_posts(&mut self, status: u16) -> Vec<Post> {
        let mut answered = Vec::new();
        self.collect();
        while !self.posts.is_empty() {
            for post in std::mem::take(&mut self.posts) {
                let answer = Answer::new(status, "");
                self.world.delivery_ended(post.id, Ok(answer), self.now);
                answered.push(post);
            }
            self.collect();
        }
        answered
    }

    fn register(&mut self, url: &str) -> Result<api::Webhook, Refusal> {
        let ticket = self.world.register(url, Generation::V2, self.now)?;
        self.answer_checks(None);
        match self.answers.remove(&ticket) {
            Some(Outcome::Registered(result)) => result,
            other => panic!("{other:?}"),
        }
    }

    fn trigger(&mut self, kind: &str, count: u32) -> Vec<String> {
        let ask = Trigger::new(kind, user(7)).with_count(count);
        let made = self.world.trigger(&ask, self.now).unwrap();
        made.events.into_iter().map(|event| event.key).collect()
    }

    /// Asks for a replay and passes its check.
    fn replay(
        &mut self,
        webhook: WebhookId,
        from: &str,
        to: &str,
    ) -> Result<api::ReplayJob, Refusal> {
        let ticket = self.world.replay(webhook, from, to, Generation::V2, self.now)?;
        self.answer_checks(None);
        match self.answers.remove(&ticket) {
            Some(Outcome::Replaying(result)) => result,
            other => panic!("{other:?}"),
        }
    }

    fn is_valid(&self) -> bool {
        self.world.webhooks()[0].valid
    }
}

fn token(check: &Check) -> String {
    let query = check.uri.split_once('?').unwrap().1;
    CrcToken::from_query(query).unwrap().as_str().to_owned()
}

fn right_answer(check: &Check) -> Answer {
    let body = CrcToken::parse(&token(check)).unwrap().answer(&secret());
    Answer::new(200, body)
}

fn verifies(post: &Post) -> bool {
    Signature::parse(&post.signature).unwrap().verifies(&secret(), &post.body)
}
