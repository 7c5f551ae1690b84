//! The world behind a lock, and the tasks that carry out what it wants.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    task::JoinSet,
    time::Sleep,
};

use super::{ControlError, clock::Clock, handle::report, outbound::Outbound};
use crate::{
    control::{Snapshot, Traffic},
    rest::Rest,
    settings::{OauthTime, Settings},
    world::{Effect, Outcome, SnapshotError, Ticket, World},
};

/// How long one move of the clock waits for webhooks, in real time.
const PATIENCE: Duration = Duration::from_secs(2);

/// What all handlers and tasks of an emulator share.
#[derive(Debug)]
pub(super) struct Shared {
    inner: Mutex<Inner>,
    clock: Clock,
    outbound: Outbound,
    runtime: Handle,
    /// The next thing that happens by itself has changed.
    rescheduled: Notify,
    /// What happens by itself from the beginning.
    traffic: OnceLock<Traffic>,
    /// A webhook has answered, or will not.
    ended: Notify,
    /// Held by whoever moves the clock.
    turn: tokio::sync::Mutex<()>,
    /// How often something may have changed.
    changes: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    world: World,
    rest: Rest,
    waiting: HashMap<Ticket, oneshot::Sender<Outcome>>,
    tasks: JoinSet<()>,
    stopped: bool,
}

/// The world, for the length of one lock.
pub(super) struct Visit<'a> {
    pub(super) world: &'a mut World,
    pub(super) rest: &'a mut Rest,
    pub(super) now: Timestamp,
}

