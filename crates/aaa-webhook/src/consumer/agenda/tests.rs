mod deaths;

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;
use crate::consumer::Trial;

const LIMITS: Limits = Limits { in_flight: 4, window: 12 };
const PAGE: usize = 5;

fn now(millis: u64) -> Now {
    let wall = Timestamp::from_millisecond(i64::try_from(millis).unwrap()).unwrap();
    Now { steady: Duration::from_millis(millis), wall }
}

fn lane(user: u8) -> Lane {
    Lane::new("main", Some(&user.to_string()))
}

fn item(user: u8, seq: u64) -> Item {
    Item { lane: lane(user), seqs: vec![seq] }
}

fn agenda(limits: Limits) -> Agenda {
    let retry = RetryPolicy { attempts: 3, ..RetryPolicy::default() };
    Agenda::new(Cursor::default(), limits, retry)
}

/// What an event does when it is handled.
#[derive(Debug, Clone, Copy)]
enum Nature {
    /// It succeeds after so many failures, of which every other is somebody's absence.
    Fails(u8),
    /// It never succeeds.
    Poison,
    /// The process dies of it.
    Kills,
    Stale,
    /// The number was never given.
    Hole,
}

/// A world in which everything happens in any order: pages, ends of attempts, saves, crashes.
struct World {
    natures: Vec<(u8, Nature)>,
    seed: u64,
    time: u64,
    stored: Cursor,
    dead: BTreeMap<u64, DeadLetter>,
    agenda: Agenda,
    running: Vec<Start>,
    saving: Option<(Changes, Vec<u64>)>,
    /// Ended since the last save was begun.
    ended: Vec<u64>,
    failures: HashMap<u64, u8>,
    done: HashMap<u64, u32>,
    /// How often an event may be done once more, since it was in flight when everything crashed.
    allowed: HashMap<u64, u32>,
    last_of_lane: HashMap<Lane, u64>,
    /// How often the process died of an event.
    kills: u32,
    /// How often an event was noted as being tried alone when the process died.
    blamed: HashMap<u64, u32>,
}

