use proptest::prelude::*;

use super::*;
use crate::notice::Gone;

fn start() -> Moment {
    Moment { x: "2025-11-22T12:00:00Z".parse().unwrap(), uptime: SignedDuration::from_secs(100) }
}

/// So many seconds later.
fn at(seconds: i64) -> Moment {
    let time = SignedDuration::from_secs(seconds);
    Moment { x: start().x + time, uptime: start().uptime + time }
}

fn webhook() -> WebhookId {
    "12".parse().unwrap()
}

fn users(ids: &[u64]) -> BTreeSet<UserId> {
    ids.iter().map(|id| id.to_string().parse().unwrap()).collect()
}

fn user(id: u64) -> UserId {
    id.to_string().parse().unwrap()
}

/// All was well so many seconds later.
fn well(seconds: i64) -> Seen {
    Seen { valid: Some(at(seconds).x), complete: Some(at(seconds).x) }
}

/// What X and the rest of the world answer.
struct World {
    watcher: Watcher,
    valid: Option<bool>,
    /// Whether a validation helps.
    heals: bool,
    self_check: Result<(), String>,
    subscribed: BTreeSet<UserId>,
    /// Users whose token is held.
    tokens: BTreeSet<UserId>,
    declared: Vec<Declaration>,
    seen: Seen,
    alive: Option<Timestamp>,
    asked: Vec<String>,
    notices: Vec<Notice>,
}

