//! The commands and their flags. What has commands of its own is in a module of its name.

mod auth;
mod calls;
mod dashboard;
mod doctor;
pub(crate) mod emulate;
mod events;
mod keeping;
mod manual;
mod masked;
mod replay;
mod shared;
mod sources;
pub(crate) mod store;
mod subscriptions;
mod trigger;
mod verify;
mod webhooks;

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use aaa_auth::environment::Prefix;
use aaa_emulator::control::Traffic;
use aaa_types::{UserId, WebhookId, WebhookUrl};
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use self::masked::Masked;
pub(crate) use self::{
    auth::{AuthArgs, AuthCommand, BearerArgs, LoginArgs, WhoamiArgs},
    calls::{Api, ApiArgs, RouteArgs, WaitArgs},
    dashboard::{DashboardArgs, DoorArgs},
    doctor::DoctorArgs,
    events::{
        DeadCommand, DeadListArgs, DropConsumerArgs, EventsArgs, EventsCommand, FilterArgs,
        ListArgs, RedriveArgs, ResendArgs, ShowArgs, StatsArgs, TailArgs,
    },
    keeping::KeepArgs,
    manual::{CompletionsArgs, ManArgs},
    replay::{CreateArgs, OfArgs, PlanArgs, RecoverArgs, ReplayArgs, ReplayCommand, StatusArgs},
    shared::{InboxKind, SharedArgs},
    sources::SourceArgs,
    subscriptions::{SubscriptionsArgs, SubscriptionsCommand},
    trigger::{Field, TriggerArgs},
    verify::VerifyArgs,
    webhooks::{WebhooksArgs, WebhooksCommand},
};
use crate::{credentials::CredentialArgs, forward::ForwardUrl};

