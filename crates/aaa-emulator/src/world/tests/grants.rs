use proptest::prelude::*;

use super::*;

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// A request token, and what its page's form brings back.
fn begin(sim: &mut Sim, callback: &str) -> (String, String) {
    let token = sim.world.request_token(callback, sim.now).unwrap().token;
    let form = sim.world.consent(&token, sim.now).unwrap().form_token;
    (token, form)
}

#[test]
fn a_verifier_works_once() {
    let mut sim = Sim::new(still());
    let (token, form) = begin(&mut sim, "http://localhost/back");
    let wrong = Err(GrantError::Verifier);
    assert_eq!(sim.world.access_token(&token, "", sim.now), wrong, "nobody agreed");
    let decided = sim.world.decide(&token, &form, Decision::Approve(user(7)), sim.now).unwrap();
    assert_eq!(decided.callback, "http://localhost/back");
    let verifier = decided.verifier.unwrap();
    assert_eq!(verifier.len(), 32);
    assert!(sim.world.request_secret(&token, sim.now).is_some());
    assert_eq!(sim.world.access_token(&token, "another", sim.now), wrong);
    assert_eq!(sim.world.access_token(&token, &verifier, sim.now), Ok(user(7)));
    assert_eq!(sim.world.access_token(&token, &verifier, sim.now), Err(GrantError::Token));
    assert_eq!(sim.world.request_secret(&token, sim.now), None);
}

#[test]
fn what_was_decided_stays_so() {
    let mut sim = Sim::new(still());
    let (token, form) = begin(&mut sim, "oob");
    let decide = |sim: &mut Sim, form: &str, by| sim.world.decide(&token, form, by, sim.now);
    let approve = Decision::Approve(user(7));
    assert_eq!(decide(&mut sim, "x", approve), Err(GrantError::Form));
    let nobody = user(10_000_000);
    assert_eq!(decide(&mut sim, &form, Decision::Approve(nobody)), Err(GrantError::User(nobody)));
    let denied = decide(&mut sim, &form, Decision::Deny).unwrap();
    assert_eq!((denied.callback.as_str(), denied.verifier), ("oob", None));
    assert_eq!(decide(&mut sim, &form, approve), Err(GrantError::Token));
    assert_eq!(sim.world.consent(&token, sim.now), Err(GrantError::Token));
    assert_eq!(sim.world.access_token(&token, "", sim.now), Err(GrantError::Verifier));
}

#[test]
fn request_tokens_expire() {
    let mut sim = Sim::new(still());
    let (token, form) = begin(&mut sim, "oob");
    sim.pass(minutes(15) - SignedDuration::from_millis(1));
    let decided = sim.world.decide(&token, &form, Decision::Approve(user(7)), sim.now).unwrap();
    sim.pass(SignedDuration::from_millis(1));
    let pin = decided.verifier.unwrap();
    assert_eq!(sim.world.access_token(&token, &pin, sim.now), Err(GrantError::Token));
    assert_eq!(sim.world.request_secret(&token, sim.now), None);
}

#[test]
fn callbacks_lead_somewhere() {
    let mut sim = Sim::new(still());
    for good in ["oob", "http://localhost", "https://example.com/a?b=c", "myapp://back", "a:b"] {
        assert!(sim.world.request_token(good, sim.now).is_ok(), "{good}");
    }
    for bad in [
        "",
        "/back",
        "example.com",
        "javascript:alert(1)",
        "JavaScript:x",
        "data:,x",
        "http://local host/",
        "http://",
        " oob",
    ] {
        let refused = sim.world.request_token(bad, sim.now);
        assert_eq!(refused, Err(GrantError::Callback), "{bad}");
    }
}

#[test]
fn bearer_tokens_are_the_same_until_invalidated() {
    let mut sim = Sim::new(still());
    assert_eq!(sim.world.bearer_token(), "emulator-bearer");
    assert_eq!(sim.world.bearer_token(), "emulator-bearer");
    assert!(!sim.world.invalidate_bearer_token("emulator-bearer-2"));
    assert!(sim.world.invalidate_bearer_token("emulator-bearer"));
    assert!(!sim.world.is_bearer_token("emulator-bearer"));
    assert!(!sim.world.is_bearer_token("emulator-bearer-2"), "nobody asked for it yet");
    assert!(!sim.world.invalidate_bearer_token("emulator-bearer"));
    assert_eq!(sim.world.bearer_token(), "emulator-bearer-2");
    assert!(sim.world.is_bearer_token("emulator-bearer-2"));
    assert!(!sim.world.is_bearer_token("emulator-bearer"));
    sim.world.reset(sim.now);
    assert!(sim.world.is_bearer_token("emulator-bearer"));
}

proptest! {
    /// Whatever is tried, a token is given only for what the page led to, and only once.
    #[test]
    fn no_token_without_permission(
        seed: u64,
        steps in proptest::collection::vec((0..5u8, 0..3usize, 0..3usize), 1..40),
    ) {
        let mut sim = Sim::new(Settings { seed, ..still() });
        let requests: Vec<_> = (0..3).map(|_| begin(&mut sim, "oob")).collect();
        let mut granted: Vec<Option<(UserId, String)>> = vec![None; 3];
        for (step, which, other) in steps {
            let (token, form) = &requests[which];
            match step {
                0 => {
                    let by = Decision::Approve(user(which as u64 + 1));
                    if let Ok(decided) = sim.world.decide(token, form, by, sim.now) {
                        granted[which] = Some((user(which as u64 + 1), decided.verifier.unwrap()));
                    }
                }
                1 => {
                    let by = Decision::Approve(user(9));
                    let form = &requests[other].1;
                    let decided = sim.world.decide(token, form, by, sim.now);
                    prop_assert!(which == other || decided.is_err());
                    if let Ok(decided) = decided {
                        granted[which] = Some((user(9), decided.verifier.unwrap()));
                    }
                }
                2 => {
                    let _ = sim.world.decide(token, form, Decision::Deny, sim.now);
                }
                3 => {
                    let verifier = granted[other].as_ref().map_or("", |(_, v)| v).to_owned();
                    let given = sim.world.access_token(token, &verifier, sim.now);
                    let expected = granted[which].as_ref().filter(|(_, v)| *v == verifier);
                    prop_assert_eq!(given.ok(), expected.map(|(user, _)| *user));
                    if given.is_ok() {
                        granted[which] = None;
                    }
                }
                _ => {
                    prop_assert!(sim.world.access_token(token, "0", sim.now).is_err());
                }
            }
        }
    }
}
