//! The ledger in SQLite against the one in memory, through any history.

use aaa_replay::{
    coverage::{Cause, Gap, Heartbeat, RunId, Tally},
    ledger::{
        Declaration, Holder, Intent, LeaseId, Ledger, LedgerError, Outcome, Purpose, Role, Seen,
    },
};
use aaa_store::{MemoryStore, SqliteStore};
use aaa_types::{ReplayWindow, UtcMinute};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::helper::{Directory, now};

/// What may happen to a ledger.
#[derive(Debug, Clone)]
enum Step {
    Beat { run: u64, after: i64, counts: [u8; 4] },
    Take { run: u64, listener: bool },
    Release { lease: u64 },
    Intend { lease: u64, from: i64, minutes: i64, sweep: bool },
    Settle { lease: u64, attempt: u64, outcome: u8 },
    Declare { from: i64, minutes: i64, cause: u8 },
    Prolong { number: u64, minute: i64 },
    Withdraw { number: u64 },
    Confirm { webhook: u64, valid: Option<i64>, complete: Option<i64> },
    Trim { minute: i64 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let minute = -200..400_i64;
    prop_oneof![
        8 => (0..3_u64, 1..20_i64, [0..3_u8, 0..2, 0..2, 0..2])
            .prop_map(|(run, after, counts)| Step::Beat { run, after, counts }),
        2 => (0..3_u64, any::<bool>()).prop_map(|(run, listener)| Step::Take { run, listener }),
        1 => (0..4_u64).prop_map(|lease| Step::Release { lease }),
        3 => (0..4_u64, minute.clone(), 1..60_i64, any::<bool>()).prop_map(
            |(lease, from, minutes, sweep)| Step::Intend { lease, from, minutes, sweep }
        ),
        3 => (0..4_u64, 0..6_u64, 0..4_u8)
            .prop_map(|(lease, attempt, outcome)| Step::Settle { lease, attempt, outcome }),
        2 => (minute.clone(), 0..90_i64, 0..3_u8)
            .prop_map(|(from, minutes, cause)| Step::Declare { from, minutes, cause }),
        1 => (0..5_u64, minute.clone())
            .prop_map(|(number, minute)| Step::Prolong { number, minute }),
        1 => (0..5_u64).prop_map(|number| Step::Withdraw { number }),
        1 => (12..14_u64, prop::option::of(minute.clone()), prop::option::of(minute.clone()))
            .prop_map(|(webhook, valid, complete)| Step::Confirm { webhook, valid, complete }),
        2 => minute.prop_map(|minute| Step::Trim { minute }),
        1 => Just(Step::Restart),
    ]
}

/// A history in progress: what only grows.
#[derive(Debug, Default)]
struct Clock {
    seconds: i64,
    tally: Tally,
}

fn at(minute: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minute)
}

/// Does a step; returns what it came to, to be compared.
async fn perform(ledger: &impl Ledger, clock: &mut Clock, step: &Step) -> String {
    let told = |result: Result<String, LedgerError>| result.unwrap_or_else(|e| e.to_string());
    told(match *step {
        Step::Beat { run, after, counts } => {
            clock.seconds += after;
            let [refused, verified, rejected, arrived] = counts.map(u64::from);
            clock.tally.refusals += u64::from(refused == 2);
            clock.tally.verified += verified;
            clock.tally.rejected += rejected;
            clock.tally.arrived += arrived;
            let heartbeat = Heartbeat {
                run: RunId(run),
                wall: now() + SignedDuration::from_secs(clock.seconds),
                uptime: SignedDuration::from_secs(clock.seconds),
                offset: SignedDuration::from_secs(-2),
                offset_read: true,
                tally: clock.tally,
            };
            ledger.heartbeat(heartbeat).await.map(|()| String::new())
        }
        Step::Take { run, listener } => {
            let role = if listener { Role::Listener } else { Role::Command };
            let holder = Holder { name: format!("run {run}"), run: RunId(run), role };
            let time = now() + SignedDuration::from_secs(clock.seconds);
            let until = time + SignedDuration::from_secs(30);
            ledger.take_lease(holder, time, until).await.map(|lease| format!("{lease:?}"))
        }
        Step::Release { lease } => {
            ledger.release_lease(LeaseId(lease)).await.map(|()| String::new())
        }
        Step::Intend { lease, from, minutes, sweep } => {
            let from = UtcMinute::floor(at(from));
            let core = ReplayWindow::new(from, from.plus(minutes)).unwrap();
            let purpose = if sweep { Purpose::Sweep } else { Purpose::Gap };
            let webhook = "12".parse().unwrap();
            let intent = Intent { webhook, core, request: core, at: at(500), purpose };
            ledger.intend(LeaseId(lease), intent).await.map(|number| number.to_string())
        }
        Step::Settle { lease, attempt, outcome } => {
            let job = "5".parse().unwrap();
            let outcome = match outcome {
                0 => Outcome::Running { job },
                1 => Outcome::Recovered { job },
                2 => Outcome::Incomplete { job, reason: "some".to_owned() },
                _ => Outcome::Failed { job: None, reason: "none".to_owned() },
            };
            let settled = ledger.settle(LeaseId(lease), attempt, outcome, at(501)).await;
            settled.map(|found| found.to_string())
        }
        Step::Declare { from, minutes, cause } => {
            let cause = [Cause::Sweep, Cause::Invalid, Cause::Requested][usize::from(cause)];
            let gap = Gap::new(at(from), at(from + minutes), cause);
            let declaration = Declaration { gap, webhook: None, at: at(502) };
            ledger.declare(declaration).await.map(|number| number.to_string())
        }
        Step::Prolong { number, minute } => {
            ledger.prolong(number, at(minute)).await.map(|there| there.to_string())
        }
        Step::Withdraw { number } => ledger.withdraw(number).await.map(|there| there.to_string()),
        Step::Confirm { webhook, valid, complete } => {
            let seen = Seen { valid: valid.map(at), complete: complete.map(at) };
            ledger.confirm(webhook.try_into().unwrap(), seen).await.map(|()| String::new())
        }
        Step::Trim { minute } => ledger.trim(at(minute)).await.map(|()| String::new()),
        Step::Restart => Ok(String::new()),
    })
}

/// All that a ledger knows.
async fn all(ledger: &impl Ledger) -> String {
    format!(
        "{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}",
        ledger.spans_from(0).await.unwrap(),
        ledger.proofs().await.unwrap(),
        ledger.lease().await.unwrap(),
        ledger.attempts().await.unwrap(),
        ledger.declared().await.unwrap(),
        ledger.confirmed(12.try_into().unwrap()).await.unwrap(),
        ledger.confirmed(13.try_into().unwrap()).await.unwrap(),
        ledger.summary().await.unwrap(),
    )
}

async fn run(steps: Vec<Step>) {
    let directory = Directory::new();
    let (mut sqlite, memory): (SqliteStore, _) = (directory.open(), MemoryStore::default());
    let (mut one, mut other) = (Clock::default(), Clock::default());
    for step in &steps {
        if matches!(step, Step::Restart) {
            sqlite.close().await.unwrap();
            sqlite = directory.open();
        }
        let expected = perform(&memory, &mut one, step).await;
        assert_eq!(perform(&sqlite, &mut other, step).await, expected, "{step:?}");
    }
    assert_eq!(all(&sqlite).await, all(&memory).await);
    sqlite.close().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn both_ledgers_say_the_same(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps));
    }
}