impl World {
    fn new(natures: Vec<(u8, Nature)>, seed: u64) -> Self {
        Self {
            natures,
            seed,
            time: 0,
            stored: Cursor { deaths: 1, ..Cursor::default() },
            dead: BTreeMap::new(),
            agenda: agenda(LIMITS),
            running: Vec::new(),
            saving: None,
            ended: Vec::new(),
            failures: HashMap::new(),
            done: HashMap::new(),
            allowed: HashMap::new(),
            last_of_lane: HashMap::new(),
            kills: 0,
            blamed: HashMap::new(),
        }
    }

    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.seed >> 33
    }

    fn nature(&self, seq: u64) -> (u8, Nature) {
        self.natures[usize::try_from(seq).unwrap() - 1]
    }

    fn read(&mut self) {
        let Some(after) = self.agenda.wants() else { return };
        let last = self.natures.len() as u64;
        let present = (after + 1..=last).filter(|seq| !matches!(self.nature(*seq).1, Nature::Hole));
        let page: Vec<u64> = present.take(PAGE).collect();
        let Some(read) = page.last().copied() else { return self.agenda.all_read() };
        let (mut items, mut stale) = (Vec::new(), 0);
        for seq in page.into_iter().filter(|seq| !self.agenda.is_finished(*seq)) {
            match self.nature(seq) {
                (_, Nature::Stale) => stale += 1,
                (user, _) => items.push(item(user, seq)),
            }
        }
        self.agenda.take(items, read, stale);
        assert!(self.agenda.open.len() < LIMITS.window + PAGE, "memory is bounded");
    }

    fn start(&mut self) {
        if let Some(item) = self.agenda.give_up(now(self.time)) {
            self.ended.extend(&item.seqs);
        }
        let Some(start) = self.agenda.start(now(self.time)) else { return };
        let seq = start.item.seqs[0];
        let trial = self.stored.trial.filter(|_| self.agenda.caution.is_alone());
        if let Some(trial) = trial {
            assert!(trial.seq == seq && self.running.is_empty(), "{seq} is tried alone");
        }
        assert!(self.running.iter().all(|other| other.item.lane != start.item.lane), "in order");
        let last = self.last_of_lane.insert(start.item.lane.clone(), seq).unwrap_or(0);
        assert!(last < seq || (last == seq && start.attempt > 1), "{last} before {seq}");
        assert!(!self.dead.contains_key(&seq), "a dead letter rests");
        self.running.push(start);
        assert!(self.agenda.in_flight() <= LIMITS.in_flight);
    }

    fn finish(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let any = self.random() as usize % self.running.len();
        let Start { item, .. } = self.running.swap_remove(any);
        let seq = item.seqs[0];
        let result = match self.nature(seq).1 {
            Nature::Poison => Err(Failed::poison("poison")),
            Nature::Kills => {
                self.kills += 1;
                self.running.push(Start { item, attempt: 1 });
                return self.crash();
            }
            Nature::Fails(times) => {
                let failed = self.failures.entry(seq).or_default();
                *failed += 1;
                if *failed > times {
                    *self.done.entry(seq).or_default() += 1;
                    Ok(())
                } else if failed.is_multiple_of(2) {
                    Err(Failed::again("again"))
                } else {
                    Err(Failed::unavailable("away"))
                }
            }
            Nature::Stale | Nature::Hole => panic!("{seq} was never to be handled"),
        };
        let random = self.random();
        let verdict = self.agenda.finish(&item.lane, result, random, now(self.time));
        if !matches!(verdict, Verdict::Again(_)) {
            self.ended.push(seq);
        }
    }

    fn save(&mut self) {
        if let Some(changes) = self.agenda.changes() {
            self.saving = Some((changes, std::mem::take(&mut self.ended)));
        }
    }

    /// The save arrives in the store.
    fn saved(&mut self) {
        if let Some((changes, _)) = self.saving.take() {
            self.store(changes);
            self.agenda.saved();
        }
    }

    fn store(&mut self, changes: Changes) {
        assert!(changes.progress.cursor() >= self.stored.progress.cursor(), "never back");
        self.dead.extend(changes.dead.into_iter().map(|letter| (letter.seq, letter)));
        for seq in 1..=self.natures.len() as u64 {
            let unfinished = match self.nature(seq).1 {
                Nature::Stale | Nature::Hole => false,
                Nature::Poison | Nature::Kills | Nature::Fails(_) => {
                    !self.done.contains_key(&seq) && !self.dead.contains_key(&seq)
                }
            };
            assert!(!(unfinished && changes.progress.contains(seq)), "{seq} was skipped");
        }
        self.stored.progress = changes.progress;
        self.stored.totals = changes.totals;
        (self.stored.deaths, self.stored.trial) = (changes.deaths, changes.trial);
    }

    fn crash(&mut self) {
        let mut lost = std::mem::take(&mut self.ended);
        if let Some((changes, ended)) = self.saving.take() {
            // The commit may have come through before.
            if self.random().is_multiple_of(2) {
                self.store(changes);
            } else {
                lost.extend(ended);
            }
        }
        lost.extend(self.running.drain(..).map(|start| start.item.seqs[0]));
        assert!(lost.len() <= LIMITS.in_flight, "{lost:?}");
        for seq in lost {
            *self.allowed.entry(seq).or_default() += 1;
        }
        if let Some(trial) = self.stored.trial {
            *self.blamed.entry(trial.seq).or_default() += 1;
        }
        let retry = RetryPolicy { attempts: 3, ..RetryPolicy::default() };
        self.agenda = Agenda::new(self.stored.clone(), LIMITS, retry);
        self.stored.deaths += 1;
        self.last_of_lane.clear();
    }

    fn step(&mut self) {
        match self.random() % 16 {
            0..=2 => self.read(),
            3..=6 => self.start(),
            7..=10 => self.finish(),
            11 => self.save(),
            12..=13 => self.saved(),
            14 => self.time += 700,
            _ => {
                if self.random().is_multiple_of(8) {
                    self.crash();
                }
            }
        }
    }

    /// Goes on without crashes until nothing is left to be done.
    fn end(&mut self) {
        self.kills = 0;
        for _ in 0..10_000 {
            self.read();
            self.start();
            self.finish();
            self.save();
            self.saved();
            self.time = self.agenda.next_wakeup().map_or(self.time, |at| at.as_millis() as u64 + 1);
        }
        let last = self.natures.len() as u64;
        for seq in 1..=last {
            let (done, dead) = (self.done.get(&seq).copied().unwrap_or(0), self.dead.get(&seq));
            match self.nature(seq).1 {
                Nature::Hole | Nature::Stale => assert_eq!((done, dead), (0, None)),
                Nature::Poison if died(dead) => assert!(done == 0 && self.blamed[&seq] > 1),
                Nature::Poison => assert_eq!((done, dead.unwrap().attempts), (0, 1)),
                Nature::Kills => assert!(done == 0 && died(dead)),
                // Whatever killed the process, this was being tried alone then, twice.
                Nature::Fails(_) if died(dead) => assert!(self.blamed[&seq] > 1),
                Nature::Fails(_) => {
                    // Two of its failures are one that counts, and three of these are too many.
                    assert_eq!(done > 0, dead.is_none(), "{seq}");
                    let allowed = self.allowed.get(&seq).copied().unwrap_or(0);
                    assert!(done <= 1 + allowed, "{seq} was done {done} times");
                }
            }
        }
        // Four for each, and some while the cursor still moves.
        let killers = self.natures.iter().filter(|(_, n)| matches!(n, Nature::Kills)).count();
        assert!(self.kills <= 8 * killers as u32, "{} deaths of {killers}", self.kills);
        let there = (1..=last).rev().find(|seq| !matches!(self.nature(*seq).1, Nature::Hole));
        assert_eq!(self.stored.progress, Progress::new(there.unwrap_or(0), []));
        assert!(self.agenda.lanes.is_empty() && self.agenda.in_flight() == 0);
    }
}