/// Receives X (Twitter) account activity and never loses an event in silence.
#[derive(Debug, Parser)]
#[command(
    name = "aaa",
    version,
    arg_required_else_help = true,
    after_help = "AAA_LOG sets what the log on stderr shows: error, warn, info (default), debug"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows the whole story on loopback, without an account, in under half a minute
    #[command(after_help = "Example:\n  aaa demo")]
    Demo(DemoArgs),
    /// Runs the receiver
    #[command(after_help = "Examples:
  aaa listen --bind 127.0.0.1:8080 --format json
  aaa listen --register https://example.com/webhooks/twitter --subscribe
  aaa listen --register https://tunnel.example.com/webhooks/twitter --subscribe --cleanup")]
    Listen(Box<ListenArgs>),
    /// Runs the emulator of X's side
    #[command(after_help = "Example:\n  aaa emulate --print-env > .env && aaa emulate")]
    Emulate(EmulateArgs),
    /// Registers webhooks, lists, validates and deletes them
    #[command(after_help = "Example:\n  aaa webhooks ensure https://example.com/webhooks/twitter")]
    Webhooks(WebhooksArgs),
    /// Subscribes users to a webhook, and tells who is subscribed
    #[command(after_help = "Example:\n  aaa subscriptions add 1234577122340233217 --user 7")]
    Subscriptions(SubscriptionsArgs),
    /// Says what is missing and what X can still send again, and has it sent
    #[command(after_help = "Example:\n  aaa replay plan")]
    Replay(ReplayArgs),
    /// Gets tokens, and tells which credentials are there
    #[command(after_help = "Example:\n  aaa auth login")]
    Auth(AuthArgs),
    /// Reads the inbox, sends from it again, looks after its consumers
    #[command(after_help = "Example:\n  aaa events list --json --kind favorite_events")]
    Events(EventsArgs),
    /// Checks the store, copies it, makes it smaller, removes a user from it
    #[command(after_help = "Example:\n  aaa store check")]
    Store(store::StoreArgs),
    /// Shows it all in a browser: events, webhooks, users, coverage, replays, dead letters
    #[command(after_help = dashboard::HELP)]
    Dashboard(Box<DashboardArgs>),
    /// Says whether a webhook is fit: its URL, TLS, challenges, clocks, disk, credentials
    #[command(after_help = doctor::HELP)]
    Doctor(DoctorArgs),
    /// Says why the signature of a saved delivery is wrong
    #[command(after_help = verify::HELP)]
    Verify(VerifyArgs),
    /// Makes something happen, in an emulator or straight at a receiver
    #[command(after_help = trigger::HELP)]
    Trigger(TriggerArgs),
    /// Prints a completion script for a shell
    #[command(after_help = manual::COMPLETIONS_HELP)]
    Completions(CompletionsArgs),
    /// Writes the manual pages into a directory, or prints all of it as Markdown
    #[command(after_help = manual::MAN_HELP)]
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Print one JSON object for each step, and the summary last
    #[arg(long)]
    pub(crate) json: bool,
    /// Whether the receiver recovers what it missed
    #[arg(long, value_enum, default_value_t = Recover::Auto)]
    pub(crate) recover: Recover,
}

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) bind: SocketAddr,
    /// The path of the webhook
    #[arg(long, default_value = "/webhooks/twitter", value_parser = absolute_path)]
    pub(crate) path: String,
    /// Take deliveries of another app too, whose secrets are in PREFIX_CONSUMER_SECRET and
    /// PREFIX_CONSUMER_SECRET_PREVIOUS; may be given more than once
    #[arg(long = "app", value_name = "PATH=PREFIX", value_parser = app_at_path)]
    pub(crate) apps: Vec<AppAtPath>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) shared: SharedArgs,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    /// How to print events as they arrive
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    pub(crate) format: Format,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) forward: ForwardArgs,
    /// The webhook to recover [default: the app's only one]
    #[arg(long, value_name = "ID", conflicts_with = "public_url")]
    pub(crate) webhook: Option<WebhookId>,
    /// The same by its public URL
    #[arg(long, value_name = "URL", value_parser = Masked::<WebhookUrl>::default())]
    pub(crate) public_url: Option<WebhookUrl>,
    /// Once it listens, see to it that X has a valid webhook with this URL, which leads here: one
    /// that is there is taken, otherwise it is registered
    #[arg(
        long,
        value_name = "PUBLIC_URL",
        value_parser = Masked::<WebhookUrl>::default(),
        conflicts_with_all = ["webhook", "public_url"]
    )]
    pub(crate) register: Option<WebhookUrl>,
    /// Then subscribe users to it: the app's owner and everybody whose token is stored, or only
    /// those that are named, as in --subscribe=7,8
    #[arg(
        long,
        value_name = "IDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        value_parser = subscribe
    )]
    pub(crate) subscribe: Option<Subscribe>,
    /// At the end, delete the webhook and end the subscriptions that this run made, and nothing
    /// that was there before; needs --register or --subscribe
    #[arg(long)]
    pub(crate) cleanup: bool,
    /// Whether to recover what was missed [default: auto with a bearer token, else off]
    #[arg(long, value_enum)]
    pub(crate) recover: Option<Recover>,
    /// The generation of the API; v1.1 is Enterprise, where a replay reaches back five days
    #[arg(long, value_enum, value_name = "VERSION", default_value_t = Api::V2)]
    pub(crate) api: Api,
    #[command(flatten)]
    pub(crate) route: RouteArgs,
    /// Say that there was an outage from then until this start, or until the first start of all
    #[arg(long, value_name = "TIME", value_parser = replay::time)]
    pub(crate) since: Option<Timestamp>,
    /// Replay covered time too, so often, to find what was lost on the way here; what is replayed
    /// may count towards X's caps
    #[arg(long, value_name = "EVERY", value_parser = calls::minutes)]
    pub(crate) sweep: Option<SignedDuration>,
    /// Subscribe users again whose token is stored and whose subscription has vanished
    #[arg(long)]
    pub(crate) resubscribe: bool,
    #[command(flatten)]
    pub(crate) hook: HookArgs,
    /// Answer only checks that X has signed
    #[arg(long)]
    pub(crate) strict_crc: bool,
    /// How many characters the token of a check may have, should X change them [default: 16-256]
    #[arg(long, value_name = "MIN-MAX", value_parser = length)]
    pub(crate) crc_length: Option<RangeInclusive<usize>>,
    /// Characters that it may have besides those of base64, of !$'()*,.:;@~
    #[arg(long, value_name = "CHARACTERS")]
    pub(crate) crc_also: Option<String>,
    /// Answer /metrics, /healthz and /readyz here, and never on the public listener
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Asked to end, answer /readyz with 503 for so long and still take deliveries, until the
    /// balancer in front sends no more; being asked once more ends the wait [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = calls::duration, requires = "metrics")]
    pub(crate) drain: Option<Duration>,
    /// Show events, webhooks, users, coverage and replays in a browser here, and never on the
    /// public listener; see `aaa dashboard --help`
    #[arg(long, value_name = "ADDR")]
    pub(crate) dashboard: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) door: DoorArgs,
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
    /// Speak TLS, with this chain of certificates in PEM, the server's own first; read again when
    /// it changes. The first line then says `listening on https://ADDR`
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// Reads how long tokens of checks may be.
fn length(text: &str) -> Result<RangeInclusive<usize>, String> {
    let ends = text.split_once('-').map(|(min, max)| (min.parse(), max.parse()));
    match ends {
        Some((Ok(min), Ok(max))) => Ok(min..=max),
        _ => Err("expected two numbers, such as 16-256".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct HookArgs {
    /// Run this in a shell when the webhook turns invalid, a subscription vanishes, or something
    /// cannot be recovered; it gets JSON on stdin, half a minute, and none of the secrets
    #[arg(long, value_name = "COMMAND")]
    pub(crate) hook_command: Option<String>,
    /// Post the same JSON there
    #[arg(long, value_name = "URL")]
    pub(crate) hook_url: Option<ForwardUrl>,
}

#[derive(Debug, Args)]
pub(crate) struct ForwardArgs {
    /// Send every delivery there as well, at least once and in order for each user
    #[arg(long, value_name = "URL")]
    pub(crate) forward_to: Option<ForwardUrl>,
    /// Sign what is forwarded with this secret, not as X signed it (X_FORWARD_SECRET)
    #[arg(long, value_name = "SECRET", requires = "forward_to")]
    pub(crate) forward_secret: Option<SecretString>,
    /// Begin after this event when nothing was forwarded before [default: 0, with the first]
    #[arg(long, value_name = "SEQ", requires = "forward_to")]
    pub(crate) forward_after: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct EmulateArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7878")]
    pub(crate) bind: SocketAddr,
    /// The seed of everything that is drawn [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Take only webhook URLs that X would take
    #[arg(long)]
    pub(crate) strict_urls: bool,
    /// Refuse OAuth timestamps that are off the emulator's clock, even when the real time fits
    #[arg(long)]
    pub(crate) strict_oauth_time: bool,
    /// Let the clock stand still until it is advanced
    #[arg(long)]
    pub(crate) virtual_time: bool,
    #[command(flatten)]
    pub(crate) emulated: emulate::EmulatedArgs,
    /// The quota of the account [default: enterprise]
    #[arg(long, value_enum)]
    pub(crate) quota: Option<Quota>,
    /// Have users post, like, follow and write to one another: so many acts per second that concern
    /// somebody who is subscribed
    #[arg(long, value_name = "RATE", value_parser = trigger::per_second)]
    pub(crate) traffic: Option<f64>,
    /// How many users that are
    #[arg(long, value_name = "N", default_value_t = Traffic::USERS, requires = "traffic",
        value_parser = clap::value_parser!(u32).range(2..=i64::from(Traffic::MAX_USERS)))]
    pub(crate) traffic_users: u32,
    /// Print the credentials as NAME=value lines, and end
    #[arg(long)]
    pub(crate) print_env: bool,
    /// Print the first line as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The data directory
    #[arg(long, value_name = "DIR", default_value = "aaa-data")]
    pub(crate) data_dir: PathBuf,
}

/// How events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line for people.
    Pretty,
    /// A JSON object.
    Json,
    /// Not at all.
    None,
}

