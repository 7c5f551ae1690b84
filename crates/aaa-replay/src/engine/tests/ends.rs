//! How attempts and engines end.

use aaa_types::WebhookId;

use super::*;

#[test]
fn a_stop_before_the_call_makes_none() {
    let mut engine = engine(Vec::new());
    engine.next_action(start());
    engine.on(Input::Intended(1), start());
    engine.on(Input::Stop, start());
    let outcome = failed(None, "nobody waits for it any more");
    let settle = Action::Settle { attempt: 1, outcome };
    assert_eq!(engine.next_action(start()), Some(settle));
    engine.on(Input::Settled { found: 0 }, start());
    assert_eq!((engine.next_action(start()), engine.next_wakeup(start())), (None, None));
}

/// A job that failed otherwise than by X's word may fail again at once.
#[test]
fn a_window_whose_job_failed_waits_longer_each_time() {
    let mut engine = engine(Vec::new());
    let mut now = start();
    for (number, seconds) in [(1, 30), (2, 60), (3, 120)] {
        accept(&mut engine, number, number, now);
        now = after(now, minutes(30));
        let outcome = settled(&mut engine, now);
        assert_eq!(outcome, failed(Some(job(number)), "no completion arrived in time"));
        let wait = SignedDuration::from_secs(seconds);
        assert_eq!(engine.next_wakeup(now), Some(wait));
        now = after(now, wait);
    }
}

#[test]
fn a_webhook_that_is_gone_leaves_the_fleet() {
    let ids: [WebhookId; 2] = ["12", "13"].map(|id| id.parse().unwrap());
    let mut fleet = Fleet::default();
    assert!(fleet.is_empty());
    for id in ids {
        let webhook = Webhook { id, created_at: None };
        fleet.add(Engine::new(webhook, Settings::v2(), RUN, Vec::new()));
    }
    let gap = Gap::new(start().x - minutes(70), start().x - minutes(60), Cause::Down);
    fleet.on_all(&Input::Gaps(vec![gap]), start());
    assert!(!fleet.is_empty());
    assert_eq!(fleet.drain_gone(), []);
    refuse(fleet.engine(ids[0]).unwrap(), RefusalKind::Gone, start());
    assert_eq!(fleet.drain_gone(), [ids[0]]);
    assert!(fleet.engine(ids[0]).is_none());
    assert_eq!(fleet.engines().map(|engine| engine.webhook().id).collect::<Vec<_>>(), [ids[1]]);
    let removed = fleet.remove(ids[1]).map(|engine| engine.webhook().id);
    assert_eq!((removed, fleet.is_empty()), (Some(ids[1]), true));
    assert!(fleet.remove(ids[1]).is_none());
}