fn died(dead: Option<&DeadLetter>) -> bool {
    dead.is_some_and(|dead| dead.reason.starts_with("the process died"))
}

fn nature() -> impl Strategy<Value = Nature> {
    prop_oneof![
        8 => Just(Nature::Fails(0)),
        3 => (1_u8..4).prop_map(Nature::Fails),
        1 => (6_u8..12).prop_map(Nature::Fails),
        1 => Just(Nature::Poison),
        1 => Just(Nature::Kills),
        1 => Just(Nature::Stale),
        1 => Just(Nature::Hole),
    ]
}

proptest! {
    /// Whatever happens in whatever order: each event is done once, and more often only if it was
    /// in flight at a crash; in order for each user; the cursor passes over nothing unfinished.
    #[test]
    fn at_least_once_in_order_and_rarely_twice(
        natures in prop::collection::vec((0_u8..5, nature()), 0..60),
        seed: u64,
        steps in 0..1500,
    ) {
        let mut world = World::new(natures, seed);
        for _ in 0..steps {
            world.step();
        }
        world.end();
    }
}

#[test]
fn a_lane_waits_and_the_others_do_not() {
    let mut agenda = agenda(LIMITS);
    agenda.take(vec![item(7, 1), item(7, 2), item(8, 3)], 3, 0);
    assert_eq!(agenda.start(now(0)).unwrap().item, item(7, 1));
    assert_eq!(agenda.start(now(0)).unwrap().item, item(8, 3));
    assert_eq!(agenda.start(now(0)), None);
    let pause = Duration::from_secs(1);
    let again = Failed::again("no");
    assert_eq!(agenda.finish(&lane(7), Err(again), 0, now(0)), Verdict::Again(pause));
    agenda.finish(&lane(8), Ok(()), 0, now(0));
    assert_eq!(agenda.next_wakeup(), Some(pause));
    assert_eq!(agenda.start(now(999)), None);
    assert_eq!(agenda.progress(), Progress::new(0, [3..=3]));
    let start = agenda.start(now(1000)).unwrap();
    assert_eq!((start.item, start.attempt), (item(7, 1), 2));
}

