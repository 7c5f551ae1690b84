//! Things happen by themselves: the acts of a society, at its rate.

use aaa_types::UserId;
use jiff::{SignedDuration, Timestamp};

use super::{World, events::Happened};
use crate::{
    control::{SavedTraffic, Traffic, TrafficState},
    settings::BlockedFlag,
    society::{self, Act, Moulds, Society, Values, concerns_other},
};

/// How many deliveries may wait before acts are left out.
const MAX_WAITING: usize = 1000;

/// How late an act may be; whoever was stopped for longer does not catch up.
const MAX_LATE: SignedDuration = SignedDuration::from_secs(5);

/// After how many acts the list of subscribers is made anew, whatever else.
const STALE: u32 = 256;

/// A society that is at it.
#[derive(Debug)]
pub(super) struct Running {
    ask: Traffic,
    period: SignedDuration,
    next: Timestamp,
    society: Society,
    moulds: Moulds,
    subscribers: Vec<u64>,
    since_listed: u32,
    acts: u64,
    left_out: u64,
}

impl World {
    /// Begins, changes or ends what happens by itself. The first act comes one period later.
    ///
    /// # Errors
    ///
    /// Says what is wrong with a rate or a number of users.
    pub fn set_traffic(
        &mut self,
        ask: Traffic,
        now: Timestamp,
    ) -> Result<TrafficState, &'static str> {
        self.observe(now);
        check(ask)?;
        if ask.rate == 0.0 {
            let ended = self.traffic.take().map(|running| running.state());
            let ended = ended.unwrap_or(TrafficState { users: ask.users, ..NOTHING });
            return Ok(TrafficState { rate: 0.0, ..ended });
        }
        let period = period_of(ask);
        let next = self.now.checked_add(period).unwrap_or(Timestamp::MAX);
        let running = match self.traffic.take() {
            Some(mut running) => {
                running.society.resize(ask.users);
                Running { ask, period, next, ..running }
            }
            None => {
                let society = Society::new(self.settings.seed, ask.users);
                Running::new(ask, next, society, self.settings.blocked_flag)
            }
        };
        Ok(self.traffic.insert(running).state())
    }

    /// Saves what happens by itself, so that it goes on from there.
    pub(super) fn saved_traffic(&self) -> Option<SavedTraffic> {
        let running = self.traffic.as_ref()?;
        let mut saved = running.society.saved(running.ask, running.next);
        (saved.acts, saved.left_out) = (running.acts, running.left_out);
        Some(saved)
    }

    /// Takes up what was saved.
    pub(super) fn take_up_traffic(&mut self, saved: SavedTraffic) -> Result<(), &'static str> {
        let SavedTraffic { asked, next, acts, left_out, .. } = saved;
        check(asked)?;
        if asked.rate == 0.0 {
            return Err("its traffic has no rate");
        }
        let society = Society::restored(saved);
        let running = Running::new(asked, next, society, self.settings.blocked_flag);
        if running.due_by(self.now) > Traffic::MAX_STEP {
            return Err("its traffic has waited for too long");
        }
        self.traffic = Some(Running { acts, left_out, ..running });
        Ok(())
    }

    /// Returns what happens by itself.
    pub fn traffic(&self) -> TrafficState {
        self.traffic.as_ref().map_or(NOTHING, Running::state)
    }

    /// Counts the acts that are due by a time.
    pub(crate) fn acts_until(&self, now: Timestamp) -> u64 {
        self.traffic.as_ref().map_or(0, |running| running.due_by(now))
    }

    /// Leaves out what cannot be done in time, where time goes by itself: while too many
    /// deliveries wait, and what is due for too long.
    pub(crate) fn relieve_traffic(&mut self, now: Timestamp) {
        let Some(running) = &mut self.traffic else {
            return;
        };
        if running.next > now {
            return;
        }
        let waiting: usize = self.hooks.values().map(|hook| hook.queue.len()).sum();
        if waiting >= MAX_WAITING || now.duration_since(running.next) > MAX_LATE {
            running.leave_out(running.due_by(now));
        }
    }

    /// Leaves out everything that is due by a time.
    pub(crate) fn leave_out_traffic(&mut self, by: Timestamp) {
        if let Some(running) = &mut self.traffic {
            running.leave_out(running.due_by(by));
        }
    }

    /// Returns when the next act is.
    pub(super) fn next_act(&self) -> Option<Timestamp> {
        self.traffic.as_ref().map(|running| running.next)
    }

    /// Has the next act happen; says no if none is due.
    pub(super) fn act(&mut self, now: Timestamp) -> bool {
        let Some(mut running) = self.traffic.take_if(|running| running.next <= now) else {
            return false;
        };
        running.next = running.next.checked_add(running.period).unwrap_or(Timestamp::MAX);
        if let Some(subscriber) = self.draw_subscriber(&mut running) {
            let hooks = &self.hooks;
            let is_subscribed = |id: u64| {
                let user = UserId::try_from(id).ok();
                user.is_some_and(|user| hooks.values().any(|h| h.subscribers.contains(&user)))
            };
            let (ids, random) = (&mut self.ids, &mut self.random);
            let act =
                running.society.act(subscriber, now, &is_subscribed, &mut || ids.next(random, now));
            running.acts += 1;
            self.carry_out(&act, &mut running.moulds);
        }
        self.traffic = Some(running);
        true
    }

    /// Draws somebody who is subscribed. The list is made anew when somebody is known to have come
    /// or gone, and now and then.
    fn draw_subscriber(&self, running: &mut Running) -> Option<u64> {
        let count: usize = self.hooks.values().map(|hook| hook.subscribers.len()).sum();
        if running.subscribers.len() != count || running.since_listed >= STALE {
            let users = self.hooks.values().flat_map(|hook| &hook.subscribers);
            running.subscribers = users.map(|user| user.as_u64()).collect();
            running.since_listed = 0;
        }
        running.since_listed += 1;
        running.society.draw(&running.subscribers)
    }

    /// Writes an act into the ledger, for everybody who is subscribed and concerned.
    fn carry_out(&mut self, act: &Act, moulds: &mut Moulds) {
        let (Ok(actor), other) = (UserId::try_from(act.actor), UserId::try_from(act.other)) else {
            return;
        };
        let millis = act.sort().map(|sort| self.ids.next_millis(sort, self.now));
        let millis = millis.unwrap_or(self.now.as_millisecond());
        let values = Values::new(act, self.now, millis, self.random.hex());
        if let (Some(blocks), Ok(other)) = (act.blocks(), &other) {
            self.blocks.note(blocks, actor, *other);
        }
        let webhooks: Vec<_> = self.hooks.keys().copied().collect();
        for webhook in webhooks {
            let Some(hook) = self.hooks.get(&webhook) else {
                continue;
            };
            let relations = self.settings.relations_of(hook.generation);
            let other = other.as_ref().ok().filter(|_| concerns_other(act.what, relations));
            let concerned = [Some(&actor), other]
                .map(|user| user.copied().filter(|user| hook.subscribers.contains(user)));
            for user in concerned.into_iter().flatten() {
                let has_blocked = self.blocks.has(user, actor);
                let body = moulds.body(act, &values, user == actor, has_blocked);
                let key = society::key(act, &values, user);
                let kind = act.kind().to_owned();
                let happened = Happened { kind, key, body, is_account_activity: true };
                self.log(webhook, Some(user), happened, None);
            }
            self.pump(webhook);
        }
    }
}

