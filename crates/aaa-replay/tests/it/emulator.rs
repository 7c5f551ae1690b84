//! Against the emulator, over real HTTP, with a receiver and a store.

use std::{collections::BTreeSet, sync::Mutex};

use aaa_client::Client;
use aaa_emulator::control::{Action, Cause as Why, JobState};
use aaa_replay::{
    coverage::{Cause, Gap, RunId},
    driver::{Aid, Target, Watch, XClock},
    engine::Settings,
    ledger::{Declaration, Holder, Ledger, Outcome, Purpose, Role},
    notice::Notice,
    watch::{Report, Rhythm},
};
use aaa_store::SqliteBeside;
use aaa_types::{UserId, WebhookId};
use jiff::SignedDuration;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::stage::{PATIENCE, Stage, settings, token, user};

/// An outage of five minutes in which `count` users followed each of some.
async fn outage(stage: &mut Stage, followed: &[u64], count: u32) {
    stage.beat().await;
    stage.stop().await;
    for user in followed {
        stage.follow(*user, count).await;
    }
    stage.forward(5).await;
    stage.serve().await;
    stage.beat().await;
    stage.forward(40).await;
}

#[tokio::test]
async fn what_was_missed_is_found_and_counted() {
    let mut stage = Stage::new().await;
    stage.register("/a", &[7]).await;
    stage.follow(7, 3).await;
    outage(&mut stage, &[7], 20).await;
    assert_eq!(stage.stored().await, 3);
    let driver = stage.driver(Target::Only, settings());
    let figures = stage
        .beside(driver, async |mut figures| {
            *figures.wait_for(|figures| figures.recovered == 1).await.unwrap()
        })
        .await;
    assert_eq!(stage.stored().await, 23);
    assert_eq!((figures.found, figures.now, figures.running), (20, 0, 0));
    let attempts = stage.store.attempts().await.unwrap();
    assert_eq!((attempts.len(), attempts[0].found), (1, 20));
    assert_eq!(stage.emulator.ledger().jobs.len(), 1);
    // The lease was given back: whoever comes next need not wait.
    let lease = stage.store.lease().await.unwrap().unwrap();
    assert!(lease.expires_at < stage.emulator.now());
}

#[tokio::test]
async fn several_webhooks_are_recovered_side_by_side() {
    let mut stage = Stage::new().await;
    let first = stage.register("/a", &[7]).await;
    let second = stage.register("/b", &[8]).await;
    outage(&mut stage, &[7, 8], 4).await;
    let driver = stage.driver(Target::Id(first), settings()).and(Target::Id(second));
    stage
        .beside(driver, async |mut figures| {
            figures.wait_for(|figures| figures.recovered == 2).await.unwrap();
        })
        .await;
    assert_eq!(stage.stored().await, 8);
    let jobs = stage.emulator.ledger().jobs;
    let webhooks: BTreeSet<_> = jobs.iter().map(|job| job.webhook_id).collect();
    assert_eq!((jobs.len(), webhooks), (2, BTreeSet::from([first, second])));
}

#[tokio::test]
async fn a_window_that_stays_incomplete_is_halved() {
    let mut stage = Stage::new().await;
    stage.register("/a", &[7]).await;
    outage(&mut stage, &[7], 4).await;
    // Whatever is delivered, three jobs end incomplete.
    stage.fault(None, Action::IncompleteJob, 3);
    let driver = stage.driver(Target::Only, settings());
    stage
        .beside(driver, async |mut figures| {
            figures.wait_for(|figures| figures.recovered == 2).await.unwrap();
        })
        .await;
    assert_eq!(stage.faults_left(), 0);
    let attempts = stage.store.attempts().await.unwrap();
    let minutes: Vec<_> = attempts.iter().map(|attempt| attempt.intent.core.minutes()).collect();
    let whole = minutes[0];
    assert_eq!(minutes, [whole, whole, whole, whole / 2, whole - whole / 2]);
    let states: Vec<_> = stage.emulator.ledger().jobs.iter().map(|job| job.state).collect();
    use JobState::{Complete, Incomplete};
    assert_eq!(states, [Incomplete, Incomplete, Incomplete, Complete, Complete]);
}

