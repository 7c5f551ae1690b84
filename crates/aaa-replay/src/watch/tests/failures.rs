//! What fails, and how often it is asked.

use super::*;

/// Does what is to be done at a moment, but for errands that fail for a reason; returns all.
fn run(
    world: &mut World,
    now: Moment,
    mut fails: impl FnMut(&Errand) -> Option<&'static str>,
) -> Vec<Errand> {
    let mut done = Vec::new();
    while let Some(errand) = world.watcher.next_errand(now) {
        assert!(done.len() < 50, "it does not end: {errand:?}");
        let report = match fails(&errand) {
            Some(reason) => Report::Failed(reason.to_owned()),
            None => world.answer(&errand),
        };
        world.watcher.on(report, now);
        done.push(errand);
    }
    done
}

#[test]
fn how_often_it_asks() {
    let [one, two] = [60, 120].map(SignedDuration::from_secs);
    let v2 = Rhythm::v2();
    assert_eq!((v2.webhooks, v2.subscriptions), (one, one));
    assert_eq!(Rhythm::v1_1(), Rhythm { webhooks: two, subscriptions: two, ..v2 });
    let [second, five] = [1, 5].map(SignedDuration::from_secs);
    let loopback = Rhythm { webhooks: five, subscriptions: five, pause: second, long_pause: five };
    assert_eq!(Rhythm::loopback(), loopback);
}

#[test]
fn a_check_that_x_refuses_is_named_once_and_repeated_after_pauses() {
    let mut world = World::new();
    (world.valid, world.heals) = (Some(false), false);
    let mut reason = "timeout";
    let mut validations = Vec::new();
    let mut told = Vec::new();
    for minute in 0..=5 {
        if minute == 4 {
            reason = "status 500";
        }
        let is_validation = |errand: &Errand| matches!(errand, Errand::Validate(_));
        let fails = |errand: &Errand| is_validation(errand).then_some(reason);
        let asked = run(&mut world, at(minute * 60), fails);
        validations.push(asked.iter().filter(|errand| is_validation(errand)).count());
        told.extend(world.watcher.notices());
    }
    // The pauses are half a minute, one, two and four.
    assert_eq!(validations, [1, 1, 1, 0, 1, 0]);
    let refused =
        |reason: &str| Notice::ValidationFailed { webhook: webhook(), reason: reason.to_owned() };
    let invalid = Notice::WebhookInvalid { webhook: webhook(), since: at(0).x };
    assert_eq!(told, [invalid, refused("timeout"), refused("status 500")]);
}

/// Whatever else is to be done comes after it: afterwards nothing may show that it was so.
#[test]
fn what_could_not_be_recorded_is_recorded_next() {
    let mut world = World::new();
    world.run(at(0));
    (world.valid, world.heals) = (Some(false), false);
    let gap = Gap::new(at(0).x, at(60).x, Cause::Invalid);
    let declare = Declaration { gap, webhook: Some(webhook()), at: at(60).x };
    let declare = Errand::Declare(declare);
    let mut failures = 0;
    let asked = run(&mut world, at(60), |errand| {
        failures += usize::from(*errand == declare);
        (*errand == declare && failures < 3).then_some("the disk is full")
    });
    let expected = [Errand::ListWebhooks, declare.clone(), declare.clone(), declare];
    assert_eq!(asked[..4], expected);
    assert_eq!(asked[4], Errand::SelfCheck);
    world.valid = Some(true);
    let prolong = Errand::Prolong { number: 1, to: at(120).x };
    let mut failures = 0;
    let asked = run(&mut world, at(120), |errand| {
        failures += usize::from(*errand == prolong);
        (*errand == prolong && failures < 2).then_some("the disk is full")
    });
    assert_eq!(asked[..3], [Errand::ListWebhooks, prolong.clone(), prolong]);
    assert_eq!((world.declared.len(), world.spell()), (1, (0, 120)));
    // That all is well is recorded by the next look.
    let asked = run(&mut world, at(180), |errand| {
        matches!(errand, Errand::Confirm { .. }).then_some("the disk is full")
    });
    assert_eq!(asked.len(), 4);
    assert_eq!(world.seen, well(120));
}

#[test]
fn ten_seconds_are_no_sleep() {
    let mut world = World::new();
    world.run(at(0));
    let ahead = Moment { uptime: at(20).uptime, ..at(30) };
    assert_eq!(world.watcher.next_wakeup(ahead).as_secs(), 40);
    let slept = Moment { x: ahead.x + SignedDuration::from_nanos(1), ..ahead };
    assert_eq!(world.watcher.next_wakeup(slept), SignedDuration::ZERO);
}
