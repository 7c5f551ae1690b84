//! What counts as lost, and for how long.

use super::*;
use crate::plan::{Lost, LostReason};

/// Leads an engine until nothing more can be done; says how each job ends, and returns how many
/// jobs there were.
fn lead(engine: &mut Engine, now: &mut Moment, mut end: impl FnMut(Intent) -> JobState) -> u64 {
    let mut number = 1000;
    while let Some(wait) = engine.next_wakeup(*now) {
        *now = after(*now, wait);
        let Some(Action::Intend(intent)) = engine.next_action(*now) else { continue };
        number += 1;
        accept(engine, number, number, *now);
        engine.on(status(number, end(intent)), *now);
        settled(engine, *now);
        assert!(number < 1500, "it does not end");
    }
    number - 1000
}

#[test]
fn a_minute_that_was_given_up_and_recovered_later_is_not_lost() {
    let bad = UtcMinute::floor(start().x - minutes(63));
    let mut engine = engine(Vec::new());
    let mut now = start();
    let is_bad = |intent: Intent| match intent.core.contains(bad) {
        true => JobState::Incomplete,
        false => JobState::Complete,
    };
    let jobs = lead(&mut engine, &mut now, is_bad);
    assert_eq!(engine.plan(now).lost.len(), 1);
    // Somebody asks for it again, and this time X can.
    let gap = Gap::new(start().x - minutes(65), start().x - minutes(61), Cause::Requested);
    let declaration = Declaration { gap, webhook: None, at: now.x };
    let after_all = 1000 + jobs;
    let asked = Declared { number: 1, after: after_all, declaration };
    engine.on(Input::Declared(vec![asked]), now);
    while let Some(wait) = engine.next_wakeup(now) {
        now = after(now, wait);
        let Some(Action::Intend(_)) = engine.next_action(now) else { continue };
        accept(&mut engine, 2000, 2000, now);
        engine.on(status(2000, JobState::Complete), now);
        settled(&mut engine, now);
    }
    assert_eq!(*engine.plan(now), Plan::default());
    assert_eq!(engine.figures(now).lost, 0);
}

/// While the receiver refuses, a job of fewer events may still get through; but what X could not
/// deliver because of us is no fault of X's.
#[test]
fn what_ended_incomplete_through_our_own_refusals_is_halved_and_never_given_up() {
    let mut refusals = 0;
    let mut attempts: Vec<Attempt> = Vec::new();
    let (mut now, mut asked) = (start(), Vec::new());
    for number in 1..=100 {
        // A restart before each: all of it stands in the ledger.
        let mut engine = engine(attempts.clone());
        now = after(now, engine.next_wakeup(now).expect("it is not pending"));
        let Some(Action::Intend(intent)) = engine.next_action(now) else { panic!() };
        accept(&mut engine, number, number, now);
        refusals += 1;
        engine.on(Input::Health(Health { tally: tally(refusals), ..RUN }), now);
        // X says one or the other.
        let state = if number % 2 == 0 { JobState::Complete } else { JobState::Incomplete };
        engine.on(status(number, state), now);
        let outcome = settled(&mut engine, now);
        assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
        attempts.push(Attempt { number, intent, outcome, settled_at: now.x, found: 0 });
        asked.push(intent.core.minutes());
        assert_eq!(engine.plan(now).lost, []);
        assert!(engine.is_pending(now));
    }
    assert_eq!(asked[..7], [10, 10, 10, 5, 5, 5, 2]);
    assert_eq!(asked.last(), Some(&1));
    // Once the receiver takes everything, the tries of the minute are still its own.
    let mut engine = engine(attempts);
    for number in 101..=102 {
        now = after(now, minutes(20));
        accept(&mut engine, number, number, now);
        engine.on(status(number, JobState::Incomplete), now);
        settled(&mut engine, now);
        assert_eq!(engine.plan(now).lost, []);
    }
}

/// An engine whose oldest minutes are at the edge of the look-back.
fn at_the_edge() -> Engine {
    let mut engine = Engine::new(webhook(), Settings::v2(), RUN, Vec::new());
    let gap = Gap::new(start().x - minutes(30 * 60), start().x - minutes(20 * 60), Cause::Down);
    engine.on(Input::Gaps(vec![gap]), start());
    engine
}

fn look_back(engine: &Engine) -> SignedDuration {
    engine.settings.limits.look_back
}

#[test]
fn a_call_that_came_too_late_teaches_nothing_of_the_look_back() {
    let mut engine = at_the_edge();
    engine.next_action(start());
    engine.on(Input::Intended(1), start());
    engine.next_action(start());
    // X's answer took so long that the window was older than the look-back by then.
    let late = after(start(), minutes(5));
    let refusal = Refusal { kind: RefusalKind::Window, words: "QueryParamInvalid".to_owned() };
    engine.on(Input::Refused(refusal), late);
    assert_eq!(look_back(&engine), minutes(24 * 60));
    settled(&mut engine, late);
    // The next one is in time.
    let now = after(late, minutes(1));
    refuse(&mut engine, RefusalKind::Window, now);
    assert_eq!(look_back(&engine), minutes(24 * 60 - 10));
}

