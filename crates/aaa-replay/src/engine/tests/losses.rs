//! What counts as lost, and for how long.

use super::*;

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