/// Whether what was missed is recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Recover {
    /// Find gaps and replay them, unattended.
    Auto,
    /// Do not.
    Off,
}

/// How much the emulated account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Quota {
    /// Five webhooks, 5,000 subscriptions.
    Enterprise,
    /// One webhook, three subscriptions.
    PayPerUse,
}

/// Who is to be subscribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subscribe {
    /// Everybody of whom there is a token.
    All,
    These(Vec<UserId>),
}

fn subscribe(text: &str) -> Result<Subscribe, String> {
    if text == "all" {
        return Ok(Subscribe::All);
    }
    let ids = text.split(',').map(|id| id.trim().parse::<UserId>());
    let ids = ids.collect::<Result<_, _>>();
    ids.map(Subscribe::These).map_err(|error| format!("{error}; write ids such as 7,8"))
}

/// An app beside the first, and where its deliveries arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppAtPath {
    pub(crate) path: String,
    pub(crate) prefix: Prefix,
}

fn app_at_path(text: &str) -> Result<AppAtPath, String> {
    let (path, prefix) = text.rsplit_once('=').ok_or("write PATH=PREFIX, such as /shop=SHOP")?;
    let prefix = prefix.parse::<Prefix>().map_err(|error| error.to_string())?;
    Ok(AppAtPath { path: absolute_path(path)?, prefix })
}

