//! What X did wrong on purpose, as its journal says.

use std::collections::HashSet;

use aaa_emulator::control::{Action, Faults};
use jiff::Timestamp;

/// The faults that fired.
#[derive(Debug, Default)]
pub(crate) struct Fired {
    /// Which events were lost or spoilt on their way, and when.
    spoilt: HashSet<(String, Timestamp)>,
}

impl Fired {
    pub(crate) fn new(faults: Faults) -> Self {
        let spoils = |action: Action| {
            use Action::{BadSignature, Corrupt, Drop, Truncate};
            matches!(action, BadSignature | Corrupt | Drop | Truncate)
        };
        let planned = faults.faults.into_iter().filter(|fault| spoils(fault.action));
        let planned: HashSet<_> = planned.map(|fault| fault.id).collect();
        let fired = faults.journal.into_iter().filter(|it| planned.contains(&it.fault_id));
        Self { spoilt: fired.filter_map(|it| Some((it.event_id?, it.at))).collect() }
    }

    /// Says whether an attempt of an event was lost or spoilt on its way.
    pub(crate) fn has_spoilt(&self, event: &str, at: Timestamp) -> bool {
        self.spoilt.contains(&(event.to_owned(), at))
    }
}

#[cfg(test)]
mod tests {
    use aaa_emulator::{
        control::{Cause, Fault, Match, Trigger},
        settings::{Generation, Settings},
        world::{Answer, Effect, World},
    };
    use bytes::Bytes;

    use super::*;

    /// A delivery that was answered 403 without any fault was not spoilt on its way.
    #[test]
    fn only_what_a_fault_has_spoilt_is_spoilt() {
        let now: Timestamp = "2025-11-22T00:00:00Z".parse().unwrap();
        let mut world = World::new(Settings::default(), now);
        world.register("http://127.0.0.1:8080/", Generation::V2, now).unwrap();
        for effect in world.take_effects() {
            if let Effect::Check(check) = effect {
                let query = check.uri.split_once('?').unwrap().1;
                let token = aaa_webhook::crc::CrcToken::from_query(query).unwrap();
                let secret = aaa_emulator::credentials::CONSUMER_SECRET.parse().unwrap();
                let answer = Answer::new(200, Bytes::from(token.answer(&secret)));
                world.check_ended(check.id, Ok(answer), now);
            }
        }
        let webhook = world.webhooks().first().unwrap().id;
        let user = "7".parse().unwrap();
        world.subscribe(webhook, user, now).unwrap();
        let when = Match { cause: Some(Cause::Live), nth: Some(2), ..Match::default() };
        world.plan_fault(Fault { when, action: Action::Corrupt, times: 1 }).unwrap();
        world.trigger(&Trigger::new("follow_events", user).with_count(2), now).unwrap();
        for effect in world.take_effects() {
            if let Effect::Post(post) = effect {
                world.delivery_ended(post.id, Ok(Answer::new(403, Bytes::new())), now);
            }
        }
        let fired = Fired::new(world.faults());
        let events = world.ledger(now).events;
        let spoilt = events.iter().map(|it| fired.has_spoilt(&it.id, it.attempts[0].at));
        assert_eq!(spoilt.collect::<Vec<_>>(), [false, true]);
    }
}
