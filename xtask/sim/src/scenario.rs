//! What is going to happen in a history, drawn from its seed before it begins.

use aaa_client::v2::ReplayRoute;
use aaa_emulator::settings::{
    CheckSchedule, Generation, ReplayAnswer, Revival, Settings, TimeMode, WhileInvalid, WindowEnd,
};
use fastrand::Rng;
use jiff::SignedDuration;

use crate::{
    clock::{HOUR, MINUTE, Millis, SECOND},
    fault::Kind,
    sim::MOST,
};

/// The users who are subscribed from the beginning.
pub(crate) const USERS: [u64; 2] = [7, 8];

/// The user who subscribes later.
pub(crate) const LATE_USER: u64 = 9;

/// The shortest history.
const SHORTEST: Millis = 72 * HOUR;

/// The fewest events.
const EVENTS: usize = 500;

/// A history before it happened.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// How X behaves.
    pub(crate) settings: Settings,
    /// What the clocks show at the beginning, in milliseconds since 1970.
    pub(crate) start: Millis,
    /// How many webhooks lead to the receiver.
    pub(crate) webhooks: usize,
    /// By which route jobs are asked for.
    pub(crate) route: Route,
    /// Which generation of the API is spoken.
    pub(crate) generation: Generation,
    /// How often covered time is replayed, too.
    pub(crate) sweep: Option<Millis>,
    /// How often heartbeats are written.
    pub(crate) period: Millis,
    /// How often X's clock is read.
    pub(crate) pace: Millis,
    /// What happens, and when.
    pub(crate) happenings: Vec<(Millis, Happening)>,
    /// When nothing new happens any more.
    pub(crate) end: Millis,
}

/// The routes to a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    New,
    Old,
    /// The new one is asked for, and X has only the old one.
    OldOnly,
}