fn absolute_path(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"{}?#".contains(&b));
    if text.starts_with('/') && plain {
        Ok(text.to_owned())
    } else {
        Err("a path begins with `/` and has no white space, `?`, `#` or braces".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_secret_is_shown() {
        let global = [
            "--consumer-secret",
            "--consumer-secret-previous",
            "--access-token",
            "--access-token-secret",
            "--bearer-token",
        ];
        let global = global.into_iter().flat_map(|flag| [flag, "hush-hush"]);
        let listen = "listen --forward-to http://x/ --forward-secret hush-hush \
                      --dashboard-password hush-hush --nats nats://user:hush-hush@host";
        let resend = "events resend 1 --to http://x/ --forward-secret hush-hush";
        for command in [listen, resend] {
            let flags = ["aaa"].into_iter().chain(global.clone()).chain(command.split_whitespace());
            let shown = format!("{:#?}", Cli::try_parse_from(flags).unwrap());
            assert!(shown.contains("forward_secret: Some("), "{shown}");
            assert!(!shown.contains("hush"), "{shown}");
        }
    }

    #[test]
    fn paths() {
        assert!(absolute_path("/webhooks/twitter").is_ok());
        for bad in ["", "x", "/a b", "/{x}", "/a?b", "/a#b"] {
            assert!(absolute_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn who_is_subscribed() {
        assert_eq!(subscribe("all"), Ok(Subscribe::All));
        let these = ["7", "8"].map(|id| id.parse().unwrap());
        assert_eq!(subscribe("7, 8"), Ok(Subscribe::These(these.into())));
        for bad in ["", "7,", "everybody", "7 8"] {
            assert!(subscribe(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn apps() {
        let shop = app_at_path("/a=b=SHOP").unwrap();
        assert_eq!((shop.path.as_str(), shop.prefix.to_string().as_str()), ("/a=b", "SHOP"));
        for bad in ["/shop", "SHOP", "=SHOP", "/shop=", "shop=SHOP", "/shop=SH OP", "/s{x}=SHOP"] {
            assert!(app_at_path(bad).is_err(), "{bad}");
        }
    }
}