#[test]
fn somebody_away_costs_no_attempt() {
    let mut agenda = agenda(LIMITS);
    agenda.take(vec![item(7, 1)], 1, 0);
    let mut time = 0;
    // An hour.
    while time < 3_600_000 {
        assert!(agenda.start(now(time)).is_some());
        let away = Failed::unavailable("away").not_before(Duration::from_secs(2));
        match agenda.finish(&lane(7), Err(away), u64::MAX, now(time)) {
            Verdict::Again(pause) => time += pause.as_millis() as u64,
            other => panic!("{other:?}"),
        }
    }
    for attempt in [Verdict::Again(Duration::from_secs(30)), Verdict::Dead] {
        // The first of three was a strike already.
        agenda.start(now(time)).unwrap();
        if attempt == Verdict::Dead {
            agenda.finish(&lane(7), Err(Failed::again("no")), 0, now(time));
            time += 30_000;
            agenda.start(now(time)).unwrap();
        }
        assert_eq!(agenda.finish(&lane(7), Err(Failed::again("no")), 0, now(time)), attempt);
        time += 30_000;
    }
    let changes = agenda.changes().unwrap();
    assert_eq!((changes.totals.dead, changes.dead[0].reason.as_str()), (1, "no"));
    assert_eq!(changes.dead[0].first_failed_at, Timestamp::UNIX_EPOCH);
    assert_eq!(changes.progress.cursor(), 1);
}

#[test]
fn a_dead_letter_is_handled_once_more() {
    let mut agenda = agenda(LIMITS);
    agenda.take(vec![item(7, 1)], 1, 0);
    agenda.start(now(5)).unwrap();
    assert_eq!(agenda.finish(&lane(7), Err(Failed::poison("bad")), 0, now(5)), Verdict::Dead);
    let letter = agenda.changes().unwrap().dead.remove(0);
    agenda.saved();

    for (result, time) in [(Err(Failed::poison("still bad")), 10), (Ok(()), 15)] {
        agenda.redrive(lane(7), &letter);
        // Seen twice before the store knows, it is begun once.
        agenda.redrive(lane(7), &letter);
        assert!(agenda.is_redriven(1) && !agenda.is_redriven(2));
        assert_eq!(agenda.start(now(time)).unwrap().item, item(7, 1));
        assert_eq!(agenda.start(now(time)), None);
        agenda.finish(&lane(7), result.clone(), 0, now(time));
        agenda.redrive(lane(7), &letter);
        assert_eq!(agenda.start(now(time)), None);
        let changes = agenda.changes().unwrap();
        agenda.saved();
        assert!(!agenda.is_redriven(1));
        if result.is_ok() {
            assert_eq!((changes.dead, changes.settled), (vec![], vec![1]));
        } else {
            let dead = &changes.dead[0];
            assert_eq!((dead.attempts, dead.reason.as_str()), (2, "still bad"));
            assert_eq!(dead.first_failed_at, now(5).wall);
            assert_eq!(dead.last_failed_at, now(10).wall);
        }
        // The cursor has long been there.
        assert_eq!(changes.progress, Progress::new(1, []));
    }
}

#[test]
fn what_is_not_saved_yet_is_in_flight() {
    let mut agenda = agenda(Limits { in_flight: 2, window: 12 });
    agenda.take((1..=5).map(|seq| item(seq as u8, seq)).collect(), 5, 0);
    for user in [1, 2] {
        agenda.start(now(0)).unwrap();
        agenda.finish(&lane(user), Ok(()), 0, now(0));
    }
    assert_eq!(agenda.start(now(0)), None);
    agenda.changes().unwrap();
    assert_eq!((agenda.start(now(0)), agenda.changes()), (None, None));
    agenda.saved();
    assert!(agenda.start(now(0)).is_some());
}

fn letter(seq: u64) -> DeadLetter {
    DeadLetter {
        seq,
        key: None,
        reason: "no".to_owned(),
        attempts: 5,
        first_failed_at: now(0).wall,
        last_failed_at: now(0).wall,
        redrive: true,
    }
}

#[test]
fn what_changes_nothing_is_not_saved() {
    let mut agenda = agenda(LIMITS);
    agenda.take(vec![], 3, 0);
    assert_eq!(agenda.changes().unwrap().progress, Progress::new(3, []));
    agenda.saved();
    agenda.take(vec![], 3, 0);
    assert_eq!(agenda.changes(), None);
}

#[test]
fn as_many_dead_letters_are_taken_as_there_is_room_for() {
    let mut agenda = agenda(Limits { in_flight: 1, window: 2 });
    for seq in 1..=2 {
        assert!(agenda.wants_redriven());
        agenda.redrive(lane(7), &letter(seq));
    }
    assert!(!agenda.wants_redriven());
}