impl Shared {
    pub(super) fn new(
        settings: Settings,
        outbound: Outbound,
        state: Option<Snapshot>,
        runtime: Handle,
    ) -> Result<Arc<Self>, SnapshotError> {
        let clock = Clock::new(&settings);
        let is_resumed = state.is_some();
        let world = match state {
            Some(state) => {
                clock.go_on_from(state.now, state.ahead_millis);
                World::restore(settings, state)?
            }
            None => World::new(settings, clock.now()),
        };
        let inner = Inner {
            world,
            rest: Rest::new(),
            waiting: HashMap::new(),
            tasks: JoinSet::new(),
            stopped: false,
        };
        let shared = Arc::new(Self {
            inner: Mutex::new(inner),
            clock,
            outbound,
            runtime,
            rescheduled: Notify::new(),
            traffic: OnceLock::new(),
            ended: Notify::new(),
            turn: tokio::sync::Mutex::new(()),
            changes: AtomicU64::new(0),
        });
        if is_resumed {
            shared.visit(|v| v.world.resume(v.now));
        }
        Ok(shared)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the clocks that a signature's timestamp may agree with.
    pub(super) fn clocks(&self, settings: &Settings) -> Vec<Timestamp> {
        match settings.oauth_time {
            OauthTime::Strict => vec![self.clock.now()],
            OauthTime::EitherClock => vec![self.clock.now(), self.clock.real_now()],
        }
    }

    /// Does something with the world and starts what it then wants.
    pub(super) fn visit<T>(self: &Arc<Self>, act: impl FnOnce(Visit<'_>) -> T) -> T {
        self.visit_and_wait(|visit| (act(visit), None)).0
    }

    /// The same; where `act` returns a ticket, the answer to it can be waited for.
    pub(super) fn visit_and_wait<T>(
        self: &Arc<Self>,
        act: impl FnOnce(Visit<'_>) -> (T, Option<Ticket>),
    ) -> (T, Option<oneshot::Receiver<Outcome>>) {
        self.visit_as(true, act)
    }

    /// The same. What only asks changes nothing that is worth being kept, unless something was due.
    pub(super) fn visit_as<T>(
        self: &Arc<Self>,
        changes: bool,
        act: impl FnOnce(Visit<'_>) -> (T, Option<Ticket>),
    ) -> (T, Option<oneshot::Receiver<Outcome>>) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let before = inner.world.next_wakeup();
        let now = self.clock.now();
        if self.clock.is_running() {
            inner.world.relieve_traffic(now);
        }
        inner.world.wake(now);
        let visit = Visit { world: &mut inner.world, rest: &mut inner.rest, now };
        let (value, ticket) = act(visit);
        let receiver = ticket.map(|ticket| {
            let (sender, receiver) = oneshot::channel();
            inner.waiting.insert(ticket, sender);
            receiver
        });
        self.carry_out(inner);
        if changes || before.is_some_and(|due| due <= now) {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
        // What comes later than was known is looked for when its old time is over.
        let next = inner.world.next_wakeup();
        if next.is_some_and(|next| before.is_none_or(|before| next < before)) {
            self.rescheduled.notify_one();
        }
        (value, receiver)
    }

    /// Looks at the world.
    pub(super) fn look<T>(&self, act: impl FnOnce(&World, Timestamp) -> T) -> T {
        act(&self.lock().world, self.clock.now())
    }

    /// Moves the clock on, from one thing that is due to the next: what each of them starts has
    /// ended before the next begins, so that its consequences fall due at their own time. Whoever
    /// is slower than [`PATIENCE`], all in all, is not waited for any more.
    pub(super) async fn advance(self: &Arc<Self>, by: Duration) -> Result<Timestamp, ControlError> {
        let _turn = self.turn.lock().await;
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        if !self.clock.can_advance(by) {
            return Err(ControlError::TooFar);
        }
        let target = self.clock.now().as_millisecond().saturating_add(by);
        let until = Timestamp::from_millisecond(target).unwrap_or(Timestamp::MAX);
        let acts = self.look(|world, _| world.acts_until(until));
        if acts > Traffic::MAX_STEP {
            return Err(ControlError::TooMuch(acts));
        }
        let mut patience = Some(Box::pin(tokio::time::sleep(PATIENCE)));
        loop {
            if let Some(left) = &mut patience
                && !self.settled(left).await
            {
                patience = None;
            }
            if self.step_towards(target) {
                return Ok(self.clock.now());
            }
        }
    }

    /// Moves the clock to what is due next, or to the target; says whether that is reached.
    fn step_towards(self: &Arc<Self>, target: i64) -> bool {
        let mut inner = self.lock();
        let next = inner.world.next_wakeup().map_or(target, |at| millis_after(at).min(target));
        let left = next - self.clock.now().as_millisecond();
        let has_moved = self.clock.advance(left.max(0));
        inner.world.wake(self.clock.now());
        self.carry_out(&mut inner);
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.rescheduled.notify_one();
        // A jump on the way may have taken it to where it goes no further.
        !has_moved || self.clock.now().as_millisecond() >= target
    }

    /// Waits until nothing is under way; says no when that took too long.
    async fn settled(&self, patience: &mut Pin<Box<Sleep>>) -> bool {
        loop {
            // Asked first, so that no end between here and the wait is missed.
            let ended = self.ended.notified();
            if self.look(|world, _| world.is_idle()) {
                return true;
            }
            tokio::select! {
                () = ended => {}
                () = patience.as_mut() => return false,
            }
        }
    }

    /// Saves everything.
    pub(super) fn export(&self) -> Snapshot {
        let mut snapshot = self.look(World::snapshot);
        snapshot.ahead_millis = self.clock.ahead_of_real_ms();
        snapshot
    }

    /// Returns a number that grows whenever something may have changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Has things happen by themselves from now on, and after each reset.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the traffic.
    pub(super) fn begin_traffic(self: &Arc<Self>, traffic: Traffic) -> Result<(), &'static str> {
        self.visit(|v| v.world.set_traffic(traffic, v.now))?;
        // Nobody has begun before.
        let _ = self.traffic.set(traffic);
        Ok(())
    }

    /// Begins anew: only the settings stay.
    pub(super) fn reset(&self) -> Timestamp {
        let mut inner = self.lock();
        // They are forgotten with everything else.
        report(&inner.world.faults_without_journal());
        self.clock.reset();
        let now = self.clock.now();
        inner.tasks.abort_all();
        inner.waiting.clear();
        inner.rest = Rest::new();
        inner.world.reset(now);
        if let Some(traffic) = self.traffic.get() {
            // It was good enough for the beginning.
            let _ = inner.world.set_traffic(*traffic, now);
        }
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.ended.notify_one();
        self.rescheduled.notify_one();
        now
    }

    /// Ends everything that is under way.
    pub(super) fn stop(&self) {
        let mut inner = self.lock();
        inner.stopped = true;
        inner.tasks.abort_all();
        inner.waiting.clear();
    }

    /// Lets happen what is due, for as long as the emulator runs.
    pub(super) async fn keep_time(self: Arc<Self>) {
        loop {
            // Asked first, so that no change between here and the wait is missed.
            let rescheduled = self.rescheduled.notified();
            let next = self.look(|world, _| world.next_wakeup());
            match next {
                Some(at) if self.clock.is_running() => {
                    let left = at.duration_since(self.clock.now());
                    let left = Duration::try_from(left).unwrap_or(Duration::ZERO);
                    tokio::select! {
                        () = tokio::time::sleep(left) => self.visit(|_| ()),
                        () = rescheduled => {}
                    }
                }
                _ => rescheduled.await,
            }
        }
    }

    fn carry_out(self: &Arc<Self>, inner: &mut Inner) {
        while inner.tasks.try_join_next().is_some() {}
        // A jump of the clock brings more of them.
        loop {
            let effects = inner.world.take_effects();
            if effects.is_empty() {
                return;
            }
            self.carry_out_each(inner, effects);
        }
    }

    fn carry_out_each(self: &Arc<Self>, inner: &mut Inner, effects: Vec<Effect>) {
        for effect in effects {
            if inner.stopped {
                continue;
            }
            let shared = Arc::clone(self);
            match effect {
                Effect::Check(check) => {
                    let task = async move {
                        let heard = shared.outbound.check(&check).await;
                        shared.visit(|v| v.world.check_ended(check.id, heard, v.now));
                        shared.ended.notify_one();
                    };
                    inner.tasks.spawn_on(task, &self.runtime);
                }
                Effect::Post(post) => {
                    let task = async move {
                        let id = post.id;
                        let heard = shared.outbound.post(post).await;
                        shared.visit(|v| v.world.delivery_ended(id, heard, v.now));
                        shared.ended.notify_one();
                    };
                    inner.tasks.spawn_on(task, &self.runtime);
                }
                Effect::Answer(ticket, outcome) => {
                    if let Some(sender) = inner.waiting.remove(&ticket) {
                        // Whoever asked may have gone.
                        let _ = sender.send(outcome);
                    }
                }
                Effect::JumpClock(by) => {
                    self.clock.advance(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
                    let now = self.clock.now();
                    // One jump can bring the next: with all acts of the time between there would
                    // be no end of it, and nobody else has a turn meanwhile.
                    inner.world.leave_out_traffic(now);
                    inner.world.wake(now);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first whole millisecond at or after a time.
fn millis_after(time: Timestamp) -> i64 {
    let millis = time.as_millisecond();
    let is_whole = time.subsec_nanosecond() % 1_000_000 == 0;
    if is_whole { millis } else { millis.saturating_add(1) }
}