const NOTHING: TrafficState =
    TrafficState { rate: 0.0, users: Traffic::USERS, acts: 0, left_out: 0 };

/// Finds what is wrong with a rate or a number of users.
fn check(ask: Traffic) -> Result<(), &'static str> {
    if ask.rate != 0.0 && !(Traffic::MIN_RATE..=Traffic::MAX_RATE).contains(&ask.rate) {
        return Err("`rate` is between 0.001 and 100000 per second, or 0 to end it");
    }
    if !(2..=Traffic::MAX_USERS).contains(&ask.users) {
        return Err("`users` is between 2 and 10000");
    }
    Ok(())
}

fn period_of(ask: Traffic) -> SignedDuration {
    // Below a nanosecond it would not go on.
    SignedDuration::from_secs_f64(ask.rate.recip()).max(SignedDuration::from_nanos(1))
}

impl Running {
    fn new(ask: Traffic, next: Timestamp, society: Society, flag: BlockedFlag) -> Self {
        Self {
            ask,
            period: period_of(ask),
            next,
            society,
            moulds: Moulds::new(flag),
            subscribers: Vec::new(),
            since_listed: STALE,
            acts: 0,
            left_out: 0,
        }
    }

    fn state(&self) -> TrafficState {
        let Traffic { rate, users } = self.ask;
        TrafficState { rate, users, acts: self.acts, left_out: self.left_out }
    }

    fn due_by(&self, now: Timestamp) -> u64 {
        let late = now.duration_since(self.next);
        if late.is_negative() {
            return 0;
        }
        let periods = late.as_nanos() / self.period.as_nanos().max(1);
        u64::try_from(periods).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn leave_out(&mut self, acts: u64) {
        let periods = i64::try_from(acts).unwrap_or(i64::MAX);
        let nanos = self.period.as_nanos().saturating_mul(i128::from(periods));
        let skipped = i64::try_from(nanos).map_or(SignedDuration::MAX, SignedDuration::from_nanos);
        self.next = self.next.checked_add(skipped).unwrap_or(Timestamp::MAX);
        self.left_out = self.left_out.saturating_add(acts);
    }
}