impl World {
    fn new() -> Self {
        Self {
            watcher: Watcher::new(webhook(), Rhythm::v2(), (well(0), &[]), None),
            valid: Some(true),
            heals: true,
            self_check: Ok(()),
            subscribed: users(&[7, 8]),
            tokens: BTreeSet::new(),
            declared: Vec::new(),
            seen: well(0),
            alive: None,
            asked: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// Another process begins, with what the ledger remembers.
    fn restart(&mut self, now: Moment) {
        let number = |(index, declaration): (usize, &Declaration)| Declared {
            number: index as u64 + 1,
            after: 0,
            declaration: *declaration,
        };
        let declared: Vec<_> = self.declared.iter().enumerate().map(number).collect();
        let wanted = Report::Wanted(self.watcher.subscribers.wanted().clone());
        let memory = (self.seen, declared.as_slice());
        let subscribers = self.watcher.subscribers().clone();
        let watcher = Watcher::new(webhook(), Rhythm::v2(), memory, self.alive);
        self.watcher = watcher.remembering(subscribers);
        self.watcher.on(wanted, now);
    }

    /// Does what is to be done at a moment; returns what was asked and told.
    fn run(&mut self, now: Moment) -> (Vec<String>, Vec<String>) {
        let mut steps = 0;
        while let Some(errand) = self.watcher.next_errand(now) {
            steps += 1;
            assert!(steps < 50, "it does not end: {errand:?}");
            assert_eq!(self.watcher.next_errand(now).as_ref(), Some(&errand));
            let report = self.answer(&errand);
            self.watcher.on(report, now);
        }
        self.notices = self.watcher.notices();
        let told = self.notices.iter().map(|notice| notice.event().to_owned()).collect();
        (std::mem::take(&mut self.asked), told)
    }

    fn answer(&mut self, errand: &Errand) -> Report {
        let result = |result: Result<(), String>| match result {
            Ok(()) => Report::Done,
            Err(reason) => Report::Failed(reason),
        };
        let (name, report) = match errand {
            Errand::ListWebhooks => {
                let all = self.valid.map(|valid| (webhook(), valid)).into_iter().collect();
                ("webhooks", Report::Webhooks(all))
            }
            Errand::SelfCheck => ("self-check", result(self.self_check.clone())),
            Errand::Validate(_) => {
                self.valid = Some(self.heals);
                ("validate", Report::Done)
            }
            Errand::ListSubscriptions(_) => {
                ("subscriptions", Report::Subscriptions(self.subscribed.clone()))
            }
            Errand::Subscribe { user, .. } => {
                let held = self.tokens.contains(user);
                if held {
                    self.subscribed.insert(*user);
                }
                ("subscribe", result(held.then_some(()).ok_or_else(|| "no token".to_owned())))
            }
            Errand::Declare(declaration) => {
                self.declared.push(*declaration);
                ("declare", Report::Declared(self.declared.len() as u64))
            }
            Errand::Prolong { number, to } => {
                self.declared[*number as usize - 1].gap.to = *to;
                ("prolong", Report::Done)
            }
            Errand::Confirm { seen, .. } => {
                self.seen.update(*seen);
                return Report::Done;
            }
        };
        self.asked.push(name.to_owned());
        report
    }

    fn spell(&self) -> (i64, i64) {
        let gap = self.declared.last().unwrap().gap;
        let second = |time: Timestamp| time.duration_since(start().x).as_secs();
        (second(gap.from), second(gap.to))
    }
}

#[test]
fn while_all_is_well_it_only_looks() {
    let mut world = World::new();
    assert_eq!(world.run(at(0)).0, ["webhooks", "subscriptions"]);
    assert_eq!(world.watcher.next_wakeup(at(20)).as_secs(), 40);
    assert_eq!(world.run(at(59)), (vec![], vec![]));
    assert_eq!(world.run(at(60)).0, ["webhooks", "subscriptions"]);
    assert_eq!(world.declared, []);
}

#[test]
fn an_invalid_webhook_is_checked_by_us_and_then_by_x() {
    let mut world = World::new();
    world.run(at(0));
    world.valid = Some(false);
    let (asked, told) = world.run(at(60));
    let expected = ["webhooks", "declare", "self-check", "validate", "webhooks", "prolong"];
    assert_eq!(asked[..6], expected);
    assert_eq!(told, ["webhook_invalid", "webhook_valid"]);
    assert_eq!((world.spell(), world.declared[0].gap.cause), ((0, 60), Cause::Invalid));
    assert_eq!(world.run(at(120)).1, [""; 0]);
}

#[test]
fn x_is_not_asked_while_our_own_check_fails() {
    let mut world = World::new();
    world.run(at(0));
    (world.valid, world.self_check) = (Some(false), Err("502 from the proxy".to_owned()));
    let mut told = Vec::new();
    let mut checks = 0;
    for minute in 1..=180 {
        let (asked, news) = world.run(at(minute * 60));
        assert!(!asked.contains(&"validate".to_owned()));
        checks += asked.iter().filter(|what| *what == "self-check").count();
        told.extend(news);
    }
    // Each is said once, and the pauses grow.
    assert_eq!(told, ["webhook_invalid", "self_check_failed"]);
    assert!((15..40).contains(&checks), "{checks}");
    // The ledger knows most of it, should we die now.
    assert_eq!((world.declared.len(), world.spell()), (1, (0, 60 + 2 * 3600)));
    world.self_check = Ok(());
    let (_, told) = world.run(at(200 * 60));
    assert_eq!(told, ["webhook_valid"]);
    assert_eq!(world.declared[0].gap, Gap::new(at(0).x, at(200 * 60).x, Cause::Invalid));
}

#[test]
fn a_check_that_does_not_help_is_repeated_after_pauses() {
    let mut world = World::new();
    (world.valid, world.heals) = (Some(false), false);
    let mut validations = 0;
    for minute in 0..60 {
        let (asked, _) = world.run(at(minute * 60));
        validations += asked.iter().filter(|what| *what == "validate").count();
    }
    assert!((5..15).contains(&validations), "{validations}");
}

#[test]
fn a_webhook_that_is_not_listed_is_named_once() {
    let mut world = World::new();
    world.valid = None;
    assert_eq!(world.run(at(0)).1, ["webhook_missing"]);
    assert_eq!(world.run(at(60)).1, [""; 0]);
    world.valid = Some(true);
    assert_eq!(world.run(at(120)).1, [""; 0]);
}

#[test]
fn who_is_wanted_and_vanished_is_subscribed_again() {
    let mut world = World::new();
    world.watcher.on(Report::Wanted(users(&[7, 8])), at(0));
    world.tokens = users(&[7]);
    world.run(at(0));
    world.subscribed = users(&[8]);
    let (asked, told) = world.run(at(60));
    let expected =
        ["webhooks", "subscriptions", "declare", "subscribe", "subscriptions", "prolong"];
    assert_eq!(asked, expected);
    assert_eq!(told, ["subscription_gone", "subscription_back"]);
    assert_eq!((world.spell(), world.declared[0].gap.cause), ((0, 60), Cause::Unsubscribed));
}

#[test]
fn who_cannot_be_subscribed_again_is_named_and_declares_nothing_for_ever() {
    let mut world = World::new();
    world.watcher.on(Report::Wanted(users(&[7, 8])), at(0));
    world.run(at(0));
    world.subscribed = users(&[8]);
    let mut told = Vec::new();
    for minute in 1..100 {
        told.extend(world.run(at(minute * 60)).1);
    }
    assert_eq!(told, ["subscription_gone", "subscribe_failed"]);
    // What X does not attempt, no replay brings back: asking for it all the time helps nobody.
    assert_eq!(world.spell(), (0, 60));
    // Somebody else did it.
    world.subscribed = users(&[7, 8]);
    assert_eq!(world.run(at(100 * 60)).1, ["subscription_back"]);
    assert_eq!((world.declared.len(), world.spell()), (1, (0, 6000)));
}

#[test]
fn who_revoked_access_is_not_wanted_any_more() {
    let mut world = World::new();
    world.watcher.on(Report::Wanted(users(&[7, 8])), at(0));
    world.tokens = users(&[7, 8]);
    world.run(at(0));
    world.watcher.on(Report::Revoked(user(7)), at(30));
    // Twice: deliveries come twice.
    world.watcher.on(Report::Revoked(user(7)), at(31));
    world.subscribed = users(&[8]);
    let (asked, told) = world.run(at(60));
    assert_eq!((asked.len(), told), (2, vec!["subscription_gone".to_owned()]));
    let how =
        |notice: &Notice| matches!(notice, Notice::SubscriptionGone { how: Gone::Revoked, .. });
    assert!(world.notices.iter().all(how));
    assert_eq!(world.declared, []);
}

#[test]
fn whom_somebody_took_away_on_purpose_is_not_missed() {
    let mut world = World::new();
    world.watcher.on(Report::Wanted(users(&[7, 8])), at(0));
    world.tokens = users(&[7, 8]);
    world.run(at(0));
    world.watcher.dismiss(user(7));
    world.subscribed = users(&[8]);
    let (asked, told) = world.run(at(60));
    assert_eq!((asked.len(), told.len()), (2, 0), "{asked:?} {told:?}");
    assert_eq!((world.declared.len(), world.watcher.subscribers()), (0, &users(&[8])));
    // Should X list them all the same, they are one of them again.
    world.subscribed = users(&[7, 8]);
    world.run(at(120));
    assert_eq!(*world.watcher.subscribers(), users(&[7, 8]));
}

#[test]
fn whoever_was_there_is_named_and_declared_whether_wanted_or_not() {
    let mut world = World::new();
    world.watcher = world.watcher.only_naming();
    world.tokens = users(&[7]);
    world.run(at(0));
    world.subscribed = users(&[8]);
    let (asked, told) = world.run(at(60));
    assert_eq!(asked, ["webhooks", "subscriptions", "declare"]);
    assert_eq!(told, ["subscription_gone"]);
    assert_eq!((world.spell(), world.declared[0].gap.cause), ((0, 60), Cause::Unsubscribed));
    assert_eq!(world.run(at(120)).1, [""; 0]);
    world.subscribed = users(&[7, 8]);
    assert_eq!(world.run(at(180)).1, ["subscription_back"]);
    assert_eq!(world.spell(), (0, 180));
    // A wanted user who was never seen is missing since all was well.
    world.watcher.on(Report::Wanted(users(&[9])), at(180));
    assert_eq!(world.run(at(240)).1, ["subscription_gone"]);
    assert_eq!(world.spell(), (0, 240));
}

#[test]
fn who_vanished_while_nobody_was_there_is_named_and_declared() {
    let mut world = World::new();
    world.run(at(0));
    assert_eq!(*world.watcher.subscribers(), users(&[7, 8]));
    let hour = Moment { uptime: SignedDuration::ZERO, ..at(3600) };
    world.subscribed = users(&[8]);
    world.restart(hour);
    assert_eq!(world.run(hour).1, ["subscription_gone", "subscribe_failed"]);
    assert_eq!((world.spell(), world.declared[0].gap.cause), ((0, 3600), Cause::Unsubscribed));
    // The next run waits for the user, too, and declares nothing twice.
    let later = Moment { uptime: SignedDuration::ZERO, ..at(7200) };
    world.restart(later);
    world.run(later);
    assert_eq!((world.declared.len(), *world.watcher.subscribers() == users(&[7, 8])), (1, true));
    world.watcher.on(Report::Revoked(user(7)), later);
    assert_eq!(*world.watcher.subscribers(), users(&[8]));
}

#[test]
fn what_is_well_is_recorded() {
    let mut world = World::new();
    world.watcher.on(Report::Wanted(users(&[7])), at(0));
    world.run(at(60));
    assert_eq!(world.seen, well(60));
    (world.valid, world.heals, world.subscribed) = (Some(false), false, users(&[8]));
    world.run(at(120));
    assert_eq!(world.seen, well(60));
    world.valid = Some(true);
    world.run(at(240));
    assert_eq!(world.seen, Seen { complete: well(60).complete, ..well(240) });
}

#[test]
fn a_restart_names_what_began_while_nobody_could_record_it() {
    let mut world = World::new();
    world.watcher.on(Report::Wanted(users(&[7, 8])), at(0));
    world.run(at(0));
    // Both go wrong, the process is killed, and an hour later another one begins.
    (world.valid, world.heals, world.subscribed) = (Some(false), false, users(&[8]));
    let hour = Moment { uptime: SignedDuration::ZERO, ..at(3600) };
    world.restart(hour);
    let (_, told) = world.run(hour);
    assert_eq!(told, ["webhook_invalid", "subscription_gone", "subscribe_failed"]);
    let gaps: Vec<_> = world.declared.iter().map(|declared| declared.gap).collect();
    let gap = |cause| Gap::new(at(0).x, at(3600).x, cause);
    assert_eq!(gaps, [gap(Cause::Invalid), gap(Cause::Unsubscribed)]);
}

#[test]
fn a_restart_goes_on_with_a_spell_and_ends_it() {
    let mut world = World::new();
    world.watcher.on(Report::Wanted(users(&[7])), at(0));
    world.run(at(0));
    (world.valid, world.heals) = (Some(false), false);
    world.run(at(60));
    let later = Moment { uptime: SignedDuration::from_secs(1), ..at(1800) };
    world.restart(later);
    // It is said again, by the new run, and nothing is declared twice.
    assert_eq!(world.run(later).1, ["webhook_invalid"]);
    assert_eq!((world.declared.len(), world.spell()), (1, (0, 60)));
    world.valid = Some(true);
    let later = Moment { uptime: SignedDuration::from_secs(61), ..at(1860) };
    assert_eq!(world.run(later).1, ["webhook_valid"]);
    assert_eq!((world.declared.len(), world.spell()), (1, (0, 1860)));
    // It is over: the next one begins there.
    let later = Moment { uptime: SignedDuration::from_secs(1), ..at(2000) };
    world.restart(later);
    world.valid = Some(false);
    world.run(later);
    assert_eq!((world.declared.len(), world.spell()), (2, (1860, 2000)));
}

#[test]
fn what_nobody_could_see_is_declared() {
    let mut world = World::new();
    world.watcher.on(Report::Wanted(users(&[7])), at(0));
    world.run(at(0));
    // Three periods without an answer are few enough.
    world.run(at(180));
    assert_eq!(world.declared, []);
    // A jump of X's clock, and a sleep that ends with a look, are no time in which something could
    // become right again.
    let slept = Moment { uptime: at(240).uptime, ..at(9000) };
    world.run(slept);
    assert_eq!(world.declared, []);
    let later = Moment { uptime: at(600).uptime, ..at(9360) };
    world.run(later);
    let gaps: Vec<_> = world.declared.iter().map(|declared| declared.gap).collect();
    assert_eq!(gaps, [Gap::new(slept.x, later.x, Cause::Unwatched); 2]);
    // A run that looks at once has seen all that it has to.
    let start = Moment { uptime: SignedDuration::from_secs(5), ..at(20_000) };
    world.restart(start);
    world.run(start);
    assert_eq!(world.declared.len(), 2);
    // One that could not ask for a while has not.
    world.restart(start);
    let later = Moment { uptime: SignedDuration::from_secs(120), ..at(30_000) };
    world.run(later);
    assert_eq!(world.declared.len(), 4);
}

#[test]
fn who_is_wanted_later_is_missed_since_then() {
    let mut world = World::new();
    world.watcher.on(Report::Wanted(users(&[7])), at(0));
    for minute in 0..=60 {
        world.run(at(minute * 60));
    }
    // X takes the subscription, and loses it before it was ever seen.
    world.watcher.on(Report::Wanted(users(&[7, 9])), at(3630));
    world.run(at(3660));
    assert_eq!(world.spell(), (3630, 3660));
    // The same with somebody who had taken the permission back.
    world.subscribed = users(&[7, 8, 9]);
    world.run(at(3720));
    world.watcher.on(Report::Revoked(user(8)), at(3730));
    world.watcher.on(Report::Wanted(users(&[7, 8, 9])), at(3750));
    world.subscribed = users(&[7, 9]);
    world.run(at(3780));
    assert_eq!(world.spell(), (3750, 3780));
}

#[test]
fn after_a_sleep_it_looks_at_once() {
    let mut world = World::new();
    world.run(at(0));
    // The webhook became invalid meanwhile, and may be valid again before the steady clock, which
    // stood still, says that it is time.
    (world.valid, world.heals) = (Some(false), false);
    let woke = Moment { uptime: at(10).uptime, ..at(3600) };
    assert_eq!(world.watcher.next_wakeup(woke), SignedDuration::ZERO);
    assert_eq!(world.run(woke).1, ["webhook_invalid"]);
    assert_eq!(world.spell(), (0, 3600));
    // X's clock was set back: no sleep.
    let back = Moment { uptime: at(20).uptime, ..at(1800) };
    assert_eq!(world.run(back).0, [""; 0]);
}

#[test]
fn a_sleep_is_declared_when_nobody_could_ask_right_after_it() {
    let mut world = World::new();
    world.run(at(0));
    let woke = Moment { uptime: at(10).uptime, ..at(3600) };
    assert_eq!(world.watcher.next_errand(woke), Some(Errand::ListWebhooks));
    world.watcher.on(Report::Failed("unreachable".to_owned()), woke);
    let later = Moment { uptime: at(75).uptime, ..at(3665) };
    world.run(later);
    let gap = Gap::new(at(0).x, later.x, Cause::Unwatched);
    // Neither whether the webhook was valid nor who was subscribed could be asked.
    assert_eq!(world.declared.iter().map(|it| it.gap).collect::<Vec<_>>(), [gap, gap]);
}

#[test]
fn an_answer_from_before_a_sleep_says_nothing() {
    let mut world = World::new();
    world.run(at(0));
    assert_eq!(world.watcher.next_errand(at(60)), Some(Errand::ListWebhooks));
    let woke = Moment { uptime: at(70).uptime, ..at(3600) };
    world.watcher.on(Report::Webhooks(vec![(webhook(), true)]), woke);
    assert_eq!(world.seen, well(0));
    (world.valid, world.heals) = (Some(false), false);
    world.run(woke);
    assert_eq!(world.spell(), (0, 3600));
}

#[test]
fn what_the_run_before_could_not_see_is_declared() {
    let mut world = World::new();
    world.run(at(0));
    let start = Moment { uptime: SignedDuration::from_secs(1), ..at(3600) };
    // It was killed soon after it had looked.
    world.alive = Some(at(180).x);
    world.restart(start);
    world.run(start);
    assert_eq!(world.declared, []);
    // It was there for an hour, and could not ask.
    world.seen = well(0);
    world.alive = Some(at(3500).x);
    world.restart(start);
    world.run(start);
    let gap = Gap::new(at(0).x, start.x, Cause::Unwatched);
    assert_eq!(world.declared.iter().map(|it| it.gap).collect::<Vec<_>>(), [gap; 2]);
    // What nobody remembers counts as well as long as somebody was there.
    (world.seen, world.valid, world.heals) = (Seen::default(), Some(false), false);
    world.declared.clear();
    world.restart(start);
    world.run(start);
    assert_eq!(world.declared[0].gap, Gap::new(at(3500).x, start.x, Cause::Invalid));
}

#[test]
fn who_comes_back_is_recorded_while_others_are_missing() {
    let mut world = World::new();
    world.watcher.on(Report::Wanted(users(&[7, 8])), at(0));
    world.run(at(0));
    world.subscribed = users(&[]);
    world.run(at(60));
    world.run(at(120));
    world.subscribed = users(&[8]);
    world.run(at(240));
    assert_eq!((world.declared.len(), world.spell()), (1, (0, 240)));
}

proptest! {
    /// Whatever happens, a spell is in the ledger from its beginning, and every one that ended is
    /// there whole; it never asks X to check what we could not check.
    #[test]
    fn spells_are_recorded(
        steps in prop::collection::vec((0..4_u8, 0..4_u8, any::<bool>(), 0..3_i64), 1..60)
    ) {
        let mut world = World::new();
        world.watcher.on(Report::Wanted(users(&[7])), at(0));
        let (mut second, mut valid, mut invalid_since) = (0, 0, None);
        for (state, subscribed, good, minutes) in steps {
            second += 60 + minutes * 60;
            world.valid = match state {
                0 => Some(false),
                1 => None,
                _ => Some(true),
            };
            world.heals = good;
            world.self_check = if subscribed == 0 { Err("no".to_owned()) } else { Ok(()) };
            world.subscribed = if subscribed < 2 { users(&[8]) } else { users(&[7, 8]) };
            world.tokens = if good { users(&[7]) } else { users(&[]) };
            let (asked, _) = world.run(at(second));
            if world.self_check.is_err() {
                prop_assert!(!asked.contains(&"validate".to_owned()));
            }
            if state == 0 && invalid_since.is_none() {
                invalid_since = Some(valid);
            }
            if world.valid == Some(true) {
                if let Some(since) = invalid_since.take() {
                    let whole = world.declared.iter().any(|declaration| {
                        let gap = declaration.gap;
                        gap.cause == Cause::Invalid && gap.from <= at(since).x && at(second).x <= gap.to
                    });
                    prop_assert!(whole, "{since}..{second} is not in {:?}", world.declared);
                }
                valid = second;
            }
        }
    }
}

mod failures;
mod users;
