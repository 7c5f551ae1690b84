//! `aaa listen`: the receiver as a process.

mod apps;
mod clocks;
#[cfg(feature = "jetstream")]
mod cluster;
mod dashboard;
mod files;
mod following;
mod forwarding;
mod hook;
mod live;
mod metrics;
mod reading;
mod recovery;
mod registering;
mod revoked;
mod sources;
mod store;
mod tls;
mod upkeep;
mod watching;

use std::{sync::Arc, time::Duration};

use aaa_replay::{
    coverage::{Cause, Gap, RunId, Tally},
    driver::{XClock, heartbeat, heartbeats},
    engine::Health,
    ledger::{Declaration, Ledger, LedgerError},
};
use aaa_webhook::{
    crc::{self, TokenRule},
    receiver::{Receiver, Status},
    server::Server,
};
use jiff::Timestamp;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

use self::{
    apps::Apps,
    forwarding::Forwarding,
    recovery::Recovery,
    registering::{Registered, Registering},
    store::Store,
    watching::Subscribing,
};
pub(crate) use self::{apps::DEFAULT_APP, metrics::free_bytes};
use crate::{
    cli::{Format, ListenArgs, Recover},
    credentials::Credentials,
    exit::{self, Exit, Failure},
    output, signals,
};

/// How long the last lines may take to be printed.
const LAST_LINES: Duration = Duration::from_secs(2);

/// How long to wait after the inbox could not be read.
const READ_AGAIN: Duration = Duration::from_secs(1);

