//! Processes that die.

use super::*;

/// Opens the cursor once more, without an end of the run before.
fn reopened(stored: &mut Cursor) -> Agenda {
    let agenda = Agenda::new(stored.clone(), LIMITS, RetryPolicy::default());
    stored.deaths += 1;
    agenda
}

fn saved(agenda: &mut Agenda, stored: &mut Cursor) {
    let changes = agenda.changes().unwrap();
    (stored.deaths, stored.trial) = (changes.deaths, changes.trial);
    stored.progress = changes.progress;
    agenda.saved();
}

fn two_users() -> Vec<Item> {
    vec![item(7, 1), item(8, 2)]
}

#[test]
fn what_the_process_dies_of_is_found() {
    let mut stored = Cursor::default();
    for _ in 0..2 {
        let mut agenda = reopened(&mut stored);
        agenda.take(two_users(), 2, 0);
        assert!(agenda.start(now(0)).is_some() && agenda.start(now(0)).is_some());
        assert_eq!(agenda.changes().unwrap().trial, None, "nothing is noted yet");
    }
    // The first is noted and survives, the second is noted and does not.
    for deaths in 1..=2 {
        let mut agenda = reopened(&mut stored);
        assert!(agenda.is_careful());
        agenda.take(two_users(), 2, 0);
        if deaths == 1 {
            assert_eq!(agenda.start(now(0)), None);
            saved(&mut agenda, &mut stored);
            assert_eq!(stored.trial, Some(Trial { seq: 1, deaths: 1 }));
            assert_eq!(agenda.start(now(0)).unwrap().item, item(7, 1));
            assert_eq!(agenda.start(now(0)), None, "it is alone");
            let away = Failed::unavailable("away");
            agenda.finish(&lane(7), Err(away), 0, now(0));
        } else {
            // It survived, and waited for somebody else. That is long ago.
            stored.progress = Progress::new(1, []);
            agenda = reopened(&mut stored);
            agenda.take(vec![item(8, 2)], 2, 0);
        }
        assert_eq!((agenda.give_up(now(0)), agenda.start(now(0))), (None, None));
        saved(&mut agenda, &mut stored);
        assert_eq!(stored.trial, Some(Trial { seq: 2, deaths }));
        assert_eq!(agenda.start(now(0)).unwrap().item, item(8, 2));
    }
    let mut agenda = reopened(&mut stored);
    agenda.take(vec![item(8, 2)], 2, 0);
    assert_eq!(agenda.give_up(now(3)), Some(item(8, 2)));
    assert_eq!(agenda.start(now(3)), None);
    let dead = agenda.changes().unwrap().dead;
    assert_eq!(dead[0].reason, "the process died while handling it (2 times)");
    assert_eq!((dead[0].seq, dead[0].attempts, dead[0].last_failed_at), (2, 2, now(3).wall));
    assert_eq!(agenda.progress(), Progress::new(2, []));
}

#[test]
fn who_says_good_bye_is_not_dead() {
    let mut stored = Cursor::default();
    for _ in 0..10 {
        let mut agenda = reopened(&mut stored);
        assert!(!agenda.is_careful());
        agenda.close();
        saved(&mut agenda, &mut stored);
    }
    // And who is killed while there is nothing to do is not careful about what comes later.
    let mut agenda = (0..10).map(|_| reopened(&mut stored)).last().unwrap();
    assert!(agenda.is_careful());
    agenda.all_read();
    agenda.take(two_users(), 2, 0);
    assert!(agenda.start(now(0)).is_some() && agenda.start(now(0)).is_some());
}

