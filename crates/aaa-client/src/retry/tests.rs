use proptest::prelude::*;

use super::*;

fn failed() -> impl Strategy<Value = FailedAttempt> {
    let wait = prop::option::of((0..2000_u64).prop_map(Duration::from_secs));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), wait);
    flags.prop_map(|(repeatable, maybe_done, passing, wait)| FailedAttempt {
        repeatable,
        maybe_done,
        passing,
        wait,
    })
}

fn policy() -> impl Strategy<Value = RetryPolicy> {
    (0..8_u32, 0..5000_u64, 0..60_000_u64, 0..2_000_000_u64).prop_map(
        |(attempts, first, longest, wait)| {
            RetryPolicy::default()
                .with_max_attempts(attempts)
                .with_pauses(Duration::from_millis(first), Duration::from_millis(longest))
                .with_max_wait(Duration::from_millis(wait))
        },
    )
}

const PASSING: FailedAttempt =
    FailedAttempt { repeatable: true, maybe_done: true, passing: true, wait: None };

#[test]
fn pauses_grow_and_are_drawn_at_random() {
    let policy = RetryPolicy::default().with_max_attempts(u32::MAX);
    let longest = |attempt| {
        let millis = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
        Duration::from_millis(*millis.get(attempt as usize - 1).unwrap_or(&30_000))
    };
    for attempt in [1, 2, 3, 4, 5, 6, 7, 8, 40, u32::MAX - 1] {
        let nanos = u64::try_from(longest(attempt).as_nanos()).unwrap();
        let after = |random| policy.decide(attempt, &PASSING, Duration::ZERO, random);
        assert_eq!(after(0), RetryDecision::Retry { after: Duration::ZERO });
        assert_eq!(after(nanos), RetryDecision::Retry { after: longest(attempt) });
        assert_eq!(after(nanos + 1), RetryDecision::Retry { after: Duration::ZERO });
    }
}

#[test]
fn a_reset_is_waited_for_and_a_little_more() {
    let reset = FailedAttempt { wait: Some(Duration::from_secs(40)), ..PASSING };
    let policy = RetryPolicy::default();
    let after = Duration::from_millis(40_250);
    assert_eq!(
        policy.decide(1, &reset, Duration::ZERO, 250_000_000),
        RetryDecision::Retry { after }
    );
    // Not longer than allowed, and not in vain.
    let policy = policy.with_max_wait(Duration::from_secs(40));
    let after = Duration::from_secs(40);
    assert_eq!(
        policy.decide(1, &reset, Duration::ZERO, 250_000_000),
        RetryDecision::Retry { after }
    );
    let waited = Duration::from_millis(1);
    assert_eq!(policy.decide(2, &reset, waited, 0), RetryDecision::GiveUp);
}

#[test]
fn none_repeats_nothing() {
    let none = RetryPolicy::none();
    assert_eq!(none.decide(1, &PASSING, Duration::ZERO, 0), RetryDecision::GiveUp);
}

#[test]
fn what_counts_of_an_error() {
    use crate::{TransportError, v2};
    let now = "2025-11-22T04:00:00Z".parse().unwrap();
    let of = |error: &ClientError| {
        let failed = FailedAttempt::of(error, false, now);
        (failed.passing, failed.maybe_done, failed.wait.map(|wait| wait.as_secs()))
    };
    let refused = |status: u16, headers: &[(&str, &str)]| {
        let mut answer = http::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        v2::list_webhooks().answer(&answer.body(bytes::Bytes::new()).unwrap()).unwrap_err()
    };
    assert_eq!(of(&refused(429, &[("x-rate-limit-reset", "1763784040")])), (true, false, Some(40)));
    // The reset has passed.
    assert_eq!(of(&refused(429, &[("x-rate-limit-reset", "1763783999")])), (true, false, Some(0)));
    assert_eq!(of(&refused(429, &[])), (true, false, None));
    assert_eq!(of(&refused(503, &[])), (true, true, None));
    assert_eq!(of(&refused(400, &[])), (false, false, None));
    let lost = |error| ClientError::Transport {
        what: Operation::ListWebhooks,
        method: http::Method::GET,
        url: String::new(),
        error,
    };
    assert_eq!(of(&lost(TransportError::not_connected(""))), (true, false, None));
    assert_eq!(of(&lost(TransportError::no_answer(""))), (true, true, None));
    assert_eq!(of(&lost(TransportError::unsendable(""))), (false, false, None));
    assert_eq!(of(&lost(TransportError::answer_too_large(1))), (false, true, None));
}

proptest! {
    #[test]
    fn nothing_unsafe_is_repeated(
        policy in policy(), failed in failed(), attempt in 1..9_u32, random: u64,
    ) {
        let unsafe_ = failed.maybe_done && !failed.repeatable;
        if let RetryDecision::Retry { .. } = policy.decide(attempt, &failed, Duration::ZERO, random) {
            prop_assert!(failed.passing && !unsafe_);
        }
    }

    #[test]
    fn a_call_ends_within_its_bounds(
        attempts in 0..8_u32,
        policy in policy(),
        failures in prop::collection::vec((failed(), any::<u64>()), 20),
    ) {
        let policy = policy.with_max_attempts(attempts);
        let (mut waited, mut made) = (Duration::ZERO, 1);
        for (failed, random) in failures {
            let RetryDecision::Retry { after } = policy.decide(made, &failed, waited, random) else {
                break;
            };
            prop_assert!(after >= failed.wait.unwrap_or_default());
            waited += after;
            made += 1;
        }
        prop_assert!(made <= attempts.max(1));
        prop_assert!(waited <= policy.max_wait);
    }
}

#[test]
fn a_further_bound_takes_nothing_back() {
    let waits = |policy: RetryPolicy| policy.max_wait;
    let second = Duration::from_secs(1);
    assert_eq!(waits(RetryPolicy::default().waiting_at_most(second)), second);
    let short = RetryPolicy::default().with_max_wait(second).with_max_attempts(2);
    let bound = short.waiting_at_most(60 * second);
    assert_eq!((waits(bound), bound.max_attempts), (second, 2));
}