impl Route {
    /// Returns the one that the client is told to take.
    pub(crate) fn first(self) -> ReplayRoute {
        match self {
            Self::New | Self::OldOnly => ReplayRoute::Webhooks,
            Self::Old => ReplayRoute::AccountActivity,
        }
    }
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happening {
    /// Something that X's users do.
    Event { kind: &'static str, user: u64 },
    /// The process is killed, and begins again later.
    Crash { down: Millis },
    /// The process ends cleanly, and begins again later.
    Stop { down: Millis },
    /// The process stands still; with the machine, if it sleeps.
    Stall { length: Millis, sleeps: bool },
    /// The process stands still, and a command takes the lease meanwhile.
    TakeOver { length: Millis, sleeps: bool, hold: Millis, dies: bool },
    /// That, within the next call for a job.
    PauseInCall(Box<Happening>),
    /// A command asks for minutes, and recovers them for a while if the lease is free.
    Command { hold: Millis, dies: bool },
    /// The process is started anew with the secret of another app, and has it for a while.
    WrongSecret { down: Millis, length: Millis },
    /// The right secret is configured, and the process started anew.
    RightSecret,
    /// The store takes nothing for a while.
    StoreFails { length: Millis },
    /// The store works again.
    StoreWorks,
    /// The process goes on.
    Resume,
    /// The process begins.
    Start,
    /// The process is killed when it next comes to a certain point.
    KillAt { point: Kind, down: Millis },
    /// One of the emulator's faults.
    Plan { kind: Kind, times: u32 },
    /// Something goes wrong with the next call for a job.
    Call(Kind),
    /// X cannot be reached for a while.
    ApiOutage { length: Millis },
    /// X can be reached again.
    ApiWorks,
    /// The next commit, or the next way to the receiver, takes seconds.
    Slow(Kind),
    /// Somebody posts what X never signed.
    Forge,
    /// Somebody else has a job.
    ForeignJob,
    /// X's clock jumps forward.
    XJump { by: Millis },
    /// The wall clock is set.
    WallStep { by: Millis },
    /// The next check is answered wrongly.
    WrongCheck,
    /// Somebody has the webhook checked.
    Validate,
    /// A user subscribes.
    Subscribe { user: u64 },
    /// X forgets the subscription of a user.
    Forget { user: u64 },
    /// A user takes the permission back, and subscribes again later.
    Revoke { user: u64, away: Millis },
}

impl Scenario {
    /// Draws a history. The shortest heartbeat period is right for a store in memory; one on a
    /// disk has a longer one, which costs less.
    pub(crate) fn draw(rng: &mut Rng, period: Millis) -> Self {
        let mut happenings = Vec::new();
        let (end, edges) = outages(rng, &mut happenings);
        faults(rng, end, &mut happenings);
        events(rng, end, &edges, &mut happenings);
        happenings.sort_by_key(|(at, _)| *at);
        Self {
            settings: settings(rng),
            webhooks: if rng.u8(0..4) == 0 { rng.usize(2..=MOST) } else { 1 },
            route: *rng.choice(&[Route::New, Route::Old, Route::OldOnly]).unwrap_or(&Route::New),
            generation: if rng.u8(0..5) == 0 { Generation::V1_1 } else { Generation::V2 },
            sweep: (rng.u8(0..4) == 0).then(|| rng.i64(20 * MINUTE..4 * HOUR)),
            start: 1_763_769_600_000 + rng.i64(0..24 * HOUR),
            period,
            pace: if rng.bool() { 5 * SECOND } else { MINUTE },
            happenings,
            end,
        }
    }
}

impl Scenario {
    /// Returns how far back X replays.
    pub(crate) fn look_back(&self) -> Millis {
        let look_back = self.settings.look_back.unwrap_or(self.generation.look_back());
        i64::try_from(look_back.as_millis()).unwrap_or(Millis::MAX)
    }

    /// Returns how many minutes a job may span, by X's documents, overlap included.
    pub(crate) fn longest_window(&self) -> i64 {
        match self.generation {
            Generation::V2 | Generation::V1_1 => 120,
        }
    }
}

/// Draws how X behaves, within what its documents allow.
fn settings(rng: &mut Rng) -> Settings {
    let answers =
        [ReplayAnswer::OfRoute, ReplayAnswer::ReplayEvent, ReplayAnswer::Data, ReplayAnswer::Flat];
    let retries = [3, 27, 242].map(SignedDuration::from_secs).to_vec();
    Settings {
        seed: rng.u64(..),
        time: if rng.bool() { TimeMode::Virtual } else { TimeMode::Running },
        retries: rng.bool().then_some(retries),
        concurrency: *rng.choice(&[1, 2, 8, 64]).unwrap_or(&64),
        replay_rate: *rng.choice(&[5, 50, 2500]).unwrap_or(&2500),
        checks: if rng.bool() {
            CheckSchedule::HOURLY
        } else {
            CheckSchedule::HALF_HOURLY_AFTER_A_DAY
        },
        window_end: if rng.bool() { WindowEnd::Exclusive } else { WindowEnd::Inclusive },
        while_invalid: if rng.bool() { WhileInvalid::Lost } else { WhileInvalid::Replayable },
        revival: if rng.u8(0..4) == 0 { Revival::OnAnyCheck } else { Revival::OnRequest },
        look_back: (rng.u8(0..3) == 0).then(|| SignedDuration::from_hours(rng.i64(6..120))),
        replay_answer: *rng.choice(&answers).unwrap_or(&ReplayAnswer::OfRoute),
        ..Settings::default()
    }
}

/// Draws at least three outages that do not overlap. Returns when the history ends, and the
/// moments around which things are likely to go wrong.
fn outages(rng: &mut Rng, happenings: &mut Vec<(Millis, Happening)>) -> (Millis, Vec<Millis>) {
    let mut edges = Vec::new();
    let mut at = 30 * MINUTE;
    let beyond = if rng.u8(0..5) == 0 { rng.usize(0..3) } else { usize::MAX };
    for index in 0..rng.usize(3..7) {
        at += spread(rng, 5 * MINUTE, 14 * HOUR);
        let length = match rng.u8(0..10) {
            _ if index == beyond => rng.i64(22 * HOUR..30 * HOUR),
            0..3 => spread(rng, SECOND, MINUTE),
            3..6 => spread(rng, MINUTE, 40 * MINUTE),
            _ => spread(rng, 20 * MINUTE, 8 * HOUR),
        };
        let happening = match rng.u8(0..10) {
            0..5 => Happening::Crash { down: length },
            5..7 => Happening::Stop { down: length },
            7 => Happening::Stall { length, sleeps: rng.bool() },
            _ => Happening::StoreFails { length },
        };
        if rng.bool() {
            // Something is on its way when it happens.
            let before = rng.i64(SECOND..9 * SECOND);
            happenings.push((at - before - 1, Happening::Slow(Kind::SlowWay)));
            let user = *rng.choice(&USERS).unwrap_or(&7);
            happenings.push((at - before, Happening::Event { kind: "follow_events", user }));
        }
        happenings.push((at, happening));
        edges.extend([at, at + length]);
        at += length;
    }
    (SHORTEST.max(at + 2 * HOUR) + rng.i64(0..6 * HOUR), edges)
}

/// Draws what else goes wrong.
fn faults(rng: &mut Rng, end: Millis, happenings: &mut Vec<(Millis, Happening)>) {
    use Happening::{Call, KillAt, Plan, Slow};
    // Some of these always come to pass.
    let sure = [Kind::Drop, Kind::Duplicate, Kind::Delay, Kind::Forged, Kind::LostAnswer];
    for index in 0..rng.usize(12..20) {
        let at = rng.i64(10 * MINUTE..end - HOUR);
        let kinds = if index < 3 { sure.as_slice() } else { Kind::ALL };
        let kind = *rng.choice(kinds).unwrap_or(&Kind::Drop);
        let times = rng.u32(1..4);
        let happening = match kind {
            Kind::Crash => Happening::Crash { down: spread(rng, SECOND, HOUR) },
            Kind::Stop => Happening::Stop { down: spread(rng, SECOND, HOUR) },
            Kind::Stall => {
                Happening::Stall { length: spread(rng, SECOND, HOUR), sleeps: rng.bool() }
            }
            Kind::StoreFails => Happening::StoreFails { length: spread(rng, SECOND, HOUR) },
            Kind::CrashBeforeCommit => {
                // Most such deliveries have been on their way for some time.
                if rng.bool() {
                    happenings.push((at, Slow(Kind::SlowWay)));
                }
                KillAt { point: kind, down: spread(rng, SECOND, HOUR) }
            }
            Kind::CrashAfterCommit
            | Kind::CrashBeforeIntent
            | Kind::CrashAfterIntent
            | Kind::CrashInCall
            | Kind::CrashBeforeOutcome
            | Kind::CrashAfterOutcome => {
                KillAt { point: kind, down: spread(rng, SECOND, 2 * HOUR) }
            }
            Kind::SlowCommit | Kind::SlowWay => Slow(kind),
            Kind::WallStep => {
                let by = spread(rng, SECOND, 3 * HOUR);
                Happening::WallStep { by: if rng.bool() { by } else { -by } }
            }
            Kind::XJump => Happening::XJump { by: spread(rng, SECOND, 3 * HOUR) },
            Kind::Incomplete => {
                Plan { kind, times: if rng.u8(0..4) == 0 { rng.u32(4..60) } else { times } }
            }
            Kind::Drop
            | Kind::LostAnswer
            | Kind::Delay
            | Kind::Duplicate
            | Kind::BadSignature
            | Kind::Corrupt
            | Kind::Truncate
            | Kind::ReplayDrop
            | Kind::ReplayLostAnswer
            | Kind::ReplayDelay => Plan { kind, times },
            Kind::MissingCompletion | Kind::DoubledCompletion | Kind::FalseComplete => {
                Plan { kind, times: 1 }
            }
            Kind::Forged => Happening::Forge,
            Kind::RateLimited | Kind::ServerError | Kind::LostCall | Kind::LostCallAnswer => {
                Call(kind)
            }
            Kind::ApiOutage => Happening::ApiOutage { length: spread(rng, SECOND, 2 * HOUR) },
            Kind::WrongSecret => Happening::WrongSecret {
                down: spread(rng, SECOND, 10 * MINUTE),
                length: spread(rng, 2 * MINUTE, 3 * HOUR),
            },
            Kind::CommandBeside => {
                Happening::Command { hold: spread(rng, MINUTE, 30 * MINUTE), dies: rng.bool() }
            }
            Kind::CommandTook | Kind::CommandDied => take_over(rng, kind == Kind::CommandDied),
            Kind::LeaseLost => {
                let dies = rng.bool();
                Happening::PauseInCall(Box::new(take_over(rng, dies)))
            }
            Kind::ForeignJob => Happening::ForeignJob,
            Kind::Invalid => Happening::WrongCheck,
            Kind::LateSubscription => Happening::Subscribe { user: LATE_USER },
            Kind::Unsubscribed => Happening::Forget { user: *rng.choice(&USERS).unwrap_or(&7) },
            Kind::Revoked => {
                let user = *rng.choice(&USERS).unwrap_or(&7);
                Happening::Revoke { user, away: spread(rng, MINUTE, 4 * HOUR) }
            }
        };
        happenings.push((at, happening));
    }
}

/// Draws a standstill in which a command takes the lease, and holds it for longer.
fn take_over(rng: &mut Rng, dies: bool) -> Happening {
    let length = rng.i64(MINUTE..HOUR);
    let hold = length + rng.i64(MINUTE..20 * MINUTE);
    Happening::TakeOver { length, sleeps: rng.bool(), hold, dies }
}

/// Draws what X's users do: some of it at any time, some of it where it is likely to be missed.
fn events(rng: &mut Rng, end: Millis, edges: &[Millis], happenings: &mut Vec<(Millis, Happening)>) {
    for _ in 0..rng.usize(EVENTS..EVENTS + 60) {
        let at = match rng.choice(edges) {
            Some(edge) if rng.u8(0..10) < 4 => edge + rng.i64(-3 * MINUTE..3 * MINUTE),
            _ => rng.i64(5 * MINUTE..end),
        };
        let user = if rng.u8(0..8) == 0 { LATE_USER } else { *rng.choice(&USERS).unwrap_or(&7) };
        let kind = *rng.choice(EVENT_KINDS).unwrap_or(&"follow_events");
        happenings.push((at.clamp(5 * MINUTE, end), Happening::Event { kind, user }));
    }
    // Those of somebody who may never subscribe do not count.
    for _ in 0..EVENTS / 3 {
        let user = *rng.choice(&USERS).unwrap_or(&7);
        let at = rng.i64(5 * MINUTE..end);
        happenings.push((at, Happening::Event { kind: "follow_events", user }));
    }
}

/// What X's users do; small bodies are more frequent, since they cost less.
const EVENT_KINDS: &[&str] = &[
    "follow_events",
    "follow_events",
    "block_events",
    "mute_events",
    "tweet_delete_events",
    "direct_message_indicate_typing_events",
    "direct_message_mark_read_events",
    "favorite_events",
    "tweet_create_events",
    "direct_message_events",
];

/// Draws a length, short ones as often as long ones.
fn spread(rng: &mut Rng, shortest: Millis, longest: Millis) -> Millis {
    let doublings = longest.ilog2() - shortest.ilog2();
    let top = shortest << rng.u32(0..=doublings);
    rng.i64(shortest..=top.max(shortest * 2).min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_long_enough() {
        for seed in 0..200 {
            let scenario = Scenario::draw(&mut Rng::with_seed(seed), 5 * SECOND);
            assert!(scenario.end >= SHORTEST);
            let count = |of: fn(&Happening) -> bool| {
                scenario.happenings.iter().filter(|(_, happening)| of(happening)).count()
            };
            assert!(count(|h| matches!(h, Happening::Event { user: 7 | 8, .. })) >= EVENTS);
            let outages = count(|h| {
                use Happening::{Crash, Stall, Stop, StoreFails};
                matches!(h, Crash { .. } | Stop { .. } | Stall { .. } | StoreFails { .. })
            });
            assert!(outages >= 3);
        }
    }

    #[test]
    fn a_seed_is_one_history() {
        let draw = || format!("{:?}", Scenario::draw(&mut Rng::with_seed(3), 5 * SECOND));
        assert_eq!(draw(), draw());
    }

    #[test]
    fn lengths_stay_within_their_bounds() {
        let mut rng = Rng::with_seed(1);
        for _ in 0..1000 {
            assert!((SECOND..=HOUR).contains(&spread(&mut rng, SECOND, HOUR)));
        }
    }
}