pub(crate) async fn run(mut args: ListenArgs, credentials: Credentials) -> Result<(), Failure> {
    let credentials = Arc::new(credentials);
    args.keep.check(args.api)?;
    // Whoever asks for it would be told every few seconds, for ever, that it does not work.
    if args.recover == Some(Recover::Auto) {
        let missing = |failure: Failure| {
            failure.about("--recover auto").advise_also("or receive without it: --recover off")
        };
        credentials.bearer().map_err(missing)?;
    }
    let apps = Apps::find(&args, &credentials)?;
    let tls = tls::load(&args)?;
    let tokens = tokens(&args)?;
    let signal = signals::end();
    let format = if args.json { Format::Json } else { args.format };
    let period = aaa_store::Settings::default().heartbeat_period;
    let forwarding = Forwarding::prepare(&args.forward, &credentials)?;
    let registering = Registering::prepare(&args, &credentials)?;
    // What is registered here is what is recovered.
    args.public_url = args.public_url.or_else(|| args.register.clone());
    let store = Store::open(&args).await?;
    let mut receiver = Receiver::shared(store.clone(), Vec::new()).with_crc_tokens(tokens);
    if args.strict_crc {
        receiver = receiver.with_strict_crc();
    }
    if let Some(sources) = sources::find(&args) {
        receiver = receiver.with_sources(sources);
    }
    let clock = XClock::new();
    let last_seen = remember(&store, &clock).await?;
    let (hook, notices) = match hook::Hook::prepare(&args.hook, &clock)? {
        Some((hook, notices)) => (Some(hook), Some(notices)),
        None => (None, None),
    };
    let recover = args.recover.unwrap_or_else(|| default_recovery(&credentials));
    let recovery = match recover {
        Recover::Auto => {
            let prepared =
                Recovery::prepare(&args, &credentials, &store, &clock, last_seen, notices);
            Some(prepared.await?)
        }
        Recover::Off => {
            if args.sweep.is_some() || args.resubscribe || hook.is_some() {
                output::note(
                    "warning: --sweep, --resubscribe and hooks do nothing without --recover auto",
                );
            }
            if let Some(last_seen) = last_seen {
                output::note(format_args!(
                    "warning: what was sent since {last_seen:.0} is missing; --recover auto would \
                     have it replayed"
                ));
            }
            None
        }
    };
    // Who recovers reads X's clock besides.
    let reading = match &recovery {
        None if credentials.has_bearer() => {
            Some(reading::Reading::begin(&credentials, &clock).await?)
        }
        _ => None,
    };
    if let Some(since) = args.since.filter(|since| *since > clock.now()) {
        return Err(Exit::Usage.with(format!("--since {since} is in the future")));
    }
    apps.warn(recovery.is_some());
    let server = Server::bind(args.bind).await;
    let server = server.map_err(|error| exit::not_bound(args.bind, "--bind", error))?;
    let server = server.with_limits(files::limits());
    let (server, scheme) = match &tls {
        Some(tls) => (server.with_tls(tls.clone()), "https"),
        None => (server, "http"),
    };
    let (phase, watched) = watch::channel(Phase::Running);
    let run = Run {
        id: random_run()?,
        app: apps.recovered().into(),
        status: receiver.status(),
        phase: watched,
    };

    // What is printed begins with what arrives from here on.
    let live = live::Live::new(store.clone(), format).await?;
    let look = || {
        let directory = args.store.data_dir.clone();
        let figures = recovery.as_ref().map(Recovery::figures);
        metrics::Look::new(store.clone(), directory, live.printed(), figures, clock.clone())
    };
    let metrics = match args.metrics {
        Some(address) => Some(metrics::Watch::bind(address, args.bind, look()).await?),
        None => None,
    };
    let board = dashboard::Board::bind(&args, &credentials, &store, &run.status, look).await?;
    let address = server.local_addr();
    let router = apps.mount(&receiver)?.router();
    // An outage counts from the first heartbeat on, so it is there before anybody relies on us. Who
    // connects by now waits, so that the store knows X's time before it judges what is old.
    match store.heartbeat(heartbeat(&clock, run.health())).await {
        Ok(()) => {}
        // What is old is removed by whoever runs.
        Err(error @ LedgerError::Full(_)) => {
            output::note(format_args!("warning: until there is room, this is an outage: {error}"));
        }
        Err(error) => return Err(Exit::Failed.of("could not write to the store", error)),
    }
    let mut server =
        tokio::spawn(server.serve(router, run.status.clone(), run.reached(Phase::Draining)));
    if let Some(since) = args.since {
        declare(&store, &clock, since).await?;
    }
    let fresh = tls.map(|tls| tokio::spawn(tls::keep_fresh(tls, signals::HungUp::new())));
    output::listening(&format!("{scheme}://{address}"), format == Format::Json)?;
    let metrics = metrics.map(|metrics| metrics.start(&run));
    let board = board.map(|board| board.start(&run));

    // It may have to end before the server does.
    let registering = match registering {
        Some(registering) => Some(registering.without_revoked(&store).await),
        None => None,
    };
    let (subscribes, subscribed) = oneshot::channel();
    let (tending, tended) = watch::channel(Phase::Running);
    let recovery = match recovery {
        Some(recovery) => {
            let users = registering.iter().flat_map(Registering::users).collect();
            let subscribing = Subscribing { users, done: subscribed };
            let run = Run { phase: tended, ..run.clone() };
            Some(recovery.start(&run, subscribing).await?)
        }
        None => None,
    };
    let mut registered = registering.map(|registering| registering.start(subscribes));
    let hook = hook.map(|hook| tokio::spawn(hook.run(run.reached(Phase::Ended))));
    let reading = reading.map(|reading| tokio::spawn(reading.run(run.reached(Phase::Ended))));
    let clocks =
        clocks::watch(clock.clone(), credentials.api().is_loopback(), run.reached(Phase::Ended));
    let clocks = Some(tokio::spawn(clocks));
    let beats = spawn_heartbeats(&store, &clock, &run, period);
    let live = tokio::spawn(live.run(run.reached(Phase::Ended)));
    let upkeep = upkeep::Upkeep::new(&store, &clock, forwarding.iter().map(Forwarding::waits_from));
    let upkeep = if recovery.is_some() { upkeep.after_x() } else { upkeep };
    // An event that tells of a revocation goes only when that is noted elsewhere.
    let (noting, noted) = oneshot::channel();
    let upkeep = upkeep.after(noted);
    let tokens = credentials.token_file(&args.store.data_dir);
    let noting = revoked::note(store.clone(), tokens, noting, run.reached(Phase::Ended));
    let noting = tokio::spawn(noting);
    let upkeep = tokio::spawn(upkeep.run(run.reached(Phase::Draining)));
    let forwarding = forwarding.map(|forwarding| forwarding.start(&store, &run));

    let mut serves = true;
    let end = tokio::select! {
        signal = signal => {
            output::note(format_args!("{signal}: ending"));
            Ok(())
        }
        failure = failed(&mut registered) => Err(failure),
        _ = &mut server => {
            serves = false;
            Err(Exit::Failed.with("the server ended by itself"))
        }
    };
    let mut recovery = recovery;
    if let Some(registered) = registered {
        let again = signals::end();
        // What vanishes now is no surprise, and nothing to recover. X is stopped while what it
        // still sends is taken.
        if registered.cleans_up() {
            let _ = tending.send(Phase::Ended);
            if let Some(recovery) = recovery.take() {
                let _ = recovery.await;
            }
        }
        registered.end(again).await;
    }
    if let Some(drain) = args.drain.filter(|_| serves) {
        // Whoever sends us deliveries learns of the end while they are still taken.
        run.status.drain();
        output::note(format_args!("not ready any more; ending in {drain:?}"));
        let again = signals::end();
        tokio::select! {
            () = sleep(drain) => {}
            signal = again => output::note(format_args!("{signal} again: ending now")),
            _ = &mut server => serves = false,
        }
    }
    // First no more deliveries, then the last heartbeat, so that it covers the last of them.
    let _ = phase.send(Phase::Draining);
    if serves {
        let _ = server.await;
    }
    let _ = phase.send(Phase::Ended);
    let _ = tending.send(Phase::Ended);
    let is_known = beats.await.unwrap_or(false);
    let _ = upkeep.await;
    let _ = noting.await;
    if let Some(recovery) = recovery {
        let _ = recovery.await;
    }
    if let Some(forwarding) = forwarding {
        let _ = forwarding.await;
    }
    for task in [metrics, board, fresh, reading, hook, clocks].into_iter().flatten() {
        // Whoever watches may hold a connection; the end does not wait for that.
        task.abort();
    }
    // Whoever reads our output may have stopped reading; that must not keep us.
    let printed = timeout(LAST_LINES, live).await;
    let closed = store.close(serves && is_known).await;
    closed.map_err(|error| Exit::Failed.of("the store did not close cleanly", error))?;
    end.and(printed.ok().and_then(Result::ok).unwrap_or(Ok(())))
}

