//! A day in the life of a receiver, written into a store: what pages show when there is something
//! to show. X is canned, since an emulated one has not been there for a day.

use aaa_client::{Transport, TransportError};
use aaa_replay::{
    coverage::{Cause, Gap, Heartbeat, RunId, Tally},
    ledger::{Declaration, Holder, Intent, LeaseId, Ledger, Outcome, Purpose, Role},
};
use aaa_store::SqliteStore;
use aaa_types::{ReplayWindow, UtcMinute, WebhookId};
use aaa_webhook::metrics::{Behind, Probe};
use aaa_webhook::{
    app::App,
    consumer::{Changes, Cursors, DeadLetter, Progress, Totals},
    delivery::Received,
    signature::{self, Signature},
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use jiff::{SignedDuration, Timestamp};

use crate::stage::now;

/// The only webhook.
pub(crate) const WEBHOOK: &str = "1234577122340233217";

/// X, as it answers to whoever only looks.
pub(crate) struct Canned;

impl Transport for Canned {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let path = request.uri().path();
        let body = if path.ends_with("/subscriptions/count") {
            r#"{"data":{"account_name":"harbour","subscriptions_count_all":"2",
                "subscriptions_count_direct_messages":"0","provisioned_count":"3"}}"#
        } else if path.ends_with("/subscriptions/all/list") {
            r#"{"data":{"application_id":"100","webhook_id":"1234577122340233217",
                "webhook_url":"https://harbour.example/webhooks/twitter",
                "subscriptions":[{"user_id":"7"},{"user_id":"2244994945"}]}}"#
        } else {
            r#"{"data":[{"id":"1234577122340233217","valid":true,
                "url":"https://harbour.example/webhooks/twitter",
                "created_at":"2024-11-22T04:13:00Z"}],"meta":{"result_count":1}}"#
        };
        Ok(Response::new(Bytes::from_static(body.as_bytes())))
    }
}

const KINDS: [&str; 5] = [
    "tweet_create_events",
    "favorite_events",
    "follow_events",
    "direct_message_events",
    "direct_message_indicate_typing_events",
];

/// When nobody ran, in minutes ago, and when that came back.
const OUTAGE: (i64, i64) = (905, 855);
const RECOVERED: i64 = 842;

/// When nobody ran a moment ago: X does not replay that yet.
const LATELY: (i64, i64) = (34, 29);

/// Knows nothing but the receiver.
pub(crate) struct Nothing;

impl Probe for Nothing {
    async fn look(&self) -> Behind {
        Behind { queued: Some(0), free_bytes: Some(412_000_000_000), ..Behind::default() }
    }
}

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// As many events as make a picture.
    Full,
    /// An event each hour.
    Small,
}

/// Writes the day up to `now`, on X's clock which is that of the machine.
pub(crate) async fn write(store: &SqliteStore, now: Timestamp, size: Size) {
    let webhook = WEBHOOK.parse().unwrap();
    let mut day =
        Day { store, webhook, now, item: 0, app: App::new("default", "hush".parse().unwrap()) };
    let ago = |minutes| day.ago(minutes);
    let refused = ago(520);
    run(store, 1, ago(1380), ago(OUTAGE.0), None).await;
    run(store, 2, ago(OUTAGE.1), ago(LATELY.0), Some(refused)).await;
    run(store, 3, ago(LATELY.1), now, None).await;
    let lease = Holder { name: "aaa listen".to_owned(), run: RunId(3), role: Role::Listener };
    let until = now + SignedDuration::from_mins(5);
    let lease = store.take_lease(lease, now, until).await.unwrap().id;
    let gap = Gap::new(ago(1210), ago(1180), Cause::Invalid);
    let declaration = Declaration { gap, webhook: Some(webhook), at: ago(1170) };
    store.declare(declaration).await.unwrap();
    day.job(lease, (1211, 1179), ago(1160), 0).await;
    for minute in (1..1380).rev() {
        let at = day.ago(minute);
        if minute == RECOVERED {
            day.job(lease, (OUTAGE.0 + 2, OUTAGE.1 - 2), at, 3).await;
        }
        if minute == 500 {
            day.job(lease, (522, 518), at, 1).await;
        }
        let is_down = |(from, to)| (to..from).contains(&minute);
        if !is_down(OUTAGE) && !is_down(LATELY) {
            let few = i64::from(minute % 60 == 1);
            for n in 0..if size == Size::Full { count(minute) } else { few } {
                day.deliver(at + SignedDuration::from_secs(n * 7), None).await;
            }
        }
    }
    day.letters().await;
}

/// Goes on with the day: the receiver is there as long as somebody looks.
pub(crate) fn go_on(store: SqliteStore) {
    tokio::spawn(async move {
        let mut due = tokio::time::interval(std::time::Duration::from_secs(3));
        loop {
            due.tick().await;
            let last = store.spans().await.unwrap().pop().unwrap().last;
            let wall = now();
            let uptime = last.uptime + wall.duration_since(last.wall);
            // A store that is closed ends the day.
            if store.heartbeat(Heartbeat { wall, uptime, ..last }).await.is_err() {
                return;
            }
        }
    });
}

/// How many events a minute has: a wave, with some noise that is not random.
fn count(minute: i64) -> i64 {
    let wave = (f64::from(i32::try_from(minute).unwrap()) / 220.0).sin() * 2.2 + 2.4;
    wave as i64 + minute * 2_654_435_761 % 97 % 4 / 2
}

