//! The way of a delivery, from X to the inbox and back.

use aaa_emulator::{
    control::{Action, Deliver, Fault, Match},
    world::{Answer, Check, DeliveryId, Heard, Post, Silence},
};
use aaa_replay::{coverage::Tally, engine::Flaw};
use aaa_types::{event::Event as Decoded, payload::ReplayJobStatus};
use aaa_webhook::{
    app::App,
    crc::CrcToken,
    delivery::{Durable, Received, Rejection, VerifiedDelivery},
    signature::{self, Signature},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::{Event, Sim, driving::Who};
use crate::{
    clock::{MINUTE, Millis, SECOND},
    disk::Failure,
    fault::Kind,
    scenario::Happening,
};

/// The kind of the delivery that tells the end of a job.
const JOB_STATUS: &str = "replay_job_status";

/// How long a receiver lets a delivery wait for its commit.
const PATIENCE: Millis = 2500;

/// How long a slow commit takes.
const SLOW_COMMIT: Millis = 4 * SECOND;

impl Sim {
    /// A delivery leaves X.
    pub(super) fn send(&mut self, post: Post) {
        let way = if self.take_slow(Kind::SlowWay) {
            self.rng.i64(3 * SECOND..9 * SECOND)
        } else {
            self.rng.i64(5..250)
        };
        let run = self.process.as_ref().map(|process| process.run);
        let sent = self.clocks.now();
        self.later(way, Event::Arrives { post, sent, run });
    }

    /// A delivery arrives, if there is still somebody at the other end.
    pub(super) fn arrive(
        &mut self,
        post: Post,
        sent: Millis,
        run: Option<u64>,
    ) -> Result<(), Failure> {
        let now = self.clocks.now();
        let deadline = sent + i64::try_from(post.deadline.as_millis()).unwrap_or(Millis::MAX);
        let Some(process) = &self.process else {
            self.closed(post.id);
            return Ok(());
        };
        if Some(process.run) != run {
            // The connection ended with the run that it was made to.
            self.closed(post.id);
            return Ok(());
        }
        if let Some(still) = process.still {
            // The machine's kernel takes it, if that is awake, and the process reads it later.
            if still.until < deadline || !still.sleeps {
                self.later(still.until - now, Event::Arrives { post, sent, run });
            } else {
                self.later(deadline - now, Event::TimesOut(post.id));
            }
            return Ok(());
        }
        let is_fickle = self.settings.flaw == Some(Flaw::FickleReceiver) && self.rng.u8(..) < 8;
        let verified = if is_fickle { Err(403) } else { self.verify(&post) };
        let delivery = match verified {
            Ok(delivery) => {
                self.count(|tally| {
                    tally.verified += 1;
                    tally.arrived += 1;
                });
                self.proved();
                delivery
            }
            Err(status) => {
                self.count(|tally| tally.rejected += 1);
                let (x, believed) = self.both_times();
                self.truth.reject(process_run(self), x, believed);
                self.suspected |= self.process.as_ref().is_some_and(|process| process.wrong);
                self.note_able();
                self.answer(post.id, status);
                return Ok(());
            }
        };
        if self.killed_at(Who::Listener, Kind::CrashBeforeCommit)? {
            self.closed(post.id);
            return Ok(());
        }
        if self.trapped() {
            self.refuse(post.id, "a trap");
            return Ok(());
        }
        if self.take_slow(Kind::SlowCommit) {
            let run = process_run(self);
            self.later(PATIENCE, Event::Late { delivery: post.id, run });
            let delivery = Box::new(delivery);
            self.later(SLOW_COMMIT, Event::Commits { delivery, run });
            return Ok(());
        }
        let Some(durable) = self.commit(delivery) else {
            self.refuse(post.id, "the store");
            return Ok(());
        };
        if self.killed_at(Who::Listener, Kind::CrashAfterCommit)? {
            self.closed(post.id);
            return Ok(());
        }
        let status = durable.acknowledge().status().as_u16();
        if now < deadline {
            self.answer(post.id, status);
        } else {
            self.times_out(post.id);
        }
        Ok(())
    }

    /// Returns the app with the secret that the process has.
    fn app(&self) -> &App {
        let wrong = self.process.as_ref().is_some_and(|process| process.wrong);
        if wrong { &self.wrong_app } else { &self.app }
    }

    /// Something with a right signature has arrived: what was missed while none was is known with
    /// the next heartbeat.
    fn proved(&mut self) {
        if std::mem::take(&mut self.suspected) {
            self.say(|| "the secret has proved itself".to_owned());
            self.look_soon();
            self.note_able();
        }
    }

    fn count(&mut self, count: impl FnOnce(&mut Tally)) {
        if let Some(process) = &mut self.process {
            count(&mut process.tally);
        }
    }

    /// Verifies as the receiver does; the error is its answer.
    fn verify(&self, post: &Post) -> Result<VerifiedDelivery, u16> {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&post.signature) {
            headers.insert(signature::HEADER, value);
        }
        let now = self.clocks.wall_at(self.clocks.now());
        let received = Received::new(post.body.clone(), now);
        received.verify(&headers, std::slice::from_ref(self.app())).map_err(|why| match why {
            Rejection::Signature(_) => 401,
            Rejection::WrongSignature => 403,
            _ => 400,
        })
    }

    /// Makes a delivery durable; what tells the end of a job is handed to the driver.
    fn commit(&mut self, delivery: VerifiedDelivery) -> Option<Durable> {
        let statuses = statuses(&delivery);
        let keys = self.log.is_some().then(|| {
            let events = delivery.events().iter();
            events.map(|event| event.identity().to_string()).collect::<Vec<_>>().join(", ")
        });
        let durable = self.disk.commit(delivery).ok()?;
        let receipt = durable.receipt();
        self.say(|| {
            let word = if receipt.stored > 0 { "stored" } else { "known" };
            format!("{word}: {}", keys.unwrap_or_default())
        });
        // A copy is not read again.
        if receipt.stored > 0 && !statuses.is_empty() {
            self.completed(statuses);
        }
        Some(durable)
    }

    pub(super) fn commit_late(&mut self, delivery: VerifiedDelivery, run: u64) {
        if process_run(self) == run {
            let _ = self.commit(delivery);
        }
    }

    pub(super) fn give_up(&mut self, delivery: DeliveryId, run: u64) {
        if process_run(self) == run {
            self.refuse(delivery, "too slow");
        } else {
            self.closed(delivery);
        }
    }

    /// A verified delivery is not taken.
    fn refuse(&mut self, delivery: DeliveryId, why: &str) {
        self.say(|| format!("a verified delivery is refused: {why}"));
        self.troubles += 1;
        if let Some(process) = &mut self.process {
            process.tally.refusals += 1;
        }
        let (x, believed) = self.both_times();
        self.truth.disturb(x, believed);
        self.look_soon();
        self.answer(delivery, 503);
    }

    fn answer(&mut self, delivery: DeliveryId, status: u16) {
        if status != 200 && status != 503 {
            self.say(|| format!("a delivery is answered {status}"));
        }
        self.ended(delivery, Ok(Answer::new(status, Bytes::new())));
    }

    fn closed(&mut self, delivery: DeliveryId) {
        self.troubles += 1;
        self.ended(delivery, Err(Silence::Closed("reset".to_owned())));
    }

    pub(super) fn times_out(&mut self, delivery: DeliveryId) {
        self.troubles += 1;
        self.ended(delivery, Err(Silence::TimedOut));
    }

    fn ended(&mut self, delivery: DeliveryId, heard: Heard) {
        self.world.delivery_ended(delivery, heard, self.clocks.x());
        self.carry_out();
    }

    /// Answers a challenge.
    pub(super) fn check(&mut self, check: &Check) {
        let heard = match &self.process {
            None => Err(Silence::Closed("refused".to_owned())),
            Some(process) if process.still.is_some() => Err(Silence::TimedOut),
            Some(_) => Ok(self.check_answer(check)),
        };
        if heard.is_err() {
            self.troubles += 1;
        }
        self.world.check_ended(check.id, heard, self.clocks.x());
        self.note_spells();
        self.carry_out();
    }

    fn check_answer(&mut self, check: &Check) -> Answer {
        let query = check.uri.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let is_forged = check.signature.as_deref().is_some_and(|text| {
            let signature = Signature::parse(text).ok();
            !signature.is_some_and(|it| it.verifies(self.app().active(), query.as_bytes()))
        });
        let Ok(token) = CrcToken::from_query(query) else {
            return Answer::new(400, Bytes::new());
        };
        if is_forged {
            return Answer::new(403, Bytes::new());
        }
        // Later a history may come to rest before the webhook is valid again.
        if self.wrong_checks > 0 && self.clocks.now() < self.scenario.end {
            self.wrong_checks -= 1;
            self.tally.fire(Kind::Invalid);
            self.troubles += 1;
            self.say(|| "a check is answered wrongly".to_owned());
            self.truth.set_back(2 * 60 * MINUTE, self.clocks.now());
            let notice = self.rng.i64(MINUTE..60 * MINUTE);
            self.later(notice, Event::Happening(Happening::Validate));
            let body =
                r#"{"response_token":"sha256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"#;
            return Answer::new(200, Bytes::from_static(body.as_bytes()));
        }
        let signed = u64::from(check.signature.is_some());
        self.count(|tally| {
            tally.verified += signed;
            tally.arrived += 1;
        });
        if signed > 0 {
            self.proved();
        }
        Answer::new(200, token.answer(self.app().active()))
    }

    /// Somebody posts what X never signed, and what X once signed for somebody else.
    pub(super) fn forge(&mut self) {
        let Some(webhook_id) = self.some_webhook() else { return };
        self.tally.fire(Kind::Forged);
        self.say(|| "forged deliveries".to_owned());
        let other = "some-other-secret".parse().ok();
        for (number, signed) in [(0, false), (1, true), (2, true)] {
            let body = format!(
                r#"{{"for_user_id":"7","favorite_events":[{{"id":"forged-{number}-{}"}}]}}"#,
                self.rng.u32(..)
            );
            let signature = other.as_ref().filter(|_| signed);
            let signature = signature.map(|secret| Signature::of(secret, body.as_bytes()));
            let signature = signature.map_or_else(|| "none".to_owned(), |s| s.to_string());
            let ask = Deliver { webhook_id, body, signature: Some(signature) };
            let _ = self.world.deliver(ask, self.clocks.x());
        }
        self.carry_out();
    }

    /// Says whether a delivery of a job falls into a trap: it is refused, and X calls the job
    /// complete all the same.
    fn trapped(&mut self) -> bool {
        if self.traps == 0 || !self.has_running_job() {
            return false;
        }
        let fault = Fault { when: Match::default(), action: Action::CompleteJob, times: 1 };
        if self.world.plan_fault(fault).is_err() {
            return false;
        }
        self.planned.push(Some(Kind::FalseComplete));
        self.traps -= 1;
        true
    }

    fn take_slow(&mut self, kind: Kind) -> bool {
        let Some(index) = self.slow.iter().position(|slow| *slow == kind) else { return false };
        self.slow.swap_remove(index);
        self.tally.fire(kind);
        true
    }
}

fn process_run(sim: &Sim) -> u64 {
    sim.process.as_ref().map(|process| process.run).unwrap_or_default()
}

/// Returns the ends of jobs that a delivery tells.
fn statuses(delivery: &VerifiedDelivery) -> Vec<ReplayJobStatus> {
    let events = delivery.events().iter().filter(|event| event.identity().kind() == JOB_STATUS);
    events
        .filter_map(|event| {
            let payload = delivery.body().slice(event.payload());
            let payload = std::str::from_utf8(&payload).ok()?.to_owned();
            match Decoded::decode(JOB_STATUS, &payload) {
                Decoded::ReplayJobStatus(status) => Some(status),
                _ => None,
            }
        })
        .collect()
}
