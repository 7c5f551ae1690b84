//! Who is looked for, and since when.

use super::*;

fn revoked(id: u64, since: Option<i64>) -> Notice {
    let since = since.map(|second| at(second).x);
    Notice::SubscriptionGone { webhook: webhook(), user: user(id), since, how: Gone::Revoked }
}

#[test]
fn who_was_wanted_or_seen_and_revoked_access_is_named() {
    let mut world = World::new();
    world.run(at(0));
    world.watcher.on(Report::Wanted(users(&[8, 9])), at(0));
    world.subscribed = users(&[7]);
    world.run(at(60));
    // Seen and not wanted, missing, wanted and never seen, and of no concern.
    world.watcher.on(Report::Wanted(users(&[8, 9, 10])), at(70));
    for id in [7, 8, 10, 11] {
        world.watcher.on(Report::Revoked(user(id)), at(80));
    }
    let named = [revoked(7, Some(60)), revoked(8, None), revoked(10, None)];
    assert_eq!(world.watcher.notices(), named);
}

/// What nobody could see in a long time concerns only those who were looked for then.
#[test]
fn where_nobody_was_looked_for_nobody_was_unwatched() {
    for (wanted, remembered, subscribed, gaps) in [
        (&[][..], &[][..], &[][..], 1),
        (&[], &[], &[7], 1),
        (&[7], &[], &[7], 2),
        (&[], &[7], &[7], 2),
    ] {
        let mut world = World::new();
        world.watcher = world.watcher.remembering(users(remembered));
        world.watcher.on(Report::Wanted(users(wanted)), at(0));
        world.subscribed = users(subscribed);
        world.run(at(600));
        // One of them is the webhook's.
        let gap = Gap::new(at(0).x, at(600).x, Cause::Unwatched);
        let declared: Vec<_> = world.declared.iter().map(|it| it.gap).collect();
        assert_eq!(declared, vec![gap; gaps], "{wanted:?} {remembered:?} {subscribed:?}");
    }
}

#[test]
fn who_vanishes_later_is_in_the_same_spell_and_who_did_earlier_in_another() {
    let mut world = World::new();
    world.watcher = world.watcher.only_naming();
    world.run(at(0));
    world.run(at(60));
    world.subscribed = users(&[8]);
    world.run(at(120));
    world.subscribed = users(&[]);
    world.run(at(180));
    assert_eq!((world.declared.len(), world.spell()), (1, (60, 120)));
    // Wanted from the start on, by the first to say so, and never there.
    world.watcher.on(Report::Wanted(users(&[9])), at(190));
    world.run(at(240));
    assert_eq!((world.declared.len(), world.spell()), (2, (0, 240)));
}

#[test]
fn a_subscription_that_x_took_and_does_not_list_is_tried_again_after_pauses() {
    let mut world = World::new();
    world.watcher.on(Report::Wanted(users(&[7, 8])), at(0));
    world.run(at(0));
    world.subscribed = users(&[8]);
    let tries = [60, 120, 180, 240, 300].map(|second| {
        let mut tries = 0;
        while let Some(errand) = world.watcher.next_errand(at(second)) {
            let subscribes = matches!(errand, Errand::Subscribe { .. });
            tries += usize::from(subscribes);
            assert!(tries < 5, "it does not end");
            let report = if subscribes { Report::Done } else { world.answer(&errand) };
            world.watcher.on(report, at(second));
        }
        tries
    });
    // The pauses are half a minute, one and two.
    assert_eq!(tries, [1, 1, 1, 0, 1]);
}

#[test]
fn nobody_waits_for_who_is_missing_and_neither_wanted_nor_seen() {
    for (wanted, back) in [(&[7][..], &[8][..]), (&[7, 9], &[8, 9])] {
        let mut world = World::new();
        world.run(at(0));
        world.watcher.on(Report::Wanted(users(&[7, 9])), at(0));
        // One was seen, the other is wanted.
        world.subscribed = users(&[7]);
        world.run(at(60));
        world.watcher.on(Report::Wanted(users(wanted)), at(70));
        world.subscribed = users(&[7, 8, 9]);
        world.run(at(120));
        let (from, to) = (at(0).x, at(120).x);
        let back = back.iter().map(|id| Notice::SubscriptionBack {
            webhook: webhook(),
            user: user(*id),
            from,
            to,
        });
        assert_eq!(world.notices, back.collect::<Vec<_>>(), "{wanted:?}");
    }
}