/// Which tokens of checks are answered.
fn tokens(args: &ListenArgs) -> Result<TokenRule, Failure> {
    let length = args.crc_length.clone().unwrap_or(crc::MIN_LENGTH..=crc::MAX_LENGTH);
    let rule = TokenRule::new(length, args.crc_also.as_deref().unwrap_or_default());
    rule.map_err(|error| Exit::Usage.of("--crc-length and --crc-also", error))
}

/// Waits until what was to be registered cannot be.
async fn failed(registered: &mut Option<Registered>) -> Failure {
    match registered {
        Some(registered) => registered.failed().await,
        None => std::future::pending().await,
    }
}

/// What the tasks of one run share.
#[derive(Clone)]
struct Run {
    id: RunId,
    /// The app whose deliveries are recovered.
    app: Arc<str>,
    status: Status,
    phase: watch::Receiver<Phase>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    /// No more connections are taken; running requests end.
    Draining,
    /// Nothing more is received.
    Ended,
}

impl Run {
    fn health(&self) -> Health {
        // That another app's secret is right says nothing of the one that matters here.
        let signatures = self.status.signatures(&self.app);
        let counts = self.status.counts();
        let tally = Tally {
            refusals: counts.refusals,
            verified: signatures.verified,
            rejected: signatures.doubtful,
            arrived: counts.verified.saturating_add(counts.checks),
        };
        Health::new(self.id, tally)
    }

    /// Returns a future that is ready when the run has come so far.
    fn reached(&self, phase: Phase) -> impl Future<Output = ()> + Send + use<> {
        let mut watched = self.phase.clone();
        async move {
            // A sender that is gone means the end too.
            let _ = watched.wait_for(|now| *now >= phase).await;
        }
    }
}

fn random_run() -> Result<RunId, Failure> {
    getrandom::u64().map(RunId).map_err(|error| Exit::Failed.of("no random numbers", error))
}

fn default_recovery(credentials: &Credentials) -> Recover {
    if credentials.has_bearer() {
        Recover::Auto
    } else {
        output::note(
            "warning: what is missed while this receiver is down stays missed: set X_BEARER_TOKEN \
             so that it can be replayed",
        );
        Recover::Off
    }
}

/// Takes over what the last run knew: until X's clock is read, its offset is the best guess.
/// Returns when it was last alive, on X's clock.
async fn remember(store: &Store, clock: &XClock) -> Result<Option<Timestamp>, Failure> {
    let spans = store.spans().await;
    let spans = spans.map_err(|error| Exit::Failed.of("could not read the store", error))?;
    if let Some(span) = spans.last() {
        clock.assume(span.last.offset);
    }
    Ok(spans.last().map(|span| span.last.x_time()))
}

/// Records an outage that heartbeats do not tell, unless it is recorded already: a service may be
/// started with the same flags again and again.
async fn declare(store: &Store, clock: &XClock, since: Timestamp) -> Result<(), Failure> {
    let unusable = |error: LedgerError| Exit::Failed.of("could not record the outage", error);
    let began = store.summary().await.map_err(unusable)?.since;
    let to = began.filter(|began| *began > since).unwrap_or_else(|| clock.now());
    let declared = store.declared().await.map_err(unusable)?;
    let known = declared.iter().any(|declared| {
        let gap = declared.declaration.gap;
        gap.cause == Cause::Declared && gap.from == since
    });
    if known || since >= to {
        return Ok(());
    }
    let gap = Gap::new(since, to, Cause::Declared);
    let declaration = Declaration { gap, webhook: None, at: clock.now() };
    store.declare(declaration).await.map(drop).map_err(unusable)
}

fn spawn_heartbeats(
    store: &Store,
    clock: &XClock,
    run: &Run,
    period: Duration,
) -> JoinHandle<bool> {
    let (store, clock, run) = (store.clone(), clock.clone(), run.clone());
    tokio::spawn(async move {
        heartbeats(&store, &clock, || run.health(), period, run.reached(Phase::Ended)).await
    })
}