#[test]
fn refused_windows_shorten_the_look_back_by_two_hours_at_most_and_wait_longer_each_time() {
    let mut engine = at_the_edge();
    let (mut now, mut fronts) = (start(), Vec::new());
    while now.uptime < start().uptime + minutes(12 * 60) {
        let Some(action) = engine.next_action(now) else {
            now = after(now, SignedDuration::from_secs(10));
            continue;
        };
        let Action::Intend(intent) = action else { panic!("{action:?}") };
        // The windows behind the first one are refused as well, and tell nothing.
        let age = now.x.duration_since(intent.core.from_date().start());
        if age + minutes(3) > look_back(&engine) {
            fronts.push(now.uptime.as_secs());
        }
        refuse(&mut engine, RefusalKind::Window, now);
    }
    assert_eq!(look_back(&engine), minutes(22 * 60));
    let pauses: Vec<_> = fronts.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(pauses[..5], [30, 60, 120, 240, 480], "{pauses:?}");
    assert!(fronts.len() < 100, "{}", fronts.len());
}

/// Anybody can send one forged request before a restart.
#[test]
fn what_only_wrong_signatures_speak_for_is_perhaps_lost_once_it_is_old() {
    let mut engine = Engine::new(webhook(), Settings::v2(), RUN, Vec::new());
    let ago = |hours: i64| start().x - minutes(hours * 60);
    let spell = Gap::new(ago(40), ago(20), Cause::Signatures);
    let down = Gap::new(ago(30), ago(29), Cause::Down);
    engine.on(Input::Gaps(vec![spell, down]), start());
    let plan = engine.plan(start());
    let words = plan.lost.iter().map(|lost| lost.reason.to_string()).collect::<Vec<_>>();
    insta::assert_snapshot!(words.join("\n"), @"
    possibly: signatures were wrong and none was right, and it is older than the look-back of 24 hours
    older than the look-back of 24 hours
    possibly: signatures were wrong and none was right, and it is older than the look-back of 24 hours
    ");
    let certain: Vec<_> = plan.lost.iter().filter(|lost| lost.reason.is_certain()).collect();
    assert_eq!((certain.len(), certain[0].from, certain[0].to), (1, ago(30), ago(29)));
    // What X still has is asked for as ever.
    assert_eq!(plan.now.len(), 3);
    assert_eq!((engine.figures(start()).lost, engine.figures(start()).maybe_lost), (1, 2));
}

#[test]
fn wrong_signatures_alone_lose_nothing_for_certain() {
    let mut engine = Engine::new(webhook(), Settings::v2(), RUN, Vec::new());
    let ago = |hours: i64| start().x - minutes(hours * 60);
    engine.on(Input::Gaps(vec![Gap::new(ago(40), ago(30), Cause::Signatures)]), start());
    let reason = LostReason::Suspected { look_back: minutes(24 * 60) };
    assert_eq!(engine.plan(start()).lost, [Lost { from: ago(40), to: ago(30), reason }]);
}

/// Gaps are widened by a minute, and begin at the heartbeat before.
#[test]
fn two_minutes_before_the_webhook_are_no_loss() {
    let created_at = start().x - minutes(65);
    for (before, is_lost) in [(2, false), (3, true)] {
        let webhook = Webhook { created_at: Some(created_at), ..webhook() };
        let mut engine = Engine::new(webhook, Settings::v2(), RUN, Vec::new());
        let from = created_at - minutes(before);
        let gap = Gap::new(from, start().x - minutes(60), Cause::Down);
        engine.on(Input::Gaps(vec![gap]), start());
        let lost = Lost { from, to: created_at, reason: LostReason::BeforeWebhook };
        assert_eq!(engine.plan(start()).lost, Vec::from_iter(is_lost.then_some(lost)));
    }
}

/// Several runs may have declared parts of one.
#[test]
fn spells_of_one_cause_that_touch_are_one() {
    let second = |n| start().x - minutes(600) + SignedDuration::from_secs(n);
    let spells = [
        (0, 100, Cause::Invalid),
        (50, 80, Cause::Invalid),
        (100, 200, Cause::Invalid),
        (201, 300, Cause::Invalid),
        (150, 250, Cause::Unsubscribed),
        (100, 400, Cause::Unwatched),
    ];
    let declared = spells.map(|(from, to, cause)| {
        let gap = Gap::new(second(from), second(to), cause);
        let declaration = Declaration { gap, webhook: None, at: gap.to };
        Declared { number: 1, after: 0, declaration }
    });
    let mut engine = Engine::new(webhook(), Settings::v2(), RUN, Vec::new());
    engine.on(Input::Declared(declared.to_vec()), start());
    let expected = [
        (0, 200, Cause::Invalid),
        (201, 300, Cause::Invalid),
        (150, 250, Cause::Unsubscribed),
        (100, 400, Cause::Unwatched),
    ];
    let expected = expected.map(|(from, to, cause)| {
        let reason = LostReason::MaybeNotAttempted { cause };
        Lost { from: second(from), to: second(to), reason }
    });
    assert_eq!(engine.plan(start()).lost, expected);
}