/// Writes the heartbeats of a run.
async fn run(
    store: &SqliteStore,
    run: u64,
    from: Timestamp,
    to: Timestamp,
    refused: Option<Timestamp>,
) {
    let mut tally = Tally::default();
    let mut wall = from;
    loop {
        tally.arrived += 1;
        tally.verified += 1;
        let spell = refused.map(|refused| refused..refused + SignedDuration::from_secs(100));
        tally.refusals += u64::from(spell.is_some_and(|spell| spell.contains(&wall)));
        let (uptime, offset) = (wall.duration_since(from), SignedDuration::ZERO);
        let beat = Heartbeat { run: RunId(run), wall, uptime, offset, offset_read: true, tally };
        store.heartbeat(beat).await.unwrap();
        if wall == to {
            return;
        }
        wall = to.min(wall + SignedDuration::from_secs(50));
    }
}

struct Day<'a> {
    store: &'a SqliteStore,
    webhook: WebhookId,
    now: Timestamp,
    item: u64,
    app: App,
}

impl Day<'_> {
    fn ago(&self, minutes: i64) -> Timestamp {
        self.now - SignedDuration::from_mins(minutes)
    }

    /// Writes a job that recovered what happened between two times, in minutes ago.
    async fn job(&mut self, lease: LeaseId, (from, to): (i64, i64), at: Timestamp, each: i64) {
        let window = (UtcMinute::floor(self.ago(from)), UtcMinute::ceil(self.ago(to)));
        let core = ReplayWindow::new(window.0, window.1).unwrap();
        let (webhook, purpose) = (self.webhook, Purpose::Gap);
        let intent = Intent { webhook, core, request: core, at, purpose };
        let number = self.store.intend(lease, intent).await.unwrap();
        for minute in to + 1..from - 1 {
            for _ in 0..each {
                self.deliver(self.ago(minute), Some(at)).await;
            }
        }
        let job = (1_095_098_195_724_558_337 + number * 4_194_304).try_into().unwrap();
        self.store.settle(lease, number, Outcome::Recovered { job }, at).await.unwrap();
    }

    /// Writes an event of a time, which arrived then or later.
    async fn deliver(&mut self, happened: Timestamp, arrived: Option<Timestamp>) {
        self.item += 1;
        let kind = KINDS[usize::try_from(self.item * 7 % 11 % 5).unwrap()];
        let user = if self.item.is_multiple_of(3) { 2_244_994_945 } else { 7 };
        let body = body(kind, user, self.item, happened);
        let mut headers = HeaderMap::new();
        let signature = Signature::of(self.app.active(), body.as_bytes());
        headers.insert(signature::HEADER, signature.to_string().parse().unwrap());
        let received = Received::new(body.into_bytes().into(), arrived.unwrap_or(happened));
        let delivery = received.verify(&headers, std::slice::from_ref(&self.app)).unwrap();
        delivery.commit(self.store).await.unwrap();
    }

    /// Writes what two consumers did.
    async fn letters(&self) {
        let last = self.store.stats().await.unwrap().last_seq.unwrap();
        for (name, dead) in [("forward", vec![]), ("crm-sync", vec![40_u64, 61])] {
            let name = name.parse().unwrap();
            let cursor = self.store.open(&name, 0).await.unwrap();
            let letter = |seq| DeadLetter {
                seq,
                key: None,
                reason: "the CRM answered 422: no such contact".to_owned(),
                attempts: 5,
                first_failed_at: self.ago(200),
                last_failed_at: self.ago(190),
                redrive: false,
            };
            let count = u64::try_from(dead.len()).unwrap();
            let changes = Changes {
                generation: cursor.generation,
                progress: Progress::new(last, []),
                totals: Totals { handled: last - count, stale: 0, dead: count },
                deaths: 0,
                trial: None,
                dead: dead.into_iter().map(letter).collect(),
                settled: Vec::new(),
            };
            self.store.save(&name, &changes).await.unwrap();
        }
    }
}

fn body(kind: &str, user: u64, item: u64, at: Timestamp) -> String {
    let millis = at.as_millisecond();
    // The time is in it, as X writes ids.
    let id = (u64::try_from(millis).unwrap() - 1_288_834_974_657) << 22 | (item & 0x3f_ffff);
    let created = at.strftime("%a %b %d %H:%M:%S +0000 %Y");
    let event = match kind {
        "tweet_create_events" => format!(
            r#"{{"created_at":"{created}","id":{id},"id_str":"{id}","text":"Shipping day: nothing was lost on the way.","user":{{"id":{user},"id_str":"{user}","screen_name":"harbour","name":"Harbour"}},"timestamp_ms":"{millis}"}}"#
        ),
        "favorite_events" => format!(
            r#"{{"id":"{id:x}","created_at":"{created}","timestamp_ms":{millis},"favorited_status":{{"id_str":"{id}","text":"Good morning"}},"user":{{"id_str":"11","screen_name":"lighthouse"}}}}"#
        ),
        "follow_events" => format!(
            r#"{{"type":"follow","created_timestamp":"{millis}","target":{{"id":"{user}","screen_name":"harbour"}},"source":{{"id":"{id}","screen_name":"gull_{item}"}}}}"#
        ),
        "direct_message_events" => format!(
            r#"{{"type":"message_create","id":"{id}","created_timestamp":"{millis}","message_create":{{"target":{{"recipient_id":"{user}"}},"sender_id":"11","message_data":{{"text":"When does the ferry leave?","entities":{{"hashtags":[],"urls":[]}}}}}}}}"#
        ),
        _ => format!(
            r#"{{"created_timestamp":"{millis}","sender_id":"{id}","target":{{"recipient_id":"{user}"}}}}"#
        ),
    };
    format!(r#"{{"for_user_id":"{user}","{kind}":[{event}]}}"#)
}