#[tokio::test]
async fn a_completion_that_never_comes_is_asked_for_again() {
    let mut stage = Stage::new().await;
    stage.register("/a", &[7]).await;
    outage(&mut stage, &[7], 4).await;
    stage.fault(None, Action::MissingCompletion, 1);
    let patient = SignedDuration::from_secs(1);
    let driver = stage.driver(Target::Only, Settings { completion_timeout: patient, ..settings() });
    stage
        .beside(driver, async |mut figures| {
            figures.wait_for(|figures| figures.recovered == 1).await.unwrap();
        })
        .await;
    assert_eq!(stage.faults_left(), 0);
    assert_eq!(stage.store.attempts().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_sweep_finds_what_was_dropped_on_the_way() {
    let stage = Stage::new().await;
    stage.register("/a", &[7]).await;
    stage.beat().await;
    stage.fault(Some(Why::Live), Action::Drop, 2);
    stage.follow(7, 5).await;
    assert_eq!((stage.stored().await, stage.faults_left()), (3, 0));
    stage.forward(45).await;

    // Without it nothing is missing.
    let driver = stage.driver(Target::Only, settings());
    stage
        .beside(driver, async |mut figures| {
            // Two looks at the ledger.
            figures.changed().await.unwrap();
            figures.changed().await.unwrap();
        })
        .await;
    assert_eq!(stage.emulator.ledger().jobs, []);

    let sweep = Some(SignedDuration::from_mins(30));
    let (sender, mut notices) = mpsc::channel(4);
    let driver = stage.driver(Target::Only, Settings { sweep, ..settings() }).telling(sender);
    stage
        .beside(driver, async |mut figures| {
            figures.wait_for(|figures| figures.swept == 2 && figures.to_sweep == 0).await.unwrap();
        })
        .await;
    assert_eq!(notices.recv().await, Some(Notice::FoundBySweep { found: 2 }));
    assert_eq!(stage.stored().await, 5);
    let attempts = stage.store.attempts().await.unwrap();
    assert!(attempts.iter().all(|attempt| attempt.intent.purpose == Purpose::Sweep));
}

/// Nothing but signatures tells of it: heartbeats go on, and nothing is refused.
#[tokio::test]
async fn what_a_wrong_secret_refused_comes_back() {
    let mut stage = Stage::new().await;
    stage.register("/a", &[7]).await;
    stage.follow(7, 1).await;
    stage.beat().await;
    stage.stop().await;
    stage.serve_with("the-secret-of-an-access-token").await;
    stage.beat().await;
    stage.forward(10).await;
    stage.follow(7, 5).await;
    stage.forward(10).await;
    stage.beat().await;
    stage.stop().await;
    stage.serve().await;
    stage.beat().await;
    let settings = settings();
    let gaps = async || settings.gaps(&stage.store.spans().await.unwrap());
    // Perhaps that was not X: nobody knows yet.
    assert!(gaps().await.iter().all(|gap| gap.cause == Cause::Down));
    stage.follow(7, 1).await;
    stage.beat().await;
    let spells = gaps().await.into_iter().filter(|gap| gap.cause == Cause::Signatures);
    assert_eq!(spells.count(), 1);
    // Forged requests cause nothing while the secret is known to be right.
    let forged = aaa_emulator::control::Deliver {
        webhook_id: stage.emulator.ledger().events[0].webhook_id,
        body: "{}".to_owned(),
        signature: Some("sha256=Pi321ShXoGo6Gn5fuT5vlUU0uZbx1Gq/pSuUkope2Lo=".to_owned()),
    };
    assert_eq!(stage.emulator.deliver(forged).await.unwrap().status, Some(403));
    stage.beat().await;
    stage.follow(7, 1).await;
    stage.beat().await;
    assert_eq!(gaps().await.len(), 3);

    stage.forward(45).await;
    assert_eq!(stage.stored().await, 3);
    stage
        .beside(stage.driver(Target::Only, settings), async |mut figures| {
            figures.wait_for(|figures| figures.recovered > 0 && figures.now == 0).await.unwrap();
        })
        .await;
    assert_eq!(stage.stored().await, 8);
}

#[tokio::test]
async fn a_command_hands_its_request_over() {
    let mut stage = Stage::new().await;
    let webhook = stage.register("/a", &[7]).await;
    stage.beat().await;
    // Nobody was there to take these, though the heartbeats say otherwise.
    stage.stop().await;
    let from = stage.emulator.now();
    stage.follow(7, 6).await;
    stage.serve().await;
    stage.forward(45).await;
    let beside = SqliteBeside::open(stage.data()).unwrap().into_ledger();
    let driver = stage.driver(Target::Only, settings());
    stage
        .beside(driver, async |mut figures| {
            figures.changed().await.unwrap();
            let to = from + SignedDuration::from_mins(2);
            let gap = Gap::new(from, to, Cause::Requested);
            let at = stage.emulator.now();
            let declaration = Declaration { gap, webhook: Some(webhook), at };
            beside.declare(declaration).await.unwrap();
            figures.wait_for(|figures| figures.recovered == 1).await.unwrap();
        })
        .await;
    assert_eq!(stage.stored().await, 6);
}

#[tokio::test]
async fn only_who_holds_the_lease_asks() {
    let mut stage = Stage::new().await;
    stage.register("/a", &[7]).await;
    outage(&mut stage, &[7], 4).await;
    let listener = stage.driver(Target::Only, settings());
    let holder = Holder { name: "aaa replay".to_owned(), run: RunId(99), role: Role::Command };
    let command = stage.driver(Target::Only, settings()).held_by(holder);
    // The command asks as often as it likes.
    stage
        .beside(listener, async |mut figures| {
            figures.wait_for(|figures| figures.recovered == 1).await.unwrap();
            stage
                .beside(command, async |mut looks| {
                    looks.changed().await.unwrap();
                    looks.changed().await.unwrap();
                })
                .await;
        })
        .await;
    let jobs = stage.emulator.ledger().jobs;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let outcomes = stage.store.attempts().await.unwrap();
    assert!(
        matches!(outcomes[..], [ref only] if matches!(only.outcome, Outcome::Recovered { .. }))
    );
}

/// Answers for the receiver, and knows the token of user 7.
struct Helper {
    client: Client,
    wrong: Mutex<Option<String>>,
}

impl Aid for Helper {
    async fn self_check(&self, _: WebhookId) -> Result<(), String> {
        self.wrong.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    async fn subscribe(&self, webhook: WebhookId, subscriber: UserId) -> Result<(), String> {
        if subscriber != user(7) {
            return Err("no token".to_owned());
        }
        let result = self.client.user(token(7)).ensure_subscription(webhook).await;
        result.map(drop).map_err(|error| error.to_string())
    }
}

/// Runs a watch beside a test that reads its notices.
async fn watched<R>(
    stage: &Stage,
    test: impl AsyncFnOnce(mpsc::Sender<Report>, mpsc::Receiver<Notice>) -> R,
) -> R {
    let aid = Helper { client: stage.client.clone(), wrong: Mutex::new(None) };
    let brief = SignedDuration::from_millis(20);
    let rhythm = Rhythm { webhooks: brief, subscriptions: brief, pause: brief, long_pause: brief };
    let clock = XClock::new();
    clock.observe(stage.emulator.now());
    let known = Some(stage.emulator.now());
    let (sender, notices) = mpsc::channel(16);
    let (news, heard) = mpsc::channel(16);
    let (store, client) = (stage.store.clone(), stage.client.clone());
    let watch = Watch::new(store, client, clock, Target::Only, rhythm, aid, known).telling(sender);
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let running = tokio::spawn(watch.run(heard, shutdown));
    let result = timeout(PATIENCE, test(news, notices)).await.expect("it never came");
    stop.send(()).unwrap();
    running.await.unwrap();
    result
}

async fn next(notices: &mut mpsc::Receiver<Notice>) -> String {
    notices.recv().await.unwrap().event().to_owned()
}

#[tokio::test]
async fn an_invalid_webhook_is_noticed_and_validated() {
    let mut stage = Stage::new().await;
    let webhook = stage.register("/a", &[7]).await;
    stage.stop().await;
    // Nobody answers X's checks for longer than it has patience.
    for _ in 0..30 {
        stage.forward(60).await;
    }
    assert!(!stage.client.app().list_webhooks().await.unwrap()[0].valid);
    stage.serve().await;
    watched(&stage, async |_, mut notices| {
        assert_eq!(next(&mut notices).await, "webhook_invalid");
        assert_eq!(next(&mut notices).await, "webhook_valid");
    })
    .await;
    assert!(stage.client.app().list_webhooks().await.unwrap()[0].valid);
    let declared = stage.store.declared().await.unwrap();
    let Declaration { gap, webhook: about, .. } = declared[0].declaration;
    assert_eq!((declared.len(), gap.cause, about), (1, Cause::Invalid, Some(webhook)));
}

/// Nobody says who is wanted: who was there is remembered.
#[tokio::test]
async fn a_subscription_that_vanished_while_nobody_watched_is_named() {
    let stage = Stage::new().await;
    let webhook = stage.register("/a", &[7, 8]).await;
    watched(&stage, async |_, _| {
        while stage.store.remembered(webhook).await.unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stage.client.app().remove_subscription(webhook, user(8)).await.unwrap();
    stage.forward(5).await;
    watched(&stage, async |_, mut notices| {
        let gone = loop {
            let notice = notices.recv().await.unwrap();
            if notice.event() == "subscription_gone" {
                break notice;
            }
        };
        let Notice::SubscriptionGone { user: gone, since: Some(_), .. } = gone else {
            panic!("{gone:?}");
        };
        assert_eq!(gone, user(8));
        // Nobody holds a token, and it stays so.
        while next(&mut notices).await != "subscribe_failed" {}
    })
    .await;
    let declared = stage.store.declared().await.unwrap();
    let gap = declared.iter().find(|it| it.declaration.gap.cause == Cause::Unsubscribed);
    let gap = gap.unwrap().declaration.gap;
    assert!(gap.to.duration_since(gap.from) >= SignedDuration::from_mins(4), "{gap:?}");
}

/// Whoever deletes a webhook and registers it again gets another id.
#[tokio::test]
async fn a_webhook_that_took_the_place_of_another_is_watched() {
    let stage = Stage::new().await;
    let first = stage.register("/a", &[7]).await;
    let app = stage.client.app();
    let second = watched(&stage, async |news, mut notices| {
        news.send(Report::Wanted(BTreeSet::from([user(7)]))).await.unwrap();
        while stage.store.confirmed(first).await.unwrap().complete.is_none() {
            tokio::task::yield_now().await;
        }
        app.delete_webhook(first).await.unwrap();
        while next(&mut notices).await != "webhook_missing" {}
        let second = stage.register("/a", &[]).await;
        // Nobody subscribes but the watch.
        while next(&mut notices).await != "subscription_back" {}
        second
    })
    .await;
    assert_ne!(second, first);
    // While there was no webhook X had nobody to deliver to: that is named.
    let declared = stage.store.declared().await.unwrap();
    let about = declared.iter().filter(|it| it.declaration.webhook == Some(second));
    assert!(
        about.clone().any(|it| it.declaration.gap.cause == Cause::Unsubscribed),
        "{declared:?}"
    );
}

#[tokio::test]
async fn a_lost_subscription_is_noticed_and_made_again() {
    let stage = Stage::new().await;
    let webhook = stage.register("/a", &[7, 8]).await;
    watched(&stage, async |news, mut notices| {
        let wanted = BTreeSet::from([user(7), user(8)]);
        news.send(Report::Wanted(wanted)).await.unwrap();
        for id in [7, 8] {
            stage.client.app().remove_subscription(webhook, user(id)).await.unwrap();
        }
        let mut told = Vec::new();
        while told.len() < 4 {
            told.push(next(&mut notices).await);
        }
        told.sort();
        let expected =
            ["subscribe_failed", "subscription_back", "subscription_gone", "subscription_gone"];
        assert_eq!(told, expected);
        let listed = stage.client.app().list_subscriptions(webhook).await.unwrap();
        assert_eq!(listed.subscriptions.iter().map(|s| s.user_id).collect::<Vec<_>>(), [user(7)]);
        // User 8 revoked access, it turns out: nobody waits any more.
        news.send(Report::Revoked(user(8))).await.unwrap();
        assert_eq!(next(&mut notices).await, "subscription_gone");
    })
    .await;
    let declared = stage.store.declared().await.unwrap();
    // On a busy machine so short a rhythm may be missed.
    let causes = declared.iter().map(|declared| declared.declaration.gap.cause);
    let causes: Vec<_> = causes.filter(|cause| *cause != Cause::Unwatched).collect();
    assert!(causes.iter().all(|cause| *cause == Cause::Unsubscribed) && !causes.is_empty());
}

#[tokio::test]
async fn what_is_lost_is_told_to_a_hook() {
    let mut stage = Stage::new().await;
    let webhook = stage.register("/a", &[7]).await;
    stage.beat().await;
    stage.stop().await;
    for _ in 0..27 {
        stage.forward(60).await;
    }
    stage.serve().await;
    stage.client.app().validate_webhook(webhook).await.unwrap();
    stage.beat().await;
    let (sender, mut notices) = mpsc::channel(16);
    let driver = stage.driver(Target::Only, settings()).telling(sender);
    let notice = stage.beside(driver, async |_| notices.recv().await.unwrap()).await;
    let Notice::Unrecoverable { certain: true, reason, from, to, .. } = notice else {
        panic!("{notice:?}");
    };
    assert_eq!(reason, "older than the look-back of 24 hours");
    let hours = to.duration_since(from).as_secs() as f64 / 3600.0;
    assert!((2.9..3.2).contains(&hours), "{hours}");
}