#[test]
fn a_cursor_that_moves_is_no_sign_of_poison() {
    let mut stored = Cursor::default();
    for seq in 1..10 {
        let mut agenda = reopened(&mut stored);
        assert!(!agenda.is_careful());
        agenda.take(vec![item(7, seq)], seq, 0);
        agenda.start(now(0)).unwrap();
        agenda.finish(&lane(7), Ok(()), 0, now(0));
        saved(&mut agenda, &mut stored);
        assert_eq!(stored.deaths, 1);
    }
    // But a dead letter that is handled once more is not in its way.
    let letter = letter(1);
    let mut agenda = reopened(&mut stored);
    agenda.redrive(lane(8), &letter);
    agenda.take(vec![item(7, 10)], 10, 0);
    assert!(agenda.start(now(0)).is_some() && agenda.start(now(0)).is_some());
    agenda.finish(&lane(7), Ok(()), 0, now(0));
    saved(&mut agenda, &mut stored);
    assert_eq!((stored.deaths, stored.progress.cursor()), (2, 10));
    let mut agenda = reopened(&mut stored);
    agenda.redrive(lane(8), &letter);
    assert_eq!(agenda.start(now(0)), None);
    saved(&mut agenda, &mut stored);
    assert_eq!(stored.trial, Some(Trial { seq: 1, deaths: 1 }));
}

/// What the process may have died of runs alone, although what was never in flight could begin.
#[test]
fn nothing_begins_beside_a_trial() {
    let mut stored = Cursor { deaths: 2, ..Cursor::default() };
    let mut agenda = reopened(&mut stored);
    agenda.take(vec![item(7, 1)], 1, 0);
    agenda.all_read();
    agenda.take(vec![item(8, 2)], 2, 0);
    assert_eq!(agenda.start(now(0)), None, "it has to be noted before");
    saved(&mut agenda, &mut stored);
    assert_eq!(agenda.start(now(0)).unwrap().item, item(7, 1));
    assert_eq!(agenda.start(now(0)), None);
    agenda.finish(&lane(7), Ok(()), 0, now(0));
    assert_eq!(agenda.start(now(0)).unwrap().item, item(8, 2));
}

/// Whoever survives an attempt is tried as if nothing had been.
#[test]
fn a_survivor_is_no_suspect() {
    let mut stored =
        Cursor { deaths: 2, trial: Some(Trial { seq: 1, deaths: 1 }), ..Cursor::default() };
    let mut agenda = reopened(&mut stored);
    agenda.take(vec![item(7, 1)], 1, 0);
    for (time, deaths) in [(0, 2), (1000, 1)] {
        assert_eq!(agenda.start(now(time)), None);
        saved(&mut agenda, &mut stored);
        assert_eq!(stored.trial, Some(Trial { seq: 1, deaths }));
        agenda.start(now(time)).unwrap();
        agenda.finish(&lane(7), Err(Failed::again("no")), 0, now(time));
    }
}

/// Somebody may want it to be tried nevertheless.
#[test]
fn what_was_given_up_can_be_handled_once_more() {
    let mut stored =
        Cursor { deaths: 2, trial: Some(Trial { seq: 1, deaths: 2 }), ..Cursor::default() };
    let mut agenda = reopened(&mut stored);
    agenda.take(vec![item(7, 1)], 1, 0);
    assert_eq!(agenda.give_up(now(0)), Some(item(7, 1)));
    saved(&mut agenda, &mut stored);
    agenda.redrive(lane(7), &letter(1));
    assert_eq!((agenda.give_up(now(0)), agenda.start(now(0))), (None, None));
    saved(&mut agenda, &mut stored);
    assert_eq!(stored.trial, Some(Trial { seq: 1, deaths: 1 }));
    assert_eq!(agenda.start(now(0)).unwrap().item, item(7, 1));
}

#[test]
fn a_cursor_that_stays_is_a_sign() {
    let mut stored = Cursor { deaths: 1, ..Cursor::default() };
    let mut agenda = reopened(&mut stored);
    agenda.take(two_users(), 2, 0);
    assert!(agenda.start(now(0)).is_some() && agenda.start(now(0)).is_some());
    agenda.finish(&lane(8), Ok(()), 0, now(0));
    saved(&mut agenda, &mut stored);
    assert_eq!((stored.deaths, stored.progress.cursor()), (2, 0));
    agenda.finish(&lane(7), Ok(()), 0, now(0));
    saved(&mut agenda, &mut stored);
    assert_eq!((stored.deaths, stored.progress.cursor()), (1, 2));
}
