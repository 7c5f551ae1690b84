//! The world behind a lock, and the tasks that carry out what it wants.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    task::JoinSet,
};

use super::{ControlError, clock::Clock, outbound::Outbound};
use crate::{
    control::Traffic,
    rest::Rest,
    settings::{OauthTime, Settings},
    world::{Effect, Outcome, Ticket, World},
};

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
    traffic: Option<Traffic>,
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
    /// # Errors
    ///
    /// Says what is wrong with the traffic.
    pub(super) fn new(
        settings: Settings,
        traffic: Option<Traffic>,
        runtime: Handle,
    ) -> Result<Arc<Self>, &'static str> {
        let clock = Clock::new(settings.time);
        let mut world = World::new(settings, clock.now());
        if let Some(traffic) = traffic {
            world.set_traffic(traffic, clock.now())?;
        }
        let inner = Inner {
            world,
            rest: Rest::new(),
            waiting: HashMap::new(),
            tasks: JoinSet::new(),
            stopped: false,
        };
        Ok(Arc::new(Self {
            inner: Mutex::new(inner),
            clock,
            outbound: Outbound::new(),
            runtime,
            rescheduled: Notify::new(),
            traffic,
        }))
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

    /// Moves the clock on and starts what became due.
    pub(super) fn advance(self: &Arc<Self>, by: Duration) -> Result<Timestamp, ControlError> {
        let mut inner = self.lock();
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let by = SignedDuration::from_millis(millis);
        let until = self.clock.now().checked_add(by).unwrap_or(Timestamp::MAX);
        let acts = inner.world.acts_until(until);
        if acts > Traffic::MAX_STEP {
            return Err(ControlError::TooMuch(acts));
        }
        if !self.clock.advance(millis) {
            return Err(ControlError::TooFar);
        }
        let now = self.clock.now();
        inner.world.wake(now);
        self.carry_out(&mut inner);
        self.rescheduled.notify_one();
        Ok(now)
    }

    /// Begins anew: only the settings stay.
    pub(super) fn reset(&self) -> Timestamp {
        let mut inner = self.lock();
        self.clock.reset();
        let now = self.clock.now();
        inner.tasks.abort_all();
        inner.waiting.clear();
        inner.rest = Rest::new();
        inner.world.reset(now);
        if let Some(traffic) = self.traffic {
            // It was good enough for the beginning.
            let _ = inner.world.set_traffic(traffic, now);
        }
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
        for effect in inner.world.take_effects() {
            if inner.stopped {
                continue;
            }
            let shared = Arc::clone(self);
            match effect {
                Effect::Check(check) => {
                    let task = async move {
                        let heard = shared.outbound.check(&check).await;
                        shared.visit(|v| v.world.check_ended(check.id, heard, v.now));
                    };
                    inner.tasks.spawn_on(task, &self.runtime);
                }
                Effect::Post(post) => {
                    let task = async move {
                        let id = post.id;
                        let heard = shared.outbound.post(post).await;
                        shared.visit(|v| v.world.delivery_ended(id, heard, v.now));
                    };
                    inner.tasks.spawn_on(task, &self.runtime);
                }
                Effect::Answer(ticket, outcome) => {
                    if let Some(sender) = inner.waiting.remove(&ticket) {
                        // Whoever asked may have gone.
                        let _ = sender.send(outcome);
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
